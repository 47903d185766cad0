# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine promises of every policy and every forest of chains."""

from __future__ import annotations

import copy
import os
import random
import re
import time

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.calendar import BUCKETS, Calendar, calendar
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import Zone, named
from hypothesis import example, given
from hypothesis import strategies as st

from . import strategies
from .strategies import DAY, HOUR, WEEK, all_backups, entries, ids_of_vms, kept, let_go, only_kept, retired, verdicts

pytestmark = pytest.mark.property


def restorable(trees):
    """Ids of backups whose chain begins with a full."""
    ids = set()
    for tree in trees:
        for chain in tree["chains"]:
            members = sorted(chain["backups"], key=lambda item: item["number"])
            if members and members[0]["type"] == "full":
                ids |= {item["id"] for item in members}
    return ids


def needs(trees):
    """Id -> ids of all earlier backups of its chain."""
    found = {}
    for tree in trees:
        for chain in tree["chains"]:
            members = [item["id"] for item in sorted(chain["backups"], key=lambda item: item["number"])]
            found.update({each: set(members[:place]) for place, each in enumerate(members)})
    return found


def ids_of(step):
    return [gone["id"] for gone in step["removes"]]


def merged(plan):
    """Ids that go without what is built on them."""
    return {gone for vm in plan["vms"] for step in vm["remove"] if step["action"] == "merge" for gone in ids_of(step)}


def own_reasons(plan):
    return {
        identity: [reason for reason in entry["reasons"] if reason["code"] != "needed_by"]
        for identity, entry in entries(plan).items()
        if entry["verdict"] == "keep" and entry["own"]
    }


def newest_restorable(tree, now):
    """The newest one that is restorable and not in the future, in the engine's order."""
    whole = restorable([tree])
    found = [
        (_time.parse_instant(item["created"]), item["number"], chain["uuid"], item["id"])
        for chain in tree["chains"]
        for item in chain["backups"]
        if item["id"] in whole and _time.parse_instant(item["created"]) <= now + 300
    ]
    return max(found)[-1] if found else None


@given(strategies.scenes(), strategies.policies(guards=True))
def test_p01_verdicts_partition_the_inventory(scene, policy):
    trees, zone, now = scene
    plan = make_plan(trees, {**policy, "timezone": zone}, now)
    listed = [entry for vm in plan["vms"] for entry in vm["backups"]]
    assert sorted(entry["id"] for entry in listed) == sorted(item["id"] for item in all_backups(trees))
    assert {entry["verdict"] for entry in listed} <= {"keep", "remove", "refused"}
    for vm in plan["vms"]:
        for verdict, number in vm["counts"].items():
            assert number == sum(entry["verdict"] == verdict for entry in vm["backups"])
        assert sum(vm["bytes"].values()) == sum(entry["size"] for entry in vm["backups"])
        assert sum(step["frees"] for step in vm["remove"]) == vm["bytes"]["freed"]
        removes = [identity for step in vm["remove"] for identity in ids_of(step)]
        assert sorted(removes) == sorted(entry["id"] for entry in vm["backups"] if entry["verdict"] == "remove")


@given(strategies.scenes(), strategies.policies())
def test_p02_nothing_removed_is_needed_by_a_kept_one(scene, policy):
    trees, zone, now = scene
    plan = make_plan(trees, {**policy, "timezone": zone}, now)
    needed = needs(trees)
    for identity in kept(plan):
        assert not needed[identity] & (verdicts(plan, "remove") - merged(plan))
    fulls = {item["id"] for item in all_backups(trees) if item["type"] == "full"}
    old_storage = {item["id"] for tree in trees if tree["vm"]["storage_version"] < 4 for item in all_backups([tree])}
    assert not merged(plan) & fulls
    assert not old_storage & {step["id"] for vm in plan["vms"] for step in vm["remove"] if step["action"] != "chain"}
    assert policy["merge"] == "allow" or not merged(plan)


@given(strategies.scenes(), strategies.policies(guards=True))
def test_p03_the_newest_restorable_backup_is_kept(scene, policy):
    trees, zone, now = scene
    plan = make_plan(trees, {**policy, "timezone": zone}, now)
    for tree in trees:
        newest = newest_restorable(tree, now)
        assert newest is None or newest in kept(plan) or tree["vm"]["uuid"] in retired(plan)


#: Nothing but the closure protects the newest restorable backup, and whatever may go does.
UNPROTECTED = {
    "min_restorable": 0,
    "grace": "0h",
    "merge": "allow",
    "max_remove_share": 1.0,
    "max_broken_chains": 1000000,
}
#: The newest restorable backup is the third one of its chain, and the fourth is from the future.
SPLIT_TIMES = ("00:21:41Z", "06:21:41Z", "06:21:42Z", "12:21:42Z")
SPLIT_BY_NOW = (
    [
        strategies.tree(
            strategies.chain(
                "{c}",
                *(strategies.backup("{c}", number, "2026-03-08T" + time) for number, time in enumerate(SPLIT_TIMES, 1)),
            )
        )
    ],
    "America/New_York",
    _time.parse_instant("2026-03-08T06:21:42Z"),
)


@given(strategies.scenes(), strategies.policies())
@example(SPLIT_BY_NOW, {"hourly": {"count": 1, "pick": "oldest"}, "tails": "keep"})
@example(SPLIT_BY_NOW, {"hourly": {"count": 1, "pick": "oldest"}, "tails": "remove"})
def test_p03_nor_does_the_newest_one_go_where_nothing_else_protects_it(scene, policy):
    trees, zone, now = scene
    policy = {**policy, **UNPROTECTED, "timezone": zone, "retire_moved_after": 0}
    plan = make_plan(trees, policy, now)
    for tree in trees:
        newest = newest_restorable(tree, now)
        assert newest is None or (newest in kept(plan) and entries(plan)[newest]["own"])


@given(strategies.scenes(), strategies.policies())
def test_p04_after_every_prefix_of_the_removals_all_kept_ones_are_restorable(scene, policy):
    trees, zone, now = scene
    plan = make_plan(trees, {**policy, "timezone": zone}, now)
    needed, whole, stay = needs(trees), restorable(trees), kept(plan)
    there = set(needed)
    excused = set()  # a merge hands its data on to the next one
    for vm in plan["vms"]:
        for step in vm["remove"]:
            gone = set(ids_of(step))
            chain = {identity for identity in there if identity in needed and needed[identity] & gone} - gone
            if step["action"] == "merge":
                excused |= gone
            else:
                assert not chain, "something that is still there needs it"
            assert step["id"] in gone
            there -= gone
            for identity in (there & whole) - excused:
                assert needed[identity] - excused <= there
    assert stay <= there


@given(strategies.scenes(), strategies.policies())
def test_p05_planning_what_was_kept_removes_nothing_for_the_same_reasons(scene, policy):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    first = make_plan(trees, policy, now)
    second = make_plan(only_kept(trees, first), policy, now)
    assert not verdicts(second, "remove")
    assert verdicts(second, "refused") == verdicts(first, "refused")
    if moves_the_anchor(policy) and verdicts(first, "remove"):
        again = own_reasons(second)
        assert all(rules_of(reasons) <= rules_of(again[identity]) for identity, reasons in own_reasons(first).items())
    elif not follows_the_oldest(policy):
        assert own_reasons(second) == own_reasons(first)
    elif policy["counting"] == "independent":
        reasons = own_reasons(first)
        for identity, again in own_reasons(second).items():
            assert [
                reason for reason in again if reason in reasons.get(identity, []) or not is_oldest_in_window(reason)
            ] == reasons.get(identity, [])


def moves_the_anchor(policy):
    """Whether the newest candidate may be removed: where pinned backups do not count it may be merged away, and windows then end earlier."""
    return policy["anchor"] == "newest" and not policy["count_pinned"] and policy["merge"] == "allow"


def rules_of(reasons):
    return {(reason["code"], reason.get("name") or reason.get("rule"), reason.get("tag")) for reason in reasons}


def follows_the_oldest(policy):
    """Whether a rule keeps the oldest backup in a window: once an older one than that has gone, the next oldest may have this reason too."""
    rules = [*policy, *(rule for tagged in policy.get("by_tag", {}).values() for rule in tagged)]
    return policy["keep_oldest"] and any(rule.startswith("within_") for rule in rules)


def is_oldest_in_window(reason):
    return reason["code"] == "oldest" and reason["rule"].startswith("within_")


@given(strategies.scenes(), strategies.policies(), st.integers(1, 5), st.data())
def test_p06_more_of_anything_never_removes_more(scene, policy, more, data):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    raisable = strategies.COUNTED + strategies.LASTING + ("min_restorable", "grace", "retire_moved_after")
    name = data.draw(
        st.sampled_from([key for key in policy if key in raisable and (policy[key] or key != "retire_moved_after")])
    )
    if (
        name == "retire_moved_after"
    ):  # of a VM that is retired a pinned chain stays whole, and broken ones stay, whatever the policy does to them else
        policy.update(tails="keep", merge="never", remove_broken=False)
    before = let_go(make_plan(trees, policy, now))
    assert let_go(make_plan(trees, {**policy, name: raised(policy[name], more)}, now)) <= before


def raised(value, more):
    """A rule's value with a higher count or a longer duration."""
    if isinstance(value, dict):
        return {key: member if key in ("of", "pick") else raised(member, more) for key, member in value.items()}
    if isinstance(value, int):
        return value + more
    duration = _time.parse_duration(value)
    unit = ("minutes", "hours", "days", "weeks", "months", "years")[more % 6]
    return str(duration._replace(**{unit: getattr(duration, unit) + more}))


@given(strategies.scenes(), strategies.policies(counting="independent"), strategies.rules(max_size=1))
def test_p07_a_further_rule_never_removes_more(scene, policy, further):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    (name, value), *none = further.items()
    assert let_go(make_plan(trees, {name: value, **policy}, now)) <= let_go(
        make_plan(
            trees,
            {
                key: member
                for key, member in policy.items()
                if key != name or len(set(policy) & set(strategies.COUNTED + strategies.LASTING)) == 1
            },
            now,
        )
    )


@given(strategies.scenes(), strategies.policies(guards=True), st.integers(0, 2**32))
def test_p08_the_order_of_the_input_changes_nothing(scene, policy, seed):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    assert make_plan(strategies.shuffled(trees, seed), dict(reversed(policy.items())), now) == make_plan(
        trees, policy, now
    )


@given(strategies.scenes(), strategies.policies(), st.data())
def test_p09_a_pin_adds_its_backup_and_what_that_needs(scene, policy, data):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone, "tails": "remove", "count_pinned": True}
    for tree in trees:
        tree["vm"]["storage_version"] = 5  # below 4 a pin keeps the tail behind it, too
    policy["retire_moved_after"] = 0  # a pin there keeps the tail behind it, too
    without = make_plan(trees, policy, now)
    ids = sorted(item["id"] for item in all_backups(trees)) or ["{none}"]
    pin = data.draw(st.sampled_from(ids))
    pinned = kept(make_plan(trees, {**policy, "pins": [pin.upper().strip("{")]}, now))
    added = needs(trees).get(pin, set()) | {pin} if all_backups(trees) else set()
    if policy["merge"] == "never":
        assert pinned == kept(without) | added
    else:
        assert kept(without) | {pin} & added <= pinned <= kept(without) | added
    tails_kept = {**policy, "tails": "keep"}
    assert kept(make_plan(trees, tails_kept, now)) | added & pinned <= kept(
        make_plan(trees, {**tails_kept, "pins": [pin]}, now)
    )


@given(strategies.scenes(), strategies.policies(guards=True), st.integers(301, 10**8))
def test_p10_a_backup_from_the_future_changes_no_other_verdict(scene, policy, ahead):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    more = copy.deepcopy(trees)
    more[0]["chains"].append(strategies.chain("{new}", strategies.backup("{new}", 1, now + ahead)))
    with_it, without = entries(make_plan(more, policy, now)), entries(make_plan(trees, policy, now))
    assert with_it.pop("{new}")["verdict"] == "keep"
    assert {identity: (entry["verdict"], entry["reasons"]) for identity, entry in with_it.items()} == {
        identity: (entry["verdict"], entry["reasons"]) for identity, entry in without.items()
    }


@given(strategies.scenes(max_vms=1), strategies.policies(guards=True), st.integers(301, 10**8))
def test_p10_nor_does_one_that_joins_the_active_chain(scene, policy, ahead):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    more = copy.deepcopy(trees)
    newest = newest_restorable(trees[0], now)
    for chain in more[0]["chains"]:
        if newest in [item["id"] for item in chain["backups"]]:
            chain["backups"].append(
                strategies.backup("{new}", max(item["number"] for item in chain["backups"]) + 1, now + ahead)
            )
            chain["backups"][-1]["id"] = "{new}"
    policy["retire_moved_after"] = 0  # of a VM that is retired its whole chain stays with it
    with_it, without = make_plan(more, policy, now), make_plan(trees, policy, now)
    assert kept(with_it) - {"{new}"} == kept(without) and let_go(with_it) == let_go(without)


@given(strategies.scenes(), strategies.policies(), st.integers(-(10**8), 10**4))
def test_p11_nor_does_one_that_cannot_be_restored(scene, policy, ahead):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    more = copy.deepcopy(trees)
    more[0]["chains"].append(strategies.chain("{new}", strategies.backup("{new}", 2, now + ahead)))
    policy["retire_moved_after"] = 0  # it may be the newest backup, and then the VM is not retired yet
    with_it, without = entries(make_plan(more, policy, now)), entries(make_plan(trees, policy, now))
    del with_it["{new}.2"]
    assert {identity: (entry["verdict"], entry["reasons"]) for identity, entry in with_it.items()} == {
        identity: (entry["verdict"], entry["reasons"]) for identity, entry in without.items()
    }


@given(
    strategies.scenes(max_vms=1, pins=False),
    st.sampled_from(BUCKETS),
    st.integers(1, 8),
    st.sampled_from(["newest", "oldest"]),
    st.sampled_from(["any", "full"]),
)
def test_p12_a_count_rule_picks_the_extreme_of_each_of_the_newest_buckets(scene, bucket, count, pick, of):
    trees, zone, now = scene
    policy = {bucket.rule: {"count": count, "pick": pick, "of": of}, "timezone": zone, "keep_oldest": False}
    plan = make_plan(trees, policy, now)
    days, whole = Calendar(Zone(zone)), restorable(trees)
    members = {}
    for tree in trees:
        for chain in tree["chains"]:
            for item in chain["backups"]:
                instant = _time.parse_instant(item["created"])
                if item["id"] in whole and instant <= now + 300 and of in ("any", item["type"]):
                    order = (instant, item["number"], chain["uuid"], item["id"])
                    members.setdefault(days.key(bucket, instant), []).append(order)
    expected = {(max if pick == "newest" else min)(members[key])[-1] for key in sorted(members)[-count:]}
    picked = [
        (identity, reason)
        for identity, entry in entries(plan).items()
        for reason in entry["reasons"]
        if reason["code"] == "rule"
    ]
    assert sorted(identity for identity, reason in picked) == sorted(expected)
    assert len(expected) == min(count, len(members))
    assert len({reason["bucket"] for identity, reason in picked}) == len(picked)
    assert sorted(reason["rank"] for identity, reason in picked) == list(range(1, len(picked) + 1))


@given(strategies.scenes(max_vms=1), strategies.options(), st.integers(1, 6), st.sampled_from(["any", "full"]))
def test_p12_last_picks_the_newest_of_all_or_of_the_fulls(scene, options, count, of):
    trees, zone, now = scene
    plan = make_plan(
        trees,
        {
            **options,
            "last": {"count": count, "of": of},
            "timezone": zone,
            "count_pinned": True,
            "by_tag": {},
            "retire_moved_after": 0,
        },
        now,
    )
    whole = restorable(trees)
    members = [
        (_time.parse_instant(item["created"]), item["number"], chain["uuid"], item["id"])
        for chain in trees[0]["chains"]
        for item in chain["backups"]
        if item["id"] in whole and _time.parse_instant(item["created"]) <= now + 300 and of in ("any", item["type"])
    ]
    ranks = {order[-1]: rank for rank, order in enumerate(sorted(members, reverse=True), 1)}
    for identity, entry in entries(plan).items():
        given_ranks = [reason["rank"] for reason in entry["reasons"] if reason["code"] in ("rule", "beyond_count")]
        if entry["verdict"] == "keep":
            assert given_ranks == [rank for rank in [ranks.get(identity)] if rank and rank <= count]
        elif identity in ranks:
            assert given_ranks == [ranks[identity]] and ranks[identity] > count
        else:
            code = "not_counted" if identity in whole else "broken"
            assert [reason["code"] for reason in entry["reasons"]] == [code]


@given(strategies.scenes(), strategies.options(counting="independent"), strategies.rules())
def test_p13_keeping_is_the_union_of_what_each_rule_keeps(scene, options, rules):
    trees, zone, now = scene
    options = {**options, "timezone": zone, "keep_oldest": False}
    together = kept(make_plan(trees, {**options, **rules}, now))
    apart = [kept(make_plan(trees, {**options, name: value}, now)) for name, value in rules.items()]
    # The union is closed as it is: each part holds its needs, and with tails: keep its whole chains. Where middle
    # increments are merged away, only what stays can be compared.
    assert together == set().union(*apart)


@given(
    st.sampled_from(sorted(strategies.TURNS)),
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([1, 900, HOUR, 6 * HOUR, DAY, 3 * DAY, 20 * DAY])),
        min_size=1,
        max_size=14,
    ),
    strategies.policies(counting="independent", anchor="newest"),
)
def test_p14_pruning_after_each_backup_ends_where_pruning_once_ends(zone, arrivals, policy):
    policy = {**policy, "timezone": zone, "grace": "0h"}
    moment = _time.parse_instant(strategies.TURNS[zone]) - sum(wait for full, wait in arrivals) // 2
    chains, left = [], []
    for number, (full, wait) in enumerate(arrivals):
        moment += wait
        if full or not chains:
            name = "{c%d}" % number
            chains.append(strategies.chain(name, strategies.backup(name, 1, moment)))
            left = [*left, copy.deepcopy(chains[-1])]
        else:
            position = chains[-1]["backups"][-1]["number"] + 1
            chains[-1]["backups"].append(strategies.backup(chains[-1]["uuid"], position, moment))
            left[-1]["backups"].append(chains[-1]["backups"][-1])
        trees = [strategies.tree(*left)]
        left = only_kept(trees, make_plan(trees, policy, moment))[0]["chains"]
    once = make_plan([strategies.tree(*chains)], policy, moment)
    stay = {item["id"] for chain in left for item in chain["backups"]}
    if follows_the_oldest(policy):
        assert stay >= kept(once), "what was the oldest in a window for a while makes it more"
    else:
        assert stay == kept(once)


@given(strategies.scenes(future=False), strategies.policies(anchor="newest"), st.integers(0, 4 * 10**8))
def test_p15_time_alone_removes_nothing(scene, policy, passed):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone, "grace": "0h"}
    later = make_plan(trees, policy, now + passed)
    goes, went = (let_go(plan) - ids_of_vms(trees, retired(later)) for plan in (later, make_plan(trees, policy, now)))
    # Of a VM that time retires, what nobody can judge stays, whatever the policy does to it else.
    assert goes == went or (policy["retire_moved_after"] and goes < went)


@given(
    strategies.scenes(),
    strategies.policies(guards=True),
    st.sampled_from(["Pacific/Kiritimati", "America/Caracas"]),
    st.integers(-12, 14),
)
def test_p16_neither_the_zone_of_the_process_nor_the_spelling_of_instants_matters(scene, policy, process_zone, offset):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    plan = make_plan(trees, policy, now)
    spelled = copy.deepcopy(trees)
    for number, item in enumerate(all_backups(spelled)):
        instant = _time.parse_instant(item["created"])
        item["created"] = (
            instant
            if number % 3 == 0
            else "%s%+03d:00" % (_time.format_instant(instant + offset * HOUR)[:-1].replace("T", " "), offset)
        )
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = process_zone
        time.tzset()
        named.cache_clear()  # or it would remember what it worked out under the other zone
        calendar.cache_clear()
        assert make_plan(spelled, policy, _time.format_instant(now)) == plan
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


@given(strategies.scenes(max_vms=3), strategies.policies(guards=True))
def test_p17_vms_do_not_affect_each_other(scene, policy):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    together = {vm["vm"]["uuid"]: vm for vm in make_plan(trees, policy, now)["vms"]}
    for tree in trees:
        assert make_plan([tree], policy, now)["vms"] == [together[tree["vm"]["uuid"]]]


@given(
    strategies.scenes(),
    strategies.policies(names=("last", "hourly", "daily", "weekly", "chains")),
    st.integers(-500, 500),
)
def test_p18_whole_weeks_in_utc_make_no_difference(scene, policy, weeks):
    trees, zone, now = scene
    policy = {**policy, "timezone": "UTC", "by_tag": {}, "retire_moved_after": 0}
    moved = copy.deepcopy(trees)
    for item in all_backups(moved):
        item["created"] = _time.format_instant(_time.parse_instant(item["created"]) + weeks * WEEK)
    assert kept(make_plan(moved, policy, now + weeks * WEEK)) == kept(make_plan(trees, policy, now))


@given(strategies.scenes(max_vms=3), strategies.policies(guards=True), st.data())
def test_p19_a_refused_plan_removes_nothing(scene, policy, data):
    trees, zone, now = scene
    guard = data.draw(
        st.sampled_from(
            [
                ("max_remove", 0),
                ("max_remove_total", 1),
                ("min_chains", 3),
                ("max_staleness", "1d"),
                ("max_remove_share", 0.1),
                ("max_remove_floor", 0),
            ]
        )
    )
    plan = make_plan(trees, {**policy, "timezone": zone, guard[0]: guard[1]}, now)
    for vm in plan["vms"]:
        if vm["status"] in ("planned", "retired"):
            assert vm["guard"] is None and vm["remove"] and vm["counts"]["refused"] == 0
        if vm["status"] == "refused":
            assert set(vm["guard"]) == {"name", "value", "limit"}
            assert (
                vm["remove"] == []
                and vm["counts"]["remove"] == 0
                and vm["counts"]["refused"]
                and vm["bytes"]["freed"] == 0
            )
        if vm["status"] == "nothing":
            assert vm["guard"] is None and vm["counts"]["keep"] == len(vm["backups"])
    if guard == ("max_remove", 0):
        assert verdicts(plan, "remove") <= ids_of_vms(trees, retired(plan))
    if guard[0] == "max_remove_total":
        assert plan["totals"]["counts"]["remove"] <= 1


@given(
    strategies.scenes(),
    strategies.policies(),
    st.sampled_from([0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]),
    st.integers(0, 6),
    st.integers(0, 2),
)
def test_p19_the_share_and_the_broken_chains_are_counted_as_promised(scene, policy, share, floor, broken):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone, "max_remove_floor": floor}
    free = make_plan(trees, policy, now)
    limited = make_plan(trees, {**policy, "max_remove_share": share, "max_broken_chains": broken}, now)
    for tree, one, other in zip(trees, free["vms"], limited["vms"]):
        went = {entry["id"] for entry in one["backups"] if entry["verdict"] == "remove"}
        whole = {
            entry["id"]
            for entry in one["backups"]
            if entry["id"] in restorable([tree]) and _time.parse_instant(entry["created"]) <= now + 300
        }
        too_much = len(went) >= floor and (
            len(went) > share * len(one["backups"]) or len(went & whole) > share * len(whole)
        )
        headless = sum(not restorable([{"chains": [chain]}]) for chain in tree["chains"] if chain["backups"])
        if one["status"] == "planned":
            expected = "max_broken_chains" if headless > broken else "max_remove_share" if too_much else None
            assert (other["guard"] and other["guard"]["name"]) == expected
        if one["status"] == "retired":
            assert (other["guard"] and other["guard"]["name"]) == ("max_broken_chains" if headless > broken else None)


@given(strategies.scenes(), strategies.policies(guards=True))
def test_p20_every_verdict_has_reasons_that_hold(scene, policy):
    trees, zone, now = scene
    plan = make_plan(trees, {**policy, "timezone": zone}, now)
    needed, stay = needs(trees), kept(plan)
    for identity, entry in entries(plan).items():
        assert entry["reasons"], "no verdict without a reason"
        for reason in entry["reasons"]:
            if reason["code"] == "needed_by":
                assert reason["ids"] and set(reason["ids"]) <= stay and reason["count"] >= len(reason["ids"])
                assert all(identity in needed[later] for later in reason["ids"])
            if reason["code"] == "superseded":
                assert reason["by"] in stay and reason["by"] != identity
        codes = {reason["code"] for reason in entry["reasons"]}
        assert entry["own"] == (entry["verdict"] == "keep" and codes != {"needed_by"})


@given(strategies.scenes(), strategies.policies(guards=True), st.data())
def test_p21_the_digest_follows_inventory_policy_and_day(scene, policy, data):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    digest = make_plan(trees, policy, now)["digest"]
    assert make_plan(strategies.shuffled(trees, 1), dict(reversed(policy.items())), now)["digest"] == digest
    assert make_plan(trees, policy, now + 2 * DAY)["digest"] != digest
    assert make_plan(trees, {**policy, "keep_oldest": not policy["keep_oldest"]}, now)["digest"] != digest
    changed = copy.deepcopy(trees)
    if not all_backups(changed):
        changed[0]["vm"]["name"] += "!"
    else:
        item = data.draw(st.sampled_from(all_backups(changed)))
        key = data.draw(st.sampled_from(["created", "size", "description", "creator", "server_uuid", "number", "id"]))
        value = item[key]
        item[key] = (
            value + 7 if isinstance(value, int) else _time.parse_instant(value) + 1 if key == "created" else value + "!"
        )
    assert make_plan(changed, policy, now)["digest"] != digest


@given(
    strategies.scenes(future=False),
    strategies.policies(),
    st.integers(1, 6),
    st.sampled_from([1, 600, HOUR, 6 * HOUR, DAY, 5 * DAY]),
    st.booleans(),
)
def test_nothing_goes_before_the_earliest_removal_that_was_foreseen(scene, policy, more, wait, join):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    foreseen = {
        identity: entry["earliest_removal"]
        for identity, entry in entries(make_plan(trees, policy, now)).items()
        if entry["earliest_removal"]
    }
    trees, moment = copy.deepcopy(trees), now
    for number in range(more):
        moment += wait
        for tree in trees:
            name = "{%s-n%s}" % (tree["vm"]["uuid"][1:-1], "" if join else number)
            if number and join:
                tree["chains"][-1]["backups"].append(strategies.backup(name, number + 1, moment))
            else:
                tree["chains"].append(strategies.chain(name, strategies.backup(name, 1, moment)))
        gone = let_go(make_plan(trees, policy, moment))
        assert not {
            identity for identity in gone if identity in foreseen and _time.format_instant(moment) < foreseen[identity]
        }


@st.composite
def windows(draw):
    """(trees, policy, now): chains around a turn of the clock or a month's end, and one rule with a duration or the grace alone."""
    zone, duration, first, now = draw(strategies.spans())
    chance = random.Random(draw(st.integers(0, 2**32)))
    instants = sorted(
        first + chance.choice([0, 1, 600, HOUR, DAY, 2 * DAY, chance.randrange(3 * DAY)]) for number in range(3)
    )
    chains = [
        strategies.chain(
            "{c%d}" % number,
            *(
                strategies.backup("{c%d}" % number, place + 1, instant + place)
                for place in range(chance.choice([1, 2]))
            ),
        )
        for number, instant in enumerate(instants)
    ]
    rule = chance.choice(
        ["within", "window", "within_hourly", "within_daily", "within_weekly", "within_monthly", "grace"]
    )
    options = {
        **strategies.BARE,
        "timezone": zone,
        "anchor": chance.choice(["newest", "now"]),
        "keep_oldest": chance.random() < 0.5,
        "min_restorable": 1,
    }
    rules = {rule: str(duration), **({"last": 1} if rule == "grace" else {})}
    return [strategies.tree(*chains)], {**options, **rules}, max(now, instants[-1] + 2)


@given(windows())
def test_p24_nothing_goes_before_the_instant_that_is_told_and_the_second_after_it_may(window):
    trees, policy, now = window
    vm = make_plan(trees, policy, now)["vms"][0]

    def goes(moment, ids, *earlier):
        """Of these backups, those that a plan at that moment removes, right after a new full and perhaps after earlier ones."""
        new = [
            strategies.chain("{new%d}" % each, strategies.backup("{new%d}" % each, 1, each))
            for each in {*earlier, moment}
        ]
        return ids & let_go(make_plan([strategies.tree(*trees[0]["chains"], *new)], policy, moment))

    by_bucket = any(key.startswith("within_") for key in policy)
    chain_of = {entry["id"]: entry["chain"] for entry in vm["backups"]}
    told = [({entry["id"]}, entry["earliest_removal"]) for entry in vm["backups"]]
    for chain in vm["full_due"]["chains"]:
        told.append(({entry["id"] for entry in vm["backups"] if entry["chain"] == chain["chain"]}, chain["when"]))
    for ids, until in [(ids, instant and _time.parse_instant(instant)) for ids, instant in told]:
        if not until or until <= now:
            continue
        whole_chain = [entry for entry in vm["backups"] if entry["chain"] == chain_of[min(ids)]]
        if not by_bucket or len(whole_chain) == 1:
            # Of a chain, the backup in a bucket that new ones may still join goes when one does, which nobody can foresee.
            assert goes(until + 1, ids, now)
        quarters = range(max(now + 1, until - 3 * DAY) // 900 * 900, until, 900)
        chosen = random.Random(until).sample(quarters, min(6, len(quarters)))
        assert not [
            moment
            for moment in {now + 1, *chosen, *quarters[-2:], until - 1, until}
            if now < moment <= until and goes(moment, ids)
        ]


@given(strategies.spans())
@example(
    (
        "UTC",
        _time.parse_duration("1mo"),
        _time.parse_instant("2026-02-28T12:00:00Z"),
        _time.parse_instant("2026-03-29T01:00:00Z"),
    )
)  # young again
def test_p24_grace_ends_right_after_the_second_that_is_told(span):
    zone, duration, created, now = span
    trees = [strategies.singles([created])]
    policy = {"last": 1, "grace": str(duration), "timezone": zone}
    until = grace_until(make_plan(trees, policy, now))
    if until is not None:
        assert until >= now and grace_until(make_plan(trees, policy, until)) == until
        assert grace_until(make_plan(trees, policy, until + 1)) is None


def grace_until(plan):
    reasons = [reason for entry in entries(plan).values() for reason in entry["reasons"] if reason["code"] == "grace"]
    return _time.parse_instant(reasons[0]["until"]) if reasons else None


@given(strategies.scenes(), strategies.policies(counting="independent"), st.integers(1, 5))
def test_the_cost_of_weekly_increments_would_go_with_the_weekly_rule(scene, policy, weeks):
    trees, zone, now = scene
    without = {
        "last": 1,
        **{key: value for key, value in policy.items() if key not in ("weekly", "within_weekly")},
        "timezone": zone,
    }
    plan = make_plan(trees, {**without, "weekly": weeks}, now)
    cost = [
        int(re.search("([0-9]+) bytes", warning["message"])[1])
        for warning in plan["warnings"]
        if warning["code"] == "weekly_increments"
    ]
    assert sum(cost) <= bytes_let_go(make_plan(trees, without, now)) - bytes_let_go(plan)


def bytes_let_go(plan):
    return plan["totals"]["bytes"]["freed"] + plan["totals"]["bytes"]["refused"]


@given(strategies.scenes(), strategies.policies(guards=True))
def test_a_normalised_policy_is_the_same_policy(scene, policy):
    trees, zone, now = scene
    plan = make_plan(trees, {**policy, "timezone": zone}, now)
    assert make_plan(trees, plan["policy"], now) == plan


@given(strategies.scenes(), strategies.policies(), st.integers(-3, 400))
def test_a_pin_with_a_date_keeps_what_a_pin_keeps_until_it_ends_and_nothing_afterwards(scene, policy, days):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    day = _time.format_instant(now + days * DAY)[:10]
    chosen = list(all_backups(trees))[::3]
    for item in chosen:
        item["description"] = "until " + day
    dated = {**policy, "pin_until_pattern": "until (.*)"}
    always, never = {**policy, "pins": [item["id"] for item in chosen]}, policy
    plan = make_plan(trees, dated, now)
    untils = {
        reason["until"]
        for entry in entries(plan).values()
        for reason in entry["reasons"]
        if reason.get("by") == "pin_until_pattern"
    }
    if not chosen:
        return
    assert kept(plan) == kept(make_plan(trees, always if untils else never, now))
    for until in untils:
        end = _time.parse_instant(until)
        assert kept(make_plan(trees, dated, end)) == kept(make_plan(trees, always, end))
        assert kept(make_plan(trees, dated, end + 1)) == kept(make_plan(trees, never, end + 1))


@given(
    strategies.scenes(),
    strategies.options(anchor="now"),
    strategies.rules(),
    strategies.rules(),
    strategies.rules(),
    st.randoms(use_true_random=False),
)
def test_rules_of_a_tag_keep_what_they_would_if_nothing_else_counted(scene, options, own, red, blue, chance):
    """Whatever does not count here is pinned in the plan to compare with, where pinned backups do not count."""
    trees, zone, now = scene
    options = {
        **options,
        "timezone": zone,
        "pin_pattern": None,
        "retire_moved_after": 0,
        "by_tag": {},
        "count_pinned": True,
        "tags_pattern": "#([a-z]+)",
    }
    tags = {
        item["id"]: chance.choice([(), (), ("red",), ("blue",), ("red", "blue"), ("green",)])
        for item in all_backups(trees)
    }
    for item in all_backups(trees):
        item["description"] = " ".join("#" + tag for tag in tags[item["id"]])
    plan = make_plan(trees, {**options, **own, "by_tag": {"red": red, "blue": blue}}, now)
    for tag, rules in ((None, own), ("red", red), ("blue", blue)):
        others = [
            identity
            for identity, has in tags.items()
            if (tag not in has if tag else not set(has).isdisjoint(["red", "blue"]))
        ]
        alone = make_plan(trees, {**options, **rules, "pins": others, "count_pinned": False}, now)
        assert _picks(plan, tag) == _picks(alone, None)


def _picks(plan, tag):
    """What the rules of a tag, or the policy's own, give as reasons for keeping, by backup."""
    codes = ("rule", "within", "window_start", "oldest")
    found = {}
    for identity, entry in entries(plan).items():
        reasons = [
            {**reason, "tag": None}
            for reason in entry["reasons"]
            if reason["code"] in codes and reason.get("tag") == tag
        ]
        if reasons:
            found[identity] = reasons
    return found


def pinned_chains(tree, policy):
    """The chains of a VM that hold a backup that ``pin_pattern`` keeps, or one that nobody can judge."""
    return {
        chain["uuid"]
        for chain in tree["chains"]
        if any(policy["pin_pattern"] in item["description"] for item in chain["backups"])
    }


def newest_here(tree, now):
    return max(
        (
            _time.parse_instant(item["created"])
            for item in all_backups([tree])
            if _time.parse_instant(item["created"]) <= now + 300
        ),
        default=None,
    )


@given(strategies.scenes(), strategies.policies(guards=True), st.sampled_from(["0h", "1h", "3d", "1mo"]), st.booleans())
def test_p22_a_retired_vm_is_one_that_is_known_to_be_gone_and_loses_nothing_that_is_pinned(
    scene, policy, after, declared
):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone, "retire_after": after}
    plan = make_plan(trees, policy, now, retired=[{"name": "vm-{a0}"}] if declared else None)
    found, zone = retired(plan), Zone(zone)
    for tree, vm in zip(trees, plan["vms"]):
        others, newest = tree.get("others"), newest_here(tree, now)
        known = tree["vm"]["registered"] is False and others is not None and newest is not None
        gone = (
            known
            and declared
            and tree["vm"]["name"] == "vm-{a0}"
            and newest < zone.before(now, _time.parse_duration(after))
        )
        elsewhere = (
            known
            and policy["retire_moved_after"]
            and others["newest"]
            and newest < _time.parse_instant(others["newest"]) <= now + 300
        )
        moved = elsewhere and newest < zone.before(now, _time.parse_duration(policy["retire_moved_after"]))
        if not (gone or moved):
            assert tree["vm"]["uuid"] not in found
            continue
        headless = {
            chain["uuid"] for chain in tree["chains"] if chain["backups"] and not restorable([{"chains": [chain]}])
        }
        future = {
            chain["uuid"]
            for chain in tree["chains"]
            for item in chain["backups"]
            if _time.parse_instant(item["created"]) > now + 300
        }
        stays = pinned_chains(tree, policy) | headless | future
        went = {entry["chain"] for entry in vm["backups"] if entry["verdict"] in ("remove", "refused")}
        assert went == {chain["uuid"] for chain in tree["chains"] if chain["backups"]} - stays
        assert [step["action"] for step in vm["remove"]] == ["chain"] * len(vm["remove"])
        permitted = [step["allow_remove_last"] for step in vm["remove"]]
        left = restorable([{"chains": [chain for chain in tree["chains"] if chain["uuid"] not in went]}]) & {
            item["id"] for item in all_backups([tree]) if _time.parse_instant(item["created"]) <= now + 300
        }
        assert permitted == [False] * (len(permitted) - 1) + [bool(gone and not left)] * bool(permitted)


@given(strategies.scenes(), strategies.policies(guards=True), st.booleans())
def test_p23_whatever_is_retired_is_told_as_such(scene, policy, declared):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone, "retire_after": "1d"}
    listed = [{"type": "vm"}] if declared else None
    plan = make_plan(trees, policy, now, retired=listed)
    never = make_plan(trees, {**policy, "retire_moved_after": 0}, now)
    found = retired(plan)
    for tree, vm in zip(trees, plan["vms"]):
        reasons = [
            reason
            for entry in vm["backups"]
            if entry["verdict"] in ("remove", "refused")
            for reason in entry["reasons"]
        ]
        if tree["vm"]["uuid"] in found:
            assert vm["status"] == "retired" or vm["guard"]
            assert {reason["code"] for reason in reasons} == {"retired"}
            assert len({(reason["by"], reason["after"]) for reason in reasons}) == 1
        else:
            assert vm["status"] != "retired"
        if declared and tree["vm"]["registered"]:
            assert [
                one["rule"]
                for one in plan["warnings"]
                if one["code"] == "not_retired" and one["vm"] == tree["vm"]["uuid"]
            ] == ["retired"]
    # Of the other VMs nothing more goes than in a plan that retires nothing; less where a chain of a retired one stays whole.
    assert let_go(plan) - ids_of_vms(trees, found) <= let_go(never)


@given(strategies.scenes(future=False), strategies.policies(), st.sampled_from(["0h", "1h", "3d", "1mo"]))
def test_p24_a_vm_that_will_be_retired_loses_nothing_before_the_instant_that_is_told(scene, policy, after):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone, "retire_after": after}
    listed = [{"name": "vm-{a0}"}]
    told = {
        identity: entry["earliest_removal"]
        for identity, entry in entries(make_plan(trees, policy, now, retired=listed)).items()
    }
    for until in sorted({_time.parse_instant(until) for until in told.values() if until})[:4]:
        for moment in (until - 1, until):
            gone = let_go(make_plan(trees, policy, moment, retired=listed))
            assert not {
                identity for identity in gone if told[identity] and _time.parse_instant(told[identity]) >= moment
            }


@given(strategies.scenes(), strategies.policies(guards=True))
def test_p21_the_digest_covers_what_is_retired_and_not_what_others_have(scene, policy):
    trees, zone, now = scene
    policy = {**policy, "timezone": zone}
    plan = make_plan(trees, policy, now)
    changed = copy.deepcopy(trees)
    for tree in changed:
        if tree.get("others"):
            tree["others"].update(chains=7, backups=70)
    assert make_plan(changed, policy, now)["digest"] == plan["digest"]
    for tree in changed:
        tree["others"] = None
    without = make_plan(changed, policy, now)
    assert (without["digest"] == plan["digest"]) == (retired(without) == retired(plan))
