# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody in the first hour writes by mistake, and what is said then; and the short forms that are understood.

In each table a line is what was typed, and the indented one below it is the message, whole and once; three dots stand for what was left out here.
Variables of the roles are without their prefix. The node has VMs such as web-01 and db-prod; node-a is its name in the inventory.
"""

import importlib.util
import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.prlsdk.core.plugins.filter.backup_compliance import backup_compliance
from ansible_collections.prlsdk.core.plugins.filter.backup_list import backup_list
from ansible_collections.prlsdk.core.plugins.filter.retention_plan import retention_plan

from tests.harness import ROOT, playbook, run_module
from tests.integration import slips
from tests.integration.fork_server import ForkServer
from tests.integration.in_process import InProcessStub
from tests.integration.server import small_server

SECRET = "p4ssw0rd-1"

# codespell:ignore-begin: what is typed here is wrong on purpose.
MODULES = """
# The login, of every module

prl_vm_info {username: root}
    username: has no effect without 'host': the login would be that of the local user. Set 'host' too, or leave it out.
prl_vm_info {port: 64000}
    port: has no effect without 'host': ...
prl_event_wait {events: vm_added, username: root}
    username: has no effect without 'host': ...
prl_backup {state: present, vm: web-01, password: p4ssw0rd-1}
    password: has no effect without 'host': ...
prl_backup_info {password: p4ssw0rd-1}
    password: has no effect without 'host': ...
prl_backup_facts {username: root}
    username: has no effect without 'host': ...
prl_backup_restore {mode: copy, vm: web-01, port: 64000}
    port: has no effect without 'host': ...
prl_vm_info {host: node-b}
    missing parameter(s) required by 'host': username, password
prl_vm_info {hots: node-b}
    There is no option 'hots'. Did you mean host?
prl_vm_info {security_level: hihg}
    security_level: there is no 'hihg'; there are low, normal, high. Did you mean high?
prl_vm_info {sdk_mode: srv}
    sdk_mode: there is no 'srv'; there are server, desktop, workstation. Did you mean server?
prl_vm_info {sdk_python: /nowhere/python}
    The SDK (prlsdkapi) cannot be loaded on this host. /nowhere/python: No such file or directory. Set 'sdk_python' to the interpreter that it was
    built for and 'sdk_path' to the folder that holds prlsdkapi.
prl_vm_info {sdk_path: /nowhere}
    The SDK (prlsdkapi) cannot be loaded on this host. ...: no such folder: /nowhere. Set 'sdk_python' to ...
prl_vm_info {timeout: 5min}
    timeout: '5min' is no whole number.
prl_vm_info {timeout: 0}
    timeout: 0 is not a time to wait. Give a number of seconds from 1 to 31536000 (a year).
prl_vm_info {login_timeout: -1}
    login_timeout: -1 is not a time to wait. Give a number of seconds from 1 to 31536000 (a year).

# A login to a backup server

prl_backup_info {storage: {}}
    storage: host and username and password are missing. Give host, username and password of the backup server, or 'default: true' for the node's
    default one.
prl_backup_info {storage: {host: b}}
    storage: username and password are missing. Give host, username and password ...
prl_backup_info {storage: {host: b, username: root}}
    storage: password is missing. Give host, username and password ...
prl_backup_info {storage: {default: true, host: b}}
    storage: 'default: true' and 'host' exclude each other. Keep the one that you mean.
prl_backup_info {storage: backup.example.com}
    storage is no dictionary. Write {host: ..., username: ..., password: ...}.
prl_backup_info {storage: "host: b, password: p4ssw0rd-1"}
    storage is no dictionary. Write {host: ..., username: ..., password: ...}.
prl_backup_info {storage: {host: b, user: root}}
    storage has an unknown key 'user'; did you mean username?
prl_backup {state: absent, backup_ids: [], storage: [b]}
    storage is no dictionary. Write {host: ..., username: ..., password: ...}.
prl_event_wait {events: vm_added, storage: {host: b}}
    storage: username and password are missing. Give host, username and password ...
prl_backup_restore {mode: copy, vm: web-01, storage: {defualt: true}}
    storage has an unknown key 'defualt'; did you mean default?

# Which VMs

prl_vm_info {vms: [Web01], missing: fail}
    vms: localhost knows no VM or container 'Web01'. Did you mean web-01? Correct the name, or set 'missing: ok' to go on without.
prl_backup_info {vms: [web01], missing: fail}
    No backup was found of 'web01', on localhost. Did you mean web-01? Correct 'vms' or 'backup_ids', or set 'missing: ok' to go on without.
prl_backup_info {vms: ["wbe-*"], missing: fail}
    No backup was found of 'wbe-*', on localhost. Did you mean web-06 or web-05 or web-04? Correct 'vms' or 'backup_ids', or set 'missing: ok' to go
    on without.
prl_vm_info {vmss: [web-01]}
    There is no option 'vmss'. Did you mean vms?
prl_vm_info {types: [vms]}
    types: there is no 'vms'; there are vm, ct. Did you mean vm?
prl_backup_info {types: [container]}
    types: there is no 'container'; there are vm, ct.
prl_backup {state: present, vm: web01}
    There is no VM or container 'web01' on localhost. Did you mean web-01? Check the name, or give the UUID.
prl_backup {state: present, vm: ""}
    vm: is empty. Give a VM's name or UUID.
prl_backup_restore {mode: copy, vm: web01}
    There is no VM 'web01', and no backup of one. Did you mean web-01? Check the name, or give the UUID.
prl_event_wait {events: [{type: create_backup_finished, vm: web01}]}
    events[0].vm: there is no VM or container 'web01' on localhost. Did you mean web-01? Check the name, or give the UUID.
prl_event_wait {events: vm_added, satisfied_by: {vm: web01, vm_state: running}}
    satisfied_by.vm: there is no VM or container 'web01' on localhost. Did you mean web-01? Check the name, or give the UUID.

# What of the backups

prl_backup_info {gather: [backup]}
    gather: there is no 'backup'; there are backups, summary, ..., raw. Did you mean backups?
prl_backup_info {limit: 0}
    limit must be 1 or more, not 0.
prl_backup_info {newer_than: yesterday}
    newer_than: 'yesterday' is not a duration; write units y, mo, w, d, h, min, each at most once and the largest first, such as 7d, 1y6mo or 36h. Or
    write an instant as ISO 8601 with Z or an offset, such as 2026-09-13T03:00:02Z or 2026-09-13T05:00:02+02:00.
prl_backup_info {older_than: 30}
    older_than: '30' is ambiguous as a duration: say of what, for example 30d or 30h. Or write an instant as ISO 8601 with Z or an offset, such as
    2026-09-13T03:00:02Z or 2026-09-13T05:00:02+02:00.
prl_backup_info {owner: me}
    owner: there is no 'me'; there are any, this_node.
prl_backup_info {backup_ids: [web-01]}
    backup_ids: 'web-01' is not a backup id. A full backup's id is a UUID, an increment's is the UUID, a dot and a number, for example
    {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}.2; the braces may be left out.
prl_backup_facts {group_by: date}
    There is no option 'group_by'. There are gather, host, ..., vms.
prl_backup_facts {gather: [backup]}
    gather: there is no 'backup'; there are backups, summary, ..., raw. Did you mean backups?

# Making, removing, restoring

prl_backup {state: absnt}
    state: there is no 'absnt'; there are present, absent. Did you mean absent?
prl_backup {state: present}
    state is present but all of the following are missing: vm
prl_backup {vm: web-01}
    missing required arguments: state
prl_backup {state: present, vm: web-01, type: ful}
    type: there is no 'ful'; there are full, incremental. Did you mean full?
prl_backup {state: present, vm: web-01, max_age: 26}
    max_age: '26' is ambiguous as a duration: say of what, for example 26d or 26h.
prl_backup {state: present, vm: web-01, busy_timeout: -1}
    busy_timeout: -1 is not a time to wait. Give a number of seconds, 0 for a single try.
prl_backup {state: present, vm: web-01, backup_ids: ["{aaaaaaaa-0000-4000-8000-000000000001}"]}
    backup_ids: cannot be used with 'state: present', which makes a backup. Leave it out, or set 'state: absent'.
prl_backup {state: absent}
    state is absent but any of the following are missing: backups, backup_ids
prl_backup {state: absent, backup_ids: [web-01]}
    backup_ids[0]: 'web-01' is not a backup id. A full backup's id is a UUID, ...
prl_backup {state: absent, backups: abc}
    backups[0].id: 'abc' is not a backup id. A full backup's id is a UUID, ...
prl_backup {state: absent, backups: [5]}
    backups[0]: 5 is no dictionary. Write {id: ...}.
prl_backup {state: absent, backups: [{idd: "{aaaaaaaa-0000-4000-8000-000000000001}"}]}
    backups[0] has an unknown key 'idd'; did you mean id?
prl_backup {state: absent, backups: [{vm: web-01}]}
    backups[0] has no id. Write {id: ...}.
prl_backup {state: absent, backups: "{a: b}"}
    backups: '{a: b}' is no list of dictionaries. Write [{id: ...}].
prl_backup {state: absent, backup_ids: ["{aaaaaaaa-0000-4000-8000-000000000001}", "{aaaaaaaa-0000-4000-8000-000000000001}"]}
    backup_ids: '{aaaaaaaa-0000-4000-8000-000000000001}' is listed twice, as number 1 and 2. List each backup once.
prl_backup {state: absent, type: full, backup_ids: ["{aaaaaaaa-0000-4000-8000-000000000001}"]}
    type: cannot be used with 'state: absent', which removes backups. Leave it out, or set 'state: present'.
prl_backup_restore {vm: web-01}
    missing required arguments: mode
prl_backup_restore {mode: clone, vm: web-01}
    mode: there is no 'clone'; there are in_place, copy.
prl_backup_restore {mode: copy}
    one of the following is required: vm, backup_id
prl_backup_restore {mode: in_place, vm: web-01, name: web-02}
    name: only a copy can have another name. Leave it out, or set 'mode: copy'.
prl_backup_restore {mode: copy, backup_id: web-01}
    backup_id: 'web-01' is not a backup id. A full backup's id is a UUID, ...
prl_backup_restore {mode: copy, backup_id: "{aaaaaaaa-0000-4000-8000-000000000001}"}
    Restoring {aaaaaaaa-0000-4000-8000-000000000001} failed: There is no backup with this id (PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND, 0x80037004).

# Waiting

prl_event_wait {}
    missing required arguments: events
prl_event_wait {events: create_backup_finishd}
    events[0].type: there is no event type 'create_backup_finishd'. Did you mean create_backup_finished?
prl_event_wait {events: ["vm_aded*"]}
    events[0].type: no event type fits 'vm_aded*'. The names are in the guide docs/waiting.md.
prl_event_wait {events: [{type: create_backup_finished, vmm: web-01}]}
    events[0] has an unknown key 'vmm'; did you mean vm?
prl_event_wait {events: [{}]}
    events[0]: this would match every event. Say which, or write 'type: "*"' if you mean that.
prl_event_wait {events: [{issuer_type: node}]}
    events[0].issuer_type: there is no 'node'; there are virtual_machine, dispatcher, io_service, web_service, unknown.
prl_event_wait {events: vm_added, fail_on: vm_delted}
    fail_on[0].type: there is no event type 'vm_delted'. Did you mean vm_deleted?
prl_event_wait {events: [{code: PRL_ERR_OPERATION_FAILD}]}
    events[0].code: the SDK knows no code 'PRL_ERR_OPERATION_FAILD'. Did you mean PRL_ERR_OPERATION_FAILED?
prl_event_wait {events: [{type: create_backup_finished, vm: web-01}], timeout: 1}
    Nothing matched within 1 second (waited for create_backup_finished of web-01; other events: none). A backup that fails sends no event: look at the
    state with 'satisfied_by', or raise 'timeout'.
prl_event_wait {events: vm_added, timeout: 1, count: 2}
    Nothing matched within 1 second (waited for vm_added 2 times, 0 came; other events: none). A backup that fails sends no event: ...
prl_event_wait {events: [vm_added, vm_deleted], match: all, timeout: 1}
    Nothing matched within 1 second (waited for vm_added and vm_deleted; other events: none). A backup that fails sends no event: ...
prl_event_wait {events: vm_added, count: 0}
    count: 0 events cannot be waited for. Give a number of 1 or more.
prl_event_wait {events: vm_added, match: every}
    match: there is no 'every'; there are any, all.
prl_event_wait {events: vm_added, satisfied_by: {vm: web-01}}
    satisfied_by: say what has to hold, with 'vm_state' or 'backup_newer_than'.
prl_event_wait {events: vm_added, satisfied_by: {vm_state: running}}
    satisfied_by has no vm. Write {vm: ...}.
prl_event_wait {events: vm_added, satisfied_by: {vm: web-01, vm_state: runing}}
    satisfied_by.vm_state: there is no state 'runing'; there are compacting, ..., unknown. Did you mean running?
prl_event_wait {events: vm_added, satisfied_by: {vm: web-01, backup_newer_than: soon}}
    satisfied_by.backup_newer_than: 'soon' is not a duration; write units y, mo, w, d, h, min, each at most once and the largest first, such as 7d,
    1y6mo or 36h. Or write an instant as ISO 8601 ...
prl_event_wait {events: vm_added, ready_file: ready}
    ready_file: 'ready' is not an absolute path.
prl_event_wait {events: vm_added, ready_file: /nowhere/ready}
    ready_file: the folder of '/nowhere/ready' does not exist.
prl_event_wait {events: vm_added, answer: yess}
    answer: there is no answer 'yess'; there are append, ..., yes. Did you mean yes?
"""

#: The task succeeds, and warns.
MODULES_WARN = """
prl_vm_info {vms: [web01]}
    vms: localhost knows no VM or container 'web01'. Did you mean web-01?
prl_vm_info {vm: "wbe-*"}
    vms: localhost knows no VM or container 'wbe-*'. Did you mean web-06 or web-05 or web-04?
prl_vm_info {vms: [nothing-like-it]}
    vms: localhost knows no VM or container 'nothing-like-it'.
prl_backup_info {vms: [web01]}
    vms: there is no VM 'web01' on localhost, and no backup of one. Did you mean web-01?
prl_backup_info {vm: "wbe-*"}
    vms: there is no VM 'wbe-*' on localhost, and no backup of one. Did you mean web-06 or web-05 or web-04?
prl_backup_facts {vms: [web01]}
    vms: there is no VM 'web01' on localhost, and no backup of one. Did you mean web-01?
prl_backup {state: absent, vm: web01, backup_ids: ["{aaaaaaaa-0000-4000-8000-000000000001}"]}
    There is no VM 'web01', and no backup of one. Did you mean web-01?
"""

#: Actions as tasks, and the roles, whose variables are named.
ACTIONS = """
# Policies

prl_backup_prune {policy: abc}
    policy: 'abc' is no dictionary. Write {timezone: Europe/Berlin, daily: 7, weekly: 4}.
prl_backup_prune {polcy: {last: 3}}
    There is no option 'polcy'. Did you mean policy?
prl_backup_prune {}
    No retention policy is set, so nothing was read and nothing was changed. Set policy to what you want to keep, for example {timezone:
    Europe/Berlin, daily: 7, weekly: 4, monthly: 12}. A first run with nothing else shows the plan and removes nothing.
prl_backup_prune {policy: {dayly: 7}}
    policy: unknown key 'dayly'; did you mean daily? Nothing was changed.
backup_retention {}
    No retention policy is set, so nothing was read and nothing was changed. Set backup_retention_policy to what you want to keep, for example
    {timezone: Europe/Berlin, daily: 7, weekly: 4, monthly: 12}. A first run with nothing else shows the plan and removes nothing.
backup_retention {daily: 7}
    No retention policy is set, so nothing was read and nothing was changed. Set backup_retention_policy to what you want to keep, for example
    {timezone: Europe/Berlin, daily: 7, weekly: 4, monthly: 12}. A first run with nothing else shows the plan and removes nothing.
    backup_retention_daily is no variable of the role: write it as backup_retention_policy: {daily: ...}.
backup_retention {policy: {dayly: 7}}
    backup_retention_policy: unknown key 'dayly'; did you mean daily? Nothing was changed.
backup_retention {policy: {daily: 7}}
    backup_retention_policy: timezone is missing: daily needs it, for example timezone: Europe/Berlin (or UTC). Nothing was changed.
backup_retention {policy: {timezone: Berlin, daily: 7}}
    backup_retention_policy: timezone is 'Berlin'; it must be an IANA name such as Europe/Berlin or UTC that the zone database of the controller has
    (its package is called tzdata). Nothing was changed.
backup_retention {policy: {timezone: UTC}}
    backup_retention_policy: keeps nothing: at least one rule is needed, of within, ..., yearly. Nothing was changed.
backup_retention {policy: {last: -1}}
    backup_retention_policy: last is -1; it must be a whole number, 0 or more, or all. Nothing was changed.
backup_retention {policy: {last: 3, grace: 24}}
    backup_retention_policy: grace: 24 is ambiguous as a duration: say of what, for example 24d or 24h. Nothing was changed.
backup_retention {policy: {last: {cuont: 3}}}
    backup_retention_policy: last has an unknown key 'cuont'; did you mean count? Nothing was changed.
backup_retention {policy: {last: 3, tails: kep}}
    backup_retention_policy: tails is 'kep'; it must be one of keep, remove. Nothing was changed.
backup_retention {policy: {last: 3, keep_tags: [monthly]}}
    backup_retention_policy: keep_tags needs tags_pattern, which says how tags are found in a description. Nothing was changed.
prl_backup_prune {policy: {last: 3}, guards: {max_remov: 3}}
    guards has an unknown key 'max_remov'; did you mean max_remove? Nothing was changed.
backup_retention {policy: {last: 3}, guards: {max_remove: lots}}
    backup_retention_guards.max_remove is 'lots'; it must be a whole number, 0 or more. Nothing was changed.

# Overrides

backup_retention {policy: {dayly: 7}, overrides: [{name: db, match: {name: db-*}, policy: {last: 30}}]}
    backup_retention_policy: unknown key 'dayly'; did you mean daily? Nothing was changed.
backup_retention {policy: {last: 7}, overrides: [{name: db, match: {name: db-*}, policy: {lst: 30}}]}
    backup_retention_overrides[0] (db): the policy has an unknown key 'lst'; did you mean last? Nothing was changed.
backup_retention {policy: {last: 7}, overrides: [{name: db, match: {nmae: db-*}, policy: {last: 30}}]}
    backup_retention_overrides[0] (db).match has an unknown key 'nmae'; did you mean name? Nothing was changed.
backup_retention {policy: {last: 7}, overrides: [{name: db, policy: {last: 30}}]}
    backup_retention_overrides[0] (db) has no match: say which VMs it is for, by name, uuid, type, description. Nothing was changed.
prl_backup_prune {policy: {last: 7}, overrides: [{matches: {name: db-*}, policy: {last: 30}}]}
    overrides[0] has an unknown key 'matches'; did you mean match? Nothing was changed.
prl_backup_prune {policy: {last: 7}, overrides: db}
    overrides: 'db' is no list of dictionaries. Write [{name: databases, match: {name: db-*}, policy: {daily: 30}}].
prl_backup_prune {policy: {last: 7}, overrides: [db]}
    overrides[0]: 'db' is no dictionary. Write {name: databases, match: {name: db-*}, policy: {daily: 30}}.
backup_retention {policy: {last: 7}, overrides: [{name: db, match: {type: vms}, policy: {last: 30}}]}
    backup_retention_overrides[0] (db).match.type is 'vms'; it must be vm or ct. Nothing was changed.
backup_compliance {overrides: [{name: db, match: {nmae: db-*}, objective: {rpo: 1h}}]}
    backup_compliance_overrides[0] (db).match has an unknown key 'nmae'; did you mean name? Nothing was checked.
backup_compliance {overrides: [{match: {name: db-*}}]}
    backup_compliance_overrides[0] has no objective; give one of rpo, max_chain_length, max_chain_age. Nothing was checked.
backup_compliance {overrides: [{match: {name: db-*}, objective: {rpo: 0h}}]}
    backup_compliance_overrides[0].objective.rpo is nothing, which no backup can meet; give a duration such as 26h. Nothing was checked.

# Exclusions

backup_retention {policy: {last: 7}, exclude: [{}]}
    backup_retention_exclude[0] is empty and would fit every VM: say which, by name, uuid, type, description. Nothing was changed.
backup_retention {policy: {last: 7}, exclude: [{nmae: web-*}]}
    backup_retention_exclude[0] has an unknown key 'nmae'; did you mean name? Nothing was changed.
prl_backup_prune {policy: {last: 7}, exclude: [5]}
    exclude[0] must be a dictionary, not 5. Nothing was changed.
backup_compliance {exclude: [{description: x}]}
    backup_compliance_exclude[0] has an unknown key 'description'; known are name, uuid, type, state. Nothing was checked.
backup_retention {policy: {last: 7}, retired: [{name: 5}]}
    backup_retention_retired[0].name is 5; it must be a text or a list of texts. Nothing was changed.

# Variables that the role does not have

backup_retention {policy: {last: 7}, confirm: true, exlude: [web-*]}
    backup_retention_exlude is set, which is no variable of the role. Did you mean backup_retention_exclude?
backup_retention {policy: {last: 7}, confirm: true, dry_run: true}
    backup_retention_dry_run is set, which is no variable of the role, so nothing was changed. For a plan alone run with --check, or leave
    backup_retention_confirm empty.
backup_retention {policy: {last: 7}, confirm: true, include: [web-*]}
    backup_retention_include is set, which is no variable of the role, so nothing was changed. The role plans for all VMs of the host but those in
    backup_retention_exclude: name there what is to be left out.
backup_retention {policy: {last: 7, max_remove_share: 1}, show: none, confirm: "000000000000", dry_run: "no"}
    The plan is not the one that was confirmed, so nothing was removed. ...
backup_compliance {overides: []}
    backup_compliance_overides is set, which is no variable of the role. Did you mean backup_compliance_overrides?

# Confirmation, time, choices

backup_retention {policy: {last: 7}, confirm: perhaps}
    backup_retention_confirm is 'perhaps', which is no confirmation. Leave it empty to see the plan, give the digest that a plan has shown (at least
    12 of its digits; several with commas between them) to apply exactly that plan, or true to apply any.
backup_retention {policy: {last: 7}, show: al}
    backup_retention_show: there is no 'al'; there are auto, all, removals, vms, totals, none. Did you mean all?
backup_retention {policy: {last: 7}, on_refused: continu}
    backup_retention_on_refused: there is no 'continu'; there are fail, stop, continue. Did you mean continue?
backup_retention {policy: {last: 7}, types: [vms]}
    backup_retention_types: there is no 'vms'; there are vm, ct. Did you mean vm?
backup_retention {policy: {last: 7}, gather_timeout: 0}
    backup_retention_gather_timeout must be 1 or more seconds, not 0.
prl_backup_prune {policy: {last: 7}, gather_timeout: 5min}
    gather_timeout: '5min' is no whole number.
backup_retention {policy: {last: 7}, storage: {host: b, user: root}}
    backup_retention_storage has an unknown key 'user'; did you mean username?
backup_retention {policy: {last: 7}, storage: {host: b, username: root}}
    backup_retention_storage: password is missing. Give host, username and password ...
backup_retention {policy: {last: 7}, wait: [{vm: web-01}]}
    backup_retention_wait[0] has no newer_than. Write {vm: ..., newer_than: ...}.
backup_retention {policy: {last: 7}, wait: [{vm: web-01, newer_than: soon}]}
    backup_retention_wait[0].newer_than: 'soon' is not a duration; write units y, mo, w, d, h, min, each at most once and the largest first, such as
    7d, 1y6mo or 36h. Or write an instant as ISO 8601 ...
backup_retention {policy: {last: 7}, wait: [{vm: web01, newer_than: 1h}]}
    backup_retention_wait[0].vm: there is no VM or container 'web01' on node-a. Did you mean web-01? Check the name, or give the UUID.
prl_backup_prune {policy: {last: 7}, username: root}
    username: has no effect without 'host': ...

# Objectives

prl_backup_compliance {}
    missing required arguments: objective
prl_backup_compliance {objective: 26}
    objective must be a duration such as 26h, or a dictionary such as {rpo: 26h}, not 26. Nothing was checked.
backup_compliance {objective: "26"}
    backup_compliance_objective.rpo: '26' is ambiguous as a duration: say of what, for example 26d or 26h. Nothing was checked.
backup_compliance {objective: {rpo: 26}}
    backup_compliance_objective.rpo: 26 is ambiguous as a duration: say of what, for example 26d or 26h. Nothing was checked.
backup_compliance {objective: {rp: 26h}}
    backup_compliance_objective has an unknown key 'rp'; did you mean rpo? Nothing was checked.
backup_compliance {fail_on: [rp0]}
    backup_compliance_fail_on: there is no 'rp0'; there are no_vms, unreadable, ..., new. Did you mean rpo?
backup_compliance {new_vm_grace: "2"}
    backup_compliance_new_vm_grace: '2' is ambiguous as a duration: say of what, for example 2d or 2h. Nothing was checked.
backup_compliance {now: noon}
    backup_compliance_now: 'noon' is not an instant; write ISO 8601 with Z or an offset, such as 2026-09-13T03:00:02Z ... Nothing was checked.

# Files on the controller

backup_retention {policy: {last: 7}, report: true, report_dir: /proc/x}
    backup_retention_report_dir: the reports cannot be written to /proc/x, so nothing was read and nothing was changed: No such file or
    directory. Let the user of the controller write there, or name another folder.
backup_compliance {report_dir: /proc/x}
    1 of 29 VMs and containers do not comply: fresh-install (never backed up). backup_compliance_report_dir: /proc/x cannot be written: No such file
    or directory. Let the user of the controller write there, or name another folder.
backup_compliance {metrics_dir: /proc/x}
    1 of 29 VMs and containers do not comply: fresh-install (never backed up). backup_compliance_metrics_dir: /proc/x cannot be written: No such file
    or directory. Let the user of the controller write there, or name another folder.
backup_compliance {state_dir: /proc/x}
    1 of 29 VMs and containers do not comply: fresh-install (never backed up). backup_compliance_state_dir: /proc/x/node-a.json cannot be written: No
    such file or directory. Let the user of the controller write there, or name another folder.
backup_compliance {new_vm_grace: 1d, state_dir: STATE/time}
    The check could not be made. The state file .../time/node-a.json cannot be used: first_seen of aaaaaaaa: 'noon' is not an instant; write ISO 8601
    with Z or an offset, such as 2026-09-13T03:00:02Z ... Correct it, or remove it to begin anew.
backup_compliance {state_dir: STATE/key}
    The check could not be made. The state file .../key/node-a.json cannot be used: it has no first_seen. Correct it, or remove it to begin anew.
backup_compliance {state_dir: STATE/text}
    The check could not be made. The state file .../text/node-a.json cannot be used: Expecting value: line 1 column 1 (char 0). Correct it, or remove
    it to begin anew.
prl_retention_page {report_dir: "", hosts: []}
    report_dir is empty. Name the folder that has the reports.
prl_retention_page {report_dir: /proc/x, hosts: [node-a]}
    report_dir: the page of all hosts could not be written to /proc/x/index.html: No such file or directory.
prl_retention_page {report_dir: /proc/x, hosts: [node-a], since: yesterday}
    since: 'yesterday' is not an instant; write ISO 8601 with Z or an offset, such as 2026-09-13T03:00:02Z ...
prl_retention_page {reportdir: /tmp, hosts: [node-a]}
    There is no option 'reportdir'. Did you mean report_dir?

# Hosts

backup_retention {policy: {last: 7}, ansible_python_interpreter: /nowhere/python3}
    node-a: /nowhere/python3 could not be started (rc 127: ...not found). Set ansible_python_interpreter to a Python 3.6 or later of that host.
prl_backup_compliance {objective: 26h, ansible_python_interpreter: /nowhere/python3}
    The check could not be made. node-a: /nowhere/python3 could not be started (rc 127: ...not found). Set ansible_python_interpreter to a Python
    3.6 or later of that host.
prl_backup_compliance {objective: 26h, sdk_path: /nowhere}
    The check could not be made. The SDK (prlsdkapi) cannot be loaded on this host. ...: no such folder: /nowhere. Set 'sdk_python' to ...
"""

#: What is in the state files of these rows.
STATE_FILES = {"time": '{"first_seen": {"aaaaaaaa": "noon"}}', "key": "{}", "text": "no JSON"}

ACTIONS_WARN = """
prl_backup_prune {show: none, policy: {timezone: UTC, daily: 30, weekly: 4}}
    weekly 4 changes nothing, daily 30 keeps all of it
prl_backup_prune {show: none, policy: {timezone: UTC, daily: 7}, overrides: [{name: databases, match: {name: db-*}, policy: {daily: 30, weekly: 4}}]}
    override databases: weekly 4 changes nothing there, daily 30 keeps all of it
prl_backup_prune {show: none, policy: {timezone: UTC, daily: 7}, overrides: [{match: {name: db-*}, policy: {daily: 30, weekly: 4}}]}
    override 1 (name db-*): weekly 4 changes nothing there, daily 30 keeps all of it
prl_backup_prune {show: none, policy: {timezone: UTC, daily: 1}}
    daily: 1 alone keeps nothing but the newest backup and what it needs: the newest bucket is the one under way
prl_backup_prune {show: none, policy: {last: 7, pins: ["{aaaaaaaa-0000-4000-8000-000000000001}"]}}
    pins has aaaaaaaa-0000-4000-8000-000000000001, and no backup has this id
prl_backup_compliance {objective: 26h, fail: false, overrides: [{match: {name: dbb-*}, objective: {rpo: 1h}}]}
    No VM or container of this host fits the override 1 (name dbb-*). If that is a typing error, what it was meant for has the default objective.
prl_backup_compliance {objective: 26h, fail: false, new_vm_grace: 1d}
    new_vm_grace has no effect without state_dir, which remembers since when a VM is known.
"""

FILTERS = """
| retention_plan {policy: {dayly: 7}}
    retention_plan: the policy has an unknown key 'dayly'; did you mean daily?
| retention_plan {policy: {daily: 7}}
    retention_plan: timezone is missing: daily needs it, for example timezone: Europe/Berlin (or UTC)
| retention_plan {policy: [7]}
    retention_plan: the policy must be a dictionary such as {daily: 7, timezone: UTC}, not [7]
| retention_plan {}
    retention_plan: the policy must be a dictionary such as {daily: 7, timezone: UTC}, not None
| retention_plan {backup_trees: {vms: []}, policy: {last: 7}}
    retention_plan: backup_trees must be a list as prl_backup_info returns it, not a dictionary
| retention_plan {backup_trees: [{chains: []}], policy: {last: 7}}
    retention_plan: backup_trees[0] has no vm; give the backup_trees as prl_backup_info returns them
| retention_plan {policy: {last: 7}, now: noon}
    retention_plan: now: 'noon' is not an instant; write ISO 8601 with Z or an offset, such as 2026-09-13T03:00:02Z ...
| retention_plan {policy: {last: 7}, reasons: some}
    retention_plan: reasons is 'some'; it must be one of all, kept, none
| retention_plan {policy: {last: 7}, overrides: {name: db}}
    retention_plan: overrides must be a list, not {'name': 'db'}
| retention_plan {policy: {last: 7}, overrides: [{name: db, match: {name: db-*}, policy: {dayly: 3}}]}
    retention_plan: overrides[0] (db): the policy has an unknown key 'dayly'; did you mean daily?
| retention_plan {policy: {last: 7}, exclude: [{nmae: web-01}]}
    retention_plan: exclude[0] has an unknown key 'nmae'; did you mean name?
| retention_plan {policy: {last: 7}, guards: {max_remov: 3}}
    retention_plan: guards has an unknown key 'max_remov'; did you mean max_remove?
| retention_plan {policy: {last: 7}, guards: {min_chains: -1}}
    retention_plan: guards.min_chains is -1; it must be a whole number, 0 or more
| backup_compliance {objective: {rp: 26h}}
    backup_compliance: objective has an unknown key 'rp'; did you mean rpo?
| backup_compliance {objective: 26}
    backup_compliance: objective must be a duration such as 26h, or a dictionary such as {rpo: 26h}, not 26
| backup_compliance {objective: "26"}
    backup_compliance: objective.rpo: '26' is ambiguous as a duration: say of what, for example 26d or 26h
| backup_compliance {vms: {vms: []}, objective: 26h}
    backup_compliance: vms must be a list, not dict; give the vms of the result, not the whole result
| backup_compliance {vms: [web-01], objective: 26h}
    backup_compliance: vms[0] has no uuid; give the vms as prl_vm_info returns them
| backup_compliance {objective: 26h, fail_on: [rp0]}
    backup_compliance: fail_on has 'rp0'; known are no_vms, unreadable, ..., new. Did you mean rpo?
| backup_compliance {objective: 26h, fail_on: rpo}
    backup_compliance: fail_on must be a list, not str
| backup_compliance {objective: 26h, templates: maybe}
    backup_compliance: templates is 'maybe'; it must be true or false
| backup_compliance {objective: 26h, overrides: [{match: {state: running}}]}
    backup_compliance: overrides[0] has no objective; give one of rpo, max_chain_length, max_chain_age
| backup_list {backup_trees: {backup_trees: []}}
    backup_list: backup_trees must be a list as prl_backup_info returns it, not {'backup_trees': []}
| backup_list {backup_trees: [web-01]}
    backup_list: backup_trees[0] must be a dictionary as prl_backup_info returns it, not 'web-01'
"""

SOURCE = """
prl_events {event: [vm_added]}
    prl_events has no argument 'event'; did you mean events?
prl_events {events: [vm_aded]}
    events[0].type: there is no event type 'vm_aded'. Did you mean vm_added?
prl_events {events: [{vmm: web-01}]}
    events[0] has an unknown key 'vmm'; did you mean vm?
prl_events {events: [{issuer_type: node}]}
    events[0].issuer_type: there is no 'node'; there are virtual_machine, dispatcher, io_service, web_service, unknown.
prl_events {events: [{type: vm_added, params: web-01}]}
    events[0].params: 'web-01' is no dictionary. Write one such as {vm_name: web-01}.
prl_events {events: [[vm_added]]}
    events[0]: ['vm_added'] is no event. Write its type, or a dictionary such as {type: vm_added}.
prl_events {events: [5.5]}
    events[0]: 5.5 is no event. Write its type, or a dictionary such as {type: vm_added}.
prl_events {heartbeat: often}
    heartbeat must be a number of seconds, 0 or more, not 'often'.
prl_events {host: node-b}
    host needs username and password.
prl_events {username: root, password: p4ssw0rd-1}
    username and password need host.
prl_events {security_level: hihg}
    security_level: there is no 'hihg'; there are low, normal, high. Did you mean high?
prl_events {sdk_mode: srv}
    sdk_mode: there is no 'srv'; there are server, desktop, workstation. Did you mean server?
prl_events {command: ssh node-a}
    command must be a list of words such as [ssh, node-a], not 'ssh node-a'.
prl_events {hosts: node-a}
    hosts must be a list of one or more hosts, not 'node-a'.
prl_events {hosts: [node-a]}
    hosts[0] must be a dictionary with a name, such as {name: node-a, command: [ssh, node-a]}, not 'node-a'.
prl_events {hosts: [{name: node-a, comand: [ssh, node-a]}]}
    hosts[0] has no argument 'comand'; did you mean command?
prl_events {hosts: [{name: node-a}, {name: node-a}]}
    hosts: two have the same name. Give each its own.
prl_events {hosts: [{name: node-a}], sdk_path: /opt/sdk}
    sdk_path: give the connection options with each of 'hosts', or leave 'hosts' out.
"""
# codespell:ignore-end

MODULE_ROWS, MODULE_WARNINGS = slips.read(MODULES), slips.read(MODULES_WARN)
ACTION_ROWS, ACTION_WARNINGS = slips.read(ACTIONS), slips.read(ACTIONS_WARN)
FILTER_ROWS, SOURCE_ROWS = slips.read(FILTERS), slips.read(SOURCE)


def each(rows):
    return pytest.mark.parametrize("row", rows, ids=[row[0][:70] for row in rows])


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory, demo_state):
    """The demonstration's node, for all rows: none of them changes it."""
    folder = tmp_path_factory.mktemp("node")
    for part in demo_state.parent.glob(demo_state.name + "*"):
        (folder / part.name).write_bytes(part.read_bytes())
    stub = object.__new__(InProcessStub)
    stub.state, stub.python = folder / demo_state.name, slips.sys.executable
    yield stub
    assert not any(call["mutating"] for call in stub.calls())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = ForkServer(tmp_path_factory.mktemp("fork_server"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def shown(shared_node, tmp_path_factory):
    """What is typed -> (the result, the terminal's text) of the rows of actions and roles."""
    rows, folder = ACTION_ROWS + ACTION_WARNINGS, tmp_path_factory.mktemp("play")
    for name, text in STATE_FILES.items():
        (folder / name).mkdir()
        (folder / name / "node-a.json").write_text(text)
    told = slips.run_rows(shared_node, folder, rows)
    return {row[0]: one for row, one in zip(rows, told)}


def test_there_are_a_hundred_and_none_is_there_twice():
    typed = [
        row[0] for row in MODULE_ROWS + ACTION_ROWS + FILTER_ROWS + SOURCE_ROWS + MODULE_WARNINGS + ACTION_WARNINGS
    ]
    assert len(typed) == len(set(typed)) >= 100


@each(MODULE_ROWS)
def test_a_module_says_it_once(shared_node, server, tmp_path, row):
    _typed, name, options, says = row
    result = slips.run_module(server, shared_node, tmp_path / "run", name, options)
    assert result["failed"] and slips.fits(says, result["msg"]), result["msg"]
    assert not result.get("warnings")
    assert SECRET not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


@each(MODULE_WARNINGS)
def test_a_module_warns_once(shared_node, server, tmp_path, row):
    _typed, name, options, says = row
    result = slips.run_module(server, shared_node, tmp_path / "run", name, options)
    assert not result.get("failed"), result["msg"]
    (warning,) = slips.warnings_of(result)
    assert slips.fits(says, warning), warning


@each(ACTION_ROWS)
def test_an_action_or_a_role_says_it_once(shown, row):
    result, text = shown[row[0]]
    message = result["msg"]
    assert result["failed"] and slips.fits(row[3], message), message
    told = slips.times_said(message, text)
    assert told[1] == 1 and told[0] <= 1, (
        "ansible-core shows it above the result, and not again what it has shown\n" + text
    )
    assert SECRET not in text and len(text) < 5000, "it is short"


@each(ACTION_WARNINGS)
def test_an_action_warns_once(shown, row):
    result, text = shown[row[0]]
    assert not result.get("failed"), result["msg"]
    (warning,) = slips.warnings_of(result)
    assert slips.fits(row[3], warning), warning
    assert text.count(warning) == 1, text


@each(FILTER_ROWS)
def test_a_filter_says_it(row):
    _typed, name, options, says = row
    filters = {
        "backup_compliance": lambda vms=(), backup_trees=(), **more: backup_compliance(vms, backup_trees, **more),
        "backup_list": backup_list,
        "retention_plan": lambda backup_trees=(), **more: retention_plan(backup_trees, **more),
    }
    with pytest.raises(AnsibleFilterError) as caught:
        filters[name](**options)
    assert slips.fits(says, str(caught.value)), str(caught.value)


@each(SOURCE_ROWS)
def test_the_event_source_says_it(row):
    path = ROOT / "extensions" / "eda" / "plugins" / "event_source" / "prl_events.py"
    spec = importlib.util.spec_from_file_location("prl_events", path)
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    with pytest.raises(ValueError) as caught:
        source.read_arguments(row[2])
    assert slips.fits(row[3], str(caught.value)) and SECRET not in str(caught.value), str(caught.value)


# --- playbooks


def compliance(node, **variables):
    given = {"backup_compliance_hosts": "localhost", "backup_compliance_now": slips.NOW, **variables}
    return playbook(node, "prlsdk.core.compliance", "-e", json.dumps(given))


@pytest.mark.parametrize(
    "variables, says",
    [
        ({"fail": "perhaps"}, "backup_compliance_fail: 'perhaps' is neither true nor false."),
        ({"overrides": "db"}, "backup_compliance_overrides: 'db' is no list of dictionaries. Write [{name: databases,"),
    ],
    ids=["fail", "overrides"],
)
def test_a_playbook_prints_no_specification_with_a_wrong_variable(shared_node, variables, says):
    told = compliance(shared_node, **{"backup_compliance_" + name: value for name, value in variables.items()})
    assert told.returncode and told.stdout.count("fatal: ") == 1 and says in told.stdout, told.stdout
    assert len(told.stdout) < 3000, told.stdout


@pytest.mark.parametrize("name", ["retention", "compliance"])
def test_a_playbook_for_no_host_fails(shared_node, tmp_path, name):
    (tmp_path / "inventory.yml").write_text("all: {hosts: {node-a: {ansible_connection: local}}}\n")
    told = playbook(
        shared_node, "-i", tmp_path / "inventory.yml", "prlsdk.core." + name, "-e", "backup_%s_hosts=nodez" % name
    )
    assert told.returncode and "backup_%s_hosts: no host of the inventory fits." % name in told.stdout


# --- what is understood


def test_a_vm_without_backups_is_not_warned_of(node):
    node("vm", "add", "empty-1")
    result = run_module("prl_backup_info", node, vms=["empty-1"])
    assert result["missing"] == ["empty-1"] and not result.get("warnings")


def test_what_the_environment_sets_may_be_for_other_tasks(node, monkeypatch):
    monkeypatch.setenv("PRL_USERNAME", "root")
    monkeypatch.setenv("PRL_PASSWORD", SECRET)
    assert not run_module("prl_vm_info", node).get("failed")


@pytest.mark.parametrize("option", ["backup_ids", "backup_id", "backups"])
def test_backups_are_removed_by_plain_ids(stub, option):
    vm = small_server(stub)[0]
    (identity,) = vm.chains[0][-1:]
    result = run_module("prl_backup", stub, state="absent", **{option: [identity]})
    assert result["changed"] and [one["removed"] for one in result["backups"]] == [[identity]]


def test_a_plain_text_is_an_event_type(node):
    result = run_module("prl_event_wait", node, events=["vm_added"], timeout=1, on_timeout="continue")
    assert not result.get("failed") and result["timed_out"]


def test_a_plain_text_is_a_glob_for_names():
    trees = [{"vm": {"uuid": "{a}", "name": "test-1", "type": "vm"}, "chains": []}]
    assert [one["vm"]["name"] for one in retention_plan(trees, {"last": 1}, exclude="test-*")["excluded"]] == ["test-1"]
