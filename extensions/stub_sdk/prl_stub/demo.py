# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A realistic node, made by rule: the same arguments give the same backups."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import random
import time
import uuid

from prl_stub import clock, vms
from prl_stub.shelf import ITEM, add_chain, ensure_catalogue
from prl_stub.tree import escape, join_disks

FULL, INCREMENTAL = 2048, 4096
WEEK, DAY = 7 * 86400, 86400
SEED = 20240229
OWN_DIRECTORY = "/mnt/backup/erp"

# name, kind (VmType in the tree), state
NODE = (
    [("web-%02d" % number, 0, "running") for number in range(1, 7)]
    + [(name, 0, "running") for name in ("db-primary", "db-replica", "mail", "dns-1", "dns-2", "gitlab", "registry")]
    + [(name, 0, "running") for name in ("monitoring", "logs", "ldap", "vpn", "files", "wiki", "crm", "erp")]
    + [("billing & invoices", 0, "running"), ("staging-web", 0, "stopped"), ("staging-db", 0, "suspended")]
    + [("decommissioned-win2008", 0, "gone"), ("fresh-install", 0, "running")]
    + [("ct-proxy", 2, "running"), ("ct-cache", 2, "running"), ("ct-cron", 2, "stopped"), ("ct-build", 2, "running")]
)


def build(store, server, now=None, weeks=10, count=None, increments=6, node=None, seed=SEED):
    """Fill a server; returns (VMs, backups). ``count`` makes that many plain VMs instead of the named ones.

    ``node`` has the VMs and made the backups, which lie on ``server``; the same one if it is not given.
    """
    now = int(time.time()) if now is None else now
    owner = node or server
    source = random.Random(seed)
    machines = NODE if count is None else [("vm-%04d" % number, 0, "running") for number in range(1, count + 1)]
    made = 0
    with store.write() as db:
        for position, (name, kind, state) in enumerate(machines):
            made += _machine(db, server, owner, source, position, name, kind, state, now, weeks, increments)
    return len(machines), made


def _uuid(source):
    return "{%s}" % uuid.UUID(int=source.getrandbits(128), version=4)


def _machine(db, server, owner, source, position, name, kind, state, now, weeks, increments):
    vm_uuid = _uuid(source)
    directory = OWN_DIRECTORY if name == "erp" else ""
    if state != "gone":
        vms.add(db, owner["name"], name, vm_uuid, vms.CT if kind else vms.VM, state, directory=directory)
    if name == "fresh-install":
        return 0
    folder = directory or server["directory"]
    catalogue = ensure_catalogue(db, server["name"], folder, kind, vm_uuid, name)
    made = 0
    # Fulls on the same night of the week, the youngest within the last days; nightly increments between them.
    newest = now - DAY - now % DAY + 3 * 3600 + position * 420
    for week in range(weeks, 0, -1):
        start = newest - (week - 1) * WEEK - 3 * DAY
        if state == "gone":
            start -= 12 * WEEK  # its last backup is about as old as its removal
        numbers = [number for number in range(2, increments + 2) if start + (number - 1) * DAY <= now]
        made += _chain(db, owner, source, catalogue, name, vm_uuid, start, numbers, week)
    return made


def _chain(db, owner, source, catalogue, name, vm_uuid, start, numbers, week):
    chain_uuid = _uuid(source)
    last = numbers[-1] if numbers else 0
    if name == "gitlab":
        numbers = [number for number in numbers if number not in (3, 5)]  # removed one by one: gaps
    promoted = name == "registry" and week == 3 and numbers
    if promoted:
        numbers = numbers[1:] if numbers[0] != 2 else numbers  # the head went with the keep-chain flag
    size = source.randrange(8, 90) * 10 ** 9
    chain = add_chain(db, catalogue, chain_uuid, last)
    items = [] if promoted else [(1, chain_uuid, size, start, "weekly full", FULL)]
    for number in numbers:
        when = start + (number - 1) * DAY
        items.append(
            (number, "%s.%d" % (chain_uuid, number), source.randrange(10**8, 3 * 10**9), when, "nightly", INCREMENTAL)
        )
    disks = [("harddisk.hdd", "/vz/vmprivate/%s/harddisk.hdd" % vm_uuid.strip("{}"), 64 << 30, "")]
    if name.startswith("db-"):
        disks.append(("data.hdd", "/vz/vmprivate/%s/data.hdd" % vm_uuid.strip("{}"), 256 << 30, ""))
    db.executemany(
        ITEM,
        [
            _row(chain, owner, source, number, backup_id, size, when, text, flags, disks)
            for number, backup_id, size, when, text, flags in items
        ],
    )
    return len(items)


def _row(chain, owner, source, number, backup_id, size, when, text, flags, disks):
    stamp = clock.stamp(when + source.randrange(60))
    middle = "" if number == 1 else ".%d" % number
    files = "\n".join("%s%s.qcow2" % (disk[0], middle) for disk in disks)
    return (
        chain,
        number,
        backup_id,
        escape(owner["host"]),
        owner["uuid"],
        stamp,
        "root",
        size,
        text,
        files,
        0,
        0,
        flags,
        join_disks(disks),
    )
