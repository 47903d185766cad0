# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``setup``: a node as it was described, once, or a message that says what is wrong."""

import io
import json
import os
import pathlib
import subprocess
import sys

import pytest
from prl_stub import cli, servers, store

STUB_SDK = pathlib.Path(__file__).resolve().parents[3] / "extensions" / "stub_sdk"
SERVER = {"host": "backup.example", "username": "root", "password": "made-up"}


@pytest.fixture
def setup(tmp_path, monkeypatch, capsys):
    """Run the command with a description: (exit status, what it printed, what it complained of)."""
    monkeypatch.delenv("PRL_STUB_NODE", raising=False)

    def run(text=None, **description):
        text = json.dumps(description) if text is None else text
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        status = cli.main(["--state", str(tmp_path / "state"), "setup"])
        said = capsys.readouterr()
        return status or 0, said.out, said.err

    run.path = str(tmp_path / "state")
    return run


def test_a_node_is_made_once(setup):
    assert setup(node="a", demo=True, demo_vms=1, demo_weeks=1) == (0, "made\n", "")
    before = store.Store(setup.path).rows("SELECT * FROM items")
    assert setup(node="a", demo=True, demo_vms=1, demo_weeks=1) == (0, "unchanged\n", "")
    assert store.Store(setup.path).rows("SELECT * FROM items") == before


def test_the_first_node_is_local_and_the_second_is_not(setup):
    setup(node="a")
    setup(node="b", host="b.example.net")
    state = store.Store(setup.path)
    assert [(row["name"], row["host"], row["is_local"]) for row in state.rows("SELECT * FROM servers")] == [
        ("a", "a.example", 1),
        ("b", "b.example.net", 0),
    ]


def test_a_backup_server_is_made_by_the_first_node_and_is_the_default_one_of_both(setup):
    for node in "ab":
        assert setup(node=node, backup_server=SERVER, demo=True, demo_vms=1, demo_weeks=1)[0] == 0
    state = store.Store(setup.path)
    assert [servers.named(state, node)["storage"] for node in "ab"] == ["backup.example"] * 2
    assert {row["server"] for row in state.rows("SELECT server FROM catalogues")} == {"backup.example"}
    assert len({row["server_uuid"] for row in state.rows("SELECT server_uuid FROM items")}) == 2


def test_commands_run_on_the_node_that_was_described_and_the_process_is_no_other_one_afterwards(setup):
    setup(node="a")
    assert setup(node="b", commands=["vm add 'web 1' --state running"])[0] == 0
    assert [tuple(row) for row in store.Store(setup.path).rows("SELECT server, name FROM vms")] == [("b", "web 1")]
    assert "PRL_STUB_NODE" not in os.environ


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "setup: "),
        ("[]", "setup: the description must be a JSON object"),
        ("{}", "setup: the node has no name"),
        ('{"node": "a", "nodes": 2}', "setup: unknown: nodes; known: "),
        ('{"node": "a", "backup_server": {"host": "x"}}', "setup: backup_server must have host, username and password"),
        ('{"node": "a", "demo": true, "demo_now": "yesterday"}', "yesterday"),
        ('{"node": "a", "tree": "<BackupTree><VmItem>"}', "setup: the tree cannot be read: "),
        ('{"node": "a", "commands": ["vm set nobody --state stopped"]}', "setup: the command failed: vm set nobody"),
    ],
)
def test_a_wrong_description_is_one_message_and_the_node_is_not_taken_for_made(setup, text, complaint):
    status, said, complained = setup(text)
    assert status == 2 and said == ""
    assert complaint in complained.splitlines()[-1] and "Traceback" not in complained
    assert setup(text)[0] == 2


def test_nodes_of_one_world_can_be_set_up_at_once(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PRL_")}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "prl_stub", "--state", str(tmp_path / "state"), "setup"],
            cwd=STUB_SDK,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _node in "abcdef"
    ]
    for process, node in zip(started, "abcdef"):
        process.stdin.write(json.dumps({"node": node, "backup_server": SERVER}))
        process.stdin.close()
    assert [process.wait(60) for process in started] == [0] * 6
    for process in started:
        process.stdout.close()
    assert len(store.Store(str(tmp_path / "state")).rows("SELECT * FROM servers")) == 7
