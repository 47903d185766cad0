# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup trees as a table for people: a line for each VM, with its newest chains drawn from left to right. Pure."""

from typing import Any, Dict, Iterable, List, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import Chain, VmTree
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable, size

FULL, INCREMENTAL, NO_FULL = "\u25a0", "\u25cf", "\u25a1"  # a full square, a disc, an empty square

#: So many of the newest chains are drawn, and so many incremental backups of each; the rest is a number.
CHAINS, INCREMENTS = 4, 7
#: A longer name is cut.
NAME_LENGTH = 32

_ROW = "{name:<{width}}  {kind:<4}  {chains:>6}  {backups:>7}  {size:>9}  {newest:<16}  {drawn}"


def lines(trees: List[Tuple[VmTree, Any]], summary: Dict[str, Any]) -> List[str]:
    """The lines: a head, one for each VM, and the totals.

    :arg trees: (tree, whether the node knows the VM; None where that is not known).
    :arg summary: the counts of everything that matched, as prl_backup_info returns them.
    """
    names = [_shortened(printable(tree.name)) for tree, registered in trees]
    width = max([len(name) for name in names] + [len("name")])
    head = _ROW.format(
        name="name",
        width=width,
        kind="type",
        chains="chains",
        backups="backups",
        size="size",
        newest="newest (UTC)",
        drawn="newest chains: %s full, %s incremental" % (FULL, INCREMENTAL),
    )
    rows = [_row(name, width, tree, registered) for name, (tree, registered) in zip(names, trees)]
    return [head] + rows + [_totals(summary)]


def _row(name: str, width: int, tree: VmTree, registered: Any) -> str:
    backups = [backup for chain in tree.chains for backup in chain.backups]
    newest = max(backup.created for backup in backups)
    return _ROW.format(
        name=name,
        width=width,
        kind=tree.type,
        chains=len(tree.chains),
        backups=len(backups),
        size=size(sum(backup.size for backup in backups)),
        newest="%s %s" % (newest[:10], newest[11:16]),
        drawn=" ".join([_drawn(tree.chains)] + ["(%s)" % remark for remark in _remarks(tree, registered)]),
    )


def _drawn(chains: Tuple[Chain, ...]) -> str:
    left_out = ["\u2026"] if len(chains) > CHAINS else []
    return " ".join(left_out + [_drawn_chain(chain) for chain in chains[-CHAINS:]])


def _drawn_chain(chain: Chain) -> str:
    has_full = chain.backups[0].type == "full"
    increments = len(chain.backups) - has_full
    more = increments - INCREMENTS
    return "%s%s%s" % (
        FULL if has_full else NO_FULL,
        INCREMENTAL * min(increments, INCREMENTS),
        "+%d" % more if more > 0 else "",
    )


def _remarks(tree: VmTree, registered: Any) -> Iterable[str]:
    if registered is False:
        yield "the VM is gone"
    if any(chain.backups[0].type != "full" for chain in tree.chains):
        yield "%s a chain without its full backup" % NO_FULL
    directories = sorted({chain.directory for chain in tree.chains if chain.directory})
    if directories:
        yield "in " + ", ".join(map(printable, directories))
    if tree.omitted:
        yield "%d more not selected" % tree.omitted


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "\u2026"


def _totals(summary: Dict[str, Any]) -> str:
    if not summary["backups"]:
        return "no backups"
    return "%s, %s: %s in %s, %s, from %s to %s" % (
        _count(summary["vms"], "VM"),
        _count(summary["containers"], "container"),
        _count(summary["backups"], "backup"),
        _count(summary["chains"], "chain"),
        size(summary["size"]),
        summary["oldest"][:10],
        summary["newest"][:10],
    )


def _count(number: int, noun: str) -> str:
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")
