# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dependency closure: what kept backups need is kept too, and the rest goes in an order that never breaks a chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .chains import Chain, Chains
from .inventory import FULL
from .keep import KeepSet, Reasons
from .policy import Policy
from .rules import ANY_TIME

CHAIN, INCREMENT, MERGE = "chain", "increment", "merge"

#: How many of the backups that need one are named with it; all of them would make long chains quadratic.
NAMED = 3

#: From this version on the storage can take a single increment out of a chain, at its end or from its middle.
_SINGLE_INCREMENTS = 4


class Step(NamedTuple):
    """One removal: ``removes`` are positions, the newest first; ``position`` is the one to ask the server for."""

    position: int
    action: str  # CHAIN, INCREMENT or MERGE
    removes: list[int]


class Closure(NamedTuple):
    """What stays and what goes of one VM."""

    has_own_reason: list[bool]  # by position: kept for a reason of its own
    ends: list[
        tuple[int, str]
    ]  # what a chain may not lose as long as something of it stays, mostly its end, and the reason's code
    steps: list[Step]  # in the order in which to remove
    mergeable: list[bool]  # by position: may be taken out of the middle of its chain
    tails_stay: bool  # the end of a chain of which something stays does so too


def close(chains: Chains, keep_set: KeepSet, policy: Policy, storage_version: int) -> Closure:
    """Settle what goes, given what is kept for its own sake."""
    single = storage_version >= _SINGLE_INCREMENTS
    merging = single and policy.merge == "allow"
    kinds = chains.backups.kind
    closure = Closure(list(keep_set.kept), [], [], [False] * len(keep_set.kept), policy.tails == "keep" or not single)
    has_own_reason = closure.has_own_reason
    later_steps: list[Step] = []
    trimming = merging or not closure.tails_stay
    for chain in chains.all:
        members, end = chain.members, chain.members[-1]
        if chain.uuid == keep_set.active:
            for position in {end, *(newest for newest in _newest_by_now(chain, chains) if not has_own_reason[newest])}:
                closure.ends.append((position, "active_chain"))
                has_own_reason[position] = True
        elif not any(map(has_own_reason.__getitem__, members)):
            closure.steps.append(Step(members[0], CHAIN, members[::-1]))
            continue
        elif closure.tails_stay and not has_own_reason[end]:
            closure.ends.append((end, "tail"))
            has_own_reason[end] = True
        if merging and chain.restorable:
            for position in members[1:]:
                closure.mergeable[position] = kinds[position] != FULL
        if trimming:
            later_steps += _trim(members, closure)
    # Whole chains free most and cannot hurt; increments go from the end of a chain, before any merge rewrites an image.
    closure.steps.extend(sorted(later_steps, key=lambda step: step.action != INCREMENT))
    return closure


def _newest_by_now(chain: Chain, chains: Chains) -> set[int]:
    """Of the active chain, the newest restorable backup and the last one that is not from the future.

    Both are the end of the chain, unless a clock was wrong: a later backup of the chain may have an earlier time, or be from the future.
    """
    return {chains.restorable[-1], next(position for position in reversed(chain.members) if position < chains.present)}


def _trim(members: list[int], closure: Closure) -> Iterator[Step]:
    """The removals from a chain of which something stays, newest first."""
    at_end = True
    for position in reversed(members):
        if closure.has_own_reason[position]:
            at_end = False
        elif at_end:
            yield Step(position, INCREMENT, [position])
        elif closure.mergeable[position]:
            yield Step(position, MERGE, [position])


def explain_needs(chains: Chains, keep_set: KeepSet, closure: Closure, reasons: Reasons) -> None:
    """Add the reasons ``active_chain``, ``tail`` and ``needed_by``, and let what is needed last as long as what needs it."""
    for position, code in closure.ends:
        reasons.reasons[position].append({"code": code})
    given, until = reasons
    for chain in chains.all:
        end = chain.members[-1]
        # The end stays as long as anything else in the chain does; unless the next increment makes a middle of it.
        if closure.tails_stay and not (closure.mergeable[end] and chain.uuid == keep_set.active):
            until[end] = max(map(until.__getitem__, chain.members))
        _explain_chain(chains.backups.id, chain.members, closure, given, until)


def _explain_chain(
    ids: Sequence[str], members: list[int], closure: Closure, given: list[list[dict[str, Any]]], until: list[int]
) -> None:
    has_own_reason, mergeable = closure.has_own_reason, closure.mergeable
    nearest: list[str] = []  # the kept ones after this one that have reasons of their own
    count, lasts = 0, ANY_TIME
    for position in reversed(members):
        if not has_own_reason[position] and (not count or mergeable[position]):
            continue  # it goes
        if count:
            needed: dict[str, Any] = {"code": "needed_by", "ids": nearest[:], "count": count}
            given[position].append(needed)
        if until[position] > lasts:
            lasts = until[position]
        elif not mergeable[position]:
            until[position] = lasts
        if has_own_reason[position]:
            count += 1
            nearest = [ids[position], *nearest[: NAMED - 1]]
