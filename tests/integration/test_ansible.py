"""The modules as ansible runs them: ad hoc, in plays, as facts, on the oldest targets."""

import json
import pathlib
import subprocess

import pytest

from tests.harness import ROOT, STUB_SDK, ansible, environment, playbook
from tests.pythons import interpreters
from tests.venvs import python_of


def write(path, plays):
    path.write_text(json.dumps(plays))  # JSON is YAML
    return path


def play(*tasks, **more):
    return dict({"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}, **more)


@pytest.mark.parametrize("name", ["prlsdk.core.prl_backup_info", "prl_backup_info"])
def test_ad_hoc_by_full_and_by_short_name(node, name):
    done = ansible(node, "localhost", "-m", name, "-a", "gather=summary vms=web-01,erp")
    assert done.returncode == 0, done.stdout
    assert '"vms": 2' in done.stdout and "Traceback" not in done.stdout


def test_a_failure_ad_hoc_is_one_message(node):
    done = ansible(node, "localhost", "-m", "prl_backup_info", "-a", "newer_than=5m")
    assert done.returncode != 0
    assert "newer_than" in done.stdout and "Traceback" not in done.stdout


def test_gather_facts_and_the_fact_cache_carry_backups(node, tmp_path):
    facts = {"ansible_facts_modules": ["ansible.legacy.setup", "prlsdk.core.prl_backup_facts"]}
    # Ansible's own facts take some seconds of ten on a busy machine; the distribution is among the least of them.
    defaults = {
        "prlsdk.core.prl_backup_facts": {"gather": ["summary"]},
        "ansible.builtin.setup": {"gather_subset": ["min"], "gather_timeout": 120},
    }
    check = {
        "ansible.builtin.assert": {
            "that": ["ansible_facts.prl_backups.summary.backups > 0", "ansible_facts.distribution is defined"]
        }
    }
    book = write(tmp_path / "play.yml", [play(check, gather_facts=True, vars=facts, module_defaults=defaults)])
    cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "cache")}
    done = playbook(node, book, **cache)
    assert done.returncode == 0, done.stdout
    from_cache = write(tmp_path / "later.yml", [play(check)])
    node("log", "--clear")
    done = playbook(node, from_cache, **cache)
    assert done.returncode == 0, done.stdout
    assert node.calls() == [], "the second play has them from the cache"


def test_module_defaults_reach_every_module_through_the_action_group(node, tmp_path):
    options = node.options()
    tasks = [{"prlsdk.core." + name: {}} for name in ("prl_vm_info", "prl_backup_info", "prl_backup_facts")]
    book = write(tmp_path / "play.yml", [play(*tasks, module_defaults={"group/prlsdk.core.prlsdk": options})])
    done = subprocess.run(
        [str(pathlib.Path(options["sdk_python"]).parent / "ansible-playbook"), str(book)],
        cwd=ROOT,
        env=node.environment(),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_virtuozzo_7_host_is_managed_with_python_36_and_an_sdk_for_27(node):
    """The modules under Python 3.6, driven by the last ansible-core that can; the worker under 2.7."""
    controllers = [version for version in ("3.12", "3.11", "3.10") if version in interpreters()]
    for version in ("3.6", "2.7"):
        if version not in interpreters():
            pytest.skip("this machine has no Python %s" % version)
    if not controllers:
        pytest.skip("this machine has no Python 3.10 to 3.12, which ansible-core 2.16 needs")
    controller = python_of(interpreters()[controllers[0]], "core-2.16.txt")
    target = python_of(interpreters()["3.6"], "target.txt")
    leads = {"PRL_SDK_PYTHON": interpreters()["2.7"], "PRL_SDK_PATH": str(STUB_SDK), "PRL_STUB_STATE": str(node.state)}
    for module in ("prl_vm_info", "prl_backup_info", "prl_backup_facts"):
        done = subprocess.run(
            [
                str(pathlib.Path(controller).parent / "ansible"),
                "localhost",
                "-m",
                "prlsdk.core." + module,
                "-e",
                "ansible_python_interpreter=" + target,
            ],
            cwd=ROOT,
            env=environment(**leads),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        assert interpreters()["2.7"] in done.stdout
