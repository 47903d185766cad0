# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup tree as the worker needs it: small, and with nothing but the standard library of Python 2.7.

It is what every decision about a change rests on, so that a text that is not wholly understood is an error, never a smaller tree.
The modules that gather backups read the same text with ``_backup_tree.py``, which knows more and needs lxml.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections
import io
import re

try:
    from xml.etree import cElementTree as ElementTree  # Python 2: the quick one has a name of its own
except ImportError:
    from xml.etree import ElementTree

_DATE_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})$")
_ID = re.compile(r"(\{[0-9a-f-]{36}\})(?:\.([0-9]+))?$", re.IGNORECASE)


class DamagedTree(Exception):
    """The text is not a whole backup tree; says why."""


# id: as the server stores it, because it compares ids as text. key: see key(). number: 1 for a full, N of a promoted one.
# created: YYYY-MM-DDTHH:MM:SSZ. size: bytes.
Backup = collections.namedtuple("Backup", "id key number created size description")
# backups: the full first, then the increments by number. last_number: the highest ever given, 0 if none.
Chain = collections.namedtuple("Chain", "uuid backups last_number")


class Vm:
    """One VM's part of the tree. A VM without backups has no chains. ``version`` is the storage format, 0 if not told."""

    def __init__(self, uuid, name=None, container=False, version=0, chains=()):
        self.uuid, self.name, self.container, self.version, self.chains = uuid, name, container, version, list(chains)
        self._places = {}
        for chain in self.chains:
            for position, backup in enumerate(chain.backups):
                if backup.key in self._places:
                    raise DamagedTree("two backups of VM %s have the id %s" % (uuid, backup.id))
                self._places[backup.key] = (chain, position)

    def place(self, wanted):
        """(chain, position in it) of a backup's key, or None."""
        return self._places.get(wanted)

    def keys(self):
        """The keys of all its backups, a set."""
        return set(self._places)

    def chain_keys(self, keys):
        """The keys of all backups of the chain that these keys belong to, a set."""
        return set(backup.key for backup in self._places[next(iter(keys))][0].backups)

    def ids(self):
        """All ids, oldest chain first."""
        return [backup.id for chain in self.chains for backup in chain.backups]

    def newest(self):
        """(chain, backup) of the newest backup, or None. Chains come by age; of equal times the later in the tree is the newer."""
        found = None
        for chain in self.chains:
            for backup in chain.backups:
                if found is None or backup.created >= found[1].created:
                    found = (chain, backup)
        return found

    def without(self, gone):
        """This VM after the backups with these keys went. What is left of a chain that lost its full is not a chain."""
        chains = []
        for chain in self.chains:
            if any(backup.key in gone for backup in chain.backups):
                chain = chain._replace(backups=tuple(backup for backup in chain.backups if backup.key not in gone))
            if chain.backups:
                chains.append(chain)
        return Vm(self.uuid, self.name, self.container, self.version, chains)


def key(text):
    """A form of an id or UUID that is equal when they differ only in braces, case or outer blanks."""
    return text.strip().replace("{", "").replace("}", "").lower()


def read_vm(text, uuid, known=None):
    """The Vm with this UUID in the answer to a request for it; one without chains when the answer has none.

    ``known`` is a dictionary that the caller keeps from one reading of the VM to the next: a chain whose text is the same is not parsed
    again. Removing 1,000 backups one by one from a VM that has so many would otherwise parse a million.
    """
    data = _checked(text)
    if known is not None:
        try:
            return _read_by_chains(data, uuid, known)
        except DamagedTree:
            known.clear()  # the plain way decides what is wrong, and whether anything is
    return _only(_root(data), uuid, lambda element: [_chain(child) for child in element if child.tag == "BackupItem"])


def _read_by_chains(data, uuid, known):
    """As read_vm(), with every chain cut out of the text first.

    Without comments and declarations, which _checked() has refused, "<" is nowhere but in markup. So what is cut out and what is left are
    each a whole document, or the text was none.
    """
    chains, rest, seen, end = [], [], {}, 0
    while True:
        start = data.find(_HEAD, end)
        if start < 0:
            break
        inside, close = data.find(b">", start) + 1, data.find(_TAIL, start)
        if close < inside or data[start + len(_HEAD):start + len(_HEAD) + 1] not in (b" ", b">"):
            raise DamagedTree("a chain does not end")
        # Without its first tag, whose bookkeeping changes when another chain goes.
        body = data[inside:close]
        chain = seen[body] = known.get(body) or _chain(_parsed(_HEAD + b">" + body + _TAIL))
        chains.append(chain)
        rest.append(data[end:start])
        end = close + len(_TAIL)
    rest.append(data[end:])
    root = _root(b"".join(rest))
    if len(root) > 1:
        raise DamagedTree("it holds %d VMs" % len(root))
    vm = _only(root, uuid, lambda element: chains)
    known.clear()
    known.update(seen)
    return vm


_HEAD, _TAIL = b"<BackupItem", b"</BackupItem>"


def _only(root, uuid, chains_of):
    for element in root:
        if element.tag == "VmItem" and key(_text(element, "Uuid")) == key(uuid):
            return _vm(element, chains_of(element))
    return Vm(uuid)


def read_all(text):
    """Yield every Vm of the answer to a request for the whole tree, with the memory of one of them."""
    root = None
    try:
        for event, element in ElementTree.iterparse(io.BytesIO(_checked(text)), ("start", "end")):
            if root is None:
                root = element
                if element.tag != "BackupTree":
                    raise DamagedTree("it begins with <%s>" % element.tag)
            elif event == "end" and element.tag == "VmItem":
                yield _vm(element, [_chain(child) for child in element if child.tag == "BackupItem"])
                root.clear()
    except ElementTree.ParseError as error:
        raise DamagedTree("%s" % (error,))


def _checked(text):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    # The server writes neither comments nor declarations; a document type could make a small text a huge one.
    if b"<!" in data or b"<?" in data:
        raise DamagedTree("it holds a declaration")
    return data


def _parsed(data):
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise DamagedTree("%s" % (error,))


def _root(data):
    root = _parsed(data)
    if root.tag != "BackupTree":
        raise DamagedTree("it begins with <%s>" % root.tag)
    return root


def _vm(element, chains):
    uuid = _text(element, "Uuid")
    # PVBT_VM is 0; all other types are containers.
    return Vm(uuid, element.findtext("Name") or "", _number(element, "VmType", 0) != 0, _number(element, "Version", 0), chains)


def _chain(element):
    uuid = _text(element, "Uuid")
    backups = [_backup(element, uuid)]
    increments = [_backup(child, uuid) for child in element if child.tag == "PartialBackupItem"]
    backups.extend(sorted(increments, key=lambda backup: backup.number))
    return Chain(uuid, tuple(backups), _number(element, "LastNumber", 0))


def _backup(element, chain_uuid):
    fields = dict((child.tag, child.text) for child in element)
    identity = (fields.get("Id") or "").strip()
    match = _ID.match(identity)
    if match is None or key(match.group(1)) != key(chain_uuid):
        raise DamagedTree("'%s' is no id of a backup in chain %s" % (identity, chain_uuid))
    try:
        number, size = int(match.group(2) or 1), int(fields.get("Size") or 0)
    except ValueError:
        raise DamagedTree("backup %s has the size '%s'" % (identity, fields.get("Size")))
    written = (fields.get("DateTime") or "").strip()
    time = _DATE_TIME.match(written)
    if time is None:
        raise DamagedTree("backup %s has the time '%s'" % (identity, written))
    return Backup(identity, key(identity), number, "%sT%sZ" % time.groups(), size, fields.get("Description") or "")


def _text(element, tag):
    text = (element.findtext(tag) or "").strip()
    if not text:
        raise DamagedTree("<%s> without <%s>" % (element.tag, tag))
    return text


def _number(element, tag, default):
    text = (element.findtext(tag) or "").strip()
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise DamagedTree("<%s> holds '%s'" % (tag, text))
