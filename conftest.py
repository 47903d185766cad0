"""Make the checkout importable as the collection prlsdk.core before any test is collected."""

import itertools
import os
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent
COLLECTIONS = ROOT / ".ansible" / "collections"


def _link_collection():
    """Show the checkout under ansible_collections/ without copying it (``make`` does the same)."""
    link = COLLECTIONS / "ansible_collections" / "prlsdk" / "core"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        try:
            link.symlink_to("../../../..", target_is_directory=True)
        except FileExistsError:  # another pytest worker was quicker
            pass


def _is_found():
    """Whether the collection is found already, as under ansible-test."""
    return any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path)


if not _is_found():
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    _link_collection()
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
    _AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()


#: Parts of the names of tests that take half a minute and more.
LONG = ("test_fifty_hosts", "test_molecule", "test_sanity", "test_ansible_lint")


def pytest_collection_modifyitems(items):
    """Let each worker begin with its share of the long tests, so that none is left with a long one when the others are done.

    Workers are given equal parts of the list, in its order, and take over from each other what is not begun at the end of a part.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if any(part in item.nodeid for part in LONG)]
    rest = iter([item for item in items if item not in long])
    ordered = []
    for worker in range(workers):
        ordered += long[worker::workers]
        ordered += itertools.islice(rest, max(len(items) * (worker + 1) // workers - len(ordered), 0))
    items[:] = [*ordered, *rest]


#: The reasons for skips that are right anywhere: a machine need not have every Python, and a Python need not know every pattern.
MAY_BE_MISSING = re.compile(r"\bno Python [0-9]|\bthis Python does not|no file system can be mounted")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With PRL_NO_SKIP, as in CI, a test that is skipped because a program is missing has failed."""
    report = (yield).get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("PRL_NO_SKIP"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not MAY_BE_MISSING.search(reason):
            report.outcome = "failed"
            report.longrepr = "skipped, which PRL_NO_SKIP does not allow: %s" % reason
