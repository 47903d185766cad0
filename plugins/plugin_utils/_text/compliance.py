# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a check as people read it: one message that names the worst, and a table for the terminal."""

from __future__ import annotations

from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._text import formats

#: Offenders that the message names, and rows of VMs that the table has; with more VMs it leaves out those that are all right.
NAMED, ROWS = 5, 50

#: Findings in few words, the worst first.
_SHORT = {
    "no_vms": "no VM or container",
    "unreadable": "cannot be read",
    "damaged": "backups cannot be read",
    "never": "never backed up",
    "not_restorable": "nothing restorable",
    "rpo": "too old",
    "chain_age": "chain too old",
    "chain_length": "chain too long",
    "future": "backups from the future",
    "full_due": "a full is due",
    "new": "new, not backed up yet",
}
_RANKS = {code: rank for rank, code in enumerate(_SHORT)}
_NOTHING = (
    "The node shows no VM or container to this login, so nothing could be checked. Log in as a user who sees them all, mostly with become: true; "
    "where there are none on purpose, take no_vms out of the findings that are violations."
)


def worst(
    results: list[dict[str, Any]], orphans: list[dict[str, Any]], findings: list[dict[str, Any]], now: int
) -> str:
    """One sentence: how many miss their objective, and the worst of them by name."""
    checked = [result for result in results if result["status"] != "excluded"]
    offenders = sorted(
        (result for result in checked if result["status"] == "violation"), key=lambda result: _badness(result, now)
    )
    named = ["%s (%s)" % (_name(result), _why(_violations(result), result, now)) for result in offenders]
    named += [
        "%s (orphan, %s)" % (_name(orphan), formats.size(orphan["size"]))
        for orphan in orphans
        if orphan["severity"] == "violation"
    ]
    strays = [finding for finding in findings if finding["code"] == "damaged" and finding["severity"] == "violation"]
    named += ["a VM that the node does not list (%s)" % _SHORT["damaged"] for finding in strays]
    if any(finding["severity"] == "violation" and finding["code"] == "no_vms" for finding in findings):
        return _NOTHING + " Backups without a VM are left: %s." % _some(named) if named else _NOTHING
    if strays and not offenders:
        return "Not everything could be checked: %s." % _some(named)
    if not checked and not named:
        return "There is no VM or container to check."
    if not named:
        said = (
            "All %d VMs and containers meet their objectives" % len(checked)
            if len(checked) != 1
            else "The only VM or container meets its objective"
        )
        notices = sum(result["status"] == "notice" for result in checked) + len(orphans)
        return said + (", with %s." % ("1 notice" if notices == 1 else "%d notices" % notices) if notices else ".")
    amount = (
        "%d of %d VMs and containers do not comply" % (len(offenders), len(checked))
        if offenders
        else "Backups without a VM are left"
    )
    if offenders and len(checked) == 1:
        amount = "The only VM or container does not comply"
    return "%s: %s." % (amount, _some(named))


def _some(named: list[str]) -> str:
    return ", ".join(named[:NAMED]) + (", and %d more" % (len(named) - NAMED) if len(named) > NAMED else "")


def table(
    results: list[dict[str, Any]], orphans: list[dict[str, Any]], findings: list[dict[str, Any]], now: int
) -> list[str]:
    """Lines of a table, the worst first; texts from outside are made safe for a terminal."""
    rows = sorted(
        results,
        key=lambda result: (("violation", "notice", "ok", "excluded").index(result["status"]), _badness(result, now)),
    )
    left_out = 0
    if len(rows) > ROWS:
        bad = [row for row in rows if row["status"] in ("violation", "notice")][: 2 * ROWS]
        left_out, rows = len(rows) - len(bad), bad
    cells = [("", "VM", "newest", "objective", "chain", "findings")]
    marks = {"violation": "FAIL", "notice": "note", "ok": "ok", "excluded": "skip"}
    cells += [(marks[finding["severity"]], "(the node)", "", "", "", _SHORT[finding["code"]]) for finding in findings]
    cells += [
        (
            marks[row["status"]],
            _name(row),
            _age(row, now),
            row["objective"]["rpo"],
            _chain(row, now),
            "; ".join(_short(f, row) for f in row["findings"]),
        )
        for row in rows
    ]
    for orphan in orphans[:ROWS]:
        age = formats.span(max(now - _time.parse_instant(orphan["newest"]), 0))
        cells.append(
            (marks[orphan["severity"]], _name(orphan), age, "", "", "orphan, %s" % formats.size(orphan["size"]))
        )
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    lines = ["  ".join([text.ljust(width) for text, width in zip(row, widths)] + [row[5]]).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * width for width in [*widths, max(len(row[5]) for row in cells)]))
    if left_out:
        lines.append("and %d more, which are all right, excluded or further down" % left_out)
    if len(orphans) > ROWS:
        lines.append("and %d more orphans" % (len(orphans) - ROWS))
    return lines


def _name(row: dict[str, Any]) -> str:
    return formats.shown(row["vm"]["name"] or row["vm"]["uuid"] or "(no name)", 40)


def _seconds_old(result: dict[str, Any], now: Any) -> int | None:
    return None if result["newest"] is None else max(now - _time.parse_instant(result["newest"]["created"]), 0)


def _age(result: dict[str, Any], now: Any) -> str:
    age = _seconds_old(result, now)
    return "-" if age is None else formats.span(age)


def _chain(result: dict[str, Any], now: Any) -> str:
    chain = result["chain"]
    return (
        "%d, %s" % (chain["length"], formats.span(max(now - _time.parse_instant(chain["full"]), 0))) if chain else "-"
    )


def _badness(result: dict[str, Any], now: Any) -> tuple[Any, ...]:
    """Sorts the worst first: by kind, then by how many times over its objective a VM is."""
    rank = min((_RANKS[finding["code"]] for finding in result["findings"]), default=len(_RANKS))
    age = _seconds_old(result, now)
    duration = _time.parse_duration(result["objective"]["rpo"])
    allowed = max(now - _time.before(now, duration), 1)
    return rank, -(age or 0) / allowed, _name(result)


def _violations(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in result["findings"] if finding["severity"] == "violation"]


def _why(findings: list[dict[str, Any]], result: dict[str, Any], now: Any) -> str:
    first = findings[0]
    if first["code"] == "rpo":
        return "newest backup %s old, objective %s" % (_age(result, now), result["objective"]["rpo"])
    return _short(first, result)


def _short(finding: dict[str, Any], result: dict[str, Any]) -> str:
    if finding["code"] == "chain_length":
        return "chain too long (%d of %d)" % (finding["value"], finding["limit"])
    if finding["code"] == "chain_age":
        return "chain too old (bound %s)" % finding["limit"]
    return _SHORT[finding["code"]]
