# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every backup of a VM as a table: what the drawings tell by shape and on hovering, for readers who have neither."""

from __future__ import annotations

from typing import Any

from .._text import formats
from .glyphs import Glyph

_VERDICTS = {
    False: {"own": "keep", "needed": "keep, needed", "refused": "refused", "gone": "remove"},
    True: {"own": "kept", "needed": "kept, needed", "refused": "refused", "gone": "removed"},
}


def chains(glyphs: list[Glyph], done: bool) -> list[dict[str, Any]]:
    """The backups by chain, newest first; ``done``: whether the plan was applied."""
    by_chain: dict[str, list[Glyph]] = {}
    for glyph in glyphs:
        by_chain.setdefault(glyph.backup["chain"], []).append(glyph)
    return [
        {"chain": formats.shown(chain, 60), "rows": [_row(chain, glyph, done) for glyph in members]}
        for chain, members in by_chain.items()
    ]


def _row(chain: str, glyph: Glyph, done: bool) -> dict[str, Any]:
    backup, outcome = glyph.backup, glyph.outcome
    return {
        # The chain's id is said once; what follows it in the id of an increment tells the rest.
        "id": formats.shown(backup["id"].removeprefix(chain), 60) or "full",
        "created": formats.when(backup["created"]).removesuffix(" UTC"),
        "full": backup["type"] == "full",
        "size": formats.size(backup["size"]),
        "verdict": outcome.text if outcome else _VERDICTS[done][glyph.state],
        "bad": glyph.state == "refused" or bool(outcome and outcome.bad),
        "why": "; ".join(glyph.why).replace(chain, ""),
    }
