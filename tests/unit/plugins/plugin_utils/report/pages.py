# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders for the report's tests: plans of a few VMs, what became of them, and the page."""

from __future__ import annotations

import lxml.html
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.html import render
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan

NOW = "2026-11-22T06:00:00Z"
DAY = 86400
POLICY = {"timezone": "Europe/Berlin", "daily": 7, "max_remove_share": 1.0}


def tree(number=1, name="web", weeks=6, increments=6):
    """A VM with a full each week, of 80 bytes, and an increment each night after it, of 5; the last one at 23:30 UTC, in Berlin the next day."""
    newest = _time.parse_instant(NOW) - 6 * 3600 - 1800
    chains = []
    for week in range(weeks, 0, -1):
        chain = "{%08d-0000-4000-8000-%012d}" % (number, week)
        backups = [
            {
                "id": "%s.%d" % (chain, night + 1) if night else chain,
                "type": "incremental" if night else "full",
                "number": night + 1,
                "created": _time.format_instant(newest - (week * 7 - 1 - night) * DAY),
                "size": 5 if night else 80,
                "description": "",
                "creator": "root",
                "server_uuid": "",
            }
            for night in range(increments + 1)
        ]
        chains.append({"uuid": chain, "backups": backups})
    return {"vm": {"uuid": "{vm-%d}" % number, "name": name, "type": "vm", "storage_version": 5}, "chains": chains}


def plan(*trees, **policy):
    """A plan of these VMs, or of one."""
    return make_plan(list(trees) or [tree()], dict(POLICY, **policy), NOW)


def host(planned, name="node", **more):
    """One host's part of a report."""
    return dict(
        {
            "host": name,
            "started": NOW,
            "finished": NOW,
            "plan": planned,
            "applied": None,
            "status": "planned",
            "message": "",
        },
        **more,
    )


def applied(planned, outcome="removed", **more):
    """What the module says of every step of a plan."""
    return [
        dict(
            {
                "id": step["id"],
                "vm": vm["vm"]["uuid"],
                "outcome": outcome,
                "reason": None,
                "message": None,
                "error": None,
                "removed": [gone["id"] for gone in step["removes"]] if outcome == "removed" else [],
            },
            **more,
        )
        for vm in planned["vms"]
        for step in vm["remove"]
    ]


def report(*hosts):
    return {"title": "Retention", "generated_at": NOW, "hosts": list(hosts)}


def rendered(*hosts, expected=()):
    """The page's elements."""
    return lxml.html.fromstring(render(report(*hosts), expected))


def text(element):
    """All text of an element, spaces made one."""
    return " ".join(element.text_content().split())
