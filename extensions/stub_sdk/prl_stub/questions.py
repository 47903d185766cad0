# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions of the server to its users, and their answers.

No dispatcher of today asks any; older products do.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import events
from prl_stub.failure import ServerFailure
from prl_stub.text import dumps, loads

KIND = "PET_DSP_EVT_VM_QUESTION"
_CHOICE = "vm_message_choice_"


def ask(store, server, issuer, code, choices, texts=()):
    """Put a question to all sessions of a server; returns its number."""
    params = [(_CHOICE + str(number), "uint32", choice) for number, choice in enumerate(choices)]
    params += [("vm_message_param_%d" % number, "string", text) for number, text in enumerate(texts)]
    event = events.make(KIND, issuer, params, code)
    with store.write() as db:
        number = db.execute("INSERT INTO questions (server, event) VALUES (?, '')", (server,)).lastrowid
        event["question"] = number
        db.execute("UPDATE questions SET event = ? WHERE id = ?", (dumps(event), number))
        events.post(db, server, [event])
    events.wake_all(store, server)
    return number


def waiting(store, server):
    """The events of the questions without an answer."""
    return [
        loads(row["event"])
        for row in store.rows("SELECT event FROM questions WHERE server = ? AND answer IS NULL ORDER BY id", (server,))
    ]


def answer(store, number, choice):
    """Take an answer; one that was not offered, or comes second, is refused."""
    with store.write() as db:
        row = db.execute("SELECT event FROM questions WHERE id = ? AND answer IS NULL", (number,)).fetchone()
        if row is None:
            raise ServerFailure("PRL_ERR_FAILURE")
        offered = [int(param[2]) for param in loads(row["event"])["params"] if param[0].startswith(_CHOICE)]
        if choice not in offered:
            raise ServerFailure("PRL_ERR_FAILURE")
        db.execute("UPDATE questions SET answer = ? WHERE id = ?", (choice, number))
