# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the life of a task that takes minutes or hours, as far as a module can.

A module has one voice, its result, and that comes at the end. Two more ways lead out of it. Under ``async`` Ansible keeps a status file
on the target host, and whatever is in it is what M(ansible.builtin.async_status) returns; so the progress goes there. And there is the
target host's system log.
"""

import glob
import json
import os
import re
import subprocess
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import ACTS
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable

# How often the status file and the log are written, in seconds.
FILE_INTERVAL, LOG_INTERVAL = 1.0, 10.0


class Progress:
    """Shows what is done. ``log`` has ``write(text)``; ``job_file`` is a JobFile or None; ``clock`` gives seconds."""

    def __init__(
        self, log: Any, job_file: Optional["JobFile"] = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._file, self._clock = log, job_file, clock
        self._state: Dict[str, Any] = {}
        self._filed: Optional[float] = None
        self._logged: Optional[float] = None
        self._last_text: Optional[str] = None

    def advance(self, operation: str, subject: Optional[str] = None, **more: Any) -> None:
        """Something begins, or goes on: the SDK's call, what it is about, and what is known of stage, percent, done, total."""
        known = self._state
        if "total" not in more and "total" in known and operation in ("get_backup_tree", known.get("operation")):
            return  # looking at what a removal did is part of it, and so is the call that was announced with its count
        state = dict(more, operation=operation, subject=subject)
        self._state = {name: value for name, value in state.items() if value is not None}
        self._state["message"] = self.text()
        now = self._clock()
        if self._file and (self._filed is None or now - self._filed >= FILE_INTERVAL):
            self._filed = now
            self._file.write(dict(self._state))
        if self._state.get("percent") is not None or self._state["operation"].endswith("vm_backup"):
            if self._state["message"] != self._last_text and (
                self._logged is None or now - self._logged >= LOG_INTERVAL
            ):
                self._logged, self._last_text = now, self._state["message"]
                self._log.write(self._state["message"])

    def text(self) -> str:
        """The state in a few words."""
        state = self._state
        parts = [ACTS.get(state["operation"], state["operation"]).format(subject=state.get("subject"))]
        if "total" in state:
            parts.append("(%d of %d)" % (state["done"] + 1, state["total"]))
        elif state.get("stage"):
            parts.append("(%s)" % state["stage"])
        if "percent" in state:
            parts.append("%d%%" % state["percent"])
        return printable(" ".join(parts))


class JobFile:
    """The status file of an asynchronous task: whatever is in it is what async_status returns until the task has ended."""

    def __init__(self, path: str, content: Dict[str, Any]) -> None:
        self._path, self._content = path, content

    def write(self, progress: Dict[str, Any]) -> None:
        # In one step, as Ansible does it: it may be read at any moment.
        scratch = "%s.progress" % self._path
        try:
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as target:
                json.dump(dict(self._content, progress=progress), target)
            os.rename(scratch, self._path)
        except OSError:  # no progress is worth a failure
            pass


class TaskMode(NamedTuple):
    """How Ansible wants a change to be made."""

    check: bool
    diff: bool
    progress: Progress


def find_async_file(
    environment: Optional[Mapping[str, str]] = None, parent: Optional[List[str]] = None
) -> Optional["JobFile"]:
    """The JobFile of this task; None when it is not asynchronous.

    Ansible runs such a module as a child of its wrapper, whose arguments begin with the first half of the job's name.
    """
    environment = os.environ if environment is None else environment
    words = command_line(os.getppid()) if parent is None else parent
    if not any("async_wrapper" in word for word in words):
        return None
    folder = os.path.expanduser(environment.get("ANSIBLE_ASYNC_DIR", "~/.ansible_async"))
    for word in words:
        # Digits with or without a letter before them, in all releases of ansible-core so far.
        if not re.match(r"j?[0-9]+(\.[0-9]+)?$", word):
            continue
        for path in glob.glob(os.path.join(folder, word + ".*")):
            if not re.match(r"[0-9]+$", path.rpartition(".")[2]):
                continue
            try:
                with open(path) as source:
                    content = json.load(source)
            except (OSError, ValueError):
                continue
            if isinstance(content, dict) and content.get("started") and not content.get("finished"):
                return JobFile(path, content)
    return None


def command_line(process: int) -> List[str]:
    """The words of a process's command; [] when they cannot be known."""
    try:
        with open("/proc/%d/cmdline" % process, "rb") as source:
            return source.read().decode("utf-8", "replace").split("\0")
    except OSError:
        pass
    try:
        # Nothing here knows of an AnsibleModule, which run_command() belongs to.
        words = subprocess.check_output(  # pylint: disable=ansible-bad-function
            ["ps", "-o", "args=", "-p", str(process)]
        )
        return words.decode("utf-8", "replace").split()
    except (OSError, subprocess.CalledProcessError):
        return []
