# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read in a terminal. Text from outside is made safe to show: the name of a VM must not move the cursor, add a line or turn the
direction of writing."""

import unicodedata
from typing import Any, Iterable

# Control characters, invisible marks such as those of direction, halves of surrogate pairs, line and paragraph separators. Characters that
# only a newer Unicode knows are not among them: they are shown, if only as a box.
_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_NONCHARACTERS = "\ufffe\uffff"
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def printable(text: Any) -> str:
    """The text with an escape, such as ``\\x1b``, ``\\n`` or ``\\u202e``, in the place of each character that is not to be seen."""
    text = str(text)
    return text if text.isprintable() else "".join(map(_visible, text))


def printable_lines(lines: Iterable[Any]) -> str:
    """One text with a line for each of these texts: only the line breaks between them are real."""
    return "".join("%s\n" % printable(line) for line in lines)


def size(count: int) -> str:
    """Bytes for people: three digits and a binary unit."""
    amount, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1024
        del units[0]
    return ("%d %s" if units[0] == "B" or amount >= 99.5 else "%.1f %s") % (amount, units[0])


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE and character not in _NONCHARACTERS:
        return character
    code = ord(character)
    return _SHORT.get(character) or ("\\x%02x" if code < 0x100 else "\\u%04x" if code < 0x10000 else "\\U%08x") % code
