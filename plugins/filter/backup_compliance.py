# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``backup_compliance``; its documentation is in ``backup_compliance.yml``."""

from __future__ import annotations

import time

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined

#: Stands for the findings that are violations unless others are named.
_USUAL = object()


def backup_compliance(vms, backup_trees=None, objective=None, now=None, overrides=None, exclude=None, fail_on=_USUAL, templates=False, node=None, damaged=None):
    """Hold VMs and their backups against objectives; the only place that reads the clock, if ``now`` is not given."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance.check import check

    given = {"vms": vms, "backup_trees": backup_trees, "objective": objective, "now": now, "overrides": overrides, "exclude": exclude}
    given.update(templates=templates, node=node, damaged=damaged)
    if fail_on is not _USUAL:
        given["fail_on"] = fail_on
    try:
        for name, value in given.items():
            refuse_undefined(value, name)
        given["now"] = int(time.time()) if now is None else now
        return check(**given)
    except InputError as error:
        raise AnsibleFilterError("backup_compliance: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"backup_compliance": backup_compliance}
