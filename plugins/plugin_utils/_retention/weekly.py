# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs that a weekly rule picks increments: the newest backup of a week is one wherever chains are longer than a week."""

from __future__ import annotations

from typing import Any

from .closure import Closure
from .inventory import INCREMENTAL
from .keeping import Reasons
from .lint import warning
from .policy import Policy
from .survey import Survey
from .zone import DAY


def cost(survey: Survey, closure: Closure, reasons: Reasons, policy: Policy) -> int:
    """Bytes of one VM that nothing needs but such increments in chains that are longer than a week."""
    weekly = _picking_increments(policy)
    return (
        sum(_chain_cost(survey.backups, chain.members, closure, reasons.given, weekly) for chain in survey.chains)
        if weekly
        else 0
    )


def warnings(policy: Policy, costs: list[int]) -> list[dict[str, Any]]:
    """One warning about all VMs, if there is a cost."""
    costs = [each for each in costs if each]
    if not costs:
        return []
    name = _picking_increments(policy)[0]
    message = (
        "%s keeps the newest backup of a week, which in chains longer than a week is an increment: %d bytes of %d VMs are kept only because "
        "such increments need them; of: full with tails: remove keeps fulls alone"
    )
    return [warning("weekly_increments", message % (name, sum(costs), len(costs)), name)]


def _picking_increments(policy):
    return [rule.name for rule in policy.rules if rule.name in ("weekly", "within_weekly") and rule.of == "any"]


def _chain_cost(backups, members, closure, given, weekly):
    if backups.instant[max(members)] - backups.instant[min(members)] <= 7 * DAY:
        return 0
    picked = (
        held
    ) = (
        -1
    )  # the places of the last increment that only a weekly rule keeps, and of the last backup that anything else keeps
    for place, position in enumerate(members):
        why = {reason.get("name", reason["code"]) if "tag" not in reason else "tag" for reason in given[position]} - {
            "needed_by"
        }
        if why and why.issubset(weekly) and backups.kind[position] == INCREMENTAL:
            picked = place
        elif why and why != {"tail"}:
            held = place
    if closure.tails_stay and held >= 0:
        return 0  # its tail would stay without the weekly rule, too, and needs all of the chain
    needed = [position for position in members[held + 1 : picked + 1] if given[position] and not closure.own[position]]
    return sum(backups.size[position] for position in needed)
