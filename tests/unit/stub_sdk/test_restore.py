# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring: in place, where nothing is, as a copy; and what is refused."""

import time

import pytest

COPY, LIVE = 16384, 8388608


@pytest.fixture
def restore(shelf, server):
    def ask(short="", vm=None, home="", name="", flags=0):
        backup = shelf.long(short) if short else ""
        result = server.restore_vm_backup(shelf.vm if vm is None else vm, backup, "", 0, "", home, name, flags).wait(
            20000
        )
        return [result.get_param_by_index_as_string(index) for index in range(len(result))]

    return ask


@pytest.fixture
def vms(server):
    return lambda: {vm.get_name(): vm for vm in server.get_vm_list_ex(6144).wait(20000)}


def test_the_newest_is_the_default(shelf, restore, vms, sdk):
    shelf.fill("1", "1.2", "2")
    assert restore() == [shelf.vm, shelf.long("2")]
    assert restore("1.2") == [shelf.vm, shelf.long("1.2")]
    assert restore("1.2", vm="") == [shelf.vm, shelf.long("1.2")]
    assert vms()["web"].get_vm_info().get_state() == sdk.consts.VMS_STOPPED


def test_the_result_is_bare_strings(server, shelf, fails):
    shelf.fill("1")
    result = server.restore_vm_backup(shelf.vm, "", "", 0, "").wait(20000)
    with fails("PRL_ERR_NO_DATA"):
        result.get_param()


def test_a_copy(shelf, restore, vms, state):
    shelf.fill("1")
    state.run("vm", "set", "web", "--state", "running")
    uuid, _backup = restore(name="web-2", flags=COPY)
    assert uuid != shelf.vm and vms()["web-2"].get_uuid() == uuid


def test_a_vm_that_is_gone_comes_back(shelf, restore, vms, state):
    shelf.fill("1")
    state.run("vm", "remove", "web")
    assert restore(home="/vz/other")[0] == shelf.vm
    assert vms()["web"].get_home_path().startswith("/vz/other/")


def test_live(shelf, restore, vms, sdk):
    shelf.fill("1")
    restore(flags=LIVE)
    assert vms()["web"].get_vm_info().get_state() == sdk.consts.VMS_RUNNING


@pytest.mark.parametrize(
    "prepare, arguments, symbol",
    [
        (("vm", "set", "web", "--state", "running"), {}, "PRL_ERR_BACKUP_RESTORE_VM_RUNNING"),
        (("vm", "set", "web", "--state", "paused"), {}, "PRL_ERR_BACKUP_RESTORE_VM_RUNNING"),
        ((), {"home": "/vz/other"}, "PRL_ERR_BACKUP_RESTORE_EXISTING_SET_PRIVATE"),
        ((), {"name": "other"}, "PRL_ERR_BAD_PARAMETERS"),
        ((), {"name": "web", "flags": COPY}, "PRL_ERR_VM_ALREADY_REGISTERED_VM_NAME"),
        ((), {"short": "2"}, "PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND"),
        ((), {"short": "1.9"}, "PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND"),
        ((), {"vm": "{99999999-9999-4999-8999-999999999999}"}, "PRL_ERR_BACKUP_BACKUP_NOT_FOUND"),
        ((), {"vm": ""}, "PRL_ERR_INVALID_ARG"),
        (("vm", "set", "web", "--busy", "backup"), {}, "PRL_ERR_VM_LOCKED_FOR_BACKUP"),
        (("lock", "11111111-1111-4111-8111-111111111111", "writing"), {}, "PRL_ERR_BACKUP_LOCKED_FOR_WRITING"),
    ],
)
def test_what_is_refused(shelf, restore, state, fails, prepare, arguments, symbol):
    shelf.fill("1")
    if prepare:
        state.run(*prepare)
    with fails(symbol):
        restore(**arguments)


def test_a_container_cannot_be_restored_live(shelf, restore, state, fails):
    shelf.fill("1")
    with state.store.write() as db:
        db.execute("UPDATE catalogues SET type = 2")
    with fails("PRL_ERR_UNIMPLEMENTED"):
        restore(flags=LIVE)


def test_what_is_told(shelf, sdk, server, restore):
    heard = []

    def handler(handle, _data):
        thing = sdk.handle_to_object(handle)
        heard.append(thing.get_type() if isinstance(thing, sdk.Event) else thing.get_op_code())

    shelf.fill("1")
    server.reg_event_handler(handler, None)
    restore(name="web-2", flags=COPY)
    deadline = time.monotonic() + 20
    while 116 not in heard and time.monotonic() < deadline:
        time.sleep(0.005)
    server.unreg_event_handler(handler, None)
    assert [kind for kind in heard if kind != 4] == [100052] * 3 + [100005, 100057, 100002, 116]
