# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as lines of text for a terminal: a table for each VM, totals, and what a guard refused and what to do then."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

from .words import in_words

DETAILS = ("auto", "all", "removals", "vms", "totals")
#: Where ``auto`` turns from steps to VMs.
MANY_STEPS = 1000
RULE = "─"


def plan_lines(plan: dict[str, Any], detail: str = "auto", limit: int = 200, digest_length: int = 16) -> list[str]:
    """The plan as lines. ``limit``: with more backups than this, ``auto`` shows removals only.

    :raises InputError: names the argument that cannot be used.
    """
    if detail not in DETAILS:
        raise InputError("detail is %r; it must be one of %s" % (detail, ", ".join(DETAILS)))
    detail = _detail(plan, limit) if detail == "auto" else detail
    lines = [line for vm in plan["vms"] for line in _SHOWN[detail](vm)]
    if detail == "vms" and lines:
        lines.insert(0, _vm_line("VM", "type", "keep", "remove", "frees", ""))
    if lines and lines[-1]:
        lines.append("")
    lines += _totals(plan, detail, digest_length)
    return lines


def _detail(plan, limit):
    counts = plan["totals"]["counts"]
    if sum(counts.values()) <= limit:
        return "all"
    steps = sum(len(vm["remove"]) for vm in plan["vms"])
    return "removals" if steps <= MANY_STEPS else "vms"


# --- a VM -------------------------------------------------------------------------------------------------------------------


def _everything(vm) -> Iterator[str]:
    """Every backup, by chain, newest first."""
    yield from _heading(vm)
    chains: dict[str, list] = {}
    for backup in vm["backups"]:
        chains.setdefault(backup["chain"], []).append(backup)
    for chain, backups in chains.items():
        yield "  chain %s" % chain
        for backup in backups:
            yield _row(_short(backup["id"]), backup["created"], backup["type"], backup["size"], backup["verdict"], in_words(backup["reasons"]))
    yield ""


def _removals(vm) -> Iterator[str]:
    """What goes, one line for each step; nothing of VMs where nothing goes."""
    if vm["status"] == "nothing":
        return
    yield from _heading(vm)
    if not vm["remove"]:
        yield ""
        return
    backups = {backup["id"]: backup for backup in vm["backups"]}
    for step in vm["remove"]:
        gone = [backups[identity] for identity in step["removes"]]
        what = "chain of %d" % len(gone) if step["action"] == "chain" else step["action"]
        yield _row(step["id"], step["created"], what, sum(backup["size"] for backup in gone), "remove", in_words(backups[step["id"]]["reasons"]), 44, 12)
    yield ""


def _one_line(vm) -> Iterator[str]:
    if vm["status"] == "nothing":
        return
    note = "refused: " + guard_in_words(vm["guard"]) if vm["guard"] else ""
    gone, size = (vm["counts"]["refused"], vm["bytes"]["refused"]) if vm["guard"] else (vm["counts"]["remove"], vm["bytes"]["freed"])
    yield _vm_line(vm["vm"]["name"] or vm["vm"]["uuid"], vm["vm"]["type"], vm["counts"]["keep"], gone, human_size(size), note)


def _vm_line(name, kind, keep, remove, size, note):
    return ("%-32s %-4s %7s %7s %11s  %s" % (_clean(name)[:32], kind, keep, remove, size, note)).rstrip()


_SHOWN = {"all": _everything, "removals": _removals, "vms": _one_line, "totals": lambda vm: ()}


def _heading(vm):
    name = _clean(vm["vm"]["name"]) or vm["vm"]["uuid"]
    counts, sizes = vm["counts"], vm["bytes"]
    policy = "" if vm.get("group", "default") == "default" else ", policy: %s" % _clean(vm["group"])
    if vm["guard"]:
        what = "REFUSED, %d of %d backups would go (%s)" % (counts["refused"], sum(counts.values()), human_size(sizes["refused"]))
    elif counts["remove"]:
        what = "keep %d, remove %d (%s)" % (counts["keep"], counts["remove"], human_size(sizes["freed"]))
    else:
        what = "keep %d, nothing to remove" % counts["keep"]
    yield "%s %s (%s%s): %s" % (RULE * 2, name, vm["vm"]["type"] or "vm", policy, what)
    if vm["guard"]:
        yield "  guard %s" % guard_in_words(vm["guard"])


def _row(identity, created, kind, size, verdict, why, id_width=7, kind_width=11):
    when = created[:16].replace("T", " ")
    return ("    %-*s %s  %-*s %10s  %-7s %s" % (id_width, identity, when, kind_width, kind, human_size(size), verdict, why)).rstrip()


def _short(identity):
    """The part of an id that the line of its chain does not have."""
    return "." + identity.rpartition(".")[2] if "." in identity else "(full)"


# --- guards -----------------------------------------------------------------------------------------------------------------


def guard_in_words(guard) -> str:
    """Which guard refused a plan, with its value and limit."""
    name, value, limit = guard["name"], guard["value"], guard["limit"]
    told = {
        "max_remove": "%s backups would go, at most %s may",
        "max_remove_share": "%s of the restorable backups would go, at most %s may",
        "max_remove_total": "%s backups of all VMs together would go, at most %s may",
        "min_chains": "%s restorable chains would be left, at least %s must be",
        "max_staleness": "the newest restorable backup is of %s, older than %s",
        "max_broken_chains": "%s chains have no full, at most %s may (they hint that backups are missing from the list)",
        "duplicate_ids": "%s backups have an id that another one has; more than %s is never right",
        "no_restorable_left": "%s restorable backups would be left, at least %s must be",
    }.get(name, "%s, limit %s")
    if name == "max_remove_share":
        value, limit = "%.0f%%" % (value * 100), "%.0f%%" % (limit * 100)
    elif name == "max_staleness":
        value = value or "never"
    return "%s: %s" % (name, told % (value, limit))


# --- totals -----------------------------------------------------------------------------------------------------------------


def _totals(plan, detail, digest_length):
    totals, counts, sizes = plan["totals"]["vms"], plan["totals"]["counts"], plan["totals"]["bytes"]
    backups = sum(counts.values())
    yield "%s %d VMs and containers, %s" % (RULE * 2, sum(totals.values()), _count(backups, "backup"))
    yield "  keep    %7d  %10s" % (counts["keep"], human_size(sizes["own"] + sizes["needed"]))
    yield "  remove  %7d  %10s  of %s" % (counts["remove"], human_size(sizes["freed"]), _count(totals["planned"], "VM"))
    if totals["refused"]:
        yield "  refused %7d  %10s  of %s, by a guard" % (counts["refused"], human_size(sizes["refused"]), _count(totals["refused"], "VM"))
    excluded = plan.get("excluded", [])
    if excluded:
        names = ", ".join(_clean(one["vm"]["name"]) or one["vm"]["uuid"] for one in excluded[:5])
        yield "  excluded %6d  %10s  of %s: %s%s" % (
            sum(one["backups"] for one in excluded), human_size(sum(one["size"] for one in excluded)), _count(len(excluded), "VM"), names,
            " and %d more" % (len(excluded) - 5) if len(excluded) > 5 else "",
        )
    if detail != "all" and backups:
        yield "  Only %s shown; the report has every backup and why it stays." % _LEFT_OUT[detail]
    for warning in plan["warnings"][:20]:
        yield "  warning: %s" % _clean(warning["message"])
    if len(plan["warnings"]) > 20:
        yield "  and %d more warnings; the report has all" % (len(plan["warnings"]) - 20)
    yield "  digest  %s" % plan["digest"][:digest_length]


_LEFT_OUT = {"removals": "what goes is", "vms": "VMs that lose backups, or that a guard refused, are", "totals": "totals are"}


def _count(number, noun):
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


def _clean(text):
    """A name that somebody else chose cannot steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def human_size(size: int) -> str:
    """Bytes with a binary unit and one digit behind the point."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1000 or unit == "TiB":
            return "%d B" % size if unit == "B" else "%.1f %s" % (amount, unit)
        amount /= 1024
    raise AssertionError
