# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM of a plan in numbers: what the overview shows of every VM, and what the guards looked at."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

from .._read import read_instant


class Gap(NamedTuple):
    """The longest time between two neighbouring restore points that stay, in seconds, and the two."""

    length: int
    since: str
    until: str


class Counts(NamedTuple):
    """One VM, counted. Instants are epoch seconds."""

    newest: int | None  # the newest restorable backup that is there
    chains: int
    chains_left: int  # restorable chains that the plan leaves, or would leave
    broken_chains: int
    backups: int
    restorable: int
    restorable_going: int
    going: int
    worst_gap: Gap | None

    @property
    def share(self) -> float:
        """The part of the restorable backups, or of all, that goes or would go: the larger one."""
        return max(
            self.restorable_going / self.restorable if self.restorable else 0.0,
            self.going / self.backups if self.backups else 0.0,
        )


_LOOKED_AT = operator.itemgetter("chain", "verdict", "created")


def count(vm: dict[str, Any], odd: bool) -> Counts:
    """Count one entry of a plan's ``vms``.

    The engine's guards count the same of the inventory, which a plan that was written down and read again does not have:
    it says neither which backups are restorable nor what the guards counted, except of the one that refused. The reasons do say it. They
    are looked at only where the plan warned that the VM is ``odd``, that is, has broken chains or backups from the future: reading all
    reasons of a large plan through Ansible's templates takes long.
    """
    chains, left, broken_chains = set(), set(), set()
    stays: list[tuple[int, str]] = []
    restorable = restorable_going = 0
    newest = None
    for backup in vm["backups"]:
        chain, verdict, created = _LOOKED_AT(backup)
        chains.add(chain)
        if odd:
            codes = {reason["code"] for reason in backup["reasons"]}
            if "broken" in codes:
                broken_chains.add(chain)
            if codes & {"broken", "future"}:
                continue
        restorable += 1
        instant = read_instant(created)
        if newest is None or instant > newest:
            newest = instant
        if verdict == "keep":
            left.add(chain)
        else:
            restorable_going += 1
        if verdict != "remove":
            stays.append((instant, created))
    counts = vm["counts"]
    going = counts["remove"] + counts["refused"]
    return Counts(
        newest,
        len(chains),
        len(left),
        len(broken_chains),
        len(vm["backups"]),
        restorable,
        restorable_going,
        going,
        _worst_gap(stays),
    )


def _worst_gap(stays: list[tuple[int, str]]) -> Gap | None:
    stays = sorted(stays)
    gaps = [Gap(later[0] - earlier[0], earlier[1], later[1]) for earlier, later in zip(stays, stays[1:])]
    return max(gaps, key=lambda gap: gap.length, default=None)
