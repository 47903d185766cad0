# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of ansible-core that the collection supports, and the Pythons of this machine that each of them runs on."""

from tests.pythons import interpreters
from tests.venvs import python_of

#: Line -> the controller Pythons that ansible-core supports, the newest last.
LINES = {
    "2.16": ("3.10", "3.11", "3.12"),
    "2.17": ("3.10", "3.11", "3.12"),
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.12", "3.13", "3.14"),
}
#: Line -> the Pythons of target hosts that it supports and that the collection does, the oldest first.
TARGETS = {
    "2.16": ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12"),
    "2.17": ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12"),
    "2.18": ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13"),
    "2.19": ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13"),
    "2.20": ("3.9", "3.10", "3.11", "3.12", "3.13"),
    "2.21": ("3.9", "3.10", "3.11", "3.12", "3.13"),
}


def python_with(line, version):
    """The interpreter of an environment with the newest ansible-core of a line. It is made once, and kept."""
    return python_of(interpreters()[version], "core-%s.txt" % line)


def oldest_python(line):
    """The Python for what is done once for each line: the oldest that it supports and that is here. None if there is none."""
    return next((version for version in LINES[line] if version in interpreters()), None)
