# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of events, and the specifications that users write of them: values in, values out.

The numbers are the vendor's (PrlEventsValues.h). Which events a server really sends was read from the dispatcher of
Virtuozzo 9; it is told where somebody asks for one that never comes.
"""

import fnmatch
import re
from typing import Any, Dict, List, Optional, Tuple, Union

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean, unknown_key

# Each line: the number of the first, then names in a row. The first table's names begin with PET_DSP_EVT_, the second's with PET_.
_DISPATCHER = """
100001 VM_STATE_CHANGED VM_CONFIG_CHANGED VM_DEV_STATE_CHANGED VM_CREATED VM_ADDED VM_DELETED VM_STARTED VM_STOPPED
100009 VM_ABORTED VM_RESETED VM_SUSPENDING VM_SUSPENDED VM_RESUMING VM_RESUMED VM_START_IO_FLOW VM_SNAPSHOTED VM_RESTORED
100018 VM_NET_RECONNECTED VM_PAUSED VM_CONTINUED VM_CONFIG_APPLIED VM_STATISTICS_UPDATED VM_PROBLEM_REPORT_CREATED
100024 VM_ABOUT_TO_RESET VM_SECURITY_CHANGED VM_UNREGISTERED VM_REMOTE_DEV_READY_TO_START
100030 VM_MIGRATE_STARTED VM_MIGRATE_CANCELLED VM_MIGRATE_FINISHED VM_MIGRATE_PROGRESS_CHANGED VM_SNAPSHOTING VM_RESTORING
100036 VM_SNAPSHOTS_TREE_CHANGED VM_DELETING_STATE VM_STATE_DELETED VM_ABOUT_TO_START_DEINIT VM_ABOUT_TO_START_INIT
100041 VM_MEMORY_SWAPPING_STARTED VM_MEMORY_SWAPPING_FINISHED
100045 REBOOT_HOST REBOOT_HOST_MANUAL_TO_INIT_VTD_DEVICES BACKUP_STARTED BACKUP_CANCELLED CREATE_BACKUP_FINISHED
100050 BACKUP_PROGRESS_CHANGED JOB_PROGRESS_CHANGED RESTORE_PROGRESS_CHANGED DISK_RESIZE_STARTED DISK_RESIZE_FINISHED
100055 DISK_RESIZE_PROGRESS_CHANGED VM_ADDITION_STATE_CHANGED RESTORE_BACKUP_FINISHED REMOVE_BACKUP_FINISHED
100059 VM_MIGRATE_CANCELLED_DISP VM_MIGRATE_FINISHED_DISP TIME_MACHINE_BACKUP_IS_OVER CONVERSION_DISKS_PROGRESS_CHANGED
100063 CONVERSION_DISKS_PROGRESS_FINISHED CONVERT_THIRD_PARTY_PROGRESS_CHANGED CONNECTED_TO_PROXY DISCONNECTED_FROM_PROXY
100067 CONNECTING_TO_PROXY RECONFIG_VM_PROGRESS_CHANGED VM_MIGRATE_WAIT_REMOUNT VM_CONFIG_APPLY_FINISHED
100071 VM_IO_CLIENT_STATISTICTS VM_SET_HOST_TIME VM_LOW_HOST_MEMORY VM_MAC_OS_VER VM_PAUSED_BY_HOST_SLEEP
100076 VM_CONTINUED_BY_HOST_WAKEUP VM_FROZEN VM_UNFROZEN CONNECTION_CLIENT_INFO_WAS_SET CONNECTION_WAS_CLOSED
100100 OP_ACCEPTED OP_REJECTED OP_RESULT
100200 DIR_STATE_CHANGED HOST_STATISTICS_UPDATED HW_CONFIG_CHANGED
100300 CLIENT_CONNECTED CLIENT_DISCONNECTED CLIENT_REJECTED
100400 FOUND_LOST_VM_CONFIG HAS_EVENT RECONNECT DISP_CONNECTION_CLOSED DISP_SHUTDOWN
100500 USER_PROFILE_CHANGED COMMON_PREFS_CHANGED VM_MESSAGE VM_QUESTION
100507 ERROR_MESSAGE WARNING_MESSAGE
100513 ANSWER_TO_VM_WAS_DONE LICENSE_CHANGED
100519 COMMIT_UNFINISHED_DISK_OP_STARTED COMMIT_UNFINISHED_DISK_OP_FINISHED VM_ENCRYPT_PROGRESS_CHANGED VM_DECRYPT_PROGRESS_CHANGED
100600 SMC_USER_FORCE_DISCONNECTED SMC_CANCEL_USER_COMMAND SMC_DISPATCHER_SHUTDOWN
100800 VM_TOOLS_STATE_CHANGED VM_COMPACT_PROCESSING VM_COMPACT_FINISHED VM_COMPRESSOR_FINISHED VM_COMPRESSOR_CONTINUED
100805 VM_SOFTWARE_INSTALLED VM_PIS_NOTIFICATION_ASK_TO_INSTALL VM_VIRTUAL_DEVICES_STATE_CHANGED
100900 PERFSTATS VM_PERFSTATS
101000 VM_UPGRADE_INIT VM_UPGRADE_INIT_TIMEOUT VM_UPGRADE_STAGE_1 VM_UPGRADE_STAGE_2 VM_UPGRADE_STAGE_3 VM_UPGRADE_COMPLETED
101006 VM_UPGRADE_UNKNOWN_ERROR VM_UPGRADE_INIT_VMW VM_UPGRADE_INIT_PHY
101300 APPLIANCE_DOWNLOAD_PROGRESS_CHANGED APPLIANCE_DOWNLOAD_FINISHED APPLIANCE_ARCHIVE_UNPACK_STARTED
101303 APPLIANCE_ARCHIVE_UNPACK_FINISHED APPLIANCE_REGISTER_VM_STARTED APPLIANCE_REGISTER_VM_FINISHED
101400 CEP_WRITE_STRING
101500 VM_WAS_ENCRYPTED VM_WAS_DECRYPTED ENCRYPTED_VM_PASSWORD_CHANGED ENCRYPTED_VM_NEED_AUTH_AGAIN VM_WAS_PROTECTED VM_WAS_UNPROTECTED
"""
_OTHERS = """
100000 VM_INF_UNINITIALIZED_EVENT_CODE
100028 VM_EVT_VM_CONFIG_CHANGED VM_EVT_REQUEST_FILE_OPEN
100043 VM_EVT_UNMOUNT VM_EVT_MOUNT
100504 JOB_DELETE_VM_PROGRESS_CHANGED VM_INF_START_FILE_COPYING VM_INF_END_FILE_COPYING
100509 JOB_HDD_CREATE_PROGRESS_CHANGED JOB_FILE_COPY_PROGRESS_CHANGED JOB_SUSPEND_PROGRESS_CHANGED JOB_RESUME_PROGRESS_CHANGED
100515 JOB_CREATE_SNAPSHOT_PROGRESS_CHANGED JOB_SWITCH_TO_SNAPSHOT_PROGRESS_CHANGED JOB_DELETE_SNAPSHOT_PROGRESS_CHANGED
100518 JOB_COMMIT_UNFINISHED_DISK_OP_PROGRESS_CHANGED
100523 JOB_STAGE_PROGRESS_CHANGED VM_INF_START_BUNCH_COPYING VM_INF_END_BUNCH_COPYING
101200 VM_READY_TO_BOOT VM_READY_TO_PRINT VM_DEFAULT_SOUND_RECONNECTED VM_EVT_UNMOUNT_USB_MEDIA VM_EVT_UNMOUNT_DVD_MEDIA
101401 DSP_COHERENCE_FAKE_STUB_NOTIFICATION
101600 VM_EVT_TIS_BACKUP_WRITE
"""

_PREFIX, _DISPATCHER_PREFIX = "PET_", "PET_DSP_EVT_"


def _numbered(table: str, prefix: str) -> Dict[str, int]:
    numbers = {}
    for line in table.strip().splitlines():
        first, names = line.split(None, 1)
        for offset, name in enumerate(names.split()):
            numbers[prefix + name] = int(first) + offset
    return numbers


#: The vendor's name of each event type -> its number.
NUMBERS = dict(_numbered(_DISPATCHER, _DISPATCHER_PREFIX), **_numbered(_OTHERS, _PREFIX))
#: Further names of event types -> their numbers.
ALIASES = {"PET_DSP_EVT_VM_STATESAVED": 100016, "PET_DSP_EVT_VM_STATERESTORED": 100017}


def short(name: str) -> str:
    """The collection's name of an event type: the vendor's in lower case, without PET_DSP_EVT_ or PET_."""
    prefix = _DISPATCHER_PREFIX if name.startswith(_DISPATCHER_PREFIX) else _PREFIX
    return name[len(prefix) :].lower()


_NAMES = {number: short(name) for name, number in NUMBERS.items()}
# Everything that may be written for a type, in lower case.
_SPELLINGS = {}
for _name, _number in list(NUMBERS.items()) + list(ALIASES.items()):
    _SPELLINGS.update({_name.lower(): _number, short(_name): _number})

_STATE_CHANGED = (
    "ordinary starts and stops are not announced by it; use vm_state_changed with the parameter vminfo_vm_state"
)
#: Event types that no server of Virtuozzo 9 sends (or not when one thinks) -> what to do instead.
NEVER_SENT = {
    "backup_started": "to notice that a backup runs, use backup_progress_changed",
    "backup_cancelled": "a backup that fails or is cancelled sends no event at all; set 'timeout', and look at the backups with 'satisfied_by'",
    "vm_created": "use vm_added",
    "client_connected": "no event tells of clients",
    "client_disconnected": "no event tells of clients",
    "client_rejected": "no event tells of clients",
    "license_changed": "no event tells of licences",
    "warning_message": "use vm_message, which only the session that started the operation gets",
    "disk_resize_finished": "use vm_config_changed, which follows the last disk_resize_progress_changed",
    "vm_question": "only older Parallels products ask questions",
}
#: Event types that mean less than their names say.
MISLEADING = {
    "vm_started": _STATE_CHANGED,
    "vm_stopped": _STATE_CHANGED,
    "vm_suspended": _STATE_CHANGED,
    "vm_paused": _STATE_CHANGED,
    "vm_restored": "it tells that a VM was switched to a snapshot; for the restoration of a backup use restore_backup_finished",
}

#: What sends an event -> PIE_ number.
ISSUERS = {"virtual_machine": 0, "dispatcher": 1, "io_service": 2, "web_service": 3, "unknown": 255}
_ISSUER_NAMES = {number: name for name, number in ISSUERS.items()}

_STATES = (
    "stopped starting restoring running paused suspending stopping compacting suspended snapshoting resetting pausing continuing "
    "migrating deleting_state resuming suspending_sync reconnecting mounted"
).split()
#: States of a VM -> VMS_ number.
STATES = dict({"unknown": 0}, **{name: 0x30000001 + offset for offset, name in enumerate(_STATES)})
_STATE_NAMES = {number: name for name, number in STATES.items()}
STATE_PARAMETER = "vminfo_vm_state"

_ANSWERS = (
    "ok cancel yes no break overide shutdown stop continue create_new use_current append replace copied moved startvm commit revert "
    "disconnect_anyway create skip suspend_anyway restart_now later compact suspend stop_and_restore restore browse retry restart resume "
    "change dont_change"
).split()
#: Answers to questions -> PET_ANSWER_ number.
ANSWERS = {name: 16000 + offset for offset, name in enumerate(_ANSWERS)}

#: What ordinary events answer when they are asked for a code.
NO_CODE = 100000

_CONDITIONS = ("regex", "min", "max", "one_of")


def name_of(number: int) -> str:
    """The collection's name of an event type; the number as text for one that it does not know."""
    return _NAMES.get(number, str(number))


def state_name(number: Any) -> Optional[str]:
    return _STATE_NAMES.get(number)


def issuer_name(number: int) -> str:
    return _ISSUER_NAMES.get(number, "unknown")


def types_of(written: Any, option: str) -> Tuple[Optional[List[int]], List[str]]:
    """(numbers of the event types that a name, glob or number means or None for all, warnings). Raises InputError."""
    number = whole(written)
    if number is not None:
        return [number], _warnings([number], option)
    if not isinstance(written, str) or not written.strip():
        raise InputError("%s: %r is not an event type; write a name, a glob or a number." % (option, written))
    word = written.strip().lower()
    if word == "*":
        return None, []
    if any(mark in word for mark in "*?["):
        numbers = sorted({number for name, number in _SPELLINGS.items() if fnmatch.fnmatchcase(name, word)})
        if not numbers:
            raise InputError(
                "%s: no event type fits '%s'. The names are in the guide docs/waiting.md." % (option, written)
            )
        # A glob that takes in a type that is never sent is not asking for it.
        silent = all(name_of(number) in NEVER_SENT for number in numbers)
        return numbers, _warnings(numbers[:1], option) if silent else []
    if word not in _SPELLINGS:
        raise InputError("%s: there is no event type '%s'.%s" % (option, written, did_you_mean(word, _SPELLINGS)))
    return [_SPELLINGS[word]], _warnings([_SPELLINGS[word]], option)


def _warnings(numbers: List[int], option: str) -> List[str]:
    found = []
    for name in (name_of(number) for number in numbers):
        if name in NEVER_SENT:
            found.append("%s: no Virtuozzo server sends %s; %s." % (option, name, NEVER_SENT[name]))
        elif name in MISLEADING:
            found.append("%s: %s may not be what you want: %s." % (option, name, MISLEADING[name]))
    return found


def whole(value: Any) -> Optional[int]:
    """A whole number, also from text such as 100049 or 0x80000246; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.match(r"[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)\Z", value.strip()):
        return int(value, 16 if "x" in value.lower() else 10)
    return None


def number(value: Any, option: str) -> float:
    """A number, also from text (templates make text). Raises InputError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.match(r"[+-]?[0-9]+([.][0-9]+)?\Z", value.strip()):
        return float(value) if "." in value else int(value)
    raise InputError("%s: %r is not a number." % (option, value))


#: The keys of an event that is described.
SPECIFICATION = ("type", "vm", "issuer_id", "issuer_type", "code", "params")


def specification(written: Dict[str, Any], option: str) -> Tuple[Dict[str, Any], List[str]]:
    """(one match specification as the worker takes it, warnings) of a dictionary of the module's options. Raises InputError.

    ``option`` is its place in the task, such as ``events[0]``, for messages.
    """
    if not isinstance(written, dict):
        raise InputError(
            "%s: %r is no event. Write its type, or a dictionary such as {type: vm_added}." % (option, written)
        )
    for key in written:
        if key not in SPECIFICATION:
            raise InputError(unknown_key(option, key, SPECIFICATION))
    given = {key: value for key, value in written.items() if value is not None}
    if not given:
        raise InputError(
            "%s: this would match every event. Say which, or write 'type: \"*\"' if you mean that." % option
        )
    types, warnings = types_of(given["type"], option + ".type") if "type" in given else (None, [])
    raw = {
        "option": option,
        "types": types,
        "vm": given.get("vm"),
        "issuer_id": given.get("issuer_id"),
        "issuer_type": _issuer(given["issuer_type"], option + ".issuer_type") if "issuer_type" in given else None,
        "code": code(given["code"], option + ".code") if "code" in given else None,
        "params": {
            name: condition(name, value, "%s.params.%s" % (option, name))
            for name, value in _params(given.get("params", {}), option + ".params").items()
        },
    }
    return raw, warnings


def _issuer(value: Any, option: str) -> int:
    if value not in ISSUERS:
        raise InputError(
            "%s: there is no %r; there are %s.%s" % (option, value, ", ".join(ISSUERS), did_you_mean(value, ISSUERS, 1))
        )
    return ISSUERS[value]


def _params(value: Any, option: str) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError("%s: %r is no dictionary. Write one such as {vm_name: web-01}." % (option, value))
    return value


def code(value: Any, option: str) -> Union[int, str]:
    """An unsigned code, or a symbol that only the SDK knows the number of."""
    found = whole(value)
    if found is not None:
        if not -0x80000000 <= found <= 0xFFFFFFFF:
            raise InputError("%s: %s is not a code of 32 bits." % (option, value))
        return found & 0xFFFFFFFF
    if not isinstance(value, str) or not re.match(r"[A-Za-z]\w*\Z", value):
        raise InputError("%s: %r is neither a code nor a symbol such as PRL_ERR_OPERATION_FAILED." % (option, value))
    return value


def condition(name: str, wanted: Any, option: str) -> Dict[str, Any]:
    """What a parameter has to be, as the worker takes it: {equals}, {one_of}, {regex}, or {min}, {max} or both."""
    if not isinstance(wanted, dict):
        return {"equals": scalar(name, wanted, option)}
    for key in wanted:
        if key not in _CONDITIONS:
            raise InputError(
                "%s: there is no condition '%s'; there are %s.%s"
                % (option, key, ", ".join(_CONDITIONS), did_you_mean(key, _CONDITIONS))
            )
    given = {key: value for key, value in wanted.items() if value is not None}
    if not given:
        raise InputError("%s: give a value, or one of %s." % (option, ", ".join(_CONDITIONS)))
    if len(given) > 1 and set(given) != {"min", "max"}:
        raise InputError(
            "%s: %s exclude each other; only min and max go together." % (option, " and ".join(sorted(given)))
        )
    if "regex" in given:
        return {"regex": regex(given["regex"], option + ".regex")}
    if "one_of" in given:
        if not isinstance(given["one_of"], list) or not given["one_of"]:
            raise InputError("%s.one_of: give a list of values." % option)
        return {
            "one_of": [
                scalar(name, one, "%s.one_of[%d]" % (option, place)) for place, one in enumerate(given["one_of"])
            ]
        }
    limits = {key: number(value, "%s.%s" % (option, key)) for key, value in given.items()}
    if len(limits) == 2 and limits["min"] > limits["max"]:
        raise InputError(
            "%s: min %s is greater than max %s, so no value fits." % (option, limits["min"], limits["max"])
        )
    return limits


def scalar(name: str, value: Any, option: str) -> Any:
    """A plain value. The state of a VM may be written by name."""
    if value is None or isinstance(value, (dict, list)):
        raise InputError("%s: %r is not a value to compare with; give a text, a number or a boolean." % (option, value))
    if name == STATE_PARAMETER and isinstance(value, str) and whole(value) is None:
        return STATES[state(value, option)]
    return value


def state(value: Any, option: str) -> str:
    """The name of a VM's state, checked."""
    word = str(value).strip().lower()
    if word not in STATES:
        raise InputError(
            "%s: there is no state '%s'; there are %s.%s"
            % (option, value, ", ".join(sorted(STATES)), did_you_mean(word, STATES))
        )
    return word


def regex(value: Any, option: str) -> str:
    if not isinstance(value, str):
        raise InputError("%s: %r is not a regular expression; give a text." % (option, value))
    try:
        re.compile(value)
    except (re.error, OverflowError) as error:  # the latter for a repetition that is too large
        raise InputError("%s: '%s' is not a regular expression: %s." % (option, value, error)) from None
    return value


def answer(value: Any, option: str) -> int:
    """The number of an answer to a question, from its name or number. YAML makes booleans of yes and no."""
    found = whole(value)
    if found is not None:
        return found
    word = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value).strip().lower()
    if word.startswith("pet_answer_"):
        word = word[len("pet_answer_") :]
    if word not in ANSWERS:
        raise InputError(
            "%s: there is no answer '%s'; there are %s.%s"
            % (option, value, ", ".join(sorted(ANSWERS)), did_you_mean(word, ANSWERS))
        )
    return ANSWERS[word]


def answer_name(found: int) -> str:
    """The name of an answer's number; the number as text for one without a name."""
    for name, value in ANSWERS.items():
        if value == found:
            return name
    return str(found)
