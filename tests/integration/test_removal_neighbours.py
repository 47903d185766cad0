"""Two who prune one server at the same moment: the module with its processes, and a neighbour whose removal comes at a known moment of ours."""

import concurrent.futures
import time

import pytest
from prl_stub import remove, store, tasks

from tests.harness import run_module
from tests.integration.server import KEEP_CHAIN, ids, mutating, outcomes, small_server

# Which call of ours the server is slow to begin with: the first removal, or the reading after it.
BEFORE, AFTER = ("remove_vm_backup", 1), ("get_backup_tree", 2)


@pytest.fixture
def vms(stub):
    return small_server(stub, weeks=3)


@pytest.fixture(params=[BEFORE, AFTER], ids=["before our call", "after our call"])
def moment(request):
    return request.param


def neighbour_removes(stub, vm, backup_id, flags=0):
    """What the server does for another client, in no time."""
    state = store.Store(str(stub.state))
    server = state.row("SELECT * FROM servers")
    tasks.perform(state, remove.begin(state, server, server, "", "", vm, backup_id, flags), tasks.Link())


def remove_beside(stub, moment, neighbour, *wanted, **options):
    """Remove backups, and let the neighbour act while the server has not begun with our call yet. Returns the module's result."""
    call, nth = moment
    stub("fault", "add", call, "delay", 1.5, "--nth", nth)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ours = pool.submit(
            run_module, "prl_backup", stub, state="absent", backups=[{"id": identity} for identity in wanted], **options
        )
        while stub.call_names().count(call) < nth and not ours.done():
            time.sleep(0.05)
        neighbour()
        assert not ours.done(), "the neighbour came too late for this test"
        return ours.result()


def test_a_neighbours_chain_of_the_same_vm_goes_meanwhile_and_nobody_fails(stub, vms, moment):
    ours, theirs, newest = vms[0].chains
    result = remove_beside(
        stub,
        moment,
        lambda: neighbour_removes(stub, vms[0].uuid, theirs[0]),
        ours[-1],
        ours[-2],
        vm=vms[0].uuid,
        diff=True,
    )
    assert not result.get("failed") and outcomes(result) == [("removed", None)] * 2, result
    assert result["gone_meanwhile"] == [{"vm": vms[0].uuid, "id": identity} for identity in theirs]
    assert vms[0].ids() == {*ours[:2], *newest}
    assert not any(identity in result["diff"]["before"] for identity in theirs), "the difference is what we did"


def test_a_neighbours_removal_in_another_vm_does_not_even_show(stub, vms, moment):
    ours, theirs = vms[0].chains[0], vms[1].chains[0]
    result = remove_beside(stub, moment, lambda: neighbour_removes(stub, vms[1].uuid, theirs[0]), *ours, vm=vms[0].uuid)
    assert outcomes(result) == [("removed", None)] * 4 and result["gone_meanwhile"] == []
    assert ids(stub) == {identity for vm in vms for chain in vm.chains[1:] for identity in chain}


def test_the_chain_itself_gone_a_moment_before_is_no_failure_and_nothing_else_goes(stub, vms):
    ours, next_one, newest = vms[0].chains
    result = remove_beside(
        stub, BEFORE, lambda: neighbour_removes(stub, vms[0].uuid, ours[0]), ours[-1], next_one[-1], vm=vms[0].uuid
    )
    assert not result.get("failed") and outcomes(result) == [("already_absent", "gone_meanwhile"), ("removed", None)]
    assert vms[0].ids() == {*next_one[:-1], *newest} and [gone["id"] for gone in result["gone_meanwhile"]] == ours


def test_an_increment_gone_a_moment_before_does_not_cost_its_chain(stub, vms):
    ours = vms[0].chains[0]
    result = remove_beside(
        stub,
        BEFORE,
        lambda: neighbour_removes(stub, vms[0].uuid, ours[-1], KEEP_CHAIN),
        ours[-1],
        ours[-2],
        vm=vms[0].uuid,
    )
    assert not result.get("failed") and outcomes(result) == [("already_absent", "gone_meanwhile"), ("removed", None)]
    assert vms[0].ids() & set(ours) == set(ours[:2]), (
        "without the keep-chain flag the server would have deleted the chain"
    )


def test_more_gone_of_the_same_chain_after_our_call_stops_everything(stub, vms):
    ours = vms[0].chains[0]
    wanted = (ours[-1], vms[0].chains[1][-1])
    result = remove_beside(
        stub, AFTER, lambda: neighbour_removes(stub, vms[0].uuid, ours[1]), *wanted, vm=vms[0].uuid, on_error="continue"
    )
    assert result["failed"] and outcomes(result) == [("failed", "unexpected"), ("not_attempted", "unexpected")]
    assert (
        ours[1] in result["msg"]
        and ours[2] in result["msg"]
        and result["changed"]
        and result["backups"][0]["removed"] == [ours[-1]]
    )
    assert mutating(stub) == ["remove_vm_backup"] and vms[0].chains[1][-1] in vms[0].ids()
