# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: which call misbehaves, how, when and how often.

A fault waits for the nth call of its name (counted over all processes since it was added) and then fires ``times``
times, or for ever when ``times`` is 0.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.text import dumps

# action: what its value means
ACTIONS = {
    "fail": "symbol of the error the call ends with; for `import` and `init` the message",
    "warn": "symbol of the warning the call ends with after it was done",
    "hang": "the client is stuck inside native code with the interpreter's lock held (seconds, or empty: for ever)",
    "stall": "the server never answers: the job does not finish",
    "crash": "signal that kills the client before the request leaves (number or name, default SEGV)",
    "crash-after": "the same, when the server has the request and works on it",
    "crash-done": "the same, when the server is done and the client has not heard of it",
    "lose": "the connection is lost when the server has the request",
    "noise": "text printed on standard output (through Python and on descriptor 1) and on standard error",
    "answer": "file whose text is given as the answer",
    "delay": "seconds that the server takes before it does anything",
    "unimplemented": "the installed build has not implemented the call, which returns None (getters of a VM only)",
    "quadratic": "the answer is late by this many seconds times its size in bytes squared",
    "step": "N or N:SYMBOL: the operation fails at its step N (from 1); what was done before stays done",
    "deadlock": "the call is stuck, interpreter's lock held, if an event handler is registered (deinit_sdk only)",
}


def add(store, call, action, value="", nth=1, times=1, match=""):
    """Set a fault; returns its id."""
    with store.write() as db:
        return db.execute(
            "INSERT INTO faults (call, action, value, nth, times, match) VALUES (?, ?, ?, ?, ?, ?)",
            (call, action, value, nth, times, match),
        ).lastrowid


def fire(db, call, args):
    """[(action, value)] of the faults that this call meets; counts it, inside the caller's transaction."""
    rows = db.execute("SELECT * FROM faults WHERE call = ? OR call = '*' ORDER BY id", (call,)).fetchall()
    fired = []
    for row in rows:
        if row["match"] and row["match"] not in dumps(args):
            continue
        seen = row["seen"] + 1
        fires = seen >= row["nth"] and (not row["times"] or row["fired"] < row["times"])
        db.execute("UPDATE faults SET seen = ?, fired = fired + ? WHERE id = ?", (seen, int(fires), row["id"]))
        if fires:
            fired.append((row["action"], row["value"]))
    return fired


def clear(store, number=None):
    """Remove one fault, or all."""
    with store.write() as db:
        db.execute("DELETE FROM faults" if number is None else "DELETE FROM faults WHERE id = %d" % number)
