# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing backups, one careful step at a time. Knows neither the SDK nor Ansible.

The server's own removal is not to be trusted with a wrong id: a number that is not in the chain deletes the whole chain, and
any number deletes everything of a VM that has one backup left; both are reported as success. An increment goes with all later
ones, and they go oldest first, so that an interruption leaves orphans. Therefore

* ``decide`` looks at one VM's tree, read in this session just before, and turns what is asked into steps of which each is safe
  alone: the newest increment first and with the keep-chain flag, which makes a wrong number an error; a full only with its whole
  chain, and only when all of that is asked for;
* ``Removal`` does one step, reads the tree again and compares. That same tree is what the next step is decided on.

Three rules hold on every path.

1. Nothing is asked of the server on a look that is older than the last pause, refusal, reconnection or other call: ``FreshServer``
   raises where the code would. The tree after a step and the tree before the next one may be the same, because no time passes.
2. A request whose connection was lost is a debt: the server may do it now, later or never. It stays one to the end of the run, and no step
   is done after which fewer than two backups would be left if every debt were collected: with a single backup left, the server would take
   it, whatever the debt names.
3. Hidden is not gone. The server does not show a chain that somebody writes to. What does not show counts as removed when the server said
   so, when its chain shows without it, or when the server answers that it is not there.
"""

import collections
from typing import Any, Callable, Collection, Dict, FrozenSet, Iterable, List, NoReturn, Optional, Set, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._backups.live_tree import Vm
from ansible_collections.prlsdk.core.plugins.module_utils._backups.removal_rules import (
    ABSENT,
    BUSY_OUTCOME,
    FAILED,
    GONE_MEANWHILE,
    GOOD,
    LEFT_WITH_DEBTS,
    NOT_ASKED_AGAIN,
    NOT_ATTEMPTED,
    REFUSED,
    REMOVAL_RUNNING,
    REMOVED,
    Debts,
    Entry,
    Lost,
    Options,
    Step,
    Verdict,
    chain_key,
    collateral,
    decide,
    settled_with,
    too_few_left,
)
from ansible_collections.prlsdk.core.plugins.module_utils._backups.retry import RetryBudget, reserve
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import (
    BUSY,
    LOST,
    NOT_THERE,
    TIMEOUT,
    WORKER_DIED,
)

# A chain that was just written may stay hidden for a moment. This is how long to look again, at least, before that is an alarm.
SETTLE = 3.0


class Stop(Exception):
    """Nothing more may be done; ``reason`` and ``message`` are for what is left."""

    def __init__(self, reason: str, message: Optional[str], error: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.reason, self.message, self.error = reason, message, error


class Answer:
    """What the server said to a request; ``error`` is None where it did it, and where the SDK's process died before it could be said."""

    def __init__(self, error: Optional[Dict[str, Any]] = None) -> None:
        symbol = error["symbol"] if error else ""
        self.died, self.done = symbol == WORKER_DIED, error is None
        self.error = None if self.died else error
        # Refused before anything was done.
        self.busy, self.not_there = bool(BUSY.match(symbol)), bool(NOT_THERE.match(symbol))
        self.refused = self.busy or self.not_there
        # Nothing was heard of it any more; the server may do it all the same.
        self.late = symbol == TIMEOUT
        self.lost = bool(LOST.match(symbol)) or self.late or self.died
        self.failed = not (self.done or self.refused or self.lost)


class FreshServer:
    """A server that is asked to remove something on a fresh look only. ``server`` is a Backups of live.py, or a Rehearsal of one."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._look: Optional[Vm] = None
        self.left = server.left

    def read(self, uuid: str) -> Vm:
        self._look = None
        look: Vm = self._server.read(uuid)
        self._look = look
        return look

    def is_fresh(self, vm: Vm) -> bool:
        """Whether nothing has happened since this tree was read."""
        return vm is self._look

    def remove(self, vm: Vm, step: Step, limit: float) -> None:
        if not self.is_fresh(vm):
            raise AssertionError("a removal of %s was about to be asked for on an old look" % step.id)
        self._look = None
        self._server.remove(vm.uuid, step.id, step.keep_chain, limit)

    def pause(self, attempt: int, limit: float) -> float:
        self._look = None
        return self._server.pause(attempt, limit)

    def reopen(self) -> None:
        self._look = None
        self._server.reopen()

    def find(self, uuid: str, ids: List[str]) -> Dict[str, List[str]]:
        self._look = None
        return self._server.find(uuid, ids)

    def running_removals(self) -> int:
        self._look = None
        return self._server.running_removals()


class Removal:
    """Takes entries and does them. ``server`` is a Backups of live.py, or a rehearsal of one.

    ``report(entry)`` is called when an entry is settled, ``attempt(step, vm)`` right before the server is asked. ``debts`` are [(VM's uuid,
    backup's id)] of earlier requests that the server may still do, ``running`` is how many removals it was at when we logged in.
    """

    def __init__(
        self,
        server: Any,
        entries: List["Entry"],
        options: Options,
        report: Callable[[Entry], Any] = lambda entry: None,
        attempt: Callable[[Step, Vm], Any] = lambda step, vm: None,
        debts: Iterable[Tuple[str, str]] = (),
        running: int = 0,
    ) -> None:
        self.server, self.entries, self.options, self.report, self.attempt = (
            FreshServer(server),
            entries,
            options,
            report,
            attempt,
        )
        self.before: Dict[str, Vm] = collections.OrderedDict()
        self.after: Dict[str, Vm] = collections.OrderedDict()
        self.stop: Optional[Stop] = None
        self.died: Optional[PrlError] = None
        # Keys of the backups that are gone by this run, or may be.
        self.removed_by_us: Set[str] = set()
        self.debts: Dict[str, Tuple[str, List[str]]] = collections.OrderedDict()
        self.running = running
        for uuid, identity in debts:
            self._owe(uuid, identity)
        self.reserve = reserve(server)

    def run(self) -> Dict[str, Any]:
        """Settle every entry. Returns {backups, stop, removed_by_others, debts, before, after, died}.

        ``removed_by_others`` are {vm, id} of what was there at first and at last was not, by another hand; ``debts`` are {vm, id} of the requests
        that the server may still do; ``before`` and ``after`` are {VM's uuid: {name, ids}} without what others removed; ``died`` is how the SDK's
        process died, None if it did not: what became of the request in flight is found out, and no other one is made.
        """
        try:
            for uuid, group in grouped(self.entries, lambda entry: entry.vm):
                todo = [entry for entry in group if entry.verdict is None]
                if uuid is not None and todo:
                    self._do_vm(uuid, todo)
                self._check_errors(group)
        except Stop as stop:
            self.stop = stop
        except PrlError as failure:
            self._note_death(failure)
            self.stop = Stop("error", failure.message, failure.error)
        # That the SDK crashed is told where nothing worse is.
        if self.died and (
            self.stop or any(entry.verdict and entry.verdict.outcome not in GOOD for entry in self.entries)
        ):
            if self.stop is None or self.stop.reason in ("stopped", "error", "connection_lost"):
                self.stop = Stop("worker_died", self.died.message, self.died.error)
        for entry in self.entries:
            if entry.verdict is None:
                self.settle(entry, Verdict(NOT_ATTEMPTED, self.stop.reason if self.stop else "stopped", None))
        return {
            "backups": [entry.result() for entry in self.entries],
            "stop": self.stop and {"reason": self.stop.reason, "message": self.stop.message, "error": self.stop.error},
            "removed_by_others": [
                {"vm": uuid, "id": identity} for uuid in self.before for identity in self._removed_by_others(uuid)
            ],
            "debts": self.open_requests(),
            "died": self.died and self.died.message,
            "before": {
                uuid: {"name": vm.name, "ids": self._without(vm.ids(), self._removed_by_others(uuid))}
                for uuid, vm in self.before.items()
            },
            "after": {uuid: {"name": vm.name, "ids": vm.ids()} for uuid, vm in self.after.items()},
        }

    def _removed_by_others(self, uuid: str) -> List[str]:
        gone = self.before[uuid].keys() - self.after[uuid].keys() - self.removed_by_us
        return [backup.id for chain in self.before[uuid].chains for backup in chain.backups if backup.key in gone]

    @staticmethod
    def _without(ids: List[str], left_out: Collection[str]) -> List[str]:
        left_out = frozenset(left_out)
        return [identity for identity in ids if identity not in left_out]

    def settle(self, entry: "Entry", verdict: Verdict, error: Optional[Dict[str, Any]] = None) -> None:
        entry.verdict, entry.error = verdict, error
        self.report(entry)

    def _check_errors(self, entries: List["Entry"]) -> None:
        if self.options.on_error == "stop" and any(
            entry.verdict and entry.verdict.outcome not in GOOD for entry in entries
        ):
            raise Stop("stopped", None)

    def open_requests(self) -> List[Dict[str, str]]:
        """[{vm, id}] of what was asked for and may still be done."""
        return [{"vm": uuid, "id": identity} for uuid, ids in self.debts.values() for identity in ids]

    def _owe(self, uuid: str, identity: str) -> None:
        ids = self.debts.setdefault(id_key(uuid), (uuid, []))[1]
        if identity not in ids:
            ids.append(identity)

    def _debts_of(self, uuid: str) -> Debts:
        return Debts(tuple(self.debts.get(id_key(uuid), (uuid, ()))[1]), self.running)

    def _do_vm(self, uuid: str, entries: List["Entry"]) -> None:
        try:
            vm = self._read(uuid)
            absent = [entry for entry in entries if not entry.located and not vm.has_chain(entry.chain_key)]
            found = self.server.find(uuid, [entry.id for entry in absent]) if absent else {}
            vm = self._fresh(vm)
        except PrlError as failure:
            self._note_death(failure)
            self._give_up_after(failure.error)
            for entry in entries:
                self.settle(entry, Verdict(FAILED, "error", None), failure.error)
            return
        self._seen(vm)
        for entry in entries:
            place = vm.place(entry.key)
            owners = found.get(entry.key, ())
            if place is not None:
                entry.located, entry.id = False, place[0].backups[place[1]].id
            elif any(id_key(owner) == id_key(uuid) for owner in owners):
                entry.located = True
            elif owners:
                self.settle(
                    entry,
                    Verdict(REFUSED, "other_vm", "It is a backup of VM %s, not of %s." % (", ".join(owners), uuid)),
                )
        self._check_errors(entries)
        for _chain_key, group in grouped(
            [entry for entry in entries if entry.verdict is None], lambda entry: entry.chain_key
        ):
            vm = self._do_chain(vm, group, entries)
            self._check_errors(group)

    def _seen(self, vm: Vm) -> None:
        first = self.before.setdefault(vm.uuid, vm)
        vm.name = vm.name or first.name  # the answer does not name a VM without backups
        self.after[vm.uuid] = vm

    def _fresh(self, vm: Vm) -> Vm:
        """The VM's tree as it is now."""
        return vm if self.server.is_fresh(vm) else self._read(vm.uuid)

    def _do_chain(self, vm: Vm, group: List[Entry], entries: List["Entry"]) -> Vm:
        tries = RetryBudget(self.server, self.options.busy_timeout, self.reserve)
        while True:
            vm = self._fresh(vm)
            self._seen(vm)
            if (
                tries.lost and tries.lost.step.intended - vm.keys() - self.removed_by_us
            ):  # it was done since, or is being done
                lost, tries.lost = tries.lost, None
                vm = self._pursue(lost.before, lost.step, tries, lost.answer)
                self._give_up_chain_after(lost.step, group)
                continue
            todo = [entry for entry in group if entry.verdict is None]
            excluded = frozenset(entry.key for entry in group if entry.verdict and entry.verdict.outcome == REFUSED)
            pending = [entry for entry in entries if entry.verdict is None]
            verdicts, steps = decide(vm, todo, pending, self.options, excluded, self._debts_of(vm.uuid))
            if REMOVAL_RUNNING in verdicts.values() and tries.again():
                self.running = self.server.running_removals()
                continue
            for entry in todo:
                if entry in verdicts:
                    verdict = verdicts[entry]
                    if verdict.outcome == ABSENT and self._was_there(vm.uuid, entry.key):
                        verdict = GONE_MEANWHILE
                    elif tries.lost and verdict.outcome not in GOOD and entry in settled_with(tries.lost.step):
                        verdict = Verdict(FAILED, "connection_lost", NOT_ASKED_AGAIN % verdict.message)
                    self.settle(
                        entry,
                        verdict,
                        tries.lost.answer.error if verdict.reason == "connection_lost" and tries.lost else None,
                    )
            self._check_errors(group)
            if any(verdict.outcome in (FAILED, BUSY_OUTCOME) for verdict in verdicts.values()):
                self._give_up_chain(group)
            if not steps:
                return vm
            vm = self._do_step(vm, steps[0], tries)
            self._give_up_chain_after(steps[0], group)
            if any(entry.verdict is None for entry in group):
                self._stop_after_death()

    def _give_up_chain_after(self, step: Step, group: List[Entry]) -> None:
        if any(entry.verdict and entry.verdict.outcome not in GOOD for entry in settled_with(step)):
            self._give_up_chain(group)

    def _give_up_chain(self, group: List[Entry]) -> None:
        for entry in group:
            if entry.verdict is None:
                self.settle(
                    entry, Verdict(NOT_ATTEMPTED, "chain_failed", "Another backup of its chain could not be removed.")
                )

    def _was_there(self, uuid: str, key: str) -> bool:
        return key not in self.removed_by_us and self.before[uuid].place(key) is not None

    def _do_step(self, vm: Vm, step: Step, tries: RetryBudget) -> Vm:
        """Ask for one removal. Settles the step, or leaves it to be decided anew; returns the last tree that was read."""
        self._stop_after_death()
        if self.server.left() <= self.reserve:
            raise Stop(
                "timeout",
                "The time is over. What was removed so far is removed; run again for the rest, or raise 'timeout'.",
            )
        if self.options.stop_at is not None and self.server.left() <= self.options.stop_at:
            raise Stop("stop_after", None)
        return self._pursue(vm, step, tries, self._ask(vm, vm, step, tries))

    def _note_death(self, failure: PrlError) -> None:
        if failure.error["symbol"] == WORKER_DIED:
            self.died = failure

    def _stop_after_death(self) -> None:
        if self.died:
            raise Stop("worker_died", self.died.message, self.died.error)

    def _pursue(self, vm: Vm, step: Step, tries: RetryBudget, answer: Answer) -> Vm:
        """From an answer to what the step did: settled, or left to be decided anew. Returns the last tree that was read."""
        before = vm  # as the step's chain was last seen
        looks = RetryBudget(self.server, max(SETTLE, self.options.busy_timeout), self.reserve)
        wait = answer.busy
        while True:
            if wait and not (tries if answer.busy else looks).again():
                self._give_up(before, vm, step, tries, answer)
                return vm
            vm = self._read_after(before, step, answer)
            if vm.has_chain(chain_key(next(iter(step.intended)))):
                return self._compare(before, vm, step, tries, answer)
            # The chain does not show: it is gone, or hidden.
            if step.kind == "chain" and answer.done and (vm.keys() or before.keys() <= step.intended):
                self._conclude(before, step, step.intended, None)
                return vm
            if answer.not_there:
                if step.id in tries.open_requests:  # it was an earlier one of ours that has come to its end
                    self._conclude(before, step, step.intended, answer.error)
                return vm
            wait = not self._may_ask_again(vm, step, tries, answer)
            if not wait:
                answer = self._ask(before, vm, step, tries)
                wait = answer.busy

    def _ask(self, before: Vm, vm: Vm, step: Step, tries: RetryBudget) -> Answer:
        """One request on the tree ``vm``, and the reconnection where it is lost. ``before`` is the last one that showed the chain. Returns its Answer."""
        self.attempt(step, before)
        try:
            self.server.remove(vm, step, self.server.left() - self.reserve)
        except PrlError as failure:
            self._note_death(failure)
            answer = Answer(failure.error)
        else:
            return Answer()
        if not answer.refused:
            tries.open_requests.append(step.id)
        if answer.lost:
            self._owe(vm.uuid, step.id)
            if (answer.late or answer.died) and self.server.left() <= self.reserve:
                message = "The server has not finished its removal in time and goes on with it. Look at the backups before you run again."
                self._fail(step, FAILED, "timeout", message, answer.error)
                raise Stop("timeout", "The time is over.")
            self._reconnect(step, answer)
        return answer

    def _may_ask_again(self, vm: Vm, step: Step, tries: RetryBudget, answer: Answer) -> bool:
        """Whether to ask once more for a chain that does not show: only the server can tell one that is gone from one that is hidden.

        No other work than a removal hides a chain, so that asking for a whole one again takes nothing that was not meant. But where a single
        other backup is left, a request for what is gone by then might take that one.
        """
        return (
            step.kind == "chain"
            and not answer.done
            and tries.open_requests.count(step.id) < 2
            and self.server.left() > self.reserve
            and len(vm.keys()) >= LEFT_WITH_DEBTS
            and not too_few_left(vm, step, self._debts_of(vm.uuid))
        )

    def _compare(self, before: Vm, vm: Vm, step: Step, tries: RetryBudget, answer: Answer) -> Vm:
        """The step's chain shows: settle the step by what is gone from it. Returns that tree."""
        gone = step.intended - vm.keys()
        unmeant = collateral(before, step, vm) - frozenset(id_key(identity) for identity in self._debts_of(vm.uuid).ids)
        if unmeant and not answer.refused:
            self._stop_for_damage(before, step, gone, unmeant, answer.error)
        if answer.done or answer.failed or answer.lost and gone:
            self._conclude(before, step, gone, answer.error)
        elif answer.refused and gone == step.intended and step.id in tries.open_requests:
            self._conclude(before, step, gone, answer.error)  # an earlier request of ours has come to its end
        elif answer.not_there and not gone:
            self._fail(step, FAILED, "error", None, answer.error)
        elif answer.lost and (answer.died or tries.open_requests.count(step.id) > 1):
            self._fail_as_lost(step, "it is still there", answer)
        elif answer.lost:
            tries.lost = Lost(before, step, answer)
        return vm

    def _give_up(self, before: Vm, vm: Vm, step: Step, tries: RetryBudget, answer: Answer) -> None:
        """There was no more time to wait for a chain that is in use, or that does not show."""
        if answer.busy:
            shows = vm.has_chain(chain_key(next(iter(step.intended))))
            where = "It is still in use" if shows else "Its chain does not show, so it is in use or gone,"
            self._fail(
                step, BUSY_OUTCOME, "locked", "%s after %d seconds of trying." % (where, tries.waited), answer.error
            )
        elif answer.done:
            self._stop_for_damage(before, step, step.intended, collateral(before, step, vm), None)
        elif answer.lost:
            self._fail_as_lost(step, "its chain does not show", answer)
        else:
            self._fail(step, FAILED, "error", "Its chain does not show, so it is in use or gone.", answer.error)

    def _fail_as_lost(self, step: Step, state: str, answer: Answer) -> None:
        how, reason = (
            ("The SDK's process died", "worker_died") if answer.died else ("The connection was lost", "connection_lost")
        )
        message = (
            "%s during its removal, and %s. The server may still be at it. Look at the backups later, before you run again."
            % (how, state)
        )
        self._fail(step, FAILED, reason, message, answer.error)

    def _stop_for_damage(
        self, before: Vm, step: Step, gone: FrozenSet[str], unmeant: FrozenSet[str], error: Optional[Dict[str, Any]]
    ) -> NoReturn:
        self._credit(before, step, gone)
        self.removed_by_us.update(unmeant)
        names = ", ".join(backup.id for chain in before.chains for backup in chain.backups if backup.key in unmeant)
        message = (
            "After the removal of %s, other backups of VM %s do not show any more: %s. Nothing more is removed. If nobody else removed them or is writing to "
            "them, this is damage by the server: look at the VM's backups now, and make a full backup."
            % (step.id, before.uuid, names)
        )
        self._fail(step, FAILED, "unexpected", message, error)
        raise Stop("unexpected", message, error)

    def _conclude(self, before: Vm, step: Step, gone: FrozenSet[str], error: Optional[Dict[str, Any]]) -> None:
        """Nothing is in doubt any more: what is gone was removed, and what is not was not."""
        self._credit(before, step, gone)
        if not step.intended - gone:
            for entry in step.covers:
                self.settle(entry, Verdict(REMOVED, None, None), error)
        elif error is None:
            self._fail(step, FAILED, "still_there", "The server said that it removed it, and it is still there.", None)
        else:
            self._fail(step, FAILED, "error", None, error)

    def _fail(
        self, step: Step, outcome: str, reason: str, message: Optional[str], error: Optional[Dict[str, Any]]
    ) -> None:
        for entry in settled_with(step):
            self.settle(entry, Verdict(outcome, reason, message), error)

    def _credit(self, before: Vm, step: Step, gone: FrozenSet[str]) -> None:
        """Write down, where it belongs, what this step removed."""
        gone = gone & step.intended
        self.removed_by_us.update(gone)
        own = {entry.key: entry for entry in step.covers}
        for backup in before.place_of(next(iter(step.intended)))[0].backups:
            if backup.key in gone:
                own.get(backup.key, step.owner).removed.append(backup.id)

    def _reconnect(self, step: Step, answer: Answer) -> None:
        try:
            self.server.reopen()
        except PrlError as failure:
            self._fail_as_lost(step, "the connection could not be made again", answer)
            raise Stop("connection_lost", "The connection to the server was lost.", failure.error) from None

    def _read_after(self, before: Vm, step: Step, answer: Answer) -> Vm:
        try:
            vm = self._read(before.uuid)
        except PrlError as failure:
            message = "What its removal did is not known: the backups could not be read afterwards. Look at them before you run again."
            if answer.done:
                self._credit(before, step, step.intended)
                message = "The server said that it removed it; the backups could not be read afterwards. Look at them before you run again."
            self._fail(step, FAILED, "unverified", message, answer.error or failure.error)
            raise Stop("unverified", "The backups could not be read any more.", failure.error) from None
        self._seen(vm)
        return vm

    def _read(self, uuid: str) -> Vm:
        """The VM's tree. One lost connection is made up for, and what passes is waited for: reading harms nobody."""
        tries, lost = RetryBudget(self.server, self.options.busy_timeout, self.reserve), False
        while True:
            try:
                return self.server.read(uuid)
            except PrlError as failure:
                self._note_death(failure)
                symbol = failure.error["symbol"]
                gone = LOST.match(symbol) or symbol == WORKER_DIED
                if not (gone and not lost) and not (BUSY.match(symbol) and tries.again()):
                    raise
            if gone:
                lost = True
                self.server.reopen()

    def _give_up_after(self, error: Dict[str, Any]) -> None:
        if error["symbol"] == "PRL_ERR_TIMEOUT" and self.server.left() <= self.reserve:
            raise Stop("timeout", "The time is over.", error)
        if error["symbol"] == WORKER_DIED:
            raise Stop("worker_died", error["message"], error)
        if LOST.match(error["symbol"]):
            raise Stop("connection_lost", "The connection to the server was lost.", error)


class Rehearsal:
    """A server that reads for real and removes in memory only: what check mode runs ``Removal`` against."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._trees: Dict[str, Vm] = {}
        self.find = server.find
        self.left = server.left
        self.reopen = server.reopen
        self.pause = server.pause
        self.running_removals = server.running_removals

    def read(self, uuid: str) -> Vm:
        if uuid not in self._trees:
            self._trees[uuid] = self._server.read(uuid)
        return self._trees[uuid]

    def remove(self, uuid: str, id: str, keep_chain: bool, limit: float) -> None:
        vm = self._trees[uuid]
        chain, position = vm.place_of(id_key(id))
        self._trees[uuid] = vm.without([backup.key for backup in chain.backups] if position == 0 else [id_key(id)])


def grouped(entries: List["Entry"], key: Callable[[Entry], Any]) -> List[Tuple[Any, List[Entry]]]:
    """[(key, [entry, ...])] in the order in which the keys first come."""
    groups: Dict[Any, List[Entry]] = collections.OrderedDict()
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return list(groups.items())
