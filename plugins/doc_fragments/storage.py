# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second login, for the modules that look at backups."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  storage:
    description:
      - The backup server to work on. The module logs in to it as well and keeps this second login for the whole task.
      - When not set, the node itself is used, even if a default backup server is configured on the node, so that no
        backup server is read, written to or pruned by surprise.
    type: dict
    suboptions:
      default:
        description:
          - Work on the backup server that the node has configured as its default, or on the node itself if it has none.
          - The node logs in there with the user and password (or key) that are configured on it.
          - Mutually exclusive with O(storage.host).
        type: bool
        default: false
      host:
        description:
          - Name or address of the backup server. It must be reachable from the target host and from the node.
          - Required unless O(storage.default=true).
        type: str
      port:
        description:
          - TCP port of the backup server's dispatcher. The SDK's default is 64000.
        type: int
      username:
        description:
          - User to log in as on the backup server. Required with O(storage.host).
        type: str
      password:
        description:
          - Password of O(storage.username). Required with O(storage.host).
        type: str
      security_level:
        description:
          - How much of the connection to the backup server is encrypted.
        type: str
        choices: [low, normal, high]
        default: high
"""
