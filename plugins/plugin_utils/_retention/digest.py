# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan's digest: it changes with the inventory, the policy, the day and the engine, and with nothing else."""

from __future__ import annotations

import hashlib
import json

from ansible_collections.prlsdk.core.plugins.module_utils import _instants

from .inventory import Vm
from .policy import Policy
from .zone import DAY, Zone

#: Raised whenever the same input may give another plan.
ENGINE = 2


_quote = json.encoder.encode_basestring_ascii


class Digest:
    """Fed VM by VM, in the inventory's order, so that no second copy of the inventory is ever made."""

    def __init__(self, policy: Policy, zone: Zone, now: int):
        self._hash = hashlib.sha256()
        self._quoted = _Quoted()
        day = _instants.to_datetime(zone.wall(now) // DAY * DAY).date().isoformat()
        self._add([ENGINE, day, policy.normalised()])

    def add(self, vm: Vm) -> None:
        """Take in a VM with all its backups: the text that ``json.dumps`` makes of it, in half the time."""
        quoted, head = self._quoted, json.dumps(vm[:-1])
        backups = [
            f"[{instant}, {position}, {quoted[chain]}, {_quote(identity)}, {quoted[kind]}, {size}, {_quote(description)}, {quoted[creator]}, {quoted[server]}]"
            for instant, position, chain, identity, kind, size, description, creator, server in vm.backups
        ]
        self._hash.update(("%s, [%s]]\n" % (head[:-1], ", ".join(backups))).encode("ascii"))

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()

    def _add(self, values) -> None:
        # JSON of ASCII alone is the same text in every Python, and no value can look like two others.
        self._hash.update(json.dumps(values, sort_keys=True).encode("ascii") + b"\n")


class _Quoted(dict):
    """Texts that many backups share -> their JSON."""

    def __missing__(self, text):
        self[text] = quoted = _quote(text)
        return quoted
