# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client library's own state in this process: whether it is initialised, its handles, its link to the server."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import threading

from prl_stub import calls, faults, store


class Handles:
    """Numbered, counted references. A number that is freed more often than it was given out is counted, not fatal."""

    def __init__(self):
        self._lock = threading.RLock()  # a collection in the midst of this may free other handles
        self._entries = {}
        self._last = 0
        self.double_freed = 0

    def export(self, native):
        """The number of a native object, with one more reference on it."""
        with self._lock:
            if native.number not in self._entries:
                self._last += 1
                native.number = self._last
                self._entries[native.number] = [native, 0]
            self._entries[native.number][1] += 1
            return native.number

    def get(self, number):
        """The native object of a number, or None."""
        entry = self._entries.get(number)
        return None if entry is None else entry[0]

    def free(self, number):
        """Give one reference back."""
        with self._lock:
            entry = self._entries.get(number)
            if entry is None:
                self.double_freed += 1
                return
            entry[1] -= 1
            if entry[1]:
                return
            del self._entries[number]
        entry[0].released()

    def count(self):
        """{type name: references} of what is alive."""
        found = {}
        with self._lock:
            for native, references in self._entries.values():
                name = native.type_name
                found[name] = found.get(name, 0) + references
        return found

    def forked(self):
        """In a child: whichever thread of the parent held the lock is not here to let go of it."""
        self._lock = threading.RLock()

    def clear(self):
        """Everything is gone; the numbers keep counting up."""
        with self._lock:
            self._entries.clear()
            self.double_freed = 0


class Runtime:
    """One per process."""

    def __init__(self):
        self.initialized = False
        self.generation = 0
        self.pid = os.getpid()
        self.store = None
        self.library_path = ""
        self.handles = Handles()
        self.servers = []
        self.on_deinit = []

    def require(self):
        """Raise as every call does before init and after deinit."""
        if not self.initialized:
            raise RuntimeError("SDK was not initialized")

    def note(self, call, args, mutating=False, request=True, server="", session=""):
        """Log a call and return the faults it meets."""
        if self.store is None or self.pid != os.getpid():
            return []  # SQLite, its locks and its threads do not go over into a forked child
        with self.store.write() as db:
            fired = faults.fire(db, call, args)
            calls.note(db, call, args, mutating, request, server, session, [action for action, _value in fired])
        return fired

    def open_store(self):
        """Open the state that the environment names; keep it open as long as it is the same file."""
        if self.store is None or not self.store.is_current():
            self.store = store.from_environment()
        return self.store


RUNTIME = Runtime()

if hasattr(os, "register_at_fork"):  # Python 3.7
    os.register_at_fork(after_in_child=RUNTIME.handles.forked)
