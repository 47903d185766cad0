# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notice that whoever started a module has gone away, and end without leaving anything behind."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import select
import signal
import threading

# poll() calls it invalid where standard output was closed: nobody reads that either.
UNREAD = ("POLLERR", "POLLHUP", "POLLNVAL")


def end_tidily():
    """End by the signals of a cancelled play as by an exception: what is registered for the end of the process then removes its files.

    Their default action would leave the module's temporary folder, with the worker's files in it.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # a process that was told to outlive its terminal ignores SIGHUP
            signal.signal(number, _leave)


def _leave(number, frame):
    for other in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)  # a second one must not disturb the tidying
    raise SystemExit(128 + number)


def end_with_reader():
    """End this process when nobody reads its standard output any more.

    A play that is cancelled over SSH without a terminal (with pipelining) tells the module nothing; a wait would go on until its time is
    over. Only for modules that may be ended at any moment.
    """
    if hasattr(select, "poll"):
        watch = threading.Thread(target=_watch_reader)
        watch.daemon = True
        watch.start()


def _watch_reader():
    unread = sum(getattr(select, name) for name in UNREAD)
    poll = select.poll()
    poll.register(1, 0)  # these are told unasked
    while not any(what & unread for descriptor, what in poll.poll(60000)):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
