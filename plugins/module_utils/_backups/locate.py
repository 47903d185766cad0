# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VM is meant, in which spelling, in which directory, and which trees to ask for. ``client`` is a Client of _sdk."""

import fnmatch
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._backups import tree as trees
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import braced, id_key, uuid_key
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import VmTree
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, TreeError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import BOTH
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean

NOTHING_CALLED = "There is no VM '%s', and no backup of one.%s"


def resolve(wanted: Iterable[str], vms: Iterable[Any]) -> List[Tuple[str, Any]]:
    """[(word, the VM that it means, or None)] for names, container ids and UUIDs. A word that means several: CallError."""
    by_uuid: Dict[str, List[Any]] = {}
    by_name: Dict[str, List[Any]] = {}
    by_ct_id: Dict[str, List[Any]] = {}
    for vm in vms:
        for index, value in (
            (by_uuid, vm["uuid"] and uuid_key(vm["uuid"])),
            (by_name, vm["name"]),
            (by_ct_id, vm["ct_id"]),
        ):
            if value:
                index.setdefault(value, []).append(vm)
    found = []
    for word in wanted:
        key = uuid_key(word)
        fits = by_uuid.get(key, []) if key else by_name.get(word) or by_ct_id.get(word, [])
        if len(fits) > 1:
            uuids = ", ".join(vm["uuid"] or "one whose UUID cannot be read" for vm in fits)
            raise CallError(
                "AMBIGUOUS_VM_NAME",
                "%d VMs are called '%s': %s." % (len(fits), word, uuids),
                subject=word,
                candidates=[
                    {"uuid": vm["uuid"], "name": vm["name"], "type": vm["type"], "home": vm["home"]} for vm in fits
                ],
            )
        found.append((word, fits[0] if fits else None))
    return found


def unreadable(word: str, prefix: str = "") -> CallError:
    """The error where a VM is meant whose configuration is damaged: without its UUID nothing can be asked about it."""
    return CallError(
        "UNREADABLE_VM",
        "%sThe configuration of '%s' cannot be read, and so its UUID is not known. Give the UUID." % (prefix, word),
        subject=word,
    )


def is_glob(word: str) -> bool:
    return any(character in word for character in "*?[")


def resolve_globs(wanted: Iterable[str], vms: Iterable[Any]) -> List[Tuple[str, List[Any], bool]]:
    """[(word, the VMs that it means, whether as a glob)], as resolve(), for words that may be globs for names. A VM whose name is the word comes first."""
    found = []
    for word, vm in resolve(wanted, vms):
        glob = vm is None and is_glob(word)
        found.append((word, named_like(word, vms) if glob else [vm] if vm else [], glob))
    return found


def named_like(glob: str, vms: Iterable[Any]) -> List[Any]:
    return [vm for vm in vms if vm["name"] and fnmatch.fnmatchcase(vm["name"], glob)]


def names_of(vms: Iterable[Any]) -> List[str]:
    """The names of listed VMs that have one."""
    return [vm["name"] for vm in vms if vm["name"]]


def find_registered(
    client: Any, types: Iterable[str], wanted: Optional[List[str]]
) -> Tuple[List[Any], List[str], List[str]]:
    """(the VMs that the node knows, or those of them that the words mean; the words that mean none; the names that there are)."""
    vms, unknown = client.vms(types), []
    names = names_of(vms)
    if wanted is not None:
        found = resolve_globs(wanted, vms)
        chosen = {id(vm): vm for _word, fits, _glob in found for vm in fits}
        vms = list(chosen.values())
        unknown = [word for word, fits, _glob in found if not fits]
    client.complete(vms, "state", "template", "home", "backup_directory")
    return vms, unknown, names


# --- which trees ------------------------------------------------------------------------------------------------------------


def fetch_trees(client: Any, types: Iterable[str], wanted: Optional[List[str]], scope: str) -> Dict[str, Any]:
    """Ask for the trees that a gathering needs. Returns

    server; trees [{text, uuid ('' for the whole tree), name (None where it is not known), directory}]; wanted [[word, uuid or None]] when VMs
    were named, where a glob comes once for each VM that it fits and once with None for those that only the whole tree knows;
    registered: UUIDs of the VMs that the node knows (None when nobody had to ask); names: their names (likewise); unread: whether the UUID of
    some could not be read.
    """
    whole = known = kept = spellings = None
    if (
        wanted is None and scope == "all"
    ):  # all of it is needed for certain, and the servers work on it at the same time
        client.ensure_open()
        listing = client.start_vms(types)
        other = None if client.same_server else client.start_vms(types, of="store")
        whole = client.start_tree("", types)
        known, kept = client.listed_vms(listing), other and client.listed_vms(other)
    elif not only_uuids(wanted):
        known = client.vms(types)
    names = {uuid_key(vm["uuid"]): vm["name"] for vm in known or () if vm["uuid"]}
    plan, registered, words = plan_trees(client, types, wanted, scope, known, kept)
    found = []
    for asked, directory in plan:
        uuid = asked
        text = client.told_tree(whole) if whole and not uuid else client.tree(uuid, types)
        if words is not None and uuid and not text.holds_backups():
            registered = registered_uuids(client, types) if registered is None else registered
            spellings = spellings or by_key(registered)
            uuid, text = in_another_spelling(client, uuid, types, spellings) or (uuid, text)
        found.append({"text": text, "uuid": uuid, "name": names.get(uuid_key(uuid)), "directory": directory})
    # All requests go through the node; its uuid tells the backups that it made.
    unread = any(not vm["uuid"] for vm in known or ())
    return {
        "server": client.server,
        "trees": found,
        "registered": registered,
        "unread": unread,
        "wanted": words,
        "names": None if known is None else names_of(known),
    }


def only_uuids(words: Optional[List[str]]) -> bool:
    return words is not None and all(uuid_key(word) for word in words)


def plan_trees(
    client: Any,
    types: Iterable[str],
    words: Optional[List[str]],
    scope: str,
    known: Optional[List[Any]] = None,
    kept: Optional[List[Any]] = None,
) -> Tuple[List[Tuple[str, Optional[str]]], Optional[List[str]], Optional[List[Tuple[str, Optional[str]]]]]:
    """Which trees to ask for, [(uuid, directory)]; the UUIDs that the node knows or None; the words wanted with their UUIDs.

    ``known`` are the node's VMs, ``kept`` those of another server that keeps the backups, where they were listed already.
    """
    whole: Tuple[str, Optional[str]] = ("", None)
    wanted: List[Tuple[str, Optional[str]]] = []
    plan: List[Tuple[str, Optional[str]]] = []
    if words is not None and only_uuids(words):
        wanted = [(word, braced(word)) for word in words]
        return each_vm_once([(braced(word), None) for word in words]), None, wanted
    known = [vm for vm in (client.vms(types) if known is None else known) if vm["uuid"]]
    registered = [vm["uuid"] for vm in known]
    if words is not None:
        kept = kept_by(client, known, types)
        place = places(client, kept)
        apart = {uuid_key(vm["uuid"]) for vm in kept if vm["uuid"] and vm["backup_directory"]}
        for word, fits, glob in resolve_globs(words, known):
            uuids = [vm["uuid"] for vm in fits] or ([braced(word)] if uuid_key(word) else [])
            search = scope == "all" and (glob or not uuids)
            wanted += [(word, uuid) for uuid in uuids]
            if search or not uuids:
                wanted.append((word, None))
            if search:
                plan.append(whole)  # which alone knows the names of VMs that are gone from the node
            if search and glob:  # it shows what fits, but for directories of a VM's own
                uuids = [
                    uuid
                    for uuid in uuids + [vm["uuid"] for vm in named_like(word, kept) if vm["uuid"]]
                    if uuid_key(uuid) in apart
                ]
            plan += [(uuid, place(uuid)) for uuid in uuids]
        return each_vm_once(plan), registered, wanted
    if scope == "registered":
        place = places(client, kept_by(client, known, types))
        return [(uuid, place(uuid)) for uuid in registered], registered, None
    # The whole tree shows the server's default directory only. A VM known there with a directory of its own has to be asked for.
    kept = kept_by(client, known, types, kept)
    place = places(client, kept)
    return (
        [whole] + [(vm["uuid"], place(vm["uuid"])) for vm in kept if vm["uuid"] and vm["backup_directory"]],
        registered,
        None,
    )


def kept_by(client: Any, known: List[Any], types: Iterable[str], kept: Optional[List[Any]] = None) -> List[Any]:
    """The VMs that the server with the backups knows; ``known`` are the node's."""
    if kept is None:
        kept = known if client.same_server else client.vms(types, of="store")
    client.complete(kept, "backup_directory")
    return kept


def places(client: Any, kept: List[Any]) -> Callable[[str], Optional[str]]:
    """A function that gives the backup directory of its own that a VM (by its UUID) has on the server with the backups, or None."""
    # Which server is the node's default one, and whether it has any, is not told: the node's own directories say nothing about it.
    told = client.local or not client.same_server
    own = {uuid_key(vm["uuid"]): vm["backup_directory"] for vm in kept if told and vm["uuid"]}
    return lambda uuid: own.get(uuid_key(uuid))


def each_vm_once(plan: List[Tuple[str, Optional[str]]]) -> List[Tuple[str, Optional[str]]]:
    """The plan with the first of the places that mean the same VM, in order."""
    seen, once = set(), []
    for uuid, directory in plan:
        if uuid_key(uuid) not in seen:
            seen.add(uuid_key(uuid))
            once.append((uuid, directory))
    return once


# --- in which spelling ------------------------------------------------------------------------------------------------------


def by_key(uuids: Iterable[str]) -> Dict[Optional[str], List[str]]:
    """{the key of a UUID: the spellings of it}."""
    spellings: Dict[Optional[str], List[str]] = {}
    for uuid in uuids:
        spellings.setdefault(uuid_key(uuid), []).append(uuid)
    return spellings


def in_another_spelling(
    client: Any, uuid: str, types: Iterable[str], registered: Dict[Optional[str], List[str]]
) -> Optional[Tuple[str, Any]]:
    """(UUID, text) of a VM whose UUID differs from what was written in the case of its letters; None if there is none.

    The server compares UUIDs as text, in the case that it stored them in, and its answer to any other is an empty tree. ``registered`` are
    the UUIDs that the node knows, as by_key() gives them; of a VM that is gone only guesses are left.
    """
    key = uuid_key(uuid)
    if key is None:
        return None
    for one in registered.get(key) or ["{%s}" % key, "{%s}" % key.upper()]:
        text = client.tree(one, types) if one != uuid else None
        if text and text.holds_backups():
            return one, text
    return None


def registered_uuids(client: Any, types: Iterable[str] = BOTH) -> List[str]:
    return [vm["uuid"] for vm in client.vms(types) if vm["uuid"]]


def spelled(client: Any, word: str) -> str:
    """A VM's UUID with braces, in the case that the server has backups under. Lower case, which all servers write, is taken as it is."""
    uuid = braced(word)
    if uuid == uuid.lower() or client.tree(uuid).holds_backups():
        return uuid
    return (in_another_spelling(client, uuid, BOTH, by_key(registered_uuids(client))) or (uuid, None))[0]


# --- by name, or by a backup -------------------------------------------------------------------------------------------------


def find_vms(
    client: Any, words: Iterable[str], keys: Any = (), gone_ok: bool = False
) -> Tuple[Dict[str, str], Dict[str, List[str]]]:
    """What the words mean, UUIDs, names or container ids, and which VMs have the backups with these keys.

    -> {word: uuid}, {key: [uuid]}. Names that no VM of the node has, and backups, are looked for in the whole tree. CallError for a
    word that means several VMs, or none unless ``gone_ok``, which leaves it out.
    """
    found = {word: spelled(client, word) for word in words if uuid_key(word)}
    names = set(words) - set(found)
    known: List[Any] = []
    if names:
        known = [vm for vm in client.vms() if vm["uuid"]]
        found.update((word, vm["uuid"]) for word, vm in resolve(sorted(names), known) if vm)
    names -= set(found)
    if not names and not keys:
        return found, {}
    owners, gone = search(client, set(keys), names)
    for word in sorted(names):
        uuids = gone.get(word, [])
        if len(uuids) > 1:
            raise CallError(
                "AMBIGUOUS_VM_NAME",
                "%d VMs with backups were called '%s'." % (len(uuids), word),
                subject=word,
                candidates=[{"uuid": uuid, "name": word, "type": None, "home": None} for uuid in uuids],
            )
        if uuids:
            found[word] = uuids[0]
        elif not gone_ok:
            raise CallError("UNKNOWN_VM", NOTHING_CALLED % (word, did_you_mean(word, names_of(known))), subject=word)
    return found, owners


def search(client: Any, keys: Any, names: Any) -> Tuple[Dict[str, List[str]], Dict[str, List[str]]]:
    """Search everything for backups and VMs: ({backup's key: [VM's uuid]}, {VM's name: [uuid]})."""
    backups: Dict[str, List[str]] = {}
    vms: Dict[str, List[str]] = {}
    for uuid, _directory in plan_trees(client, BOTH, None, "all")[0]:
        for vm in read(client.tree(uuid), uuid):
            own = {id_key(backup.id) for chain in vm.chains for backup in chain.backups} if keys else set()
            for found, wanted in [(backups, keys & own), (vms, names & {vm.name})]:
                for word in wanted:
                    if vm.uuid not in found.setdefault(word, []):
                        found[word].append(vm.uuid)
    return backups, vms


def find_backups(client: Any, uuid: str, ids: List[str]) -> Dict[str, List[str]]:
    """{backup's key: [UUIDs of the VMs that have it]} for backups that this VM's own tree does not show.

    They may be another VM's, or lie in the server's default directory while it looks for this VM's in another. The default directory is asked
    for single chains: their answers are short, while the whole tree takes a large server minutes to write.
    """
    wanted = {id_key(identity) for identity in ids}
    chains = {identity.partition(".")[0] for identity in ids}
    kept = client.vms(of="store")
    client.complete(kept, "backup_directory")
    elsewhere = [
        vm["uuid"] for vm in kept if vm["uuid"] and vm["backup_directory"] and uuid_key(vm["uuid"]) != uuid_key(uuid)
    ]
    asked = [(chain, True) for chain in sorted(chains.union(chain.lower() for chain in chains))] + [
        (other, False) for other in elsewhere
    ]
    found: Dict[str, List[str]] = {}
    for subject, is_chain in asked:
        # Chains that come after the wanted one are in the answer, too.
        for vm in read(client.tree(subject, chain=is_chain), subject):
            for chain in vm.chains:
                for key in wanted.intersection(id_key(backup.id) for backup in chain.backups):
                    if vm.uuid not in found.setdefault(key, []):
                        found[key].append(vm.uuid)
    return found


def read(text: Any, subject: str, altered: Optional[List[Any]] = None) -> List[VmTree]:
    """The VmTree objects of an answer. CallError where it is damaged."""
    try:
        return list(trees.parse(text.source(), altered=altered))
    except TreeError as error:
        raise damaged(error, subject) from None
    finally:
        text.drop()


def damaged(error: TreeError, subject: str) -> CallError:
    return CallError(
        "DAMAGED_TREE",
        error.message,
        "get_backup_tree",
        subject=subject or "all VMs",
        told="The backups of %s cannot be read. %s" % (subject or "all VMs", error.message),
    )


def check_name(text: str, option: str) -> str:
    """An empty name would be no name at all to the SDK, which then means everything."""
    if not text.strip():
        raise InputError("%s: is empty. Give a VM's name or UUID." % option)
    return text
