# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception tree of the collection: raised by the leaves, caught once, in ``_module.py``."""

from typing import Any, Dict, Optional

from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable


class PrlError(Exception):
    """Something the user has to know: a whole sentence that says what failed, on what, and what to do next. It is made printable.

    ``result`` holds keys that travel with the failure (``sdk``, ``candidates`` ...); ``error`` is always among them.
    """

    symbol: Optional[str] = None

    def __init__(self, message: Any, **result: Any) -> None:
        self.message = printable(message)
        super().__init__(self.message)
        self.result = result
        self.result.setdefault(
            "error", {"code": None, "symbol": self.symbol, "operation": None, "retryable": False, "details": {}}
        )
        # The same with all that is known of it, for whoever goes on after it.
        self.error = dict(self.result["error"], message=self.message, subject=None)

    def with_result(self, **known: Any) -> "PrlError":
        """The same error, which also carries what was known when it came."""
        self.result = dict(known, **self.result)
        return self


class InputError(PrlError):
    """An option, or a value in a file, that cannot be used as it is; the message names it and says what is allowed."""

    symbol = "INVALID_INPUT"


class prefix_errors:
    """Put an option's name before the message of an InputError."""

    def __init__(self, option: str) -> None:
        self.option = option

    def __enter__(self) -> "prefix_errors":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, InputError):
            raise InputError("%s: %s" % (self.option, error.message), **error.result)


class AmbiguousNameError(PrlError):
    """A name fits several VMs. ``result['candidates']`` has each one: uuid, name, type, home (None where it is not known)."""

    symbol = "AMBIGUOUS_VM_NAME"


class MissingLibraryError(PrlError):
    """A Python library that the module needs is not there for the interpreter that Ansible uses on the host."""

    symbol = "MISSING_LIBRARY"


class TreeError(PrlError):
    """The server's backup tree is damaged, truncated or not a backup tree; the message names line and column."""

    symbol = "DAMAGED_TREE"


class TemporaryFolderError(PrlError):
    """The module's temporary folder cannot be made, written or read: it is full, read-only, or somebody else's."""

    symbol = "TEMPORARY_FOLDER_FAILED"
    ADVICE = "Free space there or correct its rights, or choose another folder with 'ansible_remote_tmp'."

    def __init__(self, problem: str, **result: Any) -> None:
        super().__init__("%s %s" % (problem, self.ADVICE), **result)


class SdkUnavailableError(PrlError):
    """No interpreter on the host could load the SDK. ``result['candidates']`` has each one tried, and why it failed."""

    symbol = "SDK_UNAVAILABLE"


class WorkerError(PrlError):
    """The worker failed at a call, which is a defect of the collection."""

    symbol = "WORKER_FAILED"


class BackupsLeftError(PrlError):
    """Backups that should be gone are still there. ``result['backups']`` tells of each one what became of it."""

    symbol = "BACKUPS_LEFT"


class SdkError(PrlError):
    """The SDK or its server refused or failed. ``result['error']`` has code, symbol, operation, retryable, details."""

    def __init__(self, message: Any, **result: Any) -> None:
        super().__init__(message, **result)
        #: The SDK's own name of the error, ``PRL_ERR_...``.
        self.symbol = self.result["error"]["symbol"]

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later, unchanged."""
        return self.result["error"]["retryable"]


class WaitError(PrlError):
    """A wait ended without what it waited for: its time was over, or an event of ``fail_on`` came."""

    TIMED_OUT, FAILED_ON_EVENT = "WAIT_TIMED_OUT", "FAILED_ON_EVENT"

    def __init__(self, symbol: str, message: Any, **result: Any) -> None:
        error: Dict[str, Any] = {
            "code": None,
            "symbol": symbol,
            "operation": "wait",
            "retryable": symbol == self.TIMED_OUT,
            "details": {},
        }
        super().__init__(message, error=error, **result)
        self.symbol = symbol
