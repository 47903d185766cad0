# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``backup_trees`` as ``prl_backup_info`` returns them, read into value objects with plain strings and integers."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

from .stamps import Reader

FULL, INCREMENTAL = "full", "incremental"


class Backup(NamedTuple):
    """One backup. Its order as a tuple is the total order of the engine: instant, position, chain, id."""

    instant: int  # epoch seconds
    position: int  # the SDK's number within the chain: the head first, gaps are normal
    chain: str
    id: str
    kind: str  # FULL or INCREMENTAL
    size: int  # bytes
    description: str
    creator: str
    server_uuid: str


class Vm(NamedTuple):
    """A VM or a container with all its backups, oldest first."""

    name: str
    uuid: str
    type: str
    storage_version: int  # 0 where the tree does not say
    backups: list[Backup]

    def columns(self) -> Backup:
        """The values of all backups by their names: ``columns().size`` are the sizes, oldest first."""
        return Backup(*zip(*self.backups)) if self.backups else Backup(*[()] * len(Backup._fields))


def plain_id(text: str) -> str:
    """An id for comparison: without braces, in lower case."""
    return text.replace("{", "").replace("}", "").lower()


def read(backup_trees) -> list[Vm]:
    """All VMs, by name and UUID; trees of one UUID are put together.

    :raises InputError: names the place, the value and what is expected there.
    """
    instant = Reader()
    found: dict[str, list[Vm]] = {}
    for number, tree in enumerate(_list(backup_trees, "backup_trees")):
        vm = _vm(tree, "backup_trees[%d]" % number, instant)
        found.setdefault(plain_id(vm.uuid), []).append(vm)
    return sorted((_together(parts) for parts in found.values()), key=lambda vm: (vm.name, plain_id(vm.uuid)))


def _together(parts: list[Vm]) -> Vm:
    backups = sorted(backup for part in parts for backup in part.backups)
    if len(parts) == 1:
        return parts[0]._replace(backups=backups)
    # The lowest storage version forbids most; of several names and spellings any fixed choice will do.
    return min(parts)._replace(backups=backups, storage_version=min(part.storage_version for part in parts))


def _vm(tree, where: str, instant: Reader) -> Vm:
    vm = _mapping(_member(_mapping(tree, where), "vm", where), where + ".vm")
    name = _text(vm, "name", where + ".vm", "")
    called = "%s (%s)" % (where, name) if name else where
    omitted = _integer(tree, "omitted", called, 0)
    if omitted:
        raise InputError(
            "%s leaves out %d backups that a filter of the gathering took away. Pruning from a part of a tree loses backups: "
            "gather without backup_ids, newer_than, older_than, latest_only, owner and limit, or run the plan on the whole trees"
            % (called, omitted)
        )
    chains = [
        _chain(chain, "%s.chains[%d]" % (called, number)) for number, chain in enumerate(_list(_member(tree, "chains", called), called + ".chains"))
    ]
    try:
        backups = _plain_backups(chains, instant)
    except (InputError, LookupError, TypeError, ValueError):  # the careful way copes, or names what is wrong
        backups = [
            _backup(backup, uuid, "%s.chains[%d].backups[%d]" % (called, place, number), instant)
            for place, (uuid, members) in enumerate(chains)
            for number, backup in enumerate(members)
        ]
    return Vm(name, _text(vm, "uuid", where + ".vm"), _text(vm, "type", where + ".vm", ""), _integer(vm, "storage_version", where + ".vm", 0), backups)


def _chain(chain, where: str):
    """A chain's UUID and its backups, still as they came."""
    uuid = _text(_mapping(chain, where), "uuid", where)
    return uuid, _list(_member(chain, "backups", where), where + ".backups")


_COLUMNS = operator.itemgetter("number", "id", "type", "size", "description", "creator", "server_uuid")
_COLUMN_TYPES = [{int}, {str}, {str}, {int}, {str}, {str}, {str}]
_CREATED = operator.itemgetter("created")
#: A backup of a tuple of all its values; ``Backup._make`` without counting them.
_backup_of = functools.partial(tuple.__new__, Backup)


def _plain_backups(chains, instant: Reader) -> list[Backup]:
    """All backups of a VM where every value is there and plain, as in a module's result: column by column, so quickly."""
    uuids = [uuid for uuid, members in chains for member in members]
    backups = [member for uuid, members in chains for member in members]
    if not backups:
        return []
    columns = list(zip(*map(_COLUMNS, backups)))
    positions, ids, kinds, sizes, *texts = columns
    if [set(map(type, column)) for column in columns] != _COLUMN_TYPES or not {FULL, INCREMENTAL}.issuperset(kinds) or min(positions) < 0 or min(sizes) < 0:
        raise ValueError
    instants = instant.column(map(_CREATED, backups))
    return list(map(_backup_of, zip(instants, positions, uuids, ids, kinds, sizes, *texts)))


def _backup(backup, chain: str, where: str, instant: Reader) -> Backup:
    """One backup whose values may be not plain (subclasses, texts of digits) or not there; errors name the place."""
    identity = _text(_mapping(backup, where), "id", where)
    called = "%s (%s)" % (where, identity)
    kind = _text(backup, "type", called)
    if kind not in (FULL, INCREMENTAL):
        raise InputError("%s: type is %r; it must be %s or %s" % (called, kind, FULL, INCREMENTAL))
    try:
        created = instant(_member(backup, "created", called))
    except InputError as error:
        raise InputError("%s: created: %s" % (called, error)) from None
    position = _integer(backup, "number", called)
    size = _integer(backup, "size", called)
    texts = [_text(backup, key, called, "") for key in ("description", "creator", "server_uuid")]
    return Backup(created, position, chain, identity, kind, size, *texts)


def _list(value, where: str):
    if isinstance(value, (list, tuple)):
        return value
    hint = "; give the backup_trees of the result, not the whole result" if isinstance(value, Mapping) and "backup_trees" in value else ""
    raise InputError("%s must be a list as prl_backup_info returns it, not %s%s" % (where, _kind(value), hint))


def _mapping(value, where: str):
    if isinstance(value, Mapping):
        return value
    raise InputError("%s must be a dictionary as prl_backup_info returns it, not %s" % (where, _kind(value)))


def _member(mapping, key: str, where: str):
    try:
        return mapping[key]
    except KeyError:
        raise InputError("%s has no %s; give the backup_trees as prl_backup_info returns them" % (where, key)) from None


def _text(mapping, key: str, where: str, default: str | None = None) -> str:
    value = _member(mapping, key, where) if default is None else mapping.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise InputError("%s: %s is %r; it must be a text" % (where, key, value))
    return str(value)


def _integer(mapping, key: str, where: str, default: int | None = None) -> int:
    value = _member(mapping, key, where) if default is None else mapping.get(key)
    if value is None and default is not None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError("%s: %s is %r; it must be an integer, not negative" % (where, key, value))
    return int(value)


def _kind(value) -> str:
    names = {str: "text", bool: "a truth value", type(None): "none", dict: "a dictionary", list: "a list", int: "a number", float: "a number"}
    for kind, name in names.items():
        if isinstance(value, kind):
            return "%s (%.60r)" % (name, value) if kind in (str, bool, int, float) else name
    return type(value).__name__
