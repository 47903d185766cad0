# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program with bytes on its standard input.

Not AnsibleModule.run_command: that one fails with "Broken pipe" when a program ends before it has read everything, and then what the
program said and how it ended is lost. Interpreters that cannot start are just what has to be told.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import signal
import subprocess
import threading


def run(arguments, data, each_line=None, limit=None):
    """(exit status, or minus the signal, or None when it was ended for taking too long; standard output; standard error).

    OSError where there is no such program. ``each_line`` is called with every line of standard output as soon as it is there. After
    ``limit`` seconds the program is killed, with all that it started. The program is started by the calling thread: where it asked the
    kernel to die with its parent, that means with this thread.
    """
    process = subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True, start_new_session=True
    )
    guard = Guard(process, limit)
    errors, lines = [], []
    helpers = [threading.Thread(target=_feed, args=(process.stdin, data)), threading.Thread(target=lambda: errors.append(process.stderr.read()))]
    for helper in helpers:
        helper.daemon = True
        helper.start()
    with guard:
        for line in process.stdout:
            lines.append(line)
            if each_line is not None:
                each_line(line)
        for helper in helpers:
            helper.join()
        status = process.wait()
    process.stdout.close()
    process.stderr.close()
    return None if guard.struck else status, b"".join(lines), b"".join(errors)


class Guard:
    """Kills a process and its group when ``limit`` seconds are over before the block is; None: never."""

    def __init__(self, process, limit):
        self._process, self.struck = process, False
        self._timer = threading.Timer(limit, self._strike) if limit is not None else None

    def __enter__(self):
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *exception):
        if self._timer:
            self._timer.cancel()

    def _strike(self):
        self.struck = True
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except OSError:  # it has just ended by itself
            pass


def _feed(pipe, data):
    try:
        pipe.write(data)
        pipe.close()
    except (OSError, ValueError):  # it ended before it had read everything: its own words tell why
        pass
