# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup ``retention_plans``: the filter of that name for inventories that are too large to be templated."""

from __future__ import annotations

DOCUMENTATION = r"""
name: retention_plans
short_description: Plan the retention of many backups without templating each of them
version_added: 1.0.0
author:
  - The prlsdk.core developers (!UNKNOWN)
description:
  - As the filter P(prlsdk.core.retention_plans#filter), with which it shares its options. It takes the name of a registered result instead of the
    backup trees, and returns the plan packed, with the small parts of it beside.
  - Ansible templates each of the values that a filter is given and that it returns. For 100,000 backups that takes minutes, and planning takes
    seconds.
options:
  _terms:
    description:
      - The name of the variable with the result of M(prlsdk.core.prl_backup_info). Nothing is planned for the VMs in its C(damaged).
    type: list
    elements: str
    required: true
  policy:
    description:
      - What to keep, as O(prlsdk.core.retention_plans#filter:policy).
    type: dict
    required: true
  now:
    description:
      - The instant for which to plan, as O(prlsdk.core.retention_plans#filter:now).
    type: raw
  overrides:
    description:
      - As O(prlsdk.core.retention_plans#filter:overrides).
    type: list
    elements: dict
    default: []
  exclude:
    description:
      - As O(prlsdk.core.retention_plans#filter:exclude).
    type: list
    elements: dict
    default: []
  guards:
    description:
      - As O(prlsdk.core.retention_plans#filter:guards).
    type: dict
    default: {}
  earlier:
    description:
      - The RV(_list[].packed) of a plan that was carried out. The result then has RV(_list[].outcome).
    type: str
seealso:
  - plugin: prlsdk.core.retention_plans
    plugin_type: filter
  - plugin: prlsdk.core.retention_unpack
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Gather all backups
  prlsdk.core.prl_backup_info:
  register: backups

- name: Plan
  ansible.builtin.set_fact:
    plan: "{{ lookup('prlsdk.core.retention_plans', 'backups', policy={'daily': 7, 'timezone': 'UTC'}) }}"

- name: Show it
  ansible.builtin.debug:
    msg: "{{ plan.packed | prlsdk.core.retention_text }}"

- name: Carry it out
  prlsdk.core.prl_backup:
    state: absent
    backups: "{{ (plan.packed | prlsdk.core.retention_unpack).remove }}"
"""

RETURN = r"""
_list:
  description: One dictionary for each variable. It is the plan without its C(vms), C(remove) and C(groups), and with the following besides.
  type: list
  elements: dict
  contains:
    packed:
      description: The whole plan for P(prlsdk.core.retention_unpack#filter), P(prlsdk.core.retention_text#filter) and P(prlsdk.core.retention_report#filter).
      type: str
    steps:
      description: How many entries the C(remove) of the plan has.
      type: int
    outcome:
      description:
        - What of O(earlier) did not come true. C(left) is what was to be removed and is there, C(missing) what was to stay and is not in the list,
          each a list of C(vm), C(id) and C(created). C(new) is how many backups are there that it did not know. C(unknown) is a list of the VMs (C(vm),
          C(message)) that could not be read this time. Nothing of them is left or missing.
      returned: with O(earlier)
      type: dict
"""

import time

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._packed import pack, unpack
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.groups import make_plans
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.outcome import hold_against


class LookupModule(LookupBase):
    """Takes variables by name, because that is the way to their values that does not template each of them."""

    def run(self, terms, variables=None, **kwargs):
        """One small plan for each name."""
        self.set_options(var_options=variables, direct=kwargs)
        options = {name: self.get_option(name) for name in ("policy", "now", "overrides", "exclude", "guards", "earlier")}
        try:
            return [_plan((variables or {}).get(term), term, **options) for term in terms]
        except InputError as error:
            raise AnsibleLookupError("retention_plans: %s" % error) from error


def _plan(result, name, policy, now, overrides, exclude, guards, earlier):
    try:
        trees = result["backup_trees"]
    except (KeyError, TypeError):
        raise InputError("the variable %s has no backup_trees; name the one that prl_backup_info was registered in" % name) from None
    damaged = result.get("damaged")
    plan = make_plans(trees, policy, int(time.time()) if now is None else now, overrides, exclude, guards, damaged)
    small = {key: value for key, value in plan.items() if key not in ("vms", "remove", "groups")}
    small.update(packed=pack(plan), steps=len(plan["remove"]))
    if earlier is not None:
        small["outcome"] = hold_against(unpack(earlier), trees, damaged)
    return small
