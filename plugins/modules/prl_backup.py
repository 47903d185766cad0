#!/usr/bin/python
# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a backup, or remove backups."""

DOCUMENTATION = r"""
module: prl_backup
short_description: Make and remove backups of VMs and containers on a Virtuozzo or Parallels host
version_added: 1.0.0
description:
  - With O(state=present) makes one backup of one VM or container, unless there is a recent one.
  - With O(state=absent) removes the backups listed in O(backups), any number of them with one login.
  - The server's own removal deletes a whole chain when it is given a number that is not there, and everything that a VM has when it is
    given any number of a VM with a single backup, and reports success. This module asks it for nothing that it has not seen a moment
    before. The VM's backups are read right before each call, the exact ID must be among them, and they are read again after it.
  - A chain is one full backup and the incremental ones that build on it. A full backup is removed only together with its whole chain.
    Incremental ones are removed newest first. One in the middle is removed alone only with O(backups[].action=merge).
  - What was removed before a failure is reported as removed, and a second run of the same task finishes the work.
  - The guide C(docs/removing.md) of the collection explains what can go wrong with the server's removal, and what this module does about it.
author:
  - The prlsdk.core developers (!UNKNOWN)
requirements:
  - lxml on the target host, for the interpreter that Ansible uses there
extends_documentation_fragment:
  - prlsdk.core.connection
  - prlsdk.core.storage
  - prlsdk.core.attributes
attributes:
  check_mode:
    support: full
    details:
      - Logs in, reads and checks as always, and reports for each backup what would become of it. It cannot foresee that a backup is in
        use at that moment.
      - Whether an incremental backup becomes a full one is predicted from the list of backups. A changed disk is not detected.
  diff_mode:
    support: full
    details:
      - Shows the IDs of the backups of the VMs concerned, before and after.
  idempotent:
    support: partial
    details:
      - Removal is idempotent. A backup that is not there is no error and no change.
      - Making a backup is idempotent with O(max_age) only. Without it each run makes one.
options:
  state:
    description:
      - V(present) to make a backup, V(absent) to remove some.
      - It has no default, so that a forgotten V(absent) cannot make a backup. The options of the other state are refused.
    type: str
    choices: [present, absent]
    required: true
  vm:
    description:
      - A name, a container's ID, or a UUID with or without braces, in any case. A name that fits more than one VM is an error that lists
        them.
      - With O(state=present) the VM or container to back up; required.
      - With O(state=absent) the VM that all entries of O(backups) without a O(backups[].vm) belong to. Where neither is given, the VM
        is found by reading all backups of the server once, which on a large server takes long.
    type: str
  type:
    description:
      - What to make; V(incremental) if not set. Only with O(state=present).
      - An incremental backup turns into a full one without an error when there is nothing to build on, when the newest incremental backup of
        the chain was removed, or when the VM's disks have changed. RV(became_full) says so.
    type: str
    choices: [full, incremental]
  description:
    description:
      - A text that is kept with the backup; empty if not set. Only with O(state=present). It is the only one that the SDK stores; tags and pins of
        retention policies live here.
      - Characters that XML cannot hold, which are most control characters, are refused.
    type: str
  compress:
    description:
      - Whether to compress the backup.
    type: bool
    default: true
  max_age:
    description:
      - Make none if the newest backup of the VM is not older than this. With O(type=full) only full backups count. Only with O(state=present).
      - A duration such as V(20h), V(6d) or V(1w). The units are V(y), V(mo), V(w), V(d), V(h) and V(min), each once, largest first.
    type: str
  wait:
    description:
      - Whether to wait for the end of the backup.
      - With V(false) the task ends when the server has not refused it within five seconds. RV(backup) is then V(null), and a later
        failure is not reported, because the server sends no event for it. M(prlsdk.core.prl_event_wait) can wait for the success.
    type: bool
    default: true
  backups:
    description:
      - The backups to remove. With O(state=absent), this or O(backup_ids) is required. A plain text is the ID of one.
      - The list C(remove) of a plan by the filter P(prlsdk.core.retention_plan#filter) is such a list.
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The backup's ID as RV(prlsdk.core.prl_backup_info#module:backup_trees[].chains[].backups[].id), with or without braces, in any case.
        type: str
        required: true
      vm:
        description:
          - The VM that it belongs to, if not O(vm).
        type: str
      created:
        description:
          - When it was made. If the backup with this ID was made at another time, it is not the one that was meant, and is refused.
          - An ISO 8601 time with a zone, such as V(2026-11-22T03:00:00Z), or seconds since 1970.
        type: str
      size:
        description:
          - Its size in bytes. A backup with another size is refused.
        type: int
      frees:
        description:
          - How many bytes the removal frees, from a plan. It has no effect; it is allowed so that the steps of a plan can be given unchanged.
        type: int
      action:
        description:
          - V(chain) for a full backup with its whole chain, V(increment) for an incremental one at the end of its chain.
          - V(merge) takes an incremental backup out of the middle; the server merges it into the next one. It can take more than a minute for
            each disk, and the server gives up on disks that do.
          - When not set, it is V(chain) for a full backup and V(increment) for an incremental one. A backup that does not fit the action is
            refused.
        type: str
        choices: [chain, increment, merge]
      removes:
        description:
          - All backups that are removed with this one, itself among them or not. With the ID of a full backup these are its whole chain; a chain
            that has another backup by now is refused.
        type: list
        elements: dict
        default: []
        suboptions:
          id:
            description: The ID, written as O(backups[].id).
            type: str
            required: true
          created:
            description: When it was made, as O(backups[].created). If the backup with this ID was made at another time, O(backups[]) is refused.
            type: str
          size:
            description: Its size in bytes. If the backup has another size, O(backups[]) is refused.
            type: int
      allow_remove_last:
        description:
          - Permit that this removal takes the last restorable backup of its VM. O(allow_remove_last) permits it for every VM of the task.
        type: bool
        default: false
  backup_ids:
    description:
      - The backups to remove, as plain IDs. A full backup is removed with its whole chain only if O(dependents=remove), or if all IDs of the chain
        are listed.
    type: list
    elements: str
    aliases: [backup_id]
  dependents:
    description:
      - What to do about backups that depend on one in O(backups), and are not listed themselves.
      - V(refuse) does not remove what something depends on. V(remove) removes the dependents too.
    type: str
    choices: [refuse, remove]
    default: refuse
  allow_remove_last:
    description:
      - Permit the removal of the last restorable backup of a VM.
      - Without it, the chain with the newest backup is kept when all backups of a VM are listed.
    type: bool
    default: false
  on_error:
    description:
      - V(stop) ends the work at the first backup that cannot be removed, V(continue) continues with other chains. In both cases the task fails.
      - When more than what was asked for has gone from a chain, it ends at once in any case. What somebody else removes from other chains
        meanwhile does no harm, see RV(gone_meanwhile).
    type: str
    choices: [stop, continue]
    default: stop
  debts:
    description:
      - Removals of earlier tasks whose connection was lost, so that the server may still do them, as RV(debts) of such a task.
      - As long as one is open, nothing of its VM is removed after which fewer than two backups could be left. O(allow_remove_last) does not
        permit it. With a single backup left the server would take that one, whatever the request names.
    type: list
    elements: dict
    suboptions:
      vm:
        description: The VM's UUID.
        type: str
        required: true
      id:
        description: ID of the backup whose removal was asked for.
        type: str
        required: true
  stop_after:
    description:
      - Begin no removal later than so many seconds after the start of the task. Only with O(state=absent).
      - Backups whose removal was not begun by then are V(not_attempted) with the reason V(stop_after), and RV(unfinished) is true. The task succeeds,
        so that a long list can be removed in several short tasks. Check mode ignores it.
      - Unlike O(timeout), it never interrupts a removal.
    type: int
  busy_timeout:
    description:
      - Seconds to wait in all for a VM or chain that is in use, within O(timeout). Each attempt reads the backups again.
    type: int
    default: 60
  timeout:
    description:
      - Seconds that the whole task may take. When they are over, the task fails. The server then continues with a
        backup or removal that is under way.
    type: int
    default: 14400
notes:
  - The task cannot speak before it ends. Run it with C(async), and the status file of the job on the target host has its progress while it
    runs, as V(progress) with C(message), C(operation), C(percent), C(stage), C(done) and C(total). M(ansible.builtin.async_status)
    returns it. The system log of the target host has the same.
  - The server continues with a backup or removal when the task is cancelled.
seealso:
  - module: prlsdk.core.prl_backup_info
  - module: prlsdk.core.prl_backup_restore
  - module: prlsdk.core.prl_event_wait
  - plugin: prlsdk.core.retention_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Back up a VM unless it has a backup of the last 20 hours
  prlsdk.core.prl_backup:
    state: present
    vm: web-01
    max_age: 20h
    description: nightly

- name: Make a full backup every week, to a backup server
  prlsdk.core.prl_backup:
    state: present
    vm: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    type: full
    max_age: 6d
    storage:
      host: backup.example.com
      username: root
      password: "{{ vault_backup_password }}"

- name: Remove one incremental backup, the newest of its chain
  prlsdk.core.prl_backup:
    state: absent
    vm: web-01
    backups:
      - id: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.8"
        created: "2026-09-20T03:00:41Z"

- name: Remove whole chains by their full backups, and say what else would be removed
  prlsdk.core.prl_backup:
    state: absent
    vm: web-01
    backups:
      - id: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}"
    dependents: remove
  check_mode: true
  diff: true

- name: Apply a retention plan for one VM
  prlsdk.core.prl_backup:
    state: absent
    vm: "{{ plan.vms[0].vm.uuid }}"
    backups: "{{ plan.vms[0].remove }}"
    on_error: continue

- name: Start a long backup and look at it now and then
  prlsdk.core.prl_backup:
    state: present
    vm: db-01
    type: full
  async: 14400
  poll: 0
  register: long_backup

- name: Show how far it is
  ansible.builtin.async_status:
    jid: "{{ long_backup.ansible_job_id }}"
  register: state
  until: state is finished
  retries: 1000
  delay: 10
"""

RETURN = r"""
changed:
  description: Whether a backup was made or removed. With check mode, whether one would be.
  returned: always
  type: bool
  sample: true
backup:
  description:
    - The backup that was made, or the recent one for which none was made.
    - V(null) in check mode if one would be made, and with O(wait=false) if it is not finished yet.
  returned: success with O(state=present)
  type: dict
  contains:
    id:
      description: Its ID.
      type: str
      sample: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.9"
    type:
      description: V(full) or V(incremental), what it is and not what was asked for.
      type: str
      sample: incremental
    number:
      description: Its number in the chain; the full backup is 1.
      type: int
      sample: 9
    created:
      description: When it was made, in UTC.
      type: str
      sample: "2026-11-22T03:00:52Z"
    size:
      description: Its size in bytes.
      type: int
      sample: 1896035739
    description:
      description: Its description.
      type: str
      sample: nightly
became_full:
  description: Whether an incremental backup was asked for and a full one was made.
  returned: success with O(state=present)
  type: bool
  sample: false
recovered:
  description:
    - Whether the connection was lost while the backup was made, and the backup was found afterwards. It is recognised by being new and
      having the same description.
  returned: success with O(state=present)
  type: bool
  sample: false
vm:
  description: The VM or container that was backed up.
  returned: success with O(state=present)
  type: dict
  contains:
    uuid:
      description: UUID with braces.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    name:
      description: Name.
      type: str
      sample: web-01
    type:
      description: V(vm) or V(ct).
      type: str
      sample: vm
backups:
  description: One entry for each entry of O(backups), in that order.
  returned: always with O(state=absent), once the options are accepted
  type: list
  elements: dict
  contains:
    id:
      description: The backup's ID, as the server writes it.
      type: str
      sample: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.8"
    vm:
      description: UUID of the VM that it belongs to; V(null) if it is not known.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    outcome:
      description:
        - V(removed), or would be in check mode. V(already_absent), the server's list does not have it.
        - V(refused) by this module before anything was asked of the server. V(busy), in use until O(busy_timeout) was over.
        - V(failed), see RV(backups[].error). V(not_attempted), because the work ended before.
      type: str
      sample: removed
    reason:
      description:
        - V(null) for V(removed), and mostly for V(already_absent). V(gone_meanwhile), it was there when the task began, and somebody else removed it;
          V(unknown_vm), there is no VM of that name either.
        - For V(refused). V(mismatch), the time or the size is not the one given for it or for one of O(backups[].removes). V(dependents), other
          backups depend on it. V(other_vm), it is a backup of another VM than the one named.
          V(last_backup), nothing would be left. V(not_an_increment) and V(not_a_full), it does not fit O(backups[].action). V(old_format), the storage
          format knows no safe removal of single backups. V(ambiguous), several VMs have a backup with this ID. V(other_directory), it is in a
          directory that the server does not look in.
        - For V(busy). V(locked), the VM or the chain is in use; V(removal_running), the server was at another removal, after which fewer than two
          backups of the VM could be left.
        - For V(failed). V(error), the server's; V(timeout); V(still_there), the server said that it removed it; V(unexpected), other backups
          of its chain do not show any more, or all that the VM had; V(unverified), the backups could not be read afterwards;
          V(connection_lost), the connection was lost during this removal, or during another one that is among RV(debts) and after which fewer than two
          backups of the VM could be left; V(worker_died), the SDK's process died.
        - For V(not_attempted) it is V(chain_failed), another backup of its chain was not removed; V(stopped), by O(on_error=stop); V(stop_after), by
          O(stop_after), which is no failure; or the reason that ended the work.
      type: str
      sample: dependents
    message:
      description: The same in a sentence; V(null) where there is nothing to say.
      type: str
      sample: "Other backups of its chain are not asked for, or refused: {36f675cc-81e7-4ef5-a8e2-5d940ed90475}.9. 'dependents: remove' permits the removal
        of those not asked for."
    removed:
      description: IDs of the backups that are gone because of this entry. With a chain these are all of its backups that have no entry themselves.
      type: list
      elements: str
      sample: ["{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.8"]
    error:
      description: The SDK's error; V(null) if there was none. It can be there although the backup is gone.
      type: dict
      contains:
        code:
          description: The error's number, unsigned.
          type: int
          sample: 2147708947
        symbol:
          description: Its name.
          type: str
          sample: PRL_ERR_BACKUP_LOCKED_FOR_READING
        operation:
          description: The SDK's call.
          type: str
          sample: remove_vm_backup
        retryable:
          description: Whether the same may succeed later.
          type: bool
          sample: true
        details:
          description: The error's parameters by name.
          type: dict
          sample: {}
debts:
  description:
    - Removals that the server may still do, those of O(debts) included. The connection was lost, or the SDK's process died, after they were asked
      for. Pass them to the next task that removes backups of these VMs on this server soon.
    - A later run learns of them by the list of running tasks that the server gives at login.
  returned: always with O(state=absent), once the options are accepted
  type: list
  elements: dict
  contains:
    vm:
      description: UUID of the VM, with braces.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    id:
      description: ID of the backup whose removal was asked for.
      type: str
      sample: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.8"
unfinished:
  description: Whether O(stop_after) left something that the next task can remove.
  returned: success with O(state=absent)
  type: bool
  sample: false
gone_meanwhile:
  description:
    - Backups of the same VMs that were there when the task began and were not at its end, and that the task did not remove. Somebody else
      removed them, or was at work on their chain at that moment, which hides it.
    - This is no failure. Where several nodes prune chains of one VM on a shared backup server, it is what each of them sees of the others.
  returned: success with O(state=absent)
  type: list
  elements: dict
  contains:
    vm:
      description: UUID of the VM, with braces.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    id:
      description: The backup's ID.
      type: str
      sample: "{a83cbd77-62df-4a35-8b5e-2f9b1b0e6c11}.4"
error:
  description: Why the task failed, for playbooks. The same for people is in C(msg).
  returned: failure, unless Ansible itself refused the options
  type: dict
  contains:
    code:
      description: The error's number, unsigned, as in the vendor's documentation. V(null) for an error that is not the SDK's.
      type: int
      sample: 2147484233
    symbol:
      description:
        - The SDK's name of the error, or a name of the collection's own, such as V(INVALID_INPUT), V(AMBIGUOUS_VM_NAME) and V(WORKER_DIED).
        - The guide C(docs/troubleshooting.md) of the collection says what to do about each symbol.
      type: str
      sample: PRL_ERR_CANT_CONNECT_TO_DISPATCHER
    operation:
      description: The SDK's call that failed; V(null) if none did.
      type: str
      sample: login
    retryable:
      description: Whether the same may succeed later, unchanged.
      type: bool
      sample: true
    details:
      description: The error's parameters by name, as the SDK gave them.
      type: dict
      sample: {}
candidates:
  description: With V(AMBIGUOUS_VM_NAME) the VMs that the name fits, with V(SDK_UNAVAILABLE) the interpreters that were tried.
  returned: failure, when RV(error.symbol) is one of these
  type: list
  elements: dict
  contains:
    uuid:
      description: Of a VM, the UUID with braces; V(null) if it could not be read.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    name:
      description: Of a VM, the name.
      type: str
      sample: web-01
    type:
      description: Of a VM, V(vm) or V(ct); V(null) if it is not known.
      type: str
      sample: vm
    home:
      description: Of a VM, its configuration file or directory; V(null) if it is gone from the node.
      type: str
      sample: /vz/vmprivate/9531985d-5d9d-49f8-9818-e811892f902b/config.pvs
    python:
      description: Of an interpreter, how it was called.
      type: str
      sample: /usr/bin/python3.9
    version:
      description: Of an interpreter, its version; V(null) if it did not come to tell it.
      type: str
      sample: "3.9"
    why:
      description: Of an interpreter, why it could not be used.
      type: str
      sample: "ModuleNotFoundError: No module named 'prlsdkapi'"
    tried:
      description: Of an interpreter that started, each folder it looked in as C(path), and C(why) that one was no use.
      type: list
      elements: dict
server:
  description: The server that was asked; where a backup server is named, the node that passed the request on.
  returned: success, when it was asked
  type: dict
  contains:
    uuid:
      description: UUID of the server's dispatcher, with braces.
      type: str
      sample: "{6513270e-269e-4d37-b2a7-4de452e6b438}"
    host:
      description: O(host), or V(localhost).
      type: str
      sample: localhost
    product_version:
      description: Version of the product.
      type: str
      sample: 9.0.41
    os_version:
      description: Version of the operating system.
      type: str
      sample: Virtuozzo Hybrid Server 9
sdk:
  description: The SDK that was used. Also on failure, once it was loaded.
  returned: success, when it was asked
  type: dict
  contains:
    version:
      description: Version of the API that the SDK was built for.
      type: str
      sample: "9.0"
    path:
      description: The folder it was loaded from.
      type: str
      sample: /usr/lib64/python3.9/site-packages
    python:
      description: The interpreter it runs under.
      type: str
      sample: /usr/bin/python3.9
"""

from ansible_collections.prlsdk.core.plugins.module_utils._python import require_python3

require_python3()

from ansible_collections.prlsdk.core.plugins.module_utils._argspec import long_timeout_option, storage_option
from ansible_collections.prlsdk.core.plugins.module_utils._module.base import make_module, run_change
from ansible_collections.prlsdk.core.plugins.module_utils._module.prl_backup import change_backups


def argument_spec():
    """The options beside the connection's."""
    backup = {"id": {"type": "str", "required": True}, "created": {"type": "str"}, "size": {"type": "int"}}
    entry = dict(
        backup,
        vm={"type": "str"},
        frees={"type": "int"},
        action={"type": "str", "choices": ["chain", "increment", "merge"]},
        removes={"type": "list", "elements": "dict", "options": backup, "default": []},
        allow_remove_last={"type": "bool", "default": False},
    )
    debt = {"vm": {"type": "str", "required": True}, "id": {"type": "str", "required": True}}
    return dict(
        storage_option(),
        state={"type": "str", "choices": ["present", "absent"], "required": True},
        vm={"type": "str"},
        type={"type": "str", "choices": ["full", "incremental"]},
        description={"type": "str"},
        compress={"type": "bool", "default": True},
        max_age={"type": "str"},
        wait={"type": "bool", "default": True},
        backups={"type": "list", "elements": "dict", "options": entry},
        backup_ids={"type": "list", "elements": "str", "aliases": ["backup_id"]},
        dependents={"type": "str", "choices": ["refuse", "remove"], "default": "refuse"},
        allow_remove_last={"type": "bool", "default": False},
        on_error={"type": "str", "choices": ["stop", "continue"], "default": "stop"},
        debts={"type": "list", "elements": "dict", "options": debt},
        stop_after={"type": "int"},
        busy_timeout={"type": "int", "default": 60},
        timeout=long_timeout_option(),
    )


def main():
    module = make_module(
        argument_spec(),
        plain_texts={"backups": "id"},
        required_if=[("state", "present", ["vm"]), ("state", "absent", ["backups", "backup_ids"], True)],
        mutually_exclusive=[("backups", "backup_ids")],
    )
    run_change(module, change_backups)


if __name__ == "__main__":
    main()
