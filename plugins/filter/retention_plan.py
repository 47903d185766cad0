# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_plan``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: retention_plan
short_description: Plan which backups a retention policy keeps and removes, with the reasons
version_added: 1.0.0
author:
  - The prlsdk.core developers
description:
  - Applies a retention policy to backup trees. It removes nothing itself. The plan says for each backup whether it is kept and why, and lists in
    RV(_value.vms[].remove) what to remove, in a safe order.
  - Rules choose backups; then everything that a chosen backup needs (all earlier ones of its chain) is kept as well. What is removed
    is always a whole chain, or the end of a chain with O(policy.tails=remove), or an increment from the middle with O(policy.merge=allow).
  - The newest restorable backup of a VM is never removed or merged away, and neither is the end of its chain, which the next increment extends,
    unless the VM is retired.
  - Nothing is planned for VMs that match an entry of O(exclude). For the others the first of O(overrides) that matches applies, otherwise O(policy).
  - The guide C(docs/retention.md) of the collection has worked examples and a comparison with other tools.
notes:
  - The trees must be complete. A tree from which O(ignore:backup_ids), O(ignore:newer_than), O(ignore:latest_only) or another option left
    out backups (C(omitted) is above 0) is an error, because the plan could not take missing backups into account.
  - Times are compared in UTC. Only the boundaries of days, weeks, months and years, and durations in days or longer units, follow
    O(policy.timezone). The time zones of the controller and of the nodes do not matter.
  - A duration is written with the units C(y), C(mo), C(w), C(d), C(h), C(min), each at most once and the largest first, such as V(7d),
    V(1y6mo) or V(36h). A number alone and the unit C(m) are refused as ambiguous. A backup that is exactly as old as a duration is within it.
positional: policy, now
extends_documentation_fragment:
  - prlsdk.core.retention
options:
  _input:
    description: The list RV(prlsdk.core.prl_backup_info#module:backup_trees) of a result, for any number of VMs.
    type: list
    elements: dict
    required: true
  now:
    description:
      - The time for which to plan, as ISO 8601 text with V(Z) or an offset, or as seconds since 1970.
      - When not set, it is the current time of the controller.
    type: raw
  reasons:
    description:
      - For which backups the plan contains reasons, V(all), only the V(kept) ones, or V(none). The verdicts are the same.
      - Planning 100,000 backups takes seconds. Storing the plan takes longer, because Ansible templates every value of a fact separately, and most values
        of a plan are reasons. M(prlsdk.core.prl_backup_prune) plans without that cost.
    type: str
    choices: [all, kept, none]
    default: all
  damaged:
    description:
      - The list RV(prlsdk.core.prl_backup_info#module:damaged) of the same result, with the VMs whose backups could not be read.
      - Nothing is planned for them, and the plan has a warning for each. They are not treated as VMs without backups.
    type: list
    elements: dict
    default: []
seealso:
  - plugin: prlsdk.core.backup_list
    plugin_type: filter
  - module: prlsdk.core.prl_backup_info
  - module: prlsdk.core.prl_backup_prune
  - module: prlsdk.core.prl_backup
"""

EXAMPLES = r"""
- name: Gather all backups
  prlsdk.core.prl_backup_info:
  register: backups

- name: Plan to keep seven days, four weeks and twelve months
  ansible.builtin.set_fact:
    plan: "{{ backups.backup_trees | prlsdk.core.retention_plan(policy) }}"
  vars:
    policy:
      timezone: Europe/Berlin
      daily: 7
      weekly: {count: 4, of: full}
      monthly: {count: 12, of: full}

- name: Show what would be removed
  ansible.builtin.debug:
    msg: >-
      {{ item.vm.name }}: {{ item.status }}, {{ item.counts.remove }} backups, {{ item.bytes.freed | ansible.builtin.human_readable }}
      {{ item.guard or '' }}
  loop: "{{ plan.vms }}"
  loop_control:
    label: "{{ item.vm.name }}"

- name: Plan with another policy for databases, and leave some VMs alone
  ansible.builtin.set_fact:
    plan: "{{ backups.backup_trees | prlsdk.core.retention_plan(policy, overrides=overrides, exclude=exclude) }}"
  vars:
    policy: {timezone: Europe/Berlin, daily: 7, weekly: 4}
    overrides:
      - name: databases
        match:
          name: ["db-*", "*-sql"]
        policy:
          daily: 30
    exclude:
      - name: "scratch-*"

- name: Apply it, all VMs in one task
  prlsdk.core.prl_backup:
    state: absent
    backups: "{{ plan.remove }}"

- name: Fail if a guard refused something
  ansible.builtin.assert:
    that: plan.totals.vms.refused == 0
    fail_msg: "{{ plan.vms | selectattr('status', 'eq', 'refused') | map(attribute='guard') }}"
"""

RETURN = r"""
_value:
  description: The plan, as plain dictionaries, lists, strings, numbers and booleans.
  type: dict
  contains:
    digest:
      description:
        - Depends only on the backups, the policies, the day (in O(policy.timezone)), the version of the planner, and the backups in RV(_value.remove) with
          their actions. Two plans with the same digest remove the same backups.
        - M(prlsdk.core.prl_backup_prune) uses it to apply exactly the plan that was reviewed.
      type: str
    now:
      description: The time of the plan.
      type: str
      sample: "2026-09-13T03:00:02Z"
    timezone:
      description: The time zone of the plan.
      type: str
    policy:
      description: O(policy) with all defaults filled in. It can be used as a policy.
      type: dict
    groups:
      description: One entry for each of O(overrides) and V(default) at the end, with C(name), C(policy), C(digest) and C(totals).
      type: list
      elements: dict
    excluded:
      description: The excluded VMs, with C(vm), C(backups) (how many) and C(size) in bytes.
      type: list
      elements: dict
    unused:
      description:
        - The overrides and exclusions that match no VM, such as V(override databases) or V(exclusion name=stagng-*). This may be a typing error, and
          then the VMs that it was meant for have another policy. Or its VMs are on another node.
      type: list
      elements: str
    refusals:
      description:
        - For each guard that refused something C(guard), C(vms) (their names), C(backups) (how many would be removed), C(message), and C(allow), the
          value for O(guards) that would allow it, or V(none) if no value should be used.
      type: list
      elements: dict
    remove:
      description:
        - RV(_value.vms[].remove) of all VMs, each with C(vm), as O(prlsdk.core.prl_backup#module:backups) takes it.
      type: list
      elements: dict
    warnings:
      description: Problems with the policy or the backups.
      type: list
      elements: dict
      contains:
        code:
          description: >-
            V(keeps_only_newest), V(implied), V(weekly_increments), V(unknown_pin), V(unknown_tag), V(future), V(broken), V(old_format), V(pin_date),
            V(stale) or
            V(damaged).
          type: str
        message:
          description: The warning as a sentence.
          type: str
        rule:
          description: The key of the policy, or V(none).
          type: str
        vm:
          description: The UUID of the VM, or V(none).
          type: str
    damaged:
      description: O(damaged), each with C(uuid), C(name) and C(message), without those that are excluded. They are not in RV(_value.vms) and not in the totals.
      type: list
      elements: dict
    totals:
      description: Sums over all VMs.
      type: dict
      contains:
        vms:
          description: How many VMs have each RV(_value.vms[].status).
          type: dict
        counts:
          description: The sums of RV(_value.vms[].counts).
          type: dict
        bytes:
          description: The sums of RV(_value.vms[].bytes).
          type: dict
    vms:
      description: One entry for each VM, by name.
      type: list
      elements: dict
      contains:
        vm:
          description: C(uuid), C(name) and C(type).
          type: dict
        group:
          description: The name of the override that applies to it, or V(default).
          type: str
        status:
          description: V(nothing) to remove, V(planned), V(retired) if backups are removed because the VM has moved or is gone, or V(refused) by a guard.
          type: str
        guard:
          description: >-
            Which guard refused the plan, as C(name), C(value) and C(limit). Otherwise V(none). Besides the guards of the policy there are
            V(duplicate_ids) (another backup of this VM, or of another one, has the same ID) and V(no_restorable_left). For
            V(max_staleness), C(value) and C(limit) are times.
          type: dict
        counts:
          description: Backups by verdict, as C(keep), C(remove) and C(refused).
          type: dict
        bytes:
          description: >-
            Sizes in bytes. C(own) of backups kept for their own reasons, C(needed) of those kept only because others need them, C(freed)
            of those to be removed, C(refused) of those whose removal a guard refused.
          type: dict
        full_due:
          description: What a new full backup made now would make removable.
          type: dict
          contains:
            freed:
              description: Bytes that would be removed as soon as the new full exists.
              type: int
            chains:
              description: >-
                The chains concerned, each with C(chain), C(backups) (how many), C(size) in bytes and C(when). C(when) is RV(_value.now) for
                chains that could be removed at once. The chain that is active now is listed as well, with the earliest time at which its last
                reason can end, or V(none) if that cannot be foreseen.
              type: list
              elements: dict
        backups:
          description: Every backup of the VM, newest first.
          type: list
          elements: dict
          contains:
            id:
              description: The id, as the server writes it.
              type: str
            chain:
              description: The UUID of the chain.
              type: str
            type:
              description: V(full) or V(incremental).
              type: str
            created:
              description: When it was made.
              type: str
            size:
              description: Its size in bytes.
              type: int
            verdict:
              description: V(keep), V(remove), or V(refused) if a guard refused its removal.
              type: str
            own:
              description: Whether it is kept for any reason other than that other backups need it.
              type: bool
            earliest_removal:
              description: >-
                The time before which this policy will not remove it, provided that new backups have correct times. V(none) if this
                cannot be foreseen.
              type: str
            reasons:
              description:
                - The reasons for the verdict. Each has a C(code) and further keys.
                - For kept backups V(rule) (C(name), C(rank), C(of), and for buckets C(bucket), C(from), C(to)), V(within) (C(rule), C(since)),
                  V(window_start) (C(rule), C(since)), V(oldest) (C(rule)), V(needed_by) (C(ids), the nearest three that are kept for
                  their own reasons, and the C(count) of all), V(min_restorable), V(pinned) (C(by), and C(until) if it has an end), V(grace) (C(until)),
                  V(future), V(broken),
                  V(active_chain) (the newest restorable backup, and the end of its chain, which the next increment extends) and V(tail) (the end
                  of a chain that is kept).
                - For a rule of O(policy.by_tag) it has C(tag) as well.
                - For other backups, one for each rule, V(superseded) (C(rule), C(bucket), C(by), the id of the kept one), V(beyond_count)
                  (C(rule), C(rank), C(of)), V(older_than) (C(rule), C(by) in seconds), V(not_counted) (C(rule), C(of)) if a rule
                  for fulls ignored an increment, and V(broken).
                - >-
                  For backups of a VM that is retired V(retired) (C(by), which is V(moved) for O(policy.retire_moved_after) or V(declared) for O(retired), and
                  C(after), the duration).
              type: list
              elements: dict
        remove:
          description: What to remove, in this order. Empty if a guard refused the plan.
          type: list
          elements: dict
          contains:
            id:
              description: The backup to ask the server for.
              type: str
            created:
              description: When that backup was made.
              type: str
            size:
              description: The size of that backup in bytes. M(prlsdk.core.prl_backup) refuses the removal if the size has changed by then.
              type: int
            frees:
              description: >-
                Bytes that the removal frees, which is the total size of RV(_value.vms[].remove[].removes). A V(merge) may free less, because the
                server keeps the data that the next backup needs in that backup.
              type: int
            action:
              description: V(chain) for a whole chain, V(increment) for the last one of a chain, V(merge) for one from the middle of a chain.
              type: str
            allow_remove_last:
              description: Whether it may take the last restorable backup. Only for the last chain of a VM of O(retired).
              type: bool
            removes:
              description: >-
                All backups that are removed with it, itself included, the newest first. M(prlsdk.core.prl_backup) refuses the removal if one of
                them is a different backup by then.
              type: list
              elements: dict
              contains:
                id:
                  description: The id.
                  type: str
                created:
                  description: When it was made.
                  type: str
                size:
                  description: Its size in bytes.
                  type: int
"""

import time

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._read import refuse_undefined


def retention_plan(
    backup_trees: Any,
    policy: Any = None,
    now: Any = None,
    overrides: Any = None,
    exclude: Any = None,
    retired: Any = None,
    guards: Any = None,
    reasons: str = "all",
    damaged: Any = None,
) -> dict[str, Any]:
    """What the policies keep and remove of ``backup_trees``; the only place that reads the clock, if ``now`` is not given."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans

    try:
        refuse_undefined(backup_trees, "backup_trees")
        given = {
            "policy": policy,
            "now": now,
            "overrides": overrides,
            "exclude": exclude,
            "retired": retired,
            "guards": guards,
            "reasons": reasons,
            "damaged": damaged,
        }
        for name, value in given.items():
            refuse_undefined(value, name)
        for number, override in enumerate(overrides or []):
            refuse_undefined(override, "overrides[%d]" % number)
        return make_plans(
            backup_trees,
            policy,
            int(time.time()) if now is None else now,
            overrides,
            exclude,
            retired,
            guards,
            damaged,
            reasons,
        )
    except InputError as error:
        raise AnsibleFilterError("retention_plan: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"retention_plan": retention_plan}
