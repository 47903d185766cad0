# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the return values that modules share into their documentation: ansible-core before 2.20 cannot take them from a fragment.

python tests/toolchain/shared_returns.py            writes the modules
python tests/toolchain/shared_returns.py --check    writes nothing, and ends with status 1 where a module would change
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "toolchain" / "shared_returns.yml"
EVERY = ("error", "candidates", "server", "sdk")
TREES = ("backup_trees", "summary", "lines", "raw", "damaged")
#: Module -> the values, and how deep they stand in its RETURN, in spaces.
PLACES = {
    "prl_backup": [(EVERY, 0)],
    "prl_backup_facts": [(EVERY, 0), (TREES, 8)],
    "prl_backup_info": [(EVERY + TREES, 0)],
    "prl_backup_restore": [(EVERY, 0)],
    "prl_event_wait": [(EVERY, 0)],
    "prl_vm_info": [(EVERY, 0)],
}


def blocks():
    """The text of each shared value, by its name."""
    found = re.split(r"^(?=[a-z_]+:$)", SOURCE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {text.partition(":")[0]: text for text in found}


def filled(text, names, depth, shared):
    """A module's text with these values in it. ValueError where one is not there to be replaced."""
    start = text.index('RETURN = r"""')
    end = text.index('"""', start + len('RETURN = r"""'))
    returns = text[start:end]
    for name in names:
        indent = " " * depth
        wanted = "".join(indent + line if line.strip() else line for line in shared[name].splitlines(keepends=True))
        # Up to the next line that is indented as little.
        pattern = r"^%s%s:\n(?:(?: {%d,}.*)?\n)*" % (indent, name, depth + 1)
        returns, count = re.subn(pattern, lambda match, wanted=wanted: wanted, returns, count=1, flags=re.MULTILINE)
        if not count:
            raise ValueError("no %s at a depth of %d" % (name, depth))
    return text[:start] + returns + text[end:]


def main(arguments):
    shared, stale = blocks(), []
    for module, places in PLACES.items():
        path = ROOT / "plugins" / "modules" / (module + ".py")
        before = after = path.read_text(encoding="utf-8")
        for names, depth in places:
            after = filled(after, names, depth, shared)
        if before != after:
            stale.append(module)
            if "--check" not in arguments:
                path.write_text(after, encoding="utf-8")
    for module in stale:
        print("%s: its shared return values are not those of %s" % (module, SOURCE.name))
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
