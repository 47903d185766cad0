"""The role stub_sdk: nodes of every kind, on hosts with a local connection."""

import json
import subprocess
import sys

import pytest
import yaml

from tests.harness import BIN, ROOT, environment
from tests.pythons import interpreters

ROLE = "prlsdk.core.stub_sdk"


class Hosts:
    """Two hosts with a local connection, and a folder for the stub."""

    def __init__(self, folder):
        self.folder = folder

    def play(self, *tasks, hosts="a", **variables):
        """Run tasks on hosts that know nothing of a stub yet: (the process, what :func:`keep` has kept of each host)."""
        variables = {"stub_sdk_directory": str(self.folder / "stub"), "kept": str(self.folder), **variables}
        for stale in self.folder.glob("*.json"):
            stale.unlink()
        book = self.folder / "play.yml"
        book.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": list(tasks)}]))
        inventory = self.folder / "inventory"
        inventory.write_text(
            "".join(
                "%s ansible_connection=local ansible_python_interpreter=%s\n" % (name, sys.executable) for name in "ab"
            )
        )
        done = subprocess.run(
            [BIN / "ansible-playbook", "-i", inventory, book, "-e", json.dumps(variables)],
            cwd=ROOT,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done, {path.stem: json.loads(path.read_text()) for path in self.folder.glob("*.json")}


@pytest.fixture
def hosts(tmp_path):
    (tmp_path / "hosts").mkdir()
    return Hosts(tmp_path / "hosts")


def role(entry="main", **variables):
    return {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": entry}, "vars": variables}


def info(name, **options):
    return {
        "prlsdk.core.prl_backup_info": options,
        "environment": "{{ stub_sdk_environment }}",
        "register": name,
    }


def keep(expression):
    return {
        "ansible.builtin.copy": {
            "content": "{{ (%s) | to_json }}" % expression,
            "dest": "{{ kept }}/{{ inventory_hostname }}.json",
            "mode": "0600",
        }
    }


def test_with_its_defaults_a_node_is_there_and_stays_as_it_was_left(hosts):
    done, kept = hosts.play(role(), info("seen"), keep("seen.summary"))
    assert done.returncode == 0, done.stdout
    assert (kept["a"]["vms"], kept["a"]["containers"]) == (25, 4)
    prune = {
        "prlsdk.core.prl_backup_prune": {
            "policy": {"chains": 1, "grace": "0h", "max_remove_share": 1.0},
            "confirm": True,
            "show": "none",
        },
        "environment": "{{ stub_sdk_environment }}",
    }
    done, kept = hosts.play(role("facts"), prune, info("seen"), keep("seen.summary"))
    assert done.returncode == 0 and kept["a"]["chains"] == 29, done.stdout
    done, kept = hosts.play(role(), info("seen"), keep("seen.summary"))
    assert done.returncode == 0 and kept["a"]["chains"] == 29
    assert "changed=1 " in done.stdout, "the file of this test, and nothing of the role"


def test_other_variables_are_not_ignored_and_reset_makes_the_world_anew(hosts):
    few = {"stub_sdk_demo_vms": 3, "stub_sdk_demo_weeks": 2, "stub_sdk_demo_increments": 1}
    assert hosts.play(role())[0].returncode == 0
    done, _kept = hosts.play(role(**few))
    assert done.returncode == 2
    assert "the node a is there already, and was made with another description or was not finished." in done.stdout
    assert "set stub_sdk_reset to true" in done.stdout
    done, kept = hosts.play(role(stub_sdk_reset=True, **few), info("seen"), keep("seen.summary"))
    assert done.returncode == 0 and (kept["a"]["vms"], kept["a"]["backups"]) == (3, 12), done.stdout


def test_hosts_of_one_world_share_a_backup_server_and_each_has_its_own_backups(hosts):
    server = {"host": "backup.example", "username": "root", "password": "made-up"}
    done, kept = hosts.play(
        role(stub_sdk_world="fleet", stub_sdk_backup_server=server, stub_sdk_demo_vms=2, stub_sdk_demo_weeks=1),
        info("all", storage={"default": True}),
        info("own", storage=server, owner="this_node", scope="registered"),
        info("here"),
        keep("[all.total, own.total, here.total, own.backup_trees | map(attribute='vm.uuid') | list]"),
        hosts="all",
    )
    assert done.returncode == 0, done.stdout
    (all_a, own_a, here_a, uuids_a), (all_b, own_b, here_b, uuids_b) = kept["a"], kept["b"]
    assert own_a == own_b > 0 and all_a == all_b == own_a + own_b and here_a == here_b == 0
    assert not set(uuids_a) & set(uuids_b)


def test_a_tree_of_a_real_node_is_taken_with_the_node_that_made_it(hosts, tmp_path):
    done, kept = hosts.play(role(stub_sdk_demo_weeks=1), info("real", gather=["raw", "summary"]), keep("real"))
    assert done.returncode == 0, done.stdout
    # The first answer is the whole tree; the VM with a directory has one of its own.
    (tmp_path / "tree.xml").write_text(kept["a"]["raw"][0]["xml"])
    done, copied = hosts.play(
        role(stub_sdk_tree="{{ lookup('ansible.builtin.file', '%s') }}" % (tmp_path / "tree.xml")),
        info("copy", owner="this_node"),
        keep(
            "{'total': copy.total, 'registered': copy.backup_trees | map(attribute='vm.registered') | unique, 'server': copy.server}"
        ),
        hosts="b",
    )
    assert done.returncode == 0, done.stdout
    assert copied["b"]["total"] == kept["a"]["raw"][0]["xml"].count("<DateTime>") > 100
    assert copied["b"]["registered"] == [True]
    assert copied["b"]["server"]["uuid"] == kept["a"]["server"]["uuid"]


def test_commands_run_when_the_node_is_made_and_later_on_request(hosts):
    fault = 'fault add get_backup_tree fail PRL_ERR_FAILURE --match \'"sUuid": ""\''
    done, _kept = hosts.play(role(stub_sdk_commands=[fault]), info("seen"))
    assert done.returncode == 2 and "PRL_ERR_FAILURE" in done.stdout
    done, kept = hosts.play(
        role("run", stub_sdk_commands=["vm set web-01 --name 'web 1'", "vm list"]),
        info("seen", vms=["web 1"]),
        keep("stub_sdk_output"),
    )
    assert done.returncode == 0 and "web 1" in kept["a"][1], done.stdout
    done, _kept = hosts.play(role("run", stub_sdk_commands=["vm set nobody --state stopped"]))
    assert done.returncode == 2 and "has no VM 'nobody'" in done.stdout


def test_a_command_that_fails_is_named_and_the_node_is_not_taken_for_made(hosts):
    for _time in range(2):
        done, _kept = hosts.play(role(stub_sdk_commands=["vm set nobody --state stopped"], stub_sdk_demo_weeks=1))
        assert done.returncode == 2
        assert "the command failed: vm set nobody" in done.stdout or "was not finished" in done.stdout


def test_facts_of_a_node_that_is_not_there_say_what_to_do(hosts):
    done, _kept = hosts.play(role("facts"))
    assert done.returncode == 2
    assert "There is no a.sqlite in %s/stub on a. Run the role %s first" % (hosts.folder, ROLE) in done.stdout


def test_remove_leaves_nothing(hosts):
    assert hosts.play(role(stub_sdk_demo=False))[0].returncode == 0
    assert (hosts.folder / "stub").exists()
    assert hosts.play(role("remove"))[0].returncode == 0
    assert not (hosts.folder / "stub").exists()


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_the_stub_runs_under_an_old_python(hosts, version):
    python = interpreters().get(version)
    if not python:
        pytest.skip("there is no Python %s" % version)
    done, kept = hosts.play(role(stub_sdk_python=python, stub_sdk_demo_weeks=1), info("seen"), keep("seen.sdk"))
    assert done.returncode == 0, done.stdout
    assert kept["a"]["python"] == python


def test_every_variable_is_documented_and_described():
    specs = yaml.safe_load((ROOT / "roles/stub_sdk/meta/argument_specs.yml").read_text())["argument_specs"]
    defaults = yaml.safe_load((ROOT / "roles/stub_sdk/defaults/main.yml").read_text())
    readme = (ROOT / "roles/stub_sdk/README.md").read_text()
    assert list(specs["main"]["options"]) and set(specs["main"]["options"]) == set(defaults)
    assert all("| `%s` |" % name in readme for name in defaults)
