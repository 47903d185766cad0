# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dependency closure: what kept backups need is kept too, and the rest goes in an order that never breaks a chain."""

from __future__ import annotations

from typing import Any, NamedTuple

from .inventory import FULL
from .keeping import Keeping
from .policy import Policy
from .rules import ANY_TIME
from .survey import Survey

CHAIN, INCREMENT, MERGE = "chain", "increment", "merge"

#: How many of the backups that need one are named with it; all of them would make long chains quadratic.
NAMED = 3

#: From this version on the storage can take an increment out of the middle of a chain.
_MERGING_STORAGE = 4


class Step(NamedTuple):
    """One removal: ``removes`` are positions, the newest first; ``position`` is the one to ask the server for."""

    position: int
    action: str  # CHAIN, INCREMENT or MERGE
    removes: list[int]


class Outcome(NamedTuple):
    """What becomes of each backup, by position."""

    own: list[bool]  # kept for a reason of its own
    needed: list[dict[str, Any] | None]  # the reason needed_by, where later ones of the chain are kept
    until: list[int]  # not removed before; ANY_TIME where nobody can say, NEVER
    steps: list[Step]  # in the order in which to remove


def close(survey: Survey, keeping: Keeping, policy: Policy, storage_version: int) -> Outcome:
    """Complete ``keeping`` (it adds the reasons ``active_chain`` and ``tail`` to it) and settle what goes."""
    total = len(survey.backups)
    outcome = Outcome([bool(reasons) for reasons in keeping.reasons], [None] * total, list(keeping.until), [])
    may_merge = policy.merge == "allow" and storage_version >= _MERGING_STORAGE
    merges: list[Step] = []
    tails: list[Step] = []
    for chain in survey.chains:
        _hold_end(chain, keeping, outcome, policy, may_merge)
        if not any(outcome.own[position] for position in chain.members):
            outcome.steps.append(Step(chain.members[0], CHAIN, chain.members[::-1]))
        else:
            _close_chain(survey.backups, chain, outcome, may_merge and chain.restorable, tails, merges)
    # Whole chains free most and cannot hurt; increments go from the end of a chain, before any merge rewrites an image.
    outcome.steps.extend(tails + merges)
    return outcome


def _hold_end(chain, keeping, outcome, policy, may_merge):
    """Give the end of a chain the reason for which it stays though nothing else wants it."""
    end = chain.members[-1]
    if chain.uuid == keeping.active:
        reason = {"code": "active_chain"}
    elif policy.tails == "keep" and not outcome.own[end] and any(outcome.own[position] for position in chain.members):
        reason = {"code": "tail"}
    else:
        return
    keeping.reasons[end].append(reason)
    outcome.own[end] = True
    if policy.tails == "keep" and not (may_merge and chain.uuid == keeping.active):
        # The end stays as long as anything else in the chain does; unless the next increment makes a middle of it.
        outcome.until[end] = max(outcome.until[position] for position in chain.members)


def _close_chain(backups, chain, outcome, may_merge, tails, merges):
    later: list[str] = []  # the nearest kept ones after this one
    count, until = 0, ANY_TIME
    head = chain.members[0]
    for position in reversed(chain.members):
        if outcome.own[position]:
            kept = True
        elif not count:
            kept = False
            tails.append(Step(position, INCREMENT, [position]))
        elif may_merge and position != head and backups[position].kind != FULL:
            kept = False
            merges.append(Step(position, MERGE, [position]))
        else:
            kept = True
        if not kept:
            continue
        if count:
            outcome.needed[position] = {"code": "needed_by", "ids": later, "count": count}
        # A middle increment that may be merged away stays for its own reasons only.
        if not may_merge or position == head or backups[position].kind == FULL:
            outcome.until[position] = max(outcome.until[position], until)
        until = max(until, outcome.until[position])
        if outcome.own[position]:
            count += 1
            later = [backups[position].id, *later[: NAMED - 1]]
