"""The stub server in the place of the model: the same questions, answered through the worker's own calls and the stub SDK."""

import os
import re
import sys
import tempfile
import time

from ansible_collections.prlsdk.core.plugins.module_utils._backups import live
from ansible_collections.prlsdk.core.plugins.module_utils._worker import session
from prl_stub import cli, locks, store, treeload
from prl_stub.tree import join_disks

from tests.harness import STUB_SDK
from tests.unit.plugins.module_utils.backups import model
from tests.unit.plugins.module_utils.backups.in_process import InProcessClient


class _Plenty:
    @staticmethod
    def left():
        return 60.0


class ChainView:
    """A chain as the state file has it now; setting ``lock`` locks it there."""

    def __init__(self, state, row, items):
        self.uuid, self.last_number, self._state, self._lock = row["uuid"], row["last_number"], state, row["lock"]
        self.identity = row["id"]
        self.items = [
            (item["number"] if "." in item["backup_id"] else None, item["created"], item["size"]) for item in items
        ]

    def id_of(self, item):
        return self.uuid if item[0] is None else "%s.%d" % (self.uuid, item[0])

    @property
    def lock(self):
        return self._lock

    @lock.setter
    def lock(self, value):
        if value is None:
            locks.unlock(self._state, self.uuid)
        else:
            locks.lock(self._state, self.uuid, *value)


class StubServer(model.ModelServer):
    def __init__(self, version=5):
        super().__init__(5)
        self._folder = tempfile.TemporaryDirectory(prefix="near-stub-")
        path = os.path.join(self._folder.name, "state.sqlite")
        cli.main(["--state", path, "init"])
        os.environ[store.VARIABLE] = path
        self.state = store.Store(path)
        self.node = self.state.row("SELECT * FROM servers")
        # Loaded anew for each state; other tests in this process keep the one that they know.
        self._loaded = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "prlsdkapi"}
        self.sdk = session.load_sdk([str(STUB_SDK)], "server")
        request = {"storage": None, "login": {"host": None, "security_level": "high"}, "read_only": False}
        self.connection = session.Connection(self.sdk, None, _Plenty(), request)
        self.client = InProcessClient(lambda left: self.connection, 3600, False, time.monotonic)
        self.client.open()
        self.backups = live.Backups(self.client, None)

    def close(self):
        self.connection.close()
        for name in [name for name in sys.modules if name.split(".")[0] == "prlsdkapi"]:
            del sys.modules[name]
        sys.modules.update(self._loaded)
        os.environ.pop(store.VARIABLE, None)
        self._folder.cleanup()

    def add_chain(self, vm, increments=0):
        self.made += 1
        uuid = model.CHAIN % self.made
        with self.state.write() as db:
            catalogue = treeload.ensure_catalogue(db, self.node["name"], self.node["directory"], 0, vm, "vm")
            chain = treeload.add_chain(db, catalogue, uuid, increments + 1 if increments else 0)
            for number in range(1, increments + 2):
                self._add(db, chain, uuid, number, self.made * 100 + number)
        return next(view for view in self.vms[vm] if view.uuid == uuid)

    def add_increment(self, chain):
        number = max(chain.last_number, 1) + 1
        minute, second = [int(part) for part in re.search(r":(\d\d):(\d\d)$", chain.items[-1][1]).groups()]
        with self.state.write() as db:
            self._add(db, chain.identity, chain.uuid, number, minute * 60 + second + 1)
            db.execute("UPDATE chains SET last_number = ? WHERE id = ?", (number, chain.identity))

    def _add(self, db, chain, uuid, number, instant):
        when = "2026-01-01 00:%02d:%02d" % divmod(instant, 60)
        identity = uuid if number == 1 else "%s.%d" % (uuid, number)
        row = (
            number,
            identity,
            "node",
            self.node["uuid"],
            when,
            "root",
            1000 * number,
            "",
            "disk.qcow2",
            0,
            0,
            0,
            join_disks([("d", "/d", "1", "")]),
        )
        db.execute(treeload.ITEM, (chain,) + row)

    @property
    def vms(self):
        """{VM's uuid: [ChainView, oldest first]} as of now."""
        found = {}
        if not hasattr(self, "state"):
            return found
        rows = self.state.rows(
            "SELECT c.*, k.uuid AS vm FROM chains c JOIN catalogues k ON k.id = c.catalogue ORDER BY c.id"
        )
        for row in rows:
            items = self.state.rows("SELECT * FROM items WHERE chain = ? ORDER BY number", (row["id"],))
            if items:
                found.setdefault(row["vm"], []).append(ChainView(self.state, row, items))
        return found

    @vms.setter
    def vms(self, value):
        pass

    def pause(self, attempt, limit):
        slept = min(0.5 * 2**attempt, limit)
        self.now += slept
        self.work_on()
        return slept

    def text(self, uuid):
        return self.client.tree(uuid).read().decode("utf-8")

    def raw_remove(self, uuid, backup_id, keep_chain):
        self.backups.remove(uuid, backup_id, keep_chain, 30.0)
