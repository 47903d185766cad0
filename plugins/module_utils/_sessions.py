# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins of the worker: one to the node, and one to the backup server where a task names one. Takes the SDK as an object."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import sys

if __name__.startswith("ansible_collections."):
    from ansible_collections.prlsdk.core.plugins.module_utils._wire import Failure, native, readable
else:  # beside the worker, where there is no collection
    from _wire import Failure, native, readable

# A wait is cut into slices of this many seconds, because after a remote login the SDK tells of a lost connection by nothing
# at all: no event comes, and pending waits never end. Only is_connected() changes. A finished job ends its slice at once.
POLL_INTERVAL = 0.5
# The answer is out when the SDK is shut down; that may take this many seconds before the process is ended for it.
CLEANUP_TIMEOUT = 5.0

DEFAULT_PORT = 64000
SECURITY_LEVELS = {"low": 0, "normal": 1, "high": 2}

# PJOC_SRV_REMOVE_VM_BACKUP, the kind of a task.
REMOVE_VM_BACKUP = 122

PRL_ERR_TIMEOUT = 0x80000015
PRL_ERR_WS_DISP_CONNECTION_CLOSED = 0x80000246
FAILED = 0x80000000  # in every error's code, and in no warning's


class Session:
    """One login. ``storage``: whether it is the one to the server that a task names as its storage, which errors of the login then tell."""

    def __init__(self, sdk, protocol, deadline, login, storage=False):
        self.sdk, self.protocol, self.deadline, self.storage = sdk, protocol, deadline, storage
        self.host = login.get("host")
        self._api = sdk.api.Server()
        self._listener = None
        self.credentials = login
        self.login()

    def login(self):
        """Log in, or again after the connection was lost: the same Server object keeps its event handlers."""
        try:
            self._answer = self._login(self.credentials)
        except Failure as failure:
            failure.error["storage"] = self.storage
            raise
        self.uuid = readable(self._answer.get_session_uuid())
        self.server_uuid = readable(self._answer.get_server_uuid())

    def _login(self, login):
        level = SECURITY_LEVELS[login["security_level"]]
        if not self.host:
            # Over the unix socket, as the user that this process runs as.
            return self.call("login_local", "", 0, level, subject="this host", connecting=True).get_param()
        limit = max(1, int(min(login["timeout"], self.deadline.left()) * 1000))
        port = login.get("port") or 0
        return self.call(
            "login", native(self.host), native(login.get("username") or ""), native(login.get("password") or ""), "", port, limit, level,
            subject="%s:%d" % (self.host, port or DEFAULT_PORT), connecting=True,
        ).get_param()

    @property
    def server(self):
        """What is known of the server from the login alone."""
        return {
            "uuid": self.server_uuid,
            "host": self.host or "localhost",
            "product_version": readable(self._answer.get_product_version()),
            "os_version": readable(self._answer.get_host_os_version()),
        }

    @property
    def running_removals(self):
        """How many removals of backups the server was at when this session logged in. Of what, its list does not say in words that can be trusted."""
        kinds = [self._answer.get_running_task_by_index(index).get_task_type() for index in range(self._answer.get_running_task_count())]
        return kinds.count(REMOVE_VM_BACKUP)

    def call(self, operation, *arguments, **more):
        """Ask the server and wait for its answer, a Result. Raises Failure.

        more: ``subject``; ``connecting``; ``limit``, seconds after which to give up although the deadline is later; ``each``, called
        while it waits; ``warnings``, a list that takes what else would be raised although the server did what it was asked.
        """
        subject, connecting = more.get("subject"), more.get("connecting", False)
        spare = self.deadline.left() - more["limit"] if "limit" in more else 0.0
        self.protocol.progress(operation, subject)
        try:
            job = getattr(self._api, operation)(*arguments)
            while True:
                left = self.deadline.left() - spare
                if left <= 0:
                    raise Failure("PRL_ERR_TIMEOUT", "The server has not answered in time.", operation, PRL_ERR_TIMEOUT, subject=subject)
                try:
                    return job.wait(max(1, int(min(left, POLL_INTERVAL) * 1000)))
                except self.sdk.api.PrlSDKError as error:
                    if "warnings" in more and not error.error_code & FAILED:
                        more["warnings"].append(self.sdk.failure(error, operation, subject).error)
                        return job.get_result()
                    # A wait that ran out and a job that failed with a time-out carry the same code.
                    if error.error_code & 0xFFFFFFFF != PRL_ERR_TIMEOUT or job.get_status() == self.sdk.consts.PJS_FINISHED:
                        raise
                if "each" in more:
                    more["each"]()
                if not connecting and not self.connected():
                    raise Failure(
                        "PRL_ERR_WS_DISP_CONNECTION_CLOSED", "The connection to the server was lost.", operation,
                        PRL_ERR_WS_DISP_CONNECTION_CLOSED, subject=subject,
                    )
        except self.sdk.api.PrlSDKError as error:
            raise self.sdk.failure(error, operation, subject)

    def connected(self):
        """is_connected() answers with a list, which is true whatever it holds."""
        return bool(self._api.is_connected()[0])

    def attend(self, make_listener):
        """Subscribe a listener to the server's events until the session ends. ``make_listener(api, server)`` makes it."""
        listener = make_listener(self.sdk.api, self._api)
        listener.subscribe()
        self._listener = listener
        return listener

    def listen(self, handler):
        """Have the SDK's thread call ``handler(handle, user_data)`` for each event, until listen_no_more()."""
        self._api.reg_event_handler(handler, None)

    def listen_no_more(self, handler):
        self._api.unreg_event_handler(handler, None)

    def close(self):
        if self._listener:
            self._listener.unsubscribe()
            self._listener = None
        self._api.logoff().wait(int(CLEANUP_TIMEOUT * 1000 / 2))

    @property
    def listening(self):
        return self._listener is not None

    def answer(self, question, number):
        """Answer a question of the server. The job of it succeeds at once, whatever the server thinks of the answer."""
        self.call("send_answer", question.create_answer_event(number), subject=self.host or "this host")


class Connection:
    """The node's session, and the storage's where one was asked for; with the address that backup calls pass on."""

    def __init__(self, sdk, protocol, deadline, request):
        self.sdk, self.protocol, self.deadline = sdk, protocol, deadline
        self.sessions = []
        self.names = {}  # of VMs, by the key of their UUID, as far as they were looked up
        self.altered = set()  # (VM's name, its UUID, backup's id or None) whose text in the tree holds what XML cannot
        self._request = request

    def open(self):
        storage = self._request.get("storage")
        self.sessions.append(Session(self.sdk, self.protocol, self.deadline, self._request["login"]))
        if storage and not storage.get("default"):
            self.sessions.append(Session(self.sdk, self.protocol, self.deadline, storage, storage=True))
        self.node, self.store = self.sessions[0], self.sessions[-1]
        self.local = not storage  # whether the node's own backups are meant for certain

    @property
    def target(self):
        """Address and session of the server that keeps the backups: (host, port, session)."""
        storage = self._request.get("storage")
        if storage and storage.get("default"):
            # An empty session leaves the choice to the node: its configured default server, or itself.
            return "", 0, ""
        if storage:
            return native(storage["host"]), storage.get("port") or DEFAULT_PORT, native(self.store.uuid)
        # An empty session would send the request to a configured default server. Its own address and session keep it here.
        return "127.0.0.1", DEFAULT_PORT, native(self.node.uuid)

    def running_removals(self):
        """How many removals of backups the servers are at now; only a new login tells."""
        count = 0
        for session in self.sessions:
            look = Session(self.sdk, self.protocol, self.deadline, session.credentials, session.storage)
            count += look.running_removals
            look.close()
        return count

    def restore(self):
        """Log in again wherever the connection is lost. Raises Failure."""
        for session in self.sessions:
            if not session.connected():
                session.login()

    def close(self):
        """Unsubscribe and log off everywhere, then end the SDK: any other order can deadlock inside it."""
        for session in reversed(self.sessions):
            try:
                session.close()
            except Exception as error:  # the answer is out; there is nobody left to tell
                sys.stderr.write("logging off: %s\n" % (error,))
        if not any(session.listening for session in self.sessions):  # or it may deadlock; the process ends anyway
            self.sdk.api.deinit_sdk()
