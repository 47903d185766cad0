import pytest

from tests.harness import Stub


@pytest.fixture
def stub(tmp_path):
    """A stub server without any VM or backup."""
    return Stub(tmp_path)


@pytest.fixture
def node(stub):
    """A stub server with the demonstration's node: 30 VMs and containers, seen from a fixed moment."""
    stub("demo", "--now", "2026-11-22T06:00:00Z")
    return stub
