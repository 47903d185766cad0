# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module, action, filter and role under each ansible-core and each of its Pythons, and the modules under each Python of a target.

The Pythons of the SDK are in tests/integration/test_operations_everywhere.py.
"""

import json
import pathlib
import subprocess
import sys
import time

import pytest

from tests import support
from tests.core_lines import LINES, TARGETS, oldest_python, python_with
from tests.harness import ROOT, STUB_SDK, environment
from tests.integration.in_process import InProcessStub
from tests.pythons import interpreters
from tests.venvs import python_of

POLICY = {"timezone": "Europe/Berlin", "last": 3, "grace": "0h", "max_remove_share": 1.0}
VM = "vm-0001"

MODULES = [
    {"prlsdk.core.prl_vm_info": {}, "register": "node"},
    {"prlsdk.core.prl_backup_info": {}, "register": "gathered"},
    {"prlsdk.core.prl_backup_facts": {}},
    {
        "prlsdk.core.prl_event_wait": {
            "events": [{"type": "vm_state_changed", "vm": VM}],
            "satisfied_by": {"vm": VM, "vm_state": "running"},
        }
    },
    {"prlsdk.core.prl_backup": {"state": "present", "vm": VM}, "register": "made"},
    {"prlsdk.core.prl_backup_restore": {"vm": VM, "mode": "copy", "name": "drill"}, "register": "restored"},
    {"prlsdk.core.prl_backup": {"state": "absent", "vm": VM, "backups": [{"id": "{{ made.backup.id }}"}]}},
    {
        "ansible.builtin.assert": {
            "that": ["node.vms | length == 2", "gathered.backup_trees | length == 2", "restored is changed"]
        }
    },
]
CONTROLLER = [
    {
        "ansible.builtin.assert": {
            "that": [
                "(gathered.backup_trees | prlsdk.core.retention_plan(policy)).totals.counts.remove > 0",
                "gathered.backup_trees | prlsdk.core.backup_list | length == 16",
                "node.vms | prlsdk.core.backup_compliance(gathered.backup_trees, {'rpo': '30d'}) is mapping",
            ]
        }
    },
    {"prlsdk.core.prl_backup_prune": {"policy": POLICY, "report_dir": "{{ reports }}"}, "register": "pruned"},
    {"prlsdk.core.prl_backup_compliance": {"objective": "30d", "fail": False}},
    {"prlsdk.core.prl_retention_page": {"report_dir": "{{ reports }}", "hosts": ["localhost"]}},
    {
        "ansible.builtin.include_role": {"name": "prlsdk.core.backup_retention"},
        "vars": {
            "backup_retention_policy": POLICY,
            "backup_retention_report_dir": "{{ reports }}",
            "backup_retention_confirm": "{{ pruned.digest }}",
        },
    },
    {
        "ansible.builtin.include_role": {"name": "prlsdk.core.backup_compliance"},
        "vars": {"backup_compliance_objective": "30d", "backup_compliance_fail": False},
    },
    {
        "ansible.builtin.include_role": {"name": "prlsdk.core.stub_sdk"},
        "vars": {
            "stub_sdk_directory": "{{ reports }}/stub",
            "stub_sdk_python": "{{ ansible_python_interpreter }}",
            "stub_sdk_demo_weeks": 1,
        },
    },
]


def play(folder, python, target, tasks):
    """Run tasks on localhost, modules under ``target``, with the ansible-playbook beside ``python``. Nothing may warn of what will go."""
    stub = InProcessStub(folder)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    stub("demo", "--now", now, "--vms", "2", "--weeks", "2", "--increments", "3")
    variables = {"policy": POLICY, "reports": str(folder / "reports")}
    book = folder / "play.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]))
    leads = {"PRL_SDK_PYTHON": sys.executable, "PRL_SDK_PATH": str(STUB_SDK), "PRL_STUB_STATE": str(stub.state)}
    done = subprocess.run(
        [pathlib.Path(python).parent / "ansible-playbook", "-e", "ansible_python_interpreter=" + target, book],
        cwd=ROOT,
        env=environment(**leads),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "DEPRECATION" not in done.stdout and "Traceback" not in done.stdout, done.stdout[-4000:]
    return done.stdout


@pytest.mark.parametrize("line, version", [(line, version) for line, versions in LINES.items() for version in versions])
def test_controller(line, version, tmp_path):
    if version not in interpreters():
        pytest.skip("no Python %s here" % version)
    play(tmp_path, python_with(line, version), sys.executable, MODULES + CONTROLLER)
    assert (tmp_path / "reports" / "index.html").exists()
    support.record("controller", line, version)


@pytest.mark.parametrize(
    "line, version", [(line, version) for line, versions in TARGETS.items() for version in versions]
)
def test_target(line, version, tmp_path):
    controller = oldest_python(line)
    if controller is None or version not in interpreters():
        pytest.skip("no Python %s here" % (" or ".join(LINES[line]) if controller is None else version))
    play(tmp_path, python_with(line, controller), python_of(interpreters()[version], "target.txt"), MODULES)
    support.record("target", line, version)
