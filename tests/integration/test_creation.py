"""Making backups over the stub SDK."""

import json
import sqlite3
import subprocess
import sys
import time

import pytest

from tests.harness import COLLECTIONS, ROOT, run_module
from tests.integration.server import ids, mutating, raw_remove, small_server
from tests.integration.slips import warnings_of


@pytest.fixture
def vms(stub):
    stub("set", "clock", "2026-11-22T06:00:00Z")
    return small_server(stub)


def create(stub, vm, **options):
    return run_module("prl_backup", stub, state="present", vm=vm, **options)


def test_incremental_backup_is_made_and_described(stub, vms):
    before = ids(stub)
    result = create(stub, vms[0].name, description="nightly <&>", diff=True)
    (new,) = ids(stub) - before
    backup = result["backup"]
    assert result["changed"] and not result["became_full"] and not result["recovered"]
    assert (backup["id"], backup["type"], backup["description"], backup["number"]) == (
        new,
        "incremental",
        "nightly <&>",
        int(new.split(".")[1]),
    )
    assert backup["created"].endswith("Z") and backup["size"] > 0
    assert result["vm"] == {"uuid": vms[0].uuid, "name": vms[0].name, "type": "vm"}
    assert new in result["diff"]["after"] and new not in result["diff"]["before"]


def test_full_backup_is_made_when_asked_for(stub, vms):
    result = create(stub, vms[0].uuid.strip("{}").upper(), type="full", compress=False)
    assert result["backup"]["type"] == "full" and not result["became_full"]
    (call,) = [call for call in stub.calls() if call["mutating"]]
    assert call["args"]["backup_flags"] == 2048 | 65536 and call["args"]["sVmUuid"] == vms[0].uuid


def test_a_backup_that_was_made_and_cannot_be_read_is_no_failure(stub, vms):
    """A failure would have it made again."""
    before = ids(stub)
    reads = stub.call_names().count("get_backup_tree")
    create(stub, vms[0].name, check=True)
    stub(
        "fault",
        "add",
        "get_backup_tree",
        "fail",
        "PRL_ERR_BACKUP_INTERNAL_ERROR",
        "--nth",
        stub.call_names().count("get_backup_tree") - reads + 1,
        "--always",
    )
    result = create(stub, vms[0].name)
    stub("fault", "clear")
    (new,) = ids(stub) - before
    assert result["changed"] and result["backup"]["id"] == new and result["backup"]["size"] is None
    assert any("PRL_ERR_BACKUP_INTERNAL_ERROR" in one for one in warnings_of(result))


def test_incremental_that_became_full_is_told(stub, vms):
    raw_remove(stub, vms[0].uuid, vms[0].chains[-1][-1])
    predicted = create(stub, vms[0].name, check=True)
    assert predicted["became_full"] and predicted["backup"] is None and mutating(stub) == []
    result = create(stub, vms[0].name)
    assert result["became_full"] and result["backup"]["type"] == "full" and result["changed"]
    assert "PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP" in json.dumps(result["warnings"])


def test_full_for_a_changed_disk_is_told_though_nobody_could_foresee_it(stub, vms):
    stub("vm", "set", vms[0].uuid, "--disk", "other.hdd=1000")
    assert not create(stub, vms[0].name, check=True)["became_full"]
    assert create(stub, vms[0].name)["became_full"]


def test_recent_backup_makes_another_one_needless(stub, vms):
    stub("set", "clock", "")
    made = create(stub, vms[0].name)
    assert made["changed"]
    stub("log", "--clear")
    again = create(stub, vms[0].name, max_age="1h", diff=True)
    assert not again["changed"] and again["backup"] == made["backup"] and mutating(stub) == []
    assert again["diff"]["before"] == again["diff"]["after"]
    assert create(stub, vms[0].name, max_age="1h", type="full", check=True)["changed"], (
        "an incremental one is no full one"
    )


def test_of_recent_backups_of_the_same_second_the_last_one_counts(stub, vms):
    stub("set", "clock", "")
    made = create(stub, vms[0].name)
    with sqlite3.connect(stub.state) as db:
        db.execute("UPDATE items SET created = (SELECT max(created) FROM items)")
    again = create(stub, vms[0].name, max_age="1h")
    assert not again["changed"] and again["backup"]["id"] == made["backup"]["id"]


def test_check_mode_makes_nothing(stub, vms):
    before = ids(stub)
    result = create(stub, vms[0].name, type="full", check=True, diff=True)
    assert result["changed"] and result["backup"] is None and ids(stub) == before and mutating(stub) == []
    assert result["diff"]["after"].count("\n") == result["diff"]["before"].count("\n") + 1


def test_busy_vm_is_tried_again_after_a_look_whether_a_backup_has_come(stub, vms):
    stub("fault", "add", "create_vm_backup", "fail", "PRL_ERR_VM_LOCKED_FOR_BACKUP")
    result = create(stub, vms[0].name)
    assert result["changed"]
    names = stub.call_names()
    assert names == [
        "login_local",
        "get_vm_list_ex",
        "get_backup_tree",
        "create_vm_backup",
        "get_backup_tree",
        "create_vm_backup",
        "get_backup_tree",
        "logoff",
    ]


def test_vm_that_stays_busy_fails_with_its_code(stub, vms):
    stub("vm", "set", vms[0].uuid, "--busy", "migrate")
    result = create(stub, vms[0].name, busy_timeout=1)
    assert (
        result["failed"]
        and result["error"]["retryable"]
        and result["error"]["symbol"].startswith("PRL_ERR_VM_LOCKED_FOR_")
    )
    assert result["error"]["operation"] == "create_vm_backup" and not result.get("changed")


def test_lost_connection_is_not_answered_with_a_second_backup(stub, vms):
    before = ids(stub)
    stub("fault", "add", "create_vm_backup", "lose")
    result = create(stub, vms[0].name, description="once", timeout=8)
    new = ids(stub) - before
    assert stub.call_names().count("create_vm_backup") == 1 and len(new) <= 1
    if new:
        assert result["recovered"] and result["backup"]["id"] in new
    else:
        assert result["failed"] and "not asked for again" in result["msg"] and "Look at the VM" in result["msg"]
        assert not result["error"]["retryable"], "an 'until' loop would make a second one"


def test_making_that_takes_too_long_is_no_reason_to_ask_again(stub, vms):
    stub("fault", "add", "create_vm_backup", "stall")
    result = create(stub, vms[0].name, timeout=2)
    assert result["error"]["symbol"] == "PRL_ERR_TIMEOUT" and not result["error"]["retryable"]
    assert result["vm"]["name"] == vms[0].name and result["server"]["uuid"], "what was known by then"


def test_backup_that_finished_unheard_is_found_and_not_made_again(stub, vms):
    before = ids(stub)
    stub("set", "create_seconds", 2)
    options = dict(stub.options(state="present", vm=vms[0].name, description="unheard", timeout=30))
    module = subprocess.Popen(
        [sys.executable, "-m", "ansible_collections.prlsdk.core.plugins.modules.prl_backup"],
        cwd=ROOT,
        text=True,
        env=stub.environment(PYTHONPATH=str(COLLECTIONS)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    module.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    module.stdin.close()
    end = time.monotonic() + 20
    while "create_vm_backup" not in stub.call_names() and time.monotonic() < end:
        time.sleep(0.05)
    stub("disconnect")
    result = json.loads(module.stdout.read())
    module.wait()
    (new,) = ids(stub) - before
    assert result["changed"] and result["recovered"] and result["backup"]["id"] == new, result
    assert stub.call_names().count("create_vm_backup") == 1


def test_not_waiting_returns_before_the_end(stub, vms):
    stub("set", "create_seconds", 60)
    result = create(stub, vms[0].name, wait=False)
    assert result["changed"] and result["backup"] is None
    assert "running" in stub("tasks") or "create" in stub("tasks") or stub("tasks").strip()


def test_not_waiting_still_tells_what_the_server_refuses_at_once(stub, vms):
    stub("vm", "set", vms[0].uuid, "--busy", "exclusive")
    result = create(stub, vms[0].name, wait=False, busy_timeout=0)
    assert result["failed"] and result["error"]["symbol"] == "PRL_ERR_BACKUP_ACCESS_TO_VM_DENIED"


def test_unknown_vm_is_an_error_that_names_it(stub, vms):
    result = create(stub, "nobody")
    assert (
        result["failed"]
        and result["error"]["symbol"] == "UNKNOWN_VM"
        and "'nobody'" in result["msg"]
        and mutating(stub) == []
    )


@pytest.mark.parametrize(
    "options, word",
    [({"max_age": "5"}, "max_age"), ({"busy_timeout": -1}, "busy_timeout"), ({"timeout": 0}, "timeout")],
)
def test_bad_option_is_named(stub, vms, options, word):
    result = create(stub, vms[0].name, **options)
    assert result["failed"] and word in result["msg"] and stub.calls() == []


def test_handlers_are_gone_and_no_handle_is_left(stub, vms):
    stub("set", "create_seconds", 1)
    create(stub, vms[0].name)
    (deinit,) = [call for call in stub.calls() if call["call"] == "deinit_sdk"]
    assert (
        not deinit["args"].get("handlers")
        and not deinit["args"].get("double_freed")
        and not deinit["args"].get("connections")
    ), deinit
