# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time as integers: whole seconds since 1970-01-01T00:00:00Z. No clock is read, no local zone is used."""

import datetime
import re

from ansible_collections.prlsdk.core.plugins.module_utils import _durations
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

_ISO_FORM = "ISO 8601 with Z or an offset, such as 2026-09-13T03:00:02Z or 2026-09-13T05:00:02+02:00"
#: How an instant is written, for messages and documentation.
FORM = _ISO_FORM + ", or seconds since 1970"

EPOCH = datetime.datetime(1970, 1, 1)
#: The first and the last instant that a date of the years 1 to 9999 can name.
EARLIEST, LATEST = -62135596800, 253402300799

_ISO = re.compile(
    "([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?)?"
    r" ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?\Z"
)
_NUMBER = re.compile(r"-?[0-9]+([.][0-9]*)?\Z")


def parse(value):
    """Read an instant.

    :arg value: ISO 8601 text with ``Z`` or an offset; epoch seconds as a number or as text; or a ``datetime`` that
        has a zone (YAML makes one of an unquoted time stamp). Fractions of a second are cut off.
    :returns: whole seconds since 1970-01-01T00:00:00Z.
    :raises InputError: for anything else; the message names the value and the form, the caller adds the option's name.
    """
    if isinstance(value, datetime.datetime):
        return _of_datetime(value)
    if isinstance(value, bool) or not isinstance(value, (str, str, int, float)):
        raise InputError("%r is not an instant; write %s" % (value, FORM))
    written = str(value)
    if not isinstance(value, float) and not _NUMBER.match(written):
        return _of_iso(written, FORM)
    try:
        seconds = int(float(written) // 1) if "." in written or isinstance(value, float) else int(written)
    except (OverflowError, ValueError):  # infinity and not-a-number
        raise InputError("%r is not an instant; write %s" % (value, FORM)) from None
    return _in_range(seconds, value)


def moment(written, now):
    """Read an option of a task that is an instant or a duration before ``now``.

    :arg written: ISO 8601 text with ``Z`` or an offset, or a duration such as ``36h``. Unlike :func:`parse` it takes no epoch seconds: a
        bare number is more likely a duration without its unit.
    :arg now: epoch seconds.
    :returns: whole seconds since 1970-01-01T00:00:00Z.
    :raises InputError: for anything else; the message names the value and what to write, the caller adds the option's name.
    """
    if "-" in written[1:]:  # as in every date and in no duration
        return _of_iso(written, _ISO_FORM)
    try:
        return before(int(now), _durations.parse(written))
    except InputError as error:
        raise InputError("%s. Or write an instant as %s" % (error.message, _ISO_FORM)) from None


def format(epoch):
    """Epoch seconds as ``YYYY-MM-DDTHH:MM:SSZ``, the one spelling that the collection writes."""
    moment = to_datetime(epoch)
    # strftime("%Y") does not pad the year everywhere.
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
    )


def before(epoch, duration):
    """The instant that lies ``duration`` (a ``_durations.Duration``) before ``epoch``, by the calendar of UTC."""
    return from_datetime(duration.before(to_datetime(epoch)))


def to_datetime(epoch):
    """Epoch seconds as a naive ``datetime`` in UTC, held within the years 1 to 9999."""
    return EPOCH + datetime.timedelta(seconds=min(max(epoch, EARLIEST), LATEST))


def from_datetime(moment):
    """A naive ``datetime`` in UTC as epoch seconds, fractions cut off."""
    since = moment - EPOCH
    return since.days * 86400 + since.seconds


def _of_iso(written, form):
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


def _offset(zone, written):
    """An ISO 8601 offset in seconds east of UTC."""
    if zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    if hours > 23 or minutes > 59:
        raise InputError("%r is not an instant: the offset %s is out of range" % (written, zone))
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _of_datetime(moment):
    if moment.utcoffset() is None:
        raise InputError(
            "%s is ambiguous without a zone: add Z for UTC or an offset such as +02:00" % (moment.isoformat(),)
        )
    return from_datetime(moment.replace(tzinfo=None)) - int(moment.utcoffset().total_seconds() // 1)


def _in_range(seconds, value):
    if EARLIEST <= seconds <= LATEST:
        return seconds
    raise InputError("%r is not an instant of the years 1 to 9999" % (value,))
