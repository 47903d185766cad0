# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody in the first hour writes by mistake, and what is said then; and the short forms that are understood."""

import pytest

from tests.harness import playbook, run_module
from tests.integration.server import small_server

UUID = "{aaaaaaaa-0000-4000-8000-000000000001}"

#: (module, options, what the message has to say)
WRONG = [
    ("prl_vm_info", {"username": "root"}, "username: has no effect without 'host'"),
    ("prl_vm_info", {"port": 64000}, "port: has no effect without 'host'"),
    ("prl_backup_info", {"password": "p4ssw0rd-1"}, "password: has no effect without 'host'"),
    ("prl_backup_info", {"storage": {}}, "storage: host and username and password are missing. Give host, username"),
    ("prl_backup_info", {"storage": {"host": "b"}}, "storage: username and password are missing."),
    ("prl_backup_info", {"storage": {"host": "b", "username": "root"}}, "storage: password is missing."),
    (
        "prl_backup_info",
        {"storage": {"default": True, "host": "b"}},
        "storage: 'default: true' and 'host' exclude each other.",
    ),
    ("prl_backup", {"state": "absent"}, "state is absent but any of the following are missing: backups, backup_ids"),
    ("prl_backup", {"state": "absent", "backup_ids": ["web-01"]}, "backup_ids[0]: 'web-01' is not a backup id."),
    ("prl_backup", {"state": "absent", "backups": ["web-01"]}, "backups[0].id: 'web-01' is not a backup id."),
    ("prl_backup", {"state": "absent", "backup_ids": [UUID, UUID]}, "is listed twice, as number 1 and 2."),
    ("prl_backup", {"state": "present", "vm": "x", "backup_ids": [UUID]}, "backup_ids: cannot be used with"),
    (
        "prl_backup",
        {"state": "present", "vm": "web01"},
        "There is no VM or container 'web01' on localhost. Did you mean web-01",
    ),
    (
        "prl_vm_info",
        {"vms": ["Web01"], "missing": "fail"},
        "knows no VM or container 'Web01'. Did you mean web-01",
    ),
    ("prl_backup_info", {"vms": ["web01"], "missing": "fail"}, "Did you mean web-01"),
    (
        "prl_event_wait",
        {"events": ["create_backup_finishd"]},
        "there is no event type 'create_backup_finishd'. Did you mean",
    ),
]


@pytest.mark.parametrize("module, options, says", WRONG, ids=[says[:48] for _module, _options, says in WRONG])
def test_a_slip_is_one_clear_message(node, module, options, says):
    result = run_module(module, node, **options)
    assert result["failed"] and says in result["msg"], result["msg"]
    assert not any(call["call"].startswith(("create", "remove", "restore")) for call in node.calls())


@pytest.mark.parametrize(
    "word, hint", [("web01", " Did you mean web-01 or "), ("wbe-*", " Did you mean web-0"), ("nothing-like-it", "")]
)
@pytest.mark.parametrize("module", ["prl_vm_info", "prl_backup_info"])
def test_a_name_that_fits_nothing_is_no_success_in_silence(node, module, word, hint):
    result = run_module(module, node, vm=[word])
    assert not result.get("failed") and result["missing"] == [word]
    (warning,) = [one if isinstance(one, str) else one["event"]["msg"] for one in result["warnings"]]
    assert "'%s'" % word in warning and (hint in warning if hint else warning.endswith(".")), warning


def test_a_vm_without_backups_is_not_warned_of(node):
    node("vm", "add", "empty-1")
    result = run_module("prl_backup_info", node, vms=["empty-1"])
    assert result["missing"] == ["empty-1"] and not result.get("warnings")


def test_what_the_environment_sets_may_be_for_other_tasks(node, monkeypatch):
    monkeypatch.setenv("PRL_USERNAME", "root")
    monkeypatch.setenv("PRL_PASSWORD", "p4ssw0rd-1")
    assert not run_module("prl_vm_info", node).get("failed")


@pytest.mark.parametrize("option", ["backup_ids", "backup_id", "backups"])
def test_backups_are_removed_by_plain_ids(stub, option):
    vm = small_server(stub)[0]
    (identity,) = vm.chains[0][-1:]
    result = run_module("prl_backup", stub, state="absent", **{option: [identity]})
    assert result["changed"] and [one["removed"] for one in result["backups"]] == [[identity]]


def test_a_plain_text_is_an_event_type(node):
    result = run_module("prl_event_wait", node, events=["vm_added"], timeout=1, on_timeout="continue")
    assert not result.get("failed") and result["timed_out"]


@pytest.mark.parametrize("name", ["retention", "compliance"])
def test_a_playbook_for_no_host_fails(node, tmp_path, name):
    (tmp_path / "inventory.yml").write_text("all: {hosts: {node-a: {ansible_connection: local}}}\n")
    told = playbook(node, "-i", tmp_path / "inventory.yml", "prlsdk.core." + name, "-e", "backup_%s_hosts=nodez" % name)
    assert told.returncode and "backup_%s_hosts: no host of the inventory fits." % name in told.stdout
