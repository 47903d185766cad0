"""Start or stop an sshd of this run's own: its keys, its configuration and its known_hosts live in a folder, it listens on two addresses.

Stopping it ends it by its pid file, and removes the folder.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

ADDRESSES = ("127.0.0.1", "127.0.0.2")
PROGRAMS = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd", "/usr/bin/sshd")

CONFIGURATION = """\
Port {port}
ListenAddress {addresses[0]}
ListenAddress {addresses[1]}
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxStartups 100
Subsystem sftp internal-sftp
"""


def up(folder):
    if (folder / "sshd.pid").exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("host_key", "user_key"):
        if not (folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as free:
        free.bind((ADDRESSES[0], 0))
        port = free.getsockname()[1]
    host_key = (folder / "host_key.pub").read_text()
    write(folder / "port", str(port))
    write(folder / "authorized_keys", (folder / "user_key.pub").read_text())
    write(folder / "known_hosts", "".join("[%s]:%d %s" % (address, port, host_key) for address in ADDRESSES))
    write(folder / "sshd_config", CONFIGURATION.format(port=port, addresses=ADDRESSES, folder=folder))
    if os.geteuid() == 0:  # sshd wants it when root starts it
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    sshd = next(filter(os.path.isfile, PROGRAMS))
    subprocess.run([sshd, "-t", "-f", folder / "sshd_config"], check=True)
    subprocess.run([sshd, "-f", folder / "sshd_config", "-E", folder / "sshd.log"], check=True)
    for address in ADDRESSES:
        wait_for(address, port)


def write(path, text):
    path.touch(mode=0o600)
    path.write_text(text)


def wait_for(address, port):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def down(folder):
    try:
        os.kill(int((folder / "sshd.pid").read_text()), signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        pass
    shutil.rmtree(folder, ignore_errors=True)


{"up": up, "down": down}[sys.argv[1]](pathlib.Path(sys.argv[2]))
