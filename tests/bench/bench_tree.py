# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of reading a node's backup tree, beside a bare pass of the same parser over the same text.

Each measurement is a process of its own, so that its peak memory is its own; the runs of the things compared take
turns, so that a busy machine slows all of them. ``python -m tests.bench.bench_tree [backups [runs]]``.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RATIO_MARK = 2.5  # parse() to the bare pass
MEMORY_MARK = 60  # MB above the interpreter


def _peak():
    """The most memory this process ever had, in MB."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # ru_maxrss would begin at the size of the process that started this one
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _bare(path):
    from lxml import etree

    count = 0
    for _event, _element in etree.iterparse(path):
        count += 1
    return count


def _bare_cleared(path):
    from lxml import etree

    count = 0
    for _event, element in etree.iterparse(path):
        count += 1
        element.clear()
    return count


def _start_parser():
    sys.path.insert(0, str(ROOT))
    importlib.import_module("conftest")  # makes the checkout importable as the collection
    from ansible_collections.prlsdk.core.plugins.module_utils._backups import query as _backup_select
    from ansible_collections.prlsdk.core.plugins.module_utils._backups import tree as _backup_tree

    return _backup_select, _backup_tree


def _parse(path):
    tree_module = _start_parser()[1]
    return sum(len(chain.backups) for tree in tree_module.parse(path) for chain in tree.chains)


def _parse_all(path):
    tree_module = _start_parser()[1]
    return sum(len(chain.backups) for tree in tree_module.parse(path, disks=True, files=True) for chain in tree.chains)


def _summary(path):
    select_module, tree_module = _start_parser()
    return select_module.select(select_module.merge(tree_module.parse(path)), keep=False).total


def _kept(path):
    select_module, tree_module = _start_parser()
    chosen = select_module.select(select_module.merge(tree_module.parse(path)))
    return len([tree_module.as_result(tree) for tree in chosen.trees]) and chosen.total


# How each is named in the output: (what is run, what is imported before the clock and the memory count begin)
CASES = {
    "bare iterparse, clearing": (_bare_cleared, False),
    "bare iterparse": (_bare, False),
    "parse()": (_parse, True),
    "parse(disks, files)": (_parse_all, True),
    "parse, merge, summary": (_summary, True),
    "parse, merge, sort, results": (_kept, True),
}


def _measure(name, path):
    """In the process of its own: run one case once and print what it took."""
    function, own = CASES[name]
    if own:
        _start_parser()
    import lxml.etree  # noqa: F401  so that only the work is measured

    before, start = _peak(), time.perf_counter()
    count = function(path)
    print(json.dumps({"seconds": time.perf_counter() - start, "megabytes": _peak() - before, "count": count}))


def _run(name, path):
    output = subprocess.run(
        [sys.executable, "-B", __file__, "--measure", name, path], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout
    return json.loads(output.splitlines()[-1])


def _run_xmllint(path):
    before = os.times()
    subprocess.run(["xmllint", "--stream", "--noout", path], check=True)
    return {"seconds": os.times().elapsed - before.elapsed, "megabytes": None, "count": None}


def measure(backups=100000, runs=3):
    """Return (bytes of the text, {case: {seconds, megabytes, count}}), medians over the runs."""
    sys.path.insert(0, str(ROOT))
    from tests.bench import tree_generator

    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "tree.xml")
        size = tree_generator.write(path, backups)
        results = {name: [] for name in CASES}
        if shutil.which("xmllint"):
            results["xmllint --stream"] = []
        for _turn in range(runs):
            for name, taken in results.items():
                taken.append(_run_xmllint(path) if name not in CASES else _run(name, path))
    medians = {}
    for name, taken in results.items():
        memory = [one["megabytes"] for one in taken if one["megabytes"] is not None]
        medians[name] = {
            "seconds": statistics.median(one["seconds"] for one in taken),
            "megabytes": statistics.median(memory) if memory else None,
            "count": taken[0]["count"],
        }
    return size, medians


def main(arguments=()):
    """Print the table and the marks."""
    sys.path.insert(0, str(ROOT))
    from tests.bench import marks

    backups, runs = ([int(text) for text in arguments] + [100000, 3][len(arguments) :])[:2]
    size, medians = measure(backups, runs)
    bare = min(medians[name]["seconds"] for name in CASES if name.startswith("bare"))
    print(
        f"Reading a tree of {backups} backups, {size / 1e6:.1f} MB, {size / max(backups, 1):.0f} bytes each; medians of {runs} runs"
    )
    print(f"{'':30}{'seconds':>9}{'to bare':>9}{'MB above the start':>20}")
    for name, one in medians.items():
        memory = "" if one["megabytes"] is None else f"{one['megabytes']:20.1f}"
        print(f"{name:30}{one['seconds']:9.2f}{one['seconds'] / bare:9.2f}{memory}")
    assert {one["count"] for name, one in medians.items() if name.startswith("parse")} == {backups}
    ratio, memory = medians["parse()"]["seconds"] / bare, medians["parse()"]["megabytes"]
    ratio_mark = marks.at_most(ratio, RATIO_MARK, "tree: parse() to a bare pass")
    memory_mark = marks.at_most(memory, MEMORY_MARK, "tree: memory of parse()", " MB")
    print(f"parse(): {ratio:.2f} times the faster bare pass {ratio_mark}, {memory:.1f} MB {memory_mark}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measure(*sys.argv[2:4])
    else:
        main(sys.argv[1:])
