# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loaded SDK, and the logins: one to the node, and one to the backup server where a task names one."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import sys

from .protocol import Failure, monotonic, native, readable

# A wait is cut into slices of this many seconds, because after a remote login the SDK tells of a lost connection by nothing
# at all: no event comes, and pending waits never end. Only is_connected() changes. A finished job ends its slice at once.
POLL_INTERVAL = 0.5
# When the last answer is out, shutting the SDK down may take this many seconds before the process is ended for it.
CLEANUP_TIMEOUT = 5.0

DEFAULT_PORT = 64000
SECURITY_LEVELS = {"low": 0, "normal": 1, "high": 2}
# PJOC_SRV_REMOVE_VM_BACKUP, the kind of a task.
REMOVE_VM_BACKUP = 122

PRL_ERR_TIMEOUT = 0x80000015
PRL_ERR_WS_DISP_CONNECTION_CLOSED = 0x80000246
FAILED = 0x80000000  # in every error's code, and in no warning's

SDK_MODES = {"server": "init_server_sdk", "desktop": "init_desktop_sdk", "workstation": "init_workstation_sdk"}

# What a worker that was opened read-only may ask of the SDK's Server and Vm objects. All else is refused before the SDK sees it.
READING = frozenset([
    "login", "login_local", "logoff", "is_connected", "get_vm_list_ex", "get_backup_tree", "reg_event_handler", "unreg_event_handler", "get_vm_info",
    "get_uuid", "get_name", "get_vm_type", "get_ct_id", "is_template", "get_home_path", "get_default_backup_directory",
])


class ReadOnly:
    """An object of the SDK that can be asked, and cannot be told to do anything."""

    def __init__(self, thing):
        self._thing = thing

    def __getattr__(self, name):
        if name not in READING:
            raise Failure("READ_ONLY", "%s() was about to be called where nothing may be changed" % name, name)
        return getattr(self._thing, name)


class Sdk:
    """The loaded and initialised binding, with what tells builds apart."""

    def __init__(self, api, path):
        self.api = api
        self.consts = api.prlsdk.consts
        self.error_names = None
        self.description = {"version": self._version(), "path": path, "python": sys.executable}

    def _version(self):
        number = getattr(self.consts, "VIRTUOZZO_API_VER", None) or getattr(self.consts, "PARALLELS_API_VER", None)
        return "%d.%d" % (number >> 16, number & 0xFFFF) if number else None

    def symbol(self, code):
        """The name of an unsigned code. The binding's own table is signed, so both are compared as 32 bits."""
        if self.error_names is None:
            table = vars(self.api.prlsdk.errors)
            self.error_names = dict((table[name] & 0xFFFFFFFF, name) for name in table if name.startswith(("PRL_ERR_", "PRL_WARN_", "PET_QUESTION_")))
        return self.error_names.get(code, "0x%08X" % code)

    def answer_name(self, number):
        table = vars(self.api.prlsdk.errors)
        names = [name for name in table if name.startswith("PET_ANSWER_") and table[name] == number]
        return names[0][len("PET_ANSWER_"):].lower() if names else "?"

    def name_of(self, prefix, value):
        """The constant with this prefix and value in lower case without the prefix, as ``running`` for VMS_RUNNING."""
        for name in dir(self.consts):
            if name.startswith(prefix) and getattr(self.consts, name) == value:
                return name[len(prefix):].lower()
        return "unknown"

    def failure(self, error, operation, subject=None):
        """A PrlSDKError as the answer that is sent."""
        code = error.error_code & 0xFFFFFFFF
        message = re.sub(r"^SDK error: 0x[0-9A-Fa-f]+: *", "", readable(error.args[0] if error.args else error))
        return Failure(self.symbol(code), " ".join(message.split()), operation, code, event_texts(error.err_obj), subject)


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


def load_sdk(paths, mode):
    """Try to import and initialise with each folder (null: as the interpreter finds it); the first that works wins."""
    attempts = []
    version = "%d.%d" % sys.version_info[:2]
    for path in paths:
        path = path and path.replace("{version}", version)
        if path and not os.path.isdir(path):
            attempts.append({"path": path, "why": "no such folder"})
            continue
        try:
            return _load_from(native(path) if path else None, mode)
        except (Exception, SystemExit) as error:
            attempts.append({"path": path, "why": u"%s: %s" % (type(error).__name__, readable(error))})
    raise Failure("SDK_UNAVAILABLE", "The SDK cannot be loaded by this interpreter.", "import prlsdkapi", attempts=attempts, python_version=version)


def _load_from(path, mode):
    for name in [name for name in sys.modules if name.split(".")[0] == "prlsdkapi"]:
        del sys.modules[name]
    if path:
        sys.path.insert(0, path)
    try:
        import prlsdkapi

        initialise(prlsdkapi, mode)
    except BaseException:
        if path:
            sys.path.remove(path)
        raise
    return Sdk(prlsdkapi, os.path.dirname(os.path.dirname(os.path.abspath(prlsdkapi.__file__))))


def initialise(api, mode):
    """Ready the SDK for a product. A build for another product lacks the function, or constants that it needs."""
    try:
        getattr(api, SDK_MODES[mode])()
    except Exception as error:
        raise RuntimeError("%s() failed: %s" % (SDK_MODES[mode], error))


class Session:
    """One login. ``storage``: whether it is the one to the server that a task names as its storage, which errors of the login then tell."""

    def __init__(self, sdk, deadline, login, read_only, storage=False):
        self.sdk, self.deadline, self.storage, self.read_only = sdk, deadline, storage, read_only
        self.host = login.get("host")
        self.handle = self.guarded(sdk.api.Server())
        self.listener, self.logins = None, 0
        self.credentials = login

    def guarded(self, thing):
        """An object of the SDK as this session may use it."""
        return ReadOnly(thing) if self.read_only else thing

    def login(self):
        """Log in, or again after the connection was lost: the same Server object keeps its event handlers."""
        try:
            self._answer = self._login(self.credentials)
        except Failure as failure:
            failure.error["storage"] = self.storage
            raise
        self.uuid = readable(self._answer.get_session_uuid())
        self.server_uuid = readable(self._answer.get_server_uuid())
        self.logins += 1
        return self

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

        more: ``subject``; ``connecting``; ``limit``, seconds after which to give up although the deadline is later; ``warnings``, a list that
        takes what else would be raised although the server did what it was asked.
        """
        subject, connecting = more.get("subject"), more.get("connecting", False)
        end = None if more.get("limit") is None else monotonic() + more["limit"]
        job = None
        try:
            while True:
                left = self.deadline.left() if end is None else min(self.deadline.left(), end - monotonic())
                if left <= 0:  # also before it is asked for at all
                    raise Failure("PRL_ERR_TIMEOUT", "The server has not answered in time.", operation, PRL_ERR_TIMEOUT, subject=subject)
                if job is None:
                    job = getattr(self.handle, operation)(*arguments)
                try:
                    return job.wait(max(1, int(min(left, POLL_INTERVAL) * 1000)))
                except self.sdk.api.PrlSDKError as error:
                    if "warnings" in more and not error.error_code & FAILED:
                        more["warnings"].append(self.sdk.failure(error, operation, subject).error)
                        return job.get_result()
                    # A wait that ran out and a job that failed with a time-out carry the same code.
                    if error.error_code & 0xFFFFFFFF != PRL_ERR_TIMEOUT or job.get_status() == self.sdk.consts.PJS_FINISHED:
                        raise
                if not connecting and not self.connected():
                    raise Failure(
                        "PRL_ERR_WS_DISP_CONNECTION_CLOSED", "The connection to the server was lost.", operation,
                        PRL_ERR_WS_DISP_CONNECTION_CLOSED, subject=subject,
                    )
        except self.sdk.api.PrlSDKError as error:
            raise self.sdk.failure(error, operation, subject)

    def connected(self):
        """is_connected() answers with a list, which is true whatever it holds."""
        return bool(self.handle.is_connected()[0])

    def close(self):
        if self.listener:
            self.listener.unsubscribe()
            self.listener = None
        self.handle.logoff().wait(int(CLEANUP_TIMEOUT * 1000 / 2))

    def close_quietly(self):
        """The same where nothing that goes wrong in it matters: what was asked is answered."""
        try:
            self.close()
        except Exception as error:
            sys.stderr.write("logging off: %s\n" % readable(error))


class Connection:
    """The node's session, and the storage's where one was asked for; with the address that backup calls pass on."""

    def __init__(self, sdk, protocol, deadline, request):
        self.sdk, self.protocol, self.deadline, self.request = sdk, protocol, deadline, request
        self.spool = request.get("spool")
        self.sessions = []
        self.questions = {}
        self.listed = {}  # node or store -> its last list of VMs

        storage = request.get("storage")
        self._logins = [request["login"]] + ([storage] if storage and not storage.get("default") else [])

    def open(self):
        """Log in wherever that is not done yet, or the connection is lost. Raises Failure."""
        for place, login in enumerate(self._logins):
            if place == len(self.sessions):
                self.sessions.append(Session(self.sdk, self.deadline, login, self.request["read_only"], storage=place > 0))
            session = self.sessions[place]
            if not session.logins or not session.connected():
                session.login()

    @property
    def node(self):
        return self.sessions[0]

    @property
    def store(self):
        """The session of the server that keeps the backups: the storage's, or the node's."""
        return self.sessions[-1]

    @property
    def target(self):
        """Address and session of the server that keeps the backups: (host, port, session)."""
        storage = self.request.get("storage")
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
            look = Session(self.sdk, self.deadline, session.credentials, True, session.storage).login()
            count += look.running_removals
            look.close_quietly()
        return count

    def close(self):
        """Unsubscribe and log off everywhere, then end the SDK: any other order can deadlock inside it."""
        for session in reversed(self.sessions):
            session.close_quietly()
        if not any(session.listener for session in self.sessions):  # or it may deadlock; the process ends anyway
            self.sdk.api.deinit_sdk()
