# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes first, how to go on from a plan, what stands beside it, and how large it may become."""

from __future__ import annotations

import json
import shlex

import lxml.html
import pytest
import yaml
from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance import files
from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance.check import check
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.html import render
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import make_page

from .pages import NOW, applied, host, plan, rendered, report, text, tree


def codes(page):
    return [text(code) for code in page.xpath("//pre/code")]


@pytest.mark.parametrize("status", ["failed", "mismatch", "guarded", "running"])
def test_hosts_that_went_wrong_come_first_and_are_marked(status):
    page = rendered(host(plan(), "a"), host(plan(), "b", status=status))
    assert [text(name) for name in page.xpath("//section[@class='host']/h2/bdi")] == ["b", "a"]
    assert text(page.xpath("//section[@class='host'][1]/h2/span[@class='pill bad']")[0]) == status


def test_vms_that_failed_or_were_refused_come_first_and_are_open():
    trees = [tree(number, "vm-%d" % number) for number in range(1, 5)] + [tree(5, "refused", weeks=9)]
    planned = plan(*trees, max_remove=40)
    entries = applied(planned)
    entries[-1].update(outcome="failed", removed=[])
    page = rendered(host(planned, status="failed", applied=entries))
    order = [text(name) for name in page.xpath("//table[contains(@class, 'overview')]//th[@scope='row']")]
    assert order == ["vm-4", "refused", "vm-1", "vm-2", "vm-3"]
    details = page.xpath("//details[@class='vm']")
    assert [text(each.xpath("summary/bdi")[0]) for each in details] == order
    assert [each.get("open") is not None for each in details] == [True, True, False, False, False]


def test_the_command_confirms_every_plan_that_waits_and_no_other():
    waiting = [host(plan(tree(number)), "node-%d" % number) for number in (1, 2)]
    done = host(plan(tree(3)), "node-3", status="applied", applied=[])
    nothing = host(plan(tree(4), daily=100), "node-4")
    (command,) = codes(rendered(*waiting, done, nothing))
    option, value = shlex.split(command)
    assert option == "-e"
    assert json.loads(value) == {"backup_retention_confirm": [one["plan"]["digest"][:16] for one in waiting]}
    assert codes(rendered(done)) == []


def test_a_digest_that_is_none_does_not_reach_a_line_that_people_copy():
    planned = plan()
    planned["digest"] = "'; rm -rf ~; echo '0123456789"
    assert codes(rendered(host(planned))) == []


def test_the_policy_can_be_copied_as_the_variables_of_the_role():
    variables = {
        "policy": {"daily": 7, "timezone": "Europe/Berlin"},
        "overrides": [{"name": "<b>", "match": {"name": "db-*"}, "policy": {"daily": 30}}],
        "exclude": ["test-*"],
        "retired": [],
        "guards": {},
    }
    page = rendered(host(plan(), status="applied", variables=variables))
    (code,) = page.xpath("//details[summary[contains(., 'YAML')]]//code")
    assert yaml.safe_load(code.text_content()) == {
        "backup_retention_" + name: variables[name] for name in ("policy", "overrides", "exclude")
    }


def test_a_vm_that_is_gone_is_marked_in_the_table_and_in_its_details():
    page = rendered(host(plan(tree(1, "here"), tree(2, "old")), gone=["{VM-2}"]))
    assert [text(name) for name in page.xpath("//table[contains(@class, 'overview')]//th[small]")] == [
        "old the VM is gone"
    ]
    (details,) = page.xpath("//details[@class='vm'][contains(., 'does not know this VM any more')]")
    assert text(details.xpath("summary/bdi")[0]) == "old"


def checked(*names):
    """The report of a check of some VMs, as it is written: all were last backed up 6.5 hours ago."""
    vms = [
        {"uuid": "{vm-%d}" % number, "name": name, "type": "vm", "state": "running", "template": False}
        for number, name in names
    ]
    trees = [tree(number, name) for number, name in [*names, (9, "orphan")]]
    overrides = [{"name": "strict", "match": {"name": "strict*"}, "objective": {"rpo": "1h"}}]
    found = check(vms, trees, {"rpo": "26h"}, NOW, overrides)
    return json.loads(files.as_json("node", found))


def page_with(compliance, *hosts):
    return lxml.html.fromstring(render(report(*hosts), (), compliance))


def test_compliance_stands_beside_retention_where_both_ran():
    planned = plan(tree(1, "strict"), tree(2, "b"), tree(3, "c"), tree(9, "orphan"))
    compliance = {"node-a": checked((1, "strict"), (2, "b"))}
    page = page_with(compliance, host(planned, "node-a"), host(planned, "node-b"))
    assert [text(row[-1]) for row in page.xpath("//h2[.='Hosts']/following-sibling::table[1]/tbody/tr")] == [
        "1 of 2 VMs and containers do not comply",
        "–",
    ]
    with_it, without = page.xpath("//table[contains(@class, 'overview')]")
    told = {text(row[0]): text(row[-1]) for row in with_it.xpath("tbody/tr")}
    assert told.pop("strict").startswith("the newest restorable backup is") and told == {
        "b": "complies",
        "c": "–",
        "orphan": "orphan",
    }
    assert "Compliance" not in text(without)
    assert "Compliance: 1 of 2 VMs and containers do not comply." in text(page)
    assert "Compliance" not in text(rendered(host(planned)))


def test_a_host_that_complies_and_one_that_could_not_be_checked_say_so():
    failed = json.loads(files.as_json("node", None, "The node <could> not be reached."))
    page = page_with({"a": checked((1, "b")), "b": failed}, host(plan(), "a"), host(plan(), "b"))
    lines = [text(line) for line in page.xpath("//p[starts-with(., 'Compliance')]")]
    assert lines == [
        "Compliance: every VM and container complies (1 checked).",
        "Compliance: The node <could> not be reached.",
    ]


def test_fifty_vms_are_at_most_a_megabyte_and_nothing_of_the_tables_is_left_out():
    trees = [tree(number, "vm-%02d" % number, weeks=10) for number in range(50)]
    policy = {"daily": 7, "weekly": 4, "monthly": 3, "max_remove_share": 1.0}
    hosts = [host(plan(*trees[start : start + 10], **policy), "node-%d" % start) for start in range(0, 50, 10)]
    html = render(report(*hosts))
    assert len(html.encode()) <= 1_000_000
    page = make_page(report(*hosts))
    assert sum(len(section["vms"]) for section in page["hosts"]) == 50
    drawn = sum(len(section["details"]) for section in page["hosts"])
    assert drawn > 30 and page["left_out"] == 50 - drawn
