"""What the removal does against a server that does damage when it is asked wrongly. No process, no SDK: decisions only."""

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import removal, removal_rules
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key

from tests.unit.plugins.module_utils.backups.model import VM, ModelServer


def entry(server, index, vm, chain, number=None, **more):
    backup_id = chain if isinstance(chain, str) else chain.uuid + (".%d" % number if number else "")
    return removal_rules.Entry(index, backup_id, id_key(backup_id), vm, **more)


def remove(server, *wanted, check=False, **options):
    """Remove (vm, chain, number[, {created, size, action, removes, allow_remove_last}]) and return the whole report."""
    entries = [
        entry(server, index, *item[:3], **(item[3] if len(item) > 3 else {})) for index, item in enumerate(wanted)
    ]
    backend = removal.Rehearsal(server) if check else server
    return removal.Removal(backend, entries, removal_rules.Options(**options)).run()


def whole(ids):
    """What a plan says of backups that go along, with nothing but their ids."""
    return {id_key(identity): removal_rules.ANYTHING for identity in ids}


def outcomes(report):
    return [(backup["outcome"], backup["reason"]) for backup in report["backups"]]


@pytest.fixture
def vm():
    return VM % 1


@pytest.fixture
def server(vm):
    server = ModelServer()
    server.add_chain(vm, 3)
    server.add_chain(vm, 2)
    return server


def chains(server, vm):
    return server.vms[vm]


def test_missing_increment_never_reaches_the_server(server, vm):
    old = chains(server, vm)[0]
    report = remove(server, (vm, old, 99))
    assert outcomes(report) == [("already_absent", None)]
    assert server.removals == [] and len(server.ids()) == 7


def test_number_that_is_no_number_never_reaches_the_server(server, vm):
    report = remove(server, (vm, chains(server, vm)[0].uuid + ".abc", None))
    assert outcomes(report) == [("already_absent", None)] and server.removals == []


def test_plain_uuid_of_a_promoted_head_never_reaches_the_server(server, vm):
    old = chains(server, vm)[0]
    old.items = old.items[1:]
    server.removals.clear()
    report = remove(server, (vm, old.uuid, None))
    assert outcomes(report) == [("already_absent", None)] and server.removals == []
    assert len(server.ids()) == 6


def test_promoted_head_goes_with_its_chain_by_the_id_that_it_has(server, vm):
    old = chains(server, vm)[0]
    old.items = old.items[1:]
    report = remove(server, (vm, old, 2, {"removes": whole(old.uuid + ".%d" % n for n in (2, 3, 4))}))
    assert outcomes(report) == [("removed", None)]
    assert server.removals == [(vm, old.uuid + ".2", False)]


def test_unknown_vm_has_no_backup_and_is_not_asked_to_remove_any(server, vm):
    report = remove(server, (VM % 9, chains(server, vm)[0], None))
    assert outcomes(report) == [("already_absent", None)] and server.removals == []


def test_wrong_number_does_not_empty_a_vm_with_a_single_backup(vm):
    server = ModelServer()
    only = server.add_chain(vm)
    assert outcomes(remove(server, (vm, only, 7), allow_remove_last=True)) == [("already_absent", None)]
    assert server.removals == [] and len(server.ids()) == 1


def test_full_alone_is_refused_while_increments_depend_on_it(server, vm):
    report = remove(server, (vm, chains(server, vm)[0], None))
    assert outcomes(report) == [("refused", "dependents")] and server.removals == []
    assert "remove" in report["backups"][0]["message"]


def test_chain_that_grew_since_it_was_planned_is_refused(server, vm):
    old = chains(server, vm)[0]
    plan = {"action": "chain", "removes": whole(backup for backup in server.ids() if backup.startswith(old.uuid))}
    server.add_increment(old)
    assert outcomes(remove(server, (vm, old, None, plan))) == [("refused", "dependents")]
    assert server.removals == []


def test_whole_chain_goes_in_one_call_without_the_keep_chain_flag(server, vm):
    old = chains(server, vm)[0]
    report = remove(server, (vm, old, 3), (vm, old, None), (vm, old, 4), (vm, old, 2))
    assert outcomes(report) == [("removed", None)] * 4
    assert server.removals == [(vm, old.uuid, False)]
    assert [backup["removed"] for backup in report["backups"]] == [
        [old.uuid + ".3"],
        [old.uuid],
        [old.uuid + ".4"],
        [old.uuid + ".2"],
    ]


def test_dependents_go_newest_first_and_one_by_one_when_that_is_permitted(server, vm):
    old = chains(server, vm)[0]
    report = remove(server, (vm, old, 2), dependents="remove")
    assert outcomes(report) == [("removed", None)]
    assert server.removals == [(vm, old.uuid + ".%d" % number, True) for number in (4, 3, 2)]
    assert report["backups"][0]["removed"] == [old.uuid + ".%d" % number for number in (4, 3, 2)]


def test_middle_increment_is_refused_because_the_server_would_take_the_later_ones_along(server, vm):
    assert outcomes(remove(server, (vm, chains(server, vm)[0], 2))) == [("refused", "dependents")]
    assert server.removals == []


def test_middle_increment_can_be_merged_and_what_depends_on_it_stays(server, vm):
    old = chains(server, vm)[0]
    report = remove(server, (vm, old, 2, {"action": "merge"}))
    assert outcomes(report) == [("removed", None)]
    assert server.removals == [(vm, old.uuid + ".2", True)]
    assert {old.uuid, old.uuid + ".3", old.uuid + ".4"} <= server.ids()


def test_several_merges_and_a_tail_in_one_chain_go_newest_first(server, vm):
    old = chains(server, vm)[0]
    report = remove(server, (vm, old, 2, {"action": "merge"}), (vm, old, 4), (vm, old, 3, {"action": "merge"}))
    assert outcomes(report) == [("removed", None)] * 3
    assert [backup for vm_uuid, backup, keep in server.removals] == [old.uuid + ".%d" % number for number in (4, 3, 2)]
    assert all(keep for vm_uuid, backup, keep in server.removals)


@pytest.mark.parametrize("action", ["merge", "increment"])
def test_full_is_never_taken_out_of_its_chain(server, vm, action):
    assert outcomes(remove(server, (vm, chains(server, vm)[0], None, {"action": action}))) == [
        ("refused", "not_an_increment")
    ]
    assert server.removals == []


def test_increment_is_not_removed_where_a_chain_was_meant(server, vm):
    assert outcomes(remove(server, (vm, chains(server, vm)[0], 4, {"action": "chain"}))) == [("refused", "not_a_full")]


def test_old_storage_format_loses_no_single_increment_but_whole_chains(vm):
    server = ModelServer(version=3)
    old, new = server.add_chain(vm, 2), server.add_chain(vm)
    report = remove(server, (vm, old, 3), (vm, old, 2, {"action": "merge"}), on_error="continue")
    assert outcomes(report) == [("refused", "old_format")] * 2 and server.removals == []
    report = remove(server, (vm, old, None), dependents="remove")
    assert outcomes(report) == [("removed", None)] and server.ids() == {new.uuid}


@pytest.mark.parametrize("expected", [{"created": "2026-01-01T00:00:01Z"}, {"size": 1}])
def test_backup_that_is_not_the_one_that_was_meant_is_refused(server, vm, expected):
    report = remove(server, (vm, chains(server, vm)[0], 4, expected))
    assert outcomes(report) == [("refused", "mismatch")] and server.removals == []


def test_created_and_size_that_fit_are_no_obstacle(server, vm):
    assert outcomes(
        remove(server, (vm, chains(server, vm)[0], 4, {"created": "2026-01-01T00:01:44Z", "size": 104}))
    ) == [("removed", None)]


def test_mismatch_in_one_member_saves_the_whole_chain(server, vm):
    old = chains(server, vm)[0]
    report = remove(server, (vm, old, None), (vm, old, 2), (vm, old, 3, {"size": 5}), (vm, old, 4), on_error="continue")
    assert outcomes(report) == [
        ("refused", "dependents"),
        ("refused", "dependents"),
        ("refused", "mismatch"),
        ("removed", None),
    ]
    assert server.removals == [(vm, old.uuid + ".4", True)]


def test_newest_restore_point_stays_when_everything_was_asked_for(server, vm):
    old, new = chains(server, vm)
    wanted = [(vm, new, None), (vm, new, 2), (vm, new, 3), (vm, old, None), (vm, old, 2), (vm, old, 3), (vm, old, 4)]
    report = remove(server, *wanted, on_error="continue")
    assert outcomes(report) == [("refused", "last_backup")] * 3 + [("removed", None)] * 4
    assert server.ids() == {new.uuid, new.uuid + ".2", new.uuid + ".3"}
    report = remove(server, *wanted, on_error="continue", allow_remove_last=True)
    assert server.ids() == set()
    assert outcomes(report) == [("removed", None)] * 3 + [("already_absent", None)] * 4


def test_sole_backup_of_a_vm_stays(vm):
    server = ModelServer()
    only = server.add_chain(vm)
    assert outcomes(remove(server, (vm, only, None))) == [("refused", "last_backup")] and server.removals == []


def test_the_first_refusal_ends_the_work_unless_told_to_continue(server, vm):
    old, new = chains(server, vm)
    report = remove(server, (vm, old, 2), (vm, new, 3))
    assert outcomes(report) == [("refused", "dependents"), ("not_attempted", "stopped")] and server.removals == []
    report = remove(server, (vm, old, 2), (vm, new, 3), on_error="continue")
    assert outcomes(report) == [("refused", "dependents"), ("removed", None)]


@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_chain_in_use_is_tried_again_with_a_fresh_tree(server, vm, kind):
    old = chains(server, vm)[0]

    def lock(server):
        old.lock = (kind, 3)

    server.rival = lock
    report = remove(server, (vm, old, 4))
    assert outcomes(report) == [("removed", None)]
    first, second = [position for position, name in enumerate(server.log) if name == "remove"][:2]
    assert server.log[second - 1] == "read" and "pause" in server.log[first:second]


def test_chain_that_stays_in_use_is_reported_busy_and_the_next_one_is_done(server, vm):
    old, new = chains(server, vm)
    old.lock = ("reading", None)
    report = remove(server, (vm, old, 4), (vm, old, 3), (vm, new, 3), on_error="continue", busy_timeout=20)
    assert outcomes(report) == [("busy", "locked"), ("not_attempted", "chain_failed"), ("removed", None)]
    assert server.now < 60


def test_chain_that_a_rival_removes_in_between_is_absent(server, vm):
    old = chains(server, vm)[0]

    def rival(server):
        old.lock = ("writing", None)
        server.unheard = [3, (vm, old.uuid, False)]

    server.rival = rival
    report = remove(server, (vm, old, None), dependents="remove")
    assert outcomes(report) == [("already_absent", "gone_meanwhile")] and report["backups"][0]["removed"] == []
    assert old.uuid not in server.ids() and set(server.removals) == {(vm, old.uuid, False)}


@pytest.mark.parametrize("number", [None, 4])
def test_chain_that_somebody_keeps_writing_is_in_use_and_not_absent(server, vm, number):
    old = chains(server, vm)[0]
    server.rival = lambda server: setattr(old, "lock", ("writing", None))
    report = remove(server, (vm, old, number), dependents="remove", busy_timeout=20)
    assert outcomes(report) == [("busy", "locked")] and old.uuid in server.ids()


def test_number_that_vanishes_between_look_and_call_is_absent_and_not_the_end_of_the_chain(server, vm):
    old = chains(server, vm)[0]

    def rival(server):
        server.raw_remove(vm, old.uuid + ".4", True)

    server.rival = rival
    report = remove(server, (vm, old, 4))
    assert server.removals == [(vm, old.uuid + ".4", True)]
    assert outcomes(report) == [("already_absent", "gone_meanwhile")] and report["backups"][0]["removed"] == []
    assert {old.uuid, old.uuid + ".2", old.uuid + ".3"} <= server.ids()


def test_anything_else_that_goes_from_the_chain_stops_everything_loudly(server, vm):
    old = chains(server, vm)[0]

    def damage(server):
        server.raw_remove(vm, old.uuid + ".2", False)

    server.late_rival = damage
    report = remove(server, (vm, old, 4), (vm, old, 3), on_error="continue")
    assert outcomes(report) == [("failed", "unexpected"), ("not_attempted", "unexpected")]
    assert ": %s.2, %s.3." % (old.uuid, old.uuid) in report["stop"]["message"] and report["backups"][0]["removed"] == [
        old.uuid + ".4"
    ]
    assert len(server.removals) == 1 and report["removed_by_others"] == [], (
        "it is not said of damage that somebody else did it"
    )


def test_server_that_takes_all_that_the_vm_has_is_noticed(server, vm):
    old, new = chains(server, vm)
    server.late_rival = lambda server: server.vms[vm].clear()
    report = remove(server, (vm, old, 4), (vm, old, 3), on_error="continue")
    assert outcomes(report) == [("failed", "unexpected"), ("not_attempted", "unexpected")]
    assert {old.uuid, new.uuid} <= set(report["stop"]["message"].replace(",", " ").replace("}.", "} ").split())


def test_lost_connection_is_made_again_once_and_what_was_done_is_found_out(server, vm):
    old = chains(server, vm)[0]
    server.faults["remove"] = ["lost_after"]
    report = remove(server, (vm, old, 4))
    assert outcomes(report) == [("removed", None)] and len(server.removals) == 1 and server.log.count("reopen") == 1


def test_lost_connection_before_the_removal_is_tried_once_more_with_a_fresh_tree(server, vm):
    old = chains(server, vm)[0]
    server.faults["remove"] = ["lost"]
    assert outcomes(remove(server, (vm, old, 4))) == [("removed", None)] and len(server.removals) == 2
    server.faults["remove"] = ["lost", "lost"]
    assert outcomes(remove(server, (vm, old, 3))) == [("failed", "connection_lost")]
    assert old.uuid + ".3" in server.ids()


@pytest.mark.parametrize("number", [None, 3])
def test_removal_that_the_server_goes_on_with_unheard_is_waited_for(server, vm, number):
    old = chains(server, vm)[0]
    server.faults["remove"] = ["lost_slow"]
    report = remove(server, (vm, old, number), (vm, old, 4), dependents="remove")
    assert {outcome for outcome, _reason in outcomes(report)} == {"removed"}
    told = {identity for backup in report["backups"] for identity in backup["removed"]}
    assert told == {old.uuid + ".4", old.uuid + ".3"} | ({old.uuid, old.uuid + ".2"} if number is None else set())


def test_chain_whose_removal_fails_unheard_is_not_called_removed(server, vm):
    old = chains(server, vm)[0]
    server.faults["remove"] = ["lost_slow", "PRL_ERR_BACKUP_LOCKED_FOR_WRITING"] + [
        "PRL_ERR_BACKUP_LOCKED_FOR_WRITING"
    ] * 100
    server.do_unheard = lambda: None
    report = remove(server, (vm, old, None), dependents="remove", busy_timeout=20)
    assert outcomes(report) == [("busy", "locked")] and old.uuid in server.ids()


def test_second_request_never_takes_the_only_backup_that_the_first_one_left(server):
    vm = VM % 9
    chain = server.add_chain(vm, 1)
    server.faults["remove"] = ["lost_late"]
    report = remove(server, (vm, chain, 2))
    assert outcomes(report) == [("failed", "connection_lost")] and len(server.removals) == 1
    server.do_unheard()
    assert server.ids(vm) == {chain.uuid}


@pytest.mark.parametrize("fault", ["lost_after", "lost_late", "lost_slow"])
def test_second_request_for_a_chain_never_risks_the_only_other_backup(server, fault):
    vm = VM % 9
    old, new = server.add_chain(vm, 1), server.add_chain(vm)
    server.faults["remove"] = [fault]
    report = remove(server, (vm, old, None), dependents="remove", busy_timeout=1)
    assert outcomes(report) == [("failed", "connection_lost")] and len(server.removals) == 1
    server.do_unheard()
    assert server.ids(vm) == {new.uuid}
    assert outcomes(remove(server, (vm, old, None), dependents="remove")) == [("already_absent", None)]


def test_second_request_is_made_where_it_can_do_no_harm(server, vm):
    old = chains(server, vm)[0]
    server.faults["remove"] = ["lost_late"]
    assert outcomes(remove(server, (vm, old, 4))) == [("removed", None)] and len(server.removals) == 2
    assert old.uuid + ".3" in server.ids()


def test_dependents_that_the_plan_names_go_with_an_increment(server, vm):
    old = chains(server, vm)[0]
    keys = [id_key("%s.%d" % (old.uuid, number)) for number in (3, 4)]
    entry = removal_rules.Entry(0, old.uuid + ".3", keys[0], vm, removes=dict.fromkeys(keys, removal_rules.ANYTHING))
    report = removal.Removal(server, [entry], removal_rules.Options()).run()
    assert report["backups"][0]["removed"] == [old.uuid + ".4", old.uuid + ".3"]
    part = removal_rules.Entry(0, old.uuid + ".2", id_key(old.uuid + ".2"), vm, removes=whole([old.uuid + ".9"]))
    server.add_increment(old)
    assert outcomes(removal.Removal(server, [part], removal_rules.Options()).run()) == [("refused", "dependents")]


def test_server_that_does_not_come_back_ends_the_work(server, vm):
    old = chains(server, vm)[0]
    server.faults.update({"remove": ["lost_after"], "reopen": ["PRL_ERR_CANT_CONNECT_TO_DISPATCHER"]})
    report = remove(server, (vm, old, 4), (vm, old, 3), on_error="continue")
    assert outcomes(report) == [("failed", "connection_lost"), ("not_attempted", "connection_lost")]


def test_failure_in_one_chain_leaves_its_other_backups_alone(server, vm):
    old, new = chains(server, vm)
    server.faults["remove"] = ["PRL_ERR_OPERATION_FAILED"]
    report = remove(server, (vm, old, 4), (vm, old, 3), (vm, new, 3), on_error="continue")
    assert outcomes(report) == [("failed", "error"), ("not_attempted", "chain_failed"), ("removed", None)]


def test_time_that_is_over_leaves_the_rest_not_attempted(server, vm):
    old = chains(server, vm)[0]
    server.end = 3.0
    server.rival = lambda server: setattr(server, "now", 2.9)
    report = remove(server, (vm, old, 4), (vm, old, 3))
    assert outcomes(report) == [("removed", None), ("not_attempted", "timeout")]


def test_a_backup_seen_in_the_default_directory_only_is_not_called_absent(server, vm):
    item = entry(server, 0, VM % 9, chains(server, vm)[0], None)
    item.located = True
    report = removal.Removal(server, [item], removal_rules.Options()).run()
    assert outcomes(report) == [("refused", "other_directory")]


def test_every_call_is_decided_on_a_tree_that_was_read_right_before(server, vm):
    old, new = chains(server, vm)
    remove(server, (vm, old, 4), (vm, old, 3), (vm, new, 3))
    assert server.log == ["read"] + ["remove", "read"] * 3


def test_rehearsal_gives_the_same_report_without_a_call(server, vm):
    old, new = chains(server, vm)
    wanted = [(vm, old, 4), (vm, old, 2), (vm, new, None, {"removes": whole([new.uuid])}), (vm, old, 3), (vm, new, 9)]
    rehearsed = remove(server, *wanted, check=True, on_error="continue")
    assert server.removals == [] and server.log == ["read"]
    assert remove(server, *wanted, on_error="continue") == rehearsed


def test_no_removal_begins_after_stop_at_and_what_is_left_is_told_apart_from_a_failure(server, vm):
    old = chains(server, vm)[0]
    last, middle = old.items[-1][0], old.items[-2][0]
    begin, remove_one = server.left(), server.remove

    def take_half_a_minute(*arguments):
        remove_one(*arguments)
        server.now += 30

    server.remove = take_half_a_minute
    report = remove(server, (vm, old, last), (vm, old, middle), stop_at=begin - 20)
    assert outcomes(report) == [("removed", None), ("not_attempted", "stop_after")]
    assert report["stop"]["reason"] == "stop_after" and report["stop"]["message"] is None
