"""What the gathering modules cost: beside ansible's ping, on 100,000 backups, with the vendor's price of a VM's object, and by scope."""

import json
import os
import pathlib
import resource
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
        for number, bench in enumerate((beside_ping, large_server, vm_objects, many_vms, scopes)):
            home = pathlib.Path(folder) / str(number)
            home.mkdir()
            bench(home)


def beside_ping(home):
    """A small tree: the whole of ``ansible localhost -m``, in pairs with ping. Mark: at most 1.5."""
    stub = Stub(home)
    stub("demo", "--now", NOW, "--vms", "3")
    leads = {"PRL_" + key.upper(): value for key, value in stub.options().items()}
    # As users run it: with the byte code that Python keeps.
    environment = {
        name: value for name, value in stub.environment(**leads).items() if name != "PYTHONDONTWRITEBYTECODE"
    }

    def timed(module):
        start = time.perf_counter()
        subprocess.run(
            [str(BIN / "ansible"), "localhost", "-m", module],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
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
            [sys.executable, "-c", MEASURED],
            input=json.dumps(arguments),
            env=stub.environment(PYTHONPATH=str(COLLECTIONS)),
            text=True,
            capture_output=True,
            check=False,
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


#: Processor time that the vendor's library needs to take a VM's object, and the size of the text that it parses.
OBJECT, ENTRY = 0.007, 15_000


def processor_time(stub, whole_task, **options):
    """Seconds of prl_backup_info with all of its processes: of a whole ad hoc command, or of the module alone."""
    leads = {"PRL_" + key.upper(): value for key, value in stub.options().items()}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if whole_task:
        command = [str(BIN / "ansible"), "localhost", "-m", "prlsdk.core.prl_backup_info", "-a", json.dumps(options)]
        done = subprocess.run(
            command, cwd=ROOT, env=stub.environment(**leads), text=True, capture_output=True, check=False
        )
        failed = done.returncode and done.stdout[-2000:] + done.stderr
    else:
        result = run_module("prl_backup_info", stub, **options)
        failed = result.get("failed") and result["msg"]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if failed:
        sys.exit(failed)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def vm_objects(home):
    """Whole tasks on a node of 1,000 VMs, whose list is read as text, beside the same with a build that gives objects only."""
    stub = Stub(home)
    tree = home / "tree.xml"
    tree_generator.write(tree, backups=100_000, vms=1_000)
    stub("load", tree, "--register")
    stub("set", "vm_entry_size", ENTRY)
    tasks = {
        "summary of 100,000 backups, whole task": (True, {"gather": ["summary"]}, 1.1),
        "one VM by its name, module": (False, {"vms": [first_name(tree)], "scope": "registered"}, 0.2),
    }
    for cost in (OBJECT, 0):
        stub("set", "vm_object_seconds", cost)
        for name, (whole_task, options, limit) in tasks.items():
            taken = {}
            for entries in ("objects", "text"):
                stub("set", "vm_entries", entries)
                taken[entries] = processor_time(stub, whole_task, **options)
            ratio = taken["text"] / taken["objects"]
            mark = marks.at_most(ratio, limit, "modules: %s by text" % name) if cost else ""
            print(
                "1,000 VMs, %.0f ms for an object, %s: %.1f s of processor time by objects, %.1f s by text, ratio %.2f %s"
                % (cost * 1000, name, taken["objects"], taken["text"], ratio, mark)
            )


def first_name(tree):
    with open(tree, encoding="utf-8") as source:
        return source.read(4000).partition("<Name>")[2].partition("</Name>")[0]


def many_vms(home):
    """``scope: registered``: what a VM costs on a node of 10,000 of them, against one on a node of 1,000."""
    each = {}
    for number in (1_000, 10_000):
        folder = home / str(number)
        folder.mkdir()
        stub = Stub(folder)
        tree = folder / "tree.xml"
        tree_generator.write(tree, backups=number, vms=number)
        stub("load", tree, "--register")
        each[number] = processor_time(stub, True, gather=["summary"], scope="registered", timeout=900) / number
    ratio = each[10_000] / each[1_000]
    print(
        "scope: registered, 10,000 VMs: %.2f ms of processor time for each, %.2f times one of 1,000 %s"
        % (each[10_000] * 1000, ratio, marks.at_most(ratio, 1.2, "modules: a VM of 10,000 to one of 1,000"))
    )


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
