# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_plans``; its documentation is in ``retention_plans.yml``."""

from __future__ import annotations

import time

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined


def retention_plans(backup_trees, policy=None, now=None, overrides=None, exclude=None, guards=None, damaged=None):
    """What the policies keep and remove of ``backup_trees``; the only place that reads the clock, if ``now`` is not given."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.groups import make_plans

    try:
        refuse_undefined(backup_trees, "backup_trees")
        given = {"policy": policy, "now": now, "overrides": overrides, "exclude": exclude, "guards": guards, "damaged": damaged}
        for name, value in given.items():
            refuse_undefined(value, name)
        for number, override in enumerate(overrides or []):
            refuse_undefined(override, "overrides[%d]" % number)
        return make_plans(backup_trees, policy, int(time.time()) if now is None else now, overrides, exclude, guards, damaged)
    except InputError as error:
        raise AnsibleFilterError("retention_plans: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"retention_plans": retention_plans}
