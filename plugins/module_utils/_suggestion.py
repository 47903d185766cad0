# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody may have meant who wrote a name that is not there."""

import difflib
from typing import Dict, Iterable

# Of many names so many are compared; more take longer than a message is worth.
COMPARED = 10000


def did_you_mean(word: str, known: Iterable[str], most: int = 3) -> str:
    """A question that begins with a blank and suggests the nearest of the known words; an empty text where none is near.

    Upper and lower case count as the same. Of a glob its plain part is compared.
    """
    by_key: Dict[str, str] = {}
    for name in sorted(set(known))[:COMPARED]:
        by_key.setdefault(name.lower(), name)
    plain = word.strip("*?").lower()
    near = difflib.get_close_matches(plain, list(by_key), most, 0.6) if plain else []
    return " Did you mean %s?" % " or ".join(by_key[key] for key in near) if near else ""
