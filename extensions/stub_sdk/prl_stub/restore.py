# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring a backup over its VM, in its place, or as a copy."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import chains, clock, events, locks, steps, tasks, vms
from prl_stub.catalogue import directory_of, parse_id
from prl_stub.failure import ServerFailure
from prl_stub.numbers import CONSTS
from prl_stub.text import new_uuid
from prl_stub.tree import unescape

TO_COPY, RUNNING = CONSTS["PBT_RESTORE_TO_COPY"], CONSTS["PBT_RESTORE_RUNNING"]
SHARES = (0, 50, 100)


def begin(store, own, target, session, job, vm_uuid, backup_id, home, name, flags):
    """Check, lock and write the plan down; returns the task."""
    if not vm_uuid:
        if not backup_id:
            raise ServerFailure("PRL_ERR_INVALID_ARG")
        vm_uuid = chains.vm_of_backup(store, target, parse_id(backup_id)[0])
        if vm_uuid is None:
            raise ServerFailure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", [backup_id])
    catalogue, chain, item = _source(store, target, vm_uuid, backup_id)
    if chain["lock"] == "writing":
        locks.refuse(store, chain)
    live = bool(flags & RUNNING)
    if live and catalogue["type"] != vms.VM:
        raise ServerFailure("PRL_ERR_UNIMPLEMENTED")
    vm = store.row("SELECT * FROM vms WHERE server = ? AND uuid = ?", (own["name"], vm_uuid))
    if flags & TO_COPY:
        vm, new = None, new_uuid()
    else:
        new = vm_uuid
    if vm is not None:
        _check_over(vm, home, name)
    row = _row(store, own, catalogue, vm, new, home, name, live)
    restored = ["put_vm", row]
    free = [] if vm is None else [["busy", own["name"], vm_uuid, ""]]
    unlock = [] if chain["lock"] else [["lock", chain["id"], ""]]
    told = [_progress(new, share, job) for share in SHARES] + [None]
    finished = dict(events.make("PET_DSP_EVT_RESTORE_BACKUP_FINISHED", new), job=job)
    ended = [["", events.make("PET_DSP_EVT_VM_ADDED", new)]] if vm is None else []
    ended += [["" if vm is not None else session, finished], ["", events.make("PET_DSP_EVT_VM_CONFIG_CHANGED", new)]]
    plan = {
        "kind": CONSTS["PJOC_SRV_RESTORE_VM_BACKUP"],
        "server": own["name"],
        "session": session,
        "flags": flags,
        "seconds": clock.seconds_for(store, "restore"),
        "steps": [["progress", share] for share in SHARES] + [restored],
        "told": told,
        "undo": unlock + free,
        "finish": unlock + free,
        "events": ended,
        "result": [new, item["backup_id"]],
    }
    with store.write() as db:
        current = db.execute("SELECT lock FROM chains WHERE id = ?", (chain["id"],)).fetchone()
        if current is None:  # removed a moment ago
            raise ServerFailure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", [backup_id])
        locks.refuse_writing(current)
        if unlock:
            steps.do(db, ["lock", chain["id"], "reading"])
        if vm is not None:
            steps.do(db, ["busy", own["name"], vm_uuid, "restore"])
        return tasks.begin(store, db, plan)


def _source(store, target, vm_uuid, backup_id):
    directory = directory_of(store, target, vm_uuid)
    with store.reading() as db:
        catalogue = chains.catalogue_of(db, target, directory, vm_uuid)
        existing = chains.chains_of(db, catalogue) if catalogue is not None else []
    if not backup_id:
        if not existing:
            raise ServerFailure("PRL_ERR_BACKUP_BACKUP_NOT_FOUND")
        chain, items = existing[-1]
        return catalogue, chain, items[-1]
    for chain, items in existing:
        for item in items:
            if item["backup_id"] == backup_id:
                return catalogue, chain, item
    raise ServerFailure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", [backup_id])


def _check_over(vm, home, name):
    """What keeps a backup from being restored over a VM that is there."""
    vms.refuse_busy(vm)
    if vm["state"] in (vms.STATES["running"], vms.STATES["paused"]):
        raise ServerFailure("PRL_ERR_BACKUP_RESTORE_VM_RUNNING", [vm["name"]])
    if home:
        raise ServerFailure("PRL_ERR_BACKUP_RESTORE_EXISTING_SET_PRIVATE")
    if name and name != vm["name"]:
        raise ServerFailure("PRL_ERR_BAD_PARAMETERS")


def _row(store, own, catalogue, vm, uuid, home, name, live):
    state = vms.STATES["running" if live else "stopped"]
    kind = vms.VM if catalogue["type"] == vms.VM else vms.CT
    if vm is not None:
        row = [vm[key] for key in vm.keys()]
        row[4] = state
        return row
    name = name or unescape(catalogue["name"])
    if store.row("SELECT 1 FROM vms WHERE server = ? AND name = ?", (own["name"], name)):
        raise ServerFailure("PRL_ERR_VM_ALREADY_REGISTERED_VM_NAME", [name])
    path = vms.HOMES[kind] % uuid.strip("{}")
    if home:
        path = home.rstrip("/") + "/" + path.split("/", 3)[3]
        if store.row("SELECT 1 FROM vms WHERE server = ? AND home = ?", (own["name"], path)):
            raise ServerFailure("PRL_ERR_BACKUP_RESTORE_DIRECTORY_ALREADY_EXIST", [path])
    ct_id = uuid.strip("{}") if kind == vms.CT else ""
    return [own["name"], uuid, name, kind, state, path, 0, ct_id, "", "", "", ""]


def _progress(vm_uuid, share, job):
    params = [("progress_changed", "uint32", share), ("device_index", "uint32", 0)]
    return dict(events.make("PET_DSP_EVT_RESTORE_PROGRESS_CHANGED", vm_uuid, params), job=job)
