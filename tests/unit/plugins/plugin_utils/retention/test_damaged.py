# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs whose backups could not be read: a plan does nothing about them and says so, and what became of a plan is not known of them."""

from __future__ import annotations

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.verify import verify_plan
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.summary import conclude

NOW = "2026-09-20T06:00:00Z"
POLICY = {"last": 1, "grace": "0h", "max_remove_share": 1.0}
WEB = "{aaaaaaaa-0000-4000-8000-000000000001}"
DAMAGED = [{"uuid": WEB.upper(), "name": "web", "message": "The answer is damaged."}]


def tree(name, uuid=None, days=(1, 2, 3)):
    chains = [
        {
            "uuid": "{%s-%d}" % (name, day),
            "backups": [
                {
                    "id": "{%s-%d}" % (name, day),
                    "type": "full",
                    "number": 1,
                    "created": "2026-09-%02dT03:00:00Z" % day,
                    "size": 1,
                    "description": "",
                    "creator": "root",
                    "server_uuid": "",
                }
            ],
        }
        for day in days
    ]
    return {"vm": {"uuid": uuid or "{%s}" % name, "name": name, "type": "vm", "storage_version": 5}, "chains": chains}


@pytest.mark.parametrize("make", [make_plan, make_plans])
def test_nothing_is_planned_and_the_first_warning_says_why(make):
    plan = make([tree("db"), tree("web", WEB)], POLICY, NOW, damaged=DAMAGED)
    assert [vm["vm"]["name"] for vm in plan["vms"]] == ["db"], "also where a part of its backups is there"
    assert plan["damaged"] == DAMAGED
    first = plan["warnings"][0]
    assert (first["code"], first["vm"]) == ("damaged", WEB.upper())
    assert (
        first["message"]
        == "nothing is planned for web, because it is not known which backups it has: The answer is damaged."
    )


def test_without_any_the_plan_says_so_and_is_the_same():
    for make in (make_plan, make_plans):
        assert make([tree("db")], POLICY, NOW) == make([tree("db")], POLICY, NOW, damaged=[])
        assert make([tree("db")], POLICY, NOW)["damaged"] == []


def test_the_conclusion_does_not_say_that_there_are_no_backups():
    said = conclude(make_plans([], POLICY, NOW, damaged=DAMAGED), "planned")
    assert (
        said
        == "Nothing to remove. Nothing was planned for web, because it is not known which backups it has. The answer is damaged."
    )
    many = [dict(DAMAGED[0], uuid="{%d}" % number, name="web-%d" % number) for number in range(5)]
    said = conclude(make_plans([], POLICY, NOW, damaged=many), "planned")
    assert "for web-0, web-1, web-2 and 2 more VMs, because it is not known which backups they have" in said


def test_an_override_or_pin_that_may_be_for_it_is_not_told_to_fit_nothing():
    overrides = [
        {"name": name, "match": match, "policy": {}}
        for name, match in (
            ("web", {"name": "web*", "type": "vm", "description": "nightly"}),
            ("else", {"name": "wbe*"}),
            ("uuid", {"uuid": WEB}),
        )
    ]
    plan = make_plans(
        [tree("db")], dict(POLICY, pins=["{11111111-1111-4111-8111-111111111111}"]), NOW, overrides, damaged=DAMAGED
    )
    assert plan["unused"] == ["override else"]
    assert "unknown_pin" not in [warning["code"] for warning in plan["warnings"]], (
        "the pin may be of a backup that cannot be read"
    )


def test_an_excluded_vm_is_not_warned_of():
    plan = make_plans([tree("db")], POLICY, NOW, exclude=[{"name": "web"}], damaged=DAMAGED)
    assert plan["damaged"] == [] and plan["unused"] == []
    assert [warning["code"] for warning in plan["warnings"]] == [
        warning["code"] for warning in make_plans([tree("db")], POLICY, NOW)["warnings"]
    ]


@pytest.mark.parametrize("there", [(), (3,), (1, 2, 3, 4)])
def test_after_the_removal_its_backups_are_neither_missing_nor_left(there):
    plan = make_plan([tree("db"), tree("web", WEB)], POLICY, NOW)
    part = [tree("web", WEB, there)] if there else []
    assert verify_plan(plan, [tree("db", days=(3,)), *part], DAMAGED) == {
        "left": [],
        "missing": [],
        "new": 0,
        "unknown": [{"vm": "web", "message": "The answer is damaged."}],
    }
    gone = verify_plan(plan, [], DAMAGED)
    assert [backup["vm"] for backup in gone["missing"]] == ["db"], "of the others everything is known"
    assert verify_plan(plan, [tree("db", days=(3,)), tree("web", WEB, (3,))])["unknown"] == []


def test_a_vm_that_could_not_be_read_for_the_plan_either_is_no_part_of_what_became_of_it():
    plan = make_plan([tree("db")], POLICY, NOW, damaged=DAMAGED)
    assert verify_plan(plan, [tree("db", days=(3,))], DAMAGED) == {"left": [], "missing": [], "new": 0, "unknown": []}


def test_what_is_no_list_of_vms_is_refused():
    with pytest.raises(InputError, match="damaged must be a list"):
        make_plan([], POLICY, NOW, damaged="web")
