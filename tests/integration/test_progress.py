"""Long operations show life: in the job's status file under async, and in the target host's system log."""

import json
import subprocess
import sys
import time

from ansible_collections.prlsdk.core.plugins.module_utils._module import base
from ansible_collections.prlsdk.core.plugins.module_utils._module.progress import (
    JobFile,
    Progress,
    command_line,
    find_async_file,
)
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.process import Process

from tests.harness import playbook
from tests.integration.server import small_server


def play(stub, folder, task, *more):
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task, *more]}]))
    return playbook(
        stub,
        str(path),
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        "ansible_python_interpreter=%s" % sys.executable,
        "-e",
        "ansible_async_dir=%s" % folder,
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
    )


def test_async_status_returns_percent_and_stage_while_the_backup_is_made(stub, tmp_path):
    vms = small_server(stub)
    stub("set", "create_seconds", 6)
    seen = tmp_path / "seen.json"
    done = play(
        stub,
        tmp_path,
        {
            "prlsdk.core.prl_backup": {"state": "present", "vm": vms[0].name, "type": "full"},
            "async": 60,
            "poll": 0,
            "register": "job",
        },
        {
            "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
            "register": "look",
            "retries": 60,
            "delay": 0,
            "until": "look.progress.percent is defined or look.finished",
            "failed_when": "look.progress is not defined",
        },
        {"ansible.builtin.copy": {"dest": str(seen), "content": "{{ look.progress | to_json }}", "mode": "0600"}},
        {
            "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
            "register": "end",
            "until": "end.finished",
            "retries": 60,
            "delay": 1,
            "failed_when": "not end.changed or end.backup.type != 'full'",
        },
    )
    assert done.returncode == 0, done.stdout
    progress = json.loads(seen.read_text())
    assert (
        0 <= progress["percent"] <= 100
        and progress["stage"].startswith("disk")
        and progress["operation"] == "create_vm_backup"
    )
    assert "%" in progress["message"]


class Log:
    def __init__(self):
        self.lines = []

    def write(self, text):
        self.lines.append(text)


def test_log_has_one_line_in_ten_seconds():
    log, now = Log(), [0.0]
    progress = Progress(log, None, lambda: now[0])
    for index in range(100):
        now[0] += 1
        progress.advance("remove_vm_backup", "{u}.%d" % index, stage="increment", done=index, total=100, percent=index)
        progress.advance("remove_vm_backup", "{u}.%d" % index)
        progress.advance("get_backup_tree", "{vm}")
    assert len(log.lines) == 10 and log.lines[1] == "Removing {u}.10 (11 of 100) 10%"


def test_job_file_is_found_by_the_wrappers_arguments_and_written_in_one_step(tmp_path):
    path = tmp_path / "j123456.789"
    path.write_text('{"started": 1, "finished": 0, "ansible_job_id": "j123456.789"}')
    (tmp_path / "j123456.790").write_text('{"changed": false}')
    wrapper = [
        "python3",
        "/root/.ansible/tmp/ansible-tmp-1/AnsiballZ_async_wrapper.py",
        "j123456",
        "60",
        "/root/x",
        "_",
    ]
    found = find_async_file({"ANSIBLE_ASYNC_DIR": str(tmp_path)}, wrapper)
    found.write({"percent": 5})
    assert json.loads(path.read_text()) == {
        "started": 1,
        "finished": 0,
        "ansible_job_id": "j123456.789",
        "progress": {"percent": 5},
    }
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == ["j123456.789", "j123456.790"]
    assert find_async_file({"ANSIBLE_ASYNC_DIR": str(tmp_path)}, ["python3", "module.py", "j123456"]) is None
    assert find_async_file({"ANSIBLE_ASYNC_DIR": str(tmp_path / "none")}, wrapper) is None
    found = JobFile(str(tmp_path / "gone" / "j1"), {})
    found.write({})  # nothing to write to is no failure


def test_what_the_log_and_the_status_file_say_is_printable(tmp_path):
    class Module:
        no_log, said = False, []

        def log(self, text):
            self.said.append(text)

    file = JobFile(str(tmp_path / "job"), {})
    progress = Progress(base.Logbook(Module()), file)
    progress.advance("create_vm_backup", "web\x1b\u202e\n", percent=1)
    shown = "Making a backup of web\\x1b\\u202e\\n 1%"
    assert Module.said == [shown] and json.loads((tmp_path / "job").read_text())["progress"]["message"] == shown


def process(program):
    return Process([sys.executable, "-c", program])


def test_lines_come_as_soon_as_they_are_written():
    program = "import sys, time; sys.stdin.readline(); print('one', flush=True); time.sleep(0.5); print('two'); print('three', file=sys.stderr); sys.exit(3)"
    talk = process(program)
    assert talk.line(0.2) is None, "it waits for us"
    talk.send(b"x" * 300000 + b"\n")
    assert talk.line(20) == b"one"
    begin = time.monotonic()
    assert talk.line(20) == b"two" and time.monotonic() - begin > 0.3
    assert talk.line(20) == b"" == talk.line(20), "the end stays the end"
    assert talk.end(20) == (3, b"three\n")


def test_program_that_does_not_read_is_no_broken_pipe():
    talk = process("print('early')")
    talk.send(b"x" * 3000000 + b"\n")
    assert talk.line(20) == b"early" and talk.end(20) == (0, b"")


def test_program_that_does_not_end_is_ended():
    talk = process(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    assert talk.line(20) == b"ready"
    assert talk.end(0.2) == (None, b"")


def test_command_line_of_a_process():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            end = time.monotonic() + 10
            while "input()" not in command_line(process.pid):  # for a moment it is still what started it
                assert time.monotonic() < end
                time.sleep(0.01)
        finally:
            process.kill()
