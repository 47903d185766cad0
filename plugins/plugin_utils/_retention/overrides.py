# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One plan for VMs with different policies: exclusions first, then the first override that fits, else the default policy."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

from .. import _read
from . import damaged as damages
from . import guards, inventory, memory, selectors
from . import policy as policies
from .guards import GUARDS, refusals
from .inventory import Vm, plain_id
from .plan import MATCHES, Planner, check_reasons
from .selectors import Selector
from .totals import GOING, refuse, totals
from .warnings import OF_POLICY, UNKNOWN_PIN, UNKNOWN_TAG, unknown_warnings

DEFAULT = "default"
#: It counts all VMs of a run, so that only the policy that is everybody's can set it.
OF_THE_RUN = "max_remove_total"


class Group(NamedTuple):
    """VMs that share a policy."""

    name: str
    selector: Selector
    policy: policies.Policy
    vms: list[Vm]


def make_plans(
    backup_trees: Any,
    policy: Any,
    now: Any,
    overrides: Any = None,
    exclude: Any = None,
    retired: Any = None,
    limits: Any = None,
    damaged: Any = None,
    reasons: str = "all",
) -> dict[str, Any]:
    """As :func:`plan.make_plan`, with a policy for each group of VMs.

    :arg overrides: a list of {name, match, policy}; a policy is laid over the default one, key by key.
    :arg exclude: a list of what may stand under match; VMs that are not planned at all.
    :arg retired: a list of the same; VMs that a person has declared gone.
    :arg limits: guards that are laid over every policy.
    :arg damaged: the VMs whose backups could not be read, as the module returns them; nothing is planned for them.
    :arg reasons: one of :data:`plan.REASONS`.
    :returns: a plan with ``groups``, ``excluded``, ``unused``, ``remove`` of all VMs, and ``group`` with each VM.
    :raises InputError: names what cannot be used as it is.
    """
    check_reasons(reasons)
    groups = _groups(policy, _read.read_list(overrides, "overrides"), limits or {})
    excluded_by = selectors.read_all(exclude, MATCHES, "exclude")
    retired_by = selectors.read_all(retired, MATCHES, "retired")
    try:
        now = _time.parse_instant(now)
    except InputError as error:
        raise InputError("now: %s" % error) from None
    with memory.gc_paused():
        excluded, declared = [], set()
        unread = damages.read(damaged)
        vms = damages.without(inventory.read(backup_trees), unread)
        for vm in vms:
            if any(selector.fits(vm) for selector in excluded_by):
                excluded.append(vm)
            else:
                next(group for group in groups if group.selector.fits(vm)).vms.append(vm)
                if any(selector.fits(vm) for selector in retired_by):
                    declared.add(vm.uuid)
        repeated = inventory.repeated_ids(vms)
        plans = [Planner(group.policy, now, repeated, reasons, declared).plan(group.vms) for group in groups]
        plan = _together(groups, plans, excluded, _unused(vms, groups, excluded_by, retired_by, unread))
        return damages.tell(
            plan, [one for one in unread if not any(selector.fits(one.vm()) for selector in excluded_by)]
        )


def _groups(policy: Any, overrides: Sequence[Any], limits: Any) -> list[Group]:
    """The overrides in their order, and the default at the end, which fits every VM."""
    policies.check_guards(_read.check_keys(limits, GUARDS, "guards"))
    default = _policy({**policy, **limits} if isinstance(policy, Mapping) else policy, None)
    groups, names = [], {DEFAULT}
    for number, override in enumerate(overrides):
        where = "overrides[%d]" % number
        _read.check_keys(override, ("name", "match", "policy"), where)
        name = override.get("name")
        where = "%s (%s)" % (where, name) if name else where
        if name in names:
            raise InputError("%s: another group has this name already; give each its own" % where)
        names.add(name or where)
        own = _read.read_mapping(override.get("policy"), where + ".policy")
        if OF_THE_RUN in own:
            raise InputError("%s: %s counts all VMs of a run; set it in the default policy" % (where, OF_THE_RUN))
        if not override.get("match"):
            raise InputError("%s has no match: say which VMs it is for, by %s" % (where, ", ".join(MATCHES)))
        selector = selectors.read(override["match"], MATCHES, where + ".match")
        name = name or "override %d (%s)" % (number + 1, selector.written())
        groups.append(Group(str(name), selector, _policy({**policy, **own, **limits}, where), []))
    groups.append(Group(DEFAULT, Selector(), default, []))
    return groups


def _policy(policy: Any, where: str | None) -> policies.Policy:
    try:
        return policies.read(policy)
    except InputError as error:
        raise InputError("%s: %s" % (where, error) if where else str(error)) from None


def _unused(
    vms: list[Vm],
    groups: list[Group],
    excluded_by: list[Selector],
    retired_by: list[Selector],
    unread: list[damages.Damaged],
) -> list[str]:
    """Overrides and so on that fit no VM, whoever else fits it: a typing error there gives its VMs another policy without a word."""
    named = [(called(group.name), group.selector) for group in groups[:-1]]
    named += [("exclusion %s" % _written(selector), selector) for selector in excluded_by]
    named += [("retired %s" % _written(selector), selector) for selector in retired_by]
    named = [(name, selector) for name, selector in named if not any(one.may_be_meant(selector) for one in unread)]
    return [name for name, selector in named if not any(selector.fits(vm) for vm in vms)]


def _written(selector: Selector) -> str:
    return " ".join("%s=%s" % (key, ",".join(texts)) for key, texts in selector._asdict().items() if texts)


def called(name: str) -> str:
    """A group in a sentence."""
    return "the default policy" if name == DEFAULT else name if name.startswith("override ") else "override %s" % name


def _together(
    groups: list[Group], plans: list[dict[str, Any]], excluded: list[Vm], unused: list[str]
) -> dict[str, Any]:
    default, limits = plans[-1], groups[-1].policy
    results = []
    for group, plan in zip(groups, plans):
        for result in plan["vms"]:
            results.append({**result, "group": group.name})
    results.sort(key=lambda result: (result["vm"]["name"], plain_id(result["vm"]["uuid"])))
    total = guards.refusing_total(sum(map(_would_go, results)), limits)
    if total:
        for result in results:
            if result["status"] in GOING:
                refuse(result, total)
            elif result["guard"] and result["guard"]["name"] == OF_THE_RUN:
                result["guard"] = dict(total)
    # Nothing is shared with the parts of the VMs: YAML would print it as anchors, and who changes one would change both.
    removals = [
        {"vm": result["vm"]["uuid"], **step, "removes": [dict(gone) for gone in step["removes"]]}
        for result in results
        for step in result["remove"]
    ]
    return {
        "digest": _digest(
            [plan["digest"] for group, plan in zip(groups, plans) if group.vms] or [default["digest"]],
            limits.max_remove_total,
            removals,
        ),
        "now": default["now"],
        "timezone": default["timezone"],
        "policy": copy.deepcopy(default["policy"]),
        "groups": [
            {
                "name": group.name,
                "policy": plan["policy"],
                "digest": plan["digest"],
                "totals": totals([r for r in results if r["group"] == group.name]),
            }
            for group, plan in zip(groups, plans)
        ],
        "excluded": [
            {
                "vm": {"uuid": vm.uuid, "name": vm.name, "type": vm.type},
                "backups": len(vm.backups),
                "size": sum(vm.backups.size),
            }
            for vm in excluded
        ],
        "unused": unused,
        "warnings": _warnings(groups, plans),
        "totals": totals(results),
        "refusals": refusals(results),
        "vms": results,
        "remove": removals,
    }


def _would_go(result: dict[str, Any]) -> int:
    refused = bool(result["guard"]) and result["guard"]["name"] == OF_THE_RUN
    return result["counts"]["remove"] + (result["counts"]["refused"] if refused else 0)


def _digest(digests: list[str], limit: int | None, removals: list[dict[str, Any]]) -> str:
    """Over every removal too: rules and grace let more go within a day whose plans all have one digest, and who confirms confirms what was shown."""
    steps = [
        [plain_id(step["vm"]), step["id"], step["created"], step["action"], [gone["id"] for gone in step["removes"]]]
        for step in removals
    ]
    return hashlib.sha256(json.dumps([sorted(digests), limit, steps]).encode("ascii")).hexdigest()


def _warnings(groups: list[Group], plans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of all groups that have VMs, each once; what is true of some of their policies only names these."""
    having = [(group, plan["warnings"]) for group, plan in zip(groups, plans) if group.vms]
    with_vms = {group.name for group, own in having}
    warned: dict[str, list[str]] = {}
    for group, plan in zip(groups, plans):
        for warning in plan["warnings"]:
            warned.setdefault(warning["message"], []).append(group.name)
    warnings = []
    for group, own in having:
        for warning in own:
            names = [name for name in warned[warning["message"]] if name in with_vms]
            if warning["code"] in (UNKNOWN_PIN, UNKNOWN_TAG) or names[0] != group.name:
                continue
            if warning["code"] in OF_POLICY and len(warned[warning["message"]]) < len(groups):
                told = warning["message"].replace("changes nothing,", "changes nothing there,")
                warnings.append(dict(warning, message="%s: %s" % (" and ".join(map(called, names)), told)))
            else:
                warnings.append(warning)
    # The backup of a pin or of a tag may be in one group only, so it is unknown where no group that has the pin finds it.
    return warnings + unknown_warnings([(group.policy, group.vms) for group in groups])
