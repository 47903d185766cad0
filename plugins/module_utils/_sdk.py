# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds an interpreter that can load the SDK, runs the worker under it, and turns its answer into a value or a typed error."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import collections
import json
import os
import shutil
import signal
import sys
import time

from ansible_collections.prlsdk.core.plugins.module_utils import _process
from ansible_collections.prlsdk.core.plugins.module_utils._advice import ACTS, explain
from ansible_collections.prlsdk.core.plugins.module_utils._errors import (
    SdkError, SdkUnavailableError, TemporaryFolderError, WorkerError,
)

# Tried in this order after the module's own interpreter: the vendor's builds are for 3.9 (Virtuozzo 9), 3.7 (macOS) and
# 2.7 (Virtuozzo 7).
INTERPRETERS = ("python3.9", "python3.7", "python3", "python2.7", "python2", "/usr/libexec/platform-python")

# Where the vendor's packages put the binding, for interpreters that do not look there by themselves.
SDK_PATHS = (
    "/usr/lib64/python{version}/site-packages",
    "/usr/lib/python{version}/site-packages",
    "/Library/Frameworks/ParallelsVirtualizationSDK.framework/Versions/Current/Libraries/Python/{version}",
)

# Of what a process said last, so many lines and characters are told.
STDERR_LINES, STDERR_LENGTH = 5, 1000

# A worker ends itself when its time is over; one that never got so far is killed so many seconds later.
OVERTIME = 5.0

# The files that a worker is made of, by what is asked of it. They run on Python 2.7 too, and import nothing of the collection.
WORKER = ("_worker.py", "_wire.py", "_sessions.py")
LOOKING = WORKER + ("_ask_operations.py",)
CHANGING = LOOKING + ("_change_operations.py", "_creation.py", "_live_tree.py", "_removal.py", "_restoration.py", "_retrying.py", "_xml_text.py")
WAITING = LOOKING + ("_wait_operations.py", "_listening.py", "_matching.py")
FILES = {"create": CHANGING, "remove": CHANGING, "restore": CHANGING, "trees": LOOKING, "vms": LOOKING, "wait": WAITING}

# result: what the operation returns; sdk: {version, path, python}, for the module's own result; altered: as in the worker's line.
Answer = collections.namedtuple("Answer", "result sdk altered")


class Sdk:
    """The SDK of this host.

    ``run(arguments, data, each_line, limit)`` runs a program as _process.run does. ``workdir`` is a private directory that somebody
    else removes. ``clock`` gives seconds.
    """

    def __init__(self, run, workdir, python=None, path=None, mode="server", clock=time.monotonic):
        self._run = run
        self._workdir = workdir
        self._interpreters = [python] if python else known_interpreters()
        self._paths = [path] if path else [None] + list(SDK_PATHS)
        self._mode = mode
        self._clock = clock

    def ask(self, operation, arguments, login, storage=None, timeout=300, watch=None):
        """Send one request to the first interpreter that can load the SDK. Returns an Answer; raises the errors of _errors.py.

        ``timeout`` (seconds) bounds the whole, all interpreters together. ``watch`` is called with each line that a worker writes, as
        bytes, as soon as it is there.
        """
        request = {
            "operation": operation,
            "arguments": arguments,
            "sdk": {"paths": self._paths, "mode": self._mode},
            "login": login,
            "storage": storage,
            "spool": self._workdir,
        }
        worker = self._worker_file(operation)
        end = self._clock() + timeout
        candidates = []
        for python in self._interpreters:
            left = max(0.1, end - self._clock())
            data = json.dumps(dict(request, timeout=left)).encode("utf-8")
            heard = Heard(watch)
            try:
                status, errors = self._run([python, worker], data, heard.line, left + OVERTIME)
            except OSError as error:
                candidates.append({"python": python, "version": None, "why": os.strerror(error.errno) if error.errno else str(error)})
                continue
            hello, last = heard.hello, heard.last
            if last is None and hello is None and not ran_out(status):
                candidates.append({"python": python, "version": None, "why": epitaph(status, errors)})
            elif last is None:
                events = {"events": heard.events} if heard.events else {}
                raise WorkerError(death_notice(python, heard.stage, status, errors, timeout), sdk=hello and hello["sdk"], **events)
            elif last["kind"] == "result":
                return Answer(last["result"], hello["sdk"], [tuple(place) for place in last["altered"]])
            elif last["error"]["symbol"] == "SDK_UNAVAILABLE":
                error = last["error"]
                candidates.append({"python": python, "version": error["python_version"], "why": telling(error["attempts"]), "tried": error["attempts"]})
            else:
                raise typed(last["error"], hello and hello["sdk"], operation)
        raise SdkUnavailableError(account(candidates), candidates=candidates)

    def _worker_file(self, operation):
        """The worker's source in a folder that another interpreter can run it from; this module itself may live in a zip archive."""
        for name in FILES[operation]:
            path = os.path.join(self._workdir, name)
            if os.path.exists(path):
                continue
            source = __loader__.get_data(os.path.join(os.path.dirname(__file__), name))
            try:
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                    target.write(source)
            except OSError as error:
                raise TemporaryFolderError(
                    "The files that the SDK's process needs cannot be written to the temporary folder '%s': %s." % (self._workdir, error.strerror or error)
                ) from None
        return os.path.join(self._workdir, WORKER[0])


def sent_along():
    """Never called: Ansible sends to the host what a module's sources import, and the worker is read as a file, not imported."""
    from ansible_collections.prlsdk.core.plugins.module_utils import (
        _ask_operations, _change_operations, _creation, _listening, _live_tree, _matching, _removal, _restoration, _retrying, _sessions,
        _wait_operations, _wire, _worker, _xml_text,
    )

    return (
        _ask_operations, _change_operations, _creation, _listening, _live_tree, _matching, _removal, _restoration, _retrying, _sessions,
        _wait_operations, _wire, _worker, _xml_text,
    )


def known_interpreters():
    """Paths of the interpreters worth a try, each once. The module's own comes first, whatever it is a link to."""
    found = [sys.executable] if sys.executable else []
    seen = set()
    for name in INTERPRETERS:
        path = shutil.which(name)
        if path and path not in found and os.path.realpath(path) not in seen:
            found.append(path)
            seen.add(os.path.realpath(path))
    return found


class Heard:
    """What is kept of a worker's lines; each is passed on to ``watch`` as soon as it is there.

    ``hello``, ``stage`` (the last progress) and ``last`` (the line that ends the answer) are null where there was none.
    """

    def __init__(self, watch=None):
        self.hello = self.stage = self.last = None
        self.events = []
        self._watch = watch

    def line(self, data):
        if not data.startswith(_process.MESSAGE):  # what a library printed
            return
        if self._watch is not None:
            self._watch(data)
        try:
            answer = json.loads(data.decode("utf-8"))
            kind = answer["kind"]
        except (ValueError, TypeError, KeyError):  # not our worker's: some other program, or cut off by its death
            return
        if kind == "hello":
            self.hello = answer
        elif kind == "progress":
            self.stage = answer
        elif kind == "event":
            self.events.append(answer["event"])
        elif kind in ("result", "error"):
            self.last = answer


def typed(error, sdk, operation=None):
    """The worker's error line as an exception. ``sdk`` is null where the SDK was never loaded; ``operation`` is what was asked."""
    if error["symbol"] == "WORKER_FAILED":
        return WorkerError("The SDK worker failed: %s. This is a defect of the collection; please report it." % error["message"], sdk=sdk)
    public = dict((key, error[key]) for key in ("code", "symbol", "operation", "retryable", "details"))
    more = dict(error.get("known", {}), **dict((key, error[key]) for key in ("candidates",) if key in error))
    return SdkError(explain(error, operation), error=public, sdk=sdk, **more)


def ran_out(status):
    """Whether a process was ended because its time was over: by the kernel's timer, or by the one who started it."""
    return status is None or status == -signal.SIGALRM


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def last_words(errors):
    lines = [line for line in errors.decode("utf-8", "replace").splitlines() if line.strip()][-STDERR_LINES:]
    words = " | ".join(line.strip() for line in lines)
    return words if len(words) <= STDERR_LENGTH else "..." + words[-STDERR_LENGTH:]


def epitaph(status, errors):
    """How a process ended that should have answered, in a few words."""
    how = "was killed by %s" % signal_name(-status) if status < 0 else "ended with status %d and no answer" % status
    words = last_words(errors)
    return "%s; it last said: %s" % (how, words) if words else how


def death_notice(python, stage, status, errors, timeout):
    """The message for a worker that died after it had loaded the SDK, or while it did."""
    doing = "loading the SDK"
    if stage:
        doing = ACTS.get(stage["operation"], stage["operation"]).format(subject=stage["subject"])
        doing = doing[0].lower() + doing[1:]
    if ran_out(status):
        return (
            "The SDK did not answer within %g seconds while %s, and its process was ended. Raise 'timeout' if the server is only slow; "
            "otherwise check the dispatcher." % (timeout, doing)
        )
    return "The SDK's process (%s) died while %s: it %s. Nothing more is known of the request; check the state before you run again." % (
        python, doing, epitaph(status, errors),
    )


def telling(attempts):
    """Of an interpreter's attempts the reason that says most: a folder that is not there says nothing."""
    reasons = [attempt["why"] for attempt in attempts if attempt["why"] != "no such folder"]
    rare = [reason for reason in reasons if "No module named" not in reason or "prlsdkapi" not in reason]
    return (rare or reasons or ["no such folder: %s" % attempts[0]["path"]])[0]


def account(candidates):
    tried = "; ".join("%s: %s" % (candidate["python"] + (" (%s)" % candidate["version"] if candidate["version"] else ""), candidate["why"])
                      for candidate in candidates)
    return (
        "The SDK (prlsdkapi) cannot be loaded on this host. Install the vendor's Python SDK, or set 'sdk_python' to the interpreter that it was "
        "built for and 'sdk_path' to the folder that holds prlsdkapi. Tried: %s." % (tried or "no interpreter at all")
    )
