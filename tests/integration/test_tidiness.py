"""No folder and no process stays when a module is ended from outside, and a folder that cannot be used is one clear message."""

import json
import resource
import signal
import subprocess
import sys
import time

import pytest

from tests.harness import COLLECTIONS, alive, environment
from tests.integration.server import small_server

MODULES = {
    "prl_backup_facts": ("get_backup_tree", {"vms": ["web-01", "db-01"]}),
    "prl_backup_info": ("get_backup_tree", {"vms": ["web-01", "db-01"]}),
    "prl_backup": ("create_vm_backup", {"state": "present", "vm": "web-01"}),
    "prl_backup_restore": ("get_backup_tree", {"vm": "web-01", "mode": "copy"}),
    "prl_event_wait": ("reg_event_handler", {"events": [{"type": "vm_added"}]}),
    "prl_vm_info": ("get_vm_list_ex", {}),
}


@pytest.fixture
def node(stub):
    stub("vm", "add", "web-01")
    stub("vm", "add", "db-01")
    return stub


def start(module, stub, remote_tmp, preexec_fn=None, **options):
    arguments = dict(stub.options(timeout=60, **options), _ansible_remote_tmp=str(remote_tmp))
    process = subprocess.Popen(
        [sys.executable, "-m", "ansible_collections.prlsdk.core.plugins.modules." + module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=stub.environment(PYTHONPATH=str(COLLECTIONS)),
        preexec_fn=preexec_fn,
    )
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    process.stdin.close()
    process.stdin = None
    return process


def as_from_a_terminal():
    """Whoever runs the tests may have them ignore these."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def until(holds, what, seconds=20):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "%s did not come within %d seconds" % (what, seconds)
        time.sleep(0.02)


def ended(module, node, call, tmp_path, number, nth=1, **options):
    """End a module by a signal while a call of the SDK hangs."""
    node("fault", "add", call, "hang", "--nth", nth)
    process = start(module, node, tmp_path / "remote", as_from_a_terminal, **options)
    until(lambda: [entry for entry in node.calls() if entry["faults"]], "the call that hangs")
    worker = node.calls()[-1]["pid"]
    assert alive(worker) and list((tmp_path / "remote").glob("*/worker.zip"))
    end = time.monotonic() + 20
    while process.poll() is None:  # whoever is impatient does not disturb the tidying
        assert time.monotonic() < end, "the module waits for the call that hangs"
        process.send_signal(number)
        time.sleep(0.0005)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (128 + number, b"", b"")
    assert not list((tmp_path / "remote").iterdir())
    until(lambda: not alive(worker), "the worker's end", 7)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_that_is_ended_leaves_no_folder_no_process_and_no_traceback(node, tmp_path, module, number):
    call, options = MODULES[module]
    ended(module, node, call, tmp_path, number, 2 if "vms" in options else 1, **options)


@pytest.mark.parametrize("call", ["remove_vm_backup", "restore_vm_backup"])
def test_a_module_that_is_ended_does_not_wait_for_what_the_server_is_at(stub, tmp_path, call):
    (vm, *_others) = small_server(stub)
    if call == "remove_vm_backup":
        ended(
            "prl_backup",
            stub,
            call,
            tmp_path,
            signal.SIGTERM,
            state="absent",
            vm=vm.name,
            backup_ids=[vm.chains[0][-1]],
        )
    else:
        ended("prl_backup_restore", stub, call, tmp_path, signal.SIGTERM, mode="copy", vm=vm.name)


HELD_BACK = """
import os, signal
from ansible_collections.prlsdk.core.plugins.module_utils import _signals
_signals.clean_up_on_signal()
with _signals.signals_deferred():
    with _signals.signals_deferred():
        os.kill(os.getpid(), signal.SIGTERM)
    print("to the end of the block", flush=True)
print("not behind it", flush=True)
"""


def test_a_program_is_never_left_half_started():
    done = subprocess.run(
        [sys.executable, "-c", HELD_BACK],
        env=environment(PYTHONPATH=str(COLLECTIONS)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, "to the end of the block\n", "")


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5])
def test_a_module_that_is_ended_at_any_moment_leaves_no_folder(node, tmp_path, moment):
    node("fault", "add", "get_vm_list_ex", "delay", "0.2")
    process = start("prl_vm_info", node, tmp_path / "remote", as_from_a_terminal)
    until(lambda: (tmp_path / "remote").exists() or process.poll() is not None, "the module's folder")
    time.sleep(moment)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=20)[1]
    assert process.returncode in (0, 128 + signal.SIGTERM) and b"Traceback" not in errors
    assert not list((tmp_path / "remote").iterdir())


def refused(process, *words):
    output, errors = process.communicate(timeout=60)
    result = json.loads(output)
    assert result["failed"] and result["error"]["symbol"] == "TEMPORARY_FOLDER_FAILED" and not result.get("changed"), (
        result
    )
    for word in (*words, "'ansible_remote_tmp'"):
        assert word in result["msg"], result["msg"]
    assert "Traceback" not in result["msg"] and b"Traceback" not in errors
    return result


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_temporary_folder_that_cannot_be_made_is_told(node, module):
    refused(start(module, node, "/dev/null", **MODULES[module][1]), "/dev/null", "Not a directory")
    assert not node.calls(), "nothing was asked of the server"


def no_file_longer_than(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_temporary_folder_that_cannot_take_the_workers_files_is_told(node, tmp_path, module):
    process = start(module, node, tmp_path / "remote", no_file_longer_than(1000), **MODULES[module][1])
    refused(process, str(tmp_path / "remote"), "File too large")
    assert not list((tmp_path / "remote").iterdir()) and not node.calls()


@pytest.mark.parametrize("module", ["prl_backup_facts", "prl_backup_info"])
def test_a_disk_that_is_full_while_trees_are_spooled_is_told(node, tmp_path, module):
    (tmp_path / "answer.xml").write_text("<BackupTree>%s</BackupTree>" % (" " * 4_000_000))
    node("fault", "add", "get_backup_tree", "answer", tmp_path / "answer.xml")
    process = start(module, node, tmp_path / "remote", no_file_longer_than(3_000_000))
    refused(process, str(tmp_path / "remote"), "File too large")
    assert not list((tmp_path / "remote").iterdir())


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder in which there is room for the worker's files, and not for much more."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], stderr=subprocess.DEVNULL, check=False
    ).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_file_system_that_is_full_is_told(node, tmp_path, tiny_disk):
    (tmp_path / "answer.xml").write_text("<BackupTree>%s</BackupTree>" % (" " * 2_000_000))
    node("fault", "add", "get_backup_tree", "answer", tmp_path / "answer.xml")
    refused(start("prl_backup_info", node, tiny_disk), str(tiny_disk), "No space left on device")
    (tiny_disk / "filler").write_bytes(b"x" * (1 << 20))
    assert not [found for found in tiny_disk.iterdir() if found.name != "filler"]


def test_a_full_file_system_before_anything_is_begun_is_told(node, tiny_disk):
    with open(tiny_disk / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass
    refused(
        start("prl_backup", node, tiny_disk, state="present", vm="web-01"), str(tiny_disk), "No space left on device"
    )
    assert not node.calls()
    assert [found.name for found in tiny_disk.iterdir()] == ["filler"]
