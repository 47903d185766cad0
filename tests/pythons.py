# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python interpreters of this machine, for tests that have to hold on several of them."""

import functools
import glob
import os
import re
import shutil
import subprocess

VERSIONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_PROBE = "import sqlite3, sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"


@functools.cache
def interpreters():
    """{version: path} of those that really run; a pyenv shim of a version that is not selected does not."""
    return {version: path for version in VERSIONS if (path := _find(version))}


def _find(version):
    for path in _candidates(version):
        try:
            answer = subprocess.run([path, "-c", _PROBE], capture_output=True, text=True, timeout=30, check=False)
        except OSError:
            continue
        if answer.returncode == 0 and answer.stdout == version:
            return path
    return None


def _candidates(version):
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    # The newest patch release first; the versions' own programs, not the shims.
    installed = glob.glob(os.path.join(root, "versions", version + ".*", "bin", "python"))
    yield from sorted(installed, key=_natural, reverse=True)
    on_path = shutil.which("python" + version)
    if on_path:
        yield on_path


def _natural(path):
    return [int(number) for number in re.findall(r"\d+", path)]
