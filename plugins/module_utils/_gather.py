# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to its result: ask the SDK, parse what it spooled, select. Knows neither Ansible nor the SDK."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import itertools
import os
import time

from ansible_collections.prlsdk.core.plugins.module_utils import _backup_select, _backup_tree, _ids, _instants, _xml_text
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, PrlError, naming


def gather_facts(params, ask):
    """The result of prl_backup_facts."""
    gathered_at = _instants.format(time.time())
    result = gather_backups(params, ask)
    facts = dict((key, result.pop(key)) for key in ("backup_trees", "summary", "raw") if key in result)
    return {
        "changed": False,
        "ansible_facts": {"prl_backups": dict(facts, gathered_at=gathered_at)},
        "missing": result["missing"],
        "server": result["server"],
        "warnings": result["warnings"],
        "sdk": result["sdk"],
    }


def gather_backups(params, ask):
    """The result of prl_backup_info. Options that a module does not have count as not set."""
    _backup_tree.require_lxml()
    check_gather(params["gather"])
    chosen = dict(
        types=params["types"],
        backup_ids=params.get("backup_ids"),
        newer_than=moment(params, "newer_than"),
        older_than=moment(params, "older_than"),
        latest_only=params.get("latest_only", False),
    )
    check_window(chosen)
    limit = params.get("limit")
    if limit is not None and limit < 1:
        raise InputError("limit: %d backups cannot be returned. Give a number of 1 or more." % limit)
    with naming("backup_ids"):
        _backup_select.filters(backup_ids=chosen["backup_ids"])  # before the server is asked for anything
    answer = ask("trees", {"types": params["types"], "wanted": params["vms"], "scope": params["scope"]})
    result = {"changed": False, "server": answer.result["server"], "sdk": answer.sdk, "warnings": []}
    try:
        fill(result, params, answer.result, chosen, limit)
    except PrlError as error:
        raise error.with_result(**result)
    return result


def fill(result, params, answer, chosen, limit):
    """Add to ``result`` what was asked for, in an order that leaves on failure all that is known by then."""
    gather = params["gather"]
    if "raw" in gather:
        result["raw"] = [{"uuid": tree["uuid"], "xml": text_of(tree["file"])} for tree in answer["trees"]]
    wanted = answer["wanted"]
    if wanted is not None:
        chosen["vms"] = [uuid or word for word, uuid in wanted]
    if params["owner"] == "this_node":
        chosen["owner"] = answer["server"]["uuid"]
    altered = []
    selected = _backup_select.select(
        read_trees(answer["trees"], gather, altered), _backup_select.filters(**chosen), limit=limit, keep="backups" in gather
    )
    if altered:
        result["warnings"].append(_xml_text.warning(altered))
    result.update(total=selected.total, truncated=selected.truncated, missing=missing(selected, wanted, chosen["backup_ids"]))
    if "backups" in gather:
        known = answer["registered"] and set(_ids.key(uuid) for uuid in answer["registered"])
        result["backup_trees"] = [
            _backup_tree.as_result(tree, None if known is None else _ids.key(tree.uuid) in known) for tree in selected.trees
        ]
    if "summary" in gather:
        result["summary"] = selected.summary
    if result["missing"] and params["missing"] == "fail":
        raise InputError(
            "No backup was found of %s, on %s. Correct 'vms' or 'backup_ids', or set 'missing: ok' to go on without."
            % (listed(result["missing"]), result["server"]["host"])
        )


def missing(selected, wanted, backup_ids):
    """What was asked for and is not there, in the words in which it was asked for."""
    vms, ids = set(selected.missing_vms), set(selected.missing_backup_ids)
    return [word for word, uuid in wanted or () if (uuid or word) in vms] + [written for written in backup_ids or () if _ids.key(written) in ids]


def read_trees(spooled, gather, altered):
    """One stream of VmTree out of the spooled answers; each file is removed as soon as it is read."""

    def read(tree):
        parsed = _backup_tree.parse(tree["file"], disks="disks" in gather, files="files" in gather, altered=altered)
        yield from _backup_select.placed(parsed, tree["directory"])
        with contextlib.suppress(OSError):  # it would go with its folder
            os.remove(tree["file"])

    # Only the whole tree and a VM's own one can speak of the same VM.
    whole = [read(tree) for tree in spooled if not tree["uuid"]]
    single = [read(tree) for tree in spooled if tree["uuid"]]
    return _backup_select.merge(whole[0], single) if whole else _backup_select.merge(itertools.chain.from_iterable(single))


def text_of(path):
    try:
        with open(path, "rb") as spooled:
            return spooled.read().decode("utf-8", "replace")
    except OSError as error:
        raise _backup_tree.unreadable(error)


def moment(params, option):
    """An option that is an ISO 8601 time or a duration before now, as the text that backups carry; None if it is not set."""
    text = params.get(option)
    if text is None:
        return None
    with naming(option):
        return _instants.format(_instants.moment(text, time.time()))


def check_gather(gather):
    for part in ("disks", "files"):
        if part in gather and "backups" not in gather:
            raise InputError("gather: '%s' is a part of each backup, and 'backups' is not in the list. Add it, or leave '%s' out." % (part, part))


def check_window(chosen):
    if chosen["newer_than"] and chosen["older_than"] and chosen["newer_than"] >= chosen["older_than"]:
        raise InputError(
            "newer_than: %s is not before older_than, %s; no backup can be in between. Exchange them?" % (chosen["newer_than"], chosen["older_than"])
        )


def listed(words):
    return ", ".join("'%s'" % word for word in words)
