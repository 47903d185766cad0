# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest's text, which must not change by accident: a digest that was reviewed under one release is applied under the next."""

import hashlib
import json

import pytest
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import inventory
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import policy as policies
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.digest import Digest
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import named

from .strategies import backup, chain, tree

ODD = 'a "quoted" back\\slash, a line\nbreak, \x00, \x7f, café, \U0001f4be'
POLICY = policies.read({"last": 1})
TREES = [
    tree(
        chain(
            "{c}",
            backup("{c}", 1, 1789275602, description=ODD),
            backup("{c}", 2, 1789362002, description=ODD, server=ODD),
        ),
        name=ODD,
    ),
    tree(name="empty", uuid="{a2}"),
]


def _digest(trees):
    digest = Digest(POLICY, named("UTC"), 1789362002)
    for vm in inventory.read(trees):
        digest.add(vm)
    return digest.hexdigest()


def test_the_digest_is_that_of_the_policy_and_of_the_columns_of_each_vm():
    policy = json.dumps([6, "2026-09-14", POLICY.normalised()], sort_keys=True)
    texts = "\x1f".join(["{c}", "{c}", "{c}", "{c}.2", "full", "incremental", ODD, ODD, "root", "root", "{5e}", ODD])
    numbers = [[1789275602, 1789362002], [1, 2], [10, 10], len(texts)]
    first, second = json.dumps([ODD, "{a1}", "vm", 5, *numbers]), json.dumps(["empty", "{a2}", "vm", 5, [], [], [], 0])
    vms = sorted([(ODD, "%s\n%s" % (first, texts)), ("empty", second + "\n")])
    assert (
        _digest(TREES)
        == hashlib.sha256("".join([policy + "\n", *(text for name, text in vms)]).encode("utf-8")).hexdigest()
    )


def test_the_texts_of_many_backups_are_written_as_those_of_few():
    ids = ["{c}"] + ["{c}.%d" % number for number in range(2, 101)]
    trees = [tree(chain("{c}", *(backup("{c}", number, 1789275602 + number) for number in range(1, 101))))]
    texts = "\x1f".join(
        ["{c}"] * 100 + ids + ["full"] + ["incremental"] * 99 + [""] * 100 + ["root"] * 100 + ["{5e}"] * 100
    )
    numbers = [[1789275602 + number for number in range(1, 101)], list(range(1, 101)), [10] * 100, len(texts)]
    policy = json.dumps([6, "2026-09-14", POLICY.normalised()], sort_keys=True)
    expected = "%s\n%s\n%s" % (policy, json.dumps(["web", "{a1}", "vm", 5, *numbers]), texts)
    assert _digest(trees) == hashlib.sha256(expected.encode("ascii")).hexdigest()


@pytest.mark.parametrize("other", [("a", "\x1fb"), ("\x1fa", "b"), ("a\x1fb", ""), ("", "a\x1fb"), ("a", "b")])
def test_texts_that_have_the_joint_in_them_are_told_apart(other):
    one, another = (
        [tree(chain("{c}", {**backup("{c}", 1, 1789275602), "description": texts[0], "creator": texts[1]}))]
        for texts in (("a\x1f", "b"), other)
    )
    assert _digest(one) != _digest(another)


def test_no_text_looks_like_another_vm():
    empty = json.dumps(["z", "{a2}", "vm", 5, [], [], [], 0]) + "\n"
    alone = [tree(chain("{c}", backup("{c}", 1, 1789275602, server="{5e}" + empty)))]
    beside = [tree(chain("{c}", backup("{c}", 1, 1789275602, server="{5e}"))), tree(name="z", uuid="{a2}")]
    assert _digest(alone) != _digest(beside)
