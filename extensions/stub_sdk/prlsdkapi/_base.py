# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all handle classes share."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prlsdkapi import _args
from prlsdkapi._error import fail
from prlsdkapi._runtime import RUNTIME
from prlsdkapi.prlsdk import consts


def conv_handle_arg(arg):
    """The number of a handle given as an object or as a number."""
    return arg.handle if isinstance(arg, _Handle) else arg


class _Handle(object):
    """Owns one reference to a numbered object and gives it back when it is collected."""

    handle = 0  # so that an object whose constructor raised can be collected

    def __init__(self, handle=consts.PRL_INVALID_HANDLE):
        self.handle = handle
        self._generation = RUNTIME.generation

    def _native(self):
        RUNTIME.require()
        native = RUNTIME.handles.get(self.handle) if self._generation == RUNTIME.generation else None
        if native is None:
            fail("PRL_ERR_INVALID_HANDLE")
        return native

    def add_ref(self):
        RUNTIME.handles.export(self._native())

    def free(self):
        self._native()
        RUNTIME.handles.free(self.handle)

    def get_type(self):
        return self._native().type

    def get_handle_type(self):
        return self._native().type

    def __del__(self):
        # An object from before a deinit owns nothing any more.
        if self.handle and RUNTIME.initialized and self._generation == RUNTIME.generation:
            RUNTIME.handles.free(self.handle)


class _Listing(_Handle):
    """Length, index and iteration over ``_count()`` things that ``_at(index)`` gives."""

    def __len__(self):
        return self._count()

    def __getitem__(self, index):
        if not 0 <= index < self._count():
            raise IndexError("list index out of range")
        return self._at(index)

    def __iter__(self):
        for index in range(self._count()):
            yield self._at(index)


def pick(items, index, symbol="PRL_ERR_INVALID_ARG"):
    """items[index] with the library's error for a wrong index."""
    index = _args.unsigned(index)
    if index >= len(items):
        fail(symbol)
    return items[index]
