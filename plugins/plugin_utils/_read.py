# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of what somebody wrote: a list, a dictionary, keys that there are. Errors name the place."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import unknown_key
from jinja2 import Undefined


def read_list(value: Any, where: str) -> Sequence[Any]:
    """A list; none is an empty one."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise InputError("%s must be a list, not %r" % (where, value))
    return value


def read_mapping(value: Any, where: str) -> Mapping[Any, Any]:
    """A dictionary."""
    if not isinstance(value, Mapping):
        raise InputError("%s must be a dictionary, not %r" % (where, value))
    return value


def check_keys(value: Any, keys: Sequence[str], where: str) -> Mapping[Any, Any]:
    """A dictionary that has none but these keys; the error about another one suggests the nearest."""
    for key in read_mapping(value, where):
        if key not in keys:
            raise InputError(unknown_key(where, key, keys))
    return value


def read_instant(value: Any) -> int:
    """Epoch seconds, in every spelling of :func:`_time.parse_instant`; that of the modules is read by Python itself, many times as fast.

    :raises InputError: for anything else.
    """
    if (
        isinstance(value, str)
        and len(value) == 20
        and value[4] == value[7] == "-"
        and value[10] == "T"
        and value[13] == value[16] == ":"
        and value[-1] == "Z"
    ):
        try:
            return _time.from_datetime(datetime.datetime.fromisoformat(value[:-1]))
        except ValueError:
            pass
    return _time.parse_instant(value)


def refuse_undefined(value: Any, name: str) -> None:
    """Refuse an undefined variable in an argument or, one level down, under a key of it, by its name.

    :raises InputError: says which one is undefined.
    """
    if isinstance(value, Undefined):
        raise InputError("%s is undefined" % name)
    if isinstance(value, Mapping):
        for key, member in value.items():
            refuse_undefined(member, "%s.%s" % (name, key))
