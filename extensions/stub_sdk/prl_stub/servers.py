# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a state: the node that a local login reaches, and others such as a backup server."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from prl_stub.failure import ServerFailure
from prl_stub.text import new_uuid

PORT = 64000
DIRECTORY = "/vz/vmprivate/backups"
LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
NODE_VARIABLE = "PRL_STUB_NODE"

# What a client meets at the port of a server that is not "up".
STATUSES = {
    "up": None,
    "down": "PRL_ERR_CANT_CONNECT_TO_DISPATCHER",
    "junk": "PRL_ERR_HANDSHAKE_FAILED",
    "silent": "PRL_ERR_HANDSHAKE_FAILED",
    "tls": "PRL_ERR_SSL_HANDSHAKE_FAILED",
    "version": "PRL_ERR_WRONG_PROTOCOL_VERSION",
}


def add(store, name, host, port=PORT, is_local=False, uuid=None):
    """A new host without users."""
    with store.write() as db:
        db.execute(
            "INSERT INTO servers VALUES (?, ?, ?, ?, ?, 'up', 0, ?, '', '', '', '9.0.41-1', 'Linux 5.14')",
            (name, host, port, uuid or new_uuid(), int(is_local), DIRECTORY),
        )


def named(store, name):
    """The server of that name, or None."""
    return store.row("SELECT * FROM servers WHERE name = ?", (name,))


def local(store):
    """The node of this process: the one the environment names, else the state's local one; None if there is none."""
    name = os.environ.get(NODE_VARIABLE)
    if name:
        return named(store, name)
    return store.row("SELECT * FROM servers WHERE is_local = 1")


def at(store, host, port, own):
    """The server at an address as seen from the server ``own``; None when nothing answers there."""
    host, _mark, suffix = host.partition("#")  # the SDK takes "host#port" as well
    port = int(suffix) if suffix.isdigit() else port or PORT
    if host in LOOPBACK:
        return own if own is not None and own["port"] == port else None
    return store.row("SELECT * FROM servers WHERE host = ? AND port = ?", (host, port))


def check_up(server):
    """Raise what a client meets who connects to this server."""
    if server is None:
        raise ServerFailure("PRL_ERR_CANT_CONNECT_TO_DISPATCHER")
    symbol = STATUSES[server["status"]]
    if symbol:
        raise ServerFailure(symbol, ["%s#%d" % (server["host"], server["port"])])


def authenticate(store, server, user, password):
    """Raise unless the user is configured with this password."""
    row = store.row("SELECT password FROM users WHERE server = ? AND name = ?", (server["name"], user))
    if row is None or row["password"] != password:
        # The real answer is a bare response: the client's error carries no event.
        raise ServerFailure("PRL_ERR_AUTHENTICATION_FAILED", event=False)


def storage_for(store, own, session, host, port):
    """The server that holds the backups of a request to ``own``.

    The session decides, not the host: without one the request goes to the default backup server when one is set,
    else to ``own``, and a host passed along is overwritten.
    """
    if not session:
        if not own["storage"]:
            return own
        target = named(store, own["storage"])
        if not own["storage_user"]:
            raise ServerFailure("PRL_ERR_BACKUP_REQUIRE_LOGIN_PASSWORD")
        _reach(target)
        authenticate(store, target, own["storage_user"], own["storage_password"])
        return target
    target = at(store, host, port, own)
    if target is None:
        known = host in LOOPBACK or host[:1].isdigit() or store.row("SELECT 1 FROM servers WHERE host = ?", (host,))
        raise ServerFailure(
            "PRL_ERR_CANT_CONNECT_TO_DISPATCHER_ITERATIVELY" if known else "PRL_ERR_CANT_RESOLVE_HOSTNAME", [host]
        )
    _reach(target)
    alive = store.row(
        "SELECT 1 FROM sessions WHERE uuid = ? AND server = ? AND lost = 0", (session, target["name"])
    )
    if not alive:
        raise ServerFailure("PRL_ERR_DISP2DISP_WRONG_USER_SESSION_UUID")
    return target


def _reach(target):
    if target is None or target["status"] == "down":
        raise ServerFailure("PRL_ERR_CANT_CONNECT_TO_DISPATCHER_ITERATIVELY")
    check_up(target)
