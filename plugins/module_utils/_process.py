# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program with bytes on its standard input, and keep of what it prints no more than a bounded part.

Not AnsibleModule.run_command: that one fails with "Broken pipe" when a program ends before it has read everything, and then what the
program said and how it ended is lost. Interpreters that cannot start are just what has to be told.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import signal
import subprocess
import threading

from ansible_collections.prlsdk.core.plugins.module_utils import _hangup

# Bytes of noise that are kept: of standard error the last ones, and of standard output a line that is no longer than this.
NOISE = 1024 * 1024
# How a line of JSON begins. One of them may be as long as it wants.
MESSAGE = b'{"'

_PIECE = 64 * 1024


def run(arguments, data, each_line, limit=None):
    """(exit status, or minus the signal, or None when it was ended for taking too long; the end of what it printed on standard error).

    OSError where there is no such program. ``each_line`` is called with every line of standard output as soon as it is there; long ones that
    are no JSON object are left out. After ``limit`` seconds the program is killed, with all that it started, and so it is when an exception
    comes meanwhile. The program is started by the calling thread: where it asked the kernel to die with its parent, that means with this
    thread.
    """
    guard = None
    try:
        with _hangup.held_back():  # until it is known what there is to end
            process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True, start_new_session=True
            )
            guard = Guard(process, limit)
        with guard:
            status, errors = _converse(process, data, each_line)
    except BaseException:  # this process ends: the program must not use its files any more when they are removed
        if guard is not None:
            guard.strike()
            process.wait()
        raise
    return None if guard.struck else status, errors


def _converse(process, data, each_line):
    errors = bytearray()
    helpers = [threading.Thread(target=_feed, args=(process.stdin, data)), threading.Thread(target=_keep_end, args=(process.stderr, errors))]
    for helper in helpers:
        helper.daemon = True
        helper.start()
    for line in _lines(process.stdout):
        each_line(line)
    for helper in helpers:
        helper.join()
    status = process.wait()
    process.stdout.close()
    process.stderr.close()
    return status, bytes(errors)


def _lines(pipe):
    """The lines of a pipe as they come, without long ones that are no JSON object."""
    line, left_out = bytearray(), False
    for piece in _pieces(pipe):
        for number, part in enumerate(piece.split(b"\n")):
            if number:
                if not left_out:
                    yield bytes(line)
                line, left_out = bytearray(), False
            if not left_out:
                line += part
                if len(line) > NOISE and not line.startswith(MESSAGE):
                    line, left_out = bytearray(), True
    if line:
        yield bytes(line)


def _keep_end(pipe, end):
    """Read a pipe to its end, of which ``end``, a bytearray, gets the last part."""
    for piece in _pieces(pipe):
        end += piece
        if len(end) > 2 * NOISE:
            del end[:-NOISE]
    del end[:-NOISE]


def _pieces(pipe):
    while True:
        piece = os.read(pipe.fileno(), _PIECE)
        if not piece:
            return
        yield piece


class Guard:
    """Kills a process and its group when ``limit`` seconds are over before the block is; None: never."""

    def __init__(self, process, limit):
        self._process, self.struck = process, False
        self._timer = threading.Timer(limit, self.strike) if limit is not None else None

    def __enter__(self):
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *exception):
        if self._timer:
            self._timer.cancel()

    def strike(self):
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
