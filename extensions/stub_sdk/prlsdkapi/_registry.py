# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python class stands for which type of handle."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prlsdkapi._runtime import RUNTIME

_CLASSES = {}


def stands_for(type_name):
    """Class decorator: the class wraps handles of this type."""

    def register(cls):
        _CLASSES[type_name] = cls
        return cls

    return register


def wrap(native):
    """A Python object that owns a new reference to a native one."""
    return _CLASSES[native.type_name](RUNTIME.handles.export(native))


def handle_to_object(handle):
    """The Python object of a handle number; it takes over the reference that the caller has."""
    RUNTIME.require()
    native = RUNTIME.handles.get(handle)
    if native is None or native.type_name not in _CLASSES:
        return None
    return _CLASSES[native.type_name](handle)
