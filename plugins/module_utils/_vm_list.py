# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From prl_vm_info's options to its result. Knows neither Ansible nor the SDK, and parses no tree."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError


def gather_vms(params, ask):
    """The result of prl_vm_info."""
    answer = ask("vms", {"types": params["types"], "wanted": params["vms"]})
    result = dict(answer.result, changed=False, sdk=answer.sdk)
    result["vms"] = sorted(result["vms"], key=lambda vm: (vm["name"] or "", vm["uuid"] or ""))
    result["missing"] = result.pop("unknown")
    if result["missing"] and params["missing"] == "fail":
        raise InputError(
            "vms: %s knows no VM or container called %s. Correct the name, or set 'missing: ok' to go on without."
            % (result["server"]["host"], ", ".join("'%s'" % word for word in result["missing"])), **result
        )
    return result
