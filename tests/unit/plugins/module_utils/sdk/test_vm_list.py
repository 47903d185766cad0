"""VMs from the text of their configurations: what is said, what is not, and what is not believed."""

import pathlib
import sys

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._sdk import vm_list

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[5] / "extensions" / "stub_sdk"))
from prl_stub import entry  # noqa: E402

STATES = {"805306372": "running", "805306373": "paused"}
ROW = {
    "uuid": "{9531985d-5d9d-49f8-9818-e811892f902b}",
    "name": "web-01",
    "type": 0,
    "home": "/vz/vmprivate/9531985d/config.pvs",
    "template": 0,
    "ct_id": "",
    "directory": "",
    "state": 805306372,
}


def text(**more):
    return entry.text(dict(ROW, **more), "{5e7e0001-0000-4000-8000-00000000000a}", 0)


def read(told, states=None):
    return vm_list.read(told.encode("utf-8", "surrogateescape"), STATES if states is None else states)


def test_a_vm_and_a_container_are_read():
    vm = read(text())
    assert dict(vm) == {
        "uuid": ROW["uuid"],
        "name": "web-01",
        "type": "vm",
        "ct_id": None,
        "state": "running",
        "template": False,
        "home": ROW["home"],
        "backup_directory": None,
        "problems": [],
    }
    assert vm.unsaid == frozenset()
    container = read(text(type=1, ct_id="101", template=1, directory="/mnt/nas", state=805306373))
    assert (
        container["type"],
        container["ct_id"],
        container["template"],
        container["backup_directory"],
        container["state"],
    ) == ("ct", "101", True, "/mnt/nas", "paused")


@pytest.mark.parametrize(
    "name", ["billing & invoices", "<b>]]>&amp;", "größer", "\U0001f5c4", "a\tb\nc", "\x7f\x85\u2028"]
)
def test_names_are_as_they_were_given(name):
    assert read(text(name=name, directory=name, home=name)) == dict(
        read(text()), name=name, backup_directory=name, home=name
    )


@pytest.mark.parametrize(
    "gone, unsaid",
    [
        ("<IsTemplate>0</IsTemplate>", {"template"}),
        ("<VmHome>%s</VmHome>" % ROW["home"], {"home"}),
        ("<DefaultBackupDirectory></DefaultBackupDirectory>", {"backup_directory"}),
        ("<Name>vminfo_vm_state</Name>", {"state"}),
        ("<Value>805306372</Value>", {"state"}),
    ],
)
def test_what_an_entry_does_not_say_is_known_to_be_unsaid(gone, unsaid):
    whole = text()
    assert gone in whole
    assert read(whole.replace(gone, "")).unsaid == unsaid


def test_a_state_that_the_build_has_no_name_for_is_left_to_the_object():
    assert read(text(), states={}).unsaid == {"state"}


@pytest.mark.parametrize(
    "told",
    [
        "",
        "no XML",
        text()[:-30],
        "<Other/>",
        text().replace("<VmUuid>%s</VmUuid>" % ROW["uuid"], "<VmUuid></VmUuid>"),
        text().replace("<VmName>web-01</VmName>", ""),
        text().replace("<VmType>0</VmType>", ""),
        text(name="red \x1b[31m"),
        text(name="half \udc80"),
        text().replace("web-01", "a\rb"),
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + text(name="&x;").replace("&amp;x;", "&x;"),
        text().replace("web-01", "&unknown;"),
    ],
)
def test_what_is_not_understood_to_the_letter_is_left_to_the_object(told):
    assert read(told) is None


def test_without_the_parser_the_objects_are_asked(monkeypatch):
    monkeypatch.setattr(vm_list, "etree", None)
    assert read(text()) is None
