# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of getters: calls that read what the client has already, so that they are not logged."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import functools

from prl_stub import faults
from prlsdkapi import _trouble
from prlsdkapi._error import fail
from prlsdkapi._runtime import RUNTIME


def getter(method):
    """A method without arguments that fails, or returns None as a call that the build has not implemented, where a fault says so."""

    @functools.wraps(method)
    def called(self):
        value = method(self)
        store = RUNTIME.store
        if store is None or not store.row("SELECT 1 FROM faults WHERE call = ?", (method.__name__,)):
            return value
        with store.write() as db:
            fired = faults.fire(db, method.__name__, {})
        for action, symbol in _trouble.strike(fired):
            if action == "fail":
                fail(symbol)
            if action == "unimplemented":
                return None
        return value

    return called
