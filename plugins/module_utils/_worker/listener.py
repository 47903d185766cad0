# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events from the SDK's thread to the wire.

The SDK calls a handler from a thread of its own, holds a lock of its own meanwhile, and prints and forgets what the handler
raises. So the handler only turns a handle into a dictionary, queues it and wakes a thread of ours through a pipe, which sends it.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections
import errno
import fcntl
import os
import select
import threading
import time

from .protocol import readable

# Ordinary events answer this when they are asked for their error code.
NO_CODE = 100000
# A lost connection is noticed after this many seconds at the latest; after a remote login nothing but looking shows it.
POLL_INTERVAL = 0.5
# After a loss the SDK's thread may still be handing out what had come before. It has ended when it is quiet for so many seconds.
SETTLING = 0.2

# So many lines wait to be sent at most. Who reads more slowly than events come is told how many were left out, and where.
LONGEST_QUEUE = 100000

# An event parameter's type -> its name and the getter that keeps it. Conversions of the SDK never fail: they give 0.
KINDS = {
    0: ("uint32", "to_uint32"),
    1: ("string", "to_string"),
    2: ("int32", "to_int32"),
    3: ("cdata", "to_cdata"),
    4: ("boolean", "to_boolean"),
    5: ("entity", "to_string"),
    6: ("enumeration", "to_string"),
    7: ("int64", "to_int64"),
    8: ("uint64", "to_uint64"),
    9: ("binary", None),  # the binding cannot hand it out
}
UNKNOWN_KIND = ("unknown", "to_string")


class Listener:
    """Sends the events of one session's server: lines ``event`` {event, question}, ``job`` {operation, code}, ``dropped`` {count} and ``lost``.

    ``types`` are the numbers of the event types that matter, null for all; the others are counted in ``seen`` and nothing else. An event that is
    a question is kept for its answer in ``questions`` under the number that its line tells.
    """

    def __init__(self, session, protocol, types, questions):
        self._session, self._protocol, self._sdk = session, protocol, session.sdk
        self._api = session.sdk.api
        self._types = None if types is None else frozenset(types)
        self._questions = questions
        self._queue, self._sending = collections.deque(), threading.Lock()
        self._pipe = os.pipe()
        self._signalled = False
        self._ended = False
        self.seen, self.heard, self.unreadable, self._left_out = {}, 0, 0, 0
        for end in self._pipe:
            fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_NONBLOCK)

    def subscribe(self):
        self._session.handle.reg_event_handler(self._hear, None)
        self._thread = threading.Thread(target=self._send_all)
        self._thread.daemon = True
        self._thread.start()

    def unsubscribe(self):
        """No further call comes after this. Needed before the session ends: the SDK may deadlock otherwise."""
        self._session.handle.unreg_event_handler(self._hear, None)
        self._ended = True
        self._wake()
        self._thread.join(POLL_INTERVAL)
        if not self._thread.is_alive():  # else nobody reads what it sends
            for end in self._pipe:
                os.close(end)

    def flush(self):
        """Send what is queued now, so that it comes before what the caller sends next."""
        for turn in range(len(self._queue) + 1):  # once at least: what was taken from the queue is sent when the lock is free
            self._send_next()

    # -- in a thread of ours

    def _send_all(self):
        told = None  # the login whose loss was told: the next one may be lost before it is noticed here
        while not self._ended:
            login = self._session.logins
            here = self._session.connected()  # asked before the queue is emptied: what came before the loss must not be overtaken by it
            self._empty()
            if not here and told != login:
                self._settle()
                told = login
                self._protocol.send("lost")
            self._sleep()

    def _empty(self):
        while self._queue:
            self._send_next()

    def _send_next(self):
        with self._sending:
            if self._queue:  # or the other thread has just sent it
                line, event = self._queue.popleft()
                if event is not None:
                    number = len(self._questions) + 1
                    self._questions[number] = event
                    line = dict(line, question=number)
                self._protocol.send(**line)

    def _settle(self):
        heard = None
        while heard != self.heard:
            heard = self.heard
            time.sleep(SETTLING)
            self._empty()

    def _sleep(self):
        """Until something is heard, or it is time to look at the connection."""
        if not self._queue:
            try:
                select.select([self._pipe[0]], [], [], POLL_INTERVAL)
            except (select.error, OSError) as error:
                if error.args[0] != errno.EINTR:
                    raise
        try:
            os.read(self._pipe[0], 4096)
        except OSError:  # nothing there
            pass
        self._signalled = False

    # -- in the SDK's thread

    def _hear(self, handle, user_data):
        try:
            # The handle owns a reference, and the one object made of it gives that back.
            thing = self._api.handle_to_object(handle)
            if isinstance(thing, self._api.Event):
                self._note(thing)
            elif isinstance(thing, self._api.Job):
                self._put({"kind": "job", "operation": self._ask(thing.get_op_code), "code": self._ask(thing.get_ret_code)})
        except Exception as error:  # raised from here it would be printed and lost
            self.unreadable += 1
            print_error(error)

    def _note(self, event):
        self.heard += 1
        type_id = event.get_type()
        self.seen[type_id] = self.seen.get(type_id, 0) + 1
        if self._types is None or type_id in self._types:
            described = self.describe(event)
            # Only a question's object is needed later: to make the answer of it.
            self._put({"kind": "event", "event": described}, event if described["answer_required"] else None)

    def _put(self, line, event=None):
        if len(self._queue) >= LONGEST_QUEUE:
            self._left_out += 1
            return
        if self._left_out:
            self._queue.append(({"kind": "dropped", "count": self._left_out}, None))
            self._left_out = 0
        self._queue.append((line, event))
        self._wake()

    def _wake(self):
        if not self._signalled:
            self._signalled = True
            try:
                os.write(self._pipe[1], b"!")
            except OSError:  # full: the other thread is awake
                pass

    def _ask(self, getter, *arguments):
        """What a getter answers; None where it has NO_DATA or fails otherwise: one property must not lose the event."""
        try:
            return getter(*arguments)
        except self._api.PrlSDKError:
            return None

    def _text(self, getter, *arguments):
        answer = self._ask(getter, *arguments)
        return None if answer is None else readable(answer)

    def describe(self, event):
        """All that the SDK tells about an event."""
        code = self._ask(event.get_err_code)
        silent = code is None or code == NO_CODE
        return {
            "type_id": event.get_type(),
            "issuer_type": self._ask(event.get_issuer_type),
            "issuer_id": self._text(event.get_issuer_id) or u"",
            "vm": self._vm(self._ask(event.get_vm)),
            "code": code,
            "symbol": None if silent else self._sdk.symbol(code),
            "brief": None if silent else self._text(event.get_err_string, True, True),
            "message": None if silent else self._text(event.get_err_string, False, True),
            "can_be_ignored": bool(self._ask(event.can_be_ignored)),
            "answer_required": bool(self._ask(event.is_answer_required)),
            "params": self._params(event),
            "job": self._job(self._ask(event.get_job)),
            "received": time.time(),
        }

    def _params(self, event):
        found = {}
        for index in range(self._ask(event.get_params_count) or 0):
            parameter = self._ask(event.get_param, index)
            name = parameter and self._text(parameter.get_name)
            if name:
                kind, getter = KINDS.get(self._ask(parameter.get_type), UNKNOWN_KIND)
                value = self._ask(getattr(parameter, getter)) if getter else None
                found[name] = {"type": kind, "value": readable(value) if isinstance(value, (bytes, type(u""))) else value}
        return found

    def _vm(self, vm):
        """Known to the SDK only while this process holds the VM's object."""
        vm = vm and self._session.guarded(vm)
        return vm and {"uuid": self._text(vm.get_uuid), "name": self._text(vm.get_name)}

    def _job(self, job):
        """Known to the SDK only in the session that asked for it."""
        return job and {"operation": self._ask(job.get_op_code), "code": self._ask(job.get_ret_code)}


def print_error(error):
    """To standard error, whose last lines are shown should the process die."""
    os.write(2, (u"an event could not be read: %s: %s\n" % (type(error).__name__, readable(error))).encode("utf-8", "replace"))
