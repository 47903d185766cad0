# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pruning tells at its end: what went or would go, what the guards refused, and what to do then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.totals import GOING

from . import formats

#: What became of the plan: only shown, predicted by check mode, carried out, or stopped by a guard.
STATES = ("planned", "predicted", "applied", "stopped")
#: VMs that a refusal names.
NAMED = 3


def conclude(
    plan: dict[str, Any],
    state: str,
    confirmed: bool = False,
    stops: bool = False,
    digest_length: int = 16,
    option: Callable[[str], str] = str,
) -> str:
    """One paragraph.

    :arg plan: a plan for VMs with different policies.
    :arg confirmed: whether somebody allowed the removal; else the paragraph says how.
    :arg stops: whether one refusal stops the whole host.
    :arg option: makes of an option's name what the user sets: the role has a variable for each, which ``-e`` sets.
    :raises InputError: names the state that it does not know.
    """
    if state not in STATES:
        raise InputError("state is %r; it must be one of %s" % (state, ", ".join(STATES)))
    return " ".join(
        [
            _told(plan, state, confirmed, stops, digest_length, option),
            *_damaged(plan.get("damaged", [])),
            *_refusals(plan["refusals"], option),
        ]
    )


def _set(option: Callable[[str], str], name: str, value: Any) -> str:
    """How the user sets an option."""
    return "-e %s=%s" % (option(name), value) if option(name) != name else "'%s: %s'" % (name, value)


def _told(
    plan: dict[str, Any], state: str, confirmed: bool, stops: bool, digest_length: int, option: Callable[[str], str]
) -> str:
    going = plan["totals"]["counts"]["remove"]
    because = "since %s is stop and a guard refused something." % option("on_refused")
    if state == "stopped":
        return "Nothing was removed, %s" % because
    if not going:
        return "Nothing was removed." if plan["refusals"] else _nothing(plan)
    vms = sum(plan["totals"]["vms"][status] for status in GOING)
    what = "%s of %s (%s%s)" % (
        formats.count(going, "backup"),
        formats.count(vms, "VM"),
        formats.size(plan["totals"]["bytes"]["freed"]),
        _retired(plan["vms"]),
    )
    if state == "applied":
        gone = "it is" if going == 1 else "they are"
        return "Removed %s. Verified: %s gone, and %s." % (what, gone, _there(plan["totals"]["counts"]))
    first = "Plan only, nothing was changed." if state == "planned" else "Check mode, nothing was changed."
    if stops and plan["refusals"]:
        return "%s %s could be removed but will not be, %s" % (first, what, because)
    if state == "predicted" and confirmed:
        return "%s %s would be removed. Run it without --check to remove %s." % (
            first,
            what,
            "it" if going == 1 else "them",
        )
    exactly, whatever = (_set(option, "confirm", value) for value in (plan["digest"][:digest_length], "true"))
    return (
        "%s %s would be removed. To apply exactly this plan add %s; to apply whatever the plan is at that time, as in a nightly job, %s."
        % (
            first,
            what,
            exactly,
            whatever,
        )
    )


def _retired(vms: list[dict[str, Any]]) -> str:
    """The VMs of which backups go because they have moved or are gone, by name."""
    names = [formats.shown(vm["vm"]["name"]) or vm["vm"]["uuid"] for vm in vms if vm["status"] == "retired"]
    return "; retired: %s" % formats.listed(names, NAMED) if names else ""


def _nothing(plan: dict[str, Any]) -> str:
    stay, vms = plan["totals"]["counts"]["keep"], sum(plan["totals"]["vms"].values())
    if stay:
        who, does = ("the only backup", "is kept") if stay == 1 else ("all %d backups" % stay, "are kept")
        return "Nothing to remove: %s of %s %s." % (who, formats.count(vms, "VM"), does)
    if plan.get("damaged"):
        return "Nothing to remove."
    return "Nothing to remove: %s." % (
        "every VM with backups is excluded" if plan.get("excluded") else "there are no backups"
    )


def _there(counts: dict[str, int]) -> str:
    stay = counts["keep"] + counts["refused"]
    return "the one other backup is still there" if stay == 1 else "all %d other backups are still there" % stay


def _damaged(damaged: list[dict[str, Any]]) -> Iterator[str]:
    """The VMs of which nothing is known, by name, and what is wrong with the first."""
    if damaged:
        names = ", ".join(formats.shown(one["name"] or one["uuid"]) for one in damaged[:NAMED])
        more = len(damaged) - NAMED
        yield "Nothing was planned for %s%s, because it is not known which backups %s. %s" % (
            names,
            " and %s" % formats.count(more, "more VM") if more > 0 else "",
            "it has" if len(damaged) == 1 else "they have",
            formats.shown(damaged[0]["message"], 500),
        )


def _refusals(refusals: list[dict[str, Any]], option: Callable[[str], str]) -> Iterator[str]:
    """Guard by guard what was refused, and the option with which one run may do it all the same."""
    allow = {}
    for refusal in refusals:
        names = ", ".join(formats.shown(name) for name in refusal["vms"][:NAMED])
        more = len(refusal["vms"]) - NAMED
        yield "A guard refused the removal of %s of %s%s. %s." % (
            formats.count(refusal["backups"], "backup"),
            names,
            " and %s" % formats.count(more, "more VM") if more > 0 else "",
            formats.shown(refusal["message"]),
        )
        if refusal["allow"] is not None:
            allow[refusal["guard"]] = refusal["allow"]
    if allow:
        way = (
            "-e '%s'" % json.dumps({option("guards"): allow})
            if option("guards") != "guards"
            else "'guards: %s'" % json.dumps(allow)
        )
        yield "If that is what you want, let one run do it with %s, or change the policy." % way
