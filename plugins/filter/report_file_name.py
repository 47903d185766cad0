# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``report_file_name``; its documentation is in ``report_file_name.yml``."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.plugin_utils._file_name import file_name


def report_file_name(host):
    """The name of a host's report files, without a suffix."""
    if not isinstance(host, str):
        raise AnsibleFilterError("report_file_name: a host's name must be a text, not %s" % type(host).__name__)
    return file_name(host)


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"report_file_name": report_file_name}
