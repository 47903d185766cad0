# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a VM on a calendar of months: one mark for each day that has a backup, with the letters of all rules that keep one of it."""

from __future__ import annotations

import datetime
from typing import Any

from .._text import formats
from .glyphs import STATE_TEXTS, STATES, Glyph

#: At most this many months, the newest ones.
MONTHS = 13
#: So many letters fit on a day; where there are more, a plus stands for the rest.
LETTERS = 3
_EPOCH = datetime.date(1970, 1, 1)


def date_of(day: int) -> datetime.date:
    """The date of a day that is numbered from 1970-01-01 on."""
    return _EPOCH + datetime.timedelta(days=day)


def month_calendar(glyphs: list[Glyph], today: int, done: bool) -> dict[str, Any]:
    """The months from the first backup on, the newest last: cells of 7 columns (Monday first), one for each day that has a backup.

    ``before``: backups that are older than the first of :data:`MONTHS`. ``done``: whether the plan was applied.
    """
    by_day: dict[int, list[Glyph]] = {}
    for glyph in glyphs:
        by_day.setdefault(glyph.day, []).append(glyph)
    last = date_of(max([today, *by_day]) if by_day and max(by_day) - today < 31 else today)
    oldest = date_of(min([today, *by_day]))
    number = min((last.year - oldest.year) * 12 + last.month - oldest.month + 1, MONTHS)
    months = []
    for back in reversed(range(number)):
        year, month = divmod(last.year * 12 + last.month - 1 - back, 12)
        months.append(_month(year, month + 1, by_day, today, done))
    first = datetime.date(months[0]["year"], months[0]["month"], 1)
    before = sum(len(those) for day, those in by_day.items() if day < (first - _EPOCH).days)
    return {"months": months, "before": before}


def _month(year: int, month: int, by_day: dict[int, list[Glyph]], today: int, done: bool) -> dict[str, Any]:
    first = datetime.date(year, month, 1)
    length = ((first.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - first).days
    start, lead = (first - _EPOCH).days, first.weekday()
    cells = []
    for number in range(length):
        those = by_day.get(start + number)
        if those:
            row, column = divmod(lead + number, 7)
            cells.append(_cell(column, row, first.replace(day=number + 1), those))
    row, column = divmod(lead + today - start, 7)
    return {
        "year": year,
        "month": month,
        "label": first.strftime("%Y-%m"),
        "shape": "%d-%d" % (length, lead),
        "title": "%s: %s" % (first.strftime("%Y-%m"), _counted(by_day, range(start, start + length), done)),
        "cells": sorted(cells, key=lambda cell: cell["pinned"]),  # a ring reaches over its neighbours
        "today": {"x": column, "y": row} if 0 <= today - start < length else None,
    }


def _counted(by_day: dict[int, list[Glyph]], days: range, done: bool) -> str:
    states = [glyph.state for day in days for glyph in by_day.get(day, ())]
    parts = ["%d %s" % (states.count(state), STATE_TEXTS[done][state]) for state in STATES if state in states]
    return "%s (%s)" % (formats.backups(len(states)), ", ".join(parts)) if states else "no backup"


def _cell(column: int, row: int, date: datetime.date, those: list[Glyph]) -> dict[str, Any]:
    letters = [letter for letter in formats.LETTERS.values() if any(letter in glyph.letters for glyph in those)]
    return {
        "x": column,
        "y": row,
        "state": min((glyph.state for glyph in those), key=STATES.index),
        "letters": "".join(letters) if len(letters) <= LETTERS else "".join(letters[: LETTERS - 1]) + "+",
        "pinned": any(glyph.pinned for glyph in those),
        "title": "%s: %s" % (date.isoformat(), ", ".join(_NAMES[letter] for letter in letters)) if letters else "",
    }


_NAMES = {letter: formats.MEANINGS[name] for name, letter in formats.LETTERS.items()}
