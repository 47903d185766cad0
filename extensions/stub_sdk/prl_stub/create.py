# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a backup: a full, or an increment that silently becomes a full."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import chains, clock, events, locks, steps, tasks, vms
from prl_stub.catalogue import directory_of
from prl_stub.failure import ServerFailure
from prl_stub.numbers import CONSTS, ERRORS
from prl_stub.shelf import add_chain, ensure_catalogue
from prl_stub.text import loads, new_uuid
from prl_stub.tree import escape, join_disks

FULL, INCREMENTAL = CONSTS["PBT_FULL"], CONSTS["PBT_INCREMENTAL"]
TYPES = FULL | INCREMENTAL | CONSTS["PBT_DIFFERENTIAL"]
UNCOMPRESSED = CONSTS["PBT_UNCOMPRESSED"]
BECAME_FULL = ERRORS["PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP"]
GIB = 1 << 30
SHARES = (0, 25, 50, 75, 100)  # per cent that are told for each disk


def begin(store, own, target, session, job, vm_uuid, description, flags):
    """Check, lock and write the plan down; returns the task."""
    vm = store.row("SELECT * FROM vms WHERE server = ? AND uuid = ?", (own["name"], vm_uuid))
    if vm is None or vm["busy"] == "exclusive":
        reason = "PRL_ERR_VM_UUID_NOT_FOUND" if vm is None else "PRL_ERR_VM_IS_EXCLUSIVELY_LOCKED"
        raise ServerFailure("PRL_ERR_BACKUP_ACCESS_TO_VM_DENIED", [vm_uuid, reason])
    directory = directory_of(store, target, vm_uuid)
    now = clock.now(store)
    seconds = clock.seconds_for(store, "create")
    _refuse_locked(store, target, directory, vm_uuid, flags)
    with store.write() as db:
        # Read again: since then another process may have begun something.
        vm = db.execute("SELECT * FROM vms WHERE server = ? AND uuid = ?", (own["name"], vm_uuid)).fetchone()
        vms.refuse_busy(vm)
        kind = CONSTS["PVBT_CT_PLOOP"] if vm["type"] == vms.CT else CONSTS["PVBT_VM"]
        catalogue = ensure_catalogue(db, target["name"], directory, kind, vm_uuid, vm["name"])
        row = chains.catalogue_of(db, target, directory, vm_uuid)
        if row["version"] < 4:
            raise ServerFailure("PRL_ERR_BACKUP_UNSUPPORTED_STORAGE_VERSION")
        existing = chains.chains_of(db, row)
        disks = _disks(vm, existing)
        full = bool(flags & FULL) or not _can_continue(vm, existing, disks)
        if full:
            chain_uuid = new_uuid()
            chain = add_chain(db, catalogue, chain_uuid, 0)
            number, backup_id = 1, chain_uuid
            if existing:
                # Fulls have strictly rising times, whatever the clock does.
                now = max(now, clock.instant(existing[-1][1][0]["created"]) + 1)
        else:
            chain, chain_uuid = existing[-1][0]["id"], existing[-1][0]["uuid"]
            number = max(existing[-1][0]["last_number"], 1) + 1
            backup_id = "%s.%d" % (chain_uuid, number)
            locks.refuse_writing(existing[-1][0])
        # Until it is done a full is hidden from the tree, and an increment's chain can be read but not removed.
        lock = "writing" if full else "reading"
        item = _item(own, vm, number, backup_id, clock.stamp(now), description, flags, full, disks)
        plan = _plan(own, session, job, vm, flags, seconds, disks)
        plan["steps"].append(["add_item", chain, item])
        plan["told"].append(None)
        if full and vm["bitmaps"]:
            plan["finish"].append(["track", own["name"], vm_uuid, chain_uuid])
        plan["finish"].append(["lock", chain, ""])
        plan["undo"].append(["drop_chain", chain] if full else ["lock", chain, ""])
        plan["events"] += [["", _finished(vm_uuid, backup_id, description, job)], ["", _state(vm_uuid)]]
        plan["result"] = [vm_uuid, backup_id]
        steps.do(db, ["lock", chain, lock])
        steps.do(db, ["busy", own["name"], vm_uuid, "backup"])
        events.post(db, own["name"], [_state(vm_uuid)])
        if full and not flags & FULL:
            events.post(db, own["name"], [_message(vm, job)], session)
        task = tasks.begin(store, db, plan)
    events.wake_all(store, own["name"])
    return task


def _refuse_locked(store, target, directory, vm_uuid, flags):
    if flags & FULL:
        return
    newest = store.row(
        "SELECT c.* FROM chains c JOIN catalogues k ON k.id = c.catalogue JOIN items i ON i.chain = c.id "
        "WHERE k.server = ? AND k.directory = ? AND k.uuid = ? ORDER BY i.created DESC LIMIT 1",
        (target["name"], directory, vm_uuid),
    )
    if newest is not None and newest["lock"] == "writing":
        locks.refuse(store, newest)


def _can_continue(vm, existing, disks):
    """Whether the newest chain can take an increment of this VM."""
    if not existing:
        return False
    chain, items = existing[-1]
    increments = [item["number"] for item in items[1:]] or [items[0]["number"] if items[0]["number"] > 1 else 0]
    return (
        chain["last_number"] == increments[-1]
        and join_disks(disks) == items[-1]["disks"]
        and (not vm["bitmaps"] or chain["uuid"] in vm["bitmaps"].split())
    )


def _disks(vm, existing):
    """[(name, path, size, key id)] of the VM: as set, else as last backed up, else one."""
    if vm["disks"]:
        return [tuple(disk) for disk in loads(vm["disks"])]
    if existing and existing[-1][1][-1]["disks"]:
        return [tuple(line.split("\t")) for line in existing[-1][1][-1]["disks"].split("\n")]
    return [("harddisk.hdd", "/vz/vmprivate/%s/harddisk.hdd" % vm["uuid"].strip("{}"), str(64 * GIB), "")]


def _item(own, vm, number, backup_id, created, description, flags, full, disks):
    size = (20 if full else 1) * GIB * (2 if flags & UNCOMPRESSED else 1)
    middle = "" if full else ".%d" % number
    return [
        number,
        backup_id,
        escape(own["host"]),
        own["uuid"],
        created,
        "root",
        size,
        escape(description),
        "\n".join("%s%s.qcow2" % (disk[0], middle) for disk in disks),
        0,
        0,
        (flags & ~TYPES) | (FULL if full else INCREMENTAL),
        join_disks(disks),
    ]


def _plan(own, session, job, vm, flags, seconds, disks):
    acts, told = [], []
    for index in range(len(disks)):
        for share in SHARES:
            acts.append(["progress", share])
            params = [("progress_changed", "uint32", share), ("device_index", "uint32", index)]
            told.append(dict(events.make("PET_DSP_EVT_BACKUP_PROGRESS_CHANGED", vm["uuid"], params), job=job))
    free = ["busy", own["name"], vm["uuid"], ""]
    return {
        "kind": CONSTS["PJOC_SRV_CREATE_VM_BACKUP"],
        "server": own["name"],
        "session": session,
        "flags": flags,
        "seconds": seconds,
        "steps": acts,
        "told": told,
        "undo": [free],
        "finish": [free],
        "events": [],
    }


def _finished(vm_uuid, backup_id, description, job):
    params = [
        ("backup_cmd_backup_uuid", "string", backup_id),
        ("backup_cmd_backup_description", "string", description),
    ]
    return dict(events.make("PET_DSP_EVT_CREATE_BACKUP_FINISHED", vm_uuid, params), job=job)


def _state(vm_uuid):
    # Sent at both ends of a backup; the bit that would say "backing up" is never set.
    params = [("vminfo_vm_addition_state", "int32", CONSTS["VMAS_NOSTATE"])]
    return events.make("PET_DSP_EVT_VM_ADDITION_STATE_CHANGED", vm_uuid, params)


def _message(vm, job):
    params = [("vm_message_param_0", "string", vm["name"])]
    return dict(events.make("PET_DSP_EVT_VM_MESSAGE", vm["uuid"], params, BECAME_FULL), job=job)
