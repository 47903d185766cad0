# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs that have moved to another node or are gone. Everything of them may go, where else the newest chain would stay for ever.

Nothing is retired on a guess: either another node backs the VM up, or a person has declared it gone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration

from .chains import Chain, Chains
from .inventory import Vm
from .policy import Policy
from .warnings import warning
from .zone import Zone

MOVED, DECLARED = "moved", "declared"


class Retirement(NamedTuple):
    """Why a VM is retired, or will be."""

    by: str  # MOVED or DECLARED
    after: Duration  # how old its newest backup must be
    due: bool  # whether it is as old
    until: int  # the last second, in epoch seconds, at which it is not

    def reason(self) -> dict[str, Any]:
        """Why a backup goes."""
        return {"code": "retired", "by": self.by, "after": str(self.after)}


class Terms(NamedTuple):
    """What the retirement of VMs depends on beside their backups; ``now`` and ``future_from`` in epoch seconds."""

    policy: Policy
    zone: Zone
    now: int
    future_from: int  # a backup that is later is from the future


def find(vm: Vm, chains: Chains, declared: bool, terms: Terms) -> Retirement | None:
    """Why one VM is retired, or will be once its newest backup is old enough; None if that alone does not do it."""
    newest = _newest(chains)
    if newest is None or vm.registered is not False or vm.others is None:
        return None
    found = []
    if declared:
        found.append(_after(DECLARED, terms.policy.retire_after, newest, terms))
    elsewhere = vm.others.newest
    if terms.policy.retire_moved_after and elsewhere is not None and newest < elsewhere <= terms.future_from:
        found.append(_after(MOVED, terms.policy.retire_moved_after, newest, terms))
    due = [one for one in found if one.due]
    # What a person has declared counts first, because it permits the last backup, too.
    return due[0] if due else min(found, key=lambda one: one.until, default=None)


def _newest(chains: Chains) -> int | None:
    """The time of the newest backup that is not from the future, whether or not it can be restored."""
    return chains.backups.instant[chains.present - 1] if chains.present else None


def _after(by: str, after: Duration, newest: int, terms: Terms) -> Retirement:
    return Retirement(
        by, after, newest < terms.zone.before(terms.now, after), terms.zone.expiry(newest, after, terms.now)
    )


def earliest(retiring: Retirement, chain: Chain, chains: Chains) -> int | None:
    """The last second at which the retirement to come leaves this chain alone; None if it always does."""
    if not chain.restorable or max(chain.members) >= chains.present:
        return None
    last = retiring.until
    for pin in chains.pinned:
        if pin.position in chain.members:
            if pin.until is None:
                return None
            last = max(last, pin.until)
    return last


def why_not(vm: Vm) -> list[dict[str, Any]]:
    """A warning about a VM that a person has declared gone, if it takes more than time until it is retired."""
    if vm.registered:
        message = "retired names %s, which is registered where it was asked: nothing of it is retired; unregister the VM, or correct retired"
    elif vm.registered is None or vm.others is None:
        message = (
            "retired names %s, and the trees do not tell whether it is registered and what other nodes have of it: nothing of it is retired; "
            "gather with owner: this_node, scope: all, and without filters"
        )
    else:
        return []
    return [warning("not_retired", message % (vm.name or vm.uuid), "retired", vm.uuid)]


def why_never(policy: Policy, vms: list[Vm]) -> list[dict[str, Any]]:
    """One warning where no tree tells what ``retire_moved_after`` needs to know."""
    if (
        not policy.retire_moved_after
        or not vms
        or any(vm.registered is not None and vm.others is not None for vm in vms)
    ):
        return []
    message = (
        "retire_moved_after changes nothing, because the trees do not tell which VMs are registered and what other nodes have of them: "
        "gather with owner: this_node, scope: all, and without filters"
    )
    return [warning("not_retired", message, "retire_moved_after")]
