# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new full made now would let go of one VM: the plan of what is kept, with that full added."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _instants

from .buckets import Calendar
from .closure import Closure, close
from .inventory import FULL, Backup
from .keeping import Keeping, Reasons, keep
from .policy import Policy
from .rules import NEVER
from .survey import Survey, Surveyor

#: No server names a chain so.
_NEW = "a new full"


class Present(NamedTuple):
    """One VM as its plan has it."""

    survey: Survey
    keeping: Keeping
    closure: Closure
    reasons: Reasons
    storage_version: int


def full_due(present: Present, policy: Policy, surveyor: Surveyor, calendar: Calendar, now: int) -> dict[str, Any]:
    """``freed``: bytes that go as soon as the new full exists. ``chains``: each with ``chain``, ``backups``, ``size``, ``when``.

    The active chain is always listed: ``when`` is the instant before which its last reason cannot lapse, or None
    where that cannot be foreseen.
    """
    survey = present.survey
    if not survey.sound:
        return {"freed": 0, "chains": []}
    stays = [True] * len(survey.backups)
    for step in present.closure.steps:
        for position in step.removes:
            stays[position] = False
    left = [position for position, stay in enumerate(stays) if stay]
    instant = max(now, survey.backups[survey.sound[-1]].instant + 1)
    full = Backup(instant, 1, _NEW, _NEW, FULL, 0, "", "", "")
    later = surveyor.survey(sorted([*map(survey.backups.__getitem__, left), full]))
    steps = close(later, keep(later, policy, calendar, now), policy, present.storage_version).steps
    chains: dict[str, dict[str, Any]] = {}
    gone = set()
    at_once = _instants.format(now) if steps else None
    for step in steps:
        chain = later.backups[step.position].chain
        released = chains.setdefault(chain, {"chain": chain, "backups": 0, "size": 0, "when": at_once})
        released["backups"] += len(step.removes)
        released["size"] += sum([later.backups[position].size for position in step.removes])
        if chain == present.keeping.active:
            gone.update([later.backups[position] for position in step.removes])
    due = {"freed": sum(chain["size"] for chain in chains.values()), "chains": list(chains.values())}
    rest = [position for position in left if survey.backups[position].chain == present.keeping.active and survey.backups[position] not in gone]
    if rest:
        until = max(present.reasons.until[position] for position in rest)
        due["chains"].append(
            {
                "chain": present.keeping.active,
                "backups": len(rest),
                "size": sum(survey.backups[position].size for position in rest),
                "when": _instants.format(until) if now < until < NEVER else None,
            }
        )
    return due
