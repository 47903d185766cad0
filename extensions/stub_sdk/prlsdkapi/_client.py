# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client library's side of one Server object: its connection, its requests, its handlers."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import threading
import weakref

from prl_stub import events, sessions, tasks
from prl_stub.failure import ServerFailure
from prl_stub.numbers import CONSTS, code_of
from prlsdkapi import _notify, _trouble
from prlsdkapi._error import fail, fail_with
from prlsdkapi._job import JobNative, sleep_until_cancelled
from prlsdkapi._natives import Event, Native, Text, Values
from prlsdkapi._runtime import RUNTIME

LOST = code_of("PRL_ERR_WS_DISP_CONNECTION_CLOSED")


class _NoAnswer(Exception):
    """The server will never answer."""


class Connection:
    """A logged-in session, seen from the client."""

    def __init__(self, server, uuid, channel, last, local, login):
        self.server_name = server["name"]
        self.uuid = uuid
        self.channel = channel
        self.last = last
        self.local = local
        self.login = login
        self.open = True

    def server(self):
        """The row of the server it leads to."""
        return RUNTIME.store.row("SELECT * FROM servers WHERE name = ?", (self.server_name,))


def _carry_on(store, server):
    """Go on with the operations of dead clients, as the server would; returns what is running on it."""
    tasks.settle(store)
    for task in tasks.orphans(store):
        thread = threading.Thread(target=tasks.perform, args=(store, task, tasks.Link()))
        thread.daemon = True
        thread.start()
    return [
        Values("PHT_RUNNING_TASK", {"uuid": row["uuid"], "kind": row["kind"], "params": row["plan"]})
        for row in tasks.running(store, server)
    ]


class ServerNative(Native):
    type_name = "PHT_SERVER"

    def __init__(self):
        Native.__init__(self)
        self.connection = None
        self.handlers = []
        self.vms = weakref.WeakValueDictionary()
        self.jobs = weakref.WeakValueDictionary()
        self.non_interactive = False
        self._lock = threading.RLock()
        self._calling = threading.RLock()
        self._pending = set()
        self._notifier = None
        RUNTIME.servers.append(self)

    # -- requests

    def request(self, call, args, work, op_code=0, mutating=False, connected=True):
        """Start ``work(job)``, which returns the result's parameters, in a thread; returns the job at once."""
        job = JobNative(self, op_code)
        fired = self._note(call, args, mutating)
        if os.getpid() != RUNTIME.pid:
            return job  # a connection does not survive a fork: nothing is ever answered
        self.jobs[job.token] = job
        if connected:
            job.connection = self.connection
        with self._lock:
            self._pending.add(job)
        # One daemon thread for each job: the interpreter's end never waits for the server.
        thread = threading.Thread(target=self._run, args=(job, work, fired, connected))
        thread.daemon = True
        thread.start()
        return job

    def ask(self, call, args, work):
        """A synchronous request."""
        fired = self._note(call, args, False)
        try:
            self._require_connection()
            self._before(fired, None)
            return work()
        except ServerFailure as failure:
            return fail_with(failure.code, self._error_event(failure))

    def _note(self, call, args, mutating, request=True):
        connection = self.connection
        where = (connection.server_name, connection.uuid) if connection else ("", "")
        return _trouble.strike(RUNTIME.note(call, args, mutating, request, *where))

    def _run(self, job, work, fired, connected):
        try:
            if connected and job.connection is None:
                raise ServerFailure("PRL_ERR_NOT_CONNECTED_TO_DISPATCHER", ["localhost"])
            self._before(fired, job)
            params = self._work(job, work, fired)
            self._after(fired, params)
            warning = [value for action, value in fired if action == "warn"]
            if warning:
                raise ServerFailure(warning[0])
            self._finish(job, 0, params)
        except _NoAnswer:
            pass
        except ServerFailure as failure:
            self._finish(job, failure.code, (), self._error_event(failure))

    def _before(self, fired, job):
        for action, value in fired:
            if action == "fail":
                raise ServerFailure(value)
            if action == "stall":
                raise _NoAnswer()
            if action == "lose":
                self.lose()
            if action == "delay" and (job is None or sleep_until_cancelled(job, float(value))):
                raise ServerFailure("PRL_ERR_OPERATION_WAS_CANCELED")

    def _work(self, job, work, fired):
        job.faults = fired
        for action, value in fired:
            if action == "crash-after":
                job.accepted = lambda value=value: _trouble.crash(value)
            if action == "answer":
                with open(value, "rb") as stream:
                    text = stream.read()
                return [Text(text if str is bytes else text.decode("utf-8", "replace"))]
        return work(job)

    def _after(self, fired, params):
        size = sum(len(param.text) for param in params if isinstance(param, Text))
        for action, value in fired:
            if action == "quadratic":
                sleep_until_cancelled(JobNative(self, 0), float(value) * size * size)
            if action in ("crash-after", "crash-done"):
                _trouble.crash(value)

    def _finish(self, job, code, params=(), error=None):
        with self._lock:
            self._pending.discard(job)
            if job.connection is not None and not job.connection.open:
                return  # the server is done, but its answer has no way back
        self._end(job, code, params, error)

    def _end(self, job, code, params=(), error=None):
        if job.finish(code, params, error):
            self._tell(job)
            job.epilogue()

    def _error_event(self, failure):
        if not failure.event:
            return None
        params = [
            ("vm_message_param_%d" % number, CONSTS["PFD_STRING"], text)
            for number, text in enumerate(failure.details)
        ]
        return Event(self, code=failure.code, params=params)

    def cancel(self, victim):
        """A job of its own; the cancelled one ends with an error of its own."""

        def work(_job):
            victim.cancelled.set()
            canceled = ServerFailure("PRL_ERR_OPERATION_WAS_CANCELED")
            self._finish(victim, canceled.code, (), self._error_event(canceled))
            return []

        return self.request("cancel", {"op_code": victim.op_code}, work, CONSTS["PJOC_JOB_CANCEL"])

    # -- the connection

    def send_answer(self, call, args, op_code, work):
        """A job that has succeeded before anything was sent; the true one is known to the handlers only."""
        self.request(call, args, work, op_code, True)
        job = JobNative(self, op_code)
        job.finish()
        return job

    def connect(self, server, local, user, flags, job):
        """Open a session on a server; an earlier one of this object is dropped."""
        self.drop()
        uuid, channel, last = sessions.open_session(RUNTIME.store, server, local, user, flags)
        with self._lock:
            self.connection = Connection(server, uuid, channel, last, local, job)
            self._start_notifier().watch(channel)
        running = _carry_on(RUNTIME.store, server["name"])
        return Values(
            "PHT_LOGIN_RESPONSE",
            {
                "session": uuid,
                "uuid": server["uuid"],
                "os": server["os"],
                "product": server["product"],
                "tasks": running,
            },
        )

    def drop(self):
        """Close the session; returns the connection that was."""
        with self._lock:
            connection, self.connection = self.connection, None
            if connection is None:
                return None
            connection.open = False
            for job in self._pending:
                if job.connection is connection and job.cancel_with_session:
                    job.cancelled.set()
            if self._notifier is not None:
                self._notifier.watch(None)
        sessions.close_session(RUNTIME.store, connection.uuid)
        connection.channel.close()
        return connection

    def lose(self):
        """The connection broke.

        After a local login everybody hears of it. After a remote one nobody does: waits stay pending for ever, and
        all that the handler gets is the finished login once more.
        """
        connection = self.drop()
        if connection is not None and connection.local:
            self._mourn()
        elif connection is not None:
            connection.login.code = code_of("PRL_ERR_CANT_CONNECT_TO_DISPATCHER")
            self._tell(connection.login)

    def _mourn(self):
        """Tell of a closed local connection, and end the requests that were out on it."""
        self._tell(Event(self, CONSTS["PET_DSP_EVT_DISP_CONNECTION_CLOSED"], code=LOST))
        with self._lock:
            stranded = [job for job in self._pending if job.connection is not None and not job.connection.open]
            self._pending.difference_update(stranded)
        for job in stranded:
            self._end(job, LOST, (), self._error_event(ServerFailure("PRL_ERR_WS_DISP_CONNECTION_CLOSED")))

    def logoff(self, job):
        """Close the session on purpose; after a local login it shows as a lost connection too, after its own job."""
        connection = self.drop()
        job.connection = None
        if connection is not None and connection.local:
            job.epilogue = self._mourn
        return []

    def _require_connection(self):
        if self.connection is None:
            raise ServerFailure("PRL_ERR_NOT_CONNECTED_TO_DISPATCHER", ["localhost"])

    def description(self):
        """The row of the server that this object is logged in to."""
        connection = self.connection
        return fail("PRL_ERR_NOT_CONNECTED_TO_DISPATCHER") if connection is None else connection.server()

    # -- events

    def register(self, callback, user_data, vm=""):
        """Add a handler; the same one twice is called twice."""
        if not callable(callback):
            raise TypeError("parameter must be callable")
        self._note("reg_event_handler", {"vm": vm}, False, False)
        with self._calling:
            self._start_notifier()
            self.handlers.append((vm, callback, user_data))

    def unregister(self, callback, user_data, vm=""):
        """Remove one equal handler; waits for a call under way, so that none comes afterwards."""
        self._note("unreg_event_handler", {"vm": vm}, False, False)
        with self._calling:
            if (vm, callback, user_data) not in self.handlers:
                fail("PRL_ERR_FAILURE")
            self.handlers.remove((vm, callback, user_data))

    def _start_notifier(self):
        with self._lock:
            if self._notifier is None:
                self._notifier = _notify.Notifier(self._deliver, self._refresh)
            return self._notifier

    def _tell(self, native):
        if self.handlers:
            self._start_notifier().put(native)

    def _deliver(self, native):
        with self._calling:
            for vm, callback, user_data in list(self.handlers):
                if vm and not (isinstance(native, Event) and native.issuer_id == vm):
                    continue
                # Each callback owns a reference.
                _notify.call(callback, RUNTIME.handles.export(native), user_data)

    def _refresh(self, channel):
        """Look at what was written for this session, by other processes and by this one."""
        if channel is None:
            return
        channel.drain()
        while True:
            connection = self.connection
            if connection is None or connection.channel is not channel:
                return
            row = RUNTIME.store.row("SELECT lost FROM sessions WHERE uuid = ?", (connection.uuid,))
            if row is None or row["lost"]:
                self.lose()
                return
            connection.last, found = events.since(
                RUNTIME.store, connection.server_name, connection.uuid, connection.last
            )
            if not found:
                return
            for values in _heard_of(found):
                if self.handlers:
                    self._deliver(Event.from_dictionary(self, values))

    # -- the end

    def released(self):
        """The last Python object is gone; requests under way keep the connection, and so does a forked child."""
        if os.getpid() != RUNTIME.pid:
            return
        with self._lock:
            if self._pending:
                return
        self.shut()

    def in_handler(self):
        """Whether the caller is one of this server's handlers."""
        return self._notifier is not None and self._notifier.inside()

    def shut(self):
        """Drop the connection and the thread."""
        if self in RUNTIME.servers:
            RUNTIME.servers.remove(self)
        if RUNTIME.store is not None:
            self.drop()
        self.handlers = []
        if self._notifier is not None:
            self._notifier.stop()
            self._notifier = None


def _heard_of(found):
    """What of the events that come at once a client hears. In a burst the real server drops some and tells nobody; the last one came every time.

    The setting event_burst is how many of them it hears at most; 0, as long as nobody sets it, is all.
    """
    most = int(RUNTIME.store.setting("event_burst", 0))
    return found if not most or len(found) <= most else found[: most - 1] + found[-1:]
