# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of a fixed set of random inputs, recorded: a change of the engine's code that changes a plan shows here.

Where a plan is meant to change, raise ``ENGINE`` of the digest and record again with ``python -m tests.unit.plugins.plugin_utils.retention.test_corpus``
from the top of the checkout (with the collection on ``PYTHONPATH``). ``plan_of(number)`` gives one plan, to compare between two checkouts.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import random

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans

from . import strategies

RECORDED = pathlib.Path(__file__).with_name("corpus.json")
CASES = 400


def inputs_of(number):
    """The arguments of one plan; the same ones in every Python."""
    chance = random.Random(number)
    zone = chance.choice(sorted(strategies.TURNS))
    now = (
        _time.parse_instant(strategies.TURNS[zone])
        + chance.choice([0, strategies.HOUR, strategies.DAY, 40 * strategies.DAY])
        + chance.randint(-7200, 7200)
    )
    vms = ["{a%d}" % vm for vm in range(chance.randint(1, 4))]
    trees = [
        strategies.some_tree(
            chance, now, uuid, [chance.randint(1, 6) for chain in range(chance.randint(0, 6))], True, True, True
        )
        for uuid in vms
    ]
    overrides = [
        {"name": "own", "match": {"uuid": chance.choice(vms)}, "policy": _policy(chance, zone, guards=True)},
        {"name": "glob", "match": {"name": "vm-{a[12]}"}, "policy": {"last": chance.randint(1, 3)}},
    ]
    return {
        "backup_trees": trees,
        "policy": _policy(chance, zone, guards=chance.random() < 0.5),
        "now": now,
        "overrides": overrides[: chance.choice([0, 0, 1, 2])],
        "exclude": [{"uuid": vms[-1]}] if chance.random() < 0.1 else [],
        "retired": [{"uuid": chance.choice(vms)}] if chance.random() < 0.3 else [],
        "reasons": chance.choice(["all", "all", "kept", "none"]),
    }


def _policy(chance, zone, guards):
    names = sorted({chance.choice(strategies.COUNTED + strategies.LASTING) for rule in range(chance.randint(1, 4))})
    return {
        **strategies.some_options(chance, guards=guards),
        **{name: strategies.some_rule(chance, name) for name in names},
        "timezone": zone,
    }


def plan_of(number):
    """The plan of one case, as JSON with sorted keys."""
    return json.dumps(make_plans(**inputs_of(number)), sort_keys=True, indent=1)


def _recorded(number):
    return hashlib.sha256(plan_of(number).encode("ascii")).hexdigest()[:16]


def test_plans_are_the_recorded_ones_to_the_letter():
    recorded = json.loads(RECORDED.read_text(encoding="ascii"))
    assert len(recorded) == CASES
    assert [number for number in range(CASES) if _recorded(number) != recorded[number]] == []


def test_the_corpus_has_every_verdict_and_nearly_every_reason_in_it():
    codes, verdicts, statuses = set(), set(), set()
    for number in range(CASES):
        for vm in make_plans(**inputs_of(number))["vms"]:
            statuses.add(vm["status"])
            for backup in vm["backups"]:
                verdicts.add(backup["verdict"])
                codes.update(reason["code"] for reason in backup["reasons"])
    assert verdicts == {"keep", "remove", "refused"}
    assert statuses == {"nothing", "planned", "retired", "refused"}
    assert codes >= {
        "rule",
        "needed_by",
        "tail",
        "active_chain",
        "grace",
        "future",
        "broken",
        "retired",
        "superseded",
        "older_than",
        "oldest",
        "beyond_count",
    }


if __name__ == "__main__":
    RECORDED.write_text(json.dumps([_recorded(number) for number in range(CASES)], indent=0) + "\n", encoding="ascii")
