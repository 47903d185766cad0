"""The compliance check: each finding, its bounds to the second, selectors, orphans, texts, and properties over any inventory."""

import json

import hypothesis
import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance.check import FAIL_ON, FINDINGS, check
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan
from hypothesis import strategies as st

NOW = "2026-11-22T06:00:00Z"
HOUR, DAY = 3600, 86400
NODE = "{7a5ea35e-3766-49c8-854d-851e46d0f9ce}"


def uuid(number):
    return "{00000000-0000-4000-8000-%012d}" % number


def vm(number=1, **more):
    return dict(
        {"uuid": uuid(number), "name": "vm-%d" % number, "type": "vm", "state": "running", "template": False}, **more
    )


def backup(chain, age, number=1, kind=None, node=NODE):
    """A backup of so many seconds ago."""
    identity = uuid(chain) if number == 1 else "%s.%d" % (uuid(chain), number)
    created = _time.format_instant(_time.parse_instant(NOW) - age)
    kind = kind or ("full" if number == 1 else "incremental")
    return {
        "id": identity,
        "type": kind,
        "number": number,
        "created": created,
        "size": 1024,
        "description": "",
        "creator": "root",
        "server_uuid": node,
    }


def tree(*chains, number=1, name=None):
    """Chains are lists of backups."""
    listed = [{"uuid": uuid(1000 * number + place), "backups": backups} for place, backups in enumerate(chains)]
    return {
        "vm": {"uuid": uuid(number), "name": name or "vm-%d" % number, "type": "vm", "storage_version": 5},
        "chains": listed,
    }


def codes(*chains, rpo="1d", vms=None, **more):
    """The findings of one VM with these chains."""
    objective = {"rpo": rpo, **{key: more.pop(key) for key in ("max_chain_length", "max_chain_age") if key in more}}
    result = check(vms or [vm()], [tree(*chains)] if chains else [], objective, NOW, **more)
    return [finding["code"] for finding in result["vms"][0]["findings"]]


def test_a_vm_without_a_backup_was_never_backed_up():
    assert codes() == ["never"]
    assert check([vm()], [tree()], {"rpo": "1d"}, NOW)["vms"][0]["findings"][0]["code"] == "never"


@pytest.mark.parametrize(
    ("age", "expected"), [(0, []), (DAY, []), (DAY + 1, ["rpo"]), (-300, []), (-301, ["future", "not_restorable"])]
)
def test_the_objective_is_inclusive_and_the_clock_may_be_five_minutes_off(age, expected):
    assert sorted(codes([backup(1000, age)])) == sorted(expected)


def test_only_restorable_backups_count():
    broken = [backup(1001, HOUR, number=2)]
    assert codes(broken) == ["not_restorable"]
    assert codes([backup(1000, 2 * DAY)], broken) == ["rpo"]
    assert codes([backup(1000, HOUR)], broken) == []


def test_a_vm_with_only_broken_backups_is_stale_however_new_they_are():
    trees = [tree([backup(1001, HOUR, number=2)], [backup(1002, 0, number=3)])]
    row = check([vm()], trees, {"rpo": "1d"}, NOW)["vms"][0]
    assert row["status"] == "violation" and row["newest"] is None and row["chain"] is None and row["backups"] == 2
    plan = make_plan(trees, {"last": 1, "max_staleness": "1d"}, NOW)
    said = [warning["message"] for warning in plan["warnings"] if warning["code"] == "stale"]
    assert len(said) == 1 and "is of no time: there is none" in said[0] and plan["vms"][0]["remove"] == []


def damaged(number=1, **more):
    return dict({"uuid": uuid(number).upper(), "name": "vm-%d" % number, "message": "The answer is damaged."}, **more)


def test_a_vm_whose_backups_cannot_be_read_is_neither_compliant_nor_without_backups():
    result = check([vm(1), vm(2)], [tree([backup(2000, HOUR)], number=2)], {"rpo": "1d"}, NOW, damaged=[damaged()])
    row = result["vms"][0]
    assert (
        [finding["code"] for finding in row["findings"]] == ["damaged"]
        and row["status"] == "violation"
        and not result["compliant"]
    )
    assert row["backups"] is row["chains"] is row["newest"] is None, "nothing is known"
    assert row["findings"][0]["message"] == "it is not known which backups it has: The answer is damaged."
    assert result["message"] == "1 of 2 VMs and containers do not comply: vm-1 (backups cannot be read)."
    assert result["totals"]["findings"]["damaged"] == 1 and result["totals"]["findings"]["never"] == 0
    assert "backups cannot be read" in "\n".join(result["table"])
    lenient = check([vm(1)], [], {"rpo": "1d"}, NOW, damaged=[damaged()], fail_on=["never"])
    assert lenient["vms"][0]["status"] == "notice" and lenient["compliant"]


def test_nothing_is_concluded_from_a_part_of_the_backups_of_a_vm_that_cannot_be_read():
    for trees in ([tree([backup(1000, HOUR)])], [tree([backup(1000, 9 * DAY)])]):
        row = check([vm()], trees, {"rpo": "1d"}, NOW, damaged=[damaged()])["vms"][0]
        assert [finding["code"] for finding in row["findings"]] == ["damaged"]
    assert check([vm(2)], [tree([backup(1000, HOUR)])], {"rpo": "1d"}, NOW, damaged=[damaged()])["orphans"] == []


def test_a_vm_that_cannot_be_read_and_that_the_node_does_not_list_is_a_finding_of_the_node():
    result = check([vm(2)], [tree([backup(2000, HOUR)], number=2)], {"rpo": "1d"}, NOW, damaged=[damaged(name=None)])
    assert [(finding["code"], finding["severity"]) for finding in result["findings"]] == [("damaged", "violation")]
    assert uuid(1).upper() in result["findings"][0]["message"] and not result["compliant"]
    assert (
        result["message"]
        == "Not everything could be checked: a VM that the node does not list (backups cannot be read)."
    )
    assert result["totals"]["findings"]["damaged"] == 1 and result["totals"]["findings"]["no_vms"] == 0
    assert check(
        [vm(2)],
        [tree([backup(2000, HOUR)], number=2)],
        {"rpo": "1d"},
        NOW,
        damaged=[damaged()],
        exclude=[{"name": "vm-1"}],
    )["compliant"]


def test_a_list_of_damaged_vms_that_is_none_is_refused():
    for wrong, said in (("web", "damaged must be a list"), ([{"name": "web"}], r"damaged\[0\] has no uuid")):
        with pytest.raises(InputError, match=said):
            check([], [], {"rpo": "1d"}, NOW, damaged=wrong)


def test_a_promoted_head_is_a_full():
    assert codes([backup(1000, HOUR, number=3, kind="full"), backup(1000, 0, number=4)]) == []


def test_a_chain_is_the_same_to_compliance_and_to_retention():
    """Of two backups with one number the full is the head, whichever is older."""
    twins = [backup(1000, 2 * HOUR, kind="incremental"), backup(1000, HOUR)]
    twins[0]["id"] = "other"
    trees = [tree(twins)]
    assert check([vm()], trees, {"rpo": "1d"}, NOW)["vms"][0]["newest"]["id"] == twins[1]["id"]
    assert make_plan(trees, {"last": 1}, NOW)["warnings"][1:] == [], "none is broken"


def test_a_backup_of_the_future_hides_nothing():
    assert codes([backup(1000, 2 * DAY)], [backup(1001, -DAY)]) == ["rpo", "future"]


@pytest.mark.parametrize(("length", "expected"), [(3, []), (4, ["full_due"]), (5, ["chain_length", "full_due"])])
def test_chain_length_is_inclusive_and_a_full_is_due_when_the_next_increment_would_break_it(length, expected):
    chain = [backup(1000, DAY - number, number=number) for number in range(1, length + 1)]
    assert codes(chain, max_chain_length=4) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [(6 * DAY, []), (6 * DAY + 1, ["full_due"]), (7 * DAY, ["full_due"]), (7 * DAY + 1, ["chain_age", "full_due"])],
)
def test_chain_age_is_inclusive_and_a_full_is_due_when_the_next_backup_would_find_it_too_old(age, expected):
    assert codes([backup(1000, age), backup(1000, 0, number=2)], rpo="1d", max_chain_age="1w") == expected


def test_the_next_backup_is_due_when_the_objective_is_to_the_second_also_in_mixed_units():
    now, age = "2013-01-17T02:49:50Z", _time.parse_instant(NOW) - _time.parse_instant("2013-01-02T00:00:00Z")
    objective = {
        "rpo": "1mo15d",
        "max_chain_age": "2mo",
    }  # by 2013-03-01T02:49:50Z, when the full is not yet two months old
    assert not check([vm()], [tree([backup(1000, age)])], objective, now)["vms"][0]["full_due"]
    older = [backup(1000, age + DAY)]
    assert check([vm()], [tree(older)], objective, now)["vms"][0]["full_due"]


def test_bounds_of_chains_are_for_the_newest_chain_only():
    old = [backup(1000, 30 * DAY - number, number=number) for number in range(1, 9)]
    assert codes(old, [backup(1001, HOUR)], max_chain_length=4, max_chain_age="1w") == []


def test_without_bounds_chains_may_be_of_any_length_and_age():
    chain = [backup(1000, 900 * DAY - number * DAY, number=number) for number in range(1, 901)]
    assert codes(chain, max_chain_length=0, max_chain_age="") == []


def test_a_vm_whose_uuid_cannot_be_read_is_a_finding():
    result = check([vm(uuid=None, name=None)], [], {"rpo": "1d"}, NOW)
    assert [finding["code"] for finding in result["vms"][0]["findings"]] == ["unreadable"]
    assert result["message"] == "The only VM or container does not comply: (no name) (cannot be read)."


def test_the_first_override_that_fits_counts():
    overrides = [
        {"name": "one", "match": {"name": ["db-*", "x"], "type": "vm"}, "objective": {"rpo": "1h"}},
        {"name": "two", "match": {"name": "db-*"}, "objective": {"rpo": "2h"}},
        {"name": "three", "match": {"uuid": uuid(3).strip("{}").upper()}, "objective": {"max_chain_length": 1}},
        {"name": "four", "match": {"name": "DB-*"}, "objective": {"rpo": "4h"}},
    ]
    vms = [vm(1, name="db-1"), vm(2, name="db-2", type="ct"), vm(3, name="else"), vm(4, name="else")]
    result = check(vms, [], {"rpo": "1d"}, NOW, overrides=overrides)
    assert [(row["group"], row["objective"]["rpo"]) for row in result["vms"]] == [
        ("one", "1h"),
        ("two", "2h"),
        ("three", "1d"),
        ("default", "1d"),
    ]
    assert result["unused"] == ["four"]


def test_exclusions_and_templates_are_left_out_of_vms_and_orphans():
    vms = [vm(1, name="golden", template=True), vm(2, name="scratch-1"), vm(3)]
    orphan = tree([backup(9000, DAY)], number=9, name="scratch-2")
    result = check(
        vms, [orphan, tree([backup(3000, 0)], number=3)], {"rpo": "1d"}, NOW, exclude=[{"name": "scratch-*"}]
    )
    assert [row["status"] for row in result["vms"]] == ["excluded", "excluded", "ok"]
    assert result["orphans"] == [] and result["compliant"]
    assert check(vms, [], {"rpo": "1d"}, NOW, templates=True)["vms"][0]["status"] == "violation"


def test_orphans_are_what_the_node_made_and_no_others():
    mine, other = tree([backup(8000, DAY)], number=8, name="gone"), tree([backup(9000, DAY, node=uuid(77))], number=9)
    result = check([], [mine, other], {"rpo": "1d"}, NOW, node=NODE.strip("{}").upper(), fail_on=[])
    assert [orphan["vm"]["name"] for orphan in result["orphans"]] == ["gone"]
    assert result["totals"]["foreign"] == 1 and result["compliant"]
    assert len(check([], [mine, other], {"rpo": "1d"}, NOW)["orphans"]) == 2
    result = check([], [mine], {"rpo": "1d"}, NOW, node=NODE, fail_on=["orphan"])
    assert not result["compliant"] and result["message"] == "Backups without a VM are left: gone (orphan, 1.0 KiB)."


def test_what_is_a_violation_can_be_chosen():
    assert check([vm()], [], {"rpo": "1d"}, NOW)["vms"][0]["status"] == "violation"
    result = check([vm()], [], {"rpo": "1d"}, NOW, fail_on=[])
    assert result["vms"][0]["status"] == "notice" and result["compliant"]
    assert result["message"] == "The only VM or container meets its objective, with 1 notice."


def test_the_message_names_the_worst_first():
    ages = {1: 2 * DAY, 2: 9 * DAY, 3: 3 * DAY, 4: HOUR, 5: 5 * DAY, 6: 4 * DAY, 7: 6 * DAY}
    trees = [tree([backup(1000 * number, age)], number=number) for number, age in ages.items()]
    result = check([vm(number) for number in range(1, 9)], trees, {"rpo": "1d"}, NOW)
    assert result["message"] == (
        "7 of 8 VMs and containers do not comply: vm-8 (never backed up), vm-2 (newest backup 9 d old, objective 1d), "
        "vm-7 (newest backup 6 d old, objective 1d), vm-5 (newest backup 5 d old, objective 1d), vm-6 (newest backup 4 d old, objective 1d), and 2 more."
    )


def test_nothing_to_check_is_said():
    assert check([], [], {"rpo": "1d"}, NOW, fail_on=[])["message"] == "There is no VM or container to check."
    excluded = check([vm()], [], {"rpo": "1d"}, NOW, exclude=[{"name": "*"}])
    assert (
        excluded["compliant"]
        and excluded["message"] == "There is no VM or container to check."
        and excluded["findings"] == []
    )


def test_a_node_that_shows_nothing_proves_nothing():
    result = check([], [], {"rpo": "1d"}, NOW)
    assert not result["compliant"] and result["totals"]["findings"]["no_vms"] == 1
    assert [(finding["code"], finding["severity"]) for finding in result["findings"]] == [("no_vms", "violation")]
    assert (
        result["message"].startswith("The node shows no VM or container to this login, so nothing could be checked.")
        and "become" in result["message"]
    )
    assert result["table"][2].split() == "FAIL (the node) no VM or container".split()
    allowed = check([], [], {"rpo": "1d"}, NOW, fail_on=sorted(set(FAIL_ON) - {"no_vms"}))
    assert allowed["compliant"] and allowed["findings"][0]["severity"] == "notice"


@pytest.mark.parametrize(
    ("templates", "status"),
    [(False, "excluded"), ("false", "excluded"), ("No", "excluded"), (True, "violation"), ("true", "violation")],
)
def test_a_truth_may_be_a_text(templates, status):
    assert check([vm(template=True)], [], {"rpo": "1d"}, NOW, templates=templates)["vms"][0]["status"] == status


def test_a_name_cannot_draw_on_the_terminal():
    result = check([vm(name="a\x1b[31m\nb\u202e")], [], {"rpo": "1d"}, NOW)
    assert not any(set("\x1b\n\u202e") & set(line) for line in [*result["table"], result["message"]])


def test_a_long_table_leaves_out_what_is_all_right():
    vms = [vm(number) for number in range(1, 101)]
    trees = [tree([backup(1000 * number, 0)], number=number) for number in range(2, 101)]
    table = check(vms, trees, {"rpo": "1d"}, NOW)["table"]
    assert len(table) == 4 and table[2].startswith("FAIL  vm-1") and table[3].startswith("and 99 more")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"objective": {}}, "objective has no rpo"),
        ({"objective": {"rpo": "5m"}}, "objective.rpo: '5m' is ambiguous"),
        ({"objective": {"rpo": "0h"}}, "objective.rpo is nothing"),
        ({"objective": {"rp": "1d"}}, "objective has an unknown key 'rp'; did you mean rpo?"),
        ({"objective": 26}, "objective must be a duration such as 26h, or a dictionary"),
        ({"objective": {"rpo": "1d", "max_chain_length": -1}}, "objective.max_chain_length is -1"),
        (
            {"overrides": [{"match": {}, "objective": {"rpo": "1d"}}]},
            "overrides[0].match is empty and would fit every VM",
        ),
        ({"overrides": [{"match": {"name": "a"}}]}, "overrides[0] has no objective"),
        ({"overrides": [{"match": {"nam": "a"}, "objective": {"rpo": "1d"}}]}, "unknown key 'nam'; did you mean name?"),
        ({"exclude": [{"type": "lxc"}]}, "exclude[0].type is 'lxc'"),
        ({"exclude": [{"name": None}]}, "exclude[0] is empty and would fit every VM"),
        ({"exclude": [{"description": "x"}]}, "exclude[0] has an unknown key 'description'"),
        ({"fail_on": ["rp0"]}, "fail_on has 'rp0'"),
        ({"templates": "perhaps"}, "templates is 'perhaps'; it must be true or false"),
        ({"now": "yesterday"}, "now: 'yesterday' is not an instant"),
        ({"vms": {"vms": []}}, "give the vms of the result, not the whole result"),
        ({"vms": [{"name": "a"}]}, "vms[0] has no uuid"),
        ({"backup_trees": [dict(tree(), omitted=3)]}, "leaves out 3 backups"),
    ],
)
def test_bad_input_is_named(more, message):
    with pytest.raises(InputError) as caught:
        check(**{**{"vms": [vm()], "backup_trees": [], "objective": {"rpo": "1d"}, "now": NOW}, **more})
    assert message in str(caught.value)


ages = st.integers(-DAY, 40 * DAY)
strategies = st.lists(st.lists(ages, min_size=1, max_size=5), max_size=4)


def grown(forest, number=1):
    """Chains of the ages, oldest first; every third one without its full."""
    return tree(
        *[
            [
                backup(1000 * number + place, age, number=rank + (2 if place % 3 == 2 else 1))
                for rank, age in enumerate(sorted(chain, reverse=True))
            ]
            for place, chain in enumerate(forest)
        ],
        number=number,
    )


@pytest.mark.property
@hypothesis.given(strategies, st.integers(1, 60 * 24))
def test_a_longer_objective_never_finds_more(forest, minutes):
    strict, lax = (
        {"rpo": "%dmin" % length, "max_chain_age": "%dh" % (length * 3)} for length in (minutes, 2 * minutes)
    )
    found = [
        {f["code"] for f in check([vm()], [grown(forest)], objective, NOW)["vms"][0]["findings"]}
        for objective in (strict, lax)
    ]
    assert found[1] - {"full_due"} <= found[0]


@pytest.mark.property
@hypothesis.given(strategies)
def test_a_fresh_full_puts_everything_right_but_clocks(forest):
    full = [backup(999, 0)]
    trees = grown(forest)
    trees["chains"].append({"uuid": uuid(999), "backups": full})
    objective = {"rpo": "1h", "max_chain_length": 2, "max_chain_age": "1d"}
    found = [f["code"] for f in check([vm()], [trees], objective, NOW)["vms"][0]["findings"]]
    assert set(found) <= {"future", "chain_age", "chain_length", "full_due"}
    if all(age >= 0 for chain in forest for age in chain):
        assert found in ([], ["full_due"]) or min(age for chain in forest for age in chain) == 0


@pytest.mark.property
@hypothesis.given(
    st.lists(st.lists(st.lists(ages, min_size=1, max_size=3), max_size=3), max_size=3),
    st.sets(st.sampled_from(FINDINGS)),
)
def test_counts_add_up_order_does_not_matter_and_vms_do_not_affect_each_other(inventory, fail_on):
    vms = [vm(number) for number in range(1, len(inventory) + 1)]
    trees = [grown(forest, number) for number, forest in enumerate(inventory, 1)]
    result = check(vms, trees, {"rpo": "1d", "max_chain_length": 3}, NOW, fail_on=sorted(fail_on))
    assert sum(result["totals"]["status"].values()) == len(vms) == result["totals"]["vms"]
    assert result["compliant"] == (
        result["totals"]["status"]["violation"] == 0 and (bool(vms) or "no_vms" not in fail_on)
    )
    assert check(vms, trees[::-1], {"rpo": "1d", "max_chain_length": 3}, NOW, fail_on=sorted(fail_on)) == result
    for machine, row in list(zip(vms, result["vms"]))[:1]:
        (alone,) = check(
            [machine], trees, {"rpo": "1d", "max_chain_length": 3}, NOW, fail_on=sorted(fail_on), node=uuid(5)
        )["vms"]
        assert alone == row
    assert json.loads(json.dumps(result)) == result


@pytest.mark.property
@hypothesis.given(strategies, st.integers(0, 3600))
def test_time_passing_changes_nothing_until_a_bound_is_passed(forest, seconds):
    """What goes into the files for CI is the same as long as the findings are the same."""
    later = _time.format_instant(_time.parse_instant(NOW) + seconds)
    before, after = (check([vm()], [grown(forest)], {"rpo": "1d"}, now)["vms"][0] for now in (NOW, later))
    if [f["code"] for f in before["findings"]] == [f["code"] for f in after["findings"]] and all(
        age >= 0 for chain in forest for age in chain
    ):
        assert before == after


def test_the_default_violations_are_findings():
    assert set(FAIL_ON) < set(FINDINGS)


def test_a_new_vm_need_not_have_a_backup_until_its_grace_ends():
    until = {uuid(1).strip("{}"): _time.parse_instant(NOW) + 1}
    result = check([vm(1), vm(2)], [], {"rpo": "1d"}, NOW, new_until=until)
    assert [[finding["code"] for finding in one["findings"]] for one in result["vms"]] == [["new"], ["never"]]
    assert [one["status"] for one in result["vms"]] == ["notice", "violation"] and result["totals"]["findings"][
        "new"
    ] == 1
    assert codes(new_until={uuid(1).strip("{}"): _time.parse_instant(NOW)}) == ["never"], "its grace is over"
    assert codes([backup(1000, 2 * DAY)], new_until=until) == ["rpo"], "who has backups is not new"


def test_the_state_of_a_vm_chooses_its_objective_and_leaves_it_out():
    machines = [vm(1, state="stopped"), vm(2, state="running"), vm(3, state=None)]
    trees = [tree([backup(1000, 3 * DAY)], number=number) for number in (1, 2, 3)]
    overrides = [{"name": "off", "match": {"state": ["stopped", "suspended"]}, "objective": {"rpo": "1w"}}]
    result = check(machines, trees, "1d", NOW, overrides=overrides)
    assert [(one["group"], one["status"]) for one in result["vms"]] == [
        ("off", "ok"),
        ("default", "violation"),
        ("default", "violation"),
    ]
    result = check(machines, trees, "1d", NOW, exclude=[{"state": "running"}])
    assert [one["status"] for one in result["vms"]] == ["violation", "excluded", "violation"]
    orphaned = check([], trees, "1d", NOW, exclude=[{"state": "stopped"}])
    assert len(orphaned["orphans"]) == 3, "the state of a VM that is gone is not known"
