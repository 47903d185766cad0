# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to its result: ask the SDK, parse what it spooled, select. Knows neither Ansible nor the SDK."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

from ansible_collections.prlsdk.core.plugins.module_utils import _backup_select, _backup_tree, _durations, _ids, _instants
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError


def gather_vms(params, ask):
    """The result of prl_vm_info."""
    answer = ask("vms", {"types": params["types"], "wanted": params["vms"]})
    result = dict(answer.result, changed=False, sdk=answer.sdk)
    result["vms"] = sorted(result["vms"], key=lambda vm: (vm["name"] or "", vm["uuid"] or ""))
    result["missing"] = result.pop("unknown")
    refuse_missing(params, result, "vms", "is no VM or container of %s" % result["server"]["host"])
    return result


def refuse_missing(params, result, option, why):
    if result["missing"] and params["missing"] == "fail":
        raise InputError(
            "%s: '%s' %s. Correct the name, or set 'missing: ok' to go on without." % (option, "', '".join(result["missing"]), why), **result
        )
