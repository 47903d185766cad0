#!/usr/bin/python
# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore a VM or container from a backup."""

DOCUMENTATION = r"""
module: prl_backup_restore
short_description: Restore a VM or container from a backup on a Virtuozzo or Parallels host
version_added: 1.0.0
description:
  - Restores a backup over the VM that it was made of, or as a new VM beside it.
  - If the server is known to refuse a restore, the module refuses it before it sends the request, with the server's own error code. So check
    mode reports it too.
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
      - Logs in, searches for the backup, checks the VM, and fails if the server would refuse the restore. It cannot foresee that the backup or the VM
        will be in use at that moment, or that the disk will be full.
  diff_mode:
    support: none
    details:
      - A restore changes the contents of the VM.
  idempotent:
    support: partial
    details:
      - With O(mode=copy) and O(name) nothing is done if the node already has a VM or container of that name, regardless of its contents.
      - Otherwise each run restores again.
options:
  vm:
    description:
      - The VM or container that was backed up. A name, a container's ID, or a UUID with or without braces, in any case. It may be gone from the node.
      - Required unless O(backup_id) is given. Without it the module reads all backups of the server to find the backup, which takes a
        long time on a large server.
    type: str
  backup_id:
    description:
      - The ID of the backup, as RV(prlsdk.core.prl_backup_info#module:backup_trees[].chains[].backups[].id), with or without braces, in any case.
      - When not set, it is the newest backup of O(vm).
    type: str
  mode:
    description:
      - V(in_place) restores over the existing VM, which loses its present state, or creates the VM again if it is gone. The VM must be stopped or suspended.
      - V(copy) creates a new VM with a new UUID, a new name and new MAC addresses.
    type: str
    choices: [in_place, copy]
    required: true
  name:
    description:
      - Name of the copy. When not set, the server chooses one.
      - Characters that XML does not allow, such as most control characters, are refused.
    type: str
  destination:
    description:
      - Directory to restore to. When not set, the server chooses.
      - It cannot be set for an existing VM that is restored in place.
    type: path
  live:
    description:
      - Start the VM at once and restore while it runs. Only for VMs, and only if the server supports it.
    type: bool
    default: false
  busy_timeout:
    description:
      - Total number of seconds to wait for a backup or VM that is in use, within O(timeout).
    type: int
    default: 60
  timeout:
    description:
      - Seconds that the whole task may take. When they have passed, the task fails. The server continues a restore that is under way.
    type: int
    default: 14400
notes:
  - A task returns its output only when it ends. If it is run with C(async), the status file of the job on the target host contains its progress while it
    runs, as C(progress). M(ansible.builtin.async_status) returns it. The progress is also written to the system log of the target host.
  - If the connection is lost during a restore, the module does not request the restore again.
seealso:
  - module: prlsdk.core.prl_backup
  - module: prlsdk.core.prl_backup_info
  - module: prlsdk.core.prl_vm_info
"""

EXAMPLES = r"""
- name: Restore the newest backup of a VM as a copy, to see that it can be restored
  prlsdk.core.prl_backup_restore:
    vm: web-01
    mode: copy
    name: web-01-drill

- name: Bring a VM back to a backup
  prlsdk.core.prl_backup_restore:
    vm: web-01
    backup_id: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.8"
    mode: in_place

- name: Restore a VM that is gone from a backup server, and start it at once
  prlsdk.core.prl_backup_restore:
    vm: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    mode: in_place
    live: true
    storage:
      host: backup.example.com
      username: root
      password: "{{ vault_backup_password }}"
"""

RETURN = r"""
changed:
  description: Whether the backup was restored. With check mode, whether it would be.
  returned: always
  type: bool
  sample: true
vm:
  description:
    - The VM that was restored, or the one that already has the name of the copy.
    - V(null) in check mode if a new one would be created.
  returned: success
  type: dict
  contains:
    uuid:
      description: UUID with braces.
      type: str
      sample: "{0a1b3f2e-52ac-4c8f-9a70-d8a1d0b1a0f3}"
    name:
      description: Its name; V(null) if it could not be determined.
      type: str
      sample: web-01-drill
    state:
      description: Its state, such as V(stopped) or V(running).
      type: str
      sample: stopped
backup:
  description: The backup to restore.
  returned: success
  type: dict
  contains:
    id:
      description: Its ID.
      type: str
      sample: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.8"
    type:
      description: V(full) or V(incremental).
      type: str
      sample: incremental
    number:
      description: Its number in the chain; the full backup is 1.
      type: int
      sample: 8
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
source:
  description: The VM that was backed up.
  returned: success
  type: dict
  contains:
    uuid:
      description: UUID with braces.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    name:
      description: Its name at the most recent backup.
      type: str
      sample: web-01
    type:
      description: V(vm) or V(ct).
      type: str
      sample: vm
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
from ansible_collections.prlsdk.core.plugins.module_utils._module.prl_backup_restore import restore_backup


def argument_spec():
    """The options beside the connection's."""
    return dict(
        storage_option(),
        vm={"type": "str"},
        backup_id={"type": "str"},
        mode={"type": "str", "choices": ["in_place", "copy"], "required": True},
        name={"type": "str"},
        destination={"type": "path"},
        live={"type": "bool", "default": False},
        busy_timeout={"type": "int", "default": 60},
        timeout=long_timeout_option(),
    )


def main():
    run_change(make_module(argument_spec(), required_one_of=[("vm", "backup_id")]), restore_backup)


if __name__ == "__main__":
    main()
