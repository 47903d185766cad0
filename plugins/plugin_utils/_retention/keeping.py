# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that keeps a backup for its own sake: the rules, and what protects it whatever the rules say."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _instants

from .buckets import Calendar
from .candidates import Candidates
from .policy import Policy
from .rules import ANY_TIME, NEVER, Scene, Selection
from .survey import Survey


class Protection(NamedTuple):
    """Backups that something but a rule keeps; as with :class:`Selection`, explained only when asked."""

    positions: list[int]
    explain: Callable[[], list[tuple[dict[str, Any], int]]]


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
    active = survey.backups[survey.sound[-1]].chain if survey.sound else None
    selections = _selections(survey, policy, calendar, now)
    protections = list(_protections(survey, policy, calendar, now))
    held = [False] * len(survey.backups)
    for selection in selections:
        for position in selection.positions:
            held[survey.counted[position]] = True
    for protection in protections:
        for position in protection.positions:
            held[position] = True
    return Keeping(held, survey.counted, selections, protections, active)


def explain(keeping: Keeping) -> Reasons:
    """The reasons of everything that is kept for its own sake."""
    reasons = Reasons([[] for held in keeping.held], [ANY_TIME] * len(keeping.held))
    given, until, counted = reasons.given, reasons.until, keeping.counted
    for selection in keeping.selections:
        for number, (reason, lapses) in zip(selection.positions, selection.explain()):
            position = counted[number]
            given[position].append(reason)
            if lapses > until[position]:
                until[position] = lapses
    for protection in keeping.protections:
        for position, (reason, lapses) in zip(protection.positions, protection.explain()):
            given[position].append(reason)
            if lapses > until[position]:
                until[position] = lapses
    return reasons


def _selections(survey, policy, calendar, now):
    if not survey.counted:
        return []
    candidates = Candidates(list(map(survey.backups.__getitem__, survey.counted)), calendar)
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
        yield _protection(survey.sound[-policy.min_restorable :], lambda position: {"code": "min_restorable"}, ANY_TIME)
    for position, by in survey.pinned:
        yield _protection([position], lambda position, by=by: {"code": "pinned", "by": by}, NEVER)
    if policy.grace:
        yield _grace(survey, policy.grace, calendar.zone, now)
    if survey.future:
        yield _protection(survey.future, lambda position: {"code": "future"}, NEVER)
    if survey.broken and not policy.remove_broken:
        yield _protection(survey.broken, lambda position: {"code": "broken"}, NEVER)


def _protection(positions, reason, until):
    return Protection(positions, lambda: [(reason(position), until) for position in positions])


def _grace(survey, duration, zone, now):
    backups, edge = survey.backups, zone.before(now, duration)
    end = first = len(backups) - len(survey.future)
    while first and backups[first - 1].instant >= edge:
        first -= 1

    def reasons():
        for backup in backups[first:end]:
            until = zone.after(backup.instant, duration)
            yield {"code": "grace", "until": _instants.format(until)}, until

    return Protection(list(range(first, end)), lambda: list(reasons()))
