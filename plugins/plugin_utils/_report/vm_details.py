# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM of a plan as things to draw: places and sizes are numbers, titles are whole sentences, and nothing is HTML.

Horizontal places of the time line and the bar of bytes are percentages, so that a drawing is as wide as the page.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.calendar import Calendar

from .._text import formats
from .._text.steps import Step, steps
from . import backup_table, rule_slots
from .glyphs import glyphs_of
from .month_calendar import date_of, month_calendar
from .outcomes import Outcome
from .timeline import timeline

#: Removals that are listed. What is beyond is counted and said.
LISTED = 100


def draw(
    vm: dict[str, Any], policy: dict[str, Any], now: int, calendar: Calendar, outcomes: dict[str, Outcome], done: bool
) -> dict[str, Any]:
    """Everything that the details of a VM show; ``outcomes``: what became of backups, by id; ``done``: whether the plan was applied to it."""
    glyphs = glyphs_of(vm, calendar, outcomes)
    return {
        "calendar": month_calendar(glyphs, calendar.day(now), done),
        "timeline": timeline(glyphs, now, calendar, done),
        "rule_slots": rule_slots.slots_of_rules(policy, [(glyph.backup, date_of(glyph.day)) for glyph in glyphs]),
        "bytes": _bytes(vm, now, done),
        "removals": _removals(vm, outcomes),
        "backups": backup_table.chains(glyphs, done),
        "glyphs": len(glyphs),
        "letters": sorted({letter for glyph in glyphs for letter in glyph.letters}),
    }


def _bytes(vm: dict[str, Any], now: Any, done: bool) -> dict[str, Any]:
    sizes = vm["bytes"]
    total = sum(sizes.values())
    parts, x = [], 0.0
    names = (
        ("own", "kept for its own sake" if done else "to keep for its own sake"),
        ("needed", "kept only as needed" if done else "to keep only as needed"),
        ("freed", "freed" if done else "to be freed"),
        ("refused", "not freed: refused"),
    )
    for name, text in names:
        if sizes[name]:
            width = round(100 * sizes[name] / total, 2)
            parts.append(
                {"state": name, "x": round(x, 2), "width": width, "text": text, "size": formats.size(sizes[name])}
            )
            x += width
    due = vm["full_due"]
    chains = [_due(chain, now) for chain in due["chains"]]
    width = round(100 * due["freed"] / total, 2) if total else 0
    return {
        "total": formats.size(total),
        "parts": parts,
        "next_full": formats.size(due["freed"]),
        "next_full_width": min(width, 100),
        "due": chains,
    }


def _due(chain: dict[str, Any], now: Any) -> dict[str, Any]:
    at = "date unknown"
    if chain["when"] is not None:
        at = "at once" if chain["when"] == _time.format_instant(now) else "not before %s" % formats.when(chain["when"])
    return {"text": "%s, %s" % (formats.backups(chain["backups"]), formats.size(chain["size"])), "when": at}


def _removals(vm: dict[str, Any], outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """What the plan asks the server for, in its order; of a refused plan what it would have been, by chain, newest first."""
    listed = steps(vm)
    rows = [
        {
            "id": formats.shown(step.head["id"], 60),
            "created": formats.when(step.head["created"]),
            "type": step.head["type"],
            "what": _what_goes(step),
            "size": formats.size(step.frees),
            "outcome": outcome.text,
            "bad": outcome.bad,
        }
        for step in listed[:LISTED]
        for outcome in [outcomes.get(step.head["id"], Outcome(""))]
    ]
    return {"rows": rows, "more": max(len(listed) - LISTED, 0), "refused": bool(vm["guard"])}


def _what_goes(step: Step) -> str:
    if step.action == "chain":
        return "the chain, %s" % formats.backups(len(step.gone))
    if step.action == "merge":
        return "merged away"
    return "the increment" if len(step.gone) == 1 else "%d increments" % len(step.gone)
