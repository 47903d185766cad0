# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument checks as the binding's C layer makes them, before anything is sent."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import operator
import sys

PY2 = sys.version_info[0] == 2
_TEXT = (str, type(u""))


def text(function, position, value):
    """A string argument: never None, never bytes on Python 3."""
    if not isinstance(value, _TEXT if PY2 else str):
        given = "None" if value is None else type(value).__name__
        raise TypeError("%s() argument %d must be %s, not %s" % (function, position, "string" if PY2 else "str", given))
    if "\0" in value:
        raise TypeError("must be string without null bytes") if PY2 else ValueError("embedded null character")
    if PY2:
        return value.encode("utf-8") if isinstance(value, type(u"")) else value
    value.encode("utf-8")  # a lone surrogate cannot be sent either
    return value


def unsigned(value):
    """An integer argument: anything beyond 32 bits wraps around silently, negative numbers too."""
    if isinstance(value, float) or not hasattr(value, "__index__"):
        raise TypeError("'%s' object cannot be interpreted as an integer" % type(value).__name__)
    return operator.index(value) & 0xFFFFFFFF


def parse(function, kinds, values):
    """The arguments of a call after its handle: kind ``s`` is a string, ``I`` an integer."""
    return [
        text(function, position, value) if kind == "s" else unsigned(value)
        for position, (kind, value) in enumerate(zip(kinds, values), 2)
    ]
