# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The single acts that an operation is made of; each is done inside a transaction of its own."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.shelf import ITEM


def _progress(_db, _share):
    """Time passes; the operation tells how far it is."""


def _add_item(db, chain, row):
    db.execute(ITEM, [chain] + row)
    if row[0] > 1:
        db.execute("UPDATE chains SET last_number = ? WHERE id = ?", (row[0], chain))


def _track(db, server, uuid, chain_uuid):
    """From now on the VM tracks what changes since this full."""
    db.execute("UPDATE vms SET bitmaps = ? WHERE server = ? AND uuid = ?", (chain_uuid, server, uuid))


def _drop_item(db, chain, number):
    db.execute("DELETE FROM items WHERE chain = ? AND number = ?", (chain, number))


def _drop_chain(db, chain):
    db.execute("DELETE FROM items WHERE chain = ?", (chain,))
    db.execute("DELETE FROM chains WHERE id = ?", (chain,))


def _drop_catalogue(db, catalogue):
    # Empty folders go with it; a full that is just being made stays.
    db.execute("DELETE FROM chains WHERE catalogue = ? AND lock = ''", (catalogue,))
    db.execute(
        "DELETE FROM catalogues WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chains WHERE catalogue = ?)",
        (catalogue, catalogue),
    )


def _rebase(_db, _chain, _number):
    """An image is rebased onto the one before the item that goes; the tree does not show it."""


def _resize(db, chain, number, size):
    db.execute("UPDATE items SET size = ? WHERE chain = ? AND number = ?", (size, chain, number))


def _lock(db, chain, kind):
    db.execute("UPDATE chains SET lock = ?, lock_calls = 0 WHERE id = ?", (kind, chain))


def _busy(db, server, uuid, what):
    db.execute("UPDATE vms SET busy = ? WHERE server = ? AND uuid = ?", (what, server, uuid))


def _put_vm(db, row):
    db.execute("INSERT OR REPLACE INTO vms VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


_ACTS = {
    "progress": _progress,
    "add_item": _add_item,
    "track": _track,
    "drop_item": _drop_item,
    "drop_chain": _drop_chain,
    "drop_catalogue": _drop_catalogue,
    "rebase": _rebase,
    "resize": _resize,
    "lock": _lock,
    "busy": _busy,
    "put_vm": _put_vm,
}


def do(db, step):
    """Do one step, a list of the act's name and its arguments."""
    _ACTS[step[0]](db, *step[1:])
