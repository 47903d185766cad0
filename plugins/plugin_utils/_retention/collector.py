# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's cycle collector, held still while many small objects are made."""

from __future__ import annotations

import contextlib
import gc


@contextlib.contextmanager
def held():
    """Without the collector for a while. A plan makes no cycles, and visiting its growing heap again and again doubles the time.

    Nor is it visited once at the end: freezing and unfreezing makes all that is there old. Unless somebody else has frozen
    objects, who would not have them thawed.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
