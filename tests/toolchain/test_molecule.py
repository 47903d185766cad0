"""The Molecule scenarios, and the one of the guide: each runs from an installed archive, without anything of the checkout."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.harness import BIN, ROOT, environment
from tests.pythons import interpreters

pytestmark = pytest.mark.slow

SCENARIOS = sorted(path.parent.name for path in ROOT.glob("extensions/molecule/*/molecule.yml"))
# What a scenario cannot do without; it is skipped, by name, where the program is missing.
NEEDS = {"backup_compliance": ["ssh", "sshd"], "backup_info": ["ssh", "sshd"], "backup_retention": ["ssh", "sshd"]}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder of collections with this one in it, installed from its archive."""
    folder = tmp_path_factory.mktemp("installed")
    _run(folder, "ansible-galaxy", "collection", "build", ROOT, "--output-path", folder / "archive")
    (archive,) = (folder / "archive").iterdir()
    _run(
        folder, "ansible-galaxy", "collection", "install", archive, "--collections-path", folder, "--offline", "--force"
    )
    return folder


def _run(folder, *command, **variables):
    """The command's output, run in a folder; fails the test with all of it when the command fails."""
    done = subprocess.run(
        [BIN / command[0], *command[1:]],
        cwd=folder,
        env=dict(environment(), NO_COLOR="1", PATH="%s:%s" % (BIN, os.environ["PATH"]), **variables),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, "%s ended with status %d\n%s" % (command, done.returncode, done.stdout[-8000:])
    return done.stdout


def molecule(folder, collections, scenario, tmp_path, **variables):
    """Run a scenario, with the collections of one folder only. -> the output."""
    others = [path for version, path in sorted(interpreters().items()) if version != "%d.%d" % sys.version_info[:2]]
    variables.update(ANSIBLE_COLLECTIONS_PATH=str(collections), MOLECULE_EPHEMERAL_DIRECTORY=str(tmp_path / "m"))
    variables.update(STUB_SDK_PYTHONS=":".join(others[:2]))
    return _run(folder, "molecule", "test", "--scenario-name", scenario, **variables)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_molecule(scenario, installed, tmp_path):
    for program in NEEDS.get(scenario, []):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            pytest.skip("scenario %s needs the program %s" % (scenario, program))
    molecule(installed / "ansible_collections/prlsdk/core/extensions", installed, scenario, tmp_path)


def test_molecule_as_the_guide_shows_it(installed, tmp_path):
    guide = (installed / "ansible_collections/prlsdk/core/docs/testing.md").read_text()
    scenario = tmp_path / "project" / "molecule" / "default"
    scenario.mkdir(parents=True)
    files = dict(re.findall(r"\n\n`([a-z]+\.yml)`[^\n]*\n\n(?:<!--.*?-->\n)?```yaml\n(.*?)```", guide, re.DOTALL))
    assert set(files) == {"molecule.yml", "prepare.yml", "converge.yml", "verify.yml"}
    assert sum(text.count("\n") for text in files.values()) < 30, "it is to be a scenario that one copies"
    for name, text in files.items():
        (scenario / name).write_text(text)
    # The stub goes to the home. SSH cannot have a home with so long a path, and needs none here.
    (tmp_path / "home").mkdir()
    said = molecule(tmp_path / "project", installed, "default", tmp_path, HOME=str(tmp_path / "home"))
    assert "idempotence: Executed: Successful" in said and "verify: Executed: Successful" in said, said[-3000:]
    assert "changed=1" in said, "the first run is to remove something"
