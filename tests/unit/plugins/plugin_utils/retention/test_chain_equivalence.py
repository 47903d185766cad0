# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On chains that follow each other the engine keeps what tools of chains keep; all written here from what their manuals say."""

from __future__ import annotations

import datetime
from typing import NamedTuple

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan
from hypothesis import given
from hypothesis import strategies as st

from .strategies import BARE, DAY, HOUR, backup, chain, kept, tree
from .test_guide import GUIDE

pytestmark = pytest.mark.property

NOW = _time.parse_instant("2026-11-22T06:00:00Z")


class Made(NamedTuple):
    """One backup of the list that the models look at."""

    instant: int
    chain: int
    place: int  # 0 is the full

    @property
    def id(self):
        return "{c%d}" % self.chain if not self.place else "{c%d}.%d" % (self.chain, self.place + 1)


@st.composite
def histories(draw):
    """Backups, oldest first: chains one after the other, none of a time at which a duration of whole hours begins or ends."""
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=8))
    step = draw(st.sampled_from([HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY]))
    instant = NOW - draw(st.integers(0, 5)) * DAY - 600 - step * (sum(lengths) + len(lengths))
    made = []
    for number, increments in enumerate(lengths):
        for place in range(increments + 1):
            instant += step
            made.append(Made(instant, number, place))
    return made


def ours(made, texts=None, **policy):
    """What the engine keeps."""
    chains = [
        chain(
            "{c%d}" % number,
            *(
                backup("{c%d}" % number, one.place + 1, one.instant, description=(texts or {}).get(one.id, ""))
                for one in made
                if one.chain == number
            ),
        )
        for number in sorted({one.chain for one in made})
    ]
    return kept(make_plan([tree(*chains)], {**BARE, "timezone": "UTC", **policy}, NOW))


def ids(made, chains):
    return {one.id for one in made if one.chain in chains}


def fulls(made):
    """The instants of the fulls by chain, newest first."""
    return [(one.chain, one.instant) for one in reversed(made) if not one.place]


def row(*words):
    """The line of the guide's comparison that has all of these words."""
    (line,) = [line for line in GUIDE.splitlines() if line.startswith("| ") and all(word in line for word in words)]
    return line


@given(histories(), st.integers(1, 5))
def test_chains_keeps_what_pgbackrest_and_barman_and_duplicity_count(made, count):
    newest = ids(made, {number for number, instant in fulls(made)[:count]})
    assert ours(made, chains=count) == newest
    assert all(
        "`chains: 2`" in row(*words)
        for words in (("`repo-retention-full=2`",), ("REDUNDANCY 2",), ("remove-all-but-n-full 2",))
    )


def newest_before(made, edge):
    """Chains whose full is not older than the edge, and the newest whose full is: what pgBackRest by time and a recovery window of barman keep."""
    keep = set()
    for number, instant in fulls(made):
        keep.add(number)
        if instant < edge:
            break
    return keep


@given(histories(), st.integers(1, 60))
def test_window_keeps_what_pgbackrest_keeps_by_time_and_barman_in_a_recovery_window(made, days):
    assert ours(made, window="%dd" % days, anchor="now") == ids(made, newest_before(made, NOW - days * DAY))
    for words in (("`repo-retention-full-type=time`",), ("RECOVERY WINDOW",)):
        assert "`window: 14d`, `anchor: now`" in row(*words)


@given(histories(), st.integers(1, 60))
def test_within_keeps_what_duplicity_does_not_remove_as_older(made, days):
    """What is older goes, unless a younger one needs it; the newest chain stays in any case."""
    young = {one.chain for one in made if one.instant >= NOW - days * DAY} | {made[-1].chain}
    assert ours(made, within="%dd" % days, anchor="now") == ids(made, young)
    assert "`within: 14d`, `anchor: now`" in row("remove-older-than 14D")


@given(histories(), st.integers(1, 5))
def test_fulls_and_the_newest_chains_are_what_duplicity_keeps_without_old_increments(made, count):
    newest = {number for number, instant in fulls(made)[:count]}
    assert ours(made, chains=count, last={"count": "all", "of": "full"}, tails="remove") == {
        one.id for one in made if not one.place or one.chain in newest
    }
    assert "`chains: 2`, `last: {count: all, of: full}`, `tails: remove`" in row("remove-all-inc-of-but-n-full 2")


@given(histories(), st.integers(1, 20))
def test_last_keeps_what_veeam_keeps_of_restore_points(made, count):
    """A chain goes when the last of its points is out of the count."""
    assert ours(made, last=count) == ids(made, {one.chain for one in made[-count:]})
    assert "`last: 14`, `tails: keep`" in row("Veeam, 14 restore points")


@given(st.integers(0, 6), st.integers(1, 80))
def test_weekly_and_monthly_fulls_are_those_that_veeam_marks(weekday, weeks):
    """With a full a week the newest four, and of the newest twelve months the first."""
    made = [Made(NOW - weekday * DAY - ago * 7 * DAY, weeks - ago, 0) for ago in range(weeks - 1, -1, -1)]
    months: dict[tuple[int, int], str] = {}
    for one in made:
        day = datetime.datetime.fromtimestamp(one.instant, datetime.timezone.utc)
        months.setdefault((day.year, day.month), one.id)
    marked = {one.id for one in made[-4:]} | {months[month] for month in sorted(months)[-12:]}
    monthly = {"count": 12, "of": "full", "pick": "oldest"}
    assert ours(made, weekly={"count": 4, "of": "full"}, monthly=monthly, keep_oldest=False) == marked
    assert "`monthly: {count: 12, of: full, pick: oldest}`" in row("Veeam GFS")


@given(histories(), st.integers(1, 5))
def test_last_of_fulls_keeps_the_newest_fulls_alone_and_the_active_chain(made, count):
    newest = {"{c%d}" % number for number, instant in fulls(made)[:count]}
    assert ours(made, last={"count": count, "of": "full"}, tails="remove") == newest | ids(made, {made[-1].chain})
    assert "`last: {count: 2, of: full}`" in row("the newest N fulls")


@given(histories(), st.data())
def test_a_tag_keeps_what_restic_keeps_by_tag(made, data):
    chosen = data.draw(st.sets(st.sampled_from([one.id for one in made])))
    policy = {"last": 1, "tails": "remove", "tags_pattern": "#([a-z]+)"}
    stay = ours(made, dict.fromkeys(chosen, "#x"), keep_tags=["x"], **policy)
    needed = {
        one.id
        for one in made
        for other in made
        if other.id in chosen and other.chain == one.chain and one.place <= other.place
    }
    assert chosen <= stay and stay == needed | ids(made, {made[-1].chain})


@given(st.lists(st.integers(1, 60 * 24 * 60), min_size=1, max_size=20, unique=True), st.integers(1, 40))
def test_within_from_now_keeps_what_borg_keeps_within_spans_of_24_hours(minutes, days):
    made = [Made(NOW - 30 - minute * 60, number, 0) for number, minute in enumerate(sorted(minutes, reverse=True))]
    assert ours(made, within="%dd" % days, anchor="now") == {
        one.id for one in made if one.instant > NOW - days * DAY
    } | {made[-1].id}
