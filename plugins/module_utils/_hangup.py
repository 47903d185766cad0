# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notice that whoever started a module has gone away."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import select
import signal
import threading


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
    poll = select.poll()
    poll.register(1, 0)  # errors and the end are told unasked
    while not any(what & (select.POLLERR | select.POLLHUP) for descriptor, what in poll.poll(60000)):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
