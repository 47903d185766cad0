"""Check mode of every module, and the modules that never write: the worker is opened read-only, and no mutating call is made."""

import json
import stat
import sys

import pytest

from tests.harness import ROOT, run_module
from tests.integration.server import mutating, small_server

#: Actions run these, and have tests of their own.
MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")} - {
    path.stem for path in (ROOT / "plugins" / "action").glob("*.py")
}
EVENTS = [{"type": "vm_config_changed"}]
#: Those that change nothing whatever they are asked, and what they are asked here.
READERS = [
    ("prl_backup_facts", {"gather": ["summary", "backups", "disks", "files"]}),
    ("prl_backup_facts", {"vms": ["vm-0001"], "storage": {"default": True}}),
    ("prl_backup_info", {"gather": ["summary", "backups", "raw"]}),
    ("prl_backup_info", {"scope": "registered"}),
    ("prl_backup_info", {"vms": ["vm-*"]}),
    ("prl_vm_info", {}),
    ("prl_event_wait", {"events": EVENTS, "timeout": 1, "on_timeout": "continue"}),
    (
        "prl_event_wait",
        {
            "events": EVENTS,
            "satisfied_by": {"vm": "vm-0001", "backup_newer_than": "2020-01-01T00:00:00Z"},
            "reconnect": True,
        },
    ),
]
#: Those that change something but for check mode. {full} and {increment} are backups of the VM.
WRITERS = [
    ("prl_backup", {"state": "present", "vm": "vm-0001"}),
    ("prl_backup", {"state": "present", "vm": "vm-0001", "type": "full", "compress": False, "description": "x"}),
    ("prl_backup", {"state": "absent", "vm": "vm-0001", "backups": [{"id": "{increment}"}]}),
    (
        "prl_backup",
        {"state": "absent", "backups": [{"id": "{full}"}], "dependents": "remove", "allow_remove_last": True},
    ),
    ("prl_backup_restore", {"vm": "vm-0001", "mode": "copy", "name": "drill"}),
    ("prl_backup_restore", {"backup_id": "{full}", "mode": "in_place"}),
    ("prl_event_wait", {"events": EVENTS, "answer": "yes", "timeout": 1, "on_timeout": "continue"}),
]


def test_every_module_is_here():
    assert {module for module, options in READERS + WRITERS} == MODULES


@pytest.fixture
def server(stub):
    vms = small_server(stub)
    stub("vm", "set", vms[0].name, "--state", "stopped")
    stub("log", "--clear")
    return vms


@pytest.fixture
def opened(tmp_path):
    """(a program in the place of the SDK's Python, which keeps what it is told; a function that gives the first line of each worker)."""
    kept = tmp_path / "told"
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\ntee -a '%s' | '%s' \"$@\"\n" % (kept, sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program), lambda: [
        told for told in map(json.loads, kept.read_text().splitlines()) if told["kind"] == "open"
    ]


def fill(options, vm):
    full, increment = vm.chains[-1][0], vm.chains[-1][-1]
    return json.loads(
        json.dumps(options)
        .replace('"vm-0001"', json.dumps(vm.name))
        .replace("{full}", full)
        .replace("{increment}", increment)
    )


def run(module, stub, options, check, program):
    result = run_module(module, stub, check=check, diff=True, sdk_python=program, **options)
    assert not result.get("failed"), result
    return result


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
@pytest.mark.parametrize("module, options", READERS)
def test_a_module_that_never_writes_cannot(stub, server, opened, module, options, check):
    result = run(module, stub, fill(options, server[0]), check, opened[0])
    assert [told["read_only"] for told in opened[1]()] == [True]
    assert stub.calls() and mutating(stub) == [] and not result["changed"]


@pytest.mark.parametrize("module, options", WRITERS)
def test_check_mode_cannot_write(stub, server, opened, module, options):
    before = stub("tree"), stub("vm", "list")
    result = run(module, stub, fill(options, server[0]), True, opened[0])
    assert [told["read_only"] for told in opened[1]()] == [True]
    assert stub.calls() and mutating(stub) == [] and (stub("tree"), stub("vm", "list")) == before
    assert result["changed"] == (module != "prl_event_wait")


@pytest.mark.parametrize("module, options", WRITERS)
def test_without_check_mode_the_same_tasks_write(stub, server, opened, module, options):
    """Or the tests above would prove nothing."""
    run(module, stub, fill(options, server[0]), False, opened[0])
    assert [told["read_only"] for told in opened[1]()] == [False]
    assert bool(mutating(stub)) == (module != "prl_event_wait"), "nobody asked a question"
