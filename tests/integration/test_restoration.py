"""Restoring backups over the stub SDK."""

import re

import pytest

from tests.harness import run_module
from tests.integration.server import mutating, small_server
from tests.integration.slips import warnings_of


@pytest.fixture
def vms(stub):
    return small_server(stub)


def restore(stub, vm=None, **options):
    return run_module("prl_backup_restore", stub, vm=vm, **options)


def known(stub):
    return {vm["name"]: vm for vm in run_module("prl_vm_info", stub)["vms"]}


def test_newest_backup_is_restored_as_a_copy_once(stub, vms):
    newest = vms[0].chains[-1][-1]
    result = restore(stub, vms[0].name, mode="copy", name="drill")
    assert result["changed"] and result["backup"]["id"] == newest and result["source"]["uuid"] == vms[0].uuid
    assert result["vm"]["name"] == "drill" and result["vm"]["uuid"] == known(stub)["drill"]["uuid"] != vms[0].uuid
    (call,) = [call for call in stub.calls() if call["mutating"]]
    assert (call["args"]["sVmUuid"], call["args"]["sBackupUuid"]) == (vms[0].uuid, newest), "both are passed, always"
    stub("log", "--clear")
    again = restore(stub, vms[0].name, mode="copy", name="drill")
    assert not again["changed"] and again["vm"]["name"] == "drill" and mutating(stub) == []


def test_a_copy_that_was_made_and_cannot_be_listed_is_no_failure(stub, vms):
    """A failure would have it made again."""
    lists = stub.call_names().count("get_vm_list_ex")
    restore(stub, vms[0].name, mode="copy", name="drill", check=True)
    lists = stub.call_names().count("get_vm_list_ex") - lists
    stub("fault", "add", "get_vm_list_ex", "fail", "PRL_ERR_OPERATION_FAILED", "--nth", lists + 1, "--always")
    result = restore(stub, vms[0].name, mode="copy", name="drill")
    stub("fault", "clear")
    assert result["changed"] and result["vm"] == {"uuid": known(stub)["drill"]["uuid"], "name": None, "state": None}
    assert any("PRL_ERR_OPERATION_FAILED" in one for one in warnings_of(result))


def test_a_backup_of_two_vms_is_restored_only_when_one_of_them_is_named(stub, vms, tmp_path):
    wanted = vms[0].chains[0][0]
    tree = stub("tree").replace(vms[1].chains[0][0], wanted)
    tree = re.sub(
        r"<BackupItem (?:(?!</BackupItem>).)*%s.*?</BackupItem>" % re.escape(vms[1].chains[1][0]), "", tree, flags=re.S
    )
    (tmp_path / "tree.xml").write_text(
        re.sub("<VmItem (?:(?!</VmItem>).)*%s.*?</VmItem>" % re.escape(vms[0].uuid), "", tree, flags=re.S)
    )
    stub("load", tmp_path / "tree.xml")
    result = restore(stub, mode="copy", backup_id=wanted)
    assert result["failed"] and result["error"]["symbol"] == "AMBIGUOUS_BACKUP" and mutating(stub) == []
    assert "Several VMs have a backup with this id: " in result["msg"] and vms[1].uuid in result["msg"]
    result = restore(stub, vms[1].name, mode="copy", name="drill", backup_id=wanted)
    assert result["changed"] and result["source"]["uuid"] == vms[1].uuid


def test_chosen_backup_is_restored_in_place(stub, vms):
    stub("vm", "set", vms[0].uuid, "--state", "stopped")
    wanted = vms[0].chains[0][1]
    result = restore(stub, vms[0].name, mode="in_place", backup_id=wanted.strip("{").replace("}", "").upper())
    assert result["changed"] and result["vm"]["uuid"] == vms[0].uuid and result["backup"]["id"] == wanted


def test_vm_of_a_backup_is_found(stub, vms):
    result = restore(stub, mode="copy", backup_id=vms[1].chains[0][0], check=True)
    assert (
        result["changed"] and result["source"]["uuid"] == vms[1].uuid and result["vm"] is None and mutating(stub) == []
    )


def test_vm_that_is_gone_is_made_anew(stub, vms):
    stub("vm", "remove", vms[0].uuid)
    result = restore(stub, vms[0].name, mode="in_place")
    assert result["changed"] and result["vm"]["uuid"] == vms[0].uuid and vms[0].name in known(stub)


@pytest.mark.parametrize("check", [True, False])
def test_running_vm_is_refused_with_the_servers_code_before_it_is_asked(stub, vms, check):
    stub("vm", "set", vms[0].uuid, "--state", "running")
    result = restore(stub, vms[0].name, mode="in_place", check=check)
    assert (
        result["failed"]
        and result["error"]["code"] == 0x80037010
        and result["error"]["symbol"] == "PRL_ERR_BACKUP_RESTORE_VM_RUNNING"
    )
    assert mutating(stub) == [] and "Stop it" in result["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_destination_of_a_vm_that_exists_is_refused(stub, vms, check):
    stub("vm", "set", vms[0].uuid, "--state", "stopped")
    result = restore(stub, vms[0].name, mode="in_place", destination="/vz/other", check=check)
    assert result["failed"] and result["error"]["code"] == 0x80037043 and mutating(stub) == []


@pytest.mark.parametrize("check", [True, False])
def test_live_container_is_refused(node, check):
    container = next(
        tree["vm"] for tree in run_module("prl_backup_info", node)["backup_trees"] if tree["vm"]["type"] == "ct"
    )
    node("log", "--clear")
    result = restore(node, container["uuid"], mode="copy", live=True, check=check)
    assert result["failed"] and result["error"]["code"] == 0x80000008 and mutating(node) == []


def test_unknown_backup_and_vm_without_backups(stub, vms):
    unknown = "{11111111-2222-4333-8444-555555555555}"
    assert restore(stub, vms[0].uuid, mode="copy", backup_id=unknown)["error"]["code"] == 0x80037004
    assert restore(stub, mode="copy", backup_id=unknown)["error"]["code"] == 0x80037004
    assert restore(stub, unknown, mode="copy")["error"]["code"] == 0x80037011
    assert mutating(stub) == []


def test_name_belongs_to_a_copy(stub, vms):
    result = restore(stub, vms[0].name, mode="in_place", name="other")
    assert result["failed"] and "name" in result["msg"] and stub.calls() == []


def test_backup_in_use_is_waited_for_and_lost_connection_is_not_repeated(stub, vms):
    stub("fault", "add", "restore_vm_backup", "fail", "PRL_ERR_BACKUP_LOCKED_FOR_WRITING")
    assert restore(stub, vms[0].name, mode="copy", name="one")["changed"]
    stub("log", "--clear")
    stub("fault", "add", "restore_vm_backup", "lose")
    result = restore(stub, vms[0].name, mode="copy", name="two")
    assert result["failed"] and "Look at the VM" in result["msg"] and mutating(stub) == ["restore_vm_backup"]
    assert not result["error"]["retryable"], "an 'until' loop would restore it a second time"


def test_server_that_fails_is_told(stub, vms):
    stub("fault", "add", "restore_vm_backup", "fail", "PRL_ERR_BACKUP_RESTORE_PROHIBIT_WHEN_ATTACHED")
    result = restore(stub, vms[0].name, mode="copy")
    assert result["failed"] and result["error"]["code"] == 0x80037042 and "detach" in result["msg"]
