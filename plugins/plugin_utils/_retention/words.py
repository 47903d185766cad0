# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan's reasons in words, short enough for a column of a table."""

from __future__ import annotations


def in_words(reasons) -> str:
    """All reasons of one backup, the telling ones first."""
    return "; ".join(dict.fromkeys(_one(reason) for reason in sorted(reasons, key=_weight)))


def _weight(reason):
    return _LATE.index(reason["code"]) + 1 if reason["code"] in _LATE else 0


# Behind the rules, in this order.
_LATE = ("older_than", "beyond_count", "not_counted", "min_restorable", "grace")


def _one(reason):
    words = _WORDS.get(reason["code"])
    return words(reason) if words else reason["code"].replace("_", " ")


def _rule(reason):
    place = _ordinal(reason["rank"]) + (" of %s" % reason["of"] if reason["of"] else "")
    if reason["bucket"]:
        return "%s: %s, %s" % (_spoken(reason["name"]), reason["bucket"], place)
    return "%s: %s" % (_spoken(reason["name"]), place)


def _needed_by(reason):
    named = ["." + identity.rpartition(".")[2] if "." in identity else "the full" for identity in reason["ids"]]
    more = reason["count"] - len(named)
    if more > 0:
        return "needed by %s and %d more" % (", ".join(named), more)
    return "needed by " + " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))


def _superseded(reason):
    return "%s: %s has a kept one" % (_spoken(reason["rule"]), reason["bucket"])


def _beyond(reason):
    return "%s: %s, keeps %s" % (_spoken(reason["rule"]), _ordinal(reason["rank"]), reason["of"])


def _older(reason):
    days, rest = divmod(reason["by"], 86400)
    over = "%dd" % days if days else "%dh" % (rest // 3600) if rest >= 3600 else "%dmin" % (rest // 60)
    return "%s: too old by %s" % (_spoken(reason["rule"]), over)


_WORDS = {
    "rule": _rule,
    "within": lambda reason: "%s: since %s" % (_spoken(reason["rule"]), reason["since"][:10]),
    "window_start": lambda reason: "%s: the state when it begins" % _spoken(reason["rule"]),
    "oldest": lambda reason: "%s: the oldest, counts are left" % _spoken(reason["rule"]),
    "needed_by": _needed_by,
    "min_restorable": lambda reason: "newest restorable",
    "pinned": lambda reason: "pinned by %s" % reason["by"],
    "grace": lambda reason: "grace until %s" % reason["until"][:16].replace("T", " "),
    "future": lambda reason: "from the future: look at the clocks",
    "broken": lambda reason: "its chain has no full",
    "active_chain": lambda reason: "the next increment joins its chain",
    "tail": lambda reason: "end of a kept chain",
    "superseded": _superseded,
    "beyond_count": _beyond,
    "older_than": _older,
    "not_counted": lambda reason: "%s: counts fulls only" % _spoken(reason["rule"]),
}


def _spoken(rule):
    return rule.replace("_", " ")


def _ordinal(number):
    suffix = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return "%d%s" % (number, suffix)
