#!/usr/bin/python
# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gather the backup trees of a node or a backup server."""

DOCUMENTATION = r"""
module: prl_backup_info
short_description: Gather the backups of VMs and containers of a Virtuozzo or Parallels host
version_added: 1.0.0
description:
  - Returns the backups that a node or a backup server keeps, as trees. A VM has chains, and a chain is one full backup and the
    incremental ones that depend on it.
  - The result is the input of the filter P(prlsdk.core.retention_plan#filter).
  - The server silently leaves out chains that the user cannot read and chains that are being written or removed at that
    moment.
requirements:
  - lxml on the target host, for the interpreter that Ansible uses there
author:
  - The prlsdk.core developers (!UNKNOWN)
extends_documentation_fragment:
  - prlsdk.core.connection
  - prlsdk.core.storage
  - prlsdk.core.backups
  - prlsdk.core.attributes
  - prlsdk.core.attributes.info
options:
  backup_ids:
    description:
      - Return only these backups. Each entry is an ID as in RV(backup_trees[].chains[].backups[].id), with or without braces, in any case.
      - The ID of a chain's full backup selects only the full backup, not the chain.
    type: list
    elements: str
    aliases: [backup_id]
  newer_than:
    description:
      - Return only backups made at this time or later.
      - An ISO 8601 time with a zone, such as V(2026-11-22T03:00:00Z), or a duration before now, such as V(2w) or V(1d12h). The units
        are V(y), V(mo), V(w), V(d), V(h) and V(min), each once, largest first.
    type: str
  older_than:
    description:
      - Return only backups made before this time, in the format of O(newer_than).
    type: str
  latest_only:
    description:
      - Return only the newest backup of each VM, among those that the other options select. With O(older_than) this is the newest one before that
        time, whether or not there are later ones. So do not use O(older_than) with an earlier time to find VMs without a recent backup.
      - A backup dated in the future because of a wrong clock counts as the newest one of its VM until that time, and hides the age of the others.
        O(older_than=0h) leaves out backups from the future.
    type: bool
    default: false
  limit:
    description:
      - Return no more than this number of backups, counted in the order of the result. RV(total) still counts all of them and
        RV(truncated) says that some were left out.
    type: int
  offset:
    description:
      - Skip this number of backups before those that O(limit) counts, in the same order, for example to continue a truncated result.
      - The server is asked for all of them each time. If backups are made or removed in between, the others move to other positions.
    type: int
    default: 0
  packed:
    description:
      - Return RV(packed_trees), one compressed text, instead of RV(backup_trees). M(prlsdk.core.prl_backup_prune) and
        M(prlsdk.core.prl_backup_compliance) use it. There are no warnings about RV(damaged) then.
      - ansible-core processes each value of a result. For 100,000 backups this takes longer than gathering them.
      - If the text contains a password of the task by chance, which Ansible would mask, RV(backup_trees) is returned nevertheless.
    type: bool
    default: false
seealso:
  - module: prlsdk.core.prl_backup_facts
  - module: prlsdk.core.prl_vm_info
  - plugin: prlsdk.core.retention_plan
    plugin_type: filter
  - plugin: prlsdk.core.backup_list
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Gather every backup that the node keeps
  prlsdk.core.prl_backup_info:
  register: node

- name: Show the totals
  ansible.builtin.debug:
    var: node.summary

- name: Ask for two VMs only, which is quick even on a large server
  prlsdk.core.prl_backup_info:
    vms: [web-01, 9531985d-5d9d-49f8-9818-e811892f902b]
    missing: fail

- name: Ask for all VMs whose name begins with web-
  prlsdk.core.prl_backup_info:
    vms: ["web-*"]
    scope: registered

- name: Gather what can be read, also where the answer for one VM is damaged
  prlsdk.core.prl_backup_info:
    scope: registered
    on_damaged: skip

- name: Gather the newest backup of each VM that the node knows
  prlsdk.core.prl_backup_info:
    scope: registered
    latest_only: true
    older_than: 0h
  register: newest

# older_than: 0h leaves out backups from the future, which a wrong clock makes. With older_than: 2d, every VM that has any old backup would be
# there. A VM that has no backup at all is in no tree: the role prlsdk.core.backup_compliance names those too.
- name: Name the VMs whose newest backup is older than two days
  ansible.builtin.debug:
    msg: "{{ item.vm_name }} was last backed up at {{ item.created }}."
  loop: "{{ newest.backup_trees | prlsdk.core.backup_list | selectattr('created', 'lt', two_days_ago) }}"
  loop_control:
    label: "{{ item.vm_name }}"
  vars:
    two_days_ago: "{{ '%Y-%m-%dT%H:%M:%SZ' | ansible.builtin.strftime(now().timestamp() - 2 * 86400, utc=true) }}"

- name: Gather what this node made on a shared backup server
  prlsdk.core.prl_backup_info:
    owner: this_node
    storage:
      host: backup.example.com
      username: root
      password: "{{ vault_backup_password }}"

- name: Only count, without returning each backup
  prlsdk.core.prl_backup_info:
    gather: [summary]
"""

RETURN = r"""
backup_trees:
  description: One entry for each VM or container that has backups, sorted by name.
  returned: when O(gather) has V(backups)
  type: list
  elements: dict
  contains:
    vm:
      description: The VM that was backed up.
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
        storage_version:
          description: Version of the storage format. Versions below 4 do not support the removal of single backups from a chain.
          type: int
          sample: 5
        registered:
          description: Whether the node knows this VM now. V(null) if the list of VMs was not needed or could not be read completely.
          type: bool
          sample: true
    omitted:
      description:
        - How many backups of this VM were left out by an option of M(prlsdk.core.prl_backup_info) that selects single backups, or by its limit.
          If this is more than 0, the tree is incomplete and cannot be used for planning.
      type: int
      sample: 0
    others:
      description:
        - The backups that other nodes have of the same VM on this server, if the trees were gathered with O(owner=this_node).
        - V(null) if this is not known. This is the case with O(owner=any), with a limit, and with an option that selects single backups.
      type: dict
      contains:
        chains:
          description: How many chains.
          type: int
          sample: 2
        backups:
          description: How many backups.
          type: int
          sample: 15
        newest:
          description: When the newest restorable one that is not from the future was made, ISO 8601 in UTC; V(null) if there is none.
          type: str
          sample: "2026-11-21T01:00:12Z"
    chains:
      description: The chains, oldest first.
      type: list
      elements: dict
      contains:
        uuid:
          description: UUID of the chain, with braces.
          type: str
          sample: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}"
        size:
          description: Sum of the sizes of its backups, in bytes.
          type: int
          sample: 24300000000
        directory:
          description: >-
            The VM's own backup directory that the chain was found in, on the server that keeps the backups. V(null) for that server's default
            directory, and if the directory is not known. This is the case if all O(vms) are given by UUID, and with O(storage.default=true), because
            the node does not report which server that is.
          type: str
          sample: /mnt/nas/backups
        backups:
          description: The backups, the full one first.
          type: list
          elements: dict
          contains:
            id:
              description: >-
                The ID for removing or restoring the backup. The ID of a full backup is the chain's UUID; that of an incremental one ends in a dot
                and its number. A backup that became the full one because the original full backup was removed keeps its number.
              type: str
              sample: "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.2"
            type:
              description: V(full) or V(incremental).
              type: str
              sample: incremental
            number:
              description: Its number in the chain; the full backup is 1. Gaps are normal.
              type: int
              sample: 2
            created:
              description: When it was made, in UTC.
              type: str
              sample: "2026-09-14T03:00:57Z"
            size:
              description: Its size in bytes. For a full backup, the size of the chain's directory when the backup was made.
              type: int
              sample: 1896035739
            description:
              description: The description that was given when the backup was made.
              type: str
              sample: nightly
            creator:
              description: The user who made it.
              type: str
              sample: root
            host:
              description: Name of the node that made it.
              type: str
              sample: node-b.example.com
            server_uuid:
              description: UUID of the node that made it, with braces.
              type: str
              sample: "{d23f0824-128b-4f33-8c5c-7fd0a6a3a450}"
            disks:
              description: The virtual disks.
              returned: when O(gather) has V(disks)
              type: list
              elements: dict
              contains:
                name:
                  description: Name of the disk.
                  type: str
                  sample: harddisk.hdd
                original_path:
                  description: Path of the disk when the backup was made.
                  type: str
                  sample: /vz/vmprivate/9531985d-5d9d-49f8-9818-e811892f902b/harddisk.hdd
                size:
                  description: Size of the virtual disk in bytes.
                  type: int
                  sample: 68719476736
                encryption_key_id:
                  description: ID of its encryption key, or an empty string.
                  type: str
                  sample: ""
            files:
              description: Names of the image files.
              returned: when O(gather) has V(files)
              type: list
              elements: str
              sample: [harddisk.hdd.2.qcow2]
packed_trees:
  description:
    - The same as RV(backup_trees), as JSON, compressed with zlib, encoded with Base64. The text begins with the SHA-256 checksum of the encoded
      part and a colon.
  returned: with O(packed=true), when O(gather) has V(backups)
  type: str
  sample: "6b1f...:eAGLjgUAARUAuQ=="
summary:
  description: Counts of everything that matched, including backups that a limit left out.
  returned: when O(gather) has V(summary)
  type: dict
  contains:
    vms:
      description: Virtual machines with backups.
      type: int
      sample: 27
    containers:
      description: Containers with backups.
      type: int
      sample: 3
    chains:
      description: Chains.
      type: int
      sample: 313
    backups:
      description: Backups.
      type: int
      sample: 2094
    full:
      description: Full backups.
      type: int
      sample: 313
    incremental:
      description: Incremental backups.
      type: int
      sample: 1781
    size:
      description: Sum of their sizes in bytes.
      type: int
      sample: 7412345678901
    oldest:
      description: When the oldest was made; V(null) if there is none.
      type: str
      sample: "2025-04-06T03:00:11Z"
    newest:
      description: When the newest was made; V(null) if there is none.
      type: str
      sample: "2026-11-21T03:00:52Z"
lines:
  description:
    - A table for people. It has one line for each VM or container with its chains, backups, their size, the time of the newest one, the newest four
      chains, and anything unusual. The last line has the totals.
    - Control characters in names are escaped. The layout may change, so use the other values in a playbook.
  returned: when O(gather) has V(text)
  type: list
  elements: str
  sample:
    - "name    type  chains  backups       size  newest (UTC)      newest chains: ■ full, ● incremental"
    - "web-01  vm        10       70   431 GiB  2026-11-21 03:00  … ■●●●●●● ■●●●●●● ■●●●●●● ■●●●"
    - "1 VM, 0 containers: 70 backups in 10 chains, 431 GiB, from 2026-09-12 to 2026-11-21"
raw:
  description: The XML as the server sent it, for bug reports. One entry for each answer.
  returned: when O(gather) has V(raw), also if the task fails because the XML is damaged
  type: list
  elements: dict
  contains:
    uuid:
      description: The VM that the server was asked for; empty for the whole tree.
      type: str
      sample: ""
    xml:
      description: The text.
      type: str
      sample: <BackupTree dyn_lists="VmItem 0" id="-1"/>
total:
  description: How many backups matched.
  returned: success
  type: int
  sample: 2094
truncated:
  description: Whether O(limit) left out some of them.
  returned: success
  type: bool
  sample: false
damaged:
  description:
    - The VMs for which the server's answer could not be read. It is not known whether they have backups, and no count in this result includes them.
      Empty unless O(on_damaged=skip).
    - P(prlsdk.core.retention_plan#filter) and P(prlsdk.core.backup_compliance#filter) accept this list.
  returned: success
  type: list
  elements: dict
  contains:
    uuid:
      description: UUID with braces, as sent to the server.
      type: str
      sample: "{9531985d-5d9d-49f8-9818-e811892f902b}"
    name:
      description: Its name on the node; V(null) if all O(vms) are given by UUID, and for a VM that is gone from the node.
      type: str
      sample: web-01
    message:
      description: What is wrong with the answer.
      type: str
      sample: >-
        The backups of VM web-01 ({9531985d-5d9d-49f8-9818-e811892f902b}), asked of localhost, cannot be read. The server's backup tree is damaged …
missing:
  description:
    - The entries of O(vms) that have no backup, and the entries of O(backup_ids) that were not found, as they were written. A glob is listed if it matches
      no VM with backups.
    - VMs in RV(damaged) are not listed. A backup ID that was not found may belong to such a VM.
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

from ansible_collections.prlsdk.core.plugins.module_utils import _packed
from ansible_collections.prlsdk.core.plugins.module_utils._argspec import backup_options, storage_option
from ansible_collections.prlsdk.core.plugins.module_utils._module.base import make_module, run
from ansible_collections.prlsdk.core.plugins.module_utils._module.prl_backup_info import gather_backups


def argument_spec():
    """The options beside the connection's."""
    options = dict(backup_options(), **storage_option())
    options.update(
        packed={"type": "bool", "default": False},
        backup_ids={"type": "list", "elements": "str", "aliases": ["backup_id"]},
        newer_than={"type": "str"},
        older_than={"type": "str"},
        latest_only={"type": "bool", "default": False},
        limit={"type": "int"},
        offset={"type": "int", "default": 0},
    )
    return options


def main():
    module = make_module(argument_spec())
    run(
        module,
        lambda params, client: pack_trees(gather_backups(params, client), params["packed"], module.no_log_values),
    )


def pack_trees(result, wanted, secrets):
    """The result with its trees packed, unless a secret is in the text by chance: Ansible would mask it, and nobody could unpack the rest."""
    if wanted and "backup_trees" in result:
        packed = _packed.pack(result["backup_trees"])
        if not any(secret in packed for secret in secrets):
            del result["backup_trees"]
            result["packed_trees"] = packed
    return result


if __name__ == "__main__":
    main()
