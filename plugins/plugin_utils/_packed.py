# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large values as one text.

Ansible templates each value of each container each time that a variable is used, which for the plan of 100,000 backups takes minutes.
A text is one value. Packed it is small as well.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

#: So that nobody, templating included, takes it for anything else.
MARK = "prlsdk-packed-1:"


def pack(value) -> str:
    """Any plain value as a text of ASCII."""
    return MARK + base64.b64encode(zlib.compress(json.dumps(value, default=_plain, separators=(",", ":")).encode("ascii"), 1)).decode("ascii")


def is_packed(value) -> bool:
    """Whether it is such a text."""
    return isinstance(value, str) and value.startswith(MARK)


def unpack_text(value: str) -> str:
    """The JSON of what was packed.

    :raises InputError: says that it was not packed.
    """
    if not is_packed(value):
        raise InputError("this is no packed value")
    try:
        return zlib.decompress(base64.b64decode(value[len(MARK) :])).decode("ascii")
    except (ValueError, zlib.error) as error:
        raise InputError("the packed value is damaged (%s)" % error) from None


def unpack(value):
    """What was packed; anything else as it is."""
    return json.loads(unpack_text(value)) if is_packed(value) else value


def _plain(value):
    """Containers of Ansible's that json does not know."""
    if isinstance(value, Mapping):
        return dict(value.items())
    return list(value)
