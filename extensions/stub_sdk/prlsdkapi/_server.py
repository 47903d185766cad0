# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Server class: argument checks, and what becomes of each call."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import questions
from prl_stub.calls import SECRET
from prl_stub.numbers import CONSTS
from prlsdkapi import _args, _requests
from prlsdkapi._base import _Handle, conv_handle_arg
from prlsdkapi._client import ServerNative
from prlsdkapi._error import fail
from prlsdkapi._natives import Event, Sequence, Values
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
_TARGET = ("sTargetHost", "nTargetPort", "sTargetSessionId")
_CREATE = ("sVmUuid",) + _TARGET + ("strDescription", "backup_flags", "reserved_flags", "force_operation")
_REMOVE = ("sVmUuid", "sBackupUuid") + _TARGET + ("remove_flags", "reserved_flags", "force_operation")
_RESTORE = ("sVmUuid", "sBackupUuid") + _TARGET + ("sTargetVmHomePath", "sTargetVmName", "restore_flags")
_RESTORE += ("reserved_flags", "force_operation")


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
            client, "get_vm_list", (), (), lambda job: _requests.vm_list(client, job, 0), "PJOC_SRV_GET_VM_LIST"
        )

    def get_vm_list_ex(self, nFlags):
        client = self._native()
        values = _args.parse("PrlSrv_GetVmListEx", "I", [nFlags])
        return _job(
            client,
            "get_vm_list_ex",
            ("nFlags",),
            values,
            lambda job: _requests.vm_list(client, job, values[0]),
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
            lambda job: _requests.vm_config(client, job, *values),
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
            lambda job: _requests.backup_tree(job, *values[:5]),
            "PJOC_SRV_GET_BACKUP_TREE",
        )

    def create_vm_backup(
        self,
        sVmUuid,
        sTargetHost,
        nTargetPort,
        sTargetSessionId,
        strDescription="",
        backup_flags=consts.PBT_FULL,
        reserved_flags=0,
        force_operation=True,
    ):
        client = self._native()
        given = [sVmUuid, sTargetHost, nTargetPort, sTargetSessionId, strDescription]
        given += [backup_flags, reserved_flags, force_operation]
        values = _args.parse("PrlSrv_CreateVmBackup", "ssIssIII", given)
        return _job(
            client,
            "create_vm_backup",
            _CREATE,
            values,
            lambda job: _requests.create_backup(job, *values[:6]),
            "PJOC_SRV_CREATE_VM_BACKUP",
            mutating=True,
        )

    def restore_vm_backup(
        self,
        sVmUuid,
        sBackupUuid,
        sTargetHost,
        nTargetPort,
        sTargetSessionId,
        sTargetVmHomePath="",
        sTargetVmName="",
        restore_flags=consts.PVMSL_LOW_SECURITY,
        reserved_flags=0,
        force_operation=True,
    ):
        client = self._native()
        given = [sVmUuid, sBackupUuid, sTargetHost, nTargetPort, sTargetSessionId, sTargetVmHomePath, sTargetVmName]
        given += [restore_flags, reserved_flags, force_operation]
        values = _args.parse("PrlSrv_RestoreVmBackup", "sssIsssIII", given)
        return _job(
            client,
            "restore_vm_backup",
            _RESTORE,
            values,
            lambda job: _requests.restore_backup(job, *values[:8]),
            "PJOC_SRV_RESTORE_VM_BACKUP",
            mutating=True,
        )

    def remove_vm_backup(
        self,
        sVmUuid,
        sBackupUuid,
        sTargetHost,
        nTargetPort,
        sTargetSessionId,
        remove_flags,
        reserved_flags,
        force_operation,
    ):
        client = self._native()
        given = [sVmUuid, sBackupUuid, sTargetHost, nTargetPort, sTargetSessionId]
        given += [remove_flags, reserved_flags, force_operation]
        values = _args.parse("PrlSrv_RemoveVmBackup", "sssIsIII", given)
        return _job(
            client,
            "remove_vm_backup",
            _REMOVE,
            values,
            lambda job: _requests.remove_backup(job, *values[:6]),
            "PJOC_SRV_REMOVE_VM_BACKUP",
            mutating=True,
        )

    def get_questions(self):
        client = self._native()

        def work():
            found = questions.waiting(RUNTIME.store, client.description()["name"])
            return Sequence("PHT_HANDLES_LIST", [Event.from_dictionary(client, values) for values in found])

        return wrap(client.ask("get_questions", {}, work))

    def send_answer(self, hAnswer):
        client = self._native()
        event = RUNTIME.handles.get(conv_handle_arg(hAnswer))
        if not isinstance(event, Event):
            fail("PRL_ERR_INVALID_HANDLE")

        def work(_job):
            questions.answer(RUNTIME.store, event.question, event.answer)
            return []

        args = {"question": event.question, "answer": event.answer}
        return wrap(client.send_answer("send_answer", args, consts.PJOC_SRV_SEND_ANSWER, work))

    def set_non_interactive_session(self, bNonInteractive, nFlags=0):
        client = self._native()
        values = _args.parse("PrlSrv_SetNonInteractiveSession", "II", [bNonInteractive, nFlags])

        def work(_job):
            client.non_interactive = bool(values[0])
            return []

        return _job(
            client,
            "set_non_interactive_session",
            ("bNonInteractive", "nFlags"),
            values,
            work,
            "PJOC_SRV_SET_NON_INTERACTIVE_SESSION",
        )

    def is_non_interactive_session(self):
        return self._native().non_interactive

    def reg_event_handler(self, callback_func, userData):
        self._native().register(callback_func, userData)

    def unreg_event_handler(self, callback_func, userData):
        self._native().unregister(callback_func, userData)
