# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import importlib.util
import io
import pathlib
import sys

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import tree as _backup_tree
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import as_result, parse
from ansible_collections.prlsdk.core.plugins.module_utils._errors import (
    MissingLibraryError,
    TemporaryFolderError,
    TreeError,
)

DATA = pathlib.Path(__file__).resolve().parents[3] / "data"
CHAIN = "{bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb}"

VM = "<BackupTree>\n<VmItem>\n<VmType>0</VmType>\n<Uuid>{11111111-1111-4111-8111-111111111111}</Uuid>\n<Name>web</Name>\n%s</VmItem>\n</BackupTree>"
ITEM = f"<BackupItem>\n<Uuid>{CHAIN}</Uuid>\n<Id>{CHAIN}</Id>\n<DateTime>2026-03-03 03:00:00</DateTime>\n<Size>1</Size>\n%s</BackupItem>\n"
INCREMENT = f"<PartialBackupItem>\n<Number>2</Number>\n<Id>{CHAIN}.2</Id>\n<DateTime>2026-03-04 03:00:00</DateTime>\n<Size>1</Size>\n</PartialBackupItem>\n"
WHOLE = VM % (ITEM % INCREMENT)


def read(text, **options):
    return list(parse(io.BytesIO(text.encode() if isinstance(text, str) else text), **options))


def refused(text, **options):
    with pytest.raises(TreeError) as caught:
        read(text, **options)
    message = caught.value.message
    assert message.startswith("The server's backup tree ")
    assert "changed nothing" in message and message.endswith(".") and "\n" not in message
    return message


def test_the_servers_own_text_is_read_whole():
    trees = list(parse(str(DATA / "node.xml"), disks=True, files=True))
    assert [(tree.name, tree.type, tree.storage_version) for tree in trees] == [
        ("web-01", "vm", 5),
        ('Бухгалтерия <b>R&D</b> "№ 5"', "vm", 5),
        ("ct-proxy", "ct", 5),
    ]
    assert [[len(chain.backups) for chain in tree.chains] for tree in trees] == [[3, 2], [3, 2], [3, 2]]
    assert trees[0].uuid == "{9531985d-5d9d-49f8-9818-e811892f902b}"
    full, first, _second = trees[0].chains[0].backups
    assert full == _backup_tree.Backup(
        id="{36f675cc-81e7-4ef5-a8e2-5d940ed90475}",
        type="full",
        number=1,
        created="2026-09-13T03:00:02Z",
        size=15000000000,
        description="weekly full",
        creator="root",
        host="node-b.example",
        server_uuid="{d23f0824-128b-4f33-8c5c-7fd0a6a3a450}",
        disks=(
            _backup_tree.Disk(
                "harddisk.hdd", "/vz/vmprivate/9531985d-5d9d-49f8-9818-e811892f902b/harddisk.hdd", 68719476736, ""
            ),
        ),
        files=("harddisk.hdd.qcow2",),
    )
    assert (first.id, first.type, first.number, first.files) == (
        "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}.2",
        "incremental",
        2,
        ("harddisk.hdd.2.qcow2",),
    )
    assert trees[0].chains[0].last_number == 3


def test_disks_and_files_are_read_only_when_asked_for():
    for tree in parse(DATA / "node.xml"):
        for chain in tree.chains:
            assert {(backup.disks, backup.files) for backup in chain.backups} == {(None, None)}
    backup = read(WHOLE, disks=True, files=True)[0].chains[0].backups[0]
    assert (backup.disks, backup.files) == ((), ())


def test_an_empty_tree_is_no_error():
    assert list(parse(DATA / "empty.xml")) == []


def test_a_promoted_head_is_the_full_of_its_chain():
    (tree,) = parse(DATA / "promoted.xml")
    oldest, promoted = tree.chains
    assert [(backup.id[-3:], backup.type, backup.number) for backup in promoted.backups] == [
        ("}.3", "full", 3),
        ("}.5", "incremental", 5),
        ("}.9", "incremental", 9),
        (".10", "incremental", 10),
    ]
    assert promoted.last_number == 12
    assert oldest.backups[0].size == 2**64 - 1


def test_unknown_elements_and_known_ones_out_of_place_are_ignored():
    (tree,) = parse(DATA / "unknown.xml", disks=True)
    assert (tree.uuid, tree.name, tree.type, tree.storage_version) == (
        "{11111111-1111-4111-8111-111111111111}",
        "",
        "vm",
        0,
    )
    (chain,) = tree.chains
    assert (chain.uuid, chain.last_number) == (CHAIN, 0)
    assert [(backup.id, backup.type, backup.number, backup.size) for backup in chain.backups] == [
        (CHAIN, "full", 1, 1),
        (CHAIN + ".2", "incremental", 2, 2),
    ]
    assert chain.backups[0].disks == (_backup_tree.Disk("", "", 0, ""),)
    assert set(chain.backups[1][5:9]) == {""}


def test_duplicate_ids_are_kept_for_others_to_refuse():
    (tree,) = read(VM % (ITEM % (INCREMENT * 2) + ITEM % ""))
    assert [len(chain.backups) for chain in tree.chains] == [3, 1]


@pytest.mark.parametrize("number, expected", [("0", "vm"), ("1", "ct"), ("2", "ct"), ("3", "ct")])
def test_the_type_of_the_virtual_environment(number, expected):
    assert read(WHOLE.replace("<VmType>0", "<VmType>" + number))[0].type == expected


def test_comments_do_not_split_a_text():
    assert read(WHOLE.replace(">web<", ">we<!-- x -->b<?x y?>-<![CDATA[01 ]]><"))[0].name == "web-01 "


@pytest.mark.parametrize(
    "old, new, expected, line",
    [
        ("<Uuid>{11111111-1111-4111-8111-111111111111}</Uuid>", "", "a VmItem has no Uuid", 2),
        ("<Uuid>{11111111-1111-4111-8111-111111111111}</Uuid>", "<Uuid> </Uuid>", "a VmItem has no Uuid", 2),
        ("<VmType>0", "<VmType>4", "VmType is 4", 2),
        ("<VmType>0", "<VmType>", "a VmItem has no VmType", 2),
        ("<VmType>0", "<VmType>x", "the VmType of a VmItem is x", 2),
        (f"<Id>{CHAIN}</Id>", "", "a BackupItem has no Id", 6),
        (f"<Id>{CHAIN}.2</Id>", "<Id/>", "a PartialBackupItem has no Id", 11),
        ("<DateTime>2026-03-03 03:00:00</DateTime>", "", "a BackupItem has no DateTime", 6),
        ("<DateTime>2026-03-04 03:00:00</DateTime>", "", "a PartialBackupItem has no DateTime", 11),
        ("2026-03-04 03:00:00", "2026-02-29 03:00:00", "the DateTime of a PartialBackupItem is 2026-02-29", 11),
        ("2026-03-03 03:00:00", "2026-03-03 24:00:00", "the DateTime of a BackupItem is", 6),
        ("2026-03-03 03:00:00", "2026-03-03 03:00:60", "the DateTime of a BackupItem is", 6),
        ("2026-03-03 03:00:00", "2026-03-03T03:00:00Z", "the DateTime of a BackupItem is", 6),
        ("2026-03-03 03:00:00", "0000-03-03 03:00:00", "the DateTime of a BackupItem is", 6),
        ("2026-03-03 03:00:00", "２026-03-03 03:00:00", "the DateTime of a BackupItem is", 6),
        ("<Size>1</Size>\n<Part", "<Part", "a BackupItem has no Size", 6),
        ("<Size>1</Size>\n<Part", "<Size>-1</Size>\n<Part", "the Size of a BackupItem is -1", 6),
        ("<Size>1</Size>\n<Part", "<Size>1_0</Size>\n<Part", "the Size of a BackupItem is 1_0", 6),
        ("<Size>1</Size>\n<Part", "<Size>1e3</Size>\n<Part", "the Size of a BackupItem is 1e3", 6),
        (
            "<Size>1</Size>\n<Part",
            "<Size>18446744073709551616</Size>\n<Part",
            "the Size of a BackupItem is 18446744073709551616",
            6,
        ),
        ("<Size>1</Size>\n<Part", "<Size>٣</Size>\n<Part", "the Size of a BackupItem is", 6),
        ("<Number>2<", "<Number>x<", "the Number of a PartialBackupItem is x", 11),
        ("<Number>2<", "<Number>3<", "has the number 3", 11),
        (CHAIN + ".2<", CHAIN + ".abc<", "has the number 2", 11),
        (CHAIN + ".2<", CHAIN.replace("b", "c") + ".2<", "stands in the chain " + CHAIN, 11),
        (f"<Id>{CHAIN}</Id>", f"<Id>{CHAIN}.abc</Id>", "stands in the chain " + CHAIN, 6),
        ("<Size>1</Size>\n<Part", "<Size>1</Size><Size>2</Size>\n<Part", "a BackupItem has the same element twice", 6),
    ],
)
def test_an_item_that_cannot_be_used_is_refused_with_its_line(old, new, expected, line):
    assert WHOLE.count(old) == 1
    message = refused(WHOLE.replace(old, new))
    assert expected in message
    assert f"at line {line}." in message


def test_the_line_is_right_far_into_a_big_document():
    text = VM % ("<New/>\n" * 70000 + ITEM % INCREMENT.replace("<Size>1", "<Size>x"))
    assert "at line 70011." in refused(text)


def test_a_text_that_is_cut_off_is_refused_wherever_it_ends():
    whole = (DATA / "node.xml").read_bytes()
    for end in range(0, len(whole) - len("\n"), 97):
        refused(whole[:end])
    assert len(read(whole[: -len("\n")])) == 3
    for end in range(2, 20):
        refused(whole[:-end])


@pytest.mark.parametrize(
    "text, expected",
    [
        (WHOLE.replace("</Name>", "</Nam>"), "at line 5, column"),
        (WHOLE.replace("<Name>", "<Name>&nbsp;"), "Entity 'nbsp' not defined at line 5, column"),
        (WHOLE + "x", "Extra content at the end of the document at line"),
        (WHOLE[:-20], "at line"),
        ("<BackupTr", "at line 1, column"),
    ],
)
def test_malformed_text_is_refused_with_line_and_column(text, expected):
    assert expected in refused(text)


@pytest.mark.parametrize("text", [b"", b" \n\n", b"\t" * 100000])
def test_an_empty_answer_is_not_an_empty_tree(text):
    assert "the answer is empty" in refused(text)


@pytest.mark.parametrize(
    "text, root",
    [
        ("<html/>", "html"),
        ("<VmItem/>", "VmItem"),
        ('<BackupTree xmlns="urn:x"/>', "{urn:x}BackupTree"),
        ("<Дерево/>", "Дерево"),
    ],
)
def test_a_foreign_root_is_refused_by_name(text, root):
    assert f"its root element is {root} and not BackupTree" in refused(text)


class Trickle:
    """A stream that gives as few bytes at a time as a pipe may."""

    def __init__(self, content, step=1):
        self._stream, self._step = io.BytesIO(content), step

    def read(self, _size):
        return self._stream.read(self._step)


@pytest.mark.parametrize("step", [1, 3, 7, 1021])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_pieces_in_which_the_text_comes_make_no_difference(encoding, step):
    content = (DATA / "node.xml").read_text(encoding="utf-8")
    assert list(parse(Trickle(content.encode(encoding), step))) == list(parse(DATA / "node.xml"))


def test_the_caller_may_stop_early():
    generator = parse(DATA / "node.xml")
    assert next(generator).name == "web-01"
    generator.close()


def test_a_file_that_cannot_be_read_is_a_tree_error(tmp_path):
    with pytest.raises(TemporaryFolderError, match="could not be read back from the temporary folder: .*gone.xml"):
        list(parse(tmp_path / "gone.xml"))
    closed = io.BytesIO(b"<BackupTree/>")
    closed.close()
    with pytest.raises(TemporaryFolderError, match="could not be read back"):
        list(parse(closed))


def test_the_result_has_exactly_the_documented_keys():
    tree = next(parse(DATA / "promoted.xml"))
    result = as_result(tree, registered=True)
    assert result["vm"] == {
        "uuid": tree.uuid,
        "name": "promoted",
        "type": "vm",
        "storage_version": 5,
        "registered": True,
    }
    assert set(result) == {"vm", "omitted", "others", "chains"} and result["omitted"] == 0 and result["others"] is None
    chain = result["chains"][1]
    assert (chain["uuid"], chain["size"], chain["directory"]) == (CHAIN, 3024, None)
    assert chain["backups"][1] == {
        "id": CHAIN + ".5",
        "type": "incremental",
        "number": 5,
        "created": "2026-03-05T03:00:00Z",
        "size": 5,
        "description": "",
        "creator": "root",
        "host": "node-a.example",
        "server_uuid": "{aaaaaaaa-0000-4000-8000-00000000000a}",
    }
    assert as_result(tree)["vm"]["registered"] is None


def test_disks_and_files_are_in_the_result_when_gathered():
    tree = next(parse(DATA / "node.xml", disks=True, files=True))
    backup = as_result(tree)["chains"][0]["backups"][1]
    assert backup["files"] == ["harddisk.hdd.2.qcow2"]
    assert backup["disks"] == [
        {
            "name": "harddisk.hdd",
            "original_path": "/vz/vmprivate/9531985d-5d9d-49f8-9818-e811892f902b/harddisk.hdd",
            "size": 68719476736,
            "encryption_key_id": "",
        }
    ]


def test_the_module_can_be_imported_without_lxml(monkeypatch):
    monkeypatch.setitem(sys.modules, "lxml", None)
    spec = importlib.util.spec_from_file_location("tree_without_lxml", _backup_tree.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert _backup_tree.HAS_LXML and _backup_tree.LXML_IMPORT_ERROR is None
    assert not module.HAS_LXML and "lxml" in module.LXML_IMPORT_ERROR
    with pytest.raises(MissingLibraryError, match="lxml is missing"):
        list(module.parse(DATA / "node.xml"))
