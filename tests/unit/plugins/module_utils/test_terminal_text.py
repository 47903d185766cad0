"""What comes from outside is shown without any character that a terminal obeys."""

import sys
import unicodedata

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, prefix_errors
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable, printable_lines
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2J", "a\\x1b[2J"),
        ("a\nb\rc\td\0", "a\\nb\\rc\\td\\x00"),
        ("a\x7f\x85\x9b", "a\\x7f\\x85\\x9b"),
        (
            "\u2028\u2029\u061c\u200e\u200f\u202a\u202e\u2066\u2069",
            "\\u2028\\u2029\\u061c\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069",
        ),
        ("\ufeff\u200b\u200d\u00ad\ufffe\uffff\ud800", "\\ufeff\\u200b\\u200d\\xad\\ufffe\\uffff\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("Zürich Казань 東京\u3000\u00a0\ufffd 🗄", "Zürich Казань 東京\u3000\u00a0\ufffd 🗄"),
        ("C:\\new", "C:\\new"),
        (None, "None"),
    ],
)
def test_what_a_terminal_obeys_is_shown_as_an_escape(text, shown):
    assert printable(text) == shown


def test_every_character_of_these_kinds_is_replaced_and_no_other():
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        kept = printable(character) == character
        assert kept is (
            unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in (0xFFFE, 0xFFFF)
        ), hex(code)


@given(st.text())
def test_a_text_that_was_made_printable_stays_as_it_is(text):
    assert printable(printable(text)) == printable(text)


def test_only_the_breaks_between_lines_are_real():
    assert printable_lines(["a\nb", "c\u2028"]) == "a\\nb\nc\\u2028\n"


def test_every_error_is_printable_also_with_an_option_before_it():
    with pytest.raises(InputError) as caught, prefix_errors("vm\x1b"):
        raise InputError("'a\x9b' is no VM.")
    assert caught.value.message == str(caught.value) == "vm\\x1b: 'a\\x9b' is no VM."
