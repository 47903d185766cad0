"""Thousands of removals over a server on which everything goes wrong, each held against what the server knows to be true.

``make soak`` plays 50,000; a run that fails is named by its seed, and ``play(seed)`` plays it again.
"""

import collections
import json
import os
import random
import types

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _errors
from ansible_collections.prlsdk.core.plugins.module_utils._backups import live, removal, removal_rules
from ansible_collections.prlsdk.core.plugins.module_utils._module import prl_backup
from ansible_collections.prlsdk.core.plugins.module_utils._module.progress import Progress, TaskMode
from ansible_collections.prlsdk.core.plugins.module_utils._worker.protocol import Failure
from ansible_collections.prlsdk.core.plugins.module_utils._worker.session import Connection

from tests.unit.plugins.module_utils.backups.in_process import InProcessClient
from tests.unit.plugins.module_utils.backups.world import OTHERS, SYMBOLS, US, Api, Request, World, written_time

RUNS = int(os.environ.get("CAMPAIGN_RUNS", 0)) or {"quick": 200, "nightly": 2000, "soak": 50000}.get(
    os.environ.get("HYPOTHESIS_PROFILE", ""), 400
)
# The runs are dealt out to as many tests, so that two processors share them.
PARTS = 4

LOSSES = ["lost never", "lost late", "lost after the run", "lost in it"]
DEATHS = ["killed before", "killed in it", "killed late", "killed after"]
REFUSALS = ["PRL_ERR_TRY_AGAIN", "PRL_ERR_OPERATION_FAILED"]


class FakeSdk:
    """What the worker's Sdk gives its companions, over a World."""

    def __init__(self, world):
        self.api = Api(world)
        self.consts = types.SimpleNamespace(PJS_FINISHED=-805306366)

    def failure(self, error, operation, subject=None):
        return Failure(SYMBOLS[error.error_code], str(error), operation, error.error_code, subject=subject)

    def name_of(self, prefix, value):
        return "unknown"


class Deadline:
    def __init__(self, left):
        self.left = left


class VirtualTime:
    """The modules' ``time``."""

    def __init__(self, world):
        self._world = world

    def time(self):
        return self._world.now

    monotonic = time

    def sleep(self, seconds):
        self._world.log.append(("pause",))
        self._world.advance(seconds)


def run_module(world, params, check=False):
    """The result of prl_backup with state absent, as the user gets it."""
    progress = Progress(types.SimpleNamespace(write=lambda text: None), clock=lambda: world.now)
    request = {"storage": None, "login": {"host": None, "security_level": "high"}, "read_only": check}
    client = InProcessClient(
        lambda left: Connection(FakeSdk(world), None, Deadline(left), request),
        params["timeout"],
        check,
        lambda: world.now,
    )
    patched = [(live, "time", VirtualTime(world)), (live, "random", world.rng)]
    kept = [(module, name, getattr(module, name)) for module, name, _value in patched]
    for module, name, value in patched:
        setattr(module, name, value)
    try:
        return prl_backup.change_backups(params, client, TaskMode(check, False, progress))
    except _errors.PrlError as error:
        return dict(error.result, failed=True, msg=error.message)
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


# --- a story ------------------------------------------------------------------------------------------------------------------


def make_world(rng):
    world = World(rng)
    world.read_loss = rng.choice([0, 0, 0, 0.05])
    world.version = rng.choice([5, 5, 5, 5, 5, 3])
    for number in range(rng.choice([1, 1, 2])):
        vm = world.add_vm(number, directory=rng.choice([None, None, None, "/own"]))
        for _chain in range(rng.choice([1, 2, 2, 3, 4])):
            world.add_chain(vm, rng.choice([0, 0, 1, 2, 3]))
    return world


def disturb(world, rng, span):
    """Other clients during so many seconds: backups that extend a chain or begin one, removals, and chains in use."""
    vms = list(world.vms.values())

    def chain_of(vm):
        return rng.choice(vm.chains) if vm.chains else None

    def extend():
        chain = chain_of(rng.choice(vms))
        if chain and not chain.lock:
            world.extend(chain)
            return chain.vm
        return None

    def full():
        vm = rng.choice(vms)
        world.add_chain(vm, 0)
        return vm

    def remove():
        vm = rng.choice(vms)
        chain = chain_of(vm)
        if not chain or chain.lock or len(vm.items()) < 2:
            return None
        doomed = list(chain.items) if rng.random() < 0.5 and len(vm.chains) > 1 else chain.items[-1:]
        world.take(doomed, OTHERS)
        return vm

    def use():
        """A chain is written or read for a while; what he does with it shows when he ends: nothing, or one increment more or less."""
        chain = chain_of(rng.choice(vms))
        if chain is None or chain.lock:
            return None
        kind, ending = rng.choice(["reading", "writing", "writing"]), rng.choice([None, "extend", "shorten", "remove"])
        chain.set_lock(kind)
        world.struck["chain hidden" if kind == "writing" else "chain in use"] += 1

        def end():
            chain.set_lock(None)
            if ending == "extend":
                world.extend(chain)
            elif ending == "shorten" and len(chain.items) > 1:
                world.take(chain.items[-1:], OTHERS)
            elif ending == "remove" and len(chain.vm.chains) > 1:
                world.take(list(chain.items), OTHERS)
            return chain.vm

        world.at(world.now + rng.choice([0.2, 1, 4, 15, 70, 200]), world.work_of_others(end))
        return chain.vm

    for _deed in range(rng.choice([0, 1, 2, 4, 8])):
        act = rng.choice([extend, extend, full, remove, use, use, use])
        world.struck["others: " + act.__name__] += 1
        # Many in the first moments, when we are at work, the others whenever.
        world.at(rng.choice([rng.uniform(0, 0.1), rng.uniform(0, 3), rng.uniform(0, span)]), world.work_of_others(act))


class Permitted:
    """What a request allows to go: single items, and with ``dependents: remove`` whatever comes after an item in its chain, now or later."""

    def __init__(self):
        self.items, self.after = set(), {}

    def add(self, item, dependents):
        self.items.add(item)
        if dependents:
            self.after[item.chain] = min(item.number or 1, self.after.get(item.chain, 1000))

    def __contains__(self, item):
        return item in self.items or (item.number or 1) >= self.after.get(item.chain, 1000)


def owe(world, rng, permitted):
    """A removal that an earlier run asked for and whose connection was lost: the server does it some time. Returns the debts that we are told."""
    vm = rng.choice(list(world.vms.values()))
    chain = rng.choice(vm.chains)
    item = rng.choice([chain.items[0], chain.items[-1]])
    if len(vm.items()) == (len(chain.items) if item is chain.items[0] else 1):
        return None  # it would have left nothing, and was not asked for
    request = Request(vm.uuid, item.id, item is not chain.items[0], 0.0)
    request.lost = True
    permitted.items.update(chain.items if item is chain.items[0] else [item])
    world.earlier.append(request)
    told = rng.random() < 0.5
    request.running = not told
    world.struck["owed from before" if told else "removal running at login"] += 1
    world.at(rng.choice([0.02, 0.5, 3, 20, 400]), lambda: world.accept(request, rng.choice([0, 3, 30])))
    return [{"vm": request.vm, "id": request.id}] if told else None


def use_an_id_again(world, rng, chain):
    """The last increment of a chain is another one by now, with the same id."""
    number = chain.items[-1].number
    if number is not None:
        world.take(chain.items[-1:], OTHERS)
        chain.last_number = max(2, number) - 1
        world.extend(chain)
        world.struck["id used again"] += 1


def choose(world, rng):
    """(module parameters, what they permit to go, the VMs that may be left without a backup) of a request."""
    entries, permitted, allow = [], Permitted(), rng.random() < 0.15
    dependents = rng.choice(["refuse", "refuse", "remove"])
    chains = [chain for vm in world.vms.values() for chain in vm.chains]
    rng.shuffle(chains)
    named = set()

    def entry(item, **more):
        if item.id not in named:
            named.add(item.id)
            entries.append(
                dict(
                    {
                        "id": item.id,
                        "vm": item.chain.vm.uuid,
                        "created": None,
                        "size": None,
                        "action": None,
                        "removes": [],
                        "allow_remove_last": False,
                    },
                    **more,
                )
            )
            permitted.add(item, dependents == "remove" and more.get("action") != "merge")

    for chain in chains[: rng.choice([1, 2, 3, len(chains)])]:
        how = rng.random()
        if how < 0.35:  # as a plan lists it
            removes = [
                {"id": item.id, "created": written_time(item.created).replace(" ", "T") + "Z", "size": item.size}
                for item in chain.items
            ]
            entry(chain.items[0], action="chain", removes=removes, allow_remove_last=rng.random() < 0.1)
            permitted.items.update(chain.items)
            if rng.random() < 0.1:
                use_an_id_again(world, rng, chain)
        elif how < 0.6:  # one by one
            for item in chain.items:
                entry(item)
        elif how < 0.85:  # some from its end
            for item in chain.items[rng.randrange(len(chain.items)) :]:
                entry(item)
        elif len(chain.items) > 2:
            entry(chain.items[1], action=rng.choice(["merge", None]))
    if not entries or rng.random() < 0.1:  # one that is gone by now, as in every run that is repeated
        some = rng.choice(list(world.vms.values())).uuid
        entries.append(
            {
                "id": "{dead0000-0000-4000-8000-000000000001}.%d" % rng.randrange(2, 5),
                "vm": some,
                "created": None,
                "size": None,
                "action": None,
                "removes": [],
                "allow_remove_last": False,
            }
        )
    # Whoever may take the last backup of his VM by an entry may take it: the model does not look which of its entries took it.
    may_be_emptied = set(world.vms) if allow else {one["vm"] for one in entries if one["allow_remove_last"]}
    params = {
        "state": "absent",
        "vm": None,
        "type": None,
        "description": None,
        "max_age": None,
        "backups": entries,
        "dependents": dependents,
        "allow_remove_last": allow,
        "on_error": rng.choice(["stop", "continue", "continue"]),
        "stop_after": None,
        "busy_timeout": rng.choice([0, 1, 10, 60]),
        "timeout": rng.choice([30, 600, 14400]),
        "debts": None,
    }
    return params, permitted, may_be_emptied


def play(seed, tally=None):
    """One run. Returns [what is wrong, ...] by the server's truth."""
    rng = random.Random(seed)
    world = make_world(rng)
    params, permitted, may_be_emptied = choose(world, rng)
    disturbed = rng.random() < 0.85
    if disturbed:
        if rng.random() < 0.75:
            disturb(world, rng, rng.choice([3, 30, 300]))
        world.faults = [
            rng.choice(
                [
                    None,
                    None,
                    *[
                        (kind, rng.choice([0, 0.1, 3, 40, 100]), rng.choice([0.1, 1, 5, 30, 200]))
                        for kind in LOSSES + DEATHS + REFUSALS
                    ],
                ]
            )
            for _number in range(rng.choice([0, 1, 2, 3]))
        ]
        if rng.random() < 0.15:
            params["debts"] = owe(world, rng, permitted)
    wrong = []
    predicted = None
    if not disturbed:
        world.read_loss = 0
        predicted = run_module(world, json.loads(json.dumps(params)), check=True)
        if world.requests:
            wrong.append("check mode asked for a removal")
        world.log.clear()
    result = run_module(world, params)
    ended = world.now
    at_end = set(world.items())
    running = [request for request in world.requests if request.lost and request.ended is None]
    for late in world.after_the_run:
        world.advance(1)
        late()
    world.run_out()
    if tally is not None:
        tally.update(world.struck)
    return wrong + judge(world, params, permitted, may_be_emptied, at_end, ended, running, result, predicted)


def judge(world, params, permitted, may_be_emptied, at_end, ended, running, result, predicted):
    wrong = []
    owed = {(debt["vm"], debt["id"]) for debt in result.get("debts", ())}
    by_us = [item for item in world.taken if item.taken[0] == US]
    for item in by_us:
        request = item.taken[2]
        late = request.lost and request.raced and ((request.vm, request.id) in owed or request in world.earlier)
        if item in permitted or late:
            continue
        if not request.raced or request.lost:
            wrong.append("%s was lost, and nobody asked for it" % item.id)
        elif not result.get("failed") and item.born < world.last_look(request.vm, request.sent)[0]:
            wrong.append("%s was lost by a race, and nobody is told" % item.id)
    for text, request in world.violations:
        if request.vm not in may_be_emptied:
            wrong.append(text)
    for request in running:
        if (request.vm, request.id) not in owed:
            wrong.append("the removal of %s was under way at the end, and is not among the debts" % request.id)
    if params["debts"] and not owed >= {(debt["vm"], debt["id"]) for debt in params["debts"]}:
        wrong.append("a debt that was given is not among those that are returned")
    told = [identity for backup in result.get("backups", ()) for identity in backup["removed"]]
    known = {item.id: item for item in world.items() + world.taken}
    if len(told) != len(set(told)):
        wrong.append("told twice: %s" % told)
    for identity in told:
        if identity not in known or known[identity] in at_end:
            wrong.append("told removed, and it is there: %s" % identity)
    if result.get("changed", False) != bool(told):
        wrong.append("changed is %s, told %s" % (result.get("changed"), told))
    open_vms = {
        backup["vm"] for backup in result.get("backups", ()) if backup["outcome"] in ("failed", "not_attempted", "busy")
    }
    for item in by_us:
        request = item.taken[2]
        if request in world.earlier:
            continue
        unseen = (
            request.raced and item.born >= world.last_look(request.vm, request.sent)[0]
        )  # made after our last look: we cannot know that it went along
        if (
            item.taken[1] <= ended
            and item.id not in told
            and not unseen
            and (request.answered or item.chain.vm.uuid not in open_vms)
        ):
            wrong.append("%s was removed by us, and nobody is told" % item.id)
    for backup in result.get("backups", ()):
        item = known.get(backup["id"])
        if backup["outcome"] == "removed" and item in at_end:
            wrong.append("%s is called removed" % backup["id"])
        if item in at_end and not item.chain.ever_locked and backup["outcome"] == "already_absent":
            wrong.append("%s is called absent" % backup["id"])
    wrong += stale_calls(world.log)
    if predicted is not None:
        for name in ("changed", "backups"):
            if predicted[name] != result[name]:
                wrong.append("check mode foretold another %s: %s, not %s" % (name, predicted[name], result[name]))
    return wrong


def stale_calls(log):
    """Removals that were asked for on a look that something came after."""
    wrong, look = [], None
    for line in log:
        if line[0] == "tree" and line[2] & 1048576 == 0 and line[1]:
            look = line[1]
        elif line[0] == "remove":
            if look != line[1]:
                wrong.append("a removal was asked for on an old look: %s" % (line,))
            look = None
        else:
            look = None
    return wrong


@pytest.mark.property
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_that_nobody_asked_for_and_nothing_told_that_is_not_so(part):
    tally, failures = collections.Counter(), []
    for seed in range(part, RUNS, PARTS):
        wrong = play(seed, tally)
        if wrong:
            failures.append((seed, wrong))
    print("%d runs; struck: %s" % (RUNS // PARTS, dict(sorted(tally.items()))))
    assert not failures, "%d of %d runs: %s" % (len(failures), RUNS // PARTS, failures[:5])
    missing = [kind for kind in LOSSES + DEATHS + REFUSALS + ["chain hidden", "chain in use"] if not tally[kind]]
    assert RUNS < 1000 or not missing, "these never struck: %s" % missing


# --- without any one of the rules the campaign fails ------------------------------------------------------------------------------


def on_old_looks(monkeypatch):
    """Go on with what was seen before a pause, a refusal or a search."""

    def remove(self, vm, step, limit):
        self._server.remove(vm.uuid, step.id, step.keep_chain, limit)

    monkeypatch.setattr(removal.FreshServer, "remove", remove)
    monkeypatch.setattr(removal.Removal, "_fresh", lambda self, vm: vm)


def without_debts(monkeypatch):
    for module in (removal, removal_rules):
        monkeypatch.setattr(module, "too_few_left", lambda vm, step, debts: None)


def without_debts_of_others(monkeypatch):
    """Take no notice of what the server was at when we logged in."""
    plain = removal.Removal._debts_of
    monkeypatch.setattr(removal.Removal, "_debts_of", lambda self, uuid: plain(self, uuid)._replace(running=0))


def with_forgotten_debts(monkeypatch):
    monkeypatch.setattr(removal.Removal, "_owe", lambda self, uuid, identity: None)


def with_the_hidden_taken_for_gone(monkeypatch):
    def give_up(self, before, vm, step, tries, answer):
        self._conclude(before, step, step.intended - vm.keys(), answer.error)

    monkeypatch.setattr(removal.Removal, "_give_up", give_up)


def with_a_crash_taken_for_success(monkeypatch):
    plain = removal.Removal._ask

    def ask(self, before, vm, step, tries):
        answer = plain(self, before, vm, step, tries)
        if answer.died:
            self._conclude(before, step, step.intended, None)
        return answer

    monkeypatch.setattr(removal.Removal, "_ask", ask)


def with_ids_alone(monkeypatch):
    monkeypatch.setattr(removal_rules, "differs", lambda backup, known: None)


def asking_again_at_any_risk(monkeypatch):
    monkeypatch.setattr(
        removal.Removal,
        "_may_ask_again",
        lambda self, vm, step, tries, answer: step.kind == "chain" and not answer.done,
    )


@pytest.mark.parametrize(
    "spoil",
    [
        on_old_looks,
        without_debts,
        without_debts_of_others,
        with_forgotten_debts,
        with_the_hidden_taken_for_gone,
        with_a_crash_taken_for_success,
        with_ids_alone,
        asking_again_at_any_risk,
    ],
)
def test_the_campaign_notices_a_removal(spoil, monkeypatch):
    spoil(monkeypatch)
    assert any(play(seed) for seed in range(6000)), "nobody noticed"
