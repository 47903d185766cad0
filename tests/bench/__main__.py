"""``python -m tests.bench [NAME ...]``: run the benchmarks, all or those named (``tree`` for bench_tree.py).

They print figures and ratios, and never fail for being slow: a figure is for people to compare.
"""

import importlib
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent


def main():
    known = sorted(path.stem[len("bench_"):] for path in FOLDER.glob("bench_*.py"))
    wanted = sys.argv[1:] or known
    for name in wanted:
        if name not in known:
            sys.exit("There is no benchmark '%s'. There are: %s." % (name, ", ".join(known)))
    for name in wanted:
        print("== %s" % name, flush=True)
        importlib.import_module("tests.bench.bench_" + name).main()
        print(flush=True)


if __name__ == "__main__":
    main()
