# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of everything a client asked for, in order."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import sys
import time

from prl_stub.text import dumps, loads

SECRET = "********"
_PYTHON = "%d.%d.%d" % sys.version_info[:3]


def note(db, call, args, mutating, request, server="", session="", faults=()):
    """Write one call down inside a transaction; ``request`` tells a call that goes to the server from a local one."""
    db.execute(
        "INSERT INTO calls (time, pid, python, server, session, call, args, mutating, request, faults) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            time.time(),
            os.getpid(),
            _PYTHON,
            server,
            session,
            call,
            dumps(args),
            int(mutating),
            int(request),
            " ".join(faults),
        ),
    )


def read(store, requests_only=False):
    """All calls so far as dictionaries, oldest first."""
    rows = store.rows("SELECT * FROM calls %s ORDER BY seq" % ("WHERE request = 1" if requests_only else ""))
    calls = []
    for row in rows:
        entry = dict((key, row[key]) for key in row.keys())
        entry["args"] = loads(entry["args"])
        entry["mutating"], entry["request"] = bool(entry["mutating"]), bool(entry["request"])
        entry["faults"] = entry["faults"].split()
        calls.append(entry)
    return calls


def clear(store):
    """Forget all calls."""
    with store.write() as db:
        db.execute("DELETE FROM calls")
