# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large value as one text, for the way from a module to an action.

Ansible visits each value of a module's result several times, which takes longer than gathering 100,000 backups. A text is one value.
"""

import base64
import hashlib
import json
import zlib
from typing import Any


def pack(value: Any) -> str:
    """A value of JSON as a text of ASCII: a checksum, a colon, and the compressed value."""
    data = base64.b64encode(zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"), 1)).decode("ascii")
    return "%s:%s" % (_checksum(data), data)


def unpack(text: str) -> Any:
    """What was packed. Raises ValueError if the text was altered, as Ansible does where it finds something in it that looks like a secret."""
    checksum, colon, data = text.partition(":")
    if checksum != _checksum(data):
        raise ValueError("the packed value was altered on its way")
    return json.loads(zlib.decompress(base64.b64decode(data)).decode("ascii"))


def _checksum(data: str) -> str:
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()
