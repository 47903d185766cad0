# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants: every accepted spelling gives the same integer, and what names no instant is refused."""

import datetime

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

STAMP = 1789268402
BERLIN_SUMMER = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    "spelling",
    [
        "2026-09-13T03:00:02Z",
        "2026-09-13t03:00:02z",
        "2026-09-13 03:00:02Z",
        "2026-09-13 03:00:02 +00:00",
        "2026-09-13T03:00:02.999Z",
        "2026-09-13T05:00:02+02:00",
        "2026-09-13T05:00:02+0200",
        "2026-09-13T05:00:02+02",
        "2026-09-12T23:30:02-03:30",
        STAMP,
        float(STAMP) + 0.5,
        str(STAMP),
        "%d.75" % STAMP,
        datetime.datetime(2026, 9, 13, 5, 0, 2, tzinfo=BERLIN_SUMMER),
    ],
)
def test_every_spelling_of_an_instant_is_the_same_integer(spelling):
    assert _time.parse_instant(spelling) == STAMP


@pytest.mark.parametrize(
    "written, expected",
    [
        ("2026-09-13T05:00:02+02:00", STAMP),
        ("2026-09-13 03:00:02Z", STAMP),
        ("36h", STAMP - 36 * 3600),
        ("1d12h", STAMP - 36 * 3600),
        ("1w", STAMP - 604800),
    ],
)
def test_a_moment_is_an_instant_or_a_duration_before_now(written, expected):
    assert _time.parse_moment(written, STAMP + 0.9) == expected


@pytest.mark.parametrize(
    "written, says",
    [
        (str(STAMP), "ambiguous as a duration"),
        ("-5", "ambiguous as a duration"),
        ("3.5", "ambiguous as a duration"),
        ("5m", "months or minutes"),
        ("-5d", "not a duration"),
        ("yesterday", "not a duration"),
        ("", "not a duration"),
        ("2026-09-13T03:00:02", "without a zone"),
        ("2026-09-13Z", "is a day"),
        ("12-07h", "is not an instant"),
    ],
)
def test_what_is_no_moment_is_told_what_to_write_and_never_epoch_seconds(written, says):
    with pytest.raises(InputError, match=says) as caught:
        _time.parse_moment(written, STAMP)
    assert "1970" not in caught.value.message and (
        "ISO 8601" in caught.value.message or "without a zone" in caught.value.message
    )


def test_an_instant_is_written_in_one_way():
    assert _time.format_instant(STAMP) == "2026-09-13T03:00:02Z"
    assert _time.format_instant(_time.EARLIEST) == "0001-01-01T00:00:00Z"
    assert _time.format_instant(_time.LATEST) == "9999-12-31T23:59:59Z"
    assert _time.format_instant(-1) == "1969-12-31T23:59:59Z"


@pytest.mark.parametrize(
    "value, says",
    [
        ("2026-09-13T03:00:02", "ambiguous without a zone: add Z for UTC"),
        ("2026-09-13", "ambiguous without a zone"),
        ("2026-09-13Z", "is a day, not an instant"),
        (datetime.datetime(2026, 9, 13), "ambiguous without a zone"),
        (datetime.date(2026, 9, 13), "is not an instant"),
        ("2026-02-30T00:00:00Z", "'2026-02-30T00:00:00Z' is not an instant: day"),
        ("2026-09-13T24:00:00Z", "is not an instant: hour"),
        ("2026-09-13T03:00:02+99:00", "the offset .99:00 is out of range"),
        ("2026-09-13T03:00:02Z\n", "is not an instant"),
        ("٢٠٢٦-09-13T03:00:02Z", "is not an instant"),
        ("0001-01-01T00:00:00+01:00", "years 1 to 9999"),
        (10**15, "years 1 to 9999"),
        (float("inf"), "is not an instant"),
        (float("nan"), "is not an instant"),
        ("yesterday", "is not an instant; write ISO 8601"),
        ("", "'' is not an instant"),
        (None, "None is not an instant"),
        (True, "True is not an instant"),
    ],
)
def test_what_names_no_instant_is_refused_with_the_form_to_write(value, says):
    with pytest.raises(InputError, match=says):
        _time.parse_instant(value)


def test_a_duration_is_taken_off_an_instant_by_the_calendar_of_utc():
    leap = _time.parse_instant("2024-02-29T03:00:02Z")
    assert _time.format_instant(_time.before(leap, _time.parse_duration("1y30min"))) == "2023-02-28T02:30:02Z"
    assert _time.before(leap, _time.parse_duration("5000y")) == _time.EARLIEST


@pytest.mark.parametrize("epoch", [1790000000.999, 1790000000.0, 1790000000])
def test_fractions_of_a_second_are_not_written(epoch):
    assert _time.format_instant(epoch) == _time.format_instant(1790000000) and len(_time.format_instant(epoch)) == 20
