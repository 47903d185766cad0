# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that loads the vendor's SDK, under the SDK's Python (2.7 or 3.6 and later), and does single calls of it.

It reads JSON lines from standard input until that ends, and writes JSON lines:

``open``    first: {protocol, sdk {paths, mode}, login, storage (null, as login, or {default: true}), deadline (seconds), read_only, spool (a folder, or
            null)}. Answered with ``hello`` {protocol, python, sdk {version, path, python}, host}, or ``error``
``call``    {id, name (a key of calls.CALLS), arguments, limit (seconds, or null)}. Answered with ``result`` {id, value} or ``error`` {id, error {code,
            symbol, operation, message, details, subject}}, in any order: several calls may be under way
``renew``   {deadline}: a later deadline, for a client without an end of its own

``event``, ``job``, ``dropped`` and ``lost`` are sent as they come, see listener.py.

Why so: the vendor builds the binding for one CPython a release; it prints to standard output when it fails to load and runs
native threads that can hang or crash. None of that may reach a module. What to ask, and when, is not decided here.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import os
import sys
import threading
import traceback

from .calls import CALLS, WRITING
from .protocol import GRACE, Deadline, Failure, Protocol, die_with_parent, readable, ring_after
from .session import CLEANUP_TIMEOUT, Connection, load_sdk

PROTOCOL = 2


@contextlib.contextmanager
def errors_told(protocol, number=None):
    """Whatever goes wrong inside becomes an ``error`` line."""
    try:
        yield
    except Failure as failure:
        protocol.send("error", id=number, error=failure.error)
    except BaseException as error:  # the binding may try to leave
        traceback.print_exc()
        protocol.send("error", id=number, error=Failure("WORKER_FAILED", u"%s: %s" % (type(error).__name__, readable(error)), "worker").error)


def do(connection, line):
    """Do one call and answer it."""
    number, name = line["id"], line["name"]
    with errors_told(connection.protocol, number):
        if name in WRITING and connection.request["read_only"]:
            raise Failure("READ_ONLY", "%s was asked for where nothing may be changed" % name, name)
        value = CALLS[name](connection, line["limit"], **dict((str(key), line["arguments"][key]) for key in line["arguments"]))
        connection.protocol.send("result", id=number, value=value)


def serve(connection, lines):
    """Each call in a thread of its own: waiting for one must not hold up the next."""
    for line in lines:
        if line["kind"] == "renew":
            connection.deadline.renew(line["deadline"])
            continue
        thread = threading.Thread(target=do, args=(connection, line))
        thread.daemon = True
        thread.start()


def main():
    protocol = Protocol()
    die_with_parent()
    lines = protocol.lines()
    connection = None
    with errors_told(protocol):
        request = next(lines)
        deadline = Deadline(request["deadline"])
        sdk = load_sdk(request["sdk"]["paths"], request["sdk"]["mode"])
        connection = Connection(sdk, protocol, deadline, request)
        protocol.send("hello", protocol=PROTOCOL, python="%d.%d.%d" % sys.version_info[:3], sdk=sdk.description, host=os.uname()[1])
    if connection is not None:
        try:
            serve(connection, lines)
        finally:
            ring_after(max(0.5, min(CLEANUP_TIMEOUT, connection.deadline.left() + GRACE)))
            connection.close()
    # Not through the interpreter's end: there the binding would end the SDK once more.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
