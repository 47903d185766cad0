# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of docs/retention.md are computed anew, so that they cannot rot."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import policy as policies
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan

from .strategies import DAY, backup, chain, tree

GUIDE = (pathlib.Path(__file__).resolve().parents[5] / "docs" / "retention.md").read_text(encoding="utf-8")
NOW = _time.parse_instant("2026-09-12T06:00:00Z")
GB = 10**9
FULLS = {"count": 4, "of": "full"}, {"count": 12, "of": "full"}
POLICIES = {
    "A `daily: 7, weekly: 4, monthly: 12`": {"weekly": 4, "monthly": 12},
    "B weekly and monthly `of: full`": {"weekly": FULLS[0], "monthly": FULLS[1]},
    "C as B, `tails: remove`": {"weekly": FULLS[0], "monthly": FULLS[1], "tails": "remove"},
    "D as A, `tails: remove`, `merge: allow`": {"weekly": 4, "monthly": 12, "tails": "remove", "merge": "allow"},
}


def nights():
    """400 nights of one VM, with a full on Sundays."""
    chains = []
    for ago in range(399, -1, -1):
        instant = NOW - 3 * 3600 - ago * DAY
        sunday = _time.to_datetime(instant).isoweekday() == 7
        if sunday or not chains:
            uuid = "{%s}" % _time.format_instant(instant)[:10]
            chains.append(chain(uuid, backup(uuid, 1, instant, size=100 * GB)))
        else:
            chains[-1]["backups"].append(
                backup(chains[-1]["uuid"], len(chains[-1]["backups"]) + 1, instant, size=5 * GB)
            )
    return [tree(*chains)]


def planned(name):
    return make_plan(nights(), {"timezone": "UTC", "max_remove_share": 1.0, "daily": 7, **POLICIES[name]}, NOW)["vms"][
        0
    ]


def row(name):
    vm = planned(name)
    stays = [entry for entry in vm["backups"] if entry["verdict"] == "keep"]
    chosen = sum(any(reason["code"] in ("rule", "oldest") for reason in entry["reasons"]) for entry in stays)
    sizes = vm["bytes"]
    gigabytes = [size // GB for size in (sizes["own"] + sizes["needed"], sizes["needed"], sizes["freed"])]
    cells = (name, chosen, len(stays), len({entry["chain"] for entry in stays}), *gigabytes)
    return "| %s |" % " | ".join(str(cell) for cell in cells)


def line(entry):
    return "%s %-6s %s" % (
        entry["created"][:10],
        "full" if entry["type"] == "full" else "incr.",
        ", ".join(map(words, entry["reasons"])),
    )


def words(reason):
    """A reason as the guide writes it."""
    code, rest = (
        reason["code"],
        {
            key: value
            for key, value in reason.items()
            if key not in ("code", "from", "to", "until", "ids") and value is not None
        },
    )
    if code == "rule":
        return "%(name)s %(rank)d of %(of)d (%(bucket)s)" % reason
    return " ".join([code, *("%s=%s" % item for item in rest.items())])


def reasons():
    return "\n".join(line(entry) for entry in planned("C as B, `tails: remove`")["backups"][:9])


def against():
    vm = planned("C as B, `tails: remove`")
    return line([entry for entry in vm["backups"] if entry["verdict"] == "remove"][0])


@pytest.mark.parametrize("name", list(POLICIES))
def test_the_table_of_the_guide_is_what_the_engine_computes(name):
    assert row(name) in GUIDE


def test_the_reasons_of_the_guide_are_those_of_the_engine():
    assert reasons() in GUIDE
    assert against() in GUIDE


@pytest.mark.parametrize("written", re.findall(r"policy: (\{.*\})", GUIDE))
def test_the_policies_of_the_guides_examples_are_valid(written):
    assert policies.read(yaml.safe_load(written)).timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    "written", re.findall(r"^\| [^|]*\| ([^|]*) \|[^|]*\|$", GUIDE.split("## The same policy")[1], re.MULTILINE)[2:]
)
def test_every_policy_of_the_comparison_is_valid(written):
    keys = yaml.safe_load("{%s}" % ", ".join(part for part in re.findall(r"`([^`]*)`", written) if ": " in part))
    assert policies.read({"timezone": "UTC", "last": 1, "tags_pattern": "#(.*)", **keys})
