# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's table of versions is what was seen to work."""

import pytest

from tests.toolchain import support_table
from tests.toolchain.support_table import BEGIN, END

RECORD = {"controller": {"2.16": ["3.10"]}, "target": {"2.16": ["3.6"]}, "sdk": ["2.7"]}


def test_the_table_of_the_readme_lint():
    assert support_table.main(["--check"]) == 0


def test_what_was_seen_is_added_in_the_order_of_versions():
    seen = [["controller", "2.16", "3.9"], ["controller", "2.9", "3.10"], ["target", "2.16", "3.12"], ["sdk", "3.6"]]
    record = support_table.with_seen(RECORD, seen)
    assert record["controller"] == {"2.9": ["3.10"], "2.16": ["3.9", "3.10"]}
    assert record["target"] == {"2.16": ["3.6", "3.12"]} and record["sdk"] == ["2.7", "3.6"]


def test_the_table_stands_between_its_comments(tmp_path, monkeypatch, capsys):
    text = support_table.with_table("before\n\n%s\nold\n%s\n\nafter\n" % (BEGIN, END), RECORD)
    assert "| 2.16 | 3.10 | 3.6 |" in text and "SDK: 2.7." in text and "old" not in text
    assert text.startswith("before\n\n<!--") and text.endswith("-->\n\nafter\n")
    assert support_table.with_table(text, RECORD) == text
    with pytest.raises(ValueError, match="has no place"):
        support_table.with_table("before\nafter\n", RECORD)
    monkeypatch.setattr(support_table, "README", tmp_path / "README.md")
    monkeypatch.setattr(support_table, "recorded", lambda: RECORD)
    (tmp_path / "README.md").write_text(text.replace("3.10", "3.11"))
    assert support_table.main(["--check"]) == 1 and "is not what support.yml says" in capsys.readouterr().out
    assert support_table.main([]) == 0 and support_table.main(["--check"]) == 0
