# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes first, how to go on from a plan, what stands beside it, and how large it may become."""

from __future__ import annotations

import json
import shlex

import pytest
import yaml
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.html import render
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import make_page

from .pages import applied, host, plan, rendered, report, text, tree


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


CHECKED = {
    "vms": [
        {"uuid": "{VM-1}", "findings": [{"severity": "violation", "message": "newest backup is <3 d> old"}]},
        {"uuid": "{vm-2}", "findings": [{"severity": "notice", "message": "from the future"}]},
    ]
}


def test_compliance_stands_beside_retention_where_both_ran():
    planned = plan(tree(1, "a"), tree(2, "b"), tree(3, "c"))
    html = render(report(host(planned, "node-a"), host(planned, "node-b")), (), {"node-a": CHECKED})
    import lxml.html

    page = lxml.html.fromstring(html)
    assert [text(row[2]) for row in page.xpath("//h2[.='Hosts']/following-sibling::div[1]/table/tbody/tr")] == [
        "1 of 2 VMs and containers do not comply",
        "–",
    ]
    with_it, without = page.xpath("//table[contains(@class, 'overview')]")
    assert [text(row[-1]) for row in with_it.xpath("tbody/tr")] == ["newest backup is <3 d> old", "complies", "–"]
    assert "Compliance" not in text(without)
    assert "Compliance" not in text(rendered(host(planned)))


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
