# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's table of versions, made from what was seen to work.

python tests/toolchain/support_table.py --record   adds what tests wrote down in build/support to support.yml, then writes the table
python tests/toolchain/support_table.py            writes the table between the two comments of README.md
python tests/toolchain/support_table.py --check    writes nothing, and ends with status 1 where the table is another one
"""

import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests import support  # noqa: E402  (found through the line above)

RECORD = ROOT / "tests" / "toolchain" / "support.yml"
README = ROOT / "README.md"
BEGIN, END = "<!-- versions: made by tests/toolchain/support_table.py -->", "<!-- end of versions -->"
HEAD = "# What tests have seen to work. Written by tests/toolchain/support_table.py --record after `make test` and `make gates`.\n"


def natural(version):
    return [int(number) for number in version.split(".")]


def recorded():
    return yaml.safe_load(RECORD.read_text()) if RECORD.exists() else {"controller": {}, "target": {}, "sdk": []}


def with_seen(record, seen):
    """The record with more versions in it, in order."""
    found = {
        "controller": {line: set(versions) for line, versions in record["controller"].items()},
        "target": {line: set(versions) for line, versions in record["target"].items()},
    }
    sdk = set(record["sdk"])
    for kind, *versions in seen:
        if kind == "sdk":
            sdk.add(versions[0])
        else:
            found[kind].setdefault(versions[0], set()).add(versions[1])
    ordered = {
        kind: {line: sorted(lines[line], key=natural) for line in sorted(lines, key=natural)}
        for kind, lines in found.items()
    }
    return dict(ordered, sdk=sorted(sdk, key=natural))


def table(record):
    """The lines of the table and the sentence below it."""
    rows = [
        "| ansible-core | Python of the control node | Python for the modules on the target host |",
        "|---|---|---|",
    ]
    for line in sorted(set(record["controller"]) | set(record["target"]), key=natural):
        cells = [", ".join(record[kind].get(line, [])) or "-" for kind in ("controller", "target")]
        rows.append("| %s | %s | %s |" % (line, *cells))
    return "\n".join([*rows, "", "Python for the SDK: %s." % ", ".join(record["sdk"])])


def with_table(text, record):
    """The README with the table. ValueError where it has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("README.md has no place for the table: the two comments\n%s\n%s" % (BEGIN, END))
    return "%s%s\n%s\n%s%s" % (before, BEGIN, table(record), END, after)


def main(arguments):
    record = recorded()
    if "--record" in arguments:
        record = with_seen(record, support.seen())
        RECORD.write_text("---\n" + HEAD + yaml.safe_dump(record, sort_keys=False, default_flow_style=None))
    text = README.read_text(encoding="utf-8")
    try:
        wanted = with_table(text, record)
    except ValueError as error:
        print(error)
        return 1
    if "--check" in arguments:
        if text != wanted:
            print("README.md: the table of versions is not what support.yml says")
        return int(text != wanted)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
