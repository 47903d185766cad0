# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What repeats is worked out once: a dictionary that fills itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Memo(dict):
    """Works a missing value out from its key, once. A look-up of a known key costs what that of any dictionary does."""

    def __init__(self, compute: Callable[[Any], Any]):
        super().__init__()
        self._compute = compute

    def __missing__(self, key):
        self[key] = value = self._compute(key)
        return value
