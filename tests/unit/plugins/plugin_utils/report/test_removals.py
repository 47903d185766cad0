# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's table of removals: sizes of whole steps, and what a guard did not let happen."""

from __future__ import annotations

from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import make_page
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.plan import plan_lines
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.steps import steps

from .pages import applied, host, plan, rendered, report, text, tree


def details(planned, **more):
    (each,) = make_page(report(host(planned, **more)))["hosts"][0]["details"]
    return each


def test_a_chain_frees_what_all_of_its_backups_take():
    planned = plan()
    rows = details(planned)["removals"]["rows"]
    assert [row["size"] for row in rows] == ["110 B"] * 5, "a full of 80 and six increments of 5"
    assert sum(step.frees for step in steps(planned["vms"][0])) == planned["vms"][0]["bytes"]["freed"] == 550


def test_steps_of_every_kind_add_up_to_what_the_vm_frees():
    for policy in ({"tails": "remove"}, {"tails": "remove", "merge": "allow", "daily": 1, "weekly": 3}, {"monthly": 2}):
        for share in (1.0, 0.01):
            (vm,) = plan(tree(weeks=8), max_remove_share=share, **policy)["vms"]
            assert sum(step.frees for step in steps(vm)) == vm["bytes"]["freed"] + vm["bytes"]["refused"] > 0
            assert sum(len(step.gone) for step in steps(vm)) == vm["counts"]["remove"] + vm["counts"]["refused"]


def test_a_refused_plan_lists_what_it_would_have_removed():
    planned, refused = plan(), plan(max_remove_share=0.5)
    assert refused["vms"][0]["status"] == "refused" and refused["vms"][0]["remove"] == []
    rows = details(refused)["removals"]["rows"]
    assert sorted(row["id"] for row in rows) == sorted(row["id"] for row in details(planned)["removals"]["rows"])
    assert {row["what"] for row in rows} == {"the chain, 7 backups"} and {row["size"] for row in rows} == {"110 B"}
    (table,) = rendered(host(refused)).xpath(
        "//details[@class='fold'][summary[contains(., 'had no guard refused it')]]//table"
    )
    assert len(table.xpath("tbody/tr")) == 5 and "Outcome" not in text(table)


def test_the_terminal_tells_of_the_same_steps():
    for planned in (plan(), plan(max_remove_share=0.5), plan(tails="remove")):
        lines = "\n".join(plan_lines(planned, "removals"))
        for row in details(planned)["removals"]["rows"]:
            (line,) = [line for line in lines.splitlines() if row["id"] + " " in line]
            assert row["size"] in line


def test_a_step_tells_what_became_of_it():
    planned = plan()
    rows = details(planned, applied=applied(planned))["removals"]["rows"]
    assert {row["outcome"] for row in rows} == {"removed"}


def test_the_table_of_guards_counts_broken_chains_that_go_as_the_guards_do():
    one = tree(weeks=1)
    one["chains"] += [
        {"uuid": "{h%d}" % number, "backups": [dict(one["chains"][0]["backups"][1], id="{h%d}.2" % number)]}
        for number in range(20)
    ]
    for number, chain in enumerate(one["chains"][1:]):
        chain["backups"][0]["created"] = "2026-10-%02dT06:00:00Z" % (number + 1)
    planned = plan(one, remove_broken=True, max_broken_chains=20, max_remove_share=0.5)
    assert planned["vms"][0]["guard"] == {"name": "max_remove_share", "value": 0.7408, "limit": 0.5}
    (group,) = make_page(report(host(planned)))["hosts"][0]["plan"]["groups"]
    rows = {row["name"]: row for row in group["guards"]}
    assert rows["max_remove_share"]["value"] == "74.1%" and rows["max_remove_share"]["refused"] == 1
    assert rows["max_broken_chains"]["value"] == "20" and rows["max_broken_chains"]["fill"] == 100


def test_the_guard_over_all_vms_has_the_sum_of_them():
    planned = plan(tree(1, "a"), tree(2, "b"), max_remove_total=500)
    (group,) = make_page(report(host(planned)))["hosts"][0]["plan"]["groups"]
    (row,) = [row for row in group["guards"] if row["name"] == "max_remove_total"]
    going = sum(vm["counts"]["remove"] for vm in planned["vms"])
    assert going and row["value"] == str(going) and row["limit"] == "500" and row["vm"] == "all VMs together"
