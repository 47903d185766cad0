"""What users see when something is wrong: one clear message, typed, in time, and nothing lost."""

import importlib
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time

import pytest
import yaml
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import PROTOCOL, worker_archive

from tests.harness import BIN, COLLECTIONS, ROOT, STUB_SDK, alive, run_module
from tests.pythons import VERSIONS, interpreters

HOST = {"host": "node-a.example", "username": "root", "password": "node-secret"}
WRONG_PASSWORD = {**HOST, "password": "not-the-password"}
NOBODY = {**HOST, "host": "nobody.example"}


@pytest.fixture
def remote(node):
    """The demonstration's node, which also takes logins over the network."""
    node("server", "set", "node", "--password", HOST["password"])
    return node


def failure(stub, module="prl_backup_info", **options):
    result = run_module(module, stub, **options)
    assert result.get("failed"), "the task must fail"
    documented = yaml.safe_load(
        importlib.import_module("ansible_collections.prlsdk.core.plugins.modules." + module).RETURN
    )
    assert set(result["error"]) == set(documented["error"]["contains"])
    for candidate in result.get("candidates", []):
        assert set(candidate) <= set(documented["candidates"]["contains"])
    return result


def program(path, text):
    path.write_text(textwrap.dedent(text))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


# --- no SDK


def test_an_sdk_that_is_nowhere_lists_every_candidate_and_why(stub, tmp_path):
    (tmp_path / "bin").mkdir()
    broken = program(tmp_path / "bin" / "python2.7", "#!/bin/sh\necho 'selected version is missing' >&2\nexit 127\n")
    result = failure(stub, sdk_python=None, sdk_path=None, variables={"PATH": "%s:/usr/bin:/bin" % (tmp_path / "bin")})
    assert result["error"]["symbol"] == "SDK_UNAVAILABLE"
    tried = {candidate["python"]: candidate for candidate in result["candidates"]}
    assert sys.executable in tried and "prlsdkapi" in tried[sys.executable]["why"]
    assert "127" in tried[broken]["why"] and "selected version is missing" in tried[broken]["why"]
    assert result["msg"].startswith("The vendor's SDK (prlsdkapi) is not installed for any Python of this host.")
    assert "sdk_python" in result["msg"] and "sdk_path" in result["msg"]


def test_an_interpreter_that_does_not_exist_is_named(stub):
    result = failure(stub, sdk_python="/opt/nowhere/python3.9")
    assert "/opt/nowhere/python3.9: No such file or directory" in result["msg"]


def test_a_program_that_is_no_interpreter_is_named(stub):
    assert "/bin/true: ended with status 0 and no answer" in failure(stub, sdk_python="/bin/true")["msg"]


def test_a_binding_for_another_python_says_so(stub):
    stub("fault", "add", "import", "fail", "undefined symbol: PyString_Type", "--always")
    result = failure(stub)
    assert result["error"]["symbol"] == "SDK_UNAVAILABLE" and "undefined symbol: PyString_Type" in result["msg"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_library_that_speaks_another_language_is_quoted(stub, version):
    if version not in interpreters():
        pytest.skip("no Python %s here" % version)
    stub("fault", "add", "import", "fail", "Bibliothek für Größe fehlt", "--always")
    result = failure(stub, sdk_python=interpreters()[version])
    assert result["error"]["symbol"] == "SDK_UNAVAILABLE" and "Bibliothek für Größe fehlt" in result["msg"]


def test_a_library_that_does_not_initialise_says_so(stub):
    stub("fault", "add", "init_server_sdk", "fail", "libprl_sdk.so.9 is missing", "--always")
    assert "libprl_sdk.so.9 is missing" in failure(stub)["msg"]


def test_the_next_interpreter_is_tried_when_one_crashes_while_loading(node, tmp_path):
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "python3.9", '#!/bin/sh\nexec %s "$@"\n' % sys.executable)
    node("fault", "add", "import", "crash", "SEGV")
    result = run_module(
        "prl_backup_info", node, sdk_python=None, variables={"PATH": "%s:/usr/bin:/bin" % (tmp_path / "bin")}
    )
    assert not result.get("failed") and result["total"] > 0


def test_a_mode_that_the_build_lacks_is_named(stub):
    assert "desktop" in failure(stub, sdk_mode="desktop")["msg"]


# --- no login


def test_a_wrong_password_is_told_apart(remote):
    result = failure(remote, **WRONG_PASSWORD)
    assert result["error"]["symbol"] == "PRL_ERR_AUTHENTICATION_FAILED" and result["error"]["code"] == 0x80000330
    assert not result["error"]["retryable"]
    assert result["msg"].startswith("Logging in to node-a.example:64000 failed: Incorrect user name or password.")
    assert "'password'" in result["msg"]
    assert result["sdk"]["version"] == "9.0", "what was known by then is reported"


def test_an_unreachable_host_is_retryable(remote):
    result = failure(remote, **NOBODY)
    assert result["error"]["symbol"] == "PRL_ERR_CANT_CONNECT_TO_DISPATCHER" and result["error"]["retryable"]
    assert "nobody.example:64000" in result["msg"] and "'host'" in result["msg"]


def test_a_dispatcher_that_does_not_run_says_so(stub):
    result = failure(stub, variables={"PRL_STUB_STATE": ""})
    assert result["error"]["symbol"] == "PRL_ERR_CANT_CONNECT_TO_DISPATCHER" and "prl-disp" in result["msg"]


STORAGE = {"host": "backup.example", "username": "root", "password": "storage-secret"}
MAKE = {"state": "present", "vm": "web-01"}
COPY = {"vm": "web-01", "mode": "copy"}


@pytest.fixture
def stored(remote):
    """The same, with a backup server beside it."""
    remote(
        "server",
        "add",
        "storage",
        "--host",
        STORAGE["host"],
        "--user",
        STORAGE["username"],
        "--password",
        STORAGE["password"],
    )
    return remote


@pytest.mark.parametrize(
    "module, options",
    [
        ("prl_backup_info", {}),
        ("prl_backup_facts", {}),
        ("prl_backup", MAKE),
        ("prl_backup_restore", COPY),
        (
            "prl_event_wait",
            {"events": [{"type": "vm_added"}], "satisfied_by": {"vm": "web-01", "backup_newer_than": "1h"}},
        ),
    ],
)
def test_a_wrong_password_of_the_storage_is_told_as_the_storages(stored, module, options):
    result = run_module(module, stored, storage=dict(STORAGE, password="not-the-password"), **options)
    assert result["failed"] and result["error"]["symbol"] == "PRL_ERR_AUTHENTICATION_FAILED"
    assert result["msg"].startswith("Logging in to the storage backup.example:64000 failed: ")
    assert "Check the storage's 'username' and 'password'." in result["msg"] and "Check 'username'" not in result["msg"]


@pytest.mark.parametrize(
    "status, symbol",
    [
        ("down", "PRL_ERR_CANT_CONNECT_TO_DISPATCHER"),
        ("junk", "PRL_ERR_HANDSHAKE_FAILED"),
        ("silent", "PRL_ERR_HANDSHAKE_FAILED"),
        ("tls", "PRL_ERR_SSL_HANDSHAKE_FAILED"),
    ],
)
def test_a_storage_that_does_not_answer_is_told_as_such(stored, status, symbol):
    stored("server", "set", "storage", "--status", status)
    result = failure(stored, storage=STORAGE, login_timeout=2)
    assert result["error"]["symbol"] == symbol and result["msg"].startswith(
        "Logging in to the storage backup.example:64000 failed: "
    )
    assert "the storage's 'host' and 'port'" in result["msg"] and "Check 'host'" not in result["msg"]


def test_a_default_storage_that_the_node_cannot_reach_is_told_as_such(stored):
    stored(
        "server",
        "set",
        "node",
        "--storage",
        "storage",
        "--storage-user",
        "root",
        "--storage-password",
        STORAGE["password"],
    )
    stored("fault", "add", "get_backup_tree", "fail", "PRL_ERR_CANT_CONNECT_TO_DISPATCHER")
    result = failure(stored, storage={"default": True})
    assert (
        "The node cannot reach the server that keeps the backups" in result["msg"]
        and "the storage's 'host'" in result["msg"]
    )


def test_the_nodes_password_is_told_as_the_nodes_where_there_is_a_storage(stored):
    result = failure(stored, storage=STORAGE, **WRONG_PASSWORD)
    assert (
        result["msg"].startswith("Logging in to node-a.example:64000 failed: ")
        and "Check 'username' and 'password'." in result["msg"]
    )


def test_a_failed_read_advises_no_removal(node):
    node("fault", "add", "get_backup_tree", "fail", "PRL_ERR_BACKUP_INTERNAL_ERROR", "--always")
    for module, options in (("prl_backup_info", {}), ("prl_backup", MAKE), ("prl_backup_restore", COPY)):
        result = run_module(module, node, **options)
        assert result["failed"] and result["error"]["symbol"] == "PRL_ERR_BACKUP_INTERNAL_ERROR"
        assert "merge" not in result["msg"] and "emove" not in result["msg"]


def test_a_failed_merge_still_advises_it():
    from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import explain

    error = {
        "operation": "remove_vm_backup",
        "subject": "{a}",
        "symbol": "PRL_ERR_BACKUP_INTERNAL_ERROR",
        "code": 0x80037001,
        "message": "It failed.",
    }
    assert "Remove the whole chain" in explain(error)


def test_a_refused_security_level_says_what_to_raise(remote):
    remote("server", "set", "node", "--security", "high")
    result = failure(remote, security_level="low", **HOST)
    assert result["error"]["symbol"] == "PRL_ERR_WRONG_CONNECTION_SECURITY_LEVEL" and "security_level" in result["msg"]


def test_something_else_at_the_port_says_so(remote):
    remote("server", "set", "node", "--status", "junk")
    assert "not a dispatcher" in failure(remote, **HOST)["msg"]


@pytest.fixture
def no_lxml(tmp_path):
    """Environment in which there is no lxml, and importing it leaves a mark."""
    (tmp_path / "without" / "lxml").mkdir(parents=True)
    (tmp_path / "without" / "lxml" / "__init__.py").write_text(
        "open(%r, 'w')\nraise ImportError('there is no lxml')" % str(tmp_path / "mark")
    )
    return {"PYTHONPATH": "%s:%s" % (tmp_path / "without", COLLECTIONS)}


@pytest.mark.parametrize("module", ["prl_backup_info", "prl_backup_facts"])
def test_missing_lxml_is_one_clear_error_before_the_server_is_asked(node, no_lxml, module):
    result = failure(node, module, variables=no_lxml)
    assert result["error"]["symbol"] == "MISSING_LIBRARY" and not result["error"]["retryable"]
    assert "lxml" in result["msg"] and sys.executable in result["msg"]
    assert node.calls() == []


@pytest.mark.parametrize(
    "module, options",
    [
        ("prl_backup", {"state": "present", "vm": "web-01"}),
        ("prl_backup", {"state": "absent", "vm": "web-01", "backups": []}),
        ("prl_backup_restore", {"vm": "web-01", "mode": "copy"}),
        (
            "prl_event_wait",
            {"events": [{"type": "vm_deleted"}], "satisfied_by": {"vm": "web-01", "backup_newer_than": "1d"}},
        ),
    ],
)
def test_every_module_that_parses_a_tree_asks_for_lxml_first(node, no_lxml, module, options):
    result = run_module(module, node, variables=no_lxml, **options)
    assert (
        result["failed"]
        and result["error"]["symbol"] == "MISSING_LIBRARY"
        and "lxml" in result["msg"]
        and node.calls() == []
    )


@pytest.mark.parametrize(
    "module, options", [("prl_vm_info", {}), ("prl_event_wait", {"events": [{"type": "vm_deleted"}], "check": True})]
)
def test_what_needs_no_tree_works_without_lxml(node, no_lxml, module, options):
    assert not run_module(module, node, variables=no_lxml, **options).get("failed")


def test_a_host_without_a_user_is_refused_before_anything_is_asked(stub):
    result = run_module("prl_vm_info", stub, host="node-a.example")
    assert result["failed"] and "username" in result["msg"] and stub.calls() == []


# --- hangs and crashes


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_the_deadline_holds_in_the_client_and_on_the_server(node, fault):
    node("fault", "add", "get_backup_tree", fault)
    start = time.monotonic()
    result = failure(node, timeout=2)
    assert 2 <= time.monotonic() - start < 30, (
        "the fault would last longer, and a busy machine takes its time to start and end the module"
    )
    assert "'timeout'" in result["msg"] and "all VMs" in result["msg"]
    assert ("'vms'" in result["msg"] and "'scope: registered'" in result["msg"]) is (fault == "stall")


@pytest.mark.parametrize(
    "module, call, options",
    [
        ("prl_event_wait", "login_local", {"events": [{"type": "vm_added"}]}),
        ("prl_event_wait", "get_vm_list_ex", {"events": [{"type": "vm_added", "vm": "web-01"}]}),
        ("prl_backup", "get_backup_tree", {"state": "present", "vm": "web-01"}),
        ("prl_backup_info", "login_local", {}),
        ("prl_vm_info", "get_vm_list_ex", {}),
    ],
)
def test_a_time_out_advises_no_option_that_cannot_help(node, module, call, options):
    node("fault", "add", call, "stall")
    result = run_module(module, node, timeout=2, **options)
    assert result["failed"] and result["error"]["symbol"] == "PRL_ERR_TIMEOUT" and "Raise 'timeout'" in result["msg"]
    assert "'vms'" not in result["msg"] and "scope" not in result["msg"]


def test_an_interpreter_that_never_gets_as_far_as_the_worker_is_ended_with_all_it_started(stub, tmp_path):
    stuck = program(tmp_path / "python3.9", "#!/bin/sh\nsleep 120 &\necho $! > %s/sleeper\nwait\n" % tmp_path)
    start = time.monotonic()
    result = failure(stub, sdk_python=stuck, timeout=1)
    assert time.monotonic() - start < 60
    assert "did not answer within 1 seconds while loading the SDK" in result["msg"]
    assert not alive(int((tmp_path / "sleeper").read_text()))


def test_a_time_longer_than_a_year_is_refused(stub):
    result = failure(stub, timeout=10**10)
    assert "timeout: 10000000000" in result["msg"] and stub.calls() == []


@pytest.fixture(params=[False, True], ids=["as it comes", "SIGALRM blocked"])
def blocked(request):
    """What a parent may have left in the mask of signals."""
    if request.param:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])


def test_the_worker_dies_at_its_deadline_within_two_seconds(node, tmp_path, blocked):
    node("fault", "add", "get_backup_tree", "hang")
    (tmp_path / "worker.zip").write_bytes(worker_archive())
    lines = [
        {
            "kind": "open",
            "protocol": PROTOCOL,
            "sdk": {"paths": [str(STUB_SDK)], "mode": "server"},
            "login": {"host": None, "security_level": "high"},
            "storage": None,
            "deadline": 1,
            "read_only": True,
            "spool": None,
        },
        {"kind": "call", "id": 1, "name": "connect", "arguments": {}, "limit": None},
        {"kind": "call", "id": 2, "name": "backup_tree", "arguments": {"of": "", "types": ["vm"]}, "limit": None},
    ]
    start = time.monotonic()
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "worker.zip")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=node.environment(),
    ) as worker:
        for line in lines:
            worker.stdin.write(json.dumps(line).encode() + b"\n")
            worker.stdin.flush()
            if line.get("id") == 1:  # one after the other: the second needs what the first one has done
                while b'"id": 1' not in worker.stdout.readline():
                    pass
        assert worker.wait() == -signal.SIGALRM
    assert time.monotonic() - start < 1 + 2 + 5, "within two seconds, and what a busy machine takes to start it"


def test_a_hang_while_logging_off_does_not_lose_the_answer(node):
    node("fault", "add", "logoff", "hang")
    result = run_module("prl_vm_info", node)
    assert not result.get("failed") and len(result["vms"]) == 29


def test_a_crash_is_told_with_its_signal_and_the_call(node):
    node("fault", "add", "get_backup_tree", "crash", "SEGV")
    result = failure(node)
    assert result["error"]["symbol"] == "WORKER_DIED"
    assert "SIGSEGV" in result["msg"] and "reading the backups of all VMs" in result["msg"]
    assert result["sdk"]["version"] == "9.0"


def test_noise_on_standard_output_never_reaches_the_result(node):
    node("fault", "add", "*", "noise", '{"kind": "result", "result": {"vms": []}}', "--always")
    result = run_module("prl_vm_info", node)
    assert len(result["vms"]) == 29


MEASURED = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "ansible_collections.prlsdk.core.plugins.modules.prl_vm_info"])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize("tail", ["", "exit 7"], ids=["an answer comes", "none comes"])
def test_noise_of_200_megabytes_is_not_kept_in_memory(node, tmp_path, tail):
    noise = "head -c 100000000 /dev/zero | tr '\\0' x; yes a line of noise that is rather long, as is usual for those of a library | head -c 100000000"
    python = program(
        tmp_path / "python",
        '#!/bin/sh\n(%s; echo)\n(%s; echo the last words) >&2\n%s\nexec %s "$@"\n'
        % (noise, noise, tail, sys.executable),
    )
    done = subprocess.run(
        [sys.executable, "-c", MEASURED],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": node.options(sdk_python=python)}),
        text=True,
        check=False,
        env=node.environment(PYTHONPATH=str(COLLECTIONS)),
        stdout=subprocess.PIPE,
    )
    result, kibibytes = done.stdout.split("\n")[-3:-1]
    result = json.loads(result)
    assert int(kibibytes) < 100 * 1024
    if tail:
        assert (
            "ended with status 7 and no answer" in result["msg"]
            and "the last words" in result["msg"]
            and len(result["msg"]) < 3000
        )
    else:
        assert len(result["vms"]) == 29


def test_a_message_of_the_worker_may_be_longer_than_the_noise_that_is_kept(node, tmp_path):
    long = "x" * 3_000_000
    node("vm", "add", long)
    assert long in [vm["name"] for vm in run_module("prl_vm_info", node)["vms"]]


# The list and the tree are asked for at the same time: which of the two is told first depends on the moment.
CONNECTION_LOST = ("PRL_ERR_WS_DISP_CONNECTION_CLOSED", "PRL_ERR_NOT_CONNECTED_TO_DISPATCHER")


def test_a_lost_connection_is_found_after_a_local_login(node):
    node("fault", "add", "get_backup_tree", "lose")
    result = failure(node)
    assert result["error"]["symbol"] in CONNECTION_LOST and result["error"]["retryable"]


def test_a_lost_connection_is_found_after_a_remote_login_though_the_sdk_never_tells(remote):
    remote("fault", "add", "get_backup_tree", "lose")
    start = time.monotonic()
    result = failure(remote, timeout=60, **HOST)
    assert result["error"]["symbol"] in CONNECTION_LOST and result["error"]["retryable"]
    assert time.monotonic() - start < 10, "long before the deadline"


def test_an_error_of_the_server_keeps_code_symbol_and_operation(node):
    node("fault", "add", "get_backup_tree", "fail", "PRL_ERR_BACKUP_INTERNAL_ERROR")
    error = failure(node)["error"]
    assert (error["code"], error["symbol"], error["operation"]) == (
        0x80037001,
        "PRL_ERR_BACKUP_INTERNAL_ERROR",
        "get_backup_tree",
    )


GETTERS = {
    "get_uuid": "uuid",
    "get_name": "name",
    "get_vm_type": "type",
    "get_ct_id": "ct_id",
    "get_vm_info": "state",
    "get_state": "state",
    "is_template": "template",
    "get_home_path": "home",
    "get_default_backup_directory": "backup_directory",
}


@pytest.mark.parametrize("getter", sorted(GETTERS))
def test_a_damaged_vm_configuration_does_not_end_the_list(node, getter):
    node("fault", "add", getter, "fail", "PRL_ERR_VM_CONFIG_DOESNT_EXIST", "--nth", "28")
    found = run_module("prl_vm_info", node)["vms"]
    assert len(found) == 29
    (damaged,) = [vm for vm in found if vm["problems"]]
    assert damaged[GETTERS[getter]] is None and len(damaged["problems"]) == 1
    assert getter == "get_uuid" or damaged["uuid"]


@pytest.mark.parametrize("getter", sorted(GETTERS))
def test_what_the_build_of_the_sdk_has_not_implemented_is_null_and_no_text(node, getter):
    node("fault", "add", getter, "unimplemented", "--always")
    found = run_module("prl_vm_info", node)["vms"]
    assert [vm[GETTERS[getter]] for vm in found] == [None] * 29
    assert not [vm for vm in found if vm["problems"]]


def test_a_vm_without_a_readable_uuid_is_told_among_the_candidates(node):
    node("vm", "add", "web-01")
    node("fault", "add", "get_uuid", "fail", "PRL_ERR_VM_CONFIG_DOESNT_EXIST")
    result = failure(node, "prl_vm_info", vms=["web-01"])
    assert result["error"]["symbol"] == "AMBIGUOUS_VM_NAME" and None in [
        candidate["uuid"] for candidate in result["candidates"]
    ]


def test_no_directory_of_its_own_is_made_up_for_a_vm(node):
    asked = run_module("prl_backup_info", node)
    node("fault", "add", "get_default_backup_directory", "unimplemented", "--always")
    node("log", "--clear")
    result = run_module("prl_backup_info", node)
    assert {chain["directory"] for tree in result["backup_trees"] for chain in tree["chains"]} == {None}
    assert node.call_names().count("get_backup_tree") == 1
    assert asked["total"] > result["total"], "a build that cannot tell of such directories sees less"


# --- a damaged answer

LAUGHS = """<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<BackupTree><VmItem><Name>&c;</Name></VmItem></BackupTree>"""
EXTERNAL = '<!DOCTYPE x [<!ENTITY f SYSTEM "file://%s">]><BackupTree><VmItem><Name>&f;</Name></VmItem></BackupTree>'


@pytest.mark.parametrize("module", ["prl_backup_info", "prl_backup_facts"])
@pytest.mark.parametrize("damage", ["empty", "truncated", "malformed", "other", "laughs", "external"])
def test_a_damaged_tree_is_one_clear_error(node, tmp_path, module, damage):
    whole = node("tree")
    (tmp_path / "secret.txt").write_text("canary-of-the-file")
    text = {
        "empty": "",
        "truncated": whole[: len(whole) * 2 // 3],
        "malformed": whole.replace("</Name>", "</Nome>", 5),
        "other": "<html><body>Bad gateway</body></html>",
        "laughs": LAUGHS,
        "external": EXTERNAL % (tmp_path / "secret.txt"),
    }[damage]
    (tmp_path / "answer.xml").write_text(text)
    node("fault", "add", "get_backup_tree", "answer", tmp_path / "answer.xml")
    result = failure(node, module)
    assert result["error"]["symbol"] == "DAMAGED_TREE"
    assert "backup_trees" not in result and "ansible_facts" not in result, "never a part that looks whole"
    assert "canary-of-the-file" not in str(result)
    assert result["server"]["host"] == "localhost", "what was known by then is reported"
    if damage in ("truncated", "malformed"):
        assert "line" in result["msg"] and "column" in result["msg"]


def test_a_text_of_300_megabytes_ends_in_the_same_error_and_in_bounded_memory(node, tmp_path):
    with open(tmp_path / "answer.xml", "w") as answer:
        answer.write("<BackupTree><VmItem><Name>")
        for _megabyte in range(300):
            answer.write("x" * 1_000_000)
        answer.write("</Name></VmItem></BackupTree>")
    node("fault", "add", "get_backup_tree", "answer", tmp_path / "answer.xml")
    assert failure(node)["error"]["symbol"] == "DAMAGED_TREE"


@pytest.mark.parametrize(
    "module, options",
    [
        ("prl_backup", {"state": "present", "vm": ""}),
        ("prl_backup_restore", {"vm": "", "mode": "copy"}),
        ("prl_backup_info", {"limit": 0}),
        ("prl_backup_facts", {"timeout": 0}),
        ("prl_vm_info", {"vms": ["nobody"], "missing": "fail"}),
        ("prl_event_wait", {"events": []}),
    ],
)
def test_no_exception_of_ours_is_attached_to_an_ordinary_failure(node, module, options):
    """Ansible attaches the one that is being handled when fail_json is called: before 2.19 at -vvv, since then where tracebacks are asked for."""
    result = run_module(
        module, node, internal={"_ansible_verbosity": 3, "_ansible_tracebacks_for": ["error"]}, **options
    )
    assert result["failed"] and result["error"]["symbol"] == "INVALID_INPUT"
    assert "Error" not in result.get("exception", ""), result["exception"]


# --- options that cannot be used


def test_an_unknown_vm_fails_when_asked_to(node):
    assert run_module("prl_backup_info", node, vms=["nobody"])["missing"] == ["nobody"]
    result = failure(node, vms=["nobody", "web-01"], missing="fail")
    assert (
        "'nobody'" in result["msg"] and "missing: ok" in result["msg"] and result["error"]["symbol"] == "INVALID_INPUT"
    )
    result = failure(node, "prl_vm_info", vms=["nobody"], missing="fail")
    assert "'nobody'" in result["msg"] and result["missing"] == ["nobody"]


@pytest.mark.parametrize("module", ["prl_backup_info", "prl_vm_info"])
def test_an_ambiguous_name_lists_the_candidates(node, module):
    node("vm", "add", "web-01")
    result = failure(node, module, vms=["web-01"])
    assert result["error"]["symbol"] == "AMBIGUOUS_VM_NAME"
    assert [candidate["name"] for candidate in result["candidates"]] == ["web-01"] * 2
    assert all(candidate["uuid"] in result["msg"] for candidate in result["candidates"])


def test_a_name_that_several_gone_vms_had_is_ambiguous_in_the_same_way(node):
    shapes = set()
    for _twin in range(2):
        node("vm", "add", "twin")
        uuid = node("vm", "list").split("\n")[-2].split()[0]
        assert run_module("prl_backup", node, state="present", vm=uuid, type="full")["changed"]
        node("vm", "remove", uuid)
    for module, options in (
        ("prl_backup_info", {"vms": ["twin"]}),
        ("prl_backup_restore", {"vm": "twin", "mode": "copy"}),
    ):
        result = failure(node, module, **options)
        assert result["error"]["symbol"] == "AMBIGUOUS_VM_NAME" and "UUID" in result["msg"]
        assert [candidate["name"] for candidate in result["candidates"]] == ["twin"] * 2
        shapes.update(tuple(sorted(candidate)) for candidate in result["candidates"])
    node("vm", "add", "web-01")
    shapes.update(tuple(sorted(candidate)) for candidate in failure(node, "prl_vm_info", vms=["web-01"])["candidates"])
    assert shapes == {("home", "name", "type", "uuid")}


@pytest.mark.parametrize(
    "options, words",
    [
        ({"gather": ["disks", "summary"]}, ["gather", "disks", "backups"]),
        ({"gather": ["raw", "files"]}, ["gather", "files", "backups"]),
        ({"newer_than": "3"}, ["newer_than"]),
        ({"newer_than": "5m"}, ["newer_than", "5m", "min", "mo"]),
        ({"older_than": "yesterday"}, ["older_than", "yesterday"]),
        ({"older_than": "2026-11-22 03:00"}, ["older_than", "zone"]),
        ({"newer_than": "1d", "older_than": "2d"}, ["newer_than", "older_than"]),
        ({"backup_ids": ["web-01"]}, ["backup_ids", "web-01"]),
        ({"limit": 0}, ["limit"]),
        ({"timeout": 0}, ["timeout"]),
        ({"storage": {"default": True, "host": "b", "username": "root", "password": "p"}}, ["storage"]),
    ],
)
def test_an_option_that_cannot_be_used_is_named_before_the_server_is_asked(node, options, words):
    node("log", "--clear")
    result = run_module("prl_backup_info", node, **options)
    assert result["failed"] and all(word in result["msg"] for word in words), result["msg"]
    assert node.calls() == []


# --- secrets


def processes(word):
    """Where a word occurs in the arguments or the environment of any process of this machine but this one."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            for part in ("cmdline", "environ"):
                try:
                    with open("/proc/%s/%s" % (entry, part), "rb") as source:
                        if word.encode() in source.read():
                            yield "%s of process %s" % (part, entry)
                except OSError:
                    pass


@pytest.fixture
def home():
    """A folder with a short name: ansible-core 2.21 makes a socket in its temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at the processes through /proc")
def test_no_password_is_seen_anywhere(remote, tmp_path, home):
    """At the highest verbosity, while the SDK is stuck with it: in output, arguments, environments, files."""
    canary = "canary-7f3a9"
    (home / "tmp").mkdir()
    remote("server", "set", "node", "--password", canary)
    remote("server", "add", "storage", "--host", "backup.example", "--password", canary)
    remote("fault", "add", "get_backup_tree", "stall")
    play = home / "play.yml"
    play.write_text(
        textwrap.dedent(
            """\
            - hosts: localhost
              gather_facts: false
              vars:
                ansible_remote_tmp: %s
              tasks:
                - prlsdk.core.prl_backup_info:
                    host: node-a.example
                    username: root
                    password: "{{ lookup('ansible.builtin.file', '%s') }}"
                    timeout: 3
                    storage: {host: backup.example, username: root, password: "{{ lookup('ansible.builtin.file', '%s') }}"}
            """
            % (home / "tmp", tmp_path / "vault", tmp_path / "vault")
        )
    )
    (tmp_path / "vault").write_text(canary)
    leads = {"PRL_" + key.upper(): value for key, value in remote.options().items()}
    running = subprocess.Popen(
        [str(BIN / "ansible-playbook"), "-vvvv", str(play)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=remote.environment(**leads, TMPDIR=str(home / "tmp"), ANSIBLE_LOG_PATH=str(home / "log")),
    )
    seen, files = set(), set()
    while "get_backup_tree" not in remote.call_names() and running.poll() is None:
        seen.update(processes(canary))
    for _look in range(10):
        seen.update(processes(canary))
        time.sleep(0.1)
    output = running.communicate()[0]
    for folder, _folders, content in os.walk(home):
        for name in content:
            with open(os.path.join(folder, name), "rb") as source:
                if canary.encode() in source.read():
                    files.add(os.path.join(folder, name))
    assert "PRL_ERR_TIMEOUT" in output, output[-3000:]
    assert canary not in output
    assert not seen and not files


def test_a_password_from_the_environment_is_not_handed_on(remote):
    result = run_module(
        "prl_vm_info", remote, host=HOST["host"], variables={"PRL_USERNAME": "root", "PRL_PASSWORD": HOST["password"]}
    )
    assert len(result["vms"]) == 29
    assert HOST["password"] not in str(result)
