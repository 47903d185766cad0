"""Make the pictures of the README from the demonstration: ``make images``. Needs Chromium."""

import html
import re
import shutil
import subprocess
import sys
import textwrap

import demo

IMAGES = demo.ROOT / "docs" / "images"
LINE, CHARACTER = 18, 7.8  # pixels
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" '
    'font-size="13"><rect width="100%%" height="100%%" rx="8" fill="#13181d"/>'
)


def main():
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        sys.exit("The picture of the report needs Chromium, which is not there.")
    IMAGES.mkdir(exist_ok=True)
    output = subprocess.run(
        [sys.executable, demo.DEMO / "demo.py"], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout
    (IMAGES / "plan.svg").write_text(terminal(plan_of(output)))
    picture = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,860"]
    page = demo.REPORT.as_uri()
    subprocess.run(
        [chromium, *picture, "--screenshot=%s" % (IMAGES / "report.png"), page], check=True, stderr=subprocess.DEVNULL
    )


def plan_of(output):
    """The lines of the plan, with the command that shows it."""
    lines = output.splitlines()
    start = next(number for number, line in enumerate(lines) if re.match("VM +type +keep", line))
    end = next(number for number in range(start, len(lines)) if lines[number].startswith("  digest"))
    vms = [line for line in lines[start:end] if line and not line.startswith(("──", " "))]
    totals = [line for line in lines[start + len(vms) : end + 2] if not line.startswith("  Only")]
    return ["$ ansible-playbook prlsdk.core.retention -e @policy.yml", "", *vms[:9], "...", *totals]


def terminal(lines):
    """The lines as a drawing of a terminal."""
    lines = [part for line in lines for part in textwrap.wrap(line, 104, drop_whitespace=False) or [""]]
    width = int(max(map(len, lines)) * CHARACTER) + 32
    drawn = [
        '<text x="16" y="%d" fill="%s" xml:space="preserve">%s</text>'
        % (26 + number * LINE, "#73b1f0" if line.startswith("$") else "#e5eaee", html.escape(line))
        for number, line in enumerate(lines)
    ]
    return "\n".join([HEAD % (width, 32 + len(lines) * LINE), *drawn, "</svg>\n"])


if __name__ == "__main__":
    main()
