"""One VM's backups as a change sees them: what is not wholly understood is an error, never a smaller tree."""

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import live_tree, locate
from ansible_collections.prlsdk.core.plugins.module_utils._errors import PrlError
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Text

from tests.unit.plugins.module_utils.backups.model import VM, ModelServer

HERE = VM % 1


def served(*increments):
    server = ModelServer()
    for count in increments:
        server.add_chain(HERE, count)
    return server


def read(text):
    """(ids of all chains, their last numbers), or that the text is refused."""
    try:
        vm = live_tree.vm_from(locate.read(Text({"text": text}), HERE), HERE)
    except PrlError:
        return "damaged"
    return (
        [[backup.id for backup in chain.backups] for chain in vm.chains],
        [chain.last_number for chain in vm.chains],
        vm.version,
    )


def test_a_vm_has_the_chains_of_the_answer_and_none_where_it_is_not_in_it():
    server = served(2, 0)
    (first, second), numbers, version = read(server.text(HERE))
    assert len(first) == 3 and len(second) == 1 and numbers == [3, 0] and version == 5
    assert read(ModelServer().text(HERE)) == ([], [], 0)


@pytest.mark.parametrize(
    "old, new", [("<PartialBackupItem>", "<X><PartialBackupItem>"), ("<BackupItem>", "<X><BackupItem>")]
)
def test_an_element_that_is_not_at_its_level_is_none_of_the_chain(old, new):
    text = served(2, 2).text(HERE)
    close = old.replace("<", "</")
    moved = text.replace(old, new, 1).replace(close, close + "</X>", 1)
    assert sum(map(len, read(moved)[0])) < sum(map(len, read(text)[0]))


@pytest.mark.parametrize("cut", [20, 200, 400, -5])
def test_half_an_answer_is_no_answer(cut):
    assert read(served(2, 2).text(HERE)[:cut]) == "damaged"


@pytest.mark.parametrize("twin", ["chain", "increment"])
def test_ids_that_are_there_twice_are_refused(twin):
    text = served(1).text(HERE)
    tag = {"chain": "BackupItem", "increment": "PartialBackupItem"}[twin]
    begin, end = text.index("<%s>" % tag), text.index("</%s>" % tag) + len("</%s>" % tag)
    assert read(text[:end] + text[begin:end] + text[end:]) == "damaged"
