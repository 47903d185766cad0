"""Run ansible-test on a copy of the checkout, offline but for the package index.

ansible-test insists on a real folder ansible_collections/<namespace>/<name>, and fetches its pip from a site that many networks
(and this project's CI) cannot reach. So the tracked files are copied, and its cache is given a script that does the same job with
the pip at hand. Everything it keeps goes to a home in .cache, one for each environment, not to the user's home.
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Each of its environments wants the same pip, so it is installed once and copied, compiled, into the others.
GET_PIP = """\
import os
import shutil
import subprocess
import sys
import sysconfig

unknown_to_pip = ("--no-setuptools", "--no-wheel")
words = [word for word in sys.argv[1:] if word not in unknown_to_pip]
installed = os.path.join(os.path.dirname(os.path.abspath(__file__)), "-".join(sorted(word for word in words if not word.startswith("-"))))
if not os.path.isdir(installed):
    shutil.rmtree(installed + ".new", ignore_errors=True)
    subprocess.check_call([{python!r}, "-m", "pip", "install", "--target", installed + ".new"] + words)
    os.rename(installed + ".new", installed)
shutil.copytree(installed, sysconfig.get_path("purelib"), ignore=shutil.ignore_patterns("bin"), dirs_exist_ok=True)
"""


# Asked of the ansible-test that is to run: the version of pip that it wants to bootstrap for its own Python.
PIP_VERSION = """\
import sys
from ansible_test._internal import python_requirements

class Python:
    version = "%d.%d" % sys.version_info[:2]

print(python_requirements.collect_bootstrap(Python())[0].pip_version)
"""


def prepared_home(python):
    """The home for the ansible-test of this Python's environment; each has its own, so that several can run at the same time.

    In it are the bootstrap script, in ansible-test's cache, and the user's own pip configuration.
    """
    environment = pathlib.Path(python).parents[1]
    home = ROOT / ".cache" / ("home" if environment.name.startswith(".") else "home-" + environment.name)
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([python, "-c", PIP_VERSION], check=True, capture_output=True, text=True).stdout.strip()
    script = cache / ("get_pip_%s.py" % version.replace(".", "_"))
    script.write_text(GET_PIP.format(python=python))
    for name in (".config/pip", ".pip"):
        theirs, ours = pathlib.Path.home() / name, home / name
        if theirs.is_dir() and not ours.is_symlink():
            ours.parent.mkdir(parents=True, exist_ok=True)
            ours.symlink_to(theirs, target_is_directory=True)
    return home


def copy_collection(destination):
    """The files that git tracks or would track, as a collection below ``destination``; returns its folder."""
    target = destination / "ansible_collections" / "prlsdk" / "core"
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listing.decode().split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def run(arguments, collection, python=sys.executable):
    """ansible-test with these arguments, in a copy of the collection: a CompletedProcess with its output as text.

    ``python`` is that of the environment whose ansible-test is meant.

    Its pylint plugin never comes to an end on a class that says ``name = name``; TimeoutExpired tells of that.
    """
    environment = dict(
        os.environ,
        HOME=str(prepared_home(python)),
        PATH=real_path(python),
        ANSIBLE_COLLECTIONS_PATH=str(collection.parents[2]),
    )
    return subprocess.run(
        [str(pathlib.Path(python).parent / "ansible-test"), *arguments],
        cwd=collection,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=900,
    )


def real_path(python=sys.executable):
    """PATH without the folders of pyenv's shims: ansible-test believes a shim that exists for a version that is not selected."""
    here = str(pathlib.Path(python).parent)
    return os.pathsep.join(
        [here] + [folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.endswith("shims")]
    )
