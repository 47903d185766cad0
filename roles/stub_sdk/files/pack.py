# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print a Python program that unpacks the stub SDK beside itself: one file to copy instead of sixty.

The same files always give the same program, so that a copy that is there already is seen to be the same.
"""

import base64
import hashlib
import io
import pathlib
import sys
import zipfile

STUB_SDK = pathlib.Path(__file__).resolve().parents[3] / "extensions" / "stub_sdk"

PROGRAM = '''\
# Made by the role prlsdk.core.stub_sdk. Unpacks the stub SDK into the folder sdk beside this file, unless it is there. Python 2.7 and 3.6+.
import base64, io, os, shutil, zipfile

DIGEST = "{digest}"
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sdk")
mark = os.path.join(folder, "digest")
if not os.path.exists(mark) or open(mark).read() != DIGEST:
    shutil.rmtree(folder, ignore_errors=True)
    zipfile.ZipFile(io.BytesIO(base64.b64decode("""
{data}"""))).extractall(folder)
    with open(mark, "w") as stream:
        stream.write(DIGEST)
    print("unpacked")
'''


def packed(folder: pathlib.Path) -> bytes:
    """The files of a folder as a zip archive, without what Python compiled."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(folder).as_posix()
                archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


data = packed(STUB_SDK)
sys.stdout.write(PROGRAM.format(digest=hashlib.sha256(data).hexdigest(), data=base64.encodebytes(data).decode("ascii")))
