# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan came true: the plan against the backups that are there afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable

from .._read import read_instant
from . import damaged as damages
from . import inventory
from .inventory import Vm, plain_id


def verify_plan(plan: dict[str, Any], backup_trees: Any, damaged: Any = None) -> dict[str, Any]:
    """What of the plan did not come true.

    :arg backup_trees: as ``prl_backup_info`` returns them, gathered the same way as those of the plan, or more widely: what is more is ``new``.
    :arg damaged: the VMs whose backups could not be read this time, as the module returns them.
    :returns: ``left``, what was to be removed and is there; ``missing``, what was to be kept and is not; ``new``, how many are there
        that the plan did not know. Each of the first two is a list of {vm, id, created}. ``unknown``, the planned VMs that could not be read, a list
        of {vm, message}: nothing of them is left or missing. Names of VMs are made printable.
    :raises InputError: names what cannot be read.
    """
    unread = damages.read(damaged)
    messages = {plain_id(one.uuid): one.message for one in unread}
    vms = damages.without(inventory.read(backup_trees), unread)
    there = {key for vm in vms for key in _keys(vm)}
    known: set[tuple[str, int]] = set()
    left: list[dict[str, Any]] = []
    missing: list[dict[str, Any]] = []
    unknown: list[dict[str, Any]] = []
    for vm in plan["vms"]:
        if plain_id(vm["vm"]["uuid"]) in messages:
            unknown.append(
                {"vm": printable(vm["vm"]["name"] or vm["vm"]["uuid"]), "message": messages[plain_id(vm["vm"]["uuid"])]}
            )
            continue
        for backup in vm["backups"]:
            key = (backup["id"], read_instant(backup["created"]))
            known.add(key)
            goes = backup["verdict"] == "remove"
            if goes == (key in there):
                (left if goes else missing).append(
                    {
                        "vm": printable(vm["vm"]["name"] or vm["vm"]["uuid"]),
                        "id": backup["id"],
                        "created": backup["created"],
                    }
                )
    excluded = {plain_id(one["vm"]["uuid"]) for one in plan.get("excluded", [])}
    new = sum(key not in known for vm in vms if plain_id(vm.uuid) not in excluded for key in _keys(vm))
    return {"left": left, "missing": missing, "new": new, "unknown": unknown}


def _keys(vm: Vm) -> Iterator[tuple[str, int]]:
    # An id is used again for another backup once its number is free, so the time belongs to it.
    return zip(vm.backups.id, vm.backups.instant)
