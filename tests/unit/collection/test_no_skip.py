# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In CI a test that is skipped because a program is missing has failed; a Python that is not there is no failure."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
TESTS = """\
import pytest

def test_program():
    pytest.skip("this machine has no sshd")

@pytest.mark.skipif(True, reason="this machine has no Chromium")
def test_mark():
    pass

def test_python():
    pytest.skip("no Python 3.14 here")
"""


@pytest.mark.parametrize("value, says", [("1", "1 failed, 1 skipped, 1 error"), ("", "3 skipped")])
def test_a_skip_for_a_missing_program_is_a_failure(tmp_path, value, says):
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", "-c", "/dev/null"]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), "test_it.py"],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(ROOT), PRL_NO_SKIP=value),
        capture_output=True,
        text=True,
        check=False,
    )
    assert says in done.stdout, done.stdout + done.stderr
