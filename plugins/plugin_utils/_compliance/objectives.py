# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of which VM: a default objective, overrides of which the first that fits counts, and exclusions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration
from ansible_collections.prlsdk.core.plugins.plugin_utils._read import check_keys, read_list
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import selectors
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.selectors import Selector

KEYS = ("rpo", "max_chain_length", "max_chain_age")
MATCHES = ("name", "uuid", "type", "state")


class Objective(NamedTuple):
    """What is asked of a VM; a bound that is None is not asked for."""

    rpo: Duration
    max_chain_length: int | None
    max_chain_age: Duration | None

    def plain(self) -> dict[str, Any]:
        """As a result shows it."""
        return {
            "rpo": str(self.rpo),
            "max_chain_length": self.max_chain_length,
            "max_chain_age": str(self.max_chain_age) if self.max_chain_age else None,
        }


class Group(NamedTuple):
    """VMs that have the same asked of them."""

    name: str
    selector: Selector
    objective: Objective


def read_groups(objective: Any, overrides: Any) -> list[Group]:
    """The overrides in their order, and at the end the default, which fits every VM.

    :raises InputError: names the key, its value and what is allowed.
    """
    if isinstance(objective, str):
        objective = {"rpo": objective}
    if not isinstance(objective, Mapping):
        raise InputError(
            "objective must be a duration such as 26h, or a dictionary such as {rpo: 26h}, not %r" % (objective,)
        )
    groups: list[Group] = []
    for number, override in enumerate(read_list(overrides, "overrides")):
        where = "overrides[%d]" % number
        check_keys(override, ("name", "match", "objective"), where)
        name = override.get("name")
        if name == "default" or any(group.name == name for group in groups):
            raise InputError("%s: another group is called %r already; give each its own name" % (where, name))
        where = "%s (%s)" % (where, name) if name else where
        own = override.get("objective")
        if not isinstance(own, Mapping) or not own:
            raise InputError("%s has no objective; give one of %s" % (where, ", ".join(KEYS)))
        check_keys(own, KEYS, where + ".objective")
        given = {key: value for key, value in own.items() if value is not None}
        selector = selectors.read(override.get("match"), MATCHES, where + ".match")
        name = name or "override %d (%s)" % (number + 1, selector.written())
        groups.append(Group(str(name), selector, _objective({**objective, **given}, where + ".objective")))
    groups.append(Group("default", Selector(), _objective(objective, "objective")))
    return groups


def read_exclusions(exclude: Any) -> list[Selector]:
    """What is left out; raises as above."""
    return selectors.read_all(exclude, MATCHES, "exclude")


def _objective(given: Any, where: str) -> Objective:
    check_keys(given, KEYS, where)
    if not given.get("rpo"):
        raise InputError("%s has no rpo: say how old the newest restorable backup may be, for example rpo: 26h" % where)
    rpo = _duration(given["rpo"], where + ".rpo")
    if not rpo:
        raise InputError("%s.rpo is nothing, which no backup can meet; give a duration such as 26h" % where)
    length, age = given.get("max_chain_length"), given.get("max_chain_age")
    return Objective(
        rpo,
        _number(length, where + ".max_chain_length"),
        (_duration(age, where + ".max_chain_age") or None) if age else None,
    )


def _duration(value: Any, where: str) -> Duration:
    try:
        return _time.parse_duration(value)
    except InputError as error:
        raise InputError("%s: %s" % (where, error)) from None


def _number(value: Any, where: str) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value or None
    raise InputError("%s is %r; it must be a whole number, or 0 for no bound" % (where, value))
