"""A large value as one text: what comes out is what went in, or an error."""

import hypothesis
import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._packed import pack, unpack
from hypothesis import strategies as st

LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


@pytest.mark.property
@hypothesis.given(VALUES)
def test_packing_is_undone_by_unpacking(value):
    packed = pack(value)
    assert packed.isascii() and unpack(packed) == value


@pytest.mark.property
@hypothesis.given(VALUES, st.data())
def test_a_text_with_something_masked_in_it_is_refused(value, data):
    """Ansible puts asterisks in the place of what looks like a password of the task."""
    packed = pack(value)
    place = data.draw(st.integers(0, len(packed) - 4))
    with pytest.raises(ValueError):
        unpack(packed[:place] + "********" + packed[place + 4 :])


@pytest.mark.parametrize("text", ["", ":", "no packed value", "\udc00"])
def test_what_is_no_packed_value_is_refused(text):
    with pytest.raises(ValueError):
        unpack(text)
