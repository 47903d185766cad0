# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events a wait is about, and when it is over. Pure: no clock, no SDK; the standard library only, since the event source loads it too.

An event is a dictionary with ``type_id``, ``issuer_type``, ``issuer_id``, ``code`` (unsigned) and ``params``
{name: {type, value}}. A specification is a dictionary of which every key may be missing or null:

``types``         numbers of the event types
``vm``            a VM's UUID
``issuer_id``     text
``issuer_type``   number
``code``          unsigned number
``params``        {name: condition}; a condition is {equals}, {one_of}, {regex}, or {min}, {max} or both
"""

import re
from typing import Any, Callable, Dict, Iterable, List, Optional, Set

UUID = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\}|(?=[.])|$)", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?$")


class Specification:
    """One match specification, compiled."""

    def __init__(self, raw: Dict[str, Any]) -> None:
        types = raw.get("types")
        self.types = None if types is None else frozenset(types)
        self._issuers = [plain(raw[key]) for key in ("vm", "issuer_id") if raw.get(key) is not None]
        self._exact = [(key, raw[key]) for key in ("issuer_type", "code") if raw.get(key) is not None]
        self._params = [(name, condition(wanted)) for name, wanted in sorted((raw.get("params") or {}).items())]

    def fits(self, event: Dict[str, Any]) -> bool:
        return (
            (self.types is None or event["type_id"] in self.types)
            and all(event[key] == value for key, value in self._exact)
            and all(plain(event["issuer_id"]) == issuer for issuer in self._issuers)
            and all(name in event["params"] and holds(event["params"][name]["value"]) for name, holds in self._params)
        )


def condition(wanted: Dict[str, Any]) -> Callable[[Any], bool]:
    """A test of one parameter's value."""
    if "equals" in wanted:
        return lambda value: equal(wanted["equals"], value)
    if "one_of" in wanted:
        return lambda value: any(equal(one, value) for one in wanted["one_of"])
    if "regex" in wanted:
        pattern = re.compile(wanted["regex"])
        return lambda value: value is not None and pattern.search(text(value)) is not None
    return lambda value: within(number(value), wanted.get("min"), wanted.get("max"))


def within(value: Any, least: Optional[float], most: Optional[float]) -> bool:
    """Whether a number lies between two others, each of which may be null. What is no number (null) never does."""
    return value is not None and (least is None or value >= least) and (most is None or value <= most)


def equal(wanted: Any, value: Any) -> bool:
    """Equality of what a user wrote with what the SDK sent: ``"50"`` is 50, and a UUID has braces or not, in any case."""
    if value is None:
        return False
    if is_number(wanted) or is_number(value):
        return number(wanted) is not None and number(wanted) == number(value)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return text(wanted).lower() == text(value).lower()
    return plain(wanted) == plain(value)


def is_number(value: Any) -> bool:
    return not isinstance(value, bool) and not isinstance(value, (str, bytes)) and value is not None


def number(value: Any) -> Optional[float]:
    """A number, also from text that is one; None for all else."""
    if is_number(value):
        return value
    if isinstance(value, bool) or value is None or not NUMBER.match(text(value)):
        return None
    return float(value) if "." in value else int(value)


def text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "%s" % (value,)


def plain(value: Any) -> Any:
    """Text in which a UUID at the beginning has no braces and is lower case, so that ``{UUID}.2`` is ``uuid.2``."""
    return (
        UUID.sub(lambda found: found.group(1).lower(), text(value), count=1) if UUID.match(text(value)) else text(value)
    )


class Tally:
    """What has come so far, and whether the wait is over.

    ``match`` is ``any`` (``count`` events, each of which fits some specification) or ``all`` (each specification is fitted by
    ``count`` events; one event may count for several). An event that fits one of ``fail_on`` ends the wait, whatever else it fits.
    """

    MATCHED, FAILED = "matched", "failed"

    def __init__(
        self, events: List[Dict[str, Any]], match: str, count: int, fail_on: Iterable[Dict[str, Any]] = ()
    ) -> None:
        self._wanted = [Specification(raw) for raw in events]
        self._fatal = [Specification(raw) for raw in fail_on]
        self._all = match == "all"
        self._missing = [count] * (len(self._wanted) if self._all else 1)
        self.outcome: Optional[str] = None
        self.events: List[Dict[str, Any]] = []  # what brought the end nearer, in order
        self.failed_on: Optional[Dict[str, Any]] = None

    def types(self) -> Optional[List[int]]:
        """The numbers of the event types that can matter at all, sorted; None where any can."""
        found: Set[int] = set()
        for one in self._wanted + self._fatal:
            if one.types is None:
                return None
            found.update(one.types)
        return sorted(found)

    def feed(self, event: Dict[str, Any]) -> bool:
        """Take the next event; True when it counts. After the end nothing does."""
        if self.outcome:
            return False
        if any(one.fits(event) for one in self._fatal):
            self.outcome, self.failed_on = self.FAILED, event
            return True
        fits = [one.fits(event) for one in self._wanted]
        fits = fits if self._all else [any(fits)]
        counts = [fit and left > 0 for fit, left in zip(fits, self._missing)]
        if not any(counts):
            return False
        self._missing = [left - advance for left, advance in zip(self._missing, counts)]
        self.events.append(event)
        if not any(self._missing):
            self.outcome = self.MATCHED
        return True

    @property
    def missing(self) -> List[int]:
        """How many events each specification still lacks; one number for all of them where any will do."""
        return list(self._missing)
