# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault "the binding cannot be imported", with the noise that the real one makes on standard output."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prlsdkapi import _trouble
from prlsdkapi._runtime import RUNTIME


def check():
    """Fail, hang, crash or print as a fault on ``import`` says. An import is not logged: it reaches no server."""
    store = RUNTIME.open_store()
    if store is None or not store.row("SELECT 1 FROM faults WHERE call = 'import'"):
        return
    for action, value in _trouble.strike(RUNTIME.note("import", {}, request=False)):
        if action == "fail":
            message = value or "binding built for another Python"
            print("Cannot import module prlsdkapi.prlsdk: %s" % message)
            raise ImportError(message)
