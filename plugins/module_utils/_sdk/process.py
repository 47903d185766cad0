# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that one talks to line by line, keeping of what it prints no more than a bounded part.

Not AnsibleModule.run_command: that one gives a program all of its input at once and waits for its end; and when a program ends before it has
read everything, what it said and how it ended is lost. Interpreters that cannot start are just what has to be told.
"""

import collections
import os
import select
import signal
import subprocess
import threading
from typing import IO, Any, Deque, Iterator, List, Optional, Tuple

from ansible_collections.prlsdk.core.plugins.module_utils import _signals

# Bytes of noise that are kept: of standard error the last ones, and of standard output a line that is no longer than this.
NOISE = 1024 * 1024
# How a line of JSON begins. One of them may be as long as it wants.
MESSAGE = b'{"'

_PIECE = 64 * 1024


class Process:
    """A running program. OSError where there is none of that name.

    It is started by the calling thread: where it asks the kernel to die with its parent, that means with this thread.
    """

    def __init__(self, arguments: List[str]) -> None:
        with _signals.signals_deferred():  # until it is known what there is to end
            # run_command() waits for the end of the program; the worker is talked to while it runs.
            self._process: Any = subprocess.Popen(  # pylint: disable=ansible-bad-function
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                close_fds=True,
                start_new_session=True,
            )
            self.struck = False
        self._lines: Deque[bytes] = collections.deque()
        self._begun, self._left_out, self._ended = bytearray(), False, False
        self._errors = bytearray()
        self._helper = threading.Thread(target=_keep_end, args=(self._process.stderr, self._errors))
        self._helper.daemon = True
        self._helper.start()

    def send(self, line: bytes) -> None:
        """One line, as bytes, to its standard input. One that has ended by then hears nothing."""
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (OSError, ValueError):  # its own words tell why
            pass

    def line(self, seconds: float) -> Optional[bytes]:
        """The next line of its standard output, without the end of the line; None if none came in time, b"" when there will be no more.

        Long lines that are no JSON object are left out.
        """
        while not self._lines:
            if self._ended:
                return b""
            if not select.select([self._process.stdout], [], [], max(0.0, seconds))[0]:
                return None
            self._take(os.read(self._process.stdout.fileno(), _PIECE))
        return self._lines.popleft()

    def _take(self, piece: bytes) -> None:
        if not piece:
            self._ended = True
            if self._begun:
                self._lines.append(bytes(self._begun))
            return
        for number, part in enumerate(piece.split(b"\n")):
            if number:
                if not self._left_out and self._begun:
                    self._lines.append(bytes(self._begun))
                self._begun, self._left_out = bytearray(), False
            if not self._left_out:
                self._begun += part
                if len(self._begun) > NOISE and not self._begun.startswith(MESSAGE):
                    self._begun, self._left_out = bytearray(), True

    def end(self, seconds: float) -> Tuple[Optional[int], bytes]:
        """Close its standard input and wait for its end, which comes by force after ``seconds``.

        Returns (exit status, or minus the signal, or None when it was ended by force; the end of what it printed on standard error).
        """
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.strike()
        status = self._process.wait()
        self._helper.join(1.0)
        for pipe in (self._process.stdout, self._process.stderr):
            pipe.close()
        return None if self.struck else status, bytes(self._errors)

    def strike(self) -> None:
        """Kill it, and all that it started."""
        self.struck = True
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except OSError:  # it has just ended by itself
            pass


def _keep_end(pipe: IO[bytes], end: bytearray) -> None:
    """Read a pipe to its end, of which ``end``, a bytearray, gets the last part."""
    for piece in _pieces(pipe):
        end += piece
        if len(end) > 2 * NOISE:
            del end[:-NOISE]
    del end[:-NOISE]


def _pieces(pipe: IO[bytes]) -> Iterator[bytes]:
    while True:
        piece = os.read(pipe.fileno(), _PIECE)
        if not piece:
            return
        yield piece
