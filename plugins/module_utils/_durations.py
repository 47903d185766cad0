# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as people write them: ``1y2mo3w4d5h6min``. No clock, no zone; see ``_instants.py`` for points in time."""

import calendar
import collections
import datetime
import re

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

#: How a duration is written, for messages and documentation.
FORM = "units y, mo, w, d, h, min, each at most once and the largest first, such as 7d, 1y6mo or 36h"

_UNITS = (("years", "y"), ("months", "mo"), ("weeks", "w"), ("days", "d"), ("hours", "h"), ("minutes", "min"))
_GRAMMAR = re.compile("".join("(?:(?P<%s>[0-9]{1,9})%s)?" % unit for unit in _UNITS) + r"\Z")
_NUMBER = re.compile(r"[+-]?[0-9]*[.]?[0-9]+\Z")
_BARE_M = re.compile("[0-9]m(?![a-z])")


class Duration(collections.namedtuple("Duration", [name for name, suffix in _UNITS])):
    """A length of calendar time: six non-negative integers, ``years`` to ``minutes``.

    The units are not normalised against each other (``24h`` is not ``1d``): years to days follow the civil
    calendar, hours and minutes are exact.
    """

    __slots__ = ()

    def __str__(self):
        return "".join("%d%s" % (amount, suffix) for amount, (name, suffix) in zip(self, _UNITS) if amount) or "0h"

    def __bool__(self):
        return any(self)

    __nonzero__ = __bool__

    @property
    def exact_seconds(self):
        """What the hours and minutes alone come to, in seconds."""
        return self.hours * 3600 + self.minutes * 60

    def before(self, moment):
        """The naive ``datetime`` that lies this duration before the naive ``moment``.

        Years and months go first, and a day that the month reached does not have becomes its last day; weeks and
        days follow, then hours and minutes. What would lie before the year 1 is ``datetime.datetime.min``.
        """
        return _shifted(self.calendar_before(moment), 0, -self.exact_seconds)

    def calendar_before(self, moment):
        """As :meth:`before`, with years to days only: hours and minutes are for the caller to take off the instant."""
        return _shifted(_months_later(moment, -12 * self.years - self.months), -7 * self.weeks - self.days, 0)

    def calendar_after(self, moment):
        """The inverse of :meth:`calendar_before`, for days: the first from which that leads to the day of the naive ``moment`` or a later one.

        So days and weeks go first here, then months and years; where the month reached does not have the day, the first of the next month
        follows. The time of day is that of ``moment``; ``datetime.datetime.max`` beyond the year 9999.
        """
        start = _shifted(moment, 7 * self.weeks + self.days, 0)
        reached = _months_later(start, 12 * self.years + self.months)
        return _shifted(reached, 1, 0) if reached.day < start.day else reached


def parse(text):
    """Read a duration.

    :arg text: a string such as ``1y2mo3w4d5h6min``; at least one unit.
    :returns: a :class:`Duration`.
    :raises InputError: for anything else; the message names the value and the form, the caller adds the option's name.
    """
    if isinstance(text, Duration):
        return text
    if isinstance(text, bool) or not isinstance(text, (str, str, int, float)):
        raise InputError("%r is not a duration; write %s" % (text, FORM))
    written = str(text)
    if _NUMBER.match(written):
        raise InputError(
            "%r is ambiguous as a duration: say of what, for example %sd or %sh" % (text, written, written)
        )
    if _BARE_M.search(written):
        raise InputError("%r is ambiguous as a duration: m may be months or minutes, write mo or min" % (written,))
    match = _GRAMMAR.match(written)
    if not written or match is None:
        raise InputError("%r is not a duration; write %s" % (written, FORM))
    return Duration(*(int(match.group(name) or 0) for name, suffix in _UNITS))


def _months_later(moment, months):
    """``moment`` moved by a number of months of either sign, the day clamped to the month reached."""
    if not months:
        return moment
    month = moment.year * 12 + moment.month - 1 + months
    year, month = month // 12, month % 12 + 1
    if year < datetime.MINYEAR:
        return datetime.datetime.min
    if year > datetime.MAXYEAR:
        return datetime.datetime.max
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def _shifted(moment, days, seconds):
    """``moment`` moved by days and seconds, held within what ``datetime`` can say."""
    try:
        return moment + datetime.timedelta(days=days, seconds=seconds)
    except OverflowError:
        return datetime.datetime.min if days < 0 or seconds < 0 else datetime.datetime.max
