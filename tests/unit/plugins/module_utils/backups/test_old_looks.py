"""Others act while we pause, search or reconnect: whatever they do, nothing is asked for on what was seen before."""

import itertools

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import (
    live_tree,
    locate,
    removal,
    removal_rules,
)
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Text
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError

from tests.unit.plugins.module_utils.backups.model import VM, ModelServer

HERE = VM % 1
ELSEWHERE = "{dead0000-0000-4000-8000-000000000001}"


@pytest.fixture
def server():
    return ModelServer()


def remove(server, *ids, debts=(), running=0, **options):
    entries = [removal_rules.Entry(index, identity, id_key(identity), HERE) for index, identity in enumerate(ids)]
    return removal.Removal(server, entries, removal_rules.Options(**options), debts=debts, running=running).run()


def outcomes(report):
    return [(backup["outcome"], backup["reason"]) for backup in report["backups"]]


def members(chain):
    return [chain.id_of(item) for item in chain.items]


def hide(chain):
    """Somebody writes to the chain from now on."""
    return lambda server: setattr(chain, "lock", ("writing", None))


def at_pause(server, number, act):
    """Have ``act()`` done while we pause for the ``number``-th time; returns a list that is empty until it is."""
    plain, pauses, acted = server.pause, itertools.count(1), []

    def pause(attempt, limit):
        if next(pauses) == number:
            act()
            acted.append(number)
        return plain(attempt, limit)

    server.pause = pause
    return acted


def check_calls(server):
    """Right before each request the tree was read."""
    for before, after in zip(server.log, server.log[1:]):
        assert after != "remove" or before == "read", server.log


def pauses_of(scene):
    """The numbers of all pauses that a run makes when nobody acts; ``scene()`` plays it and returns the server."""
    return range(1, scene().log.count("pause") + 1)


def hidden_until(number, others, deed):
    """A chain of ours is hidden when we ask for it; at a pause its writer ends, and ``deed(server, ours, other)`` is done.

    The VM's other chain, the newest, has ``others`` backups.
    """
    server = ModelServer()
    old, newest = server.add_chain(HERE, 2), server.add_chain(HERE, others)
    asked = members(old)
    server.rival = hide(old)

    def act():
        old.lock = None
        deed(server, old, newest)

    acted = at_pause(server, number, act)
    report = remove(server, *asked, busy_timeout=60)
    return server, acted, old, report


def grown(number):
    """A backup extends the chain that is asked for."""
    return hidden_until(number, 2, lambda server, ours, other: server.add_increment(ours))


def emptied(number):
    """The VM's other chain is removed."""
    return hidden_until(number, 1, lambda server, ours, other: server.vms[HERE].remove(other))


@pytest.mark.parametrize("number", pauses_of(lambda: grown(None)[0]))
def test_a_chain_that_grew_at_a_pause_is_refused(number):
    server, acted, old, report = grown(number)
    assert acted and old.uuid + ".4" in server.ids(), "nobody asked for it"
    assert outcomes(report) == [("refused", "dependents")] * 3
    check_calls(server)


@pytest.mark.parametrize("number", pauses_of(lambda: emptied(None)[0]))
def test_the_last_backup_stays_when_the_other_chain_goes_at_a_pause(number):
    server, acted, old, report = emptied(number)
    assert acted and server.ids(HERE) == set(members(old))
    assert outcomes(report)[0] == ("refused", "last_backup")
    check_calls(server)


def test_a_chain_that_grew_during_the_search_for_another_one_is_refused(server):
    old, _newest = server.add_chain(HERE, 1), server.add_chain(HERE)
    acted = []

    def find(uuid, ids):
        server.log.append("find")
        acted.append(ids)
        server.add_increment(old)
        return {}

    server.find = find
    report = remove(server, *members(old), ELSEWHERE, on_error="continue")
    assert acted == [[ELSEWHERE]] and old.uuid + ".3" in server.ids(), "nobody asked for it"
    assert outcomes(report)[0] == ("refused", "dependents") and outcomes(report)[2] == ("already_absent", None)
    check_calls(server)


def test_a_chain_that_grew_while_the_connection_was_made_again_is_refused(server):
    old, _newest = server.add_chain(HERE, 1), server.add_chain(HERE, 1)
    server.faults["remove"] = ["lost"]
    plain = server.reopen

    def reopen():
        server.add_increment(old)
        plain()

    server.reopen = reopen
    report = remove(server, *members(old))
    assert outcomes(report)[0] == ("failed", "connection_lost") and old.uuid + ".3" in server.ids(), (
        "it was asked for, and may still be done"
    )
    assert old.uuid + ".3" in report["backups"][0]["message"], "why it was not asked for again"
    check_calls(server)


def test_a_request_on_an_old_look_is_a_defect_and_is_never_made(server):
    chain = server.add_chain(HERE, 1)
    fresh = removal.FreshServer(server)
    step = removal_rules.Step("increment", members(chain)[1], True, frozenset(), None, ())
    for between in (lambda: fresh.pause(1, 1.0), fresh.reopen, lambda: fresh.find(HERE, []), fresh.running_removals):
        vm = fresh.read(HERE)
        between()
        with pytest.raises(AssertionError):
            fresh.remove(vm, step, 1.0)
    assert server.removals == []


# --- debts


@pytest.mark.parametrize("allow", [False, True])
def test_a_lost_request_that_is_done_late_does_not_help_to_take_the_last_backup(server, allow):
    old, newest = server.add_chain(HERE, 1), server.add_chain(HERE)
    server.faults["remove"] = ["lost_late"]
    report = remove(server, *members(old), *members(newest), on_error="continue", allow_remove_last=allow)
    assert set(outcomes(report)) == {("failed", "connection_lost")} and report["debts"] == [
        {"vm": HERE, "id": old.uuid}
    ]
    server.do_unheard()
    assert server.ids(HERE) == {newest.uuid}, "something is left, whatever is permitted"


@pytest.mark.parametrize("others", [0, 1, 2])
def test_a_lost_request_for_an_increment_that_is_done_after_the_run_does_not_take_the_full(server, others):
    chain = server.add_chain(HERE, 2)
    more = [server.add_chain(HERE) for _number in range(others)]
    server.faults["remove"] = ["lost_late"]
    done, server.do_unheard = server.do_unheard, lambda: None
    report = remove(
        server, *members(chain)[1:], *[identity for each in more for identity in members(each)], on_error="continue"
    )
    assert report["debts"] == [{"vm": HERE, "id": chain.uuid + ".3"}]
    done()
    assert chain.uuid in server.ids(HERE), "the full was not asked for, and is the only one that is left"


def test_a_lost_request_that_the_server_is_still_at_is_neither_damage_nor_removed(server):
    chain = server.add_chain(HERE, 3)
    server.add_chain(HERE)
    server.faults["remove"] = ["lost_slow"]
    report = remove(server, members(chain)[3], busy_timeout=0)
    assert outcomes(report) == [("failed", "connection_lost")] and report["backups"][0]["removed"] == []
    assert report["stop"]["reason"] == "stopped", "it is no damage"


def tree(server):
    return server.read(HERE)


def step_for(chain, *positions):
    return frozenset(id_key(members(chain)[position]) for position in positions)


def test_what_is_left_after_a_step_and_its_debts_is_counted_at_the_worst(server):
    one, two, _three = server.add_chain(HERE, 2), server.add_chain(HERE, 1), server.add_chain(HERE)
    vm, nothing = tree(server), frozenset()

    def count(intended, ids=(), running=0):
        return len(removal_rules.left_after(vm, intended, removal_rules.Debts(ids, running)))

    assert count(nothing) == 6 and count(step_for(one, 2)) == 5
    assert count(nothing, (one.uuid,)) == 3, "a full takes its chain along"
    assert count(nothing, (one.uuid + ".2",)) == 5, "an increment is asked for alone"
    assert count(step_for(one, 2), (one.uuid + ".3",)) == 5, "and once"
    assert count(nothing, (ELSEWHERE,)) == 6
    assert count(nothing, (), 1) == 3 and count(nothing, (), 2) == 1 and count(nothing, (), 9) == 0
    assert count(step_for(one, 0, 1, 2), (two.uuid,), 1) == 0
    one.items = one.items[1:]
    vm = tree(server)
    assert count(nothing, (one.uuid + ".2",)) == 3, "one that was promoted takes its chain along, too"


@pytest.mark.parametrize("left, verdict", [(1, "connection_lost"), (2, None)])
def test_two_backups_have_to_be_left(server, left, verdict):
    chain, _other = server.add_chain(HERE, 1), [server.add_chain(HERE) for _number in range(left)]
    vm, step = tree(server), removal_rules.Step("increment", chain.uuid + ".2", True, step_for(chain, 1), None, ())
    blocked = removal_rules.too_few_left(vm, step, removal_rules.Debts((chain.uuid,), 0))
    assert (blocked and blocked.reason) == verdict


def test_a_removal_that_nobody_knows_is_waited_for_and_then_no_debt_any_more(server):
    old, newest = server.add_chain(HERE, 1), server.add_chain(HERE, 1)
    running = iter([1, 1, 0])
    server.running_removals = lambda: next(running)
    assert outcomes(remove(server, *members(old), running=1, busy_timeout=60)) == [("removed", None)] * 2
    check_calls(server)
    again = server.add_chain(HERE, 1)
    server.running_removals = lambda: 1
    assert outcomes(remove(server, *members(newest), running=1, busy_timeout=5)) == [("busy", "removal_running")] * 2
    assert set(members(again) + members(newest)) <= server.ids()


# --- what the server's answer proves


@pytest.mark.parametrize("fault", ["lost_after", "lost_late"])
def test_what_is_gone_after_a_loss_is_ours_and_told_once(server, fault):
    old, _newest = server.add_chain(HERE, 2), server.add_chain(HERE, 2)
    asked = members(old)
    server.faults["remove"] = [fault]
    report = remove(server, *asked)
    assert outcomes(report) == [("removed", None)] * 3
    assert [backup["removed"] for backup in report["backups"]] == [[identity] for identity in asked] and report[
        "removed_by_others"
    ] == []


def test_what_the_server_says_it_did_is_credited_though_it_cannot_be_read_any_more(server):
    chain = server.add_chain(HERE, 2)
    server.faults["read"] = [None, "PRL_ERR_BACKUP_INTERNAL_ERROR"]
    report = remove(server, members(chain)[2])
    assert outcomes(report) == [("failed", "unverified")] and report["backups"][0]["removed"] == [chain.uuid + ".3"]
    assert chain.uuid + ".3" not in server.ids()


def test_a_chain_that_a_failing_request_has_hidden_is_asked_for_again(server):
    """An error that ends a request says nothing about what it did before; that the chain is not known any more does."""
    old, _newest = server.add_chain(HERE, 1), server.add_chain(HERE, 1)
    asked, plain = members(old), server.raw_remove

    def fail_at_the_end(uuid, backup_id, keep_chain):
        server.raw_remove = plain
        plain(uuid, backup_id, keep_chain)
        raise CallError("PRL_ERR_BACKUP_CANNOT_REMOVE_DIRECTORY", "", "remove_vm_backup", 1)

    server.raw_remove = fail_at_the_end
    report = remove(server, *asked)
    assert outcomes(report) == [("removed", None)] * 2 and len(server.removals) == 2


def test_a_chain_that_is_hidden_after_a_success_is_waited_for_before_the_alarm(server):
    chain = server.add_chain(HERE, 2)
    server.add_chain(HERE)
    wanted = members(chain)[2]

    def hide_for(count):
        return lambda server: setattr(chain, "lock", ("writing", count))

    server.late_rival = hide_for(5)
    assert outcomes(remove(server, wanted, busy_timeout=60)) == [("removed", None)]
    server.late_rival = hide_for(1000)
    report = remove(server, members(chain)[1], busy_timeout=60)
    assert outcomes(report) == [("failed", "unexpected")] and report["backups"][0]["removed"] == [chain.uuid + ".2"]
    assert chain.uuid in report["stop"]["message"] and "writing" in report["stop"]["message"]


# --- decisions that were not held by a test


@pytest.fixture
def chains(server):
    return server.add_chain(HERE, 3), server.add_chain(HERE)


def refused_whole(how, ids):
    if how == "removes":
        return {"removes": dict.fromkeys(map(id_key, ids), removal_rules.ANYTHING)}
    return {}


@pytest.mark.parametrize("how", ["dependents", "removes"])
def test_what_is_refused_itself_does_not_go_with_its_chain(server, chains, how):
    ids = members(chains[0])
    whole = removal_rules.Entry(0, ids[0], id_key(ids[0]), HERE, **refused_whole(how, ids))
    refused = removal_rules.Entry(1, ids[2], id_key(ids[2]), HERE, size=1)
    options = removal_rules.Options(dependents="remove" if how == "dependents" else "refuse", on_error="continue")
    removal.Removal(server, [whole, refused], options).run()
    assert set(ids) <= server.ids() and server.removals == []


def test_an_increment_right_before_a_refused_one_stays(server, chains):
    ids = members(chains[0])
    entries = [
        removal_rules.Entry(0, ids[2], id_key(ids[2]), HERE),
        removal_rules.Entry(1, ids[3], id_key(ids[3]), HERE, size=1),
    ]
    removal.Removal(server, entries, removal_rules.Options(dependents="remove", on_error="continue")).run()
    assert set(ids) <= server.ids() and server.removals == []


def test_what_would_go_along_with_a_refused_entry_stays(server, chains):
    ids = members(chains[0])
    along = dict.fromkeys(map(id_key, ids[1:]), removal_rules.ANYTHING)
    entries = [
        removal_rules.Entry(0, ids[1], id_key(ids[1]), HERE, removes=along),
        removal_rules.Entry(1, ids[2], id_key(ids[2]), HERE, size=1),
    ]
    report = removal.Removal(server, entries, removal_rules.Options(on_error="continue")).run()
    assert outcomes(report) == [("refused", "dependents"), ("refused", "mismatch")]
    assert set(ids) <= server.ids() and server.removals == []


@pytest.mark.parametrize("owner, reason", [(HERE, "other_directory"), (VM % 2, "other_vm")])
def test_a_backup_that_is_found_elsewhere_is_refused(server, chains, owner, reason):
    server.find = lambda uuid, ids: {id_key(identity): [owner.upper() if owner == HERE else owner] for identity in ids}
    report = remove(server, ELSEWHERE)
    assert outcomes(report) == [("refused", reason)] and server.removals == []


def test_a_backup_of_another_vm_ends_the_work_before_anything_is_removed(server, chains):
    server.find = lambda uuid, ids: {id_key(identity): [VM % 2] for identity in ids}
    report = remove(server, members(chains[0])[3], ELSEWHERE)
    assert outcomes(report) == [("not_attempted", "stopped"), ("refused", "other_vm")] and server.removals == []


def test_an_id_of_another_chain_is_damage():
    text = (
        "<BackupTree><VmItem><Uuid>%s</Uuid><BackupItem><Uuid>{c0000000-0000-4000-8000-000000000001}</Uuid><Id>{c0000000-0000-4000-8000-000000000002}</Id>"
        "<DateTime>2026-01-01 00:00:00</DateTime><Size>1</Size></BackupItem></VmItem></BackupTree>" % HERE
    )
    with pytest.raises(PrlError):
        live_tree.vm_from(locate.read(Text({"text": text}), HERE), HERE)
