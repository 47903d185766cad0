# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode, diff mode and the like mean for a module."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Whether C(--check) predicts the result without changing anything.
  diff_mode:
    description: Whether C(--diff) shows the state before and after.
  idempotent:
    description: Whether a second run with the same arguments reports that nothing changed.
  platform:
    description: Operating systems of the hosts that the module runs on.
    support: full
    platforms: linux, macos
  action_group:
    description: Use C(module_defaults) for C(group/prlsdk.core.prlsdk) to set the connection options once for all modules of the collection.
    support: full
    membership: [prlsdk.core.prlsdk]
"""

    # For modules that only look.
    INFO = r"""
attributes:
  check_mode:
    support: full
    details:
      - This module does not modify state; check mode and normal mode are the same.
  diff_mode:
    support: N/A
    details:
      - This module does not modify state.
  idempotent:
    support: full
    details:
      - This module does not modify state.
"""

    # For actions, which run on the controller and run modules on the target host.
    ACTION = r"""
attributes:
  action:
    description: Whether it runs on the controller.
    support: full
  async:
    description: Whether C(async) is supported.
    support: none
"""
