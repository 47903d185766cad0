"""Print as JSON an interpreter of the SDK for each host named: all different, and none Ansible's, as far as the machine has them."""

import json
import sys

from tests.pythons import interpreters

mine = "%d.%d" % sys.version_info[:2]
others = [path for version, path in sorted(interpreters().items()) if version != mine] or [sys.executable]
hosts = sys.argv[1].split(",")
print(json.dumps({host: others[number % len(others)] for number, host in enumerate(hosts)}))
