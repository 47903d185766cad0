# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a vendor tree into the state, one chain at a time, so that a tree of any size loads."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections

try:
    from xml.etree.cElementTree import iterparse  # Python 2: the fast one has a name of its own
except ImportError:
    from xml.etree.ElementTree import iterparse

from prl_stub.shelf import ITEM, add_chain, ensure_catalogue
from prl_stub.text import to_str
from prl_stub.tree import escape, join_disks


def load(store, source, server, directory):
    """Add the tree in the file ``source`` to a server's directory; returns [(VmType, uuid, name)] of its VMs."""
    seen = []
    with store.write() as db:
        chains = []
        for _event, element in iterparse(source, ("end",)):
            if element.tag == "BackupItem":
                chains.append(_chain(element))
                element.clear()
            elif element.tag == "VmItem":
                seen.append(_add_vm(db, server, directory, element, chains))
                chains = []
                element.clear()
    return seen


Machine = collections.namedtuple("Machine", "kind uuid name newest maker")


def machines(source):
    """[Machine] of a tree: its VMs, when the newest backup of each was made, and the UUID of the node that made it."""
    found = []
    items = []
    for _event, element in iterparse(source, ("end",)):
        if element.tag in ("BackupItem", "PartialBackupItem"):
            items.append((_text(element, "DateTime"), _text(element, "ServerUuid")))
        elif element.tag == "VmItem":
            newest, maker = max(items or [("", "")])
            found.append(Machine(int(element.findtext("VmType")), _text(element, "Uuid"), _text(element, "Name"), newest, maker))
            items = []
            element.clear()
    return found


def _add_vm(db, server, directory, element, chains):
    kind, uuid, name = int(element.findtext("VmType")), _text(element, "Uuid"), _text(element, "Name")
    catalogue = ensure_catalogue(db, server, directory, kind, uuid, name, int(element.findtext("Version")))
    for chain_uuid, last_number, items in chains:
        chain = add_chain(db, catalogue, chain_uuid, last_number)
        db.executemany(ITEM, [(chain,) + item for item in items])
    return kind, uuid, name


def _chain(element):
    backup_id = _text(element, "Id")
    # A head that was promoted after the real one went keeps the number that it had as an increment.
    suffix = backup_id.rpartition(".")[2]
    number = int(suffix) if "." in backup_id and suffix.isdigit() else 1
    items = [_item(element, number)]
    for partial in element.findall("PartialBackupItem"):
        items.append(_item(partial, int(partial.findtext("Number"))))
    return _text(element, "Uuid"), int(element.findtext("LastNumber") or 0), items


def _item(element, number):
    disks = []
    for disk in element.findall("BackupDisks/BackupDisk"):
        disks.append([_text(disk, path) for path in ("Name", "OriginalPath", "Size", "Encryption/KeyId")])
    return (
        number,
        _text(element, "Id"),
        _escaped(element, "Host"),
        _escaped(element, "ServerUuid"),
        _escaped(element, "DateTime"),
        _escaped(element, "Creator"),
        int(element.findtext("Size") or 0),
        _escaped(element, "Description"),
        "\n".join(escape(to_str(found.text or "")) for found in element.findall("TibFileList")),
        int(element.findtext("OriginalSize") or 0),
        int(element.findtext("BundlePermissions") or 0),
        int(element.findtext("Flags") or 0),
        join_disks(disks),
    )


def _text(element, path):
    return to_str(element.findtext(path) or "")


def _escaped(element, path):
    return escape(_text(element, path))
