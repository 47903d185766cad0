# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide docs/troubleshooting.md has a row for every error symbol that a user can see."""

import fnmatch
import inspect
import json
import pathlib
import re

from ansible_collections.prlsdk.core.plugins.module_utils import _errors
from ansible_collections.prlsdk.core.plugins.module_utils._sdk import messages

ROOT = pathlib.Path(__file__).resolve().parents[3]
VENDOR = json.loads((ROOT / "extensions" / "stub_sdk" / "prl_stub" / "data" / "errors.json").read_text())
GUIDE = (ROOT / "docs" / "troubleshooting.md").read_text()
ROWS = [
    symbol
    for line in GUIDE.splitlines()
    if line.startswith("| `")
    for symbol in re.findall(r"`([A-Z][A-Z0-9_*]+)`", line.split("|")[1])
]


def symbols():
    """Every symbol that messages.py and _errors.py know, of the collection and of the vendor."""
    for kind in vars(_errors).values():
        if inspect.isclass(kind) and issubclass(kind, _errors.PrlError):
            yield kind.__dict__.get("symbol")
    yield from (_errors.WaitError.TIMED_OUT, _errors.WaitError.FAILED_ON_EVENT)
    yield from (messages.TIMEOUT, messages.WORKER_DIED)
    yield from messages.ADVICE
    yield from messages.ADVICE_FOR_STORAGE
    yield from (symbol for _call, symbol in messages.ADVICE_FOR)
    yield from (symbol for _asked, _call, symbol in messages.ADVICE_TO)
    for pattern in (messages.BUSY, messages.NOT_THERE, messages.LOST, messages.AWAY):
        yield from (name for name in VENDOR if pattern.match(name))


def test_every_symbol_has_a_row():
    missing = {symbol for symbol in symbols() if symbol and not any(fnmatch.fnmatchcase(symbol, row) for row in ROWS)}
    assert missing == set()


def test_symbols_written_in_the_code_have_a_row():
    written = set()
    for folder in ("module_utils", "action", "plugin_utils"):
        for path in (ROOT / "plugins" / folder).rglob("*.py"):
            written.update(re.findall(r'(?:Failure|CallError|refusal)\(\s*"([A-Z_]{4,})"', path.read_text()))
    assert len(written) > 5
    written.discard("READ_ONLY")  # what the worker says then is told as WORKER_FAILED
    assert {symbol for symbol in written if not any(fnmatch.fnmatchcase(symbol, row) for row in ROWS)} == set()


def test_every_row_is_of_a_symbol_that_exists():
    ours = "".join(path.read_text() for path in (ROOT / "plugins").rglob("*.py"))
    unknown = [row for row in ROWS if '"%s"' % row not in ours and not fnmatch.filter(VENDOR, row)]
    assert unknown == []


def test_no_symbol_has_two_rows():
    assert sorted(ROWS) == sorted(set(ROWS))
