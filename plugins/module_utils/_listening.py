# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events from the SDK's thread to the worker's, and the wait for them. Runs beside the worker, on Python 2.7 too.

The SDK calls a handler from a thread of its own, holds a lock of its own meanwhile, and prints and forgets what the handler
raises. So the handler only turns a handle into a dictionary, queues it and wakes the main thread through a pipe; a queue with
a time-out would poll on Python 2.7.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections
import errno
import fcntl
import os
import random
import select
import time

if __name__.startswith("ansible_collections."):
    from ansible_collections.prlsdk.core.plugins.module_utils._wire import GRACE, monotonic
else:  # beside the worker, where there is no collection
    from _wire import GRACE, monotonic

# Ordinary events answer this when they are asked for their error code.
NO_CODE = 100000
# A lost connection is noticed after this many seconds at the latest; after a remote login nothing but looking shows it.
POLL_INTERVAL = 0.5
# So many events are looked at before the deadline is looked at again.
BATCH = 1000
# What is queued at the deadline is heard for at most so many seconds longer: half the grace, the rest is for the answer.
OVERTIME = GRACE / 2
# After a loss the SDK's thread may still be handing out what had come before. It has ended when it is quiet for so many seconds.
SETTLING = 0.2
# Seconds between two attempts to log in again: the first, and the most; each is spread by half to all of itself.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
# The outcome of an answer to a question arrives this many seconds after it at the latest.
ANSWER_PATIENCE = 2.0
PJOC_SRV_SEND_ANSWER = 28

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
    """The handler of one server's events.

    ``api`` is the binding, ``server`` its Server object, ``may_care(type_id)`` tells whether events of a type matter at all:
    those that do not are counted in ``seen`` and nothing else. ``to_text`` makes text of what the SDK gives.
    """

    def __init__(self, api, server, may_care, to_text, clock=time.time, ticks=monotonic):
        self._api, self._server, self._may_care, self._text, self._clock, self._ticks = api, server, may_care, to_text, clock, ticks
        self._queue = collections.deque()
        self._jobs = collections.deque(maxlen=100)
        self._pipe = os.pipe()
        self._signalled = False
        self._types = {}
        self.seen = {}
        self.heard = 0
        self.unreadable = 0
        for end in self._pipe:
            fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_NONBLOCK)

    def subscribe(self):
        self._server.reg_event_handler(self._heard, None)

    def unsubscribe(self):
        """No further call comes after this. Needed before the session ends: the SDK may deadlock otherwise."""
        self._server.unreg_event_handler(self._heard, None)
        for end in self._pipe:
            os.close(end)

    def sleep(self, seconds):
        """Until something is heard, or the time is over."""
        if self._queue:
            return
        try:
            select.select([self._pipe[0]], [], [], max(0, seconds))
        except (select.error, OSError) as error:
            if error.args[0] != errno.EINTR:
                raise
        try:
            os.read(self._pipe[0], 4096)
        except OSError:  # nothing there
            pass
        self._signalled = False

    def take(self):
        """The next (event, its object if it is a question), or None."""
        return self._queue.popleft() if self._queue else None

    def forget_jobs(self):
        """Before an answer is sent: how an earlier one was taken says nothing about this one."""
        self._jobs.clear()

    def answer_code(self, left, connected):
        """How the server took the answer to a question: 0, an error's code, or None when it has not said."""
        end = self._ticks() + min(ANSWER_PATIENCE, left())
        while True:
            for operation, code in list(self._jobs):
                if operation == PJOC_SRV_SEND_ANSWER:
                    return code
            pause = end - self._ticks()
            if pause <= 0 or not connected():
                return None
            time.sleep(min(0.05, pause))

    # -- in the SDK's thread

    def _heard(self, handle, user_data):
        try:
            # The handle owns a reference, and the one object made of it gives that back.
            thing = self._api.handle_to_object(handle)
            if isinstance(thing, self._api.Event):
                self._note(thing)
            elif isinstance(thing, self._api.Job):
                self._jobs.append((self._ask(thing.get_op_code), self._ask(thing.get_ret_code)))
                self._wake()
        except Exception as error:  # raised from here it would be printed and lost
            self.unreadable += 1
            self._wake()
            print_error(error)

    def _note(self, event):
        self.heard += 1
        type_id = event.get_type()
        self.seen[type_id] = self.seen.get(type_id, 0) + 1
        care = self._types.get(type_id)
        if care is None:
            care = self._types[type_id] = self._may_care(type_id)
        if care:
            described = self.describe(event)
            # Only a question's object is needed later: to make the answer of it.
            self._queue.append((described, event if described["answer_required"] else None))
            self._wake()

    def _wake(self):
        if not self._signalled:
            self._signalled = True
            try:
                os.write(self._pipe[1], b"!")
            except OSError:  # full: the main thread is awake
                pass

    def _ask(self, getter, *arguments):
        """What a getter answers; None where it has NO_DATA or fails otherwise: one property must not lose the event."""
        try:
            return getter(*arguments)
        except self._api.PrlSDKError:
            return None

    def _said(self, getter, *arguments):
        answer = self._ask(getter, *arguments)
        return None if answer is None else self._text(answer)

    def describe(self, event):
        """All that the SDK tells about an event."""
        code = self._ask(event.get_err_code)
        silent = code is None or code == NO_CODE
        return {
            "type_id": event.get_type(),
            "issuer_type": self._ask(event.get_issuer_type),
            "issuer_id": self._said(event.get_issuer_id) or u"",
            "vm": self._vm(self._ask(event.get_vm)),
            "code": code,
            "brief": None if silent else self._said(event.get_err_string, True, True),
            "message": None if silent else self._said(event.get_err_string, False, True),
            "can_be_ignored": bool(self._ask(event.can_be_ignored)),
            "answer_required": bool(self._ask(event.is_answer_required)),
            "params": self._params(event),
            "job": self._job(self._ask(event.get_job)),
            "received": self._clock(),
        }

    def _params(self, event):
        found = {}
        for index in range(self._ask(event.get_params_count) or 0):
            parameter = self._ask(event.get_param, index)
            name = parameter and self._said(parameter.get_name)
            if name:
                kind, getter = KINDS.get(self._ask(parameter.get_type), UNKNOWN_KIND)
                value = self._ask(getattr(parameter, getter)) if getter else None
                found[name] = {"type": kind, "value": self._text(value) if isinstance(value, (bytes, type(u""))) else value}
        return found

    def _vm(self, vm):
        """Known to the SDK only while this process holds the VM's object."""
        return vm and {"uuid": self._said(vm.get_uuid), "name": self._said(vm.get_name)}

    def _job(self, job):
        """Known to the SDK only in the session that asked for it."""
        return job and {"operation": self._ask(job.get_op_code), "code": self._ask(job.get_ret_code)}


def print_error(error):
    """To standard error, whose last lines are shown should the process die."""
    os.write(2, ("an event could not be read: %s: %s\n" % (type(error).__name__, error)).encode("utf-8", "replace"))


def wait(listener, tally, look, left, connected, reconnect=None, answer=None, tell=None):
    """Wait for the end: (outcome, the state that satisfied).

    outcome: that of the tally (matched, failed), ``satisfied``, ``timed_out`` or ``lost``. ``look()`` answers what satisfies in the
    present state, or None; it is asked first, since the listener is subscribed already, and again after each reconnection.
    ``left()`` gives seconds. ``reconnect()`` answers whether the connection is back; None leaves it lost. ``answer(question,
    event)`` answers a question that counted, ``tell(event)`` hears of every event that did.
    """
    looking = True
    while True:
        if looking:
            satisfied = look()
            if satisfied:
                return "satisfied", satisfied
            looking = False
        here = connected()  # asked before the queue is emptied: what came before the loss must not be overtaken by it
        hear(listener, tally, left, answer, tell)
        if not here:
            settle(listener, tally, left, answer, tell)
        if tally.outcome:
            return tally.outcome, None
        if left() <= 0:
            return "timed_out", None
        if here:
            listener.sleep(min(POLL_INTERVAL, left()))
        elif reconnect is None:
            return "lost", None
        elif not reconnect():
            return "timed_out", None
        else:
            looking = True


def hear(listener, tally, left, answer=None, tell=None):
    """Feed all that is queued to the tally, for as long as there is time; one batch of it in any case."""
    while feed_batch(listener, tally, answer, tell) and left() > -OVERTIME:
        pass


def settle(listener, tally, left, answer, tell, pause=time.sleep):
    """After a loss: hear what the SDK's thread is still handing out."""
    heard = None
    while heard != listener.heard and not tally.outcome and left() > -OVERTIME:
        heard = listener.heard
        pause(SETTLING)
        hear(listener, tally, left, answer, tell)


def feed_batch(listener, tally, answer, tell):
    """Feed at most BATCH queued events to the tally; whether there may be more."""
    for turn in range(BATCH):
        heard = listener.take()
        if heard is None:
            return False
        event, question = heard
        if tally.feed(event):
            if question is not None and answer is not None and event is not tally.failed_on:
                answer(question, event)
            if tell is not None:
                tell(event)
        if tally.outcome:
            return False
    return True


def persist(attempt, left, sleep=time.sleep, spread=random.uniform):
    """Attempt until it answers True, with growing pauses; False when the time is over first."""
    pause = FIRST_PAUSE
    while left() > 0:
        if attempt():
            return True
        sleep(max(0, min(left(), spread(pause / 2, pause))))
        pause = min(pause * 2, LONGEST_PAUSE)
    return False
