# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM of a plan as things to draw: places and sizes are numbers, titles are whole sentences, and nothing is HTML.

Horizontal places of the lanes and the bar of bytes are percentages, so that a drawing is as wide as the page.
"""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.buckets import Calendar
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.stamps import Reader
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import DAY

from . import ladder, listing, words
from .marks import STATE_TEXTS, STATES, Mark, marks_of
from .outcomes import Outcome
from .steps import steps

MONTHS = 13
#: Lanes of a row, removals that are listed. What is beyond is counted and said.
LANES, LISTED = 12, 100
#: The time line is folded into this many rows at the most, each as many weeks long as the first of these that does it.
ROWS, _PERIODS = 8, (1, 2, 4, 8, 13, 26, 52, 104)

_EPOCH = datetime.date(1970, 1, 1)


class Scale(NamedTuple):
    """The time of a row to percent of its width. ``end`` is the first instant after it."""

    start: int
    end: int

    def __call__(self, instant: int) -> float:
        return round(100 * (instant - self.start) / max(self.end - self.start, 1), 2)


def draw(
    vm: dict[str, Any], policy: dict[str, Any], now: int, calendar: Calendar, read: Reader, outcomes: dict[str, Outcome]
) -> dict[str, Any]:
    """Everything that the details of a VM show; ``outcomes`` is what became of backups, by id."""
    marks = marks_of(vm, calendar, read, outcomes)
    return {
        "calendar": _calendar(marks, _today(now, calendar)),
        "lanes": _lanes(marks, now, calendar),
        "ladder": ladder.rungs(policy, [(mark.backup, _date(mark.day)) for mark in marks]),
        "bytes": _bytes(vm, now),
        "removals": _removals(vm, outcomes),
        "backups": listing.chains(marks),
        "marks": len(marks),
        "letters": sorted({mark.letter for mark in marks if mark.letter}),
    }


def _date(day):
    return _EPOCH + datetime.timedelta(days=day)


def _today(now, calendar):
    return calendar.days([now])[0]


def _calendar(marks, today):
    """Thirteen months, the newest last: cells of 7 columns (Monday first), one mark for each day that has a backup."""
    by_day: dict[int, list[Mark]] = {}
    for mark in marks:
        by_day.setdefault(mark.day, []).append(mark)
    last = max([today, *by_day]) if by_day and max(by_day) - today < 31 else today
    date = _date(last)
    months = []
    for back in reversed(range(MONTHS)):
        year, month = divmod(date.year * 12 + date.month - 1 - back, 12)
        months.append(_month(year, month + 1, by_day))
    first = datetime.date(months[0]["year"], months[0]["month"], 1)
    before = sum(len(those) for day, those in by_day.items() if day < (first - _EPOCH).days)
    return {"months": months, "before": before}


def _month(year, month, by_day):
    first = datetime.date(year, month, 1)
    length = ((first.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - first).days
    start, lead = (first - _EPOCH).days, first.weekday()
    cells, backups = [], 0
    for number in range(length):
        those = by_day.get(start + number)
        if those:
            backups += len(those)
            row, column = divmod(lead + number, 7)
            cells.append(_cell(column, row, first.replace(day=number + 1), those))
    return {
        "year": year,
        "month": month,
        "label": first.strftime("%Y-%m"),
        "shape": "%d-%d" % (length, lead),
        "title": "%s: %s" % (first.strftime("%Y-%m"), words.backups(backups) if backups else "no backup"),
        "cells": sorted(cells, key=lambda cell: cell["pinned"]),  # a ring reaches over its neighbours
    }


def _cell(column, row, date, those):
    best = min(those, key=lambda mark: (STATES.index(mark.state), not mark.letter, _reach(mark.letter), -mark.instant))
    if len(those) == 1:
        title = best.title
    else:
        counts = [
            "%d %s" % (number, STATE_TEXTS[state])
            for state in STATES
            for number in [sum(mark.state == state for mark in those)]
            if number
        ]
        title = "%s: %s (%s). Best: %s" % (date.isoformat(), words.backups(len(those)), ", ".join(counts), best.title)
    return {
        "x": column,
        "y": row,
        "state": best.state,
        "letter": best.letter,
        "pinned": any(mark.pinned for mark in those),
        "title": title,
    }


def _reach(letter):
    return list(words.LETTERS.values()).index(letter) if letter else len(words.LETTERS)


def _lanes(marks, now, calendar):
    """The chains on a time line that is folded like a text: as many rows as it takes, each beginning on a Monday, the newest at the end.

    In a row each chain has a lane for itself only where another one is there at the same time.
    """
    chains: dict[str, list[Mark]] = {}
    for mark in reversed(marks):  # the oldest first
        chains.setdefault(mark.backup["chain"], []).append(mark)
    if not chains:
        return {"rows": [], "period": "", "more": 0}
    ends = [chain[-1].instant for chain in chains.values()]
    scales, weeks = _fold(
        min(chain[0].instant for chain in chains.values()), max(*ends, min(now, max(ends) + DAY)), calendar
    )
    titles = {uuid: _chain_title(chain) for uuid, chain in chains.items()}
    drawn: set[str] = set()
    rows = [_lane_row(scale, weeks, chains, titles, calendar, drawn) for scale in scales]
    period = "a week" if weeks == 1 else "%d weeks" % weeks
    return {"rows": [row for row in rows if row["height"]], "period": period, "more": len(set(chains) - drawn)}


def _fold(first, last, calendar):
    """The rows as scales, oldest first, and how many weeks each holds."""
    zone = calendar.zone
    start, end = ((zone.wall(instant) // DAY + 3) // 7 for instant in (first, last))
    weeks = next((weeks for weeks in _PERIODS if (end - start) // weeks < ROWS), end - start + 1)
    count = (end - start) // weeks + 1
    edges = [zone.instant(((end + 1 - weeks * back) * 7 - 3) * DAY) for back in range(count, -1, -1)]
    return [Scale(*edge) for edge in zip(edges, edges[1:])], weeks


def _lane_row(scale, weeks, chains, titles, calendar, drawn):
    busy_until = []  # for each lane, in percent
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
    monday = _date(calendar.zone.wall(scale.start) // DAY)
    return {"label": monday.isoformat(), "height": 18 * len(busy_until), "ticks": ticks, "segments": segments}


def _segment(chain, scale, start, end, y, title):
    here = [mark for mark in chain if scale.start <= mark.instant < scale.end]
    return {
        "y": y,
        "x": start,
        "width": round(end - start, 2),
        "fate": title[0],
        "title": title[1],
        "hatch": _hatches(chain, scale),
        "marks": [
            {
                "x": scale(mark.instant),
                "shape": "full" if mark.backup["type"] == "full" else "inc",
                "state": mark.state,
                "pinned": mark.pinned,
                "title": mark.title,
            }
            for mark in here
        ],
    }


def _chain_title(marks):
    states = {mark.state for mark in marks}
    going = states & {"gone", "refused"}
    fate = "goes" if states == {"gone"} else "kept" if not going else "refused" if states == {"refused"} else "partly"
    text = {"goes": "goes as a whole", "kept": "stays", "refused": "would go, refused", "partly": "a part of it goes"}[
        fate
    ]
    total = sum(mark.backup["size"] for mark in marks)
    return fate, "Chain of %s to %s, %s, %s: %s" % (
        words.when(marks[0].backup["created"]),
        words.when(marks[-1].backup["created"]),
        words.backups(len(marks)),
        words.size(total),
        text,
    )


def _hatches(marks, scale):
    """Where, in a row, backups stay only because later ones need them: starts and widths."""
    runs: list[list[float]] = []
    for mark, following in zip(marks, marks[1:]):
        start, end = max(scale(mark.instant), 0.0), min(scale(following.instant), 100.0)
        if mark.state != "needed" or end <= start:
            continue
        if runs and runs[-1][1] == start:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    return [{"x": start, "width": round(end - start, 2)} for start, end in runs]


def _bytes(vm, now):
    sizes = vm["bytes"]
    total = sum(sizes.values())
    parts, x = [], 0.0
    names = (
        ("own", "kept for its own sake"),
        ("needed", "kept only as needed"),
        ("freed", "freed by the plan"),
        ("refused", "not freed: refused"),
    )
    for name, text in names:
        if sizes[name]:
            width = round(100 * sizes[name] / total, 2)
            parts.append(
                {"state": name, "x": round(x, 2), "width": width, "text": text, "size": words.size(sizes[name])}
            )
            x += width
    due = vm["full_due"]
    chains = [_due(chain, now) for chain in due["chains"]]
    width = round(100 * due["freed"] / total, 2) if total else 0
    return {
        "total": words.size(total),
        "parts": parts,
        "next_full": words.size(due["freed"]),
        "next_full_width": min(width, 100),
        "due": chains,
    }


def _due(chain, now):
    at = "when, nobody can say"
    if chain["when"] is not None:
        at = "at once" if chain["when"] == _time.format_instant(now) else "not before %s" % words.when(chain["when"])
    return {"text": "%s, %s" % (words.backups(chain["backups"]), words.size(chain["size"])), "when": at}


def _removals(vm, outcomes):
    """What the plan asks the server for, in its order; of a refused plan what it would have been, by chain, newest first."""
    listed = steps(vm)
    rows = [
        {
            "id": words.shown(step.head["id"], 60),
            "created": words.when(step.head["created"]),
            "type": step.head["type"],
            "what": _what_goes(step),
            "size": words.size(step.frees),
            "outcome": outcome.text,
            "bad": outcome.bad,
        }
        for step in listed[:LISTED]
        for outcome in [outcomes.get(step.head["id"], Outcome(""))]
    ]
    return {"rows": rows, "more": max(len(listed) - LISTED, 0), "refused": bool(vm["guard"])}


def _what_goes(step):
    if step.action == "chain":
        return "the chain, %s" % words.backups(len(step.gone))
    if step.action == "merge":
        return "merged away"
    return "the increment" if len(step.gone) == 1 else "%d increments" % len(step.gone)
