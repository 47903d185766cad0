"""From the SDK's thread to lines on the wire, with a binding made of dictionaries."""

import os
import threading
import time

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._worker import calls
from ansible_collections.prlsdk.core.plugins.module_utils._worker.listener import POLL_INTERVAL, SETTLING, Listener
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.events.reference import EVENTS, UUIDS, event


class PrlSDKError(Exception):
    pass


class Param:
    def __init__(self, name, value, kind=2):
        self.get_name, self.get_type = lambda: name, lambda: kind
        self.to_int32 = self.to_string = self.to_boolean = lambda: value


class Event:
    """``question``: whether it wants an answer; ``broken``: names of getters that have no data."""

    def __init__(self, made, question=False, params=None):
        self._params = params or [Param(name, param["value"]) for name, param in made["params"].items()]
        for getter, key in {
            "get_type": "type_id",
            "get_issuer_type": "issuer_type",
            "get_issuer_id": "issuer_id",
            "get_err_code": "code",
        }.items():
            setattr(self, getter, lambda key=key: made[key])
        self.is_answer_required = lambda: question

    def get_params_count(self):
        return len(self._params)

    def get_param(self, index):
        return self._params[index]

    def get_err_string(self, brief, formatted):
        return "brief" if brief else "long"

    def _nothing(self):
        raise PrlSDKError

    get_vm = get_job = can_be_ignored = _nothing


class Job:
    def __init__(self, operation=3, code=0):
        self.get_op_code, self.get_ret_code = lambda: operation, lambda: code


class Api:
    PrlSDKError, Event, Job = PrlSDKError, Event, Job

    def __init__(self):
        self.handles, self.wrapped = {}, []

    def handle_to_object(self, handle):
        self.wrapped.append(handle)
        return self.handles[handle]


class Server:
    """Calls its handler with numbers, as the SDK does."""

    def __init__(self, api):
        self._api, self.handlers = api, []

    def reg_event_handler(self, handler, data):
        self.handlers.append((handler, data))

    def unreg_event_handler(self, handler, data):
        self.handlers.remove((handler, data))

    def send(self, thing):
        for handler, data in self.handlers:
            number = len(self._api.handles) + 1
            self._api.handles[number] = thing
            handler(number, data)


class Session:
    def __init__(self):
        self.api = Api()
        self.sdk, self.handle = self, Server(self.api)
        self.connected, self.logins, self.guarded = lambda: True, 1, lambda thing: thing

    def symbol(self, code):
        return "PRL_ERR_%d" % code


class Lines:
    """The protocol: a list of what is sent. ``delay`` is how long one line takes."""

    def __init__(self):
        self.lines, self._more, self.delay = [], threading.Condition(), 0

    def send(self, kind, **fields):
        time.sleep(self.delay)
        with self._more:
            self.lines.append(dict(fields, kind=kind))
            self._more.notify_all()

    def until(self, number, seconds=10):
        with self._more:
            assert self._more.wait_for(lambda: len(self.lines) >= number, seconds), self.lines
        return self.lines

    def types(self):
        return [told["event"]["type_id"] for told in self.lines if told["kind"] == "event"]

    def kinds(self):
        return [told["kind"] for told in self.lines]


class Scene:
    def __init__(self, types=None, **session):
        self.session, self.protocol, self.questions = Session(), Lines(), {}
        for name, value in session.items():
            setattr(self.session, name, value)
        self.server, self.api = self.session.handle, self.session.api
        self.listener = Listener(self.session, self.protocol, types, self.questions)
        self.listener.subscribe()
        self.send = self.server.send

    def close(self):
        if self.server.handlers:
            self.listener.unsubscribe()


@pytest.fixture
def listen():
    scenes = []

    def make(*arguments, **more):
        scenes.append(Scene(*arguments, **more))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.close()


# --- what is heard is sent


@pytest.mark.property
@given(
    sequence=EVENTS,
    types=st.none() | st.lists(st.integers(1, 3)),
    jobs=st.booleans(),
    flushed=st.lists(st.integers(0, 20)),
)
def test_what_is_heard_is_sent_once_and_in_order_whichever_thread_sends_it(sequence, types, jobs, flushed):
    scene = Scene(types)
    for place, made in enumerate(sequence):
        scene.send(Event(made))
        if jobs:
            scene.send(Job(place, 7))
        if place in flushed:
            scene.listener.flush()
    scene.listener.unsubscribe()
    scene.listener.flush()
    wanted = [made for made in sequence if types is None or made["type_id"] in types]
    told = [line["event"] for line in scene.protocol.lines if line["kind"] == "event"]
    assert [(one["type_id"], one["issuer_id"], one["code"]) for one in told] == [
        (one["type_id"], one["issuer_id"], one["code"]) for one in wanted
    ]
    assert [{name: param["value"] for name, param in one["params"].items()} for one in told] == [
        {name: param["value"] for name, param in one["params"].items()} for one in wanted
    ]
    told_of_jobs = [(line["operation"], line["code"]) for line in scene.protocol.lines if line["kind"] == "job"]
    assert told_of_jobs == ([(place, 7) for place in range(len(sequence))] if jobs else [])
    assert sum(scene.listener.seen.values()) == len(sequence) and scene.listener.unreadable == 0
    assert len(scene.api.wrapped) == len(set(scene.api.wrapped)) == len(scene.api.handles), (
        "each handle is wrapped once, jobs' too"
    )


def test_events_of_another_thread_are_all_sent(listen):
    scene = listen()
    thread = threading.Thread(target=lambda: [scene.send(Event(event(1, n=number))) for number in range(5000)])
    thread.start()
    scene.protocol.until(5000, 30)
    thread.join()
    assert [told["event"]["params"]["n"]["value"] for told in scene.protocol.lines] == list(
        range(5000)
    ) and scene.listener.seen == {1: 5000}


def test_an_event_is_sent_at_once(listen):
    scene = listen()
    time.sleep(0.05)  # it sleeps by now
    begin = time.monotonic()
    scene.send(Event(event()))
    scene.protocol.until(1)
    assert time.monotonic() - begin < POLL_INTERVAL / 2


def test_types_that_cannot_matter_are_counted_only(listen):
    scene = listen([2])
    for type_id in (1, 2, 1, 3):
        scene.send(Event(event(type_id)))
    scene.protocol.until(1)
    scene.listener.flush()
    assert scene.protocol.types() == [2] and scene.listener.seen == {1: 2, 2: 1, 3: 1}


def test_an_event_that_cannot_be_read_is_counted_and_not_raised_into_the_sdk(listen, capfd):
    scene = listen()
    broken = Event(event())
    broken.get_type = broken._params
    scene.send(broken)
    scene.send(Event(event(2)))
    scene.protocol.until(1)
    assert scene.listener.unreadable == 1 and scene.protocol.types() == [2]
    assert "could not be read" in capfd.readouterr().err


def test_a_property_that_has_no_data_does_not_lose_the_event(listen):
    scene = listen()
    poor = Event(event())
    poor.get_issuer_id = poor.get_err_code = poor.get_issuer_type = poor._nothing
    scene.send(poor)
    told = scene.protocol.until(1)[0]["event"]
    assert (told["issuer_id"], told["code"], told["issuer_type"], told["vm"], told["job"]) == (
        "",
        None,
        None,
        None,
        None,
    )
    assert told["can_be_ignored"] is False and told["symbol"] is told["brief"] is told["message"] is None


def test_an_event_with_a_code_has_its_symbol_and_texts_and_parameters_their_kinds(listen):
    scene = listen()
    params = [
        Param("n", 7),
        Param("b", b"\xff", 1),
        Param("yes", True, 4),
        Param("blob", 0, 9),
        Param("new", "x", 77),
        Param("", 1),
    ]
    scene.send(Event(event(code=9), params=params))
    told = scene.protocol.until(1)[0]["event"]
    assert (told["symbol"], told["brief"], told["message"]) == ("PRL_ERR_9", "brief", "long")
    assert told["params"] == {
        "n": {"type": "int32", "value": 7},
        "b": {"type": "string", "value": "\ufffd"},
        "yes": {"type": "boolean", "value": True},
        "blob": {"type": "binary", "value": None},
        "new": {"type": "unknown", "value": "x"},
    }


def test_questions_are_kept_under_the_numbers_that_their_lines_tell(listen):
    scene = listen()
    made = [Event(event(number), question=number % 2 == 0) for number in range(1, 7)]
    for one in made:
        scene.send(one)
    lines = scene.protocol.until(6)
    asked = {told["event"]["type_id"]: told["question"] for told in lines if "question" in told}
    assert sorted(asked) == [2, 4, 6] and len(set(asked.values())) == 3
    assert {number: scene.questions[asked[number]] for number in asked} == {
        number: made[number - 1] for number in asked
    }


# --- flush


def test_what_is_queued_is_sent_before_flush_returns_although_the_thread_is_held_up(listen):
    held = threading.Event()
    scene = listen(connected=lambda: held.wait(10) or True)
    try:
        for number in range(1, 4):
            scene.send(Event(event(number)))
        assert scene.protocol.lines == []
        scene.listener.flush()
        assert scene.protocol.types() == [1, 2, 3]
    finally:
        held.set()


def test_a_flood_does_not_hold_flush_up(listen):
    held = threading.Event()
    scene = listen(connected=lambda: held.wait(10) or True)
    send = scene.protocol.send
    scene.protocol.send = lambda **line: (scene.send(Event(event(2))), send(**line))
    try:
        scene.send(Event(event(1)))
        scene.listener.flush()
        assert scene.protocol.types()[0] == 1 and len(scene.protocol.types()) <= 2, (
            "it ends, though each line brings another one"
        )
    finally:
        scene.protocol.send = send
        held.set()


@pytest.mark.parametrize("call", ["heard", "unsubscribe"])
def test_the_lines_of_what_is_counted_come_before_the_count(listen, call):
    held = threading.Event()
    scene = listen([2], connected=lambda: held.wait(10) or True)
    connection = type("Connection", (), {"node": scene.session, "sdk": scene.session})
    scene.session.listener = scene.listener
    scene.send(Event(event(1)))
    scene.send(Event(event(2)))
    threading.Timer(0.1, held.set).start()
    assert calls.CALLS[call](connection, None) == {
        "seen": {"1": 1, "2": 1},
        "unreadable": 0,
    } and scene.protocol.types() == [2]
    assert (scene.session.listener is None) == (call == "unsubscribe") == (not scene.server.handlers)


# --- a lost connection


def test_a_loss_is_told_once_after_what_came_before(listen):
    scene = listen()
    scene.send(Event(event(1)))
    scene.protocol.until(1)
    scene.session.connected = lambda: False
    scene.send(Event(event(2)))
    scene.protocol.until(3)
    scene.send(Event(event(3)))
    scene.protocol.until(4)
    time.sleep(POLL_INTERVAL + SETTLING)
    assert scene.protocol.kinds() == ["event", "event", "lost", "event"]


def test_an_event_just_before_the_loss_is_not_overtaken_by_it(listen):
    """It lands when the connection is asked about, which is when it is lost; the SDK's thread hands out another one later still."""
    begun = threading.Event()

    def connected():
        if not begun.is_set():
            begun.set()
            scene.send(Event(event(2)))
            threading.Timer(SETTLING / 2, lambda: scene.send(Event(event(3)))).start()
        return False

    scene = listen()
    scene.session.connected = connected
    assert [told["kind"] for told in scene.protocol.until(3)] == [
        "event",
        "event",
        "lost",
    ] and scene.protocol.types() == [2, 3]


def test_a_connection_that_is_lost_again_before_it_was_seen_is_told_again(listen):
    scene = listen()
    scene.session.connected = lambda: False
    scene.protocol.until(1)
    scene.session.logins += 1
    assert [told["kind"] for told in scene.protocol.until(2)] == ["lost", "lost"]


def test_a_loss_is_noticed_although_nothing_happens(listen):
    scene = listen()
    time.sleep(0.05)
    scene.session.connected = lambda: False
    begin = time.monotonic()
    scene.protocol.until(1)
    assert time.monotonic() - begin < POLL_INTERVAL + SETTLING + 0.3


# --- the end


def test_unsubscribing_ends_the_thread_and_closes_its_pipe(listen):
    before, open_before = threading.active_count(), set(os.listdir("/dev/fd"))
    scene = listen()
    assert threading.active_count() == before + 1
    begin = time.monotonic()
    scene.listener.unsubscribe()
    assert time.monotonic() - begin < POLL_INTERVAL / 2, "the thread is woken"
    assert threading.active_count() == before and not scene.server.handlers
    assert len(set(os.listdir("/dev/fd"))) == len(open_before)


def test_unsubscribing_does_not_wait_for_a_reader_that_is_gone(listen):
    scene = listen()
    scene.protocol.delay = 2
    scene.send(Event(event()))
    time.sleep(0.1)
    begin = time.monotonic()
    scene.listener.unsubscribe()
    assert time.monotonic() - begin < 2 * POLL_INTERVAL


class Refusing(Server):
    def reg_event_handler(self, handler, data):
        raise PrlSDKError

    unreg_event_handler = reg_event_handler


@pytest.mark.parametrize(
    "call, operation", [("subscribe", "reg_event_handler"), ("unsubscribe", "unreg_event_handler")]
)
def test_what_the_sdk_refuses_is_its_error_and_whether_a_handler_is_left_is_known(listen, call, operation):
    """A session with a handler must not end the SDK."""
    scene = listen()
    session, told = scene.session, []
    session.listener = scene.listener if call == "unsubscribe" else None
    session.failure = lambda error, operation: told.append(operation) or KeyError(operation)
    session.handle = Refusing(scene.api)
    connection = type("Connection", (), {"node": session, "sdk": session, "protocol": scene.protocol, "questions": {}})
    with pytest.raises(KeyError):
        calls.CALLS[call](connection, None, **({"types": None} if call == "subscribe" else {}))
    assert told == [operation] and (session.listener is not None) == (call == "unsubscribe")
    session.handle = scene.server


def test_uuids_stay_as_the_server_writes_them(listen):
    scene = listen()
    scene.send(Event(event(issuer=UUIDS[1].upper())))
    assert scene.protocol.until(1)[0]["event"]["issuer_id"] == UUIDS[1].upper()
