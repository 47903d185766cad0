# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``backup_compliance``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: backup_compliance
short_description: Check that every VM and container has a restorable backup that is young enough
version_added: 1.0.0
author:
  - The prlsdk.core developers
description:
  - Checks the VMs and containers of a node and their backups against objectives. The role C(prlsdk.core.backup_compliance) gathers
    both and makes the same check.
  - A backup is restorable if its chain begins with a full. One that is more than five minutes later than O(now) is not counted.
  - The limits for chains apply to the chain of the newest restorable backup, which is the one that the next increment extends.
notes:
  - Limits are inclusive. A backup exactly as old as O(objective.rpo) complies.
  - Durations are written with the units C(y), C(mo), C(w), C(d), C(h) and C(min), each at most once and the largest first, such as V(26h) or V(1d12h).
    Days and longer units follow the calendar in UTC.
  - The trees must be complete, that is, gathered without filters that leave out backups (C(omitted) is 0).
positional: backup_trees, objective, now
options:
  _input:
    description: The list RV(prlsdk.core.prl_vm_info#module:vms) of a result.
    type: list
    elements: dict
    required: true
  backup_trees:
    description: The list RV(prlsdk.core.prl_backup_info#module:backup_trees) of a result.
    type: list
    elements: dict
    required: true
  objective:
    description: The objective of every VM that no override matches.
    type: dict
    required: true
    suboptions:
      rpo:
        description: The highest allowed age of the newest restorable backup, a duration.
        type: str
        required: true
      max_chain_length:
        description: The highest allowed number of backups in a chain, including the full. V(0) means no limit.
        type: int
      max_chain_age:
        description: The highest allowed age of the full of the chain, a duration. Empty means no limit.
        type: str
  now:
    description:
      - The time of the check, as ISO 8601 text with V(Z) or an offset, or as seconds since 1970.
      - When not set, it is the current time of the controller.
    type: raw
  overrides:
    description: Other objectives for some VMs. Only the first one that matches a VM applies.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the entry in the result.
        type: str
      match:
        description:
          - Which VMs it is for, by C(name) (globs, where upper and lower case differ), C(uuid), C(type) (V(vm), V(ct)) and C(state), each a string or a list.
          - Every given key must match. A key matches if any of its values does.
        type: dict
        required: true
      objective:
        description: Merged into O(objective) key by key.
        type: dict
        required: true
  exclude:
    description: VMs that are not checked, and orphans that are not reported. Each entry is a glob for names, or a dictionary like O(overrides[].match).
    type: list
    elements: raw
    default: []
  fail_on:
    description: Which findings are violations. The others are notices.
    type: list
    elements: str
    choices: [no_vms, unreadable, damaged, never, not_restorable, rpo, chain_age, chain_length, future, full_due, orphan]
    default: [no_vms, unreadable, damaged, never, not_restorable, rpo, chain_age, chain_length]
  templates:
    description: Whether templates are checked. Templates do not run, so they are usually not backed up.
    type: bool
    default: false
  node:
    description:
      - UUID of the node. If the node does not have the VM of a backup, the backup is an orphan if this node made it. Such backups of other nodes are only
        counted.
      - When not set, all of them are orphans.
    type: str
  damaged:
    description:
      - The list RV(prlsdk.core.prl_backup_info#module:damaged) of the same result, with the VMs whose backups could not be read.
      - Such a VM has the finding V(damaged). It is not known whether it complies.
    type: list
    elements: dict
    default: []
seealso:
  - module: prlsdk.core.prl_vm_info
  - module: prlsdk.core.prl_backup_info
"""

EXAMPLES = r"""
- name: List the VMs
  prlsdk.core.prl_vm_info:
  register: node

- name: Gather all backups
  prlsdk.core.prl_backup_info:
  register: backups

- name: Check
  ansible.builtin.set_fact:
    result: "{{ node.vms | prlsdk.core.backup_compliance(backups.backup_trees, {'rpo': '26h'}, node=node.server.uuid) }}"

- name: Show it
  ansible.builtin.debug:
    var: result.table

- name: Fail if something is missing
  ansible.builtin.assert:
    that: result.compliant
    fail_msg: "{{ result.message }}"
"""

RETURN = r"""
_value:
  description: The result, as plain dictionaries, lists, strings, numbers and booleans.
  type: dict
  contains:
    checked_at:
      description: The time of the check.
      type: str
      sample: "2026-11-22T06:00:00Z"
    compliant:
      description: Whether there is no violation.
      type: bool
    message:
      description: One sentence that says how many VMs do not comply and names the worst.
      type: str
      sample: "1 of 28 VMs and containers do not comply: fresh-install (never backed up)."
    table:
      description: The same as lines of a table, the worst first. With more than 50 VMs, those that comply are left out.
      type: list
      elements: str
    totals:
      description: >-
        C(vms), C(orphans), C(foreign) (VMs of other nodes that have backups here), C(status) and C(findings), with the number of each status and of
        each finding.
      type: dict
    findings:
      description: >-
        What is wrong with the node as a whole, in the format of a VM's findings. C(no_vms), the node shows no VM or container at all. C(damaged), O(damaged)
        contains a VM that the node does not list.
      type: list
      elements: dict
    unused:
      description: Overrides that match no VM of the node.
      type: list
      elements: str
    vms:
      description: One entry for each VM, in the order of the input.
      type: list
      elements: dict
      contains:
        vm:
          description: C(uuid), C(name), C(type) and C(state).
          type: dict
        group:
          description: The name of the override that applies to it, or V(default).
          type: str
        objective:
          description: Its objective.
          type: dict
        status:
          description: V(ok), V(notice), V(violation) or V(excluded).
          type: str
        newest:
          description: Its newest restorable backup, as C(id), C(type) and C(created), or V(none).
          type: dict
        backups:
          description: How many backups it has; V(none) where they could not be read.
          type: int
        chains:
          description: How many chains it has; V(none) where they could not be read.
          type: int
        chain:
          description: The chain of the newest restorable backup, as C(uuid), C(length) and C(full) (when that was made), or V(none).
          type: dict
        full_due:
          description: Whether the next backup has to be a full, because an increment would exceed a limit.
          type: bool
        findings:
          description: >-
            What is wrong, the worst first, as C(code) (see O(fail_on)), C(severity) (V(violation), V(notice)), C(message), C(value) and C(limit). They
            contain no ages, so they change only when the backups change.
          type: list
          elements: dict
    orphans:
      description: >-
        Backups whose VM is gone, as C(vm), C(backups) (how many), C(chains), C(size) in bytes, C(newest), C(severity) and C(message).
      type: list
      elements: dict
"""

import time

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._read import refuse_undefined

#: Stands for the findings that are violations unless others are named.
_USUAL = object()


def backup_compliance(
    vms: Any,
    backup_trees: Any = None,
    objective: Any = None,
    now: Any = None,
    overrides: Any = None,
    exclude: Any = None,
    fail_on: Any = _USUAL,
    templates: Any = False,
    node: Any = None,
    damaged: Any = None,
) -> dict[str, Any]:
    """Hold VMs and their backups against objectives; the only place that reads the clock, if ``now`` is not given."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance.check import check

    given = {
        "vms": vms,
        "backup_trees": backup_trees,
        "objective": objective,
        "now": now,
        "overrides": overrides,
        "exclude": exclude,
    }
    given.update(templates=templates, node=node, damaged=damaged)
    if fail_on is not _USUAL:
        given["fail_on"] = fail_on
    try:
        for name, value in given.items():
            refuse_undefined(value, name)
        given["now"] = int(time.time()) if now is None else now
        return check(**given)
    except InputError as error:
        raise AnsibleFilterError("backup_compliance: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"backup_compliance": backup_compliance}
