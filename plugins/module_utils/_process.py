# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program with bytes on its standard input.

Not AnsibleModule.run_command: that one fails with "Broken pipe" when a program ends before it has read everything, and then what the
program said and how it ended is lost. Interpreters that cannot start are just what has to be told.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import subprocess


def run(arguments, data):
    """(exit status, or minus the signal; standard output; standard error). OSError where there is no such program."""
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True)
    output, errors = process.communicate(data)
    return process.returncode, output, errors
