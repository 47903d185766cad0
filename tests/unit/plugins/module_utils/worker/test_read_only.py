"""What a worker that was opened read-only lets through to the SDK, against every method that the SDK's objects have."""

import json
import sys

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._worker import calls, main
from ansible_collections.prlsdk.core.plugins.module_utils._worker.protocol import Failure
from ansible_collections.prlsdk.core.plugins.module_utils._worker.session import (
    READING,
    Connection,
    ReadOnly,
    Session,
    load_sdk,
)

from tests.harness import ROOT, STUB_SDK
from tests.integration.in_process import InProcessStub

SURFACE = json.loads((ROOT / "tests" / "unit" / "data" / "server_and_vm_methods.json").read_text())
NAMES = {of: " ".join(SURFACE[of]).split() for of in ("Server", "Vm")}
#: Names of the list that are no getter: a login has to be made, and handlers only listen.
SESSION = {"login", "login_local", "logoff", "reg_event_handler", "unreg_event_handler"}
#: Getters by their names that do more than get.
NO_GETTERS = {"get_packed_problem_report", "get_problem_report", "get_perf_stats"}


class Thing:
    """An object of the SDK that notes which of its methods were so much as looked up."""

    def __init__(self):
        self.__dict__["seen"] = []

    def __getattr__(self, name):
        self.seen.append(name)
        return lambda *arguments: name

    def __setattr__(self, name, value):
        self.seen.append(name)


@pytest.mark.parametrize("of", sorted(NAMES))
def test_what_is_not_on_the_list_is_refused_before_the_sdk_sees_it(of):
    assert len(NAMES[of]) > 100 and len(set(NAMES[of])) == len(NAMES[of])
    let_through = set()
    for name in NAMES[of]:
        if name.startswith("__"):  # made and freed by Python itself
            continue
        thing = Thing()
        try:
            assert getattr(ReadOnly(thing), name)() == name
            let_through.add(name)
        except Failure as failure:
            assert failure.error["symbol"] == "READ_ONLY" and name in failure.error["message"] and thing.seen == []
    assert let_through == READING & set(NAMES[of])


def test_the_list_has_no_name_that_the_sdk_lacks():
    assert READING <= set(NAMES["Server"]) | set(NAMES["Vm"])


def test_nothing_on_the_list_changes_anything():
    getters = READING - SESSION
    assert SESSION <= READING and not getters & NO_GETTERS
    assert all(name.startswith(("get_", "is_")) for name in getters), (
        "read in the vendor's manual what it does before you add it here"
    )


@pytest.mark.parametrize("name", ["commit", "anything_new", "__enter__", "handle"])
def test_a_name_that_no_build_has_yet_is_refused_too(name):
    thing = Thing()
    with pytest.raises(Failure):
        getattr(ReadOnly(thing), name)
    assert thing.seen == []


def test_nothing_is_set_on_an_object_of_the_sdk():
    thing = Thing()
    ReadOnly(thing).anything = 1
    assert thing.seen == []


# --- the worker's own calls, over the stub


class Plenty:
    @staticmethod
    def left():
        return 60.0


class Lines:
    def __init__(self):
        self.lines = []

    def send(self, kind, **fields):
        self.lines.append(dict(fields, kind=kind))


LOGIN = {"host": None, "port": None, "username": None, "password": None, "security_level": "high", "timeout": 30}


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """(the stub, a function that makes a Connection of a worker in this process)."""
    stub = InProcessStub(tmp_path)
    stub("demo", "--vms", 2, "--weeks", 1, "--increments", 1, "--now", "2026-11-22T06:00:00Z")
    monkeypatch.setenv("PRL_STUB_STATE", str(stub.state))
    loaded = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "prlsdkapi"}
    made = []

    def connect(read_only):
        sdk = load_sdk([str(STUB_SDK)], "server")
        made.append(
            Connection(sdk, Lines(), Plenty(), {"login": LOGIN, "storage": None, "read_only": read_only, "spool": None})
        )
        made[-1].open()
        return made[-1]

    yield stub, connect
    for connection in made:
        connection.close()
    for name in [name for name in sys.modules if name.split(".")[0] == "prlsdkapi"]:
        del sys.modules[name]
    sys.modules.update(loaded)


def arguments_of(vm):
    """Arguments for each call of the worker."""
    backup = "{99999999-9999-4999-8999-999999999999}"
    return {
        "connect": {},
        "is_connected": {},
        "running_removals": {},
        "list_vms": {"types": ["vm", "ct"], "of": "node"},
        "describe_vms": {"of": "node", "places": [0]},
        "backup_tree": {"of": "", "types": ["vm"], "chain": False},
        "remove_backup": {"vm": vm, "id": backup, "keep_chain": False},
        "create_backup": {"vm": vm, "full": True, "description": "", "compress": True},
        "restore_backup": {"vm": vm, "id": backup, "copy": True, "name": "", "destination": "", "live": False},
        "subscribe": {"types": None},
        "heard": {},
        "send_answer": {"question": 1, "answer": 16000},
        "unsubscribe": {},
        "answer_names": {"numbers": [16000]},
        "error_code": {"symbol": "PRL_ERR_FAILURE"},
        "error_name": {"code": 0x80000009},
    }


class Question:
    @staticmethod
    def create_answer_event(answer):
        return answer


def do_all(connection, ask):
    """What becomes of each call: {name: None or the symbol of its error}."""
    connection.questions[1] = Question()
    vm = calls.list_vms(connection, None, ["vm"], "node", texts=False)["entries"][0]["vm"]["uuid"]
    arguments = arguments_of(vm)
    assert set(arguments) == set(calls.CALLS)
    return {name: ask(connection, name, arguments[name]) for name in arguments}


def by_line(connection, name, arguments):
    """As a line of the wire asks for it."""
    main.do(connection, {"id": 1, "name": name, "arguments": arguments, "limit": 20.0})
    line = next(line for line in reversed(connection.protocol.lines) if line["kind"] in ("result", "error"))
    return None if line["kind"] == "result" else line["error"]["symbol"]


def past_the_line(connection, name, arguments):
    """As it would be asked for if the call's name were not looked at."""
    try:
        calls.CALLS[name](connection, 20.0, **arguments)
    except Failure as failure:
        return failure.error["symbol"]
    return None


@pytest.mark.parametrize("ask", [by_line, past_the_line])
def test_each_writing_call_is_refused_twice_over_and_each_reading_one_works(worker, ask):
    stub, connect = worker
    connection = connect(read_only=True)
    stub("log", "--clear")
    became = do_all(connection, ask)
    assert {name for name, symbol in became.items() if symbol == "READ_ONLY"} == calls.WRITING
    assert all(symbol is None for name, symbol in became.items() if name not in calls.WRITING), became
    log = stub.calls()
    assert len(log) > 5 and not [call["call"] for call in log if call["mutating"]]
    assert not {call["call"] for call in log} & {
        "remove_vm_backup",
        "create_vm_backup",
        "restore_vm_backup",
        "send_answer",
    }


@pytest.mark.parametrize("name", sorted(calls.WRITING))
def test_a_writing_call_is_refused_by_its_name_before_anything_of_the_sdk_is_touched(name):
    connection = type("Connection", (), {"request": {"read_only": True}, "protocol": Lines()})()
    assert by_line(connection, name, arguments_of("v")[name]) == "READ_ONLY"


def test_without_it_the_same_calls_reach_the_server(worker):
    """Or the test above would prove nothing."""
    stub, connect = worker
    connection = connect(read_only=False)
    became = do_all(connection, by_line)
    assert "READ_ONLY" not in became.values()
    assert {call["call"] for call in stub.calls() if call["mutating"]} >= {
        "remove_vm_backup",
        "create_vm_backup",
        "restore_vm_backup",
    }


def test_no_object_of_the_sdk_is_left_unguarded(worker):
    stub, connect = worker
    session = connect(read_only=True).node
    assert isinstance(session.handle, ReadOnly)
    held = [
        name
        for name, value in vars(session).items()
        if type(value).__module__.split(".")[0] == "prlsdkapi" and type(value).__name__ in ("Server", "Vm")
    ]
    assert held == []
    assert not isinstance(Session(session.sdk, Plenty(), LOGIN, False).handle, ReadOnly)
