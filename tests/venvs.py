"""Virtual environments for tests that need another Ansible or another Python: made once, kept in .cache/venvs."""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "venvs"


def python_of(interpreter, requirements):
    """The interpreter of an environment made from ``interpreter`` with a file of tests/requirements installed."""
    wanted = (ROOT / "tests" / "requirements" / requirements).read_text()
    key = hashlib.sha256((interpreter + wanted).encode()).hexdigest()[:12]
    folder = CACHE / ("%s-%s" % (requirements.removesuffix(".txt"), key))
    done = folder / "installed"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / (folder.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several pytest workers may want the same one
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
            install = [
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                str(ROOT / "tests" / "requirements" / requirements),
            ]
            subprocess.run([str(folder / "bin" / "python"), *install], check=True)
            done.touch()
    return str(folder / "bin" / "python")


if __name__ == "__main__":  # python -m tests.venvs docs.txt
    print(python_of(sys.executable, sys.argv[1]))
