"""The matcher against a reference of a few lines, and the wait around it, whatever comes when."""

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.prlsdk.core.plugins.module_utils import _listening, _matching

UUIDS = ["{aaaaaaaa-0000-4000-8000-000000000001}", "{aaaaaaaa-0000-4000-8000-000000000002}"]


def event(type_id=1, issuer=UUIDS[0], code=100000, issuer_type=1, **params):
    return {"type_id": type_id, "issuer_id": issuer, "issuer_type": issuer_type, "code": code,
            "params": {name: {"type": "string", "value": value} for name, value in params.items()}}


def fits(raw, **of_event):
    return _matching.Specification(raw).fits(event(**of_event))


# --- the property

# Everything is drawn from lists of what there is, in which nothing is about as frequent as something: drawing piece by piece takes twice as long.


def none_one_or_both(values):
    """What is known of two names, p and q: mostly of none of them or of both."""
    both = [{"p": one, "q": other} for one in values for other in values]
    return [{}] * len(both) + [{name: value} for name in "pq" for value in values] + both


PARAMS = none_one_or_both(range(4))
EVENTS = st.lists(
    st.sampled_from(list(itertools.product(PARAMS, [100000, 7], UUIDS, range(1, 4)))).map(lambda made: event(made[3], made[2], made[1], **made[0]))
)
TYPES = [sorted(types) for size in range(1, 5) for types in itertools.combinations(range(1, 5), size)]
RANGES = [{"min": low, "max": high} for low in range(4) for high in range(low, 4)]
WANTED = st.tuples(
    st.sampled_from([None] * len(TYPES) + TYPES), st.sampled_from([None, None, *UUIDS]), st.sampled_from([None, None, 100000, 7]),
    st.sampled_from(none_one_or_both(RANGES)),
).map(lambda made: dict(zip(("types", "vm", "code", "params"), made)))
QUESTION = {"events": st.lists(WANTED, min_size=1, max_size=3), "fail_on": st.lists(WANTED, max_size=1), "match": st.sampled_from(["any", "all"]),
            "count": st.integers(1, 3)}


def wanted(raw, one):
    numbers = {name: param["value"] for name, param in one["params"].items()}
    return all([raw["types"] is None or one["type_id"] in raw["types"], raw["vm"] in (None, one["issuer_id"]), raw["code"] in (None, one["code"]),
                all(name in numbers and limit["min"] <= numbers[name] <= limit["max"] for name, limit in raw["params"].items())])


def reference(sequence, events, fail_on, match, count):
    """The outcome and the place of the event that decided; (None, None) when none did."""
    for place, one in enumerate(sequence):
        if any(wanted(raw, one) for raw in fail_on):
            return "failed", place
        hits = [[wanted(raw, earlier) for earlier in sequence[:place + 1]] for raw in events]
        if min(map(sum, hits)) >= count if match == "all" else sum(map(any, zip(*hits))) >= count:
            return "matched", place
    return None, None


@pytest.mark.property
@given(sequence=EVENTS, question=st.fixed_dictionaries(QUESTION))
def test_the_matcher_decides_as_the_reference_does(sequence, question):
    tally = _matching.Tally(**question)
    decided = None
    for place, one in enumerate(sequence):
        tally.feed(one)
        if tally.outcome and decided is None:
            decided = place
    assert (tally.outcome, decided) == reference(sequence, **question)
    assert len(tally.events) <= question["count"] * len(question["events"])
    assert all(tally.may_care(one["type_id"]) for one in tally.events)


# --- the wait around it, with a binding made of dictionaries


class Param:
    def __init__(self, name, value):
        self.get_name, self.get_type, self.to_int32 = lambda: name, lambda: 2, lambda: value


class Event:
    def __init__(self, made):
        self._made = made
        self._params = [Param(name, param["value"]) for name, param in made["params"].items()]
        for getter, key in {"get_type": "type_id", "get_issuer_type": "issuer_type", "get_issuer_id": "issuer_id", "get_err_code": "code"}.items():
            setattr(self, getter, lambda key=key: made[key])

    def get_params_count(self):
        return len(self._params)

    def get_param(self, index):
        return self._params[index]

    def get_err_string(self, brief, formatted):
        return "text"

    def _nothing(self):
        raise Api.PrlSDKError()

    get_vm = get_job = can_be_ignored = is_answer_required = _nothing


class Job:
    def __init__(self, operation=3, code=0):
        self.get_op_code, self.get_ret_code = lambda: operation, lambda: code


class Api:
    class PrlSDKError(Exception):
        pass

    Event, Job = Event, Job

    def __init__(self):
        self.handles, self.wrapped = {}, []

    def handle_to_object(self, handle):
        self.wrapped.append(handle)
        return self.handles[handle]


class Server:
    """Calls its handler with numbers, as the SDK does."""

    def __init__(self, api):
        self._api, self._handlers = api, []

    def reg_event_handler(self, handler, data):
        self._handlers.append((handler, data))

    def unreg_event_handler(self, handler, data):
        self._handlers.remove((handler, data))

    def send(self, thing):
        for handler, data in self._handlers:
            number = len(self._api.handles) + 1
            self._api.handles[number] = thing
            handler(number, data)


def subscribed(may_care=lambda type_id: True):
    api = Api()
    server = Server(api)
    listener = _listening.Listener(api, server, may_care, lambda text: text)
    listener.subscribe()
    return api, server, listener


@pytest.mark.property
@given(sequence=EVENTS, question=st.fixed_dictionaries(QUESTION), cuts=st.lists(st.integers(0, 4)), jobs=st.booleans())
def test_the_wait_decides_as_the_reference_does_whatever_the_interleaving(sequence, question, cuts, jobs):
    """Events come before the state is looked at, while it is, while others are worked on, and while nobody expects any."""
    tally = _matching.Tally(**question)
    api, server, listener = subscribed(tally.may_care)
    coming = list(sequence)

    def deliver(*ignored):
        for one in range(cuts.pop() if cuts else 1):
            if coming:
                server.send(Event(coming.pop(0)))
                if jobs:
                    server.send(Job())
        return True

    listener.sleep = deliver
    outcome, state = _listening.wait(listener, tally, look=lambda: deliver() and None, left=lambda: len(coming), connected=deliver, tell=deliver)
    listener.unsubscribe()
    expected, place = reference(sequence, **question)
    assert outcome == (expected or "timed_out") and state is None
    assert len(api.wrapped) == len(set(api.wrapped)) == len(api.handles), "each handle is wrapped once, jobs' too"
    if not coming:
        assert sum(listener.seen.values()) == len(sequence)


def test_events_of_another_thread_are_all_heard():
    tally = _matching.Tally([{"types": [2]}], "any", 1)
    _api, server, listener = subscribed()
    thread = threading.Thread(target=lambda: [server.send(Event(event(1, n=number))) for number in range(5000)] + [server.send(Event(event(2)))])
    thread.start()
    outcome, _state = _listening.wait(listener, tally, look=lambda: None, left=lambda: 30, connected=lambda: True)
    thread.join()
    assert outcome == "matched" and listener.seen == {1: 5000, 2: 1} and listener.unreadable == 0


def test_an_event_that_cannot_be_read_is_counted_and_not_raised_into_the_sdk(capfd):
    _api, server, listener = subscribed()
    broken = Event(event())
    broken.get_type = broken._params
    server.send(broken)
    assert listener.unreadable == 1 and listener.take() is None
    assert "could not be read" in capfd.readouterr().err


def test_types_that_cannot_matter_are_counted_only():
    tally = _matching.Tally([{"types": [2]}], "any", 1)
    _api, server, listener = subscribed(tally.may_care)
    server.send(Event(event(1)))
    assert listener.seen == {1: 1} and listener.take() is None


def test_a_lost_connection_ends_the_wait_after_the_events_that_came_before():
    tally = _matching.Tally([{"types": [2]}], "any", 1)
    _api, server, listener = subscribed()
    assert _listening.wait(listener, tally, lambda: None, lambda: 9, lambda: False) == ("lost", None)
    server.send(Event(event(2)))
    assert _listening.wait(listener, tally, lambda: None, lambda: 9, lambda: False) == ("matched", None)


@pytest.mark.parametrize("left, connected", [(9, False), (0, True), (0, False)], ids=["lost", "deadline", "both"])
def test_what_is_queued_counts_however_much_it_is(left, connected):
    _api, server, listener = subscribed()
    for number in range(3500):
        server.send(Event(event(2 if number == 3200 else 1)))
    tally = _matching.Tally([{"types": [2]}], "any", 1)
    assert _listening.wait(listener, tally, lambda: None, lambda: left, lambda: connected) == ("matched", None)


def test_the_queue_does_not_hold_the_answer_up_beyond_the_grace():
    _api, server, listener = subscribed()
    time_left = iter([0, -0.1, -0.2, -9, -9, -9])
    tally = _matching.Tally([{"types": [2]}], "any", 1)

    def endless():
        return event(1), None

    listener.take = endless
    assert _listening.wait(listener, tally, lambda: None, lambda: next(time_left), lambda: True) == ("timed_out", None)


def test_an_event_just_before_the_loss_is_not_overtaken_by_it():
    """It lands when the connection is asked about, which is when it is lost; the SDK's thread hands out another one later still."""
    _api, server, listener = subscribed()
    tally = _matching.Tally([{"types": [2]}, {"types": [3]}], "all", 1)
    late = threading.Timer(_listening.SETTLING / 2, lambda: server.send(Event(event(3))))

    def connected():
        server.send(Event(event(2)))
        late.start()
        return False

    assert _listening.wait(listener, tally, lambda: None, lambda: 9, connected) == ("matched", None)


def test_the_answer_to_a_question_is_not_taken_for_that_to_the_next():
    _api, server, listener = subscribed()
    server.send(Job(_listening.PJOC_SRV_SEND_ANSWER))
    assert listener.answer_code(lambda: 9, lambda: True) == 0
    listener.forget_jobs()
    server.send(Job())
    server.send(Job(_listening.PJOC_SRV_SEND_ANSWER, 7))
    assert listener.answer_code(lambda: 9, lambda: True) == 7


def test_a_clock_that_is_set_back_does_not_prolong_the_patience():
    api, server = Api(), None
    ticks = iter([0, 1, 99])
    listener = _listening.Listener(api, server, lambda type_id: True, str, clock=lambda: 0, ticks=lambda: next(ticks))
    assert listener.answer_code(lambda: 9, lambda: True) is None


def test_the_state_is_looked_at_again_after_each_reconnection():
    looks = []
    states = [None, None, {"vm": "x"}]
    found = _listening.wait(
        subscribed()[2], _matching.Tally([{"types": [2]}], "any", 1), look=lambda: looks.append(1) or states.pop(0), left=lambda: 9,
        connected=lambda: False, reconnect=lambda: True,
    )
    assert found == ("satisfied", {"vm": "x"}) and len(looks) == 3


def test_reconnecting_pauses_longer_each_time_and_ends_with_the_time():
    time_left, pauses = [60.0], []

    def sleep(seconds):
        pauses.append(seconds)
        time_left[0] -= seconds

    assert not _listening.persist(lambda: False, lambda: time_left[0], sleep, spread=lambda low, high: high)
    assert pauses[:7] == [0.5, 1, 2, 4, 8, 15, 15] and sum(pauses) == 60
    assert _listening.persist(lambda: True, lambda: 1, sleep)


# --- single conditions


@pytest.mark.parametrize("condition, value, holds", [
    ({"equals": 50}, 50, True), ({"equals": "50"}, 50, True), ({"equals": 50}, "50", True), ({"equals": 50}, "x", False), ({"equals": 1}, True, False),
    ({"equals": True}, True, True), ({"equals": "True"}, True, True), ({"equals": "yes"}, True, False), ({"equals": "a"}, "A", False),
    ({"equals": UUIDS[0]}, UUIDS[0].strip("{}").upper(), True), ({"equals": "AAAAAAAA-0000-4000-8000-000000000001.3"}, UUIDS[0] + ".3", True),
    ({"equals": UUIDS[0]}, UUIDS[0] + ".3", False), ({"equals": "x"}, None, False), ({"equals": ""}, "", True), ({"equals": "007"}, "7", False),
    ({"one_of": [1, "b"]}, "1", True), ({"one_of": [1, "b"]}, "b", True), ({"one_of": [1, "b"]}, 2, False),
    ({"regex": "b+"}, "abbc", True), ({"regex": "^b"}, "ab", False), ({"regex": "5"}, 50, True), ({"regex": "x"}, None, False),
    ({"min": 5}, 5, True), ({"min": 5}, "6", True), ({"min": 5}, 4, False), ({"max": 5}, 6, False), ({"min": 1, "max": 2}, 2, True), ({"min": 0}, "a", False),
    ({"min": 0}, None, False), ({"min": 0}, True, False), ({"min": 1.5}, "1.6", True),
])
def test_a_parameter_meets_its_condition(condition, value, holds):
    assert fits({"params": {"p": condition}}, p=value) is holds
    assert not fits({"params": {"q": condition}}, p=value), "a parameter that is not there meets nothing"


def test_a_vm_is_known_by_its_uuid_in_any_spelling():
    assert fits({"vm": UUIDS[0]}, issuer=UUIDS[0].strip("{}").upper())
    assert not fits({"vm": UUIDS[0]}, issuer=UUIDS[1])
    assert fits({"issuer_id": "root"}, issuer="root") and not fits({"issuer_id": "root"}, issuer="Root")
    assert not fits({"issuer_type": 0}) and fits({"issuer_type": 1})


def test_nothing_counts_after_the_end():
    tally = _matching.Tally([{"types": [1]}], "any", 1, [{"types": [2]}])
    assert tally.feed(event(1)) and not tally.feed(event(2)) and not tally.feed(event(1))
    assert tally.outcome == "matched" and tally.failed_on is None and len(tally.events) == 1
