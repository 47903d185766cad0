# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the drawings of a VM say: instants with their zone, days of the policy, slots_of_rules of every rule, the engine's own numbers."""

from __future__ import annotations

from ansible_collections.prlsdk.core.plugins.plugin_utils._report import rule_slots
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import make_page
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.rules import RULES
from ansible_collections.prlsdk.core.plugins.plugin_utils._text import formats

from .pages import host, plan, report, tree


def details(*trees, **policy):
    return make_page(report(host(plan(*trees, **policy))))["hosts"][0]["details"][0]


def test_the_title_of_a_chain_says_which_clock_it_is_in():
    titles = {segment["title"] for row in details()["timeline"]["rows"] for segment in row["segments"]}
    assert "Chain from 2026-11-15 23:30 UTC to 2026-11-21 23:30 UTC, 7 backups, 110 B: to keep" in titles


def test_what_an_age_keeps_is_labelled_with_the_day_of_the_policy():
    """Half past eleven at night in UTC is the next day in Berlin, and so are the buckets beside it labelled."""
    slots_of_rules = {
        rung["name"]: [slot["label"] for slot in rung["slots"]] for rung in details(within="2d", daily=3)["rule_slots"]
    }
    assert slots_of_rules["daily 3"][:3] == ["11-22", "11-21", "11-20"]
    assert slots_of_rules["within 2d"][:2] == ["11-22", "11-21"]


def test_the_days_of_the_calendar_begin_when_the_policy_says():
    months = details(day_start="02:00")["calendar"]["months"]
    assert months[-1]["title"].startswith("2026-11: 21 backups ("), "half past midnight belongs to the day before"
    assert details()["calendar"]["months"][-1]["title"].startswith("2026-11: 22 backups (")


def test_every_rule_of_the_engine_has_a_letter_and_a_meaning():
    assert set(RULES) < set(formats.LETTERS) and list(formats.LETTERS) == list(formats.MEANINGS)
    assert len(set(formats.LETTERS.values())) == len(formats.LETTERS)


def test_a_rung_shows_a_bounded_number_of_slots_and_says_how_many_it_has():
    (rung,) = details(tree(weeks=20), daily=0, last=100)["rule_slots"]
    assert rung["name"] == "last 100" and len(rung["slots"]) == rule_slots.SLOTS and rung["more"] == 40
    (rung,) = details(tree(weeks=20), daily=0, within="90d")["rule_slots"]
    assert len(rung["slots"]) == rule_slots.SLOTS and rung["more"] == 31 and rung["note"] == "91 backups"


def test_a_rung_of_the_newest_fulls_says_so():
    (rung,) = details(tree(weeks=3), daily=0, last={"count": 5, "of": "full"})["rule_slots"]
    assert (
        rung["name"] == "last 5 (fulls)"
        and rung["note"] == "3 of 5 filled"
        and [slot["label"] for slot in rung["slots"][:3]] == ["1", "2", "3"]
    )


def test_instants_are_written_alike_and_other_texts_left_alone():
    page = make_page(dict(report(host(plan(), finished="yesterday")), generated_at="2026-11-22T09:00:05Z"))
    assert page["generated_at"] == "2026-11-22 09:00 UTC"
    assert (page["hosts"][0]["started"], page["hosts"][0]["finished"]) == ("2026-11-22 06:00 UTC", "yesterday")


def test_the_calendar_begins_at_the_first_backup_and_has_thirteen_months_at_most():
    assert [month["label"] for month in details()["calendar"]["months"]] == ["2026-10", "2026-11"]
    long = details(tree(weeks=80))["calendar"]
    assert len(long["months"]) == 13 and long["months"][0]["label"] == "2025-11" and long["before"] > 0


def test_the_calendar_marks_today_and_shows_every_rule_of_a_day():
    (month,) = details(tree(weeks=2), daily=3, weekly=2, monthly=1)["calendar"]["months"]
    # 2026-11-22 in Berlin is a Sunday, in the fourth row of a month that begins on a Sunday.
    assert month["today"] == {"x": 6, "y": 3}
    letters = {(cell["x"], cell["y"]): cell["letters"] for cell in month["cells"]}
    titles = {(cell["x"], cell["y"]): cell["title"] for cell in month["cells"]}
    assert letters[6, 3] == "MW+" and letters[5, 3] == "D"
    assert titles[6, 3].startswith("2026-11-22: monthly, weekly, daily, ")


def test_a_month_that_is_over_has_no_today():
    assert [month["today"] is not None for month in details()["calendar"]["months"]] == [False, True]
