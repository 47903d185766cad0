# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that every VM of a host has a restorable backup that is young enough. The documentation is in ``plugins/modules/prl_backup_compliance.py``."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _argspec, _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, prefix_errors
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable
from ansible_collections.prlsdk.core.plugins.module_utils._time import Duration
from ansible_collections.prlsdk.core.plugins.plugin_utils import _report_files
from ansible_collections.prlsdk.core.plugins.plugin_utils._action import BackupAction, Failed, Unreachable
from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance import files
from ansible_collections.prlsdk.core.plugins.plugin_utils._compliance.check import FAIL_ON, FINDINGS, check
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.inventory import plain_id
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import named

#: What the role has beside the options: the playbook's variable, and its result.
OF_THE_ROLE = ("hosts", "result")

UNUSED = "No VM or container of this host fits the override %s. If that is a typing error, what it was meant for has the default objective."


class ActionModule(BackupAction):
    """The action behind the task ``prlsdk.core.prl_backup_compliance``."""

    OPTIONS = {
        "objective": {"type": "raw", "required": True},
        "overrides": {"type": "list", "elements": "dict", "default": []},
        "exclude": {"type": "list", "elements": "raw", "default": []},
        "templates": {"type": "bool", "default": False},
        "types": {"type": "list", "elements": "str", "choices": ["vm", "ct"], "default": ["vm", "ct"]},
        "owner": {"type": "str", "choices": ["any", "this_node"], "default": "any"},
        "orphans": {"type": "bool", "default": True},
        **_argspec.storage_option(),
        "gather_timeout": {"type": "int", "default": 900},
        "fail_on": {"type": "list", "elements": "str", "choices": list(FINDINGS), "default": list(FAIL_ON)},
        "fail": {"type": "bool", "default": True},
        "new_vm_grace": {"type": "str"},
        "state_dir": {"type": "str", "default": ""},
        "report_dir": {"type": "str", "default": ""},
        "metrics_dir": {"type": "str", "default": ""},
        "now": {"type": "str", "default": ""},
    }

    def conduct(self) -> dict[str, Any]:
        """Look, check, and write the files, which say so if the check could not be made."""
        self.refuse_misspelled_variables(OF_THE_ROLE)
        found, error, unreachable = None, None, False
        now = int(time.time())
        try:
            now = self._now()
            found = self._check(now)
        except InputError as problem:
            error = problem.message
        except Failed as problem:
            error, unreachable = str(problem), isinstance(problem, Unreachable)
        changed = self._write(found, error and printable(error), now)
        if found is None:
            return {
                "changed": changed,
                "compliant": False,
                "msg": "The check could not be made. %s" % error,
                "unreachable" if unreachable else "failed": True,
            }
        failed = self.options["fail"] and not found["compliant"]
        if not self.ad_hoc:
            self.tell(
                "%s:" % self.host, *found["table"], "", *([] if failed else ["%s: %s" % (self.host, found["message"])])
            )
        self.warnings += [UNUSED % printable(name) for name in found["unused"]]
        return {
            "changed": changed,
            **{
                key: found[key]
                for key in ("checked_at", "compliant", "message", "totals", "findings", "orphans", "unused")
            },
            "vms": [vm for vm in found["vms"] if vm["findings"]],
            **({"lines": found["table"]} if self.ad_hoc or not failed else {}),
            **({"failed": True, "msg": found["message"]} if failed else {}),
        }

    def _now(self) -> int:
        with prefix_errors("now"):
            return _time.parse_instant(self.options["now"]) if self.options["now"] else int(time.time())

    def _check(self, now: Any) -> dict[str, Any]:
        options = self.options
        grace = None
        if options["new_vm_grace"]:
            with prefix_errors("new_vm_grace"):
                grace = _time.parse_duration(options["new_vm_grace"])
        settings = {name: options[name] for name in ("overrides", "exclude", "fail_on", "templates")}
        check(
            [], [], options["objective"], now, **settings
        )  # says what is wrong with the objectives before anything is asked for
        try:
            node = self.run_module("prl_vm_info", types=options["types"], timeout=options["gather_timeout"])
            trees, damaged, server = self.gather(
                types=options["types"],
                owner=options["owner"],
                scope="all" if options["orphans"] else "registered",
                storage=options["storage"],
                on_damaged="skip",
                timeout=options["gather_timeout"],  # a VM whose answer cannot be read is a finding
            )
        except Unreachable as failure:
            raise Unreachable("The host could not be reached. %s" % failure) from failure
        new_until = self._new_until(node["vms"], grace, now)
        return check(
            node["vms"],
            trees,
            options["objective"],
            now,
            **settings,
            node=node["server"]["uuid"],
            damaged=damaged,
            new_until=new_until,
        )

    # -- VMs that are new

    def _new_until(self, vms: list[dict[str, Any]], grace: Duration | None, now: Any) -> dict[str, int]:
        """UUID -> until when a VM need not have a backup. A VM is as old as the state file says, which is updated."""
        if not self.options["state_dir"]:
            if grace:
                self.warnings.append(
                    "%s has no effect without %s, which remembers since when a VM is known."
                    % (self.option("new_vm_grace"), self.option("state_dir"))
                )
            return {}
        folder = _report_files.ReportFolder(self.options["state_dir"])
        path = folder.of_host(self.host, ".json")
        seen = self._read_state(path)
        if seen is None and grace:
            self.warnings.append("There is no state file %s yet, so no VM counts as new in this run." % path)
        known: dict[str, str | None] = dict(seen or {})
        for vm in vms:
            if vm["uuid"]:
                known.setdefault(plain_id(vm["uuid"]), None if seen is None else _time.format_instant(now))
        if not self._task.check_mode:
            try:
                folder.prepare()
                _report_files.write(path, json.dumps({"first_seen": known}, indent=1, sort_keys=True) + "\n")
            except OSError as error:
                raise Failed("The state file %s cannot be written: %s." % (path, error.strerror or error)) from error
        if not grace:
            return {}
        instants = {uuid: _time.parse_instant(first) for uuid, first in known.items() if first is not None}
        return {uuid: named("UTC").expiry(first, grace, first) + 1 for uuid, first in instants.items()}

    @staticmethod
    def _read_state(path: str) -> dict[str, str] | None:
        try:
            text = _report_files.read(path)
            return None if text is None else dict(json.loads(text)["first_seen"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Failed(
                "The state file %s cannot be read: %s. Correct it, or remove it to begin anew." % (path, error)
            ) from error

    # -- files

    def _write(self, found: dict[str, Any] | None, error: str | None, now: Any) -> bool:
        """Write the files; whether the result in them is another one than before."""
        if self._task.check_mode:
            return False
        changed, path = False, ""
        try:
            if self.options["report_dir"]:
                path = self.options["report_dir"]
                folder = _report_files.ReportFolder(self.options["report_dir"])
                folder.prepare()
                for suffix, text in ((".json", files.as_json), (".junit.xml", files.as_junit)):
                    changed |= _report_files.write(folder.of_host(self.host, suffix), text(self.host, found, error))
            if self.options["metrics_dir"]:
                path = self.options["metrics_dir"]
                folder = _report_files.ReportFolder(self.options["metrics_dir"])
                folder.prepare()
                # Whatever serves them runs as another user. They have the time of the check, which is no change of the result.
                _report_files.write(
                    folder.of_host(self.host, ".prom"), files.as_metrics(self.host, found, now), mode=0o644
                )
        except OSError as problem:
            raise Failed(
                "The files of the check cannot be written to %s: %s." % (path, problem.strerror or problem)
            ) from problem
        return changed
