"""The client of the worker: over scripted processes, and over real ones under each Python of this machine."""

import ast
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._errors import (
    SdkUnavailableError,
    TemporaryFolderError,
    WorkerError,
)
from ansible_collections.prlsdk.core.plugins.module_utils._sdk import client as clients
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Client, Launcher, worker_archive
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError, WorkerDied
from ansible_collections.prlsdk.core.plugins.module_utils._worker.calls import CALLS, WRITING
from hypothesis import given
from hypothesis import strategies as st

from tests import pythons
from tests.harness import ROOT, STUB_SDK, alive
from tests.integration.in_process import InProcessStub
from tests.unit.plugins.module_utils.sdk.scripted import (
    SDK,
    SERVER,
    Clock,
    Dead,
    ScriptedProcess,
    Silent,
    client_of,
    failure,
    line,
)

WORKER = ROOT / "plugins" / "module_utils" / "_worker"
SECRET = "S3cr3t-of-the-node"


@pytest.fixture
def clock():
    return Clock()


def process(clock, **more):
    return ScriptedProcess(
        clock,
        dict({"answer_names": ["yes"], "error_name": "PRL_ERR_FAILURE", "list_vms": []}, **more.pop("script", {})),
        **more,
    )


def died(client, call="answer_names", **arguments):
    with pytest.raises(WorkerDied) as caught:
        client.call(call, **arguments)
    return caught.value


# --- answers


def test_the_first_call_starts_the_worker_and_logs_in(clock):
    worker = process(clock)
    client, launcher = client_of(worker, timeout=60)
    assert not client.alive and launcher.started == []
    assert client.call("answer_names", numbers=[1]) == ["yes"]
    assert launcher.started == [["python-a", "worker.zip"]] and worker.calls == ["connect", "answer_names"]
    assert (client.sdk, client.server, client.same_server) == (SDK, SERVER, True)
    opened = worker.said[0]
    assert (opened["kind"], opened["protocol"], opened["deadline"], opened["read_only"]) == (
        "open",
        clients.PROTOCOL,
        60,
        True,
    )
    assert set(CALLS) >= set(worker.calls)


def test_an_error_of_a_call_is_typed_and_the_next_call_goes_on(clock):
    answers = [failure("PRL_ERR_TRY_AGAIN", "get_vm_list_ex", code=0x80000001), []]
    client, launcher = client_of(process(clock, script={"list_vms": lambda arguments: answers.pop(0)}))
    with pytest.raises(CallError) as caught:
        client.vms()
    assert caught.value.symbol == "PRL_ERR_TRY_AGAIN" and caught.value.retryable
    assert client.vms() == []


@pytest.mark.parametrize("symbol", ["WORKER_FAILED", "READ_ONLY"])
def test_a_defect_of_ours_is_called_one(clock, symbol):
    client, launcher = client_of(process(clock, script={"list_vms": failure(symbol)}))
    with pytest.raises(WorkerError, match="defect of the collection"):
        client.vms()


def test_a_folder_that_takes_no_tree_is_no_error_of_the_server(clock):
    client, launcher = client_of(process(clock, script={"backup_tree": failure("TEMPORARY_FOLDER_FAILED")}))
    with pytest.raises(TemporaryFolderError):
        client.tree("")


NOISE = [
    b"garbage",
    b'{"',
    b'{"kind": "result"',
    b'{"kind": "result"}',
    b'{"id": 2}',
    b'{"kind": []}',
    b'{"kind": "hello"}',
    b'{"\xff": 1}',
    b"[1]",
    b"null",
    b'{"kind": "result", "id": 77, "value": "of nobody"}',
    b'{"kind": "error", "id": [1], "error": {}}',
    b'{"a": ' + b"[" * 100000,
    b'{"kind": "new"}',
]


@pytest.mark.property
@given(
    noise=st.lists(st.sampled_from(NOISE) | st.binary(min_size=1).filter(lambda data: b"\n" not in data), max_size=8)
)
def test_what_a_library_prints_changes_nothing(noise):
    clock = Clock()
    worker = process(clock)
    worker.greeting = [*noise, *worker.greeting, *noise]
    worker.script["error_name"] = lambda arguments: worker.put(*noise) or "PRL_ERR_FAILURE"
    client, launcher = client_of(worker)
    assert client.call("error_name", code=1) == "PRL_ERR_FAILURE" and client.event(0) is None and client.alive


# --- several calls in flight


@pytest.mark.property
@given(order=st.permutations(range(5)), failing=st.sets(st.integers(0, 4)))
def test_answers_in_any_order_are_those_of_their_calls(order, failing):
    clock = Clock()
    worker = process(clock, script={"error_name": Silent})
    client, launcher = client_of(worker)
    numbers = [client.start("error_name", code=place) for place in range(5)]
    assert len(set(numbers)) == 5 and clock.now == 0, "none is waited for"
    asked = {said["arguments"]["code"]: said for said in worker.said if said.get("name") == "error_name"}
    for place in order:
        worker.answer(asked[place], failure("PRL_ERR_%d" % place, "x") if place in failing else "name %d" % place)
    for place, number in enumerate(numbers):
        if place in failing:
            with pytest.raises(CallError) as caught:
                client.result(number)
            assert caught.value.symbol == "PRL_ERR_%d" % place
        else:
            assert client.result(number) == "name %d" % place


def test_one_call_is_answered_while_another_one_is_under_way(clock):
    worker = process(clock, script={"remove_backup": Silent})
    client, launcher = client_of(worker, read_only=False)
    first = client.start("remove_backup", vm="v", id="i", keep_chain=True)
    assert client.call("answer_names", numbers=[]) == ["yes"]
    worker.answer(worker.said[-2], None)
    assert client.result(first) is None


def test_events_are_kept_in_order_while_calls_are_answered(clock):
    worker = process(
        clock,
        script={
            "answer_names": lambda arguments: worker.put(line("event", event=1), line("job", code=0), line("lost"))
        },
    )
    client, launcher = client_of(worker)
    client.call("answer_names", numbers=[])
    assert [client.event(1)["kind"] for number in range(3)] == ["event", "job", "lost"] and clock.now == 0
    assert client.event(2.0) is None and clock.now == 2.0


def test_what_is_put_back_comes_first_and_in_order(clock):
    worker = process(clock)
    client, launcher = client_of(worker)
    client.ensure_open()
    worker.put(*[line("event", event=number) for number in range(4)])
    taken = [client.event(1) for number in range(3)]
    client.put_back(taken[1:])
    assert [client.event(1)["event"] for number in range(3)] == [1, 2, 3]


def test_a_flood_of_events_does_not_hold_up_what_asks_for_one(clock):
    worker = process(clock)
    client, launcher = client_of(worker)
    client.ensure_open()
    worker.more = lambda process: process.put(line("event", event=1)) or True
    assert client.pending_event()["event"] == 1 and client.event(5)["event"] == 1


def test_something_else_can_be_done_while_a_call_lasts(clock):
    worker = process(clock, script={"answer_names": Silent})
    client, launcher = client_of(worker)
    client.ensure_open()
    looks = []

    def meanwhile():
        looks.append(clock.now)
        if len(looks) == 5:
            worker.answer(worker.said[-1], ["late"])

    assert client.call("answer_names", None, meanwhile, numbers=[]) == ["late"] and looks[1] - looks[0] == clients.SLICE


# --- death


def test_a_death_names_the_calls_in_flight_and_what_was_said_last(clock):
    worker = process(
        clock, script={"backup_tree": Silent, "remove_backup": Dead}, errors=b"noise\nSegmentation fault\n"
    )
    client, launcher = client_of(worker, read_only=False)
    other = client.start("backup_tree", of="v", types=["vm"], chain=False)
    with pytest.raises(WorkerDied) as caught:
        client.remove_backup("v", "i", True, 5)
    death = caught.value
    assert death.calls == ("backup_tree", "remove_backup") and death.symbol == "WORKER_DIED" and not death.retryable
    for part in ("python-a", "removing i", "SIGSEGV", "noise | Segmentation fault"):
        assert part in death.message
    assert not client.alive and worker.ended
    with pytest.raises(WorkerDied) as caught:
        client.result(other)
    assert caught.value is death, "the other call has the same answer, and nobody waits for it"


def test_what_was_answered_before_the_death_is_kept(clock):
    worker = process(clock, script={"error_name": Dead})
    client, launcher = client_of(worker)
    first = client.start("answer_names", numbers=[])
    died(client, "error_name", code=1)
    assert client.result(first) == ["yes"]


def test_events_that_were_heard_before_the_death_can_still_be_taken(clock):
    worker = process(clock, script={"answer_names": lambda arguments: worker.put(line("event", event=1)) or Dead})
    client, launcher = client_of(worker)
    died(client, numbers=[])
    assert client.received()["event"] == 1 and client.received() is None


def test_another_worker_is_started_after_a_death(clock):
    first, second = process(clock, script={"answer_names": Dead}), process(clock)
    second.script["connect"] = {"server": SERVER, "same_server": True, "running_removals": 3}
    client, launcher = client_of(first, second)
    died(client, numbers=[])
    client.reopen()
    assert client.alive and client.call("answer_names", numbers=[]) == ["yes"] and len(launcher.started) == 2
    assert client.running_at_login == 0, "how many removals there were before the first call"
    assert second.said[0]["read_only"] is True


def test_after_a_death_nothing_is_asked_before_somebody_reopens(clock):
    client, launcher = client_of(process(clock, script={"answer_names": Dead}), process(clock))
    first = died(client, numbers=[])
    for ask in (lambda: client.call("answer_names", numbers=[]), lambda: client.event(1.0)):
        with pytest.raises(WorkerDied) as again:
            ask()
        assert again.value.message == first.message and len(launcher.started) == 1
    client.reopen()
    assert client.call("answer_names", numbers=[]) == ["yes"] and len(launcher.started) == 2


def test_a_living_worker_is_asked_to_log_in_again(clock):
    worker = process(clock)
    client, launcher = client_of(worker)
    client.ensure_open()
    client.reopen()
    assert worker.calls == ["connect", "connect"] and len(launcher.started) == 1


def test_a_login_that_fails_leaves_no_worker_that_is_half_open(clock):
    first, second = process(clock), process(clock)
    first.script["connect"] = failure("PRL_ERR_CANT_CONNECT_TO_DISPATCHER", "login")
    second.script["connect"] = dict(second.script["connect"], running_removals=2)
    client, launcher = client_of(first, second)
    with pytest.raises(CallError):
        client.ensure_open()
    assert not client.alive
    client.ensure_open()
    assert client.server == SERVER and client.running_at_login == 2 and len(launcher.started) == 2


# --- time


def test_a_worker_that_does_not_end_itself_is_killed_soon_after_the_deadline(clock):
    worker = process(clock, script={"list_vms": Silent})
    client, launcher = client_of(worker, timeout=10)
    death = died(client, "list_vms", types=["vm"], of="node")
    assert (
        worker.struck and death.ran_out and 10 + clients.OVERTIME <= clock.now <= 10 + clients.OVERTIME + clients.SLICE
    )
    assert (
        "did not answer within 10 seconds while listing the VMs and containers" in death.message
        and "Raise 'timeout'" in death.message
    )


def test_a_program_that_only_prints_is_killed_as_well(clock):
    def more(worker):
        clock.sleep(0.01)
        worker.put(b"y")
        return True

    worker = process(clock, greeting=[], more=more)
    client, launcher = client_of(worker, timeout=10)
    with pytest.raises(WorkerDied) as caught:
        client.ensure_open()
    assert worker.struck and caught.value.ran_out and clock.now <= 10 + clients.OVERTIME + clients.SLICE


def test_the_kernels_timer_is_a_deadline_too(clock):
    worker = process(clock, script={"list_vms": Dead}, status=-signal.SIGALRM)
    client, launcher = client_of(worker, timeout=10)
    assert died(client, "list_vms", types=[], of="node").ran_out


def test_a_limit_of_its_own_goes_with_the_call(clock):
    worker = process(clock)
    client, launcher = client_of(worker)
    client.call("answer_names", 7.5, numbers=[])
    assert worker.said[-1]["limit"] == 7.5


def test_the_deadline_counts_from_the_first_call_and_for_all_workers(clock):
    clock.sleep(100)
    workers = [
        process(clock, script={"answer_names": lambda arguments: clock.sleep(20) or Dead}) for number in range(2)
    ]
    client, launcher = client_of(*workers, timeout=30)
    died(client, numbers=[])
    client.reopen()
    died(client, numbers=[])
    assert [worker.said[0]["deadline"] for worker in workers] == [30, 10] and client.left() == -10


# --- interpreters


def unable(python_version="3.12", why="ImportError: undefined symbol", path="/opt/sdk"):
    error = {
        "symbol": "SDK_UNAVAILABLE",
        "message": "cannot",
        "operation": "import prlsdkapi",
        "code": None,
        "details": {},
        "subject": None,
        "attempts": [
            {"path": None, "why": "ModuleNotFoundError: No module named 'prlsdkapi'"},
            {"path": path, "why": why},
        ],
        "python_version": python_version,
    }
    return [line("error", id=None, error=error)]


def test_the_first_interpreter_that_can_load_the_sdk_is_taken(clock):
    crashing, silent = (
        process(clock, greeting=[]),
        process(clock, greeting=[], status=127, errors=b"selected version is missing"),
    )
    crashing.dead = silent.dead = True
    unfit, fit = process(clock, greeting=unable()), process(clock)
    client, launcher = client_of(
        FileNotFoundError(2, "No such file"), crashing, silent, unfit, fit, interpreters="abcdef"
    )
    assert client.call("answer_names", numbers=[]) == ["yes"] and [started[0] for started in launcher.started] == list(
        "abcde"
    )
    assert crashing.ended and silent.ended and unfit.ended and not fit.ended


def test_an_sdk_that_no_interpreter_can_load_is_told_of_each(clock):
    crashing, silent = (
        process(clock, greeting=[]),
        process(clock, greeting=[], status=127, errors=b"selected version is missing"),
    )
    crashing.dead = silent.dead = True
    unfit = process(clock, greeting=unable())
    client, launcher = client_of(FileNotFoundError(2, "No such file"), crashing, silent, unfit, interpreters="abcd")
    with pytest.raises(SdkUnavailableError) as caught:
        client.ensure_open()
    tried = {candidate["python"]: candidate for candidate in caught.value.result["candidates"]}
    assert list(tried) == list("abcd")
    assert (
        tried["a"]["why"] == "No such file or directory"
        and "SIGSEGV" in tried["b"]["why"]
        and "selected version is missing" in tried["c"]["why"]
    )
    assert (tried["d"]["version"], tried["d"]["why"], len(tried["d"]["tried"])) == (
        "3.12",
        "ImportError: undefined symbol",
        2,
    )
    assert not client.alive and caught.value.message.startswith(
        "The SDK (prlsdkapi) cannot be loaded on this host. d (3.12): ImportError: undefined symbol."
    )


def test_an_interpreter_that_hangs_takes_the_time_of_all(clock):
    client, launcher = client_of(process(clock, greeting=[]), process(clock), interpreters="ab", timeout=10)
    with pytest.raises(WorkerDied) as caught:
        client.ensure_open()
    assert "loading the SDK" in caught.value.message and len(launcher.started) == 1


def test_an_error_of_ours_while_loading_is_not_taken_for_an_unfit_interpreter(clock):
    error = {
        "symbol": "WORKER_FAILED",
        "message": "KeyError: 'x'",
        "operation": "worker",
        "code": None,
        "details": {},
        "subject": None,
    }
    worker = process(clock, greeting=[line("error", id=None, error=error)])
    client, launcher = client_of(worker, process(clock), interpreters="ab")
    with pytest.raises(WorkerError, match="KeyError: 'x'"):
        client.ensure_open()
    assert worker.ended and len(launcher.started) == 1


# --- the end


@pytest.mark.parametrize(
    "error, struck",
    [
        (None, False),
        (CallError("X", "x"), False),
        (ValueError(), False),
        (SystemExit(143), True),
        (KeyboardInterrupt(), True),
    ],
)
def test_the_worker_is_killed_when_the_module_is_ended_and_else_ends_in_good_order(clock, error, struck):
    worker = process(clock)
    client, launcher = client_of(worker)
    try:
        with client:
            client.ensure_open()
            if error:
                raise error
    except BaseException as raised:
        assert raised is error
    assert worker.ended and worker.struck == struck and not client.alive


def test_closing_twice_or_before_the_first_call_does_nothing(clock):
    client, launcher = client_of(process(clock), clock=clock)
    client.close()
    assert launcher.started == []
    client.ensure_open()
    client.close()
    client.close()


# --- secrets and progress


LOGIN = {
    "host": "node-a.example",
    "port": None,
    "username": "root",
    "password": SECRET,
    "security_level": "high",
    "timeout": 30,
}


def test_secrets_are_in_the_first_line_and_nowhere_else(clock, tmp_path):
    told, worker = [], process(clock, script={"list_vms": Dead})
    storage = dict(LOGIN, host="backup.example", password="other-" + SECRET)
    client, launcher = client_of(
        worker, login=LOGIN, storage=storage, progress=lambda operation, subject: told.append((operation, subject))
    )
    death = died(client, "list_vms", types=[], of="node")
    assert worker.said[0]["login"]["password"] == SECRET and worker.said[0]["storage"]["password"] == "other-" + SECRET
    for elsewhere in (
        launcher.started,
        worker.said[1:],
        told,
        death.message,
        death.result,
        worker_archive().decode("latin-1"),
    ):
        assert SECRET not in repr(elsewhere)


def test_each_call_of_the_sdk_is_told_before_it_is_made(clock):
    told, worker = [], process(clock, script={"backup_tree": {"text": ""}, "remove_backup": None})

    def progress(operation, subject):
        told.append((operation, subject, len(worker.calls)))

    client, launcher = client_of(worker, login=LOGIN, read_only=False, progress=progress)
    client.vms()
    client.tree("")
    client.remove_backup("v", "i", True, 9)
    assert told == [
        ("login", "node-a.example:64000", 0),
        ("get_vm_list_ex", None, 1),
        ("get_backup_tree", "all VMs", 2),
        ("remove_vm_backup", "i", 3),
    ]


# --- texts


@pytest.mark.parametrize("spooled", [False, True])
def test_a_text_has_the_bytes_of_the_server(tmp_path, spooled):
    data = bytes(range(256)) * 3
    told = {"text": data.decode("latin-1")}
    if spooled:
        (tmp_path / "tree.xml").write_bytes(data)
        told = {"file": str(tmp_path / "tree.xml")}
    text = clients.Text(told)
    assert text.read() == data
    source = text.source()
    assert (open(source, "rb") if isinstance(source, str) else source).read() == data
    text.drop()
    text.drop()
    assert not list(tmp_path.iterdir())


def test_a_text_that_is_gone_is_told(tmp_path):
    with pytest.raises(TemporaryFolderError):
        clients.Text({"file": str(tmp_path / "gone")}).read()


# --- the archive


def test_the_archive_is_stored_and_private_and_written_once(tmp_path):
    launcher = Launcher(str(tmp_path), python="p")
    path = pathlib.Path(launcher.archive())
    assert path.stat().st_mode & 0o777 == 0o600 and path.read_bytes() == worker_archive()
    inode = path.stat().st_ino
    assert launcher.archive() == str(path) and path.stat().st_ino == inode
    with zipfile.ZipFile(path) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert set(archive.namelist()) == {"__main__.py"} | {"_worker/" + source.name for source in WORKER.glob("*.py")}
        for source in WORKER.glob("*.py"):
            assert archive.read("_worker/" + source.name) == source.read_bytes()
        assert len(archive.read("__main__.py").splitlines()) == 2


def test_a_folder_that_does_not_take_the_archive_is_told(tmp_path):
    with pytest.raises(TemporaryFolderError, match="cannot be written to the temporary folder"):
        Launcher(str(tmp_path / "nowhere"), python="p").archive()


def imports(path):
    """[(level, module)] of all imports of a file, those inside of functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module


def test_the_worker_is_small_and_imports_nothing_of_the_collection():
    """Whatever else it needed would have to live under Python 2.7 and be in the archive."""
    files = sorted(WORKER.glob("*.py"))
    own = {path.stem for path in files}
    for path in files:
        for level, module in imports(path):
            if level:
                assert level == 1 and module in own, path
            else:
                assert module.split(".")[0] in sys.stdlib_module_names | {"prlsdkapi"}, "%s imports %s" % (path, module)
    assert sum(len(path.read_text().splitlines()) for path in files) <= 1100


def test_every_call_that_the_client_makes_is_one_of_the_worker():
    """With its name and its arguments, as the sources have them."""
    made = set()
    for path in (ROOT / "plugins" / "module_utils").glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("call", "start")
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and WORKER not in path.parents
            ):
                made.add(node.args[0].value)
                code = CALLS[node.args[0].value].__code__
                names = set(code.co_varnames[: code.co_argcount]) - {"connection", "limit"}
                given = {keyword.arg for keyword in node.keywords} - {"subject", "limit", "meanwhile"}
                assert given <= names and names - given <= {"chain"}, "%s, line %d" % (path, node.lineno)
    assert made | {"connect"} == set(CALLS) and WRITING <= made


@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_the_worker_compiles_under_each_python(version, tmp_path):
    if version not in pythons.interpreters():
        pytest.skip("no Python %s here" % version)
    program = "import sys\nfor path in sys.argv[1:]: compile(open(path, 'rb').read(), path, 'exec')\n"
    done = subprocess.run(
        [pythons.interpreters()[version], "-W", "error", "-c", program, *map(str, sorted(WORKER.glob("*.py")))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --- real processes


@pytest.fixture
def node(tmp_path, monkeypatch):
    stub = InProcessStub(tmp_path)
    stub("demo", "--vms", 2, "--weeks", 1, "--increments", 2, "--now", "2026-11-22T06:00:00Z")
    stub("server", "set", "node", "--password", SECRET)
    stub("server", "add", "backup", "--host", "backup.example", "--user", "root", "--password", "other-" + SECRET)
    monkeypatch.setenv("PRL_STUB_STATE", str(stub.state))
    return stub


LOCAL = {"host": None, "port": None, "username": None, "password": None, "security_level": "high", "timeout": 30}


def real(tmp_path, python=sys.executable, login=None, **more):
    folder = tmp_path / "private"
    folder.mkdir(exist_ok=True)
    return Client(Launcher(str(folder), python, str(STUB_SDK)), login or LOCAL, **dict({"timeout": 60}, **more))


@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_the_archive_runs_under_each_python(node, tmp_path, version):
    if version not in pythons.interpreters():
        pytest.skip("no Python %s here" % version)
    with real(tmp_path, pythons.interpreters()[version], LOGIN) as client:
        vms = client.vms()
        assert len(vms) == 2 and all(vm["problems"] == [] for vm in vms)
        assert client.tree(vms[0]["uuid"]).read().count(b"<BackupItem") == 1
        assert client.sdk["python"].startswith(os.path.dirname(os.path.dirname(pythons.interpreters()[version])))
        calls = [
            client.start("error_code", symbol="prl_err_failure"),
            client.start("error_name", code=0x80000009),
            client.start("running_removals"),
        ]
        assert [client.result(number) for number in reversed(calls)][0] == 0
        client.call("subscribe", types=None)
        node("emit", "vm_config_changed", "--vm", vms[0]["uuid"])
        assert client.event(10)["event"]["issuer_id"] == vms[0]["uuid"]
        assert client.call("heard")["unreadable"] == 0
        assert not list((tmp_path / "private").glob("tree-*")) and not list((tmp_path / "private").glob("**/*.pyc"))
    ended = [call for call in node.calls() if call["call"] == "deinit_sdk"][-1]["args"]
    assert not ended["handlers"] and not ended["double_freed"]


def test_secrets_are_neither_in_the_arguments_nor_in_the_environment_nor_in_files(node, tmp_path):
    storage = dict(LOGIN, host="backup.example", password="other-" + SECRET)
    with real(tmp_path, login=LOGIN, storage=storage) as client:
        client.vms(of="store")
        pid = [call["pid"] for call in node.calls() if call["call"] == "login"][-1]
        for name in ("cmdline", "environ"):
            assert SECRET.encode() not in pathlib.Path("/proc/%d/%s" % (pid, name)).read_bytes()
        for path in (tmp_path / "private").iterdir():
            assert SECRET.encode() not in path.read_bytes()


def test_the_list_of_vms_is_in_no_file_since_it_has_passwords_of_remote_displays(node, tmp_path):
    node("set", "vm_entry_size", 400000)
    with real(tmp_path) as client:
        assert len(client.vms()) == 2
        assert [path.name for path in (tmp_path / "private").iterdir()] == ["worker.zip"]


def test_a_list_is_the_same_by_texts_and_by_objects(node, tmp_path):
    for name in ("billing & <invoices>", "größer", "\U0001f5c4", "a\rb"):
        node("vm", "add", name, "--type", "ct", "--backup-directory", "/mnt/" + name, "--state", "paused")
    with real(tmp_path) as client:
        by_text = client.vms()
        assert [vm.unsaid for vm in by_text] == [frozenset()] * 6
        node("set", "vm_entries", "objects")
        assert client.vms() == by_text and client.vms() == by_text


def test_what_a_text_does_not_say_is_asked_of_the_objects_of_the_chosen_vms(node, tmp_path):
    with real(tmp_path) as client:
        vms = client.vms()
        vms[1].unsaid = frozenset(["home"])
        vms[1]["home"] = None
        client.complete(vms, "state")
        assert vms[1]["home"] is None
        client.complete(vms, "home")
        assert vms[1]["home"].endswith("config.pvs") and vms[1].unsaid == frozenset()


def test_a_large_text_comes_by_a_private_file_and_a_small_one_in_the_line(node, tmp_path):
    answer = tmp_path / "answer.xml"
    answer.write_text("<VmItem>%s</VmItem>" % ("x" * 300000))
    node("fault", "add", "get_backup_tree", "answer", str(answer), "--always")
    with real(tmp_path) as client:
        text = client.tree("")
        assert os.stat(text.path).st_mode & 0o777 == 0o600 and os.path.dirname(text.path) == str(tmp_path / "private")
        assert text.read() == answer.read_bytes() and text.holds_backups()
        other = client.tree("")
        assert other.path != text.path, "one does not overwrite the other"
        text.drop()
        answer.write_text("<Empty/>")
        assert client.tree("").path is None


def test_a_login_that_failed_half_way_is_made_up_for(node, tmp_path):
    """Without its session to the storage a client would ask the storage in the name of the node's."""
    node("fault", "add", "login", "fail", "PRL_ERR_CANT_CONNECT_TO_DISPATCHER")
    storage = dict(LOGIN, host="backup.example", password="other-" + SECRET)
    with real(tmp_path, login=LOGIN, storage=storage) as client:
        with pytest.raises(CallError):
            client.ensure_open()
        client.reopen()
        assert client.same_server is False and client.vms(of="store") == [] and len(client.vms()) == 2
        client.reopen()
        assert node.call_names().count("login") == 3, "what is connected is not logged in again"
        node("disconnect")
        end = time.monotonic() + 20
        while (
            node.call_names().count("login") < 5 and time.monotonic() < end
        ):  # the SDK notices each loss in its own time
            client.reopen()
        assert node.call_names().count("login") == 5 and client.vms(of="store") == []
    assert node.call_names().count("logoff") == 3


def test_a_call_that_takes_long_holds_no_other_one_up(node, tmp_path):
    node("fault", "add", "get_backup_tree", "delay", "2")
    with real(tmp_path) as client:
        slow = client.start("backup_tree", of="", types=["vm"], chain=False)
        begin = time.monotonic()
        assert len(client.vms()) == 2 and time.monotonic() - begin < 1.5
        assert "text" in client.result(slow) or "file" in client.result(slow)


def test_a_call_is_given_up_at_its_own_limit(node, tmp_path):
    node("fault", "add", "get_backup_tree", "stall")
    with real(tmp_path) as client:
        client.ensure_open()
        begin = time.monotonic()
        with pytest.raises(CallError) as caught:
            client.call("backup_tree", 1.0, of="", types=["vm"], chain=False)
        assert caught.value.symbol == "PRL_ERR_TIMEOUT" and 0.9 <= time.monotonic() - begin < 2.5
        assert len(client.vms()) == 2, "the worker goes on"


def test_a_real_death_names_its_signal_and_another_worker_goes_on(node, tmp_path):
    node("fault", "add", "get_vm_list_ex", "crash", "SEGV")
    with real(tmp_path) as client:
        death = died(client, "list_vms", types=["vm"], of="node")
        assert death.calls == ("list_vms",) and "SIGSEGV" in death.message and not death.ran_out
        client.reopen()
        assert len(client.vms()) == 2


def test_a_module_that_is_ended_takes_its_worker_along(node, tmp_path):
    client = real(tmp_path)
    with pytest.raises(SystemExit), client:
        client.ensure_open()
        pid = node.calls()[-1]["pid"]
        assert alive(pid)
        raise SystemExit(143)
    assert not alive(pid)


def test_a_client_without_end_renews_the_deadline(node, tmp_path):
    """Spoken to directly: the event source does so."""
    launcher = Launcher(str(tmp_path), sys.executable, str(STUB_SDK))
    with subprocess.Popen(
        [sys.executable, launcher.archive()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as worker:

        def say(**told):
            worker.stdin.write(json.dumps(told).encode() + b"\n")
            worker.stdin.flush()

        say(
            kind="open",
            protocol=2,
            sdk={"paths": [str(STUB_SDK)], "mode": "server"},
            login=LOCAL,
            storage=None,
            deadline=1,
            read_only=True,
            spool=None,
        )
        assert json.loads(worker.stdout.readline())["kind"] == "hello"
        for _turn in range(3):
            time.sleep(0.9)
            say(kind="renew", deadline=1)
        say(kind="call", id=1, name="connect", arguments={}, limit=None)
        assert json.loads(worker.stdout.readline())["kind"] == "result"
        assert worker.wait(5) == -signal.SIGALRM
