# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users of the two filters see: plain data, and errors that name what is wrong and what is allowed."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.action.prl_backup_prune import ENTRY
from ansible_collections.prlsdk.core.plugins.doc_fragments import retention
from ansible_collections.prlsdk.core.plugins.filter import retention_plan as documented_filter
from ansible_collections.prlsdk.core.plugins.filter.backup_list import FilterModule as BackupList
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable
from ansible_collections.prlsdk.core.plugins.modules import prl_backup
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import policy as policies
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.rules import RULES
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.plan import plan_lines
from jinja2 import Undefined

retention_plan = documented_filter.FilterModule().filters()["retention_plan"]
backup_list = BackupList().filters()["backup_list"]

FULL = {
    "id": "{c}",
    "type": "full",
    "number": 1,
    "created": "2026-09-13T03:00:02Z",
    "size": 5,
    "description": "",
    "creator": "root",
    "server_uuid": "{s}",
}
PART = {
    **FULL,
    "id": "{c}.2",
    "type": "incremental",
    "number": 2,
    "created": "2026-09-14T03:00:02Z",
    "disks": [{"name": "hdd0", "size": 1}],
}
VM = {"uuid": "{v}", "name": "web", "type": "vm", "storage_version": 5, "registered": True}


def trees(*backups, **more):
    return [
        {
            "vm": VM,
            "omitted": 0,
            "chains": [{"uuid": "{c}", "size": 5, "directory": "/backups/web", "backups": list(backups)}],
            **more,
        }
    ]


def without(backup, key):
    return {name: value for name, value in backup.items() if name != key}


@pytest.mark.parametrize(
    "policy, says",
    [
        ({"dayly": 7}, "the policy has an unknown key 'dayly'; did you mean daily?"),
        ({"within_dialy": "7d"}, "did you mean within_daily?"),
        ({7: 7}, "the policy has an unknown key 7"),
        ({}, "at least one rule is needed"),
        ({"grace": "1d"}, "at least one rule is needed"),
        ({"daily": 0, "timezone": "UTC"}, "at least one rule is needed"),
        ({"daily": 7}, "timezone is missing: daily needs it"),
        ({"daily": 7, "timezone": "Berlin"}, "timezone is 'Berlin'; it must be an IANA name"),
        ({"daily": 7, "timezone": 1}, "timezone is 1; it must be an IANA name"),
        ({"last": "seven"}, "last is 'seven'; it must be a whole number, 0 or more, or all"),
        ({"last": -1}, "last is -1; it must be a whole number"),
        ({"last": 1.5}, "last is 1.5; it must be a whole number"),
        ({"last": True}, "last is True; it must be a whole number"),
        ({"last": [3]}, r"last is \[3\]; it must be a whole number"),
        ({"within": {"duration": "3d"}}, "it must be a duration"),
        ({"daily": {"cuont": 3}}, "daily has an unknown key 'cuont'; did you mean count?"),
        ({"daily": {"of": "full"}}, "daily has no count"),
        ({"last": {"count": 1, "of": "fulls"}}, "last.of is 'fulls'; it must be one of any, full"),
        ({"last": {"count": 1, "pick": "newest"}}, "last has an unknown key 'pick'; known are count, of"),
        ({"last": {"of": "full"}}, "last has no count"),
        ({"chains": {"count": 1}}, "chains is {'count': 1}; it must be a number"),
        ({"within": {"duration": "1d"}}, "within is {'duration': '1d'}; it must be a duration"),
        ({"daily": {"count": "x"}}, "daily.count is 'x'; it must be a whole number"),
        ({"daily": {"count": 1, "of": "fulls"}}, "daily.of is 'fulls'; it must be one of any, full"),
        ({"daily": {"count": 1, "pick": "latest"}}, "daily.pick is 'latest'; it must be one of newest, oldest"),
        (
            {"within_daily": {"duration": "7d", "pick": "oldest"}},
            "within_daily.pick is 'oldest', which goes with a count only",
        ),
        ({"within": 7}, "within: 7 is ambiguous as a duration: say of what"),
        ({"within": "6m"}, "within: '6m' is ambiguous as a duration"),
        ({"within": False}, "within: False is not a duration"),
        ({"last": 1, "grace": "soon"}, "grace: 'soon' is not a duration"),
        ({"last": 1, "anchor": "oldest"}, "anchor is 'oldest'; it must be one of newest, now"),
        ({"last": 1, "keep_oldest": "perhaps"}, "keep_oldest is 'perhaps'; it must be true or false"),
        ({"last": 1, "day_start": "6:00"}, "day_start is '6:00'; it must be a time of day"),
        ({"last": 1, "day_start": 750}, "write it in quotes"),
        ({"last": 1, "pins": {"a": 1}}, "pins is {'a': 1}; it must be a list of backup ids"),
        ({"last": 1, "pins": [7]}, r"pins is \[7\]; it must be a list of backup ids"),
        ({"last": 1, "pin_pattern": "(["}, "pin_pattern is '..'; it must be a regular expression"),
        ({"last": 1, "keep_tags": ["a"]}, "keep_tags needs tags_pattern"),
        (
            {"last": 1, "tags_pattern": "#[a-z]+"},
            r"tags_pattern is '#\[a-z\]\+'; it must be a regular expression with a group around what is the tag",
        ),
        (
            {"last": 1, "tags_pattern": "(?:#)", "keep_tags": ["a"]},
            "a regular expression with a group around what is the tag",
        ),
        ({"last": 1, "tags_pattern": "(#"}, "at this one Python says"),
        ({"last": 1, "max_remove": "many"}, "max_remove is 'many'; it must be a whole number"),
        ({"last": 1, "max_remove_share": 50}, "max_remove_share is 50; it must be a number from 0 to 1"),
        ({"last": 1, "max_remove_share": float("nan")}, "it must be a number from 0 to 1"),
        (None, "the policy must be a dictionary"),
        ("daily: 7", "the policy must be a dictionary"),
        (Undefined(name="policy"), "policy is undefined"),
        ({"last": Undefined(name="n")}, "policy.last is undefined"),
        ({"daily": {"count": Undefined(name="n")}}, "policy.daily.count is undefined"),
    ],
)
def test_a_wrong_policy_is_refused_by_key_value_and_what_is_allowed(policy, says):
    if isinstance(policy, dict) and "timezone" not in policy and policy != {"daily": 7}:
        policy = {**policy, "timezone": "UTC"} if policy else policy
    with pytest.raises(AnsibleFilterError, match="retention_plan: .*" + says):
        retention_plan(trees(FULL), policy, "2026-09-14T00:00:00Z")


@pytest.mark.parametrize(
    "value, says",
    [
        (None, "backup_trees must be a list as prl_backup_info returns it, not none"),
        ("text", "not text .'text'."),
        ({"backup_trees": []}, "give the backup_trees of the result, not the whole result"),
        (Undefined(name="x"), "backup_trees is undefined"),
        ([7], r"backup_trees\[0\] must be a dictionary as prl_backup_info returns it, not a number"),
        ([{}], r"backup_trees\[0\] has no vm"),
        ([{"vm": VM}], r"backup_trees\[0\] \(web\) has no chains"),
        (
            trees(FULL, omitted=3),
            r"backup_trees\[0\] \(web\) leaves out 3 backups .* without backup_ids, newer_than, older_than, latest_only and limit,",
        ),
        (trees(7), r"chains\[0\].backups\[0\] must be a dictionary"),
        (trees(without(FULL, "id")), r"backups\[0\] has no id"),
        (trees({**FULL, "type": "f"}), r"backups\[0\] \(.c.\): type is 'f'; it must be full or incremental"),
        (
            trees({**FULL, "created": "2026-09-13T03:00:02"}),
            r"backups\[0\] \(.c.\): created: .* is ambiguous without a zone",
        ),
        (trees({**FULL, "created": None}), "created: None is not an instant"),
        (trees({**FULL, "size": -1}), "size is -1; it must be an integer, not negative"),
        (trees({**FULL, "size": True}), "size is True; it must be an integer"),
        (trees(FULL, {**PART, "number": "two"}), r"backups\[1\] \(.c.\.2\): number is 'two'; it must be an integer"),
        (trees({**FULL, "description": 7}), "description is 7; it must be a text"),
    ],
)
def test_wrong_trees_are_refused_by_place_and_what_is_expected_there(value, says):
    with pytest.raises(AnsibleFilterError, match="retention_plan: .*" + says):
        retention_plan(value, {"last": 1}, 0)


@pytest.mark.parametrize("nothing", ["", {}, 0, None])
def test_a_chain_whose_backups_are_no_list_is_refused_also_beside_good_ones_and_when_empty(nothing):
    beside = trees(FULL)
    beside[0]["chains"].append({"uuid": "{d}", "backups": nothing})
    with pytest.raises(AnsibleFilterError, match=r"chains\[1\].backups must be a list as prl_backup_info returns it"):
        retention_plan(beside, {"last": 1}, 0)


def test_a_now_without_a_zone_is_refused():
    with pytest.raises(AnsibleFilterError, match="retention_plan: now: '2026-09-13 05:00' is ambiguous without a zone"):
        retention_plan(trees(FULL), {"last": 1}, "2026-09-13 05:00")


@pytest.mark.parametrize("wanted, there", [("all", [True, True]), ("kept", [True, False]), ("none", [False, False])])
def test_reasons_can_be_left_out_and_nothing_else_changes(wanted, there):
    many = trees(FULL) + [
        {
            **trees({**FULL, "id": "{d}"}, {**FULL, "id": "{e}", "created": "2026-08-13T03:00:02Z"})[0],
            "vm": {**VM, "uuid": "{w}"},
        }
    ]
    many[1]["chains"][0]["uuid"] = "{d}"
    many[1]["chains"].append({"uuid": "{e}", "backups": [many[1]["chains"][0]["backups"].pop()]})
    arguments = (many, {"last": 1, "max_remove_share": 1.0}, "2026-09-15T00:00:00Z")
    plan, whole = retention_plan(*arguments, reasons=wanted), retention_plan(*arguments)
    listed = [backup for vm in plan["vms"] for backup in vm["backups"]]
    assert [bool(backup["reasons"]) for backup in listed] == [there[0], there[0], there[1]]
    for either in (plan, whole):
        for vm in either["vms"]:
            for backup in vm["backups"]:
                del backup["reasons"]
    assert plan == whole


def test_reasons_of_anything_else_are_refused():
    with pytest.raises(AnsibleFilterError, match="reasons is 'some'; it must be one of all, kept, none"):
        retention_plan(trees(FULL), {"last": 1}, 0, reasons="some")


def test_without_now_the_clock_is_asked():
    assert retention_plan(trees(FULL), {"last": 1})["now"] > "2026-01-01T00:00:00Z"


def test_numbers_and_truths_may_be_texts_as_templates_make_them():
    policy = {
        "last": "3",
        "daily": {"count": "7"},
        "timezone": "UTC",
        "keep_oldest": "False",
        "max_remove_share": "0.25",
        "pins": "{c}",
    }
    read = retention_plan(trees({**FULL, "size": "5", "number": "1"}), policy, "2026-09-14T00:00:00Z")["policy"]
    assert (read["last"], read["daily"]["count"], read["keep_oldest"], read["max_remove_share"], read["pins"]) == (
        3,
        7,
        False,
        0.25,
        ["c"],
    )


class Tagged(str):
    """A text that is not quite one, as templating passes them."""


def plain(value):
    if isinstance(value, dict):
        return all(key.__class__ is str and plain(member) for key, member in value.items())
    if isinstance(value, list):
        return all(plain(member) for member in value)
    return value.__class__ in (str, int, float, bool, type(None))


def test_what_comes_back_is_plain_and_shares_nothing_with_what_went_in():
    backups = ({**FULL, "id": Tagged("{c}")}, {**PART, "created": Tagged(PART["created"])})
    odd = [{"vm": {**VM, "name": Tagged("web")}, "chains": ({"uuid": Tagged("{c}"), "backups": backups},)}]
    plan = retention_plan(
        odd,
        {Tagged("last"): 1, "pins": (Tagged("{x}"),), "tags_pattern": Tagged("(x)")},
        Tagged("2026-09-15T00:00:00Z"),
    )
    assert plain(plan)
    assert plain(backup_list(odd))


def test_no_two_reasons_are_the_same_object():
    """YAML would print such objects as anchors and aliases."""
    plan = retention_plan(trees(FULL, PART), {"last": 1, "daily": 2, "timezone": "UTC"}, "2026-09-15T00:00:00Z")
    reasons = [reason for backup in plan["vms"][0]["backups"] for reason in backup["reasons"]]
    assert "&id" not in yaml.safe_dump(plan)
    assert len({id(reason) for reason in reasons}) == len(reasons)


def test_backup_list_has_one_flat_dictionary_for_each_backup():
    full, part = backup_list(trees(FULL, PART))
    assert part == {
        **PART,
        "chain": "{c}",
        "chain_directory": "/backups/web",
        "position": 1,
        "dependents": 0,
        "restorable": True,
        "vm_uuid": "{v}",
        "vm_name": "web",
        "vm_type": "vm",
        "vm_registered": True,
        "storage_version": 5,
    }
    assert full["dependents"] == 1 and full["position"] == 0
    assert backup_list(trees(PART))[0]["restorable"] is False
    assert backup_list(trees(FULL, omitted=3)), "a part of a tree can be listed"


@pytest.mark.parametrize(
    "value, says",
    [
        ({}, "backup_trees must be a list"),
        ([1], r"backup_trees\[0\] must be a dictionary"),
        (trees(1), r"backups\[0\] must be"),
    ],
)
def test_backup_list_refuses_what_is_no_tree(value, says):
    with pytest.raises(AnsibleFilterError, match="backup_list: .*" + says):
        backup_list(value)


def test_every_key_of_a_policy_is_documented_with_its_default():
    documented = yaml.safe_load(retention.ModuleDocFragment.DOCUMENTATION)["options"]["policy"]["suboptions"]
    defaults = policies.read({"last": 1}).normalised()
    assert set(documented) == set(RULES) | set(defaults)
    for name in set(defaults) - {"last", "timezone"}:
        assert documented[name].get("default") == defaults[name], name


def test_the_documented_result_is_the_result():
    plan = retention_plan(trees(FULL, PART), {"chains": 1, "daily": 1, "timezone": "UTC"}, "2026-09-15T00:00:00Z")
    contains = yaml.safe_load(documented_filter.RETURN)["_value"]["contains"]
    assert set(contains) == set(plan)
    assert set(contains["vms"]["contains"]) == set(plan["vms"][0])
    assert set(contains["vms"]["contains"]["backups"]["contains"]) == set(plan["vms"][0]["backups"][0])
    assert set(contains["totals"]["contains"]) == set(plan["totals"])
    codes = {reason["code"] for backup in plan["vms"][0]["backups"] for reason in backup["reasons"]}
    text = " ".join(contains["vms"]["contains"]["backups"]["contains"]["reasons"]["description"])
    assert codes <= set(re.findall(r"V\((\w+)\)", text))


EVIL = "web\x1b[31m\x9b\x85\u2028\u202e\n"
SHOWN = "web\\x1b[31m\\x9b\\x85\\u2028\\u202e\\n"


def test_names_steer_no_terminal_wherever_they_are_told():
    """In errors, warnings and tables; the values of the plan stay as they are."""
    evil = trees({**FULL, "created": "2099-01-01T00:00:00Z"}, vm={**VM, "name": EVIL})
    with pytest.raises(AnsibleFilterError) as caught:
        retention_plan([dict(evil[0], omitted=1)], {"last": 1}, "2026-09-15T00:00:00Z")
    assert SHOWN in str(caught.value) and EVIL not in str(caught.value)
    plan = retention_plan(evil, {"last": 1}, "2026-09-15T00:00:00Z")
    assert plan["vms"][0]["vm"]["name"] == EVIL
    told = [printable(warning["message"]) for warning in plan["warnings"]] + plan_lines(plan)
    assert plan["warnings"]
    assert any(SHOWN in line for line in told) and "\x1b" not in "".join(told) and "\u2028" not in "".join(told)


def test_the_module_takes_the_steps_of_a_plan_as_they_are():
    newer = {**FULL, "id": "{d}", "created": "2026-09-15T03:00:02Z"}
    chains = [
        {"uuid": "{c}", "size": 10, "directory": None, "backups": [FULL, PART]},
        {"uuid": "{d}", "size": 5, "directory": None, "backups": [newer]},
    ]
    plan = retention_plan(
        [{"vm": VM, "omitted": 0, "chains": chains}], {"last": 1, "max_remove_share": 1.0}, "2026-09-20T00:00:00Z"
    )
    (step,) = plan["vms"][0]["remove"]
    options = prl_backup.argument_spec()["backups"]["options"]
    assert ENTRY == set(options)
    assert step["frees"] == 10
    assert set(step) <= set(options)
    assert set(step["removes"][0]) <= set(options["removes"]["options"])
