# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specifications of the modules. Data only: the documentation of each module says what its options mean."""

from ansible.module_utils.basic import env_fallback

# Each of these options falls back to the environment variable.
ENVIRONMENT = {
    "host": "PRL_HOST",
    "port": "PRL_PORT",
    "username": "PRL_USERNAME",
    "password": "PRL_PASSWORD",
    "sdk_python": "PRL_SDK_PYTHON",
    "sdk_path": "PRL_SDK_PATH",
}


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
        "issuer_type": {
            "type": "str",
            "choices": ["virtual_machine", "dispatcher", "io_service", "web_service", "unknown"],
        },
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
        on_damaged={"type": "str", "choices": ["fail", "skip"], "default": "fail"},
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
        "offset": {"type": "int", "default": 0},
    }


def backup_change_options():
    """The options of prl_backup."""
    backup = {"id": {"type": "str", "required": True}, "created": {"type": "str"}, "size": {"type": "int"}}
    entry = dict(
        backup,
        vm={"type": "str"},
        frees={"type": "int"},
        action={"type": "str", "choices": ["chain", "increment", "merge"]},
        removes={"type": "list", "elements": "dict", "options": backup, "default": []},
        allow_remove_last={"type": "bool", "default": False},
    )
    debt = {"vm": {"type": "str", "required": True}, "id": {"type": "str", "required": True}}
    return dict(
        storage_option(),
        state={"type": "str", "choices": ["present", "absent"], "required": True},
        vm={"type": "str"},
        type={"type": "str", "choices": ["full", "incremental"]},
        description={"type": "str"},
        compress={"type": "bool", "default": True},
        max_age={"type": "str"},
        wait={"type": "bool", "default": True},
        backups={"type": "list", "elements": "dict", "options": entry},
        dependents={"type": "str", "choices": ["refuse", "remove"], "default": "refuse"},
        allow_remove_last={"type": "bool", "default": False},
        on_error={"type": "str", "choices": ["stop", "continue"], "default": "stop"},
        debts={"type": "list", "elements": "dict", "options": debt},
        stop_after={"type": "int"},
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
