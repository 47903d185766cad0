"""The documentation site, built as `make docs` does: it has every guide and every plugin, and its links lead somewhere."""

import html.parser
import pathlib
import subprocess
import sys
import urllib.parse

import pytest

from tests.harness import ROOT, environment
from tests.venvs import python_of

GUIDES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))


class Page(html.parser.HTMLParser):
    """The links of a page, and what links can lead to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        self.anchors.add(attributes.get("id"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Path of each page -> the page."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [python_of(sys.executable, "docs.txt"), "docs/docsite/build.py", folder],
        cwd=ROOT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return {path: Page(path) for path in folder.rglob("*.html")}


def page_of(site, name):
    (found,) = [path for path in site if path.as_posix().endswith("site/%s.html" % name)]
    return found


def targets(path, page):
    """(the page that a link leads to, its anchor), of the links within the site."""
    for link in page.links:
        parts = urllib.parse.urlsplit(link)
        if not parts.scheme and not parts.netloc:
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            yield target, urllib.parse.unquote(parts.fragment), link


def expected_pages():
    plugins = ROOT / "plugins"
    yield from ("docs/" + name for name in GUIDES)
    for kind, folder in (("module", plugins / "modules"), ("filter", plugins / "filter")):
        yield from ("reference/%s_%s" % (path.stem, kind) for path in folder.glob("[a-z]*.py"))
    yield from ("reference/%s_role" % path.name for path in (ROOT / "roles").iterdir())
    sources = ROOT / "extensions" / "eda" / "plugins" / "event_source"
    yield from ("reference/%s_event_source" % path.stem for path in sources.glob("[a-z]*.py"))


def test_every_guide_plugin_and_role_has_a_page_that_the_first_page_leads_to(site):
    reached, found = set(), [page_of(site, "index")]
    while found:
        path = found.pop()
        if path not in reached:
            reached.add(path)
            found += [target for target, _anchor, _link in targets(path, site[path]) if target in site]
    wanted = list(expected_pages())
    assert len(wanted) > 20
    assert [name for name in wanted if page_of(site, name) not in reached] == []


def test_every_link_within_the_site_leads_to_a_page_and_a_place_in_it(site):
    astray = [
        "%s: %s" % (path.name, link)
        for path, page in site.items()
        for target, anchor, link in targets(path, page)
        if (anchor not in site[target].anchors if target in site else not target.is_file())
    ]
    assert astray == []


def test_guides_do_not_send_their_readers_to_the_forge_for_another_guide(site):
    sent = [
        link
        for page in site.values()
        for link in page.links
        if "/blob/main/docs/" in link and pathlib.PurePosixPath(urllib.parse.urlsplit(link).path).suffix == ".md"
    ]
    assert sent == []


def test_the_page_for_docs_ansible_com_lists_every_guide():
    listed = (ROOT / "docs" / "docsite" / "rst" / "guides.rst").read_text()
    assert [name for name in GUIDES if "/docs/%s.md>" % name not in listed] == []
