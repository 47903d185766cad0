"""The action prl_backup_prune against scripted modules: every step may fail, lose the host, or be the last one before the run is killed."""

import copy
import json
import types

import pytest
from ansible_collections.prlsdk.core.plugins.action import prl_backup_prune as prune
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._action import ModuleFailed, Unreachable

POLICY = {"last": 1, "timezone": "UTC", "grace": "0h", "max_remove_share": 1.0}
DAY = 86400


def tree(name, chains, first=20):
    """A VM with so many chains of one full, one a day."""
    listed = [
        {
            "uuid": "{%s-%d}" % (name, number),
            "backups": [
                {
                    "id": "{%s-%d}" % (name, number),
                    "type": "full",
                    "number": 1,
                    "created": _time.format_instant(1780000000 + (number - first) * DAY),
                    "size": 1024,
                    "description": "",
                    "creator": "root",
                    "server_uuid": "{s}",
                }
            ],
        }
        for number in range(chains)
    ]
    return {"vm": {"uuid": "{%s}" % name, "name": name, "type": "vm", "storage_version": 5}, "chains": listed}


class Host:
    """A host whose modules work on these trees; ``on(name, call number)`` may raise, or return what the module returns instead."""

    def __init__(self, *trees, on=None):
        self.trees, self.calls, self.on = (
            {one["vm"]["uuid"]: one for one in trees},
            [],
            on or (lambda name, number: None),
        )
        self.seconds, self.told = 0, []

    def run(self, name, **arguments):
        number = sum(call[0] == name for call in self.calls)
        self.calls.append((name, copy.deepcopy(arguments)))
        return self.on(name, number) or getattr(self, name)(**arguments)

    def prl_backup(self, backups, **options):
        results = []
        for place, entry in enumerate(backups):
            if place >= self.seconds > 0:
                results.append(told(entry, "not_attempted", "stop_after"))
                continue
            chains = self.trees[entry["vm"]]["chains"]
            chains[:] = [chain for chain in chains if chain["uuid"] != entry["id"]]
            results.append(told(entry, "removed", removed=[entry["id"]]))
        return {"backups": results, "debts": options.get("debts", []), "changed": True}

    def prl_backup_info(self, **options):
        return {"backup_trees": copy.deepcopy(list(self.trees.values()))}

    def prl_event_wait(self, **options):
        return {"timed_out": False}

    def named(self, name):
        return [arguments for called, arguments in self.calls if called == name]


def told(entry, outcome, reason=None, removed=()):
    return {
        "id": entry["id"],
        "vm": entry["vm"],
        "outcome": outcome,
        "reason": reason,
        "message": reason,
        "error": None,
        "removed": list(removed),
    }


class Action(prune.ActionModule):
    """The action without Ansible around it."""

    def __init__(self, host, check=False, **options):
        self._task = types.SimpleNamespace(check_mode=check, diff=False, args={}, _role=None)
        self.task_vars, self.warnings, self.modules = (
            {"inventory_hostname": "node", "ansible_play_name": "Ansible Ad-Hoc"},
            [],
            host,
        )
        defaults = {name: copy.deepcopy(option.get("default")) for name, option in self.OPTIONS.items()}
        self.options = dict(defaults, **dict({"policy": POLICY, "busy_timeout": 0}, **options))

    def run_module(self, name, **arguments):
        return self.modules.run(name, **arguments)

    def gather(self, **arguments):
        given = self.modules.run("prl_backup_info", **arguments)
        return given["backup_trees"], given.get("damaged", []), {}

    def tell(self, *lines):
        self.modules.told += lines


def run(host, tmp_path, **options):
    """The result, and the report that is on the disk at the end."""
    options.setdefault("confirm", True)
    result = Action(host, report_dir=str(tmp_path), **options).conduct()
    return result, report(tmp_path)


def report(tmp_path):
    return json.loads((tmp_path / "node.json").read_text())


def test_a_removal_goes_in_slices_with_a_line_and_a_report_after_each(tmp_path):
    host = Host(tree("a", 9))
    host.seconds = 3
    statuses = []
    host.on = lambda name, number: statuses.append(report(tmp_path)) if name == "prl_backup" else None
    result, left = run(host, tmp_path)
    assert (
        result["status"] == "applied"
        and result["removed"] == {"backups": 8, "bytes": 8192}
        and not result.get("failed")
    )
    slices = host.named("prl_backup")
    assert [len(one["backups"]) for one in slices] == [8, 5, 2] and {one["stop_after"] for one in slices} == {60}
    assert [one["status"] for one in statuses] == ["running"] * 3 and all(one["finished"] is None for one in statuses)
    gone = [sum(len(entry["removed"]) for entry in one["applied"] or []) for one in statuses]
    assert gone == [0, 3, 6], "a run that is killed leaves what it did"
    assert [line.partition(",")[0] for line in host.told] == [
        "node: removed 3 of 8 backups",
        "node: removed 6 of 8 backups",
    ]
    assert "freed" in host.told[0] and "elapsed" in host.told[0] and "left" in host.told[0]
    assert left["status"] == "applied" and [entry["outcome"] for entry in left["applied"]] == ["removed"] * 8


def test_a_slice_has_no_more_than_its_number_of_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(prune, "SLICE_ENTRIES", 3)
    host = Host(tree("a", 9))
    result, left = run(host, tmp_path)
    assert [len(one["backups"]) for one in host.named("prl_backup")] == [3, 3, 2] and result["removed"]["backups"] == 8


def test_debts_go_from_slice_to_slice_and_into_the_result(tmp_path, monkeypatch):
    monkeypatch.setattr(prune, "SLICE_ENTRIES", 4)
    debt = [{"vm": "{a}", "id": "{a-0}"}]
    host = Host(tree("a", 9))
    host.on = lambda name, number: (
        dict(host.prl_backup(**host.calls[-1][1]), debts=debt) if name == "prl_backup" else None
    )
    result, left = run(host, tmp_path)
    assert [one["debts"] for one in host.named("prl_backup")] == [[], debt] and result["debts"] == left["debts"] == debt


@pytest.mark.parametrize("on_error, asked", [("continue", 2), ("stop", 1)])
def test_a_failed_removal_ends_the_work_only_if_that_is_wanted(tmp_path, monkeypatch, on_error, asked):
    monkeypatch.setattr(prune, "SLICE_ENTRIES", 4)

    def fail_once(name, number):
        if name == "prl_backup" and number == 0:
            entries = host.calls[-1][1]["backups"]
            done = host.prl_backup(entries[1:])["backups"]
            raise ModuleFailed(
                "1 of 4 backups left. It is in use.",
                {"backups": [told(entries[0], "busy", "locked"), *done], "debts": []},
            )

    host = Host(tree("a", 9))
    host.on = fail_once
    result, left = run(host, tmp_path, on_error=on_error)
    assert (
        result["failed"]
        and result["status"] == "failed"
        and "It is in use." in result["msg"]
        and "The next run tries again." in result["msg"]
    )
    assert len(host.named("prl_backup")) == asked and result["removed"]["backups"] == (7 if asked == 2 else 3)
    assert {entry["outcome"] for entry in result["failed_removals"]} == (
        {"busy"} if asked == 2 else {"busy", "not_attempted"}
    )
    assert [entry["outcome"] for entry in left["applied"]].count("removed") == (7 if asked == 2 else 3)


def test_the_failures_of_all_slices_are_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(prune, "SLICE_ENTRIES", 2)

    def fail_first(name, number):
        if name == "prl_backup":
            first, *others = host.calls[-1][1]["backups"]
            done = host.prl_backup(others)["backups"]
            raise ModuleFailed("Not this one.", {"backups": [told(first, "busy", "locked"), *done], "debts": []})

    host = Host(tree("a", 9))
    host.on = fail_first
    result, left = run(host, tmp_path, on_error="continue")
    assert result["msg"].startswith(
        "4 of 8 backups left. {a-0} of VM {a} was not removed (busy): locked; {a-2} of VM {a} was not removed (busy): locked; {a-4} of VM {a} was not removed "
        "(busy): locked And 1 more. 4 removed. The next run tries again."
    )
    assert left["message"] == result["msg"] and result["removed"]["backups"] == 4


def test_what_is_still_there_although_it_was_reported_as_removed_is_named(tmp_path):
    host = Host(tree("a", 5))

    def lie(name, number):
        if name == "prl_backup":
            entries = host.calls[-1][1]["backups"]
            return {
                "backups": [told(entry, "removed", removed=[entry["id"]]) for entry in entries],
                "debts": [],
                "changed": True,
            }

    host.on = lie
    result, left = run(host, tmp_path)
    assert result["failed"] and left["status"] == "failed"
    assert "still there although the removal was reported: {a-3}, {a-2}, {a-1}, {a-0}." in result["msg"]


def test_check_mode_fails_where_the_removal_would(tmp_path):
    host = Host(tree("a", 5))

    def fail(name, number):
        if name == "prl_backup":
            entries = host.calls[-1][1]["backups"]
            raise ModuleFailed(
                "It is in use.", {"backups": [told(entry, "busy", "locked") for entry in entries], "debts": []}
            )

    host.on = fail
    result = Action(host, check=True, confirm=True, report_dir=str(tmp_path)).conduct()
    assert (
        result["failed"] and "It is in use." in result["msg"] and host.named("prl_backup") and not result.get("changed")
    )


@pytest.mark.parametrize("reason", ["timeout", "connection_lost", "unexpected", "unverified", "worker_died", "error"])
def test_after_what_ended_the_work_no_further_slice_is_asked_for(tmp_path, monkeypatch, reason):
    monkeypatch.setattr(prune, "SLICE_ENTRIES", 4)

    def end(name, number):
        if name == "prl_backup":
            entries = host.calls[-1][1]["backups"]
            raise ModuleFailed(
                "It ended.", {"backups": [told(entry, "not_attempted", reason) for entry in entries], "debts": []}
            )

    host = Host(tree("a", 9))
    host.on = end
    result, left = run(host, tmp_path)
    assert len(host.named("prl_backup")) == 1 and result["failed"] and len(left["applied"]) == 8


def steps_of(host, tmp_path, **options):
    """The modules that a whole run asks for, in order."""
    run(host, tmp_path, wait=[{"vm": "a", "newer_than": "1d"}], **options)
    return [name for name, arguments in host.calls]


def test_the_host_may_be_lost_at_every_step_and_its_report_says_so(tmp_path):
    names = steps_of(Host(tree("a", 5)), tmp_path)
    assert names == ["prl_event_wait", "prl_backup_info", "prl_backup", "prl_backup_info"]
    for step, name in enumerate(names):
        host = Host(tree("a", 5))

        def lose(called, number, host=host, step=step):
            if len(host.calls) == step + 1:
                raise Unreachable("No route to host.")

        host.on = lose
        result, left = run(host, tmp_path, wait=[{"vm": "a", "newer_than": "1d"}])
        assert (
            result["unreachable"]
            and result["status"] == left["status"] == "failed"
            and left["message"] == result["msg"]
        )
        assert "No route to host." in result["msg"] and left["finished"]
        assert len(host.calls) == step + 1, "nothing more is tried"
        assert ("nothing was changed" in result["msg"]) == (name == "prl_event_wait")


def test_a_module_may_fail_at_every_step_and_its_message_is_the_tasks(tmp_path):
    for step in range(4):
        host = Host(tree("a", 5))

        def fail(called, number, host=host, step=step):
            if len(host.calls) == step + 1:
                raise ModuleFailed("The SDK said no.", {})

        host.on = fail
        result, left = run(host, tmp_path, wait=[{"vm": "a", "newer_than": "1d"}])
        assert (
            result["failed"]
            and "The SDK said no." in result["msg"]
            and left["status"] == "failed"
            and left["message"] == result["msg"]
        )


def test_a_backup_that_somebody_else_removed_is_named_and_one_that_comes_back_is_not(tmp_path):
    host = Host(tree("a", 5), tree("b", 5))
    kept = host.trees["{a}"]["chains"][-1]
    looks = []

    def hide(name, number):
        if name == "prl_backup_info" and number == 1:
            looks.append(host.calls[-1][1]["owner"])
            host.trees["{a}"]["chains"].remove(kept)
        elif name == "prl_backup_info" and number == 2:
            looks.append(host.calls[-1][1]["owner"])
            if comes_back:
                host.trees["{a}"]["chains"].append(kept)

    for comes_back in (True, False):
        host.trees = {one["vm"]["uuid"]: one for one in (tree("a", 5), tree("b", 5))}
        kept = host.trees["{a}"]["chains"][-1]
        host.calls.clear()
        host.on = hide
        result, left = run(host, tmp_path)
        assert bool(result.get("failed")) != comes_back
        assert (
            "1 backup that the plan keeps is not in the list (removed, or in use): a {a-4}."
            in (result.get("msg") or result["message"])
        ) != comes_back
    assert looks[:2] == ["this_node", "any"], "a chain that another node has extended is that node's"


def test_the_time_of_the_removal_ends_it_and_the_rest_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(prune, "SLICE_ENTRIES", 2)
    clock = [0.0]
    monkeypatch.setattr(prune.time, "monotonic", lambda: clock[0])
    host = Host(tree("a", 9))
    host.on = lambda name, number: clock.__setitem__(0, clock[0] + 40) if name == "prl_backup" else None
    result, left = run(host, tmp_path, remove_timeout=100)
    assert [one["timeout"] for one in host.named("prl_backup")] == [100, 60, 20]
    assert result["failed"] and "remove_timeout (100 seconds) is over" in result["msg"]
    assert [entry["outcome"] for entry in left["applied"]] == ["removed"] * 6 + ["not_attempted"] * 2


def test_check_mode_asks_once_about_everything_and_does_not_look_again(tmp_path, monkeypatch):
    monkeypatch.setattr(prune, "SLICE_ENTRIES", 2)
    host = Host(tree("a", 9))
    result = Action(host, check=True, report_dir=str(tmp_path)).conduct()
    assert (
        [name for name, arguments in host.calls] == ["prl_backup_info", "prl_backup"]
        and result["status"] == "predicted"
        and result["changed"]
    )


def test_a_report_that_cannot_be_written_any_more_stops_the_removal(tmp_path):
    host = Host(tree("a", 9))
    folder = tmp_path / "reports"

    def spoil(name, number):
        if name == "prl_backup_info" and number == 0:
            folder.rename(tmp_path / "moved")
            folder.write_text("")

    host.on = spoil
    result = Action(host, report_dir=str(folder), confirm=True).conduct()
    assert result["failed"] and "nothing more was removed" in result["msg"] and host.named("prl_backup") == []
    assert "could not be written" in result["msg"] and result["report"] is None


@pytest.mark.parametrize(
    "given, digests, any_plan",
    [
        (None, [], False),
        ("", [], False),
        (False, [], False),
        ("no", [], False),
        ([], [], False),
        (True, ["true"], True),
        ("Yes", ["yes"], True),
        ("0123456789AB", ["0123456789ab"], False),
        ("0123456789ab, 123456789abc", ["0123456789ab", "123456789abc"], False),
        (["0123456789ab", 123456789012], ["0123456789ab", "123456789012"], False),
    ],
)
def test_a_confirmation_may_be_written_in_many_ways(given, digests, any_plan):
    read = prune.Confirmation(given, "confirm")
    assert (read.digests, read.any_plan, read.given) == (digests, any_plan, bool(digests))
    assert read.allows("0123456789ab" + "0" * 52) == (any_plan or "0123456789ab" in digests)


@pytest.mark.parametrize("given", ["perhaps", "0123", "0123456789ab,true", "true,true", 7, "g" * 12])
def test_what_is_no_confirmation_is_refused_before_anything_is_asked(given, tmp_path):
    host = Host(tree("a", 5))
    result, left = run(host, tmp_path, confirm=given)
    assert (
        result["failed"]
        and "which is no confirmation" in result["msg"]
        and host.calls == []
        and left["status"] == "failed"
    )


@pytest.mark.parametrize("option, value", [("gather_timeout", 0), ("remove_timeout", -1), ("busy_timeout", -1)])
def test_a_time_that_is_none_is_refused(option, value, tmp_path):
    host = Host(tree("a", 5))
    result, left = run(host, tmp_path, **{option: value})
    assert result["failed"] and "%s must be " % option in result["msg"] and host.calls == []


def test_long_tables_and_lists_are_bounded_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(prune, "MOST_LINES", 5)
    monkeypatch.setattr(prune, "MOST_FAILED", 2)

    def fail(name, number):
        if name == "prl_backup":
            entries = host.calls[-1][1]["backups"]
            raise ModuleFailed("No.", {"backups": [told(entry, "failed", "error") for entry in entries], "debts": []})

    host = Host(tree("a", 9))
    host.on = fail
    result, left = run(host, tmp_path)
    assert result["lines"][5].endswith("more lines; the report has everything") and result["lines"][-1].startswith(
        "  digest  "
    )
    assert (
        len(result["failed_removals"]) == 3
        and result["failed_removals"][-1]["message"] == "and 6 more; the report has all"
    )
    assert len(left["applied"]) == 8
