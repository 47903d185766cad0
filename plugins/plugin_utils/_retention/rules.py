# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules: a table, and for each kind of rule the function that says what it keeps and why not the others.

A rule sees the candidates of one VM and nothing else. It answers with its picks and with a function that explains,
for positions that nothing keeps, what spoke against them. Rules never see each other, but for ``context.taken``, which
is how ``counting: additional`` passes on what finer rules have kept.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration

from .calendar import BUCKETS, NO_SPAN, Bucket, Span
from .candidates import Candidates

#: A reason for each pick, and the instant before which it cannot lapse.
Explanation = tuple[list[dict[str, Any]], list[int]]

#: When a pick may go at the earliest: nobody can say, it may be at once; or not while the policy stays as it is.
ANY_TIME, NEVER = 0, 1 << 60


class RuleType(NamedTuple):
    """A kind of rule."""

    name: str  # the policy's key
    takes_duration: bool  # or else a count
    select: Callable[[Rule, Candidates, RuleContext], Selection]
    bucket: Bucket | None = None
    settings: tuple[str, ...] = ()  # what may stand beside the count or the duration


class Rule(NamedTuple):
    """A rule that a policy sets. ``duration`` or ``count``; neither means all."""

    type: RuleType
    duration: Duration | None = None
    count: int | None = None  # type: ignore[assignment]  # the word of the policies hides that of tuples
    of: str = "any"
    pick: str = "newest"

    @property
    def name(self) -> str:
        return self.type.name

    @property
    def bucket(self) -> Bucket | None:
        return self.type.bucket

    @property
    def amount(self) -> str | int:
        """How much it keeps, as a policy writes it."""
        return str(self.duration) if self.duration is not None else "all" if self.count is None else self.count

    def normalised(self) -> Any:
        """As a policy writes it in full."""
        amount = self.amount
        if self.bucket is not None:
            return {"duration" if self.duration is not None else "count": amount, "of": self.of, "pick": self.pick}
        return amount if self.of == "any" else {"count": amount, "of": self.of}


class RuleContext(NamedTuple):
    """What rules know besides the candidates."""

    now: int  # epoch seconds
    anchor: int  # epoch seconds: where the windows of durations end
    keep_oldest: bool
    taken: set[int] | None  # positions that the rules before this one keep; None where rules are independent

    @property
    def earliest_anchor(self) -> int:
        """The earliest anchor of any plan to come."""
        return max(self.now, self.anchor)


class Selection(NamedTuple):
    """What a rule keeps. The explanations are worked out only when they are asked for."""

    positions: list[int]
    explain: Callable[[], Explanation]
    why_not: Callable[[list[int]], list[dict[str, Any]]]  # for positions that nothing keeps, why this rule does not


def within(rule: Rule, candidates: Candidates, context: RuleContext) -> Selection:
    """Every candidate that is not older than the duration."""
    zone, instants = candidates.calendar.zone, candidates.instants
    edge = zone.before(context.anchor, _duration(rule))
    first = bisect.bisect_left(instants, edge)

    def explain() -> Explanation:
        untils = zone.expiries(instants[first:], _duration(rule), context.earliest_anchor)
        name, since = rule.name, _time.format_instant(edge)
        return [{"code": "within", "rule": name, "since": since} for until in untils], untils

    return Selection(
        list(candidates.everything[first:]), explain, lambda positions: _older_than(rule, edge, candidates, positions)
    )


def window(rule: Rule, candidates: Candidates, context: RuleContext) -> Selection:
    """Every candidate that is not older than the duration, and the newest one before them."""
    inside = within(rule, candidates, context)
    instants = candidates.instants
    start = len(instants) - len(inside.positions) - 1

    def lapses(first: int) -> list[int]:
        # Each is needed until the next one has left the window; the next one of the newest will be made now at the earliest.
        nexts = [min(instant, context.now) for instant in [*instants[first + 1 :], context.now]]
        return candidates.calendar.zone.expiries(nexts, _duration(rule), context.earliest_anchor)

    if start < 0:
        return inside._replace(explain=lambda: (inside.explain()[0], lapses(0)))

    def explain() -> Explanation:
        reasons, _untils = inside.explain()
        return [
            {"code": "window_start", "rule": rule.name, "since": _time.format_instant(instants[start])},
            *reasons,
        ], lapses(start)

    return Selection([start, *inside.positions], explain, inside.why_not)


def last(rule: Rule, candidates: Candidates, context: RuleContext) -> Selection:
    """The newest candidates, or the newest fulls."""
    looks_at = candidates.fulls if rule.of == "full" else candidates.everything
    newest = list(looks_at[::-1][: rule.count])

    def why_not(positions: list[int]) -> list[dict[str, Any]]:
        ranks = dict(zip(reversed(looks_at), itertools.count(1)))
        return [
            {"code": "beyond_count", "rule": rule.name, "rank": ranks[position], "of": rule.count}
            if position in ranks
            else _not_counted(rule)
            for position in positions
        ]

    return Selection(newest, lambda: _explained(rule, range(1, len(newest) + 1)), why_not)


def chains(rule: Rule, candidates: Candidates, context: RuleContext) -> Selection:
    """Every candidate of the newest chains; the newest chain is the one with the newest candidate."""
    ranks: dict[str, int] = {}
    for chain in reversed(candidates.chains):
        if chain not in ranks:
            ranks[chain] = len(ranks) + 1
    rank_at = [ranks[chain] for chain in candidates.chains]
    limit = len(ranks) if rule.count is None else rule.count
    picks = [position for position, rank in enumerate(rank_at) if rank <= limit]
    return Selection(
        picks,
        lambda: _explained(rule, [rank_at[position] for position in picks]),
        lambda positions: [
            {"code": "beyond_count", "rule": "chains", "rank": rank_at[position], "of": limit} for position in positions
        ],
    )


def bucket_count(rule: Rule, candidates: Candidates, context: RuleContext) -> Selection:
    """Of the newest buckets that are not empty one candidate each; and the oldest while there are counts left."""
    extremes = candidates.extremes(_bucket(rule), rule.of, rule.pick)
    newest_first = sorted(extremes, reverse=True)
    limit = len(extremes) if rule.count is None else rule.count
    if context.taken is None:
        picked = newest_first[:limit]
    else:  # now, since what is taken grows with every rule
        ranks = _additional_ranks(newest_first, extremes, context.taken, limit)
        picked = [key for key in newest_first if 0 < ranks[key] <= limit]
    picks = [extremes[key] for key in picked]
    if extremes and context.keep_oldest and _counts_left(rule, context, len(picks)):
        oldest = _oldest(rule, candidates)
        if oldest not in picks and not (context.taken and oldest in context.taken):
            picks.append(oldest)

    def explain() -> Explanation:
        reasons = _ranked(rule, _spans(rule, candidates, picked))
        if len(picks) > len(picked):
            reasons.append({"code": "oldest", "rule": rule.name})
        return reasons, _lapses(rule, candidates, context, extremes, picked, len(picks))

    def why_not(positions: list[int]) -> list[dict[str, Any]]:
        if context.taken is None:
            return _not_picked(
                rule, candidates, positions, dict(zip(picked, picks)), dict(zip(newest_first, itertools.count(1)))
            )
        return _not_picked(
            rule, candidates, positions, {key: extremes[key] for key in newest_first if ranks[key] <= limit}, ranks
        )

    return Selection(picks, explain, why_not)


def bucket_within(rule: Rule, candidates: Candidates, context: RuleContext) -> Selection:
    """Of every bucket one candidate, if that one is not older than the duration; and the oldest of all, if it is not."""
    zone, instants = candidates.calendar.zone, candidates.instants
    edge = zone.before(context.anchor, _duration(rule))
    extremes = candidates.extremes(_bucket(rule), rule.of, rule.pick)
    picked = [key for key in sorted(extremes, reverse=True) if instants[extremes[key]] >= edge]
    picks = [extremes[key] for key in picked]
    oldest = _oldest(rule, candidates) if context.keep_oldest and picked else None
    if oldest is not None and instants[oldest] < edge:
        oldest = None
    if oldest is not None and oldest != picks[-1]:
        picks.append(oldest)

    def explain() -> Explanation:
        open_from = candidates.calendar.open_from(_bucket(rule), context.now)
        ends = zone.expiries([instants[position] for position in picks], _duration(rule), context.earliest_anchor)
        reasons = _ranked(rule, _spans(rule, candidates, picked))
        # A newer backup of the same bucket takes the place of any but the oldest, which stays beside it.
        lapses = [
            ANY_TIME if key >= open_from and position != oldest else end
            for key, position, end in zip(picked, picks, ends)
        ]
        if len(picks) > len(picked):
            reasons.append({"code": "oldest", "rule": rule.name})
            lapses.append(ends[-1])
        return reasons, lapses

    return Selection(
        picks, explain, lambda positions: _not_in_window(rule, candidates, positions, dict(zip(picked, picks)), edge)
    )


def _duration(rule: Rule) -> Duration:
    if rule.duration is None:
        raise TypeError("%s takes no duration" % rule.name)
    return rule.duration


def _bucket(rule: Rule) -> Bucket:
    if rule.bucket is None:
        raise TypeError("%s has no buckets" % rule.name)
    return rule.bucket


def _oldest(rule: Rule, candidates: Candidates) -> int:
    """The oldest candidate that the rule looks at; there must be one."""
    return (candidates.fulls if rule.of == "full" else candidates.everything)[0]


def _additional_ranks(newest_first: list[int], extremes: dict[int, int], taken: set[int], limit: int) -> dict[int, int]:
    """Rank of each bucket; 0 where a finer rule keeps the bucket's backup, which uses up no count."""
    ranks, rank = {}, 0
    for key in newest_first:
        if extremes[key] in taken:
            ranks[key] = 0 if rank < limit else rank + 1
        else:
            ranks[key] = rank = rank + 1
    return ranks


def _counts_left(rule: Rule, context: RuleContext, picked: int) -> bool:
    # Where finer rules use up no counts, "all" has no count to be left over: it is how borg reads -1.
    return context.taken is None if rule.count is None else picked < rule.count


def _lapses(
    rule: Rule, candidates: Candidates, context: RuleContext, extremes: dict[int, int], picked: list[int], number: int
) -> list[int]:
    """For each of a number of picks, those of buckets first, the earliest instant at which newer buckets can have pushed it out."""
    if rule.count is None:
        return [NEVER] * number
    if context.taken is not None:  # what a finer rule lets go comes back to this one, at any time
        return [ANY_TIME] * number
    bucket, span = _bucket(rule), candidates.calendar.span
    open_from = first = candidates.calendar.open_from(bucket, context.now)
    while first in extremes:
        first += 1
    lapses = [span(bucket.rule, first + rule.count - rank).start for rank in range(1, number + 1)]
    if rule.pick == "newest":
        for place, key in enumerate(picked):
            if key < open_from:
                break
            lapses[place] = ANY_TIME  # a newer backup of the same bucket takes its place
    return lapses


def _explained(rule: Rule, ranks: Sequence[int]) -> Explanation:
    """The explanation of picks that are counted one by one."""
    reasons = [{**reason, "rank": rank} for reason, rank in zip(_ranked(rule, [NO_SPAN] * len(ranks)), ranks)]
    return reasons, [NEVER if rule.count is None else ANY_TIME] * len(ranks)


def _spans(rule: Rule, candidates: Candidates, keys: list[int]) -> list[Span]:
    bucket, span = _bucket(rule), candidates.calendar.span
    return [span(bucket.rule, key) for key in keys]


def _ranked(rule: Rule, spans: Iterable[Span]) -> list[dict[str, Any]]:
    """The reasons of picks in the order of their ranks, by the spans of their buckets."""
    name, count = rule.name, rule.count
    return [
        {"code": "rule", "name": name, "rank": rank, "of": count, "bucket": label, "from": start, "to": end}
        for rank, (label, _start, start, end) in enumerate(spans, 1)
    ]


def _not_counted(rule: Rule) -> dict[str, Any]:
    return {"code": "not_counted", "rule": rule.name, "of": rule.of}


def _older_than(rule: Rule, edge: int, candidates: Candidates, positions: list[int]) -> list[dict[str, Any]]:
    instants, name = candidates.instants, rule.name
    return [{"code": "older_than", "rule": name, "by": edge - instants[position]} for position in positions]


def _not_picked(
    rule: Rule, candidates: Candidates, positions: list[int], kept: dict[int, int], ranks: dict[int, int]
) -> list[dict[str, Any]]:
    keys, name, count = candidates.keys(_bucket(rule)), rule.name, rule.count
    return [
        reason or {"code": "beyond_count", "rule": name, "rank": ranks[keys[position]], "of": count}
        for position, reason in zip(positions, _superseded(rule, candidates, positions, kept))
    ]


def _not_in_window(
    rule: Rule, candidates: Candidates, positions: list[int], kept: dict[int, int], edge: int
) -> list[dict[str, Any]]:
    instants, name = candidates.instants, rule.name
    return [
        reason or {"code": "older_than", "rule": name, "by": edge - instants[position]}
        for position, reason in zip(positions, _superseded(rule, candidates, positions, kept))
    ]


def _superseded(
    rule: Rule, candidates: Candidates, positions: list[int], kept: dict[int, int]
) -> list[dict[str, Any] | None]:
    """Why not, where it is because the rule keeps another of the same bucket or does not look at such backups; else None.

    :arg kept: bucket -> the position of what the rule keeps of it.
    """
    bucket, ids, name = _bucket(rule), candidates.ids, rule.name
    keys = candidates.keys(bucket)
    looks_at = candidates.is_full if rule.of == "full" else None
    of_bucket: dict[int, dict[str, Any]] = {}
    reasons: list[dict[str, Any] | None] = []
    for position in positions:
        key = keys[position]
        if looks_at is not None and not looks_at[position]:
            reason = _not_counted(rule)
        elif key not in kept:
            reason = None
        elif key in of_bucket:
            reason = of_bucket[key].copy()  # takes a third of making it again
        else:
            reason = of_bucket[key] = {
                "code": "superseded",
                "rule": name,
                "bucket": candidates.calendar.span(bucket.rule, key).label,
                "by": ids[kept[key]],
            }
        reasons.append(reason)
    return reasons


_BUCKET_SETTINGS = ("of", "pick")

#: Every rule by the policy's key, in the order in which ``counting: additional`` lets them choose.
RULES = {
    rule_type.name: rule_type
    for rule_type in (
        RuleType("within", True, within),
        RuleType("window", True, window),
        *(RuleType("within_" + bucket.rule, True, bucket_within, bucket, _BUCKET_SETTINGS) for bucket in BUCKETS),
        RuleType("chains", False, chains),
        RuleType("last", False, last, settings=("of",)),
        *(RuleType(bucket.rule, False, bucket_count, bucket, _BUCKET_SETTINGS) for bucket in BUCKETS),
    )
}
