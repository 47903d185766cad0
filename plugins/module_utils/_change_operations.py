# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's operations that make, remove and restore backups. What to do is decided by _creation, _removal and _restoration."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import random
import sys
import time

if __name__.startswith("ansible_collections."):
    from ansible_collections.prlsdk.core.plugins.module_utils import _creation, _live_tree, _removal, _restoration, _retrying, _xml_text
    from ansible_collections.prlsdk.core.plugins.module_utils._ask_operations import BOTH, list_vms, plan_trees, resolve, spelled, tree_text
    from ansible_collections.prlsdk.core.plugins.module_utils._wire import Failure, event_texts, monotonic, native, readable, uuid_key
else:  # beside the worker, where there is no collection
    import _creation
    import _live_tree
    import _removal
    import _restoration
    import _retrying
    import _xml_text
    from _ask_operations import BOTH, list_vms, plan_trees, resolve, spelled, tree_text
    from _wire import Failure, event_texts, monotonic, native, readable, uuid_key

# Flags by number: constants are those of the installed build, and an older one lacks the newer names.
PBT_FULL, PBT_INCREMENTAL, PBT_UNCOMPRESSED, PBT_KEEP_CHAIN = 2048, 4096, 65536, 2097152
PBT_RESTORE_TO_COPY, PBT_RESTORE_RUNNING, PBT_CHAIN = 16384, 8388608, 1048576

PET_BACKUP_PROGRESS, PET_RESTORE_PROGRESS, PET_VM_MESSAGE = 100050, 100052, 100502
# What the server said before it was done may come to the handler after the wait has ended, by so many seconds at most.
LATE = 0.5


class Reports:
    """What the server tells of our own request while it runs: progress in percent, and warnings.

    ``issuer(uuid)`` says whether an event's issuer is meant: progress of disks goes to every client.
    """

    def __init__(self, session, operation, subject, issuer):
        self._session, self._operation, self._subject, self._issuer = session, operation, subject, issuer
        self._arrived = []
        self._last, self._done = None, False
        self.warnings = []

    def __enter__(self):
        self._session.listen(self._keep)
        return self

    def __exit__(self, *exception):
        try:
            self._session.listen_no_more(self._keep)
        except self._session.sdk.api.PrlSDKError as error:
            sys.stderr.write("unsubscribing: %s\n" % (error,))

    def _keep(self, handle, user_data):
        # Wrapped exactly once, whatever it is; nothing else happens in the SDK's thread.
        self._arrived.append(self._session.sdk.api.handle_to_object(handle))

    def finish(self):
        """Pass on what is still to come, once the request has ended."""
        end = monotonic() + LATE
        while not self._done and monotonic() < end:
            time.sleep(0.01)
            self.look()
        time.sleep(0.05)
        self.look()

    def look(self):
        """Pass on what has arrived. Finished jobs arrive here too."""
        while self._arrived:
            event = self._arrived.pop(0)
            if not hasattr(event, "get_issuer_id"):
                self._done = self._done or event.get_op_code() == getattr(self._session.sdk.consts, "PJOC_SRV_" + self._operation.upper(), None)
                continue
            try:
                self._tell(event)
            except self._session.sdk.api.PrlSDKError as error:
                sys.stderr.write("an event: %s\n" % (error,))

    def _tell(self, event):
        kind = event.get_type()
        if kind not in (PET_BACKUP_PROGRESS, PET_RESTORE_PROGRESS, PET_VM_MESSAGE) or not self._issuer(readable(event.get_issuer_id())):
            return
        if kind == PET_VM_MESSAGE:
            code = event.get_err_code() & 0xFFFFFFFF
            text = " ".join(readable(event.get_err_string(False, True)).split())
            self.warnings.append({"code": code, "symbol": self._session.sdk.symbol(code), "message": text})
            return
        values = event_texts(event)
        stage = "disk %s" % values["device_index"] if "device_index" in values else "files"
        try:
            report = (stage, min(100, int(values.get("progress_changed", ""))))
        except ValueError:
            return
        if report != self._last:
            self._last = report
            self._session.protocol.progress(self._operation, self._subject, stage=report[0], percent=report[1])


class Backups:
    """What the companions that decide, Removal, Creation and Restoration, ask of the server. All but left() and pause() raise Failure.

    With ``read_only``, as in check mode, what would change something on the server raises before it is asked.
    """

    def __init__(self, connection, read_only=False):
        self.connection, self.read_only = connection, read_only
        self._known = (None, {})  # a VM's UUID, and what read_vm() keeps of it

    def _change(self, operation, *arguments, **more):
        """A call that changes something on the server; the only way to one."""
        if self.read_only:
            raise Failure("READ_ONLY", "%s was about to be asked for where nothing may be changed" % operation, operation)
        return self.connection.node.call(operation, *arguments, **more)

    def left(self):
        """Seconds that there are."""
        return self.connection.node.deadline.left()

    def pause(self, attempt, limit):
        """Sleep before try number ``attempt``, for ``limit`` seconds at most; returns for how long."""
        seconds = max(0.0, min(_retrying.backoff(attempt, random.uniform), limit, self.left()))
        time.sleep(seconds)
        return seconds

    def reopen(self):
        """Log in again wherever the connection is lost."""
        self.connection.restore()

    def read(self, uuid):
        """The Vm of _live_tree as it is now."""
        text = tree_text(self.connection, uuid, BOTH)
        mended = _xml_text.mend(text)
        if self._known[0] != uuid:
            self._known = (uuid, {})
        try:
            vm = _live_tree.read_vm(mended, uuid, self._known[1])
        except _live_tree.DamagedTree as error:
            raise damaged(error, uuid)
        if mended is not text:
            self.connection.altered.update(altered_in(vm))
        return vm

    def find(self, uuid, ids):
        """{backup's key: [UUIDs of the VMs that have it]} for backups that this VM's own tree does not show.

        They may be another VM's, or lie in the server's default directory while it looks for this VM's in another. The default directory is asked
        for single chains: their answers are short, while the whole tree takes a large server minutes to write.
        """
        wanted = set(_live_tree.key(identity) for identity in ids)
        chains = set(identity.partition(".")[0] for identity in ids)
        elsewhere = [
            vm["uuid"] for vm in list_vms(self.connection.store, BOTH)
            if vm["uuid"] and vm["backup_directory"] and uuid_key(vm["uuid"]) != uuid_key(uuid)
        ]
        asked = [(chain, PBT_CHAIN) for chain in sorted(chains.union(chain.lower() for chain in chains))] + [(other, 0) for other in elsewhere]
        found = {}
        for subject, flag in asked:
            try:
                # Chains that come after the wanted one are in the answer, too.
                for vm in _live_tree.read_all(tree_text(self.connection, subject, BOTH, flag)):
                    for key in wanted & vm.keys():
                        if vm.uuid not in found.setdefault(key, []):
                            found[key].append(vm.uuid)
            except _live_tree.DamagedTree as error:
                raise damaged(error, subject)
        return found

    def running_removals(self):
        """How many removals the server is at now, whoever asked for them."""
        return self.connection.running_removals()

    def vms(self):
        """[{uuid, name, state, ...}] of the node."""
        return list_vms(self.connection.node, BOTH)

    def remove(self, uuid, backup_id, keep_chain, limit):
        """Remove one, with the keep-chain flag or without, in ``limit`` seconds."""
        # Never with an empty one: without a backup's id the server removes everything of the VM.
        if not uuid_key(uuid) or not uuid_key(backup_id.partition(".")[0]):
            raise Failure("WORKER_FAILED", "'%s' of '%s' cannot be removed" % (backup_id, uuid), "remove_vm_backup")
        host, port, session = self.connection.target
        self._change(
            "remove_vm_backup", native(uuid), native(backup_id), host, port, session, PBT_KEEP_CHAIN if keep_chain else 0, 0, True,
            subject=backup_id, limit=limit, warnings=[],
        )

    def create(self, uuid, wish, limit):
        """-> (id, or None if nobody waits for it; warnings)."""
        flags = (PBT_FULL if wish.full else PBT_INCREMENTAL) | (0 if wish.compress else PBT_UNCOMPRESSED)
        arguments = (native(uuid),) + self.connection.target + (native(wish.description), flags, 0, True)
        if not wish.wait:
            limit = min(limit, START)
        warnings = []
        with Reports(self.connection.node, "create_vm_backup", uuid, lambda issuer: uuid_key(issuer) == uuid_key(uuid)) as reports:
            try:
                answer = self._change(
                    "create_vm_backup", *arguments, subject=uuid, limit=limit, each=reports.look, warnings=warnings
                )
            except Failure as failure:
                if wish.wait or failure.error["symbol"] != "PRL_ERR_TIMEOUT":
                    raise
                return None, warnings + reports.warnings
            reports.finish()
        return readable(answer.get_param_by_index_as_string(1)), warnings + reports.warnings

    def restore(self, uuid, backup_id, wish, known, limit):
        """-> (the VM's uuid, the backup's id, warnings). ``known`` are the VMs of the node."""
        flags = (PBT_RESTORE_TO_COPY if wish.copy else 0) | (PBT_RESTORE_RUNNING if wish.live else 0)
        others = set(uuid_key(vm["uuid"]) for vm in known if vm["uuid"]) - set([uuid_key(uuid)])
        warnings = []
        # A copy's UUID is not known yet: its progress is what no other VM's is.
        with Reports(self.connection.node, "restore_vm_backup", backup_id, lambda issuer: uuid_key(issuer) not in others) as reports:
            host, port, session = self.connection.target
            answer = self._change(
                "restore_vm_backup", native(uuid), native(backup_id), host, port, session, native(wish.destination), native(wish.name), flags, 0, True,
                subject=backup_id, limit=limit, each=reports.look, warnings=warnings,
            )
            reports.finish()
        restored, used = [readable(answer.get_param_by_index_as_string(index)) for index in (0, 1)]
        return restored, used, warnings + reports.warnings


# A task that does not wait for the end of its backup waits for so many seconds whether the server refuses it.
START = 5.0


def altered_in(vm):
    """Where in a VM of a tree in which something was replaced are replaced characters: [(VM's name, its UUID, backup's id or None)]."""
    names = [(vm.name, vm.uuid, None)] if u"\ufffd" in (vm.name or u"") else []
    return names + [(vm.name, vm.uuid, backup.id) for chain in vm.chains for backup in chain.backups if u"\ufffd" in backup.description]


def damaged(error, uuid):
    return Failure("DAMAGED_TREE", "The server's backup tree is damaged: %s." % (error,), "get_backup_tree", subject=uuid or "all VMs")


def locate(connection, keys, names):
    """Search everything for backups and VMs: ({backup's key: [VM's uuid]}, {VM's name: [uuid]})."""
    backups, vms = {}, {}
    for uuid, directory in plan_trees(connection, {"wanted": None, "types": BOTH, "scope": "all"})[0]:
        try:
            for vm in _live_tree.read_all(tree_text(connection, uuid, BOTH)):
                for found, wanted, value in [(backups, keys & vm.keys(), vm.uuid), (vms, names & set([vm.name]), vm.uuid)]:
                    for word in wanted:
                        if value not in found.setdefault(word, []):
                            found[word].append(value)
        except _live_tree.DamagedTree as error:
            raise damaged(error, uuid)
    return backups, vms


NOTHING_CALLED = u"There is no VM '%s', and no backup of one."


def find_vms(connection, words, keys=(), gone_ok=False):
    """What the words mean, UUIDs, names or container ids, and which VMs have the backups with these keys.

    -> {word: uuid}, {key: [uuid]}. Names that no VM of the node has, and backups, are looked for in the whole tree. Raises Failure for a
    word that means several VMs, or none unless ``gone_ok``, which leaves it out.
    """
    found = dict((word, spelled(connection, word)) for word in words if uuid_key(word))
    names = set(words) - set(found)
    if names:
        known = [vm for vm in list_vms(connection.node, BOTH) if vm["uuid"]]
        found.update((word, vm["uuid"]) for word, vm in resolve(sorted(names), known) if vm)
    names -= set(found)
    if not names and not keys:
        return found, {}
    owners, gone = locate(connection, set(keys), names)
    for word in sorted(names):
        uuids = gone.get(word, [])
        if len(uuids) > 1:
            raise Failure("AMBIGUOUS_VM_NAME", u"%d VMs with backups were called '%s'." % (len(uuids), word), subject=word,
                          candidates=[{"uuid": uuid, "name": word, "type": None, "home": None} for uuid in uuids])
        if uuids:
            found[word] = uuids[0]
        elif not gone_ok:
            raise Failure("UNKNOWN_VM", NOTHING_CALLED % word, subject=word)
    return found, owners


def remove_operation(connection, arguments, spool):
    """Remove backups.

    arguments: backups [{id, vm (null: search), created, size, action, removes {key: {created, size}}, allow_remove_last}], dependents, allow_remove_last,
    on_error, busy_timeout, check; debts [{vm, id}] of requests that may still be done; interrupted, null or {vm, kind, id, keep_chain, chain [id, ...],
    intended [id, ...]}, the removal at which an earlier worker died, of which no more is done than to find out what became of it.

    -> server; warnings; backups, stop, removed_by_others, debts, before, after as Removal.run() gives them. Each backup's outcome is sent as an
    ``item`` as well, and before that what it is so far, with ``trying``, what is asked for right now in the form of ``interrupted``.
    """
    entries = [entry_from(index, wanted) for index, wanted in enumerate(arguments["backups"])]
    protocol, done = connection.protocol, []

    def report(entry):
        done.append(entry)
        protocol.send("item", index=entry.index, backup=entry.result(), debts=removal.open_requests())

    def attempt(step, vm):
        chain = vm.place(next(iter(step.intended)))[0].backups
        trying = {
            "vm": vm.uuid, "kind": step.kind, "id": step.id, "keep_chain": step.keep_chain, "chain": [backup.id for backup in chain],
            "intended": [backup.id for backup in chain if backup.key in step.intended],
        }
        for entry in step.covers or (step.owner,):
            protocol.send("item", index=entry.index, backup=dict(entry.result(), trying=trying), debts=removal.open_requests())
        protocol.progress("remove_vm_backup", step.id, stage=step.kind, vm=vm.name or vm.uuid, done=len(done), total=len(entries),
                          percent=100 * len(done) // len(entries))

    backups = Backups(connection, read_only=arguments["check"])
    named = set(entry.vm for entry in entries if entry.vm)
    owing = set(debt["vm"] for debt in arguments["debts"])
    running = connection.node.running_removals + (0 if connection.store is connection.node else connection.store.running_removals)
    uuids, owners = find_vms(connection, named | owing, set(entry.key for entry in entries if not entry.vm), gone_ok=True)
    removal = _removal.Removal(
        _removal.Rehearsal(backups) if arguments["check"] else backups, entries,
        _removal.Options(arguments["dependents"], arguments["allow_remove_last"], arguments["on_error"], arguments["busy_timeout"]), report, attempt,
        [(uuids.get(debt["vm"], debt["vm"]), debt["id"]) for debt in arguments["debts"]], running,
    )
    # Of a VM that is gone, with all its backups, nothing is left to remove; a slip in the name is told by the backup that is still there.
    unknown = [entry for entry in entries if entry.vm and entry.vm not in uuids]
    there = locate(connection, set(entry.key for entry in unknown), set())[0] if unknown else {}
    for entry in unknown:
        if entry.key in there:
            raise Failure("UNKNOWN_VM", NOTHING_CALLED % entry.vm, subject=entry.vm)
    for entry in entries:
        if entry.vm in uuids:
            entry.vm = uuids[entry.vm]
            continue
        if entry.vm:
            name, entry.vm = entry.vm, None
            removal.settle(entry, _removal.Verdict("already_absent", "unknown_vm", NOTHING_CALLED % name))
            continue
        fits = owners.get(entry.key, [])
        if len(fits) == 1:
            entry.vm, entry.located = fits[0], True
        elif fits:
            removal.settle(entry, _removal.Verdict("refused", "ambiguous", "Several VMs have a backup with this id: %s. Name one with 'vm'." % ", ".join(fits)))
        else:
            removal.settle(entry, _removal.Verdict("already_absent", None, None))
    interrupted = arguments["interrupted"] and interrupted_step(arguments["interrupted"], entries)
    return dict(removal.run(interrupted), server=connection.node.server, warnings=[NOTHING_CALLED % name for name in sorted(named - set(uuids))])


def entry_from(index, wanted):
    key = _live_tree.key
    removes = dict((key(other["id"]), _removal.Known(other["created"], other["size"])) for other in wanted["removes"])
    return _removal.Entry(
        index, wanted["id"], key(wanted["id"]), wanted["vm"], wanted["created"], wanted["size"], wanted["action"], removes, wanted["allow_remove_last"]
    )


def interrupted_step(told, entries):
    """(the VM as far as it is known, the Step) that a worker was at when it died, from what it told before."""
    key = _live_tree.key
    backups = [_live_tree.Backup(identity, key(identity), number, "", 0, "") for number, identity in enumerate(told["chain"])]
    vm = _live_tree.Vm(told["vm"], chains=[_live_tree.Chain(told["chain"][0].partition(".")[0], backups, 0)])
    intended = frozenset(key(identity) for identity in told["intended"])
    covers = tuple(entry for entry in entries if entry.key in intended)
    return vm, _removal.Step(told["kind"], told["id"], told["keep_chain"], intended, covers[0] if covers else entries[0], covers)


def create_operation(connection, arguments, spool):
    """Make a backup. arguments: vm, full, description, compress, newer_than, wait, busy_timeout, check. -> server, vm, and as Creation.run()."""
    vm = resolve([arguments["vm"]], list_vms(connection.node, BOTH))[0][1]
    if vm is None:
        raise Failure("UNKNOWN_VM", u"There is no VM or container '%s' on %s." % (arguments["vm"], connection.node.server["host"]), subject=arguments["vm"])
    wish = _creation.Wish(
        arguments["full"], arguments["description"], arguments["compress"], arguments["newer_than"], arguments["wait"], arguments["busy_timeout"]
    )
    known = {"server": connection.node.server, "vm": dict((name, vm[name]) for name in ("uuid", "name", "type"))}
    with adding(known):
        return dict(_creation.Creation(Backups(connection, arguments["check"]), vm["uuid"], wish).run(arguments["check"]), **known)


def restore_operation(connection, arguments, spool):
    """Restore a backup. arguments: vm (null: search), id (null: newest), copy, name, destination, live, busy_timeout, check.
    -> server, and as Restoration.run()."""
    key = arguments["id"] and _live_tree.key(arguments["id"])
    uuids, owners = find_vms(connection, [arguments["vm"]] if arguments["vm"] else [], [key] if not arguments["vm"] else [])
    fits = list(uuids.values()) if arguments["vm"] else owners.get(key, [])
    if not fits:
        raise Failure("PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND", "There is no backup with this id.", "restore_vm_backup", 0x80037004, subject=arguments["id"])
    if len(fits) > 1:
        raise Failure("AMBIGUOUS_BACKUP", "Several VMs have a backup with this id: %s." % ", ".join(fits), "restore_vm_backup", subject=arguments["id"])
    wish = _restoration.Wish(key, arguments["copy"], arguments["name"], arguments["destination"], arguments["live"], arguments["busy_timeout"])
    known = {"server": connection.node.server}
    with adding(known):
        return dict(_restoration.Restoration(Backups(connection, arguments["check"]), fits[0], wish).run(arguments["check"]), **known)


@contextlib.contextmanager
def adding(known):
    """A failure inside tells as well what is known so far: keys of the result."""
    try:
        yield
    except Failure as failure:
        failure.error["known"] = known
        raise
