# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request for the backup tree is answered with."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import tree
from prl_stub.failure import ServerFailure
from prl_stub.numbers import CONSTS

VM, CT = CONSTS["PBT_VM"], CONSTS["PBT_CT"]
BACKUP_ID, CHAIN = CONSTS["PBT_BACKUP_ID"], CONSTS["PBT_CHAIN"]


def directory_of(store, server, vm_uuid):
    """Where the backups of a VM are: in its own directory when the server knows the VM and it has one.

    An empty uuid (or a backup's id) reads the server's default directory only: the VMs with one of their own do
    not show in a list of all.
    """
    row = store.row("SELECT directory FROM vms WHERE server = ? AND uuid = ?", (server["name"], vm_uuid))
    return row["directory"] if row is not None and row["directory"] else server["directory"]


def parse_id(backup_id):
    """('{uuid}', N) of a backup id; N is 1 for the plain uuid of a full, None when what follows the dot is no number."""
    uuid, dot, number = backup_id.partition(".")
    if not dot:
        return uuid, 1
    return uuid, int(number) if number.isdigit() else None


def answer(store, server, subject, flags):
    """The text that answers get_backup_tree on the server that holds the backups."""
    by_id, by_chain = flags & BACKUP_ID, flags & CHAIN
    if (by_id and by_chain) or ((by_id or by_chain) and not subject):
        raise ServerFailure("PRL_ERR_INVALID_PARAM")
    if not flags & (VM | CT):
        flags |= VM  # so the binding's default flags list no containers
    with store.reading():
        if by_id or by_chain:
            found = _by_backup_id(store, server, subject, flags, bool(by_chain))
        else:
            directory = directory_of(store, server, subject)
            found = _select(store, server, directory, flags, subject)
        return tree.write(found)


def _select(store, server, directory, flags, vm_uuid="", chain_uuid=""):
    """[(catalogue, [(chain, [item ...]) ...]) ...] of what the user may see: a chain being written is left out."""
    where = "k.server = ? AND k.directory = ?"
    args = [server["name"], directory]
    if vm_uuid:
        where += " AND k.uuid = ?"
        args.append(vm_uuid)
    if chain_uuid:
        where += " AND k.id IN (SELECT catalogue FROM chains WHERE uuid = ?)"
        args.append(chain_uuid)
    if not flags & VM:
        where += " AND k.type != 0"
    if not flags & CT:
        where += " AND k.type = 0"
    catalogues = store.rows("SELECT k.* FROM catalogues k WHERE %s ORDER BY k.id" % where, args)
    chains = store.rows(
        "SELECT c.* FROM chains c JOIN catalogues k ON k.id = c.catalogue WHERE c.lock != 'writing' AND %s" % where, args
    )
    items = {}
    for item in store.rows(
        "SELECT i.* FROM catalogues k JOIN chains c ON c.catalogue = k.id JOIN items i ON i.chain = c.id "
        "WHERE c.lock != 'writing' AND %s ORDER BY i.chain, i.number" % where,
        args,
    ):
        items.setdefault(item["chain"], []).append(item)
    by_catalogue = {}
    for chain in chains:
        if chain["id"] in items:
            by_catalogue.setdefault(chain["catalogue"], []).append((chain, items[chain["id"]]))
    found = []
    for catalogue in catalogues:
        listed = by_catalogue.get(catalogue["id"])
        if listed:
            listed.sort(key=lambda pair: (pair[1][0]["created"], pair[0]["id"]))
            found.append((catalogue, listed))
    return found


def _by_backup_id(store, server, backup_id, flags, as_chain):
    uuid, number = parse_id(backup_id)
    found = _select(store, server, server["directory"], flags, chain_uuid=uuid)
    if number is None or not found:
        return []
    catalogue, chains = found[0]
    kept = []
    for chain, items in chains:
        if chain["uuid"] == uuid:
            if not any(item["backup_id"] == backup_id for item in items):
                return []
            if as_chain:
                items = items[:1] + [item for item in items[1:] if item["number"] >= number]
            else:
                items = items[:1] + [item for item in items[1:] if item["backup_id"] == backup_id]
            kept.append((chain, items))
        elif as_chain and chain["uuid"] > uuid:
            # The server's bug: once it met the wanted chain, it adds the folders that follow it whole.
            kept.append((chain, items))
    return [(catalogue, kept)]
