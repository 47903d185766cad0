# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM's backups as they are now, and the server that keeps them: what every decision about a change rests on.

A tree that is not wholly understood is an error here, never a smaller tree.
"""

import random
import time
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils import _xml_text
from ansible_collections.prlsdk.core.plugins.module_utils._backups import locate, retry
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._backups.live_tree import Vm, vm_from
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError, TreeError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import TIMEOUT, CallError

# A task that does not wait for the end of its backup waits for so many seconds whether the server refuses it.
START = 5.0
# What the server said before it was done may be heard after its answer, by so many seconds at most.
LATE = 0.5

PET_BACKUP_PROGRESS, PET_RESTORE_PROGRESS, PET_VM_MESSAGE = 100050, 100052, 100502
# PJOC_SRV_CREATE_VM_BACKUP, PJOC_SRV_RESTORE_VM_BACKUP
JOBS = {"create_vm_backup": 115, "restore_vm_backup": 116}


class Backups:
    """What Removal, Creation and Restoration ask of the server. All but left() and pause() raise CallError.

    ``client`` is a Client of _sdk, ``progress`` a Progress. ``altered`` collects where in what was read a character was replaced.
    """

    def __init__(self, client: Any, progress: Any) -> None:
        self.client, self._progress = client, progress
        self.altered: Set[Any] = set()

    def left(self) -> float:
        """Seconds that there are."""
        return self.client.left()

    def pause(self, attempt: int, limit: float) -> float:
        """Sleep before try number ``attempt``, for ``limit`` seconds at most; returns for how long."""
        seconds = max(0.0, min(retry.backoff(attempt, random.uniform), limit, self.left()))
        time.sleep(seconds)
        return seconds

    def reopen(self) -> None:
        """Log in again wherever the connection is lost."""
        self.client.reopen()

    def read(self, uuid: str) -> Vm:
        """The Vm as it is now."""
        altered: List[Any] = []
        found = locate.read(self.client.tree(uuid), uuid, altered)
        self.altered.update(altered)
        try:
            return vm_from(found, uuid)
        except TreeError as error:
            raise locate.damaged(error, uuid) from None

    def warnings(self) -> List[str]:
        """What to warn of where a text of the server's tree was altered while it was read."""
        return [_xml_text.warning(self.altered)] if self.altered else []

    def find(self, uuid: str, ids: List[str]) -> Dict[str, List[str]]:
        """{backup's key: [UUIDs of the VMs that have it]} for backups that this VM's own tree does not show."""
        return locate.find_backups(self.client, uuid, ids)

    def running_removals(self) -> int:
        """How many removals the server is at now, whoever asked for them."""
        return self.client.running_removals()

    def vms(self) -> List[Dict[str, Any]]:
        """[{uuid, name, state, ...}] of the node."""
        return self.client.vms()

    def remove(self, uuid: str, backup_id: str, keep_chain: bool, limit: float) -> None:
        """Remove one, with the keep-chain flag or without, in ``limit`` seconds."""
        self.client.remove_backup(uuid, backup_id, keep_chain, limit)

    def create(self, uuid: str, request: Any, limit: float) -> Tuple[Optional[str], List[Dict[str, Any]]]:
        """-> (id, or None if nobody waits for it; warnings)."""
        if not request.wait:
            limit = min(limit, START)
        with Reports(
            self.client, self._progress, "create_vm_backup", uuid, lambda issuer: id_key(issuer) == id_key(uuid)
        ) as reports:
            try:
                made = self.client.call(
                    "create_backup",
                    limit,
                    reports.look,
                    uuid,
                    vm=uuid,
                    full=request.full,
                    description=request.description,
                    compress=request.compress,
                )
            except CallError as failure:
                if request.wait or failure.error["symbol"] != TIMEOUT:
                    raise
                return None, reports.warnings
            reports.finish()
        return made["id"], made["warnings"] + reports.warnings

    def restore(
        self, uuid: str, backup_id: str, request: Any, known: List[Dict[str, Any]], limit: float
    ) -> Tuple[str, str, List[Dict[str, Any]]]:
        """-> (the VM's uuid, the backup's id, warnings). ``known`` are the VMs of the node."""
        others = {id_key(vm["uuid"]) for vm in known if vm["uuid"]} - {id_key(uuid)}
        # A copy's UUID is not known yet: its progress is what no other VM's is.
        with Reports(
            self.client, self._progress, "restore_vm_backup", backup_id, lambda issuer: id_key(issuer) not in others
        ) as reports:
            done = self.client.call(
                "restore_backup",
                limit,
                reports.look,
                backup_id,
                vm=uuid,
                id=backup_id,
                copy=request.copy,
                name=request.name,
                destination=request.destination,
                live=request.live,
            )
            reports.finish()
        return done["vm"], done["id"], done["warnings"] + reports.warnings


class Reports:
    """What the server tells of our own request while it runs: progress in percent, and warnings.

    ``issuer(uuid)`` says whether an event's issuer is meant: progress of disks goes to every client.
    """

    def __init__(
        self, client: Any, progress: Any, operation: str, subject: Optional[str], issuer: Callable[[str], bool]
    ) -> None:
        self._client, self._progress, self._operation, self._subject, self._issuer = (
            client,
            progress,
            operation,
            subject,
            issuer,
        )
        self._last: Optional[Tuple[str, int]] = None
        self._done = False
        self.warnings: List[Dict[str, Any]] = []

    def __enter__(self) -> "Reports":
        self._client.call("subscribe", types=[PET_BACKUP_PROGRESS, PET_RESTORE_PROGRESS, PET_VM_MESSAGE])
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None and not issubclass(kind, Exception):
            return  # a signal ends this process, and the worker with it; nothing waits for the request
        if self._client.alive:
            try:
                self._client.call("unsubscribe")
            except PrlError:  # it counts for nothing beside what the request did
                pass
        while self._client.received() is not None:  # another try hears of its own request only
            pass

    def finish(self) -> None:
        """Pass on what is still to come, once the request has ended. Whatever becomes of the worker by now, that is what it did."""
        end = time.monotonic() + LATE
        try:
            while not self._done and time.monotonic() < end:
                self._take(self._client.event(end - time.monotonic()))
            self.look()
        except PrlError:
            pass

    def look(self) -> None:
        """Pass on what has arrived."""
        line = self._client.pending_event()
        while line is not None:
            self._take(line)
            line = self._client.pending_event()

    def _take(self, line: Dict[str, Any]) -> None:
        if line is None:
            return
        if line["kind"] == "job":
            self._done = self._done or line["operation"] == JOBS[self._operation]
        elif line["kind"] == "event":
            self._tell(line["event"])

    def _tell(self, event: Dict[str, Any]) -> None:
        if not self._issuer(event["issuer_id"]):
            return
        if event["type_id"] == PET_VM_MESSAGE:
            text = " ".join((event["message"] or "").split())
            self.warnings.append({"code": event["code"], "symbol": event["symbol"], "message": text})
            return
        values = {name: event["params"][name]["value"] for name in event["params"]}
        stage = "disk %s" % values["device_index"] if "device_index" in values else "files"
        try:
            report = (stage, min(100, int(values.get("progress_changed", ""))))
        except (TypeError, ValueError):
            return
        if report != self._last:
            self._last = report
            self._progress.advance(self._operation, self._subject, stage=report[0], percent=report[1])
