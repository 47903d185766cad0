# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs that a server lists, read from the text of their configurations.

To take a VM's object the SDK parses its whole configuration, 6 to 8 milliseconds of processor time each. The same as text costs nothing.
"""

from typing import Any, Dict, FrozenSet, Optional

from ansible_collections.prlsdk.core.plugins.module_utils import _xml_text

try:
    from lxml import etree
except ImportError:  # then the objects are asked
    etree = None  # type: ignore[assignment]  # as every module without it

ROOT = "VirtuozzoVirtualMachine"
# What of a VM is where in its configuration.
PLACES = {
    "uuid": "Identification/VmUuid",
    "name": "Identification/VmName",
    "type": "VmType",
    "ct_id": "Identification/CtId",
    "home": "Identification/VmHome",
    "template": "Settings/General/IsTemplate",
    "backup_directory": "Settings/General/BackupTargetPreferences/DefaultBackupDirectory",
}
# Where the SDK takes a VM's state from.
PARAMETERS = "Settings/Runtime/InternalVmInfo/ParallelsEvent/EventParameters/EventParameter"
STATE = "vminfo_vm_state"


class ListedVm(Dict[str, Any]):
    """A VM as the worker describes one: uuid, name, type, ct_id, state, template, home, backup_directory, problems.

    ``unsaid`` are the keys of which its text says nothing, and which only its object can tell. ``of`` and ``place``: the server, and where in its list.
    """

    unsaid: FrozenSet[str] = frozenset()
    of: str = "node"
    place: Optional[int] = None


def can_read() -> bool:
    """Whether entries can be read here: that takes lxml."""
    return etree is not None


def read(text: bytes, states: Dict[str, str]) -> Optional[ListedVm]:
    """A ListedVm from a configuration's bytes; None where they are not understood, or not to the letter. ``states``: {number as text: name}."""
    # XML parsers make line feeds of carriage returns.
    if etree is None or b"\r" in text or b"<!DOCTYPE" in text or _xml_text.mend(text) is not text:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, dtd_validation=False, no_network=True, huge_tree=False
    )
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.tag != ROOT:
        return None
    told = {key: root.findtext(path) for key, path in PLACES.items()}
    if not told["uuid"] or told["name"] is None or told["type"] is None:
        return None
    state = states.get(_state_number(root) or "")
    vm = ListedVm(
        uuid=told["uuid"],
        name=told["name"],
        type="vm" if told["type"] == "0" else "ct",
        ct_id=told["ct_id"] or None,
        state=state,
        template=told["template"] not in (None, "", "0"),
        home=told["home"],
        backup_directory=told["backup_directory"] or None,
        problems=[],
    )
    vm.unsaid = frozenset(
        [key for key in ("template", "home", "backup_directory") if told[key] is None] + ([] if state else ["state"])
    )
    return vm


def _state_number(root: Any) -> Optional[str]:
    for parameter in root.iterfind(PARAMETERS):
        if parameter.findtext("Name") == STATE:
            return parameter.findtext("Value")
    return None
