"""A server of backups in virtual time, with everybody else who works on it: what the campaign of removals plays against.

It stands in the place of ``prlsdkapi`` (class ``Api``), so that the whole of prl_backup runs over it, from the module's options down to the SDK's
calls. It shares no code with the removal. What it keeps of each backup (who took it, and when) is the truth that the module's result is held against.

Time passes in calls and in pauses only, and whatever is due happens then: other clients write to a chain (which hides it) and end, remove
chains and increments, extend chains and make full backups; requests whose connection was lost are done.

A call has two moments: the server acts when the request has come to it, and the caller goes on when the answer has come back. What others do
on the way of a request or of the tree that it was decided on is a race that nobody can avoid; what they do at any other time is not.
"""

import collections
import heapq
import itertools
import types

from tests.unit.plugins.module_utils.backups.in_process import Killed

KEEP_CHAIN, CHAIN_FLAG = 2097152, 1048576
TIMEOUT = 0x80000015
CODES = {
    "PRL_ERR_TIMEOUT": TIMEOUT,
    "PRL_ERR_WS_DISP_CONNECTION_CLOSED": 0x80000246,
    "PRL_ERR_NOT_CONNECTED_TO_DISPATCHER": 0x80000251,
    "PRL_ERR_BACKUP_LOCKED_FOR_READING": 0x80037013,
    "PRL_ERR_BACKUP_LOCKED_FOR_WRITING": 0x80037014,
    "PRL_ERR_TRY_AGAIN": 0x80000450,
    "PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND": 0x80037004,
    "PRL_ERR_BACKUP_BACKUP_NOT_FOUND": 0x80037011,
    "PRL_ERR_OPERATION_FAILED": 0x80000016,
    "PRL_ERR_BACKUP_INTERNAL_ERROR": 0x80037001,
    "PRL_ERR_BACKUP_UNSUPPORTED_KEEP_CHAIN": 0x80037044,
}
SYMBOLS = {code: symbol for symbol, code in CODES.items()}
US, OTHERS = "us", "others"
REMOVE_VM_BACKUP = 122


class PrlSDKError(Exception):
    def __init__(self, symbol):
        super().__init__("SDK error: %s" % symbol)
        self.error_code, self.err_obj = CODES[symbol], None


class Item:
    """One backup. ``number`` is None for the full; ``taken`` becomes (by whom, when, the Request or None)."""

    def __init__(self, chain, number, created, size, born):
        self.chain, self.number, self.created, self.size, self.born, self.taken = (
            chain,
            number,
            created,
            size,
            born,
            None,
        )

    @property
    def id(self):
        return self.chain.uuid if self.number is None else "%s.%d" % (self.chain.uuid, self.number)


class Chain:
    def __init__(self, vm, uuid):
        self.vm, self.uuid, self.items, self.last_number = vm, uuid, [], 0
        self.lock = None  # "reading" or "writing"
        self.ever_locked = False

    def set_lock(self, lock):
        self.lock, self.ever_locked = lock, self.ever_locked or lock is not None


class Vm:
    def __init__(self, uuid, name, directory=None):
        self.uuid, self.name, self.directory, self.chains = uuid, name, directory, []
        self.deeds = []  # when others changed something of it

    def items(self):
        return [item for chain in self.chains for item in chain.items]

    def restorable(self):
        return [item for item in self.items() if item.chain.items[0].number is None or item.chain.items[0].number]


class Request:
    """A removal that we asked for. ``accepted``: when the server began it, None if it never did. ``raced``: see the module's words on races."""

    def __init__(self, vm, identity, keep_chain, sent):
        self.vm, self.id, self.keep_chain, self.sent = vm, identity, keep_chain, sent
        self.accepted = self.ended = None
        self.lost = self.raced = self.answered = False
        self.running = False  # whether the server has heard of it


class World:
    def __init__(self, rng):
        self.rng, self.now, self.vms, self.version = rng, 0.0, collections.OrderedDict(), 5
        self._due, self._order = [], itertools.count()
        self.faults = []  # what becomes of our first, second ... removal
        self.requests, self.log = [], []
        self.earlier = []  # Requests of a run before this one
        self.struck = collections.Counter()
        self.taken = []  # every Item that went, in order
        self.violations = []
        self.read_loss = 0  # how often the connection is lost while a tree is read
        self.after_the_run = []  # what the server does when we are gone
        self.looks = {}  # VM's uuid: [(when the server wrote its tree, when that arrived), ...]
        self.count_first = rng.random() < 0.5
        self._clock = 1000

    # -- what there is

    def add_vm(self, number, directory=None):
        vm = Vm("{00000000-0000-4000-8000-%012x}" % number, "vm-%d" % number, directory)
        self.vms[vm.uuid] = vm
        return vm

    def add_chain(self, vm, increments):
        chain = Chain(vm, "{c0000000-0000-4000-8000-%012x}" % next(self._order))
        vm.chains.append(chain)
        self._add_item(chain, None)
        for _number in range(increments):
            self.extend(chain)
        return chain

    def extend(self, chain):
        chain.last_number = max(chain.last_number, 1) + 1
        self._add_item(chain, chain.last_number)

    def _add_item(self, chain, number):
        self._clock += 1
        chain.items.append(Item(chain, number, self._clock, 1000 + self._clock, self.now))

    def items(self):
        return [item for vm in self.vms.values() for item in vm.items()]

    # -- time

    def at(self, when, act):
        heapq.heappush(self._due, (when, next(self._order), act))

    def advance(self, seconds):
        self.run_until(self.now + seconds)

    def run_until(self, end):
        while self._due and self._due[0][0] <= end:
            when, _order, act = heapq.heappop(self._due)
            self.now = max(self.now, when)
            act()
        self.now = max(self.now, end)

    def run_out(self):
        """Everything that is still to come."""
        while self._due:
            self.run_until(self._due[0][0])

    # -- what the server does

    def take(self, items, by, request=None):
        self.taken += items
        for item in items:
            item.taken = (by, self.now, request)
            item.chain.items.remove(item)
            if not item.chain.items:
                item.chain.vm.chains.remove(item.chain)

    def decide(self, vm, identity, keep_chain):
        """(symbol of a refusal or None, the items that will go), row by row as the real server does it."""
        chain_uuid, dot, number = identity.partition(".")
        chain = next((chain for chain in vm.chains if chain.uuid == chain_uuid), None)
        if chain is None and self.count_first and len(vm.items()) == 1:
            chain = vm.chains[0]  # nobody has seen which of the two the server looks at first
        if chain is None:
            return "PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", []
        if chain.lock:
            return "PRL_ERR_BACKUP_LOCKED_FOR_%s" % chain.lock.upper(), []
        if keep_chain and self.version < 4:
            return "PRL_ERR_BACKUP_UNSUPPORTED_KEEP_CHAIN", []
        if len(vm.chains) == 1 and len(chain.items) == 1:
            return None, list(chain.items)
        wanted = int(number) if number.isdigit() else None
        numbers = [item.number for item in chain.items]
        if wanted not in numbers:
            return ("PRL_ERR_BACKUP_BACKUP_NOT_FOUND", []) if keep_chain else (None, list(chain.items))
        position = numbers.index(wanted)
        if position == 0:
            return (
                ("PRL_ERR_BACKUP_INTERNAL_ERROR", [])
                if keep_chain and len(chain.items) > 1
                else (None, list(chain.items))
            )
        return None, [chain.items[position]] if keep_chain else chain.items[position:]

    def accept(self, request, seconds):
        """Begin our request now. Returns the symbol of a refusal, or None when it is under way and ends after ``seconds``."""
        vm = self.vms[request.vm]
        request.accepted, request.running, deeds = self.now, True, list(vm.deeds)
        written, arrived = self.last_look(vm.uuid, request.sent)
        request.raced = any(written < deed <= arrived or request.sent <= deed <= self.now for deed in deeds)
        symbol, doomed = self.decide(vm, request.id, request.keep_chain)
        if symbol:
            request.ended = self.now
            return symbol
        chain = doomed[0].chain
        chain.set_lock("writing")
        self.at(self.now + seconds, lambda: self._finish(request, vm, chain, doomed))
        return None

    def _finish(self, request, vm, chain, doomed):
        chain.set_lock(None)
        raced = request.raced or any(deed >= request.accepted for deed in vm.deeds)
        before = len(vm.items())
        if request.keep_chain and doomed[-1] is not chain.items[-1]:
            following = chain.items[chain.items.index(doomed[-1]) + 1]
            following.size += doomed[-1].size
        self.take(list(doomed), US, request)
        request.ended = self.now
        if before and not vm.items() and not raced:
            self.violations.append(("the last backup of %s went" % vm.uuid, request))

    def work_of_others(self, act):
        """Have somebody else act; what he changes is noted with its time."""

        def deed():
            vm = act()
            if vm is not None:
                vm.deeds.append(self.now)

        return deed

    def last_look(self, uuid, when):
        """(written, arrived) of the last tree of a VM that had arrived by then."""
        return max([look for look in self.looks.get(uuid, ()) if look[1] <= when], default=(-1.0, -1.0))

    def tree(self, vms):
        parts = ["<BackupTree>"]
        for vm in vms:
            chains = [chain for chain in vm.chains if chain.lock != "writing"]
            if not chains:
                continue
            parts.append(
                "<VmItem><VmType>0</VmType><Uuid>%s</Uuid><Name>%s</Name><Version>%d</Version>"
                % (vm.uuid, vm.name, self.version)
            )
            for chain in chains:
                parts.append("<BackupItem><Uuid>%s</Uuid>%s" % (chain.uuid, self._fields(chain.items[0])))
                parts += [
                    "<PartialBackupItem><Number>%d</Number>%s</PartialBackupItem>" % (item.number, self._fields(item))
                    for item in chain.items[1:]
                ]
                parts.append("<LastNumber>%d</LastNumber></BackupItem>" % chain.last_number)
            parts.append("</VmItem>")
        return "".join(parts) + "</BackupTree>"

    @staticmethod
    def _fields(item):
        return "<Id>%s</Id><DateTime>%s</DateTime><Size>%d</Size>" % (item.id, written_time(item.created), item.size)


def written_time(seconds):
    return "2026-01-%02d %02d:%02d:%02d" % (
        1 + seconds // 86400,
        seconds // 3600 % 24,
        seconds // 60 % 60,
        seconds % 60,
    )


class Job:
    """A request under way: it ends at a moment with a value or an error, or never."""

    def __init__(self, world, ends, value=None, symbol=None):
        self._world, self._ends, self._value, self._symbol = world, ends, value, symbol
        self._finished = False

    def wait(self, milliseconds):
        limit = self._world.now + milliseconds / 1000
        end = self._ends() if callable(self._ends) else self._ends
        while end is None and self._world.now < limit:
            self._world.advance(0.05)
            end = self._ends()
        if end is None or end > limit:
            self._world.run_until(limit)
            raise PrlSDKError("PRL_ERR_TIMEOUT")
        self._world.run_until(end)
        self._finished = True
        symbol = self._symbol() if callable(self._symbol) else self._symbol
        if symbol:
            raise PrlSDKError(symbol)
        return self._value() if callable(self._value) else self._value

    def get_status(self):
        return -805306366 if self._finished else -805306367


class Login:
    def __init__(self, world):
        self._running = sum(
            1
            for request in world.requests + world.earlier
            if request.lost and request.running and request.ended is None
        )

    def get_param(self):
        return self

    def get_session_uuid(self):
        return "{5e550000-0000-4000-8000-000000000001}"

    def get_server_uuid(self):
        return "{5e4e0000-0000-4000-8000-000000000001}"

    def get_product_version(self):
        return "9"

    get_host_os_version = get_product_version

    def get_running_task_count(self):
        return self._running

    def get_running_task_by_index(self, index):
        return types.SimpleNamespace(get_task_type=lambda: REMOVE_VM_BACKUP)


class Text:
    def __init__(self, text):
        self._text = text

    def get_param_as_string(self):
        return self._text


class VmList(list):
    """A result whose parameters are objects only."""

    def get_params_count(self):
        return len(self)

    get_param_by_index = list.__getitem__


class ListedVm:
    def __init__(self, vm):
        self._vm = vm

    def __getattr__(self, name):
        values = {
            "get_uuid": self._vm.uuid,
            "get_name": self._vm.name,
            "get_vm_type": 0,
            "get_ct_id": "",
            "is_template": False,
            "get_home_path": "/vm",
            "get_default_backup_directory": self._vm.directory or "",
            "get_vm_info": None,
        }
        return lambda: values[name]


class Server:
    """The binding's Server over a World."""

    world = None  # set by Api

    def __init__(self):
        self.connected = False

    def _latency(self):
        return self.world.rng.choice([0.0, 0.001, 0.002, 0.005])

    def _request(self, answer):
        """A short request: ``answer()`` is called when it has come to the server."""
        if not self.connected:
            return Job(self.world, self.world.now, symbol="PRL_ERR_NOT_CONNECTED_TO_DISPATCHER")
        self.world.advance(self._latency())
        value = answer()
        return Job(self.world, self.world.now + self._latency(), value)

    def login_local(self, previous, port, level):
        self.world.log.append(("login",))
        self.world.advance(0.005)
        self.connected = True
        return Job(self.world, self.world.now, Login(self.world))

    def logoff(self):
        self.connected = False
        return Job(self.world, self.world.now)

    def is_connected(self):
        return [int(self.connected), 1]

    def get_vm_list_ex(self, flags):
        self.world.log.append(("list",))
        return self._request(lambda: VmList(ListedVm(vm) for vm in self.world.vms.values()))

    def get_backup_tree(self, uuid, host, port, session, flags, reserved=0, force=True):
        world = self.world
        self.world.log.append(("tree", uuid, flags))
        whole = [vm for vm in world.vms.values() if vm.directory is None]
        written = []

        def asked_for():
            if flags & CHAIN_FLAG:
                return [
                    vm for vm in whole if any(chain.uuid == uuid and chain.lock != "writing" for chain in vm.chains)
                ]
            return [vm for vm in world.vms.values() if vm.uuid == uuid] if uuid else whole

        def answer():
            written.append(world.now)
            return Text(world.tree(asked_for()))

        if self.connected and world.rng.random() < world.read_loss:
            world.struck["read lost"] += 1
            self.connected = False
            return Job(world, lambda: None)
        job = self._request(answer)
        if not written:
            return job
        if not flags & CHAIN_FLAG and uuid:
            world.looks.setdefault(uuid, []).append((written[0], job._ends))
        world.advance(world.rng.choice([0, 0, 0, 0.5, 5]) if not uuid else 0)
        return job

    def remove_vm_backup(self, uuid, identity, host, port, session, flags, reserved, force):
        world = self.world
        world.log.append(("remove", uuid, identity))
        if not self.connected:
            return Job(world, world.now, symbol="PRL_ERR_NOT_CONNECTED_TO_DISPATCHER")
        request = Request(uuid, identity, bool(flags & KEEP_CHAIN), world.now)
        world.requests.append(request)
        fault = world.faults.pop(0) if world.faults else None
        kind, seconds, delay = fault or (None, world.rng.choice([0, 0, 0.1, 2]), 0)
        if kind:
            world.struck[kind] += 1
        if kind == "killed before":
            raise Killed()
        if kind and kind.startswith("PRL_"):
            request.accepted = request.ended = world.now
            return Job(world, world.now + 0.01, symbol=kind)
        if kind in ("lost never", "lost late", "lost after the run", "killed late"):
            request.lost = True
            if kind == "lost after the run":
                world.after_the_run.append(lambda: world.accept(request, seconds))
            elif kind != "lost never":
                world.at(world.now + delay, lambda: world.accept(request, seconds))
            if kind == "killed late":
                raise Killed()
            self.connected = False
            return Job(world, lambda: None)
        world.advance(self._latency())
        symbol = world.accept(request, seconds)
        if kind == "lost in it":
            request.lost, self.connected = True, False
            return Job(world, lambda: None)
        if kind == "killed in it":
            request.lost = True
            raise Killed()
        if symbol:
            return Job(world, world.now + self._latency(), symbol=symbol)
        if kind == "killed after":
            world.advance(seconds)
            raise Killed()
        return Job(world, lambda: request.ended, symbol=lambda: setattr(request, "answered", True))


class Api:
    """Enough of the package prlsdkapi for the worker's calls."""

    PrlSDKError = PrlSDKError

    def __init__(self, world):
        self.Server = type("Server", (Server,), {"world": world})
