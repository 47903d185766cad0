# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM's configuration as the entry of a list gives it as text. Of the real one, some 15 kB, it has what tells VMs apart."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.text import to_str
from prl_stub.tree import escape

_ENTRY = """<VirtuozzoVirtualMachine id="-1" dyn_lists="VirtualAppliance 0">
 <AppVersion>7.0.210</AppVersion>
 <ValidRc>0</ValidRc>
 <VmType>%(type)d</VmType>
 <Identification dyn_lists="">
  <VmUuid>%(uuid)s</VmUuid>
  <VmName>%(name)s</VmName>
  <ServerUuid>%(server)s</ServerUuid>
  <VmHome>%(home)s</VmHome>
  <CtId>%(ct_id)s</CtId>
 </Identification>
 <Settings dyn_lists="">
  <General dyn_lists="PrevOsNumber">
   <IsTemplate>%(template)d</IsTemplate>
   <BackupTargetPreferences dyn_lists="">
    <DefaultBackupDirectory>%(directory)s</DefaultBackupDirectory>
   </BackupTargetPreferences>
  </General>
  <Runtime dyn_lists="IoLimit 0">
   <SystemFlags>%(flags)s</SystemFlags>
   <InternalVmInfo dyn_lists="">
    <ParallelsEvent dyn_lists="EventParameters">
     <EventType>100000</EventType>
     <EventIssuerId>%(uuid)s</EventIssuerId>
     <EventParameters dyn_lists="EventParameter 1">
      <EventParameter id="0" dyn_lists="">
       <Name>vminfo_vm_state</Name>
       <Type>2</Type>
       <Value>%(state)d</Value>
      </EventParameter>
     </EventParameters>
    </ParallelsEvent>
   </InternalVmInfo>
  </Runtime>
  <RemoteDisplay dyn_lists="">
   <Mode>0</Mode>
   <Password>%(display_password)s</Password>
  </RemoteDisplay>
 </Settings>
</VirtuozzoVirtualMachine>
"""
#: A secret of the server's own that no file may ever have.
DISPLAY_PASSWORD = "vnc-5ecret"


def text(row, server, size):
    """The entry of a row of the table of VMs, of so many characters or a few more."""
    values = dict((key, escape(row[key]) if key in ("name", "home", "ct_id", "directory") else row[key]) for key in row)
    return to_str(_ENTRY % dict(values, server=server, flags="x" * max(0, size - 1400), display_password=DISPLAY_PASSWORD))
