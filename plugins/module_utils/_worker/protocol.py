# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's end of the wire: JSON lines in and out, the deadline, dying with the parent, and text as the SDK wants it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import fcntl
import io
import json
import os
import re
import signal
import sys
import threading
import time

# The alarm rings this many seconds after the deadline: time to answer properly first.
GRACE = 1.0

monotonic = getattr(time, "monotonic", time.time)


class Failure(Exception):
    """An answer of kind ``error``."""

    def __init__(self, symbol, message, operation=None, code=None, details=None, subject=None, **more):
        super(Failure, self).__init__(message)
        self.error = dict(more, symbol=symbol, code=code, operation=operation, message=message, details=details or {}, subject=subject)


class Protocol:
    """JSON lines on what were standard input and standard output when the process started.

    Whatever else is printed goes to standard error, and whoever else reads standard input finds nothing there.
    """

    def __init__(self):
        self._source = io.open(_private(0), "rb")
        self._target = _private(1)
        os.dup2(2, 1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        sys.stdout = sys.stderr
        self._lock = threading.Lock()

    def lines(self):
        """What the module says, until it says no more."""
        while True:
            line = self._source.readline()
            if not line:
                return
            yield json.loads(line.decode("utf-8"))

    def send(self, kind, **fields):
        data = (json.dumps(dict(fields, kind=kind), sort_keys=True) + "\n").encode("ascii")
        with self._lock:
            while data:
                data = data[os.write(self._target, data):]


def _private(descriptor):
    """A copy of a descriptor that the SDK and what it may start know nothing of."""
    copy = os.dup(descriptor)
    fcntl.fcntl(copy, fcntl.F_SETFD, fcntl.FD_CLOEXEC)  # Python 2 hands descriptors down to children
    return copy


class Deadline:
    """The moment that bounds everything; afterwards the alarm ends the process even inside native code."""

    def __init__(self, seconds):
        self.renew(seconds)

    def renew(self, seconds):
        self._end = monotonic() + seconds
        ring_after(seconds + GRACE)

    def left(self):
        return self._end - monotonic()


def ring_after(seconds):
    """Let the kernel end this process: the default action of SIGALRM needs neither the interpreter nor its lock."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):  # a parent may have blocked it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    signal.setitimer(signal.ITIMER_REAL, seconds)


def die_with_parent():
    """Never outlive the module that asked: a cancelled play must not leave a process behind that holds a session."""
    parent = os.getppid()
    if sys.platform.startswith("linux"):
        try:
            import ctypes

            ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # 1 is PR_SET_PDEATHSIG
        except (ImportError, OSError, AttributeError):
            pass
    watch = threading.Thread(target=_watch_parent, args=(parent,))
    watch.daemon = True
    watch.start()


def _watch_parent(parent):
    """Where the kernel cannot tell (macOS), and where the parent was gone before it was asked to."""
    while os.getppid() == parent:
        time.sleep(5)
    os._exit(1)


def native(text):
    """The binding takes ``str`` only, which JSON does not make on Python 2."""
    if sys.version_info[0] == 2 and not isinstance(text, str):
        return text.encode("utf-8")
    return text


def readable(value):
    """Text for the protocol from whatever the SDK gave."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, type(u"")):
        return value
    text = str(value)  # on Python 2 the bytes of an exception need not be ASCII
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def encoded(text):
    """The bytes of a text of the SDK, as the server sent them."""
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a half of a surrogate pair that stands for no byte
        return re.sub(u"[\ud800-\udc7f\udd00-\udfff]", u"\ufffd", text).encode("utf-8", "surrogateescape")
