# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups to gather: the options that prl_backup_info and prl_backup_facts share."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  vms:
    description:
      - Only the backups of these VMs, each a name, a glob for names, a container's ID, or a UUID with or without braces, in any case.
      - The server is asked VM by VM. A name that the node does not know may be that of a VM that is gone; then the whole tree is
        searched for it too, unless O(scope=registered).
      - In a glob, V(*) is any text, V(?) any character, and V([ab]) one of these. Upper and lower case differ. It fits the names of the VMs that
        the node knows and, with O(scope=all), the names in the whole tree, which is then read. If a VM has exactly this name, only that VM is meant.
      - The server compares UUIDs as text. One is sent as it is written here, and in other spellings only when that brings nothing.
      - A name that more than one VM has is an error that lists them. A glob may fit any number of VMs.
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
      - With V(all) the server is asked for its whole tree, and then for each VM that has a backup directory of its own. Only this
        shows backups of VMs that the node no longer knows.
      - With V(registered) it is asked VM by VM for those that the node knows. On a large server this is faster by orders of
        magnitude, because the time that the server takes grows with the square of one answer's size. The vendor's own serializer was
        measured to take 0.4 seconds for a tree of 1,000 backups, 6 seconds for 4,000 and 52 seconds for 10,000. With 200 VMs of
        about 40 backups each, V(registered) was 19 times faster.
      - For a VM with its own backup directory that is asked for by name or UUID, only that directory is read. Chains that it left in the
        server's default directory, before it got its own, are shown by V(all) without O(vms).
      - Use V(all) up to a few thousand backups, and where orphans matter. Use V(registered), or O(vms), above.
    type: str
    choices: [all, registered]
    default: all
  owner:
    description:
      - V(this_node) keeps the chains whose newest backup was made by the server that the module logs in to. So nodes that share a
        backup server see disjoint sets, and a chain that another node took over with the migrated VM belongs to that node.
      - V(any) keeps all.
    type: str
    choices: [any, this_node]
    default: any
  on_damaged:
    description:
      - What to do when the server's answer for one VM cannot be read.
      - V(fail) fails the task. The message names the VM.
      - V(skip) gathers the other VMs. The result has this VM in RV(ignore:damaged) and nothing else of it, and the task warns. It is not known whether it
        has backups.
      - Only the answer for a single VM can be skipped, so this works with O(scope=registered), with O(vms), and for VMs with a backup directory of
        their own. If the whole tree is damaged, the task fails, because it is not known which VMs the damage concerns.
    type: str
    choices: [fail, skip]
    default: fail
  gather:
    description:
      - What to return. V(backups) are the trees, V(summary) the counts, V(text) a table for people. V(disks) and V(files) add to each backup its
        virtual disks and the names of its image files, and need V(backups). V(raw) is the XML as the server sent it.
      - V(summary) alone takes little memory on servers of any size.
    type: list
    elements: str
    choices: [backups, summary, text, disks, files, raw]
    default: [backups, summary]
  missing:
    description:
      - What to do when an entry of O(vms) has no backup, or a backup asked for by its ID is not there. V(ok) reports it in RV(missing),
        V(fail) fails the task.
      - A VM that O(on_damaged=skip) left out is not missing.
    type: str
    choices: [ok, fail]
    default: ok
"""
