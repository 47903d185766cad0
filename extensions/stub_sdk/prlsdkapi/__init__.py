# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the vendor's Python SDK: the names, signatures and numbers of the real one, and its surprises.

Every public name here is held against the vendor's surface by tests/unit/stub_sdk/test_conformance.py.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prlsdkapi import _importing

_importing.check()

from prlsdkapi import prlsdk  # noqa: E402
from prlsdkapi.prlsdk import consts, errors  # noqa: E402
from prlsdkapi._error import PrlSDKError  # noqa: E402
from prlsdkapi._init import (  # noqa: E402
    deinit_sdk,
    get_sdk_library_path,
    init_desktop_sdk,
    init_desktop_wl_sdk,
    init_player_sdk,
    init_server_sdk,
    init_workstation_sdk,
    is_sdk_initialized,
    set_sdk_library_path,
)
from prlsdkapi._registry import handle_to_object  # noqa: E402
from prlsdkapi._base import _Handle, conv_handle_arg  # noqa: E402
from prlsdkapi._lists import HandleList, Result, StringList  # noqa: E402
from prlsdkapi._event import Event, EventParam  # noqa: E402
from prlsdkapi._job import Job  # noqa: E402
from prlsdkapi._info import ApiHelper, BackupResult, LoginResponse, RunningTask, ServerInfo  # noqa: E402
from prlsdkapi._vm import Vm, VmConfig, VmInfo  # noqa: E402
from prlsdkapi._server import Server  # noqa: E402


def conv_error(err):
    """A signed error constant as the unsigned code that PrlSDKError.error_code holds."""
    return err & 0xFFFFFFFF


del absolute_import, division, print_function
