# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that every module has: where to log in, and which SDK to use."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  host:
    description:
      - Name or address of the server to log in to.
      - When not set, the module logs in locally, over the unix socket of the target host, as the user that the module runs as.
        This needs no password. Use C(become) to log in as root.
      - When not set in the task, the value of the environment variable E(PRL_HOST) on the target host is used.
    type: str
  port:
    description:
      - TCP port of the dispatcher, with O(host). The SDK's default is 64000.
      - When not set in the task, the value of the environment variable E(PRL_PORT) on the target host is used.
    type: int
  username:
    description:
      - User to log in as. Required with O(host).
      - When not set in the task, the value of the environment variable E(PRL_USERNAME) on the target host is used.
    type: str
  password:
    description:
      - Password of O(username). Required with O(host).
      - It reaches the SDK's process only on standard input, never in arguments, the environment or a file.
      - When not set in the task, the value of the environment variable E(PRL_PASSWORD) on the target host is used.
    type: str
  security_level:
    description:
      - How much of the connection is encrypted. V(high) encrypts everything.
      - The server has its own minimum and refuses a lower level.
    type: str
    choices: [low, normal, high]
    default: high
  login_timeout:
    description:
      - Seconds to wait for the login.
    type: int
    default: 60
  timeout:
    description:
      - Seconds that the whole task may take.
      - When they have passed, the task fails. This works even if the SDK hangs inside native code, because a kernel timer ends
        its process.
    type: int
    default: 300
  sdk_python:
    description:
      - The Python interpreter on the target host that can load the vendor's binding C(prlsdkapi). It needs no other library, and
        may be as old as 2.7. It need not be the one that Ansible uses.
      - When not set, the first of these that can import and initialise the binding is used. The module's own interpreter,
        C(python3.9), C(python3.7), C(python3), C(python2.7), C(python2), C(/usr/libexec/platform-python). If none can, the error
        lists each of them with the reason.
      - When not set in the task, the value of the environment variable E(PRL_SDK_PYTHON) on the target host is used.
    type: path
  sdk_path:
    description:
      - The folder on the target host that contains the package C(prlsdkapi). V({version}) in it is replaced by the interpreter's
        version, such as V(3.9).
      - When not set, each interpreter searches its usual package path, then the folders that the vendor's packages use.
      - When not set in the task, the value of the environment variable E(PRL_SDK_PATH) on the target host is used.
    type: path
  sdk_mode:
    description:
      - The product that the SDK is initialised for. Use V(server) for Virtuozzo.
    type: str
    choices: [server, desktop, workstation]
    default: server
notes:
  - The SDK runs in a separate process, under its own interpreter. Neither its output nor a crash can affect the module.
  - The guide C(docs/connection.md) of the collection explains how an interpreter is found and what a login needs.
"""
