# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of prl_backup_info to its result: ask the SDK, parse what it spooled, select. Knows neither Ansible nor the SDK."""

import fnmatch
import itertools
import time
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time, _xml_text
from ansible_collections.prlsdk.core.plugins.module_utils._backups import locate, query, table
from ansible_collections.prlsdk.core.plugins.module_utils._backups import tree as trees
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import VmTree
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, PrlError, TreeError, prefix_errors
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean


def gather_backups(params: Dict[str, Any], client: Any) -> Dict[str, Any]:
    """The result of prl_backup_info. Options that a module does not have count as not set."""
    trees.require_lxml()
    check_gather(params["gather"])
    chosen = {
        "types": params["types"],
        "backup_ids": params.get("backup_ids"),
        "newer_than": moment(params, "newer_than"),
        "older_than": moment(params, "older_than"),
        "latest_only": params.get("latest_only", False),
    }
    check_window(chosen)
    limit = params.get("limit")
    if limit is not None and limit < 1:
        raise InputError("limit must be 1 or more, not %d." % limit)
    if params.get("offset", 0) < 0:
        raise InputError("offset must be 0 or more, not %d." % params["offset"])
    with prefix_errors("backup_ids"):
        query.filters(backup_ids=chosen["backup_ids"])  # before the server is asked for anything
    client.asked = "trees"
    answer = locate.fetch_trees(client, params["types"], params["vms"], params["scope"])
    client.close()  # what is left is reading
    result = {"changed": False, "server": answer["server"], "damaged": [], "warnings": []}
    try:
        fill(result, params, answer, chosen, limit)
    except PrlError as error:
        raise error.with_result(**result) from None
    if not params.get(
        "packed"
    ):  # else an action asks, which says it with what comes of it; ansible-core 2.21 shows every warning of a module
        result["warnings"] += [unknown["message"] for unknown in result["damaged"]]
    return result


def fill(
    result: Dict[str, Any], params: Dict[str, Any], answer: Dict[str, Any], chosen: Dict[str, Any], limit: Optional[int]
) -> None:
    """Add to ``result`` what was asked for, in an order that leaves on failure all that is known by then."""
    gather = params["gather"]
    if "raw" in gather:
        result["raw"] = [{"uuid": tree["uuid"], "xml": text_of(tree["text"])} for tree in answer["trees"]]
    reader = Reader(
        answer["trees"], gather, place_of(params, result["server"]), params["on_damaged"] == "skip", result["damaged"]
    )
    targets = None if answer["wanted"] is None else targets_of(answer["wanted"], reader)
    if targets is not None:
        chosen["vms"] = [target for word in targets for target in targets[word]]
    if params["owner"] == "this_node":
        chosen.update(owner=answer["server"]["uuid"], now=_time.format_instant(time.time()))
    selected = query.select(
        reader.trees(),
        query.filters(**chosen),
        limit=limit,
        keep="backups" in gather or "text" in gather,
        offset=params.get("offset", 0),
    )
    if reader.altered:
        result["warnings"].append(_xml_text.warning(reader.altered))
    unread = {id_key(vm["uuid"]) for vm in result["damaged"]}
    missing = missing_vms(params["vms"], targets, set(selected.missing_vms), unread) + missing_ids(
        selected, chosen["backup_ids"]
    )
    result.update(total=selected.total, truncated=selected.truncated, missing=missing)
    known = {id_key(uuid) for uuid in answer["registered"] or ()}
    # One that could not be read may be any.
    otherwise = None if answer["registered"] is None or answer["unread"] else False
    registered = [(tree, id_key(tree.uuid) in known or otherwise) for tree in selected.trees]
    if "backups" in gather:
        result["backup_trees"] = [trees.as_result(*each) for each in registered]
    if "text" in gather:
        result["lines"] = table.lines(registered, selected.summary)
    if "summary" in gather:
        result["summary"] = selected.summary
    if result["missing"] and params["missing"] != "fail":
        nowhere = {word for word, uuid in answer["wanted"] or () if uuid is None}
        result["warnings"] += [
            "vms: there is no VM '%s' on %s, and no backup of one.%s"
            % (word, result["server"]["host"], did_you_mean(word, answer["names"] or ()))
            for word in result["missing"]
            if word in nowhere
        ]
    if result["missing"] and params["missing"] == "fail":
        raise InputError(
            "No backup was found of %s, on %s.%s Correct 'vms' or 'backup_ids', or set 'missing: ok' to go on without."
            % (
                listed(result["missing"]),
                result["server"]["host"],
                did_you_mean(result["missing"][0], answer["names"] or ()) if len(result["missing"]) == 1 else "",
            )
        )


def targets_of(wanted: List[Tuple[str, Optional[str]]], reader: "Reader") -> Dict[str, List[str]]:
    """{word of ``vms``: the UUIDs, or the name, that it means}; ``wanted`` as locate.fetch_trees gives it."""
    targets: Dict[str, List[str]] = {}
    open_words: Set[str] = set()
    for word, uuid in wanted:
        targets.setdefault(word, [])
        if uuid:
            targets[word].append(uuid)
        else:
            open_words.add(word)
    globs = [word for word in open_words if locate.is_glob(word)]
    names = reader.names() if globs else []
    for word in open_words:
        if word in globs and not any(name == word for name, uuid in names):
            targets[word] += [uuid for name, uuid in names if fnmatch.fnmatchcase(name, word)]
        else:
            targets[word] = [word]
    return targets


def missing_vms(
    words: Optional[List[str]], targets: Optional[Dict[str, List[str]]], without: Set[str], unread: Set[str]
) -> List[str]:
    """The words of ``vms`` of which nothing is there. What could not be read is not known to be missing."""
    return [
        word
        for word in words or ()
        if all(target in without and id_key(target) not in unread for target in (targets or {})[word])
    ]


def missing_ids(selected: query.Selected, backup_ids: Optional[List[str]]) -> List[str]:
    ids = set(selected.missing_backup_ids)
    return [written for written in backup_ids or () if id_key(written) in ids]


def place_of(params: Dict[str, Any], server: Dict[str, Any]) -> str:
    """The server that keeps the backups, as messages call it."""
    storage = params.get("storage")
    if not storage:
        return server["host"]
    return "the default backup server of %s" % server["host"] if storage["default"] else storage["host"]


class Reader:
    """The answers, which are read at most twice: for the names in the whole tree, and as trees.

    Only an answer of a VM's own can be told apart from the others. With ``skip`` one that is damaged is noted in ``damaged``, and nothing at all is
    said of that VM, whatever the whole tree has of it: a part of its chains would look like all of them.
    """

    def __init__(
        self, spooled: List[Dict[str, Any]], gather: List[str], server: str, skip: bool, damaged: List[Dict[str, Any]]
    ) -> None:
        self._whole = [tree for tree in spooled if not tree["uuid"]]
        self._single = [tree for tree in spooled if tree["uuid"]]
        self._gather, self._server, self._skip, self._damaged = gather, server, skip, damaged
        # Where a text of a VM was altered because XML cannot hold it.
        self.altered: List[Any] = []

    def names(self) -> List[Tuple[str, str]]:
        """[(name, UUID)] of the VMs in the whole tree; none where it was not asked for."""
        return [
            (tree.name, tree.uuid)
            for spooled in self._whole
            for tree in self._told(spooled, trees.parse(spooled["text"].source()))
        ]

    def trees(self) -> Iterator[VmTree]:
        """One stream of VmTree."""
        if not self._whole:
            return query.merge(itertools.chain.from_iterable(map(self._read_single, self._single)))
        # Only the whole tree and a VM's own one can speak of the same VM.
        single = [self._read_single(tree) for tree in self._single]
        unread = {id_key(vm["uuid"]) for vm in self._damaged}
        whole = (tree for tree in self._read(self._whole[0]) if id_key(tree.uuid) not in unread)
        return query.merge(whole, single)

    def _read_single(self, spooled: Dict[str, Any]) -> List[VmTree]:
        """The trees of a VM's own answer, one or none. They are nobody's before the answer was read to its end."""
        try:
            trees = list(self._read(spooled))
            if len(trees) > 1 or any(id_key(tree.uuid) != id_key(spooled["uuid"]) for tree in trees):
                raise TreeError(
                    self._message(spooled, "The answer is for %s." % (" and ".join(tree.uuid for tree in trees)))
                )
            return trees
        except TreeError as error:
            if not self._skip:
                raise
            self._damaged.append({"uuid": spooled["uuid"], "name": spooled["name"], "message": error.message})
            return []

    def _read(self, spooled: Dict[str, Any]) -> Iterator[VmTree]:
        parsed = trees.parse(
            spooled["text"].source(), disks="disks" in self._gather, files="files" in self._gather, altered=self.altered
        )
        yield from query.placed(self._told(spooled, parsed), spooled["directory"])
        spooled["text"].drop()

    def _told(self, spooled: Dict[str, Any], trees: Iterable[Any]) -> Iterator[Any]:
        """The trees, with an error that says whose answer is damaged."""
        try:
            yield from trees
        except TreeError as error:
            raise TreeError(self._message(spooled, error.message)) from None

    def _message(self, spooled: Dict[str, Any], problem: str) -> str:
        if not spooled["uuid"]:
            return (
                "The answer of %s for all VMs together cannot be read, so nothing is known of any of them. %s With 'scope: registered' the server "
                "is asked VM by VM, and 'on_damaged: skip' then leaves out the one that is damaged."
                % (self._server, problem)
            )
        name = "VM %s (%s)" % (spooled["name"], spooled["uuid"]) if spooled["name"] else "VM %s" % spooled["uuid"]
        hint = "" if self._skip else " 'on_damaged: skip' gathers the other VMs all the same."
        return "The backups of %s, asked of %s, cannot be read. %s%s" % (name, self._server, problem, hint)


def text_of(text: Any) -> str:
    return text.read().decode("utf-8", "replace")


def moment(params: Dict[str, Any], option: str) -> Optional[str]:
    """An option that is an ISO 8601 time or a duration before now, as the text that backups carry; None if it is not set."""
    text = params.get(option)
    if text is None:
        return None
    with prefix_errors(option):
        return _time.format_instant(_time.parse_moment(text, time.time()))


def check_gather(gather: List[str]) -> None:
    for part in ("disks", "files"):
        if part in gather and "backups" not in gather:
            raise InputError(
                "gather: '%s' is a part of each backup, and 'backups' is not in the list. Add it, or leave '%s' out."
                % (part, part)
            )


def check_window(chosen: Dict[str, Any]) -> None:
    if chosen["newer_than"] and chosen["older_than"] and chosen["newer_than"] >= chosen["older_than"]:
        raise InputError(
            "newer_than: %s is not before older_than, %s; no backup can be in between. Exchange them?"
            % (chosen["newer_than"], chosen["older_than"])
        )


def listed(words: Iterable[str]) -> str:
    return ", ".join("'%s'" % word for word in words)
