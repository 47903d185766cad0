# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What templating may hand to a filter instead of a value."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from jinja2 import Undefined


def refuse_undefined(value, name: str) -> None:
    """Refuse an undefined variable in an argument or, one level down, under a key of it, by its name.

    :raises InputError: says which one is undefined.
    """
    if isinstance(value, Undefined):
        raise InputError("%s is undefined" % name)
    if isinstance(value, Mapping):
        for key, member in value.items():
            refuse_undefined(member, "%s.%s" % (name, key))
