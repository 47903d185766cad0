# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_plan``; its documentation is in ``retention_plan.yml``."""

from __future__ import annotations

import time

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined


def retention_plan(backup_trees, policy=None, now=None, reasons="all", damaged=None):
    """What ``policy`` keeps and removes of ``backup_trees``; the only place that reads the clock, if ``now`` is not given."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan

    try:
        refuse_undefined(backup_trees, "backup_trees")
        refuse_undefined(policy, "policy")
        refuse_undefined(now, "now")
        refuse_undefined(damaged, "damaged")
        return make_plan(backup_trees, policy, int(time.time()) if now is None else now, reasons, damaged)
    except InputError as error:
        raise AnsibleFilterError("retention_plan: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"retention_plan": retention_plan}
