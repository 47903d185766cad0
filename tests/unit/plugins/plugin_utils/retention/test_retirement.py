# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs that have moved or were declared gone: what goes of them, when, and what is said where it does not."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.plan import plan_lines
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.summary import conclude

from .strategies import DAY, backup, chain, entries, kept, tree

NOW = _time.parse_instant("2026-11-22T06:00:00Z")
#: Nothing but the retirement removes anything.
POLICY = {"last": "all", "retire_moved_after": "7d"}
GONE = [{"name": "web"}]


def vm(*ages, others=0, registered=False, pinned=(), prefix="c", **more):
    """A VM with a chain of two for each age in days; ``others``: how old the newest backup of another node is."""
    chains = []
    for number, age in enumerate(ages):
        name, text = "{%s%d}" % (prefix, number), "keep" if number in pinned else ""
        chains.append(
            chain(name, backup(name, 1, NOW - (age + 1) * DAY, description=text), backup(name, 2, NOW - age * DAY))
        )
    one = tree(*chains, **more)
    one["vm"]["registered"] = registered
    one["others"] = (
        None if others is None else {"chains": 1, "backups": 2, "newest": _time.format_instant(NOW - others * DAY)}
    )
    return one


def planned(*trees, policy=None, **more):
    return make_plans(list(trees), {**POLICY, **(policy or {})}, NOW, **more)


def status(plan):
    return [one["status"] for one in plan["vms"]]


def test_a_vm_that_lives_elsewhere_goes_whole_oldest_chain_first_and_only_beside_backups_of_another_node():
    plan = planned(vm(30, 20, 10))
    assert status(plan) == ["retired"] and not kept(plan)
    assert [(step["id"], step["action"], step["allow_remove_last"]) for step in plan["remove"]] == [
        ("{c0}", "chain", False),
        ("{c1}", "chain", False),
        ("{c2}", "chain", False),
    ]
    assert all(
        entry["reasons"] == [{"code": "retired", "by": "moved", "after": "7d"}] for entry in entries(plan).values()
    )
    assert plan["totals"]["vms"] == {"nothing": 0, "planned": 0, "retired": 1, "refused": 0}
    assert plan["vms"][0]["full_due"] == {"freed": 0, "chains": []}


def test_a_vm_that_is_declared_gone_goes_whole_and_only_its_last_chain_may_be_the_last():
    plan = planned(vm(60, 50, 40, others=50), retired=GONE)
    assert status(plan) == ["retired"]
    assert [(step["id"], step["allow_remove_last"]) for step in plan["remove"]] == [
        ("{c0}", False),
        ("{c1}", False),
        ("{c2}", True),
    ]
    assert entries(plan)["{c2}"]["reasons"] == [{"code": "retired", "by": "declared", "after": "30d"}]


def test_what_a_person_has_declared_counts_before_what_is_seen():
    for after in ("1h", "7d", "39d"):
        plan = planned(vm(50, 40), retired=GONE, policy={"retire_moved_after": after})
        assert entries(plan)["{c1}"]["reasons"] == [{"code": "retired", "by": "declared", "after": "30d"}]
        assert [step["allow_remove_last"] for step in plan["remove"]] == [False, True]


@pytest.mark.parametrize(
    "one, more",
    [
        (vm(10, registered=True), {}),
        (vm(10, registered=None), {}),
        (vm(10, others=None), {}),
        (vm(10, others=10), {}),  # of the same second: nobody knows where it lives
        (vm(10, others=11), {}),
        (vm(10, others=-1), {}),  # from the future: that clock tells nothing
        (vm(7), {}),  # exactly as old as it may be
        (vm(10), {"policy": {"retire_moved_after": 0}}),
        (vm(10), {"policy": {"retire_moved_after": "0h"}}),
        (vm(10), {"policy": {"retire_moved_after": "11d"}}),
        (vm(10), {"exclude": GONE}),
        (vm(40, others=50, registered=True), {"retired": GONE}),
        (vm(40, others=50, registered=None), {"retired": GONE}),
        (vm(40, others=None), {"retired": GONE}),
        (vm(30, others=50), {"retired": GONE}),
        (vm(40, others=50), {"retired": [{"name": "Web"}]}),
        (vm(40, others=50), {"retired": GONE, "policy": {"retire_after": "41d"}}),
    ],
)
def test_nothing_is_retired_on_a_guess_nor_too_early(one, more):
    plan = planned(one, **more)
    assert "retired" not in status(plan) and not plan["remove"]


def test_the_backup_of_no_other_node_has_a_newest_one():
    one = vm(10)
    one["others"] = {"chains": 0, "backups": 0, "newest": None}
    assert status(planned(one)) == ["nothing"]


@pytest.mark.parametrize("after", ["0h", "1h", "10d"])
def test_it_goes_one_second_after_the_last_one_at_which_it_may_not(after):
    trees = [vm(3, others=50)]
    (told,) = {
        entry["earliest_removal"]
        for entry in entries(planned(*trees, retired=GONE, policy={"retire_after": "10d"})).values()
    }
    assert told == _time.format_instant(NOW + 7 * DAY)
    newest = NOW - 3 * DAY
    last = {"0h": newest, "1h": newest + 3600, "10d": newest + 10 * DAY}[after]
    policy = {**POLICY, "retire_after": after}
    assert not make_plans(trees, policy, last, retired=GONE)["remove"]
    assert make_plans(trees, policy, last + 1, retired=GONE)["remove"]


def test_a_pinned_chain_stays_whole_and_so_does_what_cannot_be_judged():
    one = vm(50, 45, 40, others=50, pinned=[1])
    one["chains"].append(chain("{broken}", backup("{broken}", 2, NOW - 100 * DAY)))
    one["chains"].append(chain("{future}", backup("{future}", 1, NOW - 90 * DAY), backup("{future}", 2, NOW + DAY)))
    plan = planned(
        one,
        retired=GONE,
        policy={
            "pin_pattern": "keep",
            "tails": "remove",
            "merge": "allow",
            "remove_broken": True,
            "max_broken_chains": 1,
        },
    )
    assert kept(plan) == {"{c1}", "{c1}.2", "{broken}.2", "{future}", "{future}.2"}
    assert [(step["id"], step["action"], step["allow_remove_last"]) for step in plan["remove"]] == [
        ("{c0}", "chain", False),
        ("{c2}", "chain", False),
    ]
    assert {warning["code"] for warning in plan["warnings"]} == {"broken", "future"}


def test_a_pin_with_a_date_holds_its_chain_until_it_ends():
    one = vm(50, 40, others=50)
    one["chains"][1]["backups"][0]["description"] = "until 2026-12-24"
    policy = {"pin_until_pattern": "until (.*)", "timezone": "UTC"}
    plan = planned(one, retired=GONE, policy=policy)
    assert kept(plan) == {"{c1}", "{c1}.2"} and entries(plan)["{c1}"]["earliest_removal"] == "2026-12-24T23:59:59Z"
    later = make_plans([one], {**POLICY, **policy}, _time.parse_instant("2026-12-25T00:00:00Z"), retired=GONE)
    assert not kept(later)


def test_what_will_keep_a_chain_of_a_vm_that_will_be_retired_is_foreseen():
    one = vm(50, 48, 40, others=50, pinned=[0])
    one["chains"][1]["backups"][0]["description"] = "until 2026-12-24"
    one["chains"].append(chain("{future}", backup("{future}", 1, NOW - 45 * DAY), backup("{future}", 2, NOW + DAY)))
    policy = {"pin_pattern": "keep", "pin_until_pattern": "until (.*)", "timezone": "UTC", "retire_after": "45d"}
    told = {
        entry["chain"]: entry["earliest_removal"]
        for entry in planned(one, retired=GONE, policy=policy)["vms"][0]["backups"]
    }
    assert told == {
        "{c0}": None,
        "{c1}": "2026-12-24T23:59:59Z",
        "{c2}": _time.format_instant(NOW + 5 * DAY),
        "{future}": None,
    }


@pytest.mark.parametrize(
    "guards, refused",
    [
        ({"max_remove": 1}, False),
        ({"max_remove_share": 0.1, "max_remove_floor": 0}, False),
        ({"min_chains": 2}, False),
        ({"max_staleness": "1d"}, False),
        ({"max_remove_total": 5}, True),
        ({"max_remove_total": 6}, False),
    ],
)
def test_of_the_guards_only_those_that_notice_wrong_data_or_count_the_run_protect_it(guards, refused):
    plan = planned(vm(60, 50, 40, others=50), retired=GONE, limits=guards)
    assert status(plan) == ["refused" if refused else "retired"]
    if refused:
        assert plan["refusals"][0]["backups"] == 6 and not plan["remove"]


def test_a_broken_chain_refuses_it_as_any_other():
    one = vm(50, 40, others=50)
    one["chains"].append(chain("{broken}", backup("{broken}", 2, NOW - 100 * DAY)))
    assert planned(one, retired=GONE)["vms"][0]["guard"]["name"] == "max_broken_chains"


@pytest.mark.parametrize(
    "one, told",
    [
        (vm(40, registered=True), "which is registered"),
        (vm(40, registered=None), "gather with owner"),
        (vm(40, others=None), "gather with owner"),
    ],
)
def test_why_a_declared_vm_is_not_retired_is_said(one, told):
    (warning,) = [
        each
        for each in planned(one, retired=GONE, policy={"retire_moved_after": 0})["warnings"]
        if each["code"] == "not_retired"
    ]
    assert warning["rule"] == "retired" and warning["vm"] == "{a1}" and told in warning["message"]


def test_trees_that_can_tell_of_no_vm_whether_it_moved_are_warned_of_once():
    trees = [vm(40, others=None), vm(40, others=None, name="db", uuid="{a2}", prefix="d")]
    warnings = [each["rule"] for each in planned(*trees)["warnings"] if each["code"] == "not_retired"]
    assert warnings == ["retire_moved_after"]
    assert not [each for each in planned(vm(3), trees[1])["warnings"] if each["code"] == "not_retired"]


def test_an_entry_that_fits_no_vm_is_unused():
    assert planned(vm(10), retired=[{"name": "wbe"}])["unused"] == ["retired name=wbe"]


def test_the_decision_is_in_the_digest_and_a_plan_of_a_retired_vm_is_confirmed_with_it():
    declared, not_declared = planned(vm(40, others=50), retired=GONE), planned(vm(40, others=50))
    assert declared["digest"] != not_declared["digest"]
    changed = vm(10)
    changed["others"]["backups"] = 9
    assert (
        planned(changed)["digest"]
        == planned(vm(10))["digest"]
        != planned(vm(10), policy={"retire_moved_after": "20d"})["digest"]
    )


def test_two_trees_of_one_vm_know_less_of_the_others():
    one, again = vm(10), vm(9)
    again["chains"][0].update(uuid="{other}", backups=[backup("{other}", 1, NOW - 20 * DAY)])
    assert status(planned(one, again)) == ["nothing"]


@pytest.mark.parametrize(
    "change, told",
    [
        ({"others": 3}, "others must be a dictionary"),
        ({"others": {}}, "has no chains"),
        ({"others": {"chains": 1, "backups": -1, "newest": None}}, "backups is -1"),
        ({"others": {"chains": 1, "backups": 1, "newest": "soon"}}, "others: newest"),
        ({"vm": {**vm(1)["vm"], "registered": "no"}}, "registered is 'no'"),
    ],
)
def test_what_is_wrong_with_a_tree_is_named(change, told):
    one = copy.deepcopy(vm(10))
    one.update(change)
    with pytest.raises(InputError, match=told):
        planned(one)


def test_the_terminal_and_the_result_in_words_name_what_is_retired():
    plan = planned(
        vm(40, others=50), vm(1, others=50, name="db", uuid="{a2}", registered=True, prefix="d"), retired=GONE
    )
    text = "\n".join(plan_lines(plan, "all"))
    assert (
        "web (vm): RETIRED, keep 0, remove 2" in text
        and "its VM is declared gone, and its newest backup here is older than 30d" in text
    )
    assert "retired       2        20 B  of 1 VM: web" in text
    assert "2 backups of 1 VM (20 B; retired: web) would be removed" in conclude(plan, "planned")
    assert plan_lines(plan, "vms")[1].endswith("retired")
