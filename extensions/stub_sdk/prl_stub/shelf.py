# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where backups are put: folders of VMs, chains in them, items in these."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.tree import escape

ITEM = "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def ensure_catalogue(db, server, directory, kind, uuid, name, version=5):
    """The id of a VM's folder in a backup directory, made when it is not there. ``name`` is plain text."""
    row = db.execute(
        "SELECT id FROM catalogues WHERE server = ? AND directory = ? AND uuid = ?", (server, directory, uuid)
    ).fetchone()
    if row is not None:
        db.execute("UPDATE catalogues SET name = ? WHERE id = ?", (escape(name), row["id"]))
        return row["id"]
    return db.execute(
        "INSERT INTO catalogues (server, directory, uuid, type, name, version) VALUES (?, ?, ?, ?, ?, ?)",
        (server, directory, uuid, kind, escape(name), version),
    ).lastrowid


def add_chain(db, catalogue, uuid, last_number):
    """The id of a new, unlocked chain without items."""
    return db.execute(
        "INSERT INTO chains (catalogue, uuid, last_number, lock, lock_calls) VALUES (?, ?, ?, '', 0)",
        (catalogue, uuid, last_number),
    ).lastrowid
