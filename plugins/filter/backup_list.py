# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``backup_list``; its documentation is in ``backup_list.yml``."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined


def backup_list(backup_trees):
    """One flat dictionary for each backup of ``backup_trees``."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.listing import backup_list as flat_list

    try:
        refuse_undefined(backup_trees, "backup_trees")
        return flat_list(backup_trees)
    except InputError as error:
        raise AnsibleFilterError("backup_list: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"backup_list": backup_list}
