# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server does for each request; each function returns the parameters of the job's result."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub import catalogue, create, remove, restore, servers, tasks, vms
from prl_stub.failure import ServerFailure
from prl_stub.numbers import CONSTS
from prlsdkapi._job import sleep_until_cancelled
from prlsdkapi._natives import BackupId, Text, Values, Vm
from prlsdkapi._runtime import RUNTIME

RSA_KEYS = CONSTS["PLLF_LOGIN_WITH_RSA_KEYS"]
LOGIN_TIMEOUT = 60000  # ms; what 0 means


def login(client, job, host, user, password, port, timeout, security, flags):
    """Log in over the network."""
    store = RUNTIME.store
    server = servers.at(store, host, port, servers.local(store)) if store else None
    if server is not None and server["status"] == "silent":
        sleep_until_cancelled(job, (timeout or LOGIN_TIMEOUT) / 1000.0)
    servers.check_up(server)
    if flags & RSA_KEYS:
        raise ServerFailure("PRL_ERR_PUBLIC_KEY_NOT_AUTHORIZED")
    _check_security(server, security)
    servers.authenticate(store, server, user, password)
    return [client.connect(server, False, user, flags, job)]


def login_local(client, job, security, flags):
    """Log in over the node's socket, as the user who runs the process."""
    store = RUNTIME.store
    server = servers.local(store) if store else None
    if server is not None and server["status"] == "silent":
        sleep_until_cancelled(job, LOGIN_TIMEOUT / 1000.0)
    servers.check_up(server)
    _check_security(server, security)
    return [client.connect(server, True, "", flags, job)]


def _check_security(server, level):
    if level < server["min_security"]:
        raise ServerFailure("PRL_ERR_WRONG_CONNECTION_SECURITY_LEVEL")


def vm_list(client, job, flags):
    """The VMs and containers of the node."""
    return [_vm(client, row) for row in vms.listed(RUNTIME.store, job.connection.server()["name"], flags)]


def vm_config(client, job, text, flags):
    """One VM, by uuid or name."""
    return [_vm(client, vms.config(RUNTIME.store, job.connection.server()["name"], text, flags))]


def vm_state(job, uuid):
    """The present state of a VM."""
    row = vms.config(RUNTIME.store, job.connection.server()["name"], uuid, vms.BY_UUID)
    return [Values("PHT_VM_INFO", {"state": row["state"]})]


def _vm(client, row):
    native = Vm(client, row)
    client.vms[row["uuid"]] = native
    return native


def backup_tree(job, subject, host, port, session, flags):
    """The backup tree of the server that the session stands for."""
    own = job.connection.server()
    target = servers.storage_for(RUNTIME.store, own, session, host, port)
    tasks.settle(RUNTIME.store)
    return [Text(catalogue.answer(RUNTIME.store, target, subject, flags))]


class _JobLink(tasks.Link):
    """An operation carried out for a job that somebody waits for, with the faults set for its call."""

    def __init__(self, job):
        self._job = job
        self._trouble = [value for action, value in job.faults if action == "step"]

    def accepted(self):
        self._job.accepted()

    def pause(self, seconds):
        return sleep_until_cancelled(self._job, seconds)

    def trouble(self, number):
        for value in self._trouble:
            place, _colon, symbol = value.partition(":")
            if int(place) == number:
                return symbol or "PRL_ERR_OPERATION_FAILED"
        return None


def _operate(job, begin, where, *args):
    store, own = RUNTIME.store, job.connection.server()
    host, port, session = where
    job.cancel_with_session = bool(args[-1] & tasks.CANCEL_WITH_SESSION)
    tasks.settle(store)
    target = servers.storage_for(store, own, session, host, port)
    task = begin(store, own, target, job.connection.uuid, job.token, *args)
    return tasks.perform(store, task, _JobLink(job))


def create_backup(job, vm_uuid, host, port, session, description, flags):
    """Make a backup: the VM's uuid and the backup's id, to be had as objects and as strings."""
    result = _operate(job, create.begin, (host, port, session), vm_uuid, description, flags)
    return [BackupId(text) for text in result]


def remove_backup(job, vm_uuid, backup_id, host, port, session, flags):
    """Remove backups; there is nothing to tell."""
    _operate(job, remove.begin, (host, port, session), vm_uuid, backup_id, flags)
    return []


def restore_backup(job, vm_uuid, backup_id, host, port, session, home, name, flags):
    """Restore a backup: the VM's uuid and the backup's id, as bare strings."""
    where = (host, port, session)
    return [Text(text) for text in _operate(job, restore.begin, where, vm_uuid, backup_id, home, name, flags)]
