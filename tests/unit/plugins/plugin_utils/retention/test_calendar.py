# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets and durations where clocks are changed, days are skipped, and offsets are no whole hours."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._read import read_instant
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.calendar import BUCKETS, Calendar
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import Zone
from hypothesis import example, given
from hypothesis import strategies as st

from . import strategies
from .strategies import BARE, DAY, TURNS, kept, singles

BUCKET = {bucket.rule: bucket for bucket in BUCKETS}
#: Day 0, 1970-01-01, as datetime.date counts.
EPOCH = datetime.date(1970, 1, 1).toordinal()


def label(zone, rule, instant, day_start=0, week_start="monday"):
    calendar = Calendar(Zone(zone), day_start, week_start)
    return calendar.span(rule, calendar.key(BUCKET[rule], _time.parse_instant(instant))).label


@pytest.mark.parametrize(
    "zone, rule, instant, expected",
    [
        ("Europe/Berlin", "hourly", "2025-10-26T00:30:00Z", "2025-10-26T02"),  # the hour that is lived twice
        ("Europe/Berlin", "hourly", "2025-10-26T01:30:00Z", "2025-10-26T02"),
        ("Europe/Berlin", "hourly", "2025-10-26T02:30:00Z", "2025-10-26T03"),
        ("Europe/Berlin", "hourly", "2026-03-29T00:59:59Z", "2026-03-29T01"),  # the hour that is skipped
        ("Europe/Berlin", "hourly", "2026-03-29T01:00:00Z", "2026-03-29T03"),
        ("Europe/Berlin", "daily", "2026-06-30T22:00:00Z", "2026-07-01"),
        ("Europe/Berlin", "quarterly", "2026-06-30T22:00:00Z", "2026-Q3"),
        ("America/New_York", "daily", "2026-03-09T03:59:59Z", "2026-03-08"),
        ("America/New_York", "daily", "2026-03-09T04:00:00Z", "2026-03-09"),
        ("Australia/Lord_Howe", "hourly", "2026-04-04T14:45:00Z", "2026-04-05T01"),  # back by half an hour only
        ("Australia/Lord_Howe", "hourly", "2026-04-04T15:15:00Z", "2026-04-05T01"),
        ("Australia/Lord_Howe", "hourly", "2026-04-04T15:30:00Z", "2026-04-05T02"),
        ("Asia/Kathmandu", "daily", "1985-12-31T18:29:59Z", "1985-12-31"),  # +05:30 until then, +05:45 after
        ("Asia/Kathmandu", "hourly", "1985-12-31T18:30:00Z", "1986-01-01T00"),
        ("Asia/Kathmandu", "hourly", "2026-01-01T18:15:00Z", "2026-01-02T00"),
        ("Pacific/Apia", "daily", "2011-12-30T09:59:59Z", "2011-12-29"),  # there was no 30 December
        ("Pacific/Apia", "daily", "2011-12-30T10:00:00Z", "2011-12-31"),
        ("America/St_Johns", "daily", "2010-11-07T02:30:30Z", "2010-11-07"),  # back at one minute past midnight
        ("America/St_Johns", "daily", "2010-11-07T02:31:30Z", "2010-11-06"),
        ("UTC", "weekly", "2027-01-03T23:59:59Z", "2026-W53"),
        ("UTC", "weekly", "2027-01-04T00:00:00Z", "2027-W01"),
        ("UTC", "yearly", "2027-01-03T00:00:00Z", "2027"),
    ],
)
def test_an_instant_falls_into_the_bucket_that_the_wall_clock_says(zone, rule, instant, expected):
    assert label(zone, rule, instant) == expected


@pytest.mark.parametrize(
    "week_start, instant, expected",
    [
        ("sunday", "2027-01-02T23:59:59Z", "2026-12-27"),
        ("sunday", "2027-01-03T00:00:00Z", "2027-01-03"),
        ("saturday", "2027-01-01T23:59:59Z", "2026-12-26"),
        ("saturday", "2027-01-02T00:00:00Z", "2027-01-02"),
        ("monday", "2027-01-03T23:59:59Z", "2026-W53"),
    ],
)
def test_a_week_may_begin_on_another_day_and_is_called_by_it(week_start, instant, expected):
    assert label("UTC", "weekly", instant, week_start=week_start) == expected


@pytest.mark.property
@given(
    st.sampled_from(["UTC", *TURNS]),
    st.integers(-2_000_000_000, 4_000_000_000),
    st.sampled_from(["monday", "sunday", "saturday"]),
)
def test_every_week_is_seven_days_from_its_first_day_on(zone, instant, week_start):
    calendar, bucket = Calendar(Zone(zone), 0, week_start), BUCKET["weekly"]
    span = calendar.span(bucket.rule, calendar.key(bucket, instant))
    day = calendar.day(instant)
    first = next(
        one
        for one in range(day, day - 7, -1)
        if datetime.date.fromordinal(one + EPOCH).strftime("%A").lower() == week_start
    )
    assert (
        calendar.span("daily", first).start == span.start
        and calendar.span("daily", first + 7).from_text == span.to_text
    )


def test_days_can_begin_later_and_hours_do_not_care():
    assert label("Europe/Berlin", "daily", "2026-09-13T03:59:59Z", 6 * 3600) == "2026-09-12"
    assert label("Europe/Berlin", "daily", "2026-09-13T04:00:00Z", 6 * 3600) == "2026-09-13"
    assert label("Europe/Berlin", "weekly", "2026-09-14T03:00:00Z", 6 * 3600) == "2026-W37"
    assert label("Europe/Berlin", "hourly", "2026-09-13T03:59:59Z", 6 * 3600) == "2026-09-13T05"


def test_the_bounds_of_a_bucket_are_instants():
    calendar = Calendar(Zone("Europe/Berlin"))
    span = calendar.span("daily", calendar.key(BUCKET["daily"], _time.parse_instant("2025-10-26T12:00:00Z")))
    assert (span.from_text, span.to_text) == ("2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z"), "a day of 25 hours"
    span = calendar.span("yearly", 2026)
    assert (span.label, span.from_text, span.to_text) == ("2026", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z")


def test_the_two_halves_of_a_repeated_hour_are_ordered_by_time_not_by_the_wall():
    first, second = "2025-10-26T00:50:00Z", "2025-10-26T01:10:00Z"  # 02:50 and then 02:10 in Berlin
    plan = make_plan(
        [singles([first, second])], {**BARE, "last": 1, "timezone": "Europe/Berlin"}, _time.parse_instant(second)
    )
    assert kept(plan) == {"{c1}"}
    plan = make_plan(
        [singles([first, second])],
        {**BARE, "hourly": 5, "keep_oldest": False, "timezone": "Europe/Berlin"},
        _time.parse_instant(second),
    )
    assert kept(plan) == {"{c1}"}


@pytest.mark.parametrize(
    "zone, duration, instant, edge",
    [
        ("Europe/Berlin", "1d", "2026-03-30T01:30:00Z", "2026-03-29T01:30:00Z"),
        (
            "Europe/Berlin",
            "1d",
            "2026-03-30T00:30:00Z",
            "2026-03-29T00:30:00Z",
        ),  # to the skipped 02:30: the earlier one
        ("Europe/Berlin", "24h", "2026-03-29T22:30:00Z", "2026-03-28T22:30:00Z"),
        ("Europe/Berlin", "1d", "2026-03-29T22:30:00Z", "2026-03-28T23:30:00Z"),  # both are half past midnight
        (
            "Europe/Berlin",
            "1d",
            "2025-10-27T01:30:00Z",
            "2025-10-26T00:30:00Z",
        ),  # to the 02:30 that comes twice: the first
        ("Europe/Berlin", "30min", "2025-10-26T01:10:00Z", "2025-10-26T00:40:00Z"),
        ("America/New_York", "1mo", "2026-03-31T12:00:00Z", "2026-02-28T13:00:00Z"),
        ("Australia/Lord_Howe", "1d", "2026-04-05T15:00:00Z", "2026-04-04T14:30:00Z"),
        ("Pacific/Apia", "1d", "2011-12-30T22:00:00Z", "2011-12-29T22:00:00Z"),
        ("UTC", "1y", "2024-02-29T00:00:00Z", "2023-02-28T00:00:00Z"),
        ("UTC", "9999y", "2024-02-29T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_a_duration_is_taken_off_on_the_wall_and_errs_to_the_past(zone, duration, instant, edge):
    assert _time.format_instant(Zone(zone).before(_time.parse_instant(instant), _time.parse_duration(duration))) == edge


@pytest.mark.property
@given(strategies.spans())
@example(
    (
        "UTC",
        _time.parse_duration("1mo15d"),
        _time.parse_instant("2013-01-17T02:49:50Z"),
        _time.parse_instant("2013-02-10T00:00:00Z"),
    )
)
@example(
    (
        "UTC",
        _time.parse_duration("1mo"),
        _time.parse_instant("2026-02-28T12:00:00Z"),
        _time.parse_instant("2026-03-29T01:00:00Z"),
    )
)  # young again
@example(
    (
        "UTC",
        _time.parse_duration("1mo"),
        _time.parse_instant("2026-01-31T12:00:00Z"),
        _time.parse_instant("2026-01-31T12:00:00Z"),
    )
)
@example(
    (
        "UTC",
        _time.parse_duration("1mo"),
        _time.parse_instant("2026-02-28T23:59:59Z"),
        _time.parse_instant("2026-02-28T23:59:59Z"),
    )
)
@example(
    (
        "Europe/Berlin",
        _time.parse_duration("1d"),
        _time.parse_instant("2026-03-29T00:30:00Z"),
        _time.parse_instant("2026-03-29T00:30:00Z"),
    )
)
@example(
    (
        "Europe/Berlin",
        _time.parse_duration("1d"),
        _time.parse_instant("2026-10-24T00:30:00Z"),
        _time.parse_instant("2026-10-25T01:10:00Z"),
    )
)
@example(
    (
        "Europe/Berlin",
        _time.parse_duration("3w"),
        _time.parse_instant("2025-10-26T01:00:00Z"),
        _time.parse_instant("2025-10-27T01:00:00Z"),
    )
)
def test_p24_the_last_second_that_is_told_of_a_duration_is_the_last_one(span):
    zone, duration, instant, since = span
    zone = Zone(zone)
    told = zone.expiry(instant, duration, since)
    assert zone.before(told + 1, duration) > instant
    # Whatever happens to a clock or a calendar does so at a quarter of an hour, or a minute later (Newfoundland).
    quarters = range(max(since, told - 5 * DAY) // 900 * 900, told, 900)
    seconds = {since, told, *(quarter + after for quarter in quarters for after in (-1, 0, 59, 60))}
    assert not [second for second in seconds if since <= second <= told and zone.before(second, duration) > instant]


def test_the_end_of_a_window_of_mixed_units_is_not_days_too_late():
    expiry = Zone("UTC").expiry(
        _time.parse_instant("2013-01-17T02:49:50Z"),
        _time.parse_duration("1mo15d"),
        _time.parse_instant("2013-02-10T00:00:00Z"),
    )
    assert _time.format_instant(expiry) == "2013-03-01T02:49:50Z"


@pytest.mark.property
@given(st.sampled_from(sorted(TURNS)), st.lists(st.integers(-3 * DAY, 3 * DAY)))
def test_walls_are_those_of_the_zone_database(zone, away):
    instants = [_time.parse_instant(TURNS[zone]) + seconds for seconds in away]
    expected = [
        datetime.datetime.fromtimestamp(instant, zoneinfo.ZoneInfo(zone))
        .replace(tzinfo=datetime.timezone.utc)
        .timestamp()
        for instant in instants
    ]
    assert [Zone(zone).wall(instant) for instant in instants] == expected


@pytest.mark.property
@given(st.integers(_time.EARLIEST - 1, _time.LATEST + 1))
def test_an_instant_is_read_as_the_modules_read_it(instant):
    assert read_instant(_time.format_instant(instant)) == _time.parse_instant(_time.format_instant(instant))


@pytest.mark.parametrize(
    "now, day",
    [
        ("2010-11-07T02:30:59Z", "2010-11-06"),  # it is 00:00:59, and in the next second 23:01 of the day before
        ("2010-11-07T01:30:00Z", "2010-11-06"),  # 23:00, and not midnight again before this day has ended twice
        ("2010-11-07T03:30:59Z", "2010-11-07"),  # the second midnight is past
        ("2010-11-06T12:00:00Z", "2010-11-06"),
    ],
)
def test_a_day_that_is_over_is_open_again_where_the_clock_is_turned_back_across_midnight(now, day):
    calendar = Calendar(Zone("America/St_Johns"))
    first = calendar.open_from(BUCKET["daily"], _time.parse_instant(now))
    assert calendar.span("daily", first).label == day


@pytest.mark.parametrize("written", ["2026-01-01T03+01:00Z", "2026-01-01T030000.0Z", "2026-01-01T25:00:00Z"])
def test_what_only_looks_like_an_instant_is_refused_by_its_place(written):
    with pytest.raises(InputError) as refused:
        make_plan([singles([written])], {"last": 1}, "2026-02-01T00:00:00Z")
    assert "created" in str(refused.value) and written in str(refused.value)


@pytest.mark.parametrize(
    "written", ["2026-01-01T04:00:00+01:00", "2026-01-01T03:00:00.500000Z", "2026-01-01 03:00:00Z"]
)
def test_every_spelling_of_an_instant_is_written_in_one(written):
    (vm,) = make_plan([singles([written])], {"last": 1}, "2026-02-01T00:00:00Z")["vms"]
    assert [backup["created"] for backup in vm["backups"]] == ["2026-01-01T03:00:00Z"]


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_ends_of_time_are_only_far_away(created, zone):
    policy = {**dict.fromkeys(BUCKET, 3), **{"within_" + rule: "1y" for rule in BUCKET}, "timezone": zone}
    for now in (created, "2026-01-01T00:00:00Z"):
        assert make_plan([singles([created, "2026-01-01T00:00:00Z"])], policy, now)["totals"]["counts"]["keep"] == 2


@pytest.mark.parametrize("name", ["Mars/Olympus", "localtime", "", "../UTC", "Europe", "/etc/localtime"])
def test_only_names_of_the_zone_database_are_zones(name):
    with pytest.raises(ValueError):
        Zone(name)
