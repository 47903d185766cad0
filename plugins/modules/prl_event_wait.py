#!/usr/bin/python
# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for events of a node."""

DOCUMENTATION = r"""
module: prl_event_wait
short_description: Wait for events of a Virtuozzo or Parallels host
version_added: 1.0.0
description:
  - Waits on the target host until the requested events have occurred, such as the end of a backup or the start of a VM.
  - The server does not store events. An event that is sent before the module has subscribed is lost. Use O(ready_file) to start the operation
    after that, or O(satisfied_by) to check the state as well, right after subscribing.
  - A backup that fails or is cancelled sends no event at all. Set O(timeout), and check the backups afterwards.
  - Waiting takes almost no CPU time. The module does not poll the server.
author:
  - The prlsdk.core developers (!UNKNOWN)
requirements:
  - lxml on the target host, for the interpreter that Ansible uses there; only with O(satisfied_by.backup_newer_than)
extends_documentation_fragment:
  - prlsdk.core.connection
  - prlsdk.core.storage
  - prlsdk.core.attributes
attributes:
  check_mode:
    support: partial
    details:
      - The module checks the options, logs in to the server, and reads the state of O(satisfied_by) once. Then it returns.
        It does not wait, does not write O(ready_file) and does not answer questions.
  diff_mode:
    support: N/A
    details:
      - This module does not modify state, except by answering questions.
  idempotent:
    support: partial
    details:
      - Each run waits for new events, unless the state of O(satisfied_by) already holds.
options:
  events:
    description:
      - What to wait for. An event matches an entry if it matches every key of the entry. A plain string is the same as a dictionary with this
        O(events[].type).
      - Events that do not match are discarded in the SDK's process on the target host and never reach Ansible.
    type: list
    elements: dict
    required: true
    suboptions: &specification
      type:
        description:
          - The event type. A name such as V(create_backup_finished), which is the vendor's name in lower case without C(PET_DSP_EVT_) or C(PET_),
            or the vendor's own name, or a number such as V(100049), or a glob such as V(*backup*finished). Case does not matter.
          - A name that no server sends, such as V(backup_started), is accepted with a warning that says what to use instead. An unknown name is
            an error that suggests a similar one. The guide C(docs/waiting.md) lists those that servers actually send.
        type: raw
      vm:
        description:
          - The VM or container that the event is about, by name, container ID or UUID (with or without braces, in any case).
          - A name must be known to the server. A UUID need not be.
        type: str
      issuer_id:
        description:
          - The issuer's ID as the SDK reports it. For nearly every event about a VM this is the UUID of the VM, for which O(events[].vm) is simpler.
        type: str
      issuer_type:
        description:
          - What sent the event. Nearly every event, including those about a VM, comes from the V(dispatcher).
        type: str
        choices: [virtual_machine, dispatcher, io_service, web_service, unknown]
      code:
        description:
          - The code of a message, as a number or a symbol such as V(PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP). Ordinary events have none.
        type: raw
      params:
        description:
          - Parameters of the event by name, each a value that it must equal, or a dictionary with V(regex), V(one_of), V(min), V(max), or both
            of the latter.
          - A number and the text of that number are equal. A regular expression may match anywhere in the text.
          - The state in V(vminfo_vm_state) may be written by name, such as V(running).
        type: dict
  match:
    description:
      - V(any) waits for O(count) events that each match some entry of O(events).
      - V(all) waits until O(count) events have matched each entry of O(events). One event may count for several entries.
    type: str
    choices: [any, all]
    default: any
  count:
    description:
      - How many events to wait for, see O(match).
    type: int
    default: 1
  fail_on:
    description:
      - Events that end the wait with a failure at once, even if they also match O(events). The event is returned in RV(failed_on).
    type: list
    elements: dict
    suboptions: *specification
  satisfied_by:
    description:
      - A state that ends the wait immediately if it already holds. It is read right after subscribing, so that the effect of an earlier event is not missed,
        and again after each reconnection.
      - When both O(satisfied_by.vm_state) and O(satisfied_by.backup_newer_than) are given, both must hold.
    type: dict
    suboptions:
      vm:
        description:
          - The VM or container, by name, container ID or UUID.
        type: str
        required: true
      vm_state:
        description:
          - The VM is in one of these states, such as V(running) or V(stopped).
        type: list
        elements: str
      backup_newer_than:
        description:
          - The VM's newest backup is not older than this. Either a duration such as V(36h) or V(1d12h), with the units y, mo, w, d, h and min,
            counted from when the task starts. Or a time such as V(2026-11-22T06:00:00Z).
          - The backups are those of the node, or of O(storage).
        type: str
  answer:
    description:
      - Answer each matching question (an event of type V(vm_question)) with this, a name such as V(retry) or a number. The question must offer this
        answer.
      - Only older Parallels products ask questions.
      - A question that was asked before the module subscribed is not answered.
    type: raw
  ready_file:
    description:
      - An absolute path on the target host. An empty file with mode V(0600) is created there once no event can be missed any more.
        The task that causes the event can wait for this file.
      - An empty file that already exists is removed first. Anything else at that path is an error. The file is not removed at the end.
    type: path
  on_timeout:
    description:
      - What to do when O(timeout) expires. V(fail) fails the task, V(continue) returns with RV(timed_out=true).
      - An SDK that hangs or cannot be reached fails the task in any case.
    type: str
    choices: [fail, continue]
    default: fail
  reconnect:
    description:
      - If the connection to the server is lost, log in again as often as necessary within O(timeout), and check the state of O(satisfied_by)
        again. Events in between are lost; use O(satisfied_by) to notice their effect.
      - When V(false), a lost connection fails the task within two seconds, with RV(ignore:error.retryable=true).
    type: bool
    default: false
seealso:
  - module: prlsdk.core.prl_backup_info
  - module: prlsdk.core.prl_vm_info
notes:
  - The guide C(docs/waiting.md) of the collection, "Waiting without races", has the three patterns to copy.
"""

EXAMPLES = r"""
# Subscribe first, then cause the event.
- name: Start waiting for the backup's end
  prlsdk.core.prl_event_wait:
    events:
      - type: create_backup_finished
        vm: web-01
    ready_file: /run/prl-wait-web-01
    timeout: 7200
  async: 7260
  poll: 0
  register: waiter

- name: Go on when no event is missed any more
  ansible.builtin.wait_for:
    path: /run/prl-wait-web-01
    timeout: 60

- name: Start the backup outside of Ansible
  ansible.builtin.command: systemctl start --no-block nightly-backup@web-01.service

- name: Take the result
  ansible.builtin.async_status:
    jid: "{{ waiter.ansible_job_id }}"
  register: finished
  until: finished is finished
  retries: 720
  delay: 10

# State first: whoever started the VM, and whenever.
- name: Wait until the VM runs
  prlsdk.core.prl_event_wait:
    events:
      - type: vm_state_changed
        vm: web-01
        params:
          vminfo_vm_state: running
    satisfied_by:
      vm: web-01
      vm_state: running
    reconnect: true

# A backup that some schedule makes, whether it has ended already or not.
- name: Wait until today's backup is there
  prlsdk.core.prl_event_wait:
    events:
      - type: create_backup_finished
        vm: web-01
    satisfied_by:
      vm: web-01
      backup_newer_than: 12h
    timeout: 14400
    on_timeout: continue
  register: backup

- name: Tell when it is not
  ansible.builtin.debug:
    msg: "No backup of web-01 came; these events passed: {{ backup.seen }}"
  when: backup.timed_out

# Fail fast.
- name: Wait for both halves of a migration, and not any longer once it was cancelled
  prlsdk.core.prl_event_wait:
    events:
      - type: vm_migrate_finished
        vm: web-01
      - type: vm_deleted
        vm: web-01
    match: all
    fail_on:
      - type: vm_migrate_cancelled
        vm: web-01
      - type: disp_shutdown
    timeout: 3600

- name: Wait for a quarter of a backup, on any disk but the first
  prlsdk.core.prl_event_wait:
    events:
      - type: backup_progress_changed
        vm: "{9531985d-5d9d-49f8-9818-e811892f902b}"
        params:
          progress_changed: {min: 25}
          device_index: {min: 1}
"""

RETURN = r"""
matched:
  description: Whether the requested events have occurred.
  returned: always, once the options are accepted
  type: bool
  sample: true
timed_out:
  description: Whether O(timeout) expired first.
  returned: always, once the options are accepted
  type: bool
  sample: false
events:
  description: The events that counted, in the order of their arrival. On failure, those that had arrived by then.
  returned: always, once the options are accepted
  type: list
  elements: dict
  contains: &event
    type:
      description: Name of the event type, or its number as text where the collection has no name for it.
      type: str
      sample: create_backup_finished
    type_id:
      description: Number of the event type.
      type: int
      sample: 100049
    issuer_type:
      description: What sent it, one of V(virtual_machine), V(dispatcher), V(io_service), V(web_service), V(unknown).
      type: str
      sample: dispatcher
    issuer_id:
      description: ID of the object of the event. For events about a VM, the VM's UUID with braces.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    vm:
      description: UUID and name of the VM that the event is about. V(null) for an event that is not about a VM. The name is V(null) if the module did
        not need to look it up.
      type: dict
      sample: {uuid: "{9531985d-5d9d-49f8-9818-e811892f902b}", name: web-01}
    vm_state:
      description: The state by name, for an event that has one in the parameter C(vminfo_vm_state).
      type: str
      sample: running
    server:
      description: UUID of the server that sent it.
      type: str
      sample: "{6513270e-269e-4d37-b2a7-4de452e6b438}"
    code:
      description: The code of a message, unsigned. V(null) for ordinary events.
      type: int
      sample: 37017
    symbol:
      description: The vendor's name of RV(events[].code).
      type: str
      sample: PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP
    brief:
      description: The message in short. V(null) for ordinary events.
      type: str
    message:
      description: The message in full. V(null) for ordinary events.
      type: str
    can_be_ignored:
      description: Whether the SDK says that the message can be ignored.
      type: bool
      sample: false
    critical:
      description: Whether it carries a code and cannot be ignored.
      type: bool
      sample: false
    answer_required:
      description: Whether it is a question.
      type: bool
      sample: false
    answered:
      description: The answer that was given. V(null) when none was.
      type: str
      sample: retry
    params:
      description: The parameters by name. Each has C(type), one of uint32, int32, uint64, int64, boolean, string, cdata, entity, enumeration,
        binary and unknown, and C(value) of that type. A binary value is V(null).
      type: dict
      sample:
        backup_cmd_backup_uuid: {type: string, value: "{5d2d62e1-1d4a-4b4b-9f6a-1a8b6a4d7a52}.3"}
    job:
      description: C(operation) and C(code) of the job that caused the event. V(null) unless it is a job of this module's own session.
      type: dict
    received:
      description: When the event arrived, by the clock of the target host.
      type: str
      sample: "2026-11-22T06:00:00Z"
failed_on:
  description: The event of O(fail_on) that ended the wait, as in RV(events).
  returned: failure, when it was such an event
  type: dict
  contains: *event
satisfied_by:
  description: The state that ended the wait. V(null) if no state did.
  returned: always, once the options are accepted
  type: dict
  contains:
    vm:
      description: UUID of the VM.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    vm_state:
      description: Its state, if that was asked for.
      type: str
      sample: running
    newest_backup:
      description: When its newest backup was made, if that was asked for.
      type: str
      sample: "2026-11-22T03:00:02Z"
seen:
  description: The number of events received since subscribing, by type, including those that did not match.
  returned: always, once the options are accepted
  type: dict
  sample: {backup_progress_changed: 212, create_backup_finished: 1}
elapsed:
  description: Seconds that the task took.
  returned: always, once the options are accepted
  type: float
  sample: 31.207
reconnections:
  description: How often the connection was lost and restored.
  returned: always, once the options are accepted
  type: int
  sample: 0
changed:
  description: Whether a question was answered.
  returned: always
  type: bool
  sample: false
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

import functools

from ansible_collections.prlsdk.core.plugins.module_utils._python import require_python3

require_python3()

from ansible_collections.prlsdk.core.plugins.module_utils import _signals
from ansible_collections.prlsdk.core.plugins.module_utils._argspec import storage_option
from ansible_collections.prlsdk.core.plugins.module_utils._module.base import make_module, run
from ansible_collections.prlsdk.core.plugins.module_utils._module.prl_event_wait import wait_for_events


def argument_spec():
    """The options beside the connection's."""
    one = {
        "type": {"type": "raw"},
        "vm": {"type": "str"},
        "issuer_id": {"type": "str"},
        "issuer_type": {
            "type": "str",
            "choices": ["virtual_machine", "dispatcher", "io_service", "web_service", "unknown"],
        },
        "code": {"type": "raw"},
        "params": {"type": "dict"},
    }
    state = {
        "vm": {"type": "str", "required": True},
        "vm_state": {"type": "list", "elements": "str"},
        "backup_newer_than": {"type": "str"},
    }
    return dict(
        storage_option(),
        events={"type": "list", "elements": "dict", "options": one, "required": True},
        match={"type": "str", "choices": ["any", "all"], "default": "any"},
        count={"type": "int", "default": 1},
        fail_on={"type": "list", "elements": "dict", "options": one},
        satisfied_by={"type": "dict", "options": state},
        answer={"type": "raw"},
        ready_file={"type": "path"},
        on_timeout={"type": "str", "choices": ["fail", "continue"], "default": "fail"},
        reconnect={"type": "bool", "default": False},
    )


def main():
    module = make_module(argument_spec(), plain_texts={"events": "type", "fail_on": "type"})
    _signals.exit_when_stdout_closes()
    run(
        module,
        functools.partial(wait_for_events, look_only=module.check_mode, warn=module.warn),
        read_only=module.params["answer"] is None,
    )


if __name__ == "__main__":
    main()
