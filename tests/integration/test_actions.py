"""The actions as their users run them: ad hoc, with every keyword of a task, without the role."""

import json
import os
import pty
import subprocess
import sys
import time

import pytest
from ansible_collections.prlsdk.core.plugins.action.prl_backup_prune import ENTRY
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans
from prl_stub import store

from tests.harness import COLLECTIONS, STUB_SDK, ansible, playbook, run_module
from tests.integration.in_process import InProcessStub
from tests.integration.server import Vm, outcomes, raw_remove

POLICY = {"timezone": "UTC", "last": 5, "grace": "0h", "max_remove_share": 1.0}
PRUNE, CHECK, PAGE = (
    "prlsdk.core.prl_backup_prune",
    "prlsdk.core.prl_backup_compliance",
    "prlsdk.core.prl_retention_page",
)


@pytest.fixture
def server(tmp_path_factory):
    """Three VMs, vm-0001 to vm-0003, with three weekly chains each."""
    stub = InProcessStub(tmp_path_factory.mktemp("server"))
    stub(
        "demo",
        "--now",
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "--vms",
        "3",
        "--weeks",
        "3",
        "--increments",
        "6",
    )
    return stub


def mutating(stub):
    return [call["call"] for call in stub.calls() if call["mutating"]]


def ad_hoc(stub, module, **options):
    """(the status, the result, all output) of one ad hoc command."""
    done = ansible(stub, "localhost", "-m", module, *(["-a", json.dumps(options)] if options else []))
    assert "Traceback" not in done.stdout, done.stdout
    return done.returncode, json.loads(done.stdout[done.stdout.index("=> {") + 3 :]), done.stdout


def play(stub, tmp_path, tasks, *arguments, **keywords):
    """Run tasks on localhost."""
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([dict({"hosts": "localhost", "gather_facts": False, "tasks": tasks}, **keywords)]))
    done = playbook(stub, book, *arguments)
    assert "Traceback" not in done.stdout, done.stdout
    return done


@pytest.mark.parametrize("module", [PRUNE, "prl_backup_prune"], ids=["full name", "short name in the checkout"])
def test_a_policy_is_all_that_a_person_types_to_see_a_plan(server, module):
    status, result, said = ad_hoc(server, module, policy=POLICY)
    assert (
        status == 0
        and result["status"] == "planned"
        and not result["changed"]
        and result["report"] is None
        and mutating(server) == []
    )
    assert "── vm-0001 (vm): keep 5, remove 14" in result["lines"][0] and any(
        line.startswith("  digest  ") for line in result["lines"]
    )
    assert "add 'confirm: %s'" % result["digest"][:16] in result["message"]
    assert said.count("vm-0001 (vm): keep 5") == 1, "the result is shown by Ansible, and not twice"


def test_a_digest_applies_exactly_that_plan_and_a_second_run_changes_nothing(server):
    digest = ad_hoc(server, PRUNE, policy=POLICY)[1]["digest"]
    status, result, said = ad_hoc(server, PRUNE, policy=dict(POLICY, last=4), confirm=digest)
    assert status != 0 and result["status"] == "mismatch" and mutating(server) == []
    status, result, said = ad_hoc(server, PRUNE, policy=POLICY, confirm=digest)
    assert status == 0 and result["changed"] and result["status"] == "applied" and result["removed"]["backups"] == 42
    server("log", "--clear")
    status, result, said = ad_hoc(server, PRUNE, policy=POLICY, confirm=True)
    assert status == 0 and not result["changed"] and result["status"] == "nothing" and mutating(server) == []


def test_the_keywords_of_a_task_work(server, tmp_path):
    """module_defaults of the group, environment, loop, until, delegate_to, run_once, check_mode, register: in one play, without the harness's options."""
    leads = {"sdk_python": server.python, "sdk_path": str(STUB_SDK)}
    tasks = [
        {
            "name": "loop",
            PRUNE: {"policy": "{{ item }}", "show": "none"},
            "loop": [dict(POLICY, last=3), dict(POLICY, last=50)],
            "register": "looped",
        },
        {
            "name": "until",
            PRUNE: {"policy": POLICY},
            "register": "tried",
            "until": "tried.attempts >= 2",
            "retries": 3,
            "delay": 0,
        },
        {
            "name": "delegated",
            PRUNE: {"policy": POLICY},
            "delegate_to": "localhost",
            "run_once": True,
            "register": "delegated",
        },
        {"name": "check", PRUNE: {"policy": POLICY}, "check_mode": True, "diff": True, "register": "predicted"},
        {"name": "compliance", CHECK: {"objective": "26h", "fail": False}, "register": "checked"},
        {
            "ansible.builtin.copy": {
                "dest": str(tmp_path / "said.json"),
                "content": "{{ [looped.results, tried, delegated, predicted, checked] | to_json }}",
            }
        },
    ]
    server.options = dict  # nothing leads to the stub but the play
    done = play(
        server,
        tmp_path,
        tasks,
        module_defaults={"group/prlsdk.core.prlsdk": dict(leads, timeout=120)},
        environment={"PRL_STUB_STATE": str(server.state)},
        strategy="free",
    )
    assert done.returncode == 0, done.stdout[-4000:]
    looped, tried, delegated, predicted, checked = json.loads((tmp_path / "said.json").read_text())
    assert (
        [one["status"] for one in looped] == ["planned", "nothing"]
        and tried["attempts"] == 2
        and delegated["status"] == "planned"
    )
    assert predicted["status"] == "predicted" and predicted["changed"] and predicted["removed"]["backups"] == 42
    assert predicted["diff"]["before"].count("\n") == 57 and predicted["diff"]["after"].count("\n") == 15
    assert checked["compliant"] is False or checked["compliant"] is True
    assert mutating(server) == []
    assert (
        "localhost: Plan only, nothing was changed." in done.stdout
        and "── vm-0001 (vm): keep 5, remove 14" in done.stdout
    )


def give_to_another_node(stub, chain):
    """As if another node had made a chain of backups, on the same server."""
    state = store.Store(str(stub.state))
    with state.write() as db:
        db.execute(
            "UPDATE items SET server_uuid = ? WHERE chain IN (SELECT id FROM chains WHERE uuid = ?)",
            ("{bbbbbbbb-0000-4000-8000-00000000000b}", chain),
        )


def test_a_vm_that_is_declared_gone_loses_its_last_backup_and_one_that_is_registered_none(server):
    gone, stays = Vm(server, "vm-0001"), Vm(server, "vm-0002")
    server("vm", "remove", "vm-0001")
    options = {"policy": {"last": "all", "retire_after": "0h"}, "retired": [{"name": ["vm-0001", "vm-0002"]}]}
    status, result, said = ad_hoc(server, PRUNE, **options)
    assert (
        status == 0
        and result["totals"]["vms"] == {"nothing": 2, "planned": 0, "retired": 1, "refused": 0}
        and mutating(server) == []
    )
    assert "retired: vm-0001" in result["message"] and "vm-0002, which is registered" in " ".join(said.split())
    status, result, said = ad_hoc(server, PRUNE, confirm=result["digest"], **options)
    assert status == 0 and result["status"] == "applied" and result["removed"]["backups"] == 19
    assert not gone.ids() and len(stays.ids()) == 19


def test_a_vm_that_lives_on_another_node_keeps_what_that_one_has(server):
    moved = Vm(server, "vm-0001")
    server("vm", "remove", "vm-0001")
    give_to_another_node(server, moved.chains[-1][0])
    options = {"policy": {"last": "all", "retire_moved_after": "1h"}, "confirm": True}
    status, result, said = ad_hoc(server, PRUNE, **options)
    assert (
        status == 0
        and result["status"] == "applied"
        and result["removed"]["backups"] == len(moved.chains[0]) + len(moved.chains[1])
    )
    assert moved.ids() == set(moved.chains[-1])
    status, result, said = ad_hoc(server, PRUNE, **options)
    assert status == 0 and result["status"] == "nothing" and not result["changed"]


def test_a_vm_that_has_moved_keeps_its_newest_chain_where_the_other_node_has_none_any_more(server):
    """The other node's backups go after the plan was made: by a plan in the hand of somebody, and the module alone."""
    moved = Vm(server, "vm-0001")
    server("vm", "remove", "vm-0001")
    give_to_another_node(server, moved.chains[-1][0])
    trees = run_module("prl_backup_info", server, owner="this_node")["backup_trees"]
    plan = make_plans(trees, {"last": "all", "retire_moved_after": "1h"}, int(time.time()))
    raw_remove(server, moved.uuid, moved.chains[-1][0])
    entries = [{key: value for key, value in step.items() if key in ENTRY} for step in plan["remove"]]
    result = run_module("prl_backup", server, state="absent", backups=entries, on_error="continue")
    assert result["failed"] and outcomes(result) == [("removed", None), ("refused", "last_backup")]
    assert moved.ids() == set(moved.chains[1])


@pytest.mark.parametrize("more", [{"owner": "any"}, {"scope": "registered"}])
@pytest.mark.parametrize(
    "retiring", [{"retired": [{"name": "vm-0001"}]}, {"policy": dict(POLICY, retire_moved_after="30d")}]
)
def test_what_cannot_retire_any_vm_is_refused_before_the_server_is_asked(server, retiring, more):
    status, result, said = ad_hoc(server, PRUNE, **{"policy": POLICY, **retiring, **more})
    ((option, value),) = more.items()
    assert (
        status != 0
        and "needs %s to be" % option in result["msg"]
        and "not %s" % value in result["msg"]
        and server.calls() == []
    )


def test_a_policy_that_retires_nothing_may_have_any_owner(server):
    status, result, said = ad_hoc(server, PRUNE, policy=dict(POLICY, retire_moved_after="0h"), owner="any")
    assert status == 0 and result["status"] == "planned"


def test_async_is_refused(server, tmp_path):
    done = play(server, tmp_path, [{PRUNE: {"policy": POLICY}, "async": 60, "poll": 1}])
    assert done.returncode != 0 and "async" in done.stdout and server.calls() == []


def test_an_unreachable_host_is_told_as_such_and_has_its_report(server, tmp_path):
    inventory = tmp_path / "inventory.yml"
    lost = {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": 9,
        "ansible_ssh_common_args": "-o BatchMode=yes",
    }
    inventory.write_text(json.dumps({"all": {"hosts": {"lost": lost}}}))
    tasks = [
        {
            PRUNE: {"policy": POLICY, "report_dir": str(tmp_path / "reports")},
            "ignore_unreachable": True,
            "register": "pruned",
        },
        {
            CHECK: {"objective": "26h", "report_dir": str(tmp_path / "checks")},
            "ignore_unreachable": True,
            "register": "checked",
        },
        {
            "ansible.builtin.assert": {
                "that": ["pruned is unreachable", "checked is unreachable", "pruned.status == 'failed'"]
            }
        },
    ]
    done = play(server, tmp_path, tasks, "-i", inventory, hosts="lost")
    assert done.returncode == 0 and "ignored=2" in done.stdout, done.stdout
    report = json.loads((tmp_path / "reports" / "lost.json").read_text())
    assert report["status"] == "failed" and report["message"].startswith(
        "The host could not be reached to gather its backups."
    )
    assert json.loads((tmp_path / "checks" / "lost.json").read_text())["error"].startswith(
        "The host could not be reached."
    )
    done = playbook(
        server,
        "prlsdk.core.retention",
        "-i",
        inventory,
        "-e",
        json.dumps({"backup_retention_policy": POLICY, "backup_retention_report_dir": str(tmp_path / "role")}),
    )
    assert (
        done.returncode != 0
        and "failed=1" in done.stdout
        and (tmp_path / "role" / "lost.json").exists()
        and (tmp_path / "role" / "index.html").exists()
    )


def test_a_module_that_cannot_start_says_how_it_ended(server, tmp_path):
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        json.dumps(
            {"all": {"hosts": {"node": {"ansible_connection": "local", "ansible_python_interpreter": "/bin/false"}}}}
        )
    )
    done = play(server, tmp_path, [{PRUNE: {"policy": POLICY}}], "-i", inventory, hosts="node")
    assert (
        done.returncode != 0 and "could not be run on node: /bin/false ended with status 1. If that is" in done.stdout
    ), done.stdout


def test_a_password_that_is_in_the_packed_text_by_chance_costs_nothing(server):
    """Ansible masks it in every text of a result; one of a single character is nearly everywhere."""
    server("server", "add", "backup", "--host", "backup.example", "--user", "root", "--password", "A")
    storage = {"host": "backup.example", "username": "root", "password": "A"}
    status, result, said = ad_hoc(server, PRUNE, policy=POLICY, storage=storage, owner="any")
    assert status == 0 and result["status"] == "nothing", said


@pytest.mark.parametrize(
    "module, options, says",
    [
        (PRUNE, {}, "No retention policy is set"),
        (PRUNE, {"policy": {"dayly": 7}}, "did you mean daily?"),
        (PRUNE, {"policy": POLICY, "confirm": "maybe"}, "confirm is 'maybe', which is no confirmation"),
        (PRUNE, {"policy": POLICY, "ownr": "any"}, "ownr"),
        (PRUNE, {"policy": POLICY, "show": "some"}, "show: there is no 'some'; there are auto"),
        (CHECK, {"objective": {"rp": "1h"}}, "did you mean rpo?"),
        (CHECK, {}, "missing required arguments: objective"),
        (CHECK, {"objective": "26h", "new_vm_grace": "soon"}, "new_vm_grace: 'soon' is not a duration"),
        (CHECK, {"objective": "26h", "now": "tomorrow"}, "now: 'tomorrow' is not an instant"),
        (PAGE, {"report_dir": "", "hosts": []}, "report_dir is empty"),
        (PAGE, {"report_dir": "x", "hosts": [], "since": "yesterday"}, "since: 'yesterday' is not an instant"),
    ],
)
def test_a_wrong_option_ends_before_the_server_is_asked(server, module, options, says):
    status, result, said = ad_hoc(server, module, **options)
    assert status != 0 and says in result["msg"], said
    assert server.calls() == []


def test_a_password_is_in_no_output_and_no_report(server, tmp_path):
    """At the highest verbosity, with a good run and a failing one."""
    secret = "c0rrect-h0rse"
    server("server", "add", "backup", "--host", "backup.example", "--user", "root", "--password", secret)
    storage = {"host": "backup.example", "username": "root", "password": secret}
    folder = str(tmp_path / "reports")
    tasks = [
        {PRUNE: {"policy": POLICY, "owner": "any", "storage": storage, "report_dir": folder, "confirm": True}},
        {CHECK: {"objective": "26h", "storage": storage, "report_dir": str(tmp_path / "checks"), "fail": False}},
        {PRUNE: {"policy": {"dayly": 1}, "storage": storage, "report_dir": folder}},
    ]
    done = play(server, tmp_path, tasks, "-vvvv")
    (tmp_path / "book.yml").unlink()
    assert "did you mean daily?" in done.stdout and "ok=2" in done.stdout, done.stdout[-3000:]
    assert secret not in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


TELL = """
from ansible.utils.display import Display
from ansible_collections.prlsdk.core.plugins.plugin_utils._action import ControllerAction
action = ControllerAction.__new__(ControllerAction)
action._display = Display()
action.tell("node: removed 1 of 2 backups", "web\\x1b[31m")
"""


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_lines_for_people_go_to_standard_error_and_steer_no_terminal(server, terminal):
    ours, theirs = pty.openpty() if terminal else os.pipe()
    environment = server.environment(PYTHONPATH=str(COLLECTIONS))
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )
    shown = os.read(ours, 4096).decode()
    os.close(theirs)
    os.close(ours)
    assert shown.splitlines() == ["node: removed 1 of 2 backups", "web\\x1b[31m"] and done.stdout == b""


# --- compliance


def test_a_new_vm_has_a_grace_from_the_second_run_on(server, tmp_path):
    options = {
        "objective": "26h",
        "new_vm_grace": "24h",
        "state_dir": str(tmp_path / "state"),
        "metrics_dir": str(tmp_path / "metrics"),
    }
    server("vm", "add", "first")
    status, result, said = ad_hoc(server, CHECK, **options)
    assert status != 0 and [vm["vm"]["name"] for vm in result["vms"] if vm["findings"][0]["code"] == "never"] == [
        "first"
    ]
    assert "There is no state file" in said
    server("vm", "add", "second")
    status, result, said = ad_hoc(server, CHECK, **options, exclude=[{"name": "first"}])
    assert status == 0 and [(vm["vm"]["name"], vm["findings"][0]["code"]) for vm in result["vms"]] == [
        ("second", "new")
    ], said
    text = (tmp_path / "metrics" / "localhost.prom").read_text()
    assert 'name="second",type="vm",code="new",severity="notice"} 1' in text and text.endswith("# EOF\n")
    assert (tmp_path / "metrics" / "localhost.prom").stat().st_mode & 0o777 == 0o644
    (tmp_path / "state" / "localhost.json").write_text("{}")
    status, result, said = ad_hoc(server, CHECK, **options)
    assert status != 0 and "Correct it, or remove it to begin anew." in result["msg"]


# --- the page


def test_the_page_has_the_hosts_that_it_was_asked_for_and_no_old_or_broken_report_costs_it(server, tmp_path):
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"vars": local, "hosts": {"good": {}, "old": {}, "other": {}}}}))
    reports = tmp_path / "reports"
    done = play(
        server,
        tmp_path,
        [{PRUNE: {"policy": POLICY, "report_dir": str(reports), "show": "none"}}],
        "-i",
        inventory,
        hosts="all",
    )
    assert done.returncode == 0, done.stdout
    old = json.loads((reports / "old.json").read_text())
    (reports / "old.json").write_text(json.dumps(dict(old, started="2026-01-01T00:00:00Z")))
    (reports / "text.json").write_text("no JSON")
    (reports / "odd.json").write_text(json.dumps(dict(old, host="odd", plan={"vms": [{"vm": 7}]})))
    hosts = ["good", "old", "text", "odd", "lost"]
    status, result, said = ad_hoc(
        server, PAGE, report_dir=str(reports), hosts=hosts, since="2026-06-01T00:00:00Z", title="<b>All</b>"
    )
    assert status == 0 and result["hosts_without_report"] == ["old", "text", "odd", "lost"] and not result["changed"]
    page = (reports / "index.html").read_text()
    assert all("<bdi>%s</bdi>" % host in page for host in hosts) and "<bdi>other</bdi>" not in page
    assert (
        "4 of 5 hosts have no report." in page
        and page.count("The report of the host cannot be read") == 2
        and "&lt;b&gt;All&lt;/b&gt;" in page
    )


def test_the_page_shows_what_the_check_wrote_and_refuses_one_folder_for_both(server, tmp_path):
    reports, checks = str(tmp_path / "reports"), str(tmp_path / "checks")
    done = play(
        server,
        tmp_path,
        [
            {CHECK: {"objective": "1h", "report_dir": checks, "fail": False}},
            {PRUNE: {"policy": POLICY, "report_dir": reports, "show": "none"}},
        ],
    )
    assert done.returncode == 0, done.stdout
    status, _result, said = ad_hoc(server, PAGE, report_dir=reports, compliance_dir=checks, hosts=["localhost"])
    page = (tmp_path / "reports" / "index.html").read_text()
    assert status == 0 and "VMs and containers do not comply." in page and "the newest restorable backup is" in page
    (tmp_path / "checks" / "localhost.json").write_text("no JSON")
    assert ad_hoc(server, PAGE, report_dir=reports, compliance_dir=checks, hosts=["localhost"])[0] == 0
    assert (
        "Compliance: The report of the compliance check cannot be read."
        in (tmp_path / "reports" / "index.html").read_text()
    )
    status, result, said = ad_hoc(server, PAGE, report_dir=reports, compliance_dir=reports, hosts=["localhost"])
    assert status != 0 and "compliance_dir and report_dir are the same folder" in result["msg"]


def test_what_a_server_says_is_templated_nowhere(server, tmp_path):
    """A VM whose name is a template, through every way of both actions and the page."""
    name = "{{ lookup('pipe', 'touch %s') }}" % (tmp_path / "pwned")
    for vm in ("vm-0001", "vm-0002"):
        server("vm", "set", vm, "--name", name + vm)
    folders = {name: str(tmp_path / name) for name in ("retention", "checks", "metrics")}
    tasks = [
        {
            PRUNE: {"policy": POLICY, "confirm": True, "report_dir": folders["retention"], "show": "all"},
            "diff": True,
            "register": "pruned",
        },
        {
            CHECK: {"objective": "1h", "report_dir": folders["checks"], "metrics_dir": folders["metrics"]},
            "register": "checked",
            "ignore_errors": True,
        },
        {PAGE: {"report_dir": folders["retention"], "hosts": ["localhost"]}},
        {"ansible.builtin.debug": {"msg": "{{ pruned }} {{ checked }}"}},
    ]
    done = play(server, tmp_path, tasks)
    assert done.returncode == 0 and "touch" in done.stdout, done.stdout
    assert not (tmp_path / "pwned").exists()
