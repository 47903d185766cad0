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

from ansible_collections.prlsdk.core.plugins.module_utils import _instants

from .memo import Memo

DAY = 86400

#: Names that the zone database may have, but that mean "whatever this machine is set to".
_MACHINE_ZONES = ("localtime", "posixrules", "Factory")


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

    def walls(self, instants: list[int]) -> list[int]:
        """What the wall clock shows at each instant."""
        offsets = list(map(self._offsets.__getitem__, [instant // DAY for instant in instants]))
        try:
            return list(map(operator.add, instants, offsets))
        except TypeError:  # a None: on one of the days the offset changes
            return [instant + (_offset_at(self._info, instant) if offset is None else offset) for instant, offset in zip(instants, offsets)]

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
        moment = _instants.to_datetime(wall).replace(tzinfo=self._info)
        return wall - max(_seconds(moment.replace(fold=fold).utcoffset()) for fold in (0, 1))

    def before(self, instant: int, duration) -> int:
        """``duration`` before ``instant``: years to days by the calendar of this zone, hours and minutes exactly."""
        return self._move([instant], duration, "calendar_before")[0] - duration.exact_seconds

    def after(self, instant: int, duration) -> int:
        """``duration`` after ``instant``, the other way round; never later than the true end of a window that began at ``instant``."""
        return self.all_after([instant], duration)[0]

    def all_after(self, instants: list[int], duration) -> list[int]:
        """:meth:`after` of each instant."""
        exact = duration.exact_seconds
        return self._move([instant + exact for instant in instants] if exact else instants, duration, "calendar_after")

    def _move(self, instants, duration, how):
        if duration[:4] == (0, 0, 0, 0):
            return instants
        moved, steady = self._moved[duration, how], self._steady
        ends = []
        for wall in self.walls(instants):
            day = moved[wall // DAY]
            offset = steady[day]
            end = day * DAY + wall % DAY
            ends.append(self.instant(end) if offset is None else end - offset)
        return ends

    def _day_mover(self, duration_and_way):
        duration, how = duration_and_way
        move = getattr(duration, how)
        return Memo(lambda day: _instants.from_datetime(move(_instants.to_datetime(day * DAY))) // DAY)

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


def _offset_at(info, instant):
    # Two days inside the range of datetime, so that no offset can lead out of it.
    inside = min(max(instant, _instants.EARLIEST + 2 * DAY), _instants.LATEST - 2 * DAY)
    return _seconds(_instants.to_datetime(inside).replace(tzinfo=datetime.timezone.utc).astimezone(info).utcoffset())


def _seconds(offset):
    return offset.days * DAY + offset.seconds
