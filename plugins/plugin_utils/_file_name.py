# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of the report files of a host."""

from __future__ import annotations

import hashlib
import re

#: A file system takes 255 bytes. What follows the name (``.junit.xml``) and what Ansible puts around it while it writes a file must fit too.
LONGEST = 200

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")


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
