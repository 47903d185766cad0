# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``backup_list``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: backup_list
short_description: List the backups of backup trees, one flat dictionary each
version_added: 1.0.0
author:
  - The prlsdk.core developers
description:
  - Turns the nested RV(prlsdk.core.prl_backup_info#module:backup_trees) into a flat list that is easy to use with
    filters such as C(selectattr) and C(map).
  - The order is that of the trees. They are sorted by VM name, then oldest chain first, then first backup of the chain first.
options:
  _input:
    description: The list RV(prlsdk.core.prl_backup_info#module:backup_trees) of a result.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: prlsdk.core.retention_plan
    plugin_type: filter
  - module: prlsdk.core.prl_backup_info
"""

EXAMPLES = r"""
- name: Gather
  prlsdk.core.prl_backup_info:
  register: backups

- name: Name the VMs whose newest full is larger than 100 GiB
  ansible.builtin.debug:
    msg: >-
      {{ backups.backup_trees | prlsdk.core.backup_list
         | selectattr('type', 'eq', 'full') | selectattr('size', 'gt', 100 * 1024 ** 3)
         | map(attribute='vm_name') | unique }}

- name: Show increments that nothing depends on
  ansible.builtin.debug:
    msg: "{{ backups.backup_trees | prlsdk.core.backup_list | selectattr('type', 'eq', 'incremental') | selectattr('dependents', 'eq', 0) }}"
"""

RETURN = r"""
_value:
  description:
    - One dictionary for each backup. It has every key that the backup has in the trees, among them C(id), C(type), C(number), C(created),
      C(size), C(description), C(creator), C(host) and C(server_uuid), and the following keys.
  type: list
  elements: dict
  contains:
    chain:
      description: The UUID of its chain.
      type: str
    chain_directory:
      description: The directory of its chain, if the trees contain it.
      type: str
    position:
      description: Its position in the chain, V(0) for the first backup.
      type: int
    dependents:
      description: How many later backups of the chain need it. V(0) for the last one.
      type: int
    restorable:
      description: Whether the chain begins with a full backup.
      type: bool
    vm_uuid:
      description: The UUID of its VM or container.
      type: str
    vm_name:
      description: The name of its VM or container.
      type: str
    vm_type:
      description: V(vm) or V(ct).
      type: str
    vm_registered:
      description: Whether the node knows the VM, if the trees contain this.
      type: bool
    storage_version:
      description: The version of the VM's backup storage.
      type: int
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._read import refuse_undefined


def backup_list(backup_trees: Any) -> list[dict[str, Any]]:
    """One flat dictionary for each backup of ``backup_trees``."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._backup_list import backup_list as flat_list

    try:
        refuse_undefined(backup_trees, "backup_trees")
        return flat_list(backup_trees)
    except InputError as error:
        raise AnsibleFilterError("backup_list: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"backup_list": backup_list}
