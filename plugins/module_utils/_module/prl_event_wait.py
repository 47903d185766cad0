# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From prl_event_wait's options to its result: check them, ask the SDK to wait, name what came. Knows neither Ansible nor the SDK."""

import errno
import os
import stat
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import require_lxml
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, PrlError, WaitError
from ansible_collections.prlsdk.core.plugins.module_utils._events import catalogue
from ansible_collections.prlsdk.core.plugins.module_utils._events.describe import describe_event
from ansible_collections.prlsdk.core.plugins.module_utils._events.wait import Wait


def wait_for_events(
    params: Dict[str, Any],
    client: Any,
    look_only: bool = False,
    warn: Callable[[str], Any] = lambda text: None,
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
) -> Dict[str, Any]:
    """The result of prl_event_wait. ``look_only`` is check mode: nothing is waited for, answered or written."""
    begin = clock()
    request, warnings = request_of(params, now())
    for warning in warnings:
        warn(warning)
    if request["satisfied_by"] and request["satisfied_by"]["newer_than"] is not None:
        require_lxml()
    if params["ready_file"] and not look_only:
        remove_stale(params["ready_file"])
    known: Dict[str, Any] = {
        "changed": False,
        "matched": False,
        "timed_out": False,
        "satisfied_by": None,
        "seen": {},
        "reconnections": 0,
    }
    wait = Wait(client, request)
    try:
        raw = wait.run(look_only)
    except PrlError as error:  # with what was known when it happened
        raise error.with_result(**dict(known, events=[], elapsed=elapsed(begin, clock))) from None
    result = dict(known, **result_of(raw))
    result["elapsed"] = elapsed(begin, clock)
    if raw["unreadable"]:
        warn(
            "%d events could not be read and were not compared. Please report this with the SDK's version."
            % raw["unreadable"]
        )
    refuse(params, raw, result)
    return result


def elapsed(begin: float, clock: Callable[[], float]) -> float:
    return round(clock() - begin, 3)


def request_of(params: Dict[str, Any], now: float) -> Tuple[Dict[str, Any], List[str]]:
    """(what the worker is asked, warnings). Raises InputError, whose message names the option."""
    warnings = []

    def checked(option: str) -> List[Dict[str, Any]]:
        found = []
        for place, written in enumerate(params[option] or []):
            raw, said = catalogue.specification(written, "%s[%d]" % (option, place))
            found.append(raw)
            warnings.extend(said)
        return found

    if not params["events"]:
        raise InputError("events: give at least one event to wait for.")
    if params["count"] < 1:
        raise InputError("count: %d events cannot be waited for. Give a number of 1 or more." % params["count"])
    request = {
        "events": checked("events"),
        "fail_on": checked("fail_on"),
        "match": params["match"],
        "count": params["count"],
        "satisfied_by": state_of(params["satisfied_by"], now),
        "answer": None if params["answer"] is None else catalogue.answer(params["answer"], "answer"),
        "ready_file": params["ready_file"],
        "reconnect": params["reconnect"],
    }
    if request["ready_file"] is not None:
        check_ready_file(request["ready_file"])
    return request, warnings


def state_of(written: Optional[Dict[str, Any]], now: float) -> Optional[Dict[str, Any]]:
    """``satisfied_by`` as the worker takes it: {vm, states, newer_than in seconds since 1970}; None when it is not set."""
    if written is None:
        return None
    states, newer_than = written["vm_state"], written["backup_newer_than"]
    if not states and newer_than is None:
        raise InputError("satisfied_by: say what has to hold, with 'vm_state' or 'backup_newer_than'.")
    return {
        "vm": written["vm"],
        "states": [catalogue.state(one, "satisfied_by.vm_state") for one in states] if states else None,
        "newer_than": None if newer_than is None else instant(newer_than, now),
    }


def instant(written: str, now: float) -> int:
    """Seconds since 1970 of an instant, or of a duration before now."""
    try:
        return _time.parse_moment(written, now)
    except InputError as error:
        raise InputError("satisfied_by.backup_newer_than: %s" % error.message) from None


def check_ready_file(path: str) -> None:
    if not os.path.isabs(path):
        raise InputError("ready_file: '%s' is not an absolute path." % path)
    if not os.path.isdir(os.path.dirname(path)):
        raise InputError("ready_file: the folder of '%s' does not exist." % path)


def remove_stale(path: str) -> None:
    """Remove the ready file of an earlier run. It is an empty file: anything else at that place is not ours."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size:
            raise InputError(
                "ready_file: '%s' exists and is not an empty file, so it is not removed. Give another path." % path
            )
        os.unlink(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise InputError(
                "ready_file: '%s' cannot be removed: %s." % (path, os.strerror(error.errno or 0))
            ) from None


def result_of(raw: Dict[str, Any]) -> Dict[str, Any]:
    """What Wait.run() gives under the module's names."""
    events = [describe_event(event) for event in raw["events"]]
    found = {
        "changed": any(event["answered"] for event in events),
        "matched": raw["outcome"] == "matched",
        "timed_out": raw["outcome"] == "timed_out",
        "events": events,
        "satisfied_by": satisfied(raw["satisfied_by"]),
        "seen": {catalogue.name_of(int(number)): times for number, times in raw["seen"].items()},
        "reconnections": raw["reconnections"],
        "server": raw["server"],
    }
    if raw["failed_on"]:
        found["failed_on"] = describe_event(raw["failed_on"])
    return found


def satisfied(raw: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    return raw and dict(
        raw, newest_backup=None if raw["newest_backup"] is None else _time.format_instant(raw["newest_backup"])
    )


def refuse(params: Dict[str, Any], raw: Dict[str, Any], result: Dict[str, Any]) -> None:
    """Raise the PrlError of a wait that did not end well, with all that is known."""
    if raw["outcome"] == "error":
        raise raw["error"].with_result(**result)
    if raw["outcome"] == "failed":
        raise WaitError(
            WaitError.FAILED_ON_EVENT, "An event of 'fail_on' came: %s" % event_in_words(result["failed_on"]), **result
        )
    if raw["outcome"] == "timed_out" and params["on_timeout"] == "fail":
        raise WaitError(WaitError.TIMED_OUT, time_out_message(params, raw, result), **result)


def event_in_words(event: Dict[str, Any]) -> str:
    # A VM that was given by its UUID has one without a name: nobody had to look it up.
    about = (
        " of %s" % ((event["vm"] or {}).get("name") or event["issuer_id"]) if event["issuer_id"].strip("{}0-") else ""
    )
    said = " ".join((event["message"] or event["brief"] or "").split())
    code = " (%s)" % event["symbol"] if event["symbol"] else ""
    return "%s%s%s%s" % (
        event["type"],
        about,
        ": " + said if said else "",
        code + "." if code or not said.endswith(".") else "",
    )


def time_out_message(params: Dict[str, Any], raw: Dict[str, Any], result: Dict[str, Any]) -> str:
    seconds = "1 second" if params["timeout"] == 1 else "%d seconds" % params["timeout"]
    wanted, lacking, count = [wanted_in_words(one) for one in params["events"]], raw["missing"], params["count"]
    if params["match"] == "all":
        wanted = [
            word + (" %d of %d times" % (missing, count) if count > 1 else "")
            for word, missing in zip(wanted, lacking)
            if missing
        ]
        said = "waited for %s" % " and ".join(wanted)
    else:
        said = "waited for %s" % " or ".join(wanted)
        if count > 1:
            said += " %d times, %d came" % (count, count - lacking[0])
    what = "Not all that was waited for came" if result["events"] else "Nothing matched"
    passed = ", ".join("%s: %d" % item for item in sorted(result["seen"].items())) or "none"
    return (
        "%s within %s (%s; other events: %s). A backup that fails sends no event: look at the state with 'satisfied_by', or raise 'timeout'."
        % (what, seconds, said, passed)
    )


def wanted_in_words(written: Dict[str, Any]) -> str:
    """What a specification asks for: its type, its VM, and a word where there is more."""
    about = written.get("vm") or written.get("issuer_id")
    more = [key for key in ("code", "params", "issuer_type") if written.get(key) is not None]
    return "%s%s%s" % (
        written.get("type") or "any event",
        " of %s" % about if about else "",
        " with its %s" % " and ".join(more) if more else "",
    )
