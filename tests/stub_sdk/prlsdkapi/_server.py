# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Server class: argument checks, and what becomes of each call."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.calls import SECRET
from prl_stub.numbers import CONSTS
from prlsdkapi import _args, _requests
from prlsdkapi._base import _Handle
from prlsdkapi._client import ServerNative
from prlsdkapi._natives import Values
from prlsdkapi._registry import stands_for, wrap
from prlsdkapi._runtime import RUNTIME
from prlsdkapi.prlsdk import consts


def _job(client, call, names, values, work, op_code, mutating=False, connected=True):
    args = dict(zip(names, values))
    if args.get("passwd"):
        args["passwd"] = SECRET
    return wrap(client.request(call, args, work, CONSTS[op_code], mutating, connected))


_LOGIN = ("host", "user", "passwd", "sPrevSessionUuid", "port_cmd", "timeout", "security_level", "flags")
_LOCAL = ("sPrevSessionUuid", "port", "security_level", "flags")
_TREE = ("sUuid", "sTargetHost", "nTargetPort", "sTargetSessionId", "backup_flags", "reserved_flags", "force_operation")


@stands_for("PHT_SERVER")
class Server(_Handle):
    def __init__(self, handle=consts.PRL_INVALID_HANDLE):
        RUNTIME.require()
        if not handle:
            handle = RUNTIME.handles.export(ServerNative())
        _Handle.__init__(self, handle)

    def login(
        self,
        host,
        user,
        passwd,
        sPrevSessionUuid="",
        port_cmd=0,
        timeout=0,
        security_level=consts.PSL_HIGH_SECURITY,
    ):
        return self._login("login", host, user, passwd, sPrevSessionUuid, port_cmd, timeout, security_level)

    def login_ex(self, host, user, passwd, sPrevSessionUuid, port_cmd, timeout, security_level, flags):
        return self._login("login_ex", host, user, passwd, sPrevSessionUuid, port_cmd, timeout, security_level, flags)

    def _login(self, call, *given):
        client = self._native()
        function = "PrlSrv_LoginEx" if len(given) == 8 else "PrlSrv_Login"
        values = _args.parse(function, "ssssIIII", given)
        host, user, password, _previous, port, timeout, security = values[:7]
        flags = values[7] if len(values) == 8 else 0

        def work(job):
            return _requests.login(client, job, host, user, password, port, timeout, security, flags)

        return _job(client, call, _LOGIN, values, work, "PJOC_SRV_LOGIN", connected=False)

    def login_local(self, sPrevSessionUuid="", port=0, security_level=consts.PSL_HIGH_SECURITY):
        return self._login_local("login_local", sPrevSessionUuid, port, security_level)

    def login_local_ex(self, sPrevSessionUuid, port, security_level, flags):
        return self._login_local("login_local_ex", sPrevSessionUuid, port, security_level, flags)

    def _login_local(self, call, *given):
        client = self._native()
        values = _args.parse("PrlSrv_LoginLocalEx" if len(given) == 4 else "PrlSrv_LoginLocal", "sIII", given)
        flags = values[3] if len(values) == 4 else 0

        def work(job):
            return _requests.login_local(client, job, values[2], flags)

        return _job(client, call, _LOCAL, values, work, "PJOC_SRV_LOGIN_LOCAL", connected=False)

    def logoff(self):
        client = self._native()
        return _job(client, "logoff", (), (), client.logoff, "PJOC_SRV_LOGOFF")

    def is_connected(self):
        connection = self._native().connection
        return [int(connection is not None), int(connection is not None and connection.local)]

    def get_server_info(self):
        client = self._native()

        def work():
            row = client.description()
            return Values("PHT_SERVER_INFO", dict((key, row[key]) for key in ("host", "os", "product", "port", "uuid")))

        return wrap(client.ask("get_server_info", {}, work))

    def get_vm_list(self):
        client = self._native()
        return _job(
            client, "get_vm_list", (), (), lambda _job: _requests.vm_list(client, 0), "PJOC_SRV_GET_VM_LIST"
        )

    def get_vm_list_ex(self, nFlags):
        client = self._native()
        values = _args.parse("PrlSrv_GetVmListEx", "I", [nFlags])
        return _job(
            client,
            "get_vm_list_ex",
            ("nFlags",),
            values,
            lambda _job: _requests.vm_list(client, values[0]),
            "PJOC_SRV_GET_VM_LIST",
        )

    def get_vm_config(self, sSearchId, nFlags):
        client = self._native()
        values = _args.parse("PrlSrv_GetVmConfig", "sI", [sSearchId, nFlags])
        return _job(
            client,
            "get_vm_config",
            ("sSearchId", "nFlags"),
            values,
            lambda _job: _requests.vm_config(client, *values),
            "PJOC_SRV_GET_VM_CONFIG",
        )

    def get_backup_tree(
        self,
        sUuid,
        sTargetHost,
        nTargetPort,
        sTargetSessionId,
        backup_flags=consts.PBT_FULL,
        reserved_flags=0,
        force_operation=True,
    ):
        client = self._native()
        given = [sUuid, sTargetHost, nTargetPort, sTargetSessionId, backup_flags, reserved_flags, force_operation]
        values = _args.parse("PrlSrv_GetBackupTree", "ssIsIII", given)
        return _job(
            client,
            "get_backup_tree",
            _TREE,
            values,
            lambda _job: _requests.backup_tree(client, *values[:5]),
            "PJOC_SRV_GET_BACKUP_TREE",
        )

    def reg_event_handler(self, callback_func, userData):
        self._native().register(callback_func, userData)

    def unreg_event_handler(self, callback_func, userData):
        self._native().unregister(callback_func, userData)
