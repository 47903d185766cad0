# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups to gather: the options that prl_backup_info and prl_backup_facts share."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  vms:
    description:
      - Gather only the backups of these VMs. Each entry is a name, a glob for names, a container's ID, or a UUID with or without braces, in any case.
      - The server is asked VM by VM. A name that the node does not know may be that of a VM that is gone. Then the whole tree is
        searched for it too, unless O(scope=registered).
      - In a glob, V(*) matches any text, V(?) any character, and V([ab]) one of these characters. Upper and lower case differ. A glob is matched against
        the names of the VMs that the node knows and, with O(scope=all), the names in the whole tree, which is then read. If a VM has exactly this name,
        only that VM is selected.
      - The server compares UUIDs as text. The module sends a UUID as it is written here, and tries other spellings only if the server finds nothing.
      - If several VMs have a given name, the task fails and lists them. A glob may match any number of VMs.
    type: list
    elements: str
    aliases: [vm]
  types:
    description:
      - V(vm) for virtual machines, V(ct) for containers.
    type: list
    elements: str
    choices: [vm, ct]
    default: [vm, ct]
  scope:
    description:
      - With V(all) the server is asked for its whole tree, and then for each VM that has its own backup directory. Only this
        shows backups of VMs that the node no longer knows.
      - With V(registered) the server is asked separately for each VM that the node knows. On a large server this is faster by orders of
        magnitude, because the time that the server takes grows with the square of the size of an answer. The vendor's serializer took 0.4
        seconds for a tree of 1,000 backups, 6 seconds for 4,000 and 52 seconds for 10,000. With 200 VMs of about 40 backups each,
        V(registered) was 19 times faster.
      - If a VM with its own backup directory is selected by name or UUID, only that directory is read. Chains that were left in the
        server's default directory, before the VM had its own, are shown by V(all) without O(vms).
      - Use V(all) for up to a few thousand backups, and if orphans matter. Use V(registered) or O(vms) for more.
    type: str
    choices: [all, registered]
    default: all
  owner:
    description:
      - V(this_node) keeps the chains whose newest backup was made by the server that the module logs in to. So nodes that share a
        backup server never see the same chain, and after a VM was migrated, its chain belongs to the node that continues it.
      - V(any) keeps all.
    type: str
    choices: [any, this_node]
    default: any
  on_damaged:
    description:
      - What to do when the server's answer for one VM cannot be read.
      - V(fail) fails the task. The message names the VM.
      - V(skip) gathers the other VMs. The result lists this VM only in RV(ignore:damaged), and there is a warning. It is not known whether the VM
        has backups.
      - Only the answer for a single VM can be skipped, so this works with O(scope=registered), with O(vms), and for VMs with their own backup
        directory. If the whole tree is damaged, the task fails, because it is not known which VMs are affected.
    type: str
    choices: [fail, skip]
    default: fail
  gather:
    description:
      - What to return. V(backups) returns the trees, V(summary) the counts, V(text) a table for people. V(disks) and V(files) add to each backup its
        virtual disks and the names of its image files, and need V(backups). V(raw) returns the XML as the server sent it.
      - V(summary) alone takes little memory on servers of any size.
    type: list
    elements: str
    choices: [backups, summary, text, disks, files, raw]
    default: [backups, summary]
  missing:
    description:
      - What to do when an entry of O(vms) has no backup, or a backup asked for by its ID is not there. V(ok) reports it in RV(missing),
        V(fail) fails the task.
      - A VM that O(on_damaged=skip) left out does not count as missing.
    type: str
    choices: [ok, fail]
    default: ok
"""
