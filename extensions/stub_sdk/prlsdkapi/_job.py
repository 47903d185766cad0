# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: what every request returns at once, and finishes later."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import sys
import threading
import time

try:
    import _signal as signal  # without the enums: their exceptions keep frames, and so handles, alive on Python 3.7
except ImportError:
    import signal

from prl_stub.numbers import code_of
from prl_stub.text import new_uuid
from prlsdkapi import _args
from prlsdkapi._base import _Handle
from prlsdkapi._error import fail, fail_with
from prlsdkapi._natives import Native, Sequence
from prlsdkapi._registry import stands_for, wrap
from prlsdkapi.prlsdk import consts

FOREVER = 0xFFFFFFFF


class JobNative(Native):
    """A request under way. It ends once; whoever comes later with another end is too late."""

    type_name = "PHT_JOB"

    def __init__(self, server, op_code):
        Native.__init__(self)
        self.server = server
        self.op_code = op_code
        self.token = new_uuid()  # marks the events that this request causes
        self.done = threading.Event()
        self._lock = threading.Lock()
        self.code = code_of("PRL_ERR_UNINITIALIZED")
        self.result = Sequence("PHT_RESULT", [])
        self.error = None
        self.cancelled = threading.Event()
        self.faults = []
        self.accepted = lambda: None  # called when the server has taken the request on
        self.cancel_with_session = False
        self.connection = None  # the connection that the request went out on
        self.epilogue = lambda: None  # called after the handlers were told of the end

    def finish(self, code=0, params=(), error=None):
        """Set the end; False when there was one already."""
        with self._lock:
            if self.done.is_set():
                return False
            self.code, self.error = code, error
            self.result = Sequence("PHT_RESULT", params)
            self.done.set()
        return True


class _SignalsHeld:
    """Python's signal handlers do not run while the library waits: a KeyboardInterrupt comes only after the wait.

    Signals with the default action still end the process at once.
    """

    def __enter__(self):
        self._mask = None
        if not hasattr(signal, "pthread_sigmask"):
            return
        handled = [number for number in _CATCHABLE if callable(signal.getsignal(number))]
        if handled:
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, handled)

    def __exit__(self, *_exception):
        if self._mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


_CATCHABLE = sorted(
    set(
        getattr(signal, name)
        for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD")
        if hasattr(signal, name)
    )
)


@stands_for("PHT_JOB")
class Job(_Handle):
    def wait(self, msecs=sys.maxsize):
        native = self._native()
        limit = _args.unsigned(msecs)  # sys.maxsize wraps to 49 days
        if not native.done.is_set():
            with _SignalsHeld():
                _wait(native.done, limit)
        if not native.done.is_set():
            fail("PRL_ERR_TIMEOUT")
        if native.code:
            fail_with(native.code, native.error)  # a warning raises as well
        return wrap(native.result)

    def cancel(self):
        native = self._native()
        return wrap(native.server.cancel(native))

    def get_status(self):
        return consts.PJS_FINISHED if self._native().done.is_set() else consts.PJS_RUNNING

    def get_progress(self):
        self._native()
        return 100  # the library says so always

    def get_ret_code(self):
        return self._native().code

    def get_result(self):
        native = self._native()
        if not native.done.is_set():
            fail("PRL_ERR_OPERATION_PENDING")
        return wrap(native.result)

    def get_error(self):
        native = self._native()
        if native.error is None:
            fail("PRL_ERR_NO_DATA")
        return wrap(native.error)

    def get_op_code(self):
        return self._native().op_code

    def is_request_was_sent(self):
        self._native()
        return True


def _wait(done, msecs):
    if msecs != FOREVER:
        done.wait(msecs / 1000.0)
        return
    while not done.is_set():
        done.wait(86400)


def sleep_until_cancelled(job, seconds):
    """The server works for some time; True when the job was cancelled meanwhile."""
    end = time.time() + seconds
    return job.cancelled.wait(max(0, end - time.time()))
