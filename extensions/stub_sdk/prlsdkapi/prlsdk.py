# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of the vendor's extension module: constants and errors, and the error class once the package is loaded."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import sys
import types

from prl_stub.numbers import CONSTS, ERRORS


def _module(name, numbers):
    module = types.ModuleType("prlsdkapi.prlsdk." + name)
    module.__dict__.update(numbers)
    if sys.version_info[0] == 2:
        # Only the Python 2 binding has these importable by their full name; under Python 3 they are attributes.
        sys.modules[module.__name__] = module
    return module


consts = _module("consts", CONSTS)
errors = _module("errors", ERRORS)
