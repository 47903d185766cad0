# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's operation that waits for events."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import difflib
import os
import re
import sys
import time

if __name__.startswith("ansible_collections."):
    from ansible_collections.prlsdk.core.plugins.module_utils import _listening, _matching
    from ansible_collections.prlsdk.core.plugins.module_utils._ask_operations import (
        BOTH, holds_backups, in_another_spelling, list_vms, registered_uuids, resolve, tree_text,
    )
    from ansible_collections.prlsdk.core.plugins.module_utils._sessions import PRL_ERR_WS_DISP_CONNECTION_CLOSED
    from ansible_collections.prlsdk.core.plugins.module_utils._wire import Failure, braced, native, readable, uuid_key
else:  # beside the worker, where there is no collection
    import _listening
    import _matching
    from _ask_operations import BOTH, holds_backups, in_another_spelling, list_vms, registered_uuids, resolve, tree_text
    from _sessions import PRL_ERR_WS_DISP_CONNECTION_CLOSED
    from _wire import Failure, braced, native, readable, uuid_key

# What logging in again may meet while a dispatcher restarts, beside the errors that are always worth another try.
RESTARTING = ("PRL_ERR_HANDSHAKE_FAILED", "PRL_ERR_SSL_HANDSHAKE_FAILED", "PRL_ERR_DISP_SHUTDOWN_IN_PROCESS")
BACKUP_TIME = re.compile(b"<DateTime>([0-9-]{10} [0-9:]{8})</DateTime>")  # markup inside texts is escaped


def wait_operation(connection, arguments, spool):
    """Wait for events.

    arguments: events and fail_on [specification of _matching.py, with ``option`` (its place in the task), ``vm`` as a name or UUID,
    ``code`` as a number or symbol]; match; count; satisfied_by (null or {vm, states, newer_than in seconds since 1970}); answer
    (null or a number); ready_file (null or a path); reconnect; look_only: do not subscribe, look at the state and return. ->
    server; outcome (matched, failed, satisfied, timed_out, error; null when nothing was waited for); error (with that outcome, as in an
    ``error`` line); events; failed_on; missing; satisfied_by; seen {type number: count}; unreadable; reconnections.
    """
    specifications, state = prepare(connection, arguments)
    tally = _matching.Tally(specifications["events"], arguments["match"], arguments["count"], specifications["fail_on"])
    result = {"outcome": None, "satisfied_by": None, "seen": {}, "unreadable": 0, "reconnections": 0, "error": None}
    if arguments["look_only"]:
        result["satisfied_by"] = look(connection, state)
    else:
        listen(connection, arguments, tally, state, result)
    for event in tally.events + [tally.failed_on]:
        complete(connection, event)
    return dict(result, server=connection.node.server, events=tally.events, failed_on=tally.failed_on, missing=tally.missing)


def prepare(connection, arguments):
    """The specifications with UUIDs and codes in place of names, by option; and the state to look at, likewise."""
    known = []

    def uuid_of(word, option):
        if uuid_key(word):
            return braced(word)  # also of a VM that does not exist yet
        if not known:
            known.append(list_vms(connection.node, ["vm", "ct"]))
            connection.names.update((uuid_key(vm["uuid"]), vm["name"]) for vm in known[0] if vm["uuid"])
        vm = resolve([word], known[0])[0][1]
        if vm is None:
            message = "%s: '%s' is no VM or container of %s." % (option, word, connection.node.server["host"])
            raise Failure("UNKNOWN_VM", message, subject=word)
        return vm["uuid"]

    def ready(raw):
        check_patterns(raw)
        vm = raw["vm"] and uuid_of(raw["vm"], raw["option"] + ".vm")
        return dict(raw, vm=vm, code=code_of(connection.sdk, raw["code"], raw["option"] + ".code"))

    state = arguments["satisfied_by"]
    return (
        dict((key, [ready(raw) for raw in arguments[key]]) for key in ("events", "fail_on")),
        state and dict(state, vm=uuid_of(state["vm"], "satisfied_by.vm")),
    )


def check_patterns(raw):
    """The module has compiled the regular expressions already, but under its own Python, which may know more than this one."""
    for name, condition in sorted(raw["params"].items()):
        try:
            re.compile(condition.get("regex", u""))
        except (re.error, OverflowError) as error:
            place = u"%s.params.%s.regex: '%s'" % (raw["option"], name, condition["regex"])
            reason = u"is not understood by Python %d.%d, under which the SDK runs: %s" % (sys.version_info[:2] + (readable(error),))
            raise Failure("INVALID_INPUT", u"%s %s. Write it without what only newer versions know." % (place, reason), subject=condition["regex"])


def code_of(sdk, code, option):
    if not isinstance(code, type(u"")):
        return code
    number = sdk.code(native(code))
    if number is None:
        near = difflib.get_close_matches(code.upper(), vars(sdk.api.prlsdk.errors), 1)
        hint = " Did you mean %s?" % near[0] if near else ""
        raise Failure("INVALID_INPUT", "%s: the SDK knows no code '%s'.%s" % (option, code, hint), subject=code)
    return number


def listen(connection, arguments, tally, state, result):
    """Subscribe, say so, look at the state, wait: in this order nothing is lost."""
    session, left = connection.node, connection.deadline.left
    listener = session.attend(lambda api, server: _listening.Listener(api, server, tally.may_care, readable))
    connection.protocol.progress("wait", session.server["host"])
    if arguments["ready_file"]:
        make_ready(arguments["ready_file"])

    def look_now():
        try:
            return look(connection, state)
        except Failure:
            # What was looked for must not hide that the connection, or the time, has come to its end.
            if left() > 0 and session.connected():
                raise
            return None
        finally:
            connection.protocol.progress("wait", session.server["host"])

    def attempt():
        try:
            connection.restore()
        except Failure as failure:
            if not failure.error["retryable"] and failure.error["symbol"] not in RESTARTING:
                raise
            return False
        result["reconnections"] += 1
        return True

    def answer(question, event):
        offered = [value["value"] for name, value in sorted(event["params"].items()) if name.startswith("vm_message_choice_")]
        if offered and arguments["answer"] not in offered:
            choices = ", ".join("%s (%d)" % (connection.sdk.answer_name(one), one) for one in offered)
            raise Failure("INVALID_INPUT", "answer: %d is not among the answers to this question: %s." % (arguments["answer"], choices))
        listener.forget_jobs()
        session.answer(question, arguments["answer"])
        code = listener.answer_code(left, session.connected)
        if code:
            raise Failure(connection.sdk.symbol(code), "The server did not accept the answer.", "send_answer", code, subject=session.server["host"])
        event["answered"] = arguments["answer"]

    reconnect = (lambda: _listening.persist(attempt, left)) if arguments["reconnect"] else None
    answering = answer if arguments["answer"] is not None else None
    try:
        result["outcome"], result["satisfied_by"] = _listening.wait(
            listener, tally, look_now, left, session.connected, reconnect, answering,
            lambda event: connection.protocol.send("event", event=complete(connection, event)),
        )
        if result["outcome"] == "lost":
            raise Failure(
                "PRL_ERR_WS_DISP_CONNECTION_CLOSED", "The connection to the server was lost.", "wait", PRL_ERR_WS_DISP_CONNECTION_CLOSED,
                subject=session.server["host"],
            )
    except Failure as failure:  # what was heard until then goes with it
        result.update(outcome="error", error=failure.error)
    result.update(unreadable=listener.unreadable, seen=dict((str(key), listener.seen[key]) for key in list(listener.seen)))


def complete(connection, event):
    """Add to an event what takes more than the event to know."""
    if event is not None and "symbol" not in event:
        silent = event["code"] is None or event["code"] == _listening.NO_CODE
        event["symbol"] = None if silent else connection.sdk.symbol(event["code"])
        event["server"] = connection.node.server_uuid
        key = uuid_key(event["issuer_id"])
        if event["vm"] is None and key and key.strip("0-") and key != uuid_key(connection.node.server_uuid):
            event["vm"] = {"uuid": event["issuer_id"], "name": connection.names.get(key)}
        event.setdefault("answered", None)
    return event


def make_ready(path):
    """Tell whoever looks for this file that no event is missed from now on."""
    try:
        os.close(os.open(native(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise Failure("READY_FILE_FAILED", u"ready_file: '%s' cannot be created: %s." % (path, os.strerror(error.errno)), subject=path)


def look(connection, state):
    """What of the present state makes waiting needless: {vm, vm_state, newest_backup}, or None."""
    if state is None:
        return None
    found = {"vm": state["vm"], "vm_state": None, "newest_backup": None}
    if state["states"] is not None:
        vm = resolve([state["vm"]], list_vms(connection.node, ["vm", "ct"]))[0][1]
        found["vm_state"] = vm and vm["state"]
        if found["vm_state"] not in state["states"]:
            return None
    if state["newer_than"] is not None:
        found["newest_backup"] = newest_backup(connection, state["vm"])
        if found["newest_backup"] is None or found["newest_backup"] < state["newer_than"]:
            return None
    return found


def newest_backup(connection, uuid):
    """When the newest backup of a VM was made, in seconds since 1970; None when there is none."""
    text = tree_text(connection, uuid, BOTH)
    if not holds_backups(text):
        text = (in_another_spelling(connection, uuid, BOTH, registered_uuids(connection, BOTH)) or (uuid, text))[1]
    times = BACKUP_TIME.findall(text)
    return calendar.timegm(time.strptime(max(times).decode("ascii"), "%Y-%m-%d %H:%M:%S")) if times else None
