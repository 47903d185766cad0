# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server behind the stub SDK: its whole state is one SQLite file, so that any number of processes share it.

Nothing here imports ``prlsdkapi``; the client library imports this package.
"""
