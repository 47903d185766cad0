# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stub server of one's own for each test, and the SDK on it, in this process."""

import pytest
from prl_stub import cli, store


class State:
    """The administrator's side: ``run("vm", "add", ...)`` is the command line."""

    def __init__(self, path):
        self.path = str(path)
        self.run("init", "--password", "secret")

    def run(self, *args):
        assert cli.main(["--state", self.path, *map(str, args)]) in (None, 0)

    @property
    def store(self):
        return store.Store(self.path)

    def calls(self):
        from prl_stub import calls

        return [call["call"] for call in calls.read(self.store)]


@pytest.fixture
def state(tmp_path, monkeypatch):
    made = State(tmp_path / "state.db")
    monkeypatch.setenv("PRL_STUB_STATE", made.path)
    monkeypatch.delenv("PRL_STUB_NODE", raising=False)
    return made


@pytest.fixture
def sdk(state):
    import prlsdkapi

    prlsdkapi.init_server_sdk()
    yield prlsdkapi
    prlsdkapi.deinit_sdk()


@pytest.fixture
def server(sdk):
    logged_in = sdk.Server()
    logged_in.login_local().wait(10000)
    return logged_in


@pytest.fixture
def fails(sdk):
    """A context that wants a PrlSDKError with the code of a symbol."""

    class Expected:
        def __init__(self, symbol):
            self.code = sdk.conv_error(getattr(sdk.errors, symbol))

        def __enter__(self):
            return self

        def __exit__(self, kind, error, _traceback):
            assert kind is sdk.PrlSDKError, error
            assert error.error_code == self.code, error
            self.error = error
            return True

    return Expected
