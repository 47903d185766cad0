"""Names of events against the vendor's constants, and what users may write."""

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._events import catalogue as _events
from prl_stub.numbers import CONSTS, ERRORS

VENDOR = {name: number for name, number in CONSTS.items() if name.startswith(("PET_DSP_", "PET_JOB_", "PET_VM_"))}


def test_every_event_of_the_vendor_has_its_number_and_no_other_is_known():
    assert dict(_events.NUMBERS, **_events.ALIASES) == VENDOR
    assert len({_events.short(name) for name in VENDOR}) == len(VENDOR), "short names must not clash"


def test_states_answers_and_issuers_have_the_vendors_numbers():
    assert {"VMS_" + name.upper(): number for name, number in _events.STATES.items()} == {
        k: v for k, v in CONSTS.items() if k.startswith("VMS_")
    }
    assert {"PET_ANSWER_" + name.upper(): n for name, n in _events.ANSWERS.items()} == {
        k: v for k, v in ERRORS.items() if k.startswith("PET_ANSWER_")
    }
    assert {"PIE_" + name.upper(): number for name, number in _events.ISSUERS.items()} == {
        k: v for k, v in CONSTS.items() if k.startswith("PIE_")
    }


@pytest.mark.parametrize("name", sorted(set(_events.NEVER_SENT) | set(_events.MISLEADING)))
def test_a_name_that_leads_nowhere_is_accepted_with_advice(name):
    numbers, warnings = _events.types_of(name, "events[0].type")
    assert numbers == [VENDOR["PET_DSP_EVT_" + name.upper()]]
    assert len(warnings) == 1 and warnings[0].startswith("events[0].type: ") and name in warnings[0]
    assert _events.types_of(str(numbers[0]), "x")[1], "also by number"


def test_a_glob_warns_only_when_all_that_it_means_is_never_sent():
    assert _events.types_of("*backup*", "x")[1] == []
    assert _events.types_of("client_*", "x")[1] != []
    assert _events.types_of("*", "x") == (None, [])


def test_a_number_that_nobody_knows_is_taken_as_it_is():
    assert _events.types_of(199999, "x") == ([199999], [])
    assert _events.name_of(199999) == "199999"


@pytest.mark.parametrize(
    "written, meant",
    [
        ("create_backup_finish", "create_backup_finished"),
        ("vm_state_change", "vm_state_changed"),
        ("PET_DSP_EVT_VM_ADED", "pet_dsp_evt_vm_added"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(written, meant):
    with pytest.raises(InputError, match="Did you mean .*%s" % meant):
        _events.types_of(written, "events[0].type")


@pytest.mark.parametrize(
    "written, number", [(37017, 37017), ("37017", 37017), (-2147483627, 0x80000015), ("0x80000015", 0x80000015)]
)
def test_codes_are_unsigned(written, number):
    assert _events.code(written, "x") == number


@pytest.mark.parametrize(
    "written, number",
    [(True, 16002), (False, 16003), ("retry", 16029), ("PET_ANSWER_OK", 16000), ("16001", 16001), (16031, 16031)],
)
def test_an_answer_is_a_name_a_number_or_what_yaml_makes_of_yes_and_no(written, number):
    assert _events.answer(written, "answer") == number
