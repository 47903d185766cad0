# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents made to harm the parser. Nothing outside is read, memory and time stay bounded, the error is one sentence."""

import http.server
import io
import json
import pathlib
import subprocess
import sys
import threading

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import tree
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import parse
from ansible_collections.prlsdk.core.plugins.module_utils._errors import TreeError

#: The folder that has ansible_collections in it.
COLLECTIONS = pathlib.Path(tree.__file__).parents[6]
CANARY = "canary-5a1f"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20))
VM = "<VmItem><VmType>0</VmType><Uuid>{11111111-1111-4111-8111-111111111111}</Uuid><Name>%s</Name></VmItem>"


def read(content):
    return list(parse(io.BytesIO(content.encode() if isinstance(content, str) else content)))


def refused(content):
    with pytest.raises(TreeError) as caught:
        read(content)
    assert CANARY not in caught.value.message
    return caught.value.message


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(CANARY)
    return path


@pytest.fixture
def listener():
    """An address that counts how often it is asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/x", asked
    server.shutdown()
    thread.join()
    server.server_close()


DOCTYPES = {
    "alone": "<!DOCTYPE BackupTree>",
    "internal": '<!DOCTYPE BackupTree [<!ENTITY a "b">]>',
    "laughs": f'<!DOCTYPE BackupTree [<!ENTITY l0 "ha">{LAUGHS}]>',
    "external entity": '<!DOCTYPE BackupTree [<!ENTITY a SYSTEM "%s">]>',
    "external subset": '<!DOCTYPE BackupTree SYSTEM "%s">',
    "public": '<!DOCTYPE BackupTree PUBLIC "-//x" "%s">',
    "parameter entity": '<!DOCTYPE BackupTree [<!ENTITY %% p SYSTEM "%s"> %%p;]>',
    "attribute default": '<!DOCTYPE BackupTree [<!ATTLIST BackupTree a CDATA "b">]>',
}
BODIES = ["<BackupTree/>", f"<BackupTree>{VM % '&l19;&a;'}</BackupTree>", "<BackupTree a='&l19;'/>", "<html/>", ""]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", DOCTYPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_document_type_is_refused_unread(secret, listener, name, body, encoding):
    address, asked = listener
    for target in (secret.as_uri(), str(secret), address):
        doctype = DOCTYPES[name] % target if "%s" in DOCTYPES[name] else DOCTYPES[name]
        assert "document type declaration (DOCTYPE)" in refused(f"<!-- first -->\n{doctype}{body}".encode(encoding))
    assert asked == []


def test_a_declaration_that_never_ends_is_refused():
    refused("<!DOCTYPE BackupTree [" + '<!ENTITY a "b">' * 100)
    refused("<!DOCTYPE BackupTree [" + '<!ENTITY a "b">' * 100000)


def test_an_inclusion_is_an_unknown_element_like_others(secret, listener):
    address, asked = listener
    for target in (secret.as_uri(), address):
        include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" href="{target}"/>'
        (tree,) = read(f"<BackupTree>{include}{VM % (include + 'web')}{include}</BackupTree>")
        assert CANARY not in tree.name
    assert asked == []


@pytest.mark.parametrize("depth", [300, 100000])
def test_a_deep_document_is_refused(depth):
    assert "depth" in refused("<BackupTree>" + "<a>" * depth + "</a>" * depth + "</BackupTree>")


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 100,
        b"<BackupTree/>\0",
        b"<BackupTree \x1b></BackupTree>",
        b"<Backup\x1bTree></BackupTree>",
        b"<BackupTree a='\xff></BackupTree>",
        b'<?xml version="1.0" encoding="klingon"?><BackupTree/>',
        b'<?xml version="1.0" encoding="utf-16"?><BackupTree/>\xff'[:-1] + b"\xff",
        "<BackupTree/>".encode("utf-16-le"),
        "<BackupTree/>".encode("utf-32"),
        "<BackupTree>".encode("utf-16"),
        "<BackupTree/>".encode("utf-16") + b"<",
        b"\x1f\x8b\x08\0\0\0\0\0",
    ],
)
def test_bytes_that_are_no_text_are_refused(content):
    refused(content)


@pytest.mark.parametrize(
    "encoding, declaration",
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-8-sig", '<?xml version="1.0" encoding="utf-8"?>'),
        ("utf-16", ""),
        ("utf-16", '<?xml version="1.0" encoding="utf-16"?>'),
        ("utf-16-le", '<?xml version="1.0" encoding="utf-16"?>'),
        ("utf-16-be", '<?xml version="1.0" encoding="utf-16"?>'),
        ("latin-1", '<?xml version="1.0" encoding="iso-8859-1"?>'),
        ("cp1251", '<?xml version="1.0" encoding="windows-1251"?>'),
    ],
)
def test_a_declared_or_marked_encoding_is_understood(encoding, declaration):
    name = {"latin-1": "Zürich", "cp1251": "Казань"}.get(encoding, "Zürich Казань 🗄")
    (tree,) = read((declaration + "<BackupTree>" + VM % name + "</BackupTree>").encode(encoding))
    assert tree.name == name


# Each: what comes first, what is repeated up to 300 MB, what comes last. The pieces are made while they are read.
FLOODS = {
    "text": ("<BackupTree><VmItem><Name>", "x" * 1000, "</Name></VmItem></BackupTree>"),
    "section": ("<BackupTree><VmItem><Name><![CDATA[", "x" * 1000, "]]></Name></VmItem></BackupTree>"),
    "attribute": ('<BackupTree><VmItem a="', "x" * 1000, '"/></BackupTree>'),
    "tag": ("<BackupTree><", "x" * 1000, "/></BackupTree>"),
    "comment": ("<BackupTree><!--", "x" * 1000, "--></BackupTree>"),
    "comments": ("<BackupTree>", "<!-- x -->" * 100, "</BackupTree>"),
    "instruction": ("<BackupTree><?x ", "x" * 1000, "?></BackupTree>"),
    "blanks": ("<BackupTree>", " " * 1000, "</BackupTree>"),
    "blanks before": ("", " " * 1000, "<BackupTree/>"),
    "blanks in the root's tag": ("<BackupTree ", " " * 1000, "/>"),
    "blanks after": ("<BackupTree/>", " " * 1000, ""),
    "unknown in the root": ("<BackupTree>", "<x/>" * 100, "</BackupTree>"),
    "unknown in a VM": ("<BackupTree><VmItem>", "<x/>" * 100, "</VmItem></BackupTree>"),
    "unknown in an unknown": ("<BackupTree><x>", "<x>y</x>" * 100, "</x></BackupTree>"),
    "declarations": ("<!DOCTYPE a [", '<!ENTITY a "b">' * 100, "]><BackupTree/>"),
}

FLOOD = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.prlsdk.core.plugins.module_utils._backups import tree
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import parse
from ansible_collections.prlsdk.core.plugins.module_utils._errors import TreeError

class Flood:
    def __init__(self, first, unit, last, size):
        self.first, self.unit, self.last, self.left = first.encode(), unit.encode(), last.encode(), size

    def read(self, size):
        if self.first:
            piece, self.first = self.first, b""
        elif self.left > 0:
            piece = self.unit * max(1, size // len(self.unit))
            self.left -= len(piece)
        else:
            piece, self.last = self.last, b""
        return piece

list(parse(Flood("<BackupTree/>", "", "", 0)))
results = {}
for name, parts in json.load(sys.stdin).items():
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    try:
        message = "accepted: %d" % len(list(parse(Flood(*parts, 300 * 10**6))))
    except TreeError as error:
        message = error.message
    results[name] = [message, time.monotonic() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]
print(json.dumps(results))
"""


def flood(cases):
    run = subprocess.run(
        [sys.executable, "-c", FLOOD, str(COLLECTIONS)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(run.stdout.splitlines()[-1])


def test_300_megabytes_of_text_end_in_an_error_soon_and_in_little_memory():
    message, seconds, megabytes = flood({"text": FLOODS["text"]})["text"]
    assert message.startswith("The server's backup tree is damaged: ") and "at line 1" in message
    assert seconds < 5
    assert megabytes < 60


def test_a_flood_of_anything_ends_in_an_error_soon_and_in_bounded_memory():
    for name, (message, seconds, megabytes) in flood(FLOODS).items():
        assert message.startswith("The server's backup tree is damaged: "), name
        assert seconds < 20, name
        assert megabytes < 250, name
