# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the SDK, and raising it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.numbers import code_of
from prlsdkapi import prlsdk
from prlsdkapi._registry import wrap
from prlsdkapi._runtime import RUNTIME
from prlsdkapi._texts import describe


class PrlSDKError(Exception):
    """A failed call. ``error_code`` is unsigned, unlike the numbers in ``prlsdkapi.prlsdk.errors``."""

    def __init__(self, result, error_code, err_obj):
        RUNTIME.require()  # the vendor's asks the library for the text, which raises when it is not there
        params = [] if err_obj is None else [param.to_string() for param in err_obj]
        message = "SDK error: 0x%.8X: %s %s" % (
            error_code,
            describe(error_code, True, params),
            describe(error_code, False, params),
        )
        Exception.__init__(self, message)
        self.result = result
        self.error_code = error_code
        self.err_obj = err_obj

    def get_result(self):
        return self.result

    def get_details(self):
        return describe(self.error_code, False)


PrlSDKError.__module__ = "prlsdkapi"
prlsdk.PrlSDKError = PrlSDKError


def fail(symbol):
    """Raise a failure of the library itself, which has no error event."""
    code = code_of(symbol)
    raise PrlSDKError(code, code, None)


def fail_with(code, event):
    """Raise a server's answer; ``event`` is a native event or None."""
    raise PrlSDKError(code, code, None if event is None else wrap(event))
