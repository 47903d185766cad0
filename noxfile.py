# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that Ansible's collections share, by antsibull-nox, and this project's own through make.

antsibull-nox must not lie in an environment with galaxy-importer: pip install -r tests/requirements/nox.txt into one of its own.
"""

import antsibull_nox
import nox

antsibull_nox.load_antsibull_nox_toml()


def _make(session, *targets):
    session.run("make", *targets, *session.posargs, external=True)


@nox.session(python=False)
def quick(session):
    """The unit tests and the fast linters."""
    _make(session, "quick")


@nox.session(python=False)
def tests(session):
    """Every test but the gates."""
    _make(session, "test")


@nox.session(python=False, default=False)
def gates(session):
    """Sanity of every line of ansible-core, the version matrix, galaxy-importer."""
    _make(session, "gates")


if __name__ == "__main__":
    nox.main()
