# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a VM on a calendar of months: one glyph for each day that has a backup."""

from __future__ import annotations

import datetime
from typing import Any

from .._text import formats
from .glyphs import STATE_TEXTS, STATES, Glyph

MONTHS = 13
_EPOCH = datetime.date(1970, 1, 1)


def date_of(day: int) -> datetime.date:
    """The date of a day that is numbered from 1970-01-01 on."""
    return _EPOCH + datetime.timedelta(days=day)


def month_calendar(glyphs: list[Glyph], today: int) -> dict[str, Any]:
    """Thirteen months, the newest last: cells of 7 columns (Monday first), one glyph for each day that has a backup."""
    by_day: dict[int, list[Glyph]] = {}
    for glyph in glyphs:
        by_day.setdefault(glyph.day, []).append(glyph)
    last = max([today, *by_day]) if by_day and max(by_day) - today < 31 else today
    date = date_of(last)
    months = []
    for back in reversed(range(MONTHS)):
        year, month = divmod(date.year * 12 + date.month - 1 - back, 12)
        months.append(_month(year, month + 1, by_day))
    first = datetime.date(months[0]["year"], months[0]["month"], 1)
    before = sum(len(those) for day, those in by_day.items() if day < (first - _EPOCH).days)
    return {"months": months, "before": before}


def _month(year: int, month: int, by_day: dict[int, list[Glyph]]) -> dict[str, Any]:
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
        "title": "%s: %s" % (first.strftime("%Y-%m"), formats.backups(backups) if backups else "no backup"),
        "cells": sorted(cells, key=lambda cell: cell["pinned"]),  # a ring reaches over its neighbours
    }


def _cell(column: int, row: int, date: datetime.date, those: list[Glyph]) -> dict[str, Any]:
    best = min(
        those, key=lambda glyph: (STATES.index(glyph.state), not glyph.letter, _reach(glyph.letter), -glyph.instant)
    )
    if len(those) == 1:
        title = best.title
    else:
        counts = [
            "%d %s" % (number, STATE_TEXTS[state])
            for state in STATES
            for number in [sum(glyph.state == state for glyph in those)]
            if number
        ]
        title = "%s: %s (%s). Best: %s" % (date.isoformat(), formats.backups(len(those)), ", ".join(counts), best.title)
    return {
        "x": column,
        "y": row,
        "state": best.state,
        "letter": best.letter,
        "pinned": any(glyph.pinned for glyph in those),
        "title": title,
    }


def _reach(letter: str) -> int:
    return list(formats.LETTERS.values()).index(letter) if letter else len(formats.LETTERS)
