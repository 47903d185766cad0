# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a retention plan costs: time for each backup, growth, memory, against sorting, and through Ansible's templating."""

from __future__ import annotations

import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".ansible" / "collections"

DAY = 86400
NOW = 1789275602
BACKUPS_PER_VM = 100
SIZES = (10_000, 100_000, 1_000_000)
LINEAR_MARK, SORT_MARK = 1.3, 40

POLICY = {
    "timezone": "Europe/Berlin",
    "last": 3,
    "hourly": 24,
    "daily": 7,
    "weekly": 4,
    "monthly": 12,
    "quarterly": 4,
    "yearly": 3,
    "within": "3d",
    "within_daily": "2w",
    "window": "5d",
    "max_remove_share": 1.0,
}


def trees(backups):
    """Nightly backups with a weekly full, 100 to a VM, at a minute of its own for each VM."""
    chance = random.Random(1)
    return [_tree(number, chance.randrange(DAY)) for number in range(backups // BACKUPS_PER_VM)]


def _tree(number, second):
    chains = []
    for night in range(BACKUPS_PER_VM):
        place = night % 7
        if not place:
            chains.append(
                {"uuid": "{%08x-0000-4000-8000-%012x}" % (number, night), "size": 0, "directory": None, "backups": []}
            )
        uuid = chains[-1]["uuid"]
        instant = NOW - (BACKUPS_PER_VM - night) * DAY + second
        chains[-1]["backups"].append(
            {
                "id": "%s.%d" % (uuid, place + 1) if place else uuid,
                "type": "incremental" if place else "full",
                "number": place + 1,
                "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant)),
                "size": 10**9,
                "description": "nightly",
                "creator": "root",
                "host": "node-a",
                "server_uuid": "{5e5e5e5e-0000-4000-8000-000000000001}",
            }
        )
    vm = {
        "uuid": "{%08x-0000-4000-8000-000000000000}" % number,
        "name": "vm-%06d" % number,
        "type": "vm",
        "storage_version": 5,
        "registered": True,
    }
    return {"vm": vm, "omitted": 0, "chains": chains}


def measure(backups):
    """In this process: seconds for a plan, seconds for sorting its instants (the median of several), how far the peak of memory rose in MiB."""
    # Here, because only now is the collection on the path.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan

    inventory = trees(backups)
    instants = _instants(inventory)
    before = _peak()
    started = time.process_time()
    plan = make_plan(inventory, POLICY, NOW)
    planned = time.process_time() - started
    peak = _peak() - before
    assert plan["totals"]["counts"]["remove"] > backups // 4, "the bench is to remove something"
    return planned, statistics.median(_sorting(instants) for each in range(9)), peak


def _sorting(instants):
    started = time.process_time()
    sorted(instants)
    return time.process_time() - started


def _instants(inventory):
    """The same instants as epoch seconds, in no order."""
    import calendar

    found = [
        calendar.timegm(time.strptime(backup["created"], "%Y-%m-%dT%H:%M:%SZ"))
        for tree in inventory
        for chain in tree["chains"]
        for backup in chain["backups"]
    ]
    random.Random(2).shuffle(found)
    return found


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measure_apart(backups, runs=3):
    """Each figure's median of several :func:`measure`, each in a process of its own, so that no run warms or burdens the next one."""
    code = (
        "import json; from tests.bench import bench_retention as bench; print(json.dumps(bench.measure(%d)))" % backups
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(COLLECTIONS), str(ROOT)])}
    command = [sys.executable, "-c", code]
    answers = [
        subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT).stdout
        for run in range(runs)
    ]
    return [statistics.median(figures) for figures in zip(*map(json.loads, answers))]


#: Ways from the gathered trees to a fact, each a template; ``gathered`` is what prl_backup_info is registered in.
WAYS = {
    "the whole plan": "{{ gathered.backup_trees | prlsdk.core.retention_plan(policy, at) }}",
    "the plan, reasons of none": "{{ gathered.backup_trees | prlsdk.core.retention_plan(policy, at, reasons='none') }}",
    "its totals and removals only": "{{ {'totals': plan.totals, 'remove': plan.vms | map(attribute='remove') | flatten(levels=1)} }}",
}

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Read
      ansible.builtin.set_fact:
        gathered: "{{ lookup('ansible.builtin.file', trees) | from_json }}"
    - name: Plan
      when: way | length > 0
      vars:
        plan: "{{ gathered.backup_trees | prlsdk.core.retention_plan(policy, at) }}"
      ansible.builtin.set_fact:
        planned: "WAY"
    - name: Use
      when: way | length > 0
      ansible.builtin.assert:
        that: planned.totals is not defined or planned.totals.counts.remove > 0
"""


def _playbook(folder, backups, way=""):
    """Seconds and peak MiB of a run of ansible-playbook that reads the trees, and plans in one of the WAYS."""
    (folder / "trees.json").write_text(json.dumps({"backup_trees": trees(backups)}))
    (folder / "play.yml").write_text(PLAY.replace("WAY", WAYS.get(way, "")))
    (folder / "values.json").write_text(
        json.dumps({"trees": str(folder / "trees.json"), "policy": POLICY, "at": NOW, "way": way})
    )
    command = [
        "ansible-playbook",
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        "@%s" % (folder / "values.json"),
        str(folder / "play.yml"),
    ]
    # The peak of children is that of the largest one so far: a process between, so that each run is the only child.
    code = (
        "import resource, subprocess, sys, time; started = time.time(); subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(time.time() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "PATH": path}
    answer = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True, env=environment, cwd=folder
    )
    return [float(number) for number in answer.stdout.split()]


def _through_ansible(backups):
    """Print what each of the WAYS costs beyond reading the trees."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        seconds, busy, memory = _playbook(folder, backups)
        print(
            "%d backups through ansible-playbook: %.1f s (%.1f s of processor time) and %.0f MiB to read them"
            % (backups, seconds, busy, memory)
        )
        for way in WAYS:
            took, used, peak = _playbook(folder, backups, way)
            figures = (took - seconds, used - busy, peak - memory, way)
            print(
                "  %6.1f s more (%6.1f s of processor time) and %4.0f MiB more by set_fact for %s" % figures, flush=True
            )


def main(sizes=SIZES, through_ansible=100_000):
    """Print the figures; the marks stand beside them."""
    from tests.bench import marks

    print(
        "retention_plan: %d rules, %d backups to a VM"
        % (sum(key not in ("timezone", "max_remove_share") for key in POLICY), BACKUPS_PER_VM)
    )
    costs = {}
    for backups in sizes:
        planned, sorting, peak = _measure_apart(backups)
        costs[backups] = planned / backups
        print(
            "%9d backups: %6.2f s, %5.1f us for each, %5.0f MiB more at the peak, %4.0f times as long as sorting the instants %s"
            % (
                backups,
                planned,
                costs[backups] * 1e6,
                peak,
                planned / sorting,
                marks.at_most(planned / sorting, SORT_MARK, "retention: plan to sort"),
            )
        )
    growth = costs[max(sizes)] / costs[min(sizes)]
    print(
        "cost for each at %d against %d: %.2f %s"
        % (max(sizes), min(sizes), growth, marks.at_most(growth, LINEAR_MARK, "retention: growth"))
    )
    if through_ansible:
        _through_ansible(through_ansible)


if __name__ == "__main__":
    main()
