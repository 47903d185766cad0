# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be removed, and in which steps: values in, values out. ``removal.py`` does the steps, and says why there are such rules.

``decide`` looks at one VM's tree, read just before, and turns what is asked into steps of which each is safe alone.
"""

from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._backups.live_tree import Backup, Chain, Vm

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


class Verdict(NamedTuple):
    """What became of an entry."""

    outcome: str
    reason: Optional[str]  # a word
    message: Optional[str]  # a sentence


class Step(NamedTuple):
    """One request to the server."""

    kind: str  # chain, increment, merge
    id: str  # what the server is asked to remove
    keep_chain: bool
    intended: FrozenSet[str]  # keys of all that has to be gone afterwards
    owner: "Entry"  # the entry that a dependent without an entry of its own goes for, or the entry itself
    covers: Sequence["Entry"]  # entries that are done with it


class Lost(NamedTuple):
    """A step whose request was lost."""

    before: Vm  # the tree that it was decided on
    step: Step
    answer: Any


class Known(NamedTuple):
    """What a backup is known by beside its id, which can be given again; None: anything."""

    created: Optional[str]  # YYYY-MM-DDTHH:MM:SSZ
    size: Optional[int]  # bytes


class Debts(NamedTuple):
    """Requests that the server may still do for a VM."""

    ids: Sequence[str]  # of what was asked for
    running: int  # how many of unknown parameters it was at


#: Refuses an entry: (entry, reason, message).
Refuse = Callable[["Entry", str, str], None]


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

    def __init__(
        self,
        dependents: str = "refuse",
        allow_remove_last: bool = False,
        on_error: str = "stop",
        busy_timeout: float = 60.0,
        stop_at: Optional[float] = None,
    ) -> None:
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
        self,
        index: int,
        id: str,
        key: str,
        vm: Optional[str] = None,
        created: Optional[str] = None,
        size: Optional[int] = None,
        action: Optional[str] = None,
        removes: Optional[Dict[str, Known]] = None,
        allow_remove_last: bool = False,
    ) -> None:
        self.index, self.id, self.key, self.vm, self.action = index, id, key, vm, action
        self.known, self.removes, self.allow_remove_last = Known(created, size), dict(removes or {}), allow_remove_last
        # Whether a look at the whole tree has found it: then it is not absent, even if its VM's own tree does not show it.
        self.located = False
        self.removed: List[str] = []
        self.verdict: Optional[Verdict] = None
        self.error: Optional[Dict[str, Any]] = None

    @property
    def chain_key(self) -> str:
        return chain_key(self.key)

    def result(self) -> Dict[str, Any]:
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


def chain_key(key: str) -> str:
    return key.partition(".")[0]


def decide(
    vm: Vm,
    entries: List["Entry"],
    pending: List["Entry"],
    options: Options,
    excluded: FrozenSet[str] = frozenset(),
    debts: Debts = NO_DEBTS,
) -> Tuple[Dict["Entry", Verdict], List[Step]]:
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
        difference = mismatch(entry, *place)
        if difference:
            verdicts[entry] = Verdict(REFUSED, "mismatch", difference)
        else:
            found.append((place[1], entry))
    if not found:
        return verdicts, []
    chain = vm.place_of(found[0][1].key)[0]
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
    problem: Optional[Verdict] = None
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


def settled_with(step: Step) -> Sequence["Entry"]:
    """The entries that a failure of this step is a failure of."""
    return step.covers or (step.owner,)


def mismatch(entry: "Entry", chain: Chain, position: int) -> Optional[str]:
    """Why the live backups are not those that were meant, or None. Ids are used again: only time and size tell."""
    problem = differs(chain.backups[position], entry.known)
    for backup in chain.backups[position:]:
        problem = problem or differs(backup, entry.removes.get(backup.key, ANYTHING))
    return problem


def differs(backup: Backup, known: Known) -> Optional[str]:
    if known.created is not None and known.created != backup.created:
        return "The backup %s was made at %s, not at %s." % (backup.id, backup.created, known.created)
    if known.size is not None and known.size != backup.size:
        return "The backup %s has %d bytes, not %d." % (backup.id, backup.size, known.size)
    return None


def too_few_left(vm: Vm, step: Step, debts: Debts) -> Optional[Verdict]:
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


def left_after(vm: Vm, intended: FrozenSet[str], debts: Debts) -> FrozenSet[str]:
    """Keys of the backups that are left of what shows when ``intended`` and then every debt is gone, at the worst."""
    left = vm.keys() - intended
    for identity in debts.ids:
        place = vm.place(id_key(identity))
        if (
            place is not None
        ):  # a full, also one that was promoted to it, takes its chain along; an increment is asked for alone
            left -= frozenset(place[0].positions if place[1] == 0 else [id_key(identity)])
    if debts.running:
        # A request that nobody knows, one chain at the worst. What it is at already is hidden, and was not counted.
        chains = sorted((left & frozenset(chain.positions) for chain in vm.chains), key=len, reverse=True)
        left -= frozenset().union(*chains[: debts.running])
    return left


def selected_for_removal(vm: Vm, entries: List["Entry"], options: Options) -> Set[str]:
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


def collateral(vm: Vm, step: Step, after: Vm) -> FrozenSet[str]:
    """Keys of the backups that nobody meant, do not show after a step, and may have gone by it. ``vm`` and ``after``: the tree before and after.

    The server decides by the folders of the VM's chains, hidden ones too, and takes the whole VM only where there is a single one. So what is
    gone from another chain went by another hand. Only where nothing is left of all that there was nobody can tell, and it all counts.
    """
    touched = vm.chain_keys(step.intended) if vm.keys() & after.keys() else vm.keys()
    return touched - after.keys() - step.intended


def _refuser(verdicts: Dict["Entry", Verdict]) -> Refuse:
    def refuse(entry: "Entry", reason: str, message: str) -> None:
        verdicts[entry] = Verdict(REFUSED, reason, message)

    return refuse


def _refuse_contradictions(chain: Chain, by_position: Dict[int, "Entry"], refuse: Refuse) -> None:
    for position, entry in by_position.items():
        if position == 0 and entry.action in ("increment", "merge"):
            # Taking a full out and keeping what depends on it is broken in the server.
            refuse(
                entry,
                "not_an_increment",
                "It is the full backup of its chain, which is removed only with the whole chain, not as '%s'."
                % entry.action,
            )
        elif position > 0 and entry.action == "chain":
            refuse(entry, "not_a_full", "It is an increment of the chain %s, not its full backup." % chain.uuid)


def _would_be_last(vm: Vm, chain: Chain, pending: List["Entry"], options: Options) -> bool:
    """Whether the whole request leaves this VM nothing, and the chain is the one with its newest backup: that one stays."""
    newest = vm.newest()
    if newest is None or newest[0] is not chain:
        return False
    if options.dependents == "refuse" and sum(1 + len(entry.removes) for entry in pending) < len(vm.keys()):
        return False  # fewer are asked for than there are
    return not vm.keys() - selected_for_removal(vm, pending, options)


def _chain_step(
    chain: Chain, by_position: Dict[int, "Entry"], excluded: FrozenSet[str], refuse: Refuse, options: Options
) -> List[Step]:
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


def _increment_steps(
    chain: Chain, by_position: Dict[int, "Entry"], excluded: FrozenSet[str], refuse: Refuse, vm: Vm, options: Options
) -> List[Step]:
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
    with_others: Set[str] = set()
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
        backup, asked = chain.backups[position], by_position.get(position)
        if asked is None and backup.key not in with_others and (cascade_from is None or position < cascade_from):
            kept_later.append(backup.id)
            continue
        if vm.version < KEEP_CHAIN_VERSION:
            if asked is not None:
                refuse(
                    asked,
                    "old_format",
                    "Its storage format (version %d) knows no safe removal of single increments; remove the whole chain."
                    % vm.version,
                )
            kept_later.append(backup.id)
            continue
        if asked is not None and kept_later and asked.action != "merge":
            refuse(
                asked,
                "dependents",
                "Later increments depend on it and are not asked for, or refused: %s. 'dependents: remove' permits their removal, "
                "'action: merge' keeps them." % ", ".join(reversed(kept_later)),
            )
            kept_later.append(backup.id)
            continue
        owner = asked or _owner(by_position, position)
        steps.append(
            Step(
                "merge" if kept_later else "increment",
                backup.id,
                True,
                frozenset([backup.key]),
                owner,
                (asked,) if asked else (),
            )
        )
    return steps


def _owner(by_position: Dict[int, "Entry"], position: int) -> "Entry":
    """The nearest earlier increment that a dependent has to go for."""
    return by_position[
        max(earlier for earlier, entry in by_position.items() if earlier < position and entry.action != "merge")
    ]
