# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IANA time zone over integer instants: wall-clock seconds, and calendar arithmetic.

Instants are whole epoch seconds. Wall times are "epoch seconds as if the wall clock were UTC". ``zoneinfo`` is asked
once per day and zone, not once per backup; and two ``datetime`` of one zone are never compared, because Python
compares their wall times and so misorders the hour that is lived twice.
"""

from __future__ import annotations

import datetime
import functools
import operator
import zoneinfo

from ansible_collections.prlsdk.core.plugins.module_utils import _time

from .memo import Memo

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
        self._offsets = Memo(self._offset_on)
        self._steady = Memo(self._steady_offset_on)
        self._moved = Memo(self._day_mover)
        self._ends = Memo(self._ends_of)
        self._pieces = Memo(self._pieces_of)

    def walls(self, instants: list[int]) -> list[int]:
        """What the wall clock shows at each instant."""
        offsets = list(map(self._offsets.__getitem__, [instant // DAY for instant in instants]))
        try:
            return list(map(operator.add, instants, offsets))
        except TypeError:  # a None: on one of the days the offset changes
            return [
                instant + (_offset_at(self._info, instant) if offset is None else offset)
                for instant, offset in zip(instants, offsets)
            ]

    def wall(self, instant: int) -> int:
        """What the wall clock shows at one instant."""
        return self.walls([instant])[0]

    def instant(self, wall: int) -> int:
        """The instant at which the wall clock shows ``wall``: the earlier one of two, and for a time that the clock
        skips the one by the offset after the gap. Both err towards the past, which for a window is the keeping side.
        """
        offset = self._steady[wall // DAY]
        if offset is not None:
            return wall - offset
        moment = _time.to_datetime(wall).replace(tzinfo=self._info)
        return wall - max(_seconds(moment.replace(fold=fold).utcoffset()) for fold in (0, 1))

    def before(self, instant: int, duration) -> int:
        """``duration`` before ``instant``: years to days by the calendar of this zone, hours and minutes exactly."""
        exact = duration.exact_seconds
        if _is_exact(duration):
            return instant - exact
        wall = self.wall(instant)
        return self.instant(self._moved[duration, "calendar_before"][wall // DAY] * DAY + wall % DAY) - exact

    def expiry(self, instant: int, duration, since: int) -> int:
        """:meth:`expiries` of one instant."""
        return self.expiries([instant], duration, since)[0]

    def expiries(self, instants: list[int], duration, since: int) -> list[int]:
        """Of each instant the last second at which it is not older than ``duration``, by :meth:`before`; to the second.

        ``since`` is where to begin: with the second before it, where the instant is too old then. It matters because an instant can become
        too old, and young again for some hours, at the end of a month and where the clock is turned back. The first time counts.
        """
        exact = duration.exact_seconds
        if _is_exact(duration):
            return [max(instant + exact, since - 1) for instant in instants]
        edge, ends = self.before(since, duration), self._ends[duration]
        expiries = []
        for instant, wall in zip(
            instants, self.walls([instant + exact for instant in instants] if exact else instants)
        ):
            end, until_its_time_of_day = ends[wall // DAY]
            if until_its_time_of_day:
                end += wall % DAY
            if instant < edge:
                end = since - 1
            elif end < since or (until_its_time_of_day and wall % DAY == DAY - 1):
                end = self._search_expiry(instant, duration, since)
            expiries.append(end)
        return expiries

    def _search_expiry(self, instant, duration, since):
        """The expiry of an instant that is not too old at ``since``, near a change of the offset or the end of a month."""
        # A clock that is turned by 24 hours, at either end, moves it by two days.
        day = max(
            since // DAY,
            self._moved[duration, "calendar_after"][self.wall(instant + duration.exact_seconds) // DAY] - 3,
        )
        while day * DAY < _time.LATEST:
            for start, end, distance in self._pieces[duration, day]:
                first_too_old = max(start, since, instant + distance + 1)
                if first_too_old < end:
                    return first_too_old - 1
            day += 1
        return _time.LATEST

    def _ends_of(self, duration):
        """Wall day -> (the end of ``duration`` from its midnight on, True), (the same for all of the day, False), or _UNSTEADY."""
        before, after, steady = (
            self._moved[duration, "calendar_before"],
            self._moved[duration, "calendar_after"],
            self._steady,
        )

        def end(day):
            reached = after[day]
            offset = steady[reached]
            if offset is None or steady[day] is None:
                return _UNSTEADY
            if before[reached] == day:
                return reached * DAY - offset, True
            return reached * DAY - 1 - offset, False

        return Memo(end)

    def _pieces_of(self, duration_and_day):
        """A day of UTC as a list of (first second, first second after it, what :meth:`before` takes off in between)."""
        duration, day = duration_and_day
        pieces: list[tuple[int, int, int]] = []
        for start, end, distance in self._split(duration, day * DAY, day * DAY + DAY - 1):
            joined = pieces and pieces[-1][2] == distance
            pieces.append((pieces.pop()[0] if joined else start, end, distance))
        return pieces

    def _split(self, duration, first, last):
        # The offsets of both ends of the duration change once a day at most: two seconds with the same figures have nothing between them.
        (day, offset, distance), at_last = (
            (self.wall(each) // DAY, self.wall(each) - each, each - self.before(each, duration))
            for each in (first, last)
        )
        if at_last == (day, offset, distance):
            yield first, last + 1, distance
        else:
            middle = (first + last) // 2
            yield from self._split(duration, first, middle)
            yield from self._split(duration, middle + 1, last)

    def _day_mover(self, duration_and_way):
        duration, how = duration_and_way
        move = getattr(duration, how)
        return Memo(lambda day: _time.from_datetime(move(_time.to_datetime(day * DAY))) // DAY)

    def _offset_on(self, day):
        """The offset of a day of UTC in seconds; None on a day in which it changes.

        Two changes in one day that undo each other would be missed; the zone database has none.
        """
        first, last = (_offset_at(self._info, second) for second in (day * DAY, day * DAY + DAY - 1))
        return first if first == last else None

    def _steady_offset_on(self, day):
        """The offset of a day of the wall clock, where it is one and the same for a day on either side; else None."""
        around = {self._offsets[day - 1], self._offsets[day], self._offsets[day + 1]}
        return around.pop() if len(around) == 1 else None


def _is_exact(duration):
    return duration[:4] == (0, 0, 0, 0)


def _offset_at(info, instant):
    # Two days inside the range of datetime, so that no offset can lead out of it.
    inside = min(max(instant, _time.EARLIEST + 2 * DAY), _time.LATEST - 2 * DAY)
    return _seconds(_time.to_datetime(inside).replace(tzinfo=datetime.UTC).astimezone(info).utcoffset())


def _seconds(offset):
    return offset.days * DAY + offset.seconds
