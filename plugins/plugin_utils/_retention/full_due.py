# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new full made now would let go of one VM: the plan of what is kept, with that full added."""

from __future__ import annotations

from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _instants

from .buckets import Calendar
from .closure import Outcome, close
from .inventory import FULL, Backup
from .keeping import Keeping, keep
from .policy import Policy
from .rules import NEVER
from .survey import Survey, Surveyor

#: No server names a chain so.
_NEW = "a new full"


def full_due(
    survey: Survey, keeping: Keeping, outcome: Outcome, policy: Policy, surveyor: Surveyor, calendar: Calendar, now: int, storage_version: int
) -> dict[str, Any]:
    """``freed``: bytes that go as soon as the new full exists. ``chains``: each with ``chain``, ``backups``, ``size``, ``when``.

    The active chain is always listed: ``when`` is the instant before which its last reason cannot lapse, or None
    where that cannot be foreseen.
    """
    if not survey.sound:
        return {"freed": 0, "chains": []}
    removed = {position for step in outcome.steps for position in step.removes}
    instant = max(now, survey.backups[survey.sound[-1]].instant + 1)
    full = Backup(instant, 1, _NEW, _NEW, FULL, 0, "", "", "")
    later = surveyor.survey(sorted([backup for position, backup in enumerate(survey.backups) if position not in removed] + [full]))
    then = close(later, keep(later, policy, calendar, now), policy, storage_version)
    chains: dict[str, dict[str, Any]] = {}
    for step in then.steps:
        chain = later.backups[step.position].chain
        released = chains.setdefault(chain, {"chain": chain, "backups": 0, "size": 0, "when": _instants.format(now)})
        released["backups"] += len(step.removes)
        released["size"] += sum(later.backups[position].size for position in step.removes)
    due = {"freed": sum(chain["size"] for chain in chains.values()), "chains": list(chains.values())}
    rest = [position for chain in later.chains if chain.uuid == keeping.active for position in chain.members]
    gone = {position for step in then.steps for position in step.removes}
    rest = [position for position in rest if position not in gone]
    if rest:
        until = max(then.until[position] for position in rest)
        due["chains"].append(
            {
                "chain": keeping.active,
                "backups": len(rest),
                "size": sum(later.backups[position].size for position in rest),
                "when": _instants.format(until) if now < until < NEVER else None,
            }
        )
    return due
