"""The matcher against a reference of a few lines, and its single conditions."""

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._events import match
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.events.reference import EVENTS, QUESTION, UUIDS, event, reference


def fits(raw, **of_event):
    return match.Specification(raw).fits(event(**of_event))


@pytest.mark.property
@given(sequence=EVENTS, question=st.fixed_dictionaries(QUESTION))
def test_the_matcher_decides_as_the_reference_does(sequence, question):
    tally = match.Tally(**question)
    decided = None
    for place, one in enumerate(sequence):
        tally.feed(one)
        if tally.outcome and decided is None:
            decided = place
    assert (tally.outcome, decided) == reference(sequence, **question)
    assert len(tally.events) <= question["count"] * len(question["events"])
    assert tally.types() is None or {one["type_id"] for one in tally.events} <= set(tally.types())


# --- single conditions


@pytest.mark.parametrize(
    "condition, value, holds",
    [
        ({"equals": 50}, 50, True),
        ({"equals": "50"}, 50, True),
        ({"equals": 50}, "50", True),
        ({"equals": 50}, "x", False),
        ({"equals": 1}, True, False),
        ({"equals": True}, True, True),
        ({"equals": "True"}, True, True),
        ({"equals": "yes"}, True, False),
        ({"equals": "a"}, "A", False),
        ({"equals": UUIDS[0]}, UUIDS[0].strip("{}").upper(), True),
        ({"equals": "AAAAAAAA-0000-4000-8000-000000000001.3"}, UUIDS[0] + ".3", True),
        ({"equals": UUIDS[0]}, UUIDS[0] + ".3", False),
        ({"equals": "x"}, None, False),
        ({"equals": ""}, "", True),
        ({"equals": "007"}, "7", False),
        ({"one_of": [1, "b"]}, "1", True),
        ({"one_of": [1, "b"]}, "b", True),
        ({"one_of": [1, "b"]}, 2, False),
        ({"regex": "b+"}, "abbc", True),
        ({"regex": "^b"}, "ab", False),
        ({"regex": "5"}, 50, True),
        ({"regex": "x"}, None, False),
        ({"min": 5}, 5, True),
        ({"min": 5}, "6", True),
        ({"min": 5}, 4, False),
        ({"max": 5}, 6, False),
        ({"min": 1, "max": 2}, 2, True),
        ({"min": 0}, "a", False),
        ({"min": 0}, None, False),
        ({"min": 0}, True, False),
        ({"min": 1.5}, "1.6", True),
    ],
)
def test_a_parameter_meets_its_condition(condition, value, holds):
    assert fits({"params": {"p": condition}}, p=value) is holds
    assert not fits({"params": {"q": condition}}, p=value), "a parameter that is not there meets nothing"


def test_a_vm_is_known_by_its_uuid_in_any_spelling():
    assert fits({"vm": UUIDS[0]}, issuer=UUIDS[0].strip("{}").upper())
    assert not fits({"vm": UUIDS[0]}, issuer=UUIDS[1])
    assert fits({"issuer_id": "root"}, issuer="root") and not fits({"issuer_id": "root"}, issuer="Root")
    assert not fits({"issuer_type": 0}) and fits({"issuer_type": 1})


def test_nothing_counts_after_the_end():
    tally = match.Tally([{"types": [1]}], "any", 1, [{"types": [2]}])
    assert tally.feed(event(1)) and not tally.feed(event(2)) and not tally.feed(event(1))
    assert tally.outcome == "matched" and tally.failed_on is None and len(tally.events) == 1
