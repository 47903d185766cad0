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

from ansible_collections.prlsdk.core.plugins.module_utils._backups.retry import Tries, reserve
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._ids import key as key_of
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import (
    BUSY,
    LOST,
    NOT_THERE,
    TIMEOUT,
    WORKER_DIED,
)

# A chain that was just written may stay hidden for a moment. This is how long to look again, at least, before that is an alarm.
SETTLE = 3.0
# Below this version of the storage format the server knows no keep-chain flag.
KEEP_CHAIN_VERSION = 4
# With fewer backups of a VM left, a late request of whatever id could take the last one.
LEFT_WITH_DEBTS = 2

REMOVED, ABSENT, REFUSED, BUSY_OUTCOME, FAILED, NOT_ATTEMPTED = (
    "removed",
    "already_absent",
    "refused",
    "busy",
    "failed",
    "not_attempted",
)
GOOD = (REMOVED, ABSENT)

# outcome, reason (a word or None), message (a sentence or None)
Verdict = collections.namedtuple("Verdict", "outcome reason message")
# kind: chain, increment, merge. id: what the server is asked to remove. intended: keys of all that has to be gone afterwards.
# owner: the entry that a dependent without an entry of its own goes for, or the entry itself. covers: entries that are done with it.
Step = collections.namedtuple("Step", "kind id keep_chain intended owner covers")
# A step whose request was lost, its Answer, and the tree that it was decided on.
Lost = collections.namedtuple("Lost", "before step answer")
# What a backup is known by beside its id, which can be given again: created (YYYY-MM-DDTHH:MM:SSZ) and size (bytes); None: anything.
Known = collections.namedtuple("Known", "created size")
# Requests that the server may still do for a VM. ids: of what was asked for. running: how many of unknown parameters it was at.
Debts = collections.namedtuple("Debts", "ids running")

NO_DEBTS = Debts((), 0)
ANYTHING = Known(None, None)

GONE_MEANWHILE = Verdict(
    ABSENT,
    "gone_meanwhile",
    "It was there a moment ago and is not there any more: somebody else removed it, or is at it.",
)
OUT_OF_REACH = Verdict(
    REFUSED,
    "other_directory",
    (
        "It is in the server's default backup directory, but the VM has a backup directory of its own, and the server looks only there for this VM's backups. "
        "Remove it while the VM has no directory of its own."
    ),
)
TOO_FEW_LEFT = (
    "After that fewer than %d backups of the VM could be left, so it was not asked for. Run again when that removal has ended."
    % LEFT_WITH_DEBTS
)
NOT_ASKED_AGAIN = (
    "The connection was lost during its removal, which the server may still do. It was not asked for again. %s"
)
REMOVAL_RUNNING = Verdict(
    BUSY_OUTCOME,
    "removal_running",
    "The server was at another removal when this task logged in, which may be one of this VM. " + TOO_FEW_LEFT,
)


class Options:
    """What holds for all entries of a request."""

    def __init__(self, dependents="refuse", allow_remove_last=False, on_error="stop", busy_timeout=60.0, stop_at=None):
        self.dependents, self.allow_remove_last, self.on_error, self.busy_timeout = (
            dependents,
            allow_remove_last,
            on_error,
            busy_timeout,
        )
        self.stop_at = stop_at  # no removal begins when no more than so many seconds are left; None: no such limit


class Entry:
    """One backup that somebody asked to be gone, and what became of it. ``removes``: {key: Known} of what its plan says goes with it."""

    def __init__(
        self, index, id, key, vm=None, created=None, size=None, action=None, removes=None, allow_remove_last=False
    ):
        self.index, self.id, self.key, self.vm, self.action = index, id, key, vm, action
        self.known, self.removes, self.allow_remove_last = Known(created, size), dict(removes or {}), allow_remove_last
        # Whether a look at the whole tree has found it: then it is not absent, even if its VM's own tree does not show it.
        self.located = False
        self.removed = []
        self.verdict = None
        self.error = None

    @property
    def chain_key(self):
        return chain_key(self.key)

    def result(self):
        verdict = self.verdict or Verdict(NOT_ATTEMPTED, "stopped", None)
        return {
            "id": self.id,
            "vm": self.vm,
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "message": verdict.message,
            "error": self.error,
            "removed": list(self.removed),
        }


def chain_key(key):
    return key.partition(".")[0]


# --- decisions: values in, values out ---------------------------------------------------------------------------------------


def decide(vm, entries, pending, options, excluded=frozenset(), debts=NO_DEBTS):
    """What to do about entries that name backups of one chain.

    ``vm`` is the VM's live tree, ``pending`` are all entries about this VM that are not settled, these among them, ``excluded`` the keys of
    backups that must not go along with others, because they were refused themselves. Returns ({entry: Verdict} for those that are
    settled by looking, [Step, ...] in the order in which to do them).
    """
    verdicts, found = {}, []
    for entry in entries:
        place = vm.place(entry.key)
        if place is None:
            verdicts[entry] = OUT_OF_REACH if entry.located else Verdict(ABSENT, None, None)
            continue
        problem = mismatch(entry, *place)
        if problem:
            verdicts[entry] = Verdict(REFUSED, "mismatch", problem)
        else:
            found.append((place[1], entry))
    if not found:
        return verdicts, []
    chain = vm.place(found[0][1].key)[0]
    by_position = dict(found)
    refuse = _refuser(verdicts)
    _refuse_contradictions(chain, by_position, refuse)
    by_position = dict(item for item in by_position.items() if item[1] not in verdicts)
    head = by_position.get(0)
    if (
        by_position
        and not (options.allow_remove_last or head and head.allow_remove_last)
        and _would_be_last(vm, chain, pending, options)
    ):
        for entry in by_position.values():
            refuse(
                entry,
                "last_backup",
                "It belongs to the newest restore point of the VM, and nothing else would be left. "
                "'allow_remove_last' permits that.",
            )
        return verdicts, []
    excluded = excluded.union(entry.key for entry, verdict in verdicts.items() if verdict.outcome == REFUSED)
    steps = _chain_step(chain, by_position, excluded, refuse, options) or _increment_steps(
        chain, by_position, excluded, refuse, vm, options
    )
    # What would go for an entry that is refused itself stays.
    steps = [step for step in steps if step.owner not in verdicts]
    if not steps:
        return verdicts, []
    step = steps[0]
    problem = None
    if len(vm.keys()) <= len(step.intended) and not (options.allow_remove_last or step.owner.allow_remove_last):
        problem = Verdict(
            REFUSED,
            "last_backup",
            "It is the last restorable backup of the VM. 'allow_remove_last' permits its removal.",
        )
    problem = problem or too_few_left(vm, step, debts)
    if problem:
        verdicts.update((entry, problem) for entry in settled_with(step))
        return verdicts, []
    return verdicts, steps


def settled_with(step):
    """The entries that a failure of this step is a failure of."""
    return step.covers or (step.owner,)


def mismatch(entry, chain, position):
    """Why the live backups are not those that were meant, or None. Ids are used again: only time and size tell."""
    problem = differs(chain.backups[position], entry.known)
    for backup in chain.backups[position:]:
        problem = problem or differs(backup, entry.removes.get(backup.key, ANYTHING))
    return problem


def differs(backup, known):
    if known.created is not None and known.created != backup.created:
        return "The backup %s was made at %s, not at %s." % (backup.id, backup.created, known.created)
    if known.size is not None and known.size != backup.size:
        return "The backup %s has %d bytes, not %d." % (backup.id, backup.size, known.size)
    return None


def too_few_left(vm, step, debts):
    """The verdict where the server's open requests forbid a step, or None."""
    if debts == NO_DEBTS or len(left_after(vm, step.intended, debts)) >= LEFT_WITH_DEBTS:
        return None
    if len(left_after(vm, step.intended, debts._replace(running=0))) >= LEFT_WITH_DEBTS:
        return REMOVAL_RUNNING
    return Verdict(
        FAILED,
        "connection_lost",
        "The connection was lost during the removal of %s, which the server may still do. %s"
        % (", ".join(debts.ids), TOO_FEW_LEFT),
    )


def left_after(vm, intended, debts):
    """Keys of the backups that are left of what shows when ``intended`` and then every debt is gone, at the worst."""
    left = vm.keys() - intended
    for identity in debts.ids:
        place = vm.place(key_of(identity))
        if (
            place is not None
        ):  # a full, also one that was promoted to it, takes its chain along; an increment is asked for alone
            left -= frozenset(place[0].positions if place[1] == 0 else [key_of(identity)])
    if debts.running:
        # A request that nobody knows, one chain at the worst. What it is at already is hidden, and was not counted.
        chains = sorted((left & frozenset(chain.positions) for chain in vm.chains), key=len, reverse=True)
        left -= frozenset().union(*chains[: debts.running])
    return left


def selected_for_removal(vm, entries, options):
    """Keys of all live backups that would go if every entry were done."""
    keys = set()
    for entry in entries:
        place = vm.place(entry.key)
        if place is None or mismatch(entry, *place):
            continue
        chain, position = place
        keys.add(entry.key)
        if entry.action != "merge" and (entry.removes or options.dependents == "remove"):
            later = [backup.key for backup in chain.backups[position:]]
            keys.update(later if options.dependents == "remove" else set(entry.removes).intersection(later))
    return keys


def collateral(vm, step, after):
    """Keys of the backups that nobody meant, do not show after a step, and may have gone by it. ``vm`` and ``after``: the tree before and after.

    The server decides by the folders of the VM's chains, hidden ones too, and takes the whole VM only where there is a single one. So what is
    gone from another chain went by another hand. Only where nothing is left of all that there was nobody can tell, and it all counts.
    """
    touched = vm.chain_keys(step.intended) if vm.keys() & after.keys() else vm.keys()
    return touched - after.keys() - step.intended


def _refuser(verdicts):
    def refuse(entry, reason, message):
        verdicts[entry] = Verdict(REFUSED, reason, message)

    return refuse


def _refuse_contradictions(chain, by_position, refuse):
    for position, entry in by_position.items():
        if position == 0 and entry.action in ("increment", "merge"):
            # Taking a full out and keeping what depends on it is broken in the server.
            refuse(
                entry,
                "not_an_increment",
                "It is the full backup of its chain, which goes only with the whole chain, not as '%s'." % entry.action,
            )
        elif position > 0 and entry.action == "chain":
            refuse(entry, "not_a_full", "It is an increment of the chain %s, not its full backup." % chain.uuid)


def _would_be_last(vm, chain, pending, options):
    """Whether the whole request leaves this VM nothing, and the chain is the one with its newest backup: that one stays."""
    if vm.newest()[0] is not chain:
        return False
    if options.dependents == "refuse" and sum(1 + len(entry.removes) for entry in pending) < len(vm.keys()):
        return False  # fewer are asked for than there are
    return not vm.keys() - selected_for_removal(vm, pending, options)


def _chain_step(chain, by_position, excluded, refuse, options):
    head = by_position.get(0)
    if head is None:
        return []
    asked = set(head.removes)
    for entry in by_position.values():
        asked.add(entry.key)
    if options.dependents == "remove":
        asked.update(backup.key for backup in chain.backups)
    left_out = [backup.id for backup in chain.backups if backup.key not in asked - excluded]
    if left_out:
        refuse(
            head,
            "dependents",
            "Other backups of its chain are not asked for, or refused: %s. 'dependents: remove' permits the removal of those not asked for."
            % ", ".join(left_out),
        )
        del by_position[0]
        return []
    intended = frozenset(backup.key for backup in chain.backups)
    return [
        Step(
            "chain",
            chain.backups[0].id,
            False,
            intended,
            head,
            tuple(by_position[position] for position in sorted(by_position)),
        )
    ]


def _increment_steps(chain, by_position, excluded, refuse, vm, options):
    steps, kept_later = [], []
    if options.dependents == "remove":
        last_excluded = max(
            [position for position, backup in enumerate(chain.backups) if backup.key in excluded] or [0]
        )
        for position in [
            position for position, entry in by_position.items() if position < last_excluded and entry.action != "merge"
        ]:
            refuse(
                by_position.pop(position),
                "dependents",
                "%s depends on it and is refused itself." % chain.backups[last_excluded].id,
            )
    with_others = set()
    for position, entry in by_position.items():
        if entry.action != "merge":
            with_others.update(
                backup.key
                for backup in chain.backups[position:]
                if backup.key in entry.removes and backup.key not in excluded
            )
    # With 'dependents: remove' everything after the first increment that is to go, other than by a merge, goes with it.
    cascade = [position for position, entry in by_position.items() if entry.action != "merge"]
    cascade_from = min(cascade) if cascade and options.dependents == "remove" else None
    for position in range(len(chain.backups) - 1, 0, -1):
        backup, entry = chain.backups[position], by_position.get(position)
        if entry is None and backup.key not in with_others and (cascade_from is None or position < cascade_from):
            kept_later.append(backup.id)
            continue
        if vm.version < KEEP_CHAIN_VERSION:
            if entry is not None:
                refuse(
                    entry,
                    "old_format",
                    "Its storage format (version %d) knows no safe removal of single increments; remove the whole chain."
                    % vm.version,
                )
            kept_later.append(backup.id)
            continue
        if entry is not None and kept_later and entry.action != "merge":
            refuse(
                entry,
                "dependents",
                "Later increments depend on it and are not asked for: %s. 'dependents: remove' permits their removal, "
                "'action: merge' keeps them." % ", ".join(reversed(kept_later)),
            )
            kept_later.append(backup.id)
            continue
        owner = entry or _owner(by_position, position)
        steps.append(
            Step(
                "merge" if kept_later else "increment",
                backup.id,
                True,
                frozenset([backup.key]),
                owner,
                (entry,) if entry else (),
            )
        )
    return steps


def _owner(by_position, position):
    """The nearest earlier increment that a dependent has to go for."""
    return by_position[
        max(earlier for earlier, entry in by_position.items() if earlier < position and entry.action != "merge")
    ]


# --- doing it ---------------------------------------------------------------------------------------------------------------


class Stop(Exception):
    """Nothing more may be done; ``reason`` and ``message`` are for what is left."""

    def __init__(self, reason, message, error=None):
        super().__init__(message)
        self.reason, self.message, self.error = reason, message, error


class Answer:
    """What the server said to a request; ``error`` is None where it did it, and where the SDK's process died before it could be said."""

    def __init__(self, error=None):
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

    def __init__(self, server):
        self._server, self._look = server, None
        self.left = server.left

    def read(self, uuid):
        self._look = None
        self._look = self._server.read(uuid)
        return self._look

    def is_fresh(self, vm):
        """Whether nothing has happened since this tree was read."""
        return vm is self._look

    def remove(self, vm, step, limit):
        if not self.is_fresh(vm):
            raise AssertionError("a removal of %s was about to be asked for on an old look" % step.id)
        self._look = None
        self._server.remove(vm.uuid, step.id, step.keep_chain, limit)

    def pause(self, attempt, limit):
        self._look = None
        return self._server.pause(attempt, limit)

    def reopen(self):
        self._look = None
        self._server.reopen()

    def find(self, uuid, ids):
        self._look = None
        return self._server.find(uuid, ids)

    def running_removals(self):
        self._look = None
        return self._server.running_removals()


class Removal:
    """Takes entries and does them. ``server`` is a Backups of live.py, or a rehearsal of one.

    ``report(entry)`` is called when an entry is settled, ``attempt(step, vm)`` right before the server is asked. ``debts`` are [(VM's uuid,
    backup's id)] of earlier requests that the server may still do, ``running`` is how many removals it was at when we logged in.
    """

    def __init__(
        self, server, entries, options, report=lambda entry: None, attempt=lambda step, vm: None, debts=(), running=0
    ):
        self.server, self.entries, self.options, self.report, self.attempt = (
            FreshServer(server),
            entries,
            options,
            report,
            attempt,
        )
        self.before, self.after = collections.OrderedDict(), collections.OrderedDict()
        self.stop = self.died = None
        # Keys of the backups that are gone by this run, or may be.
        self.removed_by_us = set()
        self.debts, self.running = collections.OrderedDict(), running
        for uuid, identity in debts:
            self._owe(uuid, identity)
        self.reserve = reserve(server)

    def run(self):
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

    def _removed_by_others(self, uuid):
        gone = self.before[uuid].keys() - self.after[uuid].keys() - self.removed_by_us
        return [backup.id for chain in self.before[uuid].chains for backup in chain.backups if backup.key in gone]

    @staticmethod
    def _without(ids, left_out):
        left_out = frozenset(left_out)
        return [identity for identity in ids if identity not in left_out]

    def settle(self, entry, verdict, error=None):
        entry.verdict, entry.error = verdict, error
        self.report(entry)

    def _check_errors(self, entries):
        if self.options.on_error == "stop" and any(
            entry.verdict and entry.verdict.outcome not in GOOD for entry in entries
        ):
            raise Stop("stopped", None)

    def open_requests(self):
        """[{vm, id}] of what was asked for and may still be done."""
        return [{"vm": uuid, "id": identity} for uuid, ids in self.debts.values() for identity in ids]

    def _owe(self, uuid, identity):
        ids = self.debts.setdefault(key_of(uuid), (uuid, []))[1]
        if identity not in ids:
            ids.append(identity)

    def _debts_of(self, uuid):
        return Debts(tuple(self.debts.get(key_of(uuid), (uuid, ()))[1]), self.running)

    def _do_vm(self, uuid, entries):
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
            elif any(key_of(owner) == key_of(uuid) for owner in owners):
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

    def _seen(self, vm):
        first = self.before.setdefault(vm.uuid, vm)
        vm.name = vm.name or first.name  # the answer does not name a VM without backups
        self.after[vm.uuid] = vm

    def _fresh(self, vm):
        """The VM's tree as it is now."""
        return vm if self.server.is_fresh(vm) else self._read(vm.uuid)

    def _do_chain(self, vm, group, entries):
        tries = Tries(self.server, self.options.busy_timeout, self.reserve)
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

    def _give_up_chain_after(self, step, group):
        if any(entry.verdict and entry.verdict.outcome not in GOOD for entry in settled_with(step)):
            self._give_up_chain(group)

    def _give_up_chain(self, group):
        for entry in group:
            if entry.verdict is None:
                self.settle(
                    entry, Verdict(NOT_ATTEMPTED, "chain_failed", "Another backup of its chain could not be removed.")
                )

    def _was_there(self, uuid, key):
        return key not in self.removed_by_us and self.before[uuid].place(key) is not None

    def _do_step(self, vm, step, tries):
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

    def _note_death(self, failure):
        if failure.error["symbol"] == WORKER_DIED:
            self.died = failure

    def _stop_after_death(self):
        if self.died:
            raise Stop("worker_died", self.died.message, self.died.error)

    def _pursue(self, vm, step, tries, answer):
        """From an answer to what the step did: settled, or left to be decided anew. Returns the last tree that was read."""
        before = vm  # as the step's chain was last seen
        looks = Tries(self.server, max(SETTLE, self.options.busy_timeout), self.reserve)
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

    def _ask(self, before, vm, step, tries):
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

    def _may_ask_again(self, vm, step, tries, answer):
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

    def _compare(self, before, vm, step, tries, answer):
        """The step's chain shows: settle the step by what is gone from it. Returns that tree."""
        gone = step.intended - vm.keys()
        unmeant = collateral(before, step, vm) - frozenset(key_of(identity) for identity in self._debts_of(vm.uuid).ids)
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

    def _give_up(self, before, vm, step, tries, answer):
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

    def _fail_as_lost(self, step, state, answer):
        how, reason = (
            ("The SDK's process died", "worker_died") if answer.died else ("The connection was lost", "connection_lost")
        )
        message = (
            "%s during its removal, and %s. The server may still be at it. Look at the backups later, before you run again."
            % (how, state)
        )
        self._fail(step, FAILED, reason, message, answer.error)

    def _stop_for_damage(self, before, step, gone, unmeant, error):
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

    def _conclude(self, before, step, gone, error):
        """Nothing is in doubt any more: what is gone was removed, and what is not was not."""
        self._credit(before, step, gone)
        if not step.intended - gone:
            for entry in step.covers:
                self.settle(entry, Verdict(REMOVED, None, None), error)
        elif error is None:
            self._fail(step, FAILED, "still_there", "The server said that it removed it, and it is still there.", None)
        else:
            self._fail(step, FAILED, "error", None, error)

    def _fail(self, step, outcome, reason, message, error):
        for entry in settled_with(step):
            self.settle(entry, Verdict(outcome, reason, message), error)

    def _credit(self, before, step, gone):
        """Write down, where it belongs, what this step removed."""
        gone = gone & step.intended
        self.removed_by_us.update(gone)
        own = {entry.key: entry for entry in step.covers}
        for backup in before.place(next(iter(step.intended)))[0].backups:
            if backup.key in gone:
                own.get(backup.key, step.owner).removed.append(backup.id)

    def _reconnect(self, step, answer):
        try:
            self.server.reopen()
        except PrlError as failure:
            self._fail_as_lost(step, "the connection could not be made again", answer)
            raise Stop("connection_lost", "The connection to the server was lost.", failure.error) from None

    def _read_after(self, before, step, answer):
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

    def _read(self, uuid):
        """The VM's tree. One lost connection is made up for, and what passes is waited for: reading harms nobody."""
        tries, lost = Tries(self.server, self.options.busy_timeout, self.reserve), False
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

    def _give_up_after(self, error):
        if error["symbol"] == "PRL_ERR_TIMEOUT" and self.server.left() <= self.reserve:
            raise Stop("timeout", "The time is over.", error)
        if error["symbol"] == WORKER_DIED:
            raise Stop("worker_died", error["message"], error)
        if LOST.match(error["symbol"]):
            raise Stop("connection_lost", "The connection to the server was lost.", error)


class Rehearsal:
    """A server that reads for real and removes in memory only: what check mode runs ``Removal`` against."""

    def __init__(self, server):
        self._server, self._trees = server, {}
        self.find = server.find
        self.left = server.left
        self.reopen = server.reopen
        self.pause = server.pause
        self.running_removals = server.running_removals

    def read(self, uuid):
        if uuid not in self._trees:
            self._trees[uuid] = self._server.read(uuid)
        return self._trees[uuid]

    def remove(self, uuid, id, keep_chain, limit):
        vm = self._trees[uuid]
        chain, position = vm.place(key_of(id))
        self._trees[uuid] = vm.without([backup.key for backup in chain.backups] if position == 0 else [key_of(id)])


def grouped(entries, key):
    """[(key, [entry, ...])] in the order in which the keys first come."""
    groups = collections.OrderedDict()
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return list(groups.items())
