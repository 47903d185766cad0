# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the drawings say on hovering is on the page for a keyboard, a finger and a screen reader as well."""

from __future__ import annotations

from ansible_collections.prlsdk.core.plugins.plugin_utils._text import formats

from .pages import applied, host, plan, rendered, text, tree

RULES = {"daily": 3, "weekly": 2, "monthly": 2, "yearly": 1, "within": "3d"}


def every(page):
    """Of each VM the rows of its table of all backups."""
    return [
        table.xpath(".//tr[td]") for table in page.xpath("//details[summary[starts-with(., 'All backups')]]//table")
    ]


def test_every_backup_of_a_drawn_vm_is_in_a_table_with_its_verdict_and_all_its_reasons():
    planned = plan(tree(1, "a"), tree(2, "b"), **RULES)
    for vm, rows in zip(planned["vms"], every(rendered(host(planned)))):
        assert len(rows) == len(vm["backups"]) == 42
        told = [(text(row[0]), text(row[3]), text(row[4])) for row in rows]
        assert told == [
            (
                backup["created"][:16].replace("T", " "),
                "remove" if backup["verdict"] == "remove" else "keep" if backup["own"] else "keep, needed",
                "; ".join(formats.why(backup)).replace(backup["chain"], ""),
            )
            for backup in vm["backups"]
        ]
        assert max(len(backup["reasons"]) for backup in vm["backups"]) > 3, "more than a title tells"


def test_the_table_names_each_backup_by_its_chain():
    page = rendered(host(plan()))
    (table,) = page.xpath("//details[summary[.='All backups (42), by chain']]//table")
    headings = [text(heading) for heading in table.xpath("tbody/tr/th")]
    assert len(headings) == 6 and headings[0] == "Chain {00000001-0000-4000-8000-000000000001}"
    assert [text(row[1]) for row in every(page)[0][:7]] == [".7", ".6", ".5", ".4", ".3", ".2", "full"]


def test_the_table_says_what_became_of_a_backup_and_marks_what_did_not_work():
    planned = plan()
    entries = applied(planned)
    entries[0].update(outcome="busy", removed=[])
    (rows,) = every(rendered(host(planned, applied=entries)))
    verdicts = [text(row[3]) for row in rows]
    assert verdicts.count("removed") == 28 and verdicts.count("not removed, in use") == 7, (
        "the whole chain was asked for"
    )
    assert {text(row[3]) for row in rows if row[3].get("class") == "bad"} == {"not removed, in use"}


def test_what_went_of_a_chain_before_it_failed_is_told_as_gone():
    planned = plan()
    entries = applied(planned)
    chain = entries[0]["removed"]
    entries[0].update(outcome="failed", removed=chain[:2])
    (rows,) = every(rendered(host(planned, applied=entries)))
    verdicts = [text(row[3]) for row in rows]
    assert verdicts.count("removed") == 30 and verdicts.count("failed") == 5


def test_a_refused_backup_is_told_as_refused():
    (rows,) = every(rendered(host(plan(max_remove_share=0.5))))
    assert sum(text(row[3]) == "refused" for row in rows) == 35


def test_no_drawing_hides_the_names_of_its_marks():
    """What is in an image is presentation only, and names in it are told to nobody."""
    page = rendered(host(plan(**RULES)))
    assert len(page.xpath("//*[@role='group'][@aria-label]//*[local-name()='g']")) > 5
    assert not page.xpath("//*[@role='img']//*[local-name()='g']")
    assert all(image[0].tag == "title" and image[0].text for image in page.xpath("//*[@role='img']"))


def test_what_scrolls_sideways_can_be_scrolled_with_the_keyboard():
    assert {
        element.get("tabindex")
        for element in rendered(host(plan()), host(plan(), "other")).xpath("//*[@class='scroll']")
    } == {"0"}


def test_a_vm_says_its_newest_backup_and_its_worst_gap():
    (details,) = rendered(host(plan(monthly=2))).xpath("//details[@class='vm']")
    assert "Newest restorable backup: 2026-11-21 23:30 UTC. Worst gap: 15 d, from 2026-10-31 23:30 UTC" in text(details)
