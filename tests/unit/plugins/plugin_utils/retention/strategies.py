# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forests of chains: builders for examples, and hypothesis strategies for anything a server may hold."""

from __future__ import annotations

import copy
import functools
import random

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import Zone
from hypothesis import strategies as st

HOUR, DAY, WEEK = 3600, 86400, 7 * 86400

#: A zone, and an instant near which its clock does something that breaks naive arithmetic.
TURNS = {
    "Europe/Berlin": "2025-10-26T01:00:00Z",
    "America/New_York": "2026-03-08T07:00:00Z",
    "Australia/Lord_Howe": "2026-04-04T15:00:00Z",
    "Asia/Kathmandu": "1985-12-31T18:30:00Z",
    "Pacific/Apia": "2011-12-30T10:00:00Z",
    "America/St_Johns": "2010-11-07T02:31:00Z",
    "UTC": "2026-01-01T00:00:00Z",
}

#: Switches everything off that is not a rule.
BARE = {"grace": "0h", "max_remove_share": 1.0, "max_broken_chains": 1000000}


def backup(chain, number, created, kind=None, size=10, description="", promoted=False, server="{5e}"):
    """A backup as ``prl_backup_info`` returns it; ``created`` in epoch seconds or as text."""
    kind = kind or ("full" if number == 1 or promoted else "incremental")
    return {
        "id": chain if kind == "full" and not promoted else "%s.%d" % (chain, number),
        "type": kind,
        "number": number,
        "created": created if isinstance(created, str) else _time.format_instant(created),
        "size": size,
        "description": description,
        "creator": "root",
        "host": "node-a",
        "server_uuid": server,
    }


def chain(uuid, *backups):
    return {"uuid": uuid, "size": 0, "directory": None, "backups": list(backups)}


def tree(*chains, name="web", uuid="{a1}", storage_version=5, **more):
    vm = {"uuid": uuid, "name": name, "type": "vm", "storage_version": storage_version, "registered": True}
    return {"vm": vm, "omitted": 0, "chains": list(chains), **more}


def singles(instants, name="web", uuid="{a1}", prefix="c"):
    """A VM that has fulls only, with the ids {c0}, {c1}, ..."""
    ids = ["{%s%d}" % (prefix, number) for number in range(len(instants))]
    chains = [chain(identity, backup(identity, 1, instant)) for identity, instant in zip(ids, instants)]
    return tree(*chains, name=name, uuid=uuid)


def verdicts(plan, *which):
    """The ids of all VMs with one of these verdicts."""
    return {entry["id"] for vm in plan["vms"] for entry in vm["backups"] if entry["verdict"] in which}


def kept(plan):
    return verdicts(plan, "keep")


def let_go(plan):
    """What the rules let go, whether or not a guard refused it."""
    return verdicts(plan, "remove", "refused")


def retired(plan):
    """The UUIDs of the VMs that go as a whole, or would if a guard had not refused it."""
    return {
        vm["vm"]["uuid"]
        for vm in plan["vms"]
        for entry in vm["backups"]
        for reason in entry["reasons"]
        if reason["code"] == "retired"
    }


def ids_of_vms(trees, uuids):
    """The ids of the backups of these VMs."""
    return {item["id"] for one in trees if one["vm"]["uuid"] in uuids for item in all_backups([one])}


def entries(plan):
    """Id -> entry, of all VMs."""
    return {entry["id"]: entry for vm in plan["vms"] for entry in vm["backups"]}


def only_kept(trees, plan):
    """The trees as they are once the plan has been carried out."""
    stay = verdicts(plan, "keep", "refused")
    left = []
    for one in trees:
        chains = [
            {**each, "backups": [item for item in each["backups"] if item["id"] in stay]} for each in one["chains"]
        ]
        left.append({**one, "chains": [each for each in chains if each["backups"]]})
    return left


def all_backups(trees):
    return [item for one in trees for each in one["chains"] for item in each["backups"]]


def shuffled(trees, seed):
    """The same trees with trees, chains and backups in another order."""
    trees, chance = copy.deepcopy(trees), random.Random(seed)
    chance.shuffle(trees)
    for one in trees:
        chance.shuffle(one["chains"])
        for each in one["chains"]:
            chance.shuffle(each["backups"])
    return trees


@st.composite
def spans(draw):
    """(zone, duration, instant, since): a duration of up to four units, and an instant that ends it near a turn of the clock or near a month's end."""
    zone = draw(_ZONES)
    chance = random.Random(draw(_SEEDS))
    return (zone, *some_span(chance, zone))


def some_span(chance, zone):
    duration = some_duration(chance)
    turn = _time.parse_instant(
        chance.choice([TURNS[zone], "2026-%02d-01T00:00:00Z" % chance.randint(1, 12), "2024-03-01T00:00:00Z"])
    )
    near = (
        turn
        + chance.choice([0, DAY, -DAY, 3 * DAY, -3 * DAY, 200 * DAY])
        + chance.choice([0, 1, -1, 600, chance.randint(-30 * HOUR, 30 * HOUR)])
    )
    if chance.random() < 0.5:  # else it begins there
        near = Zone(zone).before(near, duration)
    return duration, near, near + chance.choice([0, 0, 1, HOUR, DAY, chance.randint(0, 70 * DAY)])


def some_duration(chance):
    """A duration that mixes units, and is not longer than about half a year."""
    months, weeks, days, hours, minutes = (chance.choice([0, 0, 1, most]) for most in (5, 3, 15, 36, 90))
    return (
        Duration(0, months, weeks, days, hours, minutes)
        if months or weeks or days or hours or minutes
        else Duration(0, 1, 0, 15, 0, 0)
    )


# What shrinks well is drawn: the zone, the shape of the forest, the names of the rules. The rest comes from one seed,
# because hundreds of draws for each example would take most of the suite's time.
_ZONES = st.sampled_from(sorted(TURNS))
_SEEDS = st.integers(0, 2**32)
_SHAPES = {vms: st.lists(st.lists(st.integers(1, 5), max_size=5), min_size=1, max_size=vms) for vms in (1, 2, 3)}


@st.composite
def scenes(draw, max_vms=2, future=True, broken=True, pins=True):
    """(trees, zone, now): a few VMs around a turn of their zone's clock, with all that a server may hold."""
    zone = draw(_ZONES)
    shape = draw(_SHAPES[max_vms])
    chance = random.Random(draw(_SEEDS))
    now = (
        _time.parse_instant(TURNS[zone]) + chance.choice([0, HOUR, DAY, 40 * DAY]) + chance.randint(-2 * HOUR, 2 * HOUR)
    )
    trees = [
        some_tree(chance, now, "{a%d}" % number, lengths, future, broken, pins) for number, lengths in enumerate(shape)
    ]
    return trees, zone, now


def some_tree(chance, now, uuid, lengths, future, broken, pins):
    step = chance.choice([900, HOUR, 6 * HOUR, DAY, 3 * DAY, WEEK, 40 * DAY])
    chains = []
    for number, length in enumerate(lengths):
        name = "{%s-c%d}" % (uuid[1:-1], number)
        moment = now - chance.randrange(12) * step - chance.choice([0, 0, 1, 600, 7200])
        position = chance.choice([1, 1, 1, 1, 3])  # 3: the head went with its chain kept, and this one was promoted
        headless = broken and chance.random() < 0.15
        steps = [0, 1, step // 2, step, step, step]  # ties, too
        if chance.random() < 0.1:
            steps += [-step // 2, -step]  # the clock was set back
        members = []
        for place in range(length):
            kind = "full" if place == 0 and not headless else "incremental"
            members.append(
                backup(
                    name,
                    position,
                    moment if future else min(moment, now),
                    kind,
                    size=chance.randrange(100),
                    description="keep"
                    if pins and chance.random() < 0.05
                    else chance.choice(["", "", "", "#red", "#red #blue"]),
                    promoted=position > 1,
                )
            )
            moment += chance.choice(steps)
            position += chance.choice([1, 1, 1, 2])
        chains.append(chain(name, *members))
    if future and chance.random() < 0.2:
        chains.append(
            chain("{%s-f}" % uuid[1:-1], backup("{%s-f}" % uuid[1:-1], 1, now + chance.choice([301, DAY, 400 * DAY])))
        )
    one = tree(*chains, name="vm-" + uuid, uuid=uuid, storage_version=chance.choice([5, 5, 3]))
    one["vm"]["registered"] = chance.choice([True, True, False, False, None])
    if chance.random() < 0.5:  # another node has backups of the VM as well
        newest = chance.choice([None, now, now, now - step, now - chance.randrange(12) * step, now + 10**9])
        one["others"] = {"chains": 1, "backups": 3, "newest": newest and _time.format_instant(newest)}
    return one


_DURATIONS = ["90min", "6h", "1d", "3d", "1w", "2w1d", "1mo", "1mo1d", "3mo", "1y", "1y2mo3w4d5h6min"]
_BUCKETS = ("hourly", "daily", "weekly", "monthly", "quarterly", "yearly")
COUNTED = ("last", "chains", *_BUCKETS)
LASTING = ("within", "window", *("within_" + bucket for bucket in _BUCKETS))


def some_rule(chance, name):
    """One rule's value."""
    value = chance.choice(_DURATIONS) if name in LASTING else chance.randint(1, 6)
    if name in ("chains", "within", "window") or chance.random() < 0.5:
        return value
    written = {"duration" if name in LASTING else "count": value, "of": chance.choice(["any", "any", "full"])}
    if name not in LASTING and name != "last":
        written["pick"] = chance.choice(["newest", "newest", "oldest"])
    return written


def some_options(chance, counting=None, anchor=None, guards=False):
    some = {
        "anchor": anchor or chance.choice(["newest", "now"]),
        "counting": counting or chance.choice(["independent", "additional"]),
        "keep_oldest": chance.random() < 0.5,
        "day_start": chance.choice(["00:00", "00:00", "06:00"]),
        "week_start": chance.choice(["monday", "monday", "sunday", "saturday"]),
        "tails": chance.choice(["keep", "remove"]),
        "merge": chance.choice(["never", "allow"]),
        "min_restorable": chance.randint(0, 3),
        "grace": chance.choice(["0h", "24h", "3d"]),
        "remove_broken": chance.random() < 0.5,
        "pin_pattern": "keep",
        "retire_moved_after": chance.choice([0, "1h", "1d", "1w", "1mo1d"]),
        "count_pinned": chance.random() < 0.8,
    }
    if chance.random() < 0.3:
        names = [chance.choice(COUNTED + LASTING) for tag in ("red", "blue")]
        some.update(
            tags_pattern="#([a-z]+)",
            by_tag={tag: {name: some_rule(chance, name)} for tag, name in zip(("red", "blue"), names)},
        )
    return some if guards else {**some, "max_remove_share": 1.0, "max_broken_chains": 1000000}


@st.composite
def rules(draw, names=COUNTED + LASTING, max_size=3):
    """Some rules."""
    chosen = draw(_names(names, max_size))
    chance = random.Random(draw(_SEEDS))
    return {name: some_rule(chance, name) for name in chosen}


@functools.lru_cache
def _names(names, max_size):
    return st.lists(st.sampled_from(names), min_size=1, max_size=max_size)


@st.composite
def options(draw, **how):
    """Everything of a policy but its rules and its zone."""
    return some_options(random.Random(draw(_SEEDS)), **how)


@st.composite
def policies(draw, names=COUNTED + LASTING, **how):
    """A whole policy but for its zone."""
    chosen = draw(_names(names, 3))
    chance = random.Random(draw(_SEEDS))
    return {**some_options(chance, **how), **{name: some_rule(chance, name) for name in chosen}}
