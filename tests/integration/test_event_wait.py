"""prl_event_wait from the module's process through the worker to the stub server and back."""

import datetime
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from tests import pythons
from tests.harness import BIN, COLLECTIONS, ROOT, STUB_SDK, alive, environment, run_module

WEB = "{11111111-1111-4111-8111-111111111111}"
DB = "{22222222-2222-4222-8222-222222222222}"
HOST = {"host": "node-a.example", "username": "root", "password": "node-secret"}
DONE = {"type": "create_backup_finished"}


@pytest.fixture
def node(stub):
    """A stub server with two VMs and no backup."""
    stub("vm", "add", "web-01", "--uuid", WEB, "--state", "stopped")
    stub("vm", "add", "db-01", "--uuid", DB, "--state", "running")
    stub("server", "set", "node", "--password", HOST["password"])
    return stub


class Wait:
    """A module that waits in another thread."""

    def __init__(self, stub, **options):
        self.ready_file = stub.state.parent / "ready"
        self._options = dict({"timeout": 30, "ready_file": str(self.ready_file)}, **options)
        self._stub, self.result = stub, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        self.result = run_module("prl_event_wait", self._stub, **self._options)
        self.end = time.monotonic()

    def until_ready(self):
        until(self.ready_file.exists, "the ready file")
        return self

    def join(self):
        self._thread.join(60)
        assert self.result is not None, "the module has not ended, or its test has failed in its thread"
        return self.result


def until(holds, what, seconds=20):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "%s did not come within %d seconds" % (what, seconds)
        time.sleep(0.02)


def waiting(stub, **options):
    return Wait(stub, **options).until_ready()


def emit_done(stub, vm="web-01", backup=WEB):
    stub("emit", "create_backup_finished", "--vm", vm, "--param", "backup_cmd_backup_uuid=string:" + backup)


def worker_of(stub):
    """Process id of the worker that logged in last."""
    return [call["pid"] for call in stub.calls() if call["call"].startswith("login")][-1]


def failed(result, symbol):
    assert result.get("failed"), result
    assert result["error"]["symbol"] == symbol, result["msg"]
    return result


# --- what comes back


def test_an_event_comes_back_with_everything_that_the_sdk_tells(node):
    wait = waiting(node, events=[{"type": "vm_message", "vm": "web-01"}])
    node("emit", "backup_progress_changed", "--vm", "db-01", "--param", "progress_changed=uint32:7", "--count", "3")
    node(
        "emit",
        "vm_message",
        "--vm",
        "web-01",
        "--code",
        "PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP",
        "--param",
        "vm_message_param_0=string:web-01",
    )
    result = wait.join()
    (event,) = result["events"]
    assert result["matched"] and not result["changed"] and not result["timed_out"] and result["satisfied_by"] is None
    assert result["seen"] == {"backup_progress_changed": 3, "vm_message": 1}
    assert event["params"] == {"vm_message_param_0": {"type": "string", "value": "web-01"}}
    assert (event["code"], event["symbol"]) == (37017, "PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP")
    assert (
        event["vm"] == {"uuid": WEB, "name": "web-01"}
        and event["issuer_id"] == WEB
        and event["issuer_type"] == "dispatcher"
    )
    assert (event["type"], event["type_id"]) == ("vm_message", 100502)
    assert event["server"] == result["server"]["uuid"] and event["brief"] and event["message"]
    assert event["can_be_ignored"] and not event["critical"] and not event["answer_required"]
    assert event["job"] is None and event["answered"] is None
    datetime.datetime.strptime(event["received"], "%Y-%m-%dT%H:%M:%SZ")


def test_parameters_keep_their_types(node):
    wait = waiting(node, events=[DONE])
    written = {
        "a": ("uint32", "4294967295"),
        "b": ("int32", "-1"),
        "c": ("uint64", "18446744073709551615"),
        "d": ("int64", "-5"),
        "e": ("boolean", "true"),
        "f": ("string", "\u00fcber"),
        "g": ("cdata", "<x/>"),
        "h": ("enumeration", "3"),
    }
    node(
        "emit",
        "create_backup_finished",
        *[word for name, (kind, value) in written.items() for word in ("--param", "%s=%s:%s" % (name, kind, value))],
    )
    params = wait.join()["events"][0]["params"]
    assert {name: param["type"] for name, param in params.items()} == {
        name: kind for name, (kind, value) in written.items()
    }
    assert [params[name]["value"] for name in "abcdefgh"] == [
        4294967295,
        -1,
        18446744073709551615,
        -5,
        True,
        "\u00fcber",
        "<x/>",
        "3",
    ]


@pytest.mark.parametrize("version", [version for version in pythons.VERSIONS if version in pythons.interpreters()])
def test_every_python_of_the_sdk_waits(node, version):
    wait = waiting(
        node,
        sdk_python=pythons.interpreters()[version],
        events=[DONE],
        satisfied_by={"vm": "db-01", "vm_state": "stopped"},
    )
    emit_done(node)
    result = wait.join()
    if version in ("3.12", "3.13") and result.get("failed"):
        pytest.fail(result["msg"])
    assert result["matched"], result


def test_no_handle_leaks_and_the_handler_is_gone_before_the_end(node):
    wait = waiting(node, events=[DONE])
    node("emit", "backup_progress_changed", "--vm", "db-01", "--param", "progress_changed=uint32:7", "--count", "500")
    emit_done(node)
    assert wait.join()["seen"]["backup_progress_changed"] == 500
    (end,) = [call for call in node.calls() if call["call"] == "deinit_sdk"]
    assert end["args"]["handlers"] == 0 and end["args"]["double_freed"] == 0
    assert not {"PHT_EVENT", "PHT_JOB", "PHT_EVENT_PARAMETER"} & set(end["args"]["handles"]), end["args"]
    names = [call["call"] for call in node.calls()]
    assert names.index("unreg_event_handler") < names.index("logoff") < names.index("deinit_sdk")


def test_of_a_flood_nothing_is_lost(node):
    wait = waiting(
        node, events=[{"type": "backup_progress_changed", "params": {"progress_changed": 19999}}], timeout=60
    )
    node(
        "emit", "backup_progress_changed", "--vm", "db-01", "--param", "progress_changed=uint32:{i}", "--count", "20000"
    )
    result = wait.join()
    assert result["matched"] and result["seen"] == {"backup_progress_changed": 20000}


@pytest.mark.parametrize("end", ["lost", "deadline"])
def test_what_came_while_the_state_was_looked_at_counts_although_the_end_comes_first(node, end):
    node("fault", "add", "get_vm_list_ex", "delay", "60")
    wait = waiting(
        node,
        events=[{"type": "backup_progress_changed", "params": {"progress_changed": 2400}}],
        satisfied_by={"vm": WEB, "vm_state": "running"},
        timeout=5 if end == "deadline" else 40,
    )
    until(lambda: "get_vm_list_ex" in node.call_names(), "the look at the state")
    node(
        "emit", "backup_progress_changed", "--vm", "db-01", "--param", "progress_changed=uint32:{i}", "--count", "2500"
    )
    if end == "lost":
        time.sleep(2)
        node("disconnect")
    assert wait.join()["matched"]


# --- what matches


@pytest.mark.parametrize(
    "written",
    [
        "create_backup_finished",
        "CREATE_BACKUP_FINISHED",
        "PET_DSP_EVT_CREATE_BACKUP_FINISHED",
        100049,
        "100049",
        "*backup_finished",
        "PET_DSP_EVT_*BACKUP*",
    ],
)
def test_a_type_is_a_name_a_glob_or_a_number(node, written):
    wait = waiting(node, events=[{"type": written}])
    node("emit", "vm_config_changed", "--vm", "web-01")
    emit_done(node)
    assert [event["type_id"] for event in wait.join()["events"]] == [100049]


def test_all_specifications_have_to_be_met_each_so_many_times(node):
    wait = waiting(node, events=[dict(DONE, vm="web-01"), dict(DONE, vm=DB.strip("{}").upper())], match="all", count=2)
    for vm in ("web-01", "web-01", "web-01", "db-01", "db-01"):
        emit_done(node, vm)
    result = wait.join()
    assert [event["issuer_id"] for event in result["events"]] == [WEB, WEB, DB, DB]
    assert result["seen"] == {"create_backup_finished": 5}


def test_parameters_are_compared_by_value_range_list_and_pattern(node):
    fits = {
        "progress_changed": {"min": 50, "max": "60"},
        "device_index": {"one_of": [1, 2]},
        "vminfo_vm_state": "running",
        "note": {"regex": "^b.*k$"},
    }
    wait = waiting(node, events=[{"type": "*", "params": fits}])
    for progress, index, state, note in [
        (49, 1, 805306372, "back"),
        (50, 3, 805306372, "back"),
        (50, 1, 805306369, "back"),
        (50, 1, 805306372, "sack"),
        (55, 2, 805306372, "back"),
    ]:
        node(
            "emit",
            "backup_progress_changed",
            "--vm",
            "web-01",
            "--param",
            "progress_changed=uint32:%d" % progress,
            "--param",
            "device_index=uint32:%d" % index,
            "--param",
            "vminfo_vm_state=int32:%d" % state,
            "--param",
            "note=string:" + note,
        )
    result = wait.join()
    assert [event["params"]["progress_changed"]["value"] for event in result["events"]] == [55]
    assert result["events"][0]["vm_state"] == "running"


@pytest.mark.parametrize("code", ["PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP", 37017, "37017"])
def test_a_code_is_a_number_or_a_symbol(node, code):
    wait = waiting(node, events=[{"code": code}])
    emit_done(node)
    node("emit", "vm_message", "--vm", "web-01", "--code", "PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP")
    assert [event["type"] for event in wait.join()["events"]] == ["vm_message"]


def test_an_event_of_fail_on_fails_at_once_with_what_came_before(node):
    wait = waiting(
        node, events=[DONE], count=2, fail_on=[{"type": "disp_shutdown"}, {"type": "vm_message", "vm": "web-01"}]
    )
    emit_done(node)
    node("emit", "vm_message", "--vm", "db-01", "--code", "37017")
    node("emit", "vm_message", "--vm", "web-01", "--code", "PRL_ERR_BACKUP_BACKUP_CMD_FAILED")
    result = failed(wait.join(), "FAILED_ON_EVENT")
    assert result["failed_on"]["symbol"] == "PRL_ERR_BACKUP_BACKUP_CMD_FAILED" and result["failed_on"]["critical"]
    assert (
        "vm_message" in result["msg"]
        and "web-01" in result["msg"]
        and "PRL_ERR_BACKUP_BACKUP_CMD_FAILED" in result["msg"]
    )
    assert len(result["events"]) == 1 and result["seen"]["vm_message"] == 2 and not result["matched"]
    assert result["error"]["retryable"] is False


def test_an_event_of_fail_on_is_told_with_the_uuid_of_a_vm_that_nobody_named(node):
    wait = waiting(node, events=[DONE], fail_on=[{"type": "vm_migrate_cancelled", "vm": WEB}])
    node("emit", "vm_migrate_cancelled", "--vm", "web-01")
    assert failed(wait.join(), "FAILED_ON_EVENT")["msg"].endswith("vm_migrate_cancelled of %s." % WEB)


# --- the state


def test_an_event_before_the_wait_is_found_in_the_state(node):
    node("vm", "set", "web-01", "--state", "running")
    result = run_module(
        "prl_event_wait",
        node,
        events=[{"type": "vm_state_changed", "vm": "web-01"}],
        satisfied_by={"vm": "web-01", "vm_state": "running"},
        timeout=20,
    )
    assert result["satisfied_by"] == {"vm": WEB, "vm_state": "running", "newest_backup": None}
    assert not result["matched"] and not result.get("failed") and result["events"] == []


def test_an_event_while_the_state_is_looked_at_is_not_lost(node):
    node("fault", "add", "get_vm_list_ex", "delay", "1")
    wait = waiting(node, events=[dict(DONE, vm=WEB)], satisfied_by={"vm": WEB, "vm_state": "running"})
    until(lambda: "get_vm_list_ex" in node.call_names(), "the look at the state")
    emit_done(node)
    result = wait.join()
    assert result["matched"] and result["satisfied_by"] is None


def test_an_event_after_the_state_was_looked_at_ends_the_wait(node):
    wait = waiting(
        node,
        events=[{"type": "vm_state_changed", "vm": "web-01", "params": {"vminfo_vm_state": "running"}}],
        satisfied_by={"vm": "web-01", "vm_state": ["paused"]},
    )  # not running: the look may still be at it when the VM starts
    until(lambda: node.call_names().count("get_vm_list_ex") == 2, "the look at the state")
    node("vm", "set", "web-01", "--state", "running")
    result = wait.join()
    assert result["matched"] and result["events"][-1]["vm_state"] == "running"


def load_backup(node, created, server=()):
    tree = node.state.parent / "tree.xml"
    tree.write_text(
        '<BackupTree id="-1"><VmItem><VmType>0</VmType><Uuid>%s</Uuid><Name>web-01</Name><Version>5</Version><BackupItem><Uuid>%s</Uuid><Id>%s</Id>'
        "<Host>a</Host><ServerUuid>%s</ServerUuid><DateTime>%s</DateTime><Creator>root</Creator><Size>1</Size><Type>f</Type>"
        "<Description>&lt;DateTime&gt;2999-01-01 00:00:00&lt;/DateTime&gt;</Description><LastNumber>0</LastNumber></BackupItem></VmItem></BackupTree>"
        % (WEB, DB, DB, DB, created)
    )
    node("load", str(tree), *server)


@pytest.mark.parametrize(
    "limit, fresh",
    [
        ("2026-11-21T03:00:02Z", True),
        ("2026-11-21T04:00:02+01:00", True),
        ("2026-11-21T03:00:03Z", False),
        ("1000y", True),
        ("1min", False),
    ],
)
def test_the_newest_backup_satisfies_unless_it_is_older(node, limit, fresh):
    load_backup(node, "2026-11-21 03:00:02")
    result = run_module(
        "prl_event_wait",
        node,
        events=[DONE],
        satisfied_by={"vm": "web-01", "backup_newer_than": limit},
        timeout=2,
        on_timeout="continue",
    )
    assert result["timed_out"] is not fresh
    if fresh:
        assert result["satisfied_by"]["newest_backup"] == "2026-11-21T03:00:02Z"


def test_the_newest_backup_is_looked_for_where_storage_says(node):
    node("server", "add", "store", "--host", "store.example", "--password", "store-secret")
    load_backup(node, "2026-11-21 03:00:02", ["--server", "store"])
    asked = {"events": [DONE], "satisfied_by": {"vm": WEB, "backup_newer_than": "1000y"}, "on_timeout": "continue"}
    assert run_module("prl_event_wait", node, timeout=2, **asked)["timed_out"]
    storage = {"host": "store.example", "username": "root", "password": "store-secret"}
    assert run_module("prl_event_wait", node, timeout=20, storage=storage, **asked)["satisfied_by"]


def test_a_vm_that_does_not_exist_yet_can_be_waited_for_by_its_uuid(node):
    uuid = "33333333-3333-4333-8333-333333333333"
    wait = waiting(node, events=[{"type": "vm_added", "vm": uuid}], satisfied_by={"vm": uuid, "vm_state": "running"})
    node("vm", "add", "new-01", "--uuid", uuid)
    assert wait.join()["matched"]


# --- the ready file


def test_the_ready_file_is_private_and_comes_after_the_subscription(node):
    wait = waiting(node, events=[DONE])
    status = wait.ready_file.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600 and status.st_size == 0
    assert "reg_event_handler" in [call["call"] for call in node.calls()]
    emit_done(node)
    assert wait.join()["matched"] and wait.ready_file.exists()


def test_a_stale_ready_file_is_gone_until_the_wait_is_ready(node):
    (node.state.parent / "ready").touch()
    node("fault", "add", "login_local", "delay", "1.5")
    wait = Wait(node, events=[DONE])
    until(lambda: not wait.ready_file.exists(), "the removal")
    wait.until_ready()
    emit_done(node)
    assert wait.join()["matched"]


def test_a_ready_file_that_somebody_wrote_into_is_kept(node, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("data")
    result = failed(run_module("prl_event_wait", node, events=[DONE], ready_file=str(precious)), "INVALID_INPUT")
    assert result["msg"].startswith("ready_file: ") and precious.read_text() == "data" and node.call_names() == []


# --- bad input


@pytest.mark.parametrize(
    "options, told",
    [
        ({"events": []}, "events: "),
        ({"events": [{}]}, "events[0]: "),
        (
            {"events": [DONE, {"type": "vm_aded"}]},
            "events[1].type: there is no event type 'vm_aded'. Did you mean vm_added",
        ),
        ({"events": [{"type": "*snow*"}]}, "events[0].type: "),
        ({"events": [{"type": ["a"]}]}, "events[0].type: "),
        (
            {"events": [DONE], "fail_on": [{"type": DONE["type"], "params": {"a": {"regex": "("}}}]},
            "fail_on[0].params.a.regex: ",
        ),
        ({"events": [{"params": {"a": {"regex": "a{99999999999}"}}}]}, "events[0].params.a.regex: "),
        ({"events": [{"params": {"a": {"min": 2, "max": 1}}}]}, "events[0].params.a: min 2 is greater than max 1"),
        ({"events": [{"params": {"a": {"min": "x"}}}]}, "events[0].params.a.min: "),
        ({"events": [{"params": {"a": {"regx": "x"}}}]}, "events[0].params.a: there is no condition 'regx'"),
        (
            {"events": [{"params": {"a": {"regex": "x", "min": 1}}}]},
            "events[0].params.a: min and regex exclude each other",
        ),
        (
            {"events": [{"params": {"vminfo_vm_state": "runing"}}]},
            "events[0].params.vminfo_vm_state: there is no state 'runing'",
        ),
        ({"events": [{"params": {"a": {"min": None}}}]}, "events[0].params.a: give a value, or one of "),
        ({"events": [{"params": {"a": {"one_of": "x"}}}]}, "events[0].params.a.one_of: give a list of values."),
        ({"events": [{"params": {"a": {"one_of": [["x"]]}}}]}, "events[0].params.a.one_of[0]: ['x'] is not a value to"),
        ({"events": [{"params": {"a": {"regex": 5}}}]}, "events[0].params.a.regex: 5 is not a regular expression"),
        ({"events": [{"code": "no code"}]}, "events[0].code: "),
        ({"events": [{"code": 4294967296}]}, "events[0].code: 4294967296 is not a code of 32 bits."),
        ({"events": [{"code": "PRL_ERR_OPERATION_FAILD"}]}, "Did you mean PRL_ERR_OPERATION_FAILED?"),
        ({"events": [DONE], "count": 0}, "count: "),
        ({"events": [DONE], "answer": "maybe"}, "answer: there is no answer 'maybe'"),
        ({"events": [DONE], "ready_file": "relative"}, "ready_file: "),
        ({"events": [DONE], "ready_file": "/nowhere/at/all"}, "ready_file: "),
        ({"events": [DONE], "satisfied_by": {"vm": "web-01"}}, "satisfied_by: "),
        ({"events": [DONE], "satisfied_by": {"vm": "web-01", "vm_state": "on"}}, "satisfied_by.vm_state: "),
        (
            {"events": [DONE], "satisfied_by": {"vm": "web-01", "backup_newer_than": "5m"}},
            "satisfied_by.backup_newer_than: ",
        ),
        (
            {"events": [DONE], "satisfied_by": {"vm": "web-01", "backup_newer_than": "yesterday"}},
            "satisfied_by.backup_newer_than: ",
        ),
        (
            {"events": [DONE], "satisfied_by": {"vm": "web-01", "backup_newer_than": "1789268402"}},
            "'1789268402' is ambiguous as a duration",
        ),
    ],
)
def test_bad_input_is_refused_by_option(node, options, told):
    result = failed(run_module("prl_event_wait", node, **options), "INVALID_INPUT")
    assert told in result["msg"] and "reg_event_handler" not in [call["call"] for call in node.calls()]


@pytest.mark.parametrize("version, pattern", [("2.7", "(?i:x)"), ("3.6", "(?>a)b"), ("3.9", "a++")])
def test_a_pattern_is_read_by_the_modules_python_and_not_by_the_sdks(node, version, pattern):
    if version not in pythons.interpreters():
        pytest.skip("no Python " + version)
    try:
        re.compile(pattern)
    except re.error:
        pytest.skip("this Python does not know it either")
    result = run_module(
        "prl_event_wait",
        node,
        sdk_python=pythons.interpreters()[version],
        events=[DONE],
        timeout=3,
        on_timeout="continue",
        fail_on=[{"params": {"note": {"regex": pattern}}}],
    )
    assert result["timed_out"] and not result.get("failed")


def test_an_unknown_vm_is_told_by_option_and_an_ambiguous_one_with_candidates(node):
    result = failed(run_module("prl_event_wait", node, events=[DONE, dict(DONE, vm="web-99")]), "UNKNOWN_VM")
    assert "events[1].vm: there is no VM or container 'web-99' on localhost." in result["msg"]
    node("vm", "add", "web-01")
    assert (
        len(
            failed(run_module("prl_event_wait", node, events=[dict(DONE, vm="web-01")]), "AMBIGUOUS_VM_NAME")[
                "candidates"
            ]
        )
        == 2
    )


def test_a_type_that_is_never_sent_is_warned_about(node):
    result = run_module("prl_event_wait", node, events=[{"type": "backup_started"}], timeout=1, on_timeout="continue")
    assert "backup_progress_changed" in str(result["warnings"]) and result["timed_out"]


# --- when things go wrong


def test_a_time_out_tells_what_was_seen(node):
    wait = waiting(node, events=[dict(DONE, vm="web-01")], timeout=3)
    emit_done(node, "db-01")
    result = failed(wait.join(), "WAIT_TIMED_OUT")
    assert result["seen"] == {"create_backup_finished": 1} and result["events"] == [] and result["error"]["retryable"]
    assert "create_backup_finished: 1" in result["msg"] and "within 3 seconds" in result["msg"]
    assert 3 <= result["elapsed"] < 5


def test_a_time_out_may_be_all_right(node):
    wait = waiting(node, events=[DONE], count=2, timeout=2, on_timeout="continue")
    emit_done(node)
    result = wait.join()
    assert result["timed_out"] and not result.get("failed") and not result["matched"] and len(result["events"]) == 1


@pytest.mark.parametrize("login", [{}, HOST], ids=["local", "remote"])
def test_a_lost_connection_is_noticed_within_two_seconds(node, login):
    wait = waiting(node, events=[DONE], count=2, **login)
    emit_done(node)
    time.sleep(1)  # what was not heard yet is lost with the connection
    node("disconnect")
    cut = time.monotonic()
    result = failed(wait.join(), "PRL_ERR_WS_DISP_CONNECTION_CLOSED")
    assert wait.end - cut < 2
    assert result["error"]["retryable"] and len(result["events"]) == 1 and result["seen"]["create_backup_finished"] == 1
    assert HOST["password"] not in str({key: value for key, value in result.items() if key != "invocation"})


@pytest.mark.parametrize("login", [{}, HOST], ids=["local", "remote"])
def test_a_reconnected_wait_looks_at_the_state_again(node, login):
    wait = waiting(node, events=[DONE], satisfied_by={"vm": "web-01", "vm_state": "running"}, reconnect=True, **login)
    until(lambda: node.call_names().count("get_vm_list_ex") == 2, "the look at the state")
    node("server", "set", "node", "--status", "down")
    node("disconnect")
    time.sleep(0.5)
    node("vm", "set", "web-01", "--state", "running")  # nobody is there to hear it
    node("server", "set", "node", "--status", "up")
    result = wait.join()
    assert result["satisfied_by"]["vm_state"] == "running" and result["reconnections"] == 1


def test_a_reconnected_wait_hears_again(node):
    wait = waiting(node, events=[DONE], count=2, reconnect=True)
    emit_done(node)
    first = node("sessions")
    node("disconnect")
    until(lambda: first and node("sessions") not in ("", first), "the second session")
    emit_done(node)
    result = wait.join()
    assert result["matched"] and result["reconnections"] == 1 and len(result["events"]) == 2


def test_a_server_that_stays_away_times_out(node):
    wait = waiting(node, events=[DONE], reconnect=True, timeout=4)
    node("server", "set", "node", "--status", "down")
    node("disconnect")
    result = failed(wait.join(), "WAIT_TIMED_OUT")
    assert result["elapsed"] < 6 and result["reconnections"] == 0


def test_a_login_that_is_refused_afterwards_ends_the_wait(node):
    wait = waiting(node, events=[DONE], reconnect=True, **HOST)
    node("server", "set", "node", "--password", "changed-meanwhile")
    node("disconnect")
    assert failed(wait.join(), "PRL_ERR_AUTHENTICATION_FAILED")["matched"] is False


def test_a_crash_of_the_sdk_keeps_the_events_so_far(node):
    wait = waiting(node, events=[DONE], count=2)
    emit_done(node)
    time.sleep(0.3)
    os.kill(worker_of(node), signal.SIGSEGV)
    result = failed(wait.join(), "WORKER_DIED")
    assert "SIGSEGV" in result["msg"] and "waiting for events" in result["msg"]
    assert [event["type"] for event in result["events"]] == ["create_backup_finished"] and result["elapsed"] > 0


def test_a_hang_while_logging_off_does_not_spoil_the_answer(node):
    node("fault", "add", "logoff", "hang")
    wait = waiting(node, events=[DONE])
    emit_done(node)
    assert wait.join()["matched"]


def test_an_sdk_that_hangs_is_ended_at_the_deadline(node):
    node("fault", "add", "reg_event_handler", "hang")
    begin = time.monotonic()
    result = failed(run_module("prl_event_wait", node, events=[DONE], timeout=3, on_timeout="continue"), "WORKER_DIED")
    assert time.monotonic() - begin < 3 + 2 + 1, "the deadline, two seconds, and the start of the interpreter"
    assert result["seen"] == {} and result["matched"] is False


def start_module(node, tmp_path, stdout=subprocess.DEVNULL, **more):
    arguments = dict(
        node.options(timeout=120, ready_file=str(tmp_path / "ready"), events=[DONE]),
        _ansible_remote_tmp=str(tmp_path / "remote"),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "ansible_collections.prlsdk.core.plugins.modules.prl_event_wait"],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        env=node.environment(PYTHONPATH=str(COLLECTIONS)),
        **more,
    )
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    process.stdin.close()
    until((tmp_path / "ready").exists, "the ready file")
    return process


def as_from_a_terminal():
    """Whoever runs the tests, say in the background, may have them ignore these."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT])
def test_a_module_that_is_killed_takes_its_worker_along_and_its_files_where_it_can(node, tmp_path, number):
    process = start_module(node, tmp_path, preexec_fn=as_from_a_terminal)
    worker = worker_of(node)
    assert alive(worker) and list((tmp_path / "remote").glob("*/worker.zip"))
    process.send_signal(number)
    process.wait(20)
    until(lambda: not alive(worker), "the worker's end", 7)
    assert number == signal.SIGKILL or not list((tmp_path / "remote").iterdir())


def test_a_module_that_shall_outlive_its_terminal_does(node, tmp_path):
    process = start_module(node, tmp_path, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    emit_done(node)
    assert process.wait(20) == 0


def test_a_module_whose_result_nobody_reads_any_more_ends(node, tmp_path):
    reader, writer = os.pipe()
    process = start_module(node, tmp_path, stdout=writer)
    os.close(writer)
    worker = worker_of(node)
    os.close(reader)
    assert process.wait(20) == 128 + signal.SIGTERM
    until(lambda: not alive(worker), "the worker's end", 7)
    assert not list((tmp_path / "remote").iterdir())


def test_a_closed_standard_output_has_no_reader_either():
    code = (
        "import os, time\n"
        "from ansible_collections.prlsdk.core.plugins.module_utils import _signals\n"
        "os.close(1)\n"
        "_signals.exit_when_stdout_closes()\n"
        "time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(PYTHONPATH=str(COLLECTIONS)), timeout=30, check=False
    )
    assert done.returncode == -signal.SIGTERM


PLAY = """
- name: Wait for what never comes
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Wait
      prlsdk.core.prl_event_wait:
        events: [{type: create_backup_finished}]
        ready_file: "%s"
        timeout: 120
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_play_that_is_cancelled_leaves_no_process_behind(node, tmp_path, number):
    (tmp_path / "play.yml").write_text(PLAY % (tmp_path / "ready"))
    leads = {"PRL_SDK_PYTHON": sys.executable, "PRL_SDK_PATH": str(STUB_SDK)}
    with open(tmp_path / "output", "wb") as output:
        play = subprocess.Popen(
            [str(BIN / "ansible-playbook"), str(tmp_path / "play.yml")],
            cwd=ROOT,
            env=node.environment(**leads),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        until((tmp_path / "ready").exists, "the ready file")
        worker = worker_of(node)
        module = int(open("/proc/%d/stat" % worker).read().rpartition(")")[2].split()[1])
        play.send_signal(number)
        play.wait(30)
    until(lambda: not alive(worker) and not alive(module), "the end of worker and module", 10)


# --- check mode, questions


def test_check_mode_looks_and_does_not_wait(node, tmp_path):
    begin = time.monotonic()
    result = run_module(
        "prl_event_wait",
        node,
        check=True,
        events=[DONE],
        satisfied_by={"vm": "db-01", "vm_state": "running"},
        ready_file=str(tmp_path / "ready"),
        timeout=60,
    )
    assert time.monotonic() - begin < 30 and result["satisfied_by"]["vm_state"] == "running" and not result["matched"]
    result = run_module("prl_event_wait", node, check=True, events=[DONE], ready_file=str(tmp_path / "ready"))
    assert not (tmp_path / "ready").exists() and result["satisfied_by"] is None and not result["timed_out"]
    assert "reg_event_handler" not in [call["call"] for call in node.calls()]
    assert not [call for call in node.calls() if call["mutating"]]


def test_a_question_is_answered(node):
    wait = waiting(node, events=[{"type": "vm_question", "vm": "web-01"}], answer=True)
    node(
        "question",
        "ask",
        "PET_QUESTION_DO_YOU_WANT_TO_OVERWRITE_FILE",
        "--vm",
        "web-01",
        "--choice",
        "yes",
        "--choice",
        "no",
    )
    result = wait.join()
    (event,) = result["events"]
    assert result["changed"] and event["answered"] == "yes" and event["answer_required"]
    assert event["symbol"] == "PET_QUESTION_DO_YOU_WANT_TO_OVERWRITE_FILE"
    assert "16002" in node("question", "list")


def test_an_answer_that_is_not_offered_is_not_given(node):
    wait = waiting(node, events=[{"type": "vm_question"}], answer="retry")
    node(
        "question",
        "ask",
        "PET_QUESTION_DO_YOU_WANT_TO_OVERWRITE_FILE",
        "--vm",
        "web-01",
        "--choice",
        "yes",
        "--choice",
        "no",
    )
    result = failed(wait.join(), "INVALID_INPUT")
    assert (
        "answer: 16029 is not among" in result["msg"]
        and "yes (16002)" in result["msg"]
        and result["seen"] == {"vm_question": 1}
    )
    assert "send_answer" not in node.call_names()


def test_a_refused_answer_is_a_failure(node):
    wait = waiting(node, events=[{"type": "vm_question"}], answer="yes")
    node("fault", "add", "send_answer", "fail", "PRL_ERR_FAILURE")
    node(
        "question",
        "ask",
        "PET_QUESTION_DO_YOU_WANT_TO_OVERWRITE_FILE",
        "--vm",
        "web-01",
        "--choice",
        "yes",
        "--choice",
        "no",
    )
    assert failed(wait.join(), "PRL_ERR_FAILURE")["changed"] is False


def test_an_answer_that_is_refused_after_one_that_was_taken_is_a_failure(node):
    wait = waiting(node, events=[{"type": "vm_question"}], answer="yes", count=2)
    ask = ("question", "ask", "PET_QUESTION_DO_YOU_WANT_TO_OVERWRITE_FILE", "--vm", "web-01", "--choice", "yes")
    node(*ask)
    until(lambda: "16002" in node("question", "list"), "the first answer")
    node("fault", "add", "send_answer", "fail", "PRL_ERR_FAILURE")
    node(*ask)
    result = failed(wait.join(), "PRL_ERR_FAILURE")
    assert [event["answered"] for event in result["events"]] == ["yes", None] and result["changed"]
