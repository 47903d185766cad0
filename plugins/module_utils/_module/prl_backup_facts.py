# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of prl_backup_facts to its result. Knows neither Ansible nor the SDK."""

import time
from typing import Any, Dict

from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.module_utils._module.prl_backup_info import gather_backups


def gather_facts(params: Dict[str, Any], client: Any) -> Dict[str, Any]:
    """The result of prl_backup_facts."""
    gathered_at = _time.format_instant(time.time())
    result = gather_backups(params, client)
    facts: Dict[str, Any] = {
        key: result.pop(key) for key in ("backup_trees", "summary", "lines", "raw", "damaged") if key in result
    }
    return {
        "changed": False,
        "ansible_facts": {"prl_backups": dict(facts, gathered_at=gathered_at)},
        "missing": result["missing"],
        "server": result["server"],
        "warnings": result["warnings"],
    }
