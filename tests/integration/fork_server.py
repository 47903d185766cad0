"""Start modules many times, quickly: a process that has imported everything already forks for each run.

What runs is the real code in a process of its own, which can be killed. Commands are JSON lines on standard input, answers JSON lines on
standard output: {"run": "prl_backup", "folder": ..., "env": {...}, "input": ...} -> {"pid": ...}; {"wait": pid} -> {"status": ...}.
The run's standard output is in the file ``output`` of its folder.
"""

import importlib
import json
import os
import subprocess
import sys

from tests.harness import COLLECTIONS, ROOT, STUB_SDK, environment


class ForkServer:
    """The process, seen from a test."""

    def __init__(self, folder):
        variables = environment(
            PYTHONPATH=os.pathsep.join(map(str, (ROOT, COLLECTIONS, STUB_SDK))),
            PYTHONPYCACHEPREFIX=str(folder / "pycache"),
        )
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.fork_server"],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, **command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, what, folder, state, given):
        folder.mkdir(exist_ok=True)
        return self._ask(run=what, folder=str(folder), env={"PRL_STUB_STATE": str(state)}, input=given)["pid"]

    def wait(self, pid):
        return self._ask(wait=pid)["status"]

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def main():
    from ansible.module_utils import basic

    for line in sys.stdin:
        command = json.loads(line)
        if "wait" in command:
            answer = {"status": os.waitpid(command["wait"], 0)[1]}
        else:
            module = importlib.import_module("ansible_collections.prlsdk.core.plugins.modules." + command["run"])
            pid = os.fork()
            if not pid:
                try:
                    run(command, basic, module)
                finally:
                    os._exit(99)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


def run(command, basic, module):
    os.environ.update(command["env"])
    os.chdir(command["folder"])
    with open("input", "w") as given:
        json.dump(command["input"], given)
    made = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for descriptor, name, mode in ((0, "input", os.O_RDONLY), (1, "output", made), (2, "errors", made)):
        os.dup2(os.open(name, mode, 0o600), descriptor)
    sys.stdin = open(0)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": command["input"]}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    try:
        module.main()
    except SystemExit as leaving:
        sys.stdout.flush()
        os._exit(leaving.code or 0)


if __name__ == "__main__":
    main()
