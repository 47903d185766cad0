# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From prl_vm_info's options to its result. Knows neither Ansible nor the SDK, and parses no tree."""

from typing import Any, Dict

from ansible_collections.prlsdk.core.plugins.module_utils._backups import locate
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import did_you_mean


def gather_vms(params: Dict[str, Any], client: Any) -> Dict[str, Any]:
    """The result of prl_vm_info."""
    vms, unknown, names = locate.find_registered(client, params["types"], params["vms"])
    result = {
        "changed": False,
        "vms": sorted(vms, key=lambda vm: (vm["name"] or "", vm["uuid"] or "")),
        "missing": unknown,
        "server": client.server,
    }
    told = [
        "vms: %s knows no VM or container '%s'.%s" % (client.server["host"], word, did_you_mean(word, names))
        for word in unknown
    ]
    if unknown and params["missing"] == "fail":
        raise InputError(
            "%s Correct the name, or set 'missing: ok' to go on without." % " ".join(told),
            **result,
        )
    return dict(result, warnings=told)
