# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m prl_stub``: the administrator's side of the stub."""

from __future__ import absolute_import, division, print_function

import sys

from prl_stub.cli import main

if __name__ == "__main__":
    sys.exit(main())
