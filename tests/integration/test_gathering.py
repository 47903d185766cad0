"""prl_backup_info, prl_backup_facts and prl_vm_info over the stub SDK: what they return and what they ask the server."""

import json

import pytest

from tests.harness import run_module
from tests.pythons import VERSIONS, interpreters

BACKUP = "backup.example"
EVERYTHING = '"sUuid": ""'  # in the arguments of a request for the whole tree


def names(result):
    return [tree["vm"]["name"] for tree in result["backup_trees"]]


def backups(result):
    return [backup for tree in result["backup_trees"] for chain in tree["chains"] for backup in chain["backups"]]


def tree_of(result, name):
    (tree,) = [tree for tree in result["backup_trees"] if tree["vm"]["name"] == name]
    return tree


def vm(stub, name):
    (found,) = run_module("prl_vm_info", stub, vms=[name])["vms"]
    stub("log", "--clear")
    return found


# --- what is returned


def test_everything_that_the_node_keeps_is_returned(node):
    result = run_module("prl_backup_info", node)
    assert result["changed"] is False
    assert result["summary"]["backups"] == result["total"] == len(backups(result))
    assert names(result) == sorted(names(result), key=str.casefold)
    assert not result["truncated"] and result["missing"] == []
    assert {tree["vm"]["type"] for tree in result["backup_trees"]} == {"vm", "ct"}
    for tree in result["backup_trees"]:
        assert tree["omitted"] == 0
        for chain in tree["chains"]:
            assert chain["backups"][0]["type"] == "full"
            assert {backup["type"] for backup in chain["backups"][1:]} <= {"incremental"}


def test_backups_of_a_vm_that_is_gone_are_seen_and_marked(node):
    gone = [
        tree["vm"]["name"]
        for tree in run_module("prl_backup_info", node)["backup_trees"]
        if not tree["vm"]["registered"]
    ]
    assert len(gone) == 1
    by_name = run_module("prl_backup_info", node, vms=gone)
    assert names(by_name) == gone, "a name that the node does not know is looked for in the whole tree"
    assert run_module("prl_backup_info", node, vms=gone, scope="registered")["missing"] == gone


def test_a_vm_with_a_directory_of_its_own_is_not_hidden(node):
    tree = tree_of(run_module("prl_backup_info", node), "erp")
    assert {chain["directory"] for chain in tree["chains"]} == {"/mnt/backup/erp"}


def test_chains_left_in_the_default_directory_are_united_with_those_of_the_own_directory(node):
    before = tree_of(run_module("prl_backup_info", node), "web-01")
    node("vm", "set", "web-01", "--backup-directory", "/mnt/new")
    again = tree_of(run_module("prl_backup_info", node), "web-01")
    assert again["chains"] == before["chains"], "a new, empty directory hides nothing"


def test_gather_summary_alone_returns_no_backup(node):
    result = run_module("prl_backup_info", node, gather=["summary"])
    assert "backup_trees" not in result
    assert result["summary"]["backups"] == result["total"] > 0


def test_disks_and_files_come_when_asked_for(node):
    plain = backups(run_module("prl_backup_info", node, vms=["web-01"]))
    assert "disks" not in plain[0] and "files" not in plain[0]
    rich = backups(run_module("prl_backup_info", node, vms=["web-01"], gather=["backups", "disks", "files"]))
    assert rich[0]["disks"][0]["size"] > 0 and rich[0]["files"]


@pytest.mark.parametrize("module", ["prl_backup_info", "prl_backup_facts"])
def test_text_is_a_line_for_each_vm_and_brings_no_trees(node, module):
    result = run_module(module, node, gather=["text"], vms=["web-*"])
    result = result.get("ansible_facts", {}).get("prl_backups", result)
    assert "backup_trees" not in result and "summary" not in result
    head, *lines, totals = result["lines"]
    assert [line.split()[0] for line in lines] == ["web-%02d" % number for number in range(1, 7)]
    assert head.startswith("name") and totals.startswith("6 VMs, 0 containers: ")


def test_text_says_of_a_vm_that_it_is_gone(node):
    lines = run_module("prl_backup_info", node, gather=["text"])["lines"]
    assert [line.split()[0] for line in lines if line.endswith("(the VM is gone)")] == ["decommissioned-win2008"]


def test_raw_is_what_the_server_sent_even_if_nothing_can_parse_it(node, tmp_path):
    assert run_module("prl_backup_info", node, vms=["web-01"], gather=["raw"])["raw"][0]["xml"].startswith(
        "<BackupTree "
    )
    (tmp_path / "broken.xml").write_text("<BackupTree><VmItem>")
    node("fault", "add", "get_backup_tree", "answer", tmp_path / "broken.xml")
    result = run_module("prl_backup_info", node, vms=["web-01"], gather=["raw"])
    assert result["failed"] and result["error"]["symbol"] == "DAMAGED_TREE", (
        "a text that is no tree says nothing about what is missing"
    )
    assert result["raw"][0]["xml"] == "<BackupTree><VmItem>"


def test_the_checks_do_not_depend_on_what_is_returned(node):
    result = run_module("prl_backup_info", node, vms=["web-01", "nobody"], gather=["raw"])
    assert result["missing"] == ["nobody"] and result["total"] > 0 and result["truncated"] is False
    assert "backup_trees" not in result and "summary" not in result
    for gather in (["raw"], ["summary"], []):
        result = run_module("prl_backup_info", node, vms=["nobody"], gather=gather, missing="fail")
        assert result["failed"] and result["error"]["symbol"] == "INVALID_INPUT" and "'nobody'" in result["msg"]


def test_a_node_without_backups_is_no_error(stub):
    result = run_module("prl_backup_info", stub)
    assert result["backup_trees"] == [] and result["summary"]["newest"] is None


# --- selection


def test_vms_are_found_by_name_and_by_uuid_in_any_spelling(node):
    uuid = vm(node, "web-02")["uuid"]
    for spelling in ("web-02", uuid, uuid.strip("{}"), uuid.upper()):
        assert names(run_module("prl_backup_info", node, vms=[spelling])) == ["web-02"], spelling


@pytest.fixture
def capitals(stub):
    """A node whose tree, and maybe list of VMs, has UUIDs in capitals: (UUID, name) of a VM that is known, and of one that is gone."""
    kept = [("{AAAAAAAA-0000-4000-8000-00000000000A}", "known"), ("{BBBBBBBB-0000-4000-8000-00000000000B}", "gone")]
    for uuid, name in kept:
        stub("vm", "add", name, "--uuid", uuid)
        run_module("prl_backup", stub, state="present", vm=name, type="full")
    stub("vm", "remove", "gone")
    stub("log", "--clear")
    return kept


def bare(uuid):
    return uuid.strip("{}").lower()


def mixed(uuid):
    return uuid.replace("A", "a", 1).replace("B", "b", 1)


@pytest.mark.parametrize("spell", [str, str.lower, bare, mixed])
def test_a_uuid_that_is_stored_in_capitals_is_found_in_any_spelling(stub, capitals, spell):
    (known, name), (gone, name_of_gone) = capitals
    result = run_module("prl_backup_info", stub, vms=[spell(known), spell(gone), known], missing="fail")
    assert names(result) == [name_of_gone, name] and [tree["vm"]["uuid"] for tree in result["backup_trees"]] == [
        gone,
        known,
    ]
    waited = run_module(
        "prl_event_wait",
        stub,
        events=[{"type": "vm_deleted"}],
        satisfied_by={"vm": spell(gone), "backup_newer_than": "1d"},
        timeout=20,
    )
    assert waited["satisfied_by"]["newest_backup"]


def test_a_uuid_is_sent_in_the_case_that_it_was_written_in(stub, capitals):
    uuid = capitals[0][0]
    run_module("prl_backup_info", stub, vms=[uuid.strip("{}")])
    (asked,) = [call["args"]["sUuid"] for call in stub.calls() if call["call"] == "get_backup_tree"]
    assert asked == uuid and stub.call_names().count("get_vm_list_ex") == 0


def test_a_vm_without_backups_is_looked_up_once_by_its_uuid(node):
    without = [found["uuid"] for found in run_module("prl_vm_info", node)["vms"]]
    without = list(set(without) - {tree["vm"]["uuid"] for tree in run_module("prl_backup_info", node)["backup_trees"]})
    node("log", "--clear")
    assert run_module("prl_backup_info", node, vms=without)["missing"] == without
    assert node.call_names() == ["login_local", "get_backup_tree", "get_vm_list_ex", "logoff"]


def test_windows_are_inclusive_at_the_start_and_exclusive_at_the_end(node):
    moments = sorted({backup["created"] for backup in backups(run_module("prl_backup_info", node, vms=["web-01"]))})
    start, end = moments[3], moments[8]
    result = run_module("prl_backup_info", node, vms=["web-01"], newer_than=start, older_than=end)
    assert sorted(backup["created"] for backup in backups(result)) == moments[3:8]
    assert tree_of(result, "web-01")["omitted"] == len(moments) - 5


def test_latest_only_is_one_backup_a_vm(node):
    everything = run_module("prl_backup_info", node)
    latest = run_module("prl_backup_info", node, latest_only=True)
    assert names(latest) == names(everything)
    for tree in latest["backup_trees"]:
        (chain,) = tree["chains"]
        (backup,) = chain["backups"]
        whole = tree_of(everything, tree["vm"]["name"])
        assert backup["created"] == max(other["created"] for chain in whole["chains"] for other in chain["backups"])


def test_limit_cuts_and_says_so(node):
    result = run_module("prl_backup_info", node, limit=100)
    assert len(backups(result)) == 100
    assert result["truncated"] and result["total"] == result["summary"]["backups"] > 100
    assert sum(tree["omitted"] for tree in result["backup_trees"]) > 0


def test_backup_ids_name_single_backups(node):
    wanted = backups(run_module("prl_backup_info", node, vms=["web-01"]))[4]["id"]
    unknown = "{AAAAAAAA-0000-4000-8000-00000000000a}.7"
    asked = [wanted.upper().replace("{", "").replace("}", ""), unknown]
    result = run_module("prl_backup_info", node, backup_ids=asked)
    assert [backup["id"] for backup in backups(result)] == [wanted]
    assert result["missing"] == [unknown], "as it was written"
    result = run_module("prl_backup_info", node, backup_ids=asked, missing="fail")
    assert result["failed"] and unknown in result["msg"]


def test_types_choose_between_vms_and_containers(node):
    assert {tree["vm"]["type"] for tree in run_module("prl_backup_info", node, types=["ct"])["backup_trees"]} == {"ct"}
    assert {found["type"] for found in run_module("prl_vm_info", node, types=["ct"])["vms"]} == {"ct"}


# --- a second server


@pytest.fixture
def storage(node):
    """A backup server that the node and another one share."""
    node("server", "add", "storage", "--host", BACKUP, "--password", "storage-secret")
    node("demo", "--server", "storage", "--now", "2026-11-22T06:00:00Z", "--vms", "3")
    node("log", "--clear")
    return {"host": BACKUP, "username": "root", "password": "storage-secret"}


def test_storage_is_a_second_login_whose_session_the_node_passes_on(node, storage):
    result = run_module("prl_backup_info", node, storage=storage)
    assert len(result["backup_trees"]) == 3
    calls = [call for call in node.calls() if call["request"]]
    names = [call["call"] for call in calls]
    assert names[:2] == ["login_local", "login"] and names[-2:] == ["logoff", "logoff"]
    assert sorted(names[2:-2]) == ["get_backup_tree", "get_vm_list_ex", "get_vm_list_ex"], "asked for at the same time"
    assert {call["server"] for call in calls if call["call"] == "get_backup_tree"} == {"node"}, (
        "the node does the work, not the module's host"
    )


def test_local_means_local_though_the_node_has_a_default_backup_server(node, storage):
    node(
        "server",
        "set",
        "node",
        "--storage",
        "storage",
        "--storage-user",
        "root",
        "--storage-password",
        "storage-secret",
    )
    assert len(run_module("prl_backup_info", node)["backup_trees"]) == 29
    assert len(run_module("prl_backup_info", node, storage={"default": True})["backup_trees"]) == 3


def test_the_directory_is_that_of_the_server_with_the_backups(node, storage):
    def directories(**options):
        (tree,) = [
            tree
            for tree in run_module("prl_backup_info", node, **options)["backup_trees"]
            if tree["vm"]["name"] == "erp"
        ]
        return {chain["directory"] for chain in tree["chains"]}

    uuid = vm(node, "erp")["uuid"]
    node("vm", "add", "erp", "--uuid", uuid, "--server", "storage", "--backup-directory", "/mnt/kept/erp")
    run_module("prl_backup", node, state="present", vm="erp", type="full", storage=storage)
    for options in ({}, {"scope": "registered"}, {"vms": ["erp"]}):
        assert directories(**options) == {"/mnt/backup/erp"}
        assert directories(storage=storage, **options) == {"/mnt/kept/erp"}
        # The node may pass this on to another server, and does not tell.
        assert directories(storage={"default": True}, **options) == {None}


def test_owner_this_node_keeps_the_chains_that_this_node_made(node, storage):
    everything = run_module("prl_backup_info", node)
    mine = run_module("prl_backup_info", node, owner="this_node")
    assert [dict(tree, others=None) for tree in mine["backup_trees"]] == [
        tree
        for tree in everything["backup_trees"]
        if tree["chains"][-1]["backups"][-1]["server_uuid"] == everything["server"]["uuid"]
    ]
    assert all(tree["others"] == {"chains": 0, "backups": 0, "newest": None} for tree in mine["backup_trees"])
    assert run_module("prl_backup_info", node, storage=storage, owner="this_node")["total"] == 0


# --- what the server is asked


def test_a_plain_gather_makes_exactly_the_calls_it_needs(node):
    node("log", "--clear")
    run_module("prl_backup_info", node)
    names = node.call_names()
    assert sorted(names[1:-2]) == ["get_backup_tree", "get_vm_list_ex"], "asked for at the same time"
    assert names[-2:] == ["get_backup_tree", "logoff"] and len(names) == 5, "one tree more for the VM's own directory"


def test_vms_given_by_uuid_are_asked_for_without_a_list(node):
    uuids = [vm(node, name)["uuid"] for name in ("web-01", "erp")]
    run_module("prl_backup_info", node, vms=uuids)
    assert node.call_names() == ["login_local", "get_backup_tree", "get_backup_tree", "logoff"]


def test_scope_registered_never_asks_for_the_whole_tree(node):
    node("log", "--clear")
    result = run_module("prl_backup_info", node, scope="registered")
    asked = [call["args"]["sUuid"] for call in node.calls() if call["call"] == "get_backup_tree"]
    assert all(asked) and len(asked) == len(set(asked)) == 29
    assert len(result["backup_trees"]) == 28, "one VM has no backup; the one that is gone is not asked for"


def test_both_kinds_are_asked_for_because_the_default_hides_containers(node):
    node("log", "--clear")
    run_module("prl_backup_info", node)
    assert {call["args"]["backup_flags"] for call in node.calls() if call["call"] == "get_backup_tree"} == {
        131072 | 262144
    }


@pytest.mark.parametrize("module", ["prl_backup_info", "prl_backup_facts", "prl_vm_info"])
def test_check_mode_is_normal_mode_and_nothing_is_ever_changed(node, module):
    normal, check = run_module(module, node), run_module(module, node, check=True)
    for result in (normal, check):
        result.pop("invocation", None)  # ansible-core 2.21 adds it on the controller
        result.get("ansible_facts", {}).get("prl_backups", {}).pop("gathered_at", None)
    assert normal == check
    assert not [call for call in node.calls() if call["mutating"]]


def test_every_call_leaves_the_server_without_a_session(node):
    for module in ("prl_backup_info", "prl_backup_facts", "prl_vm_info"):
        run_module(module, node)
    assert node("sessions") == ""
    order = [call["call"] for call in node.calls() if call["call"] in ("logoff", "deinit_sdk")]
    assert order == ["logoff", "deinit_sdk"] * 3


# --- the same under every Python that the SDK may be built for


@pytest.mark.parametrize("version", VERSIONS)
def test_the_worker_gives_the_same_answer_under_each_python(node, version):
    if version not in interpreters():
        pytest.skip("this machine has no Python %s" % version)
    node("vm", "add", "почта")
    mine = run_module("prl_backup_info", node)
    other = run_module("prl_backup_info", node, sdk_python=interpreters()[version])
    for result in (mine, other):
        result.pop("invocation", None)  # ansible-core 2.21 adds it on the controller
        result.pop("sdk")
    assert mine == other
    for word in ("почта", "поч?*"):
        assert (
            run_module("prl_vm_info", node, sdk_python=interpreters()[version], vms=[word])["vms"][0]["name"] == "почта"
        )
    assert {call["python"][:4].rstrip(".") for call in node.calls()[-3:]} == {version}


# --- globs for names


def test_a_glob_means_every_vm_whose_name_fits(node):
    webs = ["web-%02d" % number for number in range(1, 7)]
    assert names(run_module("prl_backup_info", node, vms=["web-*"])) == webs
    assert names(run_module("prl_backup_info", node, vms=["web-*"], scope="registered")) == webs
    assert [found["name"] for found in run_module("prl_vm_info", node, vms=["web-*"])["vms"]] == webs
    assert names(run_module("prl_backup_info", node, vms=["web-0[12]", "?ail", "web-02"])) == [
        "mail",
        "web-01",
        "web-02",
    ]
    facts = run_module("prl_backup_facts", node, vms=["db-*"])
    assert names(facts["ansible_facts"]["prl_backups"]) == ["db-primary", "db-replica"]


def test_a_glob_that_fits_nothing_is_missing(node):
    for module in ("prl_backup_info", "prl_vm_info"):
        result = run_module(module, node, vms=["web-01", "wbe-*", "WEB-*"])
        assert result["missing"] == ["wbe-*", "WEB-*"], "upper and lower case differ"
        result = run_module(module, node, vms=["web-01", "wbe-*"], missing="fail")
        assert result["failed"] and "'wbe-*'" in result["msg"]
    assert run_module("prl_backup_info", node, vms=["fresh-*"])["missing"] == ["fresh-*"], (
        "the VM is there and has no backup"
    )
    assert run_module("prl_vm_info", node, vms=["fresh-*"])["missing"] == []


def test_a_glob_fits_vms_that_are_gone_and_directories_of_their_own(node):
    gone = "decommissioned-win2008"
    result = run_module("prl_backup_info", node, vms=["*e[cr][op]*"])
    assert {gone, "erp"} <= set(names(result))
    assert {chain["directory"] for chain in tree_of(result, "erp")["chains"]} == {"/mnt/backup/erp"}
    assert run_module("prl_backup_info", node, vms=["decom*"], scope="registered")["missing"] == ["decom*"]
    node("log", "--clear")
    run_module("prl_backup_info", node, vms=["*"])
    asked = [call["args"]["sUuid"] for call in node.calls() if call["call"] == "get_backup_tree"]
    assert len(asked) == 2 and "" in asked, (
        "what fits is in the whole tree, but for the one with a directory of its own"
    )


@pytest.mark.parametrize("scope", ["all", "registered"])
def test_a_vm_whose_name_is_the_glob_itself_is_meant_alone(stub, scope):
    for name in ("web[1]", "web1", "a*", "ab"):
        stub("vm", "add", name)
        assert run_module("prl_backup", stub, state="present", vm=name, type="full")["changed"]
    assert names(run_module("prl_backup_info", stub, vms=["web[1]", "a*"], scope=scope)) == ["a*", "web[1]"]
    assert [found["name"] for found in run_module("prl_vm_info", stub, vms=["a*"])["vms"]] == ["a*"]
    stub("vm", "remove", "a*")
    expected = {"all": ["a*"], "registered": ["ab"]}[scope]
    assert names(run_module("prl_backup_info", stub, vms=["a*"], scope=scope)) == expected, (
        "also where only its backups are left"
    )


# --- answers that cannot be read


def damage(stub, name, text="<BackupTree><VmItem>"):
    """Give this VM a damaged answer; returns its UUID."""
    uuid = vm(stub, name)["uuid"]
    path = stub.state.parent / "broken.xml"
    path.write_text(text)
    stub("fault", "add", "get_backup_tree", "answer", path, "--match", uuid, "--always")
    return uuid


@pytest.mark.parametrize(
    "options", [{"scope": "registered"}, {"vms": ["web-01", "web-02"]}, {"vms": ["web-0[12]"], "scope": "registered"}]
)
def test_a_damaged_answer_fails_and_the_message_names_vm_and_server(node, options):
    uuid = damage(node, "web-01")
    result = run_module("prl_backup_info", node, **options)
    assert result["failed"] and result["error"]["symbol"] == "DAMAGED_TREE"
    assert result["msg"].startswith("The backups of VM web-01 (%s), asked of localhost, cannot be read. " % uuid)
    assert "'on_damaged: skip'" in result["msg"]
    result = run_module("prl_backup_info", node, vms=[uuid])
    assert result["msg"].startswith("The backups of VM %s, asked of localhost, cannot be read. " % uuid), (
        "no list was asked for"
    )


def test_a_damaged_answer_can_be_skipped_and_the_vm_is_not_told_to_have_no_backup(node):
    whole = run_module("prl_backup_info", node, scope="registered")
    uuid = damage(node, "web-01")
    result = run_module("prl_backup_info", node, scope="registered", on_damaged="skip", missing="fail")
    assert [(unread["uuid"], unread["name"]) for unread in result["damaged"]] == [(uuid, "web-01")]
    assert "is damaged" in result["damaged"][0]["message"] and result["damaged"][0]["message"] in str(
        result["warnings"]
    )
    assert result["backup_trees"] == [tree for tree in whole["backup_trees"] if tree["vm"]["uuid"] != uuid]
    for vms in (["web-01", "nobody"], [uuid, "nobody"], ["web-01*", "nobody"]):
        result = run_module("prl_backup_info", node, vms=vms, scope="registered", on_damaged="skip")
        assert result["missing"] == ["nobody"] and len(result["damaged"]) == 1 and result["total"] == 0
    facts = run_module("prl_backup_facts", node, vms=["web-01"], scope="registered", on_damaged="skip")
    assert [unread["uuid"] for unread in facts["ansible_facts"]["prl_backups"]["damaged"]] == [uuid]
    node("fault", "clear")
    assert run_module("prl_backup_info", node, scope="registered", on_damaged="skip")["damaged"] == []


def test_of_a_vm_whose_own_directory_cannot_be_read_nothing_is_told(node):
    """Its chains in the default directory would look like all of them."""
    node("vm", "set", "web-01", "--backup-directory", "/mnt/new")
    uuid = damage(node, "web-01")
    for options in ({}, {"vms": ["web-*"]}):
        result = run_module("prl_backup_info", node, on_damaged="skip", **options)
        assert [unread["uuid"] for unread in result["damaged"]] == [uuid] and result["missing"] == []
        assert "web-01" not in names(result) and "web-02" in names(result)


def test_a_damaged_whole_tree_is_damage_of_everything(node):
    (node.state.parent / "broken.xml").write_text("<BackupTree><VmItem>")
    node(
        "fault", "add", "get_backup_tree", "answer", node.state.parent / "broken.xml", "--match", EVERYTHING, "--always"
    )
    for options in ({}, {"vms": ["web-*"]}, {"vms": ["gone"]}):
        result = run_module("prl_backup_info", node, on_damaged="skip", **options)
        assert (
            result["failed"]
            and "for all VMs together cannot be read, so nothing is known of any of them" in result["msg"]
        ), options
        assert "'scope: registered'" in result["msg"] and "backup_trees" not in result


def test_an_answer_for_another_vm_is_damage_of_the_one_that_was_asked_for(node):
    damage(node, "web-01", node("tree", vm(node, "web-02")["uuid"]))
    result = run_module("prl_backup_info", node, scope="registered", on_damaged="skip")
    assert [unread["name"] for unread in result["damaged"]] == ["web-01"] and "The answer is for" in result["damaged"][
        0
    ]["message"]
    assert "web-02" in names(result)


def test_the_server_that_keeps_the_backups_is_named(node, storage):
    node("fault", "add", "get_backup_tree", "answer", __file__, "--match", EVERYTHING, "--always")
    for given, named in ((storage, BACKUP), ({"default": True}, "the default backup server of localhost")):
        assert "The answer of %s for all VMs" % named in run_module("prl_backup_info", node, storage=given)["msg"]


# --- facts


def test_facts_carry_trees_summary_and_the_moment(node):
    info, facts = run_module("prl_backup_info", node), run_module("prl_backup_facts", node)
    gathered = facts["ansible_facts"]["prl_backups"]
    assert gathered["backup_trees"] == info["backup_trees"] and gathered["summary"] == info["summary"]
    assert gathered["gathered_at"].endswith("Z")
    assert set(facts["ansible_facts"]) == {"prl_backups"}
    unknown = "{AAAAAAAA-0000-4000-8000-00000000000a}"
    assert run_module("prl_backup_facts", node, vms=["nobody", unknown], gather=["summary"])["missing"] == [
        "nobody",
        unknown,
    ]


def test_results_survive_json(node):
    assert json.loads(json.dumps(run_module("prl_backup_info", node, latest_only=True)))
