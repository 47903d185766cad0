"""Single decisions about what may go; each was once not held by any test."""

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import (
    creation,
    live_tree,
    locate,
    removal,
    removal_rules,
    restoration,
)
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError, TreeError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Text

from tests.unit.plugins.module_utils.backups import model
from tests.unit.plugins.module_utils.backups.model import VM, ModelServer

HERE = VM % 1


@pytest.fixture
def server():
    """Two chains of a full and two increments, the older one first."""
    server = ModelServer()
    server.add_chain(HERE, 2)
    server.add_chain(HERE, 2)
    return server


def members(server, number):
    chain = server.vms[HERE][number]
    return [chain.id_of(item) for item in chain.items]


def entry(identity, removes=(), **more):
    return removal_rules.Entry(
        0, identity, id_key(identity), HERE, removes={id_key(one): removal_rules.ANYTHING for one in removes}, **more
    )


def decide(server, *entries, chain=1, **options):
    """({id: (outcome, reason)}, [(kind, id)]) of the entries of one chain, all being asked for together."""
    uuid = server.vms[HERE][chain].uuid
    own = [one for one in entries if one.chain_key == id_key(uuid)]
    verdicts, steps = removal_rules.decide(server.read(HERE), own, list(entries), removal_rules.Options(**options))
    return {one.id: (verdict.outcome, verdict.reason) for one, verdict in verdicts.items()}, [
        (step.kind, step.id) for step in steps
    ]


LAST = ("refused", "last_backup")


@pytest.mark.parametrize("allowed, reason", [("head", None), ("increment", LAST), (None, LAST)])
def test_the_permission_to_take_the_last_backup_counts_on_the_full_of_its_chain(server, allowed, reason):
    old, new = members(server, 0), members(server, 1)
    entries = [entry(one) for one in old + new]
    if allowed:
        entries[len(old) + (0 if allowed == "head" else 1)].allow_remove_last = True
    verdicts, steps = decide(server, *entries)
    assert verdicts.get(new[0]) == reason and steps == ([] if reason else [("chain", new[0])])


@pytest.mark.parametrize("first", ["{dead0000-0000-4000-8000-000000000001}", None])
def test_an_entry_that_is_nothing_does_not_hide_that_the_others_are_everything(server, first):
    old, new = members(server, 0), members(server, 1)
    nothing = entry(first) if first else entry(old[2], size=1)
    if first is None:  # a mismatch: it stays, so that something is left
        assert decide(server, nothing, *[entry(one) for one in old[:2] + new])[1] == [("chain", new[0])]
    else:
        assert decide(server, nothing, *[entry(one) for one in old + new])[0][new[0]] == LAST


@pytest.mark.parametrize("how", ["listed", "dependents", "removes"])
def test_everything_is_everything_however_it_is_asked_for(server, how):
    old, new = members(server, 0), members(server, 1)
    options = {"dependents": "remove"} if how == "dependents" else {}
    entries = {
        "listed": lambda: [entry(one) for one in old + new],
        "dependents": lambda: [entry(old[0]), entry(new[0])],
        "removes": lambda: [entry(old[0], old), entry(new[0], new)],
    }[how]()
    assert decide(server, *entries, **options)[0][new[0]] == LAST
    assert decide(server, *entries, chain=0, **options) == ({}, [("chain", old[0])]), "the older chain may go"


def test_what_the_older_chain_keeps_is_something(server):
    old, new = members(server, 0), members(server, 1)
    assert decide(server, entry(old[1], old[1:]), entry(new[0], new)) == ({}, [("chain", new[0])]), "its full stays"
    assert decide(server, entry(old[1]), entry(new[0]), dependents="remove") == ({}, [("chain", new[0])])


def test_what_a_plan_does_not_take_along_is_something(server):
    old, new = members(server, 0), members(server, 1)
    assert decide(server, entry(old[0], old[:2]), entry(new[0], new)) == ({}, [("chain", new[0])])
    merged = entry(old[1], old[2:], action="merge")
    assert decide(server, entry(old[0]), merged, entry(new[0], new)) == ({}, [("chain", new[0])])


def test_each_dependent_goes_for_the_nearest_increment_that_is_to_go(server):
    server.add_chain(HERE, 4)
    chain = members(server, 2)
    for action, owners in (
        (None, [chain[3], chain[3], chain[1], chain[1]]),
        ("merge", [chain[1], chain[3], chain[1], chain[1]]),
    ):
        entries = [entry(chain[1]), entry(chain[3], action=action)]
        options = removal_rules.Options(dependents="remove")
        _verdicts, steps = removal_rules.decide(server.read(HERE), entries, entries, options)
        assert [step.id for step in steps] == chain[:0:-1] and [step.owner.id for step in steps] == owners


@pytest.mark.parametrize("version, outcome", [(3, {"verdicts": ("refused", "old_format"), "steps": []}), (4, None)])
def test_the_first_storage_format_that_knows_single_removals(server, version, outcome):
    last = members(server, 1)[2]
    vm = server.read(HERE)
    vm.version = version
    one = entry(last)
    verdicts, steps = removal_rules.decide(vm, [one], [one], removal_rules.Options())
    told = {"verdicts": verdicts and verdicts[one][:2], "steps": [step.id for step in steps]}
    assert told == (outcome or {"verdicts": {}, "steps": [last]})


def test_a_refusal_names_the_backups_that_it_is_about(server):
    vm, new = server.read(HERE), members(server, 1)

    def message(identity, excluded=(), **options):
        one = entry(identity)
        verdicts, steps = removal_rules.decide(
            vm, [one], [one], removal_rules.Options(**options), frozenset(map(id_key, excluded))
        )
        assert steps == []
        return verdicts[one].message

    assert "or refused: %s, %s. 'dependents: remove'" % (new[1], new[2]) in message(new[0])
    assert message(new[1], new[2:], dependents="remove") == "%s depends on it and is refused itself." % new[2]
    assert "depend on it and are not asked for, or refused: %s. " % new[2] in message(new[1])
    assert "depend on it and are not asked for, or refused: %s. " % new[2] in message(new[1], new[2:])
    vm.version = 3
    assert "(version 3)" in message(new[2])


@pytest.mark.parametrize(
    "position, action, told",
    [(0, "increment", "not as 'increment'"), (0, "merge", "not as 'merge'"), (1, "chain", "increment of the chain {")],
)
def test_an_action_that_is_not_for_such_a_backup_is_refused(server, position, action, told):
    one = entry(members(server, 1)[position], action=action)
    verdicts, steps = removal_rules.decide(server.read(HERE), [one], [one], removal_rules.Options(dependents="remove"))
    assert steps == [] and verdicts[one].reason == ("not_a_full" if position else "not_an_increment")
    assert told in verdicts[one].message


@pytest.mark.parametrize("along", [False, True])
@pytest.mark.parametrize("known", ["before", "after", "smaller", "larger"])
def test_another_backup_with_the_same_id_is_not_the_one_that_was_meant(server, known, along):
    vm, new = server.read(HERE), members(server, 1)
    chain, position = vm.place_of(id_key(new[2 if along else 1]))
    backup = chain.backups[position]
    other = {
        "before": removal_rules.Known("2001-01-01T00:00:00Z", None),
        "after": removal_rules.Known("2099-01-01T00:00:00Z", None),
        "smaller": removal_rules.Known(None, backup.size - 1),
        "larger": removal_rules.Known(None, backup.size + 1),
    }[known]
    one = entry(new[1], new[1:])
    if along:
        one.removes[id_key(new[2])] = other
    else:
        one.known = other
    verdicts, steps = removal_rules.decide(vm, [one], [one], removal_rules.Options())
    assert steps == [] and verdicts[one].reason == "mismatch" and backup.id in verdicts[one].message


def test_two_chains_that_are_asked_for_whole_are_everything(server):
    del server.vms[HERE][:]
    server.add_chain(HERE, 1)
    server.add_chain(HERE, 1)
    old, new = members(server, 0), members(server, 1)
    assert decide(server, entry(old[0], old[1:]), entry(new[0], new[1:]))[0][new[0]] == LAST


def test_a_debt_is_weighed_against_the_step_that_is_next(server):
    del server.vms[HERE][0]
    chain = members(server, 0)
    entries = [entry(one) for one in chain[1:]]
    for owed, may in ((chain[2], True), (chain[1], False)):
        verdicts, steps = removal_rules.decide(
            server.read(HERE), entries, entries, removal_rules.Options(), debts=removal_rules.Debts([owed], 0)
        )
        assert bool(steps) is may and bool(verdicts) is not may


def test_whose_debt_it_is_that_forbids_a_step(server):
    server.add_chain(HERE, 0)
    last = members(server, 2)[0]
    del server.vms[HERE][0]
    one = entry(last)
    for debts, reason in (
        (removal_rules.Debts((), 1), "removal_running"),
        (removal_rules.Debts((), 0), None),
        (removal_rules.Debts(members(server, 0)[1:], 0), "connection_lost"),
    ):
        verdicts, steps = removal_rules.decide(server.read(HERE), [one], [one], removal_rules.Options(), debts=debts)
        assert (verdicts[one].reason if verdicts else None, bool(steps)) == (reason, reason is None)
        assert not verdicts or "fewer than 2 backups of the VM could be left" in verdicts[one].message


def test_a_merge_takes_nothing_along(server):
    new = members(server, 1)
    verdicts, steps = decide(server, entry(new[1], action="merge"), dependents="remove")
    assert (verdicts, steps) == ({}, [("merge", new[1])])
    assert decide(server, entry(new[2], action="merge")) == ({}, [("increment", new[2])]), "at the end it is none"
    assert decide(server, entry(new[1], new[1:])) == ({}, [("increment", new[2]), ("increment", new[1])])


def test_the_ids_are_told_as_the_server_writes_them(server):
    wanted = members(server, 0)[2]
    shouted = removal_rules.Entry(0, wanted.upper(), id_key(wanted), HERE)
    report = removal.Removal(server, [shouted], removal_rules.Options()).run()
    assert report["backups"][0]["id"] == wanted == report["backups"][0]["removed"][0]


def test_a_connection_that_is_lost_twice_while_reading_is_no_connection(server):
    server.faults["read"] = ["lost", "lost"]
    report = removal.Removal(server, [entry(members(server, 0)[2])], removal_rules.Options()).run()
    assert report["stop"]["reason"] == "connection_lost" and server.removals == []


def test_a_removal_that_the_server_only_says_it_did_is_told_as_none(server):
    last = members(server, 0)[2]
    server.raw_remove = lambda *request: None
    (told,) = removal.Removal(server, [entry(last)], removal_rules.Options()).run()["backups"]
    assert (told["outcome"], told["reason"], told["removed"]) == ("failed", "still_there", [])
    assert "it is still there" in told["message"] and last in server.ids()


def test_a_request_that_is_done_while_it_is_asked_for_again_counts_once(server):
    """The server refuses the second one, because the first one has come to its end."""
    last = members(server, 0)[2]
    server.faults["remove"] = ["lost_late", None]
    (told,) = removal.Removal(server, [entry(last)], removal_rules.Options()).run()["backups"]
    assert (told["outcome"], told["removed"]) == ("removed", [last]) and last not in server.ids()


@pytest.mark.parametrize(
    "symbol, spent, reason",
    [("PRL_ERR_TIMEOUT", True, "timeout"), ("PRL_ERR_WS_DISP_CONNECTION_CLOSED", False, "connection_lost")],
)
def test_what_ends_a_look_ends_the_run_with_its_reason(server, symbol, spent, reason):
    def read(uuid):
        server.now = server.end if spent else server.now
        raise model.Failure(symbol, True)

    server.read = read
    report = removal.Removal(server, [entry(members(server, 0)[2])], removal_rules.Options()).run()
    assert report["stop"]["reason"] == reason and server.removals == []
    assert [one["outcome"] for one in report["backups"]] == ["not_attempted"]


def test_an_error_of_one_vm_is_not_the_end_for_another(server):
    server.add_chain(VM % 2, 1)
    server.faults["read"] = ["PRL_ERR_BACKUP_INTERNAL_ERROR"]
    other = server.vms[VM % 2][0]
    entries = [
        entry(members(server, 0)[2]),
        removal_rules.Entry(1, other.uuid + ".2", id_key(other.uuid + ".2"), VM % 2),
    ]
    report = removal.Removal(server, entries, removal_rules.Options(on_error="continue")).run()
    assert [(one["outcome"], one["reason"]) for one in report["backups"]] == [("failed", "error"), ("removed", None)]
    assert report["backups"][0]["error"]["symbol"] == "PRL_ERR_BACKUP_INTERNAL_ERROR"


def test_one_vm_twice_in_an_answer_is_damage_and_not_a_smaller_tree():
    text = ModelServer()
    text.add_chain(HERE, 1)
    whole = text.text(HERE)
    item = whole[whole.index("<VmItem>") : whole.index("</BackupTree>")]
    with pytest.raises(TreeError):
        live_tree.vm_from(locate.read(Text({"text": whole.replace(item, item + item)}), HERE), HERE)


@pytest.mark.parametrize("description, written", [("a\r\nb\rc", "a\nb\nc"), ("a\nb", "a\nb")])
def test_a_line_break_does_not_hide_a_backup_from_the_one_who_made_it(description, written):
    assert creation.as_read(description) == creation.as_read(written)


@pytest.mark.parametrize("wish", ["creation", "restoration"])
def test_what_there_is_no_time_for_is_not_asked_for(server, wish):
    server.end, plain = 3.0, server.read

    def slow(uuid):
        server.now = 2.9
        return plain(uuid)

    server.read = slow
    make = {
        "creation": lambda: creation.Creation(server, HERE, creation.CreateRequest()),
        "restoration": lambda: restoration.Restoration(Listing(server), HERE, restoration.RestoreRequest(copy=True)),
    }
    work = make[wish]()
    with pytest.raises(PrlError) as late:
        work.run()
    assert late.value.error["symbol"] == "PRL_ERR_TIMEOUT" and "nothing was done" in late.value.message


class Listing:
    """A server that knows no VM itself."""

    def __init__(self, server):
        self._server = server

    def vms(self):
        return []

    def __getattr__(self, name):
        return getattr(self._server, name)
