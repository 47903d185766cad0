# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making backups: what is made, what is told, and what a killed client leaves behind."""

import subprocess
import sys
import time

import pytest

FULL, INCREMENTAL, DIFFERENTIAL, UNCOMPRESSED = 2048, 4096, 8192, 65536
UNKNOWN = "{99999999-9999-4999-8999-999999999999}"


@pytest.fixture
def create(shelf, server):
    def ask(flags=INCREMENTAL, vm=None, text="nightly"):
        result = server.create_vm_backup(vm or shelf.vm, "", 0, "", text, flags).wait(20000)
        assert result.get_param_by_index_as_string(0) == result.get_param().get_backup_uuid() == (vm or shelf.vm)
        return result.get_param_by_index(1).get_backup_uuid()

    return ask


@pytest.fixture
def heard(sdk, server):
    """[(type, code, first parameter)] of what the initiator hears, jobs as their op code."""
    found = []

    def handler(handle, _data):
        thing = sdk.handle_to_object(handle)
        if isinstance(thing, sdk.Event):
            found.append(
                (thing.get_type(), thing.get_err_code(), thing.get_param(0).to_string() if len(thing) else None)
            )
        else:
            found.append((thing.get_op_code(), thing.get_ret_code(), None))

    server.reg_event_handler(handler, None)
    yield found
    server.unreg_event_handler(handler, None)


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def test_numbers(create, state):
    full = create(FULL)
    assert "." not in full
    assert [create(), create(DIFFERENTIAL), create(0)] == [full + ".2", full + ".3", full + ".4"]
    assert state.store.row("SELECT last_number FROM chains")["last_number"] == 4
    assert create(FULL | INCREMENTAL) != full  # PBT_FULL wins


def test_what_is_written_down(create, state):
    create(FULL | UNCOMPRESSED, text="a <b>")
    row = state.store.row("SELECT * FROM items")
    assert (row["number"], row["description"], row["creator"]) == (1, "a &lt;b>", "root")
    assert row["flags"] == FULL | UNCOMPRESSED and row["original_size"] == 0 and row["size"] > 0
    assert row["files"] == "harddisk.hdd.qcow2"


@pytest.mark.parametrize(
    "prepare",
    [
        lambda shelf, state: None,  # there is no base
        lambda shelf, state: shelf.fill("1", "1.2", last=3),  # the newest increment was removed
        lambda shelf, state: (shelf.fill("1"), state.run("vm", "set", "web", "--disk", "harddisk.hdd=1")),
        lambda shelf, state: (shelf.fill("1"), state.run("vm", "set", "web", "--bitmaps", "none")),
    ],
    ids=["no base", "last number", "disks", "bitmaps"],
)
def test_an_increment_silently_becomes_a_full(shelf, state, create, heard, prepare):
    prepare(shelf, state)
    before = shelf.ids()
    assert "." not in create(INCREMENTAL)
    assert len(shelf.ids()) == len(before) + 1
    assert until(lambda: (100502, 37017, "web") in heard)
    assert "." in create(INCREMENTAL)  # now there is a base
    assert heard.count((100502, 37017, "web")) == 1


def test_what_is_told_and_in_which_order(shelf, create, heard):
    backup = create(FULL)
    assert until(lambda: (115, 0, None) in heard)
    kinds = [kind for kind, _code, _param in heard if kind not in (4,)]
    assert kinds == [100056] + [100050] * 5 + [100049, 100056, 115]
    assert (100049, 100000, backup) in heard
    assert [param for kind, _code, param in heard if kind == 100050] == ["0", "25", "50", "75", "100"]


def test_an_event_knows_the_job_in_its_own_session(shelf, sdk, server):
    jobs = []

    def handler(handle, _data):
        thing = sdk.handle_to_object(handle)
        if isinstance(thing, sdk.Event) and thing.get_type() == 100049:
            jobs.append(thing.get_job().handle)

    server.reg_event_handler(handler, None)
    job = server.create_vm_backup(shelf.vm, "", 0, "")
    job.wait(20000)
    assert until(lambda: jobs == [job.handle])
    server.unreg_event_handler(handler, None)


def test_a_failed_backup_tells_nobody(shelf, create, heard, state, fails):
    shelf.fill("1")
    state.run("fault", "add", "create_vm_backup", "step", "3:PRL_ERR_BACKUP_BACKUP_CMD_FAILED")
    with fails("PRL_ERR_BACKUP_BACKUP_CMD_FAILED"):
        create(FULL)
    assert until(lambda: (115, 0x80037018, None) in heard)
    assert 100049 not in [kind for kind, _code, _param in heard]
    assert shelf.ids() == ["1"] and len(state.store.rows("SELECT 1 FROM chains")) == 1
    create()


@pytest.mark.parametrize(
    "prepare, vm, symbol",
    [
        ((), UNKNOWN, "PRL_ERR_BACKUP_ACCESS_TO_VM_DENIED"),
        (("vm", "set", "web", "--busy", "exclusive"), None, "PRL_ERR_BACKUP_ACCESS_TO_VM_DENIED"),
        (("vm", "set", "web", "--busy", "migrate"), None, "PRL_ERR_VM_LOCKED_FOR_MIGRATE"),
        (("vm", "set", "web", "--busy", "backup"), None, "PRL_ERR_VM_LOCKED_FOR_BACKUP"),
    ],
)
def test_what_is_refused(shelf, create, state, fails, prepare, vm, symbol):
    if prepare:
        state.run(*prepare)
    with fails(symbol) as caught:
        create(FULL, vm)
    if vm:
        assert "PRL_ERR_VM_UUID_NOT_FOUND" in str(caught.error)
    assert shelf.ids() == []


def test_an_old_store(shelf, create, fails):
    shelf.fill("1", version=3)
    with fails("PRL_ERR_BACKUP_UNSUPPORTED_STORAGE_VERSION"):
        create(FULL)


def test_fulls_have_rising_times(shelf, create, state):
    state.run("set", "clock", "2026-01-01T00:00:00Z")
    shelf.fill("1")  # of 1 January, one o'clock
    create(FULL)
    rows = state.store.rows("SELECT created FROM items ORDER BY created")
    assert [row["created"] for row in rows] == ["2026-01-01 01:00:00", "2026-01-01 01:00:01"]


def test_a_directory_of_its_own(shelf, create, server, state):
    state.run("vm", "set", "web", "--backup-directory", "/mnt/own")
    full = create(FULL)
    listed = server.get_backup_tree("", "", 0, "").wait(20000).get_param_as_string()
    assert full not in listed
    assert full in server.get_backup_tree(shelf.vm, "", 0, "").wait(20000).get_param_as_string()


class TestUnderWay:
    @pytest.fixture(autouse=True)
    def _slow(self, state):
        state.run("set", "create_seconds", "1")

    def test_a_full_is_hidden_until_it_is_done(self, shelf, server, state, fails):
        job = server.create_vm_backup(shelf.vm, "", 0, "")
        assert until(lambda: state.store.rows("SELECT 1 FROM tasks"))
        assert server.get_backup_tree("", "", 0, "").wait(20000).get_param_as_string().startswith('<BackupTree id="-1"')
        with fails("PRL_ERR_VM_LOCKED_FOR_BACKUP"):
            server.create_vm_backup(shelf.vm, "", 0, "").wait(20000)
        job.cancel()
        with fails("PRL_ERR_OPERATION_WAS_CANCELED"):
            job.wait(20000)
        assert until(lambda: not state.store.rows("SELECT 1 FROM chains"))

    def test_the_chain_of_an_increment_cannot_be_removed_meanwhile(self, shelf, server, state, fails):
        shelf.fill("1")
        job = server.create_vm_backup(shelf.vm, "", 0, "", "", INCREMENTAL)
        assert until(lambda: state.store.rows("SELECT 1 FROM tasks"))
        with fails("PRL_ERR_BACKUP_LOCKED_FOR_READING"):
            server.remove_vm_backup(shelf.vm, shelf.long("1"), "", 0, "", 0, 0, True).wait(20000)
        job.wait(20000)
        assert shelf.ids() == ["1", "1.2"]

    def test_it_goes_on_when_the_connection_is_lost(self, shelf, server, state, fails):
        shelf.fill("1")
        job = server.create_vm_backup(shelf.vm, "", 0, "", "", INCREMENTAL)
        assert until(lambda: state.store.rows("SELECT 1 FROM tasks"))
        state.run("disconnect")
        with fails("PRL_ERR_WS_DISP_CONNECTION_CLOSED"):
            job.wait(20000)
        assert until(lambda: shelf.ids() == ["1", "1.2"])

    def test_unless_the_session_was_to_cancel_it(self, shelf, server, state, fails):
        shelf.fill("1")
        server.create_vm_backup(shelf.vm, "", 0, "", "", INCREMENTAL | 8)
        assert until(lambda: state.store.rows("SELECT 1 FROM tasks"))
        state.run("disconnect")
        assert until(lambda: not state.store.rows("SELECT 1 FROM tasks"))
        assert shelf.ids() == ["1"]


class TestKilledClient:
    PROGRAM = """
import prlsdkapi
prlsdkapi.init_server_sdk()
server = prlsdkapi.Server()
server.login_local().wait(20000)
server.%s.wait(20000)
"""

    def run(self, sdk, call, returncode=-9):
        program = "import sys; sys.path.insert(0, %r)" % (sdk.__path__[0] + "/..") + self.PROGRAM % call
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=20, text=True, check=False)
        assert done.returncode == returncode, done.stderr

    @pytest.mark.parametrize(
        "fault, left", [("crash", ["1"]), ("crash-after", ["1", "1.2"]), ("crash-done", ["1", "1.2"])]
    )
    def test_a_backup_goes_on(self, shelf, state, sdk, fault, left):
        shelf.fill("1")
        state.run("fault", "add", "create_vm_backup", fault, "KILL")
        self.run(sdk, "create_vm_backup(%r, '', 0, '', '', 4096)" % shelf.vm)
        state.run("tree")  # whoever comes next
        assert shelf.ids() == left
        assert not state.store.rows("SELECT 1 FROM tasks") and not state.store.rows(
            "SELECT 1 FROM vms WHERE busy != ''"
        )

    @pytest.mark.parametrize(
        "fault, left", [("crash", ["1", "1.2", "1.3"]), ("crash-after", ["1"]), ("crash-done", ["1"])]
    )
    def test_a_removal_goes_on(self, shelf, state, sdk, fault, left):
        shelf.fill("1", "1.2", "1.3")
        state.run("fault", "add", "remove_vm_backup", fault, "KILL")
        self.run(sdk, "remove_vm_backup(%r, %r, '', 0, '', 0, 0, True)" % (shelf.vm, shelf.long("1.2")))
        server = sdk.Server()
        server.login_local().wait(20000)
        assert shelf.ids() == left
        assert not state.store.rows("SELECT 1 FROM chains WHERE lock != ''")

    def test_a_long_one_is_still_running_for_the_next_session(self, shelf, state, sdk):
        shelf.fill("1")
        state.run("set", "create_seconds", "1.5")
        state.run("fault", "add", "create_vm_backup", "crash-after", "KILL")
        self.run(sdk, "create_vm_backup(%r, '', 0, '', '', 4096)" % shelf.vm)
        server = sdk.Server()
        response = server.login_local().wait(20000).get_param()
        assert response.get_running_task_count() == 1
        assert response.get_running_task_by_index(0).get_task_type() == sdk.consts.PJOC_SRV_CREATE_VM_BACKUP
        assert shelf.ids() == ["1"]
        assert until(lambda: shelf.ids() == ["1", "1.2"])

    def test_with_the_session_it_may_be_cancelled(self, shelf, state, sdk):
        shelf.fill("1")
        state.run("fault", "add", "create_vm_backup", "crash-after", "KILL")
        self.run(sdk, "create_vm_backup(%r, '', 0, '', '', 4096 | 8)" % shelf.vm)
        state.run("tasks")
        assert shelf.ids() == ["1"] and not state.store.rows("SELECT 1 FROM tasks")
