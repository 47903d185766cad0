# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole report: every VM in the overview, and drawings of those that matter, within bounds that keep the page usable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import policy as policies
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.calendar import Calendar, calendar
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.guards import in_words
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.totals import STATUSES
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import Zone, named

from .._text import formats
from . import counts, guard_table, rule_slots, vm_details
from .outcomes import Outcomes

#: Up to this many VMs on the page all of them are drawn; beyond, only those with removals, refusals or failures.
ALL_DRAWN = 40
#: At most this many VMs are drawn, and none more once this many backups were: about 1 MB.
DRAWN, DRAWN_BACKUPS = 100, 2500
#: What of a policy that is no rule and no guard the page shows.
SETTINGS = (
    "grace",
    "min_restorable",
    "tails",
    "merge",
    "counting",
    "anchor",
    "day_start",
    "week_start",
    "retire_moved_after",
)
#: Warnings, and names of excluded VMs, that are listed for a host.
LISTED = 100

NO_REPORT = "no report"
_BAD = ("failed", "mismatch", "guarded", "running", NO_REPORT)
#: After these nothing of the plan is left to do.
_DONE = ("applied", "nothing")
#: Before these nothing of the plan was done, and a confirmation would do it.
_WAITS = ("planned", "predicted", "mismatch")
#: Digits of a digest that name a plan.
_DIGITS = 16
_LOST = (
    "This run has no report of the host. It could not be reached, was left out, or its turn had not come yet. "
    "Nothing is known of its backups here; the output of the run says why."
)


def make_page(report: Any, expected: Iterable[str] = (), compliance: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the templates of the report draw.

    :arg report: ``title``, ``generated_at`` and ``hosts``, a list of what prl_backup_prune writes: ``host``, ``started``, ``finished``, ``status``,
        ``message``, ``check_mode``, ``plan`` (as :func:`overrides.make_plans` returns it, or None) and ``applied`` (the ``backups`` of prl_backup, or None).
        ``variables`` are the options that the plan was made of, and ``gone`` the UUIDs of VMs that the node does not know; both may be absent.
    :arg compliance: by the name of a host the report of prl_backup_compliance, where there is one.
    :arg expected: names of hosts; those that ``hosts`` does not have are on the page all the same, as hosts without a report.
    :returns: plain dictionaries, lists, texts and numbers; texts are safe to show but not yet escaped.
    :raises InputError: names what is not there or not what it must be.
    """
    report = _mapping(report, "report")
    hosts = report.get("hosts")
    if not isinstance(hosts, (list, tuple)):
        raise InputError("report.hosts must be a list, one dictionary for each host")
    missing = _missing(hosts, expected)
    hosts = [*hosts, *missing]
    checked = compliance or {}
    pages = [
        Host(number, _mapping(host, "report.hosts[%d]" % number), checked.get(host.get("host")))
        for number, host in enumerate(hosts)
    ]
    everything = sum(len(page.vms) for page in pages)
    left_out = _draw(pages, everything <= ALL_DRAWN)
    # What went wrong comes first.
    pages.sort(key=lambda page: page.host.get("status") not in _BAD)
    sections = [page.section() for page in pages]
    plans = [page for page in pages if page.plan]
    return {
        "title": formats.shown(report.get("title") or "Backup retention"),
        "generated_at": formats.moment(report.get("generated_at")),
        "hosts": sections,
        "totals": _totals(pages),
        "done": bool(plans) and all(page.done for page in plans),
        "mixed": any(page.done or (page.outcomes.applied and not page.outcomes.predicted) for page in plans),
        "confirm": _confirmation(pages),
        "checked": any(page.checked for page in pages),
        "letters": _legend(sections),
        "shapes": sorted(
            {month["shape"] for section in sections for vm in section["details"] for month in vm["calendar"]["months"]}
        ),
        "missing": sum(host.get("status") == NO_REPORT for host in hosts),
        "left_out": left_out,
        "bounds": {"all": ALL_DRAWN, "vms": DRAWN, "backups": DRAWN_BACKUPS},
    }


class Host:
    """One host of the report."""

    def __init__(self, number: int, host: Mapping[str, Any], checked: Any = None) -> None:
        self.number = number
        self.host = host
        self.checked = Checked(checked) if checked else None
        self.done = host.get("status") in _DONE and not host.get("check_mode")
        self.gone = {id_key(uuid) for uuid in host.get("gone") or ()}
        self.plan: dict[str, Any] | None = host.get("plan") or None
        where = "report.hosts[%d].plan" % number
        vms = _mapping(self.plan, where).get("vms") if self.plan else []
        if not isinstance(vms, (list, tuple)):
            raise InputError("%s has no vms; give the whole result of retention_plan" % where)
        self.vms: list[dict[str, Any]] = list(vms)
        self.outcomes = Outcomes(host.get("applied"), self.vms, bool(host.get("check_mode")))
        odd = (
            {warning["vm"] for warning in self.plan["warnings"] if warning["code"] in ("broken", "future")}
            if self.plan
            else ()
        )
        self.counts = [counts.count(vm, vm["vm"]["uuid"] in odd) for vm in self.vms]
        self.drawings: dict[int, dict[str, Any]] = {}
        self.groups = _groups(self.plan) if self.plan else {}
        self.now = _time.parse_instant(self.plan["now"]) if self.plan else 0

    def weights(self) -> Iterator[tuple[tuple[int, int], int]]:
        """For each VM how much it matters that it is drawn: failures, then refusals, then what goes; 0 for nothing of it."""
        for place, vm in enumerate(self.vms):
            kind = (
                3 if place in self.outcomes.failed else {"refused": 2, "planned": 1, "retired": 1}.get(vm["status"], 0)
            )
            yield (kind, vm["bytes"]["freed"] + vm["bytes"]["refused"]), place

    def draw(self, place: int) -> int:
        """Draw a VM; the number of backups that it took."""
        vm = self.vms[place]
        group = self.groups[vm.get("group")]
        done = self.done or self.outcomes.status(place, vm) == "done"
        drawn = vm_details.draw(vm, group.policy, self.now, group.calendar, self.outcomes.by_id, done)
        self.drawings[place] = drawn
        return drawn["glyphs"]

    def section(self) -> dict[str, Any]:
        """The host's part of the page."""
        rows = {place: self._row(place) for place in self._order()}
        host = self.host
        section = {
            "anchor": "host-%d" % self.number,
            "host": formats.shown(host.get("host")),
            "started": formats.moment(host.get("started")),
            "finished": formats.moment(host.get("finished")),
            "status": formats.shown(host.get("status")),
            "bad": host.get("status") in _BAD,
            "message": formats.shown(host.get("message"), 2000),
            "done": self.done,
            "vms": list(rows.values()),
            "details": [dict(row, **self.drawings[place]) for place, row in rows.items() if place in self.drawings],
            "checked": self.checked.section() if self.checked else None,
            "variables": _yaml(host.get("variables")),
            "check_mode": self.outcomes.predicted,
            "applied": self.outcomes.section(),
            "plan": None,
        }
        if self.plan:
            section["plan"] = self._plan(self.plan)
        return section

    def _order(self) -> list[int]:
        """The places of the VMs: what failed, what was refused, and the others."""
        return sorted(
            range(len(self.vms)),
            key=lambda place: (place not in self.outcomes.failed, self.vms[place]["status"] != "refused", place),
        )

    def _plan(self, plan: dict[str, Any]) -> dict[str, Any]:
        warnings = [formats.shown(warning["message"], 500) for warning in plan["warnings"]]
        excluded = [formats.shown(each["vm"]["name"] or each["vm"]["uuid"]) for each in plan.get("excluded") or []]
        return {
            "digest": formats.shown(plan["digest"]),
            "now": formats.when(plan["now"]),
            "groups": [self._group(name, group) for name, group in self.groups.items()],
            "excluded": excluded[:LISTED],
            "more_excluded": max(len(excluded) - LISTED, 0),
            "warnings": warnings[:LISTED],
            "more_warnings": max(len(warnings) - LISTED, 0),
            "totals": _written_totals(plan["totals"]),
        }

    def _group(self, name: str | None, group: Group) -> dict[str, Any]:
        policy = group.policy
        places = [place for place, vm in enumerate(self.vms) if vm.get("group") == name]
        return {
            "name": formats.shown(name),
            "vms": len(places),
            "timezone": formats.shown(policy["timezone"]),
            "rules": [rule_slots.rule_text(name, setting, tag) for tag, name, setting in rule_slots.rules(policy)],
            "settings": ["%s %s" % (key, policy[key]) for key in SETTINGS if policy.get(key) is not None],
            "guards": guard_table.table(
                policy,
                [self.vms[place] for place in places],
                [self.counts[place] for place in places],
                self.now,
                group.zone,
            ),
        }

    def _row(self, place: int) -> dict[str, Any]:
        vm, counted = self.vms[place], self.counts[place]
        counts, gap = vm["counts"], counted.worst_gap
        newest = counted.newest
        return {
            "anchor": "vm-%d-%d" % (self.number, place),
            "name": formats.shown(vm["vm"]["name"] or vm["vm"]["uuid"]),
            "uuid": formats.shown(vm["vm"]["uuid"]),
            "group": formats.shown(vm.get("group")),
            "gone": id_key(vm["vm"]["uuid"]) in self.gone,
            "done": self.done or self.outcomes.status(place, vm) == "done",
            "open": place in self.outcomes.failed or vm["status"] == "refused",
            "checked": self.checked.of_vm(vm["vm"]["uuid"]) if self.checked else None,
            "type": "container" if vm["vm"]["type"] == "ct" else "VM",
            "status": vm["status"],
            "told": self.outcomes.status(place, vm),
            "failed": place in self.outcomes.failed,
            "guard": formats.shown(in_words(vm["guard"])) if vm["guard"] else "",
            "newest": "none" if newest is None else formats.span(max(self.now - newest, 0)),
            "newest_at": "" if newest is None else formats.when(_time.format_instant(newest)),
            "chains": counted.chains,
            "kept": counts["keep"],
            "removed": counts["remove"],
            "refused": counts["refused"],
            "gap": formats.span(gap.length) if gap else "none",
            "gap_at": "from %s to %s" % (formats.when(gap.since), formats.when(gap.until))
            if gap
            else "fewer than two restore points remain",
            "freed": formats.size(vm["bytes"]["freed"] or vm["bytes"]["refused"]) if vm["status"] != "nothing" else "",
            "drawn": place in self.drawings,
        }


class Checked:
    """What prl_backup_compliance found on a host."""

    def __init__(self, report: Any) -> None:
        self.report = _mapping(report, "compliance")
        self._texts: dict[str, tuple[str, bool]] = {}
        for vm in [*self.report.get("vms", ()), *self.report.get("orphans", ())]:
            # An orphan has one finding, which is itself.
            findings = vm.get("findings", [vm])
            told = [one["message"] for one in findings if one["severity"] == "violation"]
            text = "; ".join(told) or {"ok": "complies", None: "orphan"}.get(vm.get("status"), vm.get("status"))
            self._texts[id_key(vm["vm"]["uuid"])] = (formats.shown(text), bool(told))

    def of_vm(self, uuid: str) -> dict[str, Any]:
        """What a VM's row says of it; a VM that was not checked has no text."""
        text, bad = self._texts.get(id_key(uuid), ("", False))
        return {"text": text, "bad": bad}

    def section(self) -> dict[str, Any]:
        """The host's line, without a full stop."""
        if self.report.get("error"):
            return {"text": formats.shown(self.report["error"], 500).rstrip("."), "bad": True}
        checked = self.report["totals"]["status"]
        number = sum(checked.values())
        violations = [one["message"] for one in self.report["findings"] if one["severity"] == "violation"]
        if checked["violation"]:
            violations.append("%d of %d VMs and containers do not comply" % (checked["violation"], number))
        text = "; ".join(violations) or "every VM and container complies (%d checked)" % number
        return {"text": formats.shown(text, 500).rstrip("."), "bad": not self.report["compliant"]}


class Group(NamedTuple):
    """VMs that share a policy."""

    policy: dict[str, Any]
    zone: Zone
    calendar: Calendar


def _groups(plan: dict[str, Any]) -> dict[str | None, Group]:
    """The groups of a plan that have VMs, by name; a plan with one policy for all has one, without a name."""
    by_name = {group["name"]: group["policy"] for group in plan.get("groups") or []} or {None: plan["policy"]}
    there = {vm.get("group") for vm in plan["vms"]}
    groups = {}
    for name, policy in by_name.items():
        if name in there or len(by_name) == 1:
            zone = named(policy["timezone"])
            read = policies.read(policy)
            groups[name] = Group(policy, zone, calendar(zone, read.day_start_seconds, read.week_start))
    return groups


def _confirmation(pages: list[Host]) -> str:
    """What a run needs to apply the plans that wait, as an argument of a shell; empty if none waits."""
    digests = [
        page.plan["digest"][:_DIGITS]
        for page in pages
        if page.plan and page.plan["totals"]["counts"]["remove"] and page.host.get("status") in _WAITS
    ]
    # A damaged report must not put anything else into a line that people copy.
    digests = [digest for digest in digests if re.fullmatch("[0-9a-f]{%d}" % _DIGITS, digest)]
    return "-e '%s'" % json.dumps({"backup_retention_confirm": digests}) if digests else ""


def _yaml(variables: Any) -> str:
    """The variables of the role that the plan was made of, to copy; empty if they are not known."""
    if not isinstance(variables, Mapping):
        return ""
    wanted = {"backup_retention_%s" % name: value for name, value in variables.items() if value}
    text = yaml.safe_dump(wanted, allow_unicode=True, default_flow_style=None, sort_keys=False, width=120)
    return "\n".join(map(printable, text.splitlines()))


def _missing(hosts: Iterable[Any], expected: Iterable[str]) -> list[dict[str, Any]]:
    """For each host that was expected and is not there an entry that says so, in the order in which they were expected."""
    if not isinstance(expected, (list, tuple)) or not all(isinstance(name, str) for name in expected):
        raise InputError("hosts must be a list of names")
    there = {host.get("host") for host in hosts if isinstance(host, Mapping)}
    return [
        {"host": name, "status": NO_REPORT, "message": _LOST} for name in dict.fromkeys(expected) if name not in there
    ]


def _draw(pages: list[Host], everything: bool) -> int:
    """Draw the VMs that matter most; how many that should have been drawn were not."""
    wanted = sorted(
        (
            (weight, -page.number, -place)
            for page in pages
            for weight, place in page.weights()
            if everything or weight[0]
        ),
        reverse=True,
    )
    budget = DRAWN_BACKUPS
    for number, (_weight, page, place) in enumerate(wanted):
        if number >= DRAWN or (number and len(pages[-page].vms[-place]["backups"]) > budget):
            return len(wanted) - number
        budget -= pages[-page].draw(-place)
    return 0


def _totals(pages: list[Host]) -> dict[str, Any]:
    totals: dict[str, Any] = {"vms": {}, "counts": {}, "bytes": {}}
    for page in pages:
        if page.plan:
            for part, sums in totals.items():
                for name, number in page.plan["totals"][part].items():
                    sums[name] = sums.get(name, 0) + number
    for part, names in (
        ("vms", " ".join(STATUSES)),
        ("counts", "keep remove refused"),
        ("bytes", "own needed freed refused"),
    ):
        for name in names.split():
            totals[part].setdefault(name, 0)
    return _written_totals(totals)


def _written_totals(totals: dict[str, Any]) -> dict[str, Any]:
    sizes = totals["bytes"]
    return {
        "vms": sum(totals["vms"].values()),
        "refused_vms": totals["vms"]["refused"],
        "keep": totals["counts"]["keep"],
        "remove": totals["counts"]["remove"],
        "refused": totals["counts"]["refused"],
        "kept_size": formats.size(sizes["own"] + sizes["needed"]),
        "freed_size": formats.size(sizes["freed"]),
        "refused_size": formats.size(sizes["refused"]),
    }


def _legend(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The letters that the page has, with what they mean."""
    there = {letter for section in sections for vm in section["details"] for letter in vm["letters"]}
    return [
        {"letter": letter, "text": formats.MEANINGS[name]}
        for name, letter in formats.LETTERS.items()
        if letter in there
    ]


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise InputError("%s must be a dictionary, not %s" % (where, type(value).__name__))
