# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation site: ``python docs/docsite/build.py FOLDER``, in an environment made from tests/requirements/docs.txt.

The pages are laid out as the files are in the repository, so a relative link between two guides leads to the right place in both. Pages of
plugins and roles come from antsibull-docs, the page of the event source from the documentation at its beginning. A warning is an error.
"""

import ast
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import yaml
from antsibull_docs_parser.parser import Context, parse
from antsibull_docs_parser.rst import to_rst

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BIN = pathlib.Path(sys.executable).parent
EVENT_SOURCES = ROOT / "extensions" / "eda" / "plugins" / "event_source"
#: What the site has beside the pages of plugins and roles.
PAGES = ("docs/*.md", "extensions/stub_sdk/README.md")


def lines_of(text):
    """Paragraphs of a plugin's documentation, one or several, as reStructuredText."""
    paragraphs = [text] if isinstance(text, str) else text or []
    return [to_rst(parse(paragraph, Context())) for paragraph in paragraphs]


def event_source_page(path):
    """The page of an event source, which antsibull-docs does not know."""
    written = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            written.update({target.id: node.value.value for target in node.targets})
    about = yaml.safe_load(written["DOCUMENTATION"])
    title = "prlsdk.core.%s event source -- %s" % (path.stem, about["short_description"])
    page = [".. _event_source_%s:" % path.stem, "", title, "=" * len(title), ""]
    for paragraph in lines_of(about["description"]):
        page += [paragraph, ""]
    page += ["Arguments", "---------", ""]
    for name, option in about["options"].items():
        notes = option["type"]
        notes += " of %s" % option["elements"] if "elements" in option else ""
        notes += ", required" if option.get("required") else ""
        notes += ", default ``%s``" % str(option["default"]).lower() if "default" in option else ""
        page += ["``%s`` (%s)" % (name, notes)]
        for paragraph in lines_of(option["description"]):
            page += ["    " + paragraph, ""]
    page += ["Examples", "--------", "", ".. code-block:: yaml+jinja", ""]
    page += ["    " + line for line in written["EXAMPLES"].strip().splitlines()]
    return "\n".join(page) + "\n"


def stage(source):
    """Lay out the sources of all pages in the folder."""
    for pattern in PAGES:
        for path in ROOT.glob(pattern):
            page = source / path.relative_to(ROOT)
            page.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, page)
    images = ROOT / "docs" / "images"
    if images.is_dir():
        shutil.copytree(images, source / "docs" / "images")
    shutil.copyfile(HERE / "index.rst", source / "index.rst")
    reference = source / "reference"
    reference.mkdir(mode=0o755)
    subprocess.run(
        [BIN / "antsibull-docs", "--config-file", HERE / "antsibull-docs.cfg", "collection", "--fail-on-error"]
        + ["--use-current", "--squash-hierarchy", "--dest-dir", reference, "prlsdk.core"],
        env=dict(
            os.environ,
            ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".ansible" / "collections"),
            PATH="%s:%s" % (BIN, os.environ["PATH"]),
        ),
        check=True,
    )
    for path in sorted(EVENT_SOURCES.glob("*.py")):
        (reference / (path.stem + "_event_source.rst")).write_text(event_source_page(path), encoding="utf-8")


def main(folder):
    """Make the site anew in the folder; returns the exit status."""
    target = pathlib.Path(folder).resolve()
    with tempfile.TemporaryDirectory(prefix="docs-") as work:
        source, made = pathlib.Path(work, "source"), pathlib.Path(work, "site")
        source.mkdir(mode=0o755)
        stage(source)
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", HERE]
            + ["-d", pathlib.Path(work, "doctrees"), source, made],
            check=False,
        )
        if done.returncode:
            return done.returncode
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    print("The site is in %s: open %s." % (os.path.relpath(target), os.path.relpath(target / "index.html")))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
