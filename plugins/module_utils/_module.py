# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module shares: the connection's options, the SDK made from them, the one place where failures become results."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import functools
import os

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.prlsdk.core.plugins.module_utils import _process
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._progress import Progress, Way, find_job_file
from ansible_collections.prlsdk.core.plugins.module_utils._sdk import Sdk

# Each of these options falls back to the environment variable.
ENVIRONMENT = {
    "host": "PRL_HOST",
    "port": "PRL_PORT",
    "username": "PRL_USERNAME",
    "password": "PRL_PASSWORD",
    "sdk_python": "PRL_SDK_PYTHON",
    "sdk_path": "PRL_SDK_PATH",
}

# Seconds; more is a slip, and too much for the kernel's timer.
LONGEST = 31536000


def login_options():
    return {
        "host": {"type": "str"},
        "port": {"type": "int"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "security_level": {"type": "str", "choices": ["low", "normal", "high"], "default": "high"},
    }


def connection_options():
    """The argument specification of the documentation fragment prlsdk.core.connection."""
    options = login_options()
    options.update(
        login_timeout={"type": "int", "default": 60},
        timeout={"type": "int", "default": 300},
        sdk_python={"type": "path"},
        sdk_path={"type": "path"},
        sdk_mode={"type": "str", "choices": ["server", "desktop", "workstation"], "default": "server"},
    )
    for name, variable in ENVIRONMENT.items():
        options[name]["fallback"] = (env_fallback, [variable])
    return options


def storage_option():
    """The argument specification of the documentation fragment prlsdk.core.storage."""
    options = login_options()
    options["default"] = {"type": "bool", "default": False}
    return {
        "storage": {
            "type": "dict",
            "options": options,
            "required_by": {"host": ["username", "password"]},
            "required_if": [("default", False, ["host"])],
        }
    }


def vm_options():
    """Which VMs: the options that prl_vm_info and the gathering of backups share."""
    return {
        "vms": {"type": "list", "elements": "str"},
        "types": {"type": "list", "elements": "str", "choices": ["vm", "ct"], "default": ["vm", "ct"]},
        "missing": {"type": "str", "choices": ["ok", "fail"], "default": "ok"},
    }


def wait_options():
    """The options of prl_event_wait beside the connection's."""
    one = {
        "type": {"type": "raw"},
        "vm": {"type": "str"},
        "issuer_id": {"type": "str"},
        "issuer_type": {"type": "str", "choices": ["virtual_machine", "dispatcher", "io_service", "web_service", "unknown"]},
        "code": {"type": "raw"},
        "params": {"type": "dict"},
    }
    state = {
        "vm": {"type": "str", "required": True},
        "vm_state": {"type": "list", "elements": "str"},
        "backup_newer_than": {"type": "str"},
    }
    return dict(
        storage_option(),
        events={"type": "list", "elements": "dict", "options": one, "required": True},
        match={"type": "str", "choices": ["any", "all"], "default": "any"},
        count={"type": "int", "default": 1},
        fail_on={"type": "list", "elements": "dict", "options": one},
        satisfied_by={"type": "dict", "options": state},
        answer={"type": "raw"},
        ready_file={"type": "path"},
        on_timeout={"type": "str", "choices": ["fail", "continue"], "default": "fail"},
        reconnect={"type": "bool", "default": False},
    )


def backup_options():
    """The argument specification of the documentation fragment prlsdk.core.backups."""
    return dict(
        vm_options(),
        scope={"type": "str", "choices": ["all", "registered"], "default": "all"},
        owner={"type": "str", "choices": ["any", "this_node"], "default": "any"},
        gather={
            "type": "list",
            "elements": "str",
            "choices": ["backups", "summary", "disks", "files", "raw"],
            "default": ["backups", "summary"],
        },
    )


def selection_options():
    """The options of prl_backup_info that leave single backups out."""
    return {
        "backup_ids": {"type": "list", "elements": "str"},
        "newer_than": {"type": "str"},
        "older_than": {"type": "str"},
        "latest_only": {"type": "bool", "default": False},
        "limit": {"type": "int"},
    }


def backup_change_options():
    """The options of prl_backup."""
    entry = {
        "id": {"type": "str", "required": True},
        "vm": {"type": "str"},
        "created": {"type": "str"},
        "size": {"type": "int"},
        "action": {"type": "str", "choices": ["chain", "increment", "merge"]},
        "removes": {"type": "list", "elements": "str", "default": []},
    }
    return dict(
        storage_option(),
        state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        vm={"type": "str"},
        type={"type": "str", "choices": ["full", "incremental"], "default": "incremental"},
        description={"type": "str", "default": ""},
        compress={"type": "bool", "default": True},
        max_age={"type": "str"},
        wait={"type": "bool", "default": True},
        backups={"type": "list", "elements": "dict", "options": entry},
        dependents={"type": "str", "choices": ["refuse", "remove"], "default": "refuse"},
        allow_remove_last={"type": "bool", "default": False},
        on_error={"type": "str", "choices": ["stop", "continue"], "default": "stop"},
        busy_timeout={"type": "int", "default": 60},
        timeout=patient_option(),
    )


def restore_options():
    """The options of prl_backup_restore."""
    return dict(
        storage_option(),
        vm={"type": "str"},
        backup_id={"type": "str"},
        mode={"type": "str", "choices": ["in_place", "copy"], "required": True},
        name={"type": "str"},
        destination={"type": "path"},
        live={"type": "bool", "default": False},
        busy_timeout={"type": "int", "default": 60},
        timeout=patient_option(),
    )


def patient_option():
    """``timeout`` of modules whose work takes hours."""
    return {"type": "int", "default": 14400}


def make_module(options, **more):
    """An AnsibleModule with the connection's options beside its own ones; check mode is supported by all."""
    specification = connection_options()
    specification.update(options)
    return AnsibleModule(argument_spec=specification, required_by={"host": ["username", "password"]}, supports_check_mode=True, **more)


def run(module, act):
    """Exit with what ``act(parameters, ask)`` returns. ``ask(operation, arguments)`` is one request to the SDK, an Answer."""
    # The worker inherits the environment, and needs no secret from there.
    os.environ.pop(ENVIRONMENT["password"], None)
    try:
        module.exit_json(**act(module.params, connect(module)))
    except PrlError as error:
        module.fail_json(msg=error.message, **error.result)


def run_change(module, act):
    """As run(), for modules that change something: ``act(parameters, ask, way)`` with a Way of doing it, whose progress is shown."""
    progress = Progress(Logbook(module), find_job_file())
    way = Way(module.check_mode, module._diff, progress)

    def warned(params, ask):
        result = act(params, functools.partial(ask, watch=progress.line), way)
        for warning in result.pop("warnings", ()):
            module.warn(warning)
        return result

    run(module, warned)


def connect(module):
    """``ask(operation, arguments)`` for this module's connection options."""
    params = module.params
    for name in ("timeout", "login_timeout"):
        if not 0 < params[name] <= LONGEST:
            raise InputError("%s: %d is not a time to wait. Give a number of seconds from 1 to %d (a year)." % (name, params[name], LONGEST))
    sdk = Sdk(_process.run, module.tmpdir, params["sdk_python"], params["sdk_path"], params["sdk_mode"])
    login = login_of(params, params["login_timeout"])
    storage = params.get("storage")
    if storage and storage["default"]:
        if storage["host"]:
            raise InputError("storage: 'default: true' and 'host' exclude each other. Keep the one that you mean.")
        storage = {"default": True}
    elif storage:
        storage = login_of(storage, params["login_timeout"])
    return functools.partial(sdk.ask, login=login, storage=storage, timeout=params["timeout"])


def login_of(params, timeout):
    login = dict((name, params[name]) for name in ("host", "port", "username", "password", "security_level"))
    return dict(login, timeout=timeout)


class Logbook:
    """Lines for the target host's system log, unless the task or the host's configuration forbids it."""

    def __init__(self, module):
        self._module = module

    def write(self, text):
        if not self._module.no_log:
            self._module.log(text)
