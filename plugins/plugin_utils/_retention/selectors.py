# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VMs are meant, as overrides and exclusions say it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

from .. import _read
from .inventory import Vm, plain_id

TYPES = ("vm", "ct")


class Selector(NamedTuple):
    """Every key that is set must fit, by any of its texts."""

    name: tuple[str, ...] = ()  # globs
    uuid: tuple[str, ...] = ()  # without braces, in lower case
    type: tuple[str, ...] = ()
    description: tuple[str, ...] = ()  # globs, of the VM's newest backup
    state: tuple[str, ...] = ()  # of the VM now, which its backups do not tell: see fits_in_state()

    def fits(self, vm: Vm) -> bool:
        """Whether the VM is one of those meant."""
        return (
            (not self.name or _any_glob(vm.name, self.name))
            and (not self.uuid or plain_id(vm.uuid) in self.uuid)
            and (not self.type or vm.type in self.type)
            and (not self.description or bool(vm.backups) and _any_glob(vm.backups[-1].description, self.description))
        )

    def written(self) -> str:
        """What it asks for, in a few words."""
        return ", ".join("%s %s" % (key, " ".join(texts)) for key, texts in self._asdict().items() if texts)

    def fits_in_state(self, vm: Vm, state: str | None) -> bool:
        """The same of a VM whose state is known, or None."""
        return (not self.state or state in self.state) and self.fits(vm)


def read(match: Any, keys: Sequence[str], where: str) -> Selector:
    """A selector as it is written; ``keys`` are those that it may have, and one that is none is not set.

    :raises InputError: names the key, its value and what is allowed.
    """
    texts = {}
    for key, value in _read.check_keys(match or {}, keys, where).items():
        if value is None:
            continue
        values = [value] if isinstance(value, str) else value
        if (
            not isinstance(values, (list, tuple))
            or not values
            or not all(isinstance(text, str) and text for text in values)
        ):
            raise InputError("%s.%s is %r; it must be a text or a list of texts" % (where, key, value))
        texts[key] = tuple(plain_id(text) if key == "uuid" else str(text) for text in values)
    if not texts:
        raise InputError("%s is empty and would fit every VM: say which, by %s" % (where, ", ".join(keys)))
    for kind in texts.get("type", ()):
        if kind not in TYPES:
            raise InputError("%s.type is %r; it must be %s" % (where, kind, " or ".join(TYPES)))
    return Selector(**texts)


def read_all(selectors: Any, keys: Sequence[str], where: str) -> list[Selector]:
    """A list of them, such as the exclusions; a plain text is a glob for names. Raises as :func:`read` does."""
    return [
        read({"name": match} if isinstance(match, str) else match, keys, "%s[%d]" % (where, number))
        for number, match in enumerate([selectors] if isinstance(selectors, str) else _read.read_list(selectors, where))
    ]


def _any_glob(text: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, glob) for glob in globs)
