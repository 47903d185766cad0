# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says became of the removals: done, only foreseen, failed."""

from __future__ import annotations

from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import make_page

from .pages import applied, host, plan, rendered, report, text, tree


def section(planned, **more):
    return make_page(report(host(planned, **more)))["hosts"][0]


def problems(page):
    return page.xpath("//table[contains(@class, 'problems')]/tbody/tr")


def test_check_mode_never_says_that_something_was_removed():
    planned = plan()
    page = rendered(host(planned, status="predicted", check_mode=True, applied=applied(planned)))
    said = text(page)
    assert "What would be done" in said and "35 would be removed" in said and "nothing was changed" in said
    assert "What was done" not in said
    titles = [title.text for title in page.xpath("//*[@class='timeline']//*[local-name()='title']")]
    assert [title.rpartition(": ")[2] for title in titles] == ["to be removed as a whole"] * 5 + ["to keep"]
    assert {row[-1].text for row in page.xpath("//details[summary[starts-with(., 'Removals')]]//tbody/tr")} == {
        "would be removed"
    }
    assert not page.xpath("//td[contains(@class, 'bad')]")


def test_what_was_removed_is_said_to_be():
    planned = plan()
    page = rendered(host(planned, status="applied", check_mode=False, applied=applied(planned)))
    assert "What was done" in text(page) and "35 removed." in text(page) and "35 would be" not in text(page)
    assert section(planned, applied=applied(planned))["vms"][0]["told"] == "done"


def test_a_plan_that_nobody_applied_is_told_as_a_plan():
    (vm,) = section(plan())["vms"]
    assert vm["told"] == "planned"
    page = rendered(host(plan()))
    assert "7 to keep, 35 to remove" in text(page) and "What was done" not in text(page)


def test_failures_beyond_the_bound_are_counted():
    planned = plan(*(tree(number, "vm-%d" % number, weeks=12) for number in range(1, 11)))
    failures = applied(planned, "failed", message="It said no.")
    assert len(failures) == 110
    page = rendered(host(planned, applied=failures))
    assert len(problems(page)) == 100 and "100 more of 110" in text(page)
    (folded,) = page.xpath("//details[summary[contains(., 'more of')]]")
    assert text(folded).endswith("And 10 more.")


def test_a_few_failures_leave_no_more():
    planned = plan()
    page = rendered(host(planned, applied=applied(planned, "failed")))
    assert len(problems(page)) == 5 and "more of" not in text(page) and "more." not in text(page)


def test_a_failure_is_laid_at_its_vm_although_the_entry_does_not_name_it():
    planned = plan(tree(1, "a-spared"), tree(2, "b-hit"))
    entries = applied(planned)
    entries[-1].update(outcome="failed", vm=None, removed=[], message="The SDK's process died while it was removed.")
    told = section(planned, applied=entries)
    assert [problem["vm"] for problem in told["applied"]["problems"]] == ["b-hit"]
    assert [vm["told"] for vm in told["vms"]] == ["1 failed", "done"], "what failed comes first"
    page = rendered(host(planned, applied=entries))
    assert [text(cell) for cell in page.xpath("//table[contains(@class, 'overview')]//td[@class='bad']")] == [
        "1 failed"
    ]
