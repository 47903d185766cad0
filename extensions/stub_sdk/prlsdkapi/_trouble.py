# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that strike the client process itself, inside what would be native code."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import signal
import sys
import time


def hang(seconds=""):
    """Stop inside native code with the interpreter's lock held: no Python signal handler, no other thread runs."""
    import ctypes  # costly, and hardly ever needed

    library = ctypes.PyDLL(None)
    if seconds:
        end = time.time() + float(seconds)
        while time.time() < end:
            library.usleep(min(1000000, max(1, int((end - time.time()) * 1e6))))
        return
    mutex = ctypes.create_string_buffer(256)
    library.pthread_mutex_init(mutex, None)
    while True:  # a mutex that its own thread holds: never returns, and a signal's handler does not end it either
        library.pthread_mutex_lock(mutex)


def crash(name):
    """Die by a signal, as a fault in the library would make it."""
    number = int(name) if name.isdigit() else getattr(signal, "SIG" + (name or "SEGV").upper())
    os.kill(os.getpid(), number)
    time.sleep(5)


def noise(text):
    """Print where a library should not."""
    print(text)
    sys.stdout.flush()
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
    for descriptor in (1, 2):
        os.write(descriptor, (text + " (descriptor %d)\n" % descriptor).encode("utf-8", "replace"))


def strike(fired):
    """Let the client-side faults of a call happen; returns the others."""
    left = []
    for action, value in fired:
        if action == "noise":
            noise(value)
        elif action == "hang":
            hang(value)
        elif action == "crash":
            crash(value)
        else:
            left.append((action, value))
    return left
