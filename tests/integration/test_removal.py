"""Removal over the stub SDK: for every row of the table of the server's own removal, the damage, and the module that does not do it."""

import json
import subprocess
import time

import pytest

from tests.harness import STUB_SDK, run_module
from tests.integration.server import KEEP_CHAIN, RAW, Vm, ids, mutating, outcomes, raw_remove, small_server


@pytest.fixture
def vms(stub):
    return small_server(stub)


def remove(stub, *backups, **options):
    return run_module(
        "prl_backup", stub, state="absent", backups=[{"id": b} if isinstance(b, str) else b for b in backups], **options
    )


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


# --- the table, row by row


def test_empty_ids_are_refused_by_both(stub, vms):
    assert raw_remove(stub, "", "") == "0x80000003"
    result = remove(stub, "", vm=vms[0].uuid)
    assert result["failed"] and result["error"]["symbol"] == "INVALID_INPUT" and "backups[0].id" in result["msg"]
    assert stub.calls() == []


def test_backup_of_a_vm_that_was_not_named_is_found_by_looking(stub, vms):
    last = vms[0].chains[0][-1]
    result = remove(stub, last)
    assert outcomes(result) == [("removed", None)] and result["backups"][0]["vm"] == vms[0].uuid
    (call,) = [call for call in stub.calls() if call["mutating"]]
    assert call["args"]["sVmUuid"] == vms[0].uuid and call["args"]["sBackupUuid"] == last


def test_unknown_id_without_a_vm_is_absent_for_the_module_and_an_error_for_the_server(stub, vms):
    unknown = "{11111111-2222-4333-8444-555555555555}"
    assert raw_remove(stub, "", unknown) == "0x80037004"
    assert outcomes(remove(stub, unknown)) == [("already_absent", None)] and mutating(stub) == []


def test_vm_without_a_backup_id_loses_everything_and_the_module_cannot_say_that(stub, vms):
    result = remove(stub, " ", vm=vms[0].uuid)
    assert result["failed"] and stub.calls() == []
    assert raw_remove(stub, vms[0].uuid, "") == "success"
    assert vms[0].ids() == set()


def test_empty_vm_is_refused_before_the_server_is_asked(stub, vms):
    result = remove(stub, vms[0].chains[0][-1], vm="")
    assert result["failed"] and "vm" in result["msg"] and stub.calls() == []


def test_unknown_chain_is_absent(stub, vms):
    unknown = "{11111111-2222-4333-8444-555555555555}"
    assert raw_remove(stub, vms[0].uuid, unknown) == "0x80037004"
    assert outcomes(remove(stub, unknown, vm=vms[0].uuid)) == [("already_absent", None)] and mutating(stub) == []


def test_any_number_of_a_sole_backup_empties_the_vm_and_not_through_the_module(stub):
    first, second = small_server(stub, vms=2, weeks=1, increments=0)
    wrong = first.chains[0][0] + ".17"
    assert outcomes(remove(stub, wrong, vm=first.uuid, allow_remove_last=True)) == [("already_absent", None)]
    assert mutating(stub) == [] and len(first.ids()) == 1
    assert raw_remove(stub, first.uuid, wrong) == "success" and first.ids() == set()


def test_full_takes_its_increments_along_and_the_module_asks_first(stub, vms):
    chain = vms[0].chains[0]
    result = remove(stub, chain[0], vm=vms[0].name)
    assert result["failed"] and outcomes(result) == [("refused", "dependents")] and mutating(stub) == []
    assert raw_remove(stub, vms[0].uuid, chain[0]) == "success" and not set(chain) & vms[0].ids()


def test_increment_takes_later_ones_along_and_the_module_asks_first(stub, vms):
    chain = vms[0].chains[0]
    assert outcomes(remove(stub, chain[1], vm=vms[0].uuid)) == [("refused", "dependents")] and mutating(stub) == []
    assert raw_remove(stub, vms[0].uuid, chain[1]) == "success"
    assert vms[0].ids() & set(chain) == {chain[0]}


def test_last_increment_goes_alone_in_both_ways(stub, vms):
    chain = vms[0].chains[0]
    before = vms[0].ids()
    assert outcomes(remove(stub, chain[-1], vm=vms[0].uuid)) == [("removed", None)]
    assert vms[0].ids() == before - {chain[-1]}


@pytest.mark.parametrize("suffix", [".99", ".1"])
def test_missing_increment_deletes_the_chain_and_never_reaches_the_sdk_through_the_module(stub, vms, suffix):
    chain = vms[0].chains[0]
    result = remove(stub, chain[0] + suffix, vm=vms[0].uuid)
    assert outcomes(result) == [("already_absent", None)] and mutating(stub) == [] and not result["changed"]
    assert raw_remove(stub, vms[0].uuid, chain[0] + ".99") == "success"
    assert not set(chain) & vms[0].ids(), "the server deleted the whole chain"


def test_number_that_is_none_deletes_the_chain_and_is_no_id_for_the_module(stub, vms):
    chain = vms[0].chains[0]
    result = remove(stub, chain[0] + ".abc", vm=vms[0].uuid)
    assert result["failed"] and result["error"]["symbol"] == "INVALID_INPUT" and stub.calls() == []
    assert raw_remove(stub, vms[0].uuid, chain[0] + ".abc") == "success"
    assert not set(chain) & vms[0].ids()


def test_plain_uuid_after_a_promotion_deletes_the_chain_and_is_absent_for_the_module(stub, vms):
    chain = vms[0].chains[0]
    stub("set", "promotion", "works")
    assert raw_remove(stub, vms[0].uuid, chain[0], KEEP_CHAIN) == "success"
    assert Vm(stub, vms[0].name).chains[0] == chain[1:]
    assert outcomes(remove(stub, chain[0], vm=vms[0].uuid)) == [("already_absent", None)] and mutating(stub) == []
    assert raw_remove(stub, vms[0].uuid, chain[0]) == "success"
    assert not set(chain) & vms[0].ids()


def test_chain_with_a_promoted_head_goes_by_the_heads_own_id(stub, vms):
    chain = vms[0].chains[0]
    stub("set", "promotion", "works")
    raw_remove(stub, vms[0].uuid, chain[0], KEEP_CHAIN)
    assert outcomes(remove(stub, *chain[1:], vm=vms[0].uuid)) == [("removed", None)] * 3
    assert not set(chain) & vms[0].ids() and mutating(stub) == ["remove_vm_backup"]


def test_increments_always_go_with_the_flag_that_makes_a_wrong_number_an_error(stub, vms):
    chain = vms[0].chains[0]
    assert raw_remove(stub, vms[0].uuid, chain[0] + ".99", KEEP_CHAIN) == "0x80037011" and set(chain) <= vms[0].ids()
    remove(stub, *chain[1:], vm=vms[0].uuid)
    calls = [call["args"] for call in stub.calls() if call["mutating"]]
    assert [call["sBackupUuid"] for call in calls] == chain[:0:-1]
    assert all(KEEP_CHAIN in call.values() for call in calls)


def test_old_storage_format_is_refused_before_the_server_does(stub, tmp_path):
    (vm, other) = small_server(stub)
    tree = tmp_path / "old.xml"
    tree.write_text(stub("tree").replace("<Version>5</Version>", "<Version>3</Version>"))
    stub("init")
    stub("load", tree, "--register")
    last = vm.chains[0][-1]
    assert raw_remove(stub, vm.uuid, last, KEEP_CHAIN) == "0x80037044"
    assert outcomes(remove(stub, last, vm=vm.uuid)) == [("refused", "old_format")] and mutating(stub) == []
    assert outcomes(remove(stub, *vm.chains[0], vm=vm.uuid)) == [("removed", None)] * 4


def test_merge_keeps_what_depends_on_the_increment(stub, vms):
    chain = vms[0].chains[0]
    result = remove(stub, {"id": chain[1], "action": "merge"}, vm=vms[0].uuid)
    assert outcomes(result) == [("removed", None)]
    assert vms[0].ids() & set(chain) == set(chain) - {chain[1]}


def test_merge_that_fails_is_told_and_loses_nothing(stub, vms):
    chain = vms[0].chains[0]
    stub("fault", "add", "remove_vm_backup", "step", "1:PRL_ERR_BACKUP_INTERNAL_ERROR")
    before = vms[0].ids()
    result = remove(stub, {"id": chain[1], "action": "merge"}, vm=vms[0].uuid)
    assert outcomes(result) == [("failed", "error")] and not result["changed"]
    assert result["error"]["symbol"] == "PRL_ERR_BACKUP_INTERNAL_ERROR" and "minute" in result["msg"]
    assert vms[0].ids() == before


def test_full_is_never_taken_out_of_its_chain(stub, vms):
    chain = vms[0].chains[0]
    assert raw_remove(stub, vms[0].uuid, chain[0], KEEP_CHAIN) == "0x80037001"
    result = remove(stub, {"id": chain[0], "action": "merge"}, vm=vms[0].uuid)
    assert outcomes(result) == [("refused", "not_an_increment")] and mutating(stub) == []


@pytest.mark.parametrize("kind, code", [("reading", "0x80037013"), ("writing", "0x80037014")])
def test_chain_in_use_is_waited_for(stub, vms, kind, code):
    chain = vms[0].chains[0]
    stub("lock", chain[0], kind, "--calls", 2)
    if kind == "reading":
        assert raw_remove(stub, vms[0].uuid, chain[-1]) == code
        assert outcomes(remove(stub, chain[-1], vm=vms[0].uuid)) == [("removed", None)]
        assert stub.call_names().count("remove_vm_backup") == 2
    else:
        # It does not even show, so that nothing is asked.
        assert outcomes(remove(stub, chain[-1], vm=vms[0].uuid)) == [("already_absent", None)] and mutating(stub) == []


def test_chain_that_stays_in_use_is_busy(stub, vms):
    chain = vms[0].chains[0]
    stub("lock", chain[0], "reading")
    whole = {"id": chain[0], "removes": [{"id": one} for one in chain], "action": "chain"}
    result = remove(
        stub,
        whole,
        {"id": vms[1].chains[0][-1], "vm": vms[1].uuid},
        vm=vms[0].uuid,
        busy_timeout=1,
        on_error="continue",
    )
    assert result["msg"].startswith("%d of %d backups left. " % (len(chain), len(chain) + 1)), (
        "a chain is one entry and many backups"
    )
    assert result["failed"] and outcomes(result) == [("busy", "locked"), ("removed", None)] and result["changed"]
    error = {
        "code": 0x80037013,
        "symbol": "PRL_ERR_BACKUP_LOCKED_FOR_READING",
        "operation": "remove_vm_backup",
        "retryable": True,
        "details": {},
    }
    assert result["error"] == error


def test_removal_that_stops_half_way_is_told_and_finished_by_the_next_run(stub, vms):
    chain = vms[0].chains[0]
    stub("fault", "add", "remove_vm_backup", "fail", "PRL_ERR_OPERATION_FAILED", "--nth", 2)
    result = remove(stub, *chain[1:], vm=vms[0].uuid)
    assert result["failed"] and result["changed"]
    assert outcomes(result) == [("not_attempted", "chain_failed"), ("failed", "error"), ("removed", None)]
    again = remove(stub, *chain[1:], vm=vms[0].uuid)
    assert outcomes(again) == [("removed", None), ("removed", None), ("already_absent", None)] and not again.get(
        "failed"
    )
    assert vms[0].ids() & set(chain) == {chain[0]}


# --- what else must hold


def test_check_mode_tells_the_same_for_each_backup_and_calls_nothing(stub, vms):
    first, second = vms
    wanted = [
        {
            "id": first.chains[0][0],
            "vm": first.name,
            "removes": [{"id": one} for one in first.chains[0]],
            "action": "chain",
        },
        {"id": first.chains[1][2], "vm": first.uuid},
        {"id": second.chains[0][-1], "vm": second.uuid},
        {"id": second.chains[0][1], "vm": second.uuid, "action": "merge"},
        {"id": second.chains[1][1] + "9", "vm": second.uuid},
        {"id": second.chains[1][-1], "vm": second.uuid, "size": 1},
    ]
    predicted = remove(stub, *wanted, check=True, diff=True, on_error="continue")
    assert mutating(stub) == []
    done = remove(stub, *wanted, diff=True, on_error="continue")
    assert (
        predicted["backups"] == done["backups"]
        and predicted["diff"] == done["diff"]
        and predicted["changed"] == done["changed"]
    )
    asked = len(first.chains[0]) + 5
    assert done["msg"].startswith("2 of %d backups left. " % asked) and " %d removed; " % (asked - 3) in done["msg"], (
        done["msg"]
    )
    assert (
        predicted["msg"].startswith("2 of %d backups would be left. " % asked)
        and " %d would be removed; " % (asked - 3) in predicted["msg"]
    )
    assert "would not be removed (refused)" in predicted["msg"]
    assert [reason for outcome, reason in outcomes(done)] == [None, "dependents", None, None, None, "mismatch"]
    assert [outcome for outcome, reason in outcomes(done)] == [
        "removed",
        "refused",
        "removed",
        "removed",
        "already_absent",
        "refused",
    ]
    left = ids(stub)
    for vm in vms:
        for backup in (backup for chain in vm.chains for backup in chain):
            assert (backup in done["diff"]["after"].replace("\n", " ").split()) == (backup in left)


def test_second_run_changes_nothing(stub, vms):
    chain = vms[0].chains[0]
    assert remove(stub, *chain, vm=vms[0].uuid)["changed"]
    stub("log", "--clear")
    again = remove(stub, *chain, vm=vms[0].uuid)
    assert (
        not again["changed"]
        and not again.get("failed")
        and outcomes(again) == [("already_absent", None)] * 4
        and mutating(stub) == []
    )


def test_any_number_of_removals_takes_one_login_and_one_tree_for_each(stub, vms):
    chain = vms[0].chains[0]
    remove(stub, *chain[1:], vm=vms[0].uuid)
    assert stub.call_names() == ["login_local", "get_backup_tree"] + ["remove_vm_backup", "get_backup_tree"] * 3 + [
        "logoff"
    ]
    assert {call["args"]["sUuid"] for call in stub.calls() if call["call"] == "get_backup_tree"} == {vms[0].uuid}


def test_ids_are_understood_without_braces_and_in_capitals(stub, vms):
    wanted = vms[0].chains[0][-1]
    result = remove(stub, wanted.replace("{", "").replace("}", "").upper(), vm=vms[0].uuid.strip("{}").upper())
    assert outcomes(result) == [("removed", None)] and result["backups"][0]["id"] == wanted


@pytest.mark.parametrize("spell", [str, lambda uuid: uuid.strip("{}"), lambda uuid: uuid.replace("A", "a", 3)])
def test_vm_whose_uuid_is_stored_in_capitals_keeps_it(stub, spell):
    uuid = "{AAAAAAAA-0000-4000-8000-00000000000A}"
    stub("vm", "add", "shouting", "--uuid", uuid)
    for _chain in range(2):
        made = run_module("prl_backup", stub, state="present", vm="shouting", type="full")["backup"]
    result = remove(stub, made["id"], vm=spell(uuid))
    assert (result["backups"][0]["outcome"], result["backups"][0]["vm"]) == ("removed", uuid)


def test_backup_in_the_directory_of_its_own_vm_is_found_and_removed(node):
    tree = run_module("prl_backup_info", node, vms=["erp"])["backup_trees"][0]
    last = tree["chains"][0]["backups"][-1]["id"]
    result = remove(node, last)
    assert outcomes(result) == [("removed", None)] and result["backups"][0]["vm"] == tree["vm"]["uuid"]


def test_backup_left_in_the_default_directory_is_not_called_absent(stub, vms):
    last = vms[0].chains[0][-1]
    stub("vm", "set", vms[0].uuid, "--backup-directory", "/mnt/own")
    result = remove(stub, last)
    assert outcomes(result) == [("refused", "other_directory")] and mutating(stub) == []


def test_backup_of_a_named_vm_left_in_the_default_directory_is_not_called_absent_either(stub, vms):
    last = vms[0].chains[0][-1]
    stub("vm", "set", vms[0].uuid, "--backup-directory", "/mnt/own")
    for vm in (vms[0].uuid, vms[0].name):
        assert outcomes(remove(stub, last, vm=vm)) == [("refused", "other_directory")] and mutating(stub) == []
    assert outcomes(remove(stub, last + "9", vm=vms[0].uuid)) == [("already_absent", None)]


def test_remote_storage_is_addressed_by_its_session(stub, vms):
    stub("server", "add", "store", "--host", "backup.example", "--user", "root", "--password", "secret")
    result = remove(
        stub,
        vms[0].chains[0][-1],
        vm=vms[0].uuid,
        storage={"host": "backup.example", "username": "root", "password": "secret"},
    )
    assert outcomes(result) == [("already_absent", None)], "the backup server has none of them"
    assert len(vms[0].ids()) == 8


def test_lost_connection_is_made_again_once_and_nothing_is_removed_twice(stub, vms):
    chain = vms[0].chains[0]
    stub("fault", "add", "remove_vm_backup", "lose")
    result = remove(stub, *chain[2:], vm=vms[0].uuid)
    assert outcomes(result) == [("removed", None)] * 2 and vms[0].ids() & set(chain) == set(chain[:2])
    assert stub.call_names().count("login_local") == 2


@pytest.mark.parametrize("fault", ["crash", "crash-after", "crash-done"])
def test_crash_of_the_sdk_is_looked_into_and_told(stub, vms, fault):
    chain = vms[0].chains[0]
    stub("fault", "add", "remove_vm_backup", fault, "SEGV", "--nth", 2)
    result = remove(stub, *chain[1:], vm=vms[0].uuid)
    assert (
        result["failed"]
        and result["changed"]
        and result["error"]["symbol"] == "WORKER_DIED"
        and "SIGSEGV" in result["msg"]
    )
    told = {identity for backup in result["backups"] for identity in backup["removed"]}
    assert told == set(chain) - vms[0].ids(), "what is gone, and only that, is reported"
    again = remove(stub, *chain[1:], vm=vms[0].uuid)
    assert not again.get("failed") and vms[0].ids() & set(chain) == {chain[0]}


def test_crash_in_a_cascade_keeps_what_went_before_it(stub, vms):
    chain = vms[0].chains[0]
    stub("fault", "add", "remove_vm_backup", "crash", "SEGV", "--nth", 2)
    result = remove(stub, chain[-2], vm=vms[0].uuid, dependents="remove")
    assert result["failed"] and result["changed"] and outcomes(result) == [("failed", "worker_died")]
    assert result["backups"][0]["removed"] == [chain[-1]] and "still there" in result["backups"][0]["message"]
    assert set(chain) - vms[0].ids() == {chain[-1]}


def test_hanging_server_ends_at_the_deadline_and_tells_what_was_done(stub, vms):
    chain = vms[0].chains[0]
    stub("fault", "add", "remove_vm_backup", "stall", "--nth", 2)
    result = remove(stub, *chain[1:], vm=vms[0].uuid, timeout=3)
    assert result["failed"] and result["changed"]
    assert outcomes(result) == [("not_attempted", "timeout"), ("failed", "timeout"), ("removed", None)]


def test_other_backups_of_the_chain_that_vanish_stop_everything(stub, vms):
    chain, other = vms[0].chains
    # What a server that took more than it was asked for would answer.
    text = stub("tree", vms[0].uuid)
    end = text.index("</BackupItem>")
    first = text.rindex("<PartialBackupItem", 0, text.rindex("<PartialBackupItem", 0, end))
    path = stub.state.parent / "less.xml"
    path.write_text(text[:first] + text[text.rindex("</PartialBackupItem>", 0, end) + len("</PartialBackupItem>") :])
    stub("fault", "add", "get_backup_tree", "answer", path, "--nth", 2, "--always")
    result = remove(stub, chain[-1], other[-1], vm=vms[0].uuid, on_error="continue")
    assert outcomes(result) == [("failed", "unexpected"), ("not_attempted", "unexpected")]
    assert chain[-2] in result["msg"] and chain[0] + "." not in result["msg"].replace(chain[-1], "").replace(
        chain[-2], ""
    )
    assert result["msg"].startswith("After the removal of %s" % chain[-1]) and mutating(stub) == ["remove_vm_backup"]


def test_no_secret_and_no_trace_in_a_failure(stub, vms):
    stub("server", "add", "store", "--host", "backup.example", "--user", "root", "--password", "tops3cret")
    stub("fault", "add", "remove_vm_backup", "crash")
    for _fault in (None, "crash"):
        result = remove(
            stub,
            vms[0].chains[0][-1],
            vm=vms[0].uuid,
            storage={"host": "backup.example", "username": "root", "password": "tops3cret"},
        )
        assert "tops3cret" not in json.dumps(result) and "Traceback" not in json.dumps(result)


# --- what nobody may lose by a misunderstanding


def test_a_backup_of_another_vm_is_refused_and_not_called_absent(stub, vms):
    one, other = vms
    result = remove(stub, other.chains[0][-1], other.chains[0][0], vm=one.uuid, on_error="continue")
    assert outcomes(result) == [("refused", "other_vm")] * 2 and mutating(stub) == []
    assert other.uuid in result["backups"][0]["message"] and one.uuid in result["backups"][0]["message"]


def test_a_backup_that_nobody_has_takes_no_look_at_the_whole_tree(stub, vms):
    assert outcomes(remove(stub, "{11111111-2222-4333-8444-555555555555}.3", vm=vms[0].uuid)) == [
        ("already_absent", None)
    ]
    assert "" not in {call["args"]["sUuid"] for call in stub.calls() if call["call"] == "get_backup_tree"}


def test_an_id_that_two_vms_have_is_refused_where_no_vm_is_named(stub, vms, tmp_path):
    """As after copying a VM's folder on the backup server by hand."""
    copy, path = "{aaaaaaaa-2222-4333-8444-555555555555}", tmp_path / "copy.xml"
    path.write_text(stub("tree", vms[0].uuid).replace(vms[0].uuid, copy))
    stub("load", path)
    result = remove(stub, vms[0].chains[0][-1])
    assert outcomes(result) == [("refused", "ambiguous")] and mutating(stub) == []
    assert vms[0].uuid in result["backups"][0]["message"] and copy in result["backups"][0]["message"]


@pytest.mark.parametrize(
    "options, named",
    [
        ({"state": "present", "backups": []}, "backups"),
        ({"state": "present", "debts": []}, "debts"),
        ({"state": "absent", "backups": [], "type": "full"}, "type"),
        ({"state": "absent", "backups": [], "description": "nightly"}, "description"),
        ({"state": "absent", "backups": [], "max_age": "20h"}, "max_age"),
        ({}, "state"),
    ],
)
def test_options_of_the_other_state_are_refused_and_so_is_no_state(stub, vms, options, named):
    result = run_module("prl_backup", stub, vm=vms[0].name, **options)
    assert result["failed"] and named in result["msg"] and stub.calls() == []


def test_permission_to_take_the_last_backup_is_for_one_entry(stub, vms):
    for vm in vms:
        assert not remove(stub, *vm.chains[0], vm=vm.uuid).get("failed")
    whole = [{"id": vm.chains[1][0], "vm": vm.uuid, "removes": [{"id": one} for one in vm.chains[1]]} for vm in vms]
    whole[1]["allow_remove_last"] = True
    result = remove(stub, *whole, on_error="continue")
    assert outcomes(result) == [("refused", "last_backup"), ("removed", None)]
    assert vms[0].ids() == set(vms[0].chains[1]) and vms[1].ids() == set()


@pytest.mark.parametrize(
    "known, named", [({"size": 1}, "1."), ({"created": "2020-01-01T00:00:00Z"}, "2020-01-01T00:00:00Z")]
)
def test_a_backup_that_a_plan_takes_along_has_to_be_the_one_it_meant(stub, vms, known, named):
    chain = vms[0].chains[0]
    removes = [{"id": one} for one in chain]
    removes[2].update(known)
    result = remove(stub, {"id": chain[0], "removes": removes}, vm=vms[0].uuid)
    assert outcomes(result) == [("refused", "mismatch")] and mutating(stub) == []
    assert chain[2] in result["backups"][0]["message"] and named in result["backups"][0]["message"]


def test_a_debt_that_is_given_keeps_two_backups_and_is_given_back(stub, vms):
    one, two = vms[0].chains
    debt = {"vm": vms[0].uuid, "id": two[0]}
    result = remove(stub, *one, vm=vms[0].uuid, debts=[debt], on_error="continue", allow_remove_last=True)
    assert (
        set(outcomes(result)) == {("failed", "connection_lost")} and mutating(stub) == [] and result["debts"] == [debt]
    )
    assert two[0] in result["backups"][0]["message"]
    assert outcomes(remove(stub, one[-1], vm=vms[0].uuid, debts=[dict(debt, id=one[-1])])) == [("removed", None)], (
        "many are left"
    )


def test_a_removal_that_runs_at_login_keeps_two_backups_of_each_vm(stub, vms):
    stub("set", "remove_seconds", 4)
    with subprocess.Popen(
        [stub.python, "-c", RAW, vms[1].uuid, vms[1].chains[0][-1], str(KEEP_CHAIN)],
        env=stub.environment(PYTHONPATH=str(STUB_SDK)),
        stdout=subprocess.DEVNULL,
    ):
        wait_for(lambda: "remove_vm_backup" in stub.call_names())
        first = remove(stub, *vms[0].chains[0], vm=vms[0].uuid, busy_timeout=0)
        stub("set", "remove_seconds", 0)
        then = remove(stub, *vms[0].chains[0], vm=vms[0].uuid, busy_timeout=30)
    assert set(outcomes(first)) == {("busy", "removal_running")}
    assert set(outcomes(then)) == {("removed", None)}, "it waits until none is running any more"


def test_what_is_lost_is_told_with_the_result(stub, vms):
    chain = vms[0].chains[0]
    stub("fault", "add", "remove_vm_backup", "lose")
    result = remove(stub, chain[-1], vm=vms[0].uuid)
    assert outcomes(result) == [("removed", None)] and result["debts"] == [{"vm": vms[0].uuid, "id": chain[-1]}]
    assert remove(stub, chain[-2], vm=vms[0].uuid)["debts"] == []


@pytest.mark.parametrize("fault, gone", [("crash", False), ("crash-done", True)])
def test_a_crash_at_a_chain_is_told_of_each_of_its_backups_once(stub, vms, fault, gone):
    chain = vms[0].chains[0]
    stub("fault", "add", "remove_vm_backup", fault, "KILL")
    result = remove(stub, *chain, vm=vms[0].uuid, on_error="continue")
    told = [identity for backup in result["backups"] for identity in backup["removed"]]
    assert sorted(told) == sorted(chain if gone else []) and result["changed"] is gone
    if gone:  # all is done that was asked for; that the SDK crashed is a warning
        assert not result.get("failed") and "SIGKILL" in json.dumps(result["warnings"])
    else:
        assert result["error"]["symbol"] == "WORKER_DIED" and "SIGKILL" in result["msg"]
        assert {reason for _outcome, reason in outcomes(result)} == {"worker_died"}
    assert vms[0].ids() & set(chain) == set([] if gone else chain)
    assert {"vm": vms[0].uuid, "id": chain[0]} in result["debts"]


def test_twins_are_refused(stub, vms):
    last = vms[0].chains[0][-1]
    result = remove(stub, last, last, vm=vms[0].uuid)
    assert result["failed"] and "twice" in result["msg"] and stub.calls() == []


def test_a_name_that_nobody_knows_is_an_error_and_nothing_is_removed(stub, vms):
    result = remove(stub, vms[0].chains[0][-1], vm="nobody")
    assert result["failed"] and result["error"]["symbol"] == "UNKNOWN_VM" and mutating(stub) == []
    assert outcomes(result) == [("not_attempted", "error")]


def test_what_is_left_of_a_vm_that_is_gone_is_nothing(stub, vms):
    vm, wanted = vms[0], [identity for chain in vms[0].chains for identity in chain]
    stub("vm", "remove", vm.uuid)
    first = remove(stub, *wanted, vm=vm.name, allow_remove_last=True)
    assert not first.get("failed") and vm.ids() == set()
    again = remove(stub, *wanted, vm=vm.name, allow_remove_last=True)
    assert (
        not again.get("failed") and not again["changed"] and set(outcomes(again)) == {("already_absent", "unknown_vm")}
    )
    assert "There is no VM '%s', and no backup of one." % vm.name in json.dumps(again["warnings"])


def test_an_empty_list_is_no_work(stub, vms):
    result = remove(stub)
    assert result["changed"] is False and result["backups"] == [] and stub.calls() == []


def test_stop_after_leaves_the_rest_to_the_next_task_and_is_no_failure(stub, vms):
    wanted = [chain[-1] for vm in vms for chain in vm.chains]
    result = remove(stub, *wanted, stop_after=0)
    assert not result.get("failed") and result["unfinished"] and not result["changed"] and mutating(stub) == []
    assert set(outcomes(result)) == {("not_attempted", "stop_after")} and all(
        backup["message"] for backup in result["backups"]
    )
    assert "unfinished" in remove(stub, wanted[0], stop_after=0, check=True) and mutating(stub) == []
    assert outcomes(remove(stub, wanted[0], stop_after=0, check=True)) == [("removed", None)], (
        "check mode predicts all of it"
    )
    result = remove(stub, *wanted, stop_after=600)
    assert not result["unfinished"] and set(outcomes(result)) == {("removed", None)}
    assert "stop_after: must be 0 or more seconds, not -1." in remove(stub, wanted[0], stop_after=-1)["msg"]
    refused = run_module("prl_backup", stub, state="present", vm=vms[0].uuid, stop_after=5)
    assert "stop_after: cannot be used with 'state: present'" in refused["msg"]
