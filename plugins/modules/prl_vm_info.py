#!/usr/bin/python
# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the VMs and containers of a node."""

DOCUMENTATION = r"""
module: prl_vm_info
short_description: List the VMs and containers of a Virtuozzo or Parallels host
version_added: 1.0.0
description:
  - Returns the virtual machines and containers that a server knows, with their state and their backup directory.
author:
  - The prlsdk.core developers (!UNKNOWN)
extends_documentation_fragment:
  - prlsdk.core.connection
  - prlsdk.core.attributes
  - prlsdk.core.attributes.info
options:
  vms:
    description:
      - Return only these. Each entry is a name, a glob for names, a container's ID, or a UUID with or without braces, in any case.
      - In a glob, V(*) matches any text, V(?) any character, and V([ab]) one of these characters. Upper and lower case differ. If a VM has exactly this
        name, only that VM is selected.
      - If several VMs have a given name, the task fails and lists them. A glob may match any number of VMs.
    type: list
    elements: str
    aliases: [vm]
  types:
    description:
      - V(vm) for virtual machines, V(ct) for containers.
    type: list
    elements: str
    choices: [vm, ct]
    default: [vm, ct]
  missing:
    description:
      - What to do about an entry of O(vms) that the server does not know, or a glob that matches no VM. V(ok) reports it in RV(missing), V(fail) fails
        the task.
    type: str
    choices: [ok, fail]
    default: ok
seealso:
  - module: prlsdk.core.prl_backup_info
"""

EXAMPLES = r"""
- name: List everything that runs or could run on the node
  prlsdk.core.prl_vm_info:
  register: node

- name: Show the containers that are not running
  ansible.builtin.debug:
    msg: "{{ node.vms | selectattr('type', 'eq', 'ct') | rejectattr('state', 'eq', 'running') | map(attribute='name') }}"

- name: Look at the VMs whose name begins with db-
  prlsdk.core.prl_vm_info:
    vms: ["db-*"]

- name: Look at two VMs of another server
  prlsdk.core.prl_vm_info:
    host: node-b.example.com
    username: root
    password: "{{ vault_node_b_password }}"
    vms: [web-01, 9531985d-5d9d-49f8-9818-e811892f902b]
    missing: fail
"""

RETURN = r"""
vms:
  description: >-
    The VMs and containers, sorted by name. A value is V(null) if it could not be read, or if the installed release of the SDK cannot read
    such a value.
  returned: success
  type: list
  elements: dict
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
    ct_id:
      description: The container's ID; V(null) for a virtual machine.
      type: str
      sample: "101"
    state:
      description: The state, such as V(running), V(stopped), V(paused), V(suspended), V(mounted), or a transitional state.
      type: str
      sample: running
    template:
      description: Whether it is a template.
      type: bool
      sample: false
    home:
      description: The VM's configuration file, or the container's directory.
      type: str
      sample: /vz/vmprivate/9531985d-5d9d-49f8-9818-e811892f902b/config.pvs
    backup_directory:
      description: The VM's own backup directory; V(null) if it uses the server's default.
      type: str
      sample: /mnt/nas/backups
    problems:
      description: Why values of this VM could not be read, as reported by the SDK. Empty if all values could be read.
      type: list
      elements: str
      sample: []
missing:
  description: The entries of O(vms) that the server does not know, and the globs that match no VM, as they were written.
  returned: success
  type: list
  elements: str
  sample: []
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

from ansible_collections.prlsdk.core.plugins.module_utils._argspec import vm_options
from ansible_collections.prlsdk.core.plugins.module_utils._module.base import make_module, run
from ansible_collections.prlsdk.core.plugins.module_utils._module.prl_vm_info import gather_vms


def main():
    run(make_module(vm_options()), gather_vms)


if __name__ == "__main__":
    main()
