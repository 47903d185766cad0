# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import table
from ansible_collections.prlsdk.core.plugins.module_utils._backups.query import select
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import Backup, Chain, VmTree

UUID = "{%08x-1111-4111-8111-111111111111}"


def chain(number, increments=0, full=True, **more):
    numbers = [*([1] if full else []), *range(2, increments + 2)]
    backups = [
        Backup(
            id=UUID % number + (".%d" % place if place > 1 else ""),
            type="full" if place == 1 else "incremental",
            number=place,
            created="2026-%02d-%02dT03:00:00Z" % (number, place),
            size=1024**3,
            description="",
            creator="root",
            host="node",
            server_uuid=UUID % 0xA,
        )
        for place in numbers
    ]
    return Chain(UUID % number, tuple(backups), increments + 1, **more)


def drawn(*chains, name="web", registered=True, kind="vm", omitted=0):
    """The line of a VM, and the last line."""
    tree = VmTree(UUID % 1, name, kind, 5, chains, omitted)
    head, line, totals = table.lines([(tree, registered)], select([tree]).summary)
    assert head.index("newest chains") == line.index("2026-") + len("2026-01-01 03:00  ")
    return line, totals


def test_a_line_has_the_counts_and_the_newest_chains_from_left_to_right():
    line, totals = drawn(chain(1, 2), chain(2, 1), chain(3))
    assert line.split() == ["web", "vm", "3", "6", "6.0", "GiB", "2026-03-01", "03:00", "■●●", "■●", "■"]
    assert totals == "1 VM, 0 containers: 6 backups in 3 chains, 6.0 GiB, from 2026-01-01 to 2026-03-01"


def test_older_chains_are_left_out_and_long_ones_end_in_a_number():
    line, _totals = drawn(*[chain(month) for month in range(1, 6)], chain(6, 30))
    assert line.endswith("… ■ ■ ■ ■●●●●●●●+23")


@pytest.mark.parametrize(
    "chains, more, remark",
    [
        ([chain(1)], {"registered": False}, "■ (the VM is gone)"),
        ([chain(1)], {"registered": None}, "■"),
        ([chain(1, 2, full=False), chain(2)], {}, "□●● ■ (□ a chain without its full backup)"),
        ([chain(1, directory="/mnt/nas")], {}, "■ (in /mnt/nas)"),
        ([chain(1)], {"omitted": 5}, "■ (5 more not selected)"),
    ],
)
def test_what_is_unusual_stands_behind_the_chains(chains, more, remark):
    assert drawn(*chains, **more)[0].endswith(" " + remark)


def test_a_name_can_neither_break_the_line_nor_move_the_cursor():
    line, _totals = drawn(chain(1), name="a\nb\x1b[2J\u202ec")
    assert line.startswith("a\\nb\\x1b[2J\\u202ec  ")


def test_a_long_name_is_cut():
    line, _totals = drawn(chain(1), name="x" * 300)
    assert line.startswith("x" * 31 + "…  vm")


def test_columns_stand_below_each_other_for_names_of_any_length():
    trees = [VmTree(UUID % number, name, "ct", 5, (chain(1),)) for number, name in enumerate(["a", "b" * 20])]
    lines = table.lines([(tree, True) for tree in trees], select(trees).summary)
    assert len({line.index("ct") for line in lines[1:3]}) == 1 and lines[-1].startswith("0 VMs, 2 containers")


def test_nothing_is_a_line_too():
    assert table.lines([], select([]).summary)[1:] == ["no backups"]
