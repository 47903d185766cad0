"""Run the collection's main job against the stub SDK: what a user would do on a real node, without one."""

import datetime
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "tests" / "demo"
# The checkout, or an installed collection: `make release-check`.
STUB_SDK = pathlib.Path(os.environ.get("DEMO_COLLECTION", ROOT)) / "extensions" / "stub_sdk"
STATE = ROOT / "build" / "demo" / "state.sqlite"
PLAYBOOKS = ("see.yml", "plan.yml", "apply.yml", "comply.yml")
REPORT = STATE.parent / "report" / "index.html"


def main():
    STATE.parent.mkdir(parents=True, exist_ok=True)
    for stale in STATE.parent.glob(STATE.name + "*"):
        shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    for arguments in (["init"], ["demo", "--now", now]):
        subprocess.run(
            [sys.executable, "-m", "prl_stub", "--state", str(STATE), *arguments],
            cwd=STUB_SDK,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    environment = dict(
        os.environ,
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
        ANSIBLE_CALLBACK_RESULT_FORMAT="yaml",
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
        PRL_STUB_STATE=str(STATE),
        PRL_SDK_PYTHON=sys.executable,
        PRL_SDK_PATH=str(STUB_SDK),
    )
    for playbook in PLAYBOOKS:
        command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), str(DEMO / playbook)]
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            sys.exit(1)
    print("The report: %s\n" % REPORT)
    print(NEXT.format(state=STATE.relative_to(ROOT), python=os.path.relpath(sys.executable, ROOT)))


NEXT = """\
That was the stub SDK: the same modules, with a stand-in for the vendor's SDK and its server. Go on with it:

  export PRL_STUB_STATE=$PWD/{state} PRL_SDK_PATH=$PWD/extensions/stub_sdk PATH=$PWD/.venv/bin:$PATH
  ansible localhost -m prl_backup_info -a 'vms=web-01 latest_only=true'
  ansible localhost -m prl_backup_info -a 'vms=web-* gather=text'
  ansible localhost -m prl_vm_info
  ansible-playbook prlsdk.core.retention -e @tests/demo/policy.yml -e backup_retention_hosts=localhost --check --diff
  ansible-doc -t module prlsdk.core.prl_backup_info

On a node with the vendor's SDK, as root, the same without the first line. See docs/connection.md.
"""

if __name__ == "__main__":
    main()
