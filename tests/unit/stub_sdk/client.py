# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client program for tests that need a process, or an interpreter, of its own: runs the steps named as arguments.

It has to run on every Python that the stub runs on.
"""

from __future__ import absolute_import, division, print_function

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "extensions", "stub_sdk"))


def say(*words):
    """One line of answer, on standard error: standard output belongs to the faults."""
    sys.stderr.write("> %s\n" % " ".join(str(word) for word in words))
    sys.stderr.flush()


class Steps:
    server = None

    def load(self):
        import prlsdkapi

        self.sdk = prlsdkapi

    def init(self):
        import prlsdkapi

        self.sdk = prlsdkapi
        prlsdkapi.init_server_sdk()

    def login_local(self):
        self.server = self.sdk.Server()
        self.server.login_local().wait(10000)
        say("connected", self.server.is_connected())

    def login(self):
        self.server = self.sdk.Server()
        self.server.login("127.0.0.1", "root", "secret").wait(10000)
        say("connected", self.server.is_connected())

    def vms(self):
        found = self.server.get_vm_list_ex(6144).wait(10000)
        say("vms", *[vm.get_name() for vm in found])

    def tree(self):
        result = self.server.get_backup_tree("", "", 0, "", 393216).wait(10000)
        text = result.get_param_as_string()
        say("tree", len(text if isinstance(text, bytes) else text.encode("utf-8")), type(text).__name__)

    def short_tree(self):
        try:
            self.server.get_backup_tree("", "", 0, "", 393216).wait(300)
        except self.sdk.PrlSDKError as error:
            say("error", hex(error.error_code & 0xFFFFFFFF).rstrip("L"), self.server.is_connected())

    def operate(self):
        """Make, restore and remove a backup of the VM with the least ordinary name, and say what was heard."""
        heard = []

        def handler(handle, _data):
            thing = self.sdk.handle_to_object(handle)
            if isinstance(thing, self.sdk.Event):
                heard.append("%d:%s" % (thing.get_type(), ",".join(param.to_string() for param in thing)))
            elif thing.get_op_code() == self.sdk.consts.PJOC_SRV_REMOVE_VM_BACKUP:
                done.set()

        done = threading.Event()
        self.server.reg_event_handler(handler, None)
        found = self.server.get_vm_list_ex(2048).wait(10000)
        uuid = [vm.get_uuid() for vm in found if not vm.get_name()[0].isalpha() or ord(vm.get_name()[0]) > 127][0]
        made = self.server.create_vm_backup(uuid, "", 0, "", b"\xc3\xa4 & <b>".decode("utf-8"), 4096).wait(10000)
        backup = made.get_param_by_index_as_string(1)
        self.server.restore_vm_backup(uuid, backup, "", 0, "", "", "copy", 16384).wait(10000)
        self.server.remove_vm_backup(uuid, backup, "", 0, "", 0, 0, True).wait(10000)
        done.wait(10)
        self.server.unreg_event_handler(handler, None)
        say("suffix", backup.partition(".")[2], "heard", *[line for line in heard if line[:6] in ("100049", "100502", "100058")])

    def fork(self):
        """Let a child do the steps that follow; the parent waits for it."""
        child = os.fork()
        if child:
            say("child", os.waitpid(child, 0)[1])
            os._exit(0)

    def types(self):
        for arguments in ((None, "", 0, ""), ("", "", "0", "")):
            try:
                self.server.get_backup_tree(*arguments)
            except TypeError:
                say("TypeError")

    def logoff(self):
        self.server.logoff().wait(10000)

    def deinit(self):
        self.server = None
        self.sdk.deinit_sdk()


def main(steps):
    program = Steps()
    for step in steps:
        getattr(program, step)()
    say("done")


if __name__ == "__main__":
    main(sys.argv[1:])
