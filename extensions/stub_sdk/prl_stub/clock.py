# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's clock, and how long its operations take."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import calendar
import time

FORM = "%Y-%m-%d %H:%M:%S"


def now(store):
    """Seconds since the epoch as the server has them; `set clock` moves them."""
    return time.time() + float(store.setting("clock", 0))


def stamp(seconds):
    """The tree's form of an instant: UTC without a zone."""
    return time.strftime(FORM, time.gmtime(seconds))


def instant(text):
    """Seconds since the epoch of the tree's form, or of ISO 8601 with T and Z."""
    return calendar.timegm(time.strptime(text.rstrip("Z").replace("T", " "), FORM))


def seconds_for(store, what):
    """How long an operation takes: the setting create_seconds, restore_seconds or remove_seconds."""
    return float(store.setting(what + "_seconds", 0))
