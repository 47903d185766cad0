"""In a folder: a stub server for each host with the demonstration's backups, and as pythons.json an interpreter of the SDK for each.

The interpreters are all different, and none Ansible's, as far as the machine has them.
"""

import json
import pathlib
import sys

from prl_stub import cli

from tests.pythons import interpreters


def main(folder, hosts):
    mine = "%d.%d" % sys.version_info[:2]
    others = [path for version, path in sorted(interpreters().items()) if version != mine] or [sys.executable]
    (folder / "pythons.json").write_text(
        json.dumps({host: others[number % len(others)] for number, host in enumerate(hosts)})
    )
    for host in hosts:
        state = folder / (host + ".sqlite")
        for stale in folder.glob(state.name + "*"):
            stale.unlink()
        for command in (["init"], ["demo", "--now", "2026-11-22T06:00:00Z"]):
            status = cli.main(["--state", str(state), *command])
            if status:
                return status
    return 0


sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2].split(",")))
