# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of what the server does when it is asked to remove a backup, the destructive ones first of all."""

import time

import pytest
from prl_stub import tasks

KEEP, IGNORE = 2097152, 32768
FULL_SHELF = ("1", "1.2", "1.3", "1.4", "2", "2.2")


@pytest.fixture
def remove(shelf, server):
    def ask(short, flags=0, vm=None):
        backup = shelf.long(short) if short[:1] in ("1", "2") else short
        return server.remove_vm_backup(shelf.vm if vm is None else vm, backup, "", 0, "", flags, 0, True).wait(20000)

    return ask


@pytest.mark.parametrize(
    "there, asked, flags, left",
    [
        (FULL_SHELF, "", 0, []),  # no id: the whole catalogue
        (FULL_SHELF, "1", 0, ["2", "2.2"]),  # a full: its chain
        (FULL_SHELF, "1.3", 0, ["1", "1.2", "2", "2.2"]),  # an increment: all later ones too
        (FULL_SHELF, "1.4", 0, ["1", "1.2", "1.3", "2", "2.2"]),  # the last one: only that
        (FULL_SHELF, "1.99", 0, ["2", "2.2"]),  # a number that is not there: THE WHOLE CHAIN
        (FULL_SHELF, "1.abc", 0, ["2", "2.2"]),  # no number at all: the same
        (("1.3", "1.4", "2"), "1", 0, ["2"]),  # the old id of a promoted chain: the same
        (("1.3", "1.4", "2"), "1.3", 0, ["2"]),  # the promoted head is the head
        (("1",), "1.77", 0, []),  # a sole backup: everything, whatever number
        (("1",), "1.77", KEEP, []),
        (FULL_SHELF, "1.4", KEEP, ["1", "1.2", "1.3", "2", "2.2"]),
        (FULL_SHELF, "1.2", KEEP, ["1", "1.3", "1.4", "2", "2.2"]),  # a middle one is merged away
        (("1", "2"), "1", KEEP, ["2"]),  # a sole full among chains
    ],
)
def test_what_goes(shelf, remove, there, asked, flags, left):
    shelf.fill(*there)
    assert len(remove(asked, flags)) == 0
    assert shelf.ids() == left


@pytest.mark.parametrize(
    "there, asked, flags, symbol",
    [
        (FULL_SHELF, "1.99", KEEP, "PRL_ERR_BACKUP_BACKUP_NOT_FOUND"),
        (FULL_SHELF, "1.abc", KEEP, "PRL_ERR_BACKUP_BACKUP_NOT_FOUND"),
        (FULL_SHELF, "1", KEEP, "PRL_ERR_BACKUP_INTERNAL_ERROR"),
        (("1",), "2", 0, "PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND"),
        ((), "", 0, "PRL_ERR_BACKUP_BACKUP_NOT_FOUND"),
        ((), "", IGNORE, "PRL_ERR_BACKUP_BACKUP_NOT_FOUND"),
    ],
)
def test_what_is_refused(shelf, remove, fails, there, asked, flags, symbol):
    shelf.fill(*there)
    with fails(symbol):
        remove(asked, flags)
    assert shelf.ids() == sorted(there, key=lambda short: (short[0], int(short[2:] or 0)))


def test_an_unknown_chain_may_be_ignored(shelf, remove):
    shelf.fill("1")
    remove("2", IGNORE)
    assert shelf.ids() == ["1"]


def test_the_whole_catalogue_takes_its_folder(shelf, remove):
    shelf.fill("1")
    remove("1")
    assert not shelf.catalogue_exists()


def test_a_sole_full_among_chains_leaves_an_empty_folder(shelf, remove, state):
    shelf.fill("1", "2")
    remove("1", KEEP)
    assert len(state.store.rows("SELECT 1 FROM chains")) == 2


def test_a_merge_renews_the_size_and_keeps_the_last_number(shelf, remove, state):
    shelf.fill("1", "1.2", "1.3")
    remove("1.2", KEEP)
    assert state.store.row("SELECT size FROM items WHERE number = 3")["size"] == 20 + 30
    remove("1.3")
    assert state.store.row("SELECT last_number FROM chains")["last_number"] == 3


def test_an_old_store_cannot_keep_a_chain(shelf, remove, fails):
    shelf.fill("1", "1.2", "1.3", version=3)
    with fails("PRL_ERR_BACKUP_UNSUPPORTED_KEEP_CHAIN"):
        remove("1.2", KEEP)
    remove("1.2")
    assert shelf.ids() == ["1"]


def test_promotion_where_it_works(shelf, remove, state):
    state.run("set", "promotion", "works")
    shelf.fill("1", "1.2", "1.3")
    remove("1", KEEP)
    assert shelf.ids() == ["1.2", "1.3"]
    remove("1.2", KEEP)
    assert shelf.ids() == ["1.3"]


class TestWithoutAVm:
    def test_both_ids_empty(self, shelf, remove, fails):
        shelf.fill("1")
        with fails("PRL_ERR_INVALID_ARG"):
            remove("", vm="")

    @pytest.mark.parametrize("asked", ["2", "1.abc", "no id"])
    @pytest.mark.parametrize("flags", [0, IGNORE])
    def test_unknown_or_unparsable(self, shelf, remove, fails, asked, flags):
        shelf.fill("1", "1.2")
        with fails("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND"):
            remove(asked, flags, vm="")
        assert shelf.ids() == ["1", "1.2"]

    def test_the_vm_is_looked_up(self, shelf, remove):
        shelf.fill("1", "1.2", "1.3")
        remove("1.3", vm="")
        assert shelf.ids() == ["1", "1.2"]
        remove("1.99", vm="")  # found by its chain, and then the number is not there
        assert shelf.ids() == []


@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_a_busy_chain(shelf, remove, state, fails, kind):
    shelf.fill(*FULL_SHELF)
    state.run("lock", shelf.long("1"), kind, "--calls", "2")
    for asked in ("1.4", ""):
        with fails("PRL_ERR_BACKUP_LOCKED_FOR_" + kind.upper()):
            remove(asked)
    remove("1.4")
    assert "1.4" not in shelf.ids()


class TestNotAtomic:
    @pytest.mark.parametrize(
        "step, left", [(1, ["1", "1.2", "1.3", "1.4"]), (2, ["1", "1.3", "1.4"]), (3, ["1", "1.4"])]
    )
    def test_the_earlier_of_the_doomed_go_first(self, shelf, remove, state, fails, step, left):
        shelf.fill("1", "1.2", "1.3", "1.4")
        state.run("fault", "add", "remove_vm_backup", "step", step)
        with fails("PRL_ERR_OPERATION_FAILED"):
            remove("1.2")
        assert shelf.ids() == left
        assert not state.store.row("SELECT lock FROM chains")["lock"]

    def test_a_merge_that_fails_changes_nothing(self, shelf, remove, state, fails):
        shelf.fill("1", "1.2", "1.3")
        state.run("fault", "add", "remove_vm_backup", "step", "1:PRL_ERR_BACKUP_INTERNAL_ERROR")
        with fails("PRL_ERR_BACKUP_INTERNAL_ERROR"):
            remove("1.2", KEEP)
        assert shelf.ids() == ["1", "1.2", "1.3"]

    def test_a_removal_takes_its_time_and_can_be_cancelled(self, server, shelf, state, fails):
        shelf.fill("1", "1.2", "1.3")
        state.run("set", "remove_seconds", "2")
        job = server.remove_vm_backup(shelf.vm, shelf.long("1.2"), "", 0, "", 0, 0, True)
        with fails("PRL_ERR_TIMEOUT"):
            job.wait(100)
        assert "BackupItem 1" not in server.get_backup_tree("", "", 0, "").wait(20000).get_param_as_string()
        job.cancel().wait(20000)
        with fails("PRL_ERR_OPERATION_WAS_CANCELED"):
            job.wait(20000)
        deadline = time.monotonic() + 20
        while list(tasks.running(state.store, "node")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert shelf.ids() == ["1", "1.2", "1.3"]


class TestEvents:
    @pytest.fixture
    def others(self, sdk, state):
        """What another session hears: [(type, uuid of the backup)]."""
        watcher = sdk.Server()
        watcher.login_local().wait(20000)
        heard = []

        def handler(handle, _data):
            event = sdk.handle_to_object(handle)
            if isinstance(event, sdk.Event):
                heard.append((event.get_type(), event.get_param(0).to_string() if len(event) else None))

        watcher.reg_event_handler(handler, None)
        yield heard
        watcher.unreg_event_handler(handler, None)

    def wait_for(self, heard, count):
        deadline = time.monotonic() + 20
        while len(heard) < count and time.monotonic() < deadline:
            time.sleep(0.005)

    def test_finished_says_the_id_as_passed(self, shelf, remove, others):
        shelf.fill(*FULL_SHELF)
        remove("1.99")
        remove("")
        self.wait_for(others, 2)
        assert others == [(100058, shelf.long("1.99")), (100058, "")]

    def test_a_vm_that_is_gone_concerns_its_remover_only(self, shelf, remove, others, state):
        shelf.fill("1", "1.2")
        state.run("vm", "remove", "web")
        remove("1.2")
        self.wait_for(others, 1)
        time.sleep(0.05)
        assert [kind for kind, _text in others] == [100026]

    def test_a_failure_is_silent(self, shelf, remove, others, state, fails):
        shelf.fill("1", "1.2")
        state.run("fault", "add", "remove_vm_backup", "step", 1)
        with fails("PRL_ERR_OPERATION_FAILED"):
            remove("1.2")
        time.sleep(0.05)
        assert others == []


def test_the_log_marks_it_as_mutating(shelf, remove, state):
    shelf.fill("1")
    remove("1")
    assert [row["call"] for row in state.store.rows("SELECT call FROM calls WHERE mutating = 1")] == [
        "remove_vm_backup"
    ]


def test_there_are_no_defaults(server):
    with pytest.raises(TypeError):
        server.remove_vm_backup("", "", "", 0, "")
