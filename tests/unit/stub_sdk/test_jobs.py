# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs, results, argument checks, VM lists."""

import sys
import threading
import time

import pytest

PENDING = 0x80000007


@pytest.fixture
def slow(state, server):
    """A job that takes 0.6 s."""
    state.run("fault", "add", "get_vm_list_ex", "delay", "0.6")
    return server.get_vm_list_ex(6144)


def test_a_timeout_leaves_the_job_unharmed(sdk, slow, fails):
    for _turn in range(2):
        with fails("PRL_ERR_TIMEOUT") as caught:
            slow.wait(0)
        assert caught.error.err_obj is None
    assert (slow.get_status(), slow.get_ret_code(), slow.get_progress()) == (sdk.consts.PJS_RUNNING, PENDING, 100)
    with fails("PRL_ERR_OPERATION_PENDING"):
        slow.get_result()
    assert len(slow.wait()) == 0
    assert slow.get_status() == sdk.consts.PJS_FINISHED and slow.get_ret_code() == 0
    assert len(slow.wait(0)) == 0
    with fails("PRL_ERR_NO_DATA"):
        slow.get_error()


def test_several_threads_may_wait(slow):
    results = []
    threads = [threading.Thread(target=lambda: results.append(len(slow.wait(20000)))) for _number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 0, 0]


def test_cancel(slow, fails, sdk):
    cancel = slow.cancel()
    assert cancel.get_op_code() == sdk.consts.PJOC_JOB_CANCEL
    cancel.wait(20000)
    with fails("PRL_ERR_OPERATION_WAS_CANCELED"):
        slow.wait(20000)


def test_a_failed_job(state, server, fails):
    state.run("fault", "add", "get_vm_list_ex", "fail", "PRL_ERR_TRY_AGAIN")
    job = server.get_vm_list_ex(6144)
    with fails("PRL_ERR_TRY_AGAIN") as caught:
        job.wait(20000)
    error = caught.error
    assert error.args == (str(error),)
    assert str(error) == "SDK error: 0x80000450: PRL_ERR_TRY_AGAIN PRL_ERR_TRY_AGAIN"
    assert error.get_result() == error.result == error.error_code
    assert job.get_error().get_err_code() == error.err_obj.get_err_code() == 0x80000450
    assert len(job.get_result()) == 0
    server.get_vm_list_ex(6144).wait(20000)  # it struck once


def test_a_warning_raises(state, server, fails):
    state.run("fault", "add", "get_vm_list_ex", "warn", "PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP")
    with fails("PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP"):
        server.get_vm_list_ex(6144).wait(20000)


@pytest.mark.parametrize("arguments", [(None, "", 0, ""), ("", "", "0", ""), ("", b"", 0, ""), ("", "", 0.5, "")])
def test_wrong_types_never_reach_the_server(server, state, arguments):
    with pytest.raises(TypeError):
        server.get_backup_tree(*arguments)
    with pytest.raises(TypeError):
        server.get_vm_list_ex(2048).wait("1")
    assert "get_backup_tree" not in state.calls()


def test_the_words_of_a_type_error(server):
    with pytest.raises(TypeError, match=r"^PrlSrv_GetBackupTree\(\) argument 2 must be str, not None$"):
        server.get_backup_tree(None, "", 0, "")


def test_negative_numbers_wrap(server, state):
    server.get_vm_list_ex(-1).wait(20000)
    assert '"nFlags": 4294967295' in state.store.rows("SELECT args FROM calls WHERE call = 'get_vm_list_ex'")[0]["args"]
    server.get_vm_list().wait(sys.maxsize)


def test_what_a_gather_leaves_in_the_log(sdk, server, state):
    server.get_vm_list_ex(6144).wait(20000)
    server.get_backup_tree("", "", 0, "", 393216).wait(20000)
    server.logoff().wait(20000)
    assert state.calls() == ["init_server_sdk", "login_local", "get_vm_list_ex", "get_backup_tree", "logoff"]
    assert not state.store.rows("SELECT 1 FROM calls WHERE mutating = 1")


class TestVms:
    @pytest.fixture(autouse=True)
    def _vms(self, state):
        state.run("vm", "add", "web", "--state", "running", "--backup-directory", "/mnt/own")
        state.run("vm", "add", "base", "--template", "yes")
        state.run("vm", "add", "proxy", "--type", "ct", "--uuid", "5b61b7a9-f2b2-4514-8653-50bfbcbc5fcc")

    def names(self, result):
        return [vm.get_name() for vm in result]

    def test_flags(self, server):
        ask = server.get_vm_list_ex
        assert self.names(ask(2048 | 4096).wait(20000)) == ["web", "base", "proxy"]
        assert self.names(ask(2048).wait(20000)) == self.names(server.get_vm_list().wait(20000)) == ["web", "base"]
        assert self.names(ask(4096).wait(20000)) == ["proxy"]
        assert self.names(ask(2048 | 65536).wait(20000)) == ["base"]

    def test_values(self, sdk, server):
        web, base, proxy = server.get_vm_list_ex(6144).wait(20000)
        assert (web.get_vm_type(), proxy.get_vm_type()) == (sdk.consts.PVT_VM, sdk.consts.PVT_CT)
        assert (web.is_template(), base.is_template()) == (False, True)
        assert web.get_default_backup_directory() == "/mnt/own"
        assert web.get_home_path().endswith("/config.pvs") and proxy.get_home_path().startswith("/vz/private/")
        assert proxy.get_uuid() == "{5b61b7a9-f2b2-4514-8653-50bfbcbc5fcc}"
        assert proxy.get_ct_id() and not web.get_ct_id()
        assert web.get_vm_info().get_state() == sdk.consts.VMS_RUNNING
        assert base.get_state().wait(20000).get_param().get_state() == sdk.consts.VMS_STOPPED
        assert web.get_server_uuid() == server.get_server_info().get_server_uuid()

    def test_identity_only(self, sdk, server):
        web = server.get_vm_list_ex(2048 | 8192).wait(20000)[0]
        assert (web.get_name(), web.get_vm_info().get_state()) == ("web", sdk.consts.VMS_UNKNOWN)
        web = server.get_vm_list_ex(2048 | 8192 | 16384).wait(20000)[0]
        assert web.get_vm_info().get_state() == sdk.consts.VMS_RUNNING

    def test_config(self, server, fails):
        assert server.get_vm_config("web", 4096).wait(20000)[0].get_name() == "web"
        assert server.get_vm_config("{5b61b7a9-f2b2-4514-8653-50bfbcbc5fcc}", 2048).wait(20000)[0].get_name() == "proxy"
        for text, flags in (("web", 2048), ("{5b61b7a9-f2b2-4514-8653-50bfbcbc5fcc}", 4096), ("none", 6144)):
            with fails("PRL_ERR_VM_UUID_NOT_FOUND"):
                server.get_vm_config(text, flags).wait(20000)


def test_handles_are_counted(sdk, server, state):
    result = server.get_vm_list_ex(6144).wait(20000)
    server.logoff().wait(20000)
    del result
    sdk.handle_to_object(server.handle)  # one wrapper too many for one reference
    time.sleep(0)
    sdk.deinit_sdk()
    report = state.store.rows("SELECT args FROM calls WHERE call = 'deinit_sdk'")[0]["args"]
    assert '"handles": {}' in report
