# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules: a table, and for each kind of rule the function that says what it keeps and why not the others.

A rule sees the candidates of one VM and nothing else. It answers with its picks and with a function that explains,
for positions that nothing keeps, what spoke against them. Rules never see each other, but for ``scene.taken``, which
is how ``counting: additional`` passes on what finer rules have kept.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _instants
from ansible_collections.prlsdk.core.plugins.module_utils._durations import Duration

from .buckets import BUCKETS, Bucket
from .candidates import Candidates

#: When a pick may go at the earliest: nobody can say, it may be at once; or not while the policy stays as it is.
ANY_TIME, NEVER = 0, 1 << 60

#: Two hours: more than any zone turns its clock back by, so that a bucket that may be entered again counts as open.
_TURNING_BACK = 7200


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


class Pick(NamedTuple):
    """One backup that a rule keeps."""

    position: int
    reason: dict[str, Any]
    until: int  # not removed before this instant; ANY_TIME, NEVER


class Selection(NamedTuple):
    """What a rule keeps, and a function from positions to the reasons why it does not keep those."""

    picks: list[Pick]
    why_not: Callable[[list[int]], list[dict[str, Any]]]


def within(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Every candidate that is not older than the duration."""
    edge = candidates.calendar.zone.before(scene.anchor, rule.duration)
    since = _instants.format(edge)
    after = candidates.calendar.zone.after
    picks = [
        Pick(position, {"code": "within", "rule": rule.name, "since": since}, after(instant, rule.duration))
        for position, instant in enumerate(candidates.instants)
        if instant >= edge
    ]
    return Selection(picks, lambda positions: _older_than(rule, edge, candidates, positions))


def window(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Every candidate that is not older than the duration, and the newest one before them."""
    inside, why_not = within(rule, candidates, scene)
    start = inside[0].position - 1 if inside else len(candidates.instants) - 1
    if start >= 0:
        # It is needed until the next one has left the window.
        until = inside[0].until if inside else ANY_TIME
        inside.insert(0, Pick(start, {"code": "window_start", "rule": rule.name, "since": _instants.format(candidates.instants[start])}, until))
    return Selection(inside, why_not)


def last(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """The newest candidates."""
    newest_first = candidates.everything[::-1]
    until = NEVER if rule.count is None else ANY_TIME
    picks = [Pick(position, _ranked(rule, rank), until) for rank, position in enumerate(newest_first[: rule.count], 1)]
    total = len(newest_first)
    return Selection(
        picks, lambda positions: [{"code": "beyond_count", "rule": "last", "rank": total - position, "of": rule.count} for position in positions]
    )


def chains(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Every candidate of the newest chains; the newest chain is the one with the newest candidate."""
    ranks: dict[str, int] = {}
    for backup in reversed(candidates.backups):
        if backup.chain not in ranks:
            ranks[backup.chain] = len(ranks) + 1
    chain_ranks = [ranks[backup.chain] for backup in candidates.backups]
    limit = len(ranks) if rule.count is None else rule.count
    until = NEVER if rule.count is None else ANY_TIME
    picks = [Pick(position, _ranked(rule, rank), until) for position, rank in enumerate(chain_ranks) if rank <= limit]
    return Selection(
        picks,
        lambda positions: [{"code": "beyond_count", "rule": "chains", "rank": chain_ranks[position], "of": limit} for position in positions],
    )


def bucket_count(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Of the newest buckets that are not empty one candidate each; and the oldest while there are counts left."""
    extremes = _extremes(rule, candidates)
    taken = scene.taken if scene.taken is not None else ()
    limit = len(extremes) if rule.count is None else rule.count
    ranks: dict[int, int] = {}  # of buckets; 0 where a finer rule keeps the bucket's backup, which uses up no count
    rank = 0
    for key in sorted(extremes, reverse=True):
        if extremes[key] in taken:
            ranks[key] = 0 if rank < limit else rank + 1
        else:
            rank += 1
            ranks[key] = rank
    dropped_after = _dropped_after(rule, candidates, scene, extremes)
    picks = [
        Pick(extremes[key], _ranked(rule, rank, candidates.calendar.span(rule.bucket, key)), dropped_after(key, rank))
        for key, rank in ranks.items()
        if 0 < rank <= limit
    ]
    if extremes and scene.keep_oldest and _counts_left(rule, scene, len(picks)):
        oldest = (candidates.fulls if rule.of == "full" else candidates.everything)[0]
        if oldest not in taken and all(pick.position != oldest for pick in picks):
            picks.append(Pick(oldest, {"code": "oldest", "rule": rule.name}, dropped_after(None, len(picks) + 1)))
    by = {key: candidates.backups[position].id for key, position in extremes.items()}
    return Selection(picks, lambda positions: _not_picked(rule, candidates, positions, by, ranks, limit))


def bucket_within(rule: Rule, candidates: Candidates, scene: Scene) -> Selection:
    """Of every bucket one candidate, if that one is not older than the duration."""
    zone = candidates.calendar.zone
    edge = zone.before(scene.anchor, rule.duration)
    extremes = _extremes(rule, candidates)
    instants = candidates.instants
    open_from = _open_from(rule, candidates, scene)
    kept = [(key, position) for key, position in sorted(extremes.items(), reverse=True) if instants[position] >= edge]
    picks = [
        Pick(
            position,
            _ranked(rule, rank, candidates.calendar.span(rule.bucket, key)),
            ANY_TIME if key >= open_from else zone.after(instants[position], rule.duration),
        )
        for rank, (key, position) in enumerate(kept, 1)
    ]
    by = {key: candidates.backups[position].id for key, position in kept}
    return Selection(picks, lambda positions: _not_in_window(rule, candidates, positions, by, edge))


def _extremes(rule, candidates):
    """Bucket -> the position that stands for it. Of two entries of a dictionary the later one wins: hence the direction."""
    keys = candidates.keys(rule.bucket)
    if rule.of == "full":
        positions = candidates.fulls
        keys = [keys[position] for position in positions]
    else:
        positions = candidates.everything
    if rule.pick == "oldest":
        return dict(zip(keys[::-1], positions[::-1]))
    return dict(zip(keys, positions))


def _counts_left(rule, scene, picked):
    # Where finer rules use up no counts, "all" has no count to be left over: it is how borg reads -1.
    return scene.taken is None if rule.count is None else picked < rule.count


def _open_from(rule, candidates, scene):
    """The first bucket that a backup made from now on can fall into."""
    key = candidates.calendar.key
    return min(key(rule.bucket, scene.now), key(rule.bucket, scene.now + _TURNING_BACK))


def _dropped_after(rule, candidates, scene, extremes):
    """A function from a bucket and its rank to the earliest instant at which newer buckets can have pushed it out."""
    if rule.count is None:
        return lambda key, rank: NEVER
    if scene.taken is not None:  # what a finer rule lets go comes back to this one, at any time
        return lambda key, rank: ANY_TIME
    open_from = first = _open_from(rule, candidates, scene)
    while first in extremes:
        first += 1

    def dropped_after(key, rank):
        if key is not None and key >= open_from and rule.pick == "newest":
            return ANY_TIME  # a newer backup of the same bucket takes its place
        return candidates.calendar.span(rule.bucket, first + rule.count - rank).start

    return dropped_after


def _ranked(rule, rank, span=None):
    reason = {"code": "rule", "name": rule.name, "rank": rank, "of": rule.count, "bucket": None, "from": None, "to": None}
    if span is not None:
        reason["bucket"], reason["from"], reason["to"] = span.label, span.from_text, span.to_text
    return reason


def _older_than(rule, edge, candidates, positions):
    instants, name = candidates.instants, rule.name
    return [{"code": "older_than", "rule": name, "by": edge - instants[position]} for position in positions]


def _not_picked(rule, candidates, positions, by, ranks, limit):
    keys, name, count, calendar = candidates.keys(rule.bucket), rule.name, rule.count, candidates.calendar
    looked_at = _looks_at(rule, candidates)
    labels = {key: calendar.span(rule.bucket, key).label for key, rank in ranks.items() if rank <= limit}
    return [
        {"code": "not_counted", "rule": name, "of": rule.of}
        if looked_at is not None and position not in looked_at
        else {"code": "beyond_count", "rule": name, "rank": ranks[key], "of": count}
        if key not in labels
        else {"code": "superseded", "rule": name, "bucket": labels[key], "by": by[key]}
        for position, key in zip(positions, map(keys.__getitem__, positions))
    ]


def _not_in_window(rule, candidates, positions, by, edge):
    keys, instants, name, calendar = candidates.keys(rule.bucket), candidates.instants, rule.name, candidates.calendar
    looked_at = _looks_at(rule, candidates)
    labels = {key: calendar.span(rule.bucket, key).label for key in by}
    return [
        {"code": "not_counted", "rule": name, "of": rule.of}
        if looked_at is not None and position not in looked_at
        else {"code": "superseded", "rule": name, "bucket": labels[key], "by": by[key]}
        if key in labels
        else {"code": "older_than", "rule": name, "by": edge - instants[position]}
        for position, key in zip(positions, map(keys.__getitem__, positions))
    ]


def _looks_at(rule, candidates):
    return set(candidates.fulls) if rule.of == "full" else None


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
