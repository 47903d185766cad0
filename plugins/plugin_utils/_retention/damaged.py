# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs whose backups could not be read. Which ones they have is not known, so nothing is concluded from their absence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

from .inventory import Backups, Vm, plain_id
from .selectors import Selector
from .warnings import warning


class Damaged(NamedTuple):
    """A VM as the ``damaged`` of ``prl_backup_info`` has it."""

    uuid: str
    name: str | None
    message: str

    @property
    def called(self) -> str:
        """The name, or what there is instead of one."""
        return self.name or self.uuid

    def vm(self) -> Vm:
        """As far as it is known."""
        return Vm(self.name or "", self.uuid, "", 0, Backups([]))

    def may_be_meant(self, selector: Selector) -> bool:
        """Whether the selector fits it, or may do so: its type and its newest backup's description are not known."""
        return selector._replace(type=(), description=()).fits(self.vm())


def read(damaged: Any) -> list[Damaged]:
    """The list as a module returns it; none is an empty one.

    :raises InputError: names the place and what is expected there.
    """
    found = []
    if damaged is not None and not isinstance(damaged, (list, tuple)):
        raise InputError("damaged must be a list as prl_backup_info returns it, not %.60r" % (damaged,))
    for number, entry in enumerate(damaged or []):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("uuid"), str):
            raise InputError("damaged[%d] has no uuid; give the damaged of the result of prl_backup_info" % number)
        found.append(
            Damaged(
                str(entry["uuid"]),
                str(entry["name"]) if entry.get("name") else None,
                str(entry.get("message") or "its backups cannot be read"),
            )
        )
    return found


def without(vms: list[Vm], damaged: list[Damaged]) -> list[Vm]:
    """The VMs of which everything is known."""
    unread = {plain_id(one.uuid) for one in damaged}
    return [vm for vm in vms if plain_id(vm.uuid) not in unread] if unread else vms


def tell(plan: dict[str, Any], damaged: list[Damaged]) -> dict[str, Any]:
    """The plan with its ``damaged``, a warning for each, and without what nobody can say while a part is not known."""
    plan["damaged"] = [{"uuid": one.uuid, "name": one.name, "message": one.message} for one in damaged]
    if damaged:
        # What no backup has may be one's that cannot be read.
        known = [one for one in plan["warnings"] if not one["code"].startswith("unknown_")]
        message = "nothing is planned for %s, because it is not known which backups it has: %s"
        plan["warnings"] = [
            warning("damaged", message % (one.called, one.message), vm=one.uuid) for one in damaged
        ] + known
    return plan
