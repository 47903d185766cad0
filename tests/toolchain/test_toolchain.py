"""The project's own tools as tests: what each of them rejects must not land."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tests.toolchain import ansible_test, shared_returns

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
# What mypy reads below plugins/. The worker is written for Python 2.7, and has no types.
TYPED = ("module_utils", "plugin_utils", "modules", "action", "filter", "doc_fragments")


def run(*command, **environment):
    """The command's output; fails the test with all of it when the command fails."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        env=dict(os.environ, NO_COLOR="1", PATH="%s:%s" % (BIN, os.environ["PATH"]), **environment),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, "%s ended with status %d\n%s" % (" ".join(command), done.returncode, done.stdout)
    return done.stdout


@pytest.mark.slow
def test_ansible_lint_production_profile():
    run("ansible-lint", "--offline", "--profile", "production", "--strict")


def test_shared_return_values_lint():
    assert shared_returns.main(["--check"]) == 0


def test_ruff_lint():
    run("ruff", "check", "--no-cache", ".")


def test_format_lint():
    run("ruff", "format", "--no-cache", "--diff", ".")


def test_mypy_lint():
    packages = ["ansible_collections.prlsdk.core.plugins.%s" % name for name in TYPED]
    run("mypy", "--no-incremental", *[word for package in packages for word in ("-p", package)])
    run("mypy", "--no-incremental", "extensions/eda/plugins/event_source/prl_events.py")


def test_yamllint_lint():
    run("yamllint", "--strict", ".")


def test_codespell_lint():
    run("codespell")


def test_reuse_lint():
    run("reuse", "lint", "--lines")


def test_changelog_lint():
    run("antsibull-changelog", "lint")


@pytest.mark.slow
def test_docs_lint():
    run("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", ".")


@pytest.mark.slow
def test_collection_builds_and_carries_no_development_files(tmp_path):
    run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(tmp_path))
    (archive,) = tmp_path.iterdir()
    shutil.unpack_archive(archive, tmp_path / "content")
    top = {path.name for path in (tmp_path / "content").iterdir()}
    assert {"plugins", "meta", "README.md", "LICENSE", "MANIFEST.json"} <= top
    assert not top & {"tests", "Makefile", "ansible.cfg", "conftest.py", "noxfile.py"}
    assert not [name for name in top if name.startswith(".")]


@pytest.mark.slow
def test_sanity(tmp_path):
    collection = ansible_test.copy_collection(tmp_path)
    arguments = ["sanity", "--color", "no", "--python", "%d.%d" % sys.version_info[:2], "-v"]
    done = ansible_test.run(arguments, collection)
    assert done.returncode == 0, "\n".join(
        line for line in done.stdout.splitlines() if line.startswith(("ERROR", "FATAL", "WARNING"))
    )
    # "No tests applicable" also ends with status 0.
    assert "validate-modules" in done.stdout, done.stdout[-2000:]


@pytest.mark.slow
def test_units_run_by_ansible_test(tmp_path):
    collection = ansible_test.copy_collection(tmp_path)
    python = "%d.%d" % sys.version_info[:2]
    targets = ["tests/unit/plugins/plugin_utils/text/", "tests/unit/plugins/module_utils/test_time_durations.py"]
    done = ansible_test.run(["units", "--color", "no", "--python", python, *targets], collection)
    assert done.returncode == 0 and re.search(r"[1-9][0-9]+ passed", done.stdout), done.stdout[-2000:]
