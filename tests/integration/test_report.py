"""The HTML report: pages made of plans of the engine, looked at by lxml and by a browser."""

import json
import re
import shutil
import subprocess
import uuid
import zlib

import lxml.html
import pytest
from ansible_collections.prlsdk.core.plugins.module_utils import _time
from ansible_collections.prlsdk.core.plugins.plugin_utils._report import page as pages
from ansible_collections.prlsdk.core.plugins.plugin_utils._report.html import TEMPLATES, render
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.plan import make_plan

NOW = "2026-11-22T06:00:00Z"
EVIL = "<script>alert(1)</script>"
POLICY = {
    "timezone": "Europe/Berlin",
    "daily": 7,
    "weekly": {"count": 5, "of": "full"},
    "yearly": 3,
    "within": "5d",
    "pin_pattern": "keep",
    "max_staleness": "3d",
    "max_remove_share": 0.95,
    "min_chains": 2,
}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="this machine has no Chromium, in which the pages are looked at"
)


def tree(number, name, weeks=20, age=0, increments=6):
    """A VM with a full each week and increments each night; ``age`` days ago they stopped."""
    newest = _time.parse_instant(NOW) - 3 * 3600 - age * 86400
    chains = []
    for week in range(weeks, 0, -1):
        chain = "{%s}" % uuid.UUID(int=number * 1000 + week)
        backups = [
            {
                "id": chain if not night else "%s.%d" % (chain, night + 1),
                "type": "incremental" if night else "full",
                "number": night + 1,
                "created": _time.format_instant(newest - (week * 7 - 1 - night) * 86400),
                "size": (5 if night else 80) * 10**9,
                "description": "keep <this> & that" if week == 9 and night == 2 else "",
                "creator": "root",
                "server_uuid": "",
            }
            for night in range(increments + 1)
        ]
        chains.append({"uuid": chain, "backups": backups})
    return {
        "vm": {
            "uuid": "{%s}" % uuid.UUID(int=number),
            "name": name,
            "type": "ct" if number % 5 == 0 else "vm",
            "storage_version": 5,
        },
        "chains": chains,
    }


def host(name, trees, **more):
    plan = make_plan(trees, POLICY, NOW) if trees is not None else None
    return dict(
        {
            "host": name,
            "started": NOW,
            "finished": NOW,
            "plan": plan,
            "applied": None,
            "status": "planned",
            "message": "",
        },
        **more,
    )


def report(*hosts):
    return {"title": "Retention of <b>everything</b>", "generated_at": NOW, "hosts": list(hosts)}


def rich():
    names = [EVIL, "billing & invoices", "x" * 120, "db-1\u202egpj", *("web-%02d" % number for number in range(6))]
    trees = [tree(number, name) for number, name in enumerate(names, 1)] + [
        tree(50, "stopped", age=9),
        tree(51, "young", weeks=1),
    ]
    node = host(
        "node-a.example.com", trees, status="failed", message="Not everything was removed. <img src=x onerror=alert(2)>"
    )
    steps = [(vm["vm"]["uuid"], step) for vm in node["plan"]["vms"] for step in vm["remove"]]
    node["applied"] = [
        {
            "id": step["id"],
            "vm": vm,
            "outcome": "removed",
            "reason": None,
            "message": None,
            "removed": [gone["id"] for gone in step["removes"]],
            "error": None,
        }
        for vm, step in steps[3:]
    ] + [
        {
            "id": step["id"],
            "vm": vm,
            "outcome": "failed",
            "reason": "error",
            "message": "It said <no> & meant it.",
            "removed": [],
            "error": None,
        }
        for vm, step in steps[:3]
    ]
    lost = host("node-b.example.com", None, status="failed", message="No SDK was found.")
    # As the plan of a role whose groups of VMs have policies of their own.
    grouped = host("node-c.example.com", [tree(60, "alone")])
    grouped["plan"]["groups"] = [
        {"name": "default", "policy": grouped["plan"]["policy"]},
        {"name": "unused", "policy": grouped["plan"]["policy"]},
    ]
    grouped["plan"]["excluded"] = [{"vm": {"uuid": "{1}", "name": EVIL, "type": "vm"}, "backups": 1, "size": 1}]
    for vm in grouped["plan"]["vms"]:
        vm["group"] = "default"
    return report(node, lost, grouped)


def many():
    trees = [tree(number, "vm-%04d" % number, weeks=1, increments=1) for number in range(1000)]
    return report(
        host(
            "node",
            trees + [tree(1000 + number, "prune-%03d" % number, weeks=12, increments=0) for number in range(110)],
        )
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All pages, and the reports that they were made of."""
    where = tmp_path_factory.mktemp("report")
    for name, value in (("rich", rich()), ("many", many()), ("empty", report()), ("nothing", report(host("node", [])))):
        (where / (name + ".json")).write_text(json.dumps(value))
        (where / (name + ".html")).write_text(render(value))
    return where


def parsed(folder, name):
    return lxml.html.fromstring((folder / (name + ".html")).read_text())


@pytest.mark.parametrize("name", ["rich", "many", "empty", "nothing"])
def test_nothing_on_a_page_runs_or_leads_outside(folder, name):
    text, document = (folder / (name + ".html")).read_text(), parsed(folder, name)
    assert not document.xpath("//script | //iframe | //object | //embed | //img | //form | //base")
    attributes = [
        (key, value)
        for element in document.iter()
        if isinstance(element.tag, str)
        for key, value in element.attrib.items()
    ]
    assert not [key for key, value in attributes if key.startswith("on") or key in ("src", "srcset", "action", "style")]
    assert {value[:1] for key, value in attributes if key in ("href", "xlink:href")} <= {"#", "d"}
    assert [value for key, value in attributes if key == "href" and value[:1] == "d"] == ["data:,"]
    assert not re.search(r"url\((?!#)|@import", text)
    assert "Content-Security-Policy" in text
    ids = [element.get("id") for element in document.xpath("//*[@id]")]
    assert len(ids) == len(set(ids))
    assert {value[1:] for key, value in attributes if key == "href" and value[:1] == "#"} <= set(ids), (
        "every reference leads somewhere"
    )


def test_names_are_text(folder):
    document = parsed(folder, "rich")
    names = document.xpath("//table[contains(@class, 'overview')]//th[@scope='row']//bdi/text()")
    assert EVIL in names and "billing & invoices" in names
    assert "db-1\\u202egpj" in names, "marks that turn the direction of writing are not shown"
    assert EVIL in [text.strip() for text in document.xpath("//details/summary/bdi/text()")]
    assert document.xpath("//h1/text()") == ["Retention of <b>everything</b>"]
    assert any("<img src=x" in text for text in document.xpath("//p[contains(@class, 'message')]/text()"))
    assert "It said <no> & meant it." in document.xpath("//table[contains(@class, 'problems')]//td/text()")


def test_every_mark_has_a_title(folder):
    document = parsed(folder, "rich")
    # An XPath over so many elements takes ten seconds to put them in order.
    elements = [
        element for details in document.iter("details") for element in details.iter() if isinstance(element.tag, str)
    ]
    marks = [
        element for element in elements if element.tag.rpartition("}")[2] == "use" or "part" in element.get("class", "")
    ]
    assert len(marks) > 1000
    for mark in marks:
        holders = [ancestor for ancestor in mark.iterancestors() if ancestor.tag in ("g", "svg")]
        names = [holder.get("aria-label") or (holder[0].text if holder[0].tag == "title" else "") for holder in holders]
        assert any(name.strip() for name in names), lxml.html.tostring(holders[0])[:300]


def test_what_a_vm_shows_is_what_the_plan_says(folder):
    plan = json.loads((folder / "rich.json").read_text())["hosts"][0]["plan"]
    document = parsed(folder, "rich")
    sections = document.xpath("//details[@class='vm']")
    for vm in plan["vms"]:
        (details,) = [
            each for each in sections if each.xpath("summary/bdi/text()") == [pages.formats.shown(vm["vm"]["name"])]
        ]
        states = [
            use.get("href").split("-")[-1] for use in details.xpath(".//*[@class='marks']//*[local-name()='use']")
        ]
        assert states.count("gone") == vm["counts"]["remove"] and states.count("refused") == vm["counts"]["refused"]
        assert states.count("own") == sum(backup["verdict"] == "keep" and backup["own"] for backup in vm["backups"])
        slots = [use.get("href") for use in details.xpath(".//*[@class='rule-slots']//*[local-name()='use']")]
        assert len(slots) >= 7 + 5 + 3
        assert "#s-empty" in slots, "years without a backup are empty slots"
        if vm["vm"]["name"] == "stopped":
            assert vm["status"] == "refused" and "max_staleness" in details.text_content()
    assert document.xpath("//*[@class='calendar']//*[@href='#d-ring']"), "a pinned backup has a ring"
    gone = sum(len(entry["removed"]) for entry in rich()["hosts"][0]["applied"])
    assert "3 failed, %d removed" % gone in document.text_content(), "a chain counts as all of its backups"


def test_a_large_page_stays_usable(folder):
    document = parsed(folder, "many")
    assert len(document.xpath("//table[contains(@class, 'overview')]/tbody/tr")) == 1110
    details = document.xpath("//details[@class='vm']")
    assert len(details) == pages.DRAWN
    assert all(each.xpath("summary/bdi/text()")[0].startswith("prune-") for each in details)
    assert "the details of 10 with something to say are left out" in " ".join(document.text_content().split())
    assert (folder / "many.html").stat().st_size < 7_000_000 + 700 * 1110


def test_no_template_goes_round_the_escaping():
    for path in TEMPLATES.glob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text()), path.name


def browse(page, profile, *flags, width=1600, height=1400, dark=False):
    """Open a page in headless Chromium; a CompletedProcess, and the URLs that it asked for."""
    net_log = profile / "net.json"
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--user-data-dir=%s" % (profile / "profile"),
            "--log-net-log=%s" % net_log,
            "--window-size=%d,%d" % (width, height),
            *(["--blink-settings=preferredColorScheme=0", "--force-dark-mode"] if dark else []),
            *flags,
            page.as_uri(),
        ],
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # What has no page as its initiator is Chromium's own, such as its look for updates.
    requests = [event.get("params", {}) for event in json.loads(net_log.read_text())["events"]]
    return done, [
        request["url"] for request in requests if request.get("initiator", "not an origin") != "not an origin"
    ]


def pixels(path):
    """Width, height, the first pixel and how many bytes of the rest differ, of a PNG without interlacing."""
    data = path.read_bytes()
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    raw, place = b"", 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == b"IDAT":
            raw += data[place + 8 : place + 8 + length]
        place += 12 + length
    raw = zlib.decompress(raw)
    return width, height, sum(raw[1:4]) / 3, len(set(raw))


@needs_chromium
@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_it_and_asks_nobody_for_anything(folder, tmp_path, width, dark):
    done, asked = browse(
        folder / "rich.html", tmp_path, "--screenshot=%s" % (tmp_path / "shot.png"), width=width, dark=dark
    )
    assert asked == []
    assert "CONSOLE" not in done.stderr, done.stderr
    shown_width, height, first, colours = pixels(tmp_path / "shot.png")
    assert (shown_width, height) == (width, 1400)
    assert (first < 60) if dark else (first > 200), "the background is dark only where that is asked for"
    assert colours > 100, "the page is not blank"


@needs_chromium
@pytest.mark.parametrize("name", ["rich", "many"])
def test_no_page_is_wider_than_400_pixels(folder, tmp_path, name):
    """Measured with everything unfolded, in a copy that may run the script that measures, in a frame because windows are never so narrow.

    The copy has an image from outside as well, which must be seen: that is how the test above knows that it would see one.
    """
    script = (
        "<img src='http://127.0.0.1:9/seen.png' width='1' alt=''><script>document.querySelectorAll('details').forEach(d => d.open = true);"
        "parent.postMessage(innerWidth + ' ' + document.documentElement.scrollWidth, '*')</script></body>"
    )
    text = (folder / (name + ".html")).read_text()
    (tmp_path / "copy.html").write_text(re.sub("<meta http-equiv=[^>]*>", "", text).replace("</body>", script))
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<!DOCTYPE html><script>onmessage = e => document.documentElement.setAttribute('data-measured', e.data)</script>"
        "<iframe src='copy.html' width='400' height='900' style='border: 0'></iframe>"
    )
    done, asked = browse(frame, tmp_path, "--dump-dom", "--virtual-time-budget=5000")
    assert re.search('data-measured="([0-9 ]+)"', done.stdout)[1] == "400 400"
    assert asked == ["http://127.0.0.1:9/seen.png"]
