# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text on both Python lines: inside the stub every string is ``str`` (UTF-8 bytes on Python 2, as the binding gives)."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import json
import os
import sys

PY2 = sys.version_info[0] == 2


def to_str(value):
    """``value`` as ``str``, whatever kind of string it is; None stays None."""
    if PY2:
        return value.encode("utf-8") if isinstance(value, type(u"")) else value
    return value.decode("utf-8") if isinstance(value, bytes) else value


def dumps(value):
    """JSON text, stable for the same value."""
    return json.dumps(value, sort_keys=True)


def loads(text):
    """The value of JSON text with every string as ``str``."""
    return _strings(json.loads(text)) if PY2 else json.loads(text)


def _strings(value):
    if isinstance(value, dict):
        return dict((_strings(key), _strings(item)) for key, item in value.items())
    if isinstance(value, list):
        return [_strings(item) for item in value]
    return to_str(value)


def new_uuid():
    """A random UUID as the server writes it, with braces."""
    digits = binascii.hexlify(os.urandom(16)).decode("ascii")  # the uuid module costs more to import than all of this
    third, fourth = "4" + digits[13:16], "89ab"[int(digits[16], 16) % 4] + digits[17:20]
    return str("{%s-%s-%s-%s-%s}" % (digits[:8], digits[8:12], third, fourth, digits[20:]))


def braced(text):
    """A UUID typed by a person, with or without braces, in the server's form."""
    return text if text.startswith("{") else "{%s}" % text
