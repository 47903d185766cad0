"""Run the collection as its users do: a module as a process, behind it the worker as another one, behind that the stub SDK."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
STUB_SDK = ROOT / "extensions" / "stub_sdk"
COLLECTIONS = ROOT / ".ansible" / "collections"
BIN = pathlib.Path(sys.executable).parent

# What the calling environment may set and no test should see.
OURS = ("PRL_", "ANSIBLE_")


def environment(**more):
    """The environment without anything that configures Ansible or the collection, plus ``more``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return dict(
        clean, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1", PYTHONDONTWRITEBYTECODE="1", **more
    )


class Stub:
    """A stub server: its state file, its command line, its call log."""

    def __init__(self, directory, python=sys.executable):
        self.state = directory / "state.sqlite"
        self.python = python
        self("init")

    def __call__(self, *arguments):
        """``python -m prl_stub`` with these arguments; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "prl_stub", "--state", str(self.state), *map(str, arguments)],
            cwd=STUB_SDK,
            env=environment(),
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, "prl_stub %s\n%s%s" % (" ".join(map(str, arguments)), done.stdout, done.stderr)
        return done.stdout

    def calls(self):
        """The call log: dictionaries in the order of the calls."""
        return json.loads(self("log", "--json"))

    def call_names(self):
        """The names of the calls that went to the server."""
        return [call["call"] for call in self.calls() if call["request"]]

    def options(self, **more):
        """Module options that lead to this stub."""
        return dict({"sdk_python": self.python, "sdk_path": str(STUB_SDK)}, **more)

    def environment(self, **more):
        return environment(**dict({"PRL_STUB_STATE": str(self.state)}, **more))


def run_module(module, stub, check=False, diff=False, python=sys.executable, variables=None, internal=None, **options):
    """Run one module as a process of its own and return its result, a dictionary.

    ``options`` are the module's, beside those that lead to the stub; ``variables`` are added to its environment.
    """
    arguments = dict(stub.options(**options), _ansible_check_mode=check, _ansible_diff=diff, **(internal or {}))
    done = subprocess.run(
        [python, "-m", "ansible_collections.prlsdk.core.plugins.modules." + module],
        input=json.dumps(
            {"ANSIBLE_MODULE_ARGS": {key: value for key, value in arguments.items() if value is not None}}
        ),
        env=stub.environment(**dict({"PYTHONPATH": str(COLLECTIONS)}, **(variables or {}))),
        text=True,
        capture_output=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line]
    assert len(lines) == 1, "the module must print one line of JSON and nothing else\n%s\n%s" % (
        done.stdout[:2000],
        done.stderr[-2000:],
    )
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    result = json.loads(lines[0])
    result["rc_of_module"] = done.returncode
    return result


def ansible(stub, *arguments, **variables):
    """The ``ansible`` command in the checkout, as its users run it: a CompletedProcess with both outputs in one text."""
    return _command("ansible", stub, arguments, variables)


def playbook(stub, *arguments, **variables):
    """The ``ansible-playbook`` command in the checkout."""
    return _command("ansible-playbook", stub, arguments, variables)


def _command(name, stub, arguments, variables):
    leads = {"PRL_" + key.upper(): value for key, value in stub.options().items()}
    return subprocess.run(
        [str(BIN / name), *map(str, arguments)],
        cwd=ROOT,
        env=stub.environment(**leads, **variables),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def alive(pid):
    """Whether a process runs; one that has ended and was not yet asked for does not."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False
