# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup tree: the serialiser's text, and which backups a request shows."""

import pathlib
from xml.etree import ElementTree

import pytest

SAMPLE = pathlib.Path(__file__).parent / "vendor_tree.xml"
VM, CT, BY_ID, BY_CHAIN = 131072, 262144, 524288, 1048576
BOTH = VM | CT


@pytest.fixture
def sample(state):
    state.run("load", SAMPLE, "--register")
    return ElementTree.parse(SAMPLE).getroot()


@pytest.fixture
def tree(server, sample):
    def ask(subject="", flags=BOTH, host="", port=0, session=""):
        return server.get_backup_tree(subject, host, port, session, flags).wait(10000).get_param_as_string()

    return ask


def vm(sample, name):
    return next(item for item in sample if item.findtext("Name") == name)


def ids(text):
    """{chain uuid: [ids, head first]}"""
    return {
        item.findtext("Uuid"): [item.findtext("Id")]
        + [part.findtext("Id") for part in item.findall("PartialBackupItem")]
        for item in ElementTree.fromstring(text).iter("BackupItem")
    }


def names(text):
    return [item.findtext("Name") for item in ElementTree.fromstring(text)]


def test_a_vendor_tree_comes_back_byte_for_byte(tree):
    assert tree() == SAMPLE.read_text(encoding="utf-8")


def test_the_bindings_default_flags_hide_containers(server, tree):
    text = server.get_backup_tree("", "", 0, "").wait(10000).get_param_as_string()
    assert "ct-proxy" not in names(text)
    assert names(tree(flags=VM)) == names(text)
    assert names(tree(flags=CT)) == ["ct-proxy"]


@pytest.mark.parametrize("subject", ["{00000000-0000-0000-0000-000000000000}", "no such thing", "{9"])
@pytest.mark.parametrize("flags", [0, BY_ID, BY_CHAIN])
def test_what_is_unknown_or_malformed_gives_an_empty_tree(tree, subject, flags):
    assert tree(subject, BOTH | flags) == '<BackupTree id="-1" dyn_lists="VmItem 0"/>'


def test_one_vm(tree, sample):
    item = vm(sample, "gitlab")
    assert names(tree(item.findtext("Uuid"))) == ["gitlab"]
    assert tree(item.findtext("Uuid").strip("{}")).startswith('<BackupTree id="-1"')  # compared as text


def test_one_backup_id(tree, sample):
    chain = vm(sample, "gitlab").find("BackupItem").findtext("Uuid")
    assert ids(tree(chain, BOTH | BY_ID)) == {chain: [chain]}
    assert ids(tree(chain + ".4", BOTH | BY_ID)) == {chain: [chain, chain + ".4"]}
    assert ids(tree(chain + ".3", BOTH | BY_ID)) == {}  # a gap


def test_a_chain_from_an_increment_on(tree, sample):
    chain = vm(sample, "gitlab").find("BackupItem").findtext("Uuid")
    assert ids(tree(chain + ".4", BOTH | BY_CHAIN))[chain] == [chain] + [chain + ".%d" % number for number in (4, 6, 7)]
    assert len(ids(tree(chain, BOTH | BY_CHAIN))[chain]) == 5


def test_a_chain_request_adds_the_folders_after_it_whole(tree, sample):
    first, second = sorted(item.findtext("Uuid") for item in vm(sample, "old-win2008").findall("BackupItem"))
    assert set(ids(tree(first, BOTH | BY_CHAIN))) == {first, second}
    assert set(ids(tree(second, BOTH | BY_CHAIN))) == {second}


@pytest.mark.parametrize("subject, flags", [("", BY_ID), ("", BY_CHAIN), ("{x}", BY_ID | BY_CHAIN)])
def test_impossible_mixes_of_flags(tree, fails, subject, flags):
    with fails("PRL_ERR_INVALID_PARAM"):
        tree(subject, BOTH | flags)


def test_a_chain_being_written_is_hidden_and_one_being_read_is_not(state, tree, sample):
    chain = vm(sample, "gitlab").find("BackupItem").findtext("Uuid")
    state.run("lock", chain, "reading")
    assert chain in ids(tree())
    state.run("lock", chain, "writing")
    assert chain not in ids(tree())
    assert "gitlab" not in names(tree())
    state.run("unlock", chain)
    assert chain in ids(tree())


def test_a_directory_of_ones_own_is_read_only_when_the_vm_is_asked_for(state, tree, sample):
    uuid = vm(sample, "gitlab").findtext("Uuid")
    state.run("vm", "set", "gitlab", "--backup-directory", "/mnt/own")
    assert "gitlab" in names(tree())  # what is in the default directory still shows
    assert tree(uuid).startswith('<BackupTree id="-1"')
    state.run("load", SAMPLE, "--directory-of", "gitlab")
    assert names(tree(uuid)) == ["gitlab"]
    assert len(names(tree())) == 6


def test_the_result_is_a_bare_string(server, sample, fails):
    result = server.get_backup_tree("", "", 0, "").wait(10000)
    assert (len(result), result.get_params_count()) == (1, 1)
    assert result.get_param_by_index_as_string(0) == result.get_param_as_string()
    for broken in (result.get_param, lambda: result.get_param_by_index(0), lambda: result[0], lambda: list(result)):
        with fails("PRL_ERR_NO_DATA"):
            broken()
    with fails("PRL_ERR_INVALID_ARG"):
        result.get_param_by_index_as_string(1)
    with pytest.raises(IndexError):
        result[1]


def test_the_demonstration_is_the_same_for_the_same_instant(state, capsys):
    texts = []
    for _turn in range(2):
        state.run("init", "--uuid", "d23f0824-128b-4f33-8c5c-7fd0a6a3a450")
        state.run("demo", "--now", "2026-11-22T06:00:00Z", "--weeks", "4")
        capsys.readouterr()
        state.run("tree")
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    root = ElementTree.fromstring(texts[0])
    heads = [item.findtext("Id") == item.findtext("Uuid") for item in root.iter("BackupItem")]
    assert heads.count(False) == 1  # the promoted head
    assert (
        max(item.findtext("DateTime") for item in root.iter() if item.find("DateTime") is not None)
        < "2026-11-22 06:00:00"
    )
    listed = names(texts[0])
    assert "decommissioned-win2008" in listed and "erp" not in listed and "fresh-install" not in listed


def test_control_characters_are_written_as_they_are(server, tree, sample):
    """As QDomText does, so that no XML parser reads such a tree."""
    uuid = next(item.findtext("Uuid") for item in sample if item.findtext("VmType") == "0")
    server.create_vm_backup(uuid, "", 0, "", "red \x1b[31m \x01\x1f", 2048).wait(20000)
    text = tree(uuid)
    assert "<Description>red \x1b[31m \x01\x1f</Description>" in text
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(text)
