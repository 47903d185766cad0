# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_report``; its documentation is in ``retention_report.yml``."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._packed import unpack
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import make_page
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined

SILENT = "This run has no report of the host. It could not be reached, it failed before the role began, or its turn had not come yet."


def retention_report(report):
    """What the templates of the retention report draw."""
    try:
        refuse_undefined(report, "report")
        if isinstance(report.get("hosts"), list):
            hosts = list(map(unpack, report["hosts"]))
            report = dict(report, hosts=hosts + _silent(hosts, report.get("expected") or []))
        return make_page(report)
    except InputError as error:
        raise AnsibleFilterError("retention_report: %s" % error) from error


def _silent(hosts, expected):
    """A place on the page for each host that was expected and of which there is nothing, so that nobody takes its silence for a good end."""
    heard = {host.get("host") for host in hosts}
    return [{"host": str(name), "status": "no report", "message": SILENT, "plan": None, "applied": None} for name in expected if name not in heard]


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"retention_report": retention_report}
