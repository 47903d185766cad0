# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notice that whoever started a module has gone away, and end without leaving anything behind."""

import contextlib
import os
import select
import signal
import threading
from typing import Any, Dict, Iterator

# poll() calls it invalid where standard output was closed: nobody reads that either.
UNREAD = ("POLLERR", "POLLHUP", "POLLNVAL")

# What ends a module from outside: a cancelled play, a lost terminal, Ctrl-C.
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

_held: Dict[str, Any] = {"depth": 0, "number": None}


def clean_up_on_signal() -> None:
    """End by the signals of a cancelled play as by an exception: what is registered for the end of the process then removes its files.

    The default action would leave the module's temporary folder, with the worker's files in it; Python's own one for SIGINT would print a
    traceback as well.
    """
    if threading.current_thread() is not threading.main_thread():  # where Python lets nobody handle signals
        return
    for number in ENDING:
        # A process that was told to outlive its terminal ignores SIGHUP, one in the background of a shell SIGINT.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _leave)


def ignore_signals() -> None:
    """Let no signal disturb what removes the files at the end of the process."""
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """A signal that comes inside of the block ends the process at the end of the block."""
    _held["depth"] += 1
    try:
        yield
    finally:
        _held["depth"] -= 1
        if _held["number"] is not None:
            _leave(_held["number"], None)


def _leave(number: int, frame: Any) -> None:
    if _held["depth"]:
        _held["number"] = number
        return
    ignore_signals()  # a second one must not disturb the tidying
    raise SystemExit(128 + number)


def exit_when_stdout_closes() -> None:
    """End this process when nobody reads its standard output any more.

    A play that is cancelled over SSH without a terminal (with pipelining) tells the module nothing; a wait would go on until its time is
    over. Only for modules that may be ended at any moment.
    """
    if hasattr(select, "poll"):
        watch = threading.Thread(target=_watch_reader)
        watch.daemon = True
        watch.start()


def _watch_reader() -> None:
    unread = sum(getattr(select, name) for name in UNREAD)
    poll = select.poll()
    poll.register(1, 0)  # these are told unasked
    while not any(what & unread for descriptor, what in poll.poll(60000)):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
