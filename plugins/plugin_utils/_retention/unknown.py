# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins and tags of policies that no backup has: mostly a typing error, which lets go what somebody means to keep."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from .inventory import Vm, plain_id
from .lint import warning
from .policy import Policy
from .survey import tags

PIN, TAG = "unknown_pin", "unknown_tag"

#: How many of the tags that are there are searched for one that is spelled alike.
_SEARCHED = 1000


def warnings(parts: Iterable[tuple[Policy, list[Vm]]]) -> list[dict[str, Any]]:
    """One warning for each pin and for each tag that is unknown to every policy that has it, given the policies and the VMs of each."""
    pins: dict[str, bool] = {}
    wanted: dict[tuple[str, str], bool] = {}
    seen: set[str] = set()
    for policy, vms in parts:
        ids = {plain_id(identity) for vm in vms for identity in vm.backups.id} if policy.pins else set()
        for pin in policy.pins:
            pins[pin] = pins.get(pin, False) or pin in ids
        found = _tags(policy, vms)
        for key, names in (("keep_tags", policy.keep_tags), ("by_tag", [tag for tag, rules in policy.by_tag])):
            for tag in names:
                wanted[key, tag] = wanted.get((key, tag), False) or tag in found
        seen |= found
    return [_pin(pin) for pin in sorted(pins) if not pins[pin]] + [
        _tag(*one, seen) for one in sorted(wanted) if not wanted[one]
    ]


def _tags(policy, vms):
    """The tags that a policy finds; nothing where it has no use for them."""
    if not policy.keep_tags and not policy.by_tag:
        return set()
    pattern = re.compile(policy.tags_pattern)
    return {
        tag
        for description in {text for vm in vms for text in vm.backups.description}
        for tag in tags(pattern, description)
    }


def _pin(pin):
    return warning(PIN, "pins has %s, and no backup has this id" % pin, "pins")


def _tag(key, tag, seen):
    near = difflib.get_close_matches(tag, sorted(seen)[:_SEARCHED], 1, 0.5)
    hint = "; did you mean %r?" % near[0] if near else ""
    return warning(TAG, "%s has %r, and tags_pattern finds this tag in no description%s" % (key, tag, hint), key)
