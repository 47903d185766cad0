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
import zoneinfo

from ansible_collections.prlsdk.core.plugins.module_utils import _instants

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
        self._offsets = _OffsetsByDay(self._info)
        self._steady = _SteadyWallDays(self._offsets)
        self._moved: dict[tuple, int] = {}

    def walls(self, instants: list[int]) -> list[int]:
        """What the wall clock shows at each instant."""
        offsets, info = self._offsets, self._info
        return [
            instant + (_offset_at(info, instant) if offset is None else offset)
            for instant, offset in zip(instants, map(offsets.__getitem__, [instant // DAY for instant in instants]))
        ]

    def wall(self, instant: int) -> int:
        """What the wall clock shows at one instant."""
        offset = self._offsets[instant // DAY]
        return instant + (_offset_at(self._info, instant) if offset is None else offset)

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
        return self._move(instant, duration, "calendar_before") - duration.exact_seconds

    def after(self, instant: int, duration) -> int:
        """``duration`` after ``instant``, the other way round; never later than the true end of a window that began at ``instant``."""
        return self._move(instant + duration.exact_seconds, duration, "calendar_after")

    def _move(self, instant, duration, how):
        if duration[:4] == (0, 0, 0, 0):
            return instant
        day, second = divmod(self.wall(instant), DAY)
        moved = self._moved.get((duration, how, day))
        if moved is None:
            moment = getattr(duration, how)(_instants.to_datetime(day * DAY))
            moved = self._moved[duration, how, day] = _instants.from_datetime(moment) // DAY
        return self.instant(moved * DAY + second)


class _OffsetsByDay(dict):
    """UTC day number -> the zone's offset in seconds, or None on a day in which the offset changes.

    Two changes in one day that undo each other would be missed; the zone database has none.
    """

    def __init__(self, info):
        super().__init__()
        self._info = info

    def __missing__(self, day):
        first, last = (_offset_at(self._info, second) for second in (day * DAY, day * DAY + DAY - 1))
        self[day] = offset = first if first == last else None
        return offset


class _SteadyWallDays(dict):
    """Wall day number -> the offset, where it is one and the same for a day on either side; else None."""

    def __init__(self, offsets):
        super().__init__()
        self._offsets = offsets

    def __missing__(self, day):
        around = {self._offsets[day - 1], self._offsets[day], self._offsets[day + 1]}
        self[day] = offset = around.pop() if len(around) == 1 else None
        return offset


def _offset_at(info, instant):
    # Two days inside the range of datetime, so that no offset can lead out of it.
    inside = min(max(instant, _instants.EARLIEST + 2 * DAY), _instants.LATEST - 2 * DAY)
    return _seconds(_instants.to_datetime(inside).replace(tzinfo=datetime.timezone.utc).astimezone(info).utcoffset())


def _seconds(offset):
    return offset.days * DAY + offset.seconds
