# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the archive for a release, and try it: twice from two folders, compared; installed into an empty path; the demonstration from there.

ansible-galaxy lists the files in the order of the file system and writes the time of the build. So what it built is packed again, in the
order of the names and with the time of the last commit, or SOURCE_DATE_EPOCH.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
BIN = pathlib.Path(sys.executable).parent


def run(*command, **options):
    """Run a command; the end of everything, with its output, if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **options,
    )
    if done.returncode:
        sys.exit("%s\n%s" % (" ".join(map(str, command)), done.stdout))
    return done.stdout


def tracked_files(folder):
    """A copy of what git tracks, as it is now."""
    for name in filter(None, run("git", "ls-files", "-z", cwd=ROOT).split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def same_whenever_built(archive, moment):
    """The bytes of an archive: its files in the order of their names, all of them of one moment and of nobody."""
    with tarfile.open(archive) as source:
        content = {
            member.name: (member, source.extractfile(member).read() if member.isfile() else b"") for member in source
        }
    files = json.loads(content["FILES.json"][1])
    files["files"].sort(key=lambda file: file["name"])
    manifest = json.loads(content["MANIFEST.json"][1])
    changed = {"FILES.json": json.dumps(files, indent=True).encode()}
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(changed["FILES.json"]).hexdigest()
    changed["MANIFEST.json"] = json.dumps(manifest, indent=True).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target:
        for name in sorted(content, key=lambda name: (name not in changed, name)):
            member, data = content[name]
            data = changed.get(name, data)
            member.size, member.mtime, member.pax_headers = len(data), moment, {}
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            target.addfile(member, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=moment)


def built(folder, moment):
    """(name, bytes) of the archive, built from a copy of the tracked files."""
    source = tracked_files(folder / "source")
    run(BIN / "ansible-galaxy", "collection", "build", source, "--output-path", folder / "archive")
    (archive,) = (folder / "archive").iterdir()
    return archive.name, same_whenever_built(archive, moment)


def demonstrated(archive, folder):
    """Install the archive where nothing else is, and run the demonstration with nothing of the checkout but its playbooks."""
    collections = folder / "collections"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PRL_"))}
    environment.update(HOME=str(folder / "home"), ANSIBLE_COLLECTIONS_PATH=str(collections))
    (folder / "home").mkdir()
    install = ("ansible-galaxy", "collection", "install", archive, "--collections-path", collections, "--offline")
    run(BIN / install[0], *install[1:], "--pre", cwd=folder, env=environment)
    installed = collections / "ansible_collections" / "prlsdk" / "core"
    shutil.copytree(ROOT / "tests" / "demo", folder / "tests" / "demo")
    environment["DEMO_COLLECTION"] = str(installed)
    said = run(sys.executable, folder / "tests" / "demo" / "demo.py", cwd=folder, env=environment)
    if str(ROOT / "plugins") in said or not (folder / "build" / "demo" / "report" / "index.html").exists():
        sys.exit("the demonstration did not run from the archive\n" + said)
    run(BIN / "ansible-galaxy", "collection", "verify", "prlsdk.core", "--offline", cwd=folder, env=environment)


def main():
    moment = int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct", cwd=ROOT))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (archive, first), (_archive, second) = (built(folder / word, moment) for word in ("first", "second"))
        if first != second:
            sys.exit("two builds of the same files differ")
        BUILD.mkdir(exist_ok=True)
        (BUILD / archive).write_bytes(first)
        print("%s: the same bytes twice, sha256 %s" % (archive, hashlib.sha256(first).hexdigest()))
        demonstrated(BUILD / archive, folder)
        print("%s: installed into an empty path, and the demonstration ran from there" % archive)
    version = archive[len("prlsdk-core-") : -len(".tar.gz")]
    if version not in yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text())["releases"]:
        sys.exit("changelogs/changelog.yaml has no release %s: run `antsibull-changelog release`" % version)
    if "-" in version:
        print("note: %s is a pre-release; Galaxy gives it only to those who ask with --pre" % version)


if __name__ == "__main__":
    main()
