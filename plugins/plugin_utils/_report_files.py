# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report files on the controller: one folder, files that are replaced in one step, and modes that let the owner's group read."""

from __future__ import annotations

import os
import tempfile

from ._file_name import file_name

FOLDER_MODE, FILE_MODE = 0o750, 0o640


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
