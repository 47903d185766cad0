# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup as it is shown, in drawings and in tables: its state, its letter, and in words why it stays or goes."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.calendar import Calendar

from .._read import read_instant
from .._text import formats
from .outcomes import Outcome

STATES = ("own", "needed", "refused", "gone")  # the best first
STATE_TEXTS = {
    False: {
        "own": "to keep",
        "needed": "to keep, only as needed",
        "refused": "not removed: a guard refused it",
        "gone": "to be removed",
    },
    True: {
        "own": "kept",
        "needed": "kept, only as needed",
        "refused": "not removed: a guard refused it",
        "gone": "removed",
    },
}
"""By whether the plan was applied to the VM, what each state is called."""


class Glyph(NamedTuple):
    """A backup, ready to be shown."""

    backup: dict[str, Any]
    instant: int
    day: int  # the policy's day, counted from 1970-01-01
    state: str  # one of STATES
    pinned: bool
    letters: list[str]
    why: list[str]
    outcome: Outcome | None


def glyphs_of(vm: dict[str, Any], calendar: Calendar, outcomes: dict[str, Outcome]) -> list[Glyph]:
    """The backups of one entry of a plan's ``vms``, newest first; ``outcomes`` is what became of them, by id."""
    backups = vm["backups"]
    instants = [read_instant(backup["created"]) for backup in backups]
    days = map(calendar.day, instants)
    return [
        _mark(backup, instant, day, outcomes.get(backup["id"])) for backup, instant, day in zip(backups, instants, days)
    ]


def _mark(backup: dict[str, Any], instant: int, day: int, outcome: Outcome | None) -> Glyph:
    reasons, verdict = backup["reasons"], backup["verdict"]
    state = {"remove": "gone", "refused": "refused"}.get(verdict) or ("own" if backup["own"] else "needed")
    pinned = any(reason["code"] == "pinned" for reason in reasons)
    letters = formats.letters(reasons) if verdict == "keep" else []
    return Glyph(backup, instant, day, state, pinned, letters, formats.why(backup) or ["no rule looked at it"], outcome)
