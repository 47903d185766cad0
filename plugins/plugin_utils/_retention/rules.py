# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules: a table, and for each kind of rule the function that says what it keeps and why not the others.

A rule sees the candidates of one VM and nothing else. It answers with its picks and with a function that explains,
for positions that nothing keeps, what spoke against them. Rules never see each other, but for ``scene.taken``, which
is how ``counting: additional`` passes on what finer rules have kept.
"""

from __future__ import annotations

import bisect
import itertools
from typing import Any, Callable, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _instants
from ansible_collections.prlsdk.core.plugins.module_utils._durations import Duration

from .buckets import BUCKETS, NO_SPAN, Bucket
from .candidates import Candidates

#: When a pick may go at the earliest: nobody can say, it may be at once; or not while the policy stays as it is.
ANY_TIME, NEVER = 0, 1 << 60


class Row(NamedTuple):
    """A kind of rule."""

    name: str  # the policy's key
    takes_duration: bool  # or else a count
    select: Callable[[Rule, Candidates, Scene], Selection]
    bucket: Bucket | None = None


class Rule(NamedTuple):
    """A rule that a policy sets. ``duration`` or ``count``; neither means all."""

    row: Row
    duration: Duration | None = None
    count: int | None = None
    of: str = "any"
    pick: str = "newest"

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def bucket(self) -> Bucket | None:
        return self.row.bucket

    def normalised(self) -> Any:
        """As a policy writes it in full."""
        amount = str(self.duration) if self.duration is not None else "all" if self.count is None else self.count
        if self.bucket is None:
            return amount
        return {"duration" if self.duration is not None else "count": amount, "of": self.of, "pick": self.pick}


class Scene(NamedTuple):
    """What rules know besides the candidates."""

    now: int  # epoch seconds
    anchor: int  # epoch seconds: where the windows of durations end
    keep_oldest: bool
    taken: set[int] | None  # positions that the rules before this one keep; None where rules are independent


class Selection(NamedTuple):
    """What a rule keeps. The explanations are worked out only when they are asked for."""

    positions: list[int]
    explain: Callable[[], list[tuple[dict[str, Any], int]]]  # for each of them a reason, and not before when it can lapse
    why_not: Callable[[list[int]], list[dict[str, Any]]]  # for positions that nothing keeps, why this rule does not


def within(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Every candidate that is not older than the duration."""
    zone, instants = candidates.calendar.zone, candidates.instants
    edge = zone.before(scene.anchor, rule.duration)
    first = bisect.bisect_left(instants, edge)

    def explain():
        since = _instants.format(edge)
        return [({"code": "within", "rule": rule.name, "since": since}, zone.after(instant, rule.duration)) for instant in instants[first:]]

    return Selection(list(candidates.everything[first:]), explain, lambda positions: _older_than(rule, edge, candidates, positions))


def window(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Every candidate that is not older than the duration, and the newest one before them."""
    inside = within(rule, candidates, scene)
    start = len(candidates.instants) - len(inside.positions) - 1
    if start < 0:
        return inside

    def explain():
        explained = inside.explain()
        # It is needed until the next one has left the window.
        until = explained[0][1] if explained else ANY_TIME
        return [({"code": "window_start", "rule": rule.name, "since": _instants.format(candidates.instants[start])}, until), *explained]

    return Selection([start, *inside.positions], explain, inside.why_not)


def last(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """The newest candidates."""
    newest = candidates.everything[::-1][: rule.count]
    total = len(candidates.instants)
    until = NEVER if rule.count is None else ANY_TIME
    return Selection(
        list(newest),
        lambda: [(_ranked(rule, total - position), until) for position in newest],
        lambda positions: [{"code": "beyond_count", "rule": "last", "rank": total - position, "of": rule.count} for position in positions],
    )


def chains(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Every candidate of the newest chains; the newest chain is the one with the newest candidate."""
    ranks: dict[str, int] = {}
    for backup in reversed(candidates.backups):
        if backup.chain not in ranks:
            ranks[backup.chain] = len(ranks) + 1
    rank_at = [ranks[backup.chain] for backup in candidates.backups]
    limit = len(ranks) if rule.count is None else rule.count
    until = NEVER if rule.count is None else ANY_TIME
    picks = [position for position, rank in enumerate(rank_at) if rank <= limit]
    return Selection(
        picks,
        lambda: [(_ranked(rule, rank_at[position]), until) for position in picks],
        lambda positions: [{"code": "beyond_count", "rule": "chains", "rank": rank_at[position], "of": limit} for position in positions],
    )


def bucket_count(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Of the newest buckets that are not empty one candidate each; and the oldest while there are counts left."""
    extremes = candidates.extremes(rule.bucket, rule.of, rule.pick)
    newest_first = sorted(extremes, reverse=True)
    limit = len(extremes) if rule.count is None else rule.count
    if scene.taken is None:
        picked = newest_first[:limit]
    else:  # now, since what is taken grows with every rule
        ranks = _additional_ranks(newest_first, extremes, scene.taken, limit)
        picked = [key for key in newest_first if 0 < ranks[key] <= limit]
    picks = [extremes[key] for key in picked]
    if extremes and scene.keep_oldest and _counts_left(rule, scene, len(picks)):
        oldest = (candidates.fulls if rule.of == "full" else candidates.everything)[0]
        if oldest not in picks and not (scene.taken and oldest in scene.taken):
            picks.append(oldest)

    def explain():
        spans = candidates.calendar.spans(rule.bucket)
        dropped_after = _dropped_after(rule, candidates, scene, extremes)
        explained = [(_ranked(rule, rank, spans[key]), dropped_after(key, rank)) for rank, key in enumerate(picked, 1)]
        if len(picks) > len(picked):
            explained.append(({"code": "oldest", "rule": rule.name}, dropped_after(None, len(picks))))
        return explained

    def why_not(positions):
        if scene.taken is None:
            return _not_picked(rule, candidates, positions, dict(zip(newest_first, itertools.count(1))), dict(zip(picked, picks)))
        return _not_picked(rule, candidates, positions, ranks, {key: extremes[key] for key in newest_first if ranks[key] <= limit})

    return Selection(picks, explain, why_not)


def bucket_within(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Of every bucket one candidate, if that one is not older than the duration."""
    zone, instants = candidates.calendar.zone, candidates.instants
    edge = zone.before(scene.anchor, rule.duration)
    extremes = candidates.extremes(rule.bucket, rule.of, rule.pick)
    picked = [key for key in sorted(extremes, reverse=True) if instants[extremes[key]] >= edge]
    picks = [extremes[key] for key in picked]

    def explain():
        spans = candidates.calendar.spans(rule.bucket)
        open_from = candidates.calendar.open_from(rule.bucket, scene.now)
        return [
            (_ranked(rule, rank, spans[key]), ANY_TIME if key >= open_from else zone.after(instants[position], rule.duration))
            for rank, (key, position) in enumerate(zip(picked, picks), 1)
        ]

    return Selection(picks, explain, lambda positions: _not_in_window(rule, candidates, positions, dict(zip(picked, picks)), edge))


def _additional_ranks(newest_first, extremes, taken, limit):
    """Rank of each bucket; 0 where a finer rule keeps the bucket's backup, which uses up no count."""
    ranks, rank = {}, 0
    for key in newest_first:
        if extremes[key] in taken:
            ranks[key] = 0 if rank < limit else rank + 1
        else:
            ranks[key] = rank = rank + 1
    return ranks


def _counts_left(rule, scene, picked):
    # Where finer rules use up no counts, "all" has no count to be left over: it is how borg reads -1.
    return scene.taken is None if rule.count is None else picked < rule.count


def _dropped_after(rule, candidates, scene, extremes):
    """A function from a bucket and its rank to the earliest instant at which newer buckets can have pushed it out."""
    if rule.count is None:
        return lambda key, rank: NEVER
    if scene.taken is not None:  # what a finer rule lets go comes back to this one, at any time
        return lambda key, rank: ANY_TIME
    open_from = first = candidates.calendar.open_from(rule.bucket, scene.now)
    while first in extremes:
        first += 1
    spans = candidates.calendar.spans(rule.bucket)

    def dropped_after(key, rank):
        if key is not None and key >= open_from and rule.pick == "newest":
            return ANY_TIME  # a newer backup of the same bucket takes its place
        return spans[first + rule.count - rank].start

    return dropped_after


def _ranked(rule, rank, span=NO_SPAN):
    label, start, from_text, to_text = span
    return {"code": "rule", "name": rule.row.name, "rank": rank, "of": rule.count, "bucket": label, "from": from_text, "to": to_text}


def _older_than(rule, edge, candidates, positions):
    instants, name = candidates.instants, rule.name
    return [{"code": "older_than", "rule": name, "by": edge - instants[position]} for position in positions]


def _not_picked(rule, candidates, positions, ranks, kept):
    keys, spans, name, count = candidates.keys(rule.bucket), candidates.calendar.spans(rule.bucket), rule.name, rule.count
    by = _ids(candidates, kept)
    looks_at = candidates.is_full if rule.of == "full" else None
    return [
        {"code": "not_counted", "rule": name, "of": "full"}
        if looks_at is not None and not looks_at[position]
        else {"code": "beyond_count", "rule": name, "rank": ranks[key], "of": count}
        if key not in by
        else {"code": "superseded", "rule": name, "bucket": spans[key].label, "by": by[key]}
        for position, key in zip(positions, map(keys.__getitem__, positions))
    ]


def _not_in_window(rule, candidates, positions, kept, edge):
    keys, spans, instants, name = candidates.keys(rule.bucket), candidates.calendar.spans(rule.bucket), candidates.instants, rule.name
    by = _ids(candidates, kept)
    looks_at = candidates.is_full if rule.of == "full" else None
    return [
        {"code": "not_counted", "rule": name, "of": "full"}
        if looks_at is not None and not looks_at[position]
        else {"code": "superseded", "rule": name, "bucket": spans[key].label, "by": by[key]}
        if key in by
        else {"code": "older_than", "rule": name, "by": edge - instants[position]}
        for position, key in zip(positions, map(keys.__getitem__, positions))
    ]


def _ids(candidates, kept):
    """Bucket -> the id of what is kept of it."""
    return {key: candidates.backups[position].id for key, position in kept.items()}


#: Every rule by the policy's key, in the order in which ``counting: additional`` lets them choose.
RULES = {
    row.name: row
    for row in (
        Row("within", True, within),
        Row("window", True, window),
        *(Row("within_" + bucket.rule, True, bucket_within, bucket) for bucket in BUCKETS),
        Row("chains", False, chains),
        Row("last", False, last),
        *(Row(bucket.rule, False, bucket_count, bucket) for bucket in BUCKETS),
    )
}
