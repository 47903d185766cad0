# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's cycle collector, held still while many small objects are made."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

#: From this number of new objects on, a visit of all of them takes longer than it is worth.
MANY = 100_000
#: Somebody who freezes has a whole heap frozen, which is thousands of objects. Python 3.12 itself begins with a few hundred.
FEW_FROZEN = 1000


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Without the collector for a while. A plan makes no cycles, and visiting its growing heap again and again doubles the time.

    Nor is the heap of a large plan visited once at the end: freezing and unfreezing makes all that is there old. Unless somebody else has
    frozen objects, who would not have them thawed. After a small plan this is left alone, because it also makes the young garbage of the
    program old and resets the collector's counts: a program that makes one small plan after the other would never be collected.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if gc.get_count()[0] >= MANY and gc.get_freeze_count() < FEW_FROZEN:
                gc.freeze()
                gc.unfreeze()
            gc.enable()
