#!/usr/bin/python
# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action ``plugins/action/prl_backup_prune.py``, which runs on the controller."""

DOCUMENTATION = r"""
module: prl_backup_prune
short_description: Prune backups of a Virtuozzo or Parallels host by a retention policy
version_added: 1.0.0
description:
  - Gathers the backups that a node made, plans by a policy which ones to keep, and shows the plan with the reasons. If the plan was confirmed, it removes
    the planned backups and gathers again to verify the result. It writes a report on the controller.
  - Nothing is removed without O(confirm). A task with only O(policy) shows and reports the plan.
  - If a run is interrupted, every kept backup still has all backups that it needs. The next run finishes the work.
  - This is an action. It plans on the controller and runs M(prlsdk.core.prl_backup_info) and M(prlsdk.core.prl_backup) on the target host.
author:
  - The prlsdk.core developers (!UNKNOWN)
requirements:
  - lxml on the target host, for the interpreter that Ansible uses there
extends_documentation_fragment:
  - prlsdk.core.connection
  - prlsdk.core.storage
  - prlsdk.core.retention
  - prlsdk.core.attributes
  - prlsdk.core.attributes.action
attributes:
  check_mode:
    support: full
    details:
      - Predicts the removal by asking the server about each backup, even without O(confirm). Nothing is changed. The report is written.
      - With O(confirm) it fails in the same cases as the run itself.
  diff_mode:
    support: full
    details:
      - Shows ID, time and size of the backups before and after, for the VMs of which backups are removed.
  idempotent:
    support: full
    details:
      - A second run with the same O(policy) changes nothing, except for backups that have become removable in the meantime.
options:
  confirm:
    description:
      - What may be removed. When not set, nothing is removed.
      - A digest, as shown in a plan, applies exactly that plan. If the backups, the policy or the day have changed, or other backups have become
        removable because their C(grace) has ended, the digest is different, and nothing is removed. For several hosts, give their digests as a list,
        or as text with commas. The first 12 digits are enough.
      - V(true) applies the plan of the run, whatever it is.
    type: raw
  owner:
    description:
      - V(this_node) considers only the chains whose newest backup this node made, so that nodes can share a backup server.
      - V(any) considers all backups of the server, for pruning a server from one place.
    type: str
    choices: [any, this_node]
    default: this_node
  scope:
    description:
      - V(all) asks the server for its whole tree. Only this shows the backups of VMs that the node no longer knows.
      - V(registered) asks separately for each VM that the node knows. On servers with more than a few thousand backups it is faster by orders of
        magnitude, see M(prlsdk.core.prl_backup_info).
    type: str
    choices: [all, registered]
    default: all
  types:
    description:
      - V(vm) for virtual machines, V(ct) for containers.
    type: list
    elements: str
    choices: [vm, ct]
    default: [vm, ct]
  on_damaged:
    description:
      - What to do when the server's answer for one VM cannot be read, as O(prlsdk.core.prl_backup_info#module:on_damaged).
      - V(fail) fails before anything is planned. V(skip) plans nothing for that VM, warns, and prunes the others.
      - If this happens after the removal, the VM is reported as unknown and the task fails in both cases.
    type: str
    choices: [fail, skip]
    default: fail
  on_refused:
    description:
      - What to do when a guard refuses the plans of some VMs.
      - V(fail) prunes the other VMs, and then fails. V(stop) removes nothing on this host and fails. V(continue) prunes the other VMs and does not
        fail.
      - A run without O(confirm) does not fail for this reason.
    type: str
    choices: [fail, stop, continue]
    default: fail
  on_error:
    description:
      - What to do when a backup cannot be removed. V(continue) continues with other chains, V(stop) stops the removal. The task fails in both cases.
    type: str
    choices: [continue, stop]
    default: continue
  timeout:
    description:
      - Ignored. It is accepted because C(module_defaults) of the action group may set it. See O(gather_timeout), O(remove_timeout), O(wait_timeout).
  gather_timeout:
    description:
      - Time limit in seconds for gathering, before and again after the removal.
    type: int
    default: 900
  remove_timeout:
    description:
      - Time limit in seconds for the removal. What is not removed by then is left to the next run, and the task fails.
    type: int
    default: 14400
  busy_timeout:
    description:
      - Seconds to wait for a chain that is in use. If it stays in use, it is left to the next run, and the task fails.
      - The server does not list a chain while it is being written. So the verification after the removal waits for the same time if a backup that the plan
        keeps is not listed.
    type: int
    default: 60
  wait:
    description:
      - VMs to wait for a new backup of before anything else, because a schedule makes it at about the same time.
      - A backup that is already there ends the wait immediately.
    type: list
    elements: dict
    default: []
    suboptions:
      vm:
        description:
          - Name or UUID of the VM.
        type: str
        required: true
      newer_than:
        description:
          - The backup must not be older than this duration, such as V(12h), or must have been made after this time.
        type: str
        required: true
  wait_timeout:
    description:
      - Seconds to wait for each VM of O(wait). If its backup does not come, the task fails and nothing is removed.
    type: int
    default: 7200
  show:
    description:
      - How much of the plan RV(lines) contains. V(all) shows every backup, V(removals) those to remove, V(vms) a line for each VM of which backups are
        removed, V(totals) only the totals, V(none) nothing.
      - V(auto) means V(all) for up to O(show_limit) backups, V(removals) for more, and V(vms) with more than 1,000 removals.
      - The report contains everything.
    type: str
    choices: [auto, all, removals, vms, totals, none]
    default: auto
  show_limit:
    description:
      - The highest number of backups of a host for which V(auto) shows all of them.
    type: int
    default: 200
  report_dir:
    description:
      - Folder on the controller for the report of the host, as JSON. When empty, no report is written. A relative path is relative to the
        working directory of the command.
      - The file is C(HOST.json) with the mode C(0640). All characters of the host name except lower-case letters, digits, dots, underscores
        and dashes are escaped, so that two hosts never share a file. Each byte of an escaped character is written as C(%) and two hexadecimal digits.
      - A folder that does not exist is created with the mode C(0750). The mode of an existing folder is not changed.
      - If the folder is not writable, the task fails before it connects to the host.
      - M(prlsdk.core.prl_retention_page) makes a page of all reports in the folder.
    type: str
    default: ""
notes:
  - The removal is done in slices of about a minute. After each slice, a line on the standard error of the controller shows the progress.
  - C(module_defaults) of the group C(prlsdk.core.prlsdk) apply to this action and to the modules that it runs. Those of
    M(prlsdk.core.prl_backup) or M(prlsdk.core.prl_backup_info) alone do not.
  - C(async) is not supported.
seealso:
  - module: prlsdk.core.prl_retention_page
  - module: prlsdk.core.prl_backup_compliance
  - module: prlsdk.core.prl_backup
  - module: prlsdk.core.prl_backup_info
  - plugin: prlsdk.core.retention_plan
    plugin_type: filter
"""

EXAMPLES = r"""
# Ad hoc, as root on each node:
#   ansible nodes -b -m prlsdk.core.prl_backup_prune -a '{"policy": {"timezone": "Europe/Berlin", "daily": 7, "weekly": 4}}'

- name: Show what the policy removes, and write the report
  prlsdk.core.prl_backup_prune:
    policy:
      timezone: Europe/Berlin
      daily: 7
      weekly: 4
      monthly: {count: 12, of: full}
    report_dir: retention

- name: Apply exactly the plan that was reviewed
  prlsdk.core.prl_backup_prune:
    policy: {timezone: Europe/Berlin, daily: 7, weekly: 4}
    confirm: 5a0c1d2e3f405162

- name: Prune every night, keep more of the databases, and leave the build machines alone
  prlsdk.core.prl_backup_prune:
    policy: {timezone: Europe/Berlin, daily: 7, weekly: 4}
    overrides:
      - name: databases
        match: {name: db-*}
        policy: {daily: 31}
    exclude:
      - name: build-*
    confirm: true
    report_dir: retention
"""

RETURN = r"""
changed:
  description: Whether a backup was removed. In check mode, whether one would be.
  returned: always
  type: bool
status:
  description:
    - V(planned), the plan removes backups and was not confirmed. V(predicted), check mode asked the server about each removal. V(applied), the
      removal was done and verified. V(nothing), the plan removes nothing.
    - V(guarded), guards refused everything that the plan would remove, or O(on_refused=stop). V(mismatch), the digest is not the confirmed one.
      V(failed), see C(msg). After V(mismatch) and V(guarded) nothing was removed.
    - In a report the status is V(running) during the removal, and stays so if the run was killed.
  returned: always
  type: str
  sample: planned
message:
  description: The result in words, and what to do next. If the task has failed, it is in C(msg).
  returned: if the task has not failed
  type: str
  sample: >-
    Plan only, nothing was changed. 12 backups of 3 VMs (41.2 GiB) would be removed. To apply exactly this plan add 'confirm: 5a0c1d2e3f405162'; to apply
    whatever the plan is at that time, as in a nightly job, 'confirm: true'.
digest:
  description: The digest of the plan, 64 hexadecimal digits; V(null) if there is no plan.
  returned: always
  type: str
  sample: 5a0c1d2e3f4051625a0c1d2e3f4051625a0c1d2e3f4051625a0c1d2e3f405162
totals:
  description: The totals of the plan, as RV(prlsdk.core.retention_plan#filter:_value.totals); V(null) if there is no plan.
  returned: always
  type: dict
refusals:
  description: What the guards refused, as RV(prlsdk.core.retention_plan#filter:_value.refusals).
  returned: always
  type: list
  elements: dict
removed:
  description: What was removed. In check mode, what would be.
  returned: always
  type: dict
  contains:
    backups:
      description: How many backups.
      type: int
      sample: 12
    bytes:
      description: Their size in bytes.
      type: int
      sample: 44238834892
failed_removals:
  description: Removals that failed, were refused or were not attempted, at most 100. The report contains all of them.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: ID of the backup.
      type: str
    vm:
      description: UUID of the VM.
      type: str
    outcome:
      description: As RV(prlsdk.core.prl_backup#module:backups[].outcome).
      type: str
    reason:
      description: As RV(prlsdk.core.prl_backup#module:backups[].reason).
      type: str
    message:
      description: The outcome in a sentence.
      type: str
debts:
  description: Removals that the server may still carry out, as RV(prlsdk.core.prl_backup#module:debts).
  returned: always
  type: list
  elements: dict
lines:
  description:
    - The plan as lines of a table, for at most 2,000 VMs, and the totals. See O(show).
    - In a play they are also shown on the standard error of the controller, before anything is removed.
  returned: success, and always from the command C(ansible)
  type: list
  elements: str
report:
  description: Path of the report on the controller; V(null) if there is none.
  returned: always
  type: str
  sample: /home/admin/retention/node-a.json
started:
  description: When the task started, in UTC.
  returned: always
  type: str
  sample: "2026-11-22T03:00:00Z"
"""
