# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan's digest: it changes with the inventory, the policy, the day and the engine, and with nothing else."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _time

from .inventory import Vm
from .policy import Policy
from .zone import DAY, Zone

#: Raised whenever the same input may give another plan.
ENGINE = 6

#: Stands between texts; a character that hardly any has.
_JOINT = "\x1f"


class Digest:
    """Fed VM by VM, in the inventory's order, so that no second copy of the inventory is ever made."""

    def __init__(self, policy: Policy, zone: Zone, now: int):
        self._hash = hashlib.sha256()
        day = _time.to_datetime(zone.wall(now) // DAY * DAY).date().isoformat()
        self._add([ENGINE, day, policy.normalised()])

    def add(self, vm: Vm) -> None:
        """Take in a VM with all its backups."""
        backups = vm.backups
        texts = [backups.chain, backups.id, backups.kind, backups.description, backups.creator, backups.server_uuid]
        joined = _JOINT.join(itertools.chain.from_iterable(texts))
        # JSON takes five times as long, so only texts that have the joint in them are written in it.
        plain = joined.count(_JOINT) == max(len(texts) * len(backups) - 1, 0)
        self._add(
            [
                vm.name,
                vm.uuid,
                vm.type,
                vm.storage_version,
                backups.instant,
                backups.position,
                backups.size,
                len(joined) if plain else texts,
            ]
        )
        if plain:
            self._hash.update(joined.encode("utf-8", "surrogatepass"))

    def retire(self, vm: Vm, by: str) -> None:
        """Take in the decision that a VM is retired. What it was made from may change as long as it stays the same."""
        self._add(["retired", vm.uuid, by])

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()

    def _add(self, values: list[Any]) -> None:
        # JSON of ASCII alone is the same text in every Python, and no value can look like two others.
        self._hash.update(json.dumps(values, sort_keys=True).encode("ascii") + b"\n")
