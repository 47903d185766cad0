# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VM has, before any rule looks: its chains, what is restorable, what is in the future, what is pinned, what counts."""

from __future__ import annotations

import bisect
import collections
import datetime
import operator
import re
from collections.abc import Iterator
from typing import NamedTuple

from .inventory import FULL, Backups, plain_id
from .policy import Policy
from .zone import DAY, Zone

_ORDINAL_OF_DAY_0 = datetime.date(1970, 1, 1).toordinal()


class Chain(NamedTuple):
    """A full and the increments built on it, or what is left of that."""

    uuid: str
    members: list[int]  # positions in the VM's backups, the head first: each needs all before it
    restorable: bool  # it begins with a full


class ChainSummary(NamedTuple):
    """What may be relied on of one VM's backups, by position, oldest first."""

    all: list[Chain]
    broken: list[int]  # not restorable: in a chain that does not begin with a full
    future: list[int]  # later than the clock allows
    restorable: list[int]  # restorable and not in the future


class Pin(NamedTuple):
    """A backup that somebody wants kept."""

    position: int
    by: str  # the key of the policy
    until: int | None = None  # the last second of it, in epoch seconds; None if it has no end


class Chains(NamedTuple):
    """One VM's backups and what is known of each, by position, oldest first."""

    backups: Backups
    all: list[Chain]
    broken: list[int]  # not restorable: in a chain that does not begin with a full
    future: list[int]  # later than the clock allows
    pinned: list[Pin]
    undated: list[tuple[int, str]]  # pinned by a date that cannot be read, and that text
    restorable: list[int]  # restorable and not in the future
    groups: list[tuple[str | None, list[int]]]  # the candidates of the policy's own rules, and of those of each tag

    @property
    def present(self) -> int:
        """How many are not from the future: those at the positions below."""
        return len(self.backups) - len(self.future)


class ChainReader:
    """Looks at VMs the way a policy says; ``now`` in epoch seconds."""

    def __init__(self, policy: Policy, zone: Zone, now: int):
        self.future_from = zone.expiry(now, policy.max_clock_skew, now)
        self._ids = frozenset(policy.pins)
        self._pin = re.compile(policy.pin_pattern) if policy.pin_pattern else None
        self._until = re.compile(policy.pin_until_pattern) if policy.pin_until_pattern else None
        self._zone, self._now = zone, now
        self._tag = re.compile(policy.tags_pattern) if policy.tags_pattern and policy.keep_tags else None
        self._keep_tags = frozenset(policy.keep_tags)
        self._tags_with_rules = frozenset(tag for tag, rules in policy.by_tag)
        self._tags = re.compile(policy.tags_pattern) if policy.tags_pattern and policy.by_tag else None
        self._count_pinned = policy.count_pinned
        self._pins_at_all = bool(self._ids or self._pin or self._tag or self._until)

    def read(self, backups: Backups) -> Chains:
        """Look at one VM's backups, given oldest first."""
        chains, broken, future, restorable = summarise_chains(backups, self.future_from)
        pinned = self._pinned(backups)
        undated = self._pin_by_date(self._until, backups, pinned) if self._until else []
        candidates = restorable
        if pinned and not self._count_pinned:
            uncounted = {pin.position for pin in pinned}
            candidates = [position for position in restorable if position not in uncounted]
        return Chains(backups, chains, broken, future, pinned, undated, restorable, self._groups(backups, candidates))

    def _groups(self, backups: Backups, candidates: list[int]) -> list[tuple[str | None, list[int]]]:
        """A backup with tags that have rules is a candidate of each of these, and not of the policy's own rules."""
        groups: dict[str | None, list[int]] = {None: candidates}
        if self._tags:
            groups = {None: [], **{tag: [] for tag in sorted(self._tags_with_rules)}}
            for position in candidates:
                for tag in self._tags_with_rules.intersection(tags(self._tags, backups.description[position])) or (
                    None,
                ):
                    groups[tag].append(position)
        return list(groups.items())

    def _pinned(self, backups: Backups) -> list[Pin]:
        if not self._pins_at_all:
            return []
        texts = zip(backups.id, backups.description)
        return [
            Pin(position, by)
            for position, (identity, description) in enumerate(texts)
            for by in self._pins_of(identity, description)
        ]

    def _pin_by_date(self, pattern: re.Pattern[str], backups: Backups, pinned: list[Pin]) -> list[tuple[int, str]]:
        """Add the pins that have a date and have not ended; returns where the date cannot be read, which is a pin without an end."""
        undated: list[tuple[int, str]] = []
        for position, description in enumerate(backups.description):
            match = pattern.search(description)
            if match is None:
                continue
            end = self._end_of(match[1])
            if end is None:
                undated.append((position, match[1] or ""))
            if end is None or self._now <= end:
                pinned.append(Pin(position, "pin_until_pattern", end))
        return undated

    def _end_of(self, text: str | None) -> int | None:
        """The last second of a local day that is written as an ISO date; None if it is none."""
        try:
            day = datetime.date.fromisoformat(text or "")
        except ValueError:
            return None
        number = day.toordinal() - _ORDINAL_OF_DAY_0
        end = self._zone.instant((number + 1) * DAY)
        # Where the clock is turned back over midnight, the day comes once more.
        return (
            max(
                later
                for later in (end, end + 1800, end + 3600, end + 7200)
                if later == end or self._zone.wall(later - 1) // DAY == number
            )
            - 1
        )

    def _pins_of(self, identity: str, description: str) -> Iterator[str]:
        if self._ids and plain_id(identity) in self._ids:
            yield "pins"
        if self._pin and self._pin.search(description):
            yield "pin_pattern"
        if self._tag and not self._keep_tags.isdisjoint(tags(self._tag, description)):
            yield "keep_tags"


def tags(pattern: re.Pattern[str], description: str) -> set[str]:
    """The tags in a description: what the first group of each match holds."""
    return {match[1] for match in pattern.finditer(description) if match[1] is not None}


def summarise_chains(backups: Backups, future_from: int) -> ChainSummary:
    """Look at one VM's backups, given oldest first; those of the future are later than ``future_from``."""
    chains = _read_chains(backups)
    everything = range(len(backups.instant))
    broken = sorted(position for chain in chains if not chain.restorable for position in chain.members)
    first_future = bisect.bisect_right(backups.instant, future_from)
    restorable = list(everything[:first_future])
    if broken:
        lost = set(broken)
        restorable = [position for position in restorable if position not in lost]
    return ChainSummary(chains, broken, list(everything[first_future:]), restorable)


def _read_chains(backups: Backups) -> list[Chain]:
    members: dict[str, list[int]] = collections.defaultdict(list)
    for position, chain in enumerate(backups.chain):
        members[chain].append(position)
    place, kind = backups.position, backups.kind
    for positions in members.values():
        places = [place[position] for position in positions]
        if any(map(operator.ge, places, places[1:])):  # not already in order, as nearly always
            positions.sort(key=lambda position: (place[position], kind[position], position))
    return [Chain(uuid, positions, kind[positions[0]] == FULL) for uuid, positions in members.items()]
