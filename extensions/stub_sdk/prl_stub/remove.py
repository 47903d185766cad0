# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing backups, as the server does it: it deletes more than one would think, and calls it success."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import chains, clock, events, locks, tasks
from prl_stub.catalogue import directory_of, parse_id
from prl_stub.failure import ServerFailure
from prl_stub.numbers import CONSTS

KEEP_CHAIN, IGNORE = CONSTS["PBT_KEEP_CHAIN"], CONSTS["PBT_IGNORE_NOT_EXISTS"]


def begin(store, own, target, session, job, vm_uuid, backup_id, flags):
    """Decide what goes, lock it and write the plan down; returns the task."""
    if not vm_uuid and not backup_id:
        raise ServerFailure("PRL_ERR_INVALID_ARG")
    if not vm_uuid:
        vm_uuid = _owner(store, target, backup_id)
    directory = directory_of(store, target, vm_uuid)
    with store.reading() as db:
        catalogue = chains.catalogue_of(db, target, directory, vm_uuid)
        existing = chains.chains_of(db, catalogue) if catalogue is not None else []
    doomed, steps = _decide(store, catalogue, existing, backup_id, flags)
    for chain in doomed:
        locks.refuse(store, chain)
    unlock = [["lock", chain["id"], ""] for chain in doomed]
    known = store.row("SELECT 1 FROM vms WHERE server = ? AND uuid = ?", (own["name"], vm_uuid))
    params = [("backup_cmd_backup_uuid", "string", backup_id)]
    finished = dict(events.make("PET_DSP_EVT_REMOVE_BACKUP_FINISHED", vm_uuid, params), job=job)
    plan = {
        "kind": CONSTS["PJOC_SRV_REMOVE_VM_BACKUP"],
        "server": own["name"],
        "session": session,
        "flags": flags,
        "seconds": clock.seconds_for(store, "remove"),
        "steps": steps,
        "told": [],
        "undo": unlock,
        "finish": unlock,
        # Of a VM that the node does not know, only the one who asked hears.
        "events": [["" if known else session, finished]],
        "result": [],
    }
    with store.write() as db:
        for chain in doomed:
            locks.take(db, chain)
        return tasks.begin(store, db, plan)


def _owner(store, target, backup_id):
    """The VM of a backup when only the backup was named; the id's number is not looked at."""
    found = chains.vm_of_backup(store, target, parse_id(backup_id)[0]) if chains.well_formed(backup_id) else None
    if found is None:
        raise ServerFailure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", [backup_id])
    return found


def _decide(store, catalogue, existing, backup_id, flags):
    """([chain to lock, ...], [step, ...])"""
    if not backup_id:
        if not existing:
            raise ServerFailure("PRL_ERR_BACKUP_BACKUP_NOT_FOUND")
        return _everything(catalogue, existing)
    uuid, number = parse_id(backup_id)
    found = [(chain, items) for chain, items in existing if chain["uuid"] == uuid]
    if not found:
        if flags & IGNORE:
            return [], []
        raise ServerFailure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", [backup_id])
    chain, items = found[0]
    if len(existing) == 1 and len(items) == 1:
        return _everything(catalogue, existing)  # whatever number was asked for
    numbers = [item["number"] for item in items]
    if flags & KEEP_CHAIN:
        return [chain], _keeping(store, catalogue, chain, items, numbers, number)
    if number not in numbers or number == numbers[0]:
        return [chain], [["drop_chain", chain["id"]]]  # a number that is not there takes the whole chain with it
    return [chain], [["drop_item", chain["id"], later] for later in numbers if later >= number]


def _everything(catalogue, existing):
    steps = [["drop_chain", chain["id"]] for chain, _items in existing]
    return [chain for chain, _items in existing], steps + [["drop_catalogue", catalogue["id"]]]


def _keeping(store, catalogue, chain, items, numbers, number):
    if catalogue["version"] < 4:
        raise ServerFailure("PRL_ERR_BACKUP_UNSUPPORTED_KEEP_CHAIN")
    if number not in numbers:
        raise ServerFailure("PRL_ERR_BACKUP_BACKUP_NOT_FOUND")
    place = numbers.index(number)
    drop = ["drop_item", chain["id"], number]
    if place == len(numbers) - 1:
        return [drop]
    if place == 0 and store.setting("promotion", "fails") != "works":
        # The next one cannot be rebased onto nothing, so the head stays.
        raise ServerFailure("PRL_ERR_BACKUP_INTERNAL_ERROR")
    following = items[place + 1]
    rebases = [["rebase", chain["id"], following["number"]] for _name in following["files"].split("\n")]
    merged = following["size"] + items[place]["size"]
    return rebases + [["resize", chain["id"], following["number"], merged], drop]
