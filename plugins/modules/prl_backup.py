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
  - With O(state=present) the module makes one backup of one VM or container, unless there is a recent one.
  - With O(state=absent) it removes the backups listed in O(backups), any number of them with one login.
  - If the server is asked to remove a number that does not exist, it deletes the whole chain, or everything of a VM that has a single backup,
    and reports success. This module requests only the removal of backups that it has just seen. It reads the VM's backups right
    before each request, checks that the exact ID is among them, and reads them again afterwards.
  - A chain is one full backup and the incremental ones that depend on it. A full backup is removed only together with its whole chain.
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
      - Logs in, reads and checks as usual, and reports the predicted outcome for each backup. It cannot foresee that a backup will be in
        use at that moment.
      - Whether an incremental backup becomes a full one is predicted from the list of backups. A changed disk is not detected.
  diff_mode:
    support: full
    details:
      - Shows the IDs of the backups of the VMs concerned, before and after.
  idempotent:
    support: partial
    details:
      - Removal is idempotent. A backup that does not exist is neither an error nor a change.
      - Making a backup is idempotent with O(max_age) only. Without it each run makes one.
options:
  state:
    description:
      - V(present) to make a backup, V(absent) to remove some.
      - It has no default, so that forgetting V(absent) cannot make a backup. The options of the other state are refused.
    type: str
    choices: [present, absent]
    required: true
  vm:
    description:
      - A name, a container's ID, or a UUID with or without braces, in any case. If several VMs have the name, the task fails
        and lists them.
      - With O(state=present) the VM or container to back up; required.
      - With O(state=absent) the VM that all entries of O(backups) without a O(backups[].vm) belong to. If neither is given, the module
        reads all backups of the server once to find the VM, which takes a long time on a large server.
    type: str
  type:
    description:
      - What to make; V(incremental) if not set. Only with O(state=present).
      - The server makes a full backup instead of an incremental one, without an error, if there is no chain to extend, if the newest incremental
        backup of the chain was removed, or if the VM's disks have changed. RV(became_full) is then true.
    type: str
    choices: [full, incremental]
  description:
    description:
      - A text that is stored with the backup; empty if not set. Only with O(state=present). The SDK stores no other text, so this is the place for
        the tags and pins of retention policies.
      - Characters that XML does not allow, such as most control characters, are refused.
    type: str
  compress:
    description:
      - Whether to compress the backup.
    type: bool
    default: true
  max_age:
    description:
      - Make no backup if the newest backup of the VM is not older than this. With O(type=full) only full backups count. Only with O(state=present).
      - A duration such as V(20h), V(6d) or V(1w). The units are V(y), V(mo), V(w), V(d), V(h) and V(min), each once, largest first.
    type: str
  wait:
    description:
      - Whether to wait for the end of the backup.
      - With V(false) the task ends if the server has not refused the backup within five seconds. RV(backup) is then V(null), and a later failure is not
        reported, because the server sends no event for it. M(prlsdk.core.prl_event_wait) can wait for the success.
    type: bool
    default: true
  backups:
    description:
      - The backups to remove. With O(state=absent), this or O(backup_ids) is required. A plain string is the ID of a backup.
      - The list C(remove) of a plan by the filter P(prlsdk.core.retention_plan#filter) can be given here.
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
          - The VM that the backup belongs to, if it is not O(vm).
        type: str
      created:
        description:
          - When it was made. If the backup with this ID was made at another time, it is not the intended one, and its removal is refused.
          - An ISO 8601 time with a zone, such as V(2026-11-22T03:00:00Z), or seconds since 1970.
        type: str
      size:
        description:
          - Its size in bytes. If the backup has another size, its removal is refused.
        type: int
      frees:
        description:
          - The bytes that the removal frees, as in a plan. The value is ignored; it is accepted so that the steps of a plan can be given unchanged.
        type: int
      action:
        description:
          - V(chain) for a full backup with its whole chain, V(increment) for an incremental one at the end of its chain.
          - V(merge) removes an incremental backup from the middle of a chain; the server merges it into the next one. If this takes more than a minute
            for a disk, the server gives up.
          - When not set, it is V(chain) for a full backup and V(increment) for an incremental one. If the backup does not
            match the action, the removal is refused.
        type: str
        choices: [chain, increment, merge]
      removes:
        description:
          - All backups that are removed with this one. It may be listed itself. With the ID of a full backup these are its whole chain; if the chain
            has another backup by now, the removal is refused.
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
          - Permit this removal to remove the last restorable backup of its VM. O(allow_remove_last) permits it for every VM of the task.
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
      - What to do about backups that depend on one in O(backups) and are not listed themselves.
      - V(refuse) refuses to remove a backup that others depend on. V(remove) removes the dependent backups too.
    type: str
    choices: [refuse, remove]
    default: refuse
  allow_remove_last:
    description:
      - Permit the removal of the last restorable backup of a VM.
      - Without it, the chain with the newest backup is kept if all backups of a VM are listed.
    type: bool
    default: false
  on_error:
    description:
      - V(stop) ends the work at the first backup that cannot be removed, V(continue) continues with other chains. In both cases the task fails.
      - If more than the requested backups are gone from a chain, the task stops at once in both cases. Removals from other chains by other clients
        are harmless, see RV(gone_meanwhile).
    type: str
    choices: [stop, continue]
    default: stop
  debts:
    description:
      - Removals that earlier tasks requested before they lost the connection, and that the server may still carry out, as in RV(debts) of such a task.
      - While such a removal is open, a removal after which the VM could have fewer than two backups is not carried out. O(allow_remove_last) does not
        change this. If the VM had a single backup left, the server would delete that one, regardless of the ID in the open request.
    type: list
    elements: dict
    suboptions:
      vm:
        description: The VM's UUID.
        type: str
        required: true
      id:
        description: ID of the backup whose removal was requested.
        type: str
        required: true
  stop_after:
    description:
      - Begin no removal later than this number of seconds after the start of the task. Only with O(state=absent).
      - Backups whose removal was not begun by then are V(not_attempted) with the reason V(stop_after), and RV(unfinished) is true. The task succeeds,
        so that a long list can be removed in several short tasks. Check mode ignores it.
      - Unlike O(timeout), it never interrupts a removal.
    type: int
  busy_timeout:
    description:
      - Total number of seconds to wait for a VM or chain that is in use, within O(timeout). Each attempt reads the backups again.
    type: int
    default: 60
  timeout:
    description:
      - Seconds that the whole task may take. When they have passed, the task fails. The server continues a
        backup or removal that is under way.
    type: int
    default: 14400
notes:
  - A task returns its output only when it ends. If it is run with C(async), the status file of the job on the target host contains its progress while it
    runs, as C(progress) with C(message), C(operation), C(percent), C(stage), C(done) and C(total). M(ansible.builtin.async_status)
    returns it. The progress is also written to the system log of the target host.
  - The server continues a backup or removal when the task is cancelled.
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
    - The backup that was made, or the recent one because of which none was made.
    - V(null) in check mode if a backup would be made, and with O(wait=false) if it is not finished yet.
  returned: success with O(state=present)
  type: dict
  contains:
    id:
      description: Its ID.
      type: str
      sample: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.9"
    type:
      description: V(full) or V(incremental), the actual type of the backup and not the requested one.
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
  description: Whether an incremental backup was requested and a full one was made.
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
  description: One entry for each entry of O(backups), in the same order.
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
        - V(removed), it was removed, or would be in check mode. V(already_absent), it is not in the server's list.
        - V(refused), this module refused the removal without a request to the server. V(busy), it was in use until O(busy_timeout) expired.
        - V(failed), see RV(backups[].error). V(not_attempted), the task ended before.
      type: str
      sample: removed
    reason:
      description:
        - V(null) for V(removed), and usually for V(already_absent). V(gone_meanwhile), it existed when the task began, and somebody else removed it;
          V(unknown_vm), there is no VM of that name either.
        - For V(refused). V(mismatch), the time or the size of the backup or of one of O(backups[].removes) differs from the given one. V(dependents), other
          backups depend on it. V(other_vm), it is a backup of another VM than the named one.
          V(last_backup), no backup would be left. V(not_an_increment) and V(not_a_full), it does not match O(backups[].action). V(old_format), single
          backups cannot be removed safely with this storage format. V(ambiguous), several VMs have a backup with this ID. V(other_directory), it is in a
          directory that the server does not search.
        - For V(busy). V(locked), the VM or the chain is in use; V(removal_running), the server was carrying out another removal, after which fewer than two
          backups of the VM could be left.
        - For V(failed). V(error), the server returned an error; V(timeout), it did not answer in time; V(still_there), the server reported success but the
          backup still exists; V(unexpected), other backups of its chain, or all backups of the VM, are no longer listed; V(unverified), the backups could
          not be read afterwards; V(connection_lost), the connection was lost during this removal, or during another one that is in RV(debts) and after
          which fewer than two backups of the VM could be left; V(worker_died), the SDK's process died.
        - For V(not_attempted). V(chain_failed), another backup of its chain was not removed; V(stopped), because of O(on_error=stop); V(stop_after), because
          of O(stop_after), which is not a failure; or the reason why the task ended.
      type: str
      sample: dependents
    message:
      description: The outcome and reason in a sentence; V(null) if there is nothing to add.
      type: str
      sample: "Other backups of its chain are not asked for, or refused: {36f675cc-81e7-4ef5-a8e2-5d940ed90475}.9. 'dependents: remove' permits the removal
        of those not asked for."
    removed:
      description: IDs of the backups that this entry removed. For a chain these are all of its backups that have no entry themselves.
      type: list
      elements: str
      sample: ["{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.8"]
    error:
      description: The SDK's error; V(null) if there was none. It can be set even if the backup was removed.
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
    - Removals that the server may still carry out, including those of O(debts). The connection was lost, or the SDK's process died, after they were
      requested. Pass them to the next task if it removes backups of these VMs on this server soon.
    - A later run learns about them from the list of running tasks that the server returns at login.
  returned: always with O(state=absent), once the options are accepted
  type: list
  elements: dict
  contains:
    vm:
      description: UUID of the VM, with braces.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    id:
      description: ID of the backup whose removal was requested.
      type: str
      sample: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.8"
unfinished:
  description: Whether O(stop_after) left backups for the next task to remove.
  returned: success with O(state=absent)
  type: bool
  sample: false
gone_meanwhile:
  description:
    - Backups of the same VMs that were listed when the task began and no longer at its end, and that the task did not remove. Another client
      removed them, or was using their chain at that moment, which hides it.
    - This is not a failure. If several nodes prune chains of one VM on a shared backup server, each of them sees the removals of the others here.
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
  description: Why the task failed, for playbooks. C(msg) has the reason in words.
  returned: failure, unless Ansible itself refused the options
  type: dict
  contains:
    code:
      description: The error's number, unsigned, as in the vendor's documentation. V(null) if the error is not from the SDK.
      type: int
      sample: 2147484233
    symbol:
      description:
        - The SDK's name of the error, or a name defined by the collection, such as V(INVALID_INPUT), V(AMBIGUOUS_VM_NAME) and V(WORKER_DIED).
        - The guide C(docs/troubleshooting.md) of the collection says what to do about each symbol.
      type: str
      sample: PRL_ERR_CANT_CONNECT_TO_DISPATCHER
    operation:
      description: The SDK's call that failed; V(null) if none did.
      type: str
      sample: login
    retryable:
      description: Whether the same task may succeed later without a change.
      type: bool
      sample: true
    details:
      description: The error's parameters by name, as returned by the SDK.
      type: dict
      sample: {}
candidates:
  description: With V(AMBIGUOUS_VM_NAME), the VMs with this name. With V(SDK_UNAVAILABLE), the interpreters that were tried.
  returned: failure, when RV(error.symbol) is one of these
  type: list
  elements: dict
  contains:
    uuid:
      description: For a VM, the UUID with braces; V(null) if it could not be read.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    name:
      description: For a VM, the name.
      type: str
      sample: web-01
    type:
      description: For a VM, V(vm) or V(ct); V(null) if it is not known.
      type: str
      sample: vm
    home:
      description: For a VM, its configuration file or directory; V(null) if it is gone from the node.
      type: str
      sample: /vz/vmprivate/9531985d-5d9d-49f8-9818-e811892f902b/config.pvs
    python:
      description: For an interpreter, the command that was run.
      type: str
      sample: /usr/bin/python3.9
    version:
      description: For an interpreter, its version; V(null) if it did not get as far as reporting it.
      type: str
      sample: "3.9"
    why:
      description: For an interpreter, why it could not be used.
      type: str
      sample: "ModuleNotFoundError: No module named 'prlsdkapi'"
    tried:
      description: For an interpreter that started, each folder that it searched as C(path), and C(why) the SDK could not be loaded from it.
      type: list
      elements: dict
server:
  description: The server that was asked. If a backup server is used, the node that passed on the request.
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
