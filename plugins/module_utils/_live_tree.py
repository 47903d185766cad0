# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup tree as the worker needs it: small, and with nothing but the standard library of Python 2.7.

It is what every decision about a change rests on, so that a text that is not wholly understood is an error, never a smaller tree.
Only characters that XML cannot hold are replaced. The modules that gather backups read the same text with ``_backup_tree.py``, which knows
more and needs lxml.
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

if __name__.startswith("ansible_collections."):
    from ansible_collections.prlsdk.core.plugins.module_utils import _xml_text
    from ansible_collections.prlsdk.core.plugins.module_utils._wire import encoded
else:  # beside the worker, where there is no collection
    import _xml_text
    from _wire import encoded

_DATE_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})$")
_ID = re.compile(r"(\{[0-9a-f-]{36}\})(?:\.([0-9]+))?$", re.IGNORECASE)


class DamagedTree(Exception):
    """The text is not a whole backup tree; says why."""


# id: as the server stores it, because it compares ids as text. key: see key(). number: 1 for a full, N of a promoted one.
# created: YYYY-MM-DDTHH:MM:SSZ. size: bytes.
Backup = collections.namedtuple("Backup", "id key number created size description")


class Chain:
    """A full and its increments. It never changes, so that one reading after the other can share it."""

    def __init__(self, uuid, backups, last_number):
        """``backups``: the full first, then the increments by number. ``last_number``: the highest ever given, 0 if none."""
        self.uuid, self.backups, self.last_number = uuid, tuple(backups), last_number
        self.key = key(uuid)
        self.positions = dict((backup.key, position) for position, backup in enumerate(self.backups))
        if len(self.positions) < len(self.backups):
            raise DamagedTree("two backups of chain %s have the same id" % uuid)
        # Of equal times the later in the tree is the newer.
        self.newest = None
        for backup in self.backups:
            if self.newest is None or backup.created >= self.newest.created:
                self.newest = backup

    def without(self, gone):
        """This chain after the backups with these keys went; None if nothing is left."""
        if not any(wanted in self.positions for wanted in gone):
            return self
        left = [backup for backup in self.backups if backup.key not in gone]
        return Chain(self.uuid, left, self.last_number) if left else None


class Vm:
    """One VM's part of the tree. A VM without backups has no chains. ``version`` is the storage format, 0 if not told."""

    def __init__(self, uuid, name=None, container=False, version=0, chains=()):
        self.uuid, self.name, self.container, self.version, self.chains = uuid, name, container, version, list(chains)
        self._by_key = dict((chain.key, chain) for chain in self.chains)
        if len(self._by_key) < len(self.chains):
            raise DamagedTree("two chains of VM %s have the same UUID" % uuid)
        self._keys = None

    def place(self, wanted):
        """(chain, position in it) of a backup's key, or None."""
        chain = self._by_key.get(wanted.partition(".")[0])
        position = None if chain is None else chain.positions.get(wanted)
        return None if position is None else (chain, position)

    def has_chain(self, wanted):
        """Whether a chain with this key shows. One that somebody writes to does not."""
        return wanted in self._by_key

    def keys(self):
        """The keys of all its backups, a set."""
        if self._keys is None:
            self._keys = frozenset().union(*[chain.positions for chain in self.chains])
        return self._keys

    def chain_keys(self, keys):
        """The keys of all backups of the chain that these keys belong to, a set."""
        return frozenset(self.place(next(iter(keys)))[0].positions)

    def ids(self):
        """All ids, oldest chain first."""
        return [backup.id for chain in self.chains for backup in chain.backups]

    def newest(self):
        """(chain, backup) of the newest backup, or None. Chains come by age; of equal times the later in the tree is the newer."""
        found = None
        for chain in self.chains:
            if found is None or chain.newest.created >= found[1].created:
                found = (chain, chain.newest)
        return found

    def without(self, gone):
        """This VM after the backups with these keys went. What is left of a chain that lost its full is not a chain."""
        left = [chain.without(gone) for chain in self.chains]
        return Vm(self.uuid, self.name, self.container, self.version, [chain for chain in left if chain is not None])


def key(text):
    """A form of an id or UUID that is equal when they differ only in braces, case or outer blanks."""
    return text.strip().replace("{", "").replace("}", "").lower()


def read_vm(text, uuid, known=None):
    """The Vm with this UUID in the answer to a request for it; one without chains when the answer has none.

    ``known`` is a dictionary that the caller keeps from one reading of the VM to the next: what has the same text as before is not parsed
    again. Removing 1,000 backups one by one from a VM that has so many would otherwise parse a million.
    """
    text = _checked(text)
    if known is not None:
        try:
            return _read_by_pieces(text, uuid, known)
        except DamagedTree:
            known.clear()  # the plain way decides what is wrong, and whether anything is
    return _only(_root(text), uuid, _chains)


def _read_by_pieces(text, uuid, known):
    """As read_vm(). Every chain is cut out of the text, and out of a chain that is not as before every increment; only new pieces are parsed.

    ``known`` is {name: (text of a chain, Chain, {name: (text of an increment, Backup)})}, names being as _cut() gives them.
    """
    pieces, rest = _cut(text, "BackupItem", "</Uuid>", known)
    seen = {}
    for name, body in pieces:
        last = known.get(name)
        seen[name] = last if last is not None and last[0] is body else _chain_by_pieces(body, last)
    root = _root(rest)
    if len(root) > 1:
        raise DamagedTree("it holds %d VMs" % len(root))
    vm = _only(root, uuid, lambda element: _all_of([seen[name][1] for name, body in pieces], element, "BackupItem"))
    known.clear()
    known.update(seen)
    return vm


def _chain_by_pieces(body, last):
    """What _read_by_pieces() knows of a chain with this text. ``last`` is what it knew before, or None."""
    known = last[2] if last is not None else {}
    pieces, rest = _cut(body, "PartialBackupItem", "</Id>", known)
    element = _parsed("<BackupItem>%s</BackupItem>" % rest)
    uuid = _text(element, "Uuid")
    if last is not None and uuid != last[1].uuid:
        known = {}
    seen = {}
    for name, piece in pieces:
        same = known.get(name)
        seen[name] = same if same is not None and same[0] is piece else (
            piece, _backup(_parsed("<PartialBackupItem>%s</PartialBackupItem>" % piece), uuid))
    return body, _chain(element, _all_of([seen[name][1] for name, piece in pieces], element, "PartialBackupItem")), seen


def _cut(text, tag, mark, known):
    """([(name, what is inside of an element with this tag)], the text with an empty element in the place of each).

    The name is the text up to ``mark``, and only what ``known``, {name: (text, ...)}, has it under: where the same text comes again, it is that
    very object, and its end is not searched for. Without comments and declarations, which _checked() has refused, "<" is nowhere but in
    markup. So what is cut out and what is left are each a whole document, or the text was none. The tags' own bookkeeping, which changes
    when another element goes, is left behind.
    """
    pieces, rest, end = [], [], 0
    head, tail = "<" + tag, "</%s>" % tag
    while True:
        start = text.find(head, end)
        if start < 0:
            break
        inside = text.find(">", start) + 1
        if not inside or text[start + len(head)] not in " >":
            raise DamagedTree("a <%s> does not begin" % tag)
        name = text[inside:text.find(mark, inside)]
        body = known[name][0] if name in known else None
        if body is None or not text.startswith(body, inside) or not text.startswith(tail, inside + len(body)):
            body = text[inside:text.find(tail, inside)]
        if not text.startswith(tail, inside + len(body)):
            raise DamagedTree("a <%s> does not end" % tag)
        pieces.append((name, body))
        rest.append(text[end:start])
        end = inside + len(body) + len(tail)
    rest.append(text[end:])
    return pieces, (head + "/>").join(rest)


def _all_of(found, element, tag):
    """What was found, if it is what the element holds at its own level."""
    if len(element.findall(tag)) != len(found):
        raise DamagedTree("a <%s> is out of its place" % tag)
    return found


def _only(root, uuid, chains_of):
    for element in root:
        if element.tag == "VmItem" and key(_text(element, "Uuid")) == key(uuid):
            return _vm(element, chains_of(element))
    return Vm(uuid)


def read_all(text):
    """Yield every Vm of the answer to a request for the whole tree, with the memory of one of them."""
    root = None
    try:
        for event, element in ElementTree.iterparse(io.BytesIO(encoded(_checked(text))), ("start", "end")):
            if root is None:
                root = element
                if element.tag != "BackupTree":
                    raise DamagedTree("it begins with <%s>" % element.tag)
            elif event == "end" and element.tag == "VmItem":
                yield _vm(element, _chains(element))
                root.clear()
    except ElementTree.ParseError as error:
        raise DamagedTree("%s" % (error,))


def _checked(text):
    """The text as the interpreter's own kind of string, without what XML cannot hold."""
    text = _xml_text.mend(encoded(text))
    if str is not bytes:
        text = text.decode("utf-8", "surrogateescape")
    # The server writes neither comments nor declarations; a document type could make a small text a huge one. One character is sought first,
    # because that takes a hundredth of the time.
    if ("!" in text and "<!" in text) or ("?" in text and "<?" in text):
        raise DamagedTree("it holds a declaration")
    return text


def _parsed(text):
    try:
        return ElementTree.fromstring(encoded(text))
    except ElementTree.ParseError as error:
        raise DamagedTree("%s" % (error,))


def _root(text):
    root = _parsed(text)
    if root.tag != "BackupTree":
        raise DamagedTree("it begins with <%s>" % root.tag)
    return root


def _vm(element, chains):
    uuid = _text(element, "Uuid")
    # PVBT_VM is 0; all other types are containers.
    return Vm(uuid, element.findtext("Name") or "", _number(element, "VmType", 0) != 0, _number(element, "Version", 0), chains)


def _chains(element):
    return [
        _chain(child, [_backup(increment, _text(child, "Uuid")) for increment in child if increment.tag == "PartialBackupItem"])
        for child in element if child.tag == "BackupItem"
    ]


def _chain(element, increments):
    uuid = _text(element, "Uuid")
    backups = [_backup(element, uuid)] + sorted(increments, key=lambda backup: backup.number)
    return Chain(uuid, backups, _number(element, "LastNumber", 0))


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
