# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM's backups as they are now, and the server that keeps them: what every decision about a change rests on.

A tree that is not wholly understood is an error here, never a smaller tree.
"""

import collections
import random
import time

from ansible_collections.prlsdk.core.plugins.module_utils import _xml_text
from ansible_collections.prlsdk.core.plugins.module_utils._backups import locate, retry
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError, TreeError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import TIMEOUT, CallError

# A task that does not wait for the end of its backup waits for so many seconds whether the server refuses it.
START = 5.0
# What the server said before it was done may be heard after its answer, by so many seconds at most.
LATE = 0.5

PET_BACKUP_PROGRESS, PET_RESTORE_PROGRESS, PET_VM_MESSAGE = 100050, 100052, 100502
# PJOC_SRV_CREATE_VM_BACKUP, PJOC_SRV_RESTORE_VM_BACKUP
JOBS = {"create_vm_backup": 115, "restore_vm_backup": 116}

# id: as the server stores it, because it compares ids as text. key: as id_key() makes it. number: 1 for a full, N of a promoted one.
# created: YYYY-MM-DDTHH:MM:SSZ. size: bytes.
Backup = collections.namedtuple("Backup", "id key number created size description")


class Chain:
    """A full and its increments. It never changes, so that one reading after the other can share it."""

    def __init__(self, uuid, backups, last_number):
        """``backups``: the full first, then the increments by number. ``last_number``: the highest ever given, 0 if none."""
        self.uuid, self.backups, self.last_number = uuid, tuple(backups), last_number
        self.key = id_key(uuid)
        self.positions = {backup.key: position for position, backup in enumerate(self.backups)}
        if len(self.positions) < len(self.backups):
            raise TreeError("two backups of chain %s have the same id" % uuid)
        # Of equal times the later in the tree is the newer.
        self.newest = None
        for backup in self.backups:
            if self.newest is None or backup.created >= self.newest.created:
                self.newest = backup

    def without(self, gone):
        """This chain after the backups with these keys went; None if nothing is left."""
        if not any(wanted in self.positions for wanted in gone):
            return self
        left = [backup for backup in self.backups if backup.key not in gone]
        return Chain(self.uuid, left, self.last_number) if left else None


class Vm:
    """One VM's part of the tree. A VM without backups has no chains. ``version`` is the storage format, 0 if not told."""

    def __init__(self, uuid, name=None, container=False, version=0, chains=()):
        self.uuid, self.name, self.container, self.version, self.chains = uuid, name, container, version, list(chains)
        self._by_key = {chain.key: chain for chain in self.chains}
        if len(self._by_key) < len(self.chains):
            raise TreeError("two chains of VM %s have the same UUID" % uuid)
        self._keys = None

    def place(self, wanted):
        """(chain, position in it) of a backup's key, or None."""
        chain = self._by_key.get(wanted.partition(".")[0])
        position = None if chain is None else chain.positions.get(wanted)
        return None if position is None else (chain, position)

    def has_chain(self, wanted):
        """Whether a chain with this key shows. One that somebody writes to does not."""
        return wanted in self._by_key

    def keys(self):
        """The keys of all its backups, a set."""
        if self._keys is None:
            self._keys = frozenset().union(*[chain.positions for chain in self.chains])
        return self._keys

    def chain_keys(self, keys):
        """The keys of all backups of the chain that these keys belong to, a set."""
        return frozenset(self.place(next(iter(keys)))[0].positions)

    def ids(self):
        """All ids, oldest chain first."""
        return [backup.id for chain in self.chains for backup in chain.backups]

    def newest(self):
        """(chain, backup) of the newest backup, or None. Chains come by age; of equal times the later in the tree is the newer."""
        found = None
        for chain in self.chains:
            if found is None or chain.newest.created >= found[1].created:
                found = (chain, chain.newest)
        return found

    def without(self, gone):
        """This VM after the backups with these keys went. What is left of a chain that lost its full is not a chain."""
        left = [chain.without(gone) for chain in self.chains]
        return Vm(self.uuid, self.name, self.container, self.version, [chain for chain in left if chain is not None])


def vm_from(trees, uuid):
    """The Vm with this UUID among the VmTree objects of an answer; one without chains when it is not there. TreeError for what cannot be."""
    own = [tree for tree in trees if id_key(tree.uuid) == id_key(uuid)]
    if len(own) > 1:
        raise TreeError("VM %s is in the answer %d times" % (uuid, len(own)))
    for tree in own:
        return Vm(
            tree.uuid, tree.name, tree.type == "ct", tree.storage_version, [_chain_from(chain) for chain in tree.chains]
        )
    return Vm(uuid)


def _chain_from(chain):
    backups = [
        Backup(one.id, id_key(one.id), one.number, one.created, one.size, one.description) for one in chain.backups
    ]
    return Chain(chain.uuid, backups, chain.last_number)


class Backups:
    """What Removal, Creation and Restoration ask of the server. All but left() and pause() raise CallError.

    ``client`` is a Client of _sdk, ``progress`` a Progress. ``altered`` collects where in what was read a character was replaced.
    """

    def __init__(self, client, progress):
        self.client, self._progress = client, progress
        self.altered = set()

    def left(self):
        """Seconds that there are."""
        return self.client.left()

    def pause(self, attempt, limit):
        """Sleep before try number ``attempt``, for ``limit`` seconds at most; returns for how long."""
        seconds = max(0.0, min(retry.backoff(attempt, random.uniform), limit, self.left()))
        time.sleep(seconds)
        return seconds

    def reopen(self):
        """Log in again wherever the connection is lost."""
        self.client.reopen()

    def read(self, uuid):
        """The Vm as it is now."""
        altered = []
        found = locate.read(self.client.tree(uuid), uuid, altered)
        self.altered.update(altered)
        try:
            return vm_from(found, uuid)
        except TreeError as error:
            raise locate.damaged(error, uuid) from None

    def warnings(self):
        """What to warn of where a text of the server's tree was altered while it was read."""
        return [_xml_text.warning(self.altered)] if self.altered else []

    def find(self, uuid, ids):
        """{backup's key: [UUIDs of the VMs that have it]} for backups that this VM's own tree does not show."""
        return locate.find_backups(self.client, uuid, ids)

    def running_removals(self):
        """How many removals the server is at now, whoever asked for them."""
        return self.client.running_removals()

    def vms(self):
        """[{uuid, name, state, ...}] of the node."""
        return self.client.vms()

    def remove(self, uuid, backup_id, keep_chain, limit):
        """Remove one, with the keep-chain flag or without, in ``limit`` seconds."""
        self.client.remove_backup(uuid, backup_id, keep_chain, limit)

    def create(self, uuid, wish, limit):
        """-> (id, or None if nobody waits for it; warnings)."""
        if not wish.wait:
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
                    full=wish.full,
                    description=wish.description,
                    compress=wish.compress,
                )
            except CallError as failure:
                if wish.wait or failure.error["symbol"] != TIMEOUT:
                    raise
                return None, reports.warnings
            reports.finish()
        return made["id"], made["warnings"] + reports.warnings

    def restore(self, uuid, backup_id, wish, known, limit):
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
                copy=wish.copy,
                name=wish.name,
                destination=wish.destination,
                live=wish.live,
            )
            reports.finish()
        return done["vm"], done["id"], done["warnings"] + reports.warnings


class Reports:
    """What the server tells of our own request while it runs: progress in percent, and warnings.

    ``issuer(uuid)`` says whether an event's issuer is meant: progress of disks goes to every client.
    """

    def __init__(self, client, progress, operation, subject, issuer):
        self._client, self._progress, self._operation, self._subject, self._issuer = (
            client,
            progress,
            operation,
            subject,
            issuer,
        )
        self._last, self._done = None, False
        self.warnings = []

    def __enter__(self):
        self._client.call("subscribe", types=[PET_BACKUP_PROGRESS, PET_RESTORE_PROGRESS, PET_VM_MESSAGE])
        return self

    def __exit__(self, kind, error, trace):
        if self._client.alive:
            try:
                self._client.call("unsubscribe")
            except PrlError:  # it counts for nothing beside what the request did
                pass
        while self._client.received() is not None:  # another try hears of its own request only
            pass

    def finish(self):
        """Pass on what is still to come, once the request has ended. Whatever becomes of the worker by now, that is what it did."""
        end = time.monotonic() + LATE
        try:
            while not self._done and time.monotonic() < end:
                self._take(self._client.event(end - time.monotonic()))
            self.look()
        except PrlError:
            pass

    def look(self):
        """Pass on what has arrived."""
        line = self._client.pending_event()
        while line is not None:
            self._take(line)
            line = self._client.pending_event()

    def _take(self, line):
        if line is None:
            return
        if line["kind"] == "job":
            self._done = self._done or line["operation"] == JOBS[self._operation]
        elif line["kind"] == "event":
            self._tell(line["event"])

    def _tell(self, event):
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
