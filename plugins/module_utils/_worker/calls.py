# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every SDK call that is used, with its flags, as one function; no decision of its own.

A function takes the Connection, the seconds that the call may take (null: up to the deadline) and its arguments by name, and returns what is
sent as ``value``. Names of VMs and backups are passed on as they are: the server compares them as text.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import difflib
import errno
import os
import re

from .listener import Listener
from .protocol import Failure, encoded, native, readable

# Flags by number: constants are those of the installed build, and an older one lacks the newer names.
PVTF_VM, PVTF_CT = 2048, 4096
PBT_VM, PBT_CT, PBT_CHAIN = 131072, 262144, 1048576
PBT_FULL, PBT_INCREMENTAL, PBT_UNCOMPRESSED, PBT_KEEP_CHAIN = 2048, 4096, 65536, 2097152
PBT_RESTORE_TO_COPY, PBT_RESTORE_RUNNING = 16384, 8388608

# A text of more bytes is spooled to a file, where the module has named a folder.
IN_LINE = 256 * 1024
# What may be asked to be removed: an id without a number that is one takes the whole chain, and no id everything of the VM.
UUID = re.compile(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?\Z")


def connect(connection, limit):
    """Log in, or again wherever the connection is lost -> {server, same_server, running_removals}."""
    connection.open()
    node, store = connection.node, connection.store
    return {
        "server": node.server, "same_server": store is node,
        "running_removals": node.running_removals + (0 if store is node else store.running_removals),
    }


def is_connected(connection, limit):
    """Whether the node's session is."""
    return connection.node.connected()


def running_removals(connection, limit):
    return connection.running_removals()


def list_vms(connection, limit, types, of, texts=True):
    """The VMs and containers that a server (``of``: node or store) knows, in its own order -> {entries, states}.

    An entry is {text}, the VM's configuration with a character for each byte, or {vm} where there is no text or none is wanted: taking an
    object, the SDK parses the whole configuration. Texts go in the line, not to a file: they have passwords of remote displays in them.
    """
    session = connection.node if of == "node" else connection.store
    flags = (PVTF_VM if "vm" in types else 0) | (PVTF_CT if "ct" in types else 0)
    listed = connection.listed[of] = session.call("get_vm_list_ex", flags, limit=limit)
    consts = session.sdk.consts
    states = dict((str(getattr(consts, name)), name[4:].lower()) for name in dir(consts) if name.startswith("VMS_"))
    return {"entries": [vm_entry(session, listed, place, texts) for place in range(listed.get_params_count())], "states": states}


def vm_entry(session, listed, place, texts):
    try:
        text = texts and encoded(listed.get_param_by_index_as_string(place))
    except (session.sdk.api.PrlSDKError, AttributeError):  # this build, or this VM, gives none
        text = None
    return {"text": text.decode("latin-1")} if text else {"vm": describe_vm(session.sdk, session.guarded(listed.get_param_by_index(place)))}


def describe_vms(connection, limit, of, places):
    """The VMs at these places of the list that this server gave last, by their objects."""
    session = connection.node if of == "node" else connection.store
    return [describe_vm(session.sdk, session.guarded(connection.listed[of].get_param_by_index(place))) for place in places]


def describe_vm(sdk, vm):
    """One damaged configuration must not end the list: what cannot be read is null, and the reason is in ``problems``.

    What the installed build has not implemented the binding gives as None, without an exception and without a reason.
    """
    problems = []

    def read(getter, convert=readable):
        try:
            value = getter()
        except sdk.api.PrlSDKError as error:
            problems.append(sdk.failure(error, getattr(getter, "__name__", "read")).error["message"])
            return None
        return None if value is None else convert(value)

    info = read(vm.get_vm_info, lambda handle: handle)
    return {
        "uuid": read(vm.get_uuid),
        "name": read(vm.get_name),
        "type": read(vm.get_vm_type, lambda number: "ct" if number else "vm"),
        "ct_id": read(vm.get_ct_id) or None,
        "state": info and read(info.get_state, lambda number: sdk.name_of("VMS_", number)),
        "template": read(vm.is_template, bool),
        "home": read(vm.get_home_path),
        "backup_directory": read(vm.get_default_backup_directory) or None,
        "problems": problems,
    }


def backup_tree(connection, limit, of, types, chain=False):
    """The backup tree of one VM, with '' of all, or (``chain``) of the chain with this id -> {text} or {file}.

    ``text`` has a character for each byte, since the bytes need not be UTF-8.
    """
    flags = (PBT_VM if "vm" in types else 0) | (PBT_CT if "ct" in types else 0)  # the default shows no containers
    host, port, session = connection.target
    answer = connection.node.call(
        "get_backup_tree", native(of), host, port, session, flags | (PBT_CHAIN if chain else 0), limit=limit, subject=of or "all VMs"
    )
    text = encoded(answer.get_param_as_string())
    if connection.spool is None or len(text) <= IN_LINE:
        return {"text": text.decode("latin-1")}
    return {"file": write_spool(connection.spool, text)}


def write_spool(folder, text):
    """A file that only this user can read. A disk without room is no defect of ours, and not the server's."""
    number = 0
    while True:
        path = os.path.join(folder, "tree-%05d.xml" % number)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            break
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise _unwritable(folder, error)
            number += 1
    try:
        with os.fdopen(fd, "wb") as spooled:
            spooled.write(text)
    except (IOError, OSError) as error:
        raise _unwritable(folder, error)
    return path


def _unwritable(folder, error):
    message = u"A backup tree cannot be written to the temporary folder '%s': %s." % (folder, os.strerror(error.errno))
    return Failure("TEMPORARY_FOLDER_FAILED", message, subject=folder)


def remove_backup(connection, limit, vm, id, keep_chain):
    """Remove one, with the keep-chain flag or without."""
    chain, dot, number = id.partition(".")
    if not UUID.match(vm) or not UUID.match(chain) or dot and not number.isdigit():
        raise Failure("WORKER_FAILED", u"'%s' of '%s' cannot be removed" % (id, vm), "remove_vm_backup")
    host, port, session = connection.target
    connection.node.call(
        "remove_vm_backup", native(vm), native(id), host, port, session, PBT_KEEP_CHAIN if keep_chain else 0, 0, True, subject=id, limit=limit, warnings=[]
    )


def create_backup(connection, limit, vm, full, description, compress):
    """-> {id, warnings}"""
    flags = (PBT_FULL if full else PBT_INCREMENTAL) | (0 if compress else PBT_UNCOMPRESSED)
    warnings, (host, port, session) = [], connection.target
    answer = connection.node.call(
        "create_vm_backup", native(vm), host, port, session, native(description), flags, 0, True, subject=vm, limit=limit, warnings=warnings
    )
    return {"id": readable(answer.get_param_by_index_as_string(1)), "warnings": warnings}


def restore_backup(connection, limit, vm, id, copy, name, destination, live):
    """-> {vm (its UUID), id, warnings}"""
    flags = (PBT_RESTORE_TO_COPY if copy else 0) | (PBT_RESTORE_RUNNING if live else 0)
    warnings, (host, port, session) = [], connection.target
    answer = connection.node.call(
        "restore_vm_backup", native(vm), native(id), host, port, session, native(destination), native(name), flags, 0, True, subject=id, limit=limit,
        warnings=warnings,
    )
    restored, used = [readable(answer.get_param_by_index_as_string(index)) for index in (0, 1)]
    return {"vm": restored, "id": used, "warnings": warnings}


def subscribe(connection, limit, types):
    """Have the node's events sent from now on, those of these types (numbers; null: of all)."""
    session = connection.node
    if session.listener is None:
        listener = Listener(session, connection.protocol, types, connection.questions)
        try:
            listener.subscribe()
        except connection.sdk.api.PrlSDKError as error:
            raise connection.sdk.failure(error, "reg_event_handler")
        session.listener = listener


def unsubscribe(connection, limit):
    """-> as heard()."""
    listener = connection.node.listener
    try:
        listener.unsubscribe()
    except connection.sdk.api.PrlSDKError as error:
        raise connection.sdk.failure(error, "unreg_event_handler")
    connection.node.listener = None
    return counted(listener)


def heard(connection, limit):
    """What came until now -> {seen {type number: count}, unreadable}. The lines of it are sent before."""
    return counted(connection.node.listener)


def counted(listener):
    listener.flush()
    return {"seen": dict((str(kind), listener.seen[kind]) for kind in list(listener.seen)), "unreadable": listener.unreadable}


def send_answer(connection, limit, question, answer):
    """Answer a question. The job of it succeeds at once, whatever the server thinks of the answer: a ``job`` line tells that."""
    event = connection.questions[question]
    connection.node.call("send_answer", event.create_answer_event(answer), subject=connection.node.host or "this host", limit=limit)


def answer_names(connection, limit, numbers):
    return [connection.sdk.answer_name(number) for number in numbers]


def error_code(connection, limit, symbol):
    """-> {code, near}: the unsigned code of a name in any case, null when this build does not know it, and then the nearest name."""
    table = vars(connection.sdk.api.prlsdk.errors)
    number = table.get(native(symbol).upper())
    if number is not None:
        return {"code": number & 0xFFFFFFFF, "near": None}
    return {"code": None, "near": (difflib.get_close_matches(symbol.upper(), table, 1) or [None])[0]}


def error_name(connection, limit, code):
    return connection.sdk.symbol(code)


# What can be asked, by name.
CALLS = dict((call.__name__, call) for call in (
    connect, is_connected, running_removals, list_vms, describe_vms, backup_tree, remove_backup, create_backup, restore_backup, subscribe, unsubscribe, heard,
    send_answer, answer_names, error_code, error_name,
))
# Those that change something on the server.
WRITING = frozenset(["remove_backup", "create_backup", "restore_backup", "send_answer"])
