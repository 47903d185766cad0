# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events: who hears what, in which thread, in which order, and what each callback owes."""

import json
import queue
import subprocess
import sys
import threading
import time

import pytest

STATE_CHANGED, CLOSED, PROGRESS = 100001, 100403, 100050


class Recorder:
    """A handler that wraps each handle once and keeps what came."""

    def __init__(self, sdk):
        self.sdk = sdk
        self.queue = queue.Queue()
        self.threads = set()

    def __call__(self, handle, user_data):
        assert isinstance(handle, int)
        self.threads.add(threading.get_ident())
        self.queue.put((self.sdk.handle_to_object(handle), user_data))

    def next(self, timeout=20):
        return self.queue.get(timeout=timeout)[0]

    def event(self, timeout=20):
        """The next event; jobs are passed over."""
        while True:
            found = self.next(timeout)
            if isinstance(found, self.sdk.Event):
                return found

    def job(self, job):
        """The next time that this job comes; the login's own job may be on its way too."""
        while True:
            found = self.next()
            if found.handle == job.handle:
                return found

    def job_of(self, op_code):
        """The next job of that kind."""
        while True:
            found = self.next()
            if isinstance(found, self.sdk.Job) and found.get_op_code() == op_code:
                return found

    def silent(self, seconds=0.1):
        try:
            return not self.queue.get(timeout=seconds)
        except queue.Empty:
            return True


@pytest.fixture
def heard(sdk, server):
    recorder = Recorder(sdk)
    server.reg_event_handler(recorder, "mine")
    yield recorder
    try:
        server.unreg_event_handler(recorder, "mine")
    except (sdk.PrlSDKError, RuntimeError):
        pass


def report(state):
    """What the last deinit_sdk left in the log."""
    return json.loads(state.store.rows("SELECT args FROM calls WHERE call = 'deinit_sdk' ORDER BY seq DESC")[0]["args"])


def test_an_event_from_another_process(state, sdk, heard):
    state.run("vm", "add", "web", "--uuid", "5b61b7a9-f2b2-4514-8653-50bfbcbc5fcc")
    assert heard.event().get_type() == sdk.consts.PET_DSP_EVT_VM_ADDED
    command = [sys.executable, "-m", "prl_stub", "emit", "backup_progress_changed", "--vm", "web"]
    command += ["--param", "progress_changed=uint32:42", "--param", "note=string:half", "--code", "PRL_ERR_TIMEOUT"]
    subprocess.run(command, check=True, timeout=20, cwd=sdk.__path__[0] + "/..")
    event = heard.event()
    assert event.get_type() == PROGRESS
    assert (event.get_issuer_type(), event.get_issuer_id()) == (1, "{5b61b7a9-f2b2-4514-8653-50bfbcbc5fcc}")
    assert event.get_err_code() == 0x80000015
    assert event.get_err_string(True, False).startswith("Operation timeout")
    assert (len(event), event.get_params_count(), len(list(event))) == (2, 2, 2)
    first = event.get_param_by_name("progress_changed")
    assert (first.get_name(), first.get_type(), first.to_uint32(), first.to_string()) == (
        "progress_changed",
        0,
        42,
        "42",
    )
    second = event[1]
    assert (second.get_type(), second.to_int32(), second.to_boolean(), second.to_cdata()) == (1, 0, False, "")


def test_getters_that_have_nothing(state, sdk, heard, fails):
    state.run("emit", PROGRESS)
    event = heard.event()
    assert (event.get_err_code(), event.get_err_string(True, True)) == (100000, "Unknown")
    assert (event.can_be_ignored(), event.is_answer_required()) == (False, False)
    for symbol, broken in (
        ("PRL_ERR_NO_DATA", lambda: event.get_param_by_name("progress_changed")),
        ("PRL_ERR_INVALID_ARG", lambda: event.get_param(99)),
        ("PRL_ERR_INVALID_HANDLE", event.get_vm),
        ("PRL_ERR_UNINITIALIZED", event.get_job),
    ):
        with fails(symbol):
            broken()
    with pytest.raises(IndexError):
        event[99]


def test_numbers_convert_and_wrap(state, heard):
    state.run("emit", PROGRESS, "--param", "n=int32:-1", "--param", "b=boolean:true", "--param", "c=cdata:<a/>")
    number, flag, data = heard.event()
    assert (number.to_int32(), number.to_uint32(), number.to_int64(), number.to_uint64()) == (
        -1,
        2**32 - 1,
        -1,
        2**64 - 1,
    )
    assert flag.to_boolean() is True and data.to_cdata() == "<a/>"


def test_every_job_of_the_server_comes_too(sdk, server, heard):
    job = server.get_vm_list_ex(6144)
    found = heard.job(job)
    assert isinstance(found, sdk.Job) and found.get_op_code() == sdk.consts.PJOC_SRV_GET_VM_LIST
    assert not hasattr(found, "get_param")


def test_one_thread_in_order(state, heard):
    state.run("emit", PROGRESS, "--count", 1500, "--param", "n=uint32:{i}")
    assert [heard.event().get_param(0).to_uint32() for _number in range(1500)] == list(range(1500))
    assert len(heard.threads) == 1 and threading.get_ident() not in heard.threads


def test_exceptions_are_printed_and_lost(state, sdk, server, monkeypatch):
    printed = queue.Queue()
    monkeypatch.setattr(sys, "excepthook", lambda kind, _error, _trace: printed.put(kind))
    raising = [ValueError, KeyboardInterrupt]

    def handler(handle, _data):
        if isinstance(sdk.handle_to_object(handle), sdk.Event):
            raise raising.pop(0)("lost")

    server.reg_event_handler(handler, None)
    for kind in (ValueError, KeyboardInterrupt):
        state.run("emit", PROGRESS)
        assert printed.get(timeout=20) is kind
    server.unreg_event_handler(handler, None)


def test_unregistering_goes_by_equality(sdk, server, state, fails):
    class Owner:
        count = 0

        def handler(self, handle, _data):
            if isinstance(sdk.handle_to_object(handle), sdk.Event):
                self.count += 1

    owner = Owner()
    with pytest.raises(TypeError, match="parameter must be callable"):
        server.reg_event_handler("no function", None)
    with fails("PRL_ERR_FAILURE"):
        server.unreg_event_handler(owner.handler, None)
    server.reg_event_handler(owner.handler, [1])
    server.reg_event_handler(owner.handler, [1])
    with fails("PRL_ERR_FAILURE"):
        server.unreg_event_handler(owner.handler, [2])
    state.run("emit", PROGRESS)
    deadline = time.monotonic() + 20
    while owner.count < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert owner.count == 2
    server.unreg_event_handler(owner.handler, [1])  # an equal list, another bound method
    server.unreg_event_handler(owner.handler, [1])
    state.run("emit", PROGRESS)
    time.sleep(0.05)
    assert owner.count == 2


def test_unregistering_waits_for_the_call_under_way(sdk, server, state):
    entered = threading.Event()

    def handler(handle, _data):
        sdk.handle_to_object(handle)
        entered.set()
        time.sleep(0.2)

    server.reg_event_handler(handler, None)
    state.run("emit", PROGRESS)
    assert entered.wait(20)
    start = time.monotonic()
    server.unreg_event_handler(handler, None)
    assert time.monotonic() - start > 0.1


def test_a_handler_may_use_the_server(sdk, server, state):
    done = queue.Queue()

    def handler(handle, _data):
        if isinstance(sdk.handle_to_object(handle), sdk.Event):
            done.put(len(server.get_vm_list_ex(6144).wait(20000)))
            server.unreg_event_handler(handler, None)

    server.reg_event_handler(handler, None)
    state.run("emit", PROGRESS)
    assert done.get(timeout=20) == 0


def test_each_callback_owns_a_reference(sdk, server, state):
    seen = queue.Queue()

    def handler(handle, _data):
        seen.put(handle)  # never wrapped: leaks

    server.reg_event_handler(handler, None)
    state.run("emit", PROGRESS, "--count", "20")
    events = []
    while len(events) < 20:
        handle = seen.get(timeout=20)
        job_or_event = sdk.handle_to_object(handle)
        if isinstance(job_or_event, sdk.Event):
            events.append(handle)
            job_or_event.add_ref()
    server.unreg_event_handler(handler, None)
    sdk.handle_to_object(events[0]), sdk.handle_to_object(events[0])  # two more than there are references: one is spare
    server.logoff().wait(20000)
    del server, job_or_event
    sdk.deinit_sdk()
    left = report(state)
    assert left["handles"]["PHT_EVENT"] == 19
    assert left["handlers"] == 0


def test_a_reference_freed_twice_is_counted(sdk, server, state, heard):
    state.run("emit", PROGRESS)
    event = heard.event()
    again = sdk.handle_to_object(event.handle)
    del event, again
    server.unreg_event_handler(heard, "mine")
    sdk.deinit_sdk()
    assert report(state)["double_freed"] == 1


def test_two_sessions_hear_the_same(state, sdk, server, heard):
    other = sdk.Server()
    other.login("127.0.0.1", "root", "secret").wait(20000)
    second = Recorder(sdk)
    other.reg_event_handler(second, None)
    state.run("emit", PROGRESS)
    assert heard.event().get_type() == second.event().get_type() == PROGRESS
    assert heard.threads.isdisjoint(second.threads)
    other.unreg_event_handler(second, None)


def test_nothing_of_before_the_login_comes(state, sdk):
    state.run("emit", PROGRESS)
    late = sdk.Server()
    late.login_local().wait(20000)
    recorder = Recorder(sdk)
    late.reg_event_handler(recorder, None)
    state.run("emit", STATE_CHANGED)
    assert recorder.event().get_type() == STATE_CHANGED
    late.unreg_event_handler(recorder, None)


def test_a_vm_that_changes(state, sdk, server, heard):
    state.run("vm", "add", "web")
    state.run("vm", "add", "db")
    web, _db = server.get_vm_list_ex(6144).wait(20000)
    of_web = Recorder(sdk)
    web.reg_event_handler(of_web, None)
    state.run("vm", "set", "db", "--state", "running")
    state.run("vm", "set", "web", "--state", "running")
    state.run("vm", "set", "web", "--state", "running")  # no change, no event
    event = of_web.event()
    assert event.get_type() == STATE_CHANGED
    assert event.get_param_by_name("vminfo_vm_state").to_int32() == sdk.consts.VMS_RUNNING == 805306372
    assert event.get_vm().get_name() == "web"
    web.unreg_event_handler(of_web, None)
    state.run("vm", "set", "web", "--name", "web-1")
    state.run("vm", "remove", "web-1")
    kinds = [heard.event().get_type() for _number in range(6)]
    assert kinds == [100005, 100005, STATE_CHANGED, STATE_CHANGED, 100002, 100026]


def test_of_a_burst_some_are_never_heard_where_that_is_set(state, server, heard):
    state.run("set", "event_burst", "3")
    state.run("emit", PROGRESS, "--param", "progress=uint32:{i}", "--count", "50")
    state.run("emit", "vm_config_changed")
    found = []
    while not found or found[-1].get_type() == PROGRESS:
        found.append(heard.event())
    assert 3 <= len(found) < 50, "the burst comes in one piece or in a few"


class TestLoss:
    def test_local(self, state, sdk, server, heard, fails):
        state.run("fault", "add", "get_vm_list_ex", "stall")
        job = server.get_vm_list_ex(6144)
        state.run("disconnect")
        event = heard.event()
        assert (event.get_type(), event.get_issuer_type(), event.get_err_code()) == (CLOSED, 1, 0x80000246)
        with fails("PRL_ERR_WS_DISP_CONNECTION_CLOSED"):
            job.wait(20000)
        heard.job(job)
        assert server.is_connected() == [0, 0]
        with fails("PRL_ERR_NOT_CONNECTED_TO_DISPATCHER"):
            server.logoff().wait(20000)
        # The same object logs in again, and its handlers are still there.
        server.login_local().wait(20000)
        state.run("emit", PROGRESS)
        assert heard.event().get_type() == PROGRESS

    def test_remote(self, state, sdk, fails):
        server = sdk.Server()
        login = server.login("127.0.0.1", "root", "secret")
        login.wait(20000)
        recorder = Recorder(sdk)
        server.reg_event_handler(recorder, None)
        state.run("fault", "add", "get_vm_list_ex", "stall")
        job = server.get_vm_list_ex(6144)
        state.run("disconnect")
        found = recorder.next()
        while found.get_ret_code() == 0:
            found = recorder.next()
        assert (found.handle, found.get_ret_code()) == (login.handle, 0x80000249)
        assert server.is_connected() == [0, 0]
        assert recorder.silent()  # no event says so
        with fails("PRL_ERR_TIMEOUT"):
            job.wait(200)  # and the job never ends
        server.unreg_event_handler(recorder, None)

    def test_a_logoff_shows_as_a_loss(self, sdk, server, heard):
        job = server.logoff()
        job.wait(20000)
        assert isinstance(heard.job(job), sdk.Job)
        assert heard.event().get_type() == CLOSED


class TestQuestions:
    @pytest.fixture
    def question(self, state, server, heard):
        state.run("question", "ask", "STOP_VM_TO_COMPACT", "--choice", "yes", "--choice", "no", "--text", "web")
        return heard.event()

    def test_shape(self, sdk, server, question):
        assert question.get_type() == sdk.consts.PET_DSP_EVT_VM_QUESTION and question.is_answer_required()
        assert question.get_err_code() == sdk.errors.PET_QUESTION_STOP_VM_TO_COMPACT & 0xFFFFFFFF
        assert question.get_param_by_name("vm_message_choice_0").to_uint32() == 16002
        assert [event.get_err_code() for event in server.get_questions()] == [question.get_err_code()]

    def test_answer(self, state, server, heard, question, capsys):
        job = server.send_answer(question.create_answer_event(16003))
        job.wait(0)
        assert heard.job_of(job.get_op_code()).get_ret_code() == 0
        assert len(server.get_questions()) == 0
        capsys.readouterr()
        state.run("question", "list")
        assert capsys.readouterr().out == "1 16003\n"

    def test_a_refused_answer_succeeds_locally(self, server, heard, question):
        job = server.send_answer(question.create_answer_event(1))
        job.wait(0)
        assert heard.job_of(job.get_op_code()).get_ret_code() == 0x80000009
        job.wait(0)
        assert len(server.get_questions()) == 1

    def test_non_interactive(self, server):
        server.set_non_interactive_session(True).wait(20000)
        assert server.is_non_interactive_session() is True


class TestDeinit:
    PROGRAM = """
import sys, prlsdkapi
prlsdkapi.init_server_sdk()
server = prlsdkapi.Server()
server.login_local().wait(20000)
server.reg_event_handler(lambda handle, data: %s, None)
server.get_vm_list().wait(20000)
%s
"""

    def run(self, callback, last, sdk, timeout=1):
        program = "import sys; sys.path.insert(0, %r)" % (sdk.__path__[0] + "/..") + self.PROGRAM % (callback, last)
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, timeout=timeout, text=True, check=False
        )

    def test_with_a_handler_is_written_down(self, state, sdk):
        done = self.run("prlsdkapi.handle_to_object(handle)", "prlsdkapi.deinit_sdk()", sdk, 20)
        assert done.returncode == 0, done.stderr
        assert report(state)["handlers"] == 1 and report(state)["connected"] == 1

    def test_may_deadlock(self, state, sdk):
        state.run("fault", "add", "deinit_sdk", "deadlock")
        with pytest.raises(subprocess.TimeoutExpired):
            self.run("None", "prlsdkapi.deinit_sdk()", sdk)

    @pytest.mark.parametrize("callback", ["prlsdkapi.deinit_sdk()", "sys.exit()"])
    def test_what_a_handler_must_not_do(self, state, sdk, callback):
        with pytest.raises(subprocess.TimeoutExpired):
            self.run(callback, "import time; time.sleep(5)", sdk)

    def test_a_program_that_just_ends(self, state, sdk):
        done = self.run("None", "", sdk, 20)
        assert (done.returncode, done.stderr) == (0, "")
        assert not state.store.rows("SELECT 1 FROM sessions")


def test_waiting_costs_nothing(server, heard):
    before = time.process_time()
    time.sleep(1)
    assert time.process_time() - before < 0.02
