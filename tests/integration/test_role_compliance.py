"""The role backup_compliance on the stub: what it says, what it writes, that it changes nothing, and when it fails."""

import json
import sys

import pytest
import yaml
from lxml import etree

from tests.harness import ROOT, playbook, run_module

NOW = "2026-11-22T06:00:00Z"
ROLE = ROOT / "roles" / "backup_compliance"


def compliance(node, *arguments, **variables):
    variables = dict({"backup_compliance_now": NOW, "backup_compliance_hosts": "localhost"}, **variables)
    return playbook(node, ROOT / "playbooks" / "compliance.yml", "-e", json.dumps(variables), *arguments)


def test_the_role_fails_and_names_the_worst(node):
    done = compliance(node)
    assert done.returncode == 2, done.stdout
    assert "1 of 29 VMs and containers do not comply: fresh-install (never backed up)." in done.stdout
    assert "decommissioned-win2008" in done.stdout, "orphans are in the table"
    assert "changed=0" in done.stdout
    assert not [call for call in node.calls() if call["mutating"]]


def test_files_change_only_when_the_result_does_and_check_mode_writes_none(node, tmp_path):
    folder = tmp_path / "reports"
    node("vm", "add", '<script>alert("1")</script> & more')
    settings = {
        "backup_compliance_report_dir": str(folder),
        "backup_compliance_fail": False,
        "backup_compliance_exclude": [{"name": ["dns-*"]}],
    }
    done = compliance(node, "--check", **settings)
    assert done.returncode == 0, done.stdout
    assert not folder.exists()
    done = compliance(node, **settings)
    assert done.returncode == 0, done.stdout
    assert "changed=1" in done.stdout
    modes = {path.name: path.stat().st_mode & 0o7777 for path in [folder, *folder.iterdir()]}
    assert modes == {"reports": 0o750, "localhost.json": 0o640, "localhost.junit.xml": 0o640}
    result = json.loads((folder / "localhost.json").read_text())
    assert result["compliant"] is False and result["totals"]["findings"]["never"] == 2
    suite = etree.parse(folder / "localhost.junit.xml").getroot()[0]
    names = {case.get("name"): case for case in suite}
    assert suite.get("tests") == "31" and suite.get("failures") == "2" and suite.get("skipped") == "2"
    assert names['<script>alert("1")</script> & more'].find("failure").get("type") == "never"
    assert names["decommissioned-win2008"].find("system-out") is not None
    done = compliance(node, **dict(settings, backup_compliance_now="2026-11-22T06:05:00Z"))
    assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout


def test_two_hosts_never_share_a_file_and_the_mode_of_a_folder_that_is_there_stays(node, tmp_path):
    hosts = {"db 1": "db%201", "db_1": "db_1", "узел": "%d1%83%d0%b7%d0%b5%d0%bb", "база": "%d0%b1%d0%b0%d0%b7%d0%b0"}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    good = {"backup_compliance_exclude": [{"name": "fresh-install"}]}
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        json.dumps({"all": {"vars": local, "hosts": {host: {} if host == "db 1" else good for host in hosts}}})
    )
    folder = tmp_path / "reports"
    folder.mkdir(mode=0o711)
    done = compliance(node, "-i", inventory, backup_compliance_hosts="all", backup_compliance_report_dir=str(folder))
    assert {path.name for path in folder.iterdir()} == {
        name + suffix for name in hosts.values() for suffix in (".json", ".junit.xml")
    }, done.stdout
    for host, name in hosts.items():
        result, suite = files(folder, name)
        assert result["host"] == suite.get("name") == host
        assert result["compliant"] == (suite.get("failures") == "0") == (host != "db 1"), "a good host hides no bad one"
    assert folder.stat().st_mode & 0o7777 == 0o711


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"backup_compliance_objective": {"rpo": "26"}}, "objective.rpo: '26' is ambiguous as a duration"),
        (
            {"backup_compliance_overrides": [{"match": {"name": "web-*"}, "objective": {"rpo": "0h"}}]},
            "overrides[0].objective.rpo is nothing",
        ),
        ({"backup_compliance_fail_on": ["rp0"]}, "backup_compliance_fail_on: there is no 'rp0'; there are no_vms,"),
        (
            {"backup_compliance_overides": []},
            "backup_compliance_overides is set, which is no variable of the role. Did you mean backup_compliance_overrides?",
        ),
    ],
)
def test_bad_input_is_one_clear_message(node, settings, said):
    done = compliance(node, **settings)
    assert done.returncode == 2, done.stdout
    assert said in done.stdout.replace('\\"', '"').replace("\\'", "'") and "Traceback" not in done.stdout, done.stdout


def test_overrides_and_a_full_that_is_due(node):
    overrides = [
        {"name": "web", "match": {"name": "web-*"}, "objective": {"rpo": "1h", "max_chain_length": 4}},
        {"name": "typing-error", "match": {"name": "dbb-*"}, "objective": {"rpo": "1h"}},
    ]
    done = compliance(node, backup_compliance_overrides=overrides, backup_compliance_fail_on=["never", "rpo"])
    assert "7 of 29 VMs and containers do not comply" in done.stdout, done.stdout
    assert "a full is due" in done.stdout
    assert "No VM or container of this host fits the override typing-error." in done.stdout


def test_texts_that_say_false_are_false(node):
    """As ``-e backup_compliance_fail=false`` makes them."""
    done = compliance(
        node, backup_compliance_fail="false", backup_compliance_orphans="false", backup_compliance_templates="false"
    )
    assert done.returncode == 0, done.stdout
    assert "1 of 29 VMs and containers do not comply" in done.stdout and "decommissioned-win2008" not in done.stdout


def files(folder, name="localhost"):
    return json.loads((folder / (name + ".json")).read_text()), etree.parse(folder / (name + ".junit.xml")).getroot()[0]


def test_a_node_that_shows_nothing_fails_and_one_that_cannot_be_looked_at_does_not_keep_the_files_of_a_good_run(
    stub, tmp_path
):
    done = compliance(stub, backup_compliance_report_dir=str(tmp_path))
    assert done.returncode == 2 and "The node shows no VM or container to this login" in done.stdout, done.stdout
    result, suite = files(tmp_path)
    assert result["compliant"] is False and result["findings"][0]["code"] == "no_vms"
    assert (
        suite.get("failures") == suite.get("tests") == "1"
        and suite[0].get("name") == "no_vms"
        and suite[0][0].tag == "failure"
    )

    stub("fault", "add", "login_local", "fail", "PRL_ERR_CANT_CONNECT_TO_DISPATCHER", "--times", "0")
    done = compliance(stub, backup_compliance_report_dir=str(tmp_path), backup_compliance_fail=False)
    assert done.returncode == 2 and "The check could not be made." in done.stdout, done.stdout
    result, suite = files(tmp_path)
    assert set(result) == {"host", "compliant", "error"} and result["compliant"] is False and result["error"]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
    assert suite[0][0].tag == "error" and suite[0][0].get("message") == result["error"]


def test_a_vm_whose_backups_cannot_be_read_is_a_finding_and_the_others_are_checked(node, tmp_path):
    (tmp_path / "broken.xml").write_text("<BackupTree><VmItem>")
    (found,) = run_module("prl_vm_info", node, vms=["web-01"])["vms"]
    node("fault", "add", "get_backup_tree", "answer", tmp_path / "broken.xml", "--match", found["uuid"], "--always")
    done = compliance(node, backup_compliance_report_dir=str(tmp_path), backup_compliance_orphans=False)
    assert done.returncode == 2, done.stdout
    assert (
        "2 of 29 VMs and containers do not comply: web-01 (backups cannot be read), fresh-install (never backed up)."
        in done.stdout
    )
    result, suite = files(tmp_path)
    assert result["totals"]["findings"]["damaged"] == 1 and result["totals"]["status"]["ok"] == 27
    (case,) = [case for case in suite if case.get("name") == "web-01"]
    assert case.find("failure").get("type") == "damaged" and "The backups of VM web-01" in case.find("failure").get(
        "message"
    )


def test_defaults_equal_the_specification():
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert {name: option["default"] for name, option in options.items()} == defaults
    assert all(name.startswith("backup_compliance_") for name in options)
    assert all(option["description"] for option in options.values())


def test_the_role_looks_at_facts_in_one_way_only():
    for path in [*ROLE.rglob("*.yml"), *ROLE.rglob("*.j2")]:
        text = path.read_text()
        assert "ansible_facts." not in text and "hostvars[" not in text, path
