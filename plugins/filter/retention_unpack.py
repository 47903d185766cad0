# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_unpack``; its documentation is in ``retention_unpack.yml``."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._packed import unpack, unpack_text
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined


def retention_unpack(packed, text=False):
    """What was packed, or its JSON."""
    try:
        refuse_undefined(packed, "the packed value")
        return unpack_text(packed) if text else unpack(packed)
    except InputError as error:
        raise AnsibleFilterError("retention_unpack: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"retention_unpack": retention_unpack}
