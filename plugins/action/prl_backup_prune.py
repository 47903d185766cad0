# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prune the backups of a host by a retention policy: gather, plan, show, guard, remove in slices, verify, report.

It runs on the controller, and decides nothing itself: the engine plans, the modules on the target host look and remove. The documentation is
in ``plugins/modules/prl_backup_prune.py``.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.prlsdk.core.plugins.module_utils import _argspec, _time
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable
from ansible_collections.prlsdk.core.plugins.plugin_utils import _report_files
from ansible_collections.prlsdk.core.plugins.plugin_utils._action import BackupAction, Failed, ModuleFailed, Unreachable
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.rules import RULES
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.verify import verify_plan
from ansible_collections.prlsdk.core.plugins.plugin_utils._text import formats
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.plan import DETAILS, plan_lines
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.summary import conclude

DIGEST_LENGTH = 16
#: A slice of the removal: seconds after which no removal begins, and how many entries it has at most.
SLICE_SECONDS = 60
SLICE_ENTRIES = 500
#: After the removal the backups are looked at again at most so often, in seconds.
LOOK_INTERVAL = 10
#: How much of what may be long a result has.
MOST_LINES = 2000
MOST_WARNINGS = 20
MOST_FAILED = 100

GOOD = ("removed", "already_absent")
#: Reasons of a removal that was not attempted after which the next slice may be asked for.
GOES_ON = ("stop_after", "chain_failed")
#: What the role has beside the options: its own variables, the playbook's, and its result.
OF_THE_ROLE = ("report", "report_page", "report_title", "compliance_dir", "hosts", "result")
#: Variables that somebody may set with a confirmation and that would not do what they say: (names, what does it).
HOPED_FOR = (
    (
        ("dry_run", "dryrun", "check", "check_mode", "check_only", "noop", "plan_only", "simulate"),
        "For a plan alone run with --check, or leave {confirm} empty.",
    ),
    (
        ("include", "only", "select", "vm", "vms"),
        "The role plans for all VMs of the host but those in {exclude}: name there what is to be left out.",
    ),
)
SETTINGS = ("policy", "overrides", "exclude", "retired", "guards")


class ActionModule(BackupAction):
    """The action behind the task ``prlsdk.core.prl_backup_prune``."""

    OPTIONS = {
        "policy": {"type": "dict"},
        "overrides": {"type": "list", "elements": "dict", "default": []},
        "exclude": {"type": "list", "elements": "raw", "default": []},
        "retired": {"type": "list", "elements": "raw", "default": []},
        "guards": {"type": "dict", "default": {}},
        "confirm": {"type": "raw"},
        "owner": {"type": "str", "choices": ["any", "this_node"], "default": "this_node"},
        "scope": {"type": "str", "choices": ["all", "registered"], "default": "all"},
        "types": {"type": "list", "elements": "str", "choices": ["vm", "ct"], "default": ["vm", "ct"]},
        **_argspec.storage_option(),
        "on_damaged": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
        "on_refused": {"type": "str", "choices": ["fail", "stop", "continue"], "default": "fail"},
        "on_error": {"type": "str", "choices": ["continue", "stop"], "default": "continue"},
        "gather_timeout": {"type": "int", "default": 900},
        "remove_timeout": {"type": "int", "default": 14400},
        "busy_timeout": {"type": "int", "default": 60},
        "wait": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"vm": {"type": "str", "required": True}, "newer_than": {"type": "str", "required": True}},
        },
        "wait_timeout": {"type": "int", "default": 7200},
        "show": {"type": "str", "choices": [*DETAILS, "none"], "default": "auto"},
        "show_limit": {"type": "int", "default": 200},
        "report_dir": {"type": "str", "default": ""},
    }

    EXAMPLES = {
        "policy": "{timezone: Europe/Berlin, daily: 7, weekly: 4}",
        "overrides": "[{name: databases, match: {name: db-*}, policy: {daily: 30}}]",
        "guards": "{max_remove: 20}",
    }

    def conduct(self) -> dict[str, Any]:
        """One run."""
        result = Run(self).result()
        if result.get("failed") or result.get("unreachable"):
            del result["message"]  # Ansible shows a failed result as a whole, and 'msg' has it
        return result


class Confirmation:
    """What may be removed: nothing, exactly the plans with these digests, or whatever the plan is. Raises InputError."""

    def __init__(self, given: Any, option: str) -> None:
        texts = given if isinstance(given, (list, tuple)) else str("" if given is None else given).split(",")
        words_given = [str(text).strip().lower() for text in texts]
        self.digests = [word for word in words_given if word not in ("", "none", "null", "false", "no")]
        self.given = bool(self.digests)
        self.any_plan = self.digests in (["true"], ["yes"])
        if not self.any_plan and not all(re.fullmatch("[0-9a-f]{12,64}", digest) for digest in self.digests):
            raise InputError(
                "%s is '%s', which is no confirmation. Leave it empty to see the plan, give the digest that a plan has shown (at least 12 of its digits; "
                "several with commas between them) to apply exactly that plan, or true to apply any."
                % (option, printable(given))
            )

    def allows(self, digest: str) -> bool:
        """Whether the plan with this digest was confirmed."""
        return self.any_plan or any(digest.startswith(confirmed) for confirmed in self.digests)


class Run:
    """One run for one host, from the options to the result and the report."""

    def __init__(self, action: ActionModule) -> None:
        self.action, self.options = action, action.options
        self.check, self.diff = bool(action._task.check_mode), bool(action._task.diff)
        self.started = _now()
        self.status, self.failed, self.unreachable = "failed", True, False
        self.plan: dict[str, Any] = {}  # none yet
        self.plan_text = "null"
        self.gone: list[str] = []  # UUIDs of VMs that the node does not know any more
        self.outcomes: list[dict[str, Any]] | None = None
        self.debts: list[dict[str, str]] = []
        self.lines: list[str] = []
        self.folder = _report_files.ReportFolder(self.options["report_dir"]) if self.options["report_dir"] else None

    def result(self) -> dict[str, Any]:
        """Do it all, and say what came of it. A failure is a result, too: it has a report."""
        unwritten = ""
        try:
            self._check_folder()
            message = self._conduct()
        except Failed as failure:
            message, self.unreachable, self.failed = str(failure), isinstance(failure, Unreachable), True
        except InputError as error:
            message = "%s Nothing was changed." % self.action.placed(error, "policy")
        message = printable(message)
        if self.folder:
            try:
                self._write_report(self.status, message, _now())
            except OSError as error:
                self.failed = True
                unwritten = "%s: the report of the host could not be written to %s: %s." % (
                    self.action.option("report_dir"),
                    self._report_path(),
                    error.strerror or error,
                )
        return self._told(message, unwritten)

    # -- the steps, in their order

    def _conduct(self) -> str:
        options = self.options
        self.action.refuse_misspelled_variables(OF_THE_ROLE)
        if not options["policy"]:
            raise Failed(
                "No retention policy is set, so nothing was read and nothing was changed. Set %s to what you want to keep, for example "
                "{timezone: Europe/Berlin, daily: 7, weekly: 4, monthly: 12}. A first run with nothing else shows the plan and removes nothing.%s"
                % (self.action.option("policy"), self._rules_as_variables())
            )
        try:
            self.confirmation = Confirmation(options["confirm"], self.action.option("confirm"))
        except InputError as error:
            raise Failed(error.message) from error
        for name in ("gather_timeout", "remove_timeout"):
            if options[name] < 1:
                raise Failed("%s must be 1 or more seconds, not %d." % (self.action.option(name), options[name]))
        self._refuse_hoped_for()
        if options["busy_timeout"] < 0:
            raise Failed(
                "%s must be 0 or more seconds, not %d." % (self.action.option("busy_timeout"), options["busy_timeout"])
            )
        self._check_retirement(self._make_plan([], []))  # says what is wrong with a policy before anything is asked for
        self._wait()
        self._look_and_plan()
        removes = bool(self.plan["remove"]) and (self.check or self.confirmation.given)
        self._guard()
        if removes:
            self._remove()
            self.status = "predicted" if self.check else "applied"
        else:
            self.status = "planned" if self.plan["remove"] else "guarded" if self.plan["refusals"] else "nothing"
        # Whether somebody has to look: what a guard refused was meant to go.
        self.failed = options["on_refused"] != "continue" and self.confirmation.given and bool(self.plan["refusals"])
        return self._conclusion(self.status if removes else "predicted" if self.check else "planned")

    def _rules_as_variables(self) -> str:
        """A sentence on a rule that was set as a variable of its own."""
        for rule in RULES:
            if self.action.set_variable(rule):
                return " %s is no variable of the role: write it as %s: {%s: ...}." % (
                    self.action.option(rule),
                    self.action.option("policy"),
                    rule,
                )
        return ""

    def _refuse_hoped_for(self) -> None:
        """Fail where a variable that the role does not have was to keep backups from being removed. Raises Failed."""
        if not self.confirmation.given or self.check:
            return
        for names, instead in HOPED_FOR:
            for name in names:
                if self.action.set_variable(name):
                    raise Failed(
                        "%s is set, which is no variable of the role, so nothing was changed. %s"
                        % (
                            self.action.option(name),
                            instead.format(**{key: self.action.option(key) for key in self.options}),
                        )
                    )

    def _check_retirement(self, plan: dict[str, Any]) -> None:
        """What would never happen is not left to be waited for."""
        options = self.options
        if not options["retired"] and not any(group["policy"]["retire_moved_after"] for group in plan["groups"]):
            return
        for name, needed in (("owner", "this_node"), ("scope", "all")):
            if options[name] != needed:
                raise Failed(
                    "%s needs %s to be %s, not %s: otherwise it is not known whether a VM is gone from the node and lives on another one. Set it "
                    "so, or retire no VMs."
                    % (
                        self.action.option("retired") if options["retired"] else "retire_moved_after",
                        self.action.option(name),
                        needed,
                        options[name],
                    )
                )

    def _make_plan(self, trees: Any, damaged: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return make_plans(
            trees,
            self.options["policy"],
            int(time.time()),
            self.options["overrides"],
            self.options["exclude"],
            self.options["retired"],
            self.options["guards"],
            damaged,
            **more,
        )

    def _wait(self) -> None:
        for place, wanted in enumerate(self.options["wait"]):
            try:
                _time.parse_moment(wanted["newer_than"], time.time())
            except InputError as error:
                raise Failed(
                    "%s[%d].newer_than: %s." % (self.action.option("wait"), place, error.message.rstrip("."))
                ) from error
            try:
                waited = self.action.run_module(
                    "prl_event_wait",
                    events=[{"type": "create_backup_finished", "vm": wanted["vm"]}],
                    satisfied_by={"vm": wanted["vm"], "backup_newer_than": wanted["newer_than"]},
                    storage=self.options["storage"],
                    reconnect=True,
                    on_timeout="continue",
                    timeout=self.options["wait_timeout"],
                )
            except ModuleFailed as failure:
                # The module has it in a list of its own.
                there = "%s[%d].vm: " % (self.action.option("wait"), place)
                raise ModuleFailed(
                    re.sub("^(events.0.|satisfied_by).vm: ", there, str(failure)), failure.result
                ) from failure
            except Unreachable as failure:
                raise Unreachable(
                    "The host could not be reached while it was waited for a backup; nothing was changed. %s" % failure
                ) from failure
            if waited.get("timed_out") and not self.check:
                raise Failed(
                    "No backup newer than %s of %s came within %d seconds, so nothing was planned and nothing was changed. A backup that fails sends no "
                    "event: look whether it was started at all, then run again, or raise %s."
                    % (
                        wanted["newer_than"],
                        wanted["vm"],
                        self.options["wait_timeout"],
                        self.action.option("wait_timeout"),
                    )
                )

    def _gather(self, **more: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
        options = {name: self.options[name] for name in ("owner", "scope", "types", "storage", "on_damaged")}
        return self.action.gather(**{**options, "timeout": self.options["gather_timeout"], **more})

    def _look_and_plan(self) -> None:
        try:
            trees, damaged, server = self._gather()
        except Unreachable as failure:
            raise Unreachable("The host could not be reached to gather its backups. %s" % failure) from failure
        self.plan = self._make_plan(trees, damaged)
        self.gone = [tree["vm"]["uuid"] for tree in trees if tree["vm"].get("registered") is False]
        self.plan_text = _json(self.plan)
        show = self.options["show"]
        if show != "none":
            self.lines = plan_lines(self.plan, show, self.options["show_limit"], DIGEST_LENGTH, MOST_LINES)
            if not self.action.ad_hoc:
                self.action.tell("%s:" % self.action.host, *self.lines, "")

    def _guard(self) -> None:
        plan, confirmation = self.plan, self.confirmation
        if confirmation.given and plan["remove"] and not confirmation.allows(plan["digest"]):
            self.status = "mismatch"
            raise Failed(
                "The plan is not the one that was confirmed, so nothing was removed. The digest of this plan is %s, confirmed was %s. Since the review the "
                "backups, the policy or the day have changed, or more backups may be removed by now. Look at the plan; if it is right, run again with %s."
                % (
                    plan["digest"][:DIGEST_LENGTH],
                    ", ".join(one[:DIGEST_LENGTH] for one in confirmation.digests),
                    self._how_to_confirm(),
                )
            )
        if self.options["on_refused"] == "stop" and plan["refusals"] and confirmation.given:
            self.status = "guarded"
            raise Failed(self._conclusion("stopped"))

    def _how_to_confirm(self) -> str:
        option, digest = self.action.option("confirm"), self.plan["digest"][:DIGEST_LENGTH]
        return "-e %s=%s" % (option, digest) if option != "confirm" else "'confirm: %s'" % digest

    def _conclusion(self, state: str) -> str:
        return conclude(
            self.plan,
            state,
            confirmed=self.confirmation.given,
            stops=self.options["on_refused"] == "stop",
            digest_length=DIGEST_LENGTH,
            option=self.action.option,
        )

    # -- the removal

    def _remove(self) -> None:
        begun = _now()
        running = (
            "The removal began at %s, and the run has not reported its end. If it is not running any more, it was interrupted. What it had not removed by then "
            "is as restorable as before; the next run finishes the work." % begun
        )
        removal = Removal(self, lambda: self._note("running", running))
        problem = removal.run()
        if self.check:
            if problem:
                raise Failed(problem)
            return
        missing, left, unread = self._verify()
        if missing:
            named = ", ".join("%s %s" % (one["vm"], one["id"]) for one in missing[:5])
            raise Failed(
                "%s not in the list (removed, or in use): %s. This run asked for no such removal. Look who else works on the backups of this server before "
                "you run again. %s" % (_backups(missing, "that the plan keeps"), named, unread)
            )
        if problem:
            raise Failed("%s The next run tries again. %s" % (problem, unread))
        if left:
            raise Failed(
                "%s still there although the removal was reported: %s. The next run tries again; if that does not help, look at the server's log. %s"
                % (_backups(left), ", ".join(one["id"] for one in left[:5]), unread)
            )
        if unread:
            raise Failed("The removal was reported as done, and what could be read is as planned. %s" % unread)

    def _note(self, status: str, message: str) -> None:
        """Leave a report behind for the case that the run is killed; the end of the run writes it anew."""
        if self.folder and not self.check:
            try:
                self._write_report(status, message, None)
            except OSError as error:
                raise Failed(
                    "The report of the host cannot be written to %s any more, so nothing more was removed: %s."
                    % (self._report_path(), error.strerror or error)
                ) from error

    def _verify(self) -> Any:
        """What the plan keeps and is missing, what it removes and is there, and a sentence on what could not be read."""
        end = time.monotonic() + self.options["busy_timeout"]
        look = self._compared()
        # The server hides a chain while somebody writes to it, and a chain that another node has just extended is not this node's any more.
        while look["missing"] or look["unknown"]:
            again = self._compared(owner="any")
            look = {**look, "missing": again["missing"], "unknown": again["unknown"]}
            left = end - time.monotonic()
            if left <= 0 or not (look["missing"] or look["unknown"]):
                break
            time.sleep(min(LOOK_INTERVAL, left))
        unknown = look["unknown"]
        unread = ""
        if unknown:
            more = " and %d more" % (len(unknown) - 5) if len(unknown) > 5 else ""
            names = ", ".join(one["vm"] for one in unknown[:5])
            unread = "What is there of %s%s now is not known. %s" % (names, more, unknown[0]["message"])
        return look["missing"], look["left"], unread

    def _compared(self, **more: Any) -> dict[str, Any]:
        """The plan against what is there. What cannot be read after the removal is told to be unknown, whatever the plan did about such VMs."""
        try:
            trees, damaged, server = self._gather(on_damaged="skip", **more)
        except Failed as failure:
            raise type(failure)(
                *(
                    "What the plan keeps could not be looked for again, after the removal. %s" % failure,
                    *([{}] if isinstance(failure, ModuleFailed) else []),
                )
            ) from failure
        return verify_plan(self.plan, trees, damaged)

    # -- the report and the result

    def _check_folder(self) -> None:
        """A folder that cannot be used would be noticed only when everything is done."""
        if not self.folder:
            return
        try:
            self.folder.prepare()
        except OSError as error:
            folder, self.folder = self.folder, None
            raise Failed(
                "%s: the reports cannot be written to %s, so nothing was read and nothing was changed: %s. Let the user of the controller write "
                "there, or name another folder."
                % (self.action.option("report_dir"), folder.path, error.strerror or error)
            ) from error

    def _report_path(self) -> str:
        return self.folder.of_host(self.action.host, ".json") if self.folder else ""

    def _write_report(self, status: str, message: str, finished: Any) -> Any:
        # The plan may have megabytes, and is written again with each slice.
        head = {
            "host": self.action.host,
            "started": self.started,
            "finished": finished,
            "status": status,
            "message": message,
            "check_mode": self.check,
            "variables": {name: self.options[name] for name in SETTINGS},
            "gone": self.gone,
        }
        text = '%s,"plan":%s,"applied":%s,"debts":%s}\n' % (
            _json(head)[:-1],
            self.plan_text,
            _json(self.outcomes),
            _json(self.debts),
        )
        _report_files.write(self._report_path(), text)

    def _told(self, message: str, unwritten: Any) -> dict[str, Any]:
        plan = self.plan or {}
        removed = self.removed()
        result = {
            "changed": removed["backups"] > 0,
            "status": self.status,
            "message": message,
            "digest": plan.get("digest"),
            "totals": plan.get("totals"),
            "refusals": plan.get("refusals", []),
            "removed": removed,
            "failed_removals": self._failed_removals(),
            "debts": self.debts,
            "lines": self.lines,
            "report": self._report_path() if self.folder and not unwritten else None,
            "started": self.started,
            "warnings": _bounded(
                [printable(one["message"]) for one in plan.get("warnings", [])],
                MOST_WARNINGS,
                "and %d more warnings; the report has all",
            ),
        }
        if self.failed or self.unreachable:
            result.update(failed=True, msg=" ".join(filter(None, [message, unwritten])))
            if not self.action.ad_hoc:
                del result["lines"]  # they were shown, and Ansible shows a failed result as a whole
        elif not self.action.ad_hoc:
            self.action.tell("%s: %s" % (self.action.host, message))
        if self.unreachable:
            result.update(unreachable=True, failed=False)
        if self.diff and self.plan and (removed["backups"] or self.check):
            result["diff"] = self._difference()
        return result

    def removed(self) -> dict[str, int]:
        """How many backups were removed, and their bytes; in check mode, would be."""
        sizes = {
            (vm["vm"]["uuid"], backup["id"]): backup["size"]
            for vm in (self.plan or {"vms": []})["vms"]
            for backup in vm["backups"]
        }
        gone = {(entry["vm"], identity) for entry in self.outcomes or [] for identity in entry["removed"]}
        return {"backups": len(gone), "bytes": sum(sizes.get(one, 0) for one in gone)}

    def _failed_removals(self) -> Any:
        keys = ("id", "vm", "outcome", "reason", "message")
        bad = [{key: entry.get(key) for key in keys} for entry in self.outcomes or [] if entry["outcome"] not in GOOD]
        return bad[:MOST_FAILED] + (
            [{"message": "and %d more; the report has all" % (len(bad) - MOST_FAILED)}]
            if len(bad) > MOST_FAILED
            else []
        )

    def _difference(self) -> dict[str, Any]:
        """Before and after: a line with name, id, time and size for each backup of the VMs that lose some."""
        gone = {(entry["vm"], identity) for entry in self.outcomes or [] for identity in entry["removed"]}
        before, after = [], []
        for vm in self.plan["vms"]:
            if not any(uuid == vm["vm"]["uuid"] for uuid, identity in gone):
                continue
            name = printable(vm["vm"]["name"] or vm["vm"]["uuid"])
            for backup in vm["backups"]:
                line = "%s %s %s %s\n" % (name, backup["id"], backup["created"], formats.size(backup["size"]))
                before.append(line)
                if (vm["vm"]["uuid"], backup["id"]) not in gone:
                    after.append(line)
        return {
            "before_header": "backups",
            "after_header": "backups",
            "before": "".join(before),
            "after": "".join(after),
        }


class Removal:
    """The removal in slices, so that a person sees how far it is, and a run that is killed leaves a report of what it did."""

    def __init__(self, run: Run, note: Callable[..., None]) -> None:
        self.run_of, self.note = run, note
        self.entries = run.plan["remove"]
        self.sizes = {gone["id"]: gone["size"] for step in self.entries for gone in step["removes"]}
        self.backups = sum(len(step["removes"]) for step in self.entries)
        self.results: dict[int, dict[str, Any]] = {}

    def run(self) -> str:
        """Remove; returns what went wrong as a sentence, or an empty text."""
        run, options = self.run_of, self.run_of.options
        begin = time.monotonic()
        todo = list(range(len(self.entries)))
        problems: list[str] = []
        while todo:
            left = options["remove_timeout"] - (time.monotonic() - begin)
            if left < 1:
                self._settle_rest(todo)
                problems.append(
                    "The time of %s (%d seconds) is over."
                    % (run.action.option("remove_timeout"), options["remove_timeout"])
                )
                break
            self.note()
            chosen = todo if run.check else todo[:SLICE_ENTRIES]
            result, problem = self._ask(chosen, left)
            run.debts = result.get("debts", run.debts)
            for number, told in zip(chosen, result["backups"]):
                self._keep(number, told)
            run.outcomes = [self.results[number] for number in sorted(self.results)]
            stopped = [number for number in chosen if self.results[number]["reason"] == "stop_after"]
            todo = stopped + todo[len(chosen) :]
            ended = problem and (
                options["on_error"] == "stop" or any(self._ended(self.results[number]) for number in chosen)
            )
            if problem:
                problems.append(problem)
            if ended:
                self._settle_rest(todo)
                break
            if todo:
                self._tell_progress(time.monotonic() - begin)
        run.outcomes = [self.results[number] for number in sorted(self.results)]
        return self._problem(problems)

    def _ask(self, chosen: list[int], left: float) -> tuple[dict[str, Any], str]:
        """(the result of one slice, what the module complained of)."""
        run, options = self.run_of, self.run_of.options
        entries = [{key: value for key, value in self.entries[number].items() if key in ENTRY} for number in chosen]
        try:
            return run.action.run_module(
                "prl_backup",
                state="absent",
                backups=entries,
                storage=options["storage"],
                on_error=options["on_error"],
                busy_timeout=options["busy_timeout"],
                timeout=max(1, int(left)),
                stop_after=SLICE_SECONDS,
                debts=run.debts,
            ), ""
        except ModuleFailed as failure:
            if "backups" not in failure.result:
                raise
            return failure.result, str(failure)
        except Unreachable as failure:
            raise Unreachable(
                "The host could not be reached any more during the removal. How much of the plan was done is not known; what was not removed is as "
                "restorable as before, and the next run finishes the work. %s" % failure
            ) from failure

    def _keep(self, number: int, told: dict[str, Any]) -> None:
        earlier = self.results.get(number)
        self.results[number] = {
            **told,
            "vm": told["vm"] or self.entries[number]["vm"],
            "removed": (earlier["removed"] if earlier else []) + told["removed"],
        }

    @staticmethod
    def _ended(told: dict[str, Any]) -> bool:
        return told["outcome"] == "not_attempted" and told["reason"] not in GOES_ON

    def _settle_rest(self, todo: list[int]) -> None:
        """What is not asked for any more is in the report as such."""
        for number in todo:
            step = self.entries[number]
            nothing = {"id": step["id"], "vm": step["vm"], "error": None, "removed": []}
            message = "Not tried, because the work ended before."
            self.results[number] = {
                **nothing,
                **self.results.get(number, {}),
                "outcome": "not_attempted",
                "reason": "stopped",
                "message": message,
            }

    def _problem(self, problems: list[str]) -> str:
        if len(problems) < 2:
            return problems[0] if problems else ""
        bad = [entry for entry in self.results.values() if entry["outcome"] not in GOOD]
        causes = [entry for entry in bad if entry["outcome"] != "not_attempted"] or bad
        told = "; ".join(
            "%s of VM %s was not removed (%s): %s" % (one["id"], one["vm"], one["outcome"], one["message"])
            for one in causes[:3]
        )
        more = " And %d more." % (len(causes) - 3) if len(causes) > 3 else ""
        removed = len([identity for entry in self.results.values() for identity in entry["removed"]])
        return "%d of %s left. %s%s %d removed." % (
            self.backups - removed,
            formats.backups(self.backups),
            told,
            more,
            removed,
        )

    def _tell_progress(self, elapsed: float) -> None:
        gone = [identity for entry in self.results.values() for identity in entry["removed"]]
        line = "%s: removed %d of %s, %s freed, %s elapsed" % (
            self.run_of.action.host,
            len(gone),
            formats.backups(self.backups),
            formats.size(sum(self.sizes.get(one, 0) for one in gone)),
            formats.span(int(elapsed)),
        )
        if gone:
            line += ", about %s left" % formats.span(int(elapsed / len(gone) * (self.backups - len(gone))))
        self.run_of.action.tell(line)


#: What of a step of the plan the module takes.
ENTRY = frozenset(("id", "vm", "created", "size", "frees", "action", "removes", "allow_remove_last"))


def _now() -> str:
    return _time.format_instant(time.time())


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Containers of Ansible's that json does not know."""
    return dict(value) if isinstance(value, Mapping) else list(value)


def _backups(some: list[dict[str, Any]], which: str = "") -> str:
    number = "1 backup" if len(some) == 1 else "%d backups" % len(some)
    return "%s%s %s" % (number, " " + which if which else "", "is" if len(some) == 1 else "are")


def _bounded(some: list[Any], most: int, more: str) -> list[Any]:
    return some if len(some) <= most else [*some[:most], more % (len(some) - most)]
