# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes of a VM, step by step, for the page and the terminal alike; of a refused plan what would have gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One removal: the backup to ask the server for, and all that goes with it, the newest first."""

    head: dict[str, Any]
    gone: list[dict[str, Any]]
    action: str  # chain, increment or merge
    frees: int  # bytes


def steps(vm: dict[str, Any]) -> list[Step]:
    """The steps of one entry of a plan's ``vms``.

    A refused plan has none. What it would have removed is told by its verdicts, and by chain, as the order in which is not.
    """
    backups = {backup["id"]: backup for backup in vm["backups"]}
    planned = [
        Step(backups[step["id"]], [backups[gone["id"]] for gone in step["removes"]], step["action"], step["frees"])
        for step in vm["remove"]
    ]
    refused = by_chain(backup for backup in vm["backups"] if backup["verdict"] == "refused")
    return planned + [
        Step(
            gone[-1],
            gone,
            "chain" if gone[-1]["type"] == "full" else "increment",
            sum(backup["size"] for backup in gone),
        )
        for gone in refused
    ]


def by_chain(backups: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Backups by chain, in the order in which they come."""
    chains: dict[str, list[dict[str, Any]]] = {}
    for backup in backups:
        chains.setdefault(backup["chain"], []).append(backup)
    return list(chains.values())
