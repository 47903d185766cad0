# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as HTML. Jinja2 is asked for it directly: Ansible's templating would look for templates in what servers said."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2

from .page import make_page

TEMPLATES = pathlib.Path(__file__).with_name("templates")


def render(report: Any, expected: Iterable[str] = (), compliance: Mapping[str, Any] | None = None) -> str:
    """The page of a report; the arguments and what is raised are those of :func:`page.make_page`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(TEMPLATES)),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html.j2").render(page=make_page(report, expected, compliance))
