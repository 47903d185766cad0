# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the options of a task, with the place of the mistake and what to write instead.

Ansible refuses such options itself. Its messages name no place in a list, suggest no name, and for a text in the place of a dictionary name no option.
"""

import ast
import json
import re
from typing import Any, Callable, Dict, Iterator, List, Optional

from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean, unknown_key

# What is written for the options whose first keys do not say enough.
_LOGIN = "{host: ..., username: ..., password: ...}"
_TRUTHS = ("1", "on", "t", "true", "y", "yes", "0", "f", "false", "n", "no", "off", "1.0", "0.0")


def explain(
    given: Any,
    options: Dict[str, Any],
    named: Callable[[str], str] = str,
    examples: Optional[Dict[str, str]] = None,
) -> Optional[str]:
    """A sentence on the first mistake, or None if it is of another kind.

    ``given`` is what the task has, ``options`` the argument specification. ``named(option)`` is what the user calls an option. ``examples`` has
    values of options whose dictionaries are not described by the specification.
    """
    names = list(_names(options))
    for name in sorted(given, key=str):
        if not str(name).startswith("_ansible_") and name not in names:
            return "There is no option %r.%s" % (
                name,
                did_you_mean(name, names) or " There are %s." % ", ".join(sorted(names)),
            )
    return next(_problems(given, options, named, "", examples or {}), None)


def _names(options: Dict[str, Any]) -> Iterator[str]:
    for name, option in options.items():
        yield name
        yield from option.get("aliases") or ()


def _problems(
    given: Any, options: Dict[str, Any], named: Callable[[str], str], inside: str, examples: Dict[str, str]
) -> Iterator[str]:
    for name, option in options.items():
        for spelled in [name] + list(option.get("aliases") or ()):
            value = given.get(spelled)
            if value is not None:
                yield from _of_value(value, option, inside + named(spelled), examples.get(name))


def _of_value(value: Any, option: Dict[str, Any], where: str, example: Optional[str]) -> Iterator[str]:
    kind = option.get("type", "str")
    many = kind == "list"
    if many and option.get("elements") == "dict":
        if isinstance(value, dict) or (isinstance(value, str) and not value.lstrip().startswith("[")):
            if not (isinstance(value, str) and _parseable(value)):
                yield "%s%s is no list of dictionaries. Write %s." % (
                    where,
                    _shown(value, option),
                    example or _sample(option, True),
                )
            return
        for place, entry in enumerate(value if isinstance(value, (list, tuple)) else ()):
            yield from _of_dictionary(entry, option, "%s[%d]" % (where, place), example and example.strip("[]"))
    elif kind == "dict":
        yield from _of_dictionary(value, option, where, example)
    elif option.get("choices") and not isinstance(value, dict):
        yield from _of_choices(value, option, where, many)
    elif kind == "int" and not re.match(r"[+-]?[0-9]+\Z", str(value).strip()):
        yield "%s%s is no whole number." % (where, _shown(value, option))
    elif kind == "bool" and str(value).strip().lower() not in _TRUTHS:
        yield "%s%s is neither true nor false." % (where, _shown(value, option))


def _of_dictionary(value: Any, option: Dict[str, Any], where: str, example: Optional[str]) -> Iterator[str]:
    options = option.get("options")
    if not isinstance(value, dict):
        if not (isinstance(value, str) and _parseable(value)):
            yield "%s%s is no dictionary. Write %s." % (where, _shown(value, option), example or _sample(option, False))
        return
    if options is None:
        return
    names = list(_names(options))
    for key in sorted(value, key=str):
        if key not in names:
            yield _sentence(unknown_key(where, key, sorted(names)))
    for name in sorted(options):
        if options[name].get("required") and value.get(name) is None:
            yield "%s has no %s. Write %s." % (where, name, _sample(option, False))
    yield from _problems(value, options, str, where + ".", {})


def _of_choices(value: Any, option: Dict[str, Any], where: str, many: bool) -> Iterator[str]:
    choices = [str(choice) for choice in option["choices"]]
    values: List[Any] = [value]
    if many:
        values = (
            value.split(",") if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else values
        )
    for one in (value.strip() if isinstance(value, str) else value for value in values):
        if str(one) not in choices and one is not None and one != "":
            yield "%s: there is no %r; there are %s.%s" % (
                where,
                one,
                ", ".join(choices),
                did_you_mean(one, choices, 1),
            )


def _parseable(text: str) -> bool:
    """Whether Ansible may be able to make a dictionary of the text: JSON, or key=value."""
    if text.lstrip().startswith("{"):
        try:
            return isinstance(ast.literal_eval(text.strip()), dict)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            try:
                return isinstance(json.loads(text), dict)
            except ValueError:
                return False
    return "=" in text


def _shown(value: Any, option: Dict[str, Any]) -> str:
    """The value, unless a password may be in it."""
    if option.get("no_log") or any(one.get("no_log") for one in (option.get("options") or {}).values()):
        return ""
    text = repr(value)
    return ": %s" % (text if len(text) <= 60 else text[:57] + "...")


def _sample(option: Dict[str, Any], many: bool) -> str:
    """A dictionary with the keys that are needed, or the first ones."""
    options = option.get("options") or {"key": {}}
    if {"host", "username", "password"}.issubset(options):
        return _LOGIN
    keys = [name for name in options if options[name].get("required")] or list(options)[:3]
    written = "{%s}" % ", ".join("%s: ..." % name for name in keys)
    return "[%s]" % written if many else written


def _sentence(text: str) -> str:
    return text if text.endswith(("?", ".")) else text + "."
