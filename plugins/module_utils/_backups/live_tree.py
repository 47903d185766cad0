# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM's part of the backup tree as it is now: values that never change, by which removals, creations and restorations decide."""

from typing import Collection, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import Chain as TreeChain
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import VmTree
from ansible_collections.prlsdk.core.plugins.module_utils._errors import TreeError


class Backup(NamedTuple):
    """One backup."""

    id: str  # as the server stores it, because it compares ids as text
    key: str  # as id_key() makes it
    number: int  # 1 for a full, N of a promoted one
    created: str  # YYYY-MM-DDTHH:MM:SSZ
    size: int  # bytes
    description: str


class Chain:
    """A full and its increments. It never changes, so that one reading after the other can share it."""

    def __init__(self, uuid: str, backups: Iterable[Backup], last_number: int) -> None:
        """``backups``: the full first, then the increments by number. ``last_number``: the highest ever given, 0 if none."""
        self.uuid, self.backups, self.last_number = uuid, tuple(backups), last_number
        self.key = id_key(uuid)
        self.positions = {backup.key: position for position, backup in enumerate(self.backups)}
        if len(self.positions) < len(self.backups):
            raise TreeError("two backups of chain %s have the same id" % uuid)
        # Of equal times the later in the tree is the newer.
        self.newest = self.backups[0]
        for backup in self.backups:
            if backup.created >= self.newest.created:
                self.newest = backup

    def without(self, gone: Collection[str]) -> Optional["Chain"]:
        """This chain after the backups with these keys went; None if nothing is left."""
        if not any(wanted in self.positions for wanted in gone):
            return self
        left = [backup for backup in self.backups if backup.key not in gone]
        return Chain(self.uuid, left, self.last_number) if left else None


class Vm:
    """One VM's part of the tree. A VM without backups has no chains. ``version`` is the storage format, 0 if not told."""

    def __init__(
        self,
        uuid: str,
        name: Optional[str] = None,
        container: bool = False,
        version: int = 0,
        chains: Iterable[Chain] = (),
    ) -> None:
        self.uuid, self.name, self.container, self.version, self.chains = uuid, name, container, version, list(chains)
        self._by_key = {chain.key: chain for chain in self.chains}
        if len(self._by_key) < len(self.chains):
            raise TreeError("two chains of VM %s have the same UUID" % uuid)
        self._keys: Optional[FrozenSet[str]] = None

    def place(self, wanted: str) -> Optional[Tuple[Chain, int]]:
        """(chain, position in it) of a backup's key, or None."""
        chain = self._by_key.get(wanted.partition(".")[0])
        position = None if chain is None else chain.positions.get(wanted)
        return None if chain is None or position is None else (chain, position)

    def place_of(self, wanted: str) -> Tuple[Chain, int]:
        """The same of a backup that is there."""
        place = self.place(wanted)
        if place is None:
            raise KeyError(wanted)
        return place

    def has_chain(self, wanted: str) -> bool:
        """Whether a chain with this key shows. One that somebody writes to does not."""
        return wanted in self._by_key

    def keys(self) -> FrozenSet[str]:
        """The keys of all its backups, a set."""
        if self._keys is None:
            self._keys = frozenset(key for chain in self.chains for key in chain.positions)
        return self._keys

    def chain_keys(self, keys: FrozenSet[str]) -> FrozenSet[str]:
        """The keys of all backups of the chain that these keys belong to, a set."""
        return frozenset(self.place_of(next(iter(keys)))[0].positions)

    def ids(self) -> List[str]:
        """All ids, oldest chain first."""
        return [backup.id for chain in self.chains for backup in chain.backups]

    def newest(self) -> Optional[Tuple[Chain, Backup]]:
        """(chain, backup) of the newest backup, or None. Chains come by age; of equal times the later in the tree is the newer."""
        found: Optional[Tuple[Chain, Backup]] = None
        for chain in self.chains:
            if found is None or chain.newest.created >= found[1].created:
                found = (chain, chain.newest)
        return found

    def without(self, gone: Collection[str]) -> "Vm":
        """This VM after the backups with these keys went. What is left of a chain that lost its full is not a chain."""
        left = [chain.without(gone) for chain in self.chains]
        return Vm(self.uuid, self.name, self.container, self.version, [chain for chain in left if chain is not None])


def vm_from(trees: Iterable[VmTree], uuid: str) -> Vm:
    """The Vm with this UUID among the VmTree objects of an answer; one without chains when it is not there. TreeError for what cannot be."""
    own = [tree for tree in trees if id_key(tree.uuid) == id_key(uuid)]
    if len(own) > 1:
        raise TreeError("VM %s is in the answer %d times" % (uuid, len(own)))
    for tree in own:
        return Vm(
            tree.uuid, tree.name, tree.type == "ct", tree.storage_version, [_chain_from(chain) for chain in tree.chains]
        )
    return Vm(uuid)


def _chain_from(chain: TreeChain) -> Chain:
    backups = [
        Backup(one.id, id_key(one.id), one.number, one.created, one.size, one.description) for one in chain.backups
    ]
    return Chain(chain.uuid, backups, chain.last_number)
