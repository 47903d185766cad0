"""The wait around the matcher, whatever comes when: a client whose worker is a script, and time that only waiting moves on."""

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._events.wait import (
    ANSWER_PATIENCE,
    GRACE,
    PJOC_SRV_SEND_ANSWER,
    Wait,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.events.reference import EVENTS, QUESTION, UUIDS, event, reference
from tests.unit.plugins.module_utils.sdk.scripted import SERVER, Clock, Dead, ScriptedProcess, client_of, failure, line

LOST = line("lost")
CLOSED = failure("PRL_ERR_WS_DISP_CONNECTION_CLOSED", "get_vm_list_ex", code=0x80000246)


def told(type_id=1, question=None, **more):
    return event_line(dict(event(type_id, **more)), question)


def event_line(made, question=None):
    whole = dict(
        made,
        vm=None,
        symbol=None,
        brief=None,
        message=None,
        can_be_ignored=False,
        answer_required=question is not None,
        job=None,
        received=0,
    )
    return line("event", event=whole, **({} if question is None else {"question": question}))


def job(code=0, operation=PJOC_SRV_SEND_ANSWER):
    return line("job", operation=operation, code=code)


def specification(type_id=None, **more):
    return dict(
        {
            "option": "events[0]",
            "types": None if type_id is None else [type_id],
            "vm": None,
            "code": None,
            "params": {},
        },
        **more,
    )


def request(*types, **more):
    wanted = [specification(type_id) for type_id in types]
    options = {
        "fail_on": [],
        "match": "any",
        "count": 1,
        "satisfied_by": None,
        "answer": None,
        "ready_file": None,
        "reconnect": False,
    }
    return dict(options, **dict({"events": wanted}, **more))


STATE = {"vm": UUIDS[0], "states": ["running"], "newer_than": None}


def vm(state):
    return [{"uuid": UUIDS[0], "name": "web-01", "type": "vm", "ct_id": None, "state": state, "home": None}]


class Scene:
    """One wait over a scripted worker; its pauses are kept."""

    def __init__(self, asked, script=None, timeout=9.0, more=None, after=()):
        self.clock, self.pauses = Clock(), []
        counted = {"seen": {}, "unreadable": 0}
        usual = {
            "subscribe": None,
            "heard": counted,
            "error_name": "PRL_ERR_FAILURE",
            "answer_names": ["yes"],
            "is_connected": True,
        }
        self.script = dict(usual, **(script or {}))
        self.worker = ScriptedProcess(self.clock, self.script, more=more)
        self.client, self.launcher = client_of(self.worker, *after, timeout=timeout, read_only=False)
        self.wait = Wait(self.client, asked, pause=self._pause, spread=lambda low, high: high)

    def _pause(self, seconds):
        self.pauses.append(seconds)
        self.clock.sleep(seconds)

    def run(self, **more):
        self.client.ensure_open()
        self.result = self.wait.run(**more)
        return self.result

    def outcome(self):
        return self.run()["outcome"]

    def error(self):
        assert self.run()["outcome"] == "error"
        return self.result["error"].error["symbol"]


def types(result):
    return [made["type_id"] for made in result["events"]]


# --- the property


@pytest.mark.property
@given(
    sequence=EVENTS,
    question=st.fixed_dictionaries(QUESTION),
    cuts=st.lists(st.integers(0, 4)),
    jobs=st.booleans(),
    late=st.integers(0, 3),
    looks=st.booleans(),
)
def test_the_wait_decides_as_the_reference_does_whatever_the_interleaving(sequence, question, cuts, jobs, late, looks):
    """Events come before the state is looked at, while it is, while nobody expects any, and some with the last call only."""
    coming = list(sequence)

    def deliver(number):
        while coming and number:
            number -= 1
            made = coming.pop(0)
            if wait.tally.types() is None or made["type_id"] in wait.tally.types():
                scene.worker.put(event_line(made))
            if jobs:
                scene.worker.put(job())

    def beside(value):
        def answer(arguments):
            deliver(cuts.pop() if cuts else 1)
            return value

        return answer

    def more(process):
        while len(coming) > late and not process.out:
            deliver(cuts.pop() if cuts else 1)
        return bool(process.out)

    def heard(arguments):
        deliver(late)
        return {"seen": {}, "unreadable": 0}

    raw = {key: [dict(specification(), **one) for one in question[key]] for key in ("events", "fail_on")}
    asked = request(satisfied_by=STATE if looks else None, **dict(question, **raw))
    scene = Scene(asked, {"subscribe": beside(None), "list_vms": beside(vm("stopped")), "heard": heard}, more=more)
    wait = scene.wait
    result = scene.run()
    expected, place = reference(sequence, **question)
    assert (result["outcome"], result["satisfied_by"]) == (expected or "timed_out", None)
    assert scene.clock.now <= 9.0 or expected is None
    assert not coming or expected
    if expected == "failed":
        assert result["failed_on"]["params"] == sequence[place]["params"]
    elif expected:
        assert result["events"][-1]["params"] == sequence[place]["params"]


# --- the end of the time


def test_what_was_read_at_the_deadline_counts_however_much_it_is():
    scene = Scene(request(2))
    scene.worker.put_at(9.0, *[told(2 if number == 3200 else 1) for number in range(3500)])
    assert scene.outcome() == "matched" and types(scene.result) == [2]


def test_what_the_worker_still_had_at_the_deadline_counts():
    def heard(arguments):
        scene.worker.put(*[told(2 if number == 3200 else 1) for number in range(3500)])
        return {"seen": {"1": 3499, "2": 1}, "unreadable": 0}

    scene = Scene(request(2), {"heard": heard})
    assert scene.outcome() == "matched" and types(scene.result) == [2] and scene.result["seen"] == {"1": 3499, "2": 1}


def test_what_comes_later_than_the_last_call_does_not_count():
    scene = Scene(request(2))
    scene.worker.put_at(9.5, told(2))
    assert scene.outcome() == "timed_out" and scene.result["missing"] == [1]


def test_a_flood_does_not_hold_the_answer_up_beyond_half_of_the_workers_grace():
    def flood(process):
        scene.clock.sleep(0.001)
        process.put(told(1))
        return True

    scene = Scene(request(2), more=flood)
    assert scene.outcome() == "timed_out" and 9.0 <= scene.clock.now <= 9.0 + GRACE / 2 + 0.1


def test_the_worker_hears_of_the_types_that_can_matter_before_the_state_is_looked_at():
    scene = Scene(request(3, 2, satisfied_by=STATE, fail_on=[specification(4)]), {"list_vms": vm("running")})
    assert scene.outcome() == "satisfied" and scene.worker.calls == ["connect", "subscribe", "list_vms", "heard"]
    assert [said["arguments"] for said in scene.worker.said if said.get("name") == "subscribe"] == [
        {"types": [2, 3, 4]}
    ]


# --- a lost connection


def test_a_loss_ends_the_wait_after_what_came_before():
    scene = Scene(request(2))
    scene.worker.put_at(1.0, told(1), LOST, told(2))
    assert (
        scene.error() == "PRL_ERR_WS_DISP_CONNECTION_CLOSED" and scene.clock.now == 1.0 and scene.result["events"] == []
    )
    scene = Scene(request(2))
    scene.worker.put_at(1.0, told(2), LOST)
    assert scene.outcome() == "matched"


@pytest.mark.parametrize(
    "symbol", ["PRL_ERR_WS_DISP_CONNECTION_CLOSED", "PRL_ERR_NOT_CONNECTED_TO_DISPATCHER", "PRL_ERR_IO_NO_CONNECTION"]
)
def test_a_look_that_finds_the_connection_lost_does_not_hide_what_came_before(symbol):
    def look(arguments):
        scene.worker.put(told(2), LOST)
        return failure(symbol, "get_vm_list_ex")

    scene = Scene(request(2, satisfied_by=STATE), {"list_vms": look, "is_connected": False})
    assert scene.outcome() == "matched"
    scene = Scene(request(3, satisfied_by=STATE), {"list_vms": look, "is_connected": False})
    assert scene.error() == "PRL_ERR_WS_DISP_CONNECTION_CLOSED" and scene.result["error"].error["operation"] == "wait"


@pytest.mark.parametrize("symbol", ["PRL_ERR_USER_OPERATION_NOT_AUTHORISED", "PRL_ERR_WS_DISP_CONNECTION_CLOSED"])
def test_a_look_that_fails_for_good_ends_the_wait(symbol):
    """Also where the connection that was lost is another one than ours, as the node's to the backup server."""
    assert Scene(request(2, satisfied_by=STATE), {"list_vms": failure(symbol, "get_vm_list_ex")}).error() == symbol


def test_a_vm_whose_uuid_cannot_be_read_is_an_error_and_not_every_vm():
    scene = Scene(
        request(events=[dict(specification(2), vm="web-01")]), {"list_vms": [dict(vm("running")[0], uuid=None)]}
    )
    with pytest.raises(PrlError) as raised:
        scene.run()
    assert raised.value.error["symbol"] == "UNREADABLE_VM" and "events[0].vm" in raised.value.message


def test_a_look_that_takes_all_the_time_is_a_time_out():
    def look(arguments):
        scene.clock.sleep(10)
        return failure("PRL_ERR_TIMEOUT", "get_vm_list_ex")

    scene = Scene(request(2, satisfied_by=STATE), {"list_vms": look})
    assert scene.outcome() == "timed_out"


def test_the_state_is_looked_at_again_after_each_reconnection():
    states = ["stopped", "stopped", "running"]

    def look(arguments):
        scene.worker.put_at(scene.clock.now + 1.0, LOST)
        return vm(states.pop(0))

    scene = Scene(request(2, satisfied_by=STATE, reconnect=True), {"list_vms": look})
    assert scene.outcome() == "satisfied" and not states and scene.result["reconnections"] == 2
    assert scene.result["satisfied_by"] == {"vm": UUIDS[0], "vm_state": "running", "newest_backup": None}


@pytest.mark.parametrize(
    "symbol",
    [
        "PRL_ERR_CANT_CONNECT_TO_DISPATCHER",
        "PRL_ERR_HANDSHAKE_FAILED",
        "PRL_ERR_DISP_SHUTDOWN_IN_PROCESS",
        "PRL_ERR_TIMEOUT",
    ],
)
def test_reconnecting_pauses_longer_each_time_and_ends_with_the_time(symbol):
    scene = Scene(request(2, reconnect=True), timeout=60.0)
    scene.client.ensure_open()
    scene.worker.script["connect"] = failure(symbol, "login")
    scene.worker.put(LOST)
    assert scene.outcome() == "timed_out" and scene.result["reconnections"] == 0
    assert scene.pauses[:7] == [0.5, 1, 2, 4, 8, 15, 15] and sum(scene.pauses) == 60


def test_a_pause_is_spread():
    scene = Scene(request(2, reconnect=True))
    asked = []
    scene.wait = Wait(
        scene.client,
        request(2, reconnect=True),
        pause=scene._pause,
        spread=lambda low, high: asked.append((low, high)) or low,
    )
    scene.client.ensure_open()
    scene.worker.script["connect"] = failure("PRL_ERR_HANDSHAKE_FAILED", "login")
    scene.worker.put(LOST)
    scene.run()
    assert asked[:3] == [(0.25, 0.5), (0.5, 1.0), (1.0, 2.0)]


def test_a_login_that_is_refused_afterwards_is_raised_at_once():
    scene = Scene(request(2, reconnect=True))
    scene.client.ensure_open()
    scene.worker.script["connect"] = failure("PRL_ERR_AUTHENTICATION_FAILED", "login")
    scene.worker.put(LOST)
    assert scene.error() == "PRL_ERR_AUTHENTICATION_FAILED" and scene.pauses == []


# --- a worker that dies


@pytest.mark.parametrize("during", ["wait", "look", "reconnection"])
def test_a_worker_that_dies_keeps_the_events_heard(during):
    def look(arguments):
        scene.worker.put(told(2))
        return Dead

    scene = Scene(
        request(2, count=3, satisfied_by=STATE if during == "look" else None, reconnect=True), {"list_vms": look}
    )
    scene.client.ensure_open()
    scene.worker.put(told(2), told(1))
    if during == "wait":
        scene.worker.put_at(1.0, told(2))
        scene.worker.more = lambda process: setattr(process, "dead", not process.later)
    elif during == "reconnection":
        scene.worker.script["connect"] = Dead
        scene.worker.put(told(2), LOST)
    assert scene.error() == "WORKER_DIED"
    assert types(scene.result) == [2, 2] and scene.result["missing"] == [1]


def test_a_worker_that_dies_at_the_last_call_spoils_nothing():
    scene = Scene(request(2), {"heard": Dead})
    scene.worker.put_at(1.0, told(2))
    assert scene.outcome() == "matched" and scene.result["seen"] == {}


# --- questions


OFFERED = {"vm_message_choice_0": 16000, "vm_message_choice_1": 16001}


def asking(number=1):
    return told(2, question=number, **OFFERED)


def answered(scene):
    return [
        (said["arguments"]["question"], said["arguments"]["answer"])
        for said in scene.worker.said
        if said.get("name") == "send_answer"
    ]


def test_a_question_that_counts_is_answered_once_and_others_are_not():
    def answer(arguments):
        scene.worker.put(told(1), job(operation=3, code=5), job())

    scene = Scene(request(2, answer=16001), {"send_answer": answer})
    scene.worker.put_at(1.0, told(1, question=1), asking(2), asking(3))
    assert (
        scene.outcome() == "matched"
        and answered(scene) == [(2, 16001)]
        and scene.result["events"][0]["answered"] == 16001
    )
    assert scene.clock.now == 1.0, "the outcome is known as soon as the job has ended"


def test_a_question_of_fail_on_is_not_answered():
    scene = Scene(request(3, answer=16001, fail_on=[specification(2)]))
    scene.worker.put_at(1.0, asking())
    assert scene.outcome() == "failed" and answered(scene) == []


def test_a_question_is_left_alone_without_an_answer():
    scene = Scene(request(2))
    scene.worker.put_at(1.0, asking())
    assert scene.outcome() == "matched" and answered(scene) == [] and scene.result["events"][0]["answered"] is None


def test_an_answer_that_is_not_offered_is_not_given():
    scene = Scene(request(2, answer=16009), {"answer_names": ["ok", "cancel"]})
    scene.worker.put_at(1.0, asking())
    assert scene.error() == "INVALID_INPUT" and answered(scene) == []
    assert (
        "16009 is not among the answers to this question: ok (16000), cancel (16001)" in scene.result["error"].message
    )


def test_a_refused_answer_is_a_failure_with_the_name_of_its_code():
    scene = Scene(
        request(2, answer=16001),
        {"send_answer": lambda arguments: scene.worker.put(job(7)), "error_name": "PRL_ERR_SEVEN"},
    )
    scene.worker.put_at(1.0, asking())
    assert (
        scene.error() == "PRL_ERR_SEVEN"
        and len(scene.result["events"]) == 1
        and scene.result["events"][0]["answered"] is None
    )


@pytest.mark.parametrize("codes, outcome", [([0, 7], "error"), ([0, 0], "matched"), ([7, 0], "error")])
def test_the_outcome_of_an_answer_is_not_taken_for_that_of_the_next_question(codes, outcome):
    coming = list(codes)
    scene = Scene(
        request(2, answer=16001, count=2), {"send_answer": lambda arguments: scene.worker.put(job(coming.pop(0)))}
    )
    scene.worker.put_at(1.0, asking(1), asking(2))
    assert scene.outcome() == outcome and len(answered(scene)) == len(codes) - len(coming)


def test_an_outcome_that_comes_too_late_is_not_taken_for_that_of_the_next_question():
    """It is there before the next answer is sent: after the first one nobody waits so long."""
    coming = [[], [job(0)]]
    scene = Scene(
        request(2, answer=16001, count=2), {"send_answer": lambda arguments: scene.worker.put(*coming.pop(0))}
    )
    scene.worker.put_at(1.0, asking(1))
    scene.worker.put_at(1.0 + ANSWER_PATIENCE + 0.5, asking(2), job(7))
    assert scene.outcome() == "matched" and [made["answered"] for made in scene.result["events"]] == [16001, 16001]


def test_nobody_waits_longer_for_an_outcome_than_its_patience_and_what_comes_meanwhile_is_kept_in_order():
    scene = Scene(request(2, 3, answer=16001, match="all"), {"send_answer": None})
    scene.worker.put_at(1.0, asking())
    scene.worker.put_at(1.5, told(3, p=1))
    scene.worker.put_at(1.6, told(3, p=2))
    assert scene.outcome() == "matched" and scene.clock.now == 1.0 + ANSWER_PATIENCE
    assert [made["params"].get("p", {}).get("value") for made in scene.result["events"]] == [None, 1]


def test_a_loss_ends_the_patience_and_is_not_forgotten():
    scene = Scene(request(2, answer=16001, count=2), {"send_answer": None})
    scene.worker.put_at(1.0, asking(), LOST)
    assert scene.error() == "PRL_ERR_WS_DISP_CONNECTION_CLOSED" and scene.clock.now == 1.0


# --- before the wait


def test_a_state_that_holds_already_ends_the_wait_at_once():
    scene = Scene(request(2, satisfied_by=STATE), {"list_vms": vm("running")})
    assert scene.outcome() == "satisfied" and scene.clock.now == 0.0 and scene.result["events"] == []


def test_a_look_alone_subscribes_to_nothing_and_writes_no_file(tmp_path):
    scene = Scene(request(2, satisfied_by=STATE, ready_file=str(tmp_path / "ready")), {"list_vms": vm("running")})
    assert scene.run(look_only=True)["outcome"] is None and scene.result["satisfied_by"]["vm_state"] == "running"
    assert scene.worker.calls == ["connect", "list_vms"] and not list(tmp_path.iterdir())


def test_a_look_at_nothing_logs_in_all_the_same():
    scene = Scene(request(2))
    assert scene.wait.run(look_only=True)["server"] == SERVER and scene.worker.calls == ["connect"]


def test_the_ready_file_comes_after_the_subscription_and_before_the_look(tmp_path):
    ready = tmp_path / "ready"

    def look(arguments):
        assert ready.exists()
        return vm("running")

    def subscribe(arguments):
        assert not ready.exists()

    scene = Scene(request(2, satisfied_by=STATE, ready_file=str(ready)), {"list_vms": look, "subscribe": subscribe})
    assert scene.outcome() == "satisfied"


def test_names_and_symbols_become_uuids_and_codes_before_the_subscription():
    asked = request(
        events=[specification(2, vm="web-01", code="PRL_ERR_SEVEN"), specification(2, vm=UUIDS[1].strip("{}").upper())]
    )
    scene = Scene(asked, {"list_vms": vm("running"), "error_code": {"code": 7, "near": None}})
    scene.worker.put_at(1.0, told(2, code=8), told(2, issuer=UUIDS[0], code=7))
    assert scene.outcome() == "matched" and scene.worker.calls[:4] == ["connect", "list_vms", "error_code", "subscribe"]
    (found,) = scene.result["events"]
    assert found["vm"] == {"uuid": UUIDS[0], "name": "web-01"} and found["server"] == SERVER["uuid"]


def test_a_name_that_no_vm_has_is_told_by_option_before_anything_is_heard():
    scene = Scene(request(events=[specification(2, vm="web-99")]), {"list_vms": vm("running")})
    with pytest.raises(Exception, match="there is no VM or container 'web-99' on ") as caught:
        scene.run()
    assert caught.value.error["symbol"] == "UNKNOWN_VM" and "subscribe" not in scene.worker.calls
