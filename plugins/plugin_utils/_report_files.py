# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report files on the controller: their names, one folder, files that are replaced in one step, and modes that let the owner's group read."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile

FOLDER_MODE, FILE_MODE = 0o750, 0o640
#: A file system takes 255 bytes. What follows the name (``.junit.xml``) and what Ansible puts around it while it writes a file must fit too.
LONGEST = 200

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")


class ReportFolder:
    """A folder of report files. A relative path starts in the current directory; one that is not there is made, with its parents."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))

    def prepare(self) -> None:
        """Make the folder if it is not there; the mode of one that is there is not changed. Raises OSError if files cannot be written to it."""
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            os.mkdir(self.path)
        except FileExistsError:
            pass
        else:
            os.chmod(self.path, FOLDER_MODE)  # whatever the umask is
        with tempfile.TemporaryFile(dir=self.path):
            pass

    def of_host(self, host: str, suffix: str) -> str:
        """The path of a file of this host; no other host has the same one."""
        return os.path.join(self.path, file_name(host) + suffix)


def write(path: str, text: str, mode: int = FILE_MODE) -> bool:
    """Replace a file by this text in one step. Returns whether the text is another one than before. Raises OSError."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        with open(path, "rb") as source:
            if source.read() == data:
                return False
    except OSError:
        pass
    handle, scratch = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(data)
            os.fchmod(target.fileno(), mode)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise
    return True


def read(path: str) -> str | None:
    """The text of a file; None if there is none. Raises OSError if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as source:
            return source.read()
    except FileNotFoundError:
        return None


def file_name(host: str) -> str:
    """A name for files that no other host gets, without a suffix.

    Lower-case letters, digits, dots, underscores and dashes stay. Each byte (UTF-8) of anything else becomes a percent sign and two digits of a
    lower-case hexadecimal number, capitals included: ``Web`` and ``web`` are one file to some disks. So does a dot or a dash at the beginning,
    so that no file is hidden and none looks like an option. A host without a name is ``%``. Where that is longer than :data:`LONGEST`, the name
    is its beginning, ``%-`` and a digest of the whole host name; no escape looks like that.
    """
    escaped = "".join(character if character in _PLAIN else _escaped(character) for character in host) or "%"
    if escaped[0] in ".-":
        escaped = _escaped(escaped[0]) + escaped[1:]
    if len(escaped) <= LONGEST:
        return escaped
    end = "%-" + hashlib.sha256(_bytes(host)).hexdigest()[:32]
    return re.sub("%[0-9a-f]?$", "", escaped[: LONGEST - len(end)]) + end


def _escaped(text: str) -> str:
    return "".join("%%%02x" % byte for byte in _bytes(text))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
