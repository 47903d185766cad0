# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check: every VM of a node against its objective, the backups against the VMs, and all of it in plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import damaged as damages
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import inventory
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.chains import summarise_chains
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.inventory import Backup, Backups, Vm, plain_id
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.selectors import Selector
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import named
from ansible_collections.prlsdk.core.plugins.plugin_utils._text import formats

from .._text.compliance import table, worst
from .objectives import Group, Objective, read_exclusions, read_groups

#: Every finding, the worst first.
FINDINGS = (
    "no_vms",
    "unreadable",
    "damaged",
    "never",
    "not_restorable",
    "rpo",
    "chain_age",
    "chain_length",
    "future",
    "full_due",
    "orphan",
    "new",
)
#: Those that are violations unless somebody says otherwise; the others are notices.
FAIL_ON = ("no_vms", "unreadable", "damaged", "never", "not_restorable", "rpo", "chain_age", "chain_length")
#: Clocks of nodes and servers differ: a backup is of the future if it is later than the check by more than this.
SKEW = _time.parse_duration("5min").exact_seconds


class Check(NamedTuple):
    """What all VMs share."""

    groups: list[Group]
    excluded: list[Selector]
    fail_on: frozenset[str]
    templates: bool
    now: int
    node: str | None  # without braces, in lower case
    new_until: dict[str, int]  # UUID without braces -> until when a VM need not have a backup


def check(
    vms: Any,
    backup_trees: Any,
    objective: Any,
    now: Any,
    overrides: Any = None,
    exclude: Any = None,
    fail_on: Any = FAIL_ON,
    templates: Any = False,
    node: Any = None,
    damaged: Any = None,
    new_until: Any = None,
) -> dict[str, Any]:
    """Hold VMs and their backups against objectives.

    :arg vms: as the module ``prl_vm_info`` returns them.
    :arg backup_trees: as the module ``prl_backup_info`` returns them.
    :arg now: ISO 8601 text or epoch seconds.
    :arg node: UUID of the node; of backups without a VM only those that it made are its orphans.
    :arg damaged: the VMs whose backups could not be read, as the module ``prl_backup_info`` returns them: it is not known whether they have any.
    :arg new_until: UUID without braces, in lower case -> epoch seconds until which a VM that was never backed up is only ``new``.
    :returns: plain dictionaries, lists, texts, numbers; documented with the filter ``backup_compliance``.
    :raises InputError: names what cannot be used as it is.
    """
    try:
        now = _time.parse_instant(now)
    except InputError as error:
        raise InputError("now: %s" % error) from None
    groups, excluded = read_groups(objective, overrides), read_exclusions(exclude)
    settings = Check(
        groups,
        excluded,
        _codes(fail_on),
        _truth(templates, "templates"),
        now,
        plain_id(node) if node else None,
        new_until or {},
    )
    unread = damages.read(damaged)
    messages = {plain_id(one.uuid): one.message for one in unread}
    trees = {plain_id(vm.uuid): vm for vm in damages.without(inventory.read(backup_trees), unread)}
    machines = [_machine(vm, "vms[%d]" % number) for number, vm in enumerate(_list(vms))]
    results = [
        _checked(
            machine, trees.get(plain_id(machine["uuid"] or "")), messages.get(plain_id(machine["uuid"] or "")), settings
        )
        for machine in machines
    ]
    known = {plain_id(machine["uuid"]) for machine in machines if machine["uuid"]}
    strays = [
        one
        for one in unread
        if plain_id(one.uuid) not in known and not any(selector.fits_in_state(one.vm(), None) for selector in excluded)
    ]
    orphans, foreign = _orphans([tree for uuid, tree in trees.items() if uuid not in known and tree.backups], settings)
    return _result(results, orphans, foreign, strays, settings)


def _codes(fail_on: Any) -> frozenset[str]:
    for code in _list(fail_on, "fail_on"):
        if code not in FINDINGS:
            raise InputError(
                "fail_on has %r; known are %s.%s" % (code, ", ".join(FINDINGS), did_you_mean(code, FINDINGS, 1))
            )
    return frozenset(fail_on)


def _truth(value: Any, where: str) -> bool:
    """A truth, or what -e makes of it: any other text would be true by itself."""
    truth = (
        {"true": True, "yes": True, "false": False, "no": False}.get(value.lower()) if isinstance(value, str) else value
    )
    if not isinstance(truth, bool):
        raise InputError("%s is %r; it must be true or false" % (where, value))
    return truth


def _machine(vm: Any, where: str) -> dict[str, Any]:
    if not isinstance(vm, Mapping) or "uuid" not in vm:
        raise InputError("%s has no uuid; give the vms as prl_vm_info returns them" % where)
    plain: dict[str, Any] = {
        key: None if vm.get(key) is None else str(vm[key]) for key in ("uuid", "name", "type", "state")
    }
    plain["template"] = bool(vm.get("template"))
    return plain


def _checked(machine: Any, tree: Vm | None, damage: str | None, settings: Check) -> dict[str, Any]:
    """One VM's part of the result; ``damage`` is why its backups could not be read."""
    name, uuid, kind = machine["name"] or "", machine["uuid"] or "", machine["type"] or ""
    vm = Vm(name, uuid, kind, 0, tree.backups if tree else Backups([]))
    group = next(group for group in settings.groups if group.selector.fits_in_state(vm, machine["state"]))
    result: dict[str, Any] = {
        "vm": {"uuid": machine["uuid"], "name": machine["name"], "type": machine["type"], "state": machine["state"]},
        "group": group.name,
        "objective": group.objective.plain(),
        "status": "excluded",
        "newest": None,
        "backups": len(vm.backups) if damage is None else None,
        "chains": len(set(vm.backups.chain)) if damage is None else None,
        "chain": None,
        "full_due": False,
        "findings": [],
    }
    if (machine["template"] and not settings.templates) or any(
        selector.fits_in_state(vm, machine["state"]) for selector in settings.excluded
    ):
        return result
    findings: Iterable[tuple[str, str, Any, Any]]
    if damage is None:
        findings = _findings(result, machine, vm.backups, group.objective, settings)
    else:
        findings = [("damaged", "it is not known which backups it has: %s" % damage, None, None)]
    result["findings"] = [
        {
            "code": code,
            "severity": "violation" if code in settings.fail_on else "notice",
            "message": message,
            "value": value,
            "limit": limit,
        }
        for code, message, value, limit in sorted(findings, key=lambda finding: FINDINGS.index(finding[0]))
    ]
    severities = {finding["severity"] for finding in result["findings"]}
    result["status"] = "violation" if "violation" in severities else "notice" if severities else "ok"
    return result


def _findings(
    result: dict[str, Any], machine: Any, backups: Backups, objective: Objective, settings: Check
) -> Iterator[tuple[str, str, Any, Any]]:
    """(code, message, value, limit) of what is wrong; also notes the newest backup and its chain in the result.

    Messages, values and limits have no ages in them: they stay the same until something happens, and so do the files for CI.
    """
    now = settings.now
    if not machine["uuid"]:
        yield "unreadable", "the node could not read its UUID, so nothing is known of its backups", None, None
        return
    if not backups:
        until = settings.new_until.get(plain_id(machine["uuid"]), now)
        if now < until:
            yield (
                "new",
                "it is new and was not backed up yet; it has until %s" % _time.format_instant(until),
                None,
                _time.format_instant(until),
            )
            return
        yield "never", "it was never backed up, or all of its backups are gone", 0, 1
        return
    found = summarise_chains(backups, now + SKEW)
    if found.future:
        latest = _time.format_instant(backups[-1].instant)
        yield (
            "future",
            "%s later than now, the latest of %s; look at the clocks" % (_are(len(found.future)), latest),
            latest,
            None,
        )
    if not found.restorable:
        yield (
            "not_restorable",
            "of its %s none can be counted on: their chains have no full, or they are later than now"
            % _backups(len(backups)),
            0,
            1,
        )
        return
    newest = backups[found.restorable[-1]]
    result["newest"] = {"id": newest.id, "type": newest.kind, "created": _time.format_instant(newest.instant)}
    if newest.instant < _time.before(now, objective.rpo):
        message = "the newest restorable backup is of %s, and the objective is %s" % (
            result["newest"]["created"],
            objective.rpo,
        )
        yield "rpo", message, result["newest"]["created"], str(objective.rpo)
    members = {chain.uuid: chain.members for chain in found.all}
    yield from _chain_findings(result, [backups[position] for position in members[newest.chain]], objective, now)


def _chain_findings(
    result: dict[str, Any], chain: list[Backup], objective: Objective, now: int
) -> Iterator[tuple[str, str, Any, Any]]:
    """What is wrong with the chain that the next increment joins; a full is due when that increment would break a bound."""
    full, length = chain[0], len(chain)
    result["chain"] = {"uuid": full.chain, "length": length, "full": _time.format_instant(full.instant)}
    due = []
    if objective.max_chain_length:
        if length > objective.max_chain_length:
            yield (
                "chain_length",
                "its chain has %s, and the bound is %d" % (_backups(length), objective.max_chain_length),
                length,
                objective.max_chain_length,
            )
        if length >= objective.max_chain_length:
            due.append("its chain has %d of %s" % (length, _backups(objective.max_chain_length)))
    if objective.max_chain_age:
        limit = str(objective.max_chain_age)
        if full.instant < _time.before(now, objective.max_chain_age):
            yield (
                "chain_age",
                "the full of its chain is of %s, and the bound is %s" % (result["chain"]["full"], limit),
                result["chain"]["full"],
                limit,
            )
        next_backup = named("UTC").expiry(now, objective.rpo, now)  # at the latest
        if full.instant < _time.before(next_backup, objective.max_chain_age):
            due.append(
                "the full of its chain is of %s, and by the next backup will be older than %s"
                % (result["chain"]["full"], limit)
            )
    result["full_due"] = bool(due)
    if due:
        yield "full_due", "the next backup has to be a full: %s" % " and ".join(due), None, None


def _orphans(trees: list[Vm], settings: Check) -> tuple[list[dict[str, Any]], int]:
    """Backups of VMs that the node does not have, and how many such VMs are another node's."""
    orphans, foreign = [], 0
    for tree in trees:
        if any(selector.fits_in_state(tree, None) for selector in settings.excluded):
            continue
        newest = tree.backups[-1]
        if settings.node and plain_id(newest.server_uuid) != settings.node:
            foreign += 1
            continue
        orphans.append(
            {
                "vm": {"uuid": tree.uuid, "name": tree.name, "type": tree.type},
                "backups": len(tree.backups),
                "chains": len(set(tree.backups.chain)),
                "size": sum(tree.backups.size),
                "newest": _time.format_instant(newest.instant),
                "severity": "violation" if "orphan" in settings.fail_on else "notice",
                "message": "the node has no such VM any more, and %s of it: %s"
                % (_left(len(tree.backups)), formats.size(sum(tree.backups.size))),
            }
        )
    return orphans, foreign


def _result(
    results: list[dict[str, Any]],
    orphans: list[dict[str, Any]],
    foreign: int,
    strays: list[damages.Damaged],
    settings: Check,
) -> dict[str, Any]:
    findings = [] if results else [_nothing_seen(settings)]
    findings += [_stray(one, settings) for one in strays]
    counts = {
        code: sum(finding["code"] == code for result in results for finding in result["findings"]) for code in FINDINGS
    }
    counts.update(orphan=len(orphans), no_vms=len(findings) - len(strays))
    counts["damaged"] += len(strays)
    statuses = {
        status: sum(result["status"] == status for result in results)
        for status in ("ok", "notice", "violation", "excluded")
    }
    violated = statuses["violation"] + sum(each["severity"] == "violation" for each in [*orphans, *findings])
    used = {result["group"] for result in results}
    return {
        "checked_at": _time.format_instant(settings.now),
        "compliant": not violated,
        "message": worst(results, orphans, findings, settings.now),
        "totals": {
            "vms": len(results),
            "orphans": len(orphans),
            "foreign": foreign,
            "status": statuses,
            "findings": counts,
        },
        "unused": [group.name for group in settings.groups[:-1] if group.name not in used],
        "findings": findings,
        "vms": results,
        "orphans": orphans,
        "table": table(results, orphans, findings, settings.now),
    }


def _nothing_seen(settings: Check) -> dict[str, Any]:
    """Where nothing is seen nothing can be wrong, which is no proof of anything: whoever may not see the VMs is shown an empty list."""
    severity = "violation" if "no_vms" in settings.fail_on else "notice"
    return {
        "code": "no_vms",
        "severity": severity,
        "message": "the node shows no VM or container to this login",
        "value": 0,
        "limit": 1,
    }


def _stray(one: Any, settings: Check) -> dict[str, Any]:
    """A VM that the node does not list and whose backups cannot be read: whether it leaves any behind is not known."""
    severity = "violation" if "damaged" in settings.fail_on else "notice"
    message = "it is not known which backups %s has, which the node does not list: %s" % (one.called, one.message)
    return {"code": "damaged", "severity": severity, "message": message, "value": None, "limit": None}


def _list(value: Any, where: str = "vms") -> Sequence[Any]:
    if isinstance(value, (list, tuple)):
        return value
    hint = "; give the vms of the result, not the whole result" if isinstance(value, Mapping) and "vms" in value else ""
    raise InputError("%s must be a list, not %s%s" % (where, type(value).__name__, hint))


def _backups(number: int) -> str:
    return "1 backup" if number == 1 else "%d backups" % number


def _are(number: int) -> str:
    return "1 backup is" if number == 1 else "%d backups are" % number


def _left(number: int) -> str:
    return "1 backup is left" if number == 1 else "%d backups are left" % number
