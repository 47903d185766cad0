"""What a removal costs beyond the SDK's own calls, and one task against a loop of tasks.

``python -m tests.bench.bench_removal``: 250, 500 and 1,000 removals in one task, of 50 VMs, and fewer of a single one and of a single chain;
each next to a program that makes the very same SDK calls and nothing else; then a loop of 20 tasks next to one task with 20 backups.
"""

import json
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from tests.bench import tree_generator
from tests.harness import STUB_SDK, Stub, playbook, run_module

# What the SDK is asked for, made again call by call without looking at any answer.
RAW = """
import json, sys, time
import prlsdkapi
prlsdkapi.init_server_sdk()
server = prlsdkapi.Server()
session = server.login_local().wait(5000).get_param().get_session_uuid()
started = time.time()
for call in json.load(open(sys.argv[1])):
    if call["call"] == "get_backup_tree":
        server.get_backup_tree(call["args"]["sUuid"], "127.0.0.1", 64000, session, 131072 | 262144).wait(60000).get_param_as_string()
    elif call["call"] == "remove_vm_backup":
        flags = [value for name, value in call["args"].items() if "lags" in name and name != "reserved_flags"][0]
        server.remove_vm_backup(call["args"]["sVmUuid"], call["args"]["sBackupUuid"], "127.0.0.1", 64000, session, flags, 0, True).wait(60000)
print(time.time() - started)
server.logoff().wait(5000)
prlsdkapi.deinit_sdk()
"""


def server(folder, vms, weeks, increments):
    """A stub with that many VMs, of which each has ``weeks`` chains of a full and ``increments``."""
    folder.mkdir(parents=True)
    stub = Stub(folder)
    if weeks == 1:  # the demonstration makes no backup of the future, so that its last chain is short
        tree_generator.write(folder / "tree.xml", vms * (1 + increments), vms, chain_length=1 + increments)
        stub("load", folder / "tree.xml")
    else:
        stub("demo", "--vms", vms, "--weeks", weeks, "--increments", increments, "--now", "2026-11-22T06:00:00Z")
    stub("log", "--clear")
    return stub


def trees(stub):
    """[(VM's uuid, [[id, ...], ...])]"""
    items = re.findall("<VmItem .*?</VmItem>", stub("tree"), re.S)
    return [
        (
            re.search("<Uuid>(.*?)</Uuid>", item).group(1),
            [re.findall("<Id>(.*?)</Id>", chain) for chain in re.findall("<BackupItem .*?</BackupItem>", item, re.S)],
        )
        for item in items
    ]


def copy_of(stub, name):
    other = object.__new__(Stub)
    other.python = stub.python
    other.state = stub.state.parent / name
    shutil.copy(stub.state, other.state)
    return other


def removal(folder, vms, weeks, increments, count):
    """(seconds of the task, seconds of the same SDK calls alone) for the removal of ``count`` increments, newest first in every chain."""
    stub = server(folder, vms, weeks, increments)
    wanted = [
        {"id": identity, "vm": uuid} for uuid, chains in trees(stub) for chain in chains for identity in chain[:0:-1]
    ][:count]
    assert len(wanted) == count, "the server has only %d" % len(wanted)
    fresh = copy_of(stub, "fresh.sqlite")
    started = time.perf_counter()
    result = run_module("prl_backup", stub, state="absent", backups=wanted)
    task = time.perf_counter() - started
    assert not result.get("failed") and sum(len(backup["removed"]) for backup in result["backups"]) == count
    calls = folder / "calls.json"
    calls.write_text(
        json.dumps([call for call in stub.calls() if call["call"] in ("get_backup_tree", "remove_vm_backup")])
    )
    done = subprocess.run(
        [sys.executable, "-c", RAW, str(calls)],
        env=fresh.environment(PYTHONPATH=str(STUB_SDK)),
        text=True,
        capture_output=True,
        check=True,
    )
    with sqlite3.connect(stub.state) as one, sqlite3.connect(fresh.state) as other:
        query = "SELECT backup_id FROM items ORDER BY 1"
        assert one.execute(query).fetchall() == other.execute(query).fetchall(), "both ended in the same state"
    return task, float(done.stdout)


def empty_task(folder):
    """Seconds of a task that finds nothing to do: interpreters, login, one tree."""
    stub = server(folder, 1, 1, 1)
    started = time.perf_counter()
    run_module(
        "prl_backup",
        stub,
        state="absent",
        vm=trees(stub)[0][0],
        backups=[{"id": "{11111111-2222-4333-8444-555555555555}"}],
    )
    return time.perf_counter() - started


def loop(folder, count, looped):
    """Seconds of a play that removes ``count`` backups, one task each or all in one."""
    stub = server(folder, 5, 1, 6)
    wanted = [
        {"id": identity, "vm": uuid} for uuid, chains in trees(stub) for chain in chains for identity in chain[:0:-1]
    ][:count]
    task = {"prlsdk.core.prl_backup": {"state": "absent", "backups": ["{{ item }}"] if looped else wanted}}
    if looped:
        task["loop"] = wanted
    play = folder / "play.yml"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    started = time.perf_counter()
    done = playbook(
        stub, str(play), "-i", "localhost,", "-c", "local", "-e", "ansible_python_interpreter=%s" % sys.executable
    )
    assert done.returncode == 0, done.stdout
    return time.perf_counter() - started


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        nothing = empty_task(folder / "empty")
        print("a task that has nothing to remove: %.2f s" % nothing)
        print("%-34s %9s %12s %12s" % ("removals in one task", "task, s", "calls, s", "beyond, ms each"))
        for title, vms, weeks, increments, counts in (
            ("of 50 VMs", 50, 5, 5, (250, 500, 1000)),
            ("of one VM with 300 backups", 1, 51, 5, (60, 120, 240)),
            ("of one VM with 1,200 backups", 1, 201, 5, (240, 900)),
            ("of one chain with 300 backups", 1, 1, 299, (240,)),
        ):
            for count in counts:
                task, calls = removal(folder / ("%d-%d-%d" % (vms, weeks, count)), vms, weeks, increments, count)
                print(
                    "%-34s %9.2f %12.2f %12.2f"
                    % ("%d %s" % (count, title), task, calls, (task - nothing - calls) / count * 1000)
                )
        for looped in (True, False):
            print(
                "%-34s %9.2f"
                % (
                    "20 backups, %s" % ("a loop of 20 tasks" if looped else "one task"),
                    loop(folder / ("loop-%s" % looped), 20, looped),
                )
            )


if __name__ == "__main__":
    main()
