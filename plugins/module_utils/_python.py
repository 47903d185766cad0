# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse a Python that cannot read the rest. This file, and the modules that import it first, parse on Python 2.7."""

import json
import sys

OLDEST = (3, 6)


def require_python3():
    """End the module with a failure that says what to do; called before anything is imported that only a newer Python can parse."""
    if sys.version_info < OLDEST:
        message = (
            "The modules of prlsdk.core need Python %d.%d or later on the target host, and Ansible uses %s there, which is Python %d.%d. "
            "Set 'ansible_python_interpreter' to a newer one (on Virtuozzo 7 the package is python36). The SDK itself may run under Python 2.7."
            % (OLDEST + (sys.executable,) + tuple(sys.version_info[:2]))
        )
        sys.stdout.write(json.dumps({"failed": True, "msg": message}) + "\n")
        raise SystemExit(1)
