# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring a backup. Knows neither the SDK nor Ansible.

What the server is known to refuse is refused before it is asked, with the code that it would give, so that check mode tells it too.
"""

from typing import Any, Dict, Iterable, List, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._backups.creation import TOO_LATE
from ansible_collections.prlsdk.core.plugins.module_utils._backups.live_tree import Backup, Chain, Vm
from ansible_collections.prlsdk.core.plugins.module_utils._backups.retry import RetryBudget, reserve
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import BUSY, LOST, TIMEOUT, CallError

# The server restores over a VM in these states only. A mounted container counts as in use.
AT_REST = ("stopped", "suspended", "unknown", None)


class RestoreRequest:
    """What is asked for. ``key``: of the backup, None for the newest. ``name``, ``destination``: '' for the server's choice."""

    def __init__(
        self,
        key: Optional[str] = None,
        copy: bool = False,
        name: str = "",
        destination: str = "",
        live: bool = False,
        busy_timeout: float = 60.0,
    ) -> None:
        self.key, self.copy, self.name, self.destination, self.live, self.busy_timeout = (
            key,
            copy,
            name,
            destination,
            live,
            busy_timeout,
        )


class Restoration:
    """Restores one backup. ``server`` is a Backups of live.py."""

    def __init__(self, server: Any, uuid: str, request: RestoreRequest) -> None:
        self.server, self.uuid, self.request = server, uuid, request

    def run(self, check: bool = False) -> Dict[str, Any]:
        """Returns {restored, vm {uuid, name, state} or None, backup, source, warnings}."""
        kept_back = reserve(self.server)
        tries = RetryBudget(self.server, self.request.busy_timeout, kept_back)
        while True:
            tree = self.server.read(self.uuid)
            backup, chain = self._choose(tree)
            known = self.server.vms()
            namesake = self._namesake(known)
            if namesake is not None:
                return self._answer(False, tree, chain, backup, namesake)
            self._refuse_what_cannot_be(tree, known)
            if check:
                return self._answer(True, tree, chain, backup, None if self.request.copy else self._existing(known))
            if self.server.left() <= kept_back:
                raise CallError(TIMEOUT, TOO_LATE)
            try:
                uuid, used, warnings = self.server.restore(
                    tree.uuid, backup.id, self.request, known, self.server.left() - kept_back
                )
            except CallError as failure:
                symbol = failure.error["symbol"]
                if LOST.match(symbol):
                    raise CallError.of(
                        failure.error,
                        message="The connection was lost while the backup was restored. The server may go on with it, so it was not asked again.",
                    ) from None
                if not BUSY.match(symbol) or not tries.again():
                    raise
                continue
            try:
                restored = [vm for vm in self.server.vms() if same(vm["uuid"], uuid)]
            except PrlError as failure:  # it is restored; only its name stays unknown
                restored, warnings = [], warnings + [failure.error]
            vm = restored[0] if restored else {"uuid": uuid, "name": None, "state": None}
            return self._answer(True, tree, chain, backup, vm, warnings)

    def _choose(self, tree: Vm) -> Tuple[Backup, Chain]:
        if self.request.key is None:
            newest = tree.newest()
            if newest is None:
                raise refusal("PRL_ERR_BACKUP_BACKUP_NOT_FOUND", 0x80037011, "The VM has no backup.", self.uuid)
            # What the server itself takes for the newest: the last one of the last chain.
            chain = tree.chains[-1]
            return chain.backups[-1], chain
        place = tree.place(self.request.key)
        if place is None:
            raise refusal(
                "PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND",
                0x80037004,
                "The VM has no backup with this id.",
                self.request.key,
            )
        return place[0].backups[place[1]], place[0]

    def _existing(self, known: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        for vm in known:
            if same(vm["uuid"], self.uuid):
                return vm
        return None

    def _namesake(self, known: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        """The VM that already has the name of the copy: the copy of an earlier run."""
        if self.request.copy and self.request.name:
            for vm in known:
                if vm["name"] == self.request.name:
                    return vm
        return None

    def _refuse_what_cannot_be(self, tree: Vm, known: List[Dict[str, Any]]) -> None:
        existing = None if self.request.copy else self._existing(known)
        if self.request.live and tree.container:
            raise refusal(
                "PRL_ERR_UNIMPLEMENTED",
                0x80000008,
                "A container cannot be restored while it runs. Leave out 'live'.",
                self.uuid,
            )
        if existing is None:
            return
        if existing["state"] not in AT_REST:
            raise refusal(
                "PRL_ERR_BACKUP_RESTORE_VM_RUNNING",
                0x80037010,
                "'%s' is %s. Stop it first, or restore with 'mode: copy'." % (existing["name"], existing["state"]),
                self.uuid,
            )
        if self.request.destination:
            raise refusal(
                "PRL_ERR_BACKUP_RESTORE_EXISTING_SET_PRIVATE",
                0x80037043,
                "'%s' exists and stays where it is. Leave out 'destination', or restore with 'mode: copy'."
                % existing["name"],
                self.uuid,
            )

    def _answer(
        self,
        restored: bool,
        tree: Vm,
        chain: Chain,
        backup: Backup,
        vm: Optional[Dict[str, Any]],
        warnings: Iterable[Dict[str, Any]] = (),
    ) -> Dict[str, Any]:
        return {
            "restored": restored,
            "vm": vm and {name: vm[name] for name in ("uuid", "name", "state")},
            "backup": {
                "id": backup.id,
                "type": "full" if backup is chain.backups[0] else "incremental",
                "number": backup.number,
                "created": backup.created,
                "size": backup.size,
                "description": backup.description,
            },
            "source": {"uuid": tree.uuid, "name": tree.name, "type": "ct" if tree.container else "vm"},
            "warnings": list(warnings),
        }


def refusal(symbol: str, code: int, message: str, subject: Optional[str]) -> CallError:
    """What the server would answer, without asking it."""
    return CallError(symbol, message, code=code, subject=subject)


def same(one: Optional[str], other: Optional[str]) -> bool:
    """Whether two UUIDs are the same, braces and case aside."""
    return one is not None and other is not None and one.strip("{}").lower() == other.strip("{}").lower()
