# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and ending the library."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import atexit
import os

from prlsdkapi import _trouble, prlsdk
from prlsdkapi._runtime import RUNTIME

_MODES = {"desktop": "PAM_DESKTOP_MAC", "workstation": "PAM_WORKSTATION", "player": "PAM_PLAYER"}


def set_sdk_library_path(path):
    RUNTIME.library_path = path


def get_sdk_library_path():
    return RUNTIME.library_path


def is_sdk_initialized():
    return RUNTIME.initialized


def _init(call, mode):
    if mode != "server":
        allowed = (RUNTIME.open_store() and RUNTIME.store.setting("modes") or "").split()
        if mode not in allowed:
            # This build of the binding has no such constant, and finds out only here.
            getattr(prlsdk.consts, _MODES.get(mode, "PAM_" + mode.upper()))
    RUNTIME.open_store()
    for action, value in _trouble.strike(RUNTIME.note(call, {}, request=False)):
        if action == "fail":
            # PrlSDKError cannot be made without the library that just failed, so this is a RuntimeError.
            raise RuntimeError(value or "SDK was not initialized")
    if RUNTIME.initialized:
        _reset()  # initialised twice, the Python side says "not initialised" after the next deinit only
    RUNTIME.initialized = True
    RUNTIME.generation += 1
    RUNTIME.pid = os.getpid()


def init_server_sdk():
    _init("init_server_sdk", "server")


def init_desktop_sdk():
    _init("init_desktop_sdk", "desktop")


def init_desktop_wl_sdk():
    _init("init_desktop_wl_sdk", "desktop_wl")


def init_workstation_sdk():
    _init("init_workstation_sdk", "workstation")


def init_player_sdk():
    _init("init_player_sdk", "player")


def _reset():
    for server in list(RUNTIME.servers):
        server.shut()
    RUNTIME.handles.clear()


class _DeinitSDK(object):
    """What ``deinit_sdk`` is: a callable object. A second call does nothing."""

    def __call__(self):
        if not RUNTIME.initialized:
            return
        unsafe = sum(len(server.handlers) for server in RUNTIME.servers)
        connected = sum(server.connection is not None for server in RUNTIME.servers)
        report = {
            "handles": RUNTIME.handles.count(),
            "double_freed": RUNTIME.handles.double_freed,
            "handlers": unsafe,
            "connected": connected,
        }
        fired = _trouble.strike(RUNTIME.note("deinit_sdk", report, request=False))
        deadlock = unsafe and any(action == "deadlock" for action, _value in fired)
        if deadlock or any(server.in_handler() for server in RUNTIME.servers):
            # The library joins its thread with the interpreter's lock held; a callback that wants it never gets it.
            _trouble.hang()
        RUNTIME.initialized = False
        _reset()


deinit_sdk = _DeinitSDK()


@atexit.register
def _at_exit():
    """The interpreter's end drops the connections; the log has only deinit calls that the program made."""
    if RUNTIME.pid == os.getpid():  # a forked child owns none of them
        RUNTIME.initialized = False
        _reset()
