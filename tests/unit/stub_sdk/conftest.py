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


U1, U2 = "{11111111-1111-4111-8111-111111111111}", "{22222222-2222-4222-8222-222222222222}"


class Shelf:
    """The backups of one VM, made and read without the SDK. Ids are written short: "1", "1.2", "2.5"."""

    vm = "{aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa}"

    def __init__(self, state):
        self.state = state
        state.run("vm", "add", "web", "--uuid", self.vm, "--state", "stopped")

    def long(self, short):
        """The id that a short one stands for."""
        return short.replace("1", U1, 1) if short.startswith("1") else short.replace("2", U2, 1)

    def fill(self, *ids, version=5, last=None):
        """Put backups there; the lowest number of a chain is its head."""
        from prl_stub import shelf

        store = self.state.store
        server = store.row("SELECT * FROM servers")
        with store.write() as db:
            catalogue = shelf.ensure_catalogue(db, server["name"], server["directory"], 0, self.vm, "web", version)
            for name in sorted({short[0] for short in ids}):
                numbers = sorted(int(short[2:] or 1) for short in ids if short[0] == name)
                highest = last if last is not None else numbers[-1] if numbers[-1] > 1 else 0
                chain = shelf.add_chain(db, catalogue, self.long(name), highest)
                for number in numbers:
                    self._item(db, chain, name, number)
        return self

    def _item(self, db, chain, name, number):
        from prl_stub import shelf

        short = name if number == 1 else "%s.%d" % (name, number)
        created = "2026-01-%02d %02d:00:00" % (int(name), number)
        disk = "harddisk.hdd\t/vz/vmprivate/%s/harddisk.hdd\t68719476736\t" % self.vm.strip("{}")
        row = (
            chain,
            number,
            self.long(short),
            "node",
            self.vm,
            created,
            "root",
            10 * number,
            "",
            "a.qcow2",
            0,
            0,
            2048,
            disk,
        )
        db.execute(shelf.ITEM, row)

    def ids(self):
        """What is there, as short ids in order."""
        rows = self.state.store.rows("SELECT backup_id FROM items ORDER BY backup_id")
        found = [row["backup_id"].replace(U1, "1").replace(U2, "2") for row in rows]
        return sorted(found, key=lambda short: (short.partition(".")[0], int(short.partition(".")[2] or 0)))

    def catalogue_exists(self):
        return bool(self.state.store.rows("SELECT 1 FROM catalogues"))


@pytest.fixture
def shelf(state):
    return Shelf(state)
