"""A small server to do damage to, and the SDK's own call that does it."""

import re
import subprocess

from tests.harness import STUB_SDK

RAW = """
import sys
import prlsdkapi
prlsdkapi.init_server_sdk()
server = prlsdkapi.Server()
session = server.login_local().wait(5000).get_param().get_session_uuid()
try:
    server.remove_vm_backup(sys.argv[1], sys.argv[2], "127.0.0.1", 64000, session, int(sys.argv[3]), 0, True).wait(20000)
    print("success")
except prlsdkapi.PrlSDKError as error:
    print("0x%08X" % error.error_code)
server.logoff().wait(5000)
prlsdkapi.deinit_sdk()
"""
KEEP_CHAIN = 2097152


def raw_remove(stub, vm, backup_id, flags=0):
    """What the SDK answers to this removal: success, or a code."""
    done = subprocess.run(
        [stub.python, "-c", RAW, vm, backup_id, str(flags)],
        env=stub.environment(PYTHONPATH=str(STUB_SDK)),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stub("log", "--clear")
    return done.stdout.strip()


class Vm:
    """One VM's backups as the server lists them now."""

    def __init__(self, stub, name):
        self.stub, self.name = stub, name
        text = stub("tree")
        item = next(item for item in re.findall("<VmItem .*?</VmItem>", text, re.S) if "<Name>%s</Name>" % name in item)
        self.uuid = re.search("<Uuid>(.*?)</Uuid>", item).group(1)
        self.chains = [
            re.findall("<Id>(.*?)</Id>", chain) for chain in re.findall("<BackupItem .*?</BackupItem>", item, re.S)
        ]

    def ids(self):
        """All ids of this VM, as of now."""
        return ids(self.stub, self.uuid)


def ids(stub, vm=""):
    return set(re.findall("<Id>(.*?)</Id>", stub("tree", *([vm] if vm else []))))


def mutating(stub):
    """The names of the calls that could have changed something."""
    return [call["call"] for call in stub.calls() if call["mutating"]]


def outcomes(result):
    return [(backup["outcome"], backup["reason"]) for backup in result["backups"]]


def small_server(stub, vms=2, weeks=2, increments=3):
    """``vms`` VMs with ``weeks`` chains of a full and ``increments`` each; returns them by name's order."""
    stub("demo", "--vms", vms, "--weeks", weeks, "--increments", increments, "--now", "2026-11-22T06:00:00Z")
    names = re.findall("<VmType>.*?<Name>(.*?)</Name>", stub("tree"), re.S)
    stub("log", "--clear")
    return [Vm(stub, name) for name in sorted(names)]
