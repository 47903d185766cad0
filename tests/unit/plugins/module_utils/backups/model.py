"""A backup server in memory that follows the table of removals to the letter, the destructive rows too.

It answers trees as text, like the real one, so that what reads them is tested along with what decides.
"""

from ansible_collections.prlsdk.core.plugins.module_utils._backups import live_tree, locate
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Text
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError

VM = "{00000000-0000-4000-8000-0000000000%02x}"
CHAIN = "{c0000000-0000-4000-8000-%012x}"


class Failure(CallError):
    def __init__(self, symbol, retryable=False):
        super().__init__(symbol, symbol, "remove_vm_backup", 1)


class Killed(BaseException):
    """The process is gone in the middle of a call."""


class Chain:
    def __init__(self, number, instant, increments):
        self.uuid = CHAIN % number
        self.items = [(None, instant, 1000)] + [(n, instant + n, 100 + n) for n in range(2, 2 + increments)]
        self.last_number = increments + 1 if increments else 0
        self.lock = None

    def id_of(self, item):
        return self.uuid if item[0] is None else "%s.%d" % (self.uuid, item[0])


class ModelServer:
    def __init__(self, version=5):
        self.vms = {}
        self.version = version
        self.made = 0
        self.now = 0.0
        self.end = 10000.0
        self.removals = []
        self.log = []
        self.faults = {}
        # What somebody else does right before the next removal, and right after it: functions of this server, each called once.
        self.rival = self.late_rival = None
        # A request whose client is gone and that the server has yet to do: [pauses until then, its arguments].
        self.unheard = None

    # -- set-up

    def add_chain(self, vm, increments=0):
        self.made += 1
        chain = Chain(self.made, self.made * 100, increments)
        self.vms.setdefault(vm, []).append(chain)
        return chain

    def add_increment(self, chain):
        """What a client's incremental backup does to a chain that still has its newest item."""
        number = max(chain.last_number, 1) + 1
        chain.last_number = number
        chain.items.append((number, chain.items[-1][1] + 1, 100 + number))

    def ids(self, vm=None):
        return {
            chain.id_of(item)
            for uuid in self.vms
            if vm in (None, uuid)
            for chain in self.vms[uuid]
            for item in chain.items
        }

    def restorable(self):
        """Ids whose chain still begins with a full, and has every item in between that the increment was built on."""
        return {
            chain.id_of(item)
            for chains in self.vms.values()
            for chain in chains
            for item in chain.items
            if chain.items[0][0] is None
        }

    # -- what the worker offers

    def left(self):
        return self.end - self.now

    def pause(self, attempt, limit):
        slept = min(0.5 * 2**attempt, limit)
        self.now += slept
        self.log.append("pause")
        for chains in self.vms.values():
            for chain in chains:
                if chain.lock and chain.lock[1] is not None:
                    left = chain.lock[1] - 1
                    chain.lock = (chain.lock[0], left) if left > 0 else None
        self.work_on()
        return slept

    def work_on(self):
        """The server is at a request that nobody waits for any more, which hides the chain."""
        if self.unheard and self.unheard[0]:
            self.unheard[0] -= 1
            if not self.unheard[0]:
                self.do_unheard()

    def do_unheard(self):
        """Such a request is done at last, if it can still be done."""
        unheard, self.unheard = self.unheard, None
        if unheard:
            self.lock_chain(unheard[1][1], None)
            try:
                self.raw_remove(*unheard[1])
            except CallError:
                pass

    def lock_chain(self, backup_id, lock):
        for chains in self.vms.values():
            for chain in chains:
                if chain.uuid == backup_id.partition(".")[0]:
                    chain.lock = lock

    def reopen(self):
        self.log.append("reopen")
        self._fault("reopen")

    def read(self, uuid):
        self.log.append("read")
        self._fault("read")
        return live_tree.vm_from(locate.read(Text({"text": self.text(uuid)}), uuid), uuid)

    def find(self, uuid, ids):
        self.log.append("find")
        return {}

    def running_removals(self):
        return 0

    def text(self, uuid):
        chains = [chain for chain in self.vms.get(uuid, []) if not (chain.lock and chain.lock[0] == "writing")]
        if not chains:
            return '<BackupTree id="-1" dyn_lists="VmItem 0"/>'
        parts = [
            "<BackupTree><VmItem><VmType>0</VmType><Uuid>%s</Uuid><Name>vm</Name><Version>%d</Version>"
            % (uuid, self.version)
        ]
        for chain in chains:
            head = chain.items[0]
            parts.append("<BackupItem><Uuid>%s</Uuid>%s" % (chain.uuid, self._item(chain, head)))
            for item in chain.items[1:]:
                parts.append(
                    "<PartialBackupItem><Number>%d</Number>%s</PartialBackupItem>" % (item[0], self._item(chain, item))
                )
            parts.append("<LastNumber>%d</LastNumber></BackupItem>" % chain.last_number)
        return "".join(parts) + "</VmItem></BackupTree>"

    @staticmethod
    def _item(chain, item):
        minute, second = divmod(item[1], 60)
        when = "2026-01-%02d %02d:%02d:%02d" % (1 + minute // 1440, minute // 60 % 24, minute % 60, second)
        return "<Id>%s</Id><DateTime>%s</DateTime><Size>%d</Size>" % (chain.id_of(item), when, item[2])

    def remove(self, uuid, backup_id, keep_chain, limit):
        self.log.append("remove")
        self.removals.append((uuid, backup_id, keep_chain))
        assert uuid and backup_id, "both have to be passed, always"
        if self.unheard and not self.unheard[0]:
            self.do_unheard()
        fault = self._fault("remove")
        if fault in ("lost_late", "lost_slow") and not self.unheard:
            self.unheard = [4 if fault == "lost_slow" else 0, (uuid, backup_id, keep_chain)]
            if fault == "lost_slow":
                self.lock_chain(backup_id, ("writing", None))
            raise Failure("PRL_ERR_WS_DISP_CONNECTION_CLOSED", True)
        rival, self.rival = self.rival, None
        if rival:
            rival(self)
        try:
            self.raw_remove(uuid, backup_id, keep_chain)
        finally:
            rival, self.late_rival = self.late_rival, None
            if rival:
                rival(self)
        if fault == "lost_after":
            raise Failure("PRL_ERR_WS_DISP_CONNECTION_CLOSED", True)
        if fault == "killed_after":
            raise Killed()

    def raw_remove(self, uuid, backup_id, keep_chain):
        """The server's own behaviour, row by row."""
        chains = self.vms.get(uuid, [])
        chain_uuid, dot, number = backup_id.partition(".")
        chain = next((chain for chain in chains if chain.uuid == chain_uuid), None)
        if chain is None:
            raise Failure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND")
        if chain.lock:
            raise Failure("PRL_ERR_BACKUP_LOCKED_FOR_%s" % chain.lock[0].upper(), True)
        if keep_chain and self.version < 4:
            raise Failure("PRL_ERR_BACKUP_UNSUPPORTED_KEEP_CHAIN")
        if len(chains) == 1 and len(chain.items) == 1:
            chains.remove(chain)
            return
        numbers = [item[0] for item in chain.items]
        wanted = int(number) if number.isdigit() else None if not dot else -1
        if wanted not in numbers:
            if keep_chain:
                raise Failure("PRL_ERR_BACKUP_BACKUP_NOT_FOUND")
            chains.remove(chain)
            return
        position = numbers.index(wanted)
        if position == 0:
            if keep_chain and len(chain.items) > 1:
                raise Failure("PRL_ERR_BACKUP_INTERNAL_ERROR")
            chains.remove(chain)
        elif keep_chain:
            if position + 1 < len(chain.items):
                following = chain.items[position + 1]
                chain.items[position + 1] = (following[0], following[1], following[2] + chain.items[position][2])
            del chain.items[position]
        else:
            del chain.items[position:]

    def _fault(self, call):
        """Faults: {call: [what happens at its first, second ... time]}."""
        queue = self.faults.get(call)
        fault = queue.pop(0) if queue else None
        if fault == "killed":
            raise Killed()
        if fault == "lost":
            raise Failure("PRL_ERR_WS_DISP_CONNECTION_CLOSED", True)
        if fault and fault.startswith("PRL_"):
            raise Failure(fault)
        return fault
