"""The filters, the actions and the roles under the oldest ansible-core that the collection promises."""

import json
import pathlib
import subprocess
import sys
import time

import pytest
from ansible_collections.prlsdk.core.plugins.filter.backup_compliance import backup_compliance
from ansible_collections.prlsdk.core.plugins.filter.backup_list import backup_list
from ansible_collections.prlsdk.core.plugins.filter.retention_plan import retention_plan

from tests.harness import ROOT, STUB_SDK, environment
from tests.integration.in_process import InProcessStub
from tests.pythons import interpreters
from tests.venvs import python_of

NOW = "2026-11-22T06:00:00Z"
POLICY = {
    "timezone": "Europe/Berlin",
    "last": 3,
    "daily": 7,
    "weekly": {"count": 2, "of": "full"},
    "within": "3d",
    "max_remove_share": 1.0,
}
OVERRIDES = [{"name": "short", "match": {"name": "vm-000[1]"}, "policy": {"daily": 2}}]
OBJECTIVE = {"rpo": "26h"}

#: What is asked of the collection -> the template that asks it. ``gathered`` and ``node`` are what the modules return.
ASKED = {
    "plan": "{{ gathered.backup_trees | prlsdk.core.retention_plan(policy, at) }}",
    "few_reasons": "{{ gathered.backup_trees | prlsdk.core.retention_plan(policy, at, reasons='none') }}",
    "plans": "{{ gathered.backup_trees | prlsdk.core.retention_plan(policy, at, overrides=overrides) }}",
    "listed": "{{ gathered.backup_trees | prlsdk.core.backup_list }}",
    "compliance": "{{ node.vms | prlsdk.core.backup_compliance(gathered.backup_trees, objective, at, node=node.server.uuid) }}",
    "not_read": "{{ node.vms | prlsdk.core.backup_compliance(gathered.backup_trees, objective, at, damaged=node.vms[:1]) }}",
}


@pytest.fixture(scope="module")
def oldest():
    """The folder with the programs of the oldest ansible-core."""
    controllers = [version for version in ("3.12", "3.11", "3.10") if version in interpreters()]
    if not controllers:
        pytest.skip("this machine has no Python 3.10 to 3.12, which ansible-core 2.16 needs")
    try:
        return pathlib.Path(python_of(interpreters()[controllers[0]], "core-2.16.txt")).parent
    except subprocess.CalledProcessError:
        pytest.skip("an environment with ansible-core 2.16 cannot be made here")


@pytest.fixture
def server(tmp_path):
    """Two VMs with three weekly chains each, the newest of today."""
    stub = InProcessStub(tmp_path)
    stub(
        "demo",
        "--now",
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "--vms",
        "2",
        "--weeks",
        "3",
        "--increments",
        "6",
    )
    return stub


@pytest.fixture
def fixed(tmp_path):
    """As ``server``, but as of NOW."""
    stub = InProcessStub(tmp_path)
    stub("demo", "--now", NOW, "--vms", "2", "--weeks", "3", "--increments", "6")
    return stub


def run(oldest, stub, *arguments):
    """ansible-playbook of the oldest ansible-core, on localhost; modules run under the Python of the tests, behind them the stub."""
    leads = {"PRL_SDK_PYTHON": sys.executable, "PRL_SDK_PATH": str(STUB_SDK), "PRL_STUB_STATE": str(stub.state)}
    done = subprocess.run(
        [str(oldest / "ansible-playbook"), "-e", "ansible_python_interpreter=" + sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=environment(**leads),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout[-3000:]
    return done


def plain(value):
    """As JSON gives it back."""
    return json.loads(json.dumps(value))


def test_every_filter_answers_as_under_the_newest_core(oldest, fixed, tmp_path):
    values = {"policy": POLICY, "at": NOW, "overrides": OVERRIDES, "objective": OBJECTIVE}
    tasks = [
        {"prlsdk.core.prl_backup_info": {}, "register": "gathered"},
        {"prlsdk.core.prl_vm_info": {}, "register": "node"},
        # As a fact, which is how plays hold them.
        {"ansible.builtin.set_fact": {"answers": ASKED}},
        {
            "ansible.builtin.copy": {
                "content": "{{ {'answers': answers, 'gathered': gathered, 'node': node} | to_json }}",
                "dest": str(tmp_path / "said.json"),
            }
        },
    ]
    (tmp_path / "play.yml").write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": values, "tasks": tasks}])
    )
    done = run(oldest, fixed, tmp_path / "play.yml")
    assert done.returncode == 0, done.stdout[-3000:]
    said = json.loads((tmp_path / "said.json").read_text())
    answers, trees, node = said["answers"], said["gathered"]["backup_trees"], said["node"]
    plan, plans = retention_plan(trees, POLICY, NOW), retention_plan(trees, POLICY, NOW, OVERRIDES)
    assert plan["totals"]["counts"]["remove"] and plan["digest"] != plans["digest"], "there is something to plan"
    expected = {
        "plan": plan,
        "few_reasons": retention_plan(trees, POLICY, NOW, reasons="none"),
        "plans": plans,
        "listed": backup_list(trees),
        "compliance": backup_compliance(node["vms"], trees, OBJECTIVE, NOW, node=node["server"]["uuid"]),
        "not_read": backup_compliance(node["vms"], trees, OBJECTIVE, NOW, damaged=node["vms"][:1]),
    }
    assert set(answers) == set(expected)
    for name, answer in answers.items():
        assert answer == plain(expected[name]), name


@pytest.mark.parametrize(
    "template, says",
    [
        (
            "{{ [] | prlsdk.core.retention_plan({'daly': 7}) }}",
            "retention_plan: the policy has an unknown key 'daly'; did you mean daily?",
        ),
        ("{{ [] | prlsdk.core.retention_plan(nobody) }}", "retention_plan: policy is undefined"),
        ("{{ 1 | prlsdk.core.backup_list }}", "backup_list: backup_trees must be a list"),
    ],
)
def test_an_error_is_one_message(oldest, fixed, tmp_path, template, says):
    (tmp_path / "play.yml").write_text(
        json.dumps(
            [{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": template}}]}]
        )
    )
    done = run(oldest, fixed, tmp_path / "play.yml")
    assert done.returncode == 2 and says in done.stdout, done.stdout


def test_the_retention_role_plans_predicts_in_check_mode_and_applies_what_was_confirmed(oldest, server, tmp_path):
    variables = {"backup_retention_hosts": "localhost", "backup_retention_report_dir": str(tmp_path)}
    variables["backup_retention_policy"] = {"timezone": "UTC", "last": 5, "grace": "0h", "max_remove_share": 1.0}

    def report(*arguments, **more):
        done = run(oldest, server, "prlsdk.core.retention", "-e", json.dumps({**variables, **more}), *arguments)
        assert done.returncode == 0, done.stdout[-3000:]
        return json.loads((tmp_path / "localhost.json").read_text())

    planned = report()
    steps = [step["id"] for step in planned["plan"]["remove"]]
    predicted = report("--check", "--diff")
    assert steps and [backup["id"] for backup in predicted["applied"]] == steps
    assert not [call for call in server.calls() if call["mutating"]]
    applied = report(backup_retention_confirm=planned["plan"]["digest"])
    assert [backup["id"] for backup in applied["applied"]] == steps
    assert report()["status"] == "nothing"
    assert (tmp_path / "index.html").exists()


def test_the_compliance_role_judges_in_check_mode(oldest, server):
    done = run(
        oldest,
        server,
        ROOT / "playbooks" / "compliance.yml",
        "--check",
        "-e",
        json.dumps({"backup_compliance_hosts": "localhost"}),
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert not [call for call in server.calls() if call["mutating"]]


@pytest.mark.parametrize("module", ["prl_vm_info", "prl_backup_info", "prl_backup", "prl_event_wait"])
def test_a_python_that_is_too_old_for_the_modules_is_told_what_to_do(oldest, server, tmp_path, module):
    old = interpreters().get("2.7")
    if not old:
        pytest.skip("there is no Python 2.7")
    task = {"prlsdk.core." + module: {"state": "present", "vm": "x"} if module == "prl_backup" else {}}
    if module == "prl_event_wait":
        task = {"prlsdk.core.prl_event_wait": {"events": [{"type": "vm_*"}]}}
    book = tmp_path / "play.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    done = run(oldest, server, book, "-e", "ansible_python_interpreter=" + old)
    assert done.returncode == 2
    assert "need Python 3.6 or later on the target host" in done.stdout and "ansible_python_interpreter" in done.stdout
    assert "SyntaxError" not in done.stdout
