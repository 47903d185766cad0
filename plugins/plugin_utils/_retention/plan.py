# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: read the inventory, apply the policy VM by VM, let the guards look, and say all of it in plain data."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Set
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

from . import damaged as damages
from . import guards, inventory, memory, retirement, selectors
from . import policy as policies
from .calendar import calendar
from .chains import ChainReader
from .closure import close, explain_needs
from .digest import Digest
from .forecast import Present, full_due
from .inventory import Vm
from .keep import explain, keep, keep_of_retired
from .rules import NEVER
from .totals import refuse, totals
from .warnings import policy_warnings, unknown_warnings, warning, weekly_cost, weekly_warnings
from .zone import named

#: What a selector of VMs may have.
MATCHES = ("name", "uuid", "type", "description")
#: Whose reasons a plan has.
REASONS = ("all", "kept", "none")


def make_plan(
    backup_trees: Any, policy: Any, now: Any, reasons: str = "all", damaged: Any = None, retired: Any = None
) -> dict[str, Any]:
    """What a policy keeps and removes of some VMs' backups.

    :arg backup_trees: as the module ``prl_backup_info`` returns them.
    :arg policy: a dictionary; see ``docs/retention.md``.
    :arg now: ISO 8601 text or epoch seconds.
    :arg reasons: one of :data:`REASONS`: of all backups, of the kept ones only, of none; the lists of the others are empty.
    :arg damaged: the VMs whose backups could not be read, as the module returns them; nothing is planned for them.
    :arg retired: which VMs a person has declared gone, a list of selectors.
    :returns: plain dictionaries, lists, strings, integers; documented with the filter ``retention_plan``.
    :raises InputError: names what cannot be used as it is.
    """
    policy = policies.read(policy)
    try:
        now = _time.parse_instant(now)
    except InputError as error:
        raise InputError("now: %s" % error) from None
    check_reasons(reasons)
    retired_by = selectors.read_all(retired, MATCHES, "retired")
    unread = damages.read(damaged)
    with memory.gc_paused():
        vms = damages.without(inventory.read(backup_trees), unread)
        declared = {vm.uuid for vm in vms if any(selector.fits(vm) for selector in retired_by)}
        return damages.tell(Planner(policy, now, inventory.repeated_ids(vms), reasons, declared).plan(vms), unread)


def check_reasons(reasons: Any) -> None:
    """Refuse what is none of :data:`REASONS`. Raises InputError."""
    if reasons not in REASONS:
        raise InputError("reasons is %r; it must be one of %s" % (reasons, ", ".join(REASONS)))


class Planner:
    """One policy at one instant. Holds the caches that all VMs share.

    ``repeated_ids`` are those of :func:`inventory.repeated_ids` over all VMs that were gathered, be they planned by this policy or not;
    ``declared`` are the UUIDs of those that a person has declared gone.
    """

    def __init__(
        self,
        policy: policies.Policy,
        now: int,
        repeated_ids: dict[str, int],
        reasons: str = "all",
        declared: Set[str] = frozenset(),
    ):
        self.policy = policy
        self.declared = declared
        self.repeated_ids = repeated_ids
        self.reasons = reasons
        self.now = now
        self.zone = named(policy.timezone)
        self.calendar = calendar(self.zone, policy.day_start_seconds, policy.week_start)
        self.chain_reader = ChainReader(policy, self.zone, now)
        self.retiring = retirement.Terms(policy, self.zone, now, self.chain_reader.future_from)

    def plan(self, vms: list[Vm]) -> dict[str, Any]:
        """The plan of all VMs."""
        digest = Digest(self.policy, self.zone, self.now)
        warnings = policy_warnings(self.policy)
        results, weekly_costs = [], []
        for vm in vms:
            digest.add(vm)
            vm_plan = VmPlan(vm, self)  # let go of at once: of 100,000 backups only the results are to stay in memory
            if vm_plan.retired and vm_plan.removed:
                digest.retire(vm, vm_plan.retired.by)
            results.append(vm_plan.result())
            warnings += vm_plan.warnings()
            weekly_costs.append(weekly_cost(vm_plan.chains, vm_plan.closure, vm_plan.reasons, self.policy))
        total = guards.refusing_total(sum(result["counts"]["remove"] for result in results), self.policy)
        if total:
            for result in results:
                refuse(result, total)
        warnings += unknown_warnings([(self.policy, vms)])
        warnings += weekly_warnings(self.policy, weekly_costs)
        warnings += retirement.why_never(self.policy, vms)
        return {
            "digest": digest.hexdigest(),
            "now": _time.format_instant(self.now),
            "timezone": self.policy.timezone,
            "policy": self.policy.normalised(),
            "warnings": warnings,
            "totals": totals(results),
            "vms": results,
        }


class VmPlan:
    """One VM's plan, before the guard over all VMs has spoken."""

    def __init__(self, vm: Vm, planner: Planner):
        self.vm = vm
        self.planner = planner
        policy, now = planner.policy, planner.now
        self.chains = planner.chain_reader.read(vm.backups)
        found = retirement.find(vm, self.chains, vm.uuid in planner.declared, planner.retiring)
        self.retired = found if found and found.due else None
        self.retiring = None if self.retired else found
        if self.retired:  # a chain goes whole or not at all, whatever the policy does to others
            self.keep_set = keep_of_retired(self.chains, planner.calendar)
            self.closure = close(
                self.chains, self.keep_set, policy._replace(tails="keep", merge="never"), vm.storage_version
            )
        else:
            self.keep_set = keep(self.chains, policy, planner.calendar, now)
            self.closure = close(self.chains, self.keep_set, policy, vm.storage_version)
        self.reasons = explain(self.keep_set)
        explain_needs(self.chains, self.keep_set, self.closure, self.reasons)
        self.goes = [False] * len(vm.backups)
        for step in self.closure.steps:
            for position in step.removes:
                self.goes[position] = True
        self.removed = sum(self.goes)
        self.numbers = self._numbers()
        self.guard = guards.refusing(self.numbers, policy, planner.zone, now, self.retired is not None)

    def result(self) -> dict[str, Any]:
        """The VM's part of the plan, as plain data."""
        sizes = self.vm.backups.size
        freed, own = (sum(itertools.compress(sizes, chosen)) for chosen in (self.goes, self.closure.has_own_reason))
        result = {
            "vm": {"uuid": self.vm.uuid, "name": self.vm.name, "type": self.vm.type},
            "status": "nothing" if not self.removed else "retired" if self.retired else "planned",
            "guard": None,
            "counts": {"keep": len(sizes) - self.removed, "remove": self.removed, "refused": 0},
            "bytes": {"own": own, "needed": sum(sizes) - own - freed, "freed": freed, "refused": 0},
            "full_due": self._full_due(),
            "backups": self._backups(),
            "remove": list(self._steps()),
        }
        if self.guard:
            refuse(result, self.guard)
        return result

    def _full_due(self) -> dict[str, Any]:
        planner = self.planner
        if self.retired:  # who makes a full of it brings it back
            return {"freed": 0, "chains": []}
        present = Present(self.chains, self.keep_set, self.closure, self.reasons, self.vm.storage_version)
        return full_due(present, planner.policy, planner.chain_reader, planner.calendar, planner.now)

    def _until(self) -> list[int]:
        """The instant, by position, before which a backup cannot go: its last reason must lapse, or the VM be retired."""
        until = self.reasons.expires
        if not self.retiring:
            return until
        until = until[:]
        for chain in self.chains.all:
            end = retirement.earliest(self.retiring, chain, self.chains)
            if end is not None:
                for position in chain.members:
                    until[position] = min(until[position], end)
        return until

    def _backups(self) -> list[dict[str, Any]]:
        now, backups = self.planner.now, self.vm.backups
        rows = zip(
            backups.id,
            backups.chain,
            backups.kind,
            backups.created,
            backups.size,
            self.goes,
            self.closure.has_own_reason,
            self._reasons(),
            self._until(),
        )
        return [
            {
                "id": identity,
                "chain": chain,
                "type": kind,
                "created": created,
                "size": size,
                "verdict": "remove" if goes else "keep",
                "own": own,
                "reasons": reasons,
                "earliest_removal": _time.format_instant(until) if now < until < NEVER and not goes else None,
            }
            for identity, chain, kind, created, size, goes, own, reasons, until in reversed(list(rows))
        ]

    def _reasons(self) -> list[list[dict[str, Any]]]:
        """Of each backup; nothing speaks for one that goes, so that its list is empty unless the reasons against it are wanted."""
        given = self.reasons.reasons
        if self.planner.reasons == "none":
            return [[] for each in given]
        if self.planner.reasons == "kept":
            return given
        reasons, goes = given[:], self.goes
        for position in self.chains.broken:
            if goes[position]:
                reasons[position] = [{"code": "broken"}]
        if self.retired:
            return [[self.retired.reason()] if gone else reason for reason, gone in zip(reasons, goes)]
        for group in self.keep_set.groups:
            numbers = [number for number, position in enumerate(group.candidates) if goes[position]]
            columns = [selection.why_not(numbers) for selection in group.selections]
            for number, against in zip(numbers, zip(*columns)):
                position = group.candidates[number]
                reasons[position] = [*reasons[position], *map(group.tagged, against)]
        return reasons

    def _steps(self) -> Iterator[dict[str, Any]]:
        steps = self.closure.steps
        # Where another node has backups of the VM the last one here is not the last. Should it have become that, somebody has to look.
        to_the_last = (
            self.retired is not None and self.retired.by == retirement.DECLARED and not self.numbers.restorable_left
        )
        for number, step in enumerate(steps, 1):
            removes = [self._known(each) for each in step.removes]
            yield {
                **self._known(step.position),
                "frees": sum(known["size"] for known in removes),
                "action": step.action,
                "allow_remove_last": to_the_last and number == len(steps),
                "removes": removes,
            }

    def _known(self, position: int) -> dict[str, Any]:
        """What tells a backup from another one that is given the same id later."""
        backups = self.vm.backups
        return {
            "id": backups.id[position],
            "created": backups.created[position],
            "size": backups.size[position],
        }

    def _numbers(self) -> guards.Numbers:
        chains, goes = self.chains, self.goes
        left = [position for position in chains.restorable if not goes[position]]
        return guards.Numbers(
            duplicate_ids=self.planner.repeated_ids[self.vm.uuid],
            broken_chains=sum(not chain.restorable for chain in chains.all),
            backups=len(goes),
            restorable=len(chains.restorable),
            restorable_left=len(left),
            chains_left=len(set(map(self.vm.backups.chain.__getitem__, left))),
            removed=self.removed,
            removed_restorable=len(chains.restorable) - len(left),
            newest=self._newest(),
        )

    def _newest(self) -> int | None:
        return self.vm.backups.instant[self.chains.restorable[-1]] if self.chains.restorable else None

    def warnings(self) -> Iterator[dict[str, Any]]:
        """What about this VM somebody should know."""
        policy, planner, name = self.planner.policy, self.planner, self.vm.name or self.vm.uuid
        if self.vm.uuid in planner.declared:
            yield from retirement.why_not(self.vm)
        if self.chains.future:
            newest = _time.format_instant(self.vm.backups.instant[-1])
            message = "%s has %d backups from the future (up to %s): kept and not counted; look at the clocks"
            yield warning("future", message % (name, len(self.chains.future), newest), vm=self.vm.uuid)
        if self.chains.broken:
            message = "%s has %d backups in chains without a full: they cannot be restored and do not count"
            yield warning("broken", message % (name, len(self.chains.broken)), vm=self.vm.uuid)
        if self.chains.undated:
            message = "%s has %d backups pinned by a date that cannot be read, such as %r: they stay pinned; correct it, or pin_until_pattern"
            yield warning(
                "pin_date",
                message % (name, len(self.chains.undated), self.chains.undated[0][1]),
                "pin_until_pattern",
                self.vm.uuid,
            )
        if self.retired:
            return
        if policy.tails == "remove" and any(code == "tail" for position, code in self.closure.ends):
            message = (
                "%s has storage format %d, which knows no safe removal of single increments: its chains are removed whole or not at all, as with "
                "tails: keep"
            )
            yield warning("old_format", message % (name, self.vm.storage_version), vm=self.vm.uuid)
        late = guards.stale(self._newest(), policy, planner.zone, planner.now) if self.vm.backups else None
        if late:
            message = "the newest restorable backup of %s is of %s, and max_staleness allows none before %s: nothing of it is removed"
            yield warning("stale", message % (name, late[0] or "no time: there is none", late[1]), vm=self.vm.uuid)
