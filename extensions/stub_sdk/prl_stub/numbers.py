# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's names and numbers, read once from compact JSON (a Python file of this size would compile slowly)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os

_DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def _load(name):
    with open(os.path.join(_DATA, name)) as stream:
        return dict((str(key), value) for key, value in json.load(stream).items())


CONSTS = _load("consts.json")
ERRORS = _load("errors.json")  # signed, as in the vendor's module; codes that a caller sees are unsigned


def code_of(symbol):
    """The unsigned code of ``PRL_ERR_...``: what PrlSDKError.error_code and Job.get_ret_code() hold."""
    return ERRORS[symbol] & 0xFFFFFFFF


def symbols():
    """Unsigned code -> name; where two names share a code the first in the alphabet wins."""
    names = {}
    for name in sorted(ERRORS, reverse=True):
        names[ERRORS[name] & 0xFFFFFFFF] = name
    return names
