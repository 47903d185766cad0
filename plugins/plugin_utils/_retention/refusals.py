# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guards refused, in words, and the value with which they would let it pass."""

from __future__ import annotations

import math
from typing import Any

GUARDS = (
    "max_remove",
    "max_remove_share",
    "max_remove_floor",
    "max_remove_total",
    "min_chains",
    "max_staleness",
    "max_broken_chains",
)


def refusals(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Guard by guard what was refused, in words, and with which value the guard would let it pass."""
    by_guard: dict[str, list] = {}
    for result in results:
        if result["guard"]:
            by_guard.setdefault(result["guard"]["name"], []).append(result)
    told = []
    for name, refused in by_guard.items():
        worst = _worst(name, [result["guard"] for result in refused])
        allow = math.ceil(round(worst["value"] * 100, 6)) / 100 if name == "max_remove_share" else worst["value"]
        told.append(
            {
                "guard": name,
                "vms": [result["vm"]["name"] or result["vm"]["uuid"] for result in refused],
                "backups": sum(result["counts"]["refused"] for result in refused),
                "message": in_words(worst),
                "allow": allow if name in GUARDS and name not in ("max_staleness", "max_remove_floor") else None,
            }
        )
    return told


def _worst(name, refused):
    if name == "max_staleness":  # instants; None where there is no restorable backup
        return min(refused, key=lambda guard: guard["value"] or "")
    return (min if name == "min_chains" else max)(refused, key=lambda guard: guard["value"])


def in_words(guard: dict[str, Any]) -> str:
    """Which guard refused a plan, with its value and limit; the one wording for the terminal, the page and the messages."""
    name, value, limit = guard["name"], guard["value"], guard["limit"]
    if name == "max_staleness" and value is None:
        return "max_staleness: there is no restorable backup, and the newest must not be older than %s" % limit
    if name == "max_remove_share":
        value, limit = _percents(value, limit)
    one, more, told = _WORDS.get(name, ("", "", "%s%s, the limit is %s"))
    return "%s: %s" % (name, told % (value, one if value == 1 else more, limit))


# Of one, of several, and the sentence with the value, one of these two, and the limit.
_WORDS = {
    "max_remove": ("backup", "backups", "%s %s would go, at most %s may"),
    "max_remove_share": ("", "", "%s%s of the restorable backups, or of all, would go, at most %s may"),
    "max_remove_total": ("backup", "backups", "%s %s of all VMs together would go, at most %s may"),
    "min_chains": ("chain", "chains", "%s restorable %s would be left, at least %s must be"),
    "max_staleness": ("", "", "the newest restorable backup is of %s%s, older than %s"),
    "max_broken_chains": (
        "chain has",
        "chains have",
        "%s %s no full, at most %s may (it hints that backups are missing from the list)",
    ),
    "duplicate_ids": ("backup has", "backups have", "%s %s an id that another one has; more than %s is never right"),
    "no_restorable_left": ("backup", "backups", "%s restorable %s would be left, at least %s must be"),
}


def _percents(*shares):
    """Shares in percent, with as many decimals as it takes to tell them apart."""
    for decimals in (1, 3, 9):
        texts = ["%.*g%%" % (decimals + 3, round(100 * share, decimals)) for share in shares]
        if len(set(texts)) == len(shares):
            break
    return texts
