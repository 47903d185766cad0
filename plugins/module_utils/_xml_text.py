# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make well-formed XML of a backup tree whose texts hold what XML cannot. Standard library only.

The server accepts a description or a name with control characters and writes them into its tree as they are, so that no XML parser reads it.
Here each such character, raw or as a reference, and all that is no UTF-8, becomes U+FFFD. Markup is not touched: where that is broken, the
parser says so.
"""

import re
from typing import IO, Iterable, Match, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

_REPLACEMENT = b"\xef\xbf\xbd"  # U+FFFD
_CONTROL = bytes(bytearray(code for code in range(32) if code not in (9, 10, 13)))
_CONTROLS = re.compile(b"[" + re.escape(_CONTROL) + b"]")
_SURROGATE = re.compile(b"\xed[\xa0-\xbf][\x80-\xbf]")
_NONCHARACTER = re.compile(b"\xef\xbf[\xbe\xbf]")
_REFERENCE = re.compile(b"&#(?:x([0-9A-Fa-f]{1,60})|([0-9]{1,60}));")
_BEGUN_REFERENCE = re.compile(b"&(#(x[0-9A-Fa-f]{0,60}|[0-9]{0,60}))?$")
_REFERENCE_LENGTH = 64
_ENCODING = re.compile(b"<\\?xml[^>]*\\bencoding\\s*=\\s*[\"']([^\"']*)")
# So many bytes tell the encoding.
_BEGINNING = 256
_PIECE = 64 * 1024


def is_legal(code: int) -> bool:
    """Whether XML 1.0 can hold the character with this number."""
    return code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000


def mend(text: bytes) -> bytes:
    """The bytes of a whole tree without what XML cannot hold; the same object where there is nothing of it."""
    mender = Mender()
    pieces = [mender.feed(text[start : start + _PIECE]) for start in range(0, len(text), _PIECE)]
    pieces.append(mender.end())
    return b"".join(pieces) if mender.replaced else text


class Mender:
    """The same piece by piece: feed() gives back as much as is certain, end() the rest. ``replaced``: whether anything was so far."""

    def __init__(self) -> None:
        self.replaced = False
        self._held = b""
        self._applies: Optional[bool] = None

    def feed(self, piece: bytes) -> bytes:
        data = self._held + piece if self._held else piece
        if self._applies is None:
            if len(data) < _BEGINNING:
                self._held = data
                return b""
            self._applies = _is_utf8(data)
        if not self._applies:
            self._held = b""
            return data
        whole = _whole(data)
        self._held = data[whole:]
        return self._mended(data[:whole] if self._held else data)

    def end(self) -> bytes:
        data, self._held = self._held, b""
        if self._applies is None:
            self._applies = _is_utf8(data)
        return self._mended(data) if self._applies else data

    def _mended(self, data: bytes) -> bytes:
        before = data
        # Single bytes are sought first, because that takes a tenth of the time.
        if len(data.translate(None, _CONTROL)) != len(data):
            data = _CONTROLS.sub(_REPLACEMENT, data)
        if b"&" in data and b"&#" in data:
            data = _REFERENCE.sub(_legal_reference, data)
        if b"\xed" in data:
            data = _SURROGATE.sub(_REPLACEMENT, data)
        if b"\xef" in data and b"\xef\xbf" in data:
            data = _NONCHARACTER.sub(_REPLACEMENT, data)
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            data = data.decode("utf-8", "replace").encode("utf-8")
        self.replaced = self.replaced or data != before
        return data


def _is_utf8(beginning: bytes) -> bool:
    """Whether a document is in UTF-8, as the server's are. What is in another encoding is left to the parser."""
    if beginning[:2] in (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<", b"\0\0", b"\x4c\x6f"):  # UTF-16, UTF-32, EBCDIC
        return False
    declared = _ENCODING.match(beginning)
    return declared is None or declared.group(1).lower() in (b"utf-8", b"us-ascii", b"ascii")


def _whole(data: bytes) -> int:
    """How many bytes from the beginning do not end inside of a character or of a reference."""
    length = len(data)
    for back in range(1, min(4, length + 1)):
        lead = ord(data[length - back : length - back + 1])
        if lead >= 0xC0:
            if back < (2 if lead < 0xE0 else 3 if lead < 0xF0 else 4):
                return length - back
            break
    start = data.rfind(b"&", max(0, length - _REFERENCE_LENGTH))
    return start if start >= 0 and _BEGUN_REFERENCE.match(data, start) else length


def _legal_reference(match: Match[bytes]) -> bytes:
    code = int(match.group(1), 16) if match.group(1) else int(match.group(2))
    return match.group() if is_legal(code) else _REPLACEMENT


class MendedStream:
    """A binary stream of a tree that is mended while it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._mender, self._ended = stream, Mender(), False

    @property
    def replaced(self) -> bool:
        return self._mender.replaced

    def read(self, size: int) -> bytes:
        """At least one byte, and few more than ``size``; none at the end only."""
        while not self._ended:
            piece = self._stream.read(size)
            self._ended = not piece
            data = self._mender.feed(piece) if piece else self._mender.end()
            if data:
                return data
        return b""


def warning(altered: Iterable[Tuple[str, str, Optional[str]]]) -> str:
    """What to tell of replaced characters. ``altered``: a list of (VM's name, VM's UUID, backup's id or None where it is the VM's name)."""
    told = [
        "%s of VM '%s' (%s)" % ("backup %s" % backup if backup else "the name", name, uuid)
        for name, uuid, backup in sorted(set(altered), key=repr)[:NAMED]
    ]
    more = len(set(altered)) - len(told)
    return (
        "Texts in the server's backup tree have characters that XML cannot hold; each is replaced by U+FFFD: %s%s."
        % (
            ", ".join(told),
            ", and %d more" % more if more else "",
        )
    )


# Backups that a warning names.
NAMED = 5


def check_text(text: str, option: str) -> None:
    """The server would take it, and no XML parser would read its backup tree any more."""
    for place, character in enumerate(text):
        if not is_legal(ord(character)):
            raise InputError(
                "%s: the character U+%04X at place %d cannot be kept in the server's backup tree, which is XML. Leave it out."
                % (option, ord(character), place + 1)
            )
