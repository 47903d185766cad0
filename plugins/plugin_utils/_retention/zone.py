# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IANA time zone over integer instants: wall-clock seconds, and calendar arithmetic.

Instants are whole epoch seconds. Wall times are "epoch seconds as if the wall clock were UTC". Two ``datetime`` of one zone are never
compared, because Python compares their wall times and so misorders the hour that is lived twice.
"""

from __future__ import annotations

import datetime
import functools
import zoneinfo
from collections.abc import Callable, Iterator, Sequence

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration

DAY = 86400

#: Names that the zone database may have, but that mean "whatever this machine is set to".
_MACHINE_ZONES = ("localtime", "posixrules", "Factory")

#: In place of the end of a duration that has to be searched for.
_UNSTEADY = (_time.EARLIEST - 1, False)


@functools.lru_cache(maxsize=16)
def named(name: str) -> Zone:
    """The zone of an IANA name, with what earlier plans have worked out about it; ``ValueError`` if there is none."""
    return Zone(name)


class Zone:
    """A time zone by its IANA name; ``ValueError`` if there is none of that name."""

    def __init__(self, name: str):
        if name in _MACHINE_ZONES:
            raise ValueError(name)
        try:
            self._info = zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):  # OSError: the name of a folder in the database
            raise ValueError(name) from None
        self.name = name
        self._offset_on = functools.cache(self._find_offset)
        self._end_of = functools.cache(self._find_end)
        self._pieces_of = functools.cache(self._find_pieces)
        self._day_before = functools.cache(_day_before)

    def walls(self, instants: Sequence[int]) -> list[int]:
        """What the wall clock shows at each instant."""
        offset_on = self._offset_on
        return [
            instant + (self._offset(instant) if (offset := offset_on(instant // DAY)) is None else offset)
            for instant in instants
        ]

    def wall(self, instant: int) -> int:
        """What the wall clock shows at one instant."""
        return self.walls([instant])[0]

    def lowest_wall(self, instant: int, ahead: int) -> int:
        """The earliest that the wall clock shows from an instant on, which is later than that instant where it is turned back within ``ahead`` seconds."""
        before, low, high = self._offset(instant), instant, instant + ahead
        if self._offset(high) >= before:
            return self.wall(instant)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == before else (low, middle)
        return min(self.wall(instant), self.wall(high))

    def instant(self, wall: int) -> int:
        """The instant at which the wall clock shows ``wall``: the earlier one of two, and for a time that the clock
        skips the one by the offset after the gap. Both err towards the past, which for a window is the keeping side.
        """
        offset = self._steady_offset(wall // DAY)
        if offset is not None:
            return wall - offset
        moment = _time.to_datetime(wall).replace(tzinfo=self._info)
        return wall - max(_seconds(moment.replace(fold=fold).utcoffset()) for fold in (0, 1))

    def before(self, instant: int, duration: Duration) -> int:
        """``duration`` before ``instant``: years to days by the calendar of this zone, hours and minutes exactly."""
        exact = duration.exact_seconds
        if _is_exact(duration):
            return instant - exact
        wall = self.wall(instant)
        return self.instant(self._day_before(duration, wall // DAY) * DAY + wall % DAY) - exact

    def expiry(self, instant: int, duration: Duration, since: int) -> int:
        """:meth:`expiries` of one instant."""
        return self.expiries([instant], duration, since)[0]

    def expiries(self, instants: Sequence[int], duration: Duration, since: int) -> list[int]:
        """Of each instant the last second at which it is not older than ``duration``, by :meth:`before`; to the second.

        ``since`` is where to begin: with the second before it, where the instant is too old then. It matters because an instant can become
        too old, and young again for some hours, at the end of a month and where the clock is turned back. The first time counts.
        """
        exact = duration.exact_seconds
        if _is_exact(duration):
            return [max(instant + exact, since - 1) for instant in instants]
        edge = self.before(since, duration)
        expiries = []
        for instant, wall in zip(instants, self.walls([instant + exact for instant in instants])):
            reached, until_its_time_of_day = self._end_of(duration, wall // DAY)
            end = reached + wall % DAY if until_its_time_of_day else reached
            if instant < edge:
                end = since - 1
            elif end < since or (until_its_time_of_day and wall % DAY == DAY - 1):
                end = self._search_expiry(instant, duration, since)
            expiries.append(end)
        return expiries

    def _search_expiry(self, instant: int, duration: Duration, since: int) -> int:
        """The expiry of an instant that is not too old at ``since``, near a change of the offset or the end of a month."""
        # A clock that is turned by 24 hours, at either end, moves it by two days.
        reached = _day(duration.calendar_after, self.wall(instant + duration.exact_seconds) // DAY)
        for day in range(max(since // DAY, reached - 3), _time.LATEST // DAY):
            for start, end, distance in self._pieces_of(duration, day):
                first_too_old = max(start, since, instant + distance + 1)
                if first_too_old < end:
                    return first_too_old - 1
        return _time.LATEST

    def _find_end(self, duration: Duration, day: int) -> tuple[int, bool]:
        """The end of ``duration`` from the midnight of a wall day on, and whether it moves with the time of day; or _UNSTEADY."""
        reached = _day(duration.calendar_after, day)
        offset = self._steady_offset(reached)
        if offset is None or self._steady_offset(day) is None:
            return _UNSTEADY
        if _day(duration.calendar_before, reached) == day:
            return reached * DAY - offset, True
        return reached * DAY - 1 - offset, False

    def _find_pieces(self, duration: Duration, day: int) -> list[tuple[int, int, int]]:
        """A day of UTC as a list of (first second, first second after it, what :meth:`before` takes off in between)."""
        pieces: list[tuple[int, int, int]] = []
        for start, end, distance in self._split(duration, day * DAY, day * DAY + DAY - 1):
            joined = pieces and pieces[-1][2] == distance
            pieces.append((pieces.pop()[0] if joined else start, end, distance))
        return pieces

    def _split(self, duration: Duration, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        # The offsets of both ends of the duration change once a day at most: two seconds with the same figures have nothing between them.
        at_first, at_last = (
            (self.wall(second) // DAY, self._offset(second), second - self.before(second, duration))
            for second in (first, last)
        )
        if at_first == at_last:
            yield first, last + 1, at_first[2]
        else:
            middle = (first + last) // 2
            yield from self._split(duration, first, middle)
            yield from self._split(duration, middle + 1, last)

    def _offset(self, instant: int) -> int:
        """The offset in seconds. Two days inside the range of datetime, so that no offset can lead out of it."""
        inside = min(max(instant, _time.EARLIEST + 2 * DAY), _time.LATEST - 2 * DAY)
        return _seconds(datetime.datetime.fromtimestamp(inside, self._info).utcoffset())

    def _find_offset(self, day: int) -> int | None:
        """The offset of a day of UTC; None on a day in which it changes.

        Two changes in one day that undo each other would be missed; the zone database has none.
        """
        first, last = self._offset(day * DAY), self._offset(day * DAY + DAY - 1)
        return first if first == last else None

    def _steady_offset(self, day: int) -> int | None:
        """The offset of a day of the wall clock, where it is one and the same for a day on either side; else None."""
        around = {self._offset_on(day - 1), self._offset_on(day), self._offset_on(day + 1)}
        return around.pop() if len(around) == 1 else None


def _day_before(duration: Duration, day: int) -> int:
    return _day(duration.calendar_before, day)


def _is_exact(duration: Duration) -> bool:
    return not (duration.years or duration.months or duration.weeks or duration.days)


def _day(move: Callable[[datetime.datetime], datetime.datetime], day: int) -> int:
    """The day that a day, numbered from 1970-01-01 on, is moved to."""
    return _time.from_datetime(move(_time.to_datetime(day * DAY))) // DAY


def _seconds(offset: datetime.timedelta | None) -> int:
    if offset is None:
        raise TypeError("a time without a zone")
    return offset.days * DAY + offset.seconds
