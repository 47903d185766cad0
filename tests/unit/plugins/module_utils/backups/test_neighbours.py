"""Others who prune the same server at the same moment: what they remove is told from damage, and no more is taken than was meant."""

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import removal, removal_rules
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key

from tests.unit.plugins.module_utils.backups.model import VM, ModelServer

HERE, THERE = VM % 1, VM % 2


@pytest.fixture
def server():
    """A VM with a chain of ours and one of a neighbour's, of a full and three increments each, and a newest one; another VM."""
    server = ModelServer()
    for vm in (HERE, HERE, HERE, THERE, THERE):
        server.add_chain(vm, 3)
    return server


def remove(server, *ids, **options):
    entries = [removal_rules.Entry(index, identity, id_key(identity), HERE) for index, identity in enumerate(ids)]
    return removal.Removal(server, entries, removal_rules.Options(**options)).run()


def outcomes(report):
    return [(backup["outcome"], backup["reason"]) for backup in report["backups"]]


def members(chain):
    return [chain.id_of(item) for item in chain.items]


def whole(vm, chain):
    """A neighbour who removes a whole chain."""
    return lambda server: server.raw_remove(vm, members(chain)[0], False)


def last(vm, chain, count=1):
    """A neighbour who removes the last increments of a chain."""

    def act(server):
        for _number in range(count):
            server.raw_remove(vm, members(chain)[-1], True)

    return act


@pytest.fixture(params=["rival", "late_rival"])
def moment(request):
    """Between our look and our call, or between our call and our next look."""
    return request.param


@pytest.mark.parametrize("act", [whole, last])
def test_what_a_neighbour_removes_of_another_chain_is_told_and_no_failure(server, moment, act):
    ours, theirs, newest = server.vms[HERE]
    before = members(theirs)
    setattr(server, moment, act(HERE, theirs))
    report = remove(server, members(ours)[3], members(ours)[2])
    assert outcomes(report) == [("removed", None)] * 2 and report["stop"] is None
    gone = [identity for identity in before if identity not in server.ids()]
    assert gone and report["removed_by_others"] == [{"vm": HERE, "id": identity} for identity in gone]
    assert len(server.removals) == 2 and "pause" not in server.log, "nobody waits for what is a neighbour's"
    assert not set(gone) & set(report["before"][HERE]["ids"] + report["after"][HERE]["ids"]), (
        "the difference between the two is what we removed"
    )


def test_what_a_neighbour_removes_of_another_vm_is_none_of_our_business(server, moment):
    ours, theirs = server.vms[HERE][0], server.vms[THERE][0]
    setattr(server, moment, whole(THERE, theirs))
    report = remove(server, *members(ours))
    assert outcomes(report) == [("removed", None)] * 4 and report["removed_by_others"] == []


def test_a_chain_that_goes_while_another_is_pruned_is_not_asked_for_any_more(server):
    ours, theirs, newest = server.vms[HERE]
    lost = members(theirs)
    server.late_rival = whole(HERE, theirs)
    report = remove(server, members(ours)[3], lost[0], lost[1], lost[2], lost[3])
    assert outcomes(report) == [("removed", None)] + [("already_absent", "gone_meanwhile")] * 4
    assert len(server.removals) == 1 and report["backups"][1]["removed"] == []


def test_an_increment_that_somebody_else_removes_a_moment_before_is_refused_by_the_server_and_no_failure(server):
    ours = server.vms[HERE][0]
    wanted = members(ours)[:1:-1]
    server.rival = last(HERE, ours)
    report = remove(server, *wanted)
    assert outcomes(report) == [("already_absent", "gone_meanwhile"), ("removed", None)]
    assert report["removed_by_others"] == [{"vm": HERE, "id": wanted[0]}] and members(ours) == [
        ours.uuid,
        ours.uuid + ".2",
    ]


@pytest.mark.parametrize("number", [0, 3])
def test_a_chain_that_somebody_else_removes_a_moment_before_is_refused_by_the_server_and_the_work_goes_on(
    server, number
):
    ours, others, newest = server.vms[HERE]
    lost, next_one = members(ours), members(others)[3]
    server.rival = whole(HERE, ours)
    report = remove(server, lost[number], next_one, dependents="remove")
    assert outcomes(report) == [("already_absent", "gone_meanwhile"), ("removed", None)]
    assert [entry["id"] for entry in report["removed_by_others"]] == lost


def test_more_that_goes_from_the_same_chain_by_a_call_that_was_done_is_not_put_down_to_anybody_else(server):
    ours = server.vms[HERE][0]
    lost = members(ours)
    server.late_rival = whole(HERE, ours)
    report = remove(server, lost[3], lost[2], on_error="continue")
    assert (
        outcomes(report) == [("failed", "unexpected"), ("not_attempted", "unexpected")]
        and report["removed_by_others"] == []
    )
    assert all(identity in report["stop"]["message"] for identity in lost[:3]) and len(server.removals) == 1


def test_two_who_remove_the_same_last_increment_can_cost_a_vm_its_full_and_then_everybody_hears(server):
    """The one race that the server leaves open: it takes everything where a single backup is left, whatever is asked for."""
    server.vms = {}
    only = server.add_chain(HERE, 1)
    wanted = members(only)[1]
    server.rival = last(HERE, only)
    report = remove(server, wanted)
    assert (
        server.ids() == set()
        and outcomes(report) == [("failed", "unexpected")]
        and only.uuid in report["stop"]["message"]
    )


def test_nothing_left_of_a_vm_is_not_put_down_to_anybody_else(server):
    ours, theirs, newest = server.vms[HERE]
    lost = members(theirs) + members(newest)

    def act(server):
        whole(HERE, theirs)(server)
        whole(HERE, newest)(server)

    server.late_rival = act
    report = remove(server, *members(ours))
    assert {outcome for outcome, reason in outcomes(report)} == {"failed"} and report["stop"]["reason"] == "unexpected"
    assert all(identity in report["stop"]["message"] for identity in lost) and report["removed_by_others"] == []


def test_a_request_that_was_lost_and_comes_to_its_end_late_is_ours(server):
    ours = server.vms[HERE][0]
    wanted = members(ours)[3]
    server.faults["remove"] = ["lost"]
    # The first request is lost on its way; it is done when the second one comes.
    original = server.raw_remove

    def late(uuid, backup_id, keep_chain):
        original(uuid, backup_id, keep_chain)
        server.raw_remove = original
        original(uuid, backup_id, keep_chain)

    server.raw_remove = late
    report = remove(server, wanted)
    assert outcomes(report) == [("removed", None)] and report["backups"][0]["removed"] == [wanted]
    assert (
        report["backups"][0]["error"]["symbol"] == "PRL_ERR_BACKUP_BACKUP_NOT_FOUND"
        and report["removed_by_others"] == []
    )


def test_a_chain_that_a_neighbour_is_at_work_on_and_leaves_whole_is_not_called_gone(server):
    ours, theirs, newest = server.vms[HERE]

    def leave(server):
        theirs.lock = None

    def begin(server):
        theirs.lock, server.late_rival = ("writing", None), leave

    server.late_rival = begin
    report = remove(server, *members(ours)[:1:-1])
    assert outcomes(report) == [("removed", None)] * 2 and report["removed_by_others"] == []


def test_waiting_for_a_chain_in_use_does_not_wait_for_what_a_neighbour_has_removed(server):
    ours, theirs, newest = server.vms[HERE]
    wanted = members(ours)[3]

    def act(server):
        ours.lock = ("reading", 2)
        whole(HERE, theirs)(server)

    server.rival = act
    report = remove(server, wanted)
    assert outcomes(report) == [("removed", None)] and server.log.count("pause") == 2
