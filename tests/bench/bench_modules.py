"""What the gathering modules cost: beside ansible's ping, on 100,000 backups, and by scope on a server of the vendor's speed."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from tests.bench import marks, tree_generator
from tests.harness import BIN, COLLECTIONS, ROOT, Stub, run_module

NOW = "2026-11-22T06:00:00Z"


def main():
    with tempfile.TemporaryDirectory() as folder:
        for number, bench in enumerate((beside_ping, large_server, scopes)):
            home = pathlib.Path(folder) / str(number)
            home.mkdir()
            bench(home)


def beside_ping(home):
    """A small tree: the whole of ``ansible localhost -m``, in pairs with ping. Mark: at most 1.5."""
    stub = Stub(home)
    stub("demo", "--now", NOW, "--vms", "3")
    leads = {"PRL_" + key.upper(): value for key, value in stub.options().items()}
    # As users run it: with the byte code that Python keeps.
    environment = {name: value for name, value in stub.environment(**leads).items() if name != "PYTHONDONTWRITEBYTECODE"}

    def timed(module):
        start = time.perf_counter()
        subprocess.run([str(BIN / "ansible"), "localhost", "-m", module], cwd=ROOT, env=environment, check=True, capture_output=True)
        return time.perf_counter() - start

    pairs = [(timed("prlsdk.core.prl_backup_info"), timed("ansible.builtin.ping")) for _pair in range(9)][1:]
    ours, ping = (statistics.median(column) for column in zip(*pairs))
    ratio = statistics.median(mine / other for mine, other in pairs)
    mark = marks.at_most(ratio, 1.5, "modules: prl_backup_info to ping")
    print("small tree, ad hoc: prl_backup_info %.2f s, ping %.2f s, ratio %.2f %s" % (ours, ping, ratio, mark))


def large_server(home):
    """100,000 backups in 1,000 VMs: the module as a process, its memory, and its worker's."""
    stub = Stub(home)
    tree = home / "tree.xml"
    tree_generator.write(tree, backups=100_000, vms=1_000)
    stub("load", tree)
    for gather in (["summary"], ["backups", "summary"]):
        arguments = {"ANSIBLE_MODULE_ARGS": stub.options(gather=gather)}
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", MEASURED], input=json.dumps(arguments), env=stub.environment(PYTHONPATH=str(COLLECTIONS)), text=True,
            capture_output=True, check=False,
        )
        elapsed = time.perf_counter() - start
        if done.returncode:
            sys.exit(done.stdout[-2000:] + done.stderr)
        module, worker = (int(word) / 1024 for word in done.stderr.split()[-2:])
        print(
            "100,000 backups, %.0f MB of XML, gather %s: %.1f s, result %.1f MB, peak memory of the module %.0f MB, of the SDK's process %.0f MB"
            % (os.path.getsize(tree) / 1e6, ",".join(gather), elapsed, len(done.stdout) / 1e6, module, worker)
        )


# Run the module in this process, then say how much memory it and its children took at their peak (KiB).
MEASURED = """
import resource, runpy, sys
try:
    runpy.run_module("ansible_collections.prlsdk.core.plugins.modules.prl_backup_info", run_name="__main__")
except SystemExit:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def scopes(home):
    """200 VMs with 40 backups each on a server whose answer takes time by the square of its size, as the vendor's does."""
    stub = Stub(home)
    stub("demo", "--now", NOW, "--vms", "200", "--weeks", "6", "--increments", "6")
    # The vendor's serializer took 52 s for 7.6 MB.
    stub("fault", "add", "get_backup_tree", "quadratic", repr(52 / 7.6e6**2), "--always")
    taken = {}
    for scope in ("all", "registered"):
        start = time.perf_counter()
        result = run_module("prl_backup_info", stub, scope=scope, gather=["summary"])
        taken[scope] = time.perf_counter() - start
    print(
        "200 VMs, %d backups, the vendor's quadratic cost: scope all %.1f s, registered %.1f s, ratio %.1f"
        % (result["total"], taken["all"], taken["registered"], taken["all"] / taken["registered"])
    )
