# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error of the SDK means: whether it may pass, which act failed, and what the reader can do about it."""

import re
from typing import Any, Dict, Iterable, List, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._errors import SdkError
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable

# Refused before anything was done; the same call may succeed later.
BUSY = re.compile("PRL_ERR_(BACKUP_LOCKED_FOR_(READING|WRITING)|VM_LOCKED_.*|VM_IS_EXCLUSIVELY_LOCKED|TRY_AGAIN)$")
# Refused because it is not in the server's backups, before anything was done.
NOT_THERE = re.compile("PRL_ERR_BACKUP_BACKUP_(UUID_)?NOT_FOUND$")
# The connection of one of the two logins is gone. The server may be working on the request all the same.
LOST = re.compile(
    "PRL_ERR_(WS_DISP_CONNECTION_CLOSED|NOT_CONNECTED_TO_DISPATCHER|CANT_CONNECT_TO_DISPATCHER|IO_NO_CONNECTION|DISP2DISP_WRONG_USER_SESSION_UUID)$"
)
# A server is not to be had for now.
AWAY = re.compile(
    "PRL_ERR_(TIMEOUT|CANT_CONNECT_TO_DISPATCHER_ITERATIVELY|DISP_LOGON_ACTIONS_REACHED_UP_LIMIT|DISP_SHUTDOWN_IN_PROCESS)$"
)
# What makes something new each time: never to be asked for again while an earlier request may still be under way.
NOT_TWICE = ("create_vm_backup", "restore_vm_backup")
TIMEOUT, WORKER_DIED = "PRL_ERR_TIMEOUT", "WORKER_DIED"


def is_retryable(symbol: str, operation: Optional[str]) -> bool:
    """Whether the same request may succeed later, and may be made again whatever became of this one."""
    if operation in NOT_TWICE and (LOST.match(symbol) or symbol == TIMEOUT):
        return False
    return bool(BUSY.match(symbol) or LOST.match(symbol) or AWAY.match(symbol))


class CallError(SdkError):
    """A call of the SDK failed, or is refused before it is made.

    ``error`` has symbol, message, operation (the SDK's call), code (unsigned, or None), details, subject, retryable, and what else the worker told.
    ``asked`` is what the task wanted, where the advice depends on it; ``told`` is the whole message, where there is nothing to add.
    """

    def __init__(
        self,
        symbol: str,
        message: str,
        operation: Optional[str] = None,
        code: Optional[int] = None,
        details: Optional[Dict[str, Any]] = None,
        subject: Optional[str] = None,
        asked: Optional[str] = None,
        told: Optional[str] = None,
        **more: Any,
    ) -> None:
        error = dict(
            more,
            symbol=symbol,
            message=message,
            operation=operation,
            code=code,
            details=details or {},
            subject=subject,
            retryable=is_retryable(symbol, operation),
        )
        result = {"candidates": more["candidates"]} if "candidates" in more else {}
        super().__init__(told or explain(error, asked), error=public(error), **result)
        self.error = error

    @classmethod
    def of(cls, error: Dict[str, Any], asked: Optional[str] = None, **more: Any) -> "CallError":
        """The same from a dictionary, such as another one's ``error``."""
        return cls(asked=asked, **{name: value for name, value in dict(error, **more).items() if name != "retryable"})


class WorkerDied(CallError):
    """The SDK's process ended while calls were under way: killed at its deadline, crashed. ``calls`` are their names."""

    def __init__(self, message: str, calls: Iterable[str] = ()) -> None:
        self.calls = tuple(calls)
        # Whether its time was over, or else how it ended, in a few words.
        self.ran_out = False
        self.reason: Optional[str] = None
        super().__init__(WORKER_DIED, message, told=message)


def public(error: Dict[str, Any]) -> Dict[str, Any]:
    """What a result has of an error."""
    return {name: error.get(name) for name in ("code", "symbol", "operation", "retryable", "details")}


# The SDK's call -> what it was doing, for people. {subject} is the VM, backup or host that it was about.
ACTS = {
    "login": "Logging in to {subject}",
    "login_local": "Logging in to the dispatcher of {subject}",
    "wait": "Waiting for events of {subject}",
    "send_answer": "Answering a question of {subject}",
    "get_vm_list_ex": "Listing the VMs and containers",
    "get_backup_tree": "Reading the backups of {subject}",
    "create_vm_backup": "Making a backup of {subject}",
    "restore_vm_backup": "Restoring {subject}",
    "remove_vm_backup": "Removing {subject}",
}

# The SDK's symbol -> what to do next, a whole sentence.
ADVICE = {
    "PRL_ERR_AUTHENTICATION_FAILED": "Check 'username' and 'password'.",
    "PRL_ERR_LOCAL_AUTHENTICATION_FAILED": "Run the task as a user that the dispatcher accepts ('become: true' for root), or set 'host', 'username' "
    "and 'password'.",
    "PRL_ERR_USER_OPERATION_NOT_AUTHORISED": "Log in as a user with that right, such as root.",
    "PRL_ERR_CANT_CONNECT_TO_DISPATCHER": "Check that the dispatcher (prl-disp) runs there, that 'host' and 'port' are right and that no firewall is "
    "in between.",
    "PRL_ERR_HANDSHAKE_FAILED": "Check 'host' and 'port': what answers there is not a dispatcher, or it does not answer in time.",
    "PRL_ERR_SSL_HANDSHAKE_FAILED": "Check 'host' and 'port': what answers there is not a dispatcher.",
    "PRL_ERR_WRONG_PROTOCOL_VERSION": "The SDK on this host and the server are of different releases; update the older one.",
    "PRL_ERR_WRONG_CONNECTION_SECURITY_LEVEL": "The server demands a higher 'security_level'.",
    "PRL_ERR_DISP_LOGON_ACTIONS_REACHED_UP_LIMIT": "Too many clients are logging in; run with fewer forks or try again later.",
    "PRL_ERR_DISP_SHUTDOWN_IN_PROCESS": "The dispatcher is shutting down; run again when it is back.",
    "PRL_ERR_WS_DISP_CONNECTION_CLOSED": "Check that the dispatcher still runs, and run again.",
    "PRL_ERR_NOT_CONNECTED_TO_DISPATCHER": "Check that the dispatcher still runs, and run again.",
    "PRL_ERR_TIMEOUT": "Raise 'timeout' if the server is only slow; otherwise check the dispatcher.",
    "PRL_ERR_BACKUP_REQUIRE_LOGIN_PASSWORD": "The node's default backup server is configured without a login; set one there, or name the server in 'storage'.",
    "PRL_ERR_DISP2DISP_WRONG_USER_SESSION_UUID": "The login to the backup server has ended; run again.",
    "PRL_ERR_CANT_CONNECT_TO_DISPATCHER_ITERATIVELY": "The node cannot reach the backup server; check the storage's 'host' and 'port' from there.",
    "PRL_ERR_CANT_RESOLVE_HOSTNAME": "The node cannot resolve the name of the backup server; check the storage's 'host'.",
    "PRL_ERR_BACKUP_LOCKED_FOR_READING": "The backup is in use; run again when that has ended.",
    "PRL_ERR_BACKUP_LOCKED_FOR_WRITING": "The backup is being made or removed; run again when that has ended.",
    "PRL_ERR_BACKUP_ACCESS_TO_VM_DENIED": "Check that the VM exists on the node, that nothing holds it exclusively and that the user may back it up.",
    "PRL_ERR_BACKUP_CANNOT_REMOVE_DIRECTORY": "Check the rights and the disks of the backup server, then run again.",
    "PRL_ERR_OPERATION_FAILED": "Check the rights and the disks of the backup server, then run again.",
    "PRL_ERR_BACKUP_INTERNAL_ERROR": "Look at the logs of the node and of the backup server, then run again.",
    "PRL_ERR_BACKUP_UNSUPPORTED_STORAGE_VERSION": "The backup server keeps this VM in an old format.",
    "PRL_ERR_BACKUP_BACKUP_CMD_FAILED": "The server's own backup tool failed; 'details' has its words.",
    "PRL_ERR_BACKUP_RESTORE_CMD_FAILED": "The server's own backup tool failed; 'details' has its words.",
    "PRL_ERR_BACKUP_RESTORE_DIRECTORY_ALREADY_EXIST": "Choose another 'destination'.",
    "PRL_ERR_BACKUP_RESTORE_PROHIBIT_WHEN_ATTACHED": "A backup of the VM is attached to it as a disk; detach it first.",
    "PRL_ERR_BACKUP_CT_ID_ALREADY_EXIST": "A container with this ID exists. Restore with 'mode: copy'.",
    "PRL_ERR_UNIMPLEMENTED": "The server cannot do this for this VM: linked clones, old containers, and containers while they run are left out.",
    "PRL_ERR_VZ_OPERATION_FAILED": "Check that the server's backup tool (vz_backup_client) is installed.",
    "PRL_ERR_OPERATION_WAS_CANCELED": "Somebody cancelled it on the server.",
    "UNKNOWN_VM": "Check the name, or give the UUID.",
    "AMBIGUOUS_BACKUP": "Name the VM with 'vm'.",
    "AMBIGUOUS_VM_NAME": "Use the UUID instead of the name.",
    "READY_FILE_FAILED": "Give a path that the task's user can write to and that no other task uses.",
}


# Symbols of the collection, which say nothing that the message does not; the result has them.
OWN = ("UNKNOWN_VM", "UNREADABLE_VM", "AMBIGUOUS_BACKUP", "AMBIGUOUS_VM_NAME", "READY_FILE_FAILED")

# The same for one call only: (the SDK's call, its symbol).
ADVICE_FOR = {
    (
        "create_vm_backup",
        "PRL_ERR_BACKUP_UNSUPPORTED_STORAGE_VERSION",
    ): "The backup server keeps this VM in an old format. Remove its old chains first.",
    (
        "remove_vm_backup",
        "PRL_ERR_BACKUP_CANNOT_REMOVE_DIRECTORY",
    ): "Part of the chain may be gone. Check the rights and the disks of the backup server, then run again.",
    (
        "remove_vm_backup",
        "PRL_ERR_BACKUP_INTERNAL_ERROR",
    ): "A merge fails so when an image takes the server more than a minute. Remove the whole chain when "
    "it is due instead.",
    ("remove_vm_backup", "PRL_ERR_BACKUP_UNSUPPORTED_KEEP_CHAIN"): "The storage format is old; remove the whole chain.",
}
for _call in ("create_vm_backup", "restore_vm_backup", "remove_vm_backup"):
    ADVICE_FOR[_call, "PRL_ERR_TIMEOUT"] = "The server goes on with it. Look at the result later, and raise 'timeout'."
# These go from the node to the server that keeps the backups, and that is whom such an error is about.
for _call in ("get_backup_tree", "create_vm_backup", "restore_vm_backup", "remove_vm_backup"):
    ADVICE_FOR[_call, "PRL_ERR_CANT_CONNECT_TO_DISPATCHER"] = (
        "The node cannot reach the server that keeps the backups. Check that the dispatcher (prl-disp) runs there, and the storage's 'host' and 'port'."
    )
    ADVICE_FOR[_call, "PRL_ERR_AUTHENTICATION_FAILED"] = (
        "The server that keeps the backups refused the login of the node. Correct the login in the node's settings of its default backup server, or name "
        "the server in 'storage'."
    )

# The same for a login to the server that 'storage' names.
ADVICE_FOR_STORAGE = {
    "PRL_ERR_AUTHENTICATION_FAILED": "Check the storage's 'username' and 'password'.",
    "PRL_ERR_CANT_CONNECT_TO_DISPATCHER": "Check that the dispatcher (prl-disp) of the backup server runs, that the storage's 'host' and 'port' are right and "
    "that no firewall is in between.",
    "PRL_ERR_HANDSHAKE_FAILED": "Check the storage's 'host' and 'port': what answers there is not a dispatcher, or it does not answer in time.",
    "PRL_ERR_SSL_HANDSHAKE_FAILED": "Check the storage's 'host' and 'port': what answers there is not a dispatcher.",
    "PRL_ERR_WRONG_PROTOCOL_VERSION": "The SDK on this host and the backup server are of different releases; update the older one.",
    "PRL_ERR_WRONG_CONNECTION_SECURITY_LEVEL": "The backup server demands a higher 'security_level' of the storage.",
    "PRL_ERR_DISP_LOGON_ACTIONS_REACHED_UP_LIMIT": "Too many clients are logging in to the backup server; run with fewer forks or try again later.",
    "PRL_ERR_DISP_SHUTDOWN_IN_PROCESS": "The dispatcher of the backup server is shutting down; run again when it is back.",
    "PRL_ERR_TIMEOUT": "Raise 'timeout' if the backup server is only slow; otherwise check its dispatcher.",
}
# For what is lost on its way and must not be done twice.
ADVICE_FOR_LOST = "Look at the VM and its backups before you run again."

# The same where the task has options for it: (what the worker was asked to do, the SDK's call, its symbol).
ADVICE_TO: Dict[Tuple[Optional[str], str, str], str] = {
    (
        "trees",
        "get_backup_tree",
        "PRL_ERR_TIMEOUT",
    ): "Raise 'timeout', or ask for less: name the VMs with 'vms', or use 'scope: registered' on a large "
    "backup server.",
}


def explain(error: Dict[str, Any], asked: Optional[str] = None) -> str:
    """The message for a failed request: what failed, why in the SDK's words, its symbol, what to do.

    ``error`` as the worker sends it; ``asked`` is the worker's operation that it ended.
    """
    act = ACTS.get(error["operation"], error["operation"] or "").format(subject=error["subject"])
    if error.get("storage"):
        act = act.replace("Logging in to ", "Logging in to the storage ", 1)
    code = error["symbol"] or ""
    if code in OWN:
        code = ""
    elif code and error["code"] is not None:
        code = "%s, 0x%08X" % (code, error["code"])
    call, symbol = error["operation"], error["symbol"]
    advice = ADVICE_TO.get((asked, call, symbol)) or ADVICE_FOR.get((call, symbol)) or ADVICE.get(symbol, "")
    if call in NOT_TWICE and LOST.match(symbol):
        advice = ADVICE_FOR_LOST
    if error.get("storage"):
        advice = ADVICE_FOR_STORAGE.get(symbol, advice)
    said = "%s failed: %s" % (act, error["message"]) if act else error["message"]
    if code:
        said = "%s (%s)." % (said[:-1] if said.endswith(".") else said, code)
    return printable(" ".join(part for part in (said, advice) if part))


def explain_all(warnings: Iterable[Dict[str, Any]]) -> List[str]:
    """A sentence for each of the warnings that a creation or a restoration returns."""
    return [explain(dict({"operation": None, "subject": None, "code": None}, **warning)) for warning in warnings]
