# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_pack``; its documentation is in ``retention_pack.yml``."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._packed import pack, unpack
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined


def retention_pack(value):
    """The value as one text; packed values directly in it are unpacked first."""
    try:
        refuse_undefined(value, "the value")
        return pack({key: unpack(member) for key, member in value.items()} if isinstance(value, dict) else value)
    except (InputError, TypeError, ValueError) as error:
        raise AnsibleFilterError("retention_pack: %s" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"retention_pack": retention_pack}
