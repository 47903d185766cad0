# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs and containers."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prlsdkapi import _requests
from prlsdkapi._base import _Handle
from prlsdkapi._getting import getter
from prlsdkapi._registry import stands_for, wrap
from prlsdkapi._natives import Values
from prlsdkapi.prlsdk import consts


class VmConfig(_Handle):
    @getter
    def get_uuid(self):
        return self._row("uuid")

    @getter
    def get_name(self):
        return self._row("name")

    @getter
    def get_vm_type(self):
        return self._row("type")

    @getter
    def get_home_path(self):
        return self._row("home")

    @getter
    def is_template(self):
        return bool(self._row("template"))

    @getter
    def get_ct_id(self):
        return self._row("ct_id")

    @getter
    def get_default_backup_directory(self):
        return self._row("directory")

    def get_server_uuid(self):
        return self._native().server.description()["uuid"]

    def get_server_host(self):
        return self._native().server.description()["host"]

    @getter
    def get_vm_info(self):
        return wrap(Values("PHT_VM_INFO", {"state": self._row("state")}))

    def _row(self, name):
        return self._native().row[name]


@stands_for("PHT_VIRTUAL_MACHINE")
class Vm(VmConfig):
    def get_state(self):
        native = self._native()
        uuid, client = native.row["uuid"], native.server

        def work(job):
            return _requests.vm_state(job, uuid)

        return wrap(client.request("get_state", {"vm": uuid}, work, consts.PJOC_VM_GET_STATE))

    def reg_event_handler(self, callback_func, userData):
        native = self._native()
        native.server.register(callback_func, userData, native.row["uuid"])

    def unreg_event_handler(self, callback_func, userData):
        native = self._native()
        native.server.unregister(callback_func, userData, native.row["uuid"])


@stands_for("PHT_VM_INFO")
class VmInfo(_Handle):
    @getter
    def get_state(self):
        return self._native().values["state"]

    def get_addition_state(self):
        self._native()
        return consts.VMAS_NOSTATE

    def is_invalid(self):
        self._native()
        return False

    def is_vm_waiting_for_answer(self):
        self._native()
        return False
