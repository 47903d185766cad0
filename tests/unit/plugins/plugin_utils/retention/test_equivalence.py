# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On chains of one element the engine keeps what restic and borg keep, and nearly what Proxmox keeps; all written here from what their manuals say."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan
from hypothesis import example, given
from hypothesis import strategies as st

from .strategies import BARE, DAY, HOUR, kept, singles
from .test_guide import GUIDE

pytestmark = pytest.mark.property

NOW = _time.parse_instant("2026-11-22T06:00:00Z")
ALL = -1

#: Local time -> the name of its period.
PERIODS = {
    "hourly": lambda local: (local.year, local.month, local.day, local.hour),
    "daily": lambda local: (local.year, local.month, local.day),
    "weekly": lambda local: local.isocalendar()[:2],
    "monthly": lambda local: (local.year, local.month),
    "quarterly": lambda local: (local.year, (local.month - 1) // 3),
    "yearly": lambda local: local.year,
}


def restic_forget(instants, zone, counts):
    """Newest first: a rule with counts left keeps a snapshot whose period is not that of the last one that it kept, and
    always the very oldest snapshot. Each keeping uses up one count; -1 is without end. Rules do not see each other."""
    keep = set()
    ordered = sorted(instants, reverse=True)
    for rule, count in counts.items():
        previous, left = None, count
        for number, instant in enumerate(ordered):
            period = number if rule == "last" else PERIODS[rule](datetime.datetime.fromtimestamp(instant, zone))
            if left and (period != previous or instant == ordered[-1]):
                keep.add(instant)
                previous = period
                left -= left > 0
    return keep


def restic_forget_within(instants, zone, spans):
    """For each rule a duration {days, hours} before the newest snapshot, by the wall clock: of each period in it the newest snapshot is kept, and
    the very oldest snapshot if it is in it. `within` keeps all. One that is exactly as old is not in it; here it is, so it is here."""
    keep = set()
    ordered = sorted(instants, reverse=True)
    for rule, (days, hours) in spans.items():
        since = days_before(ordered[0], zone, days) - hours * HOUR
        previous = None
        for instant in ordered:
            period = (
                instant
                if rule == "within"
                else PERIODS[rule.replace("within_", "")](datetime.datetime.fromtimestamp(instant, zone))
            )
            if instant >= since and (period != previous or instant == ordered[-1]):
                keep.add(instant)
                previous = period
    return keep


def days_before(instant, zone, days):
    """Which of two it is where the wall clock shows that time twice, or never, is left open there; here it is the earlier."""
    wall = datetime.datetime.fromtimestamp(instant, zone).replace(tzinfo=None) - datetime.timedelta(days=days)
    return min(int(wall.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))


def borg_prune(instants, zone, counts):
    """Rules from fine to coarse: of each period the newest archive, if no rule before has kept it, until the count is
    reached; if it is not reached, the oldest archive as well. -1 has no count that could be left."""
    keep = set()
    for rule in ("last", *PERIODS):
        count, found, previous = counts.get(rule, 0), [], None
        if not count:
            continue
        for instant in sorted(instants, reverse=True):
            period = instant if rule == "last" else PERIODS[rule](datetime.datetime.fromtimestamp(instant, zone))
            if period == previous:
                continue
            previous = period
            if instant not in keep:
                found.append(instant)
                keep.add(instant)
            if len(found) == count:
                break
        if instants and len(found) < count:
            keep.add(min(instants))
    return keep


def proxmox_prune(instants, zone, counts):
    """Rules from fine to coarse: newest first, of each period the newest snapshot, until the count is reached. A period of which a rule before has
    kept one is passed over and uses up no count; what loses within a period is lost for the rules after. No oldest one is added."""
    keep, lost = set(), set()
    for rule, period_of in PERIODS.items():
        periods = {instant: period_of(datetime.datetime.fromtimestamp(instant, zone)) for instant in instants}
        covered, found = {periods[instant] for instant in keep}, set()
        for instant in sorted(set(instants) - keep - lost, reverse=True):
            if periods[instant] in covered:
                continue
            if periods[instant] in found:
                lost.add(instant)
            elif len(found) == counts.get(rule, 0):
                break
            else:
                found.add(periods[instant])
                keep.add(instant)
    return keep


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
AGES = st.lists(
    st.one_of(
        st.integers(0, 3 * DAY),
        st.integers(0, 60 * DAY),
        st.integers(0, 1200 * DAY),
        st.integers(0, 90).map(lambda day: day * DAY + HOUR),
    ),
    max_size=40,
    unique=True,
)


def counts(*names):
    return st.dictionaries(st.sampled_from(names), st.one_of(st.integers(1, 12), st.just(ALL)), min_size=1)


def ours(instants, zone, counts, counting, **more):
    if not instants:
        return set()
    rules = {rule: "all" if count == ALL else count for rule, count in counts.items()}
    plan = make_plan(
        [singles(sorted(instants))], {**BARE, **rules, "timezone": zone, "counting": counting, **more}, NOW
    )
    return {sorted(instants)[int(identity[2:-1])] for identity in kept(plan)}


@given(AGES, ZONES, counts("last", "hourly", "daily", "weekly", "monthly", "yearly"))
@example([0, 1, 2], "UTC", {"daily": 2})
@example([0, DAY, 2 * DAY], "UTC", {"daily": 3})
def test_independent_counting_keeps_what_restic_keeps(ages, zone, counts):
    instants = [NOW - age for age in ages]
    assert ours(instants, zone, counts, "independent") == restic_forget(instants, zoneinfo.ZoneInfo(zone), counts)


WITHIN = ("within", *("within_" + period for period in ("hourly", "daily", "weekly", "monthly", "yearly")))
SPANS = st.dictionaries(
    st.sampled_from(WITHIN), st.tuples(st.integers(0, 400), st.integers(0, 30)).filter(any), min_size=1
)


@given(AGES.filter(any), ZONES, SPANS)
@example([0, HOUR, 2 * HOUR], "UTC", {"within_daily": (3, 0)})
@example([0, HOUR, 2 * HOUR, 4 * DAY], "UTC", {"within_daily": (3, 0)})
@example([0, 3 * DAY, 3 * DAY + HOUR], "UTC", {"within_daily": (3, 1)})
@example([0, 7 * HOUR, 8 * HOUR], "UTC", {"within_daily": (0, 7)})
def test_durations_keep_what_restic_keeps(ages, zone, spans):
    instants = [NOW - age for age in ages]
    durations = {rule: "%dd%dh" % span for rule, span in spans.items()}
    plan = make_plan([singles(sorted(instants))], {**BARE, **durations, "timezone": zone}, NOW)
    ours = {sorted(instants)[int(identity[2:-1])] for identity in kept(plan)}
    assert ours == restic_forget_within(instants, zoneinfo.ZoneInfo(zone), spans)


@given(AGES, ZONES, counts("last", *PERIODS))
@example([0, 1, 2], "UTC", {"daily": 2})
@example([0, 1, 2], "UTC", {"daily": ALL})
@example([0, DAY, 8 * DAY, 9 * DAY], "UTC", {"daily": 1, "weekly": 2})
@example([0, 25 * DAY, 60 * DAY, 61 * DAY], "UTC", {"daily": 1, "weekly": 1, "monthly": 1})
def test_additional_counting_keeps_what_borg_keeps(ages, zone, counts):
    instants = [NOW - age for age in ages]
    assert ours(instants, zone, counts, "additional") == borg_prune(instants, zoneinfo.ZoneInfo(zone), counts)


def test_restic_keeps_the_oldest_while_counts_are_left():
    day = [NOW, NOW - HOUR, NOW - 2 * HOUR]
    assert restic_forget(day, zoneinfo.ZoneInfo("UTC"), {"daily": 1}) == {NOW}
    assert restic_forget(day, zoneinfo.ZoneInfo("UTC"), {"daily": 2}) == {NOW, NOW - 2 * HOUR}


def test_restic_keeps_the_oldest_while_it_is_within_the_duration():
    day = [NOW, NOW - HOUR, NOW - 2 * HOUR]
    assert restic_forget_within(day, zoneinfo.ZoneInfo("UTC"), {"within_daily": (3, 0)}) == {NOW, NOW - 2 * HOUR}
    assert restic_forget_within(day, zoneinfo.ZoneInfo("UTC"), {"within_daily": (0, 1)}) == {NOW}


def test_borg_does_not_use_up_the_weekly_count_with_what_daily_kept():
    days = [NOW - number * DAY for number in range(30)]
    both = borg_prune(days, zoneinfo.ZoneInfo("UTC"), {"daily": 7, "weekly": 2})
    assert len(both) == 9
    assert len(restic_forget(days, zoneinfo.ZoneInfo("UTC"), {"daily": 7, "weekly": 2})) == 8


@pytest.mark.parametrize("weekday", range(7))
def test_additional_counting_keeps_what_proxmox_keeps_of_sixty_daily_backups(weekday):
    days = [NOW - (number + weekday) * DAY for number in range(60)]
    counts = {"daily": 7, "weekly": 4}
    theirs = proxmox_prune(days, zoneinfo.ZoneInfo("UTC"), counts)
    assert len(theirs) == 11
    assert ours(days, "UTC", counts, "additional", keep_oldest=False) == theirs


def test_independent_counting_keeps_nine_or_ten_of_sixty_daily_backups():
    counts = {"daily": 7, "weekly": 4}
    sixty = {newest: [NOW - (number + newest) * DAY for number in range(60)] for newest in range(7)}
    stay = {
        _time.to_datetime(days[0]).isoweekday(): len(ours(days, "UTC", counts, "independent", keep_oldest=False))
        for days in sixty.values()
    }
    assert stay == {1: 9, 2: 9, 3: 9, 4: 9, 5: 9, 6: 9, 7: 10}
    assert "without `additional` 9, or 10 if the newest was made on a Sunday" in GUIDE
