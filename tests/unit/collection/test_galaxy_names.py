# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and files as Galaxy and ansible-test want them. The gates would say so too, but take minutes."""

import pathlib
import re

PLUGINS = pathlib.Path(__file__).resolve().parents[3] / "plugins"


def test_galaxy_accepts_the_name_of_every_python_file():
    names = {path.stem: path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py"}
    assert len(names) > 50
    assert not [path for stem, path in names.items() if not re.match(r"(?!.*__)[a-z_][0-9a-z_]*$", stem)]


def test_the_packages_of_module_utils_are_empty_files_as_sanity_of_2_16_wants_them():
    files = list((PLUGINS / "module_utils").rglob("__init__.py"))
    assert len(files) == 5 and not [path for path in files if path.stat().st_size]
