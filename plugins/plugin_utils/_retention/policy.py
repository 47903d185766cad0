# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy as people write it, checked key by key and made whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration

from .._read import check_keys
from .calendar import WEEK_STARTS
from .inventory import plain_id
from .rules import RULES, Rule, RuleType
from .zone import named

ALL = "all"


class Policy(NamedTuple):
    """A policy with every key: the rules that are set in the order of the table, and everything else by its name."""

    rules: tuple[Rule, ...]
    timezone: str
    day_start: str
    week_start: str
    anchor: str
    counting: str
    keep_oldest: bool
    min_restorable: int
    grace: Duration
    pins: tuple[str, ...]
    pin_pattern: str | None
    pin_until_pattern: str | None
    tags_pattern: str | None
    keep_tags: tuple[str, ...]
    by_tag: tuple[tuple[str, tuple[Rule, ...]], ...]  # the rules of backups with a tag, by tag
    count_pinned: bool
    tails: str
    merge: str
    remove_broken: bool
    max_clock_skew: Duration
    retire_moved_after: Duration | None  # None where it is nothing
    retire_after: Duration
    max_remove: int | None
    max_remove_share: float
    max_remove_floor: int
    max_remove_total: int | None
    min_chains: int | None
    max_staleness: Duration | None
    max_broken_chains: int

    @property
    def day_start_seconds(self) -> int:
        """How long after midnight a day begins."""
        return int(self.day_start[:2]) * 3600 + int(self.day_start[3:]) * 60

    def normalised(self) -> dict[str, Any]:
        """The policy as plain data, every key written out; reading it again gives the same policy."""
        plain: dict[str, Any] = {rule.name: rule.normalised() for rule in self.rules}
        for name, value in self._asdict().items():
            if name == "by_tag":
                plain[name] = {tag: {rule.name: rule.normalised() for rule in rules} for tag, rules in value}
            elif name != "rules":
                plain[name] = (
                    str(value) if isinstance(value, Duration) else list(value) if isinstance(value, tuple) else value
                )
        return plain


def read(policy: Any) -> Policy:
    """Check a policy and fill in the defaults.

    :raises InputError: names the key, its value and what is allowed; for an unknown key the nearest known one.
    """
    if not isinstance(policy, Mapping):
        raise InputError("the policy must be a dictionary such as {daily: 7, timezone: UTC}, not %r" % (policy,))
    check_keys(policy, (*RULES, "by_tag", *_OPTIONS), "the policy")
    rules = _rules(policy)
    if not rules:
        raise InputError("the policy keeps nothing: at least one rule is needed, of %s" % ", ".join(RULES))
    by_tag = _by_tag(policy.get("by_tag"))
    options = {name: _option(name, option, policy.get(name)) for name, option in _OPTIONS.items()}
    if options["timezone"] is None:
        in_need = [rule.name for own in (rules, *(tagged for tag, tagged in by_tag)) for rule in own if rule.bucket]
        if in_need:
            raise InputError(
                "timezone is missing: %s needs it, for example timezone: Europe/Berlin (or UTC)" % in_need[0]
            )
        if options["pin_until_pattern"]:
            raise InputError(
                "timezone is missing: pin_until_pattern needs it, which says when a day ends, for example timezone: Europe/Berlin (or UTC)"
            )
        options["timezone"] = "UTC"
    if options["keep_tags"] and options["tags_pattern"] is None:
        raise InputError("keep_tags needs tags_pattern, which says how tags are found in a description")
    if by_tag and options["tags_pattern"] is None:
        raise InputError("by_tag needs tags_pattern, which says how tags are found in a description")
    return Policy(rules=rules, by_tag=by_tag, **options)


def check_guards(limits: Mapping[str, Any]) -> None:
    """Check guards that are given apart from a policy. Raises InputError."""
    for name, value in limits.items():
        if value is not None:
            _read("guards.%s" % name, _OPTIONS[name].read, value)


def _rules(written: Mapping[str, Any]) -> tuple[Rule, ...]:
    return tuple(
        rule
        for rule in (
            _rule(rule_type, written[name]) for name, rule_type in RULES.items() if written.get(name) is not None
        )
        if rule
    )


def _by_tag(written: Any) -> tuple[tuple[str, tuple[Rule, ...]], ...]:
    """The rules of each tag, by tag."""
    if written is None:
        return ()
    if not isinstance(written, Mapping):
        raise InputError("by_tag is %r; it must be a dictionary such as {release: {yearly: 3}}" % (written,))
    found = []
    for tag, rules in written.items():
        where = "by_tag.%s" % tag
        if not isinstance(tag, str) or not tag:
            raise InputError("by_tag has %r, which is no tag; tags are texts" % (tag,))
        if not isinstance(rules, Mapping):
            raise InputError("%s is %r; it must be a dictionary of rules such as {yearly: 3}" % (where, rules))
        check_keys(rules, tuple(RULES), where)
        try:
            read_rules = _rules(rules)
        except InputError as error:
            raise InputError("%s: %s" % (where, error)) from None
        if not read_rules:
            raise InputError("%s keeps nothing: at least one rule is needed, of %s" % (where, ", ".join(RULES)))
        found.append((str(tag), read_rules))
    return tuple(sorted(found))


def _rule(rule_type: RuleType, value: Any) -> Rule | None:
    """A rule that is set, or None where its count or its duration is nothing."""
    settings = {"of": "any", "pick": "newest"}
    takes = "duration" if rule_type.takes_duration else "count"
    if isinstance(value, Mapping):
        if not rule_type.settings:
            raise InputError(
                "%s is %r; it must be %s"
                % (rule_type.name, dict(value), "a duration" if rule_type.takes_duration else "a number")
            )
        check_keys(value, (takes, *rule_type.settings), rule_type.name)
        if value.get(takes) is None:
            raise InputError("%s has no %s" % (rule_type.name, takes))
        for key, read in (("of", _one_of("any", "full")), ("pick", _one_of("newest", "oldest"))):
            if value.get(key) is not None:
                settings[key] = _read("%s.%s" % (rule_type.name, key), read, value[key])
        if rule_type.takes_duration and settings["pick"] == "oldest":
            raise InputError(
                "%s.pick is 'oldest', which goes with a count only: over a duration the oldest of the last bucket would move with the "
                "window and nothing would last; use newest, or %s with a count"
                % (rule_type.name, rule_type.bucket.rule if rule_type.bucket else "a rule")
            )
        name, value = "%s.%s" % (rule_type.name, takes), value[takes]
    else:
        name = rule_type.name
    amount = _read(name, _duration if rule_type.takes_duration else _count, value)
    if not amount:
        return None
    return Rule(
        rule_type,
        amount if rule_type.takes_duration else None,
        None if rule_type.takes_duration or amount == ALL else amount,
        **settings,
    )


def _option(name: str, option: _Option, value: Any) -> Any:
    return option.default if value is None else _read(name, option.read, value)


def _read(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except InputError as error:
        raise InputError("%s: %s" % (name, error)) from None
    except (ValueError, TypeError) as error:
        raise InputError("%s is %r; it must be %s" % (name, value, error)) from None


def _duration(value: Any) -> Duration:
    # Templates make texts of numbers, and 0 needs no unit.
    return Duration(0, 0, 0, 0, 0, 0) if value in (0, "0") and value is not False else _time.parse_duration(value)


def _number(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number, 0 or more")
    return int(value)


def _count(value: Any) -> int | str:
    if isinstance(value, str) and value == ALL:
        return ALL
    try:
        return _number(value)
    except ValueError:
        raise ValueError("a whole number, 0 or more, or all") from None


def _share(value: Any) -> float:
    try:
        share = float(value)
    except (ValueError, TypeError):
        share = -1.0
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise ValueError("a number from 0 to 1, where 0.5 is one half")
    return share


def _truth(value: Any) -> bool:
    truth = (
        {"true": True, "yes": True, "false": False, "no": False}.get(value.lower()) if isinstance(value, str) else value
    )
    if not isinstance(truth, bool):
        raise ValueError("true or false")
    return truth


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return str(value)
        raise ValueError("one of %s" % ", ".join(words))

    return read


def _zone_name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("an IANA name such as Europe/Berlin or UTC")
    try:
        return named(str(value)).name
    except ValueError:
        raise ValueError(
            "an IANA name such as Europe/Berlin or UTC that the zone database of the controller has (its package is called tzdata)"
        ) from None


def _time_of_day(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError("a time of day such as '06:00'; write it in quotes, or YAML makes a number of it")
    if not isinstance(value, str) or not re.match(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z", value):
        raise ValueError("a time of day from '00:00' to '23:59'")
    return str(value)


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a regular expression")
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError("a regular expression; at this one Python says: %s" % error) from None
    return str(value)


def _tags_pattern(value: Any) -> str:
    pattern = _pattern(value)
    if not re.compile(pattern).groups:
        raise ValueError("a regular expression with a group around what is the tag, such as '#([a-z]+)' for #monthly")
    return pattern


def _date_pattern(value: Any) -> str:
    pattern = _pattern(value)
    if re.compile(pattern).groups != 1:
        raise ValueError(
            "a regular expression with one group around the date, such as 'until ([0-9-]+)' for until 2027-06-30"
        )
    return pattern


def _texts(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("a list of texts")
    return tuple(sorted({str(text) for text in texts}))


def _ids(value: Any) -> tuple[str, ...]:
    try:
        return tuple(sorted({plain_id(text) for text in _texts(value)}))
    except ValueError:
        raise ValueError("a list of backup ids") from None


class _Option(NamedTuple):
    read: Callable[[Any], Any]
    default: Any


_OPTIONS = {
    "timezone": _Option(_zone_name, None),
    "day_start": _Option(_time_of_day, "00:00"),
    "week_start": _Option(_one_of(*WEEK_STARTS), "monday"),
    "anchor": _Option(_one_of("newest", "now"), "newest"),
    "counting": _Option(_one_of("independent", "additional"), "independent"),
    "keep_oldest": _Option(_truth, True),
    "min_restorable": _Option(_number, 1),
    "grace": _Option(_duration, Duration(0, 0, 0, 0, 24, 0)),
    "pins": _Option(_ids, ()),
    "pin_pattern": _Option(_pattern, None),
    "pin_until_pattern": _Option(_date_pattern, None),
    "tags_pattern": _Option(_tags_pattern, None),
    "keep_tags": _Option(_texts, ()),
    "count_pinned": _Option(_truth, True),
    "tails": _Option(_one_of("keep", "remove"), "keep"),
    "merge": _Option(_one_of("never", "allow"), "never"),
    "remove_broken": _Option(_truth, False),
    "max_clock_skew": _Option(_duration, Duration(0, 0, 0, 0, 0, 5)),
    "retire_moved_after": _Option(lambda value: _duration(value) or None, None),
    "retire_after": _Option(_duration, Duration(0, 0, 0, 30, 0, 0)),
    "max_remove": _Option(_number, None),
    "max_remove_share": _Option(_share, 0.5),
    "max_remove_floor": _Option(_number, 3),
    "max_remove_total": _Option(_number, None),
    "min_chains": _Option(_number, None),
    "max_staleness": _Option(_duration, None),
    "max_broken_chains": _Option(_number, 0),
}
