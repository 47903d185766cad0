# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's backup tree: XML in, value objects out, and from those the dictionaries that modules return.

The tree is ``BackupTree / VmItem / BackupItem (a chain and its head) / PartialBackupItem (an increment)``. It is read
piece by piece and each backup's XML is dropped as soon as it is read, so that memory follows the largest VM.
"""

import datetime
import functools
import re
import sys
import traceback
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

try:
    from lxml import etree
except ImportError:
    HAS_LXML = False
    LXML_IMPORT_ERROR: Optional[str] = traceback.format_exc()
else:
    HAS_LXML = True
    LXML_IMPORT_ERROR = None

from ansible_collections.prlsdk.core.plugins.module_utils._errors import (
    MissingLibraryError,
    TemporaryFolderError,
    TreeError,
)
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable
from ansible_collections.prlsdk.core.plugins.module_utils._xml_text import MendedStream

REPLACEMENT = "\ufffd"

_CHUNK = 64 * 1024
# The server writes the root at once. A document that does not come to it within this size is something else.
_PROLOGUE_LIMIT = 1024 * 1024
# The most text that may come without a backup or a VM ending in it: known elements are far smaller, and what is
# unknown is ignored, but must not fill the memory first.
_UNKNOWN_LIMIT = 4 * 1024 * 1024

_VM_TYPES = {0: "vm", 1: "ct", 2: "ct", 3: "ct"}  # PVBT_VM, PVBT_CT_VZFS, PVBT_CT_PLOOP, PVBT_CT_VZWIN
_VM_FIELDS = ("VmType", "Uuid", "Name", "Version")
_HEAD_FIELDS = ("Uuid", "Id", "Host", "ServerUuid", "DateTime", "Creator", "Size", "Description", "LastNumber")
_INCREMENT_FIELDS = ("Number", "Id", "Host", "ServerUuid", "DateTime", "Creator", "Size", "Description")
_DISK_FIELDS = ("Name", "OriginalPath", "Size")

_NUMBER = re.compile(r"[0-9]{1,20}\Z")
_NUMBER_MAX = 2**64 - 1
_DATE_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])\Z")
_NUMBERED_ID = re.compile(r"(.*)\.([0-9]{1,10})\Z", re.DOTALL)
_POSITION = re.compile(r"(?:, |\s*\(?)line \d+, column \d+\)?(?:\s*\(.*\))?\s*\Z")


class Disk(NamedTuple):
    """A virtual disk as it was when the backup was made."""

    name: str
    original_path: str
    size: int
    """Bytes of the virtual disk, not of its backup."""
    encryption_key_id: str
    """Empty if the disk is not encrypted."""


class Backup(NamedTuple):
    """One restore point. Ids and UUIDs are as the server stores them, because it compares them as text."""

    id: str
    """``{chain UUID}`` or ``{chain UUID}.N``. Says nothing sure about the type: a promoted full keeps its ``.N``."""
    type: str
    """``full`` or ``incremental``."""
    number: int
    """The place in the chain: 1 for a full (N for a promoted one), 2 and more for increments. Gaps are normal."""
    created: str
    """``YYYY-MM-DDTHH:MM:SSZ``, always UTC, so that text order is the order in time."""
    size: int
    """Bytes."""
    description: str
    creator: str
    """The operating system user who ran the backup."""
    host: str
    """The name of the node that made it."""
    server_uuid: str
    """The dispatcher's UUID of the node that made it."""
    disks: Optional[Tuple[Disk, ...]] = None
    """None if disks were not asked for."""
    files: Optional[Tuple[str, ...]] = None
    """Image file names; None if files were not asked for."""


class Chain(NamedTuple):
    """A full backup and the increments built on it."""

    uuid: str
    backups: Tuple[Backup, ...]
    """The full first, then the increments by number."""
    last_number: int
    """The highest increment number ever made, 0 if none; removals never lower it."""
    directory: Optional[str] = None
    """The backup directory it was found in, if that is the VM's own; None in the server's default directory."""


class Others(NamedTuple):
    """What other nodes have of a VM on the same server."""

    chains: int
    backups: int
    newest: Optional[str]
    """When the newest one was made that is restorable and not from the future; ISO 8601."""


class VmTree(NamedTuple):
    """All that the answer has of one VM or container."""

    uuid: str
    name: str
    """The name at its most recent backup."""
    type: str
    """``vm`` or ``ct``."""
    storage_version: int
    """The storage format, 1 to 5; below 4 the server cannot take a backup out of the middle. 0 if not told."""
    chains: Tuple[Chain, ...]
    """The oldest first."""
    omitted: int = 0
    """How many of its backups a selection left out."""
    others: Optional[Others] = None
    """What a selection by owner left out; None where that is not known."""


def require_lxml() -> None:
    """MissingLibraryError where trees cannot be parsed at all: to be asked before a server is."""
    if not HAS_LXML:
        raise MissingLibraryError(
            "Backup trees cannot be read, because the Python library lxml is missing for %s, the interpreter that Ansible uses on this host. Install "
            "it there (the package is python3-lxml, on Virtuozzo 7 python36-lxml), or choose another interpreter with 'ansible_python_interpreter'."
            % sys.executable,
            exception=LXML_IMPORT_ERROR,
        )


def parse(
    source: Any, disks: bool = False, files: bool = False, altered: Optional[List[Any]] = None
) -> Iterator[VmTree]:
    """Yield a VmTree for each VM in the tree that ``source``, a path or a binary stream, holds.

    Characters that XML cannot hold are read as U+FFFD. Where there was one, the list ``altered`` gets (VM's name, its UUID, backup's id; None
    for the VM's own name).

    Everything that is wrong with the document is a TreeError. It may come after some VMs were yielded: they are not
    the whole tree, so nothing may be concluded from them before the generator has ended.
    """
    require_lxml()
    if hasattr(source, "read"):
        yield from _Parser(source, disks, files, altered).trees()
        return
    try:
        stream = open(source, "rb")
    except OSError as error:
        raise unreadable(error) from None
    with stream:
        yield from _Parser(stream, disks, files, altered).trees()


def as_result(tree: VmTree, registered: Optional[bool] = None) -> Dict[str, Any]:
    """The VmTree as a module returns it. ``registered``: whether the node knows the VM, None if that was not asked."""
    return {
        "vm": {
            "uuid": tree.uuid,
            "name": tree.name,
            "type": tree.type,
            "storage_version": tree.storage_version,
            "registered": registered,
        },
        "omitted": tree.omitted,
        "others": None if tree.others is None else dict(tree.others._asdict()),
        "chains": [
            {
                "uuid": chain.uuid,
                "size": sum(backup.size for backup in chain.backups),
                "directory": chain.directory,
                "backups": [_backup_result(backup) for backup in chain.backups],
            }
            for chain in tree.chains
        ],
    }


def _backup_result(backup: Backup) -> Dict[str, Any]:
    result = {
        "id": backup.id,
        "type": backup.type,
        "number": backup.number,
        "created": backup.created,
        "size": backup.size,
        "description": backup.description,
        "creator": backup.creator,
        "host": backup.host,
        "server_uuid": backup.server_uuid,
    }
    if backup.disks is not None:
        result["disks"] = [
            {
                "name": disk.name,
                "original_path": disk.original_path,
                "size": disk.size,
                "encryption_key_id": disk.encryption_key_id,
            }
            for disk in backup.disks
        ]
    if backup.files is not None:
        result["files"] = list(backup.files)
    return result


def order_of_chain(chain: Chain) -> Any:
    """Sorting key: the oldest chain first."""
    return chain.backups[0].created, chain.uuid


def _damaged(problem: str, line: Optional[int] = None, column: Optional[int] = None) -> TreeError:
    if line:
        problem += " at line %d, column %d" % (line, column) if column else " at line %d" % line
    return TreeError(
        "The server's backup tree is damaged: %s. Reading it changed nothing. Run the module again; if that does not help, "
        "look at the text with gather=raw and check the backup server." % problem
    )


def unreadable(error: Exception) -> TemporaryFolderError:
    return TemporaryFolderError(
        "The server's backup tree could not be read back from the temporary folder: %s." % error
    )


def _shorten(text: str, limit: int = 160) -> str:
    """Text of the document, short and on one line, for a message."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= limit else text[: limit - 3] + "..."


class _Prologue:
    """A parser target that notes what comes before the tree: lxml calls it while the text is fed."""

    def __init__(self) -> None:
        self.root = None
        self.has_doctype = False

    def doctype(self, name: Any, public_id: Any, system_url: Any) -> None:
        self.has_doctype = True

    def start(self, tag: Any, attributes: Any) -> None:
        if self.root is None:
            self.root = tag

    def close(self) -> None:
        return None


class _Parser:
    """One pass over one document."""

    def __init__(self, stream: Any, disks: bool, files: bool, altered: Any) -> None:
        self._stream = MendedStream(stream)
        self._altered = altered
        self._disks = disks
        self._files = files

    def trees(self) -> Iterator[VmTree]:
        # The tree has no use for any of these: entities stay unexpanded, no DTD and no address is ever opened, and
        # libxml2's limits on the size and the depth of a document's parts stay on. xml:id is an attribute like others.
        options: Dict[str, Any] = {
            "resolve_entities": False,
            "load_dtd": False,
            "dtd_validation": False,
            "no_network": True,
            "huge_tree": False,
            "collect_ids": False,
        }
        beginning = self._check_prologue(options)
        parser: Any = etree.XMLPullParser(
            events=("start", "end"),
            tag=("BackupTree", "VmItem", "BackupItem", "PartialBackupItem"),
            # Without comments and instructions the text of an element is always one piece.
            remove_comments=True,
            remove_pis=True,
            **options,
        )
        return self._walk(parser, beginning)

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise unreadable(error) from None

    def _check_prologue(self, options: Dict[str, Any]) -> bytes:
        """Read up to the root element; refuse a DOCTYPE and a foreign root. Return the bytes read so far.

        The document type is refused before its declarations are used, and by the same parser that reads the tree, so
        that no encoding can hide it.
        """
        target: Any = _Prologue()
        parser = etree.XMLParser(target=target, **options)
        beginning = b""
        fault = None
        while target.root is None and not target.has_doctype and fault is None:
            piece = self._read(1024)
            while (
                0 < len(piece) < 4 and not beginning
            ):  # lxml recognises the encoding by the first four bytes it is given
                more = self._read(1024)
                if not more:
                    break
                piece += more
            beginning += piece
            if not piece and not beginning.strip():
                raise _damaged("the answer is empty, not even an empty tree")
            if len(beginning) > _PROLOGUE_LIMIT:
                raise _damaged("there is no BackupTree element in its first %d bytes" % _PROLOGUE_LIMIT)
            fault = self._feed(parser, piece)
            if not piece:
                break
        if fault is not None and not piece and not target.has_doctype:
            raise fault
        if target.has_doctype:
            raise _damaged(
                "it has a document type declaration (DOCTYPE), which the server never writes and which is refused"
            )
        if target.root is not None and target.root != "BackupTree":
            raise _damaged("it is not a backup tree, its root element is %s and not BackupTree" % _shorten(target.root))
        if target.root is None:
            raise fault or _damaged("it has no root element")  # the latter only if libxml2 took a text without any
        return beginning

    @staticmethod
    def _feed(parser: Any, piece: bytes) -> Optional[TreeError]:
        """Give the parser one more piece, or the end (an empty piece). Return the fault it found as a TreeError, or None."""
        try:
            if piece:
                parser.feed(piece)
            else:
                parser.close()
        except etree.LxmlError as error:
            problem = getattr(error, "msg", None) or str(error)
            line, column = getattr(error, "position", None) or (None, None)
            # A fault that lets libxml2 read on, such as an unknown entity, is told at the end, and only its log says where.
            for entry in parser.feed_error_log if not line else ():
                problem, line, column = entry.message, entry.line, entry.column
                break
            return _damaged(_shorten(_POSITION.sub("", problem or "")) or "it is not well-formed XML", line, column)
        except (ValueError, LookupError) as error:  # what lxml makes of encodings that cannot be decoded
            return _damaged(_shorten(str(error)))
        return None

    def _walk(self, parser: Any, piece: bytes) -> Iterator[VmTree]:
        root: Any = None
        vm: Any = None
        chain: Any = None
        done_chain: Any = None
        done_increment: Any = None
        chains: List[Chain] = []
        increments: List[Any] = []
        element: Any = None
        unknown = 0
        while True:
            fault = self._feed(parser, piece)
            if fault is not None:
                raise fault
            unknown += len(piece)
            for event, element in parser.read_events():
                tag = element.tag
                parent: Any = element.getparent()
                # A known name in an unknown place is unknown: each is looked at only under its own parent.
                if event == "start":
                    if parent is None:
                        root = element
                    elif tag == "VmItem" and parent is root:
                        vm, chains = element, []
                    elif tag == "BackupItem" and parent is vm:
                        chain, increments = element, []
                    continue
                # What was read is dropped one step later: the parser still adds to the text behind the element that
                # has just ended, and taking that text away would corrupt its memory.
                if tag == "PartialBackupItem" and parent is chain and chain is not None:
                    increments.append((_line(element), self._increment(element)))
                    if done_increment is not None:
                        parent.remove(done_increment)
                    done_increment = element
                elif tag == "BackupItem" and element is chain:
                    chains.append(self._chain(element, increments))
                    if done_chain is not None:
                        parent.remove(done_chain)
                    done_chain, done_increment, chain = element, None, None
                    del element[:]
                elif tag == "VmItem" and element is vm:
                    tree = self._vm(element, chains)
                    if self._altered is not None and self._stream.replaced:
                        self._altered.extend(_altered_in(tree))
                    done_chain = vm = None
                    while element.getprevious() is not None:
                        del root[0]
                    del element[:]
                    yield tree
                else:
                    continue
                unknown = 0
            if not piece:
                return
            if root is not None and len(root) > 1:
                del root[:-1]
            if unknown > _UNKNOWN_LIMIT and element is not None:
                raise _damaged(
                    "it goes on for more than %d bytes without the end of a backup" % _UNKNOWN_LIMIT, _line(element)
                )
            piece = self._read(_CHUNK)

    def _vm(self, element: Any, chains: List[Chain]) -> VmTree:
        fields = _fields(element, _VM_FIELDS)
        uuid = _required(element, fields, "Uuid")
        # Absent and not empty: trees from before containers had no VmType.
        number = _number(element, fields, "VmType", 0)
        if number not in _VM_TYPES:
            raise _damaged("VmType is %d, where 0 to 3 are known," % number, _line(element))
        chains.sort(
            key=lambda chain: chain.backups[0].created
        )  # of equal times the server's order stays: its last one is its newest
        return VmTree(
            uuid, fields.get("Name") or "", _VM_TYPES[number], _number(element, fields, "Version", 0), tuple(chains)
        )

    def _chain(self, element: Any, increments: Any) -> Chain:
        fields = _fields(element, _HEAD_FIELDS)
        backup_id = _required(element, fields, "Id")
        match = _NUMBERED_ID.match(backup_id)
        # The type comes from the element: a promoted head keeps the id it had as an increment. A base counts as 1.
        own, number = (match.group(1), int(match.group(2))) if match else (backup_id, 1)
        uuid = (fields.get("Uuid") or "").strip() or own
        _same_chain(element, own, uuid, backup_id)
        increments.sort(key=_order_of_increment)
        backups = [self._backup(element, fields, backup_id, "full", number)]
        for line, backup in increments:
            if backup.id != "%s.%d" % (uuid, backup.number):
                match = _NUMBERED_ID.match(backup.id)
                if match is None or int(match.group(2)) != backup.number:
                    raise _damaged("the increment %s has the number %d" % (_shorten(backup.id), backup.number), line)
                _same_chain(element, match.group(1), uuid, backup.id, line)
            backups.append(backup)
        return Chain(uuid, tuple(backups), _number(element, fields, "LastNumber", 0))

    def _increment(self, element: Any) -> Any:
        fields = _fields(element, _INCREMENT_FIELDS)
        backup_id = _required(element, fields, "Id")
        if fields.get("Number") is None:
            match = _NUMBERED_ID.match(backup_id)
            if match is None:
                raise _damaged("a PartialBackupItem has no Number", _line(element))
            number = int(match.group(2))
        else:
            number = _number(element, fields, "Number", None)
        return self._backup(element, fields, backup_id, "incremental", number)

    def _backup(self, element: Any, fields: Dict[str, Optional[str]], backup_id: str, kind: str, number: int) -> Backup:
        # A server has few users and nodes, but a backup repeats their names each time.
        return Backup(
            backup_id,
            kind,
            number,
            _created(element, fields),
            _number(element, fields, "Size", None),
            sys.intern(fields.get("Description") or ""),
            sys.intern(fields.get("Creator") or ""),
            sys.intern(fields.get("Host") or ""),
            sys.intern(fields.get("ServerUuid") or ""),
            self._disks_of(element) if self._disks else None,
            tuple(child.text for child in element.iterchildren("TibFileList") if child.text) if self._files else None,
        )

    @staticmethod
    def _disks_of(element: Any) -> Tuple[Disk, ...]:
        disks = []
        for parent in element.iterchildren("BackupDisks"):
            for disk in parent.iterchildren("BackupDisk"):
                fields = _fields(disk, _DISK_FIELDS)
                disks.append(
                    Disk(
                        fields.get("Name") or "",
                        fields.get("OriginalPath") or "",
                        _number(disk, fields, "Size", 0),
                        disk.findtext("Encryption/KeyId") or "",
                    )
                )
        return tuple(disks)


def _altered_in(tree: VmTree) -> Iterator[Tuple[str, str, Optional[str]]]:
    """Where in a VM of a tree in which something was replaced are replaced characters."""
    if REPLACEMENT in tree.name:
        yield tree.name, tree.uuid, None
    for chain in tree.chains:
        for backup in chain.backups:
            if REPLACEMENT in repr(backup):
                yield tree.name, tree.uuid, backup.id


def _line(element: Any) -> Optional[int]:
    """The line on which the element begins."""
    line = element.sourceline
    # libxml2 keeps 16 bits of an element's line; beyond them it answers with the end of the text behind the start tag.
    if line is not None and line >= 65535:
        line -= (element.text or "").count("\n")
    return line


def _order_of_increment(pair: Any) -> Any:
    backup = pair[1]
    return backup.number, backup.created, backup.id


def _fields(element: Any, names: Iterable[str]) -> Dict[str, Optional[str]]:
    """The texts of the scalar children with these names, None for an empty one."""
    pairs = [(child.tag, child.text) for child in element.iterchildren(*names)]
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _damaged("a %s has the same element twice" % element.tag, _line(element))
    return fields


def _required(element: Any, fields: Dict[str, Optional[str]], name: str) -> str:
    text = (fields.get(name) or "").strip()
    if not text:
        raise _damaged("a %s has no %s" % (element.tag, name), _line(element))
    return text


def _number(element: Any, fields: Dict[str, Optional[str]], name: str, default: Optional[int]) -> int:
    """A number; if the element is not there at all, the default, or a TreeError if that is None."""
    text = fields.get(name)
    if text is None and default is not None and name not in fields:
        return default
    text = (text or "").strip()
    if not text:
        raise _damaged("a %s has no %s" % (element.tag, name), _line(element))
    if _NUMBER.match(text) is not None:
        number = int(text)
        if number <= _NUMBER_MAX:
            return number
    raise _damaged(
        "the %s of a %s is %s, which is not a number of up to 64 bits," % (name, element.tag, _shorten(text, 40)),
        _line(element),
    )


def _created(element: Any, fields: Dict[str, Optional[str]]) -> str:
    """DateTime as ISO 8601. The server writes UTC without saying so: ``YYYY-MM-DD HH:MM:SS``."""
    text = _required(element, fields, "DateTime")
    match = _DATE_TIME.match(text)
    if match is None or not _is_day(match.group(1)):
        raise _damaged(
            "the DateTime of a %s is %s, which is not a YYYY-MM-DD HH:MM:SS time," % (element.tag, _shorten(text, 40)),
            _line(element),
        )
    return "%sT%sZ" % match.groups()


@functools.lru_cache(maxsize=4096)
def _is_day(text: str) -> bool:
    try:
        datetime.date(int(text[:4]), int(text[5:7]), int(text[8:]))
    except ValueError:
        return False
    return True


def _same_chain(element: Any, own: str, uuid: str, backup_id: str, line: Any = None) -> None:
    """A removal goes by the id, so an id that belongs to another chain must never be offered."""
    if own != uuid and own.lower() != uuid.lower():
        raise _damaged(
            "the id %s stands in the chain %s" % (_shorten(backup_id, 60), _shorten(uuid, 60)), line or _line(element)
        )
