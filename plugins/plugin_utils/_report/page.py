# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole report: every VM in the overview, and drawings of those that matter, within bounds that keep the page usable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _instants
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.buckets import Calendar, calendar
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.refusals import in_words
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.stamps import Reader
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import Zone, named

from . import drawing, figures, guards, words

#: Up to this many VMs on the page all of them are drawn; beyond, only those with removals, refusals or failures.
ALL_DRAWN = 40
#: At most this many VMs are drawn, and none more once this many backups were.
DRAWN, DRAWN_BACKUPS = 100, 10000
#: Failures and warnings that are listed for a host, and how many of the failures without unfolding them.
LISTED, AT_ONCE = 100, 10

_OUTCOMES = {
    "removed": "removed",
    "already_absent": "was already gone",
    "refused": "not removed, refused",
    "busy": "not removed, in use",
    "failed": "failed",
    "not_attempted": "not attempted",
}
_DONE = ("removed", "already_absent")


def make_page(report) -> dict[str, Any]:
    """What the templates of the report draw.

    :arg report: ``title``, ``generated_at`` and ``hosts``; documented with the filter ``retention_report``.
    :returns: plain dictionaries, lists, texts and numbers; texts are safe to show but not yet escaped.
    :raises InputError: names what is not there or not what it must be.
    """
    report = _mapping(report, "report")
    hosts = report.get("hosts")
    if not isinstance(hosts, (list, tuple)):
        raise InputError("report.hosts must be a list, one dictionary for each host")
    read = Reader()
    pages = [Host(number, _mapping(host, "report.hosts[%d]" % number), read) for number, host in enumerate(hosts)]
    everything = sum(len(page.vms) for page in pages)
    left_out = _draw(pages, everything <= ALL_DRAWN)
    sections = [page.section() for page in pages]
    return {
        "title": words.shown(report.get("title") or "Backup retention"),
        "generated_at": words.shown(report.get("generated_at")),
        "hosts": sections,
        "totals": _totals(pages),
        "letters": _legend(sections),
        "shapes": sorted({month["shape"] for section in sections for vm in section["details"] for month in vm["calendar"]["months"]}),
        "left_out": left_out,
        "bounds": {"all": ALL_DRAWN, "vms": DRAWN, "backups": DRAWN_BACKUPS},
    }


class Host:
    """One host of the report."""

    def __init__(self, number: int, host, read: Reader):
        self.number = number
        self.host = host
        self.read = read
        self.plan = host.get("plan") or None
        where = "report.hosts[%d].plan" % number
        self.vms = _mapping(self.plan, where).get("vms") if self.plan else []
        if not isinstance(self.vms, (list, tuple)):
            raise InputError("%s has no vms; give the whole result of retention_plan" % where)
        self.applied = host.get("applied")
        self.outcomes = _outcomes(self.applied or [])
        odd = {warning["vm"] for warning in self.plan["warnings"] if warning["code"] in ("broken", "future")} if self.plan else ()
        self.figures = [figures.count(vm, vm["vm"]["uuid"] in odd, read) for vm in self.vms]
        self.drawings: dict[int, dict[str, Any]] = {}
        self.groups = _groups(self.plan) if self.plan else {}
        self.now = _instants.parse(self.plan["now"]) if self.plan else 0

    def weights(self):
        """For each VM how much it matters that it is drawn: failures, then refusals, then what goes; 0 for nothing of it."""
        failed = {vm for vm, outcome in ((each.get("vm"), each.get("outcome")) for each in self.applied or []) if outcome not in _DONE}
        for place, vm in enumerate(self.vms):
            kind = 3 if vm["vm"]["uuid"] in failed else {"refused": 2, "planned": 1}.get(vm["status"], 0)
            yield (kind, vm["bytes"]["freed"] + vm["bytes"]["refused"]), place

    def draw(self, place: int) -> int:
        """Draw a VM; the number of backups that it took."""
        vm = self.vms[place]
        group = self.groups[vm.get("group")]
        drawn = drawing.draw(vm, group.policy, self.now, group.calendar, self.read, self.outcomes)
        self.drawings[place] = drawn
        return drawn["marks"]

    def section(self) -> dict[str, Any]:
        """The host's part of the page."""
        rows = [self._row(place) for place in range(len(self.vms))]
        host = self.host
        section = {
            "anchor": "host-%d" % self.number,
            "host": words.shown(host.get("host")),
            "started": words.shown(host.get("started")),
            "finished": words.shown(host.get("finished")),
            "status": words.shown(host.get("status")),
            "message": words.shown(host.get("message"), 2000),
            "vms": rows,
            "details": [dict(rows[place], **self.drawings[place]) for place in sorted(self.drawings)],
            "applied": self._applied(),
            "plan": None,
        }
        if self.plan:
            section["plan"] = self._plan()
        return section

    def _plan(self):
        plan = self.plan
        warnings = [words.shown(warning["message"], 500) for warning in plan["warnings"]]
        excluded = [words.shown(each["vm"]["name"] or each["vm"]["uuid"]) for each in plan.get("excluded") or []]
        return {
            "digest": words.shown(plan["digest"]),
            "now": words.when(plan["now"]),
            "groups": [self._group(name, group) for name, group in self.groups.items()],
            "excluded": excluded[:LISTED],
            "more_excluded": max(len(excluded) - LISTED, 0),
            "warnings": warnings[:LISTED],
            "more_warnings": max(len(warnings) - LISTED, 0),
            "totals": _written_totals(plan["totals"]),
        }

    def _group(self, name, group):
        policy = group.policy
        places = [place for place, vm in enumerate(self.vms) if vm.get("group") == name]
        return {
            "name": words.shown(name),
            "vms": len(places),
            "timezone": words.shown(policy["timezone"]),
            "rules": [drawing.rule_text(rule, policy[rule]) for rule in drawing.rules(policy)],
            "settings": ["%s %s" % (key, policy[key]) for key in ("grace", "min_restorable", "tails", "merge", "counting", "anchor", "day_start")],
            "guards": guards.table(policy, [self.vms[place] for place in places], [self.figures[place] for place in places], self.now, group.zone),
        }

    def _row(self, place):
        vm, counted = self.vms[place], self.figures[place]
        counts, gap = vm["counts"], counted.worst_gap
        newest = counted.newest
        return {
            "anchor": "vm-%d-%d" % (self.number, place),
            "name": words.shown(vm["vm"]["name"] or vm["vm"]["uuid"]),
            "uuid": words.shown(vm["vm"]["uuid"]),
            "group": words.shown(vm.get("group")),
            "type": "container" if vm["vm"]["type"] == "ct" else "VM",
            "status": vm["status"],
            "guard": words.shown(in_words(vm["guard"])) if vm["guard"] else "",
            "newest": "none" if newest is None else words.span(max(self.now - newest, 0)),
            "newest_at": "" if newest is None else words.when(_instants.format(newest)),
            "chains": counted.chains,
            "kept": counts["keep"],
            "removed": counts["remove"],
            "refused": counts["refused"],
            "gap": words.span(gap.length) if gap else "none",
            "gap_at": "from %s to %s" % (words.when(gap.since), words.when(gap.until)) if gap else "fewer than two restore points stay",
            "freed": words.size(vm["bytes"]["freed"] or vm["bytes"]["refused"]) if vm["status"] != "nothing" else "",
            "drawn": place in self.drawings,
        }

    def _applied(self):
        if self.applied is None:
            return None
        counts: dict[str, int] = {}
        for entry in self.applied:
            # A chain is one entry and many backups: what is counted is what is gone, whatever became of the rest of the entry.
            gone = len(entry.get("removed") or []) or int(entry.get("outcome") == "removed")
            if gone:
                counts["removed"] = counts.get("removed", 0) + gone
            if entry.get("outcome") != "removed":
                counts[entry.get("outcome")] = counts.get(entry.get("outcome"), 0) + 1
        names = {vm["vm"]["uuid"]: vm["vm"]["name"] for vm in self.vms}
        problems = [entry for entry in self.applied if entry.get("outcome") not in _DONE]
        return {
            "counts": [{"outcome": words.shown(_OUTCOMES.get(outcome, outcome)), "number": number} for outcome, number in sorted(counts.items())],
            "problems": [
                {
                    "vm": words.shown(names.get(entry.get("vm")) or entry.get("vm") or "not known"),
                    "id": words.shown(entry.get("id"), 60),
                    "outcome": words.shown(_OUTCOMES.get(entry.get("outcome"), entry.get("outcome"))),
                    "message": words.shown(entry.get("message") or (entry.get("error") or {}).get("symbol") or "", 500),
                }
                for entry in problems[:LISTED]
            ],
            "at_once": AT_ONCE,
            "more": max(len(problems) - LISTED, 0),
            "failed": len(problems),
        }


class Group(NamedTuple):
    """VMs that share a policy."""

    policy: dict[str, Any]
    zone: Zone
    calendar: Calendar


def _groups(plan) -> dict[str | None, Group]:
    """The groups of a plan that have VMs, by name; a plan with one policy for all has one, without a name."""
    policies = {group["name"]: group["policy"] for group in plan.get("groups") or []} or {None: plan["policy"]}
    there = {vm.get("group") for vm in plan["vms"]}
    groups = {}
    for name, policy in policies.items():
        if name in there or len(policies) == 1:
            zone, start = named(policy["timezone"]), policy["day_start"]
            groups[name] = Group(policy, zone, calendar(zone, int(start[:2]) * 3600 + int(start[3:]) * 60))
    return groups


def _draw(pages, everything):
    """Draw the VMs that matter most; how many that should have been drawn were not."""
    wanted = sorted(((weight, -page.number, -place) for page in pages for weight, place in page.weights() if everything or weight[0]), reverse=True)
    budget = DRAWN_BACKUPS
    for number, (weight, page, place) in enumerate(wanted):
        if number >= DRAWN or (number and len(pages[-page].vms[-place]["backups"]) > budget):
            return len(wanted) - number
        budget -= pages[-page].draw(-place)
    return 0


def _outcomes(applied):
    """What became of each backup, by its id; a chain's entry speaks for all of its backups."""
    outcomes = {}
    for entry in applied:
        for gone in entry.get("removed") or []:
            outcomes[gone] = {"text": "removed"}
        if entry.get("outcome"):
            outcomes[entry["id"]] = {"text": words.shown(_OUTCOMES.get(entry["outcome"], entry["outcome"]))}
    return outcomes


def _totals(pages):
    totals: dict[str, Any] = {"vms": {}, "counts": {}, "bytes": {}}
    for page in pages:
        for part in totals if page.plan else ():
            for name, number in page.plan["totals"][part].items():
                totals[part][name] = totals[part].get(name, 0) + number
    for part, names in (("vms", "nothing planned refused"), ("counts", "keep remove refused"), ("bytes", "own needed freed refused")):
        for name in names.split():
            totals[part].setdefault(name, 0)
    return _written_totals(totals)


def _written_totals(totals):
    sizes = totals["bytes"]
    return {
        "vms": sum(totals["vms"].values()),
        "refused_vms": totals["vms"]["refused"],
        "keep": totals["counts"]["keep"],
        "remove": totals["counts"]["remove"],
        "refused": totals["counts"]["refused"],
        "kept_size": words.size(sizes["own"] + sizes["needed"]),
        "needed_size": words.size(sizes["needed"]),
        "freed_size": words.size(sizes["freed"]),
        "refused_size": words.size(sizes["refused"]),
    }


def _legend(sections):
    """The letters that the page has, with what they mean."""
    there = {letter for section in sections for vm in section["details"] for letter in vm["letters"]}
    return [{"letter": letter, "text": words.MEANINGS[name]} for name, letter in words.LETTERS.items() if letter in there]


def _mapping(value, where):
    if isinstance(value, Mapping):
        return value
    raise InputError("%s must be a dictionary, not %s" % (where, type(value).__name__))
