# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks on chains: the storage server holds one while a chain is read or written."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.failure import ServerFailure

_BUSY = {"reading": "PRL_ERR_BACKUP_LOCKED_FOR_READING", "writing": "PRL_ERR_BACKUP_LOCKED_FOR_WRITING"}


def lock(store, chain_uuid, kind, calls=0):
    """Lock the chain for that many calls that meet the lock, or until it is unlocked; returns whether it exists."""
    with store.write() as db:
        changed = db.execute("UPDATE chains SET lock = ?, lock_calls = ? WHERE uuid = ?", (kind, calls, chain_uuid))
        return changed.rowcount > 0


def unlock(store, chain_uuid=None):
    """Release one chain, or all."""
    with store.write() as db:
        where, args = ("uuid = ?", (chain_uuid,)) if chain_uuid else ("1", ())
        db.execute("UPDATE chains SET lock = '', lock_calls = 0 WHERE " + where, args)


def refuse_writing(chain):
    """Raise when somebody writes the chain; readers do not disturb each other."""
    if chain["lock"] == "writing":
        raise ServerFailure(_BUSY["writing"])


def take(db, chain):
    """Lock a chain for writing inside a transaction; another process may have been quicker."""
    row = db.execute("SELECT lock FROM chains WHERE id = ?", (chain["id"],)).fetchone()
    if row is None:
        raise ServerFailure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", [chain["uuid"]])
    if row["lock"]:
        raise ServerFailure(_BUSY[row["lock"]])
    db.execute("UPDATE chains SET lock = 'writing', lock_calls = 0 WHERE id = ?", (chain["id"],))


def refuse(store, chain):
    """Raise when the chain is locked, and count the call that met it."""
    if not chain["lock"]:
        return
    if chain["lock_calls"]:
        left = chain["lock_calls"] - 1
        with store.write() as db:
            db.execute(
                "UPDATE chains SET lock_calls = ?, lock = ? WHERE id = ?",
                (left, chain["lock"] if left else "", chain["id"]),
            )
    raise ServerFailure(_BUSY[chain["lock"]])
