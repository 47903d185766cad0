# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event in the names that users see. Pure; the standard library only, since the event source loads it too."""

from typing import Any, Dict

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._events import catalogue


def describe_event(raw: Dict[str, Any]) -> Dict[str, Any]:
    """One event of the worker, completed by ``server`` and ``answered``, as prl_event_wait returns it and the event source sends it."""
    silent = raw["code"] is None or raw["code"] == catalogue.NO_CODE
    state = raw["params"].get(catalogue.STATE_PARAMETER)
    return {
        "type": catalogue.name_of(raw["type_id"]),
        "type_id": raw["type_id"],
        "issuer_type": catalogue.issuer_name(raw["issuer_type"]),
        "issuer_id": raw["issuer_id"],
        "vm": raw["vm"],
        "vm_state": catalogue.state_name(state["value"]) if state else None,
        "server": raw["server"],
        "code": None if silent else raw["code"],
        "symbol": raw["symbol"],
        "brief": raw["brief"],
        "message": raw["message"],
        "can_be_ignored": raw["can_be_ignored"],
        "critical": not silent and not raw["can_be_ignored"],
        "answer_required": raw["answer_required"],
        "answered": None if raw["answered"] is None else catalogue.answer_name(raw["answered"]),
        "params": raw["params"],
        "job": raw["job"],
        "received": _time.format_instant(int(raw["received"])),
    }
