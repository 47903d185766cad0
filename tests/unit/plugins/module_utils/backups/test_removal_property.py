"""Whatever is asked, in whatever state, with whatever going wrong: nothing is lost that was not asked for."""

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import removal, removal_rules
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.unit.plugins.module_utils.backups.in_process_stub import StubServer
from tests.unit.plugins.module_utils.backups.model import VM, Killed, ModelServer

VMS = [VM % 1, VM % 2]
FAULTS = [
    "lost",
    "lost_after",
    "lost_late",
    "lost_slow",
    "killed",
    "killed_after",
    "PRL_ERR_OPERATION_FAILED",
    "PRL_ERR_TRY_AGAIN",
    "PRL_ERR_BACKUP_LOCKED_FOR_READING",
    None,
]

numbers = st.one_of(st.none(), st.integers(2, 6), st.just(99))
wish = st.fixed_dictionaries(
    {
        "vm": st.integers(0, 1),
        "chain": st.integers(0, 3),
        "number": numbers,
        "action": st.sampled_from([None, None, "chain", "increment", "merge"]),
        "whole": st.booleans(),
        "check_size": st.sampled_from([None, None, "right", "wrong"]),
    }
)
requests = st.fixed_dictionaries(
    {
        "wishes": st.lists(wish, min_size=1, max_size=6),
        "dependents": st.sampled_from(["refuse", "remove"]),
        "allow_remove_last": st.booleans(),
        "on_error": st.sampled_from(["stop", "continue"]),
    }
)
# What a neighbour does around our first, second ... removal: nothing, or one of his own right before or right after it.
strikes = st.lists(
    st.one_of(
        st.none(),
        st.fixed_dictionaries(
            {
                "vm": st.integers(0, 1),
                "chain": st.integers(0, 3),
                "whole": st.booleans(),
                "late": st.booleans(),
            }
        ),
    ),
    min_size=1,
    max_size=5,
)


class Neighbour:
    """Somebody who removes backups as this collection does, around our own removals: an increment at the end, or a whole chain."""

    def __init__(self, server, strikes):
        self.server, self.strikes = server, list(strikes)
        self.taken, self.chains, self.vms = set(), set(), set()
        self.arm(server)

    def arm(self, server):
        """Be there at the next removal."""
        self.leave()
        strike = self.strikes.pop(0) if self.strikes else None
        if strike and not strike["late"]:
            server.rival = lambda server: self.do(strike)
        server.late_rival = lambda server: (self.do(strike) if strike and strike["late"] else None, self.arm(server))

    def leave(self):
        self.server.rival = self.server.late_rival = None

    def do(self, strike):
        vm = VMS[strike["vm"]]
        chains = self.server.vms.get(vm, [])
        if not chains:
            return
        chain = chains[strike["chain"] % len(chains)]
        backup_id = chain.id_of(chain.items[0 if strike["whole"] else -1])
        whole = backup_id == chain.id_of(chain.items[0])
        if whole and len(chains) == 1:
            return  # he keeps the last one, too
        before = self.server.ids()
        try:
            self.server.raw_remove(vm, backup_id, not whole)
        except CallError:
            return
        self.chains.add(chain.uuid)
        self.taken |= before - self.server.ids()
        self.vms.add(vm)


class RemovalMachine(RuleBasedStateMachine):
    make_server = ModelServer

    @initialize(
        version=st.sampled_from([5, 5, 5, 3]),
        shape=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=5),
    )
    def server(self, version, shape):
        self.server = self.make_server(version)
        for vm, increments in shape:
            self.server.add_chain(VMS[vm], increments)

    # -- what the world does

    @rule(vm=st.integers(0, 1), increments=st.integers(0, 3))
    def somebody_makes_a_full_backup(self, vm, increments):
        if len(self.server.vms.get(VMS[vm], [])) < 4:
            self.server.add_chain(VMS[vm], increments)

    @rule(vm=st.integers(0, 1))
    def somebody_makes_an_incremental_backup(self, vm):
        chains = self.server.vms.get(VMS[vm])
        if chains and len(chains[-1].items) < 6:
            self.server.add_increment(chains[-1])

    @rule(
        vm=st.integers(0, 1),
        chain=st.integers(0, 3),
        kind=st.sampled_from(["reading", "writing"]),
        tries=st.integers(1, 12),
    )
    def somebody_uses_a_chain(self, vm, chain, kind, tries):
        chains = self.server.vms.get(VMS[vm])
        if chains:
            chains[chain % len(chains)].lock = (kind, tries)

    @rule()
    def everybody_is_done(self):
        for chains in self.server.vms.values():
            for chain in chains:
                chain.lock = None

    # -- what we do

    def entries(self, request):
        entries, seen = [], set()
        for wanted in request["wishes"]:
            vm = VMS[wanted["vm"]]
            chains = self.server.vms.get(vm, [])
            if not chains:
                continue
            chain = chains[wanted["chain"] % len(chains)]
            backup_id = chain.uuid if wanted["number"] is None else "%s.%d" % (chain.uuid, wanted["number"])
            if backup_id in seen:
                continue
            seen.add(backup_id)
            sizes = {chain.id_of(item): item[2] for item in chain.items}
            size = {None: None, "right": sizes.get(backup_id), "wrong": 1}[wanted["check_size"]]
            removes = (
                {id_key(other): removal_rules.ANYTHING for other in sizes}
                if wanted["whole"] and wanted["number"] is None
                else {}
            )
            entries.append(
                lambda i=backup_id, v=vm, s=size, a=wanted["action"], r=removes: removal_rules.Entry(
                    0, i, id_key(i), v, size=s, action=a, removes=r
                )
            )
        return lambda: [make() for make in entries]

    def permitted(self, entries, request):
        """Every id that the request allows to go."""
        ids = set()
        for entry in entries:
            for chain in self.server.vms.get(entry.vm, []):
                own = [chain.id_of(item) for item in chain.items]
                keys = [id_key(identity) for identity in own]
                if entry.key in keys:
                    ids.add(own[keys.index(entry.key)])
                    ids.update(identity for identity, key in zip(own, keys) if key in entry.removes)
                    if request["dependents"] == "remove" and entry.action != "merge":
                        ids.update(own[keys.index(entry.key) :])
        return ids

    def run(self, entries, request, check=False):
        self.server.end = self.server.now + 10000
        options = removal_rules.Options(request["dependents"], request["allow_remove_last"], request["on_error"], 30.0)
        return removal.Removal(removal.Rehearsal(self.server) if check else self.server, entries, options).run()

    @rule(
        request=requests,
        faults=st.lists(st.sampled_from(FAULTS), max_size=4),
        read_faults=st.lists(st.sampled_from([None, None, "lost", "killed"]), max_size=4),
    )
    def removal_with_everything_going_wrong(self, request, faults, read_faults):
        make = self.entries(request)
        entries, before = make(), self.server.ids()
        permitted = self.permitted(entries, request)
        counts = {vm: len(self.server.ids(vm)) for vm in VMS}
        self.server.faults = {"remove": list(faults), "read": list(read_faults)}
        report = None
        try:
            report = self.run(entries, request)
        except Killed:
            pass
        self.server.faults = {}
        self.server.do_unheard()
        after = self.server.ids()
        assert before - after <= permitted, "something went that nobody asked for"
        if not request["allow_remove_last"]:
            assert all(self.server.ids(vm) for vm in VMS if counts[vm]), "a VM lost its last backup"
        if report:
            self.check_report(report, entries, before, after)

    def check_report(self, report, entries, before, after, by_others=frozenset()):
        assert [backup["id"] for backup in report["backups"]] == [entry.id for entry in entries]
        told = [identity for backup in report["backups"] for identity in backup["removed"]]
        assert len(told) == len(set(told)) and set(told) <= before - after, (
            "only what is gone is reported as removed, and once"
        )
        for backup in report["backups"]:
            if backup["outcome"] == "removed":
                assert backup["id"] not in after
            if (
                backup["outcome"] in ("refused", "not_attempted")
                and backup["id"] in before - by_others
                and not backup["removed"]
            ):
                assert backup["id"] in after or backup["outcome"] == "not_attempted"

    @rule(request=requests, strikes=strikes)
    def removal_beside_a_neighbour(self, request, strikes):
        entries = self.entries(request)()
        before, permitted = self.server.ids(), self.permitted(entries, request)
        asked = {entry.chain_key for entry in entries}
        neighbour = Neighbour(self.server, strikes)
        report = self.run(entries, request)
        neighbour.leave()
        self.check_report(report, entries, before, self.server.ids(), neighbour.taken)
        beyond = before - self.server.ids() - permitted - neighbour.taken
        told = {identity for backup in report["backups"] for identity in backup["removed"]}
        elsewhere = {entry["id"] for entry in report["removed_by_others"]}
        hidden = {
            chain.id_of(item)
            for chains in self.server.vms.values()
            for chain in chains
            if chain.lock
            for item in chain.items
        }
        stopped = bool(report["stop"]) and report["stop"]["reason"] == "unexpected"
        assert not told & elsewhere and elsewhere <= neighbour.taken | hidden, "nobody else is blamed for what we did"
        assert stopped or not beyond, "damage is never quiet"
        if not {id_key(chain) for chain in neighbour.chains} & asked and all(
            self.server.ids(vm) for vm in neighbour.vms
        ):
            assert not stopped and not beyond, "a neighbour who prunes his own stops nobody, and nothing is lost by it"

    @precondition(lambda self: not any(chain.lock for chains in self.server.vms.values() for chain in chains))
    @rule(request=requests)
    def undisturbed_removal_is_predicted_and_repeated_without_effect(self, request):
        make = self.entries(request)
        calls = len(self.server.removals)
        predicted = self.run(make(), request, check=True)
        assert len(self.server.removals) == calls, "a rehearsal asked the server to remove something"
        before = self.server.ids()
        real = self.run(make(), request)
        assert real == predicted
        told = {identity for backup in real["backups"] for identity in backup["removed"]}
        assert before - self.server.ids() == told, "all that is gone is reported"
        after, calls = self.server.ids(), len(self.server.removals)
        again = self.run(make(), request)
        assert self.server.ids() == after and len(self.server.removals) == calls, "a second run is a no-op"
        assert not any(backup["removed"] for backup in again["backups"])

    @invariant()
    def what_is_kept_can_be_restored(self):
        assert self.server.ids() == self.server.restorable()

    @invariant()
    def no_dangerous_call_was_made(self):
        for _vm, backup_id, keep_chain in self.server.removals:
            assert keep_chain == ("." in backup_id), "increments go with the flag, whole chains without"


class StubRemovalMachine(RemovalMachine):
    """The same stories, told to the stub SDK through the worker's own calls."""

    make_server = StubServer

    def teardown(self):
        if hasattr(self, "server"):
            self.server.close()


def tell(machine, examples):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


# An example is a whole story of up to 20 steps.


@pytest.mark.property
def test_no_backup_is_lost_that_nobody_asked_for():
    tell(RemovalMachine, max(30, settings.default.max_examples // 10))


@pytest.mark.property
def test_no_backup_of_the_stub_server_is_lost_that_nobody_asked_for():
    tell(StubRemovalMachine, max(8, settings.default.max_examples // 100))
