# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events: written to the state by whoever causes them, read by every logged-in session in order.

An event is a dictionary: type, issuer_type, issuer_id, code, params [[name, type, text], ...].
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import sessions
from prl_stub.numbers import CONSTS
from prl_stub.text import dumps, loads

NO_CODE = 100000  # what an ordinary event answers when asked for its error code
NULL_UUID = "{00000000-0000-0000-0000-000000000000}"
DISPATCHER = CONSTS["PIE_DISPATCHER"]
TYPES = {
    "uint32": CONSTS["PFD_UINT32"],
    "string": CONSTS["PFD_STRING"],
    "int32": CONSTS["PFD_INT32"],
    "cdata": CONSTS["PFD_CDATA"],
    "boolean": CONSTS["PFD_BOOLEAN"],
    "enumeration": CONSTS["PFD_ENUMERATION"],
    "int64": CONSTS["PFD_INT64"],
    "uint64": CONSTS["PFD_UINT64"],
    "unknown": CONSTS["PFD_UNKNOWN"],
}


def make(kind, issuer=NULL_UUID, params=(), code=NO_CODE, issuer_type=DISPATCHER):
    """An event's dictionary. Nearly every event about a VM comes from the dispatcher, with the VM's uuid as issuer."""
    if not isinstance(kind, int):
        kind = CONSTS[kind]
    return {
        "type": kind,
        "issuer_type": issuer_type,
        "issuer_id": issuer,
        "code": code,
        "params": [[name, TYPES[form], str(value)] for name, form, value in params],
    }


def post(db, server, events, session=""):
    """Write events for all sessions of a server, or for one, inside a transaction. Call ``wake_all`` after it."""
    db.executemany(
        "INSERT INTO events (server, session, event) VALUES (?, ?, ?)",
        [(server, session, dumps(event)) for event in events],
    )


def wake_all(store, server):
    """Tell all sessions of a server that there is something to read; forget those whose process is gone."""
    for row in store.rows("SELECT uuid FROM sessions WHERE server = ?", (server,)):
        if not sessions.wake(store, row["uuid"]):
            sessions.bury(store, row["uuid"])


def emit(store, server, events, session=""):
    """Post and wake."""
    with store.write() as db:
        post(db, server, events, session)
    wake_all(store, server)


def since(store, server, session, last, limit=500):
    """(number of the last event looked at, [event, ...]) of what came after ``last`` for one session."""
    rows = store.rows(
        "SELECT seq, event FROM events WHERE seq > ? AND server = ? AND session IN ('', ?) ORDER BY seq LIMIT ?",
        (last, server, session, limit),
    )
    return (rows[-1]["seq"] if rows else last), [loads(row["event"]) for row in rows]
