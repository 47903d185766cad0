# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the removals that a host was asked for; in check mode, what would have become of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.totals import GOING

from .._text import formats

#: Failures that are listed for a host, and how many of them without unfolding.
LISTED, AT_ONCE = 100, 10

_TEXTS = {
    "removed": "removed",
    "already_absent": "was already gone",
    "refused": "not removed, refused",
    "busy": "not removed, in use",
    "failed": "failed",
    "not_attempted": "not attempted",
}
_PREDICTED = dict(
    _TEXTS, removed="would be removed", refused="would not be removed, refused", busy="would not be removed, in use"
)
_DONE = ("removed", "already_absent")


class Outcome(NamedTuple):
    """What became of one backup, in words."""

    text: str
    bad: bool = False


class Outcomes:
    """The ``backups`` that the module returned, against the VMs of the plan that it was given.

    :arg applied: a list; None if nothing was asked of the server.
    :arg predicted: whether it was check mode, in which the module says ``removed`` of what it would remove.
    """

    def __init__(self, applied: list[dict[str, Any]] | None, vms: list[dict[str, Any]], predicted: bool) -> None:
        self.applied = applied
        self.predicted = predicted
        self._texts = _PREDICTED if predicted else _TEXTS
        self._steps = {step["id"]: step for vm in vms for step in vm["remove"]} if applied else {}
        self.by_id = self._by_id()
        self.places = {step["id"]: place for place, vm in enumerate(vms) for step in vm["remove"]} if applied else {}
        self.problems = [entry for entry in applied or [] if entry.get("outcome") not in _DONE]
        # The entry itself does not name the VM where the SDK's process died before it had told.
        self.failed: dict[int | None, int] = {}
        for entry in self.problems:
            place = self.places.get(entry.get("id"))
            self.failed[place] = self.failed.get(place, 0) + 1
        self.names = [vm["vm"]["name"] or vm["vm"]["uuid"] for vm in vms]

    def _by_id(self) -> dict[str, Outcome]:
        """What became of each backup; a chain's entry speaks for all of its backups, but for those that are gone although the rest is not."""
        outcomes = {}
        for entry in self.applied or []:
            identity = entry.get("id")
            if entry.get("outcome"):
                outcome = Outcome(self._text(entry["outcome"]), entry["outcome"] not in _DONE)
                along = [gone["id"] for gone in self._steps.get(identity, {}).get("removes", ())]
                outcomes.update(dict.fromkeys([identity, *along], outcome))
            if entry.get("outcome") != "removed":
                outcomes.update(
                    dict.fromkeys(
                        (gone for gone in entry.get("removed") or [] if gone != identity),
                        Outcome(self._texts["removed"]),
                    )
                )
        return outcomes

    def _text(self, outcome: Any) -> str:
        return formats.shown(self._texts.get(outcome, outcome))

    def status(self, place: int, vm: dict[str, Any]) -> str:
        """What an overview says of a VM; the plan's word where nothing was asked of the server, or check mode asked."""
        if vm["status"] not in GOING or not self.applied:
            return vm["status"]
        if place in self.failed:
            return "%d failed" % self.failed[place]
        asked = all(step["id"] in self.by_id for step in vm["remove"])
        return "done" if asked and not self.predicted else vm["status"]

    def section(self) -> dict[str, Any] | None:
        """The host's part of the page on it; None if nothing was asked of the server."""
        if self.applied is None:
            return None
        return {
            "predicted": self.predicted,
            "counts": [
                {"outcome": self._text(outcome), "number": number} for outcome, number in sorted(self._counts().items())
            ],
            "problems": [self._problem(entry) for entry in self.problems[:LISTED]],
            "at_once": AT_ONCE,
            "more": max(len(self.problems) - LISTED, 0),
            "failed": len(self.problems),
        }

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for entry in self.applied or []:
            # A chain is one entry and many backups: what is counted is what is gone, whatever became of the rest of the entry.
            gone = len(entry.get("removed") or []) or int(entry.get("outcome") == "removed")
            if gone:
                counts["removed"] = counts.get("removed", 0) + gone
            if entry.get("outcome") != "removed":
                outcome = str(entry.get("outcome"))
                counts[outcome] = counts.get(outcome, 0) + 1
        return counts

    def _problem(self, entry: dict[str, Any]) -> dict[str, Any]:
        place = self.places.get(entry.get("id"))
        return {
            "vm": formats.shown(self.names[place] if place is not None else entry.get("vm") or "not known"),
            "id": formats.shown(entry.get("id"), 60),
            "outcome": self._text(entry.get("outcome")),
            "message": formats.shown(entry.get("message") or (entry.get("error") or {}).get("symbol") or "", 500),
        }
