"""What every role of the collection must keep to."""

import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "meta" / "argument_specs.yml").exists())


def load(role, name):
    return yaml.safe_load((ROOT / "roles" / role / name).read_text()) or {}


def options(role):
    return load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_of_a_role_are_those_of_its_argument_spec(role):
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert load(role, "defaults/main.yml") == specified


@pytest.mark.parametrize("role", ROLES)
def test_every_option_has_the_prefix_of_the_role_a_type_and_a_description_of_whole_sentences(role):
    for name, option in options(role).items():
        assert name.startswith(role + "_") and not name.startswith(role + "__")
        assert option["type"] and option["description"]
        assert all(sentence.rstrip().endswith((".", ":")) for sentence in option["description"]), name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_uses_no_other_collection_and_no_injected_facts(role):
    for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
        for task in _tasks(yaml.safe_load(path.read_text())):
            for key in task:
                assert "." not in key or key.startswith(("ansible.builtin.", "prlsdk.core.")), (path.name, key)
        assert "ansible_facts." not in path.read_text() and "ansible_hostname" not in path.read_text()


def _tasks(tasks):
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from _tasks(task.get(part, []))
