"""The event source: over a scripted worker that misbehaves, and over the real one with the stub behind it."""

import asyncio
import importlib.util
import json
import os
import pathlib
import sys
import textwrap
import time

import pytest

from tests.harness import ROOT, STUB_SDK, alive
from tests.integration.in_process import InProcessStub
from tests.pythons import interpreters

PATH = ROOT / "extensions" / "eda" / "plugins" / "event_source" / "prl_events.py"
SECRET = "c0rrect-horse"


def load():
    spec = importlib.util.spec_from_file_location("prl_events", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


source = load()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Connections come again without a pause that anybody would notice."""
    monkeypatch.setattr(source, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(source, "LONGEST_PAUSE", 0.05)


class Run:
    """The source as a task, and what it has put into its queue."""

    def __init__(self, args, size=0):
        self.args, self.queue = args, asyncio.Queue(size)

    async def __aenter__(self):
        self.task = asyncio.ensure_future(source.main(self.queue, self.args))
        return self

    async def next(self, seconds=30.0):
        get = asyncio.ensure_future(self.queue.get())
        done, pending = await asyncio.wait([get, self.task], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if get in done:
            return get.result()
        get.cancel()
        assert self.task in done, "nothing came"
        return self.task.result()

    async def until(self, fits, seconds=30.0):
        """All that comes up to the first event that fits, with it."""
        found = []
        while not found or not fits(found[-1]):
            found.append(await self.next(seconds))
        return found

    async def __aexit__(self, *exception):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


# --- a scripted worker

SCRIPT = """
#!{python}
import json, os, sys, time
def read(count):
    data = b""
    while len(data) < count:
        data += os.read(0, count - len(data))
    return data
read(int(read(10)))
LINES = os.fdopen(0, "rb", 0)
def say(**line):
    sys.stdout.write(json.dumps(line) + "\\n")
    sys.stdout.flush()
def event(number, **more):
    say(kind="event", event=dict({{"type_id": number, "issuer_type": 1, "issuer_id": "", "vm": None, "code": 100000, "symbol": None, "brief": None,
        "message": None, "can_be_ignored": False, "answer_required": False, "params": {{}}, "job": None, "received": time.time()}}, **more))
ANSWERS = {{"connect": {{"server": {{"uuid": "{{5e7e0001-0000-4000-8000-00000000000a}}", "host": "node"}}}}, "subscribe": None, "is_connected": True}}
runs = {folder!r} + "/runs"
open(runs, "a").write(str(os.getpid()) + "\\n")
turn = len(open(runs).read().split())
opening = json.loads(LINES.readline())
say(kind="hello", protocol=2, sdk={{}})
for line in LINES:
    told = json.loads(line)
    if told["kind"] != "call":
        continue
    if told["name"] in ANSWERS:
        say(kind="result", id=told["id"], value=ANSWERS[told["name"]])
    if told["name"] == "subscribe":
{then}
"""


def scripted(tmp_path, then, **args):
    """Arguments for a worker that does this when it was asked to subscribe; ``turn`` is 1 for the first process."""
    program = tmp_path / "python"
    program.write_text(
        SCRIPT.format(
            python=sys.executable, folder=str(tmp_path), then=textwrap.indent(textwrap.dedent(then), " " * 8)
        ).lstrip()
    )
    program.chmod(0o755)
    return dict({"sdk_python": str(program)}, **args)


def processes(tmp_path):
    return [int(word) for word in (tmp_path / "runs").read_text().split()]


def none_alive(tmp_path):
    end = time.monotonic() + 20
    while any(map(alive, processes(tmp_path))):
        assert time.monotonic() < end, "a process was left behind"
        time.sleep(0.05)


def test_events_come_in_order_each_with_its_own_uuid_and_a_loss_is_a_gap(tmp_path):
    then = """
        for number in range(3):
            event(100001 + number)
        if turn == 1:
            say(kind="lost")
        elif turn == 2:
            sys.exit(1)
    """

    async def play():
        async with Run(scripted(tmp_path, then)) as run:
            return await run.until(lambda one: len(processes(tmp_path)) == 3 and one.get("type_id") == 100003)

    found = asyncio.run(play())
    assert [one.get("type_id", one["kind"]) for one in found][:8] == [
        100001,
        100002,
        100003,
        "gap",
        100001,
        100002,
        100003,
        "gap",
    ]
    assert len({one["meta"]["uuid"] for one in found}) == len(found) and {
        tuple(one["meta"]["hosts"]) for one in found
    } == {("localhost",)}
    gaps = [one for one in found if one["kind"] == "gap"]
    assert all(gap["reason"] == "connection" and gap["since"] <= gap["until"] and gap["seconds"] >= 0 for gap in gaps)
    none_alive(tmp_path)


def test_garbage_and_what_libraries_print_are_no_events(tmp_path):
    then = """
        sys.stdout.write("prl_init: hello\\\\n{\\\\"kind\\\\": broken\\\\n{\\\\"kind\\\\": 7}\\\\n\\\\xff\\\\n[1]\\\\n")
        event(100001)
    """.replace("\\\\", "\\")

    async def play():
        async with Run(scripted(tmp_path, then)) as run:
            return await run.next()

    assert asyncio.run(play())["type_id"] == 100001


def test_silence_is_looked_into(tmp_path, monkeypatch):
    """A connection that nobody says is lost, and one whose process answers no more."""
    monkeypatch.setattr(source, "CHECK", 0.1)
    monkeypatch.setattr(source, "DEADLINE", 4.0)  # also of the start of a process, on a busy machine
    then = """
        event(100001)
        if turn == 1:
            ANSWERS["is_connected"] = False
        if turn == 2:
            del ANSWERS["is_connected"]
    """

    async def play():
        async with Run(scripted(tmp_path, then)) as run:
            return await run.until(lambda one: len(processes(tmp_path)) == 3)

    assert [one["kind"] for one in asyncio.run(play())][:3] == ["event", "gap", "event"]


def test_a_flood_waits_for_who_reads_it_and_what_was_left_out_is_a_gap(tmp_path):
    then = """
        for number in range(5000):
            event(100001, issuer_id=str(number))
        say(kind="dropped", count=17)
        event(100002)
    """

    async def play():
        async with Run(scripted(tmp_path, then), size=1) as run:
            await asyncio.sleep(0.2)
            return await run.until(lambda one: one.get("type_id") == 100002)

    found = asyncio.run(play())
    assert [one["issuer_id"] for one in found[:5000]] == [str(number) for number in range(5000)]
    assert (found[5000]["kind"], found[5000]["reason"], found[5000]["count"]) == ("gap", "overflow", 17)


def test_cancelling_ends_every_process(tmp_path):
    """Also one that reads nothing any more and ignores the end of its input."""
    then = """
        event(100001)
        while True:
            time.sleep(1)
    """
    source.CLEANUP, before = 0.5, source.CLEANUP

    async def play():
        async with Run(scripted(tmp_path, then)) as run:
            await run.next()

    try:
        asyncio.run(play())
    finally:
        source.CLEANUP = before
    none_alive(tmp_path)


def test_a_heartbeat_comes_while_the_host_is_connected(tmp_path):
    async def play():
        async with Run(scripted(tmp_path, "pass", heartbeat=0.05)) as run:
            return [await run.next() for _beat in range(3)]

    assert [one["kind"] for one in asyncio.run(play())] == ["heartbeat"] * 3


def test_two_hosts_are_one_source(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    hosts = [dict(scripted(tmp_path / name, "event(100001)"), name=name) for name in ("a", "b")]

    async def play():
        async with Run({"hosts": hosts}) as run:
            return {(await run.next())["host"] for _event in range(2)}

    assert asyncio.run(play()) == {"a", "b"}


@pytest.mark.parametrize(
    "args, says",
    [
        ({"event": ["vm_*"]}, "prl_events has no argument 'event'; did you mean events?"),
        ({"events": []}, "events must be a list of one or more events"),
        ({"events": ["create_backup_finisht"]}, "events[0].type"),
        ({"events": [{}]}, "events[0]: this would match every event"),
        ({"heartbeat": "often"}, "heartbeat must be a number of seconds"),
        ({"hosts": []}, "hosts must be a list of one or more hosts"),
        ({"hosts": [{"command": ["ssh"]}]}, "hosts[0] must be a dictionary with a name"),
        ({"hosts": [{"name": "a"}, {"name": "a"}]}, "hosts: two have the same name"),
        (
            {"hosts": [{"name": "a", "sdk_pyton": "x"}]},
            "hosts[0] has no argument 'sdk_pyton'; did you mean sdk_python?",
        ),
        ({"hosts": [{"name": "a"}], "sdk_python": "x"}, "sdk_python: give the connection options with each of 'hosts'"),
        ({"host": "node"}, "host needs username and password"),
        ({"username": "root", "password": "x"}, "username and password need host"),
        ({"security_level": "utmost"}, "security_level: there is no 'utmost'; there are low, normal, high."),
        ({"command": "ssh node"}, "command must be a list of words"),
    ],
)
def test_a_wrong_argument_is_named_at_once(args, says):
    with pytest.raises(ValueError) as caught:
        asyncio.run(source.main(asyncio.Queue(), args))
    assert says in str(caught.value)


# --- the real worker


@pytest.fixture
def node(tmp_path, monkeypatch):
    (tmp_path / "server").mkdir()
    stub = InProcessStub(tmp_path / "server")
    stub("demo", "--vms", "2", "--weeks", "1", "--increments", "1")
    monkeypatch.setenv("PRL_STUB_STATE", str(stub.state))
    return stub


def real(**more):
    return dict({"sdk_python": sys.executable, "sdk_path": str(STUB_SDK)}, **more)


def beat(one):
    return one["kind"] == "heartbeat"


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9", "3.13"])
def test_a_state_that_changes_is_sent_as_prl_event_wait_returns_it(node, version):
    if version not in interpreters():
        pytest.skip("no Python %s here" % version)
    events = [{"type": "vm_state_changed", "vm": "vm-0001", "params": {"vminfo_vm_state": "stopped"}}]

    async def play():
        async with Run(real(sdk_python=interpreters()[version], events=events, heartbeat=0.2)) as run:
            await run.until(beat)
            node("vm", "set", "vm-0002", "--state", "stopped")
            node("vm", "set", "vm-0001", "--state", "stopped")
            return (await run.until(lambda one: one["kind"] == "event"))[-1]

    found = asyncio.run(play())
    assert found["type"] == "vm_state_changed" and found["vm"]["name"] == "vm-0001" and found["vm_state"] == "stopped"
    assert "logoff" in node.call_names(), "it logs off when it ends"


def test_a_snapshot_comes_after_each_connection_and_events_after_it(node):
    async def play():
        async with Run(real(events=["vm_config_changed"], snapshot=True, heartbeat=0.2)) as run:
            first = (await run.until(beat))[0]
            node("disconnect")
            again = await run.until(lambda one: one["kind"] == "snapshot")
            await run.until(beat)
            node("emit", "vm_config_changed", "--vm", "vm-0002")
            return first, again, (await run.until(lambda one: one["kind"] == "event"))[-1]

    first, again, event = asyncio.run(play())
    assert [(vm["name"], vm["state"]) for vm in first["vms"]] == [
        ("vm-0001", "running"),
        ("vm-0002", "running"),
    ] and first["kind"] == "snapshot"
    assert again[-2]["kind"] == "gap" and event["vm"]["name"] == "vm-0002"


def test_many_events_and_three_lost_connections_lose_and_double_nothing_but_what_a_gap_covers(node):
    count = int(os.environ.get("PRL_EVENTS", 300))

    async def play():
        found = []
        async with Run(real(events=["vm_config_changed"], heartbeat=0.1), size=50) as run:
            for turn in range(4):
                found += await run.until(beat)
                for number in range(count // 4):
                    node("emit", "vm_config_changed", "--vm", "%d-%d" % (turn, number))
                last = "%d-%d" % (turn, count // 4 - 1)
                found += await run.until(lambda one, last=last: one.get("issuer_id") == last)
                if turn < 3:
                    node("disconnect")
                    found += await run.until(lambda one: one["kind"] == "gap")
        return found

    found = asyncio.run(play())
    issuers = [one["issuer_id"] for one in found if one["kind"] == "event"]
    assert issuers == ["%d-%d" % (turn, number) for turn in range(4) for number in range(count // 4)]
    assert sum(one["kind"] == "gap" for one in found) == 3
    assert len({one["meta"]["uuid"] for one in found}) == len(found)


def test_secrets_are_in_no_argument_and_no_environment(node, tmp_path):
    node("server", "set", "node", "--host", "node.example", "--user", "admin", "--password", SECRET)

    async def play():
        async with Run(real(host="node.example", username="admin", password=SECRET, heartbeat=0.2)) as run:
            await run.until(beat)
            pid = [call["pid"] for call in node.calls() if call["call"] == "login"][-1]
            return [pathlib.Path("/proc/%d/%s" % (pid, name)).read_bytes() for name in ("cmdline", "environ")]

    assert not [text for text in asyncio.run(play()) if SECRET.encode() in text]


@pytest.mark.parametrize(
    "args, says",
    [
        ({"host": "node.example", "username": "admin", "password": "wrong"}, "Check 'username' and 'password'."),
        ({"sdk_path": "/nowhere"}, "The SDK (prlsdkapi) cannot be loaded on this host."),
        ({"sdk_python": "/nowhere/python"}, "No such file or directory"),
        ({"events": [{"vm": "nobody"}]}, "no VMs of localhost are called 'nobody'"),
        ({"events": [{"code": "PRL_ERR_FAILUR"}]}, "Did you mean PRL_ERR_FAILURE?"),
    ],
)
def test_what_no_new_attempt_can_mend_ends_the_source(node, args, says):
    node("server", "set", "node", "--host", "node.example", "--user", "admin", "--password", SECRET)
    with pytest.raises((ConnectionError, ValueError)) as caught:
        asyncio.run(asyncio.wait_for(source.main(asyncio.Queue(), real(**args)), 30))
    assert says in str(caught.value) and SECRET not in str(caught.value)


def test_behind_ssh_the_rest_is_quoted_for_the_shell(node, tmp_path):
    """With a stand-in for ssh that does what it does: a shell gets the words that follow the host, with blanks between them."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nshift\nexec /bin/sh -c "$*"\n')
    ssh.chmod(0o755)

    async def play():
        async with Run({"hosts": [dict(real(), name="node-a", command=[str(ssh), "node-a"])], "heartbeat": 0.2}) as run:
            return (await run.until(beat))[-1]

    assert asyncio.run(play())["host"] == "node-a"


def test_a_host_that_ssh_cannot_reach_is_tried_again_and_a_refusal_is_told(tmp_path):
    ssh = tmp_path / "ssh"
    ssh.write_text(
        '#!/bin/sh\nn=$(cat "%s/n" 2>/dev/null || echo 0)\necho $((n + 1)) > "%s/n"\n[ $n -lt 3 ] && echo "Connection refused" >&2 && exit 255\n'
        'echo "root@node: Permission denied (publickey)." >&2\nexit 255\n' % (tmp_path, tmp_path)
    )
    ssh.chmod(0o755)
    with pytest.raises(ConnectionError, match="node-a: root@node: Permission denied"):
        asyncio.run(
            asyncio.wait_for(
                source.main(asyncio.Queue(), {"hosts": [{"name": "node-a", "command": [str(ssh), "node-a"]}]}), 30
            )
        )
    assert (tmp_path / "n").read_text().strip() == "4"


def test_the_source_needs_nothing_but_the_standard_library():
    import subprocess

    code = (
        "import runpy, sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]; runpy.run_path(%r, run_name='source');"
        "assert not {'lxml', 'ansible', 'yaml'} & {name.partition('.')[0] for name in sys.modules}" % str(PATH)
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_documented_arguments_are_those_that_are_read():
    import yaml

    documented = yaml.safe_load(source.DOCUMENTATION)["options"]
    assert set(documented) == {*source.OWN, *source.CONNECTION}
    assert yaml.safe_load(source.EXAMPLES)
    assert json.dumps(
        {key: option.get("default") for key, option in documented.items() if key in source.CONNECTION}
    ) == json.dumps({key: source.CONNECTION[key] for key in documented if key in source.CONNECTION})
