# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive as Galaxy examines it: galaxy-importer, with all of its checks that need no container, finds nothing."""

import os
import pathlib
import re
import subprocess
import sys

from tests.harness import BIN, ROOT
from tests.pythons import interpreters
from tests.venvs import python_of

CONFIGURATION = """\
[galaxy-importer]
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
RUN_FLAKE8 = True
CHECK_REQUIRED_TAGS = True
CHECK_CHANGELOG = True
LOCAL_IMAGE_DOCKER = False
"""
#: What a finding looks like: a level, or the answer of a linter.
FINDING = re.compile(r"^(?:WARNING|ERROR|CRITICAL): .*|.*\bTraceback\b.*", re.MULTILINE)
#: The importer turns on all of pycodestyle's opinions on white space, also those that exclude each other: an operator at the end of a line is one
#: (W504), and one at the beginning of the next (W503), where the formatter puts it; as it puts the space in sequence[a + 1 :] (E203).
OPINIONS = re.compile(r"^WARNING: \S+:\d+:\d+: (?:E203|W503|W504) .*$", re.MULTILINE)


def imported(archive, folder):
    """What the importer says about an archive."""
    version = "%d.%d" % sys.version_info[:2]
    python = pathlib.Path(python_of(interpreters().get(version, sys.executable), "importer.txt"))
    (folder / "importer.cfg").write_text(CONFIGURATION)
    done = subprocess.run(
        [str(python), "-m", "galaxy_importer.main", str(archive)],
        cwd=folder,
        env=dict(
            os.environ,
            GALAXY_IMPORTER_CONFIG=str(folder / "importer.cfg"),
            HOME=str(folder),
            NO_COLOR="1",
            PATH="%s:%s" % (python.parent, os.environ["PATH"]),
        ),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_galaxy_finds_nothing_in_the_archive(tmp_path):
    built = subprocess.run(
        [BIN / "ansible-galaxy", "collection", "build", ROOT, "--output-path", tmp_path / "archive"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (archive,) = (tmp_path / "archive").iterdir()
    said = imported(archive, tmp_path)
    assert "completed successfully" in said, said[-4000:]
    assert not FINDING.findall(OPINIONS.sub("", said))
