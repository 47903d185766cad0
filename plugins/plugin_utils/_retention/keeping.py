# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that keeps a backup for its own sake: the rules, and what protects it whatever the rules say."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any, NamedTuple

from .buckets import Calendar
from .candidates import Candidates
from .policy import Policy
from .rules import ANY_TIME, NEVER, Explanation, Scene, Selection
from .survey import Survey


class Protection(NamedTuple):
    """Backups that something but a rule keeps; as with :class:`Selection`, explained only when asked."""

    positions: list[int]
    explain: Callable[[], Explanation]


class Group(NamedTuple):
    """Candidates that look at nothing but each other, and what their rules keep of them."""

    tag: str | None  # None for the policy's own rules
    counted: list[int]  # position of a candidate -> position of the backup
    selections: list[Selection]  # one for each rule; their positions are those of the candidates

    def tagged(self, reason: dict[str, Any]) -> dict[str, Any]:
        """A reason of one of these rules."""
        if self.tag is not None:
            reason["tag"] = self.tag
        return reason


class Keeping(NamedTuple):
    """What is kept of one VM for its own sake, by position."""

    held: list[bool]
    groups: list[Group]
    protections: list[Protection]
    active: str | None  # the chain that the next increment would join


class Reasons(NamedTuple):
    """Why, by position."""

    given: list[list[dict[str, Any]]]
    until: list[int]  # the latest instant before which they cannot all lapse; ANY_TIME, NEVER


def keep(survey: Survey, policy: Policy, calendar: Calendar, now: int) -> Keeping:
    """Apply the rules and the protections to one VM; ``now`` in epoch seconds."""
    active = survey.backups.chain[survey.sound[-1]] if survey.sound else None
    groups = _groups(survey, policy, calendar, now)
    protections = list(_protections(survey, policy, calendar, now))
    return Keeping(_held(len(survey.backups), groups, protections), groups, protections, active)


def keep_of_retired(survey: Survey, calendar: Calendar) -> Keeping:
    """What stays of a VM that is retired: what somebody has pinned, and what nobody can judge."""
    protections = [
        *_pins(survey, calendar),
        _protection(survey.future, {"code": "future"}, NEVER),
        _protection(survey.broken, {"code": "broken"}, NEVER),
    ]
    return Keeping(_held(len(survey.backups), [], protections), [], protections, None)


def _held(number, groups, protections):
    held = [False] * number
    for group in groups:
        for selection in group.selections:
            for position in selection.positions:
                held[group.counted[position]] = True
    for protection in protections:
        for position in protection.positions:
            held[position] = True
    return held


def explain(keeping: Keeping) -> Reasons:
    """The reasons of everything that is kept for its own sake."""
    reasons = Reasons([[] for held in keeping.held], [ANY_TIME] * len(keeping.held))
    given, until = reasons.given, reasons.until
    for group in keeping.groups:
        for selection in group.selections:
            for number, reason, lapses in zip(selection.positions, *selection.explain()):
                position = group.counted[number]
                given[position].append(group.tagged(reason))
                if lapses > until[position]:
                    until[position] = lapses
    for protection in keeping.protections:
        for position, reason, lapses in zip(protection.positions, *protection.explain()):
            given[position].append(reason)
            if lapses > until[position]:
                until[position] = lapses
    return reasons


def _groups(survey, policy, calendar, now):
    counted = [position for tag, positions in survey.groups for position in positions]
    if not counted:
        return []
    # One anchor for the whole VM: nothing ages out of what has a tag because no later backup has it.
    anchor = survey.backups.instant[max(counted)] if policy.anchor == "newest" else now
    rules = {None: policy.rules, **dict(policy.by_tag)}
    return [
        _group(tag, positions, rules[tag], survey, policy, calendar, (now, anchor))
        for tag, positions in survey.groups
        if positions
    ]


def _group(tag, positions, rules, survey, policy, calendar, instants):
    candidates = Candidates(survey.backups.at(positions), calendar)
    taken: set[int] | None = set() if policy.counting == "additional" else None
    scene = Scene(*instants, policy.keep_oldest, taken)
    selections = []
    for rule in rules:
        selections.append(rule.row.select(rule, candidates, scene))
        if taken is not None:
            taken.update(selections[-1].positions)
    return Group(tag, positions, selections)


def _protections(survey, policy, calendar, now):
    if policy.min_restorable and survey.sound:
        yield _protection(survey.sound[-policy.min_restorable :], {"code": "min_restorable"}, ANY_TIME)
    yield from _pins(survey, calendar)
    if policy.grace:
        yield _grace(survey, policy.grace, calendar, now)
    if survey.future:
        yield _protection(survey.future, {"code": "future"}, NEVER)
    if survey.broken and not policy.remove_broken:
        yield _protection(survey.broken, {"code": "broken"}, NEVER)
    elif survey.broken and survey.sound:
        # Later than everything that can be restored, they may be all that there is of the last days, and what is missing may come back.
        yield _protection(
            [position for position in survey.broken if position > survey.sound[-1]], {"code": "broken"}, ANY_TIME
        )


def _pins(survey, calendar):
    for pin in survey.pinned:
        if pin.until is None:
            yield _protection([pin.position], {"code": "pinned", "by": pin.by}, NEVER)
        else:
            yield _protection(
                [pin.position], {"code": "pinned", "by": pin.by, "until": calendar.text(pin.until)}, pin.until
            )


def _protection(positions, reason, until):
    return Protection(positions, lambda: ([reason.copy() for position in positions], [until] * len(positions)))


def _grace(survey, duration, calendar, now):
    instants, edge, text = survey.backups.instant, calendar.zone.before(now, duration), calendar.text
    first, end = bisect.bisect_left(instants, edge), survey.present

    def explain():
        untils = calendar.zone.expiries(instants[first:end], duration, now)
        return [{"code": "grace", "until": text(until)} for until in untils], untils

    return Protection(list(range(first, end)), explain)
