# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults strike as they would in the real library: whole processes are looked at."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests.pythons import VERSIONS, interpreters

HERE = pathlib.Path(__file__).parent
SAMPLE = HERE / "vendor_tree.xml"


@pytest.fixture
def client(state):
    def start(*steps, python=sys.executable, **more):
        return subprocess.run(
            [python, HERE / "client.py", *steps], capture_output=True, text=True, timeout=60, check=False, **more
        )

    return start


def said(done):
    return [line[2:] for line in done.stderr.splitlines() if line.startswith("> ")]


GATHER = ("init", "login_local", "vms", "tree", "types", "logoff", "deinit")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python(client, state, version):
    python = interpreters().get(version)
    if python is None:
        pytest.skip("no Python %s here" % version)
    state.run("load", SAMPLE, "--register")
    done = client(*GATHER, python=python)
    assert said(done)[0] == "connected [1, 1]", done.stderr
    assert said(done)[2:] == ["tree %d str" % SAMPLE.stat().st_size, "TypeError", "TypeError", "done"]
    assert (done.returncode, done.stdout) == (0, "")
    # The command line runs there as well.
    listed = subprocess.run(
        [python, "-m", "prl_stub", "tree"],
        cwd=HERE.parents[2] / "extensions" / "stub_sdk",
        capture_output=True,
        check=False,
        env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"),
    )
    assert listed.stdout == SAMPLE.read_bytes(), listed.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_operates(client, state, version):
    python = interpreters().get(version)
    if python is None:
        pytest.skip("no Python %s here" % version)
    state.run("load", SAMPLE, "--register")
    state.run("vm", "set", "почта", "--bitmaps", "none")
    done = client(
        "init",
        "login_local",
        "operate",
        "logoff",
        "deinit",
        python=python,
        env=dict(os.environ, PYTHONIOENCODING="utf-8"),
    )
    lines = said(done)
    assert lines[0] == "connected [1, 1]" and lines[-1] == "done", done.stderr
    assert lines[1].startswith("suffix  heard 100502:почта 100049:{") and ",ä & <b> 100058:{" in lines[1], lines[1]
    assert "copy" in [row["name"] for row in state.store.rows("SELECT name FROM vms")]
    assert state.store.rows("SELECT args FROM calls WHERE call = 'deinit_sdk'")[0]["args"].endswith('"handles": {}}')


def test_import_fails_with_noise_on_standard_output(client, state):
    state.run("fault", "add", "import", "fail", "--always")
    done = client("init")
    assert "ImportError: binding built for another Python" in done.stderr
    assert done.stdout.startswith("Cannot import module")


def test_init_fails(client, state):
    state.run("fault", "add", "init_server_sdk", "fail", "the library is too old")
    assert "RuntimeError: the library is too old" in client("init").stderr
    assert said(client("init")) == ["done"]


@pytest.mark.parametrize("name", ["SEGV", "ABRT"])
def test_crash(client, state, name):
    state.run("fault", "add", "get_backup_tree", "crash", name)
    done = client(*GATHER)
    assert done.returncode == -getattr(signal, "SIG" + name)
    assert state.calls()[-1] == "get_backup_tree"


def test_noise(client, state):
    state.run("fault", "add", "login_local", "noise", "hello")
    done = client(*GATHER)
    assert done.stdout.splitlines() == ["hello", "hello (descriptor 1)"]
    assert "hello (descriptor 2)" in done.stderr and said(done)[-1] == "done"


def test_a_native_hang_stops_python_signal_handlers_too(state):
    state.run("fault", "add", "login_local", "hang")
    program = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); sys.argv[1:] = ['init', 'login_local']"
    program += "; sys.path.insert(0, %r); import client; client.main(sys.argv[1:])" % str(HERE)
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while "login_local" not in state.calls() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL


def test_a_hang_may_end(client, state):
    state.run("fault", "add", "login_local", "hang", "0.2")
    assert said(client(*GATHER))[-1] == "done"


def test_a_server_that_never_answers(client, state):
    state.run("fault", "add", "get_backup_tree", "stall")
    assert "error 0x80000015 [1, 1]" in said(client("init", "login_local", "short_tree", "tree", "logoff", "deinit"))


def test_a_lost_local_connection_ends_the_jobs(client, state):
    state.run("fault", "add", "get_backup_tree", "lose")
    assert "error 0x80000246 [0, 0]" in said(client("init", "login_local", "short_tree", "deinit"))


def test_a_lost_remote_connection_is_not_signalled(client, state):
    state.run("fault", "add", "get_backup_tree", "lose")
    done = client("init", "login", "short_tree", "short_tree", "deinit")
    assert said(done) == ["connected [1, 0]", "error 0x80000015 [0, 0]", "error 0x80000251 [0, 0]", "done"]


def test_another_answer(server, state, tmp_path):
    tmp_path.joinpath("bad.xml").write_bytes(b"<BackupTree><VmItem>")
    state.run("fault", "add", "get_backup_tree", "answer", tmp_path / "bad.xml")

    def ask():
        return server.get_backup_tree("", "", 0, "").wait(20000).get_param_as_string()

    assert ask() == "<BackupTree><VmItem>"
    assert ask().startswith('<BackupTree id="-1"')


def test_nth_times_and_match(server, state, fails):
    state.run(
        "fault",
        "add",
        "get_vm_list_ex",
        "fail",
        "PRL_ERR_TRY_AGAIN",
        "--nth",
        "2",
        "--times",
        "2",
        "--match",
        '"nFlags": 6',
    )
    outcomes = []
    for flags in (6, 7, 6, 6, 6):
        job = server.get_vm_list_ex(flags)
        try:
            job.wait(20000)
            outcomes.append("ok")
        except Exception as error:
            outcomes.append(hex(error.error_code))
    assert outcomes == ["ok", "ok", "0x80000450", "0x80000450", "ok"]


def test_a_big_answer_costs_the_square_of_its_size(server, state):
    state.run("load", SAMPLE)
    size = SAMPLE.stat().st_size
    state.run("fault", "add", "get_backup_tree", "quadratic", 0.3 / size**2, "--always")
    start = time.monotonic()
    server.get_backup_tree("", "", 0, "", 393216).wait(20000)
    assert 0.28 <= time.monotonic() - start < 10


def test_a_locked_chain_for_some_calls_unlocks_itself(state):
    from prl_stub import failure, locks

    state.run("load", SAMPLE)
    chain = state.store.rows("SELECT uuid FROM chains")[0]["uuid"]
    state.run("lock", chain, "reading", "--calls", "2")

    def meet():
        locks.refuse(state.store, state.store.row("SELECT * FROM chains WHERE uuid = ?", (chain,)))

    for _turn in range(2):
        with pytest.raises(failure.ServerFailure, match="LOCKED_FOR_READING"):
            meet()
    meet()


def test_the_session_of_a_killed_process_is_forgotten(client, state, server):
    state.run("fault", "add", "get_backup_tree", "crash", "KILL")
    client(*GATHER)
    assert len(state.store.rows("SELECT 1 FROM sessions")) == 2
    state.run("sessions")
    assert len(state.store.rows("SELECT 1 FROM sessions")) == 1


def test_many_processes_at_once(state):
    state.run("load", SAMPLE, "--register")
    processes = [
        subprocess.Popen([sys.executable, HERE / "client.py", *GATHER], stderr=subprocess.PIPE, text=True)
        for _number in range(6)
    ]
    assert all("> done" in process.communicate(timeout=30)[1] for process in processes)
    assert len(state.calls()) == 6 * 6


def test_a_child_may_initialise_what_its_parent_imported(client):
    done = client("load", "fork", "init", "login_local", "vms", "logoff", "deinit")
    assert said(done)[-1] == "child 0", done.stderr


def test_a_connection_does_not_survive_a_fork(client):
    done = client("init", "login_local", "fork", "short_tree")
    assert "error 0x80000015 [1, 1]" in said(done), done.stderr
