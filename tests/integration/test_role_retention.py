"""The role backup_retention as its users run it: what it says, what it removes, and what a run leaves that did not come to its end."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.harness import BIN, ROOT, playbook
from tests.integration.in_process import InProcessStub

BOOK = "prlsdk.core.retention"
POLICY = {"timezone": "UTC", "last": 5, "grace": "0h", "max_remove_share": 1.0}


@pytest.fixture
def stub(tmp_path_factory):
    """As conftest.py's, but near."""
    return InProcessStub(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(stub):
    """Three VMs, vm-0001 to vm-0003, with three weekly chains each."""
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


def extra(reports, policy=None, **options):
    """Arguments of a run on localhost."""
    variables = {
        "backup_retention_hosts": "localhost",
        "backup_retention_report_dir": str(reports),
        "backup_retention_policy": policy or POLICY,
    }
    variables.update({"backup_retention_" + name: value for name, value in options.items()})
    return ["-e", json.dumps(variables)]


def retention(stub, reports, *more, policy=None, **options):
    """One run: its status, its output on one line for each message, and the report of the host."""
    done = playbook(stub, BOOK, *extra(reports, policy, **options), *more)
    assert "Traceback" not in done.stdout, done.stdout[-3000:]
    report = reports / "localhost.json"
    return done.returncode, done.stdout, json.loads(report.read_text()) if report.exists() else None


def ids(stub, server=None):
    """The ids of all backups on the server."""
    return set(re.findall(r"<Id>([^<]+)</Id>", stub("tree", *(["--server", server] if server else []))))


def going(report):
    """The ids of all backups that go by the plan of a report."""
    return {gone["id"] for step in report["plan"]["remove"] for gone in step["removes"]}


def mutating(stub):
    return [call["call"] for call in stub.calls() if call["mutating"]]


def test_a_policy_alone_shows_and_removes_nothing_then_its_digest_applies_it_then_nothing_is_left_to_do(
    server, tmp_path
):
    reports = tmp_path / "reports"
    before = ids(server)
    status, said, planned = retention(server, reports)
    assert status == 0 and "changed=0" in said
    assert mutating(server) == [] and ids(server) == before
    assert "Plan only, nothing was changed." in said
    modes = {path.name: path.stat().st_mode & 0o7777 for path in [reports, *reports.iterdir()]}
    assert modes == {"reports": 0o750, "localhost.json": 0o640, "index.html": 0o640}
    assert planned["status"] == "planned" and planned["applied"] is None
    digest = planned["plan"]["digest"]
    assert "backup_retention_confirm=" + digest[:16] in said

    status, said, refused = retention(server, reports, confirm="0" * 64)
    assert status != 0 and mutating(server) == []
    assert "The plan is not the one that was confirmed, so nothing was removed." in said and digest[:16] in said
    assert refused["status"] == "mismatch"

    status, said, predicted = retention(server, reports, "--check", "--diff")
    assert status == 0 and mutating(server) == [] and ids(server) == before
    steps = [step["id"] for step in planned["plan"]["remove"]]
    assert [backup["id"] for backup in predicted["applied"]] == steps
    assert {backup["outcome"] for backup in predicted["applied"]} == {"removed"}
    assert "Check mode, nothing was changed." in said
    gone = re.findall(r"^-\S+ (\{\S+)", said, re.M)
    assert sorted(gone) == sorted(gone["id"] for step in planned["plan"]["remove"] for gone in step["removes"]), (
        "--diff shows what goes"
    )

    status, said, applied = retention(server, reports, confirm=digest[:12])
    assert status == 0 and "changed=1" in said and "Removed " in said
    assert [backup["id"] for backup in applied["applied"]] == steps
    assert applied["status"] == "applied" and applied["plan"]["digest"] == digest

    server("log", "--clear")
    status, said, again = retention(server, reports, confirm="true")
    assert status == 0 and "changed=0" in said and mutating(server) == []
    assert again["status"] == "nothing" and again["message"] in said
    assert again["message"] == "Nothing to remove: all %d backups of 3 VMs are kept." % len(ids(server))


def test_a_refused_vm_stays_whole_the_others_are_pruned_and_the_run_fails(server, tmp_path):
    status, said, report = retention(
        server,
        tmp_path,
        confirm=True,
        overrides=[{"name": "careful", "match": {"name": "*1"}, "policy": {"max_remove": 1}}],
        exclude=[{"name": "*2"}],
    )
    assert status != 0, said
    by_status = {vm["status"] for vm in report["plan"]["vms"]}
    assert by_status == {"refused", "planned"} and len(report["plan"]["excluded"]) == 1
    refused = next(vm for vm in report["plan"]["vms"] if vm["status"] == "refused")
    assert refused["group"] == "careful" and refused["guard"]["name"] == "max_remove"
    assert "A guard refused the removal of" in said and '"max_remove"' in said.replace("\\", "")
    touched = {backup["vm"] for backup in report["applied"]}
    assert touched == {vm["vm"]["uuid"] for vm in report["plan"]["vms"] if vm["status"] == "planned"}

    server("log", "--clear")
    status, said, report = retention(
        server, tmp_path, confirm=True, policy=dict(POLICY, last=2, max_remove=1), on_refused="stop"
    )
    assert status != 0 and mutating(server) == [] and report["status"] == "guarded"
    assert "backup_retention_on_refused is stop" in said
    status, said, checked = retention(
        server, tmp_path, "--check", confirm=True, policy=dict(POLICY, last=2, max_remove=1), on_refused="stop"
    )
    assert status != 0 and (checked["status"], checked["message"]) == (report["status"], report["message"])


@pytest.mark.parametrize("fault", [("crash", "KILL"), ("fail", "PRL_ERR_FAILURE")])
def test_a_removal_that_breaks_off_is_reported_and_finished_by_the_next_run(server, tmp_path, fault):
    before = ids(server)
    server("fault", "add", "remove_vm_backup", "lose", "--nth", "1")  # the module logs in again and goes on
    server("fault", "add", "remove_vm_backup", *fault, "--nth", "3")
    status, said, report = retention(server, tmp_path, confirm=True, on_error="stop")
    assert status != 0, said
    assert report["status"] == "failed" and report["message"]
    outcomes = [backup["outcome"] for backup in report["applied"]]
    assert outcomes[0] == "removed" and outcomes[1] != "removed" and "The next run" in said
    stays = before - going(report)
    assert ids(server) > stays
    status, said, report = retention(server, tmp_path, confirm=True)
    assert status == 0 and report["status"] == "applied"
    assert ids(server) == stays, "nothing is left to do"


def test_a_killed_run_leaves_a_report_that_says_so_and_the_next_run_finishes(server, tmp_path):
    before = ids(server)
    server("fault", "add", "remove_vm_backup", "hang", "20", "--nth", "2")
    leads = {"PRL_" + key.upper(): value for key, value in server.options().items()}
    with subprocess.Popen(
        [str(BIN / "ansible-playbook"), BOOK, *extra(tmp_path, confirm=True)],
        cwd=ROOT,
        env=server.environment(**leads),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        for _wait in range(600):
            if "remove_vm_backup" in mutating(server):
                break
            time.sleep(0.2)
        os.killpg(run.pid, signal.SIGKILL)
    report = json.loads((tmp_path / "localhost.json").read_text())
    assert report["status"] == "running" and report["finished"] is None and "interrupted" in report["message"]
    assert report["plan"]["remove"], "the plan of the interrupted run is in its report"
    stays = before - going(report)
    assert ids(server) > stays
    server("fault", "clear")
    status, said, report = retention(server, tmp_path, confirm=True)
    assert status == 0, said
    assert ids(server) == stays, "nothing is left to do"


@pytest.mark.parametrize(
    "options, says",
    [
        ({"policy": {"dayly": 7}}, "backup_retention_policy: unknown key 'dayly'; did you mean daily?"),
        ({"confirm": "perhaps"}, "which is no confirmation"),
        (
            {"overrides": [{"name": "db", "match": {"name": "db-*"}, "policy": {"max_remove_total": 1}}]},
            "set it in the default policy",
        ),
        ({"exclude": [{}]}, "backup_retention_exclude[0] is empty and would fit every VM"),
        ({"show": "some"}, "backup_retention_show: there is no 'some'"),
    ],
)
def test_a_wrong_option_ends_before_the_server_is_asked(stub, tmp_path, options, says):
    status, said, report = retention(stub, tmp_path, **options)
    assert status != 0 and says in said
    assert stub.calls() == []
    if "show" in options:  # refused before the action knows where reports go
        assert report is None
    else:
        assert report["status"] == "failed" and says in report["message"] and "Error while" not in report["message"]
        assert ("Nothing was changed." in report["message"]) == ("confirm" not in options)


def test_without_a_policy_or_an_sdk_the_message_says_what_to_do(stub, tmp_path):
    done = playbook(
        stub,
        BOOK,
        "-e",
        json.dumps({"backup_retention_hosts": "localhost", "backup_retention_report_dir": str(tmp_path)}),
    )
    assert done.returncode != 0 and "No retention policy is set" in done.stdout
    assert json.loads((tmp_path / "localhost.json").read_text())["status"] == "failed"
    stub.options = lambda: {"sdk_python": stub.python, "sdk_path": str(tmp_path / "nowhere")}
    done = playbook(stub, BOOK, *extra(tmp_path))
    assert done.returncode != 0 and "nowhere" in done.stdout
    report = json.loads((tmp_path / "localhost.json").read_text())
    assert report["status"] == "failed" and report["plan"] is None and report["message"]


TREE = """<BackupTree dyn_lists="VmItem 1" id="-1"><VmItem dyn_lists="BackupItem %(count)d" id="0"><VmType>0</VmType><Uuid>%(vm)s</Uuid>
<Name>%(name)s</Name><Version>5</Version>%(chains)s</VmItem></BackupTree>"""
CHAIN = """<BackupItem dyn_lists="TibFileList" id="%(number)d"><Uuid>%(chain)s</Uuid><Id>%(chain)s</Id><Host>%(host)s</Host><ServerUuid>%(server)s</ServerUuid>
<DateTime>2026-0%(month)d-01 03:00:00</DateTime><Creator>root</Creator><Size>1000000</Size><Type>f</Type><Description></Description>
<TibFileList>harddisk.hdd.qcow2</TibFileList><OriginalSize>0</OriginalSize><BundlePermissions>0</BundlePermissions></BackupItem>"""


def uuid(kind, node, number=0):
    return "{%08x-%04x-4000-8000-%012x}" % (kind, node, number)


def test_the_wait_ends_at_once_where_the_backup_is_there_and_tells_when_none_came(server, tmp_path):
    status, said, report = retention(server, tmp_path, wait=[{"vm": "vm-0001", "newer_than": "30d"}])
    assert status == 0 and report["status"] == "planned", said
    status, said, report = retention(
        server, tmp_path, wait=[{"vm": "vm-0001", "newer_than": "1min"}], wait_timeout=2, confirm=True
    )
    assert status != 0 and "No backup newer than 1min of vm-0001 came within 2 seconds" in said
    assert report["status"] == "failed" and mutating(server) == []
    status, said, report = retention(
        server, tmp_path, wait=[{"vm": "vm-0001", "newer_than": "30d"}, {"vm": "nowhere", "newer_than": "1d"}]
    )
    assert (
        status != 0
        and report["status"] == "failed"
        and "nowhere" in report["message"]
        and "One or more items failed" not in report["message"]
    )


def test_a_backup_that_somebody_writes_after_the_plan_is_looked_for_again_and_not_said_to_be_gone(server, tmp_path):
    """One chain comes back while the role looks; another that does not is named."""
    chains = sorted(identity for identity in ids(server) if "." not in identity)
    _status, _said, report = retention(server, tmp_path)
    kept = {backup["chain"] for vm in report["plan"]["vms"] for backup in vm["backups"] if backup["verdict"] == "keep"}
    first, second = [chain for chain in chains if chain in kept][:2]
    server("log", "--clear")
    server("fault", "add", "remove_vm_backup", "delay", "5", "--nth", "2")
    leads = {"PRL_" + key.upper(): value for key, value in server.options().items()}
    with subprocess.Popen(
        [str(BIN / "ansible-playbook"), BOOK, *extra(tmp_path, confirm=True, busy_timeout=10)],
        cwd=ROOT,
        env=server.environment(**leads),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        wait_for(lambda: "remove_vm_backup" in mutating(server))
        server("lock", first, "writing")
        server("lock", second, "writing")
        logins = sum(call["call"] == "login_local" for call in server.calls())
        wait_for(lambda: sum(call["call"] == "logoff" for call in server.calls()) > logins + 1)
        server("unlock", first)
        said = run.communicate(timeout=300)[0]
    report = json.loads((tmp_path / "localhost.json").read_text())
    assert run.returncode != 0 and report["status"] == "failed", said[-3000:]
    assert "backups that the plan keeps are not in the list (removed, or in use): " in report["message"], report[
        "message"
    ]
    assert second in report["message"] and first not in report["message"] and "gone" not in report["message"]


def damage(stub, name, *when):
    """Give this VM's answers a text that is none."""
    broken = stub.state.parent / "broken.xml"
    broken.write_text("<BackupTree><VmItem>")
    stub("fault", "add", "get_backup_tree", "answer", broken, "--match", vm_uuid(stub, name), *when)


def vm_uuid(stub, name):
    return re.search("<Uuid>([^<]+)</Uuid>\\s*<Name>%s</Name>" % name, stub("tree"))[1]


def test_a_vm_whose_backups_cannot_be_read_stays_whole_and_is_named(server, tmp_path):
    damage(server, "vm-0002", "--always")
    status, said, report = retention(server, tmp_path, scope="registered", confirm=True)
    assert status != 0 and report["status"] == "failed" and mutating(server) == [], said
    assert "The backups of VM vm-0002 (" in report["message"]
    status, said, report = retention(server, tmp_path, scope="registered", confirm=True, on_damaged="skip")
    assert status == 0 and report["status"] == "applied", said
    assert [vm["vm"]["name"] for vm in report["plan"]["vms"]] == ["vm-0001", "vm-0003"]
    assert [one["name"] for one in report["plan"]["damaged"]] == ["vm-0002"]
    assert {backup["vm"] for backup in report["applied"]} == {vm_uuid(server, name) for name in ("vm-0001", "vm-0003")}
    assert "Nothing was planned for vm-0002, because it is not known which backups it has." in report["message"]
    assert (
        " ".join(said.split()).count("nothing is planned for vm-0002") == 1
        and "[WARNING]: The backups of VM" not in said
    ), said


def test_after_a_removal_a_vm_that_cannot_be_read_is_unknown_and_not_missing(server, tmp_path):
    """It is read once for the plan, lets nothing go, and then is looked at again only by the verification."""
    damage(server, "vm-0002", "--nth", "2", "--always")
    whole = [{"name": "whole", "match": {"name": "vm-0002"}, "policy": {"last": "all"}}]
    status, said, report = retention(
        server, tmp_path, scope="registered", confirm=True, overrides=whole, busy_timeout=0
    )
    assert status != 0 and report["status"] == "failed" and report["applied"], said
    assert report["message"].startswith(
        "The removal was reported as done, and what could be read is as planned. What is there of vm-0002 now is "
    )
    assert "not in the list" not in report["message"]


def wait_for(true):
    for _wait in range(600):
        if true():
            return
        time.sleep(0.2)
    raise AssertionError("it did not come")


def test_names_of_hosts_that_are_no_file_names_hosts_without_a_report_and_selectors_that_fit_nothing(server, tmp_path):
    inventory = tmp_path / "inventory.yml"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(
        json.dumps(
            {
                "all": {
                    "vars": local,
                    "hosts": {"rack1/n4": {}, "Rack1/N4": {}, "late": {"backup_retention_show": "some"}},
                }
            }
        )
    )
    done = playbook(
        server,
        BOOK,
        "-i",
        inventory,
        *extra(
            tmp_path / "reports",
            hosts="all",
            exclude=[{"name": "stagng-*"}],
            overrides=[{"name": "db", "match": {"name": "bd-*"}, "policy": {"last": 9}}],
        ),
    )
    assert "rack1/n4                   : ok=" in done.stdout and "failed=1" in done.stdout, done.stdout[-3000:]
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {
        "rack1%2fn4.json",
        "%52ack1%2f%4e4.json",
        "index.html",
    }
    for host, name in (("rack1/n4", "rack1%2fn4.json"), ("Rack1/N4", "%52ack1%2f%4e4.json")):
        report = json.loads((tmp_path / "reports" / name).read_text())
        assert report["host"] == host and report["status"] == "planned"
    assert "unused: no VM of this host that has backups fits override db, exclusion name=stagng-*" in done.stdout
    page = (tmp_path / "reports" / "index.html").read_text()
    assert "<bdi>late</bdi>" in page and "no report" in page and "This run has no report of the host." in page


def test_where_reports_cannot_be_written_nothing_is_asked_and_a_page_that_fails_takes_no_end_away(server, tmp_path):
    (tmp_path / "file").write_text("")
    done = playbook(server, BOOK, *extra(tmp_path / "file" / "reports", confirm=True))
    assert done.returncode != 0 and server.calls() == []
    assert (
        "backup_retention_report_dir: the reports cannot be written to" in done.stdout
        and "the page of all hosts could not be written" not in done.stdout
    ), done.stdout[-3000:]

    (tmp_path / "index.html" / "report.html.j2").mkdir(parents=True)
    status, said, report = retention(server, tmp_path)
    assert status != 0 and report["status"] == "planned", said
    assert "Plan only, nothing was changed." in said and "the page of all hosts could not be written to" in said


def test_fifty_hosts_that_share_a_backup_server_prune_their_own_and_nothing_else(stub, tmp_path):
    """Ten at a time have six chains each of the same VM there, and prune them at once; those of the 51st node, not in the play, stay whole."""
    nodes = range(1, 51)
    stub("server", "add", "backup", "--host", "backup.example", "--user", "root", "--password", "secret")
    for node in [*nodes, 51]:
        stub("server", "add", "node-%d" % node, "--host", "node-%d.example" % node, "--uuid", uuid(1, node))
    for vm in range(5):
        sharers = [*range(10 * vm + 1, 10 * vm + 11), 51]
        chains = "".join(
            CHAIN
            % {
                "number": number,
                "chain": uuid(3, node, 10 * vm + number),
                "host": "node-%d" % node,
                "server": uuid(1, node),
                "month": number + 1,
            }
            for node in sharers
            for number in range(6)
        )
        tree = tmp_path / "tree.xml"
        tree.write_text(TREE % {"count": 6 * len(sharers), "vm": uuid(2, vm), "name": "vm-%d" % vm, "chains": chains})
        stub("load", tree, "--server", "backup")
    others = {uuid(3, 51, 10 * vm + number) for vm in range(5) for number in range(6)}
    assert len(ids(stub, "backup")) == 50 * 6 + len(others)
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        json.dumps(
            {
                "all": {
                    "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
                    "hosts": {"node-%d" % node: {} for node in nodes},
                }
            }
        )
    )
    book = tmp_path / "book.yml"
    book.write_text(
        json.dumps(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "environment": {"PRL_STUB_NODE": "{{ inventory_hostname }}"},
                    "roles": ["prlsdk.core.backup_retention"],
                }
            ]
        )
    )
    storage = {"host": "backup.example", "username": "root", "password": "secret"}
    policy = {"last": 1, "grace": "0h", "max_remove_share": 1.0}
    options = extra(tmp_path / "reports", policy=policy, confirm=True, storage=storage, show="totals", report=False)
    done = playbook(stub, book, "-i", inventory, "--forks", "10", *options)
    assert done.returncode == 0, done.stdout[-3000:]
    assert ids(stub, "backup") == {uuid(3, node, (node - 1) // 10 * 10 + 5) for node in nodes} | others
    assert "secret" not in done.stdout
