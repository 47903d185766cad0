# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of the modules that change something to their results. Knows neither Ansible nor the SDK."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import functools
import time

from ansible_collections.prlsdk.core.plugins.module_utils import _durations, _ids, _instants, _xml_text
from ansible_collections.prlsdk.core.plugins.module_utils._advice import explain
from ansible_collections.prlsdk.core.plugins.module_utils._errors import BackupsLeftError, InputError, PrlError, WorkerError, naming
from ansible_collections.prlsdk.core.plugins.module_utils._removal import GOOD
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable

# Seconds for a look at what became of a removal whose worker died.
LOOK = 30.0

MESSAGES = {
    "stopped": "Not tried, because of an earlier one.",
    "timeout": "Not tried, because the time was over.",
    "connection_lost": "Not tried, because the connection was lost.",
    "unexpected": "Not tried, because more than was asked for has gone.",
    "unverified": "Not tried, because the backups could not be read any more.",
    "error": "Not tried, because of an error.",
    "worker_died": "Not tried, because the SDK's process died.",
}


def change_backups(params, ask, way):
    """The result of prl_backup."""
    if params["busy_timeout"] < 0:
        raise InputError("busy_timeout: %d is not a time to wait. Give a number of seconds, 0 for a single try." % params["busy_timeout"])
    refuse_options_of_the_other_state(params)
    return (create_backup if params["state"] == "present" else remove_backups)(params, ask, way)


# The options that mean nothing with a state, and would be there because the other one was meant.
OF_THE_OTHER_STATE = {"present": ("backups", "debts"), "absent": ("type", "description", "max_age")}


def refuse_options_of_the_other_state(params):
    state = params["state"]
    given = [name for name in OF_THE_OTHER_STATE[state] if params[name] is not None]
    if given:
        other = {"present": "absent", "absent": "present"}[state]
        raise InputError("%s: cannot be used with 'state: %s', which %s. Leave it out, or set 'state: %s'." % (
            ", ".join(given), state, "makes a backup" if state == "present" else "removes backups", other))


# --- creation ---------------------------------------------------------------------------------------------------------------


def create_backup(params, ask, way):
    vm, kind = word_of(params["vm"], "vm"), params["type"] or "incremental"
    newer_than = None
    if params["max_age"] is not None:
        with naming("max_age"):
            newer_than = _instants.format(_instants.before(int(time.time()), _durations.parse(params["max_age"])))
    refuse_what_xml_cannot_hold(params["description"] or "", "description")
    answer = ask("create", {
        "vm": vm, "full": kind == "full", "description": params["description"] or "", "compress": params["compress"],
        "newer_than": newer_than, "wait": params["wait"], "busy_timeout": params["busy_timeout"], "check": way.check,
    })
    made = answer.result
    result = dict(
        changed=made["created"], vm=made["vm"], backup=made["backup"], became_full=made["became_full"], recovered=made["recovered"],
        server=made["server"], sdk=answer.sdk, warnings=warnings_of(made),
    )
    if way.diff:
        after = made["after"] + (["(a new %s backup)" % ("full" if made["became_full"] else kind)] if made["created"] and not made["backup"] else [])
        result["diff"] = diff({made["vm"]["uuid"]: {"name": made["vm"]["name"], "ids": made["before"]}},
                              {made["vm"]["uuid"]: {"name": made["vm"]["name"], "ids": after}})
    return result


def warnings_of(answer):
    return [explain(dict({"operation": None, "subject": None, "code": None}, **warning)) for warning in answer["warnings"]]


# --- removal ----------------------------------------------------------------------------------------------------------------


def remove_backups(params, ask, way):
    wanted = [entry_of(entry, params["vm"], "backups[%d]" % index) for index, entry in enumerate(params["backups"])]
    refuse_twins(wanted)
    debts = [debt_of(debt, "debts[%d]" % index) for index, debt in enumerate(params["debts"] or [])]
    if not wanted:
        return {"changed": False, "backups": [], "gone_meanwhile": [], "debts": debts}
    arguments = dict((name, params[name]) for name in ("dependents", "allow_remove_last", "on_error", "busy_timeout"))
    arguments.update(check=way.check, debts=debts, interrupted=None)
    way.progress.debts, started = debts, time.time()
    try:
        answer = ask("remove", dict(arguments, backups=wanted))
    except PrlError as error:
        backups = outcomes_from_progress(wanted, way.progress.items, error)
        left = params["timeout"] - (time.time() - started)
        if isinstance(error, WorkerError) and left > LOOK / 10:
            probe_after_crash(wanted, backups, arguments, way, functools.partial(ask, timeout=min(LOOK, left)))
        for backup in backups:
            backup.pop("trying", None)
        raise error.with_result(changed=any(backup["removed"] for backup in backups), backups=backups, debts=way.progress.debts)
    backups = [with_message(backup) for backup in answer.result["backups"]]
    result = {
        "changed": any(backup["removed"] for backup in backups), "backups": backups, "gone_meanwhile": answer.result["removed_by_others"],
        "debts": answer.result["debts"], "server": answer.result["server"], "sdk": answer.sdk, "warnings": answer.result["warnings"],
    }
    if way.diff:
        result["diff"] = diff(answer.result["before"], answer.result["after"])
    left = [backup for backup in backups if backup["outcome"] not in GOOD]
    if left:
        raise failure(wanted, backups, answer.result["stop"], result, way.check)
    return result


def entry_of(entry, default_vm, option):
    with naming(option + ".id"):
        uuid, number = _ids.parse_backup_id(entry["id"])
    vm = entry["vm"] if entry["vm"] is not None else default_vm
    if vm is not None:
        vm = word_of(vm, option + ".vm" if entry["vm"] is not None else "vm")
    removes = []
    for index, other in enumerate(entry["removes"] or []):
        place = "%s.removes[%d]" % (option, index)
        with naming(place + ".id"):
            identity = written(*_ids.parse_backup_id(other["id"]))
        removes.append(dict(known_of(other, place), id=identity))
    return dict(
        known_of(entry, option), id=written(uuid, number), vm=vm, action=entry["action"], removes=removes, allow_remove_last=entry["allow_remove_last"]
    )


def known_of(entry, option):
    """{created, size} of an entry: what tells it from another backup that was given the same ID later."""
    created, size = entry["created"], entry["size"]
    if created is not None:
        with naming(option + ".created"):
            created = _instants.format(_instants.parse(created))
    if size is not None and size < 0:
        raise InputError("%s.size: %d is not the size of a backup. Give its bytes." % (option, size))
    return {"created": created, "size": size}


def debt_of(debt, option):
    with naming(option + ".id"):
        identity = written(*_ids.parse_backup_id(debt["id"]))
    return {"vm": word_of(debt["vm"], option + ".vm"), "id": identity}


def written(uuid, number):
    return uuid if number is None else "%s.%d" % (uuid, number)


def word_of(text, option):
    """An empty name would be no name at all to the SDK, which then means everything."""
    if not text.strip():
        raise InputError("%s: is empty. Give a VM's name or UUID." % option)
    return text


def refuse_what_xml_cannot_hold(text, option):
    """The server would take it, and no XML parser would read its backup tree any more."""
    for place, character in enumerate(text):
        if not _xml_text.is_legal(ord(character)):
            raise InputError(
                "%s: the character U+%04X at place %d cannot be kept in the server's backup tree, which is XML. Leave it out."
                % (option, ord(character), place + 1)
            )


def refuse_twins(wanted):
    seen = {}
    for index, entry in enumerate(wanted):
        first = seen.setdefault((entry["id"], entry["vm"]), index)
        if first != index:
            raise InputError("backups: '%s' is listed twice, as number %d and %d. List each backup once." % (entry["id"], first + 1, index + 1))


def with_message(backup):
    """One backup's outcome for the user: never without words when it is not a good one."""
    backup = dict(backup)
    if backup["error"]:
        said = explain(dict(backup["error"], subject=backup["error"].get("subject") or backup["id"]))
        backup["message"] = "%s %s" % (backup["message"], said) if backup["message"] else said
        backup["error"] = dict((name, backup["error"].get(name)) for name in ("code", "symbol", "operation", "retryable", "details"))
    if backup["outcome"] not in GOOD and not backup["message"]:
        backup["message"] = MESSAGES.get(backup["reason"])
    backup["message"] = backup["message"] and printable(backup["message"])
    return backup


def outcomes_from_progress(wanted, items, error):
    """What became of each backup when there was no last word: what was told on the way counts.

    What was being removed right then has ``trying``, the step that the server was asked for at that moment.
    """
    backups = []
    for index, entry in enumerate(wanted):
        reason = "worker_died" if isinstance(error, WorkerError) else "error"
        backup = {"id": entry["id"], "vm": None, "outcome": "not_attempted", "reason": reason, "message": MESSAGES[reason], "error": None, "removed": []}
        item = dict(items.get(index, {}))
        if "trying" in item:
            backup.update(item, outcome="failed", reason=reason, message="It was being removed then. Look at the backups before you run again.")
        elif item:
            backup = with_message(item)
        backups.append(backup)
    return backups


def probe_after_crash(wanted, backups, arguments, way, ask):
    """Find out, with another worker, what became of the step at which one died; nothing else is done."""
    doubtful = [index for index, backup in enumerate(backups) if "trying" in backup]
    if not doubtful:
        return
    step = backups[doubtful[0]]["trying"]  # there is one at a time; all of these are done with it
    entries = [dict(wanted[index], vm=backups[index]["vm"]) for index in doubtful]
    debt = {"vm": step["vm"], "id": step["id"]}
    debts = way.progress.debts if debt in way.progress.debts else way.progress.debts + [debt]
    way.progress.debts = debts
    try:
        answer = ask("remove", dict(arguments, backups=entries, debts=debts, interrupted=step))
    except PrlError:
        return
    for index, found in zip(doubtful, answer.result["backups"]):
        backups[index].update(with_message(dict(found, removed=backups[index]["removed"] + found["removed"])))


def failure(wanted, backups, stop, result, check=False):
    """The error that names what is left, the first cause first. An entry may be a whole chain: what is counted is backups."""
    asked = [max(len(set([entry["id"]] + [other["id"] for other in entry["removes"]])), len(backup["removed"])) for entry, backup in zip(wanted, backups)]
    staying = sum(number - len(backup["removed"]) for number, backup in zip(asked, backups) if backup["outcome"] not in GOOD)
    left = [backup for backup in backups if backup["outcome"] not in GOOD]
    causes = [backup for backup in left if backup["outcome"] != "not_attempted"] or left
    missed = "would not be" if check else "was not"
    told = "; ".join("%s%s %s removed (%s): %s" % (cause["id"], " of VM %s" % cause["vm"] if cause["vm"] else "", missed, cause["outcome"], cause["message"])
                     for cause in causes[:3])
    if len(causes) > 3:
        told += " And %d more." % (len(causes) - 3)
    removed = sum(len(backup["removed"]) for backup in backups)
    message = "%d of %d backup%s %sleft. %s %d %sremoved; 'backups' tells of each." % (
        staying, sum(asked), "" if sum(asked) == 1 else "s", "would be " if check else "", told, removed, "would be " if check else "",
    )
    if stop and stop["message"]:
        message = "%s %s" % (stop["message"], message)
    error = next((cause["error"] for cause in causes if cause["error"]), None) or stop_error(stop)
    return BackupsLeftError(message, **dict(result, **({"error": error} if error else {})))


def stop_error(stop):
    if not stop or not stop["error"]:
        return None
    return dict((name, stop["error"].get(name)) for name in ("code", "symbol", "operation", "retryable", "details"))


def diff(before, after):
    """Before and after as lists of lines, one for each backup; the module makes a text of them."""

    def lines(trees):
        return ["%s %s" % (trees[uuid]["name"] or before.get(uuid, {}).get("name") or uuid, identity)
                for uuid in sorted(trees, key=lambda uuid: (before.get(uuid, {}).get("name") or "", uuid)) for identity in trees[uuid]["ids"]]

    return {"before": lines(before), "after": lines(after), "before_header": "backups", "after_header": "backups"}


# --- restoration ------------------------------------------------------------------------------------------------------------


def restore_backup(params, ask, way):
    """The result of prl_backup_restore."""
    if params["mode"] == "in_place" and params["name"]:
        raise InputError("name: only a copy can have another name. Leave it out, or set 'mode: copy'.")
    if params["busy_timeout"] < 0:
        raise InputError("busy_timeout: %d is not a time to wait. Give a number of seconds, 0 for a single try." % params["busy_timeout"])
    for option in ("name", "destination"):
        refuse_what_xml_cannot_hold(params[option] or "", option)
    identity = None
    if params["backup_id"] is not None:
        with naming("backup_id"):
            identity = written(*_ids.parse_backup_id(params["backup_id"]))
    answer = ask("restore", {
        "vm": None if params["vm"] is None else word_of(params["vm"], "vm"), "id": identity, "copy": params["mode"] == "copy",
        "name": params["name"] or "", "destination": params["destination"] or "", "live": params["live"], "busy_timeout": params["busy_timeout"],
        "check": way.check,
    })
    done = answer.result
    return dict(
        changed=done["restored"], vm=done["vm"], backup=done["backup"], source=done["source"], server=done["server"], sdk=answer.sdk,
        warnings=warnings_of(done),
    )
