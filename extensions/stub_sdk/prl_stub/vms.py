# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs and containers a server knows."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import events
from prl_stub.failure import ServerFailure
from prl_stub.numbers import CONSTS, ERRORS
from prl_stub.text import new_uuid

VM, CT = 0, 1
STATES = dict((name[4:].lower(), value) for name, value in CONSTS.items() if name.startswith("VMS_"))
FLAG_VM, FLAG_CT = CONSTS["PVTF_VM"], CONSTS["PVTF_CT"]
FLAG_IDENTITY, FLAG_STATE = CONSTS["PGVLF_GET_ONLY_IDENTITY_INFO"], CONSTS["PGVLF_GET_STATE_INFO"]
FLAG_TEMPLATES = CONSTS["PGVLF_GET_ONLY_VM_TEMPLATES"]
BY_UUID, BY_NAME = CONSTS["PGVC_SEARCH_BY_UUID"], CONSTS["PGVC_SEARCH_BY_NAME"]

# Like the real list: a VM's home is its configuration file, a container's is a directory.
HOMES = {VM: "/vz/vmprivate/%s/config.pvs", CT: "/vz/private/%s"}


def add(db, server, name, uuid="", kind=VM, state="stopped", home="", template=False, directory="", ct_id=""):
    """Register a VM; returns its uuid."""
    uuid = uuid or new_uuid()
    bare = uuid.strip("{}")
    db.execute(
        "INSERT OR REPLACE INTO vms VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', '')",
        (
            server,
            uuid,
            name,
            kind,
            STATES[state],
            home or HOMES[kind] % bare,
            int(template),
            ct_id or (bare if kind == CT else ""),
            directory,
        ),
    )
    return uuid


def change(store, server, uuid, **values):
    """Set columns of a VM and send what the server sends then."""
    before = store.row("SELECT * FROM vms WHERE server = ? AND uuid = ?", (server, uuid))
    changed = dict((name, value) for name, value in values.items() if value is not None and before[name] != value)
    if not changed:
        return
    sent = []
    if "state" in changed:
        sent.append(
            events.make("PET_DSP_EVT_VM_STATE_CHANGED", uuid, [("vminfo_vm_state", "int32", changed["state"])])
        )
    if set(changed) - set(["state", "busy", "bitmaps"]):
        sent.append(events.make("PET_DSP_EVT_VM_CONFIG_CHANGED", uuid))
    with store.write() as db:
        for name, value in changed.items():
            db.execute("UPDATE vms SET %s = ? WHERE server = ? AND uuid = ?" % name, (value, server, uuid))
        events.post(db, server, sent)
    events.wake_all(store, server)


def remove(store, server, uuid):
    """Unregister a VM; its backups stay."""
    with store.write() as db:
        db.execute("DELETE FROM vms WHERE server = ? AND uuid = ?", (server, uuid))
    events.emit(store, server, [events.make("PET_DSP_EVT_VM_UNREGISTERED", uuid)])


# What a VM can be busy with, and the error of whoever comes second.
BUSY = dict(
    (name[len("PRL_ERR_VM_LOCKED_FOR_") :].lower(), name)
    for name in ERRORS
    if name.startswith("PRL_ERR_VM_LOCKED_FOR_")
)
BUSY["restore"] = BUSY["restore_from_backup"]
BUSY["exclusive"] = "PRL_ERR_VM_IS_EXCLUSIVELY_LOCKED"


def refuse_busy(row):
    """Raise when another operation holds the VM. The real server waits up to a minute first."""
    if row["busy"]:
        raise ServerFailure(BUSY[row["busy"]], [row["name"]])


def find(store, server, text):
    """The VM of that uuid or name; None when there is none."""
    return store.row(
        "SELECT * FROM vms WHERE server = ? AND (uuid = ? OR uuid = '{' || ? || '}' OR name = ?)",
        (server, text, text, text),
    )


def listed(store, server, flags):
    """The rows that answer get_vm_list_ex."""
    if not flags & (FLAG_VM | FLAG_CT):
        flags |= FLAG_VM
    rows = store.rows("SELECT * FROM vms WHERE server = ? ORDER BY rowid", (server,))
    kept = []
    for row in rows:
        wanted = flags & (FLAG_CT if row["type"] == CT else FLAG_VM)
        if wanted and (row["template"] or not flags & FLAG_TEMPLATES):
            kept.append(_visible(row, flags))
    return kept


def _visible(row, flags):
    values = dict((key, row[key]) for key in row.keys())
    if flags & FLAG_IDENTITY:
        values.update(home="", template=0, directory="")
        if not flags & FLAG_STATE:
            values["state"] = STATES["unknown"]
    return values


def config(store, server, text, flags):
    """The row that answers get_vm_config."""
    by_uuid, by_name = flags & BY_UUID or not flags & BY_NAME, flags & BY_NAME
    row = None
    if by_uuid:
        row = store.row("SELECT * FROM vms WHERE server = ? AND uuid = ?", (server, text))
    if row is None and by_name:
        row = store.row("SELECT * FROM vms WHERE server = ? AND name = ?", (server, text))
    if row is None:
        raise ServerFailure("PRL_ERR_VM_UUID_NOT_FOUND", [text])
    return dict((key, row[key]) for key in row.keys())
