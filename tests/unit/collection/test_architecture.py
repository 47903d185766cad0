# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom, as docs/architecture.md draws it, read from the imports of every file."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "plugins"
COLLECTION = "ansible_collections.prlsdk.core.plugins"

#: Files that every room on the target host and on the controller may use; in their order: each may use those before it.
GROUND = [
    "module_utils/_terminal_text",
    "module_utils/_errors",
    "module_utils/_suggestion",
    "module_utils/_option_errors",
    "module_utils/_python",
    "module_utils/_time",
    "module_utils/_xml_text",
    "module_utils/_argspec",
    "module_utils/_packed",
    "module_utils/_signals",
    "module_utils/_backups/ids",
]
#: Room -> the rooms that it may import beside the ground.
ARROWS = {
    "modules": {"module_utils/_module"},
    "doc_fragments": set(),
    "module_utils/_module": {"module_utils/_backups", "module_utils/_events", "module_utils/_sdk"},
    "module_utils/_events": {"module_utils/_backups", "module_utils/_sdk"},
    "module_utils/_backups": {"module_utils/_sdk"},
    "module_utils/_sdk": {"module_utils/_worker"},
    "module_utils/_worker": set(),
    "action": {
        "plugin_utils",
        "plugin_utils/_retention",
        "plugin_utils/_text",
        "plugin_utils/_report",
        "plugin_utils/_compliance",
    },
    "filter": {"plugin_utils", "plugin_utils/_retention", "plugin_utils/_compliance"},
    "plugin_utils": set(),
    "plugin_utils/_retention": {"plugin_utils"},
    "plugin_utils/_text": {"plugin_utils", "plugin_utils/_retention"},
    "plugin_utils/_report": {"plugin_utils", "plugin_utils/_retention", "plugin_utils/_text"},
    "plugin_utils/_compliance": {"plugin_utils", "plugin_utils/_retention", "plugin_utils/_text"},
}
FILES = {str(path.relative_to(PLUGINS).with_suffix("")): path for path in sorted(PLUGINS.rglob("*.py"))}


def imports(name):
    """The files of the collection that one imports."""
    own = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = name.split("/")[: -node.level]
                path = [*base, *(node.module or "").split(".")] if node.module else base
            elif (node.module or "").startswith(COLLECTION):
                path = node.module.split(".")[4:]
            else:
                continue
            for alias in node.names:
                found = [one for one in ("/".join([*path, alias.name]), "/".join(path)) if one in FILES]
                own.update(found[:1])
    return own


def room(name):
    folder = name.rpartition("/")[0]
    return folder if folder in ARROWS else name


@pytest.mark.parametrize("name", FILES)
def test_no_file_imports_against_the_arrows(name):
    if name.endswith("__init__"):
        return
    own = imports(name)
    for other in own:
        if name in GROUND:
            assert other in GROUND[: GROUND.index(name)], "%s is ground and imports %s" % (name, other)
        elif other not in GROUND:
            assert room(other) == room(name) or room(other) in ARROWS[room(name)], "%s imports %s" % (name, other)
    if room(name) == "module_utils/_worker":
        assert all(room(other) == room(name) for other in own), "the worker is started alone"


def test_only_the_base_of_the_modules_uses_ansible_module():
    using = [name for name in FILES if re.search(r"^from .*\bAnsibleModule\b", FILES[name].read_text(), re.MULTILINE)]
    assert using == ["module_utils/_module/base"]


def test_there_is_no_circle():
    state = {}

    def visit(name, path):
        assert state.get(name) != "open", "a circle: %s" % " -> ".join([*path, name])
        if name not in state:
            state[name] = "open"
            for other in imports(name):
                visit(other, [*path, name])
            state[name] = "done"

    for name in FILES:
        visit(name, [])


def test_the_engine_has_no_clock():
    for name in FILES:
        if room(name) == "plugin_utils/_retention":
            text = FILES[name].read_text(encoding="utf-8")
            assert not re.search(r"\btime\.time\(|\bdatetime\.now\(|\.utcnow\(|\.today\(", text), name


def test_every_file_is_in_the_guide():
    guide = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/]+\.py", guide))
    there = [str(path) for folder in ("plugins", "extensions", "tests") for path in (ROOT / folder).rglob("*.py")]
    for path in named:
        if "NAME" not in path:
            assert any(full.endswith("/" + path) for full in there), "%s is not there" % path
    missing = [
        name
        for name in FILES
        if name.startswith(("module_utils/_backups/", "module_utils/_events/", "module_utils/_sdk/"))
        and not name.endswith("__init__")
        and name.rpartition("/")[2] + ".py" not in guide
    ]
    assert missing == []
