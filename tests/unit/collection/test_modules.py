"""What holds for every module of the collection, now and later."""

import ast
import importlib
import pathlib

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from ansible_collections.prlsdk.core.plugins.module_utils import _module
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("prl_*.py"))
PACKAGE = "ansible_collections.prlsdk.core.plugins.modules."


class Made(Exception):
    """Carries what a module hands to AnsibleModule."""


def specification(name, monkeypatch):
    def capture(**arguments):
        raise Made(arguments)

    monkeypatch.setattr(_module, "Module", capture)
    with pytest.raises(Made) as made:
        importlib.import_module(PACKAGE + name).main()
    return made.value.args[0]


def documented(name, text):
    return yaml.safe_load(getattr(importlib.import_module(PACKAGE + name), text))


def example_tasks(name):
    """The arguments of this module in its EXAMPLES, also where module_defaults give them."""
    for entry in documented(name, "EXAMPLES"):
        yield from ((entry.get("name"), entry[key]) for key in entry if key == "prlsdk.core." + name)
        for task in entry.get("tasks", []):
            yield from ((task.get("name"), task[key]) for key in task if key == "prlsdk.core." + name)
        defaults = entry.get("module_defaults", {})
        yield from (("module_defaults", defaults[key]) for key in defaults if key == "prlsdk.core." + name)


def rendered(options, specification):
    """The options with something of the right type for each that is a template as a whole: what it gives is known only when it runs."""
    stand_ins = {"list": [], "dict": {}, "int": 1, "bool": True}
    return {
        key: stand_ins.get(specification.get(key, {}).get("type"), value) if isinstance(value, str) and value.startswith("{{") else value
        for key, value in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_every_example_passes_the_argument_specification(name, monkeypatch):
    arguments = specification(name, monkeypatch)
    rules = {key: arguments[key] for key in arguments if key.startswith(("required_", "mutually_"))}
    validator = ModuleArgumentSpecValidator(arguments["argument_spec"], **rules)
    examples = list(example_tasks(name))
    assert examples, "%s has no example" % name
    for title, options in examples:
        result = validator.validate(rendered(options or {}, arguments["argument_spec"]))
        assert not result.error_messages, "%s: %s" % (title, result.error_messages)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_in_the_action_group(name):
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert name in runtime["action_groups"]["prlsdk"]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_supports_check_mode_and_hides_passwords(name, monkeypatch):
    arguments = specification(name, monkeypatch)
    assert arguments["supports_check_mode"]
    options = arguments["argument_spec"]
    assert options["password"]["no_log"] is True
    if "storage" in options:
        assert options["storage"]["options"]["password"]["no_log"] is True


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_thin(name):
    tree = ast.parse((ROOT / "plugins" / "modules" / (name + ".py")).read_text())
    code = [node for node in tree.body if not isinstance(node, (ast.Assign, ast.Expr))]
    assert sum(node.end_lineno - node.lineno + 1 for node in code) <= 60


@pytest.mark.parametrize("name", [name for name in MODULES if name.endswith("_info")])
def test_info_modules_return_no_facts(name):
    """No tool of the toolchain enforces this rule of Ansible's."""
    assert "ansible_facts" not in documented(name, "RETURN")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_documents_its_failures_in_the_same_words(name):
    told, first = documented(name, "RETURN"), documented(MODULES[0], "RETURN")
    assert (told["error"], told["candidates"]) == (first["error"], first["candidates"])
    assert set(told["error"]["contains"]) == set(PrlError("Something failed.").result["error"])


def test_only_the_worker_imports_the_sdk():
    importers = set()
    for path in ROOT.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "prlsdkapi" for name in names):
                importers.add(path.relative_to(ROOT / "plugins" / "module_utils").as_posix())
    assert importers == {"_worker/session.py"}
