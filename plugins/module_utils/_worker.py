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
``result``    the last line of a success: ``result``, and ``altered``, where the tree has characters that XML cannot hold: [[VM's name, its
              UUID, backup's id or null for the VM's name]]
``error``     the last line of a failure: ``error`` {code, symbol, operation, message, details, retryable, subject}

A request is an object: ``operation`` (a key of OPERATIONS), ``arguments``, ``timeout`` (seconds, for everything),
``sdk`` {paths, mode}, ``login`` {host, port, username, password, security_level, timeout}, ``storage`` (null, the same as
``login``, or {default: true}) and ``spool``, a directory for texts too large for the protocol.

Why so: the vendor builds the binding for one CPython a release; it prints to standard output when it fails to load and runs
native threads that can hang or crash. None of that may reach a module.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import importlib
import json
import os
import re
import sys
import traceback

if __name__.startswith("ansible_collections."):
    from ansible_collections.prlsdk.core.plugins.module_utils._sessions import CLEANUP_TIMEOUT, Connection
    from ansible_collections.prlsdk.core.plugins.module_utils._wire import (
        GRACE, Deadline, Failure, Protocol, die_with_parent, event_texts, native, readable, ring_after,
    )
else:  # beside its companions, where there is no collection
    from _sessions import CLEANUP_TIMEOUT, Connection
    from _wire import GRACE, Deadline, Failure, Protocol, die_with_parent, event_texts, native, readable, ring_after

PROTOCOL = 1

SDK_MODES = {"server": "init_server_sdk", "desktop": "init_desktop_sdk", "workstation": "init_workstation_sdk"}

# What can be asked, and the companion that does it. Only that one is loaded: nothing of a worker is compiled for later.
OPERATIONS = {
    "create": "_change_operations",
    "remove": "_change_operations",
    "restore": "_change_operations",
    "trees": "_ask_operations",
    "vms": "_ask_operations",
    "wait": "_wait_operations",
}


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


def answer(protocol, request):
    """Do what is asked, send the last line, then shut the SDK down: what happens there cannot spoil the answer."""
    deadline = Deadline(request["timeout"])
    sdk = load_sdk(request["sdk"]["paths"], request["sdk"]["mode"])
    protocol.send("hello", protocol=PROTOCOL, python="%d.%d.%d" % sys.version_info[:3], sdk=sdk.description, host=os.uname()[1])
    connection = Connection(sdk, protocol, deadline, request)
    try:
        with last_line(protocol):
            connection.open()
            result = operation(request["operation"])(connection, request["arguments"], request["spool"])
            protocol.send("result", result=result, altered=sorted(connection.altered, key=repr))
    finally:
        ring_after(max(0.5, min(CLEANUP_TIMEOUT, deadline.left() + GRACE)))
        connection.close()


def operation(name):
    """The function that does what is asked: ``trees_operation`` for ``trees``."""
    companion = importlib.import_module(__name__.rpartition("_worker")[0] + OPERATIONS[name])
    return getattr(companion, name + "_operation")


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
