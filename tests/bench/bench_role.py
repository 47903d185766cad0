"""What the role backup_retention costs: on one server with 5,000 VMs and about 100,000 backups in check mode, and on ten hosts beside ``ping``."""

import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

from tests.bench import marks
from tests.harness import BIN, ROOT, Stub

VMS = 5_000
POLICY = '{"backup_retention_policy": {"timezone": "Europe/Berlin", "daily": 5, "weekly": 2}, "backup_retention_hosts": "localhost"}'
PHASES = (
    ("gather, plan, predict", "Prune the backups"),
    ("page", "Make the page of all hosts"),
)
#: Hosts, and what the role may cost each of them in processor time, against ``ping`` on as many hosts.
HOSTS, HOST_MARK = 10, 4.0


def main():
    vms = int(os.environ.get("BENCH_VMS", VMS))
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        stub = Stub(home)
        # Chains of a full and five increments. The demonstration shifts each VM by seven minutes, so the last ones have fewer.
        stub(
            "demo",
            "--now",
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "--vms",
            vms,
            "--weeks",
            5,
            "--increments",
            5,
        )
        variables = {"PRL_" + key.upper(): value for key, value in stub.options().items()}
        command = [
            str(BIN / "ansible-playbook"),
            "prlsdk.core.retention",
            "--check",
            "-e",
            POLICY,
            "-e",
            "backup_retention_report_dir=%s" % (home / "report"),
        ]
        start = time.perf_counter()
        tasks, text = timed(command, stub.environment(ANSIBLE_LOCALHOST_WARNING="false", **variables))
        elapsed = time.perf_counter() - start
        if "failed=0" not in text:
            sys.exit(text[-3000:])
        totals = re.search(r"── .* VMs and containers, .* backups", text).group()
        print("%s; check mode %.0f s in all" % (totals[3:], elapsed))
        for name, task in PHASES:
            print("  %-22s %6.1f s" % (name, tasks.pop(task, 0)))
        print("  %-22s %6.1f s" % ("all other tasks", sum(tasks.values())))
        print(
            "  largest process %.0f MB; report %.0f MB of JSON"
            % (
                resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
                (home / "report" / "localhost.json").stat().st_size / 1e6,
            )
        )
        ten_hosts(home)


def ten_hosts(home):
    """Planning only, with the reports: processor time for each host of the role, against that of ping; and how many tasks a host prints."""
    (home / "small").mkdir()
    stub = Stub(home / "small")
    stub("demo")
    inventory = home / "inventory.yml"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(
        json.dumps({"all": {"vars": local, "hosts": {"node-%d" % number: {} for number in range(HOSTS)}}})
    )
    variables = {"PRL_" + key.upper(): value for key, value in stub.options().items()}
    environment = stub.environment(**variables)
    ping = home / "ping.yml"
    ping.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}]))
    role = [
        "prlsdk.core.retention",
        "-e",
        POLICY.replace("localhost", "all"),
        "-e",
        "backup_retention_report_dir=%s" % (home / "ten"),
    ]
    costs, texts = {}, {}
    for name, play in (("ping", [str(ping)]), ("role", role)):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [str(BIN / "ansible-playbook"), "-i", str(inventory), *play]
        done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs[name] = (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / HOSTS
        texts[name] = done.stdout
    ratio = costs["role"] / costs["ping"]
    print(
        "%d hosts with 1,953 backups each, planning only, with reports: %.2f s of processor time a host, %.1f times ping %s; %d tasks printed"
        % (
            HOSTS,
            costs["role"],
            ratio,
            marks.at_most(ratio, HOST_MARK, "role: a host to ping"),
            texts["role"].count("TASK ["),
        )
    )


def timed(command, environment):
    """Run it; seconds by task, from one heading to the next, and the output."""
    tasks, lines, name, since = {}, [], "start", time.perf_counter()
    environment["PYTHONUNBUFFERED"] = "1"
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as play:
        for line in play.stdout:
            heading = re.match(r"TASK \[(?:.* : )?(.*)\] \**$|PLAY RECAP", line)
            if heading:
                now = time.perf_counter()
                tasks[name] = tasks.get(name, 0) + now - since
                name, since = heading.group(1) or "recap", now
            lines.append(line)
    return tasks, "".join(lines)
