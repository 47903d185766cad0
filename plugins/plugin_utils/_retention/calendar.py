# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hours, days, weeks, months, quarters and years of a zone: numbered, named and bounded.

A bucket's key is an integer that grows by one from a bucket to the next, so keys can be compared and counted.
A new kind of bucket is one more row of :data:`BUCKETS`; the policy's keys and the rules follow from the table.
"""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time

from .zone import DAY, Zone

HOUR = 3600
#: More than any zone turns its clock back by, but for those that have crossed the date line.
_TURNING_BACK = 2 * HOUR
_ORDINAL_OF_DAY_0 = datetime.date(1970, 1, 1).toordinal()


class Bucket(NamedTuple):
    """One row of the table; ticks are wall hours or wall days since 1970, as ``unit`` says in seconds."""

    rule: str  # the policy's key for it
    unit: int
    key: Callable[[int], int]  # tick -> key
    first: Callable[[int], int]  # key -> its first tick
    label: Callable[[int], str]  # key -> its name for people
    finer: dict[str, int]  # finer buckets that nest in it -> the most of them that it can hold


class Span(NamedTuple):
    """A bucket as people see it: its name, its first instant, and the first instant after it."""

    label: str | None
    start: int  # epoch seconds
    from_text: str | None  # the same as text
    to_text: str | None


#: In place of a bucket where there is none.
NO_SPAN = Span(None, 0, None, None)


def _date(day: int) -> datetime.date:
    return datetime.date.fromordinal(min(max(day + _ORDINAL_OF_DAY_0, 1), datetime.date.max.toordinal()))


def _day(year: int, month: int) -> int:
    if year > datetime.MAXYEAR:
        return datetime.date.max.toordinal() + 1 - _ORDINAL_OF_DAY_0
    return datetime.date(max(year, 1), month, 1).toordinal() - _ORDINAL_OF_DAY_0


def _month(day: int) -> int:
    date = _date(day)
    return date.year * 12 + date.month - 1


def _hour_label(hour: int) -> str:
    return "%sT%02d" % (_date(hour // 24).isoformat(), hour % 24)


def _week_label(week: int) -> str:
    return "%04d-W%02d" % _date(week * 7 - 3).isocalendar()[:2]


BUCKETS = (
    Bucket("hourly", HOUR, lambda hour: hour, lambda key: key, _hour_label, {}),
    Bucket("daily", DAY, lambda day: day, lambda key: key, lambda key: _date(key).isoformat(), {"hourly": 25}),
    # Day 0 was a Thursday: three days on, Mondays are whole sevens.
    Bucket(
        "weekly", DAY, lambda day: (day + 3) // 7, lambda key: key * 7 - 3, _week_label, {"hourly": 169, "daily": 7}
    ),
    Bucket(
        "monthly",
        DAY,
        _month,
        lambda key: _day(key // 12, key % 12 + 1),
        lambda key: "%04d-%02d" % (key // 12, key % 12 + 1),
        {"hourly": 745, "daily": 31},
    ),
    Bucket(
        "quarterly",
        DAY,
        lambda day: _month(day) // 3,
        lambda key: _day(key // 4, key % 4 * 3 + 1),
        lambda key: "%04d-Q%d" % (key // 4, key % 4 + 1),
        {"hourly": 2209, "daily": 92, "monthly": 3},
    ),
    Bucket(
        "yearly",
        DAY,
        lambda day: _date(day).year,
        lambda key: _day(key, 1),
        lambda key: "%04d" % key,
        {"hourly": 8785, "daily": 366, "monthly": 12, "quarterly": 4},
    ),
)


#: The days that a week may begin on, and how many days on from day 0 these are whole sevens.
WEEK_STARTS = {"monday": 3, "sunday": 4, "saturday": 5}


def _weekly(week_start: str) -> Bucket:
    """Weeks from another day on, which have no numbers; each is called by its first day."""
    shift = WEEK_STARTS[week_start]
    bucket = next(bucket for bucket in BUCKETS if bucket.rule == "weekly")
    if week_start == "monday":
        return bucket
    return bucket._replace(
        key=lambda day: (day + shift) // 7,
        first=lambda key: key * 7 - shift,
        label=lambda key: _date(key * 7 - shift).isoformat(),
    )


@functools.lru_cache(maxsize=16)
def calendar(zone: Zone, day_start: int, week_start: str = "monday") -> Calendar:
    """A calendar with what earlier plans have worked out about it."""
    return Calendar(zone, day_start, week_start)


class Calendar:
    """The buckets of one zone, with days that begin ``day_start`` seconds after midnight; remembers what it worked out."""

    def __init__(self, zone: Zone, day_start: int = 0, week_start: str = "monday"):
        self.zone = zone
        self._buckets = [_weekly(week_start) if bucket.rule == "weekly" else bucket for bucket in BUCKETS]
        self._day_start = day_start
        self._grain = math.gcd(HOUR, day_start)  # seconds; every bucket is a number of these
        self._keys_in_grain = functools.cache(self._find_keys)
        self._spans = functools.cache(self._find_span)
        self._open: dict[str, tuple[int, int]] = {}  # rule -> the last now and its answer

    def day(self, instant: int) -> int:
        """The wall day of an instant, in days since 1970."""
        return (self.zone.wall(instant) - self._day_start) // DAY

    def keys(self, instants: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """The buckets of instants, at least one: a column for each rule."""
        columns = zip(*[self._keys_in_grain(wall // self._grain) for wall in self.zone.walls(instants)])
        return {bucket.rule: column for bucket, column in zip(self._buckets, columns)}

    def key(self, bucket: Bucket, instant: int) -> int:
        """The bucket of one instant."""
        return self.keys([instant])[bucket.rule][0]

    def _keys_of(self, wall: int) -> dict[str, int]:
        return dict(zip((bucket.rule for bucket in self._buckets), self._keys_in_grain(wall // self._grain)))

    def open_from(self, bucket: Bucket, now: int) -> int:
        """The first bucket that an instant from ``now`` on can fall into, also where the clock is turned back."""
        known = self._open.get(bucket.rule)
        if known is None or known[0] != now:
            known = self._open[bucket.rule] = (
                now,
                self._keys_of(self.zone.lowest_wall(now, _TURNING_BACK))[bucket.rule],
            )
        return known[1]

    def span(self, rule: str, key: int) -> Span:
        """The name and the bounds of a bucket."""
        return self._spans(rule, key)

    def _find_span(self, rule: str, key: int) -> Span:
        bucket = next(bucket for bucket in self._buckets if bucket.rule == rule)
        start, end = (
            self.zone.instant(bucket.first(each) * bucket.unit + self._shift(bucket.unit)) for each in (key, key + 1)
        )
        return Span(bucket.label(key), start, _time.format_instant(start), _time.format_instant(end))

    def _find_keys(self, number: int) -> list[int]:
        wall = number * self._grain
        return [bucket.key((wall - self._shift(bucket.unit)) // bucket.unit) for bucket in self._buckets]

    def _shift(self, unit: int) -> int:
        return self._day_start if unit == DAY else 0
