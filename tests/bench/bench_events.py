"""How quick, how cheap and how safe waiting is: latency, idle CPU time, and a flood of events.

``python -m tests.bench.bench_events`` from the checkout. The server is the stub, so the figures are those of this collection and not
of a network or a dispatcher.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from tests.bench import marks
from tests.harness import BIN, COLLECTIONS, ROOT, STUB_SDK, Stub

sys.path.insert(0, str(STUB_SDK))

from prl_stub import events, store  # noqa: E402

LATENCY_RUNS = 200
IDLE_SECONDS = 30
POLL_DELAY = 2
FLOOD = 100000
VM = "{11111111-1111-4111-8111-111111111111}"

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
"""
WAIT = """
    - prlsdk.core.prl_event_wait:
        events: [{type: create_backup_finished}]
        timeout: %d
        on_timeout: continue
"""
LOOP = """
    - prlsdk.core.prl_vm_info:
      register: known
      until: false
      retries: %d
      delay: %d
      failed_when: false
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        stub = Stub(pathlib.Path(folder))
        stub("vm", "add", "web-01", "--uuid", VM)
        latency(stub)
        flood(stub, "counted only", "vm_config_changed", [])
        flood(stub, "read and compared", "create_backup_finished", ["--param", "backup_cmd_backup_uuid=string:{i}"])
        source(stub)
        idle(stub)


RUNNER = """
import json, resource, sys
from ansible_collections.prlsdk.core.plugins.module_utils._events.wait import Wait
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Client, Launcher
asked = json.load(sys.stdin)
launcher = Launcher(asked["folder"], sys.executable, asked["sdk_path"])
with Client(launcher, {"host": None, "security_level": "high", "timeout": 60}, timeout=300) as client:
    result = Wait(client, asked["request"]).run()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"outcome": result["outcome"], "seen": result["seen"], "memory": memory}), flush=True)
"""


class Waiting:
    """A process that waits for one event, as the module does."""

    def __init__(self, stub, specification):
        folder = stub.state.parent
        (folder / "ready").unlink(missing_ok=True)
        one = dict(
            {
                "option": "events[0]",
                "types": None,
                "vm": None,
                "issuer_id": None,
                "issuer_type": None,
                "code": None,
                "params": {},
            },
            **specification,
        )
        request = {
            "events": [one],
            "fail_on": [],
            "match": "any",
            "count": 1,
            "satisfied_by": None,
            "answer": None,
            "ready_file": str(folder / "ready"),
            "reconnect": False,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=stub.environment(PYTHONPATH=str(COLLECTIONS)),
        )
        self.process.stdin.write(
            json.dumps({"folder": str(folder), "sdk_path": str(STUB_SDK), "request": request}).encode()
        )
        self.process.stdin.close()
        while not (folder / "ready").exists():
            if self.process.poll() is not None:
                raise SystemExit("the wait ended: %s" % self.process.stdout.read())
            time.sleep(0.005)

    def decided(self):
        """(the moment of the decision, the result, the most memory that the process had in MiB)."""
        line = self.process.stdout.readline()
        moment = time.monotonic()
        self.process.wait()
        if not line:
            raise SystemExit("the wait ended without a result")
        result = json.loads(line)
        return moment, result, result["memory"]


#: Events through the source for rulebooks, and seconds that it may take for them.
SOURCE_EVENTS, SOURCE_MARK = 10000, 15
SOURCE = """
import asyncio, json, resource, runpy, sys, time
module = runpy.run_path(sys.argv[1], run_name="source")
class Queue:
    found, spent, begin = [], 0.0, 0.0
    async def put(self, event):
        now = time.perf_counter()
        if event["kind"] == "heartbeat":
            print("ready", flush=True)
            return
        number = event["params"]["backup_cmd_backup_uuid"]["value"] if event["kind"] == "event" else event["kind"]
        if number.endswith("-0"):
            self.begin = now
        self.found.append(number)
        if number.endswith("-%d" % (int(sys.argv[4]) // 4 - 1)):
            self.spent += now - self.begin
        if len(self.found) == int(sys.argv[4]) + 3:
            raise ValueError(json.dumps([self.spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, self.found]))
arguments = {"sdk_python": sys.argv[2], "sdk_path": sys.argv[3], "events": ["create_backup_finished"], "heartbeat": 0.5}
try:
    asyncio.run(module["main"](Queue(), arguments))
except ValueError as told:
    print(told)
"""


def source(stub):
    """10,000 events in four bursts with a lost connection after each: seconds, memory, and what is lost or doubled."""
    path = ROOT / "extensions" / "eda" / "plugins" / "event_source" / "prl_events.py"
    command = [sys.executable, "-c", SOURCE, str(path), sys.executable, str(STUB_SDK), str(SOURCE_EVENTS)]
    with subprocess.Popen(command, env=stub.environment(), text=True, stdout=subprocess.PIPE) as process:
        for turn in range(4):
            process.stdout.readline()
            number = "backup_cmd_backup_uuid=string:%d-{i}" % turn
            stub("emit", "create_backup_finished", "--vm", VM, "--param", number, "--count", SOURCE_EVENTS // 4)
            if turn < 3:
                time.sleep(5)
                stub("disconnect")
                time.sleep(5)
        (told,) = [line for line in process.stdout.read().splitlines() if line.startswith("[")]
    seconds, memory, found = json.loads(told)
    numbers = [one for one in found if one != "gap"]
    print(
        "source: %d events across 3 lost connections, %d lost, %d doubled, %d gaps; %.1f s, %.0f a second %s, %.0f MB"
        % (
            SOURCE_EVENTS,
            SOURCE_EVENTS - len(set(numbers)),
            len(numbers) - len(set(numbers)),
            found.count("gap"),
            seconds,
            SOURCE_EVENTS / seconds,
            marks.at_most(seconds, SOURCE_MARK, "events: 10,000 through the source", " s"),
            memory / 1024,
        )
    )


def latency(stub):
    """From the stub emitting to the decision, each time in a new wait."""
    state, taken = store.Store(str(stub.state)), []
    event = events.make("PET_DSP_EVT_CREATE_BACKUP_FINISHED", VM, [("backup_cmd_backup_uuid", "string", VM)])
    for _run in range(LATENCY_RUNS):
        wait = Waiting(stub, {"types": [100049], "vm": VM})
        time.sleep(0.05)  # asleep, not on its way there
        begin = time.monotonic()
        events.emit(state, "node", [event])
        moment, result, _memory = wait.decided()
        assert result["outcome"] == "matched", result
        taken.append((moment - begin) * 1000)
    taken.sort()
    p99 = taken[int(len(taken) * 0.99) - 1]
    print(
        "event to decision, %d waits: median %.1f ms, worst %.1f ms, p99 %.1f ms %s"
        % (
            len(taken),
            statistics.median(taken),
            taken[-1],
            p99,
            marks.at_most(p99, 20, "events: p99 from event to decision", " ms"),
        )
    )


def flood(stub, what, kind, params):
    """Many events while waiting for the one after them."""
    wait = Waiting(stub, {"types": [100049], "params": {"backup_cmd_backup_uuid": {"equals": "the last"}}})

    def emit():
        stub("emit", kind, "--vm", VM, *params, "--count", FLOOD)
        stub("emit", "create_backup_finished", "--vm", VM, "--param", "backup_cmd_backup_uuid=string:the last")

    begin = time.monotonic()
    thread = threading.Thread(target=emit)
    thread.start()
    moment, result, memory = wait.decided()
    thread.join()
    seen = sum(result["seen"].values())
    assert seen == FLOOD + 1 and result["outcome"] == "matched", result
    print(
        "flood of %d events, %s: %d seen (none lost), %.1f s, at most %.0f MiB"
        % (FLOOD, what, seen, moment - begin, memory)
    )


def cpu_of(command, stub, data=b""):
    """CPU seconds of a command and all that it waited for."""
    leads = {"PRL_SDK_PYTHON": sys.executable, "PRL_SDK_PATH": str(STUB_SDK)}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=stub.environment(PYTHONPATH=str(COLLECTIONS), **leads),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    process.stdin.write(data)
    process.stdin.close()
    usage = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


def module_cpu(stub, seconds):
    arguments = {"events": [{"type": "create_backup_finished"}], "timeout": seconds, "on_timeout": "continue"}
    command = [sys.executable, "-m", "ansible_collections.prlsdk.core.plugins.modules.prl_event_wait"]
    return cpu_of(command, stub, json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())


def play_cpu(stub, tasks):
    play = stub.state.parent / "play.yml"
    play.write_text(PLAY + tasks)
    return cpu_of([str(BIN / "ansible-playbook"), str(play)], stub)


def idle(stub):
    """CPU time of waiting for what does not come, beside asking again and again."""
    start = statistics.median(module_cpu(stub, 1) for _run in range(3))
    waited = module_cpu(stub, IDLE_SECONDS)
    print(
        "CPU of the module and its worker over %d s idle: %.2f s, of which start-up %.2f s: %.2f s beyond %s"
        % (
            IDLE_SECONDS,
            waited,
            start,
            waited - start,
            marks.at_most(waited - start, 0.1, "events: CPU of waiting", " s"),
        )
    )
    short = play_cpu(stub, WAIT % 1)
    print(
        "CPU of a whole play that waits %d s: %.2f s (of which start-up %.2f s)"
        % (IDLE_SECONDS, play_cpu(stub, WAIT % IDLE_SECONDS), short)
    )
    print(
        "CPU of a whole play that asks prl_vm_info every %d s for %d s with until: %.2f s"
        % (POLL_DELAY, IDLE_SECONDS, play_cpu(stub, LOOP % (IDLE_SECONDS // POLL_DELAY, POLL_DELAY)))
    )


if __name__ == "__main__":
    main()
