#!/usr/bin/python
# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action ``plugins/action/prl_retention_page.py``, which runs on the controller."""

DOCUMENTATION = r"""
module: prl_retention_page
short_description: Make an HTML page of the retention reports of many hosts
version_added: 1.0.0
description:
  - Reads the reports that M(prlsdk.core.prl_backup_prune) has written for some hosts, and writes the page C(index.html) beside them.
  - The page is self-contained and needs neither scripts nor a network. It can be sent by mail or put on a web server.
  - This is an action. It runs on the controller only and does not connect to the hosts.
author:
  - The prlsdk.core developers (!UNKNOWN)
extends_documentation_fragment:
  - prlsdk.core.attributes.action
attributes:
  check_mode:
    description: Whether C(--check) predicts the result without changing anything.
    support: none
    details:
      - Like the reports, the page is also written in check mode.
  diff_mode:
    description: Whether C(--diff) shows the state before and after.
    support: none
  idempotent:
    description: Whether a second run with the same arguments reports that nothing changed.
    support: full
    details:
      - Writing the page is not reported as a change.
options:
  report_dir:
    description:
      - The folder on the controller that has the reports, as O(prlsdk.core.prl_backup_prune#module:report_dir).
    type: str
    required: true
  hosts:
    description:
      - The hosts of the page, by their names in the inventory. Hosts without a report are listed as missing. Reports of other hosts in the folder are
        ignored.
    type: list
    elements: str
    required: true
  compliance_dir:
    description:
      - The folder on the controller that has the reports of the compliance check, as O(prlsdk.core.prl_backup_compliance#module:report_dir). The page then
        shows its findings beside the retention. Hosts that were not checked are shown without findings.
    type: str
    default: ""
  since:
    description:
      - Reports of runs that started before this time count as missing, so that the report of an earlier run is not mistaken for one of this run. An ISO 8601
        time with a zone, such as RV(prlsdk.core.prl_backup_prune#module:started).
    type: str
  title:
    description:
      - Title of the page.
    type: str
    default: Backup retention
seealso:
  - module: prlsdk.core.prl_backup_prune
"""

EXAMPLES = r"""
- name: Prune each host and write its report
  prlsdk.core.prl_backup_prune:
    policy: {timezone: Europe/Berlin, daily: 7, weekly: 4}
    report_dir: retention

- name: Make the page of all hosts
  prlsdk.core.prl_retention_page:
    report_dir: retention
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
page:
  description: Path of the page on the controller.
  returned: success
  type: str
  sample: /home/admin/retention/index.html
hosts_without_report:
  description: The hosts of O(hosts) that have no readable report.
  returned: success
  type: list
  elements: str
  sample: [node-c]
"""
