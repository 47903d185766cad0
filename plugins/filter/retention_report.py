# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_report``; its documentation is in ``retention_report.yml``."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._packed import unpack
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined


def retention_report(report, hosts=None):
    """What the templates of the retention report draw."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import make_page

    try:
        refuse_undefined(report, "report")
        refuse_undefined(hosts, "hosts")
        unpacked = dict(report, hosts=list(map(unpack, report["hosts"]))) if isinstance(report.get("hosts"), list) else report
        return make_page(unpacked, [] if hosts is None else hosts)
    except InputError as error:
        raise AnsibleFilterError("retention_report: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"retention_report": retention_report}
