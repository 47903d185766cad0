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

# Refused before anything was done; the same call may succeed later.
BUSY = re.compile("PRL_ERR_(BACKUP_LOCKED_FOR_(READING|WRITING)|VM_LOCKED_.*|VM_IS_EXCLUSIVELY_LOCKED|TRY_AGAIN)$")
# Refused because it is not in the server's backups, before anything was done.
NOT_THERE = re.compile("PRL_ERR_BACKUP_BACKUP_(UUID_)?NOT_FOUND$")
# The connection of one of the two logins is gone. The server may be working on the request all the same.
LOST = re.compile(
    "PRL_ERR_(WS_DISP_CONNECTION_CLOSED|NOT_CONNECTED_TO_DISPATCHER|CANT_CONNECT_TO_DISPATCHER|IO_NO_CONNECTION|DISP2DISP_WRONG_USER_SESSION_UUID)$"
)
# A server is not to be had for now.
AWAY = re.compile("PRL_ERR_(TIMEOUT|CANT_CONNECT_TO_DISPATCHER_ITERATIVELY|DISP_LOGON_ACTIONS_REACHED_UP_LIMIT|DISP_SHUTDOWN_IN_PROCESS)$")
# What makes something new each time: never to be asked for again while an earlier request may still be under way.
NOT_TWICE = ("create_vm_backup", "restore_vm_backup")
UUID = re.compile(r"^\{?([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$", re.IGNORECASE)

monotonic = getattr(time, "monotonic", time.time)


class Failure(Exception):
    """An answer of kind ``error``."""

    def __init__(self, symbol, message, operation=None, code=None, details=None, subject=None, retryable=None, **more):
        super(Failure, self).__init__(message)
        if retryable is None:
            retryable = is_retryable(symbol, operation)
        self.error = dict(
            more, symbol=symbol, code=code, operation=operation, message=message, details=details or {}, subject=subject, retryable=retryable
        )


def is_retryable(symbol, operation):
    """Whether the same request may succeed later, and may be made again whatever became of this one."""
    if operation in NOT_TWICE and (LOST.match(symbol) or symbol == "PRL_ERR_TIMEOUT"):
        return False
    return bool(BUSY.match(symbol) or LOST.match(symbol) or AWAY.match(symbol))


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
