"""Blocks of README.md, the guides and the READMEs of roles, run as they are printed.

Each yaml and console block runs against the stub, or has a comment ``<!-- not run: REASON -->`` on the line before it. All blocks are run by one
process of Ansible, each on a host with a stub server of its own; the first that fails ends it. Those of docs/quickstart.md are run in their order, as
files and commands.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time

import pytest
import yaml

from tests.harness import BIN, ROOT, STUB_SDK, environment
from tests.integration.in_process import InProcessStub

FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("roles/*/README.md"))]
FENCE = re.compile(r"(?P<before>[^\n]*)\n(?P<indent> *)```(?P<kind>yaml|console)\n(?P<text>.*?)\n *```", re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: \w.+ -->")

#: What hosts have that the blocks leave to their readers.
VARIABLES = {
    "ansible_connection": "local",
    "ansible_python_interpreter": sys.executable,
    "backup_compliance_fail": False,
    "backup_retention_policy": {"timezone": "UTC", "daily": 7, "weekly": 4, "max_remove_share": 1.0},
    "policy": {"timezone": "UTC", "chains": 1, "max_remove_share": 1.0},
    "vault_backup_password": "secret",
    "vault_node_b_password": "secret",
}
GATHER = {"prlsdk.core.prl_backup_info": {}, "register": "backups"}
PLAN = "{{ backups.backup_trees | prlsdk.core.retention_plan(policy) }}"
#: Text of a block -> the tasks that come before it in its guide, or that somebody else does.
BEFORE = {
    "plan.vms[0]": [GATHER, {"ansible.builtin.set_fact": {"plan": PLAN}}],
    "removals:": [GATHER],
    "backup_compliance_result.": [{"ansible.builtin.include_role": {"name": "prlsdk.core.backup_compliance"}}],
    "backup_newer_than": [{"prlsdk.core.prl_backup": {"state": "present", "vm": "web-01"}}],
    "tasks_from: run": [{"ansible.builtin.include_role": {"name": "prlsdk.core.stub_sdk"}}],
}


class Block:
    def __init__(self, path, line, kind, text, excused):
        self.path, self.kind, self.text, self.excused = path, kind, text, excused
        self.name = "%s:%d" % (path.relative_to(ROOT), line)

    def plays(self, host, variables):
        """The plays that run this block on the host; None if there is no way to."""
        if self.kind == "console":
            return self._commands(host, variables)
        content = yaml.safe_load(self.text)
        if isinstance(content, dict):
            roles = {re.match("backup_(retention|compliance)_|", name).group(0) for name in content}
            role = roles.pop().rstrip("_") if len(roles) == 1 else ""
            content = role and [{"name": self.name, "roles": [{"role": "prlsdk.core." + role, "vars": content}]}]
        elif not any("hosts" in part or "ansible.builtin.import_playbook" in part for part in content):
            before = [task for needle, tasks in BEFORE.items() if needle in self.text for task in tasks]
            content = [{"name": self.name, "tasks": before + content}]
        if not content or not all("hosts" in play or play.get("name") == self.name for play in content):
            return None
        return [self._on(host, play, variables) for play in content]

    def _on(self, host, play, variables):
        return dict(
            {"gather_facts": False, "environment": variables},
            **dict(play, hosts=host, become=False),
        )

    def _commands(self, host, variables):
        plays = []
        for line in self.text.splitlines():
            words = shlex.split(line.partition("$ ")[2], comments=True)
            options = {words[at]: words[at + 1] for at in range(len(words) - 1) if words[at] in ("-m", "-a")}
            if words[:1] == ["ansible"] and "-m" in options:
                given = options.get("-a", "{}")
                given = json.loads(given) if given.startswith("{") else dict(w.split("=", 1) for w in given.split())
                plays.append(self._on(host, {"tasks": [{options["-m"]: given}]}, variables))
            elif words[:1] == ["ansible-playbook"] and any(word.startswith("prlsdk.core.") for word in words):
                (book,) = [word for word in words if word.startswith("prlsdk.core.")]
                assert book == "prlsdk.core.retention", self.name
                extra = [words[at + 1] for at, word in enumerate(words) if word == "-e"]
                chosen = dict(word.split("=", 1) for word in extra)
                chosen.pop("backup_retention_hosts", None)
                role = {"role": "prlsdk.core.backup_retention", "vars": chosen}
                plays.append(self._on(host, {"roles": [role]}, variables))
            else:
                return None
        return plays


def blocks():
    for path in FILES:
        text = "\n" + path.read_text()
        for found in FENCE.finditer(text):
            body = "\n".join(
                line[len(found["indent"]) :] if line.startswith(found["indent"]) else line
                for line in found["text"].splitlines()
            )
            line = text.count("\n", 0, found.start("kind"))
            yield Block(path, line, found["kind"], body, bool(NOT_RUN.search(found["before"])))


def is_quickstart(block):
    return block.path.name == "quickstart.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The state of a node with the named VMs, three weeks of backups, and two other servers."""
    made = InProcessStub(tmp_path_factory.mktemp("node"))
    made("demo", "--now", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "--weeks", "3")
    for name in ("backup", "node-b"):
        made("server", "add", name, "--host", name + ".example.com", "--user", "root", "--password", "secret")
    return made.state


def test_every_block_runs_or_says_why_it_does_not():
    found = list(blocks())
    assert len(found) > 40
    silent = [
        block.name for block in found if not block.excused and not is_quickstart(block) and not block.plays("host", {})
    ]
    assert silent == []


def test_the_blocks_run(server, tmp_path):
    plays, hosts, names = [], {}, {}
    for number, block in enumerate(block for block in blocks() if not block.excused and not is_quickstart(block)):
        host = "block-%d" % number
        state = tmp_path / host / "state.sqlite"
        state.parent.mkdir()
        for part in server.parent.glob(server.name + "*"):
            shutil.copy2(part, state.parent / part.name)
        variables = {"PRL_STUB_STATE": str(state), "PRL_SDK_PYTHON": sys.executable, "PRL_SDK_PATH": str(STUB_SDK)}
        plays += block.plays(host, variables)
        hosts[host] = {"stub_sdk_directory": str(state.parent / "stub"), "stub_sdk_environment": variables}
        names[host] = block.name
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": VARIABLES}}))
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    done = run(tmp_path, "ansible-playbook", "-i", "inventory.yml", "play.yml")
    recap = dict(re.findall(r"^(block-\d+) +: (.*)$", done.stdout, re.MULTILINE))
    for host, name in names.items():
        said = "\n".join(line for line in done.stdout.splitlines() if "[%s]" % host in line)
        good = re.search("ok=[1-9].*unreachable=0 +failed=0 ", recap.get(host, ""))
        assert good, "%s\n%s\n%s" % (name, said[-2000:], done.stdout[-1000:])


def run(folder, *command):
    return subprocess.run(
        [BIN / command[0], *command[1:]],
        cwd=folder,
        env=environment(HOME=str(folder)),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def test_the_quickstart_ends_with_a_removal_that_was_confirmed(tmp_path):
    parts = [block for block in blocks() if is_quickstart(block) and not block.excused]
    inventory, book, plan, confirm, again = parts
    assert len(inventory.text.splitlines()) <= 10 and len(book.text.splitlines()) <= 11
    (tmp_path / "inventory.yml").write_text(inventory.text)
    (tmp_path / "retention.yml").write_text(book.text)

    def ran(block, digest=None):
        (line,) = block.text.splitlines()
        assert line.startswith("$ ansible-playbook ")
        line = re.sub("(?<=confirm=)[0-9a-f]{16}", digest or "", line)
        done = run(tmp_path, *shlex.split(line[2:]))
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout, json.loads((tmp_path / "backup_retention_report" / "node-a.json").read_text())

    said, report = ran(plan)
    (digest,) = re.findall(r"^ +digest +([0-9a-f]{16})$", said, re.MULTILINE)
    assert report["status"] == "planned"
    assert (tmp_path / "backup_retention_report" / "index.html").is_file()
    assert ran(confirm, digest)[1]["status"] == "applied"
    assert ran(again)[1]["status"] == "nothing"
