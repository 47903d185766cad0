"""Names, descriptions and hosts that are made to deceive: what people see is printable, values are as the server has them, nothing is lost."""

import concurrent.futures
import json
import sqlite3
import time
import unicodedata

import pytest
from prl_stub.tree import escape

from tests.harness import ROOT, ansible, playbook, run_module

# A title for the window, red, C1, NEL, line and paragraph separators, glyphs of direction, invisible ones, and lines that look like Ansible's.
EVIL = "web\x1b]0;x\x07\x1b[31m\x9b1m\x85\u2028\u2029\u202e\u200f\u2066\u061c\ufeff\u200b\r\nok: [host]\t\x7f."
SHOWN = "web\\x1b]0;x\\x07\\x1b[31m\\x9b1m\\x85\\u2028\\u2029\\u202e\\u200f\\u2066\\u061c\\ufeff\\u200b\\r\\nok: [host]\\t\\x7f."
# As the tree's reader gives it: XML holds all of it but the first four.
READ = EVIL.replace("\x1b", "\ufffd").replace("\x07", "\ufffd")
FULL = {"state": "present", "type": "full", "diff": True}


def unprintable(text, allowed="\n"):
    return [
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in allowed
    ]


def texts(value):
    """All texts inside of a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for member in value for text in texts(member)]
    return [value] if isinstance(value, str) else []


def spoken(result):
    """What a module says to people, checked; the values of its result are not looked at."""
    said = {key: result[key] for key in ("msg", "warnings", "diff") if key in result}
    messages = [backup["message"] or "" for backup in result.get("backups", [])]
    assert unprintable("".join(texts({key: said[key] for key in said if key != "diff"}) + messages), "") == []
    assert unprintable("".join(texts(said.get("diff", {})))) == []
    return " ".join(texts(said) + messages)


def alter(stub, statement, *values):
    """What another client may have done."""
    with sqlite3.connect(stub.state) as db:
        assert db.execute(statement, [escape(value) for value in values]).rowcount


@pytest.fixture
def node(stub):
    stub("vm", "add", EVIL, "--state", "stopped")
    return stub


def uuid_of(stub):
    return run_module("prl_vm_info", stub)["vms"][0]["uuid"]


def test_prl_vm_info(node):
    assert run_module("prl_vm_info", node)["vms"][0]["name"] == EVIL
    assert SHOWN in spoken(run_module("prl_vm_info", node, vms=[EVIL + "?"], missing="fail"))
    node("vm", "add", EVIL)
    result = run_module("prl_vm_info", node, vms=[EVIL])
    assert SHOWN in spoken(result) and [candidate["name"] for candidate in result["candidates"]] == [EVIL] * 2
    assert SHOWN in spoken(run_module("prl_vm_info", node, host=EVIL, username="root", password="p"))


@pytest.mark.parametrize("module", ["prl_backup_info", "prl_backup_facts"])
def test_gathering(node, module):
    made = run_module("prl_backup", node, vm=uuid_of(node), **FULL)
    node("server", "set", "node", "--host", EVIL)
    alter(node, "UPDATE items SET description = ?, host = ?", EVIL, EVIL)
    result = run_module(module, node)
    said = spoken(result)
    assert "XML" in said and made["backup"]["id"] in said, "the warning names the backup"
    (tree,) = result.get("backup_trees") or result["ansible_facts"]["prl_backups"]["backup_trees"]
    (backup,) = tree["chains"][0]["backups"]
    assert unprintable(tree["vm"]["name"]) and (backup["description"], backup["host"]) == (READ, READ)
    assert spoken(run_module(module, node, vms=[EVIL + "?"], missing="fail"))
    node("fault", "add", "get_backup_tree", "answer", damaged(node))
    result = run_module(module, node)
    assert result["error"]["symbol"] == "DAMAGED_TREE" and "\\x9b" in spoken(result)


def damaged(node):
    path = node.state.parent / "damaged.xml"
    path.write_text(
        "<BackupTree><VmItem><Uuid>%s</Uuid><Name>%s</Name><BackupItem><Uuid>%s</Uuid><Id>%s</Id><Size>\x9b1</Size>"
        "<DateTime>2026-11-01 02:00:00</DateTime></BackupItem></VmItem></BackupTree>"
        % (uuid_of(node), EVIL, uuid_of(node), uuid_of(node))
    )
    return path


def test_prl_backup_and_its_differences(node):
    uuid = uuid_of(node)
    made = run_module("prl_backup", node, vm=uuid, **FULL)
    assert made["vm"]["name"] == EVIL
    assert spoken(made).count(SHOWN) == 1 and made["diff"]["after"].count("\n") == 1
    removed = run_module(
        "prl_backup",
        node,
        state="absent",
        vm=EVIL,
        backups=[{"id": made["backup"]["id"]}],
        diff=True,
        allow_remove_last=True,
    )
    assert not removed.get("failed"), removed
    assert "web\ufffd]0;x" in spoken(removed)
    assert removed["diff"]["before"].count("\n") == 1 and removed["diff"]["after"] == ""
    node("fault", "add", "get_backup_tree", "answer", damaged(node))
    result = run_module("prl_backup", node, state="present", vm=uuid)
    assert result["error"]["symbol"] == "DAMAGED_TREE" and "\\x9b" in spoken(result)
    missing = run_module("prl_backup", node, state="present", vm=EVIL + "?")
    assert SHOWN in spoken(missing) and missing["error"]["symbol"] == "UNKNOWN_VM"
    refused = run_module("prl_backup", node, state="absent", vm=EVIL, backups=[{"id": "{%s}" % EVIL}])
    assert SHOWN in spoken(refused)


def test_prl_backup_restore(node):
    uuid = uuid_of(node)
    assert run_module("prl_backup", node, vm=uuid, **FULL)["changed"]
    node("vm", "set", uuid, "--state", "running")
    result = run_module("prl_backup_restore", node, vm=EVIL, mode="in_place")
    assert SHOWN in spoken(result) and result["error"]["symbol"] == "PRL_ERR_BACKUP_RESTORE_VM_RUNNING"
    assert run_module("prl_backup_restore", node, vm=EVIL, mode="copy", name="copy")["source"]["name"] == READ


def test_prl_event_wait(node):
    node("question", "ask", "PET_QUESTION_DO_YOU_WANT_TO_OVERWRITE_FILE", "--vm", uuid_of(node), "--text", EVIL)
    options = {"events": [{"type": "vm_added"}], "timeout": 2}
    assert spoken(run_module("prl_event_wait", node, **options))
    result = run_module("prl_event_wait", node, events=[{"type": "vm_added", "vm": EVIL + "?"}])
    assert SHOWN in spoken(result) and result["error"]["symbol"] == "UNKNOWN_VM"


def test_backup_ids_that_are_none_are_told_printable(node):
    for module, options in (
        ("prl_backup_info", {"backup_ids": [EVIL]}),
        ("prl_backup_restore", {"backup_id": EVIL, "mode": "copy"}),
    ):
        assert SHOWN in spoken(run_module(module, node, **options))


def test_what_the_sdk_and_its_process_say_is_printable(node):
    node("fault", "add", "get_vm_list_ex", "noise", EVIL)
    node("fault", "add", "get_vm_list_ex", "crash", "SEGV")
    result = run_module("prl_vm_info", node)
    assert result["error"]["symbol"] == "WORKER_DIED" and "\\x1b[31m\\x9b1m" in spoken(result)
    node("fault", "add", "import", "fail", EVIL, "--always")
    result = run_module("prl_vm_info", node)
    assert result["error"]["symbol"] == "SDK_UNAVAILABLE" and "\\x1b[31m\\x9b1m" in spoken(result)


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_roles_and_their_differences(node, tmp_path, arguments):
    """The output of whole plays, as it reaches the terminal."""
    uuid = uuid_of(node)
    for _backup in range(3):
        assert run_module("prl_backup", node, vm=uuid, **FULL)["changed"]
    alter(node, "UPDATE items SET description = ?, host = ?", EVIL, EVIL)
    settings = {
        "backup_retention_hosts": "localhost",
        "backup_retention_policy": {"last": 1, "timezone": "UTC", "grace": "0h"},
        "backup_retention_confirm": True,
        "backup_retention_report_dir": str(tmp_path / "reports"),
        "backup_retention_guards": {"max_remove_share": None},
    }
    done = playbook(node, ROOT / "playbooks" / "retention.yml", "-e", json.dumps(settings), "--diff", *arguments)
    assert "XML" in done.stdout and unprintable(done.stdout, "\n") == [], done.stdout
    settings = {
        "backup_compliance_hosts": "localhost",
        "backup_compliance_report_dir": str(tmp_path / "compliance"),
        "backup_compliance_fail": False,
    }
    done = playbook(node, ROOT / "playbooks" / "compliance.yml", "-e", json.dumps(settings), "--diff", *arguments)
    assert "1 of" in done.stdout or "All" in done.stdout or "meets its objective" in done.stdout, done.stdout
    assert unprintable(done.stdout, "\n") == [], done.stdout
    if not arguments:
        assert json.loads((tmp_path / "compliance" / "localhost.json").read_text())["vms"][0]["vm"]["name"] == EVIL


# --- text that XML cannot hold


XML_CANNOT_HOLD = [
    "\x00",
    "\x01",
    "\x08",
    "\x0b",
    "\x0c",
    "\x0e",
    "\x1f",
    "\x1b",
    "\ufffe",
    "\uffff",
    "\ud800",
    "\udfff",
]


@pytest.mark.parametrize("character", XML_CANNOT_HOLD)
def test_what_xml_cannot_hold_is_refused_on_input(node, character):
    node("log", "--clear")
    for module, options in (
        ("prl_backup", {"state": "present", "vm": "web", "description": "red " + character}),
        ("prl_backup_restore", {"vm": "web", "mode": "copy", "name": "red " + character}),
    ):
        result = run_module(module, node, **options)
        assert result["failed"] and result["error"]["symbol"] == "INVALID_INPUT"
        assert list(options)[-1] + ": " in result["msg"] and (
            "U+%04X at place 5" % ord(character) in result["msg"] or "surrogate" in result["msg"]
        )
    assert node.calls() == []


@pytest.mark.parametrize("text", ["a\tb\nc\rd", "\x7f\x85\x9f", "\u2028\u202e\ufeff", "\ufffd\U0001f5c4", "<&>\"']]>"])
def test_what_xml_can_hold_comes_back_as_it_was(node, text):
    node("vm", "set", uuid_of(node), "--name", "plain")
    made = run_module("prl_backup", node, state="present", vm="plain", description=text, type="full")
    assert made["backup"]["description"] == text and not made.get("warnings")
    result = run_module("prl_backup_info", node)
    assert result["backup_trees"][0]["chains"][0]["backups"][0]["description"] == text


@pytest.fixture
def blinded(node):
    """A node on which another client made a backup with such a description; its VM has a plain name."""
    node("vm", "set", uuid_of(node), "--name", "seven")
    made = run_module("prl_backup", node, state="present", vm="seven", type="full")
    alter(node, "UPDATE items SET description = ?", "red \x1b[31m alert \x00\uffff")
    node.id = made["backup"]["id"]
    return node


def test_such_a_backup_is_seen_extended_restored_and_removed(blinded):
    seen = run_module("prl_backup_info", blinded, vms=["seven"])
    assert seen["backup_trees"][0]["chains"][0]["backups"][0]["description"] == "red \ufffd[31m alert \ufffd\ufffd"
    assert blinded.id in spoken(seen) and "'seven'" in spoken(seen)
    more = run_module("prl_backup", blinded, state="present", vm="seven", description="the next one")
    assert more["backup"]["type"] == "incremental" and more["changed"] and blinded.id in spoken(more), (
        "the warning names it"
    )
    again = run_module("prl_backup", blinded, state="present", vm="seven", max_age="1h")
    assert not again["changed"] and again["backup"]["id"] == more["backup"]["id"]
    copy = run_module("prl_backup_restore", blinded, backup_id=blinded.id, mode="copy", name="copy")
    assert copy["changed"] and copy["backup"]["description"] == "red \ufffd[31m alert \ufffd\ufffd"
    assert run_module("prl_backup", blinded, state="present", vm="seven", type="full")["changed"]
    removed = run_module("prl_backup", blinded, state="absent", backups=[{"id": blinded.id}], dependents="remove")
    assert removed["changed"] and removed["backups"][0]["removed"] == [blinded.id, more["backup"]["id"]]


@pytest.mark.parametrize("description", ["plain", "Zürich \x85\u2028\r\n"])
def test_a_creation_whose_connection_was_lost_finds_its_own_backup_beside_it(blinded, description):
    blinded("set", "create_seconds", 2)
    blinded("log", "--clear")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(run_module, "prl_backup", blinded, state="present", vm="seven", description=description)
        while "create_vm_backup" not in blinded.call_names() and not waiting.done():
            time.sleep(0.05)
        blinded("disconnect")
        made = waiting.result()
    assert made["recovered"] and made["backup"]["description"] == description


def test_ansible_shows_it_without_obeying_it(blinded):
    done = ansible(blinded, "localhost", "-m", "prlsdk.core.prl_backup_info", "-a", "gather=summary")
    assert "seven" in done.stdout and unprintable(done.stdout) == [], done.stdout
