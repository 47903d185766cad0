# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM of a plan in figures: what the overview shows of every VM, and what the guards looked at."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.stamps import Reader


class Gap(NamedTuple):
    """The longest time between two neighbouring restore points that stay, in seconds, and the two."""

    length: int
    since: str
    until: str


class Figures(NamedTuple):
    """One VM, counted. Instants are epoch seconds."""

    newest: int | None  # the newest restorable backup that is there
    chains: int
    chains_left: int  # restorable chains that the plan leaves, or would leave
    broken_chains_left: int
    restorable: int
    restorable_going: int
    going: int
    worst_gap: Gap | None

    @property
    def share(self) -> float:
        """The part of the restorable backups that goes, or would go."""
        return self.restorable_going / self.restorable if self.restorable else 0.0


def count(vm: dict[str, Any], read: Reader) -> Figures:
    """Count one entry of a plan's ``vms``. The plan does not say what is restorable, but its reasons do."""
    chains, left, broken_left = set(), set(), set()
    stays: list[tuple[int, str]] = []
    restorable = restorable_going = 0
    newest = None
    for backup in vm["backups"]:
        chain = backup["chain"]
        chains.add(chain)
        codes = {reason["code"] for reason in backup["reasons"]}
        kept = backup["verdict"] == "keep"
        if "broken" in codes:
            if kept:
                broken_left.add(chain)
            continue
        if "future" in codes:
            continue
        restorable += 1
        instant = read(backup["created"])
        if newest is None or instant > newest:
            newest = instant
        if kept:
            left.add(chain)
        else:
            restorable_going += 1
        if backup["verdict"] != "remove":
            stays.append((instant, backup["created"]))
    counts = vm["counts"]
    return Figures(
        newest, len(chains), len(left), len(broken_left), restorable, restorable_going, counts["remove"] + counts["refused"], _worst_gap(stays)
    )


def _worst_gap(stays: list[tuple[int, str]]) -> Gap | None:
    stays = sorted(stays)
    gaps = [Gap(later[0] - earlier[0], earlier[1], later[1]) for earlier, later in zip(stays, stays[1:])]
    return max(gaps, key=lambda gap: gap.length, default=None)
