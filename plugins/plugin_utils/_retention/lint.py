# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings about policies that are valid but hardly meant: seen from the policy alone, before any backup."""

from __future__ import annotations

from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable

from .policy import Policy
from .rules import Rule

#: Of the warnings that come from the policy alone.
CODES = ("keeps_only_newest", "implied")


def warning(code: str, message: str, rule: str | None = None, vm: str | None = None) -> dict[str, Any]:
    """One warning of a plan, as plain data; its message, in which names of VMs are, is made printable."""
    return {"code": code, "message": printable(message), "rule": rule, "vm": vm}


def lint(policy: Policy) -> list[dict[str, Any]]:
    """All warnings about a policy."""
    return [*_keeps_only_newest(policy), *_implied(policy)]


def _keeps_only_newest(policy):
    if policy.min_restorable <= 1 and all(_keeps_one(rule) and rule.of == "any" for rule in policy.rules):
        names = " and ".join("%s: 1" % rule.name for rule in policy.rules)
        yield warning(
            "keeps_only_newest",
            "%s alone keeps nothing but the newest backup and what it needs: the newest bucket is the one under way"
            % names,
            policy.rules[0].name,
        )


def _implied(policy):
    rules = policy.rules
    for number, rule in enumerate(rules):
        for other_number, other in enumerate(rules):
            if rule is other or not _implies(other, rule, policy):
                continue
            if _implies(rule, other, policy) and number < other_number:
                continue  # of two that say the same, the later one is named
            yield warning(
                "implied",
                "%s changes nothing: %s always keeps all that it would keep" % (rule.name, other.name),
                rule.name,
            )
            break


def _keeps_one(rule: Rule) -> bool:
    return rule.count == 1 and rule.row.name != "chains" and rule.pick == "newest"


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


def _covers(strong, weak):
    if strong.bucket is None:
        return strong.name == "window" or weak.name != "window"
    return weak.bucket is not None and strong.of == weak.of and strong.bucket.rule in weak.bucket.finer


def _longer(one, other):
    return one == other or _minutes(one, 28, 365) >= _minutes(other, 31, 366)


def _minutes(duration, month, year):
    days = duration.years * year + duration.months * month + duration.weeks * 7 + duration.days
    return days * 1440 + duration.hours * 60 + duration.minutes
