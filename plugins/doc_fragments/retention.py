# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to keep: the options that prl_backup_prune and the filter retention_plan share."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  policy:
    description:
      - What to keep. A backup is kept if any rule chooses it. At least one of O(policy.last), O(policy.hourly) to O(policy.yearly), O(policy.within),
        O(policy.within_hourly) to O(policy.within_yearly), O(policy.window) and O(policy.chains) is needed.
      - V(0), or a zero duration, disables a rule.
    type: dict
    suboptions:
      last:
        description:
          - Keep this many of the newest backups, or V(all).
          - Or a dictionary with C(count) and C(of) (V(any), or V(full) for the newest full backups; O(policy.tails) decides whether
            their increments are kept).
        type: raw
      hourly:
        description:
          - Keep one backup for each of the most recent hours that have one, up to this number of hours. V(all) means every hour.
          - Or a dictionary with C(count), C(of) (V(any), or V(full) for full backups only) and C(pick) (V(newest) or V(oldest) of the hour).
        type: raw
      daily:
        description: The same for days. See O(policy.hourly) for the dictionary.
        type: raw
      weekly:
        description: The same for weeks, see O(policy.week_start). See O(policy.hourly) for the dictionary.
        type: raw
      monthly:
        description: The same for months. See O(policy.hourly) for the dictionary.
        type: raw
      quarterly:
        description: The same for quarters of a year. See O(policy.hourly) for the dictionary.
        type: raw
      yearly:
        description: The same for years. See O(policy.hourly) for the dictionary.
        type: raw
      within:
        description: Keep every backup that is not older than this duration, counted from O(policy.anchor).
        type: str
      within_hourly:
        description:
          - Keep the newest backup of each hour if it is not older than this duration. See O(policy.keep_oldest) for the oldest backup.
          - Or a dictionary with C(duration) and C(of).
        type: raw
      within_daily:
        description: The same for days. See O(policy.within_hourly) for the dictionary.
        type: raw
      within_weekly:
        description: The same for weeks. See O(policy.within_hourly) for the dictionary.
        type: raw
      within_monthly:
        description: The same for months. See O(policy.within_hourly) for the dictionary.
        type: raw
      within_quarterly:
        description: The same for quarters of a year. See O(policy.within_hourly) for the dictionary.
        type: raw
      within_yearly:
        description: The same for years. See O(policy.within_hourly) for the dictionary.
        type: raw
      window:
        description:
          - Keep every backup that is not older than this duration, and the newest older one, so that for any point in the window
            the last backup before it can be restored.
        type: str
      chains:
        description: Keep all backups of this number of the newest chains, or of V(all) chains.
        type: raw
      min_restorable:
        description: Keep this number of the newest restorable backups, regardless of the rules.
        type: int
        default: 1
      grace:
        description: Keep every backup that is newer than this by the clock, whether it is restorable or not. V(0h) disables this.
        type: str
        default: 24h
      timezone:
        description:
          - The IANA name of the zone in which hours, days and so on begin, such as V(Europe/Berlin).
          - Needed with O(policy.hourly) to O(policy.yearly) and O(policy.within_hourly) to O(policy.within_yearly). Otherwise the default is
            V(UTC).
        type: str
      day_start:
        description: Time at which days begin, and with them weeks, months, quarters and years, such as V('06:00'). Write it in quotes.
        type: str
        default: "00:00"
      week_start:
        description:
          - The day on which weeks begin. With V(monday) they are numbered ISO weeks. With V(sunday) and V(saturday) each week is named after its first
            day.
        type: str
        choices: [monday, sunday, saturday]
        default: monday
      anchor:
        description:
          - The end of the durations of the rules. With V(newest) they end at the newest backup of the VM, so that the backups of a VM that is no longer
            backed up do not expire. With V(now) they end at the time of the plan.
        type: str
        choices: [newest, now]
        default: newest
      counting:
        description:
          - With V(independent) each rule applies to all backups and one backup may satisfy several.
          - With V(additional) a backup that a finer rule keeps does not use up the count of a coarser one, as in borg. The order is durations,
            O(policy.chains), O(policy.last), O(policy.hourly) to O(policy.yearly).
        type: str
        choices: [independent, additional]
        default: independent
      keep_oldest:
        description:
          - While one of O(policy.hourly) to O(policy.yearly) has not used up its count, keep the oldest backup too.
          - While the oldest backup is not older than the duration of one of O(policy.within_hourly) to O(policy.within_yearly), keep it too.
        type: bool
        default: true
      pins:
        description: IDs of backups that are always kept, with or without braces, in upper or lower case.
        type: list
        elements: str
        default: []
      pin_pattern:
        description: A regular expression. A backup whose description matches it anywhere is always kept.
        type: str
      pin_until_pattern:
        description:
          - A regular expression with one group, which is an ISO date, such as V(until ([0-9-]+\)). A backup whose description matches it is kept until
            the end of that day in O(policy.timezone), and then treated like any other.
          - If the date cannot be read, the backup is always kept, and there is a warning.
        type: str
      tags_pattern:
        description:
          - A regular expression that finds tags in descriptions, such as V(#([a-z]+\)). A tag is what its first group matches. An expression
            without a group is refused.
        type: str
      keep_tags:
        description:
          - Tags, as O(policy.tags_pattern) finds them. A backup that has one of them is always kept.
          - There is a warning for each tag that no backup has. Case and blanks are significant.
        type: list
        elements: str
        default: []
      by_tag:
        description:
          - >-
            Rules for backups with a tag, as O(policy.tags_pattern) finds it, such as V({release: {yearly: 3}}). Each value has one or more of the rules above.
          - These rules apply to such a backup, and the rules of the policy itself do not. If a backup has several of these tags, the rules of each
            apply. Other tags have no effect. Pins, O(policy.min_restorable), O(policy.grace) and dependencies within chains apply to all backups.
          - There is a warning for each tag that no backup has.
        type: dict
        default: {}
      count_pinned:
        description: Whether the rules count pinned backups. With V(false) they ignore them.
        type: bool
        default: true
      tails:
        description:
          - What to do with increments at the end of a chain of which only earlier backups are needed. With V(keep) a chain is removed as a whole or not at all.
          - With V(remove) they are removed, newest first, except for those of the chain that the next increment extends.
          - If the C(storage_version) of the VM is below 4, no single increment can be removed safely. V(remove) is then treated as V(keep), with a
            warning.
        type: str
        choices: [keep, remove]
        default: keep
      merge:
        description:
          - With V(allow) an increment in the middle of a chain that is kept only because later ones need it is merged into the next one. The
            server rewrites images to do that.
          - Full backups are never merged, and nothing is merged if the C(storage_version) of the VM is below 4.
        type: str
        choices: [never, allow]
        default: never
      remove_broken:
        description:
          - Remove backups of chains that have no full backup. They cannot be restored and are never counted by the rules.
          - Those newer than the newest restorable backup are kept nevertheless. The guards count the chains to be removed, so
            O(policy.max_broken_chains) has to be set as well.
        type: bool
        default: false
      max_clock_skew:
        description: A backup dated later than the time of the plan by more than this is from the future. It is kept and not counted, and there is a warning.
        type: str
        default: 5min
      retire_moved_after:
        description:
          - >-
            Remove the backups that this node made of a VM that has moved to another node and is backed up there. That is a VM that is not registered here, of
            which another node has made a restorable backup on the same server after the newest one of this node. They are removed once the newest one of this
            node is older than this by the clock.
          - When not set, or V(0), the newest chain of such a VM is never removed.
          - A chain with a pinned backup is kept whole, and so are backups from the future and chains without a full.
        type: str
      retire_after:
        description:
          - How old the newest backup of a VM of O(retired) must be by the clock before its backups are removed. V(0h) does not wait.
        type: str
        default: 30d
      max_remove:
        description: Guard. Refuse a VM's plan if it removes more backups than this.
        type: int
      max_remove_share:
        description:
          - Guard. Refuse a VM's plan if it removes more than this share of its restorable backups, or of all its backups. V(1.0) disables it.
        type: float
        default: 0.5
      max_remove_floor:
        description: If a plan removes fewer backups than this, restorable or not, O(policy.max_remove_share) is not checked.
        type: int
        default: 3
      max_remove_total:
        description: Guard. Refuse the plans of all VMs if together they remove more backups than this.
        type: int
      min_chains:
        description: Guard. Refuse a VM's plan if it leaves fewer restorable chains than this.
        type: int
      max_staleness:
        description: Guard. Refuse a VM's plan if its newest restorable backup is older than this by the clock, and issue a warning.
        type: str
      max_broken_chains:
        description:
          - Guard. Refuse a VM's plan if it has more chains without a full than this, whether the plan keeps or removes them. A chain without a
            full usually means that the trees are incomplete.
        type: int
        default: 0
  overrides:
    description:
      - Other policies for some VMs, in this order. Only the first entry whose O(overrides[].match) matches a VM applies. VMs that no entry matches use
        O(policy).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the entry in the plan. It must be unique and not V(default).
        type: str
      match:
        description: Which VMs it is for. Every given key must match. A key matches if any of its values does. A single value needs no list.
        type: dict
        required: true
        suboptions:
          name:
            description: Globs for the name, such as V(db-*). Upper and lower case differ.
            type: list
            elements: str
          uuid:
            description: UUIDs, with or without braces, in any case.
            type: list
            elements: str
          type:
            description: V(vm) for virtual machines, V(ct) for containers.
            type: list
            elements: str
          description:
            description: Globs for the description of the VM's newest backup.
            type: list
            elements: str
      policy:
        description:
          - Merged into O(policy) key by key. Keys that are not given keep their value from there; V(0) disables a rule.
          - Guards are limits, not rules. C(max_remove) of V(0) forbids every removal, V(null) disables the guard.
          - C(max_remove_total) counts all VMs and can be set in O(policy) only.
        type: dict
        required: true
  exclude:
    description: VMs whose backups are never removed, regardless of the overrides. Each entry is a glob for names, or a dictionary like O(overrides[].match).
    type: list
    elements: raw
    default: []
  retired:
    description:
      - VMs that are gone for good. Each entry is a glob for names, or a dictionary like O(overrides[].match).
      - >-
        Once the newest backup of such a VM is older than O(policy.retire_after), all its chains are removed, except for chains with a pinned backup, backups
        from the future, and chains without a full. The last restorable backup is removed, too. O(policy.min_restorable), O(policy.grace) and the guards
        do not protect the VM, except for O(policy.max_remove_total), O(policy.max_broken_chains) and the check for duplicate IDs.
      - A VM that is registered on the node is never retired, and there is a warning. The same applies if it is unknown whether the VM is
        registered, or which backups of it other nodes have. So the trees must be gathered with C(owner=this_node) and C(scope=all).
    type: list
    elements: raw
    default: []
  guards:
    description:
      - >-
        Guards that override those of every policy, to let one run remove more than usual without changing the policies, such as V({max_remove_share: 0.8}).
      - They are C(max_remove), C(max_remove_share), C(max_remove_floor), C(max_remove_total), C(min_chains), C(max_staleness) and C(max_broken_chains).
    type: dict
    default: {}
"""
