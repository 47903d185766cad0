# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node as it was described, made once: what the role ``stub_sdk`` asks for."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import fcntl
import hashlib
import io
import os
import shlex
import uuid
import zlib

from prl_stub import clock, demo, servers, store, treeload, vms
from prl_stub.text import braced, dumps

# What a description may have, and what counts where it is left out.
DEFAULTS = {
    "node": None,  # its name
    "host": "",  # its host name; empty: the name and .example
    "uuid": "",  # empty: that of the tree's newest backup, else one made of the name
    "demo": False,  # fill it with made-up VMs and backups
    "demo_now": "",  # the instant that these are relative to; empty: now
    "demo_weeks": 10,
    "demo_vms": 0,  # so many plain VMs instead of the named ones; 0: the named ones
    "demo_increments": 6,
    "tree": "",  # XML as get_backup_tree gives it
    "register": True,  # register the VMs of the tree whose newest backup the node made
    "backup_server": {},  # host, username, password: the backups lie there, and it is the node's default backup server
    "commands": [],  # commands of `python -m prl_stub`, each a line, to run when the node is there
}


class SetupError(Exception):
    """A description that cannot be used."""


def apply(path, description, run):
    """Make the node in the state file unless it is there. -> Whether it was made.

    ``run``: runs a command, given as words, and returns its exit status. SetupError: the description is wrong, or the node was made with
    another one.
    """
    wanted = _checked(description)
    digest = hashlib.sha256(dumps(description).encode("utf-8")).hexdigest()
    with _alone(path):
        state = store.Store(path) if os.path.exists(path) else store.create(path)
        mark = "setup " + wanted["node"]
        if state.setting(mark) == digest:
            return False
        if servers.named(state, wanted["node"]) is not None:
            raise SetupError(
                "the node %s is there already, and was made with another description or was not finished." % wanted["node"]
            )
        _make(state, wanted)
        with _as_node(wanted["node"]):
            for command in wanted["commands"]:
                if run(shlex.split(command)):
                    raise SetupError("the command failed: %s" % command)
        state.set(mark, digest)
    return True


@contextlib.contextmanager
def _alone(path):
    """Nobody else sets up a node in this state file meanwhile."""
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _as_node(name):
    """Commands that name no server mean this one."""
    before = os.environ.get(servers.NODE_VARIABLE)
    os.environ[servers.NODE_VARIABLE] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[servers.NODE_VARIABLE]
        else:
            os.environ[servers.NODE_VARIABLE] = before


def _checked(description):
    if not isinstance(description, dict):
        raise SetupError("the description must be a JSON object")
    unknown = sorted(set(description) - set(DEFAULTS))
    if unknown:
        raise SetupError("unknown: %s; known: %s" % (", ".join(unknown), ", ".join(sorted(DEFAULTS))))
    wanted = dict(DEFAULTS, **description)
    if not wanted["node"]:
        raise SetupError("the node has no name")
    server = wanted["backup_server"]
    if server and sorted(server) != ["host", "password", "username"]:
        raise SetupError("backup_server must have host, username and password, and nothing else")
    return wanted


def _make(state, wanted):
    first = state.row("SELECT 1 FROM servers WHERE is_local = 1") is None
    machines = _machines(wanted["tree"]) if wanted["tree"] else []
    own_uuid = wanted["uuid"] or _maker(machines, wanted) or str(uuid.uuid5(uuid.NAMESPACE_DNS, str(wanted["node"])))
    servers.add(state, wanted["node"], wanted["host"] or wanted["node"] + ".example", is_local=first, uuid=braced(own_uuid))
    node = servers.named(state, wanted["node"])
    keeper, new = node, True
    if wanted["backup_server"]:
        keeper, new = _backup_server(state, node, **wanted["backup_server"])
    if wanted["tree"] and new:
        treeload.load(state, _source(wanted["tree"]), keeper["name"], keeper["directory"])
    if wanted["register"]:
        with state.write() as db:
            for machine in machines:
                if machine.maker in ("", node["uuid"]):
                    vms.add(db, node["name"], machine.name, machine.uuid, vms.CT if machine.kind else vms.VM, "running")
    if wanted["demo"]:
        now = clock.instant(wanted["demo_now"]) if wanted["demo_now"] else None
        seed = demo.SEED if first else demo.SEED + zlib.crc32(wanted["node"].encode("utf-8"))
        demo.build(
            state, keeper, now, wanted["demo_weeks"], wanted["demo_vms"] or None, wanted["demo_increments"], node, seed
        )


def _machines(tree):
    try:
        return treeload.machines(_source(tree))
    except (SyntaxError, TypeError, ValueError) as error:  # a ParseError is a SyntaxError
        raise SetupError("the tree cannot be read: %s" % error)


def _source(tree):
    return io.BytesIO(tree if isinstance(tree, bytes) else tree.encode("utf-8"))


def _maker(machines, wanted):
    """The UUID of the node that made the newest backup of a tree that is the node's alone; empty for none."""
    if wanted["backup_server"] or not machines:
        return ""
    return max(machines, key=lambda machine: machine.newest).maker


def _backup_server(state, node, host, username, password):
    """The backup server of that host, and whether it is new; it becomes the node's default one."""
    known = state.row("SELECT name FROM servers WHERE host = ?", (host,))
    if known is None:
        servers.add(state, host, host)
        with state.write() as db:
            db.execute("INSERT INTO users VALUES (?, ?, ?)", (host, username, password))
    name = host if known is None else known["name"]
    with state.write() as db:
        db.execute(
            "UPDATE servers SET storage = ?, storage_user = ?, storage_password = ? WHERE name = ?",
            (name, username, password, node["name"]),
        )
    return servers.named(state, name), known is None
