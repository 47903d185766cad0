# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only file that imports prlsdkapi. It runs as a process of its own under the SDK's Python (2.7 or 3.6 and later).

``<python> _worker.py`` reads one JSON request from standard input up to its end and answers with JSON lines:

``hello``     once, when the SDK is loaded: ``protocol``, ``python``, ``sdk`` {version, path, python}, ``host``
``progress``  before each call that may take long, and while it takes: ``operation``, ``subject``, and what is known of ``stage``,
              ``percent``, ``done``, ``total``
``event``     each event that counts, while the operation ``wait`` waits: ``event``
``item``      when one of several things is settled, or about to be tried: ``index``, ``backup`` (null before the try)
``result``    the last line of a success: ``result``
``error``     the last line of a failure: ``error`` {code, symbol, operation, message, details, retryable, subject}

A request is an object: ``operation`` (a key of OPERATIONS), ``arguments``, ``timeout`` (seconds, for everything),
``sdk`` {paths, mode}, ``login`` {host, port, username, password, security_level, timeout}, ``storage`` (null, the same as
``login``, or {default: true}) and ``spool``, a directory for texts too large for the protocol.

Why so: the vendor builds the binding for one CPython a release; it prints to standard output when it fails to load and runs
native threads that can hang or crash. None of that may reach a module.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import contextlib
import difflib
import json
import os
import random
import re
import signal
import sys
import threading
import time
import traceback

if __name__ == "__main__":  # run beside its companions, where there is no collection
    import _creation
    import _listening
    import _live_tree
    import _matching
    import _removal
    import _restoration
    import _retrying
else:
    from ansible_collections.prlsdk.core.plugins.module_utils import (
        _creation, _listening, _live_tree, _matching, _removal, _restoration, _retrying,
    )

PROTOCOL = 1

# A wait is cut into slices of this many seconds, because after a remote login the SDK tells of a lost connection by nothing
# at all: no event comes, and pending waits never end. Only is_connected() changes. A finished job ends its slice at once.
POLL_INTERVAL = 0.5
# The alarm rings this many seconds after the request's own deadline: time to answer properly first.
GRACE = 1.0
# The answer is out when the SDK is shut down; that may take this many seconds before the process is ended for it.
CLEANUP_TIMEOUT = 5.0

DEFAULT_PORT = 64000
SECURITY_LEVELS = {"low": 0, "normal": 1, "high": 2}
SDK_MODES = {"server": "init_server_sdk", "desktop": "init_desktop_sdk", "workstation": "init_workstation_sdk"}

# Flags by number: constants are those of the installed build, and an older one lacks the newer names.
PVTF_VM, PVTF_CT = 2048, 4096
PBT_VM, PBT_CT = 131072, 262144
PBT_FULL, PBT_INCREMENTAL, PBT_UNCOMPRESSED, PBT_KEEP_CHAIN = 2048, 4096, 65536, 2097152
PBT_RESTORE_TO_COPY, PBT_RESTORE_RUNNING = 16384, 8388608

PRL_ERR_TIMEOUT = 0x80000015
PRL_ERR_WS_DISP_CONNECTION_CLOSED = 0x80000246
FAILED = 0x80000000  # in every error's code, and in no warning's

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


# --- loading ----------------------------------------------------------------------------------------------------------------


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

    def code(self, symbol):
        """The unsigned code of a name, in any case; None when this build does not know it."""
        number = vars(self.api.prlsdk.errors).get(symbol.upper())
        return None if number is None else number & 0xFFFFFFFF

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


# --- sessions ---------------------------------------------------------------------------------------------------------------


class Session:
    """One login. ``target`` is what the backup calls take to address the server at its other end."""

    def __init__(self, sdk, protocol, deadline, login):
        self.sdk, self.protocol, self.deadline = sdk, protocol, deadline
        self.host = login.get("host")
        self._api = sdk.api.Server()
        self._listener = None
        self._credentials = login
        self.login()

    def login(self):
        """Log in, or again after the connection was lost: the same Server object keeps its event handlers."""
        self._answer = self._login(self._credentials)
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

    def listen(self, may_care):
        """Subscribe to the server's events until the session ends: a Listener."""
        listener = _listening.Listener(self.sdk.api, self._api, may_care, readable)
        listener.subscribe()
        self._listener = listener
        return listener

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
        self._open = lambda login: self.sessions.append(Session(sdk, protocol, deadline, login))
        self._request = request

    def open(self):
        storage = self._request.get("storage")
        self._open(self._request["login"])
        if storage and not storage.get("default"):
            self._open(storage)
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

    def restore(self):
        """Log in again wherever the connection is lost. Raises Failure."""
        for session in self.sessions:
            if not session.connected():
                session.login()

    def reopen(self):
        """Log in again everywhere. Raises Failure."""
        for session in reversed(self.sessions):
            try:
                session.close()
            except Exception as error:  # that it is lost is why we are here
                sys.stderr.write("logging off: %s\n" % (error,))
        self.sessions = []
        self.open()

    def close(self):
        """Unsubscribe and log off everywhere, then end the SDK: any other order can deadlock inside it."""
        for session in reversed(self.sessions):
            try:
                session.close()
            except Exception as error:  # the answer is out; there is nobody left to tell
                sys.stderr.write("logging off: %s\n" % (error,))
        if not any(session.listening for session in self.sessions):  # or it may deadlock; the process ends anyway
            self.sdk.api.deinit_sdk()


# --- what can be asked ------------------------------------------------------------------------------------------------------


def list_vms(session, types):
    """The VMs and containers that a server knows, as dictionaries in its own order."""
    flags = (PVTF_VM if "vm" in types else 0) | (PVTF_CT if "ct" in types else 0)
    return [describe_vm(session.sdk, vm) for vm in session.call("get_vm_list_ex", flags)]


def describe_vm(sdk, vm):
    """One damaged configuration must not end the list: what cannot be read is null, and the reason is in ``problems``."""
    problems = []

    def read(getter, convert=readable):
        try:
            return convert(getter())
        except sdk.api.PrlSDKError as error:
            problems.append(sdk.failure(error, getattr(getter, "__name__", "read")).error["message"])
            return None

    return {
        "uuid": read(vm.get_uuid),
        "name": read(vm.get_name),
        "type": read(vm.get_vm_type, lambda number: "ct" if number else "vm"),
        "ct_id": read(vm.get_ct_id) or None,
        "state": read(lambda: vm.get_vm_info().get_state(), lambda number: sdk.name_of("VMS_", number)),
        "template": read(vm.is_template, bool),
        "home": read(vm.get_home_path),
        "backup_directory": read(vm.get_default_backup_directory) or None,
        "problems": problems,
    }


def uuid_key(text):
    """A UUID without braces in lower case; None for anything else."""
    match = UUID.match(text)
    return match.group(1).lower() if match else None


def resolve(wanted, vms):
    """[(word, the VM that it means, or None)] for names, container ids and UUIDs. A word that means several: Failure."""
    found = []
    for word in wanted:
        key = uuid_key(word)
        if key:
            fits = [vm for vm in vms if vm["uuid"] and uuid_key(vm["uuid"]) == key]
        else:
            fits = [vm for vm in vms if word == vm["name"]] or [vm for vm in vms if word == vm["ct_id"]]
        if len(fits) > 1:
            raise Failure(
                "AMBIGUOUS_VM_NAME", u"%d VMs are called '%s': %s." % (len(fits), word, u", ".join(vm["uuid"] for vm in fits)), subject=word,
                candidates=[{"uuid": vm["uuid"], "name": vm["name"], "type": vm["type"], "home": vm["home"]} for vm in fits],
            )
        found.append((word, fits[0] if fits else None))
    return found


def vms_operation(connection, arguments, spool):
    """arguments: types, wanted (null: all). -> server, vms, unknown (the wanted words that mean no VM)"""
    vms, unknown = list_vms(connection.node, arguments["types"]), []
    if arguments["wanted"] is not None:
        found = resolve(arguments["wanted"], vms)
        vms = unique([vm for word, vm in found if vm])
        unknown = [word for word, vm in found if not vm]
    return {"server": connection.node.server, "vms": vms, "unknown": unknown}


def trees_operation(connection, arguments, spool):
    """Fetch backup trees into files of ``spool``.

    arguments: scope (all, registered), types, wanted (null: every VM). ->
    server; trees [{file, uuid ('' for the whole tree), directory}]; wanted [[word, uuid or null]] when VMs were named;
    registered: UUIDs of the VMs that the node knows (null when nobody had to ask).
    """
    plan, registered, wanted = plan_trees(connection, arguments)
    trees = []
    for number, (uuid, directory) in enumerate(plan):
        path = os.path.join(spool, "tree-%05d.xml" % number)
        fetch_tree(connection, uuid, arguments["types"], path)
        trees.append({"file": path, "uuid": uuid, "directory": directory})
    # All requests go through the node; its uuid tells the backups that it made.
    return {"server": connection.node.server, "trees": trees, "registered": registered, "wanted": wanted}


def plan_trees(connection, arguments):
    """Which trees to ask for, [(uuid, directory)]; the UUIDs that the node knows or None; the words wanted with their UUIDs."""
    words, scope, types = arguments["wanted"], arguments["scope"], arguments["types"]
    whole = ("", None)
    if words is not None and all(uuid_key(word) for word in words):
        # The server compares UUIDs as text, with braces; that is all it takes to ask.
        wanted = [(word, "{%s}" % uuid_key(word)) for word in words]
        return unique([(uuid, None) for word, uuid in wanted]), None, wanted
    known = [vm for vm in list_vms(connection.node, types) if vm["uuid"]]
    registered = [vm["uuid"] for vm in known]
    # The node's configuration tells of the node's own directories, not of those on another server.
    place = (lambda vm: vm["backup_directory"]) if connection.local else (lambda vm: None)
    if words is not None:
        plan, wanted = [], []
        for word, vm in resolve(words, known):
            uuid = vm["uuid"] if vm else "{%s}" % uuid_key(word) if uuid_key(word) else None
            wanted.append((word, uuid))
            if uuid:
                plan.append((uuid, vm and place(vm)))
            elif scope == "all":
                plan.append(whole)  # which alone knows the names of VMs that are gone from the node
        return unique(plan), registered, wanted
    if scope == "registered":
        return [(vm["uuid"], place(vm)) for vm in known], registered, None
    # The whole tree shows the server's default directory only. A VM known there with a directory of its own has to be asked for.
    if connection.store is not connection.node:
        known = list_vms(connection.store, types)
    return [whole] + [(vm["uuid"], vm["backup_directory"]) for vm in known if vm["uuid"] and vm["backup_directory"]], registered, None


def unique(items):
    """Each item once, in order."""
    return [item for number, item in enumerate(items) if item not in items[:number]]


def fetch_tree(connection, uuid, types, path):
    """Write one backup tree's XML, as the server sent it, to a file that only this user can read."""
    flags = (PBT_VM if "vm" in types else 0) | (PBT_CT if "ct" in types else 0)  # the default shows no containers
    host, port, session = connection.target
    answer = connection.node.call("get_backup_tree", native(uuid), host, port, session, flags, subject=uuid or "all VMs")
    text = encoded(answer.get_param_as_string())
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as spooled:
        spooled.write(text)


# --- waiting for events -----------------------------------------------------------------------------------------------------

# What logging in again may meet while a dispatcher restarts, beside the errors that are always worth another try.
RESTARTING = ("PRL_ERR_HANDSHAKE_FAILED", "PRL_ERR_SSL_HANDSHAKE_FAILED", "PRL_ERR_DISP_SHUTDOWN_IN_PROCESS")
BACKUP_TIME = re.compile(b"<DateTime>([0-9-]{10} [0-9:]{8})</DateTime>")  # markup inside texts is escaped


def wait_operation(connection, arguments, spool):
    """Wait for events.

    arguments: events and fail_on [specification of _matching.py, with ``option`` (its place in the task), ``vm`` as a name or UUID,
    ``code`` as a number or symbol]; match; count; satisfied_by (null or {vm, states, newer_than in seconds since 1970}); answer
    (null or a number); ready_file (null or a path); reconnect; look_only: do not subscribe, look at the state and return. ->
    server; outcome (matched, failed, satisfied, timed_out, error; null when nothing was waited for); error (with that outcome, as in an
    ``error`` line); events; failed_on; missing; satisfied_by; seen {type number: count}; unreadable; reconnections.
    """
    specifications, state = prepare(connection, arguments)
    tally = _matching.Tally(specifications["events"], arguments["match"], arguments["count"], specifications["fail_on"])
    result = {"outcome": None, "satisfied_by": None, "seen": {}, "unreadable": 0, "reconnections": 0, "error": None}
    if arguments["look_only"]:
        result["satisfied_by"] = look(connection, state)
    else:
        listen(connection, arguments, tally, state, result)
    for event in tally.events + [tally.failed_on]:
        complete(connection, event)
    return dict(result, server=connection.node.server, events=tally.events, failed_on=tally.failed_on, missing=tally.missing)


def prepare(connection, arguments):
    """The specifications with UUIDs and codes in place of names, by option; and the state to look at, likewise."""
    known = []

    def uuid_of(word, option):
        if uuid_key(word):
            return "{%s}" % uuid_key(word)  # also of a VM that does not exist yet
        if not known:
            known.append(list_vms(connection.node, ["vm", "ct"]))
            connection.names.update((uuid_key(vm["uuid"]), vm["name"]) for vm in known[0] if vm["uuid"])
        vm = resolve([word], known[0])[0][1]
        if vm is None:
            message = "%s: '%s' is no VM or container of %s." % (option, word, connection.node.server["host"])
            raise Failure("UNKNOWN_VM", message, subject=word)
        return vm["uuid"]

    def ready(raw):
        vm = raw["vm"] and uuid_of(raw["vm"], raw["option"] + ".vm")
        return dict(raw, vm=vm, code=code_of(connection.sdk, raw["code"], raw["option"] + ".code"))

    state = arguments["satisfied_by"]
    return (
        dict((key, [ready(raw) for raw in arguments[key]]) for key in ("events", "fail_on")),
        state and dict(state, vm=uuid_of(state["vm"], "satisfied_by.vm")),
    )


def code_of(sdk, code, option):
    if not isinstance(code, type(u"")):
        return code
    number = sdk.code(native(code))
    if number is None:
        near = difflib.get_close_matches(code.upper(), vars(sdk.api.prlsdk.errors), 1)
        hint = " Did you mean %s?" % near[0] if near else ""
        raise Failure("INVALID_INPUT", "%s: the SDK knows no code '%s'.%s" % (option, code, hint), subject=code)
    return number


def listen(connection, arguments, tally, state, result):
    """Subscribe, say so, look at the state, wait: in this order nothing is lost."""
    session, left = connection.node, connection.deadline.left
    listener = session.listen(tally.may_care)
    connection.protocol.progress("wait", session.server["host"])
    if arguments["ready_file"]:
        make_ready(arguments["ready_file"])

    def look_now():
        try:
            return look(connection, state)
        except Failure:
            # What was looked for must not hide that the connection, or the time, has come to its end.
            if left() > 0 and session.connected():
                raise
            return None
        finally:
            connection.protocol.progress("wait", session.server["host"])

    def attempt():
        try:
            connection.restore()
        except Failure as failure:
            if not failure.error["retryable"] and failure.error["symbol"] not in RESTARTING:
                raise
            return False
        result["reconnections"] += 1
        return True

    def answer(question, event):
        offered = [value["value"] for name, value in sorted(event["params"].items()) if name.startswith("vm_message_choice_")]
        if offered and arguments["answer"] not in offered:
            choices = ", ".join("%s (%d)" % (connection.sdk.answer_name(one), one) for one in offered)
            raise Failure("INVALID_INPUT", "answer: %d is not among the answers to this question: %s." % (arguments["answer"], choices))
        session.answer(question, arguments["answer"])
        code = listener.answer_code(left, session.connected)
        if code:
            raise Failure(connection.sdk.symbol(code), "The server did not accept the answer.", "send_answer", code, subject=session.server["host"])
        event["answered"] = arguments["answer"]

    reconnect = (lambda: _listening.persist(attempt, left)) if arguments["reconnect"] else None
    answering = answer if arguments["answer"] is not None else None
    try:
        result["outcome"], result["satisfied_by"] = _listening.wait(
            listener, tally, look_now, left, session.connected, reconnect, answering,
            lambda event: connection.protocol.send("event", event=complete(connection, event)),
        )
        if result["outcome"] == "lost":
            raise Failure(
                "PRL_ERR_WS_DISP_CONNECTION_CLOSED", "The connection to the server was lost.", "wait", PRL_ERR_WS_DISP_CONNECTION_CLOSED,
                subject=session.server["host"],
            )
    except Failure as failure:  # what was heard until then goes with it
        result.update(outcome="error", error=failure.error)
    result.update(unreadable=listener.unreadable, seen=dict((str(key), listener.seen[key]) for key in list(listener.seen)))


def complete(connection, event):
    """Add to an event what takes more than the event to know."""
    if event is not None and "symbol" not in event:
        silent = event["code"] is None or event["code"] == _listening.NO_CODE
        event["symbol"] = None if silent else connection.sdk.symbol(event["code"])
        event["server"] = connection.node.server_uuid
        key = uuid_key(event["issuer_id"])
        if event["vm"] is None and key and key.strip("0-") and key != uuid_key(connection.node.server_uuid):
            event["vm"] = {"uuid": event["issuer_id"], "name": connection.names.get(key)}
        event.setdefault("answered", None)
    return event


def make_ready(path):
    """Tell whoever looks for this file that no event is missed from now on."""
    try:
        os.close(os.open(native(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise Failure("READY_FILE_FAILED", u"ready_file: '%s' cannot be created: %s." % (path, os.strerror(error.errno)), subject=path)


def look(connection, state):
    """What of the present state makes waiting needless: {vm, vm_state, newest_backup}, or None."""
    if state is None:
        return None
    found = {"vm": state["vm"], "vm_state": None, "newest_backup": None}
    if state["states"] is not None:
        vm = resolve([state["vm"]], list_vms(connection.node, ["vm", "ct"]))[0][1]
        found["vm_state"] = vm and vm["state"]
        if found["vm_state"] not in state["states"]:
            return None
    if state["newer_than"] is not None:
        found["newest_backup"] = newest_backup(connection, state["vm"])
        if found["newest_backup"] is None or found["newest_backup"] < state["newer_than"]:
            return None
    return found


def newest_backup(connection, uuid):
    """When the newest backup of a VM was made, in seconds since 1970; None when there is none."""
    host, port, session = connection.target
    answer = connection.node.call("get_backup_tree", native(uuid), host, port, session, PBT_VM | PBT_CT, subject=uuid)
    times = BACKUP_TIME.findall(encoded(answer.get_param_as_string()))
    return calendar.timegm(time.strptime(max(times).decode("ascii"), "%Y-%m-%d %H:%M:%S")) if times else None


OPERATIONS = {"trees": trees_operation, "vms": vms_operation, "wait": wait_operation}


# --- what changes backups ---------------------------------------------------------------------------------------------------

PET_BACKUP_PROGRESS, PET_RESTORE_PROGRESS, PET_VM_MESSAGE = 100050, 100052, 100502
# What the server said before it was done may come to the handler after the wait has ended, by so many seconds at most.
LATE = 0.5


class Reports:
    """What the server tells of our own request while it runs: progress in percent, and warnings.

    ``issuer(uuid)`` says whether an event's issuer is meant: progress of disks goes to every client.
    """

    def __init__(self, session, operation, subject, issuer):
        self._session, self._operation, self._subject, self._issuer = session, operation, subject, issuer
        self._api = session._api
        self._arrived = []
        self._last, self._done = None, False
        self.warnings = []

    def __enter__(self):
        self._api.reg_event_handler(self._keep, None)
        return self

    def __exit__(self, *exception):
        try:
            self._api.unreg_event_handler(self._keep, None)
        except self._session.sdk.api.PrlSDKError as error:
            print("unsubscribing: %s" % (error,), file=sys.stderr)

    def _keep(self, handle, user_data):
        # Wrapped exactly once, whatever it is; nothing else happens in the SDK's thread.
        self._arrived.append(self._session.sdk.api.handle_to_object(handle))

    def finish(self):
        """Pass on what is still to come, once the request has ended."""
        end = monotonic() + LATE
        while not self._done and monotonic() < end:
            time.sleep(0.01)
            self.look()
        time.sleep(0.05)
        self.look()

    def look(self):
        """Pass on what has arrived. Finished jobs arrive here too."""
        while self._arrived:
            event = self._arrived.pop(0)
            if not hasattr(event, "get_issuer_id"):
                self._done = self._done or event.get_op_code() == getattr(self._session.sdk.consts, "PJOC_SRV_" + self._operation.upper(), None)
                continue
            try:
                self._tell(event)
            except self._session.sdk.api.PrlSDKError as error:
                print("an event: %s" % (error,), file=sys.stderr)

    def _tell(self, event):
        kind = event.get_type()
        if kind not in (PET_BACKUP_PROGRESS, PET_RESTORE_PROGRESS, PET_VM_MESSAGE) or not self._issuer(readable(event.get_issuer_id())):
            return
        if kind == PET_VM_MESSAGE:
            code = event.get_err_code() & 0xFFFFFFFF
            text = " ".join(readable(event.get_err_string(False, True)).split())
            self.warnings.append({"code": code, "symbol": self._session.sdk.symbol(code), "message": text})
            return
        values = event_texts(event)
        stage = "disk %s" % values["device_index"] if "device_index" in values else "files"
        try:
            report = (stage, min(100, int(values.get("progress_changed", ""))))
        except ValueError:
            return
        if report != self._last:
            self._last = report
            self._session.protocol.progress(self._operation, self._subject, stage=report[0], percent=report[1])


class Backups:
    """What the companions that decide ask of the server; see Removal, Creation and Restoration for what each method means."""

    Failure = Failure

    def __init__(self, connection):
        self.connection = connection
        self.left = connection.node.deadline.left
        self._known = (None, {})  # a VM's UUID, and what read_vm() keeps of it

    def read(self, uuid):
        text = tree_text(self.connection, uuid)
        if self._known[0] != uuid:
            self._known = (uuid, {})
        try:
            return _live_tree.read_vm(text, uuid, self._known[1])
        except _live_tree.DamagedTree as error:
            raise damaged(error, uuid)

    def vms(self):
        return list_vms(self.connection.node, ("vm", "ct"))

    def remove(self, uuid, backup_id, keep_chain, limit):
        # Never with an empty one: without a backup's id the server removes everything of the VM.
        if not uuid_key(uuid) or not uuid_key(backup_id.partition(".")[0]):
            raise Failure("WORKER_FAILED", "'%s' of '%s' cannot be removed" % (backup_id, uuid), "remove_vm_backup")
        host, port, session = self.connection.target
        self.connection.node.call(
            "remove_vm_backup", native(uuid), native(backup_id), host, port, session, PBT_KEEP_CHAIN if keep_chain else 0, 0, True,
            subject=backup_id, limit=limit, warnings=[],
        )

    def create(self, uuid, wish, limit):
        flags = (PBT_FULL if wish.full else PBT_INCREMENTAL) | (0 if wish.compress else PBT_UNCOMPRESSED)
        arguments = (native(uuid),) + self.connection.target + (native(wish.description), flags, 0, True)
        if not wish.wait:
            limit = min(limit, START)
        warnings = []
        with Reports(self.connection.node, "create_vm_backup", uuid, lambda issuer: uuid_key(issuer) == uuid_key(uuid)) as reports:
            try:
                answer = self.connection.node.call(
                    "create_vm_backup", *arguments, subject=uuid, limit=limit, each=reports.look, warnings=warnings
                )
            except Failure as failure:
                if wish.wait or failure.error["symbol"] != "PRL_ERR_TIMEOUT":
                    raise
                return None, warnings + reports.warnings
            reports.finish()
        return readable(answer.get_param_by_index_as_string(1)), warnings + reports.warnings

    def restore(self, uuid, backup_id, wish, known, limit):
        flags = (PBT_RESTORE_TO_COPY if wish.copy else 0) | (PBT_RESTORE_RUNNING if wish.live else 0)
        others = set(uuid_key(vm["uuid"]) for vm in known if vm["uuid"]) - set([uuid_key(uuid)])
        warnings = []
        # A copy's UUID is not known yet: its progress is what no other VM's is.
        with Reports(self.connection.node, "restore_vm_backup", backup_id, lambda issuer: uuid_key(issuer) not in others) as reports:
            host, port, session = self.connection.target
            answer = self.connection.node.call(
                "restore_vm_backup", native(uuid), native(backup_id), host, port, session, native(wish.destination), native(wish.name), flags, 0, True,
                subject=backup_id, limit=limit, each=reports.look, warnings=warnings,
            )
            reports.finish()
        restored, used = [readable(answer.get_param_by_index_as_string(index)) for index in (0, 1)]
        return restored, used, warnings + reports.warnings

    def refuse(self, symbol, code, message, subject):
        raise Failure(symbol, message, code=code, subject=subject)

    def reopen(self):
        self.connection.reopen()

    def pause(self, attempt, limit):
        seconds = max(0.0, min(_retrying.backoff(attempt, random.uniform), limit, self.left()))
        time.sleep(seconds)
        return seconds


# A task that does not wait for the end of its backup waits for so many seconds whether the server refuses it.
START = 5.0


def damaged(error, uuid):
    return Failure("DAMAGED_TREE", "The server's backup tree is damaged: %s." % (error,), "get_backup_tree", subject=uuid or "all VMs")


def tree_text(connection, uuid):
    """The backup tree of one VM, or with '' of all, as the SDK gives it. The default flags would show no containers."""
    host, port, session = connection.target
    answer = connection.node.call("get_backup_tree", native(uuid), host, port, session, PBT_VM | PBT_CT, subject=uuid or "all VMs")
    return answer.get_param_as_string()


def locate(connection, keys, names):
    """Search everything for backups and VMs: ({backup's key: [VM's uuid]}, {VM's name: [uuid]})."""
    backups, vms = {}, {}
    for uuid, directory in plan_trees(connection, {"wanted": None, "types": ("vm", "ct"), "scope": "all"})[0]:
        try:
            for vm in _live_tree.read_all(tree_text(connection, uuid)):
                for found, wanted, value in [(backups, keys & vm.keys(), vm.uuid), (vms, names & set([vm.name]), vm.uuid)]:
                    for word in wanted:
                        if value not in found.setdefault(word, []):
                            found[word].append(value)
        except _live_tree.DamagedTree as error:
            raise damaged(error, uuid)
    return backups, vms


def find_vms(connection, words, keys=()):
    """What the words mean, UUIDs, names or container ids, and which VMs have the backups with these keys.

    -> {word: uuid}, {key: [uuid]}. Names that no VM of the node has, and backups, are looked for in the whole tree. Raises Failure for a
    word that means no VM, or several.
    """
    found = dict((word, "{%s}" % uuid_key(word)) for word in words if uuid_key(word))
    names = set(words) - set(found)
    if names:
        known = list_vms(connection.node, ("vm", "ct"))
        found.update((word, vm["uuid"]) for word, vm in resolve(sorted(names), known) if vm)
    names -= set(found)
    if not names and not keys:
        return found, {}
    owners, gone = locate(connection, set(keys), names)
    for word in sorted(names):
        uuids = gone.get(word, [])
        if len(uuids) > 1:
            raise Failure("AMBIGUOUS_VM_NAME", u"%d VMs with backups were called '%s'." % (len(uuids), word), subject=word,
                          candidates=[{"uuid": uuid, "name": word, "type": None, "home": None} for uuid in uuids])
        if not uuids:
            raise Failure("UNKNOWN_VM", u"There is no VM '%s', and no backup of one." % word, subject=word)
        found[word] = uuids[0]
    return found, owners


def remove_operation(connection, arguments, spool):
    """Remove backups.

    arguments: backups [{id, vm (null: search), created, size, action, removes}], dependents, allow_remove_last, on_error, busy_timeout,
    check. -> server; backups, stop, before, after as Removal.run() gives them. Each backup's outcome is sent as an ``item`` as well.
    """
    key = _live_tree.key
    entries = [
        _removal.Entry(index, wanted["id"], key(wanted["id"]), wanted["vm"], wanted["created"], wanted["size"], wanted["action"], [key(other) for other in wanted["removes"]])
        for index, wanted in enumerate(arguments["backups"])
    ]
    protocol, done = connection.protocol, []

    def report(entry):
        done.append(entry)
        protocol.send("item", index=entry.index, backup=entry.result())

    def attempt(step, vm):
        for entry in step.covers or (step.owner,):
            protocol.send("item", index=entry.index, backup=None)
        protocol.progress("remove_vm_backup", step.id, stage=step.kind, vm=vm.name or vm.uuid, done=len(done), total=len(entries),
                          percent=100 * len(done) // len(entries))

    backups = Backups(connection)
    removal = _removal.Removal(
        _removal.Rehearsal(backups) if arguments["check"] else backups, entries,
        _removal.Options(arguments["dependents"], arguments["allow_remove_last"], arguments["on_error"], arguments["busy_timeout"]), report, attempt,
    )
    uuids, owners = find_vms(connection, set(entry.vm for entry in entries if entry.vm), set(entry.key for entry in entries if not entry.vm))
    for entry in entries:
        if entry.vm:
            entry.vm = uuids[entry.vm]
            continue
        fits = owners.get(entry.key, [])
        if len(fits) == 1:
            entry.vm, entry.located = fits[0], True
        elif fits:
            removal.settle(entry, _removal.Verdict("refused", "ambiguous", "Several VMs have a backup with this id: %s. Name one with 'vm'." % ", ".join(fits)))
        else:
            removal.settle(entry, _removal.Verdict("already_absent", None, None))
    return dict(removal.run(), server=connection.node.server)


def create_operation(connection, arguments, spool):
    """Make a backup. arguments: vm, full, description, compress, newer_than, wait, busy_timeout, check. -> server, vm, and as Creation.run()."""
    vm = resolve([arguments["vm"]], list_vms(connection.node, ("vm", "ct")))[0][1]
    if vm is None:
        raise Failure("UNKNOWN_VM", u"There is no VM or container '%s' on %s." % (arguments["vm"], connection.node.server["host"]), subject=arguments["vm"])
    wish = _creation.Wish(
        arguments["full"], arguments["description"], arguments["compress"], arguments["newer_than"], arguments["wait"], arguments["busy_timeout"]
    )
    made = _creation.Creation(Backups(connection), vm["uuid"], wish).run(arguments["check"])
    return dict(made, server=connection.node.server, vm=dict((name, vm[name]) for name in ("uuid", "name", "type")))


def restore_operation(connection, arguments, spool):
    """Restore a backup. arguments: vm (null: search), id (null: newest), copy, name, destination, live, busy_timeout, check.
    -> server, and as Restoration.run()."""
    key = arguments["id"] and _live_tree.key(arguments["id"])
    uuids, owners = find_vms(connection, [arguments["vm"]] if arguments["vm"] else [], [key] if not arguments["vm"] else [])
    fits = list(uuids.values()) if arguments["vm"] else owners.get(key, [])
    if not fits:
        raise Failure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", "There is no backup with this id.", "restore_vm_backup", 0x80037004, subject=arguments["id"])
    if len(fits) > 1:
        raise Failure("AMBIGUOUS_BACKUP", "Several VMs have a backup with this id: %s." % ", ".join(fits), "restore_vm_backup", subject=arguments["id"])
    wish = _restoration.Wish(key, arguments["copy"], arguments["name"], arguments["destination"], arguments["live"], arguments["busy_timeout"])
    answer = _restoration.Restoration(Backups(connection), fits[0], wish).run(arguments["check"])
    return dict(answer, server=connection.node.server)


OPERATIONS.update({"remove": remove_operation, "create": create_operation, "restore": restore_operation})


# --- one request ------------------------------------------------------------------------------------------------------------


def answer(protocol, request):
    """Do what is asked, send the last line, then shut the SDK down: what happens there cannot spoil the answer."""
    deadline = Deadline(request["timeout"])
    sdk = load_sdk(request["sdk"]["paths"], request["sdk"]["mode"])
    protocol.send("hello", protocol=PROTOCOL, python="%d.%d.%d" % sys.version_info[:3], sdk=sdk.description, host=os.uname()[1])
    connection = Connection(sdk, protocol, deadline, request)
    try:
        with last_line(protocol):
            connection.open()
            result = OPERATIONS[request["operation"]](connection, request["arguments"], request["spool"])
            protocol.send("result", result=result)
    finally:
        ring_after(CLEANUP_TIMEOUT)
        connection.close()


@contextlib.contextmanager
def last_line(protocol):
    """Whatever goes wrong inside becomes the ``error`` line."""
    try:
        yield
    except Failure as failure:
        protocol.send("error", error=failure.error)
    except Exception as error:
        traceback.print_exc()
        protocol.send("error", error=Failure("WORKER_FAILED", u"%s: %s" % (type(error).__name__, readable(error)), "worker").error)


def read_request():
    """The whole of standard input, which is then closed to the SDK and everything that it may start."""
    source = getattr(sys.stdin, "buffer", sys.stdin)
    request = json.loads(source.read().decode("utf-8"))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return request


def main():
    protocol = Protocol()
    die_with_parent()
    with last_line(protocol):
        answer(protocol, read_request())
    # Not through the interpreter's end: there the binding would end the SDK once more.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
