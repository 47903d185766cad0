# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_outcome``; its documentation is in ``retention_outcome.yml``."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.outcome import hold_against
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined


def retention_outcome(plan, backup_trees):
    """What of the plan did not come true."""
    try:
        refuse_undefined(plan, "plan")
        refuse_undefined(backup_trees, "backup_trees")
        return hold_against(plan, backup_trees)
    except InputError as error:
        raise AnsibleFilterError("retention_outcome: %s" % error) from error
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError("retention_outcome: this is not a plan as retention_plan or retention_plans makes it (%r)" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"retention_outcome": retention_outcome}
