# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of prl_backup to its result. Knows neither Ansible nor the SDK."""

import time
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._backups import creation, locate, removal, removal_rules
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import format_id, id_key, parse_backup_id
from ansible_collections.prlsdk.core.plugins.module_utils._backups.live import Backups
from ansible_collections.prlsdk.core.plugins.module_utils._backups.locate import check_name
from ansible_collections.prlsdk.core.plugins.module_utils._backups.removal_rules import GOOD
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import require_lxml
from ansible_collections.prlsdk.core.plugins.module_utils._errors import (
    BackupsLeftError,
    InputError,
    PrlError,
    prefix_errors,
)
from ansible_collections.prlsdk.core.plugins.module_utils._module.progress import TaskMode
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError, explain, explain_all, public
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable
from ansible_collections.prlsdk.core.plugins.module_utils._xml_text import check_text

MESSAGES = {
    "stopped": "Not tried, because of an earlier one.",
    "stop_after": "Not tried, because no removal begins after 'stop_after'.",
    "timeout": "Not tried, because the time was over.",
    "connection_lost": "Not tried, because the connection was lost.",
    "unexpected": "Not tried, because more than was asked for has gone.",
    "unverified": "Not tried, because the backups could not be read any more.",
    "error": "Not tried, because of an error.",
    "worker_died": "Not tried, because the SDK's process died.",
}


def change_backups(params: Dict[str, Any], client: Any, mode: TaskMode) -> Dict[str, Any]:
    """The result of prl_backup."""
    if params["busy_timeout"] < 0:
        raise InputError(
            "busy_timeout: %d is not a time to wait. Give a number of seconds, 0 for a single try."
            % params["busy_timeout"]
        )
    reject_options_of_the_other_state(params)
    require_lxml()
    return (create_backup if params["state"] == "present" else remove_backups)(params, client, mode)


# The options that mean nothing with a state, and would be there because the other one was meant.
OF_THE_OTHER_STATE = {
    "present": ("backups", "backup_ids", "debts", "stop_after"),
    "absent": ("type", "description", "max_age"),
}


def reject_options_of_the_other_state(params: Dict[str, Any]) -> None:
    state = params["state"]
    given = [name for name in OF_THE_OTHER_STATE[state] if params[name] is not None]
    if given:
        other = {"present": "absent", "absent": "present"}[state]
        raise InputError(
            "%s: cannot be used with 'state: %s', which %s. Leave it out, or set 'state: %s'."
            % (", ".join(given), state, "makes a backup" if state == "present" else "removes backups", other)
        )


def create_backup(params: Dict[str, Any], client: Any, mode: TaskMode) -> Dict[str, Any]:
    word, kind = check_name(params["vm"], "vm"), params["type"] or "incremental"
    newer_than = None
    if params["max_age"] is not None:
        with prefix_errors("max_age"):
            newer_than = _time.format_instant(_time.before(int(time.time()), _time.parse_duration(params["max_age"])))
    check_text(params["description"] or "", "description")
    vms = client.vms()
    vm = locate.resolve([word], vms)[0][1]
    if vm is None:
        raise CallError(
            "UNKNOWN_VM",
            "There is no VM or container '%s' on %s.%s"
            % (word, client.server["host"], did_you_mean(word, locate.names_of(vms))),
            subject=word,
        )
    if vm["uuid"] is None:
        raise locate.unreadable(word)
    request = creation.CreateRequest(
        kind == "full",
        params["description"] or "",
        params["compress"],
        newer_than,
        params["wait"],
        params["busy_timeout"],
    )
    backups = Backups(client, mode.progress)
    result = {"vm": {name: vm[name] for name in ("uuid", "name", "type")}, "server": client.server}
    try:
        made = creation.Creation(backups, vm["uuid"], request).run(mode.check)
    except PrlError as error:
        raise error.with_result(warnings=backups.warnings(), **result) from None
    result.update(
        changed=made["created"],
        backup=made["backup"],
        became_full=made["became_full"],
        recovered=made["recovered"],
        warnings=explain_all(made["warnings"]) + backups.warnings(),
    )
    if mode.diff:
        after = made["after"] + (
            ["(a new %s backup)" % ("full" if made["became_full"] else kind)]
            if made["created"] and not made["backup"]
            else []
        )
        result["diff"] = diff(
            {vm["uuid"]: {"name": vm["name"], "ids": made["before"]}}, {vm["uuid"]: {"name": vm["name"], "ids": after}}
        )
    return result


def remove_backups(params: Dict[str, Any], client: Any, mode: TaskMode) -> Dict[str, Any]:
    if params["stop_after"] is not None and params["stop_after"] < 0:
        raise InputError("stop_after: must be 0 or more seconds, not %d." % params["stop_after"])
    option, listed = "backups", params["backups"]
    if listed is None:
        option, listed = "backup_ids", [dict(PLAIN, id=identity) for identity in params["backup_ids"]]
    wanted = [parse_entry(entry, params["vm"], option, index) for index, entry in enumerate(listed)]
    reject_duplicates(wanted, option)
    debts = [parse_debt(debt, "debts[%d]" % index) for index, debt in enumerate(params["debts"] or [])]
    if not wanted:
        return {"changed": False, "backups": [], "gone_meanwhile": [], "debts": debts, "unfinished": False}
    entries = [entry_from(index, one) for index, one in enumerate(wanted)]
    backups = Backups(client, mode.progress)
    try:
        removing, unknown = prepare_removal(entries, debts, params, backups, mode)
    except PrlError as error:
        reason = "worker_died" if error.symbol == "WORKER_DIED" else "error"
        nothing = [
            {
                "id": one["id"],
                "vm": None,
                "outcome": "not_attempted",
                "reason": reason,
                "message": MESSAGES[reason],
                "error": None,
                "removed": [],
            }
            for one in wanted
        ]
        raise error.with_result(changed=False, backups=nothing, debts=debts) from None
    report = removing.run()
    told = [described(backup) for backup in report["backups"]]
    result = {
        "changed": any(backup["removed"] for backup in told),
        "backups": told,
        "gone_meanwhile": report["removed_by_others"],
        "debts": report["debts"],
        "unfinished": any(backup["reason"] == "stop_after" for backup in told),
        "server": client.server,
        "warnings": unknown + backups.warnings(),
    }
    if mode.diff:
        result["diff"] = diff(report["before"], report["after"])
    if any(backup["outcome"] not in GOOD and backup["reason"] != "stop_after" for backup in told):
        raise failure(wanted, told, report["stop"], result, mode.check)
    if report["died"]:
        result["warnings"].append(report["died"])
    return result


def prepare_removal(
    entries: List[removal_rules.Entry],
    debts: List[Dict[str, str]],
    params: Dict[str, Any],
    backups: Backups,
    mode: TaskMode,
) -> Tuple[removal.Removal, List[str]]:
    """(a Removal of the entries, of which each knows its VM or is settled; the names that no VM has)."""
    client = backups.client
    done: List[removal_rules.Entry] = []

    def report(entry: removal_rules.Entry) -> None:
        done.append(entry)

    def attempt(step: removal_rules.Step, vm: Any) -> None:
        mode.progress.advance(
            "remove_vm_backup",
            step.id,
            stage=step.kind,
            done=len(done),
            total=len(entries),
            percent=100 * len(done) // len(entries),
        )

    client.ensure_open()
    named = {entry.vm for entry in entries if entry.vm}
    words = named.union(debt["vm"] for debt in debts)
    uuids, owners = locate.find_vms(client, words, {entry.key for entry in entries if not entry.vm}, gone_ok=True)
    stop_at = None if mode.check or params["stop_after"] is None else params["timeout"] - params["stop_after"]
    removing = removal.Removal(
        removal.Rehearsal(backups) if mode.check else backups,
        entries,
        removal_rules.Options(
            params["dependents"], params["allow_remove_last"], params["on_error"], params["busy_timeout"], stop_at
        ),
        report,
        attempt,
        [(uuids.get(debt["vm"], debt["vm"]), debt["id"]) for debt in debts],
        client.running_at_login,
    )
    missed = [word for word in sorted(named) if word not in uuids]
    called = locate.names_of(client.vms()) if missed else []
    nothing = {word: locate.NOTHING_CALLED % (word, did_you_mean(word, called)) for word in missed}
    # Of a VM that is gone, with all its backups, nothing is left to remove; a slip in the name is told by the backup that is still there.
    unknown = [entry for entry in entries if entry.vm and entry.vm not in uuids]
    there = locate.search(client, {entry.key for entry in unknown}, set())[0] if unknown else {}
    for entry in unknown:
        if entry.key in there:
            raise CallError("UNKNOWN_VM", nothing[str(entry.vm)], subject=entry.vm)
    for entry in entries:
        if entry.vm in uuids:
            entry.vm = uuids[entry.vm]
            continue
        if entry.vm:
            name, entry.vm = entry.vm, None
            removing.settle(entry, removal_rules.Verdict("already_absent", "unknown_vm", nothing[name]))
            continue
        fits = owners.get(entry.key, [])
        if len(fits) == 1:
            entry.vm, entry.located = fits[0], True
        elif fits:
            removing.settle(
                entry,
                removal_rules.Verdict(
                    "refused",
                    "ambiguous",
                    "Several VMs have a backup with this id: %s. Name one with 'vm'." % ", ".join(fits),
                ),
            )
        else:
            removing.settle(entry, removal_rules.Verdict("already_absent", None, None))
    return removing, [nothing[word] for word in missed]


def entry_from(index: int, wanted: Dict[str, Any]) -> removal_rules.Entry:
    removes = {id_key(other["id"]): removal_rules.Known(other["created"], other["size"]) for other in wanted["removes"]}
    return removal_rules.Entry(
        index,
        wanted["id"],
        id_key(wanted["id"]),
        wanted["vm"],
        wanted["created"],
        wanted["size"],
        wanted["action"],
        removes,
        wanted["allow_remove_last"],
    )


# What an entry that is a plain id does not say.
PLAIN: Dict[str, Any] = {
    "vm": None,
    "created": None,
    "size": None,
    "action": None,
    "removes": [],
    "allow_remove_last": False,
}


def parse_entry(entry: Dict[str, Any], default_vm: Optional[str], listed_in: str, index: int) -> Dict[str, Any]:
    option = "%s[%d]" % (listed_in, index)
    with prefix_errors(option + (".id" if listed_in == "backups" else "")):
        uuid, number = parse_backup_id(entry["id"])
    vm = entry["vm"] if entry["vm"] is not None else default_vm
    if vm is not None:
        vm = check_name(vm, option + ".vm" if entry["vm"] is not None else "vm")
    removes = []
    for index, other in enumerate(entry["removes"] or []):
        place = "%s.removes[%d]" % (option, index)
        with prefix_errors(place + ".id"):
            identity = format_id(*parse_backup_id(other["id"]))
        removes.append(dict(parse_known(other, place), id=identity))
    return dict(
        parse_known(entry, option),
        id=format_id(uuid, number),
        vm=vm,
        action=entry["action"],
        removes=removes,
        allow_remove_last=entry["allow_remove_last"],
    )


def parse_known(entry: Dict[str, Any], option: str) -> Dict[str, Any]:
    """{created, size} of an entry: what tells it from another backup that was given the same ID later."""
    created, size = entry["created"], entry["size"]
    if created is not None:
        with prefix_errors(option + ".created"):
            created = _time.format_instant(_time.parse_instant(created))
    if size is not None and size < 0:
        raise InputError("%s.size: %d is not the size of a backup. Give its bytes." % (option, size))
    return {"created": created, "size": size}


def parse_debt(debt: Dict[str, Any], option: str) -> Dict[str, str]:
    with prefix_errors(option + ".id"):
        identity = format_id(*parse_backup_id(debt["id"]))
    return {"vm": check_name(debt["vm"], option + ".vm"), "id": identity}


def reject_duplicates(wanted: List[Dict[str, Any]], option: str) -> None:
    seen: Dict[Any, int] = {}
    for index, entry in enumerate(wanted):
        first = seen.setdefault((entry["id"], entry["vm"]), index)
        if first != index:
            raise InputError(
                "%s: '%s' is listed twice, as number %d and %d. List each backup once."
                % (option, entry["id"], first + 1, index + 1)
            )


def described(backup: Dict[str, Any]) -> Dict[str, Any]:
    """One backup's outcome for the user: never without words when it is not a good one."""
    backup = dict(backup)
    if backup["error"]:
        said = explain(dict(backup["error"], subject=backup["error"].get("subject") or backup["id"]))
        backup["message"] = "%s %s" % (backup["message"], said) if backup["message"] else said
        backup["error"] = public(backup["error"])
    if backup["outcome"] not in GOOD and not backup["message"]:
        backup["message"] = MESSAGES.get(backup["reason"])
    backup["message"] = backup["message"] and printable(backup["message"])
    return backup


def failure(
    wanted: List[Dict[str, Any]],
    backups: List[Dict[str, Any]],
    stop: Optional[Dict[str, Any]],
    result: Dict[str, Any],
    check: bool = False,
) -> BackupsLeftError:
    """The error that names what is left, the first cause first. An entry may be a whole chain: what is counted is backups."""
    asked = [
        max(len(set([entry["id"]] + [other["id"] for other in entry["removes"]])), len(backup["removed"]))
        for entry, backup in zip(wanted, backups)
    ]
    staying = sum(
        number - len(backup["removed"]) for number, backup in zip(asked, backups) if backup["outcome"] not in GOOD
    )
    left = [backup for backup in backups if backup["outcome"] not in GOOD]
    causes = [backup for backup in left if backup["outcome"] != "not_attempted"] or left
    missed = "would not be" if check else "was not"
    told = "; ".join(
        "%s%s %s removed (%s): %s"
        % (cause["id"], " of VM %s" % cause["vm"] if cause["vm"] else "", missed, cause["outcome"], cause["message"])
        for cause in causes[:3]
    )
    if len(causes) > 3:
        told += " And %d more." % (len(causes) - 3)
    removed = sum(len(backup["removed"]) for backup in backups)
    message = "%d of %d backup%s %sleft. %s %d %sremoved; 'backups' lists each of them." % (
        staying,
        sum(asked),
        "" if sum(asked) == 1 else "s",
        "would be " if check else "",
        told,
        removed,
        "would be " if check else "",
    )
    if stop and stop["message"]:
        message = "%s %s" % (stop["message"], message)
    died = stop and stop["reason"] == "worker_died"
    error = None if died else next((cause["error"] for cause in causes if cause["error"]), None)
    error = error or (public(stop["error"]) if stop and stop["error"] else None)
    return BackupsLeftError(message, **dict(result, **({"error": error} if error else {})))


def diff(before: Dict[str, Any], after: Dict[str, Any]) -> Dict[str, Any]:
    """Before and after as lists of lines, one for each backup; the module makes a text of them."""

    def lines(trees: Dict[str, Any]) -> List[str]:
        return [
            "%s %s" % (trees[uuid]["name"] or before.get(uuid, {}).get("name") or uuid, identity)
            for uuid in sorted(trees, key=lambda uuid: (before.get(uuid, {}).get("name") or "", uuid))
            for identity in trees[uuid]["ids"]
        ]

    return {"before": lines(before), "after": lines(after), "before_header": "backups", "after_header": "backups"}
