# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of one VM that rules look at, as parallel columns: a position in one is the same backup in all."""

from __future__ import annotations

import functools

from .buckets import Bucket, Calendar
from .inventory import FULL, Backup


class Candidates:
    """Candidates oldest first. Columns are worked out when first asked for, each once for all rules."""

    def __init__(self, backups: list[Backup], calendar: Calendar):
        self.calendar = calendar
        self.backups = backups
        self.instants = [backup.instant for backup in backups]
        self.everything = range(len(backups))
        self._walls: list[int] | None = None
        self._keys: dict[str, tuple[int, ...]] = {}
        self._extremes: dict[tuple[str, str, str], dict[int, int]] = {}

    @functools.cached_property
    def is_full(self) -> list[bool]:
        """Whether each candidate is a full backup."""
        return [backup.kind == FULL for backup in self.backups]

    @functools.cached_property
    def fulls(self) -> list[int]:
        """The positions of the full backups."""
        return [position for position, full in enumerate(self.is_full) if full]

    def keys(self, bucket: Bucket) -> tuple[int, ...]:
        """The bucket of each candidate."""
        if bucket.rule not in self._keys:
            if self._walls is None:
                self._walls = self.calendar.zone.walls(self.instants)
            self._keys.update(self.calendar.keys(bucket.unit, self._walls))
        return self._keys[bucket.rule]

    def extremes(self, bucket: Bucket, of: str, pick: str) -> dict[int, int]:
        """Bucket -> the position that stands for it: of all or of the fulls, the newest or the oldest."""
        wanted = (bucket.rule, of, pick)
        if wanted not in self._extremes:
            keys, positions = self.keys(bucket), self.everything
            if of == "full":
                positions = self.fulls
                keys = [keys[position] for position in positions]
            # Of two entries of a dictionary the later one wins: hence the direction.
            self._extremes[wanted] = dict(zip(keys, positions) if pick == "newest" else zip(reversed(keys), reversed(positions)))
        return self._extremes[wanted]
