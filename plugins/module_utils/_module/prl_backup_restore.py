# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of prl_backup_restore to its result. Knows neither Ansible nor the SDK."""

from typing import Any, Dict

from ansible_collections.prlsdk.core.plugins.module_utils._backups import locate, restoration
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import format_id, id_key, parse_backup_id
from ansible_collections.prlsdk.core.plugins.module_utils._backups.live import Backups
from ansible_collections.prlsdk.core.plugins.module_utils._backups.locate import check_name
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import require_lxml
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, PrlError, prefix_errors
from ansible_collections.prlsdk.core.plugins.module_utils._module.progress import TaskMode
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import CallError, explain_all
from ansible_collections.prlsdk.core.plugins.module_utils._xml_text import check_text


def restore_backup(params: Dict[str, Any], client: Any, mode: TaskMode) -> Dict[str, Any]:
    """The result of prl_backup_restore."""
    if params["mode"] == "in_place" and params["name"]:
        raise InputError("name: only a copy can have another name. Leave it out, or set 'mode: copy'.")
    if params["busy_timeout"] < 0:
        raise InputError(
            "busy_timeout: %d is not a time to wait. Give a number of seconds, 0 for a single try."
            % params["busy_timeout"]
        )
    require_lxml()
    for option in ("name", "destination"):
        check_text(params[option] or "", option)
    key, word = None, None if params["vm"] is None else check_name(params["vm"], "vm")
    if params["backup_id"] is not None:
        with prefix_errors("backup_id"):
            key = id_key(format_id(*parse_backup_id(params["backup_id"])))
    uuids, owners = locate.find_vms(client, [word] if word else [], [key] if not word else [])
    fits = list(uuids.values()) if word else owners.get(key or "", [])
    if not fits:
        message = "There is no backup with this id."
        raise CallError(
            "PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND",
            message,
            "restore_vm_backup",
            0x80037004,
            subject=params["backup_id"],
        )
    if len(fits) > 1:
        message = "Several VMs have a backup with this id: %s." % ", ".join(fits)
        raise CallError("AMBIGUOUS_BACKUP", message, "restore_vm_backup", subject=params["backup_id"])
    request = restoration.RestoreRequest(
        key,
        params["mode"] == "copy",
        params["name"] or "",
        params["destination"] or "",
        params["live"],
        params["busy_timeout"],
    )
    backups = Backups(client, mode.progress)
    try:
        done = restoration.Restoration(backups, fits[0], request).run(mode.check)
    except PrlError as error:
        raise error.with_result(server=client.server, warnings=backups.warnings()) from None
    return {
        "changed": done["restored"],
        "vm": done["vm"],
        "backup": done["backup"],
        "source": done["source"],
        "server": client.server,
        "warnings": explain_all(done["warnings"]) + backups.warnings(),
    }
