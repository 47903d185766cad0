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
import threading


def run(arguments, data, each_line=None):
    """(exit status, or minus the signal; standard output; standard error). OSError where there is no such program.

    ``each_line`` is called with every line of standard output as soon as it is there. The program is started by the calling thread:
    where it asked the kernel to die with its parent, that means with this thread. An exception meanwhile ends it.
    """
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True)
    try:
        return _listen(process, data, each_line)
    except BaseException:  # this process ends: the program must not use its files any more when they are removed
        process.kill()
        process.wait()
        raise


def _listen(process, data, each_line):
    if each_line is None:
        output, errors = process.communicate(data)
        return process.returncode, output, errors
    errors, lines = [], []
    helpers = [threading.Thread(target=_feed, args=(process.stdin, data)), threading.Thread(target=lambda: errors.append(process.stderr.read()))]
    for helper in helpers:
        helper.daemon = True
        helper.start()
    for line in process.stdout:
        lines.append(line)
        each_line(line)
    for helper in helpers:
        helper.join()
    status = process.wait()
    process.stdout.close()
    process.stderr.close()
    return status, b"".join(lines), b"".join(errors)


def _feed(pipe, data):
    try:
        pipe.write(data)
        pipe.close()
    except (OSError, ValueError):  # it ended before it had read everything: its own words tell why
        pass
