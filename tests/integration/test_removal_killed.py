"""kill -9 of the worker or the module at every SDK call of a removal of 50 backups: what remains can be restored, the next run completes."""

import json
import os
import shutil
import signal
import sqlite3
import time

import pytest

from tests.harness import STUB_SDK, alive
from tests.integration.fork_server import ForkServer
from tests.integration.in_process import InProcessStub
from tests.integration.server import ids, small_server

# Three VMs with four chains of a full and four increments each. Of two VMs the three older chains go whole (30), of the third VM the
# four increments of every chain (16), and of the first VM's newest chain the four increments (4).
CHAINS, INCREMENTS = 4, 4


class Scene:
    def __init__(self, folder):
        self.folder = folder
        self.stub = InProcessStub(folder)
        self.vms = small_server(self.stub, vms=3, weeks=CHAINS, increments=INCREMENTS)
        self.before = ids(self.stub)
        self.wanted = [
            {"id": chain[0], "vm": vm.uuid, "removes": [{"id": one} for one in chain], "action": "chain"}
            for vm in self.vms[:2]
            for chain in vm.chains[:3]
        ]
        increments = [(self.vms[2], chain) for chain in self.vms[2].chains] + [(self.vms[0], self.vms[0].chains[3])]
        self.wanted += [
            {"id": identity, "vm": vm.uuid, "removes": []} for vm, chain in increments for identity in chain[1:]
        ]
        self.asked = {identity for vm in self.vms[:2] for chain in vm.chains[:3] for identity in chain}
        self.asked |= {identity for vm, chain in increments for identity in chain[1:]}
        assert len(self.asked) == 50
        self.chains = [chain for vm in self.vms for chain in vm.chains]
        self.fork_server = ForkServer(folder)

    def state(self, name):
        """A server in the same state as the first one."""
        path = self.folder / ("%s.sqlite" % name)
        shutil.copy(self.stub.state, path)
        return path

    def options(self, folder):
        return {
            "state": "absent",
            "backups": self.wanted,
            "sdk_python": self.stub.python,
            "sdk_path": str(STUB_SDK),
            "timeout": 60,
            "busy_timeout": 10,
            "_ansible_remote_tmp": str(folder),
            "_ansible_keep_remote_files": False,
        }

    def work(self, state, name):
        """The result of a whole run of the module."""
        folder = self.folder / name
        self.fork_server.wait(self.fork_server.start("prl_backup", folder, state, self.options(folder)))
        return json.loads((folder / "output").read_text())


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory.mktemp("killed"))
    yield scene
    scene.fork_server.close()


def listed(state):
    """The ids that the server has, read from its state: nobody else is running."""
    with sqlite3.connect(state) as db:
        return {row[0] for row in db.execute("SELECT backup_id FROM items")}


def calls(state):
    with sqlite3.connect(state) as db:
        return [row[0] for row in db.execute("SELECT call FROM calls WHERE request = 1 ORDER BY seq")]


def fault(state, action, value, nth, call="*"):
    with sqlite3.connect(state) as db:
        db.execute(
            "INSERT INTO faults (call, action, value, nth, times, match) VALUES (?, ?, ?, ?, 1, '')",
            (call, action, value, nth),
        )


def settle(scene, state):
    """Let the server finish what it was at when its client died."""
    other = object.__new__(InProcessStub)
    other.state = state
    other("tasks")


def check_what_remains(scene, state):
    left = listed(state)
    assert scene.before - left <= scene.asked, "something went that nobody asked for"
    for chain in scene.chains:
        kept = [identity in left for identity in chain]
        assert kept == sorted(kept, reverse=True), "a backup is left that has lost what it was built on: %s" % chain[0]


def check_next_run_completes(scene, state, name):
    result = scene.work(state, name)
    assert not result.get("failed"), result
    assert {backup["outcome"] for backup in result["backups"]} <= {"removed", "already_absent"}
    assert listed(state) == scene.before - scene.asked


def check_what_is_told(scene, state, result):
    """What is told as removed is gone, and all that is gone is told."""
    told = [identity for backup in result["backups"] for identity in backup["removed"]]
    assert len(told) == len(set(told)) and set(told) == scene.before - listed(state)
    assert result["changed"] is bool(told)


@pytest.fixture(scope="module")
def undisturbed(scene):
    """The names of the SDK calls, local ones too, of a removal that nobody disturbs."""
    state = scene.state("undisturbed")
    assert not scene.work(state, "undisturbed").get("failed") and listed(state) == scene.before - scene.asked
    with sqlite3.connect(state) as db:
        return [row[0] for row in db.execute("SELECT call FROM calls ORDER BY seq")]


# login, a first tree for each of three VMs, 26 removals with a tree after each, logoff; and what does not go to the server.
REMOVALS = 26
REQUESTS = 1 + 3 + 2 * REMOVALS + 1


def test_the_positions_below_are_all_there_are(undisturbed):
    assert undisturbed.count("remove_vm_backup") == REMOVALS
    assert (
        len([name for name in undisturbed if name in ("login_local", "get_backup_tree", "remove_vm_backup", "logoff")])
        == REQUESTS
    )
    assert len(undisturbed) <= REQUESTS + 3


@pytest.mark.parametrize("position", range(1, REQUESTS + 3))
def test_worker_killed_before_a_call(scene, position):
    state = scene.state("before-%d" % position)
    fault(state, "crash", "KILL", position)
    result = scene.work(state, "before-%d" % position)
    check_what_remains(scene, state)
    check_what_is_told(scene, state, result)
    check_next_run_completes(scene, state, "after-before-%d" % position)


@pytest.mark.parametrize("moment", ["crash-after", "crash-done"])
@pytest.mark.parametrize("position", range(1, REMOVALS + 1))
def test_worker_killed_while_and_after_the_server_removes(scene, position, moment):
    name = "%s-%d" % (moment, position)
    state = scene.state(name)
    fault(state, moment, "KILL", position, "remove_vm_backup")
    result = scene.work(state, name)
    settle(scene, state)
    check_what_remains(scene, state)
    check_what_is_told(scene, state, result)
    check_next_run_completes(scene, state, "after-%s" % name)


@pytest.mark.parametrize("position", range(1, REQUESTS + 3))
def test_module_killed_at_a_call_takes_its_worker_along(scene, position):
    name = "module-%d" % position
    state, folder = scene.state(name), scene.folder / name
    fault(state, "hang", "", position)
    module = scene.fork_server.start("prl_backup", folder, state, scene.options(folder))
    worker = hanging_worker(state, position)
    os.kill(module, signal.SIGKILL)
    scene.fork_server.wait(module)
    end = time.monotonic() + 10
    while alive(worker):
        assert time.monotonic() < end, "the worker outlived its module"
        time.sleep(0.005)
    check_what_remains(scene, state)
    check_next_run_completes(scene, state, "after-%s" % name)


def hanging_worker(state, position):
    """Wait until the fault has struck; the process that it struck."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with sqlite3.connect(state, timeout=30) as db:
            row = db.execute("SELECT pid FROM calls WHERE faults != '' LIMIT 1").fetchone()
        if row:
            return row[0]
        time.sleep(0.01)
    raise AssertionError("call number %d was never made" % position)
