# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of error codes: a short and a long one. A code without a text has its name for both, as with the vendor."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.numbers import symbols

_TEXTS = {
    "PRL_ERR_CANT_CONNECT_TO_DISPATCHER": (
        "Unable to connect to Virtuozzo.",
        "The server may be down, or it cannot be reached from here.",
    ),
    "PRL_ERR_HANDSHAKE_FAILED": ("Unable to connect to %1.", "What answers there is not a Virtuozzo server."),
    "PRL_ERR_AUTHENTICATION_FAILED": ("Incorrect user name or password.", "Check both and try again."),
    "PRL_ERR_NOT_CONNECTED_TO_DISPATCHER": ("Not connected to the server.", "The connection to it was lost or closed."),
    "PRL_ERR_WS_DISP_CONNECTION_CLOSED": ("The connection to the server was lost.", "Log in again."),
    "PRL_ERR_TIMEOUT": ("Operation timeout.", "The operation did not end in the time given."),
    "PRL_ERR_OPERATION_WAS_CANCELED": ("Operation canceled.", "The operation was canceled on request."),
    "PRL_ERR_WRONG_CONNECTION_SECURITY_LEVEL": (
        "The security level is too low.",
        "The server wants a higher one.",
    ),
    "PRL_ERR_VM_UUID_NOT_FOUND": ('The virtual machine "%1" was not found.', "It is not registered on this server."),
    "PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND": ('The backup "%1" was not found.', "It may have been removed."),
    "PRL_ERR_BACKUP_BACKUP_NOT_FOUND": ("The backup was not found.", "There is no such backup of this virtual machine."),
    "PRL_ERR_BACKUP_ACCESS_TO_VM_DENIED": ("Access to the virtual machine was denied.", "The reason given is: %2"),
    "PRL_ERR_BACKUP_LOCKED_FOR_READING": ("The backup is being read.", "Try again when that has ended."),
    "PRL_ERR_BACKUP_LOCKED_FOR_WRITING": ("The backup is being written.", "Try again when that has ended."),
}
_SYMBOLS = {}


def symbol_of(code):
    """The name of an unsigned code; a number in hexadecimal when it has none."""
    if not _SYMBOLS:
        _SYMBOLS.update(symbols())
    return _SYMBOLS.get(code, "0x%.8X" % code)


def describe(code, brief, params=()):
    """The short or the long text of a code with %1, %2 ... filled in."""
    symbol = symbol_of(code)
    text = _TEXTS.get(symbol, (symbol, symbol))[0 if brief else 1]
    for number, param in enumerate(params, 1):
        text = text.replace("%%%d" % number, param)
    return text
