# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup tree's text, as the vendor's serialiser writes it.

One space of indentation, no XML declaration, bookkeeping attributes on every complex element, all scalar elements
always written. The vendor's attribute order is not stable; this is one it was seen to use.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

EMPTY = '<BackupTree id="-1" dyn_lists="VmItem 0"/>'

_TREE = '<BackupTree dyn_lists="VmItem %d" id="-1">\n'
_VM = """ <VmItem dyn_lists="BackupItem %d" id="%d">
  <VmType>%d</VmType>
  <Uuid>%s</Uuid>
  <Name>%s</Name>
  <Version>%d</Version>
"""
_HEAD = """  <BackupItem dyn_lists="TibFileList PartialBackupItem %d" id="%d">
   <Uuid>%s</Uuid>
   <Id>%s</Id>
"""
_PARTIAL = """   <PartialBackupItem dyn_lists="TibFileList" id="%d">
    <Number>%d</Number>
    <Id>%s</Id>
"""
_FRONT = """{0}<Host>%s</Host>
{0}<ServerUuid>%s</ServerUuid>
{0}<DateTime>%s</DateTime>
{0}<Creator>%s</Creator>
{0}<Size>%d</Size>
{0}<Type>{1}</Type>
{0}<Description>%s</Description>
"""
_FILE = "{0}<TibFileList>%s</TibFileList>\n"
_MIDDLE = """{0}<OriginalSize>%d</OriginalSize>
{0}<BundlePermissions>%d</BundlePermissions>
{0}<Flags>%d</Flags>
"""
_DISKS = """{0}<BackupDisks dyn_lists="BackupDisk %d">
%s{0}</BackupDisks>
"""
_DISK = """{0} <BackupDisk dyn_lists="" id="%d">
{0}  <Name>%s</Name>
{0}  <OriginalPath>%s</OriginalPath>
{0}  <Size>%s</Size>
{0}  <Encryption dyn_lists="">
{0}   <KeyId>%s</KeyId>
{0}  </Encryption>
{0} </BackupDisk>
"""


class _Style:
    """The templates of an item at one depth."""

    def __init__(self, indent, kind):
        self.front = _FRONT.format(indent, kind)
        self.file = _FILE.format(indent)
        self.middle = _MIDDLE.format(indent)
        self.disks = _DISKS.format(indent)
        self.disk = _DISK.format(indent)
        self.no_disks = '%s<BackupDisks dyn_lists="BackupDisk 0"/>\n' % indent


_FULL = _Style("   ", "f")
_INCREMENT = _Style("    ", "i")


def escape(text):
    """Text as the serialiser escapes it: a lone ``>`` stays."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")
    return text.replace("\r", "&#xd;")


def unescape(text):
    """The text behind an escaped one."""
    text = text.replace("&#xd;", "\r").replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&amp;", "&")


def join_disks(disks):
    """The stored form of [(name, path, size, key id)]: escaped, a line for each disk, fields parted by tabs."""
    return "\n".join("\t".join(escape(str(field)) for field in disk) for disk in disks)


def write(catalogues):
    """The text of [(catalogue, [(chain, [item, ...]), ...]), ...]; the first item of a chain is its head."""
    if not catalogues:
        return EMPTY
    parts = [_TREE % len(catalogues)]
    for position, (catalogue, chains) in enumerate(catalogues):
        parts.append(
            _VM
            % (len(chains), position, catalogue["type"], catalogue["uuid"], catalogue["name"], catalogue["version"])
        )
        for index, (chain, items) in enumerate(chains):
            _write_chain(parts, index, chain, items)
        parts.append(" </VmItem>\n")
    parts.append("</BackupTree>\n")
    return "".join(parts)


def _write_chain(parts, index, chain, items):
    head = items[0]
    parts.append(_HEAD % (len(items) - 1, index, chain["uuid"], head["backup_id"]))
    _write_front(parts, _FULL, head)
    for position in range(1, len(items)):
        item = items[position]
        parts.append(_PARTIAL % (position - 1, item["number"], item["backup_id"]))
        _write_front(parts, _INCREMENT, item)
        _write_back(parts, _INCREMENT, item, "")
        parts.append("   </PartialBackupItem>\n")
    _write_back(parts, _FULL, head, "   <LastNumber>%d</LastNumber>\n" % chain["last_number"])
    parts.append("  </BackupItem>\n")


def _write_front(parts, style, item):
    parts.append(
        style.front
        % (
            item["host"],
            item["server_uuid"],
            item["created"],
            item["creator"],
            item["size"],
            item["description"],
        )
    )
    if item["files"]:
        for name in item["files"].split("\n"):
            parts.append(style.file % name)


def _write_back(parts, style, item, last_number):
    parts.append(style.middle % (item["original_size"], item["permissions"], item["flags"]))
    parts.append(last_number)
    if not item["disks"]:
        parts.append(style.no_disks)
        return
    disks = item["disks"].split("\n")
    text = "".join(style.disk % ((number,) + tuple(disk.split("\t"))) for number, disk in enumerate(disks))
    parts.append(style.disks % (len(disks), text))
