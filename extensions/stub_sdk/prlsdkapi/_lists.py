# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of strings and handles, and the result of a job."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from prl_stub import entry
from prlsdkapi._base import _Listing, pick
from prlsdkapi._error import fail
from prlsdkapi._natives import Sequence, Text, Vm
from prlsdkapi._registry import stands_for, wrap
from prlsdkapi._runtime import RUNTIME
from prlsdkapi._vm import VmConfig
from prlsdkapi.prlsdk import consts


@stands_for("PHT_STRINGS_LIST")
class StringList(_Listing):
    def __init__(self, handle=consts.PRL_INVALID_HANDLE):
        RUNTIME.require()
        if not handle:
            handle = RUNTIME.handles.export(Sequence("PHT_STRINGS_LIST", []))
        _Listing.__init__(self, handle)

    def get_items_count(self):
        return self._count()

    def get_item(self, nItemIndex):
        return self._at(nItemIndex)

    def _count(self):
        return len(self._native().items)

    def _at(self, index):
        return pick(self._native().items, index)


@stands_for("PHT_HANDLES_LIST")
class HandleList(_Listing):
    def __init__(self, handle=consts.PRL_INVALID_HANDLE):
        RUNTIME.require()
        if not handle:
            handle = RUNTIME.handles.export(Sequence("PHT_HANDLES_LIST", []))
        _Listing.__init__(self, handle)

    def get_items_count(self):
        return self._count()

    def get_item(self, nItemIndex):
        return self._at(nItemIndex)

    def _count(self):
        return len(self._native().items)

    def _at(self, index):
        return wrap(pick(self._native().items, index))


@stands_for("PHT_RESULT")
class Result(_Listing):
    """A parameter is an object or a bare string; asking for the other kind is NO_DATA."""

    def get_params_count(self):
        return self._count()

    def get_param_by_index(self, nIndex):
        param = pick(self._native().items, nIndex)
        if not param.is_object:
            fail("PRL_ERR_NO_DATA")
        if isinstance(param, Vm):
            _parse_configuration()
        return wrap(param)

    def get_param(self):
        return self.get_param_by_index(0) if self._count() else fail("PRL_ERR_NO_DATA")

    def get_param_by_index_as_string(self, nIndex):
        param = pick(self._native().items, nIndex)
        if isinstance(param, Vm):
            return _entry(self._native(), param)
        if not isinstance(param, Text):
            fail("PRL_ERR_NO_DATA")
        return param.text

    def get_param_as_string(self):
        return self.get_param_by_index_as_string(0) if self._count() else fail("PRL_ERR_NO_DATA")

    def _count(self):
        return len(self._native().items)

    def _at(self, index):
        return self.get_param_by_index(index)


_GETTERS = ["get_state"] + sorted(name for name in dir(VmConfig) if name.startswith(("get_", "is_")))


def _entry(listed, vm):
    """A VM as text. A damaged configuration has none: its getters fail. The setting vm_entries stands for a build whose entries are objects only."""
    store = RUNTIME.store
    if not hasattr(listed, "entry_size"):  # asked once for a list
        plain = store is not None and store.setting("vm_entries", "text") == "text"
        damaged = plain and store.row("SELECT 1 FROM faults WHERE call IN (%s)" % ", ".join("?" * len(_GETTERS)), _GETTERS)
        listed.entry_size = int(store.setting("vm_entry_size", 0)) if plain and not damaged else None
        listed.server_uuid = vm.server.description()["uuid"]
    if listed.entry_size is None:
        fail("PRL_ERR_NO_DATA")
    return entry.text(vm.row, listed.server_uuid, listed.entry_size)


def _parse_configuration():
    """What the real library does when a VM's object is taken: the setting vm_object_seconds is processor time."""
    seconds = float(RUNTIME.store.setting("vm_object_seconds", 0)) if RUNTIME.store else 0
    end = _processor_time() + seconds
    while seconds and _processor_time() < end:
        pass


def _processor_time():
    used = os.times()
    return used[0] + used[1]
