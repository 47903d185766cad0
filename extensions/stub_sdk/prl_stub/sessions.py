# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logged-in sessions, and how to wake them.

A session owns a FIFO beside the state file and sleeps on it; whoever writes something for it to see writes a byte
there. A FIFO without a reader belongs to a process that died, whatever its number is by now.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import select

from prl_stub.text import new_uuid


def _folder(store):
    return store.path + ".wake"


def channel(store, session):
    """The path of a session's FIFO."""
    return os.path.join(_folder(store), session.strip("{}"))


class Channel:
    """The reading end, held by the session's process."""

    def __init__(self, store, session):
        self.path = channel(store, session)
        if not os.path.isdir(_folder(store)):
            try:
                os.mkdir(_folder(store))
            except OSError:  # another process was quicker
                pass
        os.mkfifo(self.path)
        # Opened for writing too, or the descriptor would stay readable whenever the last writer leaves.
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def drain(self):
        """Forget the wake-ups so far."""
        descriptor = self.descriptor
        if descriptor is None:
            return
        try:
            while len(os.read(descriptor, 65536)) == 65536:
                pass
        except OSError:
            pass

    def close(self):
        """Give the channel up."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        try:
            os.unlink(self.path)
        except OSError:
            pass


def wait(descriptors, timeout=None):
    """Sleep until some of the descriptors can be read; returns these."""
    try:
        return select.select(descriptors, [], [], timeout)[0]
    except (select.error, OSError, ValueError):  # interrupted, or closed meanwhile
        return []


def wake(store, session):
    """Tell a session to look at the state; False when its process is gone."""
    try:
        descriptor = os.open(channel(store, session), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        os.write(descriptor, b"!")
    except OSError as error:
        if error.errno != errno.EAGAIN:  # full: a wake-up is under way already
            return False
    finally:
        os.close(descriptor)
    return True


def open_session(store, server, local, user, flags):
    """(uuid, channel, number of the newest event) of a new session."""
    forget_dead(store)
    uuid = new_uuid()
    end = Channel(store, uuid)
    with store.write() as db:
        if not db.execute("SELECT 1 FROM sessions").fetchone():
            db.execute("DELETE FROM events")  # nobody is left who could read them
        db.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, 0, ?)",
            (uuid, server["name"], os.getpid(), int(local), user, flags),
        )
        newest = db.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
    return uuid, end, newest


def close_session(store, uuid):
    """The session is over."""
    with store.write() as db:
        db.execute("DELETE FROM sessions WHERE uuid = ?", (uuid,))


def lose(store, session=None):
    """Cut the connection of one session, or of all; returns how many were told."""
    where, args = ("uuid = ?", (session,)) if session else ("1", ())
    with store.write() as db:
        cut = [row["uuid"] for row in db.execute("SELECT uuid FROM sessions WHERE " + where, args)]
        db.execute("UPDATE sessions SET lost = 1 WHERE " + where, args)
    return sum(wake(store, uuid) for uuid in cut)


def forget_dead(store):
    """Drop the sessions whose process is gone."""
    dead = [row["uuid"] for row in store.rows("SELECT uuid FROM sessions") if not alive(store, row["uuid"])]
    for uuid in dead:
        bury(store, uuid)


def bury(store, uuid):
    """Drop a session that did not close itself."""
    close_session(store, uuid)
    try:
        os.unlink(channel(store, uuid))
    except OSError:
        pass


def alive(store, session):
    """Whether some process still reads the session's channel."""
    try:
        os.close(os.open(channel(store, session), os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
