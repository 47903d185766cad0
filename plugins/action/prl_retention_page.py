# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the HTML page of the reports of many hosts. The documentation is in ``plugins/modules/prl_retention_page.py``."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils import _report_files
from ansible_collections.prlsdk.core.plugins.plugin_utils._action import ControllerAction, Failed
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.html import render
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.page import NO_REPORT


class ActionModule(ControllerAction):
    """The action behind the task ``prlsdk.core.prl_retention_page``."""

    OPTIONS = {
        "report_dir": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "compliance_dir": {"type": "str", "default": ""},
        "since": {"type": "str"},
        "title": {"type": "str", "default": "Backup retention"},
    }

    def conduct(self) -> dict[str, Any]:
        """Read the reports of the hosts, and write the page beside them."""
        options = self.options
        if not options["report_dir"]:
            raise Failed("report_dir is empty. Name the folder that has the reports.")
        since = self._since(options["since"])
        folder = _report_files.ReportFolder(options["report_dir"])
        path = folder.path + "/index.html"
        hosts = list(dict.fromkeys(options["hosts"]))
        self.compliance = self._compliance(hosts)
        reports = [report for report in (self._report(folder, host, since) for host in hosts) if report]
        try:
            folder.prepare()
            _report_files.write(path, self._page(reports, hosts))
        except OSError as error:
            raise Failed(
                "%s: the page of all hosts could not be written to %s: %s."
                % (self.option("report_dir"), path, error.strerror or error)
            ) from error
        there = {report["host"] for report in reports if report.get("status") != NO_REPORT}
        without = [host for host in hosts if host not in there]
        if not self.ad_hoc:
            self.tell("The page of all hosts: %s" % path)
        return {"changed": False, "page": path, "hosts_without_report": without}

    def _compliance(self, hosts: list[str]) -> dict[str, Any]:
        """By host the reports of prl_backup_compliance that are there and can be read."""
        if not self.options["compliance_dir"]:
            return {}
        folder = _report_files.ReportFolder(self.options["compliance_dir"])
        if folder.path == _report_files.ReportFolder(self.options["report_dir"]).path:
            raise Failed(
                "%s and %s are the same folder, where the reports of retention and compliance would replace each other. Give each its own."
                % (self.option("compliance_dir"), self.option("report_dir"))
            )
        found = {}
        for host in hosts:
            try:
                report = json.loads(_report_files.read(folder.of_host(host, ".json")) or "null")
                if report is not None:
                    render({"hosts": [{"host": host}]}, (), {host: report})
                    found[host] = report
            except BROKEN:
                found[host] = {"error": "The report of the compliance check cannot be read."}
        return found

    def _since(self, text: Any) -> int | None:
        if not text:
            return None
        try:
            return _time.parse_instant(text)
        except InputError as error:
            raise Failed(self.placed(error, "since")) from error

    @staticmethod
    def _report(folder: Any, host: str, since: int | None) -> dict[str, Any] | None:
        """A host's report; None if there is none of this run."""
        path = folder.of_host(host, ".json")
        try:
            report = json.loads(_report_files.read(path) or "null")
            if report is None or (since is not None and _time.parse_instant(report["started"]) < since):
                return None
            return dict(report, host=host)
        except BROKEN as error:
            return _unreadable(host, error)

    def _page(self, reports: list[dict[str, Any]], hosts: list[str]) -> str:
        head = {"title": self.options["title"], "generated_at": _time.format_instant(time.time())}
        try:
            return render(dict(head, hosts=reports), hosts, self.compliance)
        except BROKEN:
            # A report that cannot be drawn must not cost the other hosts their page.
            for place, report in enumerate(reports):
                try:
                    render(dict(head, hosts=[report]))
                except BROKEN as error:
                    reports[place] = _unreadable(report["host"], error)
            return render(dict(head, hosts=reports), hosts, self.compliance)


#: What a report that is not one of ours, or was damaged, makes of the code that reads it.
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, InputError)


def _unreadable(host: str, error: Any) -> dict[str, Any]:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return {
        "host": host,
        "status": NO_REPORT,
        "message": "The report of the host cannot be read: %s." % said.rstrip("."),
    }
