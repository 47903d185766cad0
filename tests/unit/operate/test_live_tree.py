"""A VM's tree read with what is known from the reading before is the tree read plainly, whatever has become of the text in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.prlsdk.core.plugins.module_utils import _live_tree
from tests.unit.operate.model import VM, ModelServer, contents

HERE = VM % 1


def served(*increments):
    server = ModelServer()
    for count in increments:
        server.add_chain(HERE, count)
    return server


def read(text, known=None):
    """What is read, or that the text is refused."""
    try:
        return contents(_live_tree.read_vm(text, HERE, known))
    except _live_tree.DamagedTree:
        return "damaged"


PIECES = [
    "<BackupItem>", '<BackupItem id="7">', "<BackupItem/>", "</BackupItem>", "<PartialBackupItem>", "<PartialBackupItem/>", "</PartialBackupItem>",
    "<Uuid>", "</Uuid>", "</Id>", "<Id>", "<X>", "</X>", "<X/>", "<VmItem>", "</VmItem>", "<!-- -->", "<![CDATA[", "]]>", "<?x?>", "&lt;", "!",
    "?", ">", "<", "\u00e9",
    "9",
]
edits = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 60), st.sampled_from([""] + PIECES)), max_size=3)


@pytest.mark.property
@given(increments=st.lists(st.integers(0, 3), min_size=1, max_size=3), edits=edits)
def test_a_text_that_has_changed_anywhere_is_read_as_if_it_were_the_first(increments, edits):
    server = served(*increments)
    known, text = {}, server.text(HERE)
    assert read(text, known) == read(text) != "damaged"
    for place, length, piece in edits:
        place %= len(text)
        text = text[:place] + piece + text[place + length:]
        assert read(text, known) == read(text)
    assert read(server.text(HERE), known) == read(server.text(HERE))


@pytest.mark.parametrize("old, new", [
    ("<PartialBackupItem>", "<X><PartialBackupItem>"), ("<BackupItem>", "<X><BackupItem>"),
])
def test_an_element_that_is_not_at_its_level_is_none_of_the_chain(old, new):
    text = served(2, 2).text(HERE)
    close = old.replace("<", "</")
    moved = text.replace(old, new, 1).replace(close, close + "</X>", 1)
    known = {}
    read(text, known)
    assert read(moved, known) == read(moved) != read(text)


def test_what_is_as_before_is_not_parsed_again(monkeypatch):
    server, known, parsed = served(30, 30), {}, []
    plain = _live_tree._parsed
    monkeypatch.setattr(_live_tree, "_parsed", lambda text: parsed.append(text) or plain(text))
    read(server.text(HERE), known)
    assert len(parsed) == 1 + 2 * 31
    for count in (1, 2):
        parsed.clear()
        server.raw_remove(HERE, server.vms[HERE][0].uuid + ".%d" % (32 - count), True)
        again = read(server.text(HERE), known)
        assert len(parsed) == 2 and len(again[4]) == 62 - count, "the frame of the VM, and that of the one chain that is not as before"
    parsed.clear()
    server.raw_remove(HERE, server.vms[HERE][0].uuid, False)
    assert len(read(server.text(HERE), known)[4]) == 31 and len(parsed) == 1


@pytest.mark.parametrize("declaration", ["<!DOCTYPE x>", "<!-- x -->", "<?xml version='1.0'?>", "<![CDATA[x]]>"])
def test_declarations_are_refused_and_marks_in_texts_are_not(declaration):
    text = served(1).text(HERE)
    assert read(declaration + text) == read(text.replace("<Name>", "<Name>" + declaration), {}) == "damaged"
    assert read(text.replace("<Name>", "<Name>Why?! Yes!?"), {}) == read(text)


@pytest.mark.parametrize("twin", ["chain", "increment"])
def test_ids_that_are_there_twice_are_refused(twin):
    text = served(1).text(HERE)
    tag = {"chain": "BackupItem", "increment": "PartialBackupItem"}[twin]
    begin, end = text.index("<%s>" % tag), text.index("</%s>" % tag) + len("</%s>" % tag)
    doubled = text[:end] + text[begin:end] + text[end:]
    assert read(doubled) == read(doubled, {}) == "damaged"
