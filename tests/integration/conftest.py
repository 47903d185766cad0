import shutil

import pytest

from tests.harness import Stub
from tests.integration.in_process import InProcessStub


@pytest.fixture
def stub(tmp_path):
    """A stub server without any VM or backup."""
    return InProcessStub(tmp_path)


@pytest.fixture(scope="session")
def demo_state(tmp_path_factory):
    made = Stub(tmp_path_factory.mktemp("demo"))
    made("demo", "--now", "2026-11-22T06:00:00Z")
    return made.state


@pytest.fixture
def node(stub, demo_state):
    """A stub server with the demonstration's node: 30 VMs and containers, seen from a fixed moment."""
    for stale in stub.state.parent.glob(stub.state.name + "*"):
        stale.unlink()
    for part in demo_state.parent.glob(demo_state.name + "*"):
        shutil.copy2(part, stub.state.parent / part.name)
    return stub
