"""``python -m tests.bench [NAME ...]``: run the benchmarks, all or those named (``tree`` for bench_tree.py).

They print figures and ratios, and never fail for being slow: a figure is for people to compare, and one that misses its mark says so. A
benchmark that breaks does not stop the others; the exit status is then 1.
"""

import importlib
import pathlib
import sys
import time
import traceback

from tests.bench import marks

FOLDER = pathlib.Path(__file__).resolve().parent


def run(benchmarks):
    """Run each, {name: function}; print the figures and at the end what was missed and what broke. -> the names of those that broke."""
    broken = []
    for name, benchmark in benchmarks.items():
        print("== %s" % name, flush=True)
        started = time.perf_counter()
        try:
            benchmark()
        except (Exception, SystemExit):
            broken.append(name)
            traceback.print_exc(file=sys.stdout)
        print("-- %s: %s after %.0f s" % (name, "BROKEN" if name in broken else "done", time.perf_counter() - started))
        print(flush=True)
    for text in marks.missed:
        print("MISSED: %s" % text)
    for name in broken:
        print("BROKEN: %s; its figures above are not whole" % name)
    return broken


def named(name):
    """The benchmark of this name; a file that cannot even be imported breaks when it is run, like any other."""
    return lambda: importlib.import_module("tests.bench.bench_" + name).main()


def main():
    known = sorted(path.stem[len("bench_") :] for path in FOLDER.glob("bench_*.py"))
    wanted = sys.argv[1:] or known
    for name in wanted:
        if name not in known:
            sys.exit("There is no benchmark '%s'. There are: %s." % (name, ", ".join(known)))
    sys.exit(1 if run({name: named(name) for name in wanted}) else 0)


if __name__ == "__main__":
    main()
