# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions were seen to work: tests write it down one by one, and tests/toolchain/support_table.py makes the table of it."""

import json
import pathlib

SEEN = pathlib.Path(__file__).resolve().parents[1] / "build" / "support"


def record(kind, *versions):
    """That a test has passed. ``kind`` is controller (ansible-core, Python), target (ansible-core, Python) or sdk (Python)."""
    SEEN.mkdir(parents=True, exist_ok=True)
    (SEEN / ("-".join((kind, *versions)) + ".json")).write_text(json.dumps([kind, *versions]))


def seen():
    """What was written down: lists of a kind and its versions."""
    return [json.loads(path.read_text()) for path in sorted(SEEN.glob("*.json"))]
