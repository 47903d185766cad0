# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the worker under the SDK's Python and has it do single calls of the SDK; what it answers is a value, or a typed error."""

import collections
import contextlib
import io
import json
import os
import time
import zipfile
from typing import IO, Any, Callable, Deque, Dict, Iterable, List, NoReturn, Optional, Tuple, Union

from ansible_collections.prlsdk.core.plugins.module_utils import _worker
from ansible_collections.prlsdk.core.plugins.module_utils._errors import (
    PrlError,
    SdkUnavailableError,
    TemporaryFolderError,
    WorkerError,
)

# Ansible sends to the host what a module's sources import. These do nothing when they are imported; they are read, and run elsewhere.
from ansible_collections.prlsdk.core.plugins.module_utils._sdk import interpreters, vm_list
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError, WorkerDied
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.process import MESSAGE, Process
from ansible_collections.prlsdk.core.plugins.module_utils._worker import calls, listener, main, protocol, session

BOTH = ("vm", "ct")

PROTOCOL = 2
# A worker ends itself when its time is over; one that never got so far is killed so many seconds later.
OVERTIME = 5.0
# Logging off and ending the SDK may take so many seconds.
CLEANUP = 7.0
# So many seconds after the deadline a worker is still there to answer.
GRACE = protocol.GRACE
# How often what happens beside a call is looked at, in seconds.
SLICE = 0.5

# Our calls -> the SDK's, for progress and messages.
OPERATIONS = {
    "list_vms": "get_vm_list_ex",
    "backup_tree": "get_backup_tree",
    "remove_backup": "remove_vm_backup",
    "create_backup": "create_vm_backup",
    "restore_backup": "restore_vm_backup",
    "send_answer": "send_answer",
    "running_removals": "login",
    "subscribe": "reg_event_handler",
}

ARCHIVE = "worker.zip"


class Launcher:
    """How the SDK is to be started on this host, and where its worker's file lies.

    ``folder`` is a private directory that somebody else removes. ``process`` starts a program as _sdk.process.Process does.
    """

    def __init__(
        self,
        folder: str,
        python: Optional[str] = None,
        path: Optional[str] = None,
        mode: str = "server",
        process: Callable[[List[str]], Any] = Process,
    ) -> None:
        self.folder = folder
        self.interpreters = [python] if python else interpreters.known_interpreters()
        self.paths = [path] if path else [None] + list(interpreters.SDK_PATHS)
        self.mode = mode
        self.process = process

    def archive(self) -> str:
        """The worker as a file that another interpreter can run; this module itself may live in a zip archive."""
        path = os.path.join(self.folder, ARCHIVE)
        if not os.path.exists(path):
            try:
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                    target.write(worker_archive())
            except OSError as error:
                raise TemporaryFolderError(
                    "The file that the SDK's process needs cannot be written to the temporary folder '%s': %s."
                    % (self.folder, error.strerror or error)
                ) from None
        return path


def worker_archive() -> bytes:
    """The bytes of the worker's archive: its package, and a beginning that runs it, since relative imports need a package."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("__main__.py", "from _worker import main\nmain.main()\n")
        for module in (_worker, main, calls, listener, protocol, session):
            name = os.path.basename(str(module.__file__))
            path = os.path.join(os.path.dirname(str(_worker.__file__)), name)
            loader: Any = _worker.__loader__  # of a folder, or of a zip archive
            archive.writestr("_worker/" + name, loader.get_data(path))
    return target.getvalue()


class Client:
    """One worker, or one after the other. It is started, and logs in, at the first call.

    ``timeout`` (seconds) bounds everything; with ``read_only`` the worker refuses each call that could change something. ``progress(operation,
    subject)`` is told before each of the SDK's calls. ``asked`` is what the task wants, where a message depends on it.
    """

    def __init__(
        self,
        launcher: Launcher,
        login: Dict[str, Any],
        storage: Optional[Dict[str, Any]] = None,
        timeout: float = 300,
        read_only: bool = True,
        progress: Optional[Callable[..., Any]] = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._launcher, self._login, self._storage, self._timeout, self._read_only = (
            launcher,
            login,
            storage,
            timeout,
            read_only,
        )
        self.progress, self._clock = progress or (lambda operation, subject: None), clock
        self._end: Optional[float] = None
        self._process: Any = None
        self._python: Optional[str] = None
        self._doing: Optional[Tuple[str, Optional[str]]] = None
        self._died: Optional[WorkerDied] = None
        self._numbers = 0
        self._flying: Dict[int, str] = collections.OrderedDict()
        self._answers: Dict[int, Tuple[str, Any]] = {}
        self._events: Deque[Dict[str, Any]] = collections.deque()
        self.asked: Optional[str] = None
        self.local = not storage  # whether the node's own backups are meant for certain
        self.sdk: Any = None
        self.server: Any = None
        self.same_server: Optional[bool] = None
        self.running_at_login = 0

    # -- time

    def start_clock(self) -> float:
        """Begin to count, if that is not done yet; returns when the time is over."""
        if self._end is None:
            self._end = self._clock() + self._timeout
        return self._end

    def left(self) -> float:
        """Seconds that there are."""
        return self.start_clock() - self._clock()

    # -- calls

    def call(
        self,
        operation: str,
        limit: Optional[float] = None,
        meanwhile: Optional[Callable[[], Any]] = None,
        subject: Optional[str] = None,
        **arguments: Any,
    ) -> Any:
        """Do one call. Returns its value; raises CallError, or WorkerDied. ``meanwhile()`` is called when something is heard while it lasts."""
        return self.result(self.start(operation, limit, subject, **arguments), meanwhile)

    def start(
        self, operation: str, limit: Optional[float] = None, subject: Optional[str] = None, **arguments: Any
    ) -> int:
        """Begin one call; returns its number, for result()."""
        self.ensure_open()
        return self._start(operation, limit, subject, arguments)

    def announce(self, operation: str, subject: Optional[str] = None) -> None:
        """What begins now: for progress, and for the message should the worker die meanwhile."""
        self._doing = (operation, subject)
        self.progress(operation, subject)

    def _start(self, name: str, limit: Optional[float], subject: Optional[str], arguments: Dict[str, Any]) -> int:
        self._numbers += 1
        if name in OPERATIONS:
            self.announce(OPERATIONS[name], subject)
        self._flying[self._numbers] = name
        self._say(kind="call", id=self._numbers, name=name, arguments=arguments, limit=limit)
        return self._numbers

    def result(self, number: int, meanwhile: Optional[Callable[[], Any]] = None) -> Any:
        while number not in self._answers:
            self._hear(SLICE)
            if meanwhile is not None and number not in self._answers:
                meanwhile()
        kind, line = self._answers.pop(number)
        if kind == "died":
            raise line
        if kind == "result":
            return line["value"]
        raise self._error(line["error"])

    def _error(self, error: Dict[str, Any]) -> PrlError:
        symbol = error["symbol"]
        if symbol in ("WORKER_FAILED", "READ_ONLY"):
            return WorkerError(
                "The SDK worker failed: %s. This is a defect of the collection; please report it." % error["message"]
            )
        if symbol == "TEMPORARY_FOLDER_FAILED":
            return TemporaryFolderError(error["message"])
        return CallError.of(error, self.asked)

    def event(self, seconds: float) -> Optional[Dict[str, Any]]:
        """The next line ``event``, ``job`` or ``lost`` that the worker sends, as a dictionary; None if none comes in time."""
        end = self._clock() + seconds
        while not self._events:
            left = end - self._clock()
            if not self._hear(max(0.0, left)) and left <= 0:
                return None
        return self._events.popleft()

    def event_within(self, seconds: float) -> Tuple[Optional[Dict[str, Any]], float]:
        """(the next one or None, how many of the seconds are left)."""
        begin = self._clock()
        return self.event(seconds), max(0.0, seconds - (self._clock() - begin))

    def put_back(self, lines: List[Dict[str, Any]]) -> None:
        """Let these be the next ones."""
        self._events.extendleft(reversed(lines))

    def pending_event(self) -> Optional[Dict[str, Any]]:
        """The next one that is here already, or None."""
        return self.event(0.0)

    def received(self) -> Optional[Dict[str, Any]]:
        """The next one that was taken in before, or None; also when the worker is dead."""
        return self._events.popleft() if self._events else None

    # -- the worker

    def ensure_open(self) -> None:
        """Log in, if that is not done yet. After a worker has died only reopen() starts another one."""
        if self._died is not None:
            raise self._died
        if self._process is None:
            self.open()

    def open(self) -> None:
        """Start a worker under the first interpreter that can load the SDK, and log in."""
        self.start_clock()
        candidates = []
        for python in self._launcher.interpreters:
            try:
                self._process = self._launcher.process([python, self._launcher.archive()])
            except OSError as error:
                candidates.append(
                    {"python": python, "version": None, "why": os.strerror(error.errno) if error.errno else str(error)}
                )
                continue
            self._python, self._doing = python, None
            self._say(
                kind="open",
                protocol=PROTOCOL,
                sdk={"paths": self._launcher.paths, "mode": self._launcher.mode},
                login=self._login,
                storage=self._storage,
                deadline=max(0.1, self.left()),
                read_only=self._read_only,
                spool=self._launcher.folder,
            )
            candidate = self._greet(python)
            if candidate is None:
                try:
                    self._log_in()
                except CallError:
                    self.close()
                    raise
                return
            candidates.append(candidate)
        raise SdkUnavailableError(interpreters.unavailable_message(candidates), candidates=candidates)

    def _greet(self, python: str) -> Optional[Dict[str, Any]]:
        """None when the SDK is loaded; what is to be told of the interpreter when it cannot load it."""
        self._flying[0] = "load"
        try:
            while self._flying:
                self._hear(SLICE)
        except WorkerDied as died:
            if died.ran_out:
                raise
            return {"python": python, "version": None, "why": died.reason}
        if 0 not in self._answers:
            return None
        error = self._answers.pop(0)[1]["error"]
        self._end_process()
        if error["symbol"] != "SDK_UNAVAILABLE":
            raise self._error(error)
        return {
            "python": python,
            "version": error["python_version"],
            "why": interpreters.best_reason(error["attempts"]),
            "tried": error["attempts"],
        }

    def _log_in(self) -> None:
        host = self._login.get("host")
        doing = (
            ("login", "%s:%d" % (host, self._login.get("port") or session.DEFAULT_PORT))
            if host
            else ("login_local", "this host")
        )
        self.announce(*doing)
        told = self.result(self._start("connect", None, None, {}))
        if self.server is None:
            self.running_at_login = told["running_removals"]
        self.server, self.same_server = told["server"], told["same_server"]

    def reopen(self) -> None:
        """Log in again wherever the connection is lost, with another worker where the first one died."""
        self._died = None
        if self._process is None:
            self.open()
        else:
            self._log_in()

    @property
    def alive(self) -> bool:
        return self._process is not None

    def close(self, kill: bool = False) -> None:
        """End the worker; in good order, unless ``kill``."""
        if self._process is not None:
            if kill:
                self._process.strike()
            self._end_process()

    def _end_process(self) -> Tuple[Optional[int], bytes]:
        process, self._process = self._process, None
        self._flying.clear()
        return process.end(max(0.5, min(CLEANUP, self.left() + OVERTIME)))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close(kill=kind is not None and not issubclass(kind, Exception))

    def _say(self, **line: Any) -> None:
        self._process.send(json.dumps(line).encode("ascii") + b"\n")

    def _hear(self, seconds: float) -> bool:
        """Take in one line; False if none came in time."""
        if self._process is None:
            raise self._died or WorkerDied("The SDK's process has been ended.")
        left = self.left() + OVERTIME
        if left <= 0:
            self._process.strike()
            self._bury()
        data = self._process.line(min(seconds, left))
        if data is None:
            return False
        if not data:
            self._bury()
        if data.startswith(MESSAGE):  # all else is what a library printed
            # What is not our worker's is some other program's, or was cut off by its death.
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                self._take(json.loads(data.decode("utf-8")))
        return True

    def _take(self, line: Dict[str, Any]) -> None:
        kind = line["kind"]
        if kind == "hello":
            self.sdk = line["sdk"]
            self._flying.pop(0, None)
        elif kind in ("result", "error"):
            number = line["id"] or 0
            if self._flying.pop(number, None):
                self._answers[number] = (kind, line)
        elif kind in ("event", "job", "lost"):
            self._events.append(line)

    def _bury(self) -> NoReturn:
        """The worker is dead."""
        flying = dict(self._flying)
        status, errors = self._end_process()
        died = WorkerDied(
            interpreters.crash_message(self._python, self._doing, status, errors, self._timeout), flying.values()
        )
        died.ran_out = interpreters.ran_out(status)
        died.reason = None if status is None or died.ran_out else interpreters.exit_reason(status, errors)
        self._answers.update((number, ("died", died)) for number in flying if number)
        if 0 not in flying:  # while the SDK is being loaded it is the interpreter's turn to be changed
            self._died = died
        raise died

    # -- the calls by name

    def vms(self, types: Iterable[str] = BOTH, of: str = "node") -> List[vm_list.ListedVm]:
        """The VMs that the node knows, or (``of="store"``) the server with the backups: [{uuid, name, type, ct_id, state, ...}]."""
        return self.listed_vms(self.start_vms(types, of))

    def start_vms(self, types: Iterable[str] = BOTH, of: str = "node") -> Tuple[str, int]:
        """Ask for the list; returns what listed_vms() takes."""
        return of, self.start("list_vms", types=list(types), of=of, texts=vm_list.can_read())

    def listed_vms(self, asked: Tuple[str, int]) -> List[vm_list.ListedVm]:
        """The list that was asked for."""
        of, number = asked
        told = self.result(number)
        vms: List[Any] = [
            vm_list.ListedVm(one["vm"]) if "vm" in one else vm_list.read(one["text"].encode("latin-1"), told["states"])
            for one in told["entries"]
        ]
        unread = [place for place, vm in enumerate(vms) if vm is None]
        if unread:
            for place, vm in zip(unread, self.call("describe_vms", of=of, places=unread)):
                vms[place] = vm_list.ListedVm(vm)
        for place, vm in enumerate(vms):
            vm.of, vm.place = of, place
        return vms

    def complete(self, vms: Iterable[vm_list.ListedVm], *keys: str) -> None:
        """Ask the objects for what the texts of these VMs do not say of these keys. They are of the list that was asked for last."""
        lacking = [vm for vm in vms if vm.unsaid.intersection(keys)]
        for of in sorted({vm.of for vm in lacking}):
            own = [vm for vm in lacking if vm.of == of]
            for vm, told in zip(own, self.call("describe_vms", of=of, places=[vm.place for vm in own])):
                if told["uuid"] == vm["uuid"]:
                    vm.update((key, told[key]) for key in vm.unsaid)
                    vm["problems"] += told["problems"]
                    vm.unsaid = frozenset()

    def tree(self, of: str, types: Iterable[str] = BOTH, chain: bool = False) -> "Text":
        """The backup tree of one VM, with "" of all, or with ``chain`` of the chain with this id, as a Text."""
        return self.told_tree(self.start_tree(of, types, chain))

    def start_tree(self, of: str, types: Iterable[str] = BOTH, chain: bool = False) -> int:
        """Ask for a tree; returns what told_tree() takes."""
        return self.start("backup_tree", subject=of or "all VMs", of=of, types=list(types), chain=chain)

    def told_tree(self, number: int) -> "Text":
        """The tree that was asked for."""
        return Text(self.result(number))

    def remove_backup(self, vm: str, identity: str, keep_chain: bool, limit: Optional[float]) -> None:
        self.call("remove_backup", limit, subject=identity, vm=vm, id=identity, keep_chain=keep_chain)

    def running_removals(self) -> int:
        """How many removals of backups the servers are at now, whoever asked for them."""
        return self.call("running_removals")


class Text:
    """A backup tree as the server wrote it: bytes that may lie in a file, which is gone when they were read."""

    def __init__(self, told: Dict[str, Any]) -> None:
        self.path: Optional[str] = told.get("file")
        self._text: bytes = b"" if self.path else told["text"].encode("latin-1")

    def read(self) -> bytes:
        """All of it, as bytes. Raises TemporaryFolderError."""
        if self.path:
            try:
                with open(self.path, "rb") as source:
                    return source.read()
            except OSError as error:
                raise TemporaryFolderError(
                    "A backup tree cannot be read back from the temporary folder: %s." % error
                ) from None
        return self._text

    def source(self) -> Union[str, IO[bytes]]:
        """What a parser reads it from: a path, or a stream."""
        return self.path or io.BytesIO(self._text)

    def holds_backups(self) -> bool:
        return bool(self.path) or b"<VmItem" in self._text  # inside values the sign is escaped

    def drop(self) -> None:
        """It is not needed any more."""
        if self.path:
            with contextlib.suppress(OSError):  # it would go with its folder
                os.remove(self.path)
