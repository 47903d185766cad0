# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations: what is accepted, what is refused and how, and the civil calendar."""

import datetime

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError


@pytest.mark.parametrize(
    "text, units",
    [
        ("1y2mo3w4d5h6min", (1, 2, 3, 4, 5, 6)),
        ("7d", (0, 0, 0, 7, 0, 0)),
        ("24h", (0, 0, 0, 0, 24, 0)),
        ("1mo30min", (0, 1, 0, 0, 0, 30)),
        ("0h", (0, 0, 0, 0, 0, 0)),
        ("007d", (0, 0, 0, 7, 0, 0)),
    ],
)
def test_a_duration_is_read(text, units):
    assert tuple(_time.parse_duration(text)) == units


@pytest.mark.parametrize(
    "value, says",
    [
        ("7", "'7' is ambiguous as a duration: say of what, for example 7d or 7h"),
        (7, "7 is ambiguous as a duration: say of what, for example 7d or 7h"),
        (1.5, "1.5 is ambiguous"),
        ("5m", "'5m' is ambiguous as a duration: m may be months or minutes, write mo or min"),
        ("1y6m", "write mo or min"),
        ("1d2w", "the largest first"),
        ("1d1d", "each at most once"),
        ("-1d", "'-1d' is not a duration"),
        ("1.5d", "'1.5d' is not a duration"),
        ("7 d", "is not a duration"),
        ("7D", "is not a duration"),
        ("7d\n", "is not a duration"),
        ("٧d", "is not a duration"),
        ("", "'' is not a duration"),
        ("all", "is not a duration"),
        ("9" * 5000 + "d", "is not a duration"),
        (None, "None is not a duration"),
        (True, "True is not a duration"),
        (["7d"], r"\['7d'\] is not a duration"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_form_to_write(value, says):
    with pytest.raises(InputError, match=says):
        _time.parse_duration(value)


@pytest.mark.parametrize(
    "text, moment, earlier",
    [
        ("1mo", "2026-03-31T12:00", "2026-02-28T12:00"),
        ("1mo", "2024-03-31T12:00", "2024-02-29T12:00"),
        ("1y", "2024-02-29T00:00", "2023-02-28T00:00"),
        ("1y1mo", "2026-01-31T00:00", "2024-12-31T00:00"),
        ("1mo1d", "2026-03-31T00:00", "2026-02-27T00:00"),
        ("2w", "2026-01-10T00:00", "2025-12-27T00:00"),
        ("36h", "2026-01-02T06:00", "2025-12-31T18:00"),
        ("9999y", "2026-01-02T06:00", "0001-01-01T00:00"),
        ("999999999d", "2026-01-02T06:00", "0001-01-01T00:00"),
        ("999999999h", "2026-01-02T06:00", "0001-01-01T00:00"),
    ],
)
def test_a_duration_is_taken_off_by_the_civil_calendar(text, moment, earlier):
    before = _time.parse_duration(text).before(datetime.datetime.fromisoformat(moment))
    assert before == datetime.datetime.fromisoformat(earlier)


def test_a_duration_reads_back_from_its_text():
    for text in ("1y2mo3w4d5h6min", "0h", "12w", "90min"):
        duration = _time.parse_duration(text)
        assert _time.parse_duration(str(duration)) == duration


def test_a_duration_of_nothing_is_false():
    assert not _time.parse_duration("0d")
    assert _time.parse_duration("1min")


@pytest.mark.parametrize(
    "text, day, reached",
    [
        ("1mo", "2026-01-28", "2026-02-28"),
        ("1mo", "2026-01-31", "2026-03-01"),  # a month before the 28th of February is the 28th of January
        ("1mo15d", "2013-01-17", "2013-03-01"),  # and not a month and then 15 days later
        ("1y", "2024-02-29", "2025-03-01"),
        ("9000y", "2026-01-31", "9999-12-31"),
        ("999999999d", "2026-01-31", "9999-12-31"),
    ],
)
def test_a_duration_later_is_the_first_day_that_leads_back(text, day, reached):
    duration, day = _time.parse_duration(text), datetime.datetime.fromisoformat(day)
    after = duration.calendar_after(day)
    assert after.date() == datetime.date.fromisoformat(reached)
    if after != datetime.datetime.max:
        assert duration.calendar_before(after) >= day > duration.calendar_before(after - datetime.timedelta(days=1))
