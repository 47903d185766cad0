# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody may have meant who wrote a name that is not there."""

import difflib
from typing import Any, Dict, Iterable, List

# Of many names so many are compared; more take longer than a message is worth.
COMPARED = 10000
# What is less alike than the nearest by more than this is not meant.
FARTHER = 0.1


def nearest(word: Any, known: Iterable[str], most: int = 3, alike: float = 0.6) -> List[str]:
    """The known words that are spelled like this one, the nearest first. ``alike`` is from 0 (anything) to 1 (the same).

    Upper and lower case count as the same. Of a glob its plain part is compared.
    """
    by_key: Dict[str, str] = {}
    for name in sorted(set(known))[:COMPARED]:
        by_key.setdefault(name.lower(), name)
    plain = str(word).strip("*?").lower()
    near = difflib.get_close_matches(plain, list(by_key), most, alike) if plain else []
    ratios = [difflib.SequenceMatcher(None, key, plain).ratio() for key in near]
    return [by_key[key] for key, ratio in zip(near, ratios) if ratio > ratios[0] - FARTHER]


def did_you_mean(word: Any, known: Iterable[str], most: int = 3) -> str:
    """A question that begins with a blank and suggests the nearest of the known words; an empty text where none is near."""
    near = nearest(word, known, most)
    return " Did you mean %s?" % " or ".join(near) if near else ""


def unknown_key(where: str, key: Any, known: Iterable[str]) -> str:
    """What is wrong with a key that a dictionary does not take, with the nearest that it does take, or all of them."""
    known = list(known)
    near = nearest(key, known, 1, 0.5)
    return "%s has an unknown key %r; %s" % (
        where,
        key,
        "did you mean %s?" % near[0] if near else "known are %s" % ", ".join(known),
    )
