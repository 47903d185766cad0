# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guards: each looks at what a VM's plan would do and can refuse the whole of it, never half."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Optional

from ansible_collections.prlsdk.core.plugins.module_utils import _time

from .policy import Policy
from .zone import Zone


class Numbers(NamedTuple):
    """What a plan would do to one VM, in numbers."""

    duplicate_ids: int
    broken_chains: int  # before, so that those that are to be removed count too
    backups: int  # all of the VM, before
    restorable: int  # restorable and not in the future, before
    restorable_left: int  # and after
    chains_left: int  # that are restorable
    removed: int  # all backups
    removed_restorable: int
    newest: int | None  # epoch seconds of the newest restorable one


def refusing(numbers: Numbers, policy: Policy, zone: Zone, now: int, retired: bool = False) -> dict[str, Any] | None:
    """The first guard that refuses, as ``{name, value, limit}``; None if none does or there is nothing to remove."""
    if not numbers.removed:
        return None
    for name, refuses in _GUARDS.items():
        if retired and name not in OF_RETIRED:
            continue
        refusal = refuses(numbers, policy, zone, now)
        if refusal is not None:
            value, limit = refusal
            return {"name": name, "value": value, "limit": limit}
    return None


def refusing_total(removed: int, policy: Policy) -> dict[str, Any] | None:
    """The guard over all VMs together. It refuses every one of them: nobody can say which ones are at fault."""
    if policy.max_remove_total is None or removed <= policy.max_remove_total:
        return None
    return {"name": "max_remove_total", "value": removed, "limit": policy.max_remove_total}


def stale(newest: int | None, policy: Policy, zone: Zone, now: int) -> tuple[str | None, str] | None:
    """The newest restorable backup and the oldest that it may be, as text, if it is older."""
    if not policy.max_staleness:
        return None
    edge = zone.before(now, policy.max_staleness)
    if newest is not None and newest >= edge:
        return None
    return (None if newest is None else _time.format_instant(newest)), _time.format_instant(edge)


#: The value that a guard has found, and its limit; None where it lets the plan pass.
_Refusal = Optional[tuple[Any, Any]]  # noqa: UP045


def _duplicate_ids(numbers: Numbers, policy: Policy, zone: Zone, now: int) -> _Refusal:
    return (numbers.duplicate_ids, 0) if numbers.duplicate_ids else None


def _max_broken_chains(numbers: Numbers, policy: Policy, zone: Zone, now: int) -> _Refusal:
    return (
        (numbers.broken_chains, policy.max_broken_chains) if numbers.broken_chains > policy.max_broken_chains else None
    )


def _no_restorable_left(numbers: Numbers, policy: Policy, zone: Zone, now: int) -> _Refusal:
    return (0, 1) if not numbers.restorable_left else None


def _max_staleness(numbers: Numbers, policy: Policy, zone: Zone, now: int) -> _Refusal:
    return stale(numbers.newest, policy, zone, now)


def _min_chains(numbers: Numbers, policy: Policy, zone: Zone, now: int) -> _Refusal:
    return (
        (numbers.chains_left, policy.min_chains)
        if policy.min_chains and numbers.chains_left < policy.min_chains
        else None
    )


def _max_remove(numbers: Numbers, policy: Policy, zone: Zone, now: int) -> _Refusal:
    return (
        (numbers.removed, policy.max_remove)
        if policy.max_remove is not None and numbers.removed > policy.max_remove
        else None
    )


def _max_remove_share(numbers: Numbers, policy: Policy, zone: Zone, now: int) -> _Refusal:
    if numbers.removed < policy.max_remove_floor:
        return None
    # Backups that stay and cannot be restored must not dilute the share of the restorable ones, and those that go must count. Something
    # restorable is there, or an earlier guard has refused.
    shares = [(numbers.removed, numbers.backups), (numbers.removed_restorable, numbers.restorable)]
    removed, total = max(shares, key=lambda share: share[0] / share[1])
    if removed / total <= policy.max_remove_share:
        return None
    # Rounded up, so that the value is above the limit as well, and is itself a limit that would let the plan pass.
    return -(-removed * 10000 // total) / 10000, policy.max_remove_share


#: Every guard of a VM by the name that users see, in the order in which they are asked: (value, limit) where it refuses.
_GUARDS = {
    "duplicate_ids": _duplicate_ids,
    "max_broken_chains": _max_broken_chains,
    "no_restorable_left": _no_restorable_left,
    "max_staleness": _max_staleness,
    "min_chains": _min_chains,
    "max_remove": _max_remove,
    "max_remove_share": _max_remove_share,
}
#: Those that also ask about a VM that is retired. The others protect what such a VM is meant to lose.
OF_RETIRED = ("duplicate_ids", "max_broken_chains")


# --- what guards refused, in words

GUARDS = (
    "max_remove",
    "max_remove_share",
    "max_remove_floor",
    "max_remove_total",
    "min_chains",
    "max_staleness",
    "max_broken_chains",
)


def refusals(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Guard by guard what was refused, in words, and with which value the guard would let it pass."""
    by_guard: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if result["guard"]:
            by_guard.setdefault(result["guard"]["name"], []).append(result)
    told = []
    for name, refused in by_guard.items():
        worst = _worst(name, [result["guard"] for result in refused])
        allow = math.ceil(round(worst["value"] * 100, 6)) / 100 if name == "max_remove_share" else worst["value"]
        told.append(
            {
                "guard": name,
                "vms": [result["vm"]["name"] or result["vm"]["uuid"] for result in refused],
                "backups": sum(result["counts"]["refused"] for result in refused),
                "message": in_words(worst),
                "allow": allow if name in GUARDS and name not in ("max_staleness", "max_remove_floor") else None,
            }
        )
    return told


def _worst(name: str, refused: list[dict[str, Any]]) -> dict[str, Any]:
    if name == "max_staleness":  # instants; None where there is no restorable backup
        return min(refused, key=lambda guard: guard["value"] or "")
    return (min if name == "min_chains" else max)(refused, key=lambda guard: guard["value"])


def in_words(guard: dict[str, Any]) -> str:
    """Which guard refused a plan, with its value and limit; the one wording for the terminal, the page and the messages."""
    name, value, limit = guard["name"], guard["value"], guard["limit"]
    if name == "max_staleness" and value is None:
        return "max_staleness: there is no restorable backup, and the newest must not be older than %s" % limit
    if name == "max_remove_share":
        value, limit = _percents(value, limit)
    one, more, told = _WORDS.get(name, ("", "", "%s%s, the limit is %s"))
    return "%s: %s" % (name, told % (value, one if value == 1 else more, limit))


# Of one, of several, and the sentence with the value, one of these two, and the limit.
_WORDS = {
    "max_remove": ("backup", "backups", "%s %s would be removed, the limit is %s"),
    "max_remove_share": ("", "", "%s%s of the restorable backups, or of all, would be removed, the limit is %s"),
    "max_remove_total": ("backup", "backups", "%s %s of all VMs together would be removed, the limit is %s"),
    "min_chains": ("chain", "chains", "%s restorable %s would be left, at least %s must be"),
    "max_staleness": ("", "", "the newest restorable backup is of %s%s, older than %s"),
    "max_broken_chains": (
        "chain has",
        "chains have",
        "%s %s no full, the limit is %s (it hints that backups are missing from the list)",
    ),
    "duplicate_ids": ("backup has", "backups have", "%s %s an id that another one has; more than %s is never right"),
    "no_restorable_left": ("backup", "backups", "%s restorable %s would be left, at least %s must be"),
}


def _percents(*shares: float) -> list[str]:
    """Shares in percent, with as many decimals as it takes to tell them apart."""
    for decimals in (1, 3, 9):
        texts = ["%.*g%%" % (decimals + 3, round(100 * share, decimals)) for share in shares]
        if len(set(texts)) == len(shares):
            break
    return texts
