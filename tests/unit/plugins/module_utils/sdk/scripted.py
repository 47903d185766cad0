"""A Client whose worker is a script: what it says, and when, is up to the test. Time is a number that waiting moves on."""

import collections
import json
import signal

from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Client

SERVER = {
    "uuid": "{bbbbbbbb-0000-4000-8000-000000000001}",
    "host": "node-a.example",
    "product_version": "9.0",
    "os_version": "Linux",
}
SDK = {"version": "9.0", "path": "/opt/sdk", "python": "/usr/bin/python3.9"}


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def line(kind, **fields):
    return json.dumps(dict(fields, kind=kind), sort_keys=True).encode("ascii")


def failure(symbol, operation=None, message="It failed.", **more):
    """What a script returns for a call that fails."""
    return Failed(
        dict(
            {
                "symbol": symbol,
                "code": None,
                "operation": operation,
                "message": message,
                "details": {},
                "subject": None,
            },
            **more,
        )
    )


class Failed:
    def __init__(self, error):
        self.error = error


class Silent:
    """What a script returns for a call that is not answered."""


class Dead:
    """What a script returns for a call during which the worker dies."""


class ScriptedProcess:
    """In the place of _process.Process.

    ``script`` maps the name of a call to what answers it: a value, or a function of its arguments. ``greeting`` are the lines that answer the
    line ``open``. ``more(process)`` is asked when nothing is left to say; it may put() lines, and says whether it did anything.
    """

    def __init__(self, clock, script=None, greeting=None, more=None, status=-signal.SIGSEGV, errors=b""):
        self.clock, self.more = clock, more
        self.script = dict(
            {"connect": {"server": SERVER, "same_server": True, "running_removals": 0}}, **(script or {})
        )
        self.greeting = (
            [line("hello", protocol=2, sdk=SDK, python="3.9.18", host="node-a")] if greeting is None else greeting
        )
        self.out, self.later = collections.deque(), []
        self.said, self.calls = [], []
        self.dead = self.struck = self.ended = False
        self._status, self._errors = status, errors

    # -- for scripts

    def put(self, *lines):
        self.out.extend(lines)

    def put_at(self, seconds, *lines):
        """Say these when it is so late."""
        self.later.append((seconds, lines))
        self.later.sort(key=lambda entry: entry[0])

    def answer(self, call, answer):
        if answer is Dead:
            self.dead = True
        elif isinstance(answer, Failed):
            self.put(line("error", id=call["id"], error=answer.error))
        elif answer is not Silent:
            if call["name"] == "list_vms" and isinstance(answer, list):  # VMs, as objects describe them
                answer = {"entries": [{"vm": vm} for vm in answer], "states": {}}
            self.put(line("result", id=call["id"], value=answer))

    # -- as Process

    def send(self, data):
        told = json.loads(data.decode("ascii"))
        self.said.append(told)
        if told["kind"] == "open":
            self.put(*self.greeting)
        elif told["kind"] == "call":
            self.calls.append(told["name"])
            answer = self.script[told["name"]]
            self.answer(
                told, answer(told["arguments"]) if callable(answer) and not isinstance(answer, type) else answer
            )

    def line(self, seconds):
        assert not self.ended, "nobody listens to a process that was ended"
        while not self.out:
            if self.dead:
                return b""
            if self.more is not None and self.more(self):
                continue
            if not self.later or self.later[0][0] > self.clock.now + seconds:
                self.clock.now += seconds
                return None
            when, lines = self.later.pop(0)
            self.clock.now = max(self.clock.now, when)
            self.put(*lines)
        return self.out.popleft()

    def end(self, seconds):
        self.ended = True
        return None if self.struck else self._status if self.dead else 0, self._errors

    def strike(self):
        self.struck = True


class ScriptedLauncher:
    """Starts one process after the other, each of them once; an exception in the place of one is raised."""

    paths, mode, folder = [None], "server", "/nowhere"

    def __init__(self, *processes, interpreters=("python-a",)):
        self._coming, self.interpreters = list(processes), list(interpreters)
        self.started = []

    def archive(self):
        return "worker.zip"

    def process(self, arguments):
        self.started.append(arguments)
        made = self._coming.pop(0)
        if isinstance(made, BaseException):
            raise made
        return made


def client_of(*processes, clock=None, interpreters=("python-a",), login=None, **more):
    """(a Client, its launcher) of these processes."""
    launcher = ScriptedLauncher(*processes, interpreters=interpreters)
    clock = clock or next(process.clock for process in processes if isinstance(process, ScriptedProcess))
    return Client(launcher, login or {"host": None}, clock=clock, **more), launcher
