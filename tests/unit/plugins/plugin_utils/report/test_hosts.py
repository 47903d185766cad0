# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on the page: none of those that the run was for is left out."""

from __future__ import annotations

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import make_page

from .pages import NOW, host, plan, rendered, report, text, tree


def test_a_host_without_a_record_is_listed_as_one():
    page = rendered(host(plan(), "node-b"), expected=["node-a", "node-b", "<b>node-c"])
    (table,) = page.xpath("//h2[.='Hosts']/following-sibling::table[1]")
    rows = [[text(cell) for cell in row[:3]] for row in table.xpath("tbody/tr")]
    assert rows == [["node-a", "no report", "–"], ["<b>node-c", "no report", "–"], ["node-b", "planned", "1"]]
    assert "2 of 3 hosts have no report." in text(page)
    sections = page.xpath("//section[@class='host']")
    assert [text(section.xpath("h2/bdi")[0]) for section in sections] == ["node-a", "<b>node-c", "node-b"]
    assert text(sections[0].xpath("h2/span")[0]) == "no report" and "Nothing is known of its backups" in text(
        sections[0]
    )


def test_nobody_is_missed_where_all_reported_or_nobody_was_expected():
    for expected in ({"expected": ["node"]}, {}):
        page = rendered(host(plan()), **expected)
        assert "no report" not in text(page) and len(page.xpath("//section[@class='host']")) == 1


def test_a_page_without_hosts_says_so():
    assert "There is no host in this report." in text(rendered())


def test_a_name_that_comes_twice_is_missed_once():
    assert [each["host"] for each in make_page(report(), ["a", "b", "a"])["hosts"]] == ["a", "b"]


@pytest.mark.parametrize("hosts", ["node-a", {"node-a": 1}, [1]])
def test_what_is_no_list_of_names_is_refused(hosts):
    with pytest.raises(InputError, match="hosts must be a list of names"):
        make_page(report(), hosts)


def test_the_totals_are_in_the_past_where_every_plan_was_applied():
    def tiles(*hosts):
        return [text(name) for name in rendered(*hosts).xpath("//dl[@class='tiles']//dt")]

    planned, applied = host(plan(), "a"), host(plan(), "b", status="applied", applied=[])
    assert tiles(applied)[1:3] == ["Kept", "Removed"]
    assert tiles(planned)[1:3] == tiles(planned, applied)[1:3] == tiles()[1:3] == ["To keep", "To remove"]


def test_a_vm_that_is_retired_is_called_so_and_is_near_to_none_of_the_guards_that_do_not_ask_about_it():
    gone = dict(tree(2, "old"), others={"chains": 1, "backups": 1, "newest": NOW})
    gone["vm"]["registered"] = False
    page = rendered(host(plan(tree(), gone, retire_moved_after="1h", max_remove=100)))
    (row,) = [
        [text(cell) for cell in row]
        for row in page.xpath("//table[contains(@class, 'overview')]/tbody/tr")
        if text(row[0]) == "old"
    ]
    assert row[1] == "retired" and row[4:6] == ["0", "42"]
    assert "its VM has moved to another node, and its newest backup here is older than 1h" in text(page)
    nearest = {
        text(row[0]): text(row[-2])
        for table in page.xpath("//table[thead/tr/th[.='Nearest VM']]")
        for row in table.xpath("tbody/tr")
    }
    assert "retire_moved_after 1h" in text(page) and "retire_moved_after" not in text(rendered(host(plan())))
    assert nearest["max_remove"] == nearest["max_remove_share"] == "web"
