# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that keeps a backup for its own sake: the rules, and what protects it whatever the rules say."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration

from .calendar import Calendar
from .candidates import Candidates
from .chains import Chains
from .policy import Policy
from .rules import ANY_TIME, NEVER, Explanation, Rule, RuleContext, Selection


class Protection(NamedTuple):
    """Backups that something but a rule keeps; as with :class:`Selection`, explained only when asked."""

    positions: list[int]
    explain: Callable[[], Explanation]


class Group(NamedTuple):
    """Candidates that look at nothing but each other, and what their rules keep of them."""

    tag: str | None  # None for the policy's own rules
    candidates: list[int]  # position of a candidate -> position of the backup
    selections: list[Selection]  # one for each rule; their positions are those of the candidates

    def tagged(self, reason: dict[str, Any]) -> dict[str, Any]:
        """A reason of one of these rules."""
        if self.tag is not None:
            reason["tag"] = self.tag
        return reason


class KeepSet(NamedTuple):
    """What is kept of one VM for its own sake, by position."""

    kept: list[bool]
    groups: list[Group]
    protections: list[Protection]
    active: str | None  # the chain that the next increment would join


class Reasons(NamedTuple):
    """Why, by position."""

    reasons: list[list[dict[str, Any]]]
    expires: list[int]  # the latest instant before which they cannot all lapse; ANY_TIME, NEVER


def keep(chains: Chains, policy: Policy, calendar: Calendar, now: int) -> KeepSet:
    """Apply the rules and the protections to one VM; ``now`` in epoch seconds."""
    active = chains.backups.chain[chains.restorable[-1]] if chains.restorable else None
    groups = _groups(chains, policy, calendar, now)
    protections = list(_protections(chains, policy, calendar, now))
    return KeepSet(_kept(len(chains.backups), groups, protections), groups, protections, active)


def keep_of_retired(chains: Chains, calendar: Calendar) -> KeepSet:
    """What stays of a VM that is retired: what somebody has pinned, and what nobody can judge."""
    protections = [
        *_pins(chains, calendar),
        _protection(chains.future, {"code": "future"}, NEVER),
        _protection(chains.broken, {"code": "broken"}, NEVER),
    ]
    return KeepSet(_kept(len(chains.backups), [], protections), [], protections, None)


def _kept(number: int, groups: list[Group], protections: list[Protection]) -> list[bool]:
    kept = [False] * number
    for group in groups:
        for selection in group.selections:
            for position in selection.positions:
                kept[group.candidates[position]] = True
    for protection in protections:
        for position in protection.positions:
            kept[position] = True
    return kept


def explain(keep_set: KeepSet) -> Reasons:
    """The reasons of everything that is kept for its own sake."""
    reasons = Reasons([[] for kept in keep_set.kept], [ANY_TIME] * len(keep_set.kept))
    given, expires = reasons.reasons, reasons.expires
    for group in keep_set.groups:
        for selection in group.selections:
            for number, reason, lapses in zip(selection.positions, *selection.explain()):
                position = group.candidates[number]
                given[position].append(group.tagged(reason))
                if lapses > expires[position]:
                    expires[position] = lapses
    for protection in keep_set.protections:
        for position, reason, lapses in zip(protection.positions, *protection.explain()):
            given[position].append(reason)
            if lapses > expires[position]:
                expires[position] = lapses
    return reasons


def _groups(chains: Chains, policy: Policy, calendar: Calendar, now: int) -> list[Group]:
    counted = [position for tag, positions in chains.groups for position in positions]
    if not counted:
        return []
    # One anchor for the whole VM: nothing ages out of what has a tag because no later backup has it.
    anchor = chains.backups.instant[max(counted)] if policy.anchor == "newest" else now
    rules: dict[str | None, tuple[Rule, ...]] = {None: policy.rules, **dict(policy.by_tag)}
    return [
        _group(tag, positions, rules[tag], chains, policy, calendar, (now, anchor))
        for tag, positions in chains.groups
        if positions
    ]


def _group(
    tag: str | None,
    positions: list[int],
    rules: tuple[Rule, ...],
    chains: Chains,
    policy: Policy,
    calendar: Calendar,
    instants: tuple[int, int],
) -> Group:
    candidates = Candidates(chains.backups.at(positions), calendar)
    taken: set[int] | None = set() if policy.counting == "additional" else None
    context = RuleContext(*instants, policy.keep_oldest, taken)
    selections = []
    for rule in rules:
        selections.append(rule.type.select(rule, candidates, context))
        if taken is not None:
            taken.update(selections[-1].positions)
    return Group(tag, positions, selections)


def _protections(chains: Chains, policy: Policy, calendar: Calendar, now: int) -> Iterator[Protection]:
    if policy.min_restorable and chains.restorable:
        yield _protection(chains.restorable[-policy.min_restorable :], {"code": "min_restorable"}, ANY_TIME)
    yield from _pins(chains, calendar)
    if policy.grace:
        yield _grace(chains, policy.grace, calendar, now)
    if chains.future:
        yield _protection(chains.future, {"code": "future"}, NEVER)
    if chains.broken and not policy.remove_broken:
        yield _protection(chains.broken, {"code": "broken"}, NEVER)
    elif chains.broken and chains.restorable:
        # Later than everything that can be restored, they may be all that there is of the last days, and what is missing may come back.
        yield _protection(
            [position for position in chains.broken if position > chains.restorable[-1]], {"code": "broken"}, ANY_TIME
        )


def _pins(chains: Chains, calendar: Calendar) -> Iterator[Protection]:
    for pin in chains.pinned:
        if pin.until is None:
            yield _protection([pin.position], {"code": "pinned", "by": pin.by}, NEVER)
        else:
            yield _protection(
                [pin.position], {"code": "pinned", "by": pin.by, "until": _time.format_instant(pin.until)}, pin.until
            )


def _protection(positions: list[int], reason: dict[str, Any], until: int) -> Protection:
    return Protection(positions, lambda: ([reason.copy() for position in positions], [until] * len(positions)))


def _grace(chains: Chains, duration: Duration, calendar: Calendar, now: int) -> Protection:
    instants, edge, text = chains.backups.instant, calendar.zone.before(now, duration), _time.format_instant
    first, end = bisect.bisect_left(instants, edge), chains.present

    def explain() -> Explanation:
        untils = calendar.zone.expiries(instants[first:end], duration, now)
        return [{"code": "grace", "until": text(until)} for until in untils], untils

    return Protection(list(range(first, end)), explain)
