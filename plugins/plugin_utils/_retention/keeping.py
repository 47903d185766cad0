# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that keeps a backup for its own sake: the rules, and what protects it whatever the rules say."""

from __future__ import annotations

import bisect
from typing import Any, Callable, NamedTuple

from .buckets import Calendar
from .candidates import Candidates
from .policy import Policy
from .rules import ANY_TIME, NEVER, Explanation, Scene, Selection
from .survey import Survey


class Protection(NamedTuple):
    """Backups that something but a rule keeps; as with :class:`Selection`, explained only when asked."""

    positions: list[int]
    explain: Callable[[], Explanation]


class Keeping(NamedTuple):
    """What is kept of one VM for its own sake, by position."""

    held: list[bool]
    counted: list[int]  # position of a candidate -> position of the backup
    selections: list[Selection]  # one for each rule of the policy; their positions are those of the candidates
    protections: list[Protection]
    active: str | None  # the chain that the next increment would join


class Reasons(NamedTuple):
    """Why, by position."""

    given: list[list[dict[str, Any]]]
    until: list[int]  # the latest instant before which they cannot all lapse; ANY_TIME, NEVER


def keep(survey: Survey, policy: Policy, calendar: Calendar, now: int) -> Keeping:
    """Apply the rules and the protections to one VM; ``now`` in epoch seconds."""
    active = survey.backups.chain[survey.sound[-1]] if survey.sound else None
    selections = _selections(survey, policy, calendar, now)
    protections = list(_protections(survey, policy, calendar, now))
    held, counted = [False] * len(survey.backups), survey.counted
    for selection in selections:
        for position in selection.positions:
            held[counted[position]] = True
    for protection in protections:
        for position in protection.positions:
            held[position] = True
    return Keeping(held, counted, selections, protections, active)


def explain(keeping: Keeping) -> Reasons:
    """The reasons of everything that is kept for its own sake."""
    reasons = Reasons([[] for held in keeping.held], [ANY_TIME] * len(keeping.held))
    given, until, counted = reasons.given, reasons.until, keeping.counted
    for selection in keeping.selections:
        for number, reason, lapses in zip(selection.positions, *selection.explain()):
            position = counted[number]
            given[position].append(reason)
            if lapses > until[position]:
                until[position] = lapses
    for protection in keeping.protections:
        for position, reason, lapses in zip(protection.positions, *protection.explain()):
            given[position].append(reason)
            if lapses > until[position]:
                until[position] = lapses
    return reasons


def _selections(survey, policy, calendar, now):
    if not survey.counted:
        return []
    candidates = Candidates(survey.backups.at(survey.counted), calendar)
    anchor = candidates.instants[-1] if policy.anchor == "newest" else now
    taken: set[int] | None = set() if policy.counting == "additional" else None
    scene = Scene(now, anchor, policy.keep_oldest, taken)
    selections = []
    for rule in policy.rules:
        selections.append(rule.row.select(rule, candidates, scene))
        if taken is not None:
            taken.update(selections[-1].positions)
    return selections


def _protections(survey, policy, calendar, now):
    if policy.min_restorable and survey.sound:
        yield _protection(survey.sound[-policy.min_restorable :], {"code": "min_restorable"}, ANY_TIME)
    for pin in survey.pinned:
        if pin.until is None:
            yield _protection([pin.position], {"code": "pinned", "by": pin.by}, NEVER)
        else:
            yield _protection([pin.position], {"code": "pinned", "by": pin.by, "until": calendar.text(pin.until)}, pin.until)
    if policy.grace:
        yield _grace(survey, policy.grace, calendar, now)
    if survey.future:
        yield _protection(survey.future, {"code": "future"}, NEVER)
    if survey.broken and not policy.remove_broken:
        yield _protection(survey.broken, {"code": "broken"}, NEVER)
    elif survey.broken and survey.sound:
        # Later than everything that can be restored, they may be all that there is of the last days, and what is missing may come back.
        yield _protection([position for position in survey.broken if position > survey.sound[-1]], {"code": "broken"}, ANY_TIME)


def _protection(positions, reason, until):
    return Protection(positions, lambda: ([reason.copy() for position in positions], [until] * len(positions)))


def _grace(survey, duration, calendar, now):
    instants, edge, text = survey.backups.instant, calendar.zone.before(now, duration), calendar.text
    first, end = bisect.bisect_left(instants, edge), len(instants) - len(survey.future)

    def explain():
        untils = calendar.zone.expiries(instants[first:end], duration, now)
        return [{"code": "grace", "until": text(until)} for until in untils], untils

    return Protection(list(range(first, end)), explain)
