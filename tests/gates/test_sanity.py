# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity of every line of ansible-core, without an entry in an ignore file."""

import pytest

from tests.core_lines import LINES, oldest_python, python_with
from tests.toolchain import ansible_test


@pytest.mark.parametrize("line", LINES)
def test_sanity(line, tmp_path):
    version = oldest_python(line)
    if version is None:
        pytest.skip("there is no Python %s here, which ansible-core %s needs" % (" or ".join(LINES[line]), line))
    collection = ansible_test.copy_collection(tmp_path)
    assert not list(collection.glob("tests/sanity/ignore*")), "a finding is mended, or explained where it stands"
    arguments = ["sanity", "--color", "no", "--python", version, "-v"]
    done = ansible_test.run(arguments, collection, python_with(line, version))
    assert done.returncode == 0, "\n".join(
        text for text in done.stdout.splitlines() if text.startswith(("ERROR", "FATAL"))
    )
    # "No tests applicable" also ends with status 0.
    assert "validate-modules" in done.stdout, done.stdout[-2000:]
