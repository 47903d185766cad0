# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python can load the SDK, from which folder, and why the others cannot."""

import os
import shutil
import signal
import sys
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import ACTS

# Tried in this order after the module's own interpreter: the vendor's builds are for 3.9 (Virtuozzo 9), 3.7 (macOS) and
# 2.7 (Virtuozzo 7).
INTERPRETERS = ("python3.9", "python3.7", "python3", "python2.7", "python2", "/usr/libexec/platform-python")

# Where the vendor's packages put the binding, for interpreters that do not look there by themselves.
SDK_PATHS = (
    "/usr/lib64/python{version}/site-packages",
    "/usr/lib/python{version}/site-packages",
    "/Library/Frameworks/ParallelsVirtualizationSDK.framework/Versions/Current/Libraries/Python/{version}",
)

# Of what a process said last, so many lines and characters are told.
STDERR_LINES, STDERR_LENGTH = 5, 1000


def known_interpreters() -> List[str]:
    """Paths of the interpreters worth a try, each once. The module's own comes first, whatever it is a link to."""
    found = [sys.executable] if sys.executable else []
    seen = set()
    for name in INTERPRETERS:
        path = shutil.which(name)
        if path and path not in found and os.path.realpath(path) not in seen:
            found.append(path)
            seen.add(os.path.realpath(path))
    return found


def ran_out(status: Optional[int]) -> bool:
    """Whether a process was ended because its time was over: by the kernel's timer, or by the one who started it."""
    return status is None or status == -signal.SIGALRM


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def stderr_tail(errors: bytes) -> str:
    lines = [line for line in errors.decode("utf-8", "replace").splitlines() if line.strip()][-STDERR_LINES:]
    words = " | ".join(line.strip() for line in lines)
    return words if len(words) <= STDERR_LENGTH else "..." + words[-STDERR_LENGTH:]


def exit_reason(status: int, errors: bytes) -> str:
    """How a process ended that should have answered, in a few words."""
    how = "was killed by %s" % signal_name(-status) if status < 0 else "ended with status %d and no answer" % status
    words = stderr_tail(errors)
    return "%s; it last said: %s" % (how, words) if words else how


def crash_message(
    python: Optional[str],
    doing: Optional[Tuple[str, Optional[str]]],
    status: Optional[int],
    errors: bytes,
    timeout: float,
) -> str:
    """The message for a worker that died after it had loaded the SDK, or while it did. ``doing``: (the SDK's call, its subject), or None."""
    act = "loading the SDK"
    if doing:
        act = ACTS.get(doing[0], doing[0]).format(subject=doing[1])
        act = act[0].lower() + act[1:]
    if status is None or ran_out(status):
        return (
            "The SDK did not answer within %g seconds while %s, and its process was ended. Raise 'timeout' if the server is only slow; "
            "otherwise check the dispatcher." % (timeout, act)
        )
    return (
        "The SDK's process (%s) died while %s: it %s. Nothing more is known of the request; check the state before you run again."
        % (
            python,
            act,
            exit_reason(status, errors),
        )
    )


def best_reason(attempts: List[Dict[str, Any]]) -> str:
    """Of an interpreter's attempts the reason that says most: a folder that is not there says nothing."""
    reasons = [attempt["why"] for attempt in attempts if attempt["why"] != "no such folder"]
    rare = [reason for reason in reasons if "No module named" not in reason or "prlsdkapi" not in reason]
    return (rare or reasons or ["no such folder: %s" % attempts[0]["path"]])[0]


def _nothing_there(why: str) -> bool:
    return "No module named" in why and "prlsdkapi" in why


def unavailable_message(candidates: List[Dict[str, Any]]) -> str:
    """One sentence on the reason that says most, and what to do. All reasons are in the candidates."""
    # Those that found a binding which does not fit; one that was asked for says why, whatever it is.
    telling = [one for one in candidates if one["version"] and not _nothing_there(one["why"])]
    telling += [one for one in candidates if "killed by" in one["why"]]
    if telling or len(candidates) == 1:
        one = (telling or candidates)[0]
        version = " (%s)" % one["version"] if one["version"] else ""
        return (
            "The SDK (prlsdkapi) cannot be loaded on this host. %s%s: %s. Set 'sdk_python' to the interpreter that it was built for and 'sdk_path' "
            "to the folder that holds prlsdkapi." % (one["python"], version, one["why"].rstrip("."))
        )
    return (
        "The vendor's SDK (prlsdkapi) is not installed for any Python of this host. Install the vendor's package, on Virtuozzo 7 libprlsdk-python; if it is "
        "elsewhere, set 'sdk_python' and 'sdk_path'."
    )
