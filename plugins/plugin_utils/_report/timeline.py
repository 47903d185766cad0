# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chains of a VM on a time line that is folded into rows; places are percentages of a row's width."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.calendar import Calendar
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import DAY

from .._text import formats
from .glyphs import Glyph
from .month_calendar import date_of

#: Lanes of a row. What is beyond is counted and said.
LANES = 12
#: The time line is folded into this many rows at the most, each as many weeks long as the first of these that does it.
ROWS, _PERIODS = 8, (1, 2, 4, 8, 13, 26, 52, 104)


class Scale(NamedTuple):
    """The time of a row to percent of its width. ``end`` is the first instant after it."""

    start: int
    end: int

    def __call__(self, instant: int) -> float:
        return round(100 * (instant - self.start) / max(self.end - self.start, 1), 1)


def timeline(glyphs: list[Glyph], now: Any, calendar: Calendar, done: bool) -> dict[str, Any]:
    """The chains on a time line that is folded like a text: as many rows as it takes, each beginning on a Monday, the newest at the end.

    In a row each chain has a lane for itself only where another one is there at the same time. ``done``: whether the plan was applied.
    """
    chains: dict[str, list[Glyph]] = {}
    for glyph in reversed(glyphs):  # the oldest first
        chains.setdefault(glyph.backup["chain"], []).append(glyph)
    if not chains:
        return {"rows": [], "period": "", "more": 0}
    ends = [chain[-1].instant for chain in chains.values()]
    scales, weeks = _fold(
        min(chain[0].instant for chain in chains.values()), max(*ends, min(now, max(ends) + DAY)), calendar
    )
    titles = {uuid: _chain_title(chain, done) for uuid, chain in chains.items()}
    drawn: set[str] = set()
    rows = [_lane_row(scale, weeks, chains, titles, calendar, drawn) for scale in scales]
    period = "a week" if weeks == 1 else "%d weeks" % weeks
    return {"rows": [row for row in rows if row["height"]], "period": period, "more": len(set(chains) - drawn)}


def _fold(first: int, last: int, calendar: Calendar) -> tuple[list[Scale], int]:
    """The rows as scales, oldest first, and how many weeks each holds."""
    zone = calendar.zone
    start, end = ((zone.wall(instant) // DAY + 3) // 7 for instant in (first, last))
    weeks = next((weeks for weeks in _PERIODS if (end - start) // weeks < ROWS), end - start + 1)
    count = (end - start) // weeks + 1
    edges = [zone.instant(((end + 1 - weeks * back) * 7 - 3) * DAY) for back in range(count, -1, -1)]
    return [Scale(*edge) for edge in zip(edges, edges[1:])], weeks


def _lane_row(
    scale: Scale,
    weeks: int,
    chains: dict[str, list[Glyph]],
    titles: dict[str, tuple[str, str]],
    calendar: Calendar,
    drawn: set[str],
) -> dict[str, Any]:
    busy_until: list[float] = []  # for each lane, in percent
    segments = []
    for uuid, chain in chains.items():
        if chain[-1].instant < scale.start or chain[0].instant >= scale.end:
            continue
        start, end = max(scale(chain[0].instant), 0.0), min(scale(chain[-1].instant), 100.0)
        lane = next((number for number, until in enumerate(busy_until) if until < start), len(busy_until))
        if lane == LANES:
            continue
        busy_until[lane : lane + 1] = [end + 0.8]
        drawn.add(uuid)
        segments.append(_segment(chain, scale, start, end, 9 + 18 * lane, titles[uuid]))
    step = 1 if weeks <= 13 else 4
    ticks = [round(100 * number / weeks, 2) for number in range(0, weeks, step)]
    monday = date_of(calendar.zone.wall(scale.start) // DAY)
    return {"label": monday.isoformat(), "height": 18 * len(busy_until), "ticks": ticks, "segments": segments}


def _segment(
    chain: list[Glyph], scale: Scale, start: float, end: float, y: int, title: tuple[str, str]
) -> dict[str, Any]:
    here = [glyph for glyph in chain if scale.start <= glyph.instant < scale.end]
    return {
        "y": y,
        "x": start,
        "width": round(end - start, 2),
        "status": title[0],
        "title": title[1],
        "hatch": _hatches(chain, scale),
        "glyphs": [
            {
                "x": scale(glyph.instant),
                "shape": "full" if glyph.backup["type"] == "full" else "inc",
                "state": glyph.state,
                "pinned": glyph.pinned,
            }
            for glyph in here
        ],
    }


def _chain_title(glyphs: list[Glyph], done: bool) -> tuple[str, str]:
    states = {glyph.state for glyph in glyphs}
    going = states & {"gone", "refused"}
    status = "goes" if states == {"gone"} else "kept" if not going else "refused" if states == {"refused"} else "partly"
    text = {
        "goes": "removed as a whole" if done else "to be removed as a whole",
        "kept": "kept" if done else "to keep",
        "refused": "not removed: a guard refused it",
        "partly": "a part of it removed" if done else "a part of it to be removed",
    }[status]
    total = sum(glyph.backup["size"] for glyph in glyphs)
    return status, "Chain from %s to %s, %s, %s: %s" % (
        formats.when(glyphs[0].backup["created"]),
        formats.when(glyphs[-1].backup["created"]),
        formats.backups(len(glyphs)),
        formats.size(total),
        text,
    )


def _hatches(glyphs: list[Glyph], scale: Scale) -> list[dict[str, Any]]:
    """Where, in a row, backups stay only because later ones need them: starts and widths."""
    runs: list[list[float]] = []
    for glyph, following in zip(glyphs, glyphs[1:]):
        start, end = max(scale(glyph.instant), 0.0), min(scale(following.instant), 100.0)
        if glyph.state != "needed" or end <= start:
            continue
        if runs and runs[-1][1] == start:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    return [{"x": start, "width": round(end - start, 2)} for start, end in runs]
