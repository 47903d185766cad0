"""What holds for every module of the collection, now and later."""

import ast
import importlib
import pathlib

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._module import base

ROOT = pathlib.Path(__file__).resolve().parents[3]
ACTIONS = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("prl_*.py"))
ALL = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("prl_*.py"))
#: Those that run on the target host. The files of the others document actions.
MODULES = [name for name in ALL if name not in ACTIONS]
#: The action that asks nothing of a host.
PAGE = "prl_retention_page"
PACKAGE = "ansible_collections.prlsdk.core.plugins.modules."


class Made(Exception):
    """Carries what a module hands to AnsibleModule."""


def specification(name, monkeypatch):
    if name in ACTIONS:
        action = importlib.import_module(PACKAGE.replace(".modules.", ".action.") + name).ActionModule
        return {"argument_spec": action.specification(action), "supports_check_mode": action._supports_check_mode}

    def capture(**arguments):
        raise Made(arguments)

    monkeypatch.setattr(base, "Module", capture)
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
    stand_ins = {"list": [], "dict": {}, "int": 1, "bool": True, "float": 0.5}
    return {
        key: stand_ins.get(specification.get(key, {}).get("type"), value)
        if isinstance(value, str) and value.startswith("{{")
        else value
        for key, value in options.items()
    }


@pytest.mark.parametrize("name", ALL)
def test_every_example_passes_the_argument_specification(name, monkeypatch):
    arguments = specification(name, monkeypatch)
    rules = {key: arguments[key] for key in arguments if key.startswith(("required_", "mutually_"))}
    validator = ModuleArgumentSpecValidator(arguments["argument_spec"], **rules)
    examples = list(example_tasks(name))
    assert examples, "%s has no example" % name
    for title, options in examples:
        result = validator.validate(rendered(options or {}, arguments["argument_spec"]))
        assert not result.error_messages, "%s: %s" % (title, result.error_messages)


@pytest.mark.parametrize("name", [name for name in ALL if name != PAGE])
def test_every_module_is_in_the_action_group(name):
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert name in runtime["action_groups"]["prlsdk"]


@pytest.mark.parametrize("name", [name for name in ALL if name != PAGE])
def test_every_module_supports_check_mode_and_hides_passwords(name, monkeypatch):
    arguments = specification(name, monkeypatch)
    assert arguments["supports_check_mode"]
    options = arguments["argument_spec"]
    assert options["password"]["no_log"] is True
    if "storage" in options:
        assert options["storage"]["options"]["password"]["no_log"] is True


@pytest.mark.parametrize("name", ALL)
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


FRAGMENTS = "ansible_collections.prlsdk.core.plugins.doc_fragments."


def documented_options(name):
    """The options of a module with those of its fragments."""
    own, options = documented(name, "DOCUMENTATION"), {}
    for fragment in own.get("extends_documentation_fragment", []):
        parts = fragment.split(".")
        texts = importlib.import_module(FRAGMENTS + parts[2]).ModuleDocFragment
        options.update(
            yaml.safe_load(getattr(texts, parts[3].upper() if len(parts) > 3 else "DOCUMENTATION")).get("options") or {}
        )
    return dict(options, **own["options"])


def as_specified(option):
    """What of a documented option its specification says as well."""
    facts = {
        key: option.get(key, default)
        for key, default in (("type", "str"), ("elements", None), ("default", None), ("required", False))
    }
    return dict(facts, choices=list(option.get("choices") or []))


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_documents_its_specification(name, monkeypatch):
    """Sanity compares the two for modules only."""
    options, specified = documented_options(name), specification(name, monkeypatch)["argument_spec"]
    assert set(options) == set(specified)
    own = importlib.import_module(PACKAGE.replace(".modules.", ".action.") + name).ActionModule.OPTIONS
    for key, option in own.items():
        if key not in ("policy", "storage"):  # read by the engine; by the module
            assert as_specified(options[key]) == as_specified(option), key


@pytest.mark.parametrize("name", ACTIONS)
def test_every_result_that_an_action_documents_has_a_type_and_a_condition(name):
    for key, told in documented(name, "RETURN").items():
        assert told["description"] and told["returned"] and told["type"], key
