# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module shares: the SDK made from the connection's options, the one place where failures become results."""

import json
import os
import re
from typing import Any, Callable, Dict, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prlsdk.core.plugins.module_utils import _option_errors, _signals
from ansible_collections.prlsdk.core.plugins.module_utils._argspec import ENVIRONMENT, connection_options
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError, PrlError, TemporaryFolderError
from ansible_collections.prlsdk.core.plugins.module_utils._module.progress import Progress, TaskMode, find_async_file
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.client import Client, Launcher
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable, printable_lines

_HALF = re.compile("[\ud800-\udfff]")

# Seconds; more is a slip, and too much for the kernel's timer.
LONGEST = 31536000


class Module(AnsibleModule):
    """All that a module says passes here, so that no text of a server reaches a terminal as it is; values of the result stay as they are."""

    _needs_folder = False
    params: Dict[str, Any]

    def __init__(self, plain_texts: Optional[Dict[str, str]] = None, **more: Any) -> None:
        _signals.clean_up_on_signal()
        # Lists of dictionaries in which a plain text stands for a dictionary with this one key.
        self._plain_texts = plain_texts or {}
        # What the task has, as long as it has not been accepted.
        self._given: Optional[Dict[str, Any]] = {}
        super().__init__(**more)
        self._given = None

    def _load_params(self) -> None:
        super()._load_params()
        for option, key in self._plain_texts.items():
            if option in self.params:
                self.params[option] = as_dictionaries(self.params[option], key)
        self._given = dict(self.params)

    def _log_invocation(self) -> None:
        # Ansible's own fails on these, with a traceback or with advice about the system log.
        for name in sorted(self.params):
            problem, value = None, self.params[name]
            if _HALF.search(json.dumps(value, ensure_ascii=False, default=str)):
                problem = "%s: has half of a surrogate pair, which is no character. Correct the text." % name
            elif isinstance(value, str) and "\0" in value:
                problem = "%s: the character U+0000 at place %d is not allowed. Leave it out." % (
                    name,
                    value.index("\0") + 1,
                )
            if problem:
                error = InputError(problem)
                self.params, self._given = {}, None
                self.fail_json(msg=error.message, **error.result)
        super()._log_invocation()

    def warn(self, warning: Any, **more: Any) -> None:
        super().warn(printable(warning), **more)

    def fail_json(self, msg: Any, **more: Any) -> None:
        if self._needs_folder:  # older releases of ansible-core end here where newer ones raise an exception
            raise TemporaryFolderError("There is no temporary folder. %s." % str(msg).rstrip("."))
        if self._given:
            msg = _option_errors.explain(self._given, self.argument_spec) or msg
        super().fail_json(msg=printable(msg), **more)

    def private_folder(self) -> str:
        """The folder that is removed with the module. Raises TemporaryFolderError."""
        self._needs_folder = True
        try:
            return self.tmpdir
        except PrlError:
            raise
        except Exception as error:
            cause = error.__cause__ or error
            raise TemporaryFolderError(
                "There is no temporary folder. %s: %s."
                % (str(error).rstrip("."), getattr(cause, "strerror", None) or cause)
            ) from None
        finally:
            self._needs_folder = False


def as_dictionaries(value: Any, key: str) -> Any:
    """An option as Ansible gets it, with a dictionary in the place of each plain text in its list; texts that Ansible can parse stay."""
    if isinstance(value, str) and value.strip() and is_plain(value) and not value.lstrip().startswith("["):
        value = [text.strip() for text in value.split(",")]
    if not isinstance(value, list):
        return value
    return [{key: entry} if isinstance(entry, str) and is_plain(entry) else entry for entry in value]


def is_plain(text: str) -> bool:
    """Whether a text is neither JSON nor key=value."""
    return ":" not in text and "=" not in text


def make_module(options: Dict[str, Any], **more: Any) -> "Module":
    """An AnsibleModule with the connection's options beside its own ones; check mode is supported by all."""
    specification = connection_options()
    specification.update(options)
    return Module(
        argument_spec=specification, required_by={"host": ["username", "password"]}, supports_check_mode=True, **more
    )


def run(
    module: Any,
    act: Callable[[Dict[str, Any], Any], Dict[str, Any]],
    read_only: bool = True,
    progress: Optional[Callable[..., Any]] = None,
) -> None:
    """Exit with what ``act(parameters, client)`` returns, but for its ``warnings``; ``client`` is a Client of _sdk that nobody has used yet.

    ``progress(operation, subject)`` is told of each call of the SDK. With ``read_only`` no call is made that could change something.
    """
    without_effect = login_without_host(module.params)
    # The worker inherits the environment, and needs no secret from there.
    os.environ.pop(ENVIRONMENT["password"], None)
    failure = client = None
    try:
        try:
            if without_effect:
                raise InputError(
                    "%s: has no effect without 'host': the login would be that of the local user. Set 'host' too, or leave it out."
                    % without_effect
                )
            client = connect(module, read_only or module.check_mode, progress)
            with client:
                result = act(module.params, client)
        except PrlError as error:
            failure, result = error, error.result
        # Not in the "except" above: Ansible would add the exception that is being handled to the message.
        for warning in result.pop("warnings", ()):
            module.warn(warning)
        if "diff" in result:
            result["diff"] = shown(result["diff"])
        if client is not None and client.sdk:
            result["sdk"] = client.sdk
        if failure is not None:
            module.fail_json(msg=as_sentence(failure.message), **result)
        module.exit_json(**result)
    finally:
        _signals.ignore_signals()


def as_sentence(text: str) -> str:
    """A message with the full stop that it may lack."""
    return text if text.endswith((".", "?", "!")) else text + "."


def login_without_host(params: Dict[str, Any]) -> Optional[str]:
    """An option of the login that the task has and that means nothing there; what the environment sets may be meant for other tasks."""
    if params["host"]:
        return None
    for name in ("username", "password", "port"):
        if params[name] is not None and str(params[name]) != os.environ.get(ENVIRONMENT[name]):
            return name
    return None


def shown(diff: Dict[str, Any]) -> Dict[str, Any]:
    """The form in which Ansible shows a difference. ``before`` and ``after`` are lists of lines here."""
    return {name: value if name.endswith("_header") else printable_lines(value) for name, value in diff.items()}


def run_change(module: Any, act: Callable[[Dict[str, Any], Any, TaskMode], Dict[str, Any]]) -> None:
    """As run(), for modules that change something: ``act(parameters, client, mode)`` with a TaskMode of doing it, whose progress is shown."""
    progress = Progress(Logbook(module), find_async_file())
    mode = TaskMode(module.check_mode, module._diff, progress)
    run(module, lambda params, client: act(params, client, mode), read_only=False, progress=progress.advance)


def connect(module: Any, read_only: bool, progress: Optional[Callable[..., Any]]) -> Client:
    """A Client for this module's connection options."""
    params = module.params
    for name in ("timeout", "login_timeout"):
        if not 0 < params[name] <= LONGEST:
            raise InputError(
                "%s: %d is not a time to wait. Give a number of seconds from 1 to %d (a year)."
                % (name, params[name], LONGEST)
            )
    storage = params.get("storage")
    if storage and storage["default"]:
        if storage["host"]:
            raise InputError("storage: 'default: true' and 'host' exclude each other. Keep the one that you mean.")
        storage = {"default": True}
    elif storage:
        missing = [name for name in ("host", "username", "password") if not storage[name]]
        if missing:
            raise InputError(
                "storage: %s missing. Give host, username and password of the backup server, or 'default: true' for the node's default one."
                % ("%s is" % missing[0] if len(missing) == 1 else "%s are" % " and ".join(missing))
            )
        storage = login_of(storage, params["login_timeout"])
    launcher = Launcher(module.private_folder(), params["sdk_python"], params["sdk_path"], params["sdk_mode"])
    return Client(launcher, login_of(params, params["login_timeout"]), storage, params["timeout"], read_only, progress)


def login_of(params: Dict[str, Any], timeout: float) -> Dict[str, Any]:
    login = {name: params[name] for name in ("host", "port", "username", "password", "security_level")}
    return dict(login, timeout=timeout)


class Logbook:
    """Lines for the target host's system log, unless the task or the host's configuration forbids it."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def write(self, text: str) -> None:
        if not self._module.no_log:
            self._module.log(printable(text))
