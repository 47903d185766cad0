# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest's text, which must not change by accident: a digest that was reviewed under one release is applied under the next."""

import hashlib
import json

from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import inventory
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import policy as policies
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.digest import ENGINE, Digest
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.zone import named

from .forests import backup, chain, tree

ODD = 'a "quoted" back\\slash, a line\nbreak, \x00, \x7f, café, \U0001f4be'
POLICY = policies.read({"last": 1})
TREES = [
    tree(chain("{c}", backup("{c}", 1, 1789275602, description=ODD), backup("{c}", 2, 1789362002, description=ODD, server=ODD)), name=ODD),
    tree(name="empty", uuid="{a2}"),
]


def test_the_digest_is_that_of_the_json_of_policy_and_inventory():
    vms = inventory.read(TREES)
    digest = Digest(POLICY, named("UTC"), 1789362002)
    for vm in vms:
        digest.add(vm)
    texts = [json.dumps(part, sort_keys=True) + "\n" for part in ([ENGINE, "2026-09-14", POLICY.normalised()], *vms)]
    assert digest.hexdigest() == hashlib.sha256("".join(texts).encode("ascii")).hexdigest()
