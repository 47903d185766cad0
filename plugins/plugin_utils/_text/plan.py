# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as lines of text for a terminal: a table for each VM, totals, and what a guard refused and what to do then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.guards import in_words

from . import formats
from .steps import Step, by_chain, steps

DETAILS = ("auto", "all", "removals", "vms", "totals")
#: Where ``auto`` turns from steps to VMs.
MANY_STEPS = 1000
RULE = "─"
#: VMs that a line of the totals names.
NAMED = 5


def plan_lines(
    plan: dict[str, Any], detail: str = "auto", limit: int = 200, digest_length: int = 16, most: int | None = None
) -> list[str]:
    """The plan as lines.

    ``limit``: with more backups than this, ``auto`` shows removals only. ``most``: of VMs there are no more lines than this; the totals are always there.

    :raises InputError: names the argument that cannot be used.
    """
    if detail not in DETAILS:
        raise InputError("detail is %r; it must be one of %s" % (detail, ", ".join(DETAILS)))
    detail = _detail(plan, limit) if detail == "auto" else detail
    lines = [line for vm in plan["vms"] for line in _SHOWN[detail](vm)]
    if detail == "vms" and lines:
        lines.insert(0, _vm_line("VM", "type", "keep", "remove", "frees", ""))
    if most is not None and len(lines) > most:
        lines[most:] = ["and %d more lines; the report has everything" % (len(lines) - most)]
    if lines and lines[-1]:
        lines.append("")
    lines += _totals(plan, detail, digest_length)
    return [formats.shown(line, 1000) for line in lines]  # names and ids are the server's: none may steer the terminal


def _detail(plan: dict[str, Any], limit: int) -> str:
    counts = plan["totals"]["counts"]
    if sum(counts.values()) <= limit:
        return "all"
    steps = sum(len(vm["remove"]) for vm in plan["vms"])
    return "removals" if steps <= MANY_STEPS else "vms"


# --- a VM -------------------------------------------------------------------------------------------------------------------


def _everything(vm: dict[str, Any]) -> Iterator[str]:
    """Every backup, by chain, newest first."""
    yield from _heading(vm)
    for backups in by_chain(vm["backups"]):
        yield "  chain %s" % backups[0]["chain"]
        for backup in backups:
            why = "; ".join(formats.why(backup)).replace(backup["chain"], "")
            yield _row(_short(backup["id"]), backup["created"], backup["type"], backup["size"], backup["verdict"], why)
    yield ""


def _removals(vm: dict[str, Any]) -> Iterator[str]:
    """What goes, or would if a guard had not refused it, one line for each step; nothing of VMs where nothing goes."""
    if vm["status"] == "nothing":
        return
    yield from _heading(vm)
    yield from map(_step, steps(vm))
    yield ""


def _step(step: Step) -> str:
    what = (
        "chain of %d" % len(step.gone)
        if step.action == "chain"
        else step.action
        if len(step.gone) == 1
        else "%d increments" % len(step.gone)
    )
    head = step.head
    return _row(head["id"], head["created"], what, step.frees, head["verdict"], "; ".join(formats.why(head)), 42, 13)


def _one_line(vm: dict[str, Any]) -> Iterator[str]:
    if vm["status"] == "nothing":
        return
    note = "refused: " + in_words(vm["guard"]) if vm["guard"] else "retired" if vm["status"] == "retired" else ""
    gone, size = (
        (vm["counts"]["refused"], vm["bytes"]["refused"])
        if vm["guard"]
        else (vm["counts"]["remove"], vm["bytes"]["freed"])
    )
    yield _vm_line(
        vm["vm"]["name"] or vm["vm"]["uuid"], vm["vm"]["type"], vm["counts"]["keep"], gone, formats.size(size), note
    )


def _vm_line(name: Any, kind: str, keep: Any, remove: Any, size: str, note: str) -> str:
    return ("%-32s %-4s %7s %7s %11s  %s" % (formats.shown(name)[:32], kind, keep, remove, size, note)).rstrip()


_SHOWN: dict[str, Callable[[dict[str, Any]], Iterable[str]]] = {
    "all": _everything,
    "removals": _removals,
    "vms": _one_line,
    "totals": lambda vm: (),
}


def _heading(vm: dict[str, Any]) -> Iterator[str]:
    name = _name(vm)
    counts, sizes = vm["counts"], vm["bytes"]
    policy = "" if vm.get("group", "default") == "default" else ", policy: %s" % formats.shown(vm["group"])
    if vm["guard"]:
        what = "REFUSED, %d of %d backups would be removed (%s)" % (
            counts["refused"],
            sum(counts.values()),
            formats.size(sizes["refused"]),
        )
    elif vm["status"] == "retired":
        what = "RETIRED, keep %d, remove %d (%s)" % (counts["keep"], counts["remove"], formats.size(sizes["freed"]))
    elif counts["remove"]:
        what = "keep %d, remove %d (%s)" % (counts["keep"], counts["remove"], formats.size(sizes["freed"]))
    else:
        what = "keep %d, nothing to remove" % counts["keep"]
    yield "%s %s (%s%s): %s" % (RULE * 2, name, vm["vm"]["type"] or "vm", policy, what)
    if vm["guard"]:
        yield "  guard %s" % in_words(vm["guard"])


def _name(vm: dict[str, Any]) -> str:
    return formats.shown(vm["vm"]["name"]) or vm["vm"]["uuid"]


def _row(
    identity: str, created: str, kind: str, size: int, verdict: str, why: str, id_width: int = 7, kind_width: int = 11
) -> str:
    when = created[:16].replace("T", " ")
    return (
        "    %-*s %s  %-*s %10s  %-7s %s"
        % (id_width, identity, when, kind_width, kind, formats.size(size), verdict, why)
    ).rstrip()


def _short(identity: str) -> str:
    """The part of an id that the line of its chain does not have."""
    return "." + identity.rpartition(".")[2] if "." in identity else "(full)"


# --- totals -----------------------------------------------------------------------------------------------------------------


def _totals(plan: dict[str, Any], detail: str, digest_length: int) -> Iterator[str]:
    totals, counts, sizes = plan["totals"]["vms"], plan["totals"]["counts"], plan["totals"]["bytes"]
    backups = sum(counts.values())
    vms = sum(totals.values())
    yield "%s %s, %s, times in UTC" % (
        RULE * 2,
        "1 VM or container" if vms == 1 else "%d VMs and containers" % vms,
        formats.count(backups, "backup"),
    )
    yield "  keep    %7d  %10s" % (counts["keep"], formats.size(sizes["own"] + sizes["needed"]))
    yield "  remove  %7d  %10s  of %s" % (
        counts["remove"],
        formats.size(sizes["freed"]),
        formats.count(totals["planned"] + totals["retired"], "VM"),
    )
    if totals["retired"]:
        gone = [vm for vm in plan["vms"] if vm["status"] == "retired"]
        yield "  retired %7d  %10s  of %s: %s" % (
            sum(vm["counts"]["remove"] for vm in gone),
            formats.size(sum(vm["bytes"]["freed"] for vm in gone)),
            formats.count(len(gone), "VM"),
            formats.listed([_name(vm) for vm in gone], NAMED),
        )
    if totals["refused"]:
        yield "  refused %7d  %10s  of %s, by a guard" % (
            counts["refused"],
            formats.size(sizes["refused"]),
            formats.count(totals["refused"], "VM"),
        )
    excluded = plan.get("excluded", [])
    if excluded:
        yield "  excluded %6d  %10s  of %s: %s" % (
            sum(one["backups"] for one in excluded),
            formats.size(sum(one["size"] for one in excluded)),
            formats.count(len(excluded), "VM"),
            formats.listed([_name(one) for one in excluded], NAMED),
        )
    if plan.get("unused"):
        yield "  unused: no VM of this host that has backups fits %s" % ", ".join(
            formats.shown(name) for name in plan["unused"]
        )
    if detail != "all" and backups:
        yield "  Only %s shown; the report lists every backup with its reason." % _LEFT_OUT[detail]
    yield "  digest  %s" % plan["digest"][:digest_length]


_LEFT_OUT = {
    "removals": "removals are",
    "vms": "VMs that lose backups, or that a guard refused, are",
    "totals": "totals are",
}
