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

#: What follows a file's name that cannot be written.
ANOTHER = "Let the user of the controller write there, or name another folder."


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

    EXAMPLES = {"overrides": "[{name: databases, match: {name: db-*}, objective: {rpo: 1h}}]"}

    def conduct(self) -> dict[str, Any]:
        """Look, check, show, and write the files, which say so if the check could not be made."""
        self.refuse_misspelled_variables(OF_THE_ROLE)
        found, error, said, unreachable = None, "", "", False
        self.unwritten: list[str] = []
        now = int(time.time())
        try:
            now = self._now()
            found = self._check(now)
        except InputError as problem:
            error = "%s Nothing was checked." % self.placed(problem)
        except Failed as problem:
            error, unreachable = str(problem), isinstance(problem, Unreachable)
            said = "The check could not be made. %s" % problem
        error = printable(error)
        if found is None:
            changed = self._write(None, error, now)
            return {
                "changed": changed,
                "compliant": False,
                "msg": " ".join([printable(said or error), *self.unwritten]),
                "unreachable" if unreachable else "failed": True,
            }
        if not self.ad_hoc:
            self.tell("%s:" % self.host, *found["table"], "")
        changed = self._write(found, None, now)
        failed = bool(self.unwritten) or (self.options["fail"] and not found["compliant"])
        if not failed and not self.ad_hoc:
            self.tell("%s: %s" % (self.host, found["message"]))
        self.warnings += [UNUSED % printable(name.removeprefix("override ")) for name in found["unused"]]
        return {
            "changed": changed,
            **{
                key: found[key]
                for key in ("checked_at", "compliant", "message", "totals", "findings", "orphans", "unused")
                if key != "message" or not failed  # which 'msg' has, and Ansible shows a failed result as a whole
            },
            "vms": [vm for vm in found["vms"] if vm["findings"]],
            **({"lines": found["table"]} if self.ad_hoc or not failed else {}),
            **({"failed": True, "msg": " ".join([found["message"], *self.unwritten])} if failed else {}),
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
            except OSError as error:  # costs no verdict
                self._note_unwritten("state_dir", path, error)
        if not grace:
            return {}
        instants = {uuid: _time.parse_instant(first) for uuid, first in known.items() if first is not None}
        return {uuid: named("UTC").expiry(first, grace, first) + 1 for uuid, first in instants.items()}

    @staticmethod
    def _read_state(path: str) -> dict[str, str] | None:
        try:
            text = _report_files.read(path)
            if text is None:
                return None
            seen = dict(json.loads(text)["first_seen"])
            for uuid, first in seen.items():
                with prefix_errors("first_seen of %s" % uuid):
                    if first is not None:
                        _time.parse_instant(first)
        except (OSError, ValueError, KeyError, TypeError, InputError) as error:
            said = getattr(error, "strerror", None) or str(error)
            if isinstance(error, KeyError):
                said = "it has no first_seen"
            raise Failed(
                "The state file %s cannot be used: %s. Correct it, or remove it to begin anew."
                % (path, said.rstrip("."))
            ) from error
        return seen

    # -- files

    def _write(self, found: dict[str, Any] | None, error: str | None, now: Any) -> bool:
        """Write the files; whether the result in them is another one than before. What cannot be written is noted, and costs no other file."""
        if self._task.check_mode:
            return False
        changed = False
        if self.options["report_dir"]:
            folder = _report_files.ReportFolder(self.options["report_dir"])
            try:
                folder.prepare()
                for suffix, text in ((".json", files.as_json), (".junit.xml", files.as_junit)):
                    changed |= _report_files.write(folder.of_host(self.host, suffix), text(self.host, found, error))
            except OSError as problem:
                self._note_unwritten("report_dir", folder.path, problem)
        if self.options["metrics_dir"]:
            folder = _report_files.ReportFolder(self.options["metrics_dir"])
            try:
                folder.prepare()
                # Whatever serves them runs as another user. They have the time of the check, which is no change of the result.
                _report_files.write(
                    folder.of_host(self.host, ".prom"), files.as_metrics(self.host, found, now), mode=0o644
                )
            except OSError as problem:
                self._note_unwritten("metrics_dir", folder.path, problem)
        return changed

    def _note_unwritten(self, option: str, path: str, error: OSError) -> None:
        self.unwritten.append(
            "%s: %s cannot be written: %s. %s" % (self.option(option), path, error.strerror or error, ANOTHER)
        )
