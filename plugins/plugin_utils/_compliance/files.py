# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a check as files: JSON for programs, JUnit for CI, metrics for Prometheus. Text in, text out.

JSON and JUnit have no time of the check and no ages in them, so that they change only when the result does. A check that could not be made is
a result, too: ``error`` says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable

#: What XML cannot hold, and what a terminal would obey.
_UNPRINTABLE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb\\ufffe\\uffff]"
)


def as_json(host: str, result: dict[str, Any] | None, error: str | None = None) -> str:
    """What was found of every VM. ASCII: names may hold what a terminal obeys."""
    if result is None:
        told = {"host": host, "compliant": False, "error": error}
    else:
        told = {
            "host": host,
            **{key: result[key] for key in ("compliant", "totals", "findings", "unused", "vms", "orphans")},
        }
    return json.dumps(told, indent=4) + "\n"


# --- JUnit ------------------------------------------------------------------------------------------------------------------


def as_junit(host: str, result: dict[str, Any] | None, error: str | None = None) -> str:
    """One suite for the node, one case for each VM, container, orphan and finding of the node."""
    suites = ElementTree.Element("testsuites")
    if result is None:
        suite = _element(suites, "testsuite", name=host, tests=1, failures=0, errors=1, skipped=0)
        _element(_element(suite, "testcase", classname=host, name="check"), "error", type="error", message=error)
    else:
        of_node = [*result["findings"], *result["orphans"]]
        failed = result["totals"]["status"]["violation"] + sum(one["severity"] == "violation" for one in of_node)
        skipped = result["totals"]["status"]["excluded"]
        suite = _element(
            suites,
            "testsuite",
            name=host,
            tests=len(of_node) + len(result["vms"]),
            failures=failed,
            errors=0,
            skipped=skipped,
        )
        for finding in result["findings"]:
            _case(suite, host, finding["code"], [finding])
        for vm in result["vms"]:
            case = _case(
                suite, "%s.%s" % (host, vm["vm"]["type"] or ""), vm["vm"]["name"] or vm["vm"]["uuid"], vm["findings"]
            )
            if vm["status"] == "excluded":
                _element(case, "skipped")
        for orphan in result["orphans"]:
            _case(
                suite, "%s.orphan" % host, orphan["vm"]["name"] or orphan["vm"]["uuid"], [{"code": "orphan", **orphan}]
            )
    ElementTree.indent(suites, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n%s\n' % ElementTree.tostring(suites, encoding="unicode")


def _case(suite: ElementTree.Element, classname: str, name: str, findings: list[dict[str, Any]]) -> ElementTree.Element:
    case = _element(suite, "testcase", classname=classname, name=name)
    violations, notices = (
        [one for one in findings if one["severity"] == severity] for severity in ("violation", "notice")
    )
    if violations:
        _element(case, "failure", type=violations[0]["code"], message="; ".join(one["message"] for one in violations))
    if notices:
        _element(case, "system-out").text = _plain("; ".join(one["message"] for one in notices))
    return case


def _element(parent: ElementTree.Element, tag: str, **attributes: Any) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, {name: _plain(value) for name, value in attributes.items()})


def _plain(value: Any) -> str:
    return _UNPRINTABLE.sub("?", "" if value is None else str(value))


# --- metrics ----------------------------------------------------------------------------------------------------------------

_METRICS = {
    "success": "Whether the check could be made.",
    "timestamp_seconds": "When the check was made, in seconds since 1970.",
    "compliant": "Whether the host complies.",
    "orphans": "VMs without a registration here whose backups this node made.",
    "vm_compliant": "Whether the VM or container complies.",
    "vm_newest_timestamp_seconds": "When the newest restorable backup was made, in seconds since 1970.",
    "vm_newest_age_seconds": "Age of the newest restorable backup when the check was made.",
    "vm_backups": "Backups of the VM or container.",
    "vm_chain_length": "Backups in the chain of the newest restorable one.",
    "vm_findings": "Findings of a VM or container, by code and severity.",
}
_PREFIX = "prl_backup_compliance_"


def as_metrics(host: str, result: dict[str, Any] | None, now: int) -> str:
    """OpenMetrics, which node_exporter's textfile collector reads as well. All are gauges."""
    samples: dict[str, list[str]] = {name: [] for name in _METRICS}
    for name, labels, value in _samples(result, now):
        text = ",".join('%s="%s"' % (key, _label(one)) for key, one in {"host": host, **labels}.items())
        samples[name].append("%s%s{%s} %d\n" % (_PREFIX, name, text, value))
    told = []
    for name, lines in samples.items():
        if lines:
            told.append("# HELP %s%s %s\n# TYPE %s%s gauge\n" % (_PREFIX, name, _METRICS[name], _PREFIX, name))
            told += lines
    return "".join(told) + "# EOF\n"


def _samples(result: dict[str, Any] | None, now: Any) -> Iterator[tuple[str, dict[str, str], int]]:
    yield "success", {}, result is not None
    yield "timestamp_seconds", {}, now
    yield "compliant", {}, bool(result and result["compliant"])
    if result is None:
        return
    yield "orphans", {}, len(result["orphans"])
    for vm in result["vms"]:
        if vm["status"] != "excluded" and vm["vm"]["uuid"]:
            yield from _of_vm(vm, now)


def _of_vm(vm: dict[str, Any], now: Any) -> Iterator[tuple[str, dict[str, str], int]]:
    labels = {"uuid": vm["vm"]["uuid"], "name": vm["vm"]["name"] or "", "type": vm["vm"]["type"] or ""}
    yield "vm_compliant", labels, vm["status"] != "violation"
    if vm["newest"]:
        made = _time.parse_instant(vm["newest"]["created"])
        yield "vm_newest_timestamp_seconds", labels, made
        yield "vm_newest_age_seconds", labels, max(now - made, 0)
    if vm["backups"] is not None:
        yield "vm_backups", labels, vm["backups"]
    if vm["chain"]:
        yield "vm_chain_length", labels, vm["chain"]["length"]
    for finding in _distinct(vm["findings"]):
        yield "vm_findings", {**labels, "code": finding["code"], "severity": finding["severity"]}, 1


def _distinct(findings: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return {finding["code"]: finding for finding in findings}.values()


def _label(value: str) -> str:
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')
