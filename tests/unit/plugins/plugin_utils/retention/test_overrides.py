"""One plan for VMs with different policies."""

from __future__ import annotations

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.verify import verify_plan
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.plan import plan_lines

NOW = "2026-11-22T06:00:00Z"
POLICY = {"last": 1, "grace": "0h", "max_remove_share": 1.0}


def tree(name, months=6, kind="vm", description="monthly"):
    chains = [
        {
            "uuid": "{%s-%d}" % (name, month),
            "backups": [
                {
                    "id": "{%s-%d}" % (name, month),
                    "type": "full",
                    "number": 1,
                    "created": "2026-%02d-01T03:00:00Z" % month,
                    "size": 1000,
                    "description": description,
                    "creator": "root",
                    "server_uuid": "{s}",
                }
            ],
        }
        for month in range(1, months + 1)
    ]
    return {
        "vm": {"uuid": "{%s}" % name.upper(), "name": name, "type": kind, "storage_version": 5},
        "omitted": 0,
        "chains": chains,
    }


def kept(plan):
    return {vm["vm"]["name"]: vm["counts"]["keep"] for vm in plan["vms"]}


def test_with_one_policy_the_plan_is_that_of_retention_plan():
    trees = [tree("a"), tree("b")]
    alone, grouped = make_plan(trees, POLICY, NOW), make_plans(trees, POLICY, NOW)
    differ = ("vms", "digest")
    assert {key: grouped[key] for key in alone if key not in differ} == {
        key: alone[key] for key in alone if key not in differ
    }
    assert grouped["groups"][0]["digest"] == alone["digest"]
    assert [{key: vm[key] for key in vm if key != "group"} for vm in grouped["vms"]] == alone["vms"]
    assert [step["vm"] for step in grouped["remove"]] == ["{A}"] * 5 + ["{B}"] * 5


@pytest.mark.parametrize(
    "match, fits",
    [
        ({"name": "db-*"}, {"db-1", "db-2"}),
        ({"name": ["db-1", "web"]}, {"db-1", "web"}),
        ({"name": "DB-*"}, set()),
        ({"uuid": "db-1"}, {"db-1"}),
        ({"uuid": ["{WEB}"]}, {"web"}),
        ({"type": "ct"}, {"web"}),
        ({"description": "gold*"}, {"db-2"}),
        ({"name": "db-*", "description": "gold*"}, {"db-2"}),
        ({"name": "web", "uuid": None}, {"web"}),
    ],
)
def test_a_vm_fits_by_every_key_and_any_value(match, fits):
    trees = [tree("db-1"), tree("db-2", description="gold plan"), tree("web", kind="ct")]
    plan = make_plans(trees, POLICY, NOW, [{"name": "more", "match": match, "policy": {"last": 3}}])
    assert {vm["vm"]["name"] for vm in plan["vms"] if vm["group"] == "more"} == fits
    assert all(count == (3 if name in fits else 1) for name, count in kept(plan).items())


def test_the_first_override_wins_exclusions_win_over_all_and_an_override_lies_over_the_default():
    overrides = [
        {"name": "first", "match": {"name": "a*"}, "policy": {"last": 2}},
        {"name": "second", "match": {"name": "*"}, "policy": {"last": 3, "min_restorable": 4}},
    ]
    plan = make_plans([tree("a"), tree("b"), tree("ax")], POLICY, NOW, overrides, [{"name": "ax"}])
    assert kept(plan) == {"a": 2, "b": 4}
    assert [one["vm"]["name"] for one in plan["excluded"]] == ["ax"]
    assert plan["groups"][1]["policy"]["grace"] == plan["policy"]["grace"]


def test_max_remove_total_counts_all_groups():
    overrides = [{"name": "one", "match": {"name": "a"}, "policy": {"last": 2}}]
    plan = make_plans([tree("a"), tree("b")], dict(POLICY, max_remove_total=8), NOW, overrides)
    assert {vm["status"] for vm in plan["vms"]} == {"refused"} and plan["remove"] == []
    assert plan["refusals"][0]["guard"] == "max_remove_total" and plan["refusals"][0]["allow"] == 9
    assert (
        make_plans(
            [tree("a"), tree("b")], dict(POLICY, max_remove_total=8), NOW, overrides, limits={"max_remove_total": 9}
        )["refusals"]
        == []
    )


def test_guards_for_one_run_lie_over_every_policy():
    trees = [tree("a"), tree("b")]
    overrides = [{"name": "one", "match": {"name": "a"}, "policy": {"max_remove": 2}}]
    refused = make_plans(trees, dict(POLICY, max_remove=1), NOW, overrides)
    assert [refusal["vms"] for refusal in refused["refusals"]] == [["a", "b"]]
    assert make_plans(trees, dict(POLICY, max_remove=1), NOW, overrides, limits={"max_remove": 5})["refusals"] == []


def test_the_digest_knows_every_group_and_no_excluded_vm():
    overrides = [{"name": "one", "match": {"name": "a"}, "policy": {"last": 2}}]
    digest = make_plans([tree("a"), tree("b"), tree("x")], POLICY, NOW, overrides, [{"name": "x"}])["digest"]
    assert digest == make_plans([tree("x", 3), tree("b"), tree("a")], POLICY, NOW, overrides, [{"name": "x"}])["digest"]
    assert digest != make_plans([tree("a", 5), tree("b"), tree("x")], POLICY, NOW, overrides, [{"name": "x"}])["digest"]
    assert digest != make_plans([tree("a"), tree("b", 5), tree("x")], POLICY, NOW, overrides, [{"name": "x"}])["digest"]


def test_the_digest_of_a_day_is_another_one_once_another_backup_may_go():
    trees, policy = [tree("a")], dict(POLICY, grace="34d5h")  # the backup of 1 May 03:00 leaves it at 08:00
    times = ["2026-06-04T06:00:00Z", "2026-06-04T08:00:00Z", "2026-06-04T08:00:01Z"]
    early, late, later = (make_plans(trees, policy, now) for now in times)
    assert [len(plan["remove"]) for plan in (early, late, later)] == [4, 4, 5]
    assert early["digest"] == late["digest"] != later["digest"]
    assert len({make_plan(trees, policy, now)["digest"] for now in times}) == 1, "which is why"


def test_the_digest_knows_what_a_guard_kept_from_going():
    trees, policy = [tree("a")], dict(POLICY, max_staleness="1mo3d3h")
    early, late = (make_plans(trees, policy, now) for now in ("2026-07-04T06:00:00Z", "2026-07-04T06:00:01Z"))
    assert [len(plan["remove"]) for plan in (early, late)] == [5, 0] and early["digest"] != late["digest"]


@pytest.mark.parametrize(
    "overrides, exclude, limits, says",
    [
        ({}, None, None, "overrides must be a list"),
        ([{"policy": {}}], None, None, r"overrides\[0\] has no match"),
        ([{"match": {"nmae": "x"}, "policy": {}}], None, None, "did you mean name"),
        ([{"match": {"name": 7}, "policy": {}}], None, None, "must be a text or a list of texts"),
        ([{"match": {"type": "vps"}, "policy": {}}], None, None, "must be vm or ct"),
        ([{"name": "default", "match": {"name": "x"}, "policy": {}}], None, None, "has this name already"),
        (
            [{"name": "db", "match": {"name": "x"}, "policy": {"dayly": 1}}],
            None,
            None,
            r"overrides\[0\] \(db\): the policy has an unknown key",
        ),
        (None, [{}], None, r"exclude\[0\] is empty and would fit every VM"),
        (None, [{"name": None}], None, r"exclude\[0\] is empty and would fit every VM"),
        (None, None, {"daily": 1}, "guards has an unknown key 'daily'; known are max_remove,"),
    ],
)
def test_what_cannot_be_used_is_named(overrides, exclude, limits, says):
    with pytest.raises(InputError, match=says):
        make_plans([], POLICY, NOW, overrides, exclude, limits=limits)


def test_the_outcome_names_what_is_left_and_what_is_missing_by_id_and_time():
    plan = make_plans([tree("a")], POLICY, NOW)
    after = tree("a")
    after["chains"] = [after["chains"][0]]
    assert [one["id"] for one in verify_plan(plan, [after])["left"]] == ["{a-1}"]
    assert [one["id"] for one in verify_plan(plan, [after])["missing"]] == ["{a-6}"]
    after["chains"][0]["backups"][0]["created"] = "2026-11-22T05:00:00Z"
    assert verify_plan(plan, [after])["left"] == [] and verify_plan(plan, [after])["new"] == 1


@pytest.mark.parametrize("detail", ["auto", "all", "removals", "vms", "totals"])
def test_the_text_shows_what_goes_and_no_control_characters(detail):
    lines = plan_lines(make_plans([tree("a\x1b[31m"), tree("b")], POLICY, NOW), detail)
    text = "\n".join(lines)
    assert "\x1b" not in text and "remove       10" in text
    assert ("{b-5}" in text) == (detail in ("auto", "all", "removals"))


def test_the_text_of_a_refused_vm_shows_the_guard_and_what_would_go():
    text = "\n".join(plan_lines(make_plans([tree("a")], dict(POLICY, max_remove=2), NOW), "removals"))
    assert "guard max_remove: 5 backups would be removed, the limit is 2" in text and text.count("refused ") >= 5


def test_a_warning_about_one_policy_names_it_and_one_about_all_does_not():
    """``daily: 30`` makes ``weekly: 4`` idle, and the default's ``daily: 7`` does not: whoever dropped the weekly rule there would lose restore points."""
    policy = {"timezone": "UTC", "daily": 7, "weekly": 4}
    trees = [tree("db-1"), tree("web")]

    def messages(default, override):
        plan = make_plans(trees, default, NOW, [{"name": "databases", "match": {"name": "db-*"}, "policy": override}])
        return [warning["message"] for warning in plan["warnings"] if warning["code"] == "implied"]

    (told,) = messages(policy, {"daily": 30})
    assert told == "override databases: weekly 4 changes nothing there, daily 30 keeps all of it"
    (told,) = messages(dict(policy, daily=30), {"daily": 7})
    assert told == "the default policy: weekly 4 changes nothing there, daily 30 keeps all of it"
    (told,) = messages(dict(policy, daily=30), {"monthly": 12})
    assert told == "weekly 4 changes nothing, daily 30 keeps all of it", "it is true of both"


def test_a_warning_about_the_only_override_that_has_vms_names_it():
    """The default policy has no VM, and whoever took the warning for its own would lose restore points of the next one."""
    override = {"name": "databases", "match": {"name": "db-*"}, "policy": {"daily": 30}}
    plan = make_plans([tree("db-1")], {"timezone": "UTC", "daily": 7, "weekly": 4}, NOW, [override])
    (told,) = [warning["message"] for warning in plan["warnings"] if warning["code"] == "implied"]
    assert told == "override databases: weekly 4 changes nothing there, daily 30 keeps all of it"


def test_an_override_without_a_name_is_called_by_its_number_and_what_it_fits():
    plan = make_plans([tree("web")], POLICY, NOW, [{"match": {"name": ["db-*", "sql-*"], "type": "vm"}, "policy": {}}])
    assert [group["name"] for group in plan["groups"]] == ["override 1 (name db-* sql-*, type vm)", "default"]
    assert plan["unused"] == ["override 1 (name db-* sql-*, type vm)"]


def test_a_mistake_in_the_default_policy_is_not_blamed_on_an_override():
    overrides = [{"name": "databases", "match": {"name": "db-*"}, "policy": {"daily": 30}}]
    with pytest.raises(InputError) as told:
        make_plans([], {**POLICY, "dayly": 7}, NOW, overrides)
    assert str(told.value) == "the policy has an unknown key 'dayly'; did you mean daily?"
    with pytest.raises(InputError) as told:
        make_plans([], POLICY, NOW, [{**overrides[0], "policy": {"dayly": 30}}])
    assert str(told.value).startswith("overrides[0] (databases): the policy has an unknown key 'dayly'")


@pytest.mark.parametrize("option", ["exclude", "retired"])
def test_a_plain_text_is_a_glob_for_names(option):
    trees = [tree(name, 1) for name in ("test-1", "web-1")]
    told = [make_plans(trees, POLICY, NOW, **{option: entries}) for entries in (["test-*"], [{"name": "test-*"}])]
    assert told[0] == told[1]
    if option == "exclude":
        assert [one["vm"]["name"] for one in told[0]["excluded"]] == ["test-1"]
    else:
        warned = [one["message"] for one in told[0]["warnings"] if one["code"] == "not_retired"]
        assert len(warned) == 1 and "test-1" in warned[0], "it is meant, and not known to be gone"
    with pytest.raises(InputError):
        make_plans(trees, POLICY, NOW, **{option: [""]})
