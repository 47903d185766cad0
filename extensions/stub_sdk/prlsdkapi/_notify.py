# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that calls a server's event handlers: one for each Server object, one call at a time, in order."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections
import os
import sys
import threading

from prl_stub import sessions
from prlsdkapi._trouble import hang


class Notifier:
    """Sleeps on two descriptors: its own pipe, for what this process has to say, and the session's channel."""

    def __init__(self, deliver, refresh):
        self._deliver = deliver
        self._refresh = refresh
        self._inbox = collections.deque()
        self._pipe = os.pipe()
        self._channel = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="CNotificationTh")
        self._thread.daemon = True
        self._thread.start()

    def put(self, native):
        """Let the handlers have this event or job."""
        self._inbox.append(native)
        self._nudge()

    def watch(self, channel):
        """Watch a session's channel, or none."""
        self._channel = channel
        self._nudge()

    def inside(self):
        """Whether the caller runs in this thread, that is in a handler."""
        return threading.current_thread() is self._thread

    def stop(self):
        """End the thread after the call under way."""
        self._stopped = True
        self._nudge()
        if not self.inside():
            self._thread.join(5)

    def _nudge(self):
        try:
            os.write(self._pipe[1], b"!")
        except OSError:
            pass

    def _run(self):
        while not self._stopped:
            descriptors = [self._pipe[0]]
            channel = self._channel
            if channel is not None and channel.descriptor is not None:
                descriptors.append(channel.descriptor)
            ready = sessions.wait(descriptors)
            if self._pipe[0] in ready:
                os.read(self._pipe[0], 65536)
            while self._inbox and not self._stopped:
                native = self._inbox.popleft()
                self._refresh(self._channel)  # the events of an operation come before the end of its job
                self._deliver(native)
            if not self._stopped:
                self._refresh(self._channel)
        for descriptor in self._pipe:
            os.close(descriptor)


def call(handler, number, user_data):
    """Call a handler as the library does: what it raises is printed and lost."""
    try:
        handler(number, user_data)
    except SystemExit:
        # The library finalises the interpreter in this thread then, and the process never ends.
        hang()
    except BaseException:  # KeyboardInterrupt is swallowed as well
        sys.excepthook(*sys.exc_info())
