# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking chains up for the operations."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.catalogue import parse_id


def well_formed(backup_id):
    """Whether a text has the form {uuid} or {uuid}.N."""
    uuid, number = parse_id(backup_id)
    return len(uuid) == 38 and uuid[0] == "{" and uuid[-1] == "}" and number is not None


def catalogue_of(db, server, directory, vm_uuid):
    """The row of a VM's folder, or None."""
    return db.execute(
        "SELECT * FROM catalogues WHERE server = ? AND directory = ? AND uuid = ?", (server["name"], directory, vm_uuid)
    ).fetchone()


def chains_of(db, catalogue):
    """[(chain, [item ...])], oldest first; chains without items are only empty folders, and left out."""
    found = []
    for chain in db.execute("SELECT * FROM chains WHERE catalogue = ?", (catalogue["id"],)).fetchall():
        items = db.execute("SELECT * FROM items WHERE chain = ? ORDER BY number", (chain["id"],)).fetchall()
        if items:
            found.append((chain, items))
    return sorted(found, key=lambda pair: (pair[1][0]["created"], pair[0]["id"]))


def vm_of_backup(store, server, chain_uuid):
    """The uuid of the VM that a chain in the server's default directory belongs to; None when the tree has no such."""
    row = store.row(
        "SELECT k.uuid FROM chains c JOIN catalogues k ON k.id = c.catalogue "
        "WHERE c.uuid = ? AND k.server = ? AND k.directory = ? AND c.lock != 'writing' "
        "AND EXISTS (SELECT 1 FROM items WHERE chain = c.id)",
        (chain_uuid, server["name"], server["directory"]),
    )
    return None if row is None else row["uuid"]
