# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new full made now would let go of one VM: the plan of what is kept, with that full added."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time

from .calendar import Calendar
from .chains import ChainReader, Chains
from .closure import Closure, close
from .inventory import FULL, Backup, Backups
from .keep import KeepSet, Reasons, keep
from .policy import Policy
from .rules import NEVER

#: No server names a chain so.
_NEW = "a new full"


class Present(NamedTuple):
    """One VM as its plan has it."""

    chains: Chains
    keep_set: KeepSet
    closure: Closure
    reasons: Reasons
    storage_version: int


def full_due(
    present: Present, policy: Policy, chain_reader: ChainReader, calendar: Calendar, now: int
) -> dict[str, Any]:
    """``freed``: bytes that go as soon as the new full exists. ``chains``: each with ``chain``, ``backups``, ``size``, ``when``.

    The active chain is always listed: ``when`` is the instant before which its last reason cannot lapse, or None
    where that cannot be foreseen.
    """
    chains, backups, active = present.chains, present.chains.backups, present.keep_set.active
    if not chains.restorable:
        return {"freed": 0, "chains": []}
    stays = [True] * len(backups)
    for step in present.closure.steps:
        for position in step.removes:
            stays[position] = False
    left = list(itertools.compress(range(len(backups)), stays))
    instant = max(now, backups.instant[chains.restorable[-1]] + 1)
    full = Backup(instant, 1, _NEW, _NEW, FULL, 0, "", "", "", "")
    rows = list(itertools.compress(backups.rows(), stays))
    later_rows = sorted([*rows, full])
    later = chain_reader.read(Backups(later_rows))
    steps = close(later, keep(later, policy, calendar, now), policy, present.storage_version).steps
    released_chains: dict[str, dict[str, Any]] = {}
    gone: set[tuple[Any, ...]] = set()
    at_once = _time.format_instant(now) if steps else None
    for step in steps:
        chain = later.backups.chain[step.position]
        released = released_chains.setdefault(chain, {"chain": chain, "backups": 0, "size": 0, "when": at_once})
        released["backups"] += len(step.removes)
        released["size"] += sum(map(later.backups.size.__getitem__, step.removes))
        if chain == active:
            gone.update(map(later_rows.__getitem__, step.removes))
    due = {"freed": sum(chain["size"] for chain in released_chains.values()), "chains": list(released_chains.values())}
    rest = [position for position, row in zip(left, rows) if backups.chain[position] == active and row not in gone]
    if rest:
        until = max(present.reasons.expires[position] for position in rest)
        due["chains"].append(
            {
                "chain": active,
                "backups": len(rest),
                "size": sum(map(backups.size.__getitem__, rest)),
                "when": _time.format_instant(until) if now < until < NEVER else None,
            }
        )
    return due
