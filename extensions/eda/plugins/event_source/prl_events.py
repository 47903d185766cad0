# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of Virtuozzo and Parallels hosts for ansible-rulebook, as the vendor's SDK tells them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import pathlib
import random
import shlex
import sys
import time
import types
import uuid
from typing import Any

DOCUMENTATION = r"""
---
module: prl_events
short_description: Receive events of Virtuozzo and Parallels hosts through the vendor's SDK
description:
  - Sends each event of the SDK as soon as it occurs. For example, a finished backup can start retention.
  - The SDK runs in a separate process, under the Python that it was built for, on the rulebook's host or behind a command such as C(ssh).
  - After a lost connection it connects again, and sends an event of the kind V(gap) with the period in which events may have been missed.
  - The guide C(docs/rulebooks.md) of the collection describes the events.
options:
  hosts:
    description:
      - The hosts to connect to. Each has a C(name), and may have a C(command) and any of the connection options below.
      - When not set, it is this host, with the connection options given directly. Its name is V(localhost).
    type: list
    elements: dict
  command:
    description:
      - A command prefix for starting the SDK's Python, such as V([ssh, node-a]) or V([sudo]). The host that the command connects to needs only the SDK.
        If the command contains C(ssh), the rest is quoted for the remote shell.
    type: list
    elements: str
  host:
    description: Name or address of the server to log in to. When not set, the local dispatcher is used, over its unix socket.
    type: str
  port:
    description: TCP port of the dispatcher.
    type: int
  username:
    description: User to log in as. Required with O(host).
    type: str
  password:
    description: Password of that user. Required with O(host). It reaches the SDK's process only on standard input.
    type: str
  security_level:
    description: How much of the connection is encrypted, V(low), V(normal) or V(high).
    type: str
    default: high
  login_timeout:
    description: Seconds to wait for the login.
    type: int
    default: 60
  sdk_python:
    description: The Python that can load the SDK. When not set, the usual ones are tried.
    type: str
  sdk_path:
    description: The folder that contains the SDK's package C(prlsdkapi).
    type: str
  sdk_mode:
    description: The product that the SDK is initialised for, V(server), V(desktop) or V(workstation).
    type: str
    default: server
  events:
    description:
      - Which events to send. Each entry is a type, such as V(create_backup_finished) or V(vm_*), or a dictionary with C(type), C(vm), C(issuer_id),
        C(issuer_type), C(code) and C(params), in the format of O(prlsdk.core.prl_event_wait#module:events). An event is sent if any entry matches.
      - When not set, every event is sent.
    type: list
  heartbeat:
    description: Interval in seconds for events of the kind V(heartbeat) while the host is connected. V(0) sends none.
    type: int
    default: 0
  snapshot:
    description: Send an event of the kind V(snapshot) with the VMs and their states after each connection.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Follow backups on two nodes, without an SDK on this host
  hosts: all
  sources:
    - prlsdk.core.prl_events:
        hosts:
          - {name: node-a, command: [ssh, root@node-a]}
          - {name: node-b, command: [ssh, root@node-b]}
        events:
          - create_backup_finished
          - {type: vm_state_changed, params: {vminfo_vm_state: stopped}}
  rules:
    - name: A backup is finished
      condition: event.kind == "event" and event.type == "create_backup_finished"
      action:
        debug:
          msg: "{{ event.host }} has made a backup of {{ event.vm.uuid }}."
"""

#: The collection that this file is a part of.
ROOT = pathlib.Path(__file__).resolve().parents[4]


def _load_collection() -> None:
    """Let the collection's pure files be imported by their names. Nothing of Ansible is needed for it, or loaded."""
    if any(
        type(finder).__module__.startswith("ansible.") for finder in sys.meta_path
    ):  # Ansible itself does, where it runs in this process
        return
    for name, path in (
        ("ansible_collections", None),
        ("ansible_collections.prlsdk", None),
        ("ansible_collections.prlsdk.core", ROOT),
    ):
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [str(path)] if path else []
            sys.modules[name] = package


_load_collection()

# pylint: disable=wrong-import-position
from ansible_collections.prlsdk.core.plugins.module_utils import _worker  # noqa: E402
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import (
    braced,
    uuid_key,  # noqa: E402
)
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, PrlError  # noqa: E402
from ansible_collections.prlsdk.core.plugins.module_utils._events import catalogue  # noqa: E402
from ansible_collections.prlsdk.core.plugins.module_utils._events.describe import describe_event  # noqa: E402
from ansible_collections.prlsdk.core.plugins.module_utils._events.match import Specification  # noqa: E402
from ansible_collections.prlsdk.core.plugins.module_utils._sdk import interpreters  # noqa: E402
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError  # noqa: E402
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean, nearest  # noqa: E402

LOG = logging.getLogger(__name__)

#: The worker ends so many seconds after it was last told to go on.
DEADLINE = 180.0
#: Every so many seconds it is told to go on, and asked whether the connection stands.
CHECK = 30.0
#: The pause before a new connection is a random part of this, which doubles with each that fails, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
#: A connection that stood so long was a good one.
HEALTHY = 60.0
#: Logging off may take so many seconds.
CLEANUP = 7.0
#: One line of the worker may have so many bytes.
LONGEST_LINE = 256 * 1024 * 1024

#: What no new attempt can mend.
PERMANENT = (
    "PRL_ERR_AUTHENTICATION_FAILED",
    "PRL_ERR_LOCAL_AUTHENTICATION_FAILED",
    "PRL_ERR_USER_OPERATION_NOT_AUTHORISED",
    "PRL_ERR_WRONG_CONNECTION_SECURITY_LEVEL",
    "PRL_ERR_WRONG_PROTOCOL_VERSION",
    "SDK_UNAVAILABLE",
)
#: What ssh says where a new attempt would end in the same way.
REFUSED = ("Permission denied", "Host key verification failed", "Could not resolve hostname")
CONNECTION = {
    "host": None,
    "port": None,
    "username": None,
    "password": None,
    "security_level": "high",
    "login_timeout": 60,
    "sdk_python": None,
    "sdk_path": None,
    "sdk_mode": "server",
    "command": None,
}
OWN = ("hosts", "events", "heartbeat", "snapshot")

# Runs the worker from sources that come on standard input, so that no file is needed on the other side. For Python 2.7, too.
BOOT = """
import json, os, sys, types
def read(count):
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            sys.exit(1)
        data += piece
    return data
package = types.ModuleType("_worker")
package.__path__ = []
sys.modules["_worker"] = package
for name, source in json.loads(read(int(read(10))).decode("utf-8")):
    module = types.ModuleType(str("_worker." + name))
    module.__package__ = "_worker"
    sys.modules[module.__name__] = module
    setattr(package, str(name), module)
    exec(compile(source.encode("utf-8"), str(name + ".py"), "exec", 0, 1), module.__dict__)
sys.modules["_worker.main"].main()
"""
#: The worker's files, each after those that it imports.
WORKER = ("protocol", "listener", "session", "calls", "main")


def worker_sources() -> bytes:
    """The worker, as BOOT reads it."""
    folder = pathlib.Path(_worker.__file__).parent
    data = json.dumps([(name, (folder / (name + ".py")).read_text(encoding="utf-8")) for name in WORKER]).encode(
        "ascii"
    )
    return b"%010d" % len(data) + data


async def main(queue: Any, args: dict[str, Any]) -> None:
    """Send events to the queue until the source is cancelled. Raises ValueError or ConnectionError for what no new attempt can mend."""
    sources = [Host(queue, *settings) for settings in read_arguments(args)]
    tasks = [asyncio.ensure_future(source.run()) for source in sources]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- arguments --------------------------------------------------------------------------------------------------------------


def read_arguments(args: dict[str, Any]) -> list[tuple[dict[str, Any], list[dict[str, Any]], float, bool]]:
    """(connection, specifications, heartbeat, snapshot) of each host. Raises ValueError, which names the argument."""
    args = {
        key: value for key, value in args.items() if not key.startswith("_")
    }  # some releases of ansible-rulebook add their own
    _known(args, [*OWN, *CONNECTION], "prl_events")
    written = args.get("events")
    written = [written] if isinstance(written, str) else written
    if written is not None and (not isinstance(written, list) or not written):
        raise ValueError(
            "events must be a list of one or more events, not %r. Leave it out for every event." % (written,)
        )
    try:
        specifications = [
            catalogue.specification({"type": one} if isinstance(one, str) else one, "events[%d]" % place)[0]
            for place, one in enumerate(written or [])
        ]
    except InputError as error:
        raise ValueError(error.message) from None
    heartbeat = args.get("heartbeat") or 0
    if isinstance(heartbeat, bool) or not isinstance(heartbeat, (int, float)) or heartbeat < 0:
        raise ValueError("heartbeat must be a number of seconds, 0 or more, not %r." % (heartbeat,))
    direct = {key: args[key] for key in CONNECTION if args.get(key) is not None}
    hosts = args.get("hosts")
    if hosts is None:
        hosts = [dict(direct, name="localhost")]
    elif not isinstance(hosts, list) or not hosts:
        raise ValueError("hosts must be a list of one or more hosts, not %r." % (hosts,))
    elif direct:
        raise ValueError(
            "%s: give the connection options with each of 'hosts', or leave 'hosts' out." % ", ".join(sorted(direct))
        )
    connections = [
        _connection(host, "" if args.get("hosts") is None else "hosts[%d]: " % place)
        for place, host in enumerate(hosts)
    ]
    names = [connection["name"] for connection in connections]
    if len(set(names)) < len(names):
        raise ValueError("hosts: two have the same name. Give each its own.")
    return [(connection, specifications, float(heartbeat), bool(args.get("snapshot"))) for connection in connections]


def _connection(host: Any, where: str) -> dict[str, Any]:
    if not isinstance(host, dict) or not isinstance(host.get("name"), str) or not host["name"]:
        raise ValueError(
            "%s must be a dictionary with a name, such as {name: node-a, command: [ssh, node-a]}, not %r."
            % (where.rstrip(": "), host)
        )
    _known(host, ["name", *CONNECTION], where.rstrip(": "))
    connection = dict(CONNECTION, **{key: value for key, value in host.items() if value is not None})
    if connection["host"] and not (connection["username"] and connection["password"]):
        raise ValueError("%shost needs username and password." % where)
    if not connection["host"] and (connection["username"] or connection["password"]):
        raise ValueError("%susername and password need host." % where)
    for key, known in (
        ("security_level", ("low", "normal", "high")),
        ("sdk_mode", ("server", "desktop", "workstation")),
    ):
        if connection[key] not in known:
            near = did_you_mean(connection[key], known, 1)
            raise ValueError(
                "%s%s: there is no %r; there are %s.%s" % (where, key, connection[key], ", ".join(known), near)
            )
    command = connection["command"]
    if command is not None and (
        not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command)
    ):
        raise ValueError("%scommand must be a list of words such as [ssh, node-a], not %r." % (where, command))
    return connection


def _known(given: dict[str, Any], known: list[str], where: str) -> None:
    for key in given:
        if key not in known:
            near = nearest(key, known, 1)
            raise ValueError("%s has no argument %r%s" % (where, key, "; did you mean %s?" % near[0] if near else "."))


# --- a host -----------------------------------------------------------------------------------------------------------------


class Lost(Exception):
    """The connection, or the process, is gone."""


class Host:
    """The events of one host, whatever becomes of its connections."""

    def __init__(
        self,
        queue: Any,
        connection: dict[str, Any],
        specifications: list[dict[str, Any]],
        heartbeat: float = 0.0,
        snapshot: bool = False,
    ) -> None:
        self.queue, self.connection, self.specifications, self.heartbeat, self.snapshot = (
            queue,
            connection,
            specifications,
            heartbeat,
            snapshot,
        )
        self.name = connection["name"]
        self.last_good: float | None = None  # when the connection was last known to stand, in seconds since 1970
        self.python: list[str] | None = None  # the command that could load the SDK
        self.names: dict[str, str] = {}  # of VMs, by the key of their UUID, where they were listed

    async def run(self) -> None:
        """Connect, send, and connect again. Raises ValueError or ConnectionError."""
        pause = FIRST_PAUSE
        while True:
            begin = time.monotonic()
            try:
                await self._once()
            except Lost as lost:
                LOG.warning("%s: %s; connecting again", self.name, str(lost) or "the connection was lost")
            if time.monotonic() - begin >= HEALTHY:
                pause = FIRST_PAUSE
            await asyncio.sleep(random.uniform(0, pause))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _once(self) -> None:
        """From a new process to its end."""
        worker = await self._start()
        try:
            connected = await self._call(worker, "connect")
            self.session, self.number, self.server = uuid.uuid4().hex, 0, connected["server"]
            specifications = await self._ready(worker)
            # At the SDK from here on. What happened before it, nobody heard.
            await self._call(worker, "subscribe", types=_types(specifications))
            await self._tell_gap("connection", None)
            if self.snapshot:
                await self._tell_snapshot(worker)
            worker.last_beat = time.monotonic()
            matches = [Specification(one) for one in specifications]
            while True:
                await self._handle(await worker.next_line(self._wait_at_most(worker)), worker, matches)
        finally:
            await worker.end()

    def _wait_at_most(self, worker: Worker) -> float:
        ends = [worker.last_check + CHECK] + ([worker.last_beat + self.heartbeat] if self.heartbeat else [])
        return max(0.0, min(ends) - time.monotonic())

    async def _handle(self, line: dict[str, Any] | None, worker: Worker, matches: list[Specification]) -> None:
        now = time.monotonic()
        if line is None:
            if now - worker.last_check >= CHECK:
                worker.say(kind="renew", deadline=DEADLINE)
                worker.last_check = now
                if not await self._call(worker, "is_connected"):
                    raise Lost()
                self.last_good = time.time()
            if self.heartbeat and now - worker.last_beat >= self.heartbeat:
                worker.last_beat = now
                await self._tell("heartbeat")
        elif line["kind"] == "event":
            self.last_good = time.time()
            event = self._complete(line["event"])
            if not matches or any(one.fits(event) for one in matches):
                await self._tell("event", **describe_event(event))
        elif line["kind"] == "dropped":
            await self._tell_gap("overflow", line["count"])
        elif line["kind"] == "lost":
            raise Lost()

    def _complete(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event with what takes more than the event to know."""
        key = uuid_key(event["issuer_id"])
        if event["vm"] is None and key and key.strip("0-") and key != uuid_key(self.server["uuid"]):
            event["vm"] = {"uuid": event["issuer_id"], "name": self.names.get(key)}
        return dict(event, server=self.server["uuid"], answered=None)

    # -- what is sent

    async def _tell(self, kind: str, **more: Any) -> None:
        self.number += 1
        await self.queue.put(
            {
                "kind": kind,
                "host": self.name,
                "server": self.server["uuid"],
                **more,
                "meta": {
                    "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, "%s-%d" % (self.session, self.number))),
                    "hosts": [self.name],
                    "source": {"name": "prl_events", "type": "prlsdk.core.prl_events"},
                    "received_at": _instant(time.time()),
                },
            }
        )

    async def _tell_gap(self, reason: str, count: int | None) -> None:
        now = time.time()
        since, self.last_good = self.last_good, now
        if since is not None:
            await self._tell(
                "gap",
                reason=reason,
                since=_instant(since),
                until=_instant(now),
                seconds=round(now - since, 3),
                count=count,
            )

    async def _tell_snapshot(self, worker: Worker) -> None:
        listed = await self._vms(worker)
        await self._tell("snapshot", vms=[{key: vm[key] for key in ("uuid", "name", "type", "state")} for vm in listed])

    # -- names and numbers

    async def _ready(self, worker: Worker) -> list[dict[str, Any]]:
        """The specifications with UUIDs and codes in the place of names."""
        listed = None
        ready = []
        for place, one in enumerate(map(dict, self.specifications)):
            if one["vm"] and not uuid_key(one["vm"]):
                listed = await self._vms(worker) if listed is None else listed
                fits = [vm["uuid"] for vm in listed if one["vm"] in (vm["name"], vm["ct_id"]) and vm["uuid"]]
                if len(fits) != 1:
                    raise ValueError(
                        "events[%d].vm: %s VMs of %s are called %r.%s"
                        % (
                            place,
                            len(fits) or "no",
                            self.name,
                            one["vm"],
                            (not fits and did_you_mean(one["vm"], [vm["name"] for vm in listed if vm["name"]]))
                            or " Give the UUID.",
                        )
                    )
                one["vm"] = fits[0]
            elif one["vm"]:
                one["vm"] = braced(one["vm"])
            if isinstance(one["code"], str):
                told = await self._call(worker, "error_code", symbol=one["code"])
                if told["code"] is None:
                    hint = " Did you mean %s?" % told["near"] if told["near"] else ""
                    raise ValueError("events[%d].code: the SDK knows no code %r.%s" % (place, one["code"], hint))
                one["code"] = told["code"]
            ready.append(one)
        return ready

    async def _vms(self, worker: Worker) -> list[dict[str, Any]]:
        """By objects: reading their texts takes a library that a rulebook's host need not have."""
        listed = [
            entry["vm"]
            for entry in (await self._call(worker, "list_vms", types=["vm", "ct"], of="node", texts=False))["entries"]
        ]
        self.names = {uuid_key(vm["uuid"]) or "": vm["name"] for vm in listed if vm["uuid"]}
        return listed

    # -- the worker

    async def _start(self) -> Worker:
        """A worker that has loaded the SDK. Raises ConnectionError where no Python can, the first time; afterwards it is Lost."""
        candidates = []
        for command in [self.python] if self.python else self._commands():
            try:
                worker = await Worker.start(command, self._opening())
            except OSError as error:
                candidates.append({"python": command[-1], "version": None, "why": error.strerror or str(error)})
                continue
            try:
                line = await worker.next_line(self.connection["login_timeout"])
                while line is not None and line["kind"] not in ("hello", "error"):
                    line = await worker.next_line(self.connection["login_timeout"])
            except Lost:
                line = None
            except BaseException:
                await worker.end()
                raise
            if line is not None and line["kind"] == "hello":
                self.python = command
                return worker
            await worker.end()
            why = interpreters.stderr_tail(bytes(worker.errors)) or "it ended without an answer"
            if line is None and _is_ssh(command) and worker.process.returncode == 255:  # ssh's own
                if any(words in why for words in REFUSED):
                    raise ConnectionError("%s: %s" % (self.name, why))
                raise Lost(why)
            if line is not None:
                why = (
                    interpreters.best_reason(line["error"]["attempts"])
                    if line["error"].get("attempts")
                    else line["error"]["message"]
                )
            candidates.append(
                {"python": command[-1], "version": (line or {}).get("error", {}).get("python_version"), "why": why}
            )
        if self.python:
            raise Lost()
        raise ConnectionError("%s: %s" % (self.name, interpreters.unavailable_message(candidates)))

    def _commands(self) -> list[list[str]]:
        """The interpreters worth a try, each behind the host's command."""
        given, command = self.connection["sdk_python"], self.connection["command"] or []
        pythons = (
            [given] if given else list(interpreters.INTERPRETERS) if command else interpreters.known_interpreters()
        )
        return [[*command, python] for python in pythons]

    def _opening(self) -> dict[str, Any]:
        connection = self.connection
        paths = [connection["sdk_path"]] if connection["sdk_path"] else [None, *interpreters.SDK_PATHS]
        login = {key: connection[key] for key in ("host", "port", "username", "password", "security_level")}
        return {
            "kind": "open",
            "protocol": 2,
            "sdk": {"paths": paths, "mode": connection["sdk_mode"]},
            "login": dict(login, timeout=connection["login_timeout"]),
            "storage": None,
            "deadline": DEADLINE,
            "read_only": True,
            "spool": None,
        }

    async def _call(self, worker: Worker, name: str, **arguments: Any) -> Any:
        """Do a call of the worker. Raises ConnectionError for what is permanent, and Lost."""
        try:
            return await worker.call(name, arguments)
        except CallError as error:
            if error.error["symbol"] in PERMANENT or not (error.retryable or name == "is_connected"):
                raise ConnectionError("%s: %s" % (self.name, error.message)) from None
            raise Lost() from None
        except PrlError as error:
            raise ConnectionError("%s: %s" % (self.name, error.message)) from None


class Worker:
    """The process of the SDK: lines in, lines out."""

    def __init__(self, process: Any) -> None:
        self.process, self.errors, self.numbers = process, bytearray(), 0
        self.waiting: list[dict[str, Any]] = []
        self.reading: asyncio.Future[dict[str, Any]] | None = None
        self.last_check = self.last_beat = time.monotonic()
        self.reader = asyncio.ensure_future(self._keep_errors())

    @classmethod
    async def start(cls, command: list[str], opening: dict[str, Any]) -> Worker:
        """Start it and open it. What is secret goes through its standard input."""
        words = [*command, "-c", BOOT]
        if _is_ssh(command):  # which joins its words for a shell on the other side
            words = [*command[:-1], "exec " + " ".join(map(shlex.quote, words[len(command) - 1 :]))]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *words, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_LINE, start_new_session=True
        )
        worker = cls(process)
        worker.process.stdin.write(worker_sources())
        worker.say(**opening)
        return worker

    def say(self, **line: Any) -> None:
        """One line to it; one that has ended hears nothing, and its own words tell why."""
        with contextlib.suppress(OSError, RuntimeError):
            self.process.stdin.write(json.dumps(line).encode("ascii") + b"\n")

    async def next_line(self, seconds: float) -> dict[str, Any] | None:
        """The next line, or None if none comes in time. Raises Lost at its end."""
        if self.waiting:
            return self.waiting.pop(0)
        # Not wait_for(), which up to Python 3.11 forgets that it was cancelled when a line comes at the same moment.
        self.reading = self.reading or asyncio.ensure_future(self._line())
        await asyncio.wait([self.reading], timeout=seconds)
        if not self.reading.done():
            return None
        read, self.reading = self.reading, None
        return read.result()

    async def _line(self) -> dict[str, Any]:
        while True:
            try:
                data = await self.process.stdout.readline()
            except ValueError:  # longer than any line of ours
                continue
            if not data:
                raise Lost()
            if data.startswith(b'{"'):  # all else is what a library printed
                with contextlib.suppress(ValueError):
                    line = json.loads(data)
                    if isinstance(line, dict) and isinstance(line.get("kind"), str):
                        return line

    async def call(self, name: str, arguments: dict[str, Any]) -> Any:
        """Do one call; events that come meanwhile are kept. Raises CallError and Lost."""
        self.numbers += 1
        number = self.numbers
        self.say(kind="call", id=number, name=name, arguments=arguments, limit=None)
        kept, end = [], time.monotonic() + DEADLINE
        try:
            while True:
                line = await self.next_line(max(0.0, end - time.monotonic()))
                if line is None:
                    raise Lost()
                if line["kind"] == "result" and line["id"] == number:
                    return line["value"]
                if line["kind"] == "error" and line["id"] == number:
                    raise CallError.of(line["error"])
                kept.append(line)
        finally:
            self.waiting = kept + self.waiting

    async def _keep_errors(self) -> None:
        while True:
            piece = await self.process.stderr.read(4096)
            if not piece:
                return
            self.errors += piece
            del self.errors[:-65536]

    async def end(self) -> None:
        """End it: in good order if it can, in any case."""
        process = self.process
        helpers: list[asyncio.Future[Any]] = [self.reader]
        try:
            with contextlib.suppress(OSError, RuntimeError):
                process.stdin.close()
            helpers.append(asyncio.ensure_future(self._drain()))
            helpers.append(asyncio.ensure_future(process.wait()))
            await asyncio.wait(helpers[-1:], timeout=CLEANUP)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await asyncio.wait(helpers[-1:], timeout=1)
            for helper in helpers:
                helper.cancel()

    async def _drain(self) -> None:
        """Take what it still says, or it could not come to its end."""
        if self.reading:  # one of these at a time
            self.reading.cancel()
            await asyncio.gather(self.reading, return_exceptions=True)
        with contextlib.suppress(ValueError):
            while await self.process.stdout.read(65536):
                pass


def _is_ssh(command: list[str]) -> bool:
    return any(pathlib.PurePath(word).name == "ssh" for word in command[:-1])


def _types(specifications: list[dict[str, Any]]) -> list[int] | None:
    """The numbers of the types that can matter; None for all."""
    if not specifications or any(one["types"] is None for one in specifications):
        return None
    return sorted({number for one in specifications for number in one["types"]})


def _instant(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


if __name__ == "__main__":

    class _Printer:
        """Stands for the queue: ``python prl_events.py '{"events": ["vm_*"]}'`` shows what comes."""

        async def put(self, event: dict[str, Any]) -> None:
            print(json.dumps(event), flush=True)

    asyncio.run(main(_Printer(), json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}))
