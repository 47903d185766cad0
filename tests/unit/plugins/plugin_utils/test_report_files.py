"""The names of report files: no two hosts share one, on any disk, and each is a name that any tool takes."""

import re

import hypothesis
import pytest
from ansible_collections.prlsdk.core.plugins.plugin_utils._report_files import LONGEST, file_name
from hypothesis import strategies as st

#: Names that are near each other, or near to what the escape makes.
NEAR = st.text(alphabet="aA %25-._\u0431\u0411e\u0301\u00e9/\x00\ud800", max_size=8)
LONG = st.text(alphabet="aA\u0431", min_size=LONGEST - 2, max_size=LONGEST + 60)
NAMES = st.one_of(NEAR, st.text(max_size=12), NEAR.map(lambda text: text + "x" * LONGEST), LONG)


@pytest.mark.parametrize(
    "host, name",
    [
        ("localhost", "localhost"),
        ("db_1", "db_1"),
        ("db 1", "db%201"),
        ("db%201", "db%25201"),
        ("10.0.0.7", "10.0.0.7"),
        ("rack1/n4", "rack1%2fn4"),
        ("Web", "%57eb"),
        ("б", "%d0%b1"),
        ("é", "%c3%a9"),
        ("e\u0301", "e%cc%81"),
        ("", "%"),
        (".", "%2e"),
        ("..", "%2e."),
        (".hidden", "%2ehidden"),
        ("-rf", "%2drf"),
        ("a\x00\n", "a%00%0a"),
    ],
)
def test_what_is_no_plain_character_is_written_as_its_bytes(host, name):
    assert file_name(host) == name


@pytest.mark.parametrize(
    "hosts",
    [
        ("db 1", "db_1"),
        ("A", "a"),
        ("узел", "база"),
        ("", "%", ".", "..", "%25"),
        ("x" * 300, "x" * 301),
        ("é", "e\u0301"),
        ("\U0001f600", "\ud83d\ude00"),
    ],
)
def test_hosts_that_are_near_each_other_have_different_files(hosts):
    assert len({file_name(host).lower() for host in hosts}) == len(hosts)


def test_a_long_name_is_cut_and_stays_distinct():
    longest, more = file_name("x" * LONGEST), file_name("x" * (LONGEST + 1))
    assert longest == "x" * LONGEST
    assert re.fullmatch("x+%-[0-9a-f]{32}", more) and len(more) == LONGEST
    # No host can be called so that its plain escape is the name of a long one.
    assert file_name(more) != more


def test_a_name_is_not_cut_inside_of_an_escape():
    for length in range(LONGEST, LONGEST + 6):
        assert re.fullmatch("x*(%[0-9a-f]{2})*%-[0-9a-f]{32}", file_name("x" * (length % 3) + "б" * length))


@pytest.mark.property
@hypothesis.given(NAMES, NAMES)
def test_names_are_distinct_safe_and_short_enough(one, other):
    names = [file_name(host) for host in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    for name in names:
        assert re.fullmatch("[a-z0-9_%][a-z0-9._%-]*", name) and len(name) <= LONGEST
