# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups.ids import id_key, looks_like_uuid, parse_backup_id
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError

BARE = "36f675cc-81e7-4ef5-a8e2-5d940ed90475"
STORED = "{%s}" % BARE


@pytest.mark.parametrize("text", [BARE, STORED, STORED.upper(), f" {BARE.upper()}\n"])
def test_a_uuid_is_accepted_with_or_without_braces_in_any_case(text):
    assert looks_like_uuid(text)
    assert id_key(text) == id_key(STORED)
    assert parse_backup_id(text) == (STORED, None)


@pytest.mark.parametrize("text", [BARE + ".12", STORED + ".12", STORED.upper() + ".12 "])
def test_an_increment_id_gives_its_chain_and_its_number(text):
    assert parse_backup_id(text) == (STORED, 12)
    assert id_key(text) == id_key(STORED + ".12")
    assert not looks_like_uuid(text)


@pytest.mark.parametrize(
    "text",
    ["", "web-01", BARE[:-1], BARE + "0", "{" + BARE, BARE + "}", "{{" + BARE + "}}", STORED + ".", STORED + ".abc"],
)
def test_a_malformed_id_is_refused_and_named(text):
    with pytest.raises(InputError) as caught:
        parse_backup_id(text)
    assert caught.value.message.startswith(repr(text))


@pytest.mark.parametrize("text", [STORED + ".0", STORED + ".-1", STORED + ".٣", "{%s.2}" % BARE, STORED + ".2.3"])
def test_a_malformed_increment_number_is_refused(text):
    with pytest.raises(InputError):
        parse_backup_id(text)


def test_ids_that_differ_keep_different_keys():
    assert len({id_key(text) for text in (STORED, STORED + ".2", STORED + ".3", STORED.replace("3", "4"))}) == 4
