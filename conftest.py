"""Make the checkout importable as the collection prlsdk.core before any test is collected."""

import os
import pathlib
import sys

import hypothesis

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


def _install_collection_finder():
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
        _AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()


_link_collection()
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
_install_collection_finder()

hypothesis.settings.register_profile("default", max_examples=1000, deadline=None)
hypothesis.settings.register_profile("quick", max_examples=50, deadline=None)
hypothesis.settings.register_profile("soak", max_examples=50000, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


#: Parts of the names of tests that take a minute and more.
LONG = ("toolchain", "test_fifty_hosts")


def pytest_collection_modifyitems(items):
    """The longest first, so that no processor waits at the end for the other one's last long test."""
    items.sort(key=lambda item: not any(part in item.nodeid for part in LONG))
