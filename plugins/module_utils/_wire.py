# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the worker share: its end of the wire, its deadlines, and text as the SDK wants it. Python 2.7 and later, standard library only."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import re
import signal
import sys
import threading
import time


# The alarm rings this many seconds after the request's own deadline: time to answer properly first.
GRACE = 1.0

RETRYABLE = re.compile(
    "PRL_ERR_(BACKUP_LOCKED_FOR_(READING|WRITING)|VM_LOCKED_FOR_.*|VM_LOCKED_CTL_FOR_BACKUP|TRY_AGAIN|TIMEOUT|IO_NO_CONNECTION"
    "|WS_DISP_CONNECTION_CLOSED|CANT_CONNECT_TO_DISPATCHER(_ITERATIVELY)?|NOT_CONNECTED_TO_DISPATCHER"
    "|DISP_LOGON_ACTIONS_REACHED_UP_LIMIT)$"
)
UUID = re.compile(r"^\{?([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$", re.IGNORECASE)

monotonic = getattr(time, "monotonic", time.time)


class Failure(Exception):
    """An answer of kind ``error``."""

    def __init__(self, symbol, message, operation=None, code=None, details=None, subject=None, retryable=None, **more):
        super(Failure, self).__init__(message)
        if retryable is None:
            retryable = bool(RETRYABLE.match(symbol))
        self.error = dict(
            more, symbol=symbol, code=code, operation=operation, message=message, details=details or {}, subject=subject, retryable=retryable
        )


class Protocol:
    """JSON lines on what was standard output when the process started; everything else that is printed goes to standard error."""

    def __init__(self):
        self._fd = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self._lock = threading.Lock()
        try:
            import fcntl

            fcntl.fcntl(self._fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)  # Python 2 hands descriptors down to children
        except ImportError:
            pass

    def send(self, kind, **fields):
        line = json.dumps(dict(fields, kind=kind), sort_keys=True) + "\n"
        data = line.encode("ascii")
        with self._lock:
            while data:
                data = data[os.write(self._fd, data):]

    def progress(self, operation, subject=None, **more):
        self.send("progress", operation=operation, subject=subject, **more)


class Deadline:
    """One moment that bounds the whole request; afterwards the alarm ends the process even inside native code."""

    def __init__(self, seconds):
        self._end = monotonic() + seconds
        ring_after(seconds + GRACE)

    def left(self):
        return self._end - monotonic()


def ring_after(seconds):
    """Let the kernel end this process: the default action of SIGALRM needs neither the interpreter nor its lock."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
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
    return value if isinstance(value, type(u"")) else u"%s" % (value,)


def encoded(text):
    """The bytes of a text of the SDK, as the server sent them."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def event_texts(event):
    """The parameters of an error event as texts by name; {} where the SDK gave no event."""
    texts = {}
    try:
        for index in range(event.get_params_count() if event is not None else 0):
            parameter = event.get_param(index)
            texts[readable(parameter.get_name())] = readable(parameter.to_string())
    except Exception as error:  # the details are not worth losing the error itself
        texts["unreadable"] = readable(error)
    return texts


def uuid_key(text):
    """A UUID without braces in lower case; None for anything else."""
    match = UUID.match(text)
    return match.group(1).lower() if match else None


def braced(text):
    """A UUID as it is written, with the braces that the server wants: it compares as text, so that the case has to stay."""
    return "{%s}" % UUID.match(text).group(1)
