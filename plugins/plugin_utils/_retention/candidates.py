# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of one VM that rules look at, as parallel columns: a position in one is the same backup in all."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from .calendar import Bucket, Calendar
from .inventory import FULL, Backups


class Candidates:
    """Candidates oldest first. Columns are worked out when first asked for, each once for all rules."""

    def __init__(self, backups: Backups, calendar: Calendar):
        self.calendar = calendar
        self.ids, self.chains = backups.id, backups.chain
        self.instants = backups.instant
        self.everything = range(len(backups))
        self._kinds = backups.kind
        self._extremes: dict[tuple[str, str, str], dict[int, int]] = {}

    @functools.cached_property
    def is_full(self) -> list[bool]:
        """Whether each candidate is a full backup."""
        return [kind == FULL for kind in self._kinds]

    @functools.cached_property
    def fulls(self) -> list[int]:
        """The positions of the full backups."""
        return [position for position, full in enumerate(self.is_full) if full]

    @functools.cached_property
    def _keys(self) -> dict[str, tuple[int, ...]]:
        return self.calendar.keys(self.instants)

    def keys(self, bucket: Bucket) -> tuple[int, ...]:
        """The bucket of each candidate."""
        return self._keys[bucket.rule]

    def extremes(self, bucket: Bucket, of: str, pick: str) -> dict[int, int]:
        """Bucket -> the position that stands for it: of all or of the fulls, the newest or the oldest."""
        wanted = (bucket.rule, of, pick)
        if wanted not in self._extremes:
            keys: Sequence[int] = self.keys(bucket)
            positions: Sequence[int] = self.everything
            if of == "full":
                positions = self.fulls
                keys = [keys[position] for position in positions]
            # Of two entries of a dictionary the later one wins: hence the direction.
            self._extremes[wanted] = dict(
                zip(keys, positions) if pick == "newest" else zip(reversed(keys), reversed(positions))
            )
        return self._extremes[wanted]
