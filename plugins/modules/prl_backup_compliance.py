#!/usr/bin/python
# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action ``plugins/action/prl_backup_compliance.py``, which runs on the controller."""

DOCUMENTATION = r"""
module: prl_backup_compliance
short_description: Check that every VM of a Virtuozzo or Parallels host has a restorable backup that is young enough
version_added: 1.0.0
description:
  - Lists the VMs and containers of the node, gathers the backups, checks each VM against its objective, and fails if a VM does not comply.
  - Optionally writes files for CI and for monitoring. Changes nothing on the host.
  - The node shows each user only what that user may see. Use C(become=true) if the connecting user is not root.
  - This is an action. It checks on the controller and runs M(prlsdk.core.prl_vm_info) and M(prlsdk.core.prl_backup_info) on the target host.
author:
  - The prlsdk.core developers (!UNKNOWN)
requirements:
  - lxml on the target host, for the interpreter that Ansible uses there
extends_documentation_fragment:
  - prlsdk.core.connection
  - prlsdk.core.storage
  - prlsdk.core.attributes
  - prlsdk.core.attributes.action
attributes:
  check_mode:
    support: full
    details:
      - Checks as usual, but writes no files.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - It reports a change if the files of O(report_dir) change, because the result differs from the previous one.
options:
  objective:
    description:
      - The objective of every VM and container that no override matches. A plain duration such as V(26h) sets its C(rpo).
      - C(rpo), required, is the highest allowed age of the newest restorable backup, such as V(26h) for a nightly backup that may take two hours. A backup
        that is exactly as old complies.
      - C(max_chain_length) is the highest allowed number of backups in the newest chain, including its full. V(0) or not set means no limit.
      - C(max_chain_age) is the highest allowed age of the full of the newest chain, such as V(5w). Empty or not set means no limit.
    type: raw
    required: true
  overrides:
    description:
      - Other objectives for some VMs, in this order. Only the first entry whose C(match) matches a VM applies.
      - Each has C(match), C(objective) (merged into O(objective) key by key), and may have a C(name) for the result.
      - A C(match) has one or more of C(name) (globs, such as C(db-*), upper and lower case differ), C(uuid), C(type) (V(vm) or V(ct)) and C(state) (of the
        VM now, such as V(running), as RV(prlsdk.core.prl_vm_info#module:vms[].state)). Every given key must match. A key matches if any of
        its values does.
    type: list
    elements: dict
    default: []
  exclude:
    description:
      - VMs that are not checked, and orphans that are not reported. Each entry is a glob for names, or a dictionary like a C(match) of O(overrides).
    type: list
    elements: raw
    default: []
  templates:
    description:
      - Whether templates are checked as well.
    type: bool
    default: false
  types:
    description:
      - V(vm) for virtual machines, V(ct) for containers.
    type: list
    elements: str
    choices: [vm, ct]
    default: [vm, ct]
  owner:
    description:
      - V(any) counts every backup of a VM, including those that another node made before the VM was moved here. V(this_node) counts only chains whose newest
        backup this node made.
    type: str
    choices: [any, this_node]
    default: any
  orphans:
    description:
      - Whether to look for backups that this node made of VMs that are no longer registered.
      - This needs the server's whole tree. With V(false) the server is asked VM by VM, which on servers with more than a few thousand backups is
        faster by orders of magnitude, see M(prlsdk.core.prl_backup_info).
    type: bool
    default: true
  timeout:
    description:
      - Ignored. It is accepted because C(module_defaults) of the action group may set it. See O(gather_timeout).
  gather_timeout:
    description:
      - Time limit in seconds for listing the VMs, and again for gathering the backups.
    type: int
    default: 900
  fail_on:
    description:
      - Which findings are violations. The others are notices, which are shown and do not fail.
      - V(no_vms), the node shows no VM or container at all, which also happens if the user may not see them. Leave it out for nodes that may be empty.
      - V(unreadable), the node cannot read the VM's configuration. V(damaged), the server's answer for the VM cannot be read. V(never), it has no
        backup. V(not_restorable), none of its backups is certain to be restorable. V(rpo), the newest restorable one is too old. V(chain_age) and
        V(chain_length), the newest chain exceeds a limit. V(future), backups are dated more than five minutes in the future. V(full_due), the next
        backup has to be a full. V(orphan), this node made backups of a VM that is no longer registered. V(new), see O(new_vm_grace).
    type: list
    elements: str
    choices: [no_vms, unreadable, damaged, never, not_restorable, rpo, chain_age, chain_length, future, full_due, orphan, new]
    default: [no_vms, unreadable, damaged, never, not_restorable, rpo, chain_age, chain_length]
  fail:
    description:
      - Whether the task fails on violations. If the check is impossible, the task always fails.
    type: bool
    default: true
  new_vm_grace:
    description:
      - A duration such as V(24h). A VM without a backup that was first seen within this duration has the finding V(new) instead of V(never).
      - It needs O(state_dir). In the first run, when there is no state file yet, no VM counts as new.
    type: str
  state_dir:
    description:
      - Folder on the controller for a file C(HOST.json) for each host, with the time when each VM was first seen. Empty for none.
      - Each run that is not in check mode updates it. Do not use the folder for anything else.
    type: str
    default: ""
  report_dir:
    description:
      - Folder on the controller for the files C(HOST.json) and C(HOST.junit.xml) of each host. Empty for none. A relative path is relative to the
        working directory of the command.
      - C(HOST) is the name of the host, escaped as with O(prlsdk.core.prl_backup_prune#module:report_dir). The mode of the files is C(0640). A folder that
        does not exist is created with the mode C(0750).
      - The files contain neither the time of the check nor any ages, so they change only when the result changes. If the check is impossible, they say why,
        and C(compliant) is false.
    type: str
    default: ""
  metrics_dir:
    description:
      - Folder on the controller for the file C(HOST.prom) of each host, in the OpenMetrics format, which the textfile collector of C(node_exporter) reads.
        Empty for none. Its mode is C(0644).
      - The metrics are C(prl_backup_compliance_success) and C(_timestamp_seconds) for the check, C(_compliant) and C(_orphans) for the host, and for each VM
        C(_vm_compliant), C(_vm_newest_timestamp_seconds), C(_vm_newest_age_seconds), C(_vm_backups), C(_vm_chain_length) and C(_vm_findings) by code.
    type: str
    default: ""
  now:
    description:
      - The time of the check, as ISO 8601 text with V(Z) or an offset. When empty, it is the current time of the controller.
    type: str
    default: ""
seealso:
  - module: prlsdk.core.prl_backup_prune
  - module: prlsdk.core.prl_vm_info
  - module: prlsdk.core.prl_backup_info
  - plugin: prlsdk.core.backup_compliance
    plugin_type: filter
"""

EXAMPLES = r"""
# Ad hoc:
#   ansible nodes -b -m prlsdk.core.prl_backup_compliance -a objective=26h

- name: Check that every VM has a backup of the last 26 hours
  prlsdk.core.prl_backup_compliance:
    objective: 26h

- name: Ask more of the databases, less of what is switched off, and write files for CI and monitoring
  prlsdk.core.prl_backup_compliance:
    objective: {rpo: 26h, max_chain_age: 5w}
    overrides:
      - name: databases
        match: {name: db-*}
        objective: {rpo: 2h}
      - name: stopped
        match: {state: [stopped, suspended]}
        objective: {rpo: 31d}
    new_vm_grace: 24h
    state_dir: compliance-state
    report_dir: compliance
    metrics_dir: /var/lib/node_exporter/textfile
"""

RETURN = r"""
changed:
  description: Whether a file of O(report_dir) changed.
  returned: always
  type: bool
compliant:
  description: Whether there is no violation. False if the check was impossible.
  returned: always
  type: bool
message:
  description: One sentence that says how many VMs do not comply and names the worst. If the task has failed, it is in C(msg).
  returned: if the task has not failed
  type: str
  sample: "1 of 28 VMs and containers do not comply: fresh-install (never backed up)."
checked_at:
  description: The time of the check.
  returned: if the check was made
  type: str
  sample: "2026-11-22T06:00:00Z"
lines:
  description:
    - The result as lines of a table, the worst first. With more than 50 VMs, those that comply are left out.
    - In a play they are also shown on the standard error of the controller.
  returned: success, and always from the command C(ansible) if the check was made
  type: list
  elements: str
totals:
  description: The totals, as RV(prlsdk.core.backup_compliance#filter:_value.totals).
  returned: if the check was made
  type: dict
findings:
  description: What is wrong with the node as a whole, as RV(prlsdk.core.backup_compliance#filter:_value.findings).
  returned: if the check was made
  type: list
  elements: dict
vms:
  description: >-
    The VMs with findings, violations and notices, each as in RV(prlsdk.core.backup_compliance#filter:_value.vms). The files of O(report_dir) contain all VMs.
  returned: if the check was made
  type: list
  elements: dict
orphans:
  description: Backups of VMs that are no longer registered, as RV(prlsdk.core.backup_compliance#filter:_value.orphans).
  returned: if the check was made
  type: list
  elements: dict
unused:
  description: Overrides that match no VM of the host.
  returned: if the check was made
  type: list
  elements: str
"""
