# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specifications that modules share. Data only: the documentation of each module says what its options mean."""

from typing import Any, Dict

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


def login_options() -> Dict[str, Any]:
    return {
        "host": {"type": "str"},
        "port": {"type": "int"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "security_level": {"type": "str", "choices": ["low", "normal", "high"], "default": "high"},
    }


def connection_options() -> Dict[str, Any]:
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


def storage_option() -> Dict[str, Any]:
    """The argument specification of the documentation fragment prlsdk.core.storage."""
    options = login_options()
    options["default"] = {"type": "bool", "default": False}
    return {
        "storage": {
            "type": "dict",
            "options": options,
        }
    }


def vm_options() -> Dict[str, Any]:
    """Which VMs: the options that prl_vm_info and the gathering of backups share."""
    return {
        "vms": {"type": "list", "elements": "str", "aliases": ["vm"]},
        "types": {"type": "list", "elements": "str", "choices": ["vm", "ct"], "default": ["vm", "ct"]},
        "missing": {"type": "str", "choices": ["ok", "fail"], "default": "ok"},
    }


def backup_options() -> Dict[str, Any]:
    """The argument specification of the documentation fragment prlsdk.core.backups."""
    return dict(
        vm_options(),
        scope={"type": "str", "choices": ["all", "registered"], "default": "all"},
        owner={"type": "str", "choices": ["any", "this_node"], "default": "any"},
        on_damaged={"type": "str", "choices": ["fail", "skip"], "default": "fail"},
        gather={
            "type": "list",
            "elements": "str",
            "choices": ["backups", "summary", "text", "disks", "files", "raw"],
            "default": ["backups", "summary"],
        },
    )


def long_timeout_option() -> Dict[str, Any]:
    """``timeout`` of modules whose work takes hours."""
    return {"type": "int", "default": 14400}
