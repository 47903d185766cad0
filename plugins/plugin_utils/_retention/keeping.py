# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that keeps a backup for its own sake: the rules, and what protects it whatever the rules say."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _instants

from .buckets import Calendar
from .candidates import Candidates
from .policy import Policy
from .rules import ANY_TIME, NEVER, Scene, Selection
from .survey import Survey


class Keeping(NamedTuple):
    """Why backups are kept, by position; backups that only others need are not yet among them."""

    reasons: list[list[dict[str, Any]]]
    until: list[int]  # the latest instant before which the reasons cannot lapse; ANY_TIME, NEVER
    selections: list[Selection]  # one for each rule of the policy; its positions are those of the candidates
    counted: list[int]  # position of a candidate -> position of the backup
    active: str | None  # the chain that the next increment would join


def keep(survey: Survey, policy: Policy, calendar: Calendar, now: int) -> Keeping:
    """Apply the rules and the protections to one VM; ``now`` in epoch seconds."""
    total = len(survey.backups)
    kept = Keeping([[] for each in range(total)], [ANY_TIME] * total, [], survey.counted, _active(survey))
    _apply_rules(kept, survey, policy, calendar, now)
    _protect(kept, survey, policy, calendar, now)
    return kept


def _active(survey):
    return survey.backups[survey.sound[-1]].chain if survey.sound else None


def _apply_rules(kept, survey, policy, calendar, now):
    candidates = Candidates([survey.backups[position] for position in survey.counted], calendar)
    if not candidates.backups:
        return
    anchor = candidates.instants[-1] if policy.anchor == "newest" else now
    taken = set() if policy.counting == "additional" else None
    scene = Scene(now, anchor, policy.keep_oldest, taken)
    for rule in policy.rules:
        selection = rule.row.select(rule, candidates, scene)
        kept.selections.append(selection)
        for position, reason, until in selection.picks:
            _add(kept, survey.counted[position], reason, until)
        if taken is not None:
            taken.update(pick.position for pick in selection.picks)


def _protect(kept, survey, policy, calendar, now):
    if policy.min_restorable:
        for position in survey.sound[-policy.min_restorable :]:
            _add(kept, position, {"code": "min_restorable"}, ANY_TIME)
    for position, by in survey.pinned:
        _add(kept, position, {"code": "pinned", "by": by}, NEVER)
    if policy.grace:
        edge = calendar.zone.before(now, policy.grace)
        for position in range(len(survey.backups) - len(survey.future) - 1, -1, -1):
            instant = survey.backups[position].instant
            if instant < edge:
                break
            until = calendar.zone.after(instant, policy.grace)
            _add(kept, position, {"code": "grace", "until": _instants.format(until)}, until)
    for position in survey.future:
        _add(kept, position, {"code": "future"}, NEVER)
    if not policy.remove_broken:
        for position in survey.broken:
            _add(kept, position, {"code": "broken"}, NEVER)


def _add(kept, position, reason, until):
    kept.reasons[position].append(reason)
    if until > kept.until[position]:
        kept.until[position] = until
