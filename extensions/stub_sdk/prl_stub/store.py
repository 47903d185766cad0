# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state file: an SQLite database that any number of processes and threads may use at once."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import os
import sqlite3
import threading

from prl_stub.text import PY2

VARIABLE = "PRL_STUB_STATE"

# Text columns of items are XML-escaped already: they are written once and served many times.
SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE servers (
    name TEXT PRIMARY KEY, host TEXT, port INTEGER, uuid TEXT, is_local INTEGER, status TEXT, min_security INTEGER,
    directory TEXT, storage TEXT, storage_user TEXT, storage_password TEXT, product TEXT, os TEXT);
CREATE TABLE users (server TEXT, name TEXT, password TEXT, PRIMARY KEY (server, name));
CREATE TABLE vms (
    server TEXT, uuid TEXT, name TEXT, type INTEGER, state INTEGER, home TEXT, template INTEGER, ct_id TEXT,
    directory TEXT, busy TEXT, bitmaps TEXT, disks TEXT, PRIMARY KEY (server, uuid));
CREATE TABLE catalogues (
    id INTEGER PRIMARY KEY, server TEXT, directory TEXT, uuid TEXT, type INTEGER, name TEXT, version INTEGER,
    UNIQUE (server, directory, uuid));
CREATE TABLE chains (
    id INTEGER PRIMARY KEY, catalogue INTEGER, uuid TEXT, last_number INTEGER, lock TEXT, lock_calls INTEGER);
CREATE INDEX chains_by_catalogue ON chains (catalogue);
CREATE INDEX chains_by_uuid ON chains (uuid);
CREATE TABLE items (
    chain INTEGER, number INTEGER, backup_id TEXT, host TEXT, server_uuid TEXT, created TEXT, creator TEXT, size INTEGER,
    description TEXT, files TEXT, original_size INTEGER, permissions INTEGER, flags INTEGER, disks TEXT,
    PRIMARY KEY (chain, number));
CREATE TABLE sessions (
    uuid TEXT PRIMARY KEY, server TEXT, pid INTEGER, local INTEGER, user TEXT, lost INTEGER, flags INTEGER);
CREATE TABLE faults (
    id INTEGER PRIMARY KEY, call TEXT, action TEXT, value TEXT, nth INTEGER, times INTEGER, match TEXT,
    seen INTEGER DEFAULT 0, fired INTEGER DEFAULT 0);
CREATE TABLE calls (
    seq INTEGER PRIMARY KEY, time REAL, pid INTEGER, python TEXT, server TEXT, session TEXT, call TEXT, args TEXT,
    mutating INTEGER, request INTEGER, faults TEXT);
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT, session TEXT, event TEXT);
CREATE TABLE questions (id INTEGER PRIMARY KEY, server TEXT, event TEXT, answer INTEGER);
CREATE TABLE tasks (
    uuid TEXT PRIMARY KEY, server TEXT, session TEXT, kind INTEGER, plan TEXT, started REAL);
"""


def _inode(path):
    return os.stat(path).st_ino


class Store:
    """One process's connection. Every write is one immediate transaction, so processes queue instead of clashing."""

    def __init__(self, path):
        self.path = path
        self._inode = _inode(path) if os.path.exists(path) else None
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        if PY2:
            self._db.text_factory = str
        self._db.row_factory = sqlite3.Row
        # The state only has to outlive a killed process, not a lost power supply.
        self._db.execute("PRAGMA synchronous=OFF")

    @contextlib.contextmanager
    def write(self):
        """A transaction; nothing of it stays when the block raises."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql, args=()):
        """All rows of a query."""
        with self._lock:
            return self._db.execute(sql, args).fetchall()

    def row(self, sql, args=()):
        """The first row, or None."""
        with self._lock:
            return self._db.execute(sql, args).fetchone()

    @contextlib.contextmanager
    def reading(self):
        """Several queries that see one state."""
        with self._lock:
            self._db.execute("BEGIN")
            try:
                yield self._db
            finally:
                self._db.execute("COMMIT")

    def setting(self, name, default=None):
        """A setting's text, or ``default``."""
        row = self.row("SELECT value FROM settings WHERE name = ?", (name,))
        return default if row is None else row["value"]

    def set(self, name, value):
        """Keep a setting."""
        with self.write() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def is_current(self):
        """Whether the environment still names this very file."""
        if os.environ.get(VARIABLE) != self.path or not os.path.exists(self.path):
            return False
        # SQLite's connections must not be carried across a fork.
        return _inode(self.path) == self._inode and self._pid == os.getpid()


def create(path):
    """A new, empty state file in place of any earlier one."""
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    store = Store(path)
    store.row("PRAGMA journal_mode=WAL")
    with store.write() as db:
        for statement in SCHEMA.split(";"):
            if statement.strip():
                db.execute(statement)
    return store


def from_environment():
    """The state that the environment names, or None: no file means that no server is running."""
    path = os.environ.get(VARIABLE)
    return Store(path) if path and os.path.exists(path) else None
