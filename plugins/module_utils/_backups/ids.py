# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UUIDs and backup ids as users write them: with or without braces, in any case.

The server compares ids as text, exactly as it stored them. So what comes out of a tree is never rewritten:
it is compared through :func:`id_key` and passed back untouched.
"""

import re
from typing import Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

_HEX = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_UUID = re.compile(r"\s*(?:\{(%s)\}|(%s))\s*\Z" % (_HEX, _HEX))
# A full backup's id is its chain's UUID; the increment number N adds ".N" (and a promoted head keeps it).
_BACKUP_ID = re.compile(r"\s*(?:\{(%s)\}|(%s))(?:\.([1-9][0-9]{0,9}))?\s*\Z" % (_HEX, _HEX))


def id_key(text: str) -> str:
    """A form of an id (or of any text) that is equal when the ids differ only in braces, case or outer blanks."""
    return text.strip().replace("{", "").replace("}", "").lower()


def looks_like_uuid(text: str) -> bool:
    """Whether the text is a UUID, with or without braces."""
    return _UUID.match(text) is not None


def parse_backup_id(text: str) -> Tuple[str, Optional[int]]:
    """A backup id as (``{lowercase chain UUID}``, increment number or None); InputError if the text is none."""
    match = _BACKUP_ID.match(text)
    if match is None:
        raise InputError(
            "%r is not a backup id. A full backup's id is a UUID, an increment's is the UUID, a dot and a number, "
            "for example {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}.2; the braces may be left out." % (text,)
        )
    number = match.group(3)
    return "{%s}" % (match.group(1) or match.group(2)).lower(), int(number) if number else None


def uuid_key(text: str) -> Optional[str]:
    """A UUID without braces in lower case; None for anything else."""
    match = _UUID.match(text)
    return (match.group(1) or match.group(2)).lower() if match else None


def braced(text: str) -> str:
    """A UUID as it is written, with the braces that the server wants: it compares as text, so that the case has to stay."""
    match = _UUID.match(text)
    if match is None:
        raise ValueError("%r is no UUID" % (text,))
    return "{%s}" % (match.group(1) or match.group(2))


def format_id(uuid: str, number: Optional[int]) -> str:
    """The id of the backup with this number in the chain with this UUID; None is the full."""
    return uuid if number is None else "%s.%d" % (uuid, number)
