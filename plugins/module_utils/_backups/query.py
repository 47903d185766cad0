# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge, filter, order and count backup trees: pure functions over streams of VmTree.

The server's own filters are not used: they drop what they do not find without a word, and one of them returns
chains that were not asked for. Everything is asked for and chosen here.
"""

import bisect
from typing import Any, Callable, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key, looks_like_uuid, parse_backup_id
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import (
    Backup,
    Chain,
    Others,
    VmTree,
    order_of_chain,
)
from ansible_collections.prlsdk.core.plugins.module_utils._errors import AmbiguousNameError, TreeError


class Filters(NamedTuple):
    """What to choose; a value of None chooses everything. Made by :func:`filters`, which checks what users gave."""

    vms: Optional[FrozenSet[str]] = None
    """Names, exactly as in the tree, or UUIDs."""
    types: Optional[FrozenSet[str]] = None
    """Of ``vm`` and ``ct``."""
    backup_ids: Optional[FrozenSet[str]] = None
    """Keys (see ``id_key``) of single backups: an id names that backup, not what needs it or is needed by it."""
    newer_than: Optional[str] = None
    """``YYYY-MM-DDTHH:MM:SSZ``, inclusive: a backup made at that second is chosen."""
    older_than: Optional[str] = None
    """``YYYY-MM-DDTHH:MM:SSZ``, exclusive. So two windows that share an instant share no backup and lose none."""
    latest_only: bool = False
    """Of each VM only the newest of the backups that the other filters leave."""
    owner: Optional[str] = None
    """UUID of the server whose chains are chosen, see :func:`owner`."""
    now: Optional[str] = None
    """``YYYY-MM-DDTHH:MM:SSZ``: what was made later is from the future. Without it nothing is told of the chains of other owners."""


class Selected(NamedTuple):
    """What :func:`select` chose."""

    trees: List[VmTree]
    """By name without regard to case, then by UUID. No VM is there without a backup."""
    summary: Dict[str, object]
    """Of all matching backups, also of those behind the limit. See :class:`_Summary`."""
    total: int
    """How many backups match."""
    truncated: bool
    """Whether the limit left some of them out."""
    missing_vms: List[str]
    """The ``vms`` of which there is nothing of these types and this owner, as they were given, sorted."""
    missing_backup_ids: List[str]
    """The ``backup_ids`` that no chosen VM has, as keys, sorted."""


def filters(
    vms: Optional[Iterable[str]] = None,
    types: Optional[Iterable[str]] = None,
    backup_ids: Optional[Iterable[str]] = None,
    newer_than: Optional[str] = None,
    older_than: Optional[str] = None,
    latest_only: bool = False,
    owner: Optional[str] = None,
    now: Optional[str] = None,
) -> Filters:
    """The Filters for what a user gave: lists of text, times in ISO 8601 UTC. InputError for a malformed backup id."""
    for text in backup_ids or ():
        parse_backup_id(text)
    return Filters(
        None if vms is None else frozenset(vms),
        None if types is None else frozenset(types),
        None if backup_ids is None else frozenset(id_key(text) for text in backup_ids),
        newer_than,
        older_than,
        latest_only,
        owner,
        now,
    )


def placed(trees: Iterable[VmTree], directory: Optional[str]) -> Iterator[VmTree]:
    """The trees, with every chain marked as found in that backup directory (None: the server's default one)."""
    for tree in trees:
        yield tree._replace(chains=tuple(chain._replace(directory=directory) for chain in tree.chains))


def merge(main: Iterable[VmTree], others: Iterable[Iterable[VmTree]] = ()) -> Iterator[VmTree]:
    """One stream out of several answers; a VM comes once, with the chains of all of them, each chain once.

    ``main`` is a stream and stays one: the answer for the whole node, or the answers VM by VM one after the other.
    ``others`` are further streams, of the VMs with a backup directory of their own; they are few and are held in
    memory. Of a chain that two answers have, the later one counts: what was asked last is nearer to the truth.
    TreeError if ``main`` itself has a VM twice, which no answer of the server does.
    """
    held: Dict[str, VmTree] = {}
    for trees in others:
        for tree in trees:
            uuid = id_key(tree.uuid)
            held[uuid] = _unite(held[uuid], tree) if uuid in held else tree
    seen = set()
    for tree in main:
        uuid = id_key(tree.uuid)
        if uuid in seen:
            raise TreeError(
                "The server's backup tree has the VM %s (%s) twice, so it cannot be said which backups it has. Reading it changed nothing. "
                "Run the module again; if that does not help, check the backup server." % (tree.name, tree.uuid)
            )
        seen.add(uuid)
        yield _unite(tree, held.pop(uuid)) if uuid in held else tree
    for uuid in sorted(held):
        yield held[uuid]


def _unite(earlier: VmTree, later: VmTree) -> VmTree:
    again = frozenset(id_key(chain.uuid) for chain in later.chains)
    united = [chain for chain in earlier.chains if id_key(chain.uuid) not in again]
    united.extend(later.chains)
    newest = max((later, earlier), key=_newest)  # a tree's name is that at its most recent backup
    return newest._replace(
        chains=tuple(sorted(united, key=order_of_chain)),
        # The older format can do less; whoever takes a middle backup out must know of it.
        storage_version=min(earlier.storage_version, later.storage_version),
        omitted=earlier.omitted + later.omitted,
    )


def _newest(tree: VmTree) -> str:
    return max((backup.created for chain in tree.chains for backup in chain.backups), default="")


def owner(chain: Chain) -> str:
    """The UUID of the server that a chain belongs to: of the one that made its newest backup.

    A VM that was migrated has its chain continued by another node, and then the chain is that node's. So each chain
    has one owner, and the nodes that share a backup server see sets that do not overlap. Empty if no backup tells.
    """
    # By place and not by time: the clocks of two nodes may differ, the numbers of a chain do not go back.
    for backup in reversed(chain.backups):
        if backup.server_uuid:
            return backup.server_uuid
    return ""


def select(
    trees: Iterable[VmTree],
    chosen: Optional[Filters] = None,
    limit: Optional[int] = None,
    keep: bool = True,
    offset: int = 0,
) -> Selected:
    """Filter and order the trees and count what they hold, in one pass.

    ``limit`` is the greatest number of backups to return; the first ones in the order of the result stay, after ``offset`` of them. With
    ``keep`` false nothing is returned or held but the numbers. AmbiguousNameError if a name fits more than one VM.
    """
    found = _Found(chosen or Filters(), whole=limit is None)
    summary = _Summary()
    if limit is not None:
        limit += offset
    kept = []  # of (sorting key, running number, tree), in order
    backups = 0
    for number, tree in enumerate(map(found.filter, trees)):
        if tree is None:
            continue
        summary.add(tree)
        if not keep:
            continue
        entry = (_order(tree), number, tree)
        if limit is None:
            kept.append(entry)
            continue
        bisect.insort(kept, entry)
        backups += _count(tree)
        # What the limit cuts off for certain need not be held.
        while kept and backups - _count(kept[-1][-1]) >= limit:
            backups -= _count(kept.pop()[-1])
    found.check_names()
    kept.sort()
    result = [entry[-1] for entry in kept]
    if limit is not None and backups > limit:
        result[-1] = _cut(result[-1], _count(result[-1]) - (backups - limit))
    result = _after(result, offset)
    return Selected(
        result,
        summary.result(),
        summary.backups,
        limit is not None and summary.backups > limit,
        found.missing_vms(),
        found.missing_backup_ids(),
    )


class _Summary:
    """Counts trees without holding them.

    ``vms``, ``containers``, ``chains``, ``backups``, ``full``, ``incremental``: how many. ``size``: bytes of all
    backups. ``oldest``, ``newest``: the times of the first and the last one, ISO 8601 UTC, or None.
    """

    def __init__(self) -> None:
        self.vms = self.containers = self.chains = self.backups = self.full = self.size = 0
        self.oldest: Optional[str] = None
        self.newest: Optional[str] = None

    def add(self, tree: VmTree) -> None:
        if tree.type == "ct":
            self.containers += 1
        else:
            self.vms += 1
        self.chains += len(tree.chains)
        for chain in tree.chains:
            self.backups += len(chain.backups)
            for backup in chain.backups:
                self.size += backup.size
                if backup.type == "full":
                    self.full += 1
                if self.oldest is None or backup.created < self.oldest:
                    self.oldest = backup.created
                if self.newest is None or backup.created > self.newest:
                    self.newest = backup.created

    def result(self) -> Dict[str, Any]:
        return {
            "vms": self.vms,
            "containers": self.containers,
            "chains": self.chains,
            "backups": self.backups,
            "full": self.full,
            "incremental": self.backups - self.full,
            "size": self.size,
            "oldest": self.oldest,
            "newest": self.newest,
        }


class _Found:
    """Filters one tree after another and remembers which of the things asked for were met."""

    def __init__(self, chosen: Filters, whole: bool) -> None:
        self._chosen = chosen
        # text asked for -> (UUID, type) of the VMs met that have it as a name
        self._by_name: Dict[str, List[Any]] = {text: [] for text in chosen.vms or ()}
        self._asked_uuids = frozenset(id_key(text) for text in self._by_name if looks_like_uuid(text))
        self._met_uuids: Set[str] = set()
        self._met_ids: Set[str] = set()
        self._owner = None if chosen.owner is None else id_key(chosen.owner)
        self._some = chosen.backup_ids is not None or chosen.newer_than is not None or chosen.older_than is not None
        # Of a part of a VM's own chains nothing is concluded from what others have.
        self._tells_others = (
            whole and self._owner is not None and chosen.now is not None and not self._some and not chosen.latest_only
        )

    def filter(self, tree: VmTree) -> Optional[VmTree]:
        """The tree without what was not asked for, or None if no backup stays."""
        chosen = self._chosen
        if chosen.types is not None and tree.type not in chosen.types:
            return None
        chains = tree.chains
        if self._owner is not None:
            chains, others = _divided(chains, self._owner)
            if not chains:
                return None
            if self._tells_others and chosen.now is not None:
                tree = tree._replace(others=_others(others, chosen.now))
        # Last of these three: two nodes may each have a VM of that name, and the type or the owner may tell which is meant.
        if chosen.vms is not None and not self._is_named(tree):
            return None
        before = sum(len(chain.backups) for chain in chains)
        if self._some:
            chains = _keep(chains, self._is_chosen)
        if chosen.latest_only and chains:
            _created, place, _uuid, number = max(_instants(chains))
            chains = (chains[number]._replace(backups=(chains[number].backups[place],)),)
        after = sum(len(chain.backups) for chain in chains)
        return tree._replace(chains=chains, omitted=tree.omitted + before - after) if after else None

    def _is_named(self, tree: VmTree) -> bool:
        uuid = id_key(tree.uuid)
        named = False
        if uuid in self._asked_uuids:
            self._met_uuids.add(uuid)
            named = True
        if tree.name in self._by_name:
            self._by_name[tree.name].append((tree.uuid, tree.type))
            named = True
        return named

    def _is_chosen(self, backup: Backup) -> bool:
        chosen = self._chosen
        if chosen.backup_ids is not None:
            backup_key = id_key(backup.id)
            if backup_key not in chosen.backup_ids:
                return False
            self._met_ids.add(backup_key)
        if chosen.newer_than is not None and backup.created < chosen.newer_than:
            return False
        return chosen.older_than is None or backup.created < chosen.older_than

    def check_names(self) -> None:
        for name in sorted(self._by_name):
            fits = sorted(self._by_name[name])
            if len(fits) > 1:
                raise AmbiguousNameError(
                    "%d VMs with backups are called '%s': %s. Use the UUID instead of the name."
                    % (len(fits), name, ", ".join(uuid for uuid, kind in fits)),
                    candidates=[{"uuid": uuid, "name": name, "type": kind, "home": None} for uuid, kind in fits],
                )

    def missing_vms(self) -> List[str]:
        return sorted(text for text, fits in self._by_name.items() if not fits and id_key(text) not in self._met_uuids)

    def missing_backup_ids(self) -> List[str]:
        return sorted((self._chosen.backup_ids or frozenset()) - self._met_ids)


def _divided(chains: Iterable[Chain], key: str) -> Tuple[Tuple[Chain, ...], List[Chain]]:
    """The chains of one owner, and the others."""
    own: List[Chain] = []
    others: List[Chain] = []
    for chain in chains:
        (own if id_key(owner(chain)) == key else others).append(chain)
    return tuple(own), others


def _others(chains: List[Chain], now: str) -> Others:
    """What is told of the chains of other owners. A chain that does not tell its owner proves nothing, so that its backups are not the newest."""
    sound = [chain for chain in chains if owner(chain) and chain.backups[0].type == "full"]
    newest = max((backup.created for chain in sound for backup in chain.backups if backup.created <= now), default=None)
    return Others(len(chains), sum(len(chain.backups) for chain in chains), newest)


def _order(tree: VmTree) -> Tuple[str, str, str]:
    return tree.name.casefold(), tree.name, id_key(tree.uuid)


def _count(tree: VmTree) -> int:
    return sum(len(chain.backups) for chain in tree.chains)


def _instants(chains: Iterable[Chain]) -> Iterator[Tuple[str, int, str, int]]:
    """(time, place in the chain, chain, its number): a total order in which the newest backup is the greatest."""
    for number, chain in enumerate(chains):
        for place, backup in enumerate(chain.backups):
            yield backup.created, place, chain.uuid, number


def _keep(chains: Iterable[Chain], wanted: Callable[[Backup], bool]) -> Tuple[Chain, ...]:
    """The chains with the wanted backups only, without those that have none left."""
    kept = []
    for chain in chains:
        backups = tuple(backup for backup in chain.backups if wanted(backup))
        if backups:
            kept.append(chain._replace(backups=backups))
    return tuple(kept)


def _after(trees: List[VmTree], offset: int) -> List[VmTree]:
    """The trees without the first ``offset`` backups."""
    for place, tree in enumerate(trees):
        number = _count(tree)
        if offset < number:
            return ([_without_first(tree, offset)] if offset else [tree]) + trees[place + 1 :]
        offset -= number
    return []


def _without_first(tree: VmTree, number: int) -> VmTree:
    chains, left = [], number
    for chain in tree.chains:
        gone = min(left, len(chain.backups))
        left -= gone
        if gone < len(chain.backups):
            chains.append(chain._replace(backups=chain.backups[gone:]))
    return tree._replace(chains=tuple(chains), omitted=tree.omitted + number)


def _cut(tree: VmTree, count: int) -> VmTree:
    """The tree with its first ``count`` backups."""
    chains = []
    left = count
    for chain in tree.chains:
        if left <= 0:
            break
        chains.append(chain._replace(backups=chain.backups[:left]))
        left -= len(chains[-1].backups)
    return tree._replace(chains=tuple(chains), omitted=tree.omitted + _count(tree) - count)
