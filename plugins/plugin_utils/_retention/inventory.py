# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``backup_trees`` as ``prl_backup_info`` returns them, read into value objects with plain strings and integers."""

from __future__ import annotations

import datetime
import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

from .._read import read_instant

FULL, INCREMENTAL = "full", "incremental"

#: The values of a :class:`Backup`, in the order of its fields.
_Row = tuple[Any, ...]


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
    created: str  # the instant as the collection writes it


class Backups(Sequence[Backup]):
    """Backups in an order, held by columns: ``size`` are the sizes of all, and so on; one of them, or the next, is a :class:`Backup`.

    Hundreds of thousands are read and compared column by column in a fraction of the time that as many objects take.
    """

    __slots__ = ("columns", *Backup._fields)

    instant: tuple[int, ...]
    position: tuple[int, ...]
    chain: tuple[str, ...]
    id: tuple[str, ...]
    kind: tuple[str, ...]
    size: tuple[int, ...]
    description: tuple[str, ...]
    creator: tuple[str, ...]
    server_uuid: tuple[str, ...]
    created: tuple[str, ...]

    def __init__(self, rows: Sequence[_Row]):
        """:arg rows: the values of each, in the order of the fields of :class:`Backup`."""
        self._hold(tuple(zip(*rows)) or ((),) * len(Backup._fields))

    def _hold(self, columns: tuple[Any, ...]) -> None:
        self.columns = columns
        self.instant, self.position, self.chain, self.id, self.kind, self.size = columns[:6]
        self.description, self.creator, self.server_uuid, self.created = columns[6:]

    def __len__(self) -> int:
        return len(self.instant)

    def __getitem__(self, place: Any) -> Any:
        return Backup(*[column[place] for column in self.columns])

    def __iter__(self) -> Iterator[Backup]:
        return map(Backup._make, self.rows())

    def rows(self) -> Iterator[_Row]:
        """The values of each."""
        return zip(*self.columns)

    def at(self, positions: list[int]) -> Backups:
        """Some of them, in the order of the positions."""
        if len(positions) == len(self):
            return self
        some = Backups.__new__(Backups)
        some._hold(tuple(tuple(map(column.__getitem__, positions)) for column in self.columns))
        return some


class Others(NamedTuple):
    """What other nodes have of a VM on the same server."""

    chains: int
    backups: int
    newest: int | None  # epoch seconds of the newest one that is restorable and not from the future


class Vm(NamedTuple):
    """A VM or a container with all its backups, oldest first."""

    name: str
    uuid: str
    type: str
    storage_version: int  # 0 where the tree does not say
    backups: Backups
    registered: bool | None = None  # with the node that was asked; None where that is not known
    others: Others | None = None  # None where it is not known


def plain_id(text: str) -> str:
    """An id for comparison: without braces and outer blanks, in lower case, as the modules compare ids."""
    return id_key(text)


def repeated_ids(vms: Sequence[Vm]) -> dict[str, int]:
    """By the UUID of each VM: how many of its backups have an id that another one has, of this VM or of any other.

    Of several in one VM that no other VM has, the first is not counted: it is the one that the others repeat.
    """
    ids_of = [set(map(id_key, vm.backups.id)) for vm in vms]
    seen: set[str] = set()
    shared: set[str] = set()
    for ids in ids_of:
        shared |= ids & seen
        seen |= ids
    return {vm.uuid: len(vm.backups) - len(ids) + len(shared & ids) for vm, ids in zip(vms, ids_of)}


def read(backup_trees: Any) -> list[Vm]:
    """All VMs, by name and UUID; trees of one UUID are put together.

    :raises InputError: names the place, the value and what is expected there.
    """
    found: dict[str, list[_Row]] = {}
    for number, tree in enumerate(_list(backup_trees, "backup_trees")):
        head, rows = _vm(tree, "backup_trees[%d]" % number)
        found.setdefault(plain_id(head.uuid), []).append((head, rows))
    return sorted((_together(parts) for parts in found.values()), key=lambda vm: (vm.name, plain_id(vm.uuid)))


def _together(parts: list[tuple[_Head, list[_Row]]]) -> Vm:
    heads, rows = zip(*parts)
    # The lowest storage version forbids most; of several names and spellings any fixed choice will do.
    head = min(heads, key=lambda each: each[:4])
    version, backups = min(each.storage_version for each in heads), Backups(sorted(itertools.chain.from_iterable(rows)))
    # Of what several gatherings have of the others nobody knows how much is the same.
    return Vm(
        head.name,
        head.uuid,
        head.type,
        version,
        backups,
        *((head.registered, head.others) if len(heads) == 1 else (None, None)),
    )


def _vm(tree: Any, where: str) -> tuple[_Head, list[_Row]]:
    """A VM and the values of its backups, in any order."""
    vm = _mapping(_member(_mapping(tree, where), "vm", where), where + ".vm")
    name = _text(vm, "name", where + ".vm", "")
    called = "%s (%s)" % (where, name) if name else where
    omitted = _integer(tree, "omitted", called, 0)
    if omitted:
        raise InputError(
            "%s leaves out %d backups that a filter of the gathering took away. Pruning from a part of a tree loses backups: "
            "gather without backup_ids, newer_than, older_than, latest_only and limit, or run the plan on the whole trees"
            % (called, omitted)
        )
    uuid, kind, version = (
        _text(vm, "uuid", where + ".vm"),
        _text(vm, "type", where + ".vm", ""),
        _integer(vm, "storage_version", where + ".vm", 0),
    )
    head = _Head(name, uuid, kind, version, _registered(vm, called), _others(tree, called))
    chains = _list(_member(tree, "chains", called), called + ".chains")
    try:
        return head, _plain_rows(chains)
    except (InputError, LookupError, TypeError, ValueError):  # the careful way copes, or names what is wrong
        return head, [
            row for number, chain in enumerate(chains) for row in _rows(chain, "%s.chains[%d]" % (called, number))
        ]


class _Head(NamedTuple):
    """A VM without its backups."""

    name: str
    uuid: str
    type: str
    storage_version: int
    registered: bool | None
    others: Others | None


def _registered(vm: Mapping[str, Any], where: str) -> bool | None:
    value = vm.get("registered")
    if value is None or isinstance(value, bool):
        return value
    raise InputError("%s: registered is %r; it must be true, false, or null where it is not known" % (where, value))


def _others(tree: Mapping[str, Any], where: str) -> Others | None:
    value = tree.get("others")
    if value is None:
        return None
    where += ".others"
    newest = _mapping(value, where).get("newest")
    chains, backups = _integer(value, "chains", where), _integer(value, "backups", where)
    try:
        return Others(chains, backups, None if newest is None else read_instant(newest))
    except InputError as error:
        raise InputError("%s: newest: %s" % (where, error)) from None


_COLUMNS = operator.itemgetter("created", "number", "id", "type", "size", "description", "creator", "server_uuid")
_COLUMN_TYPES = [{int}, {str}, {str}, {int}, {str}, {str}, {str}]


def _plain_rows(chains: Sequence[Any]) -> list[_Row]:
    """Of all backups of a VM where every value is there and plain, as in a module's result: column by column, so quickly."""
    members = [(chain["uuid"], chain["backups"]) for chain in chains]
    uuids = [uuid for uuid, backups in members for backup in backups]
    if not uuids:
        raise ValueError
    created, *columns = zip(*[_COLUMNS(backup) for uuid, backups in members for backup in backups])
    positions, ids, kinds, sizes, *texts = columns
    if [set(map(type, column)) for column in columns] != _COLUMN_TYPES or {
        (type(uuid), type(backups)) for uuid, backups in members
    } != {(str, list)}:
        raise ValueError
    if not {FULL, INCREMENTAL}.issuperset(kinds) or min(positions) < 0 or min(sizes) < 0:
        raise ValueError
    moments = [datetime.datetime.fromisoformat(text[:-1]) for text in created]
    if [moment.isoformat(timespec="seconds") + "Z" for moment in moments] != list(created):
        raise ValueError
    return list(zip(map(_time.from_datetime, moments), positions, uuids, ids, kinds, sizes, *texts, created))


def _rows(chain: Any, where: str) -> Iterator[_Row]:
    """Of the backups of a chain whose values may be not plain (subclasses, texts of digits) or not there; errors name the place."""
    uuid = _text(_mapping(chain, where), "uuid", where)
    for number, backup in enumerate(_list(_member(chain, "backups", where), where + ".backups")):
        yield _row(backup, uuid, "%s.backups[%d]" % (where, number))


def _row(backup: Any, chain: str, where: str) -> _Row:
    identity = _text(_mapping(backup, where), "id", where)
    called = "%s (%s)" % (where, identity)
    kind = _text(backup, "type", called)
    if kind not in (FULL, INCREMENTAL):
        raise InputError("%s: type is %r; it must be %s or %s" % (called, kind, FULL, INCREMENTAL))
    try:
        created = read_instant(_member(backup, "created", called))
    except InputError as error:
        raise InputError("%s: created: %s" % (called, error)) from None
    position = _integer(backup, "number", called)
    size = _integer(backup, "size", called)
    texts = [_text(backup, key, called, "") for key in ("description", "creator", "server_uuid")]
    return (created, position, chain, identity, kind, size, *texts, _time.format_instant(created))


def _list(value: Any, where: str) -> Sequence[Any]:
    if isinstance(value, (list, tuple)):
        return value
    hint = (
        "; give the backup_trees of the result, not the whole result"
        if isinstance(value, Mapping) and "backup_trees" in value
        else ""
    )
    raise InputError("%s must be a list as prl_backup_info returns it, not %s%s" % (where, _kind(value), hint))


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise InputError("%s must be a dictionary as prl_backup_info returns it, not %s" % (where, _kind(value)))


def _member(mapping: Mapping[str, Any], key: str, where: str) -> Any:
    try:
        return mapping[key]
    except KeyError:
        raise InputError("%s has no %s; give the backup_trees as prl_backup_info returns them" % (where, key)) from None


def _text(mapping: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = _member(mapping, key, where) if default is None else mapping.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise InputError("%s: %s is %r; it must be a text" % (where, key, value))
    return str(value)


def _integer(mapping: Mapping[str, Any], key: str, where: str, default: int | None = None) -> int:
    value = _member(mapping, key, where) if default is None else mapping.get(key)
    if value is None and default is not None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError("%s: %s is %r; it must be an integer, not negative" % (where, key, value))
    return int(value)


def _kind(value: Any) -> str:
    names = {
        str: "text",
        bool: "a truth value",
        type(None): "none",
        dict: "a dictionary",
        list: "a list",
        int: "a number",
        float: "a number",
    }
    for kind, name in names.items():
        if isinstance(value, kind):
            return "%s (%.60r)" % (name, value) if kind in (str, bool, int, float) else name
    return type(value).__name__
