"""The stub server's command line, run in the tests' own process."""

import contextlib
import io

from prl_stub import cli

from tests.harness import Stub


class InProcessStub(Stub):
    """A stub server whose command line runs in this process: many commands cost little."""

    def __call__(self, *arguments):
        out, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _stream in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            status = cli.main(["--state", str(self.state), *map(str, arguments)])
        assert not status, "prl_stub %s\n%s" % (" ".join(map(str, arguments)), errors.buffer.getvalue().decode())
        return out.buffer.getvalue().decode()
