# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The retention engine: which backups a policy keeps, why, and in which order the rest may be removed.

Pure functions: backup trees, a policy and ``now`` in, plain data out. ``plan.py`` is the way in and reads like a
table of contents; the guide ``docs/retention.md`` says the same in prose.
"""
