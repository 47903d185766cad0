# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``retention_conclusion``; its documentation is in ``retention_conclusion.yml``."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._packed import unpack
from ansible_collections.prlsdk.core.plugins.plugin_utils._templated import refuse_undefined


def retention_conclusion(plan, state="planned", confirmed=False, stops=False):
    """What became of a plan, as one paragraph."""
    # Loaded when it is called: to find one filter, each task that uses one loads the files of all of them.
    from ansible_collections.prlsdk.core.plugins.plugin_utils._report.conclusion import conclude

    try:
        refuse_undefined(plan, "plan")
        return conclude(unpack(plan), state, confirmed, stops)
    except InputError as error:
        raise AnsibleFilterError("retention_conclusion: %s" % error) from error
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError("retention_conclusion: this is not a plan as retention_plans makes it (%r)" % error) from error


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self):
        """Name -> function."""
        return {"retention_conclusion": retention_conclusion}
