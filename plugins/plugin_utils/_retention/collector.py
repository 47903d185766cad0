# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's cycle collector, held still while many small objects are made."""

from __future__ import annotations

import contextlib
import gc


@contextlib.contextmanager
def held():
    """Without the collector for a while. A plan makes no cycles, and visiting its growing heap again and again doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
