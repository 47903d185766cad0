"""A client whose worker's calls run in the same process: the same code on both sides of the wire, without the wire."""

from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Client
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.messages import WorkerDied
from ansible_collections.prlsdk.core.plugins.module_utils._worker import calls
from ansible_collections.prlsdk.core.plugins.module_utils._worker.protocol import Failure


class Killed(BaseException):
    """The worker's process is gone."""


class InProcessClient(Client):
    """``connect()`` makes the Connection that a worker would have; ``clock()`` gives seconds."""

    def __init__(self, connect, timeout, read_only, clock):
        super().__init__(None, {"host": None}, None, timeout, read_only, clock=clock)
        self._connect = connect

    def open(self):
        self.start_clock()
        self._process = self._connect(self.left)
        self._log_in()

    def _start(self, name, limit, subject, arguments):
        self._numbers += 1
        if name in calls.WRITING and self._read_only:
            raise AssertionError("%s was asked for where nothing may be changed" % name)
        try:
            value = calls.CALLS[name](self._process, limit, **arguments)
        except Killed:
            self._process = None
            raise WorkerDied("The SDK's process died.", [name]) from None
        except Failure as failure:
            self._answers[self._numbers] = ("error", {"error": failure.error})
        else:
            self._answers[self._numbers] = ("result", {"value": value})
        return self._numbers

    def close(self, kill=False):
        self._process = None
