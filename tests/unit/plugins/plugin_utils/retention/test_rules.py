# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule, protection and guard on a few backups that one can picture."""

from __future__ import annotations

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import guards, inventory
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import policy as policies
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.calendar import calendar
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.candidates import Candidates
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.guards import refusals
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import named
from ansible_collections.prlsdk.core.plugins.plugin_utils._text import formats

from .strategies import BARE, DAY, HOUR, all_backups, backup, chain, entries, kept, let_go, singles, tree, verdicts

NOW = _time.parse_instant("2026-09-13T06:00:00Z")  # a Sunday
NIGHTLY = [NOW - number * DAY for number in range(40)]


def planned(trees, now=NOW, **policy):
    return make_plan(trees, {**BARE, "timezone": "UTC", **policy}, now)


def days_kept(plan):
    """How many days before NOW each kept backup was made, the newest first."""
    return [
        (NOW - _time.parse_instant(entry["created"])) // DAY
        for vm in plan["vms"]
        for entry in vm["backups"]
        if entry["verdict"] == "keep"
    ]


@pytest.mark.parametrize(
    "policy, days",
    [
        ({"last": 3}, [0, 1, 2]),
        ({"last": "all"}, list(range(40))),
        ({"hourly": 2, "keep_oldest": False}, [0, 1]),
        ({"daily": 3}, [0, 1, 2]),
        ({"weekly": 3}, [0, 7, 14]),
        ({"weekly": 3, "week_start": "sunday"}, [0, 1, 8]),  # NOW is a Sunday, with which a week begins
        ({"weekly": 3, "week_start": "saturday"}, [0, 2, 9]),
        ({"weekly": {"count": 3, "pick": "oldest"}}, [0, 6, 13, 20]),
        ({"monthly": 2}, [0, 13]),
        ({"monthly": 4}, [0, 13, 39]),
        ({"monthly": 4, "keep_oldest": False}, [0, 13]),
        ({"quarterly": 1, "yearly": 1}, [0]),
        ({"daily": "all"}, list(range(40))),
        ({"within": "3d"}, [0, 1, 2, 3]),
        ({"within": "71h"}, [0, 1, 2]),
        ({"window": "71h"}, [0, 1, 2, 3]),
        ({"within_weekly": "2w"}, [0, 7, 14]),
        ({"within_monthly": "1mo"}, [0, 13]),
        ({"chains": 2}, [0, 1]),
        ({"last": 1, "min_restorable": 3}, [0, 1, 2]),
        ({"last": 1, "grace": "2d"}, [0, 1, 2]),
        ({"daily": 2, "weekly": 2}, [0, 1, 7]),
        ({"daily": 2, "weekly": 2, "counting": "additional"}, [0, 1, 7, 14]),
        ({"weekly": 2, "day_start": "12:00", "keep_oldest": False}, [0, 6]),  # Sunday 06:00 still belongs to Saturday
    ],
)
def test_a_rule_keeps_these_of_forty_nights_of_fulls(policy, days):
    assert days_kept(planned([singles(NIGHTLY)], **policy)) == days


@pytest.mark.parametrize(
    "absent", [{"daily": 0}, {"daily": None}, {"within": "0h"}, {"within": 0}, {"weekly": {"count": "0"}}]
)
def test_nothing_means_that_the_rule_is_absent(absent):
    assert planned([singles(NIGHTLY)], last=1, **absent)["policy"] == planned([singles(NIGHTLY)], last=1)["policy"]


@pytest.mark.parametrize(
    "options",
    [
        {"merge": "allow"},
        {"tails": "remove"},
        {"anchor": "now", "within": "17d"},
        {"anchor": "newest", "within": "17d"},
        {"counting": "additional"},
        {"merge": "never", "tails": "keep"},
    ],
)
def test_the_words_of_a_policy_need_not_be_those_of_the_program(options):
    """Texts that are read from a file equal those of the program without being the same objects."""
    trees = [tree(chain("{a}", *CHAIN), chain("{b}", *ACTIVE))]
    read = {key: "".join(list(text)) for key, text in options.items()}
    policy = {"daily": 2, "weekly": 2, "pins": ["a.4"]}
    assert planned(trees, NOW + DAY, **policy, **read) == planned(trees, NOW + DAY, **policy, **options)


def test_windows_end_at_the_newest_backup_so_that_nothing_ages_out_when_backups_stop():
    later = NOW + 100 * DAY
    assert len(kept(planned([singles(NIGHTLY)], later, within="3d"))) == 4
    assert len(kept(planned([singles(NIGHTLY)], later, within="3d", anchor="now"))) == 1


def test_of_full_looks_at_fulls_only():
    weekly = [
        chain("{c%d}" % week, *(backup("{c%d}" % week, day + 1, NOW - (20 - 7 * week - day) * DAY) for day in range(7)))
        for week in range(3)
    ]
    plan = planned([tree(*weekly)], weekly={"count": 3, "of": "full"}, keep_oldest=False, tails="remove")
    assert verdicts(plan, "keep") == {"{c0}", "{c1}"} | {item["id"] for item in weekly[2]["backups"]}
    gone = entries(plan)["{c0}.2"]
    assert gone["reasons"] == [{"code": "not_counted", "rule": "weekly", "of": "full"}]


WEEKLY = [
    chain("{c%d}" % week, *(backup("{c%d}" % week, day + 1, NOW - (27 - 7 * week - day) * DAY) for day in range(7)))
    for week in range(4)
]


@pytest.mark.parametrize(
    "options, chosen, stays",
    [
        ({}, ["{c2}", "{c3}"], 14),  # their increments stay as tails
        ({"tails": "remove"}, ["{c2}", "{c3}"], 8),  # but for those of the active chain
        ({"tails": "remove", "merge": "allow"}, ["{c2}", "{c3}"], 3),  # of which the newest alone stays
        ({"pins": ["c3", "c0"], "count_pinned": False}, ["{c1}", "{c2}"], 28),
    ],
)
def test_last_of_full_keeps_the_newest_fulls(options, chosen, stays):
    plan = planned([tree(*WEEKLY)], last={"count": 2, "of": "full"}, **options)
    assert len(kept(plan)) == stays
    reasons = {
        identity: reason
        for identity, entry in entries(plan).items()
        for reason in entry["reasons"]
        if reason["code"] == "rule"
    }
    assert reasons == {
        identity: {"code": "rule", "name": "last", "rank": rank, "of": 2, "bucket": None, "from": None, "to": None}
        for rank, identity in enumerate(reversed(chosen), 1)
    }


def test_a_rule_with_a_duration_keeps_the_oldest_backup_in_it_until_it_is_older():
    trees = [singles(["2026-09-12T01:00:00Z", "2026-09-12T02:00:00Z", "2026-09-12T03:00:00Z"])]
    policy = {"within_daily": "3d", "timezone": "UTC"}
    found = entries(planned(trees, _time.parse_instant("2026-09-12T04:00:00Z"), **policy))
    assert [entry["verdict"] for entry in found.values()] == ["keep", "remove", "keep"]
    assert found["{c0}"]["reasons"] == [{"code": "oldest", "rule": "within_daily"}]
    assert formats.reason(found["{c0}"]["reasons"][0]) == "the oldest, while within_daily reaches back to it"
    assert found["{c0}"]["earliest_removal"] == "2026-09-15T01:00:00Z"
    alone = entries(planned([singles(["2026-09-12T01:00:00Z"])], _time.parse_instant("2026-09-12T04:00:00Z"), **policy))
    assert alone["{c0}"]["earliest_removal"] == "2026-09-15T01:00:00Z", "a newer one of the day does not take its place"
    older = [singles(["2026-09-08T03:00:00Z", "2026-09-12T01:00:00Z", "2026-09-12T02:00:00Z"])]
    assert kept(planned(older, _time.parse_instant("2026-09-12T04:00:00Z"), **policy)) == {"{c2}"}, (
        "the oldest of all, or none"
    )
    assert kept(planned(trees, _time.parse_instant("2026-09-12T04:00:00Z"), keep_oldest=False, **policy)) == {"{c2}"}
    ended = planned(
        [singles(["2026-09-08T03:00:00Z"])], anchor="now", within_daily={"duration": "1d", "of": "full"}, timezone="UTC"
    )
    assert "oldest" not in {each["code"] for each in entries(ended)["{c0}"]["reasons"]}


def test_last_of_full_says_why_not():
    plan = planned([tree(*WEEKLY)], last={"count": 2, "of": "full"})
    assert entries(plan)["{c0}"]["reasons"] == [{"code": "beyond_count", "rule": "last", "rank": 4, "of": 2}]
    assert entries(plan)["{c0}.7"]["reasons"] == [{"code": "not_counted", "rule": "last", "of": "full"}]
    assert entries(plan)["{c2}.7"]["reasons"] == [{"code": "tail"}]


@pytest.mark.parametrize(
    "written, normalised",
    [
        (3, 3),
        ({"count": 3}, 3),
        ({"count": "3", "of": "any"}, 3),
        ({"count": "all"}, "all"),
        ({"count": 3, "of": "full"}, {"count": 3, "of": "full"}),
        ({"count": "all", "of": "full"}, {"count": "all", "of": "full"}),
    ],
)
def test_last_is_a_number_or_a_dictionary(written, normalised):
    assert planned([], last=written)["policy"]["last"] == normalised
    assert planned([], last=normalised)["policy"]["last"] == normalised


def test_columns_are_worked_out_once_for_all_rules():
    (vm,) = inventory.read([singles(NIGHTLY)])
    candidates = Candidates(vm.backups, calendar(named("UTC"), 0))
    assert candidates.is_full is candidates.is_full and candidates.fulls is candidates.fulls
    assert candidates.is_full == [True] * 40 and candidates.fulls == list(range(40))


CHAIN = [backup("{a}", number, NOW - (20 - number) * DAY) for number in range(1, 6)]
ACTIVE = [backup("{b}", number, NOW - (10 - number) * HOUR) for number in range(1, 4)]


def test_what_a_kept_backup_needs_is_kept_and_says_for_whom():
    plan = planned([tree(chain("{a}", *CHAIN), chain("{b}", *ACTIVE))], last=1, pins=["{A}.3"], tails="remove")
    assert kept(plan) == {"{a}", "{a}.2", "{a}.3", "{b}", "{b}.2", "{b}.3"}
    full = entries(plan)["{a}"]
    assert full["reasons"] == [{"code": "needed_by", "ids": ["{a}.3"], "count": 1}] and full["own"] is False
    assert entries(plan)["{a}.3"]["reasons"] == [{"code": "pinned", "by": "pins"}]
    vm = plan["vms"][0]
    assert [(step["id"], step["action"]) for step in vm["remove"]] == [("{a}.5", "increment"), ("{a}.4", "increment")]
    assert vm["bytes"] == {"own": 20, "needed": 40, "freed": 20, "refused": 0}


def test_by_default_a_chain_goes_as_a_whole_or_not_at_all():
    trees = [tree(chain("{a}", *CHAIN), chain("{b}", *ACTIVE))]
    plan = planned(trees, last=1, pins=["a.3"])
    assert not let_go(plan)
    assert entries(plan)["{a}.5"]["reasons"] == [{"code": "tail"}]
    step = planned(trees, last=1)["vms"][0]["remove"]
    assert step == [
        {
            "id": "{a}",
            "created": CHAIN[0]["created"],
            "size": 10,
            "frees": 50,
            "action": "chain",
            "allow_remove_last": False,
            "removes": [{name: backup[name] for name in ("id", "created", "size")} for backup in reversed(CHAIN)],
        }
    ]


def test_the_active_chain_is_never_shortened():
    plan = planned(
        [tree(chain("{b}", *ACTIVE))],
        monthly={"count": 1, "pick": "oldest"},
        keep_oldest=False,
        min_restorable=0,
        tails="remove",
    )
    assert kept(plan) == {"{b}", "{b}.2", "{b}.3"}
    assert entries(plan)["{b}.3"]["reasons"] == [{"code": "active_chain"}]


@pytest.mark.parametrize("tails", ["keep", "remove"])
@pytest.mark.parametrize(
    "hours, newest",
    [
        ((-5, -4, -3, -2), 4),
        ((-5, -4, -3, 6), 3),  # the last one is from the future
        ((-5, 5, -3, 6), 3),  # and another one in the middle
        ((-5, -2, -3, 6), 2),  # the clock was set back as well
        ((-5, -2, -3, -4), 2),
        ((-2, -3, -4, -5), 1),  # a full is needed anyway
    ],
)
def test_the_newest_restorable_backup_is_never_merged_away(hours, newest, tails):
    trees = [tree(chain("{a}", *(backup("{a}", number, NOW + hour * HOUR) for number, hour in enumerate(hours, 1))))]
    plan = planned(
        trees, daily={"count": 1, "pick": "oldest"}, keep_oldest=False, min_restorable=0, merge="allow", tails=tails
    )
    identity = "{a}.%d" % newest if newest > 1 else "{a}"
    reasons = [reason["code"] for reason in entries(plan)[identity]["reasons"] if reason["code"] != "needed_by"]
    assert reasons == ["active_chain"] and entries(plan)[identity]["verdict"] == "keep"
    assert {"code": "active_chain"} in entries(plan)["{a}.4"]["reasons"], "nor is the end of its chain"


def test_the_end_of_the_active_chain_stays_where_a_backup_from_the_future_follows_it():
    times = [NOW - 3 * HOUR, NOW - HOUR, NOW - 2 * HOUR]
    members = [backup("{a}", number, time) for number, time in enumerate([*times, NOW + DAY, NOW + 2 * DAY], 1)]
    for there in (members[:3], members[:4], members):
        assert not let_go(
            planned([tree(chain("{a}", *there))], last=1, min_restorable=0, merge="allow", tails="remove")
        )


def test_merge_takes_increments_out_of_the_middle_but_no_full_and_not_from_old_storage():
    trees = [tree(chain("{a}", *CHAIN), chain("{b}", *ACTIVE))]
    steps = planned(trees, last=1, pins=["a.4"], merge="allow", tails="remove")["vms"][0]["remove"]
    assert [(step["id"], step["action"]) for step in steps] == [
        ("{a}.5", "increment"),
        ("{a}.3", "merge"),
        ("{a}.2", "merge"),
        ("{b}.2", "merge"),
    ]
    trees[0]["vm"]["storage_version"] = 3
    assert not let_go(planned(trees, last=1, pins=["a.4"], merge="allow", tails="remove"))


def test_a_chain_may_come_in_two_trees():
    whole = [tree(chain("{b}", *ACTIVE))]
    parts = [tree(chain("{b}", *ACTIVE[:2])), tree(chain("".join(["{b", "}"]), *ACTIVE[2:]))]
    policy = {"within_daily": {"duration": "30d", "of": "full"}, "merge": "allow"}
    assert planned(parts, **policy) == planned(whole, **policy)


def test_increments_go_before_any_merge_in_whatever_chain():
    other = [backup("{0}", number, NOW - (30 - number) * DAY) for number in range(1, 6)]
    trees = [tree(chain("{a}", *CHAIN), chain("{0}", *other), chain("{b}", *ACTIVE))]
    steps = planned(trees, last=3, pins=["a.4", "0.2", "0.4"], merge="allow", tails="remove")["vms"][0]["remove"]
    assert [(step["id"], step["action"]) for step in steps] == [
        ("{0}.5", "increment"),
        ("{a}.5", "increment"),
        ("{0}.3", "merge"),
        ("{a}.3", "merge"),
        ("{a}.2", "merge"),
    ]


def test_a_full_in_the_middle_of_a_chain_is_not_merged():
    members = [
        backup("{a}", 1, NOW - 20 * DAY),
        backup("{a}", 2, NOW - 19 * DAY, "".join(["fu", "ll"]), promoted=True),
        backup("{a}", 3, NOW - 18 * DAY),
    ]
    plan = planned([tree(chain("{a}", *members), chain("{b}", *ACTIVE))], last=3, pins=["a.3"], merge="allow")
    assert not let_go(plan) and entries(plan)["{a}.2"]["reasons"] == [
        {"code": "needed_by", "ids": ["{a}.3"], "count": 1}
    ]


def test_of_those_that_need_a_backup_the_nearest_three_are_named():
    full = entries(planned([tree(chain("{a}", *CHAIN))], last=4))["{a}"]
    assert full["reasons"] == [{"code": "needed_by", "ids": ["{a}.2", "{a}.3", "{a}.4"], "count": 4}]


def test_from_version_four_on_single_increments_can_go():
    trees = [tree(chain("{a}", *CHAIN), chain("{b}", *ACTIVE), storage_version=4)]
    assert let_go(planned(trees, last=3, pins=["a.3"], tails="remove", merge="allow")) == {"{a}.2", "{a}.4", "{a}.5"}


@pytest.mark.parametrize("version", [0, 3])
def test_old_storage_keeps_its_tails_because_no_single_increment_can_go(version):
    trees = [tree(chain("{a}", *CHAIN), chain("{b}", *ACTIVE), storage_version=version)]
    plan = planned(trees, last=1, pins=["a.3"], tails="remove")
    alike = planned(trees, last=1, pins=["a.3"], tails="keep")
    assert plan["vms"] == alike["vms"] and entries(plan)["{a}.5"]["reasons"] == [{"code": "tail"}]
    assert {warning["code"] for warning in plan["warnings"]} - {warning["code"] for warning in alike["warnings"]} == {
        "old_format"
    }
    assert "old_format" not in [warning["code"] for warning in planned(trees, last=1, tails="remove")["warnings"]], (
        "nothing would have been trimmed"
    )
    assert [step["action"] for step in planned(trees, last=1, tails="remove")["vms"][0]["remove"]] == ["chain"]


def test_a_promoted_head_is_a_full():
    promoted = [backup("{a}", 4, NOW - 9 * DAY, promoted=True), backup("{a}", 6, NOW - 8 * DAY)]
    plan = planned([tree(chain("{a}", *promoted), chain("{b}", *ACTIVE))], last=1, pins=["{a}.6"])
    assert {"{a}.4", "{a}.6"} <= kept(plan)
    assert entries(plan)["{a}.4"]["type"] == "full"


def test_a_backup_from_the_future_is_kept_and_pushes_nothing_out():
    plan = planned([singles([NOW - DAY, NOW, NOW + 301])], last=1)
    assert kept(plan) == {"{c1}", "{c2}"}
    assert entries(plan)["{c2}"]["reasons"] == [{"code": "future"}]
    assert [warning["code"] for warning in plan["warnings"]] == ["keeps_only_newest", "future"]
    assert kept(planned([singles([NOW - DAY, NOW, NOW + 300])], last=1)) == {"{c2}"}, "within the clock skew it counts"


def test_pins_are_found_by_id_pattern_and_tag():
    texts = {"{c0}": "before upgrade #release", "{c1}": "nightly", "{c2}": "nightly", "{c3}": "#test"}
    trees = [singles([NOW - number * DAY for number in range(9, 0, -1)])]
    for item in all_backups(trees):
        item["description"] = texts.get(item["id"], "")
    plan = planned(
        trees,
        last=1,
        pins=["{C1}", "gone"],
        pin_pattern="^before",
        tags_pattern="#([a-z]+)",
        keep_tags=["test", "release"],
    )
    assert kept(plan) == {"{c0}", "{c1}", "{c3}", "{c8}"}
    assert [reason["by"] for reason in entries(plan)["{c0}"]["reasons"]] == ["pin_pattern", "keep_tags"]
    assert [warning["message"] for warning in plan["warnings"] if warning["code"] == "unknown_pin"] == [
        "pins has gone, and no backup has this id"
    ]


def unknown(plan):
    return [
        (warning["code"], warning["rule"], warning["message"])
        for warning in plan["warnings"]
        if warning["code"].startswith("unknown_")
    ]


TAGGED = [singles([NOW - number * DAY for number in range(9, 0, -1)])]
for item, text in zip(all_backups(TAGGED), ["nightly #monthly", "#weekly #monthly"]):
    item["description"] = text


@pytest.mark.parametrize(
    "tag, hint",
    [
        ("monthy", "; did you mean 'monthly'?"),
        ("Monthly", "; did you mean 'monthly'?"),
        (" monthly", "; did you mean 'monthly'?"),
        ("monthly,m", "; did you mean 'monthly'?"),
        ("#monthly", "; did you mean 'monthly'?"),
        ("release", ""),
    ],
)
def test_a_tag_that_no_backup_has_is_warned_of(tag, hint):
    plan = planned(TAGGED, last=1, tags_pattern="#([a-z]+)", keep_tags=[tag, "weekly"])
    assert kept(plan) == {"{c1}", "{c8}"}
    assert unknown(plan) == [
        (
            "unknown_tag",
            "keep_tags",
            "keep_tags has %r, and tags_pattern finds this tag in no description%s" % (tag, hint),
        )
    ]
    assert unknown(planned(TAGGED, last=1, tags_pattern="#([a-z]+)", keep_tags=["monthly", "weekly"])) == []


def test_a_group_that_takes_no_part_in_a_match_is_no_tag():
    plan = planned(TAGGED, last=1, tags_pattern="#(weekly)|nightly", keep_tags=["weekly", "None"])
    assert kept(plan) == {"{c1}", "{c8}"} and [code for code, rule, message in unknown(plan)] == ["unknown_tag"]


def test_a_pin_or_tag_is_known_if_any_group_that_has_it_finds_it():
    trees = [*TAGGED, singles(NIGHTLY[:3], "db", "{db}", "d")]
    policy = {
        **BARE,
        "last": 1,
        "pins": ["c1", "c10", "d0"],
        "tags_pattern": "#([a-z]+)",
        "keep_tags": ["weekly", "yearly"],
    }
    overrides = [
        {"match": {"name": "db"}, "policy": {"last": 2}},
        {"match": {"name": "none"}, "policy": {"keep_tags": ["hourly"], "pins": ["e"]}},
    ]
    plan = make_plans(trees, policy, NOW, overrides)
    told = ["pins has c10", "pins has e", "keep_tags has 'hourly'", "keep_tags has 'yearly'"]
    assert [message.split(",")[0] for code, rule, message in unknown(plan)] == told
    # The other group's policy has the tag, and its pattern does not find it.
    plan = make_plans(trees, policy, NOW, [{"match": {"name": "web"}, "policy": {"tags_pattern": "@([a-z]+)"}}])
    assert "keep_tags has 'weekly'" in [message.split(",")[0] for code, rule, message in unknown(plan)]


def test_pinned_backups_can_be_left_out_of_the_count():
    trees = [singles(NIGHTLY[:5][::-1])]
    assert days_kept(planned(trees, last=2, pins=["c4"])) == [0, 1]
    assert days_kept(planned(trees, last=2, pins=["c4"], count_pinned=False)) == [0, 1, 2]


def refused_by(plan):
    return [vm["guard"] for vm in plan["vms"]]


@pytest.mark.parametrize(
    "policy, guard",
    [
        ({"max_remove": 5}, {"name": "max_remove", "value": 39, "limit": 5}),
        ({"max_remove_share": 0.5}, {"name": "max_remove_share", "value": 0.975, "limit": 0.5}),
        ({"max_remove_total": 38}, {"name": "max_remove_total", "value": 39, "limit": 38}),
        ({"min_chains": 2}, {"name": "min_chains", "value": 1, "limit": 2}),
        (
            {"max_staleness": "1d"},
            {"name": "max_staleness", "value": "2026-09-13T06:00:00Z", "limit": "2026-09-13T07:00:00Z"},
        ),
    ],
)
def test_a_guard_refuses_the_whole_plan_of_a_vm_and_says_why(policy, guard):
    plan = planned([singles(NIGHTLY)], NOW + DAY + HOUR, last=1, **policy)
    assert refused_by(plan) == [guard]
    (vm,) = plan["vms"]
    assert vm["status"] == "refused" and vm["remove"] == [] and vm["counts"] == {"keep": 1, "remove": 0, "refused": 39}
    assert vm["bytes"] == {"own": 10, "needed": 0, "freed": 0, "refused": 390}
    assert len(verdicts(plan, "refused")) == 39


@pytest.mark.parametrize(
    "lets_pass, at, past",
    [
        ({"max_remove": 11}, {"max_remove": 10}, {"max_remove": 9}),
        ({"max_remove_share": 0.7}, {"max_remove_share": 0.625}, {"max_remove_share": 0.6249}),
        (
            {"max_remove_share": 0.5, "max_remove_floor": 12},
            {"max_remove_share": 0.5, "max_remove_floor": 11},
            {"max_remove_share": 0.5, "max_remove_floor": 10},
        ),
        ({"max_remove_total": 11}, {"max_remove_total": 10}, {"max_remove_total": 9}),
        ({"min_chains": 5}, {"min_chains": 6}, {"min_chains": 7}),
        ({"max_staleness": "2h"}, {"max_staleness": "1h"}, {"max_staleness": "59min"}),
        ({"max_broken_chains": 2}, {"max_broken_chains": 1}, {"max_broken_chains": 0}),
    ],
)
def test_a_guard_lets_pass_what_is_right_at_its_limit(lets_pass, at, past):
    trees = [
        singles([*NIGHTLY[:16], NOW + DAY])
    ]  # one of the future, which is in no number of the guards but that of all
    trees[0]["chains"].append(HEADLESS)
    for policy in (lets_pass, at):
        assert refused_by(planned(trees, NOW + HOUR, last=6, **policy)) == [None]
    (refused,) = refused_by(planned(trees, NOW + HOUR, last=6, **past))
    assert refused["name"] in past and refused["value"] != refused["limit"]


@pytest.mark.parametrize(
    "whole, headless, remove_broken, share",
    [
        (4, 6, False, 0.75),  # 3 of 4 restorable ones, of all 3 of 10
        (1, 9, True, 0.9),  # 0 of 1, and 9 of 10
        (8, 2, True, 0.9),  # 7 of 8, and 9 of 10
    ],
)
def test_the_share_is_of_the_restorable_or_of_all_whichever_is_larger(whole, headless, remove_broken, share):
    trees = [singles(NIGHTLY[:whole])]
    trees[0]["chains"] += [
        chain("{h%d}" % number, backup("{h%d}" % number, 2, NOW - (50 + number) * DAY)) for number in range(headless)
    ]
    plan = planned(trees, last=1, max_remove_share=0.5, remove_broken=remove_broken)
    assert refused_by(plan) == [{"name": "max_remove_share", "value": share, "limit": 0.5}]


@pytest.mark.parametrize(
    "whole, old, young, share",
    [
        (6, 1, 10, 0.8334),  # 5 of 6, and 6 of 17
        (2, 10, 1, 0.8462),  # 1 of 2, and 11 of 13
    ],
)
def test_the_larger_share_is_neither_that_of_more_backups_nor_that_which_leaves_more(whole, old, young, share):
    trees = [singles(NIGHTLY[:whole])]
    times = [NOW - (50 + number) * DAY for number in range(old)] + [NOW + DAY] * young
    trees[0]["chains"] += [
        chain("{h%d}" % number, backup("{h%d}" % number, 2, time)) for number, time in enumerate(times)
    ]
    plan = planned(trees, last=1, max_remove_share=0.5, remove_broken=True)
    assert refused_by(plan) == [{"name": "max_remove_share", "value": share, "limit": 0.5}]


def test_broken_backups_that_go_count_for_the_floor_and_for_the_share():
    trees = [singles(NIGHTLY[:3])]
    trees[0]["chains"] += [HEADLESS]
    policy = {"last": 1, "max_remove_share": 0.5, "max_remove_floor": 4}
    assert refused_by(planned(trees, **policy)) == [None], "two of three go"
    assert refused_by(planned(trees, remove_broken=True, **policy)) == [
        {"name": "max_remove_share", "value": 0.8, "limit": 0.5}
    ]


@pytest.mark.parametrize(
    "removed, backups, limit, value",
    [(10001, 20001, 0.5, 0.5001), (2, 3, 0.5, 0.6667), (1, 3, 0.3, 0.3334), (4, 5, 0.5, 0.8)],
)
def test_the_value_of_the_share_is_a_limit_that_lets_the_plan_pass(removed, backups, limit, value):
    numbers = guards.Numbers(0, 0, backups, backups, backups - removed, 1, removed, removed, NOW)
    policy = policies.read({"last": 1, "max_remove_share": limit, "max_remove_floor": 0})
    assert guards.refusing(numbers, policy, named("UTC"), NOW) == {
        "name": "max_remove_share",
        "value": value,
        "limit": limit,
    }
    assert guards.refusing(numbers, policy._replace(max_remove_share=value), named("UTC"), NOW) is None
    told = refusals(
        [
            {
                "guard": {"name": "max_remove_share", "value": value, "limit": limit},
                "vm": {"name": "a"},
                "counts": {"refused": removed},
            }
        ]
    )
    assert guards.refusing(numbers, policy._replace(max_remove_share=told[0]["allow"]), named("UTC"), NOW) is None


@pytest.mark.parametrize(
    "name, values, worst",
    [
        ("max_staleness", ["2026-09-02T00:00:00Z", "2026-09-01T00:00:00Z"], "2026-09-01T00:00:00Z"),
        ("max_staleness", ["2026-09-01T00:00:00Z", None], None),
        ("min_chains", [1, 0, 1], 0),
        ("max_remove", [7, 9, 8], 9),
    ],
)
def test_of_the_vms_that_a_guard_refuses_the_worst_is_told(name, values, worst):
    guard = {"name": name, "limit": "2026-09-03T00:00:00Z" if name == "max_staleness" else 2}
    told = refusals(
        [
            {"guard": dict(guard, value=value), "vm": {"name": "a%d" % number}, "counts": {"refused": 1}}
            for number, value in enumerate(values)
        ]
    )
    assert [(one["guard"], one["backups"], len(one["vms"])) for one in told] == [(name, len(values), len(values))]
    assert told[0]["message"] == guards.in_words(dict(guard, value=worst))
    assert told[0]["allow"] == (None if name == "max_staleness" else worst)


def test_few_removals_are_under_the_floor_of_the_share():
    assert refused_by(planned([singles(NIGHTLY[:3])], last=1, max_remove_share=0.5)) == [None]
    assert (
        refused_by(planned([singles(NIGHTLY[:3])], last=1, max_remove_share=0.5, max_remove_floor=2))[0]["name"]
        == "max_remove_share"
    )


def test_the_guard_over_all_vms_refuses_all_of_them():
    trees = [singles(NIGHTLY[: 4 if name < "c" else 1], name, "{%s}" % name, name) for name in ("a", "b", "c")]
    assert [vm["status"] for vm in planned(trees, last=1, max_remove_total=5)["vms"]] == [
        "refused",
        "refused",
        "nothing",
    ]
    assert [vm["status"] for vm in planned(trees, last=1, max_remove_total=6)["vms"]] == [
        "planned",
        "planned",
        "nothing",
    ]


def test_a_stale_vm_is_warned_of_even_if_there_is_nothing_to_remove():
    plan = planned([singles(NIGHTLY[:1])], NOW + 3 * DAY, last=1, max_staleness="2d")
    assert plan["vms"][0]["status"] == "nothing" and "stale" in [warning["code"] for warning in plan["warnings"]]


HEADLESS = chain("{h}", backup("{h}", 2, NOW - 50 * DAY), backup("{h}", 3, NOW - 49 * DAY))


def test_a_chain_without_a_full_refuses_the_plan_until_the_policy_says_what_to_do_with_it():
    trees = [singles(NIGHTLY)]
    trees[0]["chains"].append(HEADLESS)
    assert refused_by(planned(trees, last=1, max_broken_chains=0)) == [
        {"name": "max_broken_chains", "value": 1, "limit": 0}
    ]
    accepted = planned(trees, last=1, max_broken_chains=1)
    assert {"{h}.2", "{h}.3"} <= kept(accepted) and entries(accepted)["{h}.2"]["reasons"][0] == {"code": "broken"}
    assert refused_by(planned(trees, last=1, max_broken_chains=0, remove_broken=True)) == [
        {"name": "max_broken_chains", "value": 1, "limit": 0}
    ]
    removed = planned(trees, last=1, max_broken_chains=1, remove_broken=True)
    assert {"{h}.2", "{h}.3"} <= verdicts(removed, "remove") and entries(removed)["{h}.3"]["reasons"] == [
        {"code": "broken"}
    ]


def test_chains_without_a_full_that_are_to_be_removed_count_for_the_guards():
    trees = [singles([NOW])]
    trees[0]["chains"] += [
        chain("{h%d}" % number, backup("{h%d}" % number, 2, NOW - number * DAY)) for number in range(1, 10)
    ]
    policy = {"last": 3, "remove_broken": True, "grace": "0h"}
    (vm,) = make_plan(trees, policy, NOW)["vms"]
    assert vm["guard"] == {"name": "max_broken_chains", "value": 9, "limit": 0} and vm["counts"] == {
        "keep": 1,
        "remove": 0,
        "refused": 9,
    }
    (vm,) = make_plan(trees, {**policy, "max_broken_chains": 9}, NOW)["vms"]
    assert vm["guard"] == {"name": "max_remove_share", "value": 0.9, "limit": 0.5}
    (vm,) = make_plan(trees, {**policy, "max_broken_chains": 9, "max_remove_share": 0.9}, NOW)["vms"]
    assert vm["status"] == "planned" and vm["counts"]["remove"] == 9


def test_broken_backups_newer_than_the_newest_restorable_one_stay_even_where_broken_ones_go():
    trees = [singles([NOW - 2 * DAY, NOW - 5 * DAY])]
    times = {"{old}": [NOW - 9 * DAY], "{around}": [NOW - 3 * DAY, NOW - DAY], "{young}": [NOW - DAY, NOW]}
    trees[0]["chains"] += [
        chain(uuid, *(backup(uuid, number, time) for number, time in enumerate(given, 2)))
        for uuid, given in times.items()
    ]
    plan = planned(trees, last=1, remove_broken=True)
    assert let_go(plan) == {"{c1}", "{old}.2"}
    assert entries(plan)["{young}.2"]["reasons"] == [
        {"code": "broken"},
        {"code": "needed_by", "ids": ["{young}.3"], "count": 1},
    ]
    assert [reason["code"] for reason in entries(plan)["{around}.2"]["reasons"]] == ["needed_by"]


def test_a_vm_without_any_restorable_backup_is_left_alone():
    assert refused_by(planned([tree(HEADLESS)], last=1, remove_broken=True)) == [
        {"name": "no_restorable_left", "value": 0, "limit": 1}
    ]


def test_two_backups_of_one_id_refuse_the_plan():
    trees = [singles(NIGHTLY), singles(NIGHTLY)]
    assert refused_by(planned(trees, last=1)) == [{"name": "duplicate_ids", "value": 40, "limit": 0}]


@pytest.mark.parametrize("spelled", ["{c1}", "{C1}", "c1", " {c1}"])
def test_ids_are_compared_without_braces_and_case(spelled):
    trees = [singles(NIGHTLY[:5])]
    trees[0]["chains"].append(chain("{z}", {**backup("{z}", 1, NOW - 9 * DAY), "id": spelled}))
    assert refused_by(planned(trees, last=1)) == [{"name": "duplicate_ids", "value": 1, "limit": 0}]


@pytest.mark.parametrize("spelled", ["{c1}", "{C1}", "c1"])
def test_an_id_that_two_vms_have_refuses_the_plans_of_both(spelled):
    trees = [
        singles(NIGHTLY[:5], "a", "{a}"),
        tree(chain("{z}", backup("{z}", 1, NOW)), chain("{y}", backup("{y}", 1, NOW - DAY)), name="c", uuid="{c}"),
    ]
    other = [chain("{b%d}" % number, backup("{b%d}" % number, 1, NOW - number * DAY)) for number in range(5)]
    other[3]["backups"][0]["id"] = spelled
    trees.append(tree(*other, name="b", uuid="{b}"))
    assert refused_by(planned(trees, last=1)) == [{"name": "duplicate_ids", "value": 1, "limit": 0}] * 2 + [None]
    # Even if one of the two is in another group, or is not planned at all.
    policy = {**BARE, "last": 1}
    grouped = make_plans(trees, policy, NOW, [{"match": {"name": "b"}, "policy": {"last": 2}}])
    assert [vm["status"] for vm in grouped["vms"]] == ["refused", "refused", "planned"]
    assert [vm["status"] for vm in make_plans(trees, policy, NOW, exclude=[{"name": "b"}])["vms"]] == [
        "refused",
        "planned",
    ]


def test_every_backup_of_a_repeated_id_counts_where_another_vm_has_it_too():
    trees = [singles(NIGHTLY[:3], "a", "{a}"), singles(NIGHTLY[:3], "b", "{b}")]
    trees[0]["chains"].append(chain("{z}", {**backup("{z}", 1, NOW - 9 * DAY), "id": "{C1}"}))
    assert [guard["value"] for guard in refused_by(planned(trees, last=1))] == [4, 3]


def lint(**policy):
    return {(warning["code"], warning["rule"]) for warning in planned([], **policy)["warnings"]}


@pytest.mark.parametrize(
    "policy, warned",
    [
        ({"monthly": 1}, {("keeps_only_newest", "monthly")}),
        ({"last": 1}, {("keeps_only_newest", "last")}),
        ({"last": {"count": 1, "of": "full"}}, set()),
        ({"last": {"count": 2, "of": "full"}, "daily": {"count": 1, "of": "full"}}, {("implied", "daily")}),
        ({"last": {"count": 2, "of": "full"}, "daily": 1}, set()),
        ({"last": {"count": "all", "of": "full"}, "daily": {"count": 7, "of": "full"}}, {("implied", "daily")}),
        ({"last": {"count": "all", "of": "full"}, "daily": 7}, set()),
        ({"monthly": 1, "min_restorable": 4}, set()),
        ({"monthly": {"count": 1, "of": "full"}}, set()),
        ({"daily": 7, "weekly": 1}, {("implied", "weekly")}),
        ({"daily": 7, "weekly": 2}, set()),
        ({"daily": 8, "weekly": 2}, {("implied", "weekly")}),
        ({"daily": 8, "weekly": 2, "counting": "additional"}, set()),
        ({"daily": "all", "yearly": 10}, {("implied", "yearly")}),
        ({"weekly": "all", "monthly": 12}, set()),
        ({"within": "2w", "within_daily": "1w"}, {("implied", "within_daily")}),
        ({"within": "1mo", "window": "2mo"}, {("implied", "within")}),
        ({"within": "30d", "within_daily": "1mo"}, set()),
        ({"within_daily": "1y", "within_monthly": "1y"}, {("implied", "within_monthly")}),
        ({"daily": 7, "weekly": 4, "monthly": 12}, set()),
    ],
)
def test_policies_that_are_hardly_meant_are_warned_of(policy, warned):
    assert lint(**policy) == warned


def test_the_cost_of_weekly_increments_is_said_in_bytes():
    trees = [tree(LONG, chain("{b}", *ACTIVE))]
    warnings = planned(trees, weekly=4)["warnings"]
    assert [warning["code"] for warning in warnings] == ["weekly_increments"]
    assert "170 bytes of 1 VMs are kept only because" in warnings[0]["message"], (
        "of 20 backups of 10 bytes three are chosen"
    )
    assert planned(trees, weekly={"count": 4, "of": "full"})["warnings"] == []


LONG = chain("{a}", *(backup("{a}", number + 1, NOW - (30 - number) * DAY) for number in range(20)))


@pytest.mark.parametrize(
    "policy, needed",
    [
        ({"weekly": 2, "pins": ["a.20"]}, None),  # its end, which the weekly rule picks, is kept anyway
        ({"weekly": 2, "pins": ["a"]}, None),  # and with its full its tail
        ({"weekly": 2, "pins": ["a"], "tails": "remove"}, 180),
        ({"weekly": 4, "pins": ["a.17"], "tails": "remove"}, 20),  # between the pin and the chain's end
        ({"weekly": 2, "merge": "allow"}, 10),  # the full alone
    ],
)
def test_the_cost_of_weekly_increments_is_what_nothing_else_needs(policy, needed):
    warnings = planned([tree(LONG, chain("{b}", *ACTIVE))], **policy)["warnings"]
    said = [warning["message"] for warning in warnings if warning["code"] == "weekly_increments"]
    assert len(said) == (needed is not None) and all(": %d bytes of 1 VMs" % needed in message for message in said)


def test_weekly_increments_of_the_active_chain_cost_nothing_as_it_stays_anyway():
    plan = planned(
        [tree(chain("{a}", *(backup("{a}", number, NOW - (18 - number) * DAY) for number in range(1, 19))))],
        daily=2,
        weekly=1,
    )
    assert [warning["code"] for warning in plan["warnings"]] == ["implied"] and plan["vms"][0]["bytes"]["needed"] == 160


def test_full_due_says_what_a_new_full_lets_go_and_when():
    weeks = [
        chain(
            name,
            *(backup(name, day + 1, NOW - (27 - 7 * week - day) * DAY, size=1 if day else 100) for day in range(7)),
        )
        for week, name in enumerate(["{c0}", "{c1}", "{c2}", "{c3}"])
    ]
    vm = planned([tree(*weeks)], chains=2, within="10d")["vms"][0]
    # The third newest chain is within ten days yet; the last increment of the newest will be for ten days more.
    assert vm["full_due"] == {
        "freed": 0,
        "chains": [{"chain": "{c3}", "backups": 7, "size": 106, "when": "2026-09-23T06:00:00Z"}],
    }
    vm = planned([tree(*weeks)], chains=2)["vms"][0]
    assert vm["full_due"]["freed"] == 106
    assert vm["full_due"]["chains"][0] == {"chain": "{c2}", "backups": 7, "size": 106, "when": "2026-09-13T06:00:00Z"}
    assert vm["full_due"]["chains"][1]["when"] is None, "nobody knows when the next chains come"


def test_the_earliest_removal_is_that_of_the_last_backup_in_need():
    plan = planned([tree(chain("{a}", *CHAIN), chain("{b}", *ACTIVE))], within="30d", tails="remove")
    assert (
        entries(plan)["{a}"]["earliest_removal"]
        == entries(plan)["{a}.5"]["earliest_removal"]
        == _time.format_instant(NOW + 15 * DAY)
    )
    pinned = planned([tree(chain("{a}", *CHAIN), chain("{b}", *ACTIVE))], within="30d", pins=["a.5"], tails="remove")
    assert entries(pinned)["{a}"]["earliest_removal"] is None


@pytest.mark.parametrize("uuids", [("{a}", "{b}"), ("{b}", "{a}")])
def test_a_tail_lasts_as_long_as_its_chain_but_the_active_end_may_be_merged_away_once_another_one_follows(uuids):
    trees, policy = (
        [tree(chain(uuids[0], *CHAIN), chain(uuids[1], *ACTIVE))],
        {"within_daily": {"duration": "30d", "of": "full"}},
    )
    lasting = [_time.format_instant(NOW + 11 * DAY), _time.format_instant(NOW + 30 * DAY - 9 * HOUR)]
    for merge, active in (("never", lasting[1]), ("allow", None)):
        plan = planned(trees, merge=merge, **policy)
        ends = [entries(plan)[identity]["earliest_removal"] for identity in ("{a}", "{a}.5", "{b}", "{b}.3")]
        assert ends == [lasting[0], lasting[0], lasting[1], active]


def test_every_reason_against_a_backup_is_given_rule_by_rule():
    plan = planned(
        [singles(NIGHTLY[:3] + [NOW - HOUR])],
        last=1,
        daily=2,
        within="1d",
        within_daily="1d",
        chains=1,
        keep_oldest=False,
    )
    assert {reason["code"]: reason for reason in entries(plan)["{c2}"]["reasons"]} == {
        "older_than": {"code": "older_than", "rule": "within_daily", "by": DAY},
        "beyond_count": {"code": "beyond_count", "rule": "daily", "rank": 3, "of": 2},
    }
    assert [(reason["code"], reason["rule"]) for reason in entries(plan)["{c2}"]["reasons"]] == [
        ("older_than", "within"),
        ("older_than", "within_daily"),
        ("beyond_count", "chains"),
        ("beyond_count", "last"),
        ("beyond_count", "daily"),
    ]
    superseded = entries(planned([singles([NOW, NOW - HOUR])], daily=1))["{c1}"]["reasons"]
    assert superseded == [{"code": "superseded", "rule": "daily", "bucket": "2026-09-13", "by": "{c0}"}]


def test_trees_of_one_vm_are_put_together_whatever_the_spelling_of_its_uuid():
    parts = [singles(NIGHTLY[:2], uuid="{AB}"), tree(chain("{z}", backup("{z}", 1, NOW - 5 * DAY)), uuid="ab")]
    (vm,) = planned(parts, last=1)["vms"]
    assert vm["counts"] == {"keep": 1, "remove": 2, "refused": 0}


def test_nothing_at_all_is_a_plan_too():
    plan = planned([tree()], daily=7)
    assert plan["vms"][0]["status"] == "nothing" and plan["vms"][0]["full_due"] == {"freed": 0, "chains": []}
    assert planned([], daily=7)["vms"] == []


UNTIL = {"pin_until_pattern": r"until ([0-9-]+)", "last": 1, "min_restorable": 0}


@pytest.mark.parametrize(
    "zone, last",
    [
        ("UTC", "2026-09-15T23:59:59Z"),
        ("Europe/Berlin", "2026-09-15T21:59:59Z"),
        ("America/New_York", "2026-09-16T03:59:59Z"),
    ],
)
def test_a_pin_with_a_date_ends_with_that_local_day(zone, last):
    pinned = tree(
        chain("{a}", backup("{a}", 1, NOW - 9 * DAY, description="release, until 2026-09-15")),
        chain("{b}", backup("{b}", 1, NOW)),
    )
    end = _time.parse_instant(last)
    assert entries(planned([pinned], now=end - HOUR, timezone=zone, **UNTIL))["{a}"]["earliest_removal"] == last
    plan = planned([pinned], now=end, timezone=zone, **UNTIL)
    assert kept(plan) == {"{a}", "{b}"}
    assert entries(plan)["{a}"]["reasons"] == [{"code": "pinned", "by": "pin_until_pattern", "until": last}]
    assert kept(planned([pinned], now=end + 1, timezone=zone, **UNTIL)) == {"{b}"}


def test_a_day_that_comes_twice_ends_the_second_time():
    """In St. John's the clock was turned back by an hour at one minute past midnight."""
    pinned = tree(
        chain("{a}", backup("{a}", 1, NOW, description="until 2010-11-06")), chain("{b}", backup("{b}", 1, NOW + DAY))
    )
    ends = [_time.parse_instant("2010-11-07T02:29:59Z"), _time.parse_instant("2010-11-07T03:29:59Z")]
    plans = [planned([pinned], now=end, timezone="America/St_Johns", max_clock_skew="20y", **UNTIL) for end in ends]
    assert all(entries(plan)["{a}"]["reasons"][0]["code"] == "pinned" for plan in plans)


def test_a_date_that_cannot_be_read_pins_without_an_end_and_is_warned_of():
    pinned = tree(
        chain("{a}", backup("{a}", 1, NOW - 9 * DAY, description="until 2026-13-45")),
        chain("{b}", backup("{b}", 1, NOW)),
    )
    plan = planned([pinned], now=NOW + 900 * DAY, **UNTIL)
    assert "{a}" in kept(plan) and entries(plan)["{a}"]["reasons"] == [{"code": "pinned", "by": "pin_until_pattern"}]
    assert [(warning["code"], "'2026-13-45'" in warning["message"]) for warning in plan["warnings"][1:]] == [
        ("pin_date", True)
    ]


@pytest.mark.parametrize(
    "policy, says",
    [
        ({"pin_until_pattern": "until"}, "with one group around the date"),
        ({"pin_until_pattern": "(a)(b)"}, "with one group around the date"),
        ({"pin_until_pattern": "(", "timezone": "UTC"}, "a regular expression"),
        ({"pin_until_pattern": "(x)"}, "timezone is missing: pin_until_pattern needs it"),
    ],
)
def test_a_wrong_pattern_of_dates_is_refused(policy, says):
    with pytest.raises(InputError, match=says):
        make_plan([], {"last": 1, **policy}, NOW)


TAGS_AT_ALL = {"tags_pattern": "#([a-z]+)", "min_restorable": 0}


def with_tag(days, tag):
    return [
        backup("{%s%d}" % (tag, number), 1, NOW - day * DAY, description="release #" + tag)
        for number, day in enumerate(days)
    ]


def test_backups_with_a_tag_are_looked_at_by_its_rules_and_by_no_others():
    plain, monthly, both = (
        with_tag([0, 1, 2, 3], "other"),
        with_tag([4, 35, 70], "rel"),
        backup("{both}", 1, NOW - 100 * DAY, description="#rel #audit"),
    )
    trees = [tree(*[chain(item["id"], item) for item in [*plain, *monthly, both]])]
    plan = planned(
        trees, last=2, by_tag={"rel": {"monthly": 2}, "audit": {"last": 1}}, keep_oldest=False, **TAGS_AT_ALL
    )
    assert kept(plan) == {"{other0}", "{other1}", "{rel0}", "{rel1}", "{both}"}
    why = {identity: entry["reasons"] for identity, entry in entries(plan).items()}
    assert (
        [reason.get("tag") for reason in why["{rel0}"]] == ["rel"]
        and why["{rel0}"][0]["name"] == "monthly"
        and "tag" not in why["{other0}"][0]
    )
    assert [(reason["code"], reason["tag"]) for reason in why["{rel2}"]] == [("beyond_count", "rel")], (
        "the policy's own rules say nothing of it"
    )
    assert [(reason["code"], reason["name"], reason["tag"]) for reason in why["{both}"]] == [("rule", "last", "audit")]
    assert [reason["rule"] for reason in why["{other2}"]] == ["last"]


def test_pins_grace_and_the_newest_restorable_backup_see_those_with_a_tag_too():
    trees = [tree(*[chain(item["id"], item) for item in [*with_tag([0], "rel"), *with_tag([3, 5], "other")]])]
    plan = planned(trees, last=1, by_tag={"rel": {"within": "1h"}}, **{**TAGS_AT_ALL, "min_restorable": 1})
    assert kept(plan) == {"{rel0}", "{other0}"}
    assert "{other1}" in kept(planned(trees, last=1, by_tag={"rel": {"last": 1}}, grace="6d", **TAGS_AT_ALL))


def test_the_windows_of_a_tag_end_at_the_newest_backup_of_the_vm():
    trees = [tree(*[chain(item["id"], item) for item in [*with_tag([0], "other"), *with_tag([20, 40], "rel")]])]
    assert kept(planned(trees, last=1, by_tag={"rel": {"within": "30d"}}, **TAGS_AT_ALL)) == {"{other0}", "{rel0}"}


@pytest.mark.parametrize(
    "by_tag, says",
    [
        ("rel", "by_tag is 'rel'; it must be a dictionary"),
        ({"rel": 3}, "by_tag.rel is 3; it must be a dictionary of rules"),
        ({"rel": {"dayly": 3}}, "by_tag.rel has an unknown key 'dayly'; did you mean daily?"),
        ({"rel": {}}, "by_tag.rel keeps nothing"),
        ({"rel": {"last": 0}}, "by_tag.rel keeps nothing"),
        ({"rel": {"last": "x"}}, "by_tag.rel: last is 'x'"),
        ({7: {"last": 1}}, "by_tag has 7, which is no tag"),
        ({"rel": {"grace": "1d"}}, "by_tag.rel has an unknown key 'grace'"),
    ],
)
def test_wrong_rules_of_a_tag_are_refused(by_tag, says):
    with pytest.raises(InputError) as caught:
        make_plan([], {"last": 1, "timezone": "UTC", "by_tag": by_tag, **TAGS_AT_ALL}, NOW)
    assert says in str(caught.value)


def test_rules_of_a_tag_need_a_pattern_and_a_zone_and_a_tag_that_nobody_has_is_warned_of():
    with pytest.raises(InputError, match="by_tag needs tags_pattern"):
        make_plan([], {"last": 1, "by_tag": {"rel": {"last": 1}}}, NOW)
    with pytest.raises(InputError, match="timezone is missing: monthly needs it"):
        make_plan([], {"last": 1, "by_tag": {"rel": {"monthly": 1}}, **TAGS_AT_ALL}, NOW)
    warnings = planned(
        [tree(*[chain(item["id"], item) for item in with_tag([0], "rel")])],
        last=1,
        by_tag={"rle": {"last": 2}},
        **TAGS_AT_ALL,
    )["warnings"]
    assert [warning["message"] for warning in warnings if warning["code"] == "unknown_tag"] == [
        "by_tag has 'rle', and tags_pattern finds this tag in no description; did you mean 'rel'?"
    ]
