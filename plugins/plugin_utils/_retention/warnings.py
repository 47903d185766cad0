# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings of a plan: about policies that are valid but hardly meant, about pins and tags that no backup has, and about what a weekly rule costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import nearest
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable
from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration

from .chains import Chains, tags
from .closure import Closure
from .inventory import INCREMENTAL, Backups, Vm, plain_id
from .keep import Reasons
from .policy import Policy
from .rules import Rule
from .zone import DAY

#: Codes of the warnings that come from the policy alone.
OF_POLICY = ("keeps_only_newest", "implied")


def warning(code: str, message: str, rule: str | None = None, vm: str | None = None) -> dict[str, Any]:
    """One warning of a plan, as plain data; its message, in which names of VMs are, is made printable."""
    return {"code": code, "message": printable(message), "rule": rule, "vm": vm}


def policy_warnings(policy: Policy) -> list[dict[str, Any]]:
    """What is valid in a policy and hardly meant, seen from the policy alone."""
    return [*_keeps_only_newest(policy), *_implied(policy)]


def _keeps_only_newest(policy: Policy) -> Iterator[dict[str, Any]]:
    if policy.min_restorable <= 1 and all(_keeps_one(rule) and rule.of == "any" for rule in policy.rules):
        names = " and ".join("%s: 1" % rule.name for rule in policy.rules)
        yield warning(
            "keeps_only_newest",
            "%s alone keeps nothing but the newest backup and what it needs: the newest bucket is the one under way"
            % names,
            policy.rules[0].name,
        )


def _implied(policy: Policy) -> Iterator[dict[str, Any]]:
    rules = policy.rules
    for number, rule in enumerate(rules):
        for other_number, other in enumerate(rules):
            if rule is other or not _implies(other, rule, policy):
                continue
            if _implies(rule, other, policy) and number < other_number:
                continue  # of two that say the same, the later one is named
            yield warning(
                "implied",
                "%s changes nothing, %s keeps all of it" % (_written(rule), _written(other)),
                rule.name,
            )
            break


def _written(rule: Rule) -> str:
    return "%s %s" % (rule.name, rule.amount)


def _keeps_one(rule: Rule) -> bool:
    return rule.count == 1 and rule.type.name != "chains" and rule.pick == "newest"


def _implies(strong: Rule, weak: Rule, policy: Policy) -> bool:
    """Whether ``strong`` keeps everything that ``weak`` keeps, whatever the backups are."""
    if weak.pick != "newest" or strong.pick != "newest" or strong.of not in ("any", weak.of):
        return False
    if strong.duration is not None and weak.duration is not None:
        return _longer(strong.duration, weak.duration) and _covers(strong, weak)
    if (
        strong.duration is not None
        or weak.duration is not None
        or policy.counting != "independent"
        or "chains" in (strong.name, weak.name)
    ):
        return False
    if strong.name == "last" and strong.count is None:
        return True
    if strong.of != weak.of:
        return False
    if weak.count == 1:
        return True  # the newest is in the newest bucket of every kind
    if strong.bucket is None or weak.bucket is None or strong.name not in weak.bucket.finer:
        return False
    if strong.count is None:
        return True
    return weak.count is not None and strong.count > weak.bucket.finer[strong.name] * (weak.count - 1)


def _covers(strong: Rule, weak: Rule) -> bool:
    if strong.bucket is None:
        return strong.name == "window" or weak.name != "window"
    return weak.bucket is not None and strong.of == weak.of and strong.bucket.rule in weak.bucket.finer


def _longer(one: Duration, other: Duration) -> bool:
    return one == other or _minutes(one, 28, 365) >= _minutes(other, 31, 366)


def _minutes(duration: Duration, month: int, year: int) -> int:
    days = duration.years * year + duration.months * month + duration.weeks * 7 + duration.days
    return days * 1440 + duration.hours * 60 + duration.minutes


# --- pins and tags that no backup has: mostly a typing error, which lets go what somebody means to keep

UNKNOWN_PIN, UNKNOWN_TAG = "unknown_pin", "unknown_tag"


def unknown_warnings(parts: Iterable[tuple[Policy, list[Vm]]]) -> list[dict[str, Any]]:
    """One warning for each pin and for each tag that is unknown to every policy that has it, given the policies and the VMs of each."""
    pins: dict[str, bool] = {}
    wanted: dict[tuple[str, str], bool] = {}
    seen: set[str] = set()
    for policy, vms in parts:
        ids = {plain_id(identity) for vm in vms for identity in vm.backups.id} if policy.pins else set()
        for pin in policy.pins:
            pins[pin] = pins.get(pin, False) or pin in ids
        found = _tags_found(policy, vms)
        for key, names in (("keep_tags", policy.keep_tags), ("by_tag", [tag for tag, rules in policy.by_tag])):
            for tag in names:
                wanted[key, tag] = wanted.get((key, tag), False) or tag in found
        seen |= found
    return [_unknown_pin(pin) for pin in sorted(pins) if not pins[pin]] + [
        _unknown_tag(*one, seen) for one in sorted(wanted) if not wanted[one]
    ]


def _tags_found(policy: Policy, vms: list[Vm]) -> set[str]:
    """The tags that a policy finds; nothing where it has no use for them."""
    if policy.tags_pattern is None or not (policy.keep_tags or policy.by_tag):
        return set()
    pattern = re.compile(policy.tags_pattern)
    return {
        tag
        for description in {text for vm in vms for text in vm.backups.description}
        for tag in tags(pattern, description)
    }


def _unknown_pin(pin: str) -> dict[str, Any]:
    return warning(UNKNOWN_PIN, "pins has %s, and no backup has this id" % pin, "pins")


def _unknown_tag(key: str, tag: str, seen: set[str]) -> dict[str, Any]:
    near = nearest(tag, seen, 1, 0.5)
    hint = "; did you mean %r?" % near[0] if near else ""
    return warning(
        UNKNOWN_TAG, "%s has %r, and tags_pattern finds this tag in no description%s" % (key, tag, hint), key
    )


# --- what it costs that a weekly rule picks increments: the newest backup of a week is one wherever chains are longer than a week


def weekly_cost(chains: Chains, closure: Closure, reasons: Reasons, policy: Policy) -> int:
    """Bytes of one VM that nothing needs but such increments in chains that are longer than a week."""
    weekly = _picking_increments(policy)
    return (
        sum(_chain_cost(chains.backups, chain.members, closure, reasons.reasons, weekly) for chain in chains.all)
        if weekly
        else 0
    )


def weekly_warnings(policy: Policy, costs: list[int]) -> list[dict[str, Any]]:
    """One warning about all VMs, if there is a cost."""
    costs = [each for each in costs if each]
    if not costs:
        return []
    name = _picking_increments(policy)[0]
    message = (
        "%s keeps the newest backup of a week, which in chains longer than a week is an increment: %d bytes of %d VMs are kept only because "
        "such increments need them; of: full with tails: remove keeps fulls alone"
    )
    return [warning("weekly_increments", message % (name, sum(costs), len(costs)), name)]


def _picking_increments(policy: Policy) -> list[str]:
    return [rule.name for rule in policy.rules if rule.name in ("weekly", "within_weekly") and rule.of == "any"]


def _chain_cost(
    backups: Backups, members: list[int], closure: Closure, given: list[list[dict[str, Any]]], weekly: list[str]
) -> int:
    if backups.instant[max(members)] - backups.instant[min(members)] <= 7 * DAY:
        return 0
    picked = (
        held
    ) = (
        -1
    )  # the places of the last increment that only a weekly rule keeps, and of the last backup that anything else keeps
    for place, position in enumerate(members):
        why = {reason.get("name", reason["code"]) if "tag" not in reason else "tag" for reason in given[position]} - {
            "needed_by"
        }
        if why and why.issubset(weekly) and backups.kind[position] == INCREMENTAL:
            picked = place
        elif why and why != {"tail"}:
            held = place
    if closure.tails_stay and held >= 0:
        return 0  # its tail would stay without the weekly rule, too, and needs all of the chain
    needed = [
        position
        for position in members[held + 1 : picked + 1]
        if given[position] and not closure.has_own_reason[position]
    ]
    return sum(backups.size[position] for position in needed)
