# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of VMs' results: of all together, and how a refusal turns those of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: What a VM's result can be, and which of these remove something.
STATUSES = ("nothing", "planned", "retired", "refused")
GOING = ("planned", "retired")


def refuse(result: dict[str, Any], guard: dict[str, Any]) -> None:
    """Turn what a VM's plan would remove into what it was not allowed to."""
    if result["status"] not in GOING:
        return
    counts, sizes = result["counts"], result["bytes"]
    result["status"], result["guard"], result["remove"] = "refused", dict(guard), []
    counts["remove"], counts["refused"] = 0, counts["remove"]
    sizes["freed"], sizes["refused"] = 0, sizes["freed"]
    for backup in result["backups"]:
        if backup["verdict"] == "remove":
            backup["verdict"] = "refused"


def totals(results: list[dict[str, Any]]) -> dict[str, Any]:
    """VMs by status, backups and bytes by what becomes of them."""
    return {
        "vms": {status: sum(result["status"] == status for result in results) for status in STATUSES},
        "counts": _sums(results, "counts", ("keep", "remove", "refused")),
        "bytes": _sums(results, "bytes", ("own", "needed", "freed", "refused")),
    }


def _sums(results: list[dict[str, Any]], part: str, names: Iterable[str]) -> dict[str, int]:
    return {name: sum(result[part][name] for result in results) for name in names}
