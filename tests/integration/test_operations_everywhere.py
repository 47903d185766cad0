"""The whole way of a backup under every interpreter that the vendor may have built the SDK for."""

import pytest

from tests import support
from tests.harness import run_module
from tests.integration.server import ids
from tests.pythons import VERSIONS, interpreters


@pytest.mark.parametrize("version", VERSIONS)
def test_made_restored_and_removed(stub, version):
    if version not in interpreters():
        pytest.skip("no Python %s here" % version)
    stub.python = interpreters()[version]
    name = "größer"
    stub("vm", "add", name)
    first = run_module("prl_backup", stub, state="present", vm=name, description="nächtlich")
    assert first["became_full"] and first["backup"]["description"] == "nächtlich", first
    made = run_module("prl_backup", stub, state="present", vm=name, description="nächtlich")
    assert made["changed"] and made["backup"]["type"] == "incremental", made
    assert made["sdk"]["python"] == stub.python
    copied = run_module("prl_backup_restore", stub, vm=name, mode="copy", name="Prüfung")
    assert copied["changed"] and copied["vm"]["name"] == "Prüfung", copied
    wanted = [
        {"id": made["backup"]["id"], "created": made["backup"]["created"], "size": made["backup"]["size"]},
        {"id": first["backup"]["id"]},
    ]
    # Both at once would leave nothing, so the newest restore point stays; one alone goes.
    kept = run_module("prl_backup", stub, state="absent", vm=name, backups=wanted, on_error="continue")
    assert [backup["reason"] for backup in kept["backups"]] == ["last_backup"] * 2, kept
    removed = run_module("prl_backup", stub, state="absent", vm=name, backups=wanted[:1], diff=True)
    assert removed["changed"] and ids(stub) == {first["backup"]["id"]} and name in removed["diff"]["before"], removed
    support.record("sdk", version)
