# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants (epoch seconds and their texts) and durations as people write them: ``1y2mo3w4d5h6min``. No clock, no zone but UTC."""

import calendar
import datetime
import re
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

#: How a duration is written, for messages and documentation.
DURATION_FORM = "units y, mo, w, d, h, min, each at most once and the largest first, such as 7d, 1y6mo or 36h"

_UNITS = (("years", "y"), ("months", "mo"), ("weeks", "w"), ("days", "d"), ("hours", "h"), ("minutes", "min"))
_GRAMMAR = re.compile("".join("(?:(?P<%s>[0-9]{1,9})%s)?" % unit for unit in _UNITS) + r"\Z")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]*[.]?[0-9]+\Z")
_BARE_M = re.compile("[0-9]m(?![a-z])")


class Duration(NamedTuple):
    """A length of calendar time: six non-negative integers, ``years`` to ``minutes``.

    The units are not normalised against each other (``24h`` is not ``1d``): years to days follow the civil
    calendar, hours and minutes are exact.
    """

    years: int
    months: int
    weeks: int
    days: int
    hours: int
    minutes: int

    def __str__(self) -> str:
        return "".join("%d%s" % (amount, suffix) for amount, (name, suffix) in zip(self, _UNITS) if amount) or "0h"

    def __bool__(self) -> bool:
        return any(self)

    @property
    def exact_seconds(self) -> int:
        """What the hours and minutes alone come to, in seconds."""
        return self.hours * 3600 + self.minutes * 60

    def before(self, moment: datetime.datetime) -> datetime.datetime:
        """The naive ``datetime`` that lies this duration before the naive ``moment``.

        Years and months go first, and a day that the month reached does not have becomes its last day; weeks and
        days follow, then hours and minutes. What would lie before the year 1 is ``datetime.datetime.min``.
        """
        return _shifted(self.calendar_before(moment), 0, -self.exact_seconds)

    def calendar_before(self, moment: datetime.datetime) -> datetime.datetime:
        """As :meth:`before`, with years to days only: hours and minutes are for the caller to take off the instant."""
        return _shifted(_months_later(moment, -12 * self.years - self.months), -7 * self.weeks - self.days, 0)

    def calendar_after(self, moment: datetime.datetime) -> datetime.datetime:
        """The inverse of :meth:`calendar_before`, for days: the first from which that leads to the day of the naive ``moment`` or a later one.

        So days and weeks go first here, then months and years; where the month reached does not have the day, the first of the next month
        follows. The time of day is that of ``moment``; ``datetime.datetime.max`` beyond the year 9999.
        """
        start = _shifted(moment, 7 * self.weeks + self.days, 0)
        reached = _months_later(start, 12 * self.years + self.months)
        return _shifted(reached, 1, 0) if reached.day < start.day else reached


def parse_duration(text: Any) -> Duration:
    """Read a duration.

    :arg text: a string such as ``1y2mo3w4d5h6min``; at least one unit.
    :returns: a :class:`Duration`.
    :raises InputError: for anything else; the message names the value and the form, the caller adds the option's name.
    """
    if isinstance(text, Duration):
        return text
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise InputError("%r is not a duration; write %s" % (text, DURATION_FORM))
    written = str(text)
    if _PLAIN_NUMBER.match(written):
        raise InputError(
            "%r is ambiguous as a duration: say of what, for example %sd or %sh" % (text, written, written)
        )
    if _BARE_M.search(written):
        raise InputError("%r is ambiguous as a duration: m may be months or minutes, write mo or min" % (written,))
    match = _GRAMMAR.match(written)
    if not written or match is None:
        raise InputError("%r is not a duration; write %s" % (written, DURATION_FORM))
    return Duration(*(int(match.group(name) or 0) for name, suffix in _UNITS))


def _months_later(moment: datetime.datetime, months: int) -> datetime.datetime:
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


def _shifted(moment: datetime.datetime, days: int, seconds: int) -> datetime.datetime:
    """``moment`` moved by days and seconds, held within what ``datetime`` can say."""
    try:
        return moment + datetime.timedelta(days=days, seconds=seconds)
    except OverflowError:
        return datetime.datetime.min if days < 0 or seconds < 0 else datetime.datetime.max


_ISO_FORM = "ISO 8601 with Z or an offset, such as 2026-09-13T03:00:02Z or 2026-09-13T05:00:02+02:00"
#: How an instant is written, for messages and documentation.
INSTANT_FORM = _ISO_FORM + ", or seconds since 1970"

EPOCH = datetime.datetime(1970, 1, 1)
#: The first and the last instant that a date of the years 1 to 9999 can name.
EARLIEST, LATEST = -62135596800, 253402300799

_ISO = re.compile(
    "([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?)?"
    r" ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?\Z"
)
_EPOCH_SECONDS = re.compile(r"-?[0-9]+([.][0-9]*)?\Z")


def parse_instant(value: Any) -> int:
    """Read an instant.

    :arg value: ISO 8601 text with ``Z`` or an offset; epoch seconds as a number or as text; or a ``datetime`` that
        has a zone (YAML makes one of an unquoted time stamp). Fractions of a second are cut off.
    :returns: whole seconds since 1970-01-01T00:00:00Z.
    :raises InputError: for anything else; the message names the value and the form, the caller adds the option's name.
    """
    if isinstance(value, datetime.datetime):
        return _of_datetime(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InputError("%r is not an instant; write %s" % (value, INSTANT_FORM))
    written = str(value)
    if not isinstance(value, float) and not _EPOCH_SECONDS.match(written):
        return _of_iso(written, INSTANT_FORM)
    try:
        seconds = int(float(written) // 1) if "." in written or isinstance(value, float) else int(written)
    except (OverflowError, ValueError):  # infinity and not-a-number
        raise InputError("%r is not an instant; write %s" % (value, INSTANT_FORM)) from None
    return _in_range(seconds, value)


def parse_moment(written: str, now: float) -> int:
    """Read an option of a task that is an instant or a duration before ``now``.

    :arg written: ISO 8601 text with ``Z`` or an offset, or a duration such as ``36h``. Unlike :func:`parse_instant` it takes no epoch seconds: a
        bare number is more likely a duration without its unit.
    :arg now: epoch seconds.
    :returns: whole seconds since 1970-01-01T00:00:00Z.
    :raises InputError: for anything else; the message names the value and what to write, the caller adds the option's name.
    """
    if "-" in written[1:]:  # as in every date and in no duration
        return _of_iso(written, _ISO_FORM)
    try:
        return before(int(now), parse_duration(written))
    except InputError as error:
        raise InputError("%s. Or write an instant as %s" % (error.message, _ISO_FORM)) from None


def format_instant(epoch: float) -> str:
    """Epoch seconds as ``YYYY-MM-DDTHH:MM:SSZ``, the one spelling that the collection writes. Fractions of a second are cut off."""
    if EARLIEST <= epoch <= LATEST:
        return (EPOCH + datetime.timedelta(0, epoch)).isoformat("T", "seconds") + "Z"
    return to_datetime(epoch).isoformat("T", "seconds") + "Z"


def before(epoch: float, duration: Duration) -> int:
    """The instant that lies ``duration`` (a ``Duration``) before ``epoch``, by the calendar of UTC."""
    return from_datetime(duration.before(to_datetime(epoch)))


def to_datetime(epoch: float) -> datetime.datetime:
    """Epoch seconds as a naive ``datetime`` in UTC, held within the years 1 to 9999."""
    return EPOCH + datetime.timedelta(seconds=min(max(epoch, EARLIEST), LATEST))


def from_datetime(moment: datetime.datetime) -> int:
    """A naive ``datetime`` in UTC as epoch seconds, fractions cut off."""
    since = moment - EPOCH
    return since.days * 86400 + since.seconds


def _of_iso(written: str, form: str) -> int:
    match = _ISO.match(written)
    if match is None:
        raise InputError("%r is not an instant; write %s" % (written, form))
    year, month, day, hour, minute, second, zone = match.groups()
    if zone is None:
        raise InputError("%r is ambiguous without a zone: add Z for UTC or an offset such as +02:00" % (written,))
    if hour is None:
        raise InputError("%r is a day, not an instant; write %s" % (written, form))
    try:
        moment = datetime.datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
    except ValueError as error:
        raise InputError("%r is not an instant: %s" % (written, error)) from None
    return _in_range(from_datetime(moment) - _offset(zone, written), written)


def _offset(zone: str, written: str) -> int:
    """An ISO 8601 offset in seconds east of UTC."""
    if zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    if hours > 23 or minutes > 59:
        raise InputError("%r is not an instant: the offset %s is out of range" % (written, zone))
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _of_datetime(moment: datetime.datetime) -> int:
    offset = moment.utcoffset()
    if offset is None:
        raise InputError(
            "%s is ambiguous without a zone: add Z for UTC or an offset such as +02:00" % (moment.isoformat(),)
        )
    return from_datetime(moment.replace(tzinfo=None)) - int(offset.total_seconds() // 1)


def _in_range(seconds: int, value: Any) -> int:
    if EARLIEST <= seconds <= LATEST:
        return seconds
    raise InputError("%r is not an instant of the years 1 to 9999" % (value,))
