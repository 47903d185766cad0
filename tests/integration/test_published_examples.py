"""Examples of the README and of the modules' documentation, run as they are printed: do they find what they say they find?"""

import datetime
import importlib
import json
import re
import sys
import time

import pytest
import yaml

from tests.harness import ROOT, playbook, run_module

DAY = 86400


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def aging(stub):
    """A node whose backups have ended 30 hours ago, some long before."""
    stub("demo", "--now", moment(time.time() - 30 * 3600))
    return stub


def refresh(stub, vm="web-01", ahead=3600):
    """A new backup of one VM, a little ahead so that the test may take its time."""
    stub("set", "clock", moment(time.time() + ahead))
    assert run_module("prl_backup", stub, state="present", vm=vm, type="full")["changed"]


def refresh_one_and_date_another_in_the_future(stub):
    """A new backup of one VM, and one of another VM that is from the future: its clock was wrong, and it has no recent one."""
    refresh(stub, "db-primary", ahead=-600)
    refresh(stub, "gitlab", ahead=40 * DAY)


def play_of(text, title):
    (play,) = [play for play in yaml.safe_load(text) if play.get("name") == title]
    return play


def published(module, *titles):
    examples = yaml.safe_load(
        importlib.import_module("ansible_collections.prlsdk.core.plugins.modules." + module).EXAMPLES
    )
    return [example for example in examples if example["name"] in titles]


def told(stub, folder, play):
    """What the play prints, run on this host."""
    (folder / "play.yml").write_text(yaml.safe_dump([dict(play, hosts="localhost", become=False)]))
    done = playbook(stub, folder / "play.yml")
    assert done.returncode == 0, done.stdout
    return re.findall(r'"msg": "(.*)"', done.stdout)


def stale(stub, age):
    """The sentences about registered VMs whose newest backup is older, found in the plainest way."""
    newest = {}
    for tree in run_module("prl_backup_info", stub)["backup_trees"]:
        if tree["vm"]["registered"]:
            created = [backup["created"] for chain in tree["chains"] for backup in chain["backups"]]
            newest[tree["vm"]["name"]] = max(when for when in created if when < moment(time.time()))
    found = ["%s was last backed up at %s." % pair for pair in newest.items() if pair[1] < moment(time.time() - age)]
    assert 0 < len(found) < len(newest), "the node is to have both kinds"
    return sorted(found)


def test_the_readme_finds_the_vms_whose_newest_backup_is_older_than_a_day(aging, tmp_path):
    refresh_one_and_date_another_in_the_future(aging)
    (play,) = [
        block
        for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        if "Stale backups" in block
    ]
    assert sorted(told(aging, tmp_path, play_of(play, "Stale backups"))) == stale(aging, DAY)


def test_the_inventory_and_the_playbook_of_the_readme_show_a_plan_and_change_nothing(node, tmp_path):
    blocks = dict(
        re.findall(
            r"`([a-z]+\.yml)`[^\n]*\n\n(?:<!--[^\n]*\n)?```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
        )
    )
    for name in ("inventory.yml", "backups.yml"):
        (tmp_path / name).write_text(blocks[name])
    # What leads to a real node is replaced, as is the folder of the reports.
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    here["backup_retention_report_dir"] = str(tmp_path / "reports")
    done = playbook(node, "-i", tmp_path / "inventory.yml", tmp_path / "backups.yml", "-e", json.dumps(here))
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Plan only, nothing was changed.") == 2 and "-e backup_retention_confirm=" in done.stdout
    assert (tmp_path / "reports" / "node-b.example.com.json").exists()
    assert not [call for call in node.calls() if call["mutating"]]


def test_the_example_finds_the_vms_whose_newest_backup_is_older_than_two_days(aging, tmp_path):
    refresh_one_and_date_another_in_the_future(aging)
    tasks = published(
        "prl_backup_info",
        "Gather the newest backup of each VM that the node knows",
        "Name the VMs whose newest backup is older than two days",
    )
    assert len(tasks) == 2
    assert sorted(told(aging, tmp_path, {"gather_facts": False, "tasks": tasks})) == stale(aging, 2 * DAY)


def test_the_example_names_nodes_without_a_backup_today_and_no_others(aging, tmp_path):
    (play,) = published("prl_backup_facts", "Nodes and their backups")
    play["vars"]["ansible_facts_modules"].remove(
        "ansible.legacy.setup"
    )  # which takes long, and says nothing about backups
    assert len(told(aging, tmp_path, play)) == 1
    refresh(aging)
    assert told(aging, tmp_path, play) == []
