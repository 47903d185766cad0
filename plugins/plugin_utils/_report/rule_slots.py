# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a policy as rows: one for each, with a slot for every backup that it keeps or could keep."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.rules import RULES

from .._text import formats

#: Slots that a row shows. What is beyond is counted and said.
SLOTS = 60


def slots_of_rules(policy: dict[str, Any], backups: list[tuple[dict[str, Any], datetime.date]]) -> list[dict[str, Any]]:
    """A row for each rule of a normalised policy, given a VM's backups, newest first, each with the policy's day that it is of."""
    holders: dict[tuple[str | None, str], dict[int, list[Any]]] = {}
    extra: dict[tuple[str | None, str], list[Any]] = {}
    for backup, day in backups:
        if backup["verdict"] != "keep":
            continue
        for reason in backup["reasons"]:
            code = reason["code"]
            if code == "rule":
                holders.setdefault((reason.get("tag"), reason["name"]), {}).setdefault(reason["rank"], []).append(
                    (backup, reason)
                )
            elif code in ("within", "window_start", "oldest"):
                extra.setdefault((reason.get("tag"), reason["rule"]), []).append((backup, reason, day))
    return [
        _row(tag, name, setting, holders.get((tag, name), {}), extra.get((tag, name), []))
        for tag, name, setting in rules(policy)
    ]


def rules(policy: dict[str, Any]) -> list[tuple[str | None, str, Any]]:
    """(tag, name, setting) of the rules that a normalised policy sets, in its order; its own have no tag."""
    own = [(None, name, setting) for name, setting in policy.items() if name in RULES]
    return own + [
        (tag, name, setting) for tag, tagged in (policy.get("by_tag") or {}).items() for name, setting in tagged.items()
    ]


def rule_text(name: str, setting: Any, tag: str | None = None) -> str:
    """A rule of a normalised policy, as people write it."""
    name = name if tag is None else "%s: %s" % (formats.shown(tag, 60), name)
    if not isinstance(setting, dict):
        return "%s %s" % (name, setting)
    details = [
        word
        for word in ("fulls" if setting["of"] == "full" else "", "oldest" if setting.get("pick") == "oldest" else "")
        if word
    ]
    return "%s %s%s" % (
        name,
        setting.get("count", setting.get("duration")),
        " (%s)" % ", ".join(details) if details else "",
    )


def _row(tag: str | None, name: str, setting: Any, held: Any, extra: Any) -> dict[str, Any]:
    amount = setting.get("count", setting.get("duration")) if isinstance(setting, dict) else setting
    slots = [_slot(rank, held[rank]) for rank in sorted(held)]
    filled = len(slots)
    oldest = [_extra_slot(*each) for each in extra if each[1]["code"] == "oldest"]
    by_age = [_extra_slot(*each) for each in extra if each[1]["code"] != "oldest"]
    if isinstance(amount, int):
        slots += [
            {"state": "empty", "label": "", "title": "%s %d of %d: empty" % (name, rank, amount)}
            for rank in range(filled + 1, amount + 1)
        ]
        note = "%d of %d filled" % (filled, amount)
    else:
        slots += by_age
        note = formats.backups(filled + len(by_age) + len(oldest))
    more = max(len(slots) - SLOTS, 0)
    return {
        "name": rule_text(name, setting, tag),
        "letter": formats.LETTERS[name],
        "note": note,
        "slots": slots[:SLOTS] + oldest,
        "more": more,
    }


def _slot(rank: int, holders: Any) -> dict[str, Any]:
    backup, reason = holders[0]
    title = _slot_title(backup, reason)
    if len(holders) > 1:
        title = "%s: %s, the newest of %s" % (
            formats.reason(reason),
            formats.backups(len(holders)),
            formats.when(backup["created"]),
        )
    return {
        "state": "full" if backup["type"] == "full" else "inc",
        "label": _short(reason["bucket"]) or str(rank),
        "title": title,
    }


def _slot_title(backup: dict[str, Any], reason: dict[str, Any]) -> str:
    return "%s: %s of %s, %s" % (
        formats.reason(reason),
        backup["type"],
        formats.when(backup["created"]),
        formats.size(backup["size"]),
    )


def _extra_slot(backup: dict[str, Any], reason: dict[str, Any], day: datetime.date) -> dict[str, Any]:
    """Labelled with the policy's day, as the buckets of the other rules are."""
    label = "O" if reason["code"] == "oldest" else day.isoformat()[5:]
    return {
        "state": "full" if backup["type"] == "full" else "inc",
        "label": label,
        "title": _slot_title(backup, reason),
    }


def _short(bucket: str) -> str:
    """The part of a bucket's name that tells it from its neighbours: W47 of 2026-W47, 11-21 of 2026-11-21, 21T03 of 2026-11-21T03."""
    if not bucket:
        return ""
    return {4: bucket, 7: bucket[2:], 8: bucket[5:], 10: bucket[5:], 13: bucket[8:]}.get(len(bucket), bucket)
