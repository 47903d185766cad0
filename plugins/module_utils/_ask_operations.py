# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's operations that look: the VMs that a server knows, the backups that it keeps."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import fnmatch
import os

if __name__.startswith("ansible_collections."):
    from ansible_collections.prlsdk.core.plugins.module_utils._wire import Failure, braced, encoded, native, readable, uuid_key
else:  # beside the worker, where there is no collection
    from _wire import Failure, braced, encoded, native, readable, uuid_key

# Flags by number: constants are those of the installed build, and an older one lacks the newer names.
PVTF_VM, PVTF_CT = 2048, 4096
PBT_VM, PBT_CT = 131072, 262144

BOTH = ("vm", "ct")


def list_vms(session, types):
    """The VMs and containers that a server knows, as dictionaries in its own order."""
    flags = (PVTF_VM if "vm" in types else 0) | (PVTF_CT if "ct" in types else 0)
    return [describe_vm(session.sdk, vm) for vm in session.call("get_vm_list_ex", flags)]


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


def resolve(wanted, vms):
    """[(word, the VM that it means, or None)] for names, container ids and UUIDs. A word that means several: Failure."""
    found = []
    for word in wanted:
        key = uuid_key(word)
        if key:
            fits = [vm for vm in vms if vm["uuid"] and uuid_key(vm["uuid"]) == key]
        else:
            fits = [vm for vm in vms if word == vm["name"]] or [vm for vm in vms if word == vm["ct_id"]]
        if len(fits) > 1:
            uuids = u", ".join(vm["uuid"] or "one whose UUID cannot be read" for vm in fits)
            raise Failure(
                "AMBIGUOUS_VM_NAME", u"%d VMs are called '%s': %s." % (len(fits), word, uuids), subject=word,
                candidates=[{"uuid": vm["uuid"], "name": vm["name"], "type": vm["type"], "home": vm["home"]} for vm in fits],
            )
        found.append((word, fits[0] if fits else None))
    return found


def is_glob(word):
    return any(character in word for character in "*?[")


def resolve_globs(wanted, vms):
    """[(word, the VMs that it means, whether as a glob)], as resolve(), for words that may be globs for names. A VM whose name is the word comes first."""
    found = []
    for word, vm in resolve(wanted, vms):
        glob = vm is None and is_glob(word)
        found.append((word, named_like(word, vms) if glob else [vm] if vm else [], glob))
    return found


def named_like(glob, vms):
    return [vm for vm in vms if vm["name"] and fnmatch.fnmatchcase(vm["name"], glob)]


def vms_operation(connection, arguments, spool):
    """arguments: types, wanted (null: all). -> server, vms, unknown (the wanted words that mean no VM)"""
    vms, unknown = list_vms(connection.node, arguments["types"]), []
    if arguments["wanted"] is not None:
        found = resolve_globs(arguments["wanted"], vms)
        vms = unique([vm for word, fits, glob in found for vm in fits])
        unknown = [word for word, fits, glob in found if not fits]
    return {"server": connection.node.server, "vms": vms, "unknown": unknown}


def trees_operation(connection, arguments, spool):
    """Fetch backup trees into files of ``spool``.

    arguments: scope (all, registered), types, wanted (null: every VM). ->
    server; trees [{file, uuid ('' for the whole tree), name (null where it is not known), directory}]; wanted [[word, uuid or null]] when VMs
    were named, where a glob comes once for each VM that it fits and once with null for those that only the whole tree knows;
    registered: UUIDs of the VMs that the node knows (null when nobody had to ask).
    """
    types, words = arguments["types"], arguments["wanted"]
    known = None if only_uuids(words) else list_vms(connection.node, types)
    names = dict((uuid_key(vm["uuid"]), vm["name"]) for vm in known or () if vm["uuid"])
    plan, registered, wanted = plan_trees(connection, arguments, known)
    trees = []
    for number, (uuid, directory) in enumerate(plan):
        text = tree_text(connection, uuid, types)
        if wanted is not None and uuid and not holds_backups(text):
            registered = registered_uuids(connection, types) if registered is None else registered
            uuid, text = in_another_spelling(connection, uuid, types, registered) or (uuid, text)
        path = os.path.join(spool, "tree-%05d.xml" % number)
        write_spool(path, text)
        trees.append({"file": path, "uuid": uuid, "name": names.get(uuid_key(uuid)), "directory": directory})
    # All requests go through the node; its uuid tells the backups that it made.
    return {"server": connection.node.server, "trees": trees, "registered": registered, "wanted": wanted}


def only_uuids(words):
    return words is not None and all(uuid_key(word) for word in words)


def plan_trees(connection, arguments, known=None):
    """Which trees to ask for, [(uuid, directory)]; the UUIDs that the node knows or None; the words wanted with their UUIDs.

    ``known`` are the node's VMs, where they were listed already.
    """
    words, scope, types = arguments["wanted"], arguments["scope"], arguments["types"]
    whole = ("", None)
    if only_uuids(words):
        wanted = [(word, braced(word)) for word in words]
        return each_vm_once([(uuid, None) for word, uuid in wanted]), None, wanted
    known = [vm for vm in (list_vms(connection.node, types) if known is None else known) if vm["uuid"]]
    registered = [vm["uuid"] for vm in known]
    if words is not None:
        kept = kept_by(connection, known, types)
        place = places(connection, kept)
        apart = set(uuid_key(vm["uuid"]) for vm in kept if vm["uuid"] and vm["backup_directory"])
        plan, wanted = [], []
        for word, fits, glob in resolve_globs(words, known):
            uuids = [vm["uuid"] for vm in fits] or ([braced(word)] if uuid_key(word) else [])
            search = scope == "all" and (glob or not uuids)
            wanted += [(word, uuid) for uuid in uuids]
            if search or not uuids:
                wanted.append((word, None))
            if search:
                plan.append(whole)  # which alone knows the names of VMs that are gone from the node
            if search and glob:  # it shows what fits, but for directories of a VM's own
                uuids = [uuid for uuid in uuids + [vm["uuid"] for vm in named_like(word, kept) if vm["uuid"]] if uuid_key(uuid) in apart]
            plan += [(uuid, place(uuid)) for uuid in uuids]
        return each_vm_once(plan), registered, wanted
    if scope == "registered":
        place = places(connection, kept_by(connection, known, types))
        return [(uuid, place(uuid)) for uuid in registered], registered, None
    # The whole tree shows the server's default directory only. A VM known there with a directory of its own has to be asked for.
    kept = kept_by(connection, known, types)
    place = places(connection, kept)
    return [whole] + [(vm["uuid"], place(vm["uuid"])) for vm in kept if vm["uuid"] and vm["backup_directory"]], registered, None


def kept_by(connection, known, types):
    """The VMs that the server with the backups knows; ``known`` are the node's."""
    return known if connection.store is connection.node else list_vms(connection.store, types)


def places(connection, kept):
    """A function that gives the backup directory of its own that a VM (by its UUID) has on the server with the backups, or None."""
    # Which server is the node's default one, and whether it has any, is not told: the node's own directories say nothing about it.
    told = connection.local or connection.store is not connection.node
    own = dict((uuid_key(vm["uuid"]), vm["backup_directory"]) for vm in kept if told and vm["uuid"])
    return lambda uuid: own.get(uuid_key(uuid))


def each_vm_once(plan):
    """The plan with the first of the places that mean the same VM, in order."""
    keys = [uuid_key(uuid) for uuid, directory in plan]
    return [place for number, place in enumerate(plan) if keys[number] not in keys[:number]]


def unique(items):
    """Each item once, in order."""
    return [item for number, item in enumerate(items) if item not in items[:number]]


def tree_text(connection, uuid, types, more=0):
    """The backup tree of one VM, or with '' of all, as bytes. ``more`` flags change what ``uuid`` means."""
    flags = more | (PBT_VM if "vm" in types else 0) | (PBT_CT if "ct" in types else 0)  # the default shows no containers
    host, port, session = connection.target
    answer = connection.node.call("get_backup_tree", native(uuid), host, port, session, flags, subject=uuid or "all VMs")
    return encoded(answer.get_param_as_string())


def holds_backups(text):
    return b"<VmItem" in text  # inside values the sign is escaped


def in_another_spelling(connection, uuid, types, registered):
    """(UUID, tree) of a VM whose UUID differs from what was written in the case of its letters; None if there is none.

    The server compares UUIDs as text, in the case that it stored them in, and its answer to any other is an empty tree. ``registered`` are
    the UUIDs that the node knows; of a VM that is gone only guesses are left.
    """
    key = uuid_key(uuid)
    stored = [one for one in registered if uuid_key(one) == key] or [u"{%s}" % key, u"{%s}" % key.upper()]
    for one in stored:
        text = tree_text(connection, one, types) if one != uuid else b""
        if holds_backups(text):
            return one, text
    return None


def registered_uuids(connection, types):
    return [vm["uuid"] for vm in list_vms(connection.node, types) if vm["uuid"]]


def spelled(connection, word):
    """A VM's UUID with braces, in the case that the server has backups under. Lower case, which all servers write, is taken as it is."""
    uuid = braced(word)
    if uuid == uuid.lower() or holds_backups(tree_text(connection, uuid, BOTH)):
        return uuid
    return (in_another_spelling(connection, uuid, BOTH, registered_uuids(connection, BOTH)) or (uuid, None))[0]


def write_spool(path, text):
    """A file that only this user can read."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as spooled:
            spooled.write(text)
    except EnvironmentError as error:  # Python 2 has two kinds of it
        folder, reason = readable(os.path.dirname(path)), readable(error.strerror or error)
        message = u"The server's answer cannot be written to the temporary folder '%s': %s." % (folder, reason)
        raise Failure("TEMPORARY_FOLDER_FAILED", message, subject=path)
