# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Initialisation, login in all its forms, storage sessions, and the end."""

import os
import time

import pytest

LOW, NORMAL, HIGH = 0, 1, 2


def login(sdk, host="127.0.0.1", user="root", password="secret", **more):
    server = sdk.Server()
    result = server.login(host, user, password, **more).wait(20000)
    return server, result.get_param().get_session_uuid()


def test_nothing_works_before_init_and_after_deinit(state):
    import prlsdkapi

    with pytest.raises(RuntimeError, match="SDK was not initialized"):
        prlsdkapi.Server()
    prlsdkapi.init_server_sdk()
    assert prlsdkapi.is_sdk_initialized()
    server = prlsdkapi.Server()
    prlsdkapi.deinit_sdk()
    prlsdkapi.deinit_sdk()
    for broken in (server.login_local, server.is_connected, prlsdkapi.ApiHelper().get_version, prlsdkapi.Server):
        with pytest.raises(RuntimeError, match="SDK was not initialized"):
            broken()
    with pytest.raises(RuntimeError):
        prlsdkapi.PrlSDKError(0, 0x80000015, None)


def test_other_products_have_no_constant_in_this_build(sdk, state):
    with pytest.raises(AttributeError):
        sdk.init_desktop_sdk()
    state.run("init", "--modes", "desktop,workstation")
    sdk.deinit_sdk()
    sdk.init_desktop_sdk()
    assert sdk.is_sdk_initialized()


def test_is_connected_is_a_list_that_is_always_true(sdk, server):
    assert server.is_connected() == [1, 1]
    remote, _session = login(sdk)
    assert remote.is_connected() == [1, 0]
    assert sdk.Server().is_connected() == [0, 0]


def test_no_server_is_running(monkeypatch, sdk, fails):
    monkeypatch.delenv("PRL_STUB_STATE")
    sdk.deinit_sdk()
    sdk.init_server_sdk()
    for attempt in (sdk.Server().login_local, lambda: sdk.Server().login("localhost", "root", "secret")):
        with fails("PRL_ERR_CANT_CONNECT_TO_DISPATCHER") as caught:
            attempt().wait(20000)
        assert caught.error.err_obj.get_type() == 100000
        assert str(caught.error).startswith("SDK error: 0x80000249: ")


@pytest.mark.parametrize("user, password", [("root", "wrong"), ("nobody", "secret"), ("root", "")])
def test_a_wrong_password_has_no_error_event(sdk, fails, user, password):
    with fails("PRL_ERR_AUTHENTICATION_FAILED") as caught:
        login(sdk, user=user, password=password)
    assert caught.error.err_obj is None


@pytest.mark.parametrize(
    "status, symbol",
    [
        ("down", "PRL_ERR_CANT_CONNECT_TO_DISPATCHER"),
        ("junk", "PRL_ERR_HANDSHAKE_FAILED"),
        ("tls", "PRL_ERR_SSL_HANDSHAKE_FAILED"),
        ("version", "PRL_ERR_WRONG_PROTOCOL_VERSION"),
    ],
)
def test_what_answers_at_the_port(sdk, state, fails, status, symbol):
    state.run("server", "set", "node", "--status", status)
    with fails(symbol):
        login(sdk)


def test_a_silent_port_takes_the_whole_timeout(sdk, state, fails):
    state.run("server", "add", "other", "--host", "other.example", "--status", "silent")
    start = time.monotonic()
    with fails("PRL_ERR_HANDSHAKE_FAILED") as caught:
        login(sdk, "other.example", timeout=200)
    assert 0.2 <= time.monotonic() - start < 20
    assert "other.example#64000" in str(caught.error)


def test_unknown_hosts_and_ports(sdk, fails):
    for host, port in (("nowhere.example", 0), ("127.0.0.1", 1)):
        with fails("PRL_ERR_CANT_CONNECT_TO_DISPATCHER"):
            login(sdk, host, port_cmd=port)
    assert login(sdk, "node-a.example#64000")[0].is_connected() == [1, 0]


def test_the_security_level_the_server_wants(sdk, state, fails):
    state.run("server", "set", "node", "--security", "normal")
    with fails("PRL_ERR_WRONG_CONNECTION_SECURITY_LEVEL"):
        login(sdk, security_level=LOW)
    assert login(sdk, security_level=NORMAL)[0].is_connected() == [1, 0]


def test_after_logoff_every_request_fails(server, fails):
    assert len(server.logoff().wait(20000)) == 0
    assert server.is_connected() == [0, 0]
    job = server.logoff()
    assert job.is_request_was_sent() is True
    with fails("PRL_ERR_NOT_CONNECTED_TO_DISPATCHER"):
        job.wait(20000)
    with fails("PRL_ERR_NOT_CONNECTED_TO_DISPATCHER"):
        server.get_server_info()


def test_login_again_on_the_same_object(server):
    first = server.login_local().wait(20000).get_param().get_session_uuid()
    assert server.login_local().wait(20000).get_param().get_session_uuid() != first
    assert server.is_connected() == [1, 1]


def test_server_info_and_version(sdk, server):
    info = server.get_server_info()
    assert (info.get_host_name(), info.get_cmd_port()) == ("node-a.example", 64000)
    assert info.get_server_uuid().startswith("{")
    assert sdk.ApiHelper().get_version() == "9.0.41"


def test_passwords_are_never_logged(sdk, state):
    login(sdk)
    with open(state.path, "rb") as stream:
        calls = state.store.rows("SELECT args FROM calls WHERE call = 'login'")
        assert stream.read(15) == b"SQLite format 3"
    assert "secret" not in calls[0]["args"] and "********" in calls[0]["args"]


class TestStorage:
    """Which server a request goes to is decided by the session, not by the host."""

    SAMPLE = os.path.join(os.path.dirname(__file__), "vendor_tree.xml")

    @pytest.fixture
    def storage(self, state):
        state.run("server", "add", "storage", "--host", "backup.example", "--password", "vault")
        state.run("load", self.SAMPLE, "--server", "storage")

    def tree(self, server, host, port, session):
        return server.get_backup_tree("", host, port, session, 393216).wait(20000).get_param_as_string()

    def test_without_a_session_the_host_is_overwritten(self, server, storage):
        assert self.tree(server, "backup.example", 64000, "").startswith('<BackupTree id="-1"')

    def test_a_second_login(self, sdk, server, storage, fails):
        second, session = login(sdk, "backup.example", password="vault")
        assert "gitlab" in self.tree(server, "backup.example", 64000, session)
        second.logoff().wait(20000)
        with fails("PRL_ERR_DISP2DISP_WRONG_USER_SESSION_UUID"):
            self.tree(server, "backup.example", 64000, session)

    def test_a_default_backup_server(self, sdk, state, server, storage, fails):
        state.run("server", "set", "node", "--storage", "storage")
        with fails("PRL_ERR_BACKUP_REQUIRE_LOGIN_PASSWORD"):
            self.tree(server, "", 0, "")
        state.run("server", "set", "node", "--storage-user", "root", "--storage-password", "vault")
        assert "gitlab" in self.tree(server, "127.0.0.1", 64000, "")
        own, session = login(sdk)
        assert self.tree(own, "127.0.0.1", 64000, session).startswith('<BackupTree id="-1"')

    def test_what_cannot_be_reached(self, state, server, storage, fails):
        with fails("PRL_ERR_CANT_RESOLVE_HOSTNAME"):
            self.tree(server, "nowhere.example", 0, "{x}")
        with fails("PRL_ERR_CANT_CONNECT_TO_DISPATCHER_ITERATIVELY"):
            self.tree(server, "backup.example", 1, "{x}")
        state.run("server", "set", "storage", "--status", "tls")
        with fails("PRL_ERR_SSL_HANDSHAKE_FAILED"):
            self.tree(server, "backup.example", 0, "{x}")
