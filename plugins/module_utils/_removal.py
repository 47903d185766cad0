# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing backups, one careful step at a time. Standard library of Python 2.7 only; knows neither the SDK nor Ansible.

The server's own removal is not to be trusted with a wrong id: a number that is not in the chain deletes the whole chain, and
any number deletes everything of a VM that has one backup left; both are reported as success. An increment goes with all later
ones, and they go oldest first, so that an interruption leaves orphans. Therefore

* ``decide`` looks at one VM's tree, read in this session just before, and turns what is asked into steps of which each is safe
  alone: the newest increment first and with the keep-chain flag, which makes a wrong number an error; a full only with its whole
  chain, and only when all of that is asked for;
* ``Removal`` does one step, reads the tree again and compares. That same tree is what the next step is decided on.

Others may prune the same VM on the same server meanwhile, chains of their own. They are told from damage by where something is gone:
the server touches the chain that it is given and no other one, see ``beyond``; and by what it answered: a refusal is no removal.

The tree after a step and the tree before the next one may be the same text because no time passes in between: it is read in the
session that makes the call, and every pause ends with another reading.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections

if __name__.startswith("ansible_collections."):
    from ansible_collections.prlsdk.core.plugins.module_utils._retrying import Tries, reserve
    from ansible_collections.prlsdk.core.plugins.module_utils._wire import BUSY, LOST, NOT_THERE, Failure
else:  # beside the worker, where there is no collection
    from _retrying import Tries, reserve
    from _wire import BUSY, LOST, NOT_THERE, Failure

# A chain that is written by somebody else does not show in the tree. This is how long to look again before it counts as gone.
SETTLE = 3.0
# Below this version of the storage format the server knows no keep-chain flag.
KEEP_CHAIN_VERSION = 4

REMOVED, ABSENT, REFUSED, BUSY_OUTCOME, FAILED, NOT_ATTEMPTED = "removed", "already_absent", "refused", "busy", "failed", "not_attempted"
GOOD = (REMOVED, ABSENT)

# outcome, reason (a word or None), message (a sentence or None)
Verdict = collections.namedtuple("Verdict", "outcome reason message")
# kind: chain, increment, merge. id: what the server is asked to remove. intended: keys of all that has to be gone afterwards.
# owner: the entry that a dependent without an entry of its own goes for, or the entry itself. covers: entries that are done with it.
Step = collections.namedtuple("Step", "kind id keep_chain intended owner covers")

GONE_MEANWHILE = Verdict(ABSENT, "gone_meanwhile", "It was there a moment ago and is not there any more: somebody else removed it, or is at it.")
OUT_OF_REACH = Verdict(REFUSED, "other_directory", (
    "It is in the server's default backup directory, but the VM has a backup directory of its own, and the server looks only there for this VM's backups. "
    "Remove it while the VM has no directory of its own."
))


class Options:
    """What holds for all entries of a request."""

    def __init__(self, dependents="refuse", allow_remove_last=False, on_error="stop", busy_timeout=60.0):
        self.dependents, self.allow_remove_last, self.on_error, self.busy_timeout = dependents, allow_remove_last, on_error, busy_timeout


class Entry:
    """One backup that somebody asked to be gone, and what became of it. ``removes``: keys that its plan says go with it."""

    def __init__(self, index, id, key, vm=None, created=None, size=None, action=None, removes=()):
        self.index, self.id, self.key, self.vm = index, id, key, vm
        self.created, self.size, self.action, self.removes = created, size, action, frozenset(removes)
        # Whether a look at the whole tree has found it: then it is not absent, even if its VM's own tree does not show it.
        self.located = False
        self.removed = []
        self.verdict = None
        self.error = None

    @property
    def chain_key(self):
        return self.key.partition(".")[0]

    def result(self):
        verdict = self.verdict or Verdict(NOT_ATTEMPTED, "stopped", None)
        return {
            "id": self.id, "vm": self.vm, "outcome": verdict.outcome, "reason": verdict.reason, "message": verdict.message,
            "error": self.error, "removed": list(self.removed),
        }


# --- decisions: values in, values out ---------------------------------------------------------------------------------------


def decide(vm, entries, pending, options, barred=frozenset()):
    """What to do about entries that name backups of one chain.

    ``vm`` is the VM's live tree, ``pending`` are all entries about this VM that are not settled, these among them, ``barred`` the keys of
    backups that must not go along with others, because they were refused themselves. Returns ({entry: Verdict} for those that are
    settled by looking, [Step, ...] in the order in which to do them).
    """
    verdicts, found = {}, []
    for entry in entries:
        place = vm.place(entry.key)
        if place is None:
            verdicts[entry] = OUT_OF_REACH if entry.located else Verdict(ABSENT, None, None)
            continue
        problem = mismatch(entry, place[0].backups[place[1]])
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
    if by_position and not options.allow_remove_last and _would_be_last(vm, chain, pending, options):
        for entry in by_position.values():
            refuse(entry, "last_backup", "It belongs to the newest restore point of the VM, and nothing else would be left. "
                   "'allow_remove_last' permits that.")
        return verdicts, []
    barred = barred.union(entry.key for entry, verdict in verdicts.items() if verdict.outcome == REFUSED)
    steps = _chain_step(chain, by_position, barred, refuse, options)
    if not steps:
        steps = _increment_steps(chain, by_position, barred, refuse, vm, options)
    if steps and not options.allow_remove_last and len(vm.keys()) <= len(steps[0].intended):
        for entry in steps[0].covers:
            refuse(entry, "last_backup", "It is the last restorable backup of the VM. 'allow_remove_last' permits its removal.")
        return verdicts, []
    return verdicts, steps


def mismatch(entry, backup):
    """Why the live backup is not the one that was meant, or None. Ids are used again: only time and size tell."""
    if entry.created is not None and entry.created != backup.created:
        return "The backup with this id was made at %s, not at %s." % (backup.created, entry.created)
    if entry.size is not None and entry.size != backup.size:
        return "The backup with this id has %d bytes, not %d." % (backup.size, entry.size)
    return None


def doomed(vm, entries, options):
    """Keys of all live backups that would go if every entry were done."""
    keys = set()
    for entry in entries:
        place = vm.place(entry.key)
        if place is None:
            continue
        chain, position = place
        if mismatch(entry, chain.backups[position]):
            continue
        keys.add(entry.key)
        if entry.action != "merge" and (entry.removes or options.dependents == "remove"):
            later = [backup.key for backup in chain.backups[position:]]
            keys.update(later if options.dependents == "remove" else entry.removes.intersection(later))
    return keys


def beyond(vm, step, after):
    """Keys of the backups that nobody meant, are gone after a step, and may have gone by it. ``vm`` and ``after``: its tree before and after.

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
            refuse(entry, "not_an_increment", "It is the full backup of its chain, which goes only with the whole chain, not as '%s'." % entry.action)
        elif position > 0 and entry.action == "chain":
            refuse(entry, "not_a_full", "It is an increment of the chain %s, not its full backup." % chain.uuid)


def _would_be_last(vm, chain, pending, options):
    """Whether the whole request leaves this VM nothing, and the chain is the one with its newest backup: that one stays."""
    if vm.newest()[0] is not chain:
        return False
    if options.dependents == "refuse" and sum(1 + len(entry.removes) for entry in pending) < len(vm.keys()):
        return False  # fewer are asked for than there are
    return not vm.keys() - doomed(vm, pending, options)


def _chain_step(chain, by_position, barred, refuse, options):
    head = by_position.get(0)
    if head is None:
        return []
    asked = set(head.removes)
    for entry in by_position.values():
        asked.add(entry.key)
    if options.dependents == "remove":
        asked.update(backup.key for backup in chain.backups)
    left_out = [backup.id for backup in chain.backups if backup.key not in asked - barred]
    if left_out:
        refuse(head, "dependents",
               "Other backups of its chain are not asked for, or refused: %s. 'dependents: remove' permits the removal of those not asked for."
               % ", ".join(left_out))
        del by_position[0]
        return []
    intended = frozenset(backup.key for backup in chain.backups)
    return [Step("chain", chain.backups[0].id, False, intended, head, tuple(by_position[position] for position in sorted(by_position)))]


def _increment_steps(chain, by_position, barred, refuse, vm, options):
    steps, kept_later = [], []
    if options.dependents == "remove":
        last_barred = max([position for position, backup in enumerate(chain.backups) if backup.key in barred] or [0])
        for position in [position for position, entry in by_position.items() if position < last_barred and entry.action != "merge"]:
            refuse(by_position.pop(position), "dependents", "%s depends on it and is refused itself." % chain.backups[last_barred].id)
    with_others = set()
    for position, entry in by_position.items():
        if entry.action != "merge":
            with_others.update(backup.key for backup in chain.backups[position:] if backup.key in entry.removes - barred)
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
                refuse(entry, "old_format", "Its storage format (version %d) knows no safe removal of single increments; remove the whole chain." % vm.version)
            kept_later.append(backup.id)
            continue
        if entry is not None and kept_later and entry.action != "merge":
            refuse(entry, "dependents", "Later increments depend on it and are not asked for: %s. 'dependents: remove' permits their removal, "
                   "'action: merge' keeps them." % ", ".join(reversed(kept_later)))
            kept_later.append(backup.id)
            continue
        owner = entry or _owner(by_position, position)
        steps.append(Step("merge" if kept_later else "increment", backup.id, True, frozenset([backup.key]), owner, (entry,) if entry else ()))
    return steps


def _owner(by_position, position):
    """The nearest earlier increment that a dependent has to go for."""
    return by_position[max(earlier for earlier, entry in by_position.items() if earlier < position and entry.action != "merge")]


# --- doing it ---------------------------------------------------------------------------------------------------------------


class Stop(Exception):
    """Nothing more may be done; ``reason`` and ``message`` are for what is left."""

    def __init__(self, reason, message, error=None):
        super(Stop, self).__init__(message)
        self.reason, self.message, self.error = reason, message, error


class Removal:
    """Takes entries and does them. ``server`` is a Backups of _change_operations, or a rehearsal of one.

    ``report(entry)`` is called when an entry is settled, ``attempt(step, vm)`` right before the server is asked.
    """

    def __init__(self, server, entries, options, report=lambda entry: None, attempt=lambda step, vm: None):
        self.server, self.entries, self.options, self.report, self.attempt = server, entries, options, report, attempt
        self.before, self.after = collections.OrderedDict(), collections.OrderedDict()
        self.stop = None
        # Keys of the backups that are gone by this run, or may be.
        self.ours = set()
        self.reserve = reserve(server)

    def run(self):
        """Settle every entry. Returns {backups, stop, elsewhere, before, after}.

        ``elsewhere`` are {vm, id} of what was there at first and at last was not, by another hand; ``before`` and ``after`` are
        {VM's uuid: {name, ids}} without them.
        """
        try:
            for uuid, group in grouped(self.entries, lambda entry: entry.vm):
                todo = [entry for entry in group if entry.verdict is None]
                if uuid is not None and todo:
                    self._do_vm(uuid, todo)
                self._check_errors(group)
        except Stop as stop:
            self.stop = stop
        except Failure as failure:
            self.stop = Stop("error", None, failure.error)
        for entry in self.entries:
            if entry.verdict is None:
                self.settle(entry, Verdict(NOT_ATTEMPTED, self.stop.reason if self.stop else "stopped", None))
        return {
            "backups": [entry.result() for entry in self.entries],
            "stop": self.stop and {"reason": self.stop.reason, "message": self.stop.message, "error": self.stop.error},
            "elsewhere": [{"vm": uuid, "id": identity} for uuid in self.before for identity in self._elsewhere(uuid)],
            "before": dict((uuid, {"name": vm.name, "ids": self._without(vm.ids(), self._elsewhere(uuid))}) for uuid, vm in self.before.items()),
            "after": dict((uuid, {"name": vm.name, "ids": vm.ids()}) for uuid, vm in self.after.items()),
        }

    def _elsewhere(self, uuid):
        gone = self.before[uuid].keys() - self.after[uuid].keys() - self.ours
        return [backup.id for chain in self.before[uuid].chains for backup in chain.backups if backup.key in gone]

    @staticmethod
    def _without(ids, left_out):
        left_out = frozenset(left_out)
        return [identity for identity in ids if identity not in left_out]

    def settle(self, entry, verdict, error=None):
        entry.verdict, entry.error = verdict, error
        self.report(entry)

    def _check_errors(self, entries):
        if self.options.on_error == "stop" and any(entry.verdict and entry.verdict.outcome not in GOOD for entry in entries):
            raise Stop("stopped", None)

    def _do_vm(self, uuid, entries):
        try:
            vm = self._read(uuid)
            missing = set(entry.key for entry in entries if not entry.located and vm.place(entry.key) is None)
            astray = self.server.astray(uuid, missing) if missing else ()
        except Failure as failure:
            self._give_up_after(failure.error)
            for entry in entries:
                self.settle(entry, Verdict(FAILED, "error", None), failure.error)
            return
        self._seen(vm)
        for entry in entries:
            place = vm.place(entry.key)
            if place is not None:
                entry.located, entry.id = False, place[0].backups[place[1]].id
            elif entry.key in astray:
                entry.located = True
        for chain_key, group in grouped(entries, lambda entry: entry.chain_key):
            vm = self._do_chain(vm, group, entries)
            self._check_errors(group)

    def _seen(self, vm):
        first = self.before.setdefault(vm.uuid, vm)
        vm.name = vm.name or first.name  # the answer does not name a VM without backups
        self.after[vm.uuid] = vm

    def _do_chain(self, vm, group, entries):
        tries = Tries(self.server, self.options.busy_timeout, self.reserve)
        while True:
            todo = [entry for entry in group if entry.verdict is None]
            barred = frozenset(entry.key for entry in group if entry.verdict and entry.verdict.outcome == REFUSED)
            verdicts, steps = decide(vm, todo, [entry for entry in entries if entry.verdict is None], self.options, barred)
            for entry in todo:
                if entry in verdicts:
                    verdict = verdicts[entry]
                    if verdict.outcome == ABSENT and (tries.contested or self._was_there(vm.uuid, entry.key)):
                        verdict = GONE_MEANWHILE
                    self.settle(entry, verdict)
            self._check_errors(group)
            if not steps:
                return vm
            if self.server.left() <= self.reserve:
                raise Stop("timeout", "The time is over. What was removed so far is removed; run again for the rest, or raise 'timeout'.")
            vm = self._do_step(vm, steps[0], tries)
            if any(entry.verdict and entry.verdict.outcome not in GOOD for entry in steps[0].covers or (steps[0].owner,)):
                for entry in group:
                    if entry.verdict is None:
                        self.settle(entry, Verdict(NOT_ATTEMPTED, "chain_failed", "Another backup of its chain could not be removed."))

    def _was_there(self, uuid, key):
        return key not in self.ours and self.before[uuid].place(key) is not None

    def _do_step(self, vm, step, tries):
        """Ask for one removal and look at what it did. Returns the VM's tree as it is then."""
        self.attempt(step, vm)
        error = None
        try:
            self.server.remove(vm.uuid, step.id, step.keep_chain, self.server.left() - self.reserve)
        except Failure as failure:
            error = failure.error
        symbol = error["symbol"] if error else ""
        if symbol == "PRL_ERR_TIMEOUT" and self.server.left() <= self.reserve:
            self._fail(step, "timeout", "The server has not finished its removal in time and goes on with it. Look at the backups before you run again.", error)
            raise Stop("timeout", "The time is over.")
        if LOST.match(symbol):
            self._reconnect(step, error)
        after, gone, strays = self._look(vm, step, error)
        self._seen(after)
        # These two refuse before anything is done; but a request of ours that was lost before may have come to its end since.
        refused = BUSY.match(symbol) or (NOT_THERE.match(symbol) and not tries.lost())
        if strays and not refused:
            self._stop_for_damage(vm, step, gone, strays, error)
        # A chain that is being removed does not show, and one that is gone neither; only the server can tell which it is. No other work
        # hides a chain, so that asking for a whole one once more takes nothing that was not meant. But where the VM has a single other
        # backup left, a request for what is gone by then might take that one.
        hidden = step.kind == "chain" and step.intended <= gone
        shows = bool(step.intended & after.keys())
        may_ask_again = len(after.keys() - step.intended) != 1
        if BUSY.match(symbol):
            if hidden and may_ask_again and tries.again():
                return vm
            return self._wait_for_chain(vm, step, after, tries, error)
        if refused and gone & step.intended:
            tries.contested = True
            return after
        if LOST.match(symbol):
            first = tries.first_loss()
            if first and may_ask_again and (hidden or shows):
                return vm if hidden else after
            if hidden or first and shows:
                self._fail(step, "connection_lost", "The connection was lost during its removal, and it %s. The server may still be at it%s. Look at the "
                           "backups later, before you run again." % (
                               "does not show" if hidden else "is still there",
                               "" if may_ask_again else ", and a second request could take the only other backup of the VM"), error)
                return after
        self._conclude(vm, step, gone, error)
        return after

    def _stop_for_damage(self, vm, step, gone, strays, error):
        self._credit(step, vm, gone & step.intended)
        self.ours.update(strays)
        names = ", ".join(backup.id for chain in vm.chains for backup in chain.backups if backup.key in strays)
        message = (
            "After the removal of %s, other backups of VM %s are gone as well: %s. Nothing more is removed. If nobody else removed them, this is damage "
            "by the server: look at the VM's backups now, and make a full backup." % (step.id, vm.uuid, names)
        )
        self._fail(step, "unexpected", message, error)
        raise Stop("unexpected", message, error)

    def _conclude(self, vm, step, gone, error):
        """Nothing is in doubt any more: what is gone was removed, and what is not was not."""
        self._credit(step, vm, gone & step.intended)
        if not step.intended - gone:
            for entry in step.covers:
                self.settle(entry, Verdict(REMOVED, None, None), error)
        elif error is None:
            self._fail(step, "still_there", "The server said that it removed it, and it is still there.", None)
        else:
            self._fail(step, "error", None, error)

    def _wait_for_chain(self, vm, step, after, tries, error):
        """The server refused, so whatever is gone went by another hand. Returns a fresh tree to decide on anew.

        A chain that somebody writes is hidden as a whole; one of which only the intended backups are gone has been looked at
        for long enough.
        """
        tries.contested = not tries.lost()
        chain = vm.chain_keys(step.intended)
        while step.intended & after.keys() or not chain & after.keys():
            if not tries.again():
                seen = step.intended & after.keys() or step.kind == "chain"
                where = "It is still in use" if seen else "Its chain does not show, so it is in use or gone,"
                self._fail(step, "locked", "%s after %d seconds of trying." % (where, tries.waited), error, BUSY_OUTCOME)
                break
            after = self._read(vm.uuid)
            self._seen(after)
            if step.intended & after.keys():
                break
        return after

    def _fail(self, step, reason, message, error, outcome=FAILED):
        for entry in step.covers or (step.owner,):
            self.settle(entry, Verdict(outcome, reason, message), error)

    def _credit(self, step, vm, gone):
        """Write down, where it belongs, what this step removed."""
        chain = vm.place(next(iter(step.intended)))[0]
        self.ours.update(gone)
        own = dict((entry.key, entry) for entry in step.covers)
        for backup in chain.backups:
            if backup.key in gone:
                own.get(backup.key, step.owner).removed.append(backup.id)

    def _reconnect(self, step, error):
        try:
            self.server.reopen()
        except Failure as failure:
            message = "The connection was lost during its removal and could not be made again. Look at the backups before you run again."
            self._fail(step, "connection_lost", message, error)
            raise Stop("connection_lost", "The connection to the server was lost.", failure.error)

    def _look(self, vm, step, error):
        """(the tree after a step, keys that are gone from the VM, those that may have gone by this step and nobody meant).

        A chain that is being written does not show, and the lock may outlive the answer by a moment; so look more than once
        before anything counts as gone that should not be.
        """
        waited, attempt = 0.0, 0
        while True:
            try:
                after = self._read(vm.uuid)
            except Failure as failure:
                message = "What its removal did is not known: the backups could not be read afterwards. Look at them before you run again."
                self._fail(step, "unverified", message, error or failure.error)
                raise Stop("unverified", "The backups could not be read any more.", failure.error)
            gone = vm.keys() - after.keys()
            strays = beyond(vm, step, after)
            hidden = strays or (error is not None and gone & step.intended)
            settle = SETTLE
            if strays and error and LOST.match(error["symbol"]):
                # The server goes on when its client goes away: it may still be at work on this chain.
                settle = max(SETTLE, self.options.busy_timeout)
            if not hidden or waited >= settle or self.server.left() <= self.reserve / 2:
                return after, gone, strays
            attempt += 1
            waited += self.server.pause(attempt, settle - waited)

    def _read(self, uuid):
        """The VM's tree. One lost connection is made up for, and what passes is waited for: reading harms nobody."""
        tries = Tries(self.server, self.options.busy_timeout, self.reserve)
        while True:
            try:
                return self.server.read(uuid)
            except Failure as failure:
                symbol = failure.error["symbol"]
                if not (LOST.match(symbol) and tries.first_loss()) and not (BUSY.match(symbol) and tries.again()):
                    raise
            if LOST.match(symbol):
                self.server.reopen()

    def _give_up_after(self, error):
        if error["symbol"] == "PRL_ERR_TIMEOUT" and self.server.left() <= self.reserve:
            raise Stop("timeout", "The time is over.", error)
        if LOST.match(error["symbol"]):
            raise Stop("connection_lost", "The connection to the server was lost.", error)


class Rehearsal:
    """A server that reads for real and removes in memory only: what check mode runs ``Removal`` against."""

    def __init__(self, server):
        self._server, self._trees = server, {}
        self.astray = server.astray
        self.left = server.left
        self.reopen = server.reopen
        self.pause = server.pause

    def read(self, uuid):
        if uuid not in self._trees:
            self._trees[uuid] = self._server.read(uuid)
        return self._trees[uuid]

    def remove(self, uuid, id, keep_chain, limit):
        vm = self._trees[uuid]
        wanted = id.replace("{", "").replace("}", "").lower()
        chain, position = vm.place(wanted)
        self._trees[uuid] = vm.without([backup.key for backup in chain.backups] if position == 0 else [wanted])


def grouped(entries, key):
    """[(key, [entry, ...])] in the order in which the keys first come."""
    groups = collections.OrderedDict()
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return list(groups.items())
