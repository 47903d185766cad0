"""Text that XML cannot hold is read all the same; broken markup is not."""

import io
import time

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _xml_text
from ansible_collections.prlsdk.core.plugins.module_utils._backups import tree as _backup_tree
from ansible_collections.prlsdk.core.plugins.module_utils._errors import TreeError
from ansible_collections.prlsdk.core.plugins.module_utils._worker.protocol import encoded
from hypothesis import given
from hypothesis import strategies as st

VM, CHAIN = "{9531985d-5d9d-49f8-9818-e811892f902b}", "{36f675cc-81e7-4ef5-a8e2-5d940ed90475}"
TREE = b"""<BackupTree dyn_lists="VmItem 1" id="-1">
 <VmItem dyn_lists="BackupItem 1" id="0">
  <VmType>0</VmType>
  <Uuid>%(vm)s</Uuid>
  <Name>%(name)s</Name>
  <Version>5</Version>
  <BackupItem dyn_lists="TibFileList PartialBackupItem 1" id="0">
   <Uuid>%(chain)s</Uuid>
   <Id>%(chain)s</Id>
   <DateTime>2026-11-01 02:00:00</DateTime>
   <Size>7</Size>
   <Description>the full</Description>
   <PartialBackupItem dyn_lists="TibFileList" id="0">
    <Number>2</Number>
    <Id>%(chain)s.2</Id>
    <DateTime>2026-11-02 02:00:00</DateTime>
    <Size>7</Size>
    <Description>%(text)s</Description>
   </PartialBackupItem>
   <LastNumber>2</LastNumber>
  </BackupItem>
 </VmItem>
</BackupTree>
"""


def tree(text, name=b"web-01"):
    return TREE % {b"vm": VM.encode(), b"chain": CHAIN.encode(), b"text": text, b"name": name}


class Dripping(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def __init__(self, content, size):
        super().__init__(content)
        self._size = size

    def read(self, size=-1):
        return super().read(min(size, self._size) if size > 0 else self._size)


BAD = {
    "escape": (b"\x1b[31m", "\ufffd[31m"),
    "nul": (b"a\0b", "a\ufffdb"),
    "every control character": (bytes(set(range(32)) - {9, 10, 13}), "\ufffd" * 29),
    "decimal reference": (b"&#27;", "\ufffd"),
    "hexadecimal reference": (b"&#x1b;&#x1B;", "\ufffd\ufffd"),
    "reference with zeros": (b"&#x0000000000000000000000001b;", "\ufffd"),
    "reference to nul": (b"&#0;", "\ufffd"),
    "reference to a surrogate": (b"&#xD800;&#57343;", "\ufffd\ufffd"),
    "reference to a noncharacter": (b"&#xFFFE;&#65535;", "\ufffd\ufffd"),
    "reference to nothing": (b"&#x110000;&#99999999999999999999;", "\ufffd\ufffd"),
    "surrogate": (b"\xed\xa0\x80\xed\xbf\xbf", "\ufffd\ufffd"),
    "noncharacters": (b"\xef\xbf\xbe\xef\xbf\xbf", "\ufffd\ufffd"),
    "another encoding": (b"Z\xfcrich", "Z\ufffdrich"),
    "beside what is right": (
        "&lt;\x1b&amp;&#x41;&#xd;\ud7ff\ue000\ufffc\U0001f5c4\x7f\x85".encode(),
        "<\ufffd&A\r\ud7ff\ue000\ufffc\U0001f5c4\x7f\x85",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 1024, 1 << 20])
def test_lxml_reads_it_in_whatever_pieces_it_comes(name, size):
    text, wanted = BAD[name]
    altered = []
    (vm,) = _backup_tree.parse(Dripping(tree(text), size), altered=altered)
    full, increment = vm.chains[0].backups
    assert increment.description == wanted and full.description == "the full"
    assert altered == [("web-01", VM, CHAIN + ".2")]


def test_half_a_pair_that_the_binding_leaves_in_its_text_is_read():
    content = tree(b"HERE").decode().replace("HERE", "a\ud800b\udcffc")
    (vm,) = _backup_tree.parse(io.BytesIO(encoded(content)))
    assert vm.chains[0].backups[1].description == "a\ufffdb\ufffdc"


def test_a_vms_name_is_told_as_such():
    altered = []
    (vm,) = _backup_tree.parse(io.BytesIO(tree(b"good", b"web\x1b")), altered=altered)
    assert vm.name == "web\ufffd" and altered == [("web\ufffd", VM, None)]


def test_a_replacement_character_that_the_server_wrote_itself_is_no_warning():
    altered = []
    list(_backup_tree.parse(io.BytesIO(tree("\ufffd".encode())), altered=altered))
    assert altered == []


@pytest.mark.parametrize(
    "text",
    [
        b"&#;",
        b"&#x;",
        b"&#xg;",
        b"&#27",
        b"&",
        b"<",
        b"&nbsp;",
        b"&#X1b;",
        b"</Description>",
        b"&#" + b"0" * 80 + b"27;",
    ],
)
def test_broken_markup_is_damage_as_ever(text):
    for content in (tree(text), tree(b"\x1b" + text)):
        with pytest.raises(TreeError):
            list(_backup_tree.parse(io.BytesIO(content)))


PARTS = st.sampled_from(
    [
        b"\0",
        b"\x1b",
        b"a",
        b"&#27;",
        b"&#x",
        b"1b;",
        b"&",
        b"#",
        b"x",
        b"0",
        b";",
        b"\xed",
        b"\xa0",
        b"\x80",
        b"\xef",
        b"\xbf",
        b"\xbe",
        b"\xf0\x9f",
        b"\x97\x84",
        b"\xc3",
        b"\xfc",
        b"&#xd;",
        b"<",
        b">",
        "ü".encode(),
    ]
)


@given(st.lists(PARTS, max_size=40).map(b"".join), st.integers(1, 9))
def test_pieces_make_no_difference_and_nothing_is_replaced_twice(text, size):
    content = b"<BackupTree>" + b" " * 300 + text
    mender = _xml_text.Mender()
    mended = b"".join(
        [mender.feed(content[start : start + size]) for start in range(0, len(content), size)] + [mender.end()]
    )
    assert mended == _xml_text.mend(content)
    assert _xml_text.mend(mended) is mended
    assert all(_xml_text.is_legal(ord(character)) for character in mended.decode("utf-8"))


@given(st.text(st.characters(blacklist_categories=["Cs"]).filter(lambda character: _xml_text.is_legal(ord(character)))))
def test_what_xml_can_hold_is_not_touched(text):
    content = tree(text.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#xd;").encode())
    assert _xml_text.mend(content) is content


@pytest.mark.parametrize("unit", [b"x", b"\x1b", b"&#27;", b"&", b"&#", b"\xed\xa0\x80", b"\xed", b"\xff", b"&#0"])
def test_the_time_grows_with_the_size_and_no_faster(unit):
    def seconds(size):
        content = b"<BackupTree>" + unit * (size // len(unit))
        best = []
        for _time in range(3):
            begin = time.process_time()
            _xml_text.mend(content)
            best.append(time.process_time() - begin)
        return min(best)

    assert seconds(4_000_000) < 40 * max(seconds(400_000), 0.001)


def test_a_warning_names_some_and_counts_the_rest():
    places = [("web", VM, CHAIN + ".%d" % number) for number in range(2, 9)] + [("web", VM, None)]
    told = _xml_text.warning(places + places)
    assert CHAIN + ".2 of VM 'web' (%s)" % VM in told and "and 3 more" in told
