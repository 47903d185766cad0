"""How the table of wrong inputs (``test_slips.py``) is read and tried: rows of modules in one process each, rows of actions and roles in one play."""

import json
import re
import sys

import yaml

from tests.harness import playbook

#: The moment of the demonstration's node.
NOW = "2026-11-22T06:00:00Z"
#: What a row of a role has unless it says otherwise.
USUAL = {"backup_retention": {"report": False}, "backup_compliance": {"now": NOW}}


def read(table):
    """(what is typed, its name, its options, the message) of each row: a line with what is typed, and below it the message, which begins with blanks."""
    rows = []
    for line in table.splitlines():
        if line.startswith(" "):
            rows[-1].append(line.strip())
        elif line and not line.startswith("#"):
            rows.append([line])
    found = []
    for typed, *says in rows:
        name, _blank, options = typed.removeprefix("| ").partition(" ")
        found.append((typed, name, yaml.safe_load(options or "{}"), " ".join(says)))
    return found


def fits(expected, message):
    """Whether a message is the expected one; three dots stand for anything."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), message, re.DOTALL) is not None


def warnings_of(result):
    """The texts of a module's warnings, which newer releases of ansible-core wrap."""
    return [one if isinstance(one, str) else one["event"]["msg"] for one in result.get("warnings", [])]


def run_module(server, stub, folder, name, options):
    """The result of a module in a process that the fork server starts."""
    given = dict(stub.options(**options))
    server.wait(server.start(name, folder, stub.state, given))
    errors = (folder / "errors").read_text()
    assert "Traceback" not in errors, errors
    (line,) = filter(None, (folder / "output").read_text().splitlines())
    return json.loads(line)


def run_rows(stub, folder, rows):
    """(the result, what was shown in the terminal) of each row of an action or a role, all in one play that goes on after failures."""
    tasks = []
    for number, (_typed, name, options, _says) in enumerate(rows):
        label, register = "Row %d" % number, "row_%d" % number
        variables = {key: value for key, value in options.items() if key.startswith("ansible_")}
        own = {key: value for key, value in options.items() if key not in variables}
        if name not in USUAL:
            task = {"prlsdk.core." + name: own, "register": register, "ignore_errors": True}
            tasks.append({"name": label, "vars": variables, **task})
            continue
        variables.update(("%s_%s" % (name, key), value) for key, value in {**USUAL[name], **own}.items())
        role = {"name": label, "ansible.builtin.include_role": {"name": "prlsdk.core." + name}}
        keep = {"name": "Keep", "ansible.builtin.set_fact": {register: "{{ ansible_failed_result }}"}}
        tasks.append({"vars": variables, "block": [role], "rescue": [keep]})
    results = "{{ [%s] | to_json }}" % ", ".join("row_%d | default({})" % number for number in range(len(rows)))
    tasks.append({"name": "End", "ansible.builtin.copy": {"content": results, "dest": str(folder / "results.json")}})
    inventory = {
        "all": {"hosts": {"node-a": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
    }
    (folder / "inventory.yml").write_text(json.dumps(inventory))
    book = json.dumps([{"hosts": "node-a", "gather_facts": False, "tasks": tasks}])
    (folder / "book.yml").write_text(book.replace("STATE/", "%s/" % folder))
    shown = playbook(stub, "-i", folder / "inventory.yml", folder / "book.yml", ANSIBLE_PIPELINING="1").stdout
    parts = re.split(r"^TASK \[(?:Row \d+|End)\].*$", shown, flags=re.MULTILINE)[1:]
    assert "Traceback" not in shown and len(parts) == len(rows) + 1, shown[-5000:]
    return list(zip(json.loads((folder / "results.json").read_text()), parts))


def times_said(message, shown):
    """How often a task's output has a message: (in lines of ansible-core's own about the failure, in results)."""
    results = [line for line in shown.splitlines() if line.startswith(("fatal: ", "failed: "))]
    others = "\n".join(line for line in shown.splitlines() if line not in results)
    return others.count(message), "\n".join(results).count(json.dumps(message)[1:-1])
