# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a backup, at most one. Knows neither the SDK nor Ansible.

A request that the server refused because something is in use is made again, after a look whether a backup has come meanwhile. A
request whose connection was lost is never made again: the server goes on with it, so the backup is looked for.
"""

from typing import Any, Dict, Iterable, List, Optional

from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._backups.live_tree import Backup, Vm
from ansible_collections.prlsdk.core.plugins.module_utils._backups.retry import RetryBudget, reserve
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import (
    BUSY,
    LOST,
    TIMEOUT,
    WORKER_DIED,
    CallError,
)

TOO_LATE = "The time was over before the server was asked, so nothing was done."
# After a lost connection the backup is looked for during so many seconds.
SEARCH = 60.0


class CreateRequest:
    """What is asked for. ``newer_than``: a backup made then or later (YYYY-MM-DDTHH:MM:SSZ) does as well; None: always make one."""

    def __init__(
        self,
        full: bool = False,
        description: str = "",
        compress: bool = True,
        newer_than: Optional[str] = None,
        wait: bool = True,
        busy_timeout: float = 60.0,
    ) -> None:
        self.full, self.description, self.compress = full, description, compress
        self.newer_than, self.wait, self.busy_timeout = newer_than, wait, busy_timeout


class Creation:
    """Makes one backup. ``server`` is a Backups of live.py."""

    def __init__(self, server: Any, uuid: str, request: CreateRequest) -> None:
        self.server, self.uuid, self.request = server, uuid, request
        self.reserve = reserve(server)

    def run(self, check: bool = False) -> Dict[str, Any]:
        """Returns {created, backup, became_full, recovered, warnings, before, after}; ``backup`` is None if it is not known yet."""
        tries = RetryBudget(self.server, self.request.busy_timeout, self.reserve)
        before = vm = self.server.read(self.uuid)
        while True:
            recent = recent_enough(vm, self.request)
            if recent is not None:
                return self._answer(False, before, vm, recent)
            if check:
                full = self.request.full or will_be_full(vm)
                return dict(self._answer(True, before, vm, None), became_full=full and not self.request.full)
            if self.server.left() <= self.reserve:
                raise CallError(TIMEOUT, TOO_LATE)
            try:
                made, warnings = self.server.create(self.uuid, self.request, self.server.left() - self.reserve)
            except CallError as failure:
                symbol = failure.error["symbol"]
                if LOST.match(symbol) or symbol == WORKER_DIED:
                    return self._search(before, vm, failure)
                if not BUSY.match(symbol) or not tries.again():
                    raise
                vm = self.server.read(self.uuid)
                continue
            return self._found(before, made, warnings)

    def _found(self, before: Vm, made: Optional[str], warnings: List[Dict[str, Any]]) -> Dict[str, Any]:
        after, backup = before, None
        if made is not None:
            try:
                after = self.server.read(self.uuid)
            except PrlError as failure:  # it is made; only its size and time stay unknown
                warnings = warnings + [failure.error]
            place = after.place(id_key(made))
            backup = place[0].backups[place[1]] if place else None
        answer = self._answer(True, before, after, backup, warnings)
        if made is not None and backup is None:
            answer["backup"] = {
                "id": made,
                "type": type_of(made),
                "number": None,
                "created": None,
                "size": None,
                "description": self.request.description,
            }
        if made is not None:
            answer["became_full"] = not self.request.full and answer["backup"]["type"] == "full"
        return answer

    def _search(self, before: Vm, vm: Vm, failure: CallError) -> Dict[str, Any]:
        """What became of a request whose connection is gone. Raises that failure when the backup does not turn up."""
        if self.server.left() <= 0:
            raise failure
        try:
            self.server.reopen()
            waited, attempt = 0.0, 0
            while True:
                after = self.server.read(self.uuid)
                new = [
                    backup
                    for chain in after.chains
                    for backup in chain.backups
                    if vm.place(backup.key) is None and as_read(backup.description) == as_read(self.request.description)
                ]
                if new:
                    newest = max(new, key=lambda backup: backup.created)
                    answer = self._answer(True, before, after, newest)
                    return dict(
                        answer, recovered=True, became_full=not self.request.full and answer["backup"]["type"] == "full"
                    )
                if waited >= SEARCH or self.server.left() <= self.reserve:
                    break
                attempt += 1
                waited += self.server.pause(attempt, SEARCH - waited)
        except PrlError:
            pass
        how = (
            failure.message
            if failure.error["symbol"] == WORKER_DIED
            else "The connection was lost while the backup was made."
        )
        raise CallError.of(
            failure.error,
            message="%s The backup has not shown up since. It may still be under way, so it was not asked for again."
            % how,
        )

    def _answer(
        self, created: bool, before: Vm, after: Vm, backup: Optional[Backup], warnings: Iterable[Dict[str, Any]] = ()
    ) -> Dict[str, Any]:
        return {
            "created": created,
            "backup": backup and described(after, backup),
            "became_full": False,
            "recovered": False,
            "warnings": list(warnings),
            "before": before.ids(),
            "after": after.ids(),
            "name": after.name or before.name,
        }


def as_read(text: str) -> str:
    """A text as an XML parser gives it back: the server writes it raw, and a parser knows one kind of line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def recent_enough(vm: Vm, request: CreateRequest) -> Optional[Backup]:
    """The newest backup that makes a new one needless, or None. Where a full one is asked for, only full ones count."""
    if request.newer_than is None:
        return None
    candidates = [backup for chain in vm.chains for backup in (chain.backups[:1] if request.full else chain.backups)]
    fresh = [backup for backup in candidates if backup.created >= request.newer_than]
    # Of equal times the later in the tree is the newer.
    return max(reversed(fresh), key=lambda backup: backup.created) if fresh else None


def will_be_full(vm: Vm) -> bool:
    """Whether an incremental backup would turn into a full one as far as the tree tells: nothing to build on, or its end was removed."""
    if not vm.chains:
        return True
    chain = vm.chains[-1]
    return max(chain.last_number, 1) != chain.backups[-1].number


def type_of(backup_id: str) -> str:
    """The id of a new full backup has no number; that is the only reliable sign of what was made."""
    return "incremental" if "." in backup_id else "full"


def described(vm: Vm, backup: Backup) -> Dict[str, Any]:
    return {
        "id": backup.id,
        "type": "incremental" if vm.place_of(backup.key)[1] else "full",
        "number": backup.number,
        "created": backup.created,
        "size": backup.size,
        "description": backup.description,
    }
