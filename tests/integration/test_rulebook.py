"""The event source in a real ansible-rulebook, with the stub behind it."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.harness import ROOT, STUB_SDK, alive
from tests.integration.in_process import InProcessStub
from tests.venvs import python_of

RULES = [
    {
        "name": "state",
        "condition": 'event.kind == "event" and event.type == "vm_state_changed"',
        "action": {"debug": {"msg": "STATE {{ event.vm_state }}"}},
    },
    {"name": "gap", "condition": 'event.kind == "gap"', "action": {"debug": {"msg": "GAP {{ event.reason }}"}}},
    {"name": "beat", "condition": 'event.kind == "heartbeat"', "action": {"debug": {"msg": "BEAT"}}},
]


@pytest.fixture(scope="module")
def rulebook():
    """The folder with ansible-rulebook."""
    if not shutil.which("java"):
        pytest.skip("this machine has no Java, which ansible-rulebook needs")
    try:
        return pathlib.Path(python_of(sys.executable, "rulebook.txt")).parent
    except subprocess.CalledProcessError:
        pytest.skip("an environment with ansible-rulebook cannot be made here")


def wait_for(true):
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def test_a_state_that_changes_reaches_a_rule_also_after_a_lost_connection_and_an_interrupt_leaves_no_process(
    rulebook, tmp_path
):
    (tmp_path / "server").mkdir()
    stub = InProcessStub(tmp_path / "server")
    stub("demo", "--vms", "2", "--weeks", "1", "--increments", "1")
    (tmp_path / "inventory.yml").write_text(
        json.dumps({"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}})
    )
    arguments = {
        "sdk_python": sys.executable,
        "sdk_path": str(STUB_SDK),
        "events": ["vm_state_changed"],
        "heartbeat": 1,
    }
    (tmp_path / "rulebook.yml").write_text(
        json.dumps(
            [{"name": "Test", "hosts": "all", "sources": [{"prlsdk.core.prl_events": arguments}], "rules": RULES}]
        )
    )
    log = tmp_path / "log"
    environment = stub.environment(PATH="%s:%s" % (rulebook, os.environ["PATH"]))
    with (
        open(log, "w", encoding="utf-8") as output,
        subprocess.Popen(
            [str(rulebook / "ansible-rulebook"), "-i", "inventory.yml", "--rulebook", "rulebook.yml"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as run,
    ):
        try:
            wait_for(lambda: "BEAT" in log.read_text() or run.poll() is not None)
            stub("vm", "set", "vm-0001", "--state", "stopped")
            wait_for(lambda: "STATE stopped" in log.read_text() or run.poll() is not None)
            stub("disconnect")
            wait_for(lambda: "GAP connection" in log.read_text() or run.poll() is not None)
            stub("vm", "set", "vm-0002", "--state", "paused")
            wait_for(lambda: "STATE paused" in log.read_text() or run.poll() is not None)
        finally:
            run.send_signal(signal.SIGINT)
            try:
                run.wait(60)
            except subprocess.TimeoutExpired:
                run.kill()
    text = log.read_text()
    assert re.findall("STATE [a-z]+", text) == ["STATE stopped", "STATE paused"] and text.count("GAP") == 1, text[
        -3000:
    ]
    wait_for(lambda: not any(alive(call["pid"]) for call in stub.calls()))


def test_the_rulebooks_of_the_collection_name_what_there_is():
    """Their sources' arguments, playbooks and rules are read as ansible-rulebook and the source read them."""
    import yaml

    for path in sorted((ROOT / "extensions" / "eda" / "rulebooks").glob("*.yml")):
        for ruleset in yaml.safe_load(path.read_text()):
            (source,) = ruleset["sources"]
            assert set(source) == {"prlsdk.core.prl_events"} and set(source["prlsdk.core.prl_events"]) <= {
                "hosts",
                "events",
                "heartbeat",
                "snapshot",
            }
            for rule in ruleset["rules"]:
                playbook = rule["action"]["run_playbook"]["name"]
                assert (ROOT / "playbooks" / (playbook.rpartition(".")[2] + ".yml")).exists(), playbook
