# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants of many backups, to and from text: the days and the times of day of a run repeat, so each is worked out once."""

from __future__ import annotations

import operator

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

from .memo import Memo
from .zone import DAY

_DAY_OF, _TIME_OF = operator.itemgetter(slice(10)), operator.itemgetter(slice(10, None))


class Reader:
    """Reads instants in every spelling of ``_instants.parse``, ten times as fast where they are ISO 8601 text.

    An ISO instant is the sum of its day (ten characters) and its time of day with the zone (the rest).
    """

    def __init__(self):
        self._days = Memo(lambda day: _time.parse_instant(day + "T00:00:00Z"))
        self._times = Memo(lambda time: _time.parse_instant("1970-01-01" + time))

    def __call__(self, value) -> int:
        try:
            return self._days[value[:10]] + self._times[value[10:]]
        except (InputError, TypeError, KeyError):  # another spelling, or nonsense: the slow way knows
            return _time.parse_instant(value)

    def column(self, values) -> list[int]:
        """Many at once, all ISO 8601 text; ``InputError``, ``TypeError`` or ``KeyError`` where one is spelled otherwise."""
        values = list(values)
        days, times = (
            map(self._days.__getitem__, map(_DAY_OF, values)),
            map(self._times.__getitem__, map(_TIME_OF, values)),
        )
        return list(map(operator.add, days, times))


class Writer:
    """Writes instants as ``_instants.format`` does."""

    def __init__(self):
        self._days = Memo(lambda day: _time.format_instant(day * DAY)[:10])
        self._times = Memo(lambda second: _time.format_instant(second)[10:])

    def __call__(self, instant: int) -> str:
        if _time.EARLIEST <= instant <= _time.LATEST:
            return self._days[instant // DAY] + self._times[instant % DAY]
        return _time.format_instant(instant)

    def column(self, instants) -> list[str]:
        """Many at once, all of the years 1 to 9999, as every instant that was read is."""
        days, times = self._days, self._times
        return [days[instant // DAY] + times[instant % DAY] for instant in instants]
