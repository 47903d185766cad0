# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One flat dictionary for each backup of some trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError


def backup_list(backup_trees: Any) -> list[dict[str, Any]]:
    """The backups in the order of the trees, with what their chain and their VM say added to each.

    :raises InputError: names the place and what is expected there.
    """
    listed = []
    for number, tree in enumerate(_list(backup_trees, "backup_trees")):
        where = "backup_trees[%d]" % number
        vm = _mapping(_mapping(tree, where).get("vm"), where + ".vm")
        for chain_number, chain in enumerate(_list(tree.get("chains"), where + ".chains")):
            chain_where = "%s.chains[%d]" % (where, chain_number)
            backups = _list(_mapping(chain, chain_where).get("backups"), chain_where + ".backups")
            members = [
                _mapping(backup, "%s.backups[%d]" % (chain_where, position)) for position, backup in enumerate(backups)
            ]
            listed += [_flat(member, position, members, chain, vm) for position, member in enumerate(members)]
    return listed


def _flat(backup: Any, position: int, members: list[Any], chain: Any, vm: Any) -> dict[str, Any]:
    flat = _plain(backup)
    flat.update(
        chain=_plain(chain.get("uuid")),
        chain_directory=_plain(chain.get("directory")),
        position=position,
        dependents=len(members) - 1 - position,
        restorable=members[0].get("type") == "full",
        vm_uuid=_plain(vm.get("uuid")),
        vm_name=_plain(vm.get("name")),
        vm_type=_plain(vm.get("type")),
        vm_registered=_plain(vm.get("registered")),
        storage_version=_plain(vm.get("storage_version")),
    )
    return flat


def _plain(value: Any) -> Any:
    """A copy of plain dictionaries, lists, texts and numbers, whatever subclasses of them the templating passes in."""
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    for kind in (str, bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def _list(value: Any, where: str) -> Sequence[Any]:
    if isinstance(value, (list, tuple)):
        return value
    raise InputError("%s must be a list as prl_backup_info returns it, not %.60r" % (where, value))


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise InputError("%s must be a dictionary as prl_backup_info returns it, not %.60r" % (where, value))
