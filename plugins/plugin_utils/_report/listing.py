# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every backup of a VM as a table: what the drawings tell by shape and on hovering, for readers who have neither."""

from __future__ import annotations

from typing import Any

from . import words
from .marks import Mark

_VERDICTS = {"own": "keep", "needed": "keep, needed", "refused": "refused", "gone": "remove"}


def chains(marks: list[Mark]) -> list[dict[str, Any]]:
    """The backups by chain, newest first."""
    by_chain: dict[str, list[Mark]] = {}
    for mark in marks:
        by_chain.setdefault(mark.backup["chain"], []).append(mark)
    return [
        {"chain": words.shown(chain, 60), "rows": [_row(chain, mark) for mark in members]}
        for chain, members in by_chain.items()
    ]


def _row(chain, mark):
    backup, outcome = mark.backup, mark.outcome
    return {
        # The chain's id is said once; what follows it in the id of an increment tells the rest.
        "id": words.shown(backup["id"].removeprefix(chain), 60),
        "created": words.when(backup["created"]).removesuffix(" UTC"),
        "type": backup["type"],
        "size": words.size(backup["size"]),
        "verdict": outcome.text if outcome else _VERDICTS[mark.state],
        "bad": mark.state == "refused" or bool(outcome and outcome.bad),
        "why": "; ".join(mark.why).replace(chain, ""),
    }
