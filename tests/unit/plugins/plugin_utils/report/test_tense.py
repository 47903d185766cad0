# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan foresees is told as to come, what a run did as done, whatever the status is."""

from __future__ import annotations

import re

import pytest

from .pages import applied, host, plan, rendered, text

PAST = re.compile(r"\b(kept|removed|freed)\b", re.IGNORECASE)
FUTURE = re.compile(r"\b(to keep|to remove|to be removed|to be freed|to free|frees)\b", re.IGNORECASE)


def words(page):
    """All that a person reads of the page: texts, and what is told on hovering."""
    for style in page.xpath("//style"):
        style.getparent().remove(style)
    labels = [element.get(name) for element in page.iter() for name in ("aria-label", "title") if element.get(name)]
    return " ".join(" ".join([*page.itertext(), *labels]).split())


@pytest.mark.parametrize("status", ["planned", "mismatch", "guarded"])
def test_a_plan_has_no_past(status):
    said = words(rendered(host(plan(), status=status)))
    assert FUTURE.search(said)
    # Sentences that explain a rule, a column or a mark, and not what was done.
    for explained in (
        "tail of a chain that is kept",
        "restore points that are kept",
        "not removed, a guard refused it",
        "of what is kept, freed as soon as",
        "freed at the next full backup",
    ):
        said = said.replace(explained, "")
    said = FUTURE.sub("", said)
    assert not PAST.search(said), PAST.search(said).string[max(PAST.search(said).start() - 80, 0) :][:200]


def test_check_mode_has_no_past():
    planned = plan()
    said = words(rendered(host(planned, status="predicted", check_mode=True, applied=applied(planned))))
    assert "35 to remove" in said and "35 removed" not in said and "would be removed" in said


def test_an_applied_plan_has_no_future():
    planned = plan()
    page = rendered(host(planned, status="applied", check_mode=False, applied=applied(planned)))
    said = words(page).replace("To be removed after a new full backup", "")
    assert not FUTURE.search(said), FUTURE.search(said).string[max(FUTURE.search(said).start() - 80, 0) :][:200]
    assert "7 kept, 35 removed" in said


def test_of_a_run_that_failed_in_part_each_vm_has_its_own_tense():
    from .pages import tree

    planned = plan(tree(1, "a"), tree(2, "b"))
    entries = applied(planned)
    entries[-1].update(outcome="failed", removed=[])
    page = rendered(host(planned, status="failed", check_mode=False, applied=entries))
    summaries = [text(summary) for summary in page.xpath("//details[@class='vm']/summary")]
    assert [summary.split(",")[1:3] for summary in summaries] == [
        [" 7 to keep", " 35 to remove"],
        [" 7 kept", " 35 removed"],
    ]
    assert "removed, or to be removed" in text(page.xpath("//*[@class='legend']")[0])
