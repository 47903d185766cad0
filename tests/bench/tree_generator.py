# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a backup tree of any size as the vendor's serialiser writes it: ``python tree_generator.py 100000 > tree.xml``.

The text is made chain by chain, so that its size costs no memory. The same arguments give the same text.
"""

from __future__ import annotations

import datetime
import random
import sys
import uuid

CHAIN_LENGTH = 7  # a full and six nightly increments: the week of the usual schedule
START = datetime.datetime(2020, 1, 5, 3, 0, 0)


def _element(out, depth, name, text):
    out.append(f"{' ' * depth}<{name}>{text}</{name}>\n")


def _common(out, depth, rng, item):
    _element(out, depth, "Id", item["id"])
    _element(out, depth, "Host", item["host"])
    _element(out, depth, "ServerUuid", item["server_uuid"])
    _element(out, depth, "DateTime", item["created"].strftime("%Y-%m-%d %H:%M:%S"))
    _element(out, depth, "Creator", "root")
    _element(out, depth, "Size", rng.randrange(10**8, 10**11))


def _after_files(out, depth, item, last_number=None):
    _element(out, depth, "OriginalSize", 0)  # always 0 in this version of the server
    _element(out, depth, "BundlePermissions", 0)
    _element(out, depth, "Flags", 2048 if last_number is not None else 4096)
    if last_number is not None:
        _element(out, depth, "LastNumber", last_number)
    pad = " " * depth
    if not item["disk"]:
        out.append(f'{pad}<BackupDisks dyn_lists=""/>\n')
        return
    out.append(
        f'{pad}<BackupDisks dyn_lists="BackupDisk 1">\n'
        f'{pad} <BackupDisk dyn_lists="" id="0">\n'
        f"{pad}  <Name>harddisk.hdd</Name>\n"
        f"{pad}  <OriginalPath>/vz/vmprivate/{item['vm'][1:-1]}/harddisk.hdd</OriginalPath>\n"
        f"{pad}  <Size>68719476736</Size>\n"
        f'{pad}  <Encryption dyn_lists="">\n'
        f"{pad}   <KeyId></KeyId>\n"
        f"{pad}  </Encryption>\n"
        f"{pad} </BackupDisk>\n"
        f"{pad}</BackupDisks>\n"
    )


def _chain(rng, index, length, vm, disk, servers, start):
    """The text of one BackupItem: a full and ``length - 1`` increments, a day apart."""
    chain = "{%s}" % uuid.UUID(int=rng.getrandbits(128), version=4)
    host, server_uuid = servers[rng.randrange(len(servers))]
    item = {"vm": vm, "disk": disk, "id": chain, "host": host, "server_uuid": server_uuid, "created": start}
    lists = f"TibFileList PartialBackupItem {length - 1}" if length > 1 else "TibFileList"
    out = [f'  <BackupItem dyn_lists="{lists}" id="{index}">\n']
    _element(out, 3, "Uuid", chain)
    _common(out, 3, rng, item)
    _element(out, 3, "Type", "f")
    _element(out, 3, "Description", "weekly full")
    _element(out, 3, "TibFileList", "harddisk.hdd.qcow2")
    for number in range(2, length + 1):
        out.append(f'   <PartialBackupItem dyn_lists="TibFileList" id="{number - 2}">\n')
        increment = dict(
            item,
            id=f"{chain}.{number}",
            created=start + datetime.timedelta(days=number - 1, seconds=rng.randrange(120)),
        )
        _element(out, 4, "Number", number)
        _common(out, 4, rng, increment)
        _element(out, 4, "Type", "i")
        _element(out, 4, "Description", "nightly")
        _element(out, 4, "TibFileList", f"harddisk.hdd.{number}.qcow2")
        _after_files(out, 4, increment)
        out.append("   </PartialBackupItem>\n")
    _after_files(out, 3, item, last_number=length if length > 1 else 0)
    out.append("  </BackupItem>\n")
    return "".join(out)


def generate(backups, vms=200, chain_length=CHAIN_LENGTH, seed=0, servers=5):
    """Yield the text of a tree of exactly ``backups`` backups over ``vms`` VMs, chain by chain.

    Every tenth is a container. Two in five have a disk in their backups and the others none, which makes about 740
    bytes a backup; a tree in which all have one is of about 930.
    """
    rng = random.Random(seed)
    nodes = [
        ("node-%d.example" % number, "{%s}" % uuid.UUID(int=rng.getrandbits(128), version=4))
        for number in range(servers)
    ]
    vms = min(vms, backups)
    if not vms:
        yield '<BackupTree id="-1" dyn_lists="VmItem 0"/>'
        return
    yield f'<BackupTree dyn_lists="VmItem {vms}" id="-1">\n'
    for index in range(vms):
        left = backups // vms + (index < backups % vms)
        lengths = [chain_length] * (left // chain_length) + ([left % chain_length] if left % chain_length else [])
        vm = "{%s}" % uuid.UUID(int=rng.getrandbits(128), version=4)
        container = index % 10 == 9
        out = [f' <VmItem dyn_lists="BackupItem {len(lengths)}" id="{index}">\n']
        _element(out, 2, "VmType", 2 if container else 0)
        _element(out, 2, "Uuid", vm)
        _element(out, 2, "Name", f"{'ct' if container else 'vm'}-{index:05d}")
        _element(out, 2, "Version", 5)
        yield "".join(out)
        start = START + datetime.timedelta(seconds=rng.randrange(3600))
        for number, length in enumerate(lengths):
            yield _chain(rng, number, length, vm, index % 5 < 2, nodes, start)
            start += datetime.timedelta(days=chain_length)
        yield " </VmItem>\n"
    yield "</BackupTree>\n"


def write(path, backups, vms=200, **options):
    """Write the tree to ``path``; return its size in bytes."""
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        return sum(map(stream.write, generate(backups, vms, **options)))


if __name__ == "__main__":
    for piece in generate(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200):
        sys.stdout.write(piece)
