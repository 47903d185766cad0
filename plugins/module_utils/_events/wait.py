# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscribe, look, wait, reconnect, answer: the life of a wait for events. Knows neither the SDK nor Ansible."""

import os
import random
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._backups import locate
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import braced, uuid_key
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._events.match import Tally
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import BOTH, GRACE
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError, WorkerDied
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean

# What logging in again may meet while a dispatcher restarts, beside the errors that are always worth another try.
RESTARTING = ("PRL_ERR_HANDSHAKE_FAILED", "PRL_ERR_SSL_HANDSHAKE_FAILED", "PRL_ERR_DISP_SHUTDOWN_IN_PROCESS")
# Seconds between two attempts to log in again: the first, and the most; each is spread by half to all of itself.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
# The outcome of an answer to a question arrives this many seconds after it at the latest.
ANSWER_PATIENCE = 2.0
PJOC_SRV_SEND_ANSWER = 28
CONNECTION_LOST = 0x80000246
NO_CODE = 100000

READY_FILE_FAILED = "READY_FILE_FAILED"


class Wait:
    """One wait. ``client`` is a Client of _sdk; ``request`` is

    events and fail_on [specification of match.py, with ``option`` (its place in the task), ``vm`` as a name or UUID, ``code`` as a number or
    symbol]; match; count; satisfied_by (None or {vm, states, newer_than in seconds since 1970}); answer (None or a number); ready_file (None
    or a path); reconnect.
    """

    def __init__(
        self,
        client: Any,
        request: Dict[str, Any],
        pause: Callable[[float], Any] = time.sleep,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._client, self._request, self._pause, self._spread = client, request, pause, spread
        self._names: Dict[Optional[str], Optional[str]] = {}
        self.tally: Any = None
        self.result: Dict[str, Any] = {
            "outcome": None,
            "satisfied_by": None,
            "seen": {},
            "unreadable": 0,
            "reconnections": 0,
            "error": None,
        }

    def run(self, look_only: bool = False) -> Dict[str, Any]:
        """-> {server, outcome (matched, failed, satisfied, timed_out, error; None when nothing was waited for), error (a PrlError, with that outcome),
        events, failed_on, missing, satisfied_by, seen {type number: count}, unreadable, reconnections}. ``look_only``: do not subscribe."""
        self._client.ensure_open()  # also where nothing is looked at: that the login works is told by check mode
        specifications, state = self._prepare()
        self.tally = Tally(
            specifications["events"], self._request["match"], self._request["count"], specifications["fail_on"]
        )
        if look_only:
            self.result["satisfied_by"] = self._look(state)
        else:
            self._listen(state)
        return dict(
            self.result,
            server=self._client.server,
            events=[self._complete(event) for event in self.tally.events],
            failed_on=self._complete(self.tally.failed_on),
            missing=self.tally.missing,
        )

    # -- names and numbers

    def _prepare(self) -> Tuple[Dict[str, List[Dict[str, Any]]], Optional[Dict[str, Any]]]:
        """The specifications with UUIDs and codes in place of names, by option; and the state to look at, likewise."""
        known: List[Any] = []

        def uuid_of(word: str, option: str) -> str:
            if uuid_key(word):
                return braced(word)  # also of a VM that does not exist yet
            if not known:
                known.append(self._client.vms())
                self._names.update((uuid_key(vm["uuid"]), vm["name"]) for vm in known[0] if vm["uuid"])
            vm = locate.resolve([word], known[0])[0][1]
            if vm is not None and vm["uuid"] is None:
                raise locate.unreadable(word, option + ": ")
            if vm is None:
                raise CallError(
                    "UNKNOWN_VM",
                    "%s: there is no VM or container '%s' on %s.%s"
                    % (option, word, self._client.server["host"], did_you_mean(word, locate.names_of(known[0]))),
                    subject=word,
                )
            return vm["uuid"]

        def ready(raw: Dict[str, Any]) -> Dict[str, Any]:
            vm = raw["vm"] and uuid_of(raw["vm"], raw["option"] + ".vm")
            return dict(raw, vm=vm, code=self._code_of(raw["code"], raw["option"] + ".code"))

        state = self._request["satisfied_by"]
        return (
            {key: [ready(raw) for raw in self._request[key]] for key in ("events", "fail_on")},
            state and dict(state, vm=uuid_of(state["vm"], "satisfied_by.vm")),
        )

    def _code_of(self, code: Any, option: str) -> Optional[int]:
        if not isinstance(code, str):
            return code
        found = self._client.call("error_code", symbol=code)
        if found["code"] is None:
            hint = " Did you mean %s?" % found["near"] if found["near"] else ""
            raise InputError("%s: the SDK knows no code '%s'.%s" % (option, code, hint))
        return found["code"]

    def _complete(self, event: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        """An event with what takes more than the event to know."""
        if event is not None and "server" not in event:
            own = self._client.server["uuid"]
            event["server"] = own
            key = uuid_key(event["issuer_id"])
            if event["vm"] is None and key and key.strip("0-") and key != uuid_key(own):
                event["vm"] = {"uuid": event["issuer_id"], "name": self._names.get(key)}
            event.setdefault("answered", None)
        return event

    # -- the wait

    def _listen(self, state: Optional[Dict[str, Any]]) -> None:
        """Subscribe, say so, look at the state, wait: in this order nothing is lost."""
        self._client.call("subscribe", types=self.tally.types())
        self._waiting()
        if self._request["ready_file"]:
            make_ready(self._request["ready_file"])
        try:
            self.result["outcome"], self.result["satisfied_by"] = self._wait(state)
            if self.result["outcome"] == "lost":
                raise CallError(
                    "PRL_ERR_WS_DISP_CONNECTION_CLOSED",
                    "The connection to the server was lost.",
                    "wait",
                    CONNECTION_LOST,
                    subject=self._client.server["host"],
                )
        except PrlError as error:  # what was heard until then goes with it
            self.result.update(outcome="error", error=error)
        if self._client.alive:
            try:
                self.result.update(self._client.call("heard"))
            except PrlError:  # it ended meanwhile
                pass
        if self.result["outcome"] == "timed_out" and self._client.alive:
            try:
                self._count_the_rest(self._feed)
                self.result["outcome"] = self.tally.outcome or "timed_out"
            except PrlError as error:  # there was no time left for an answer
                self.result.update(outcome="error", error=error)
        elif not self._client.alive:
            self._count_the_rest(lambda event, question: self.tally.feed(event))
            if self.result["outcome"] == "timed_out":
                self.result["outcome"] = self.tally.outcome or "timed_out"

    def _count_the_rest(self, feed: Callable[[Dict[str, Any], Any], Any]) -> None:
        """What came before the end, and was read only afterwards, counts."""
        line = self._client.received()
        while line is not None:
            if line["kind"] == "event":
                feed(line["event"], line.get("question"))
            line = self._client.received()

    def _waiting(self) -> None:
        self._client.announce("wait", self._client.server["host"])

    def _wait(self, state: Optional[Dict[str, Any]]) -> Tuple[str, Optional[Dict[str, Any]]]:
        """(outcome, the state that satisfied): outcome is that of the tally (matched, failed), ``satisfied``, ``timed_out`` or ``lost``."""
        looking = True
        while True:
            if looking:
                satisfied = self._look_beside_the_wait(state)
                if satisfied:
                    return "satisfied", satisfied
                looking = False
            lost = self._hear()
            if self.tally.outcome:
                return self.tally.outcome, None
            if self._client.left() <= 0:
                return "timed_out", None
            if lost and not self._request["reconnect"]:
                return "lost", None
            if lost:
                if not self._persist():
                    return "timed_out", None
                looking = True

    def _look_beside_the_wait(self, state: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        try:
            return self._look(state)
        except WorkerDied:
            raise
        except CallError as failure:
            # What was looked for must not hide that the connection, or the time, has come to its end.
            if self._client.left() > 0 and self._client.call("is_connected"):
                raise failure
            return None
        finally:
            self._waiting()

    def _hear(self) -> bool:
        """Feed what is heard to the tally until it has an outcome, the time is over and nothing more is queued, or the connection is lost (True)."""
        while not self.tally.outcome:
            left = self._client.left()
            # At the deadline what is here is heard for half of the grace; the other half is for the last call.
            line = self._client.event(max(0.0, left)) if left > -GRACE / 2 else None
            if line is None:
                return False
            if line["kind"] == "lost":
                return True
            if line["kind"] == "event":
                self._feed(line["event"], line.get("question"))
        return False

    def _feed(self, event: Dict[str, Any], question: Any) -> None:
        if (
            self.tally.feed(event)
            and question is not None
            and self._request["answer"] is not None
            and event is not self.tally.failed_on
        ):
            self._answer(question, event)

    def _answer(self, question: Any, event: Dict[str, Any]) -> None:
        wanted = self._request["answer"]
        offered = [
            value["value"] for name, value in sorted(event["params"].items()) if name.startswith("vm_message_choice_")
        ]
        if offered and wanted not in offered:
            names = self._client.call("answer_names", numbers=offered)
            choices = ", ".join("%s (%d)" % pair for pair in zip(names, offered))
            raise InputError("answer: %d is not among the answers to this question: %s." % (wanted, choices))
        self._forget_jobs()
        self._client.call("send_answer", subject=self._client.server["host"], question=question, answer=wanted)
        code = self._answer_code()
        if code:
            symbol = self._client.call("error_name", code=code)
            raise CallError(
                symbol,
                "The server did not accept the answer.",
                "send_answer",
                code,
                subject=self._client.server["host"],
            )
        event["answered"] = wanted

    def _forget_jobs(self) -> None:
        """How an earlier answer was taken says nothing about the next one."""
        kept, line = [], self._client.pending_event()
        while line is not None:
            if line["kind"] != "job":
                kept.append(line)
            line = self._client.received() if line["kind"] != "lost" else None
        self._client.put_back(kept)

    def _answer_code(self) -> Optional[int]:
        """How the server took the answer: 0, an error's code, or None when it has not said. Events that come meanwhile are kept."""
        kept, code = [], None
        end = min(ANSWER_PATIENCE, max(0.0, self._client.left()))
        while code is None:
            line, end = self._client.event_within(end)
            if line is None:
                break
            if line["kind"] == "job" and line["operation"] == PJOC_SRV_SEND_ANSWER:
                code = line["code"]
            else:
                kept.append(line)
                if line["kind"] == "lost":
                    break
        self._client.put_back(kept)
        return code

    def _persist(self) -> bool:
        """Log in again, with growing pauses; False when the time is over first."""
        pause = FIRST_PAUSE
        while self._client.left() > 0:
            try:
                self._client.reopen()
            except CallError as failure:
                if not failure.error["retryable"] and failure.error["symbol"] not in RESTARTING:
                    raise
            else:
                self.result["reconnections"] += 1
                return True
            self._pause(max(0, min(self._client.left(), self._spread(pause / 2, pause))))
            pause = min(pause * 2, LONGEST_PAUSE)
        return False

    # -- the present state

    def _look(self, state: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        """What of the present state ends the wait immediately: {vm, vm_state, newest_backup}, or None."""
        if state is None:
            return None
        found = {"vm": state["vm"], "vm_state": None, "newest_backup": None}
        if state["states"] is not None:
            vm = locate.resolve([state["vm"]], self._client.vms())[0][1]
            self._client.complete([vm] if vm else [], "state")
            found["vm_state"] = vm and vm["state"]
            if found["vm_state"] not in state["states"]:
                return None
        if state["newer_than"] is not None:
            found["newest_backup"] = newest_backup(self._client, state["vm"])
            if found["newest_backup"] is None or found["newest_backup"] < state["newer_than"]:
                return None
        return found


def newest_backup(client: Any, uuid: str) -> Optional[int]:
    """When the newest backup of a VM was made, in seconds since 1970; None when there is none."""
    text = client.tree(uuid)
    if not text.holds_backups():
        text = (
            locate.in_another_spelling(client, uuid, BOTH, locate.by_key(locate.registered_uuids(client)))
            or (uuid, text)
        )[1]
    times = [backup.created for vm in locate.read(text, uuid) for chain in vm.chains for backup in chain.backups]
    return _time.parse_instant(max(times)) if times else None


def make_ready(path: str) -> None:
    """Tell whoever looks for this file that no event is missed from now on."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise CallError(
            READY_FILE_FAILED,
            "ready_file: '%s' cannot be created: %s." % (path, os.strerror(error.errno or 0)),
            subject=path,
        ) from None
