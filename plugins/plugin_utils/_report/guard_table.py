# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guards of a policy looked at: each limit, and the VM that comes nearest to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.guards import OF_RETIRED
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import Zone

from .._text import formats
from .counts import Counts

#: VMs of a plan, each with what was counted of it.
_Pairs = list[tuple[dict[str, Any], Counts]]


def table(
    policy: dict[str, Any], vms: list[dict[str, Any]], counted: list[Counts], now: int, zone: Zone
) -> list[dict[str, Any]]:
    """A row for each guard that the policy of these VMs sets, with the nearest value and how many plans it refused."""
    rows = [_row(name, policy, list(zip(vms, counted)), now, zone) for name in _NEAREST if policy.get(name) is not None]
    if policy.get("max_remove_total") is not None:
        total = sum(counts.going for counts in counted)
        rows.append(
            _written(
                "max_remove_total",
                policy["max_remove_total"],
                total,
                "all VMs together",
                total,
                policy["max_remove_total"],
            )
        )
    refused: dict[str, int] = {}
    for vm in vms:
        if vm["guard"]:
            refused[vm["guard"]["name"]] = refused.get(vm["guard"]["name"], 0) + 1
    known = {row["name"] for row in rows}
    rows += [_written(name, "", "", "", 0, 0) for name in sorted(set(refused) - known)]
    return [dict(row, refused=refused.get(row["name"], 0)) for row in rows]


def _row(name: str, policy: dict[str, Any], pairs: _Pairs, now: Any, zone: Zone) -> dict[str, Any]:
    limit = policy[name]
    if name not in OF_RETIRED:
        pairs = [(vm, counts) for vm, counts in pairs if vm["status"] != "retired"]
    nearest, value, written = _NEAREST[name](pairs, policy, now)
    if name == "max_staleness":
        bound, text = now - zone.before(now, _time.parse_duration(limit)), formats.shown(limit)
    else:
        bound, text = limit, _percent(limit) if name == "max_remove_share" else formats.shown(limit)
    return _written(name, text, written, nearest, value, bound)


def _written(name: str, limit: Any, value: Any, vm: str, number: Any, bound: Any) -> dict[str, Any]:
    """The bar is full at the limit; past it the row says so in words as well."""
    fill = 100 if number > bound else round(100 * number / bound, 1) if bound else 0
    if name == "min_chains":
        fill = min(round(100 * bound / number, 1), 100) if number else 100
    return {"name": name, "limit": str(limit), "value": str(value), "vm": formats.shown(vm), "fill": fill}


def _percent(share: float) -> str:
    return "%g%%" % round(100 * share, 1)


def _most(value: Callable[..., Any], write: Callable[[Any], str]) -> Callable[..., Any]:
    """The VM of which a value is largest."""

    def nearest(pairs: _Pairs, policy: dict[str, Any], now: Any) -> Any:
        numbers = [(value(vm, counts, policy, now), vm) for vm, counts in pairs]
        number, vm = max(numbers, key=lambda each: each[0], default=(0, None))
        return (vm["vm"]["name"] or vm["vm"]["uuid"] if vm and number else ""), number, write(number)

    return nearest


def _fewest_chains(pairs: _Pairs, policy: dict[str, Any], now: Any) -> Any:
    numbers = [(counts.chains_left, vm["vm"]["name"] or vm["vm"]["uuid"]) for vm, counts in pairs if counts.going]
    number, name = min(numbers, default=(0, ""))
    return name, number if numbers else 10**9, str(number) if numbers else "no removal"


_NEAREST = {
    "max_remove": _most(lambda vm, counts, policy, now: counts.going, str),
    "max_remove_share": _most(
        lambda vm, counts, policy, now: counts.share if counts.going >= policy["max_remove_floor"] else 0.0, _percent
    ),
    "min_chains": _fewest_chains,
    "max_staleness": _most(
        lambda vm, counts, policy, now: max(now - counts.newest, 0) if counts.newest is not None else 0, formats.span
    ),
    "max_broken_chains": _most(lambda vm, counts, policy, now: counts.broken_chains, str),
}
