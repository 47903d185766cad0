# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that only tell something: about the server, the login, a task, a backup, the library."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prlsdkapi import _args
from prlsdkapi._base import _Handle, pick
from prlsdkapi._registry import stands_for, wrap
from prlsdkapi._runtime import RUNTIME
from prlsdkapi._texts import describe
from prlsdkapi.prlsdk import consts

VERSION = "9.0.41"


class _Record(_Handle):
    def _value(self, name):
        return self._native().values[name]


@stands_for("PHT_SERVER_INFO")
class ServerInfo(_Record):
    def get_host_name(self):
        return self._value("host")

    def get_os_version(self):
        return self._value("os")

    def get_product_version(self):
        return self._value("product")

    def get_cmd_port(self):
        return self._value("port")

    def get_application_mode(self):
        return consts.PAM_SERVER

    def get_server_uuid(self):
        return self._value("uuid")


@stands_for("PHT_LOGIN_RESPONSE")
class LoginResponse(_Record):
    def get_session_uuid(self):
        return self._value("session")

    def get_server_uuid(self):
        return self._value("uuid")

    def get_host_os_version(self):
        return self._value("os")

    def get_product_version(self):
        return self._value("product")

    def get_running_task_count(self):
        return len(self._value("tasks"))

    def get_running_task_by_index(self, nIndex):
        return wrap(pick(self._value("tasks"), nIndex))


@stands_for("PHT_RUNNING_TASK")
class RunningTask(_Record):
    def get_task_uuid(self):
        return self._value("uuid")

    def get_task_type(self):
        return self._value("kind")

    def get_task_parameters_as_string(self):
        return self._value("params")


@stands_for("PHT_BACKUP_RESULT")
class BackupResult(_Handle):
    def get_backup_uuid(self):
        return self._native().text


class ApiHelper(object):
    def get_version(self):
        RUNTIME.require()
        return VERSION

    def get_app_mode(self):
        RUNTIME.require()
        return consts.PAM_SERVER

    def get_result_description(self, nErrCode, bIsBriefMessage=True, bFormated=False):
        RUNTIME.require()
        return describe(_args.unsigned(nErrCode), bool(bIsBriefMessage))
