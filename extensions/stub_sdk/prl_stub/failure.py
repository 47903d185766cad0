# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the server refuses."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.numbers import code_of


class ServerFailure(Exception):
    """An operation that ends with an error code.

    ``details`` become the error event's vm_message_param_0 ...; ``event`` False means that the answer carries no
    error event, so that the client's PrlSDKError.err_obj is None (true of a refused login).
    """

    def __init__(self, symbol, details=(), event=True):
        super(ServerFailure, self).__init__(symbol)
        self.symbol = symbol
        self.code = code_of(symbol)
        self.details = tuple(details)
        self.event = event
