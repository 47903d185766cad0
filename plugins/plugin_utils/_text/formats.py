# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report says in words and letters: reasons, sizes, ages, and texts from outside made safe to show."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _terminal_text
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable

#: Letters of the calendar, and the order in which one of several reasons is shown: the one that reaches farthest back first.
LETTERS = {
    "yearly": "Y",
    "within_yearly": "y",
    "quarterly": "Q",
    "within_quarterly": "q",
    "monthly": "M",
    "within_monthly": "m",
    "weekly": "W",
    "within_weekly": "w",
    "daily": "D",
    "within_daily": "d",
    "hourly": "H",
    "within_hourly": "h",
    "window": "V",
    "within": "A",
    "chains": "C",
    "last": "L",
    "oldest": "O",
    "min_restorable": "R",
    "grace": "G",
    "active_chain": "E",
    "tail": "T",
    "future": "F",
    "broken": "B",
    "pinned": "P",
}

MEANINGS = {
    "yearly": "yearly",
    "within_yearly": "within_yearly",
    "quarterly": "quarterly",
    "within_quarterly": "within_quarterly",
    "monthly": "monthly",
    "within_monthly": "within_monthly",
    "weekly": "weekly",
    "within_weekly": "within_weekly",
    "daily": "daily",
    "within_daily": "within_daily",
    "hourly": "hourly",
    "within_hourly": "within_hourly",
    "window": "window",
    "within": "within (an age)",
    "chains": "chains",
    "last": "last",
    "oldest": "the oldest, while a rule has slots left or reaches back to it",
    "min_restorable": "min_restorable",
    "grace": "grace: too young to judge",
    "active_chain": "newest of the active chain",
    "tail": "tail of a chain that is kept",
    "future": "from the future",
    "broken": "chain without a full",
    "pinned": "pinned only",
}

#: Bytes for people.
size = _terminal_text.size

_RANKS = {name: rank for rank, name in enumerate(LETTERS)}

_INSTANT = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def shown(text: Any, limit: int = 200) -> str:
    """A text from outside on one line: printable, and cut where it would flood the page."""
    text = "" if text is None else printable(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def count(number: int, noun: str) -> str:
    """A number of things; the noun is one that takes an s."""
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


def listed(names: list[str], most: int) -> str:
    """Some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (" and %d more" % more if more > 0 else "")


def span(seconds: int) -> str:
    """A length of time by its two largest units."""
    parts: list[str] = []
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        amount, seconds = divmod(seconds, unit)
        if amount or parts:
            parts.append("%d %s" % (amount, name))
        if len(parts) == 2 or (parts and amount >= 14 and name == "d"):
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "under 1 min"


def when(created: str) -> str:
    """An instant as the plan writes it, to the minute."""
    return created[:10] + " " + created[11:16] + " UTC"


def moment(text: Any) -> str:
    """A text from outside that may be an instant as the role writes it; any other is shown as it is."""
    text = shown(text)
    return when(text) if _INSTANT.fullmatch(text) else text


def backups(number: int) -> str:
    """So many backups."""
    return "1 backup" if number == 1 else "%d backups" % number


def reason_name(reason: dict[str, Any]) -> str:
    """What a reason for keeping is counted under: the rule, or else the code."""
    code = reason["code"]
    if code == "rule":
        return reason["name"]
    return reason["rule"] if code in ("within", "window_start") else code


def letters(reasons: list[dict[str, Any]]) -> list[str]:
    """The letters of the reasons, the one that reaches farthest back first; none where others need it and nothing else holds it."""
    names = {name for name in map(reason_name, reasons) if name in _RANKS}
    return [LETTERS[name] for name in sorted(names, key=_RANKS.__getitem__)]


def reason(given: dict[str, Any]) -> str:
    """One reason, for keeping or against it, in a few words."""
    write = _REASONS.get(given["code"])
    text = write(given) if write else shown(given["code"])
    return "%s, of tag %s" % (text, shown(given["tag"], 60)) if "tag" in given else text


def why(backup: dict[str, Any]) -> list[str]:
    """All reasons of a plan's backup, the telling ones first, each once."""
    return list(dict.fromkeys(map(reason, sorted(backup["reasons"], key=lambda given: given["code"] in _LESS))))


_LESS = ("needed_by", "min_restorable", "grace", "beyond_count", "older_than", "not_counted")


def _rule(given: dict[str, Any]) -> str:
    of = "" if given["of"] is None else " of %d" % given["of"]
    return "%s %d%s%s" % (given["name"], given["rank"], of, " (%s)" % given["bucket"] if given["bucket"] else "")


def _needed_by(given: dict[str, Any]) -> str:
    if given["count"] == 1:
        return "needed by %s" % shown(given["ids"][0], 60)
    return "needed by %d later ones of its chain" % given["count"]


_RETIRED = {"moved": "its VM has moved to another node", "declared": "its VM is declared gone"}

_REASONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "rule": _rule,
    "within": lambda given: "%s, since %s" % (given["rule"], when(given["since"])),
    "window_start": lambda given: "%s, the newest before it" % given["rule"],
    "oldest": lambda given: (
        "the oldest, while %s %s"
        % (given["rule"], "reaches back to it" if given["rule"].startswith("within_") else "has slots left")
    ),
    "needed_by": _needed_by,
    "min_restorable": lambda given: "among the newest restorable",
    "pinned": lambda given: (
        "pinned by %s%s" % (given["by"], " until %s" % when(given["until"]) if given.get("until") else "")
    ),
    "grace": lambda given: "in grace until %s" % when(given["until"]),
    "future": lambda given: "from the future",
    "broken": lambda given: "its chain has no full",
    "active_chain": lambda given: "newest of the active chain",
    "tail": lambda given: "tail of a chain that is kept",
    "superseded": lambda given: "%s keeps another of %s" % (given["rule"], given["bucket"]),
    "beyond_count": lambda given: (
        "%s has its %d, this would be number %d" % (given["rule"], given["of"], given["rank"])
    ),
    "older_than": lambda given: "older than %s by %s" % (given["rule"], span(given["by"])),
    "retired": lambda given: (
        "%s, and its newest backup here is older than %s" % (_RETIRED[given["by"]], given["after"])
    ),
    "not_counted": lambda given: "%s looks at fulls only" % given["rule"],
}
