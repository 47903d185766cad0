# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions share: their options are checked, modules are run on the target host, a lost host is an exception, a failure is one message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.prlsdk.core.plugins.module_utils import _argspec, _option_errors, _packed
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.module_utils._suggestion import nearest
from ansible_collections.prlsdk.core.plugins.module_utils._terminal_text import printable

COLLECTION = "prlsdk.core."
#: Statuses of a shell that could not start a program: it may not, or it is not there.
NOT_STARTED = (126, 127)
#: Ansible's own name for what the command ``ansible`` runs.
AD_HOC = "Ansible Ad-Hoc"


class Failed(Exception):
    """The task fails with this message, a whole sentence."""


class ModuleFailed(Failed):
    """A module ran on the target host, or should have, and failed; ``result`` is what it returned."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


class Unreachable(Failed):
    """The target host could not be reached."""


class ControllerAction(ActionBase):
    """An action of the collection: ``OPTIONS`` is its argument specification, and ``conduct()`` returns its result."""

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    OPTIONS: dict[str, Any] = {}
    #: What may be written for options whose dictionaries the specification does not describe.
    EXAMPLES: dict[str, str] = {}

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Check the options, and conduct."""
        super().run(tmp, task_vars)
        self.task_vars = task_vars or {}
        self.warnings: list[Any] = []
        try:
            checked, options = self.validate_argument_spec(self.specification())
        except AnsibleActionFail:
            said = _option_errors.explain(self._task.args, self.specification(), self._called, self.EXAMPLES)
            if said is None:
                raise
            return {"failed": True, "msg": printable(said)}
        self.options = {name: options.get(name) for name in self.OPTIONS}
        try:
            result = self.conduct()
        except Failed as failure:
            result = {
                "unreachable" if isinstance(failure, Unreachable) else "failed": True,
                "msg": printable(str(failure)),
            }
        except InputError as error:
            result = {"failed": True, "msg": self.placed(error)}
        if self.warnings:
            result["warnings"] = [*result.get("warnings", []), *self.warnings]
        return result

    def specification(self) -> dict[str, Any]:
        """Of everything that the task may have."""
        return self.OPTIONS

    def conduct(self) -> dict[str, Any]:
        """Do the work. May raise Failed and InputError."""
        raise NotImplementedError

    @property
    def host(self) -> str:
        """The host's name in the inventory."""
        return str(self.task_vars["inventory_hostname"])

    def option(self, name: str) -> str:
        """An option as the user knows it: the role that runs this action has a variable for each."""
        role = self._task._role
        prefix = role.get_name(include_role_fqcn=False) + "_" if role and role.get_name().startswith(COLLECTION) else ""
        return prefix + name

    def _called(self, name: str) -> str:
        return self.option(name) if name in self.OPTIONS else name

    def placed(self, error: InputError, inside: str = "") -> str:
        """The message as a sentence that begins with what the user has set: ``inside``, if it does not begin with an option."""
        place = re.match("[a-z_]+(?=[^a-z_]|$)", error.message)
        if place and place.group() in self.OPTIONS:
            return _sentence(self.option(place.group()) + error.message[place.end() :])
        if not inside:
            return _sentence(error.message)
        said = re.sub("^the %s (has an (?=unknown key))?" % inside, "", error.message)
        return _sentence("%s: %s" % (self.option(inside), said))

    def refuse_misspelled_variables(self, others: Iterable[str]) -> None:
        """Fail for a variable that is nearly one of the role's: a mistyped list of exclusions costs backups.

        The role has a variable for each option, and ``others``. Variables that are nowhere near are left alone. Raises Failed.
        """
        prefix = self.option("")
        known = {*self.OPTIONS, *others}
        for name in sorted(self.task_vars) if prefix else ():
            word = name[len(prefix) :]
            if name.startswith(prefix) and not word.startswith("_") and word not in known:
                near = nearest(word, known, 1, 0.8)
                if near:
                    raise Failed(
                        "%s is set, which is no variable of the role. Did you mean %s%s?" % (name, prefix, near[0])
                    )

    def set_variable(self, name: str) -> bool:
        """Whether the role's user has set a variable of this name, which is none of the role's, to something that is true."""
        prefix = self.option("")
        value = self.task_vars.get(prefix + name) if prefix else None
        if isinstance(value, str):
            value = str(self._templar.template(value)).strip().lower() not in ("", "0", "no", "n", "off", "false", "f")
        return bool(value)

    @property
    def ad_hoc(self) -> bool:
        """Whether this is a single command, whose result is shown as a whole in any case."""
        return self.task_vars.get("ansible_play_name") == AD_HOC

    def tell(self, *lines: str) -> None:
        """Show lines together on the standard error of the controller at once. Standard output belongs to Ansible, which may write JSON there."""
        self._display.display("\n".join(map(printable, lines)), stderr=True)


class BackupAction(ControllerAction):
    """An action that runs the collection's modules on the target host. ``OPTIONS`` are those beside the connection's."""

    def specification(self) -> dict[str, Any]:
        # What is not set falls back to the environment of the target host, so the modules get these as they are written here.
        connection = _argspec.connection_options()
        return {
            **{name: {"type": "raw", "no_log": bool(option.get("no_log"))} for name, option in connection.items()},
            **self.OPTIONS,
        }

    @property
    def connection_options(self) -> dict[str, Any]:
        """Those that the task has, but for the time-out: each step has its own."""
        names = set(_argspec.connection_options()) - {"timeout"}
        return {name: self._task.args[name] for name in names if self._task.args.get(name) is not None}

    # -- on the target host

    def run_module(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Run a module of the collection on the target host and return its result.

        Arguments that are None are left out. Raises ModuleFailed or Unreachable.
        """
        given = {**self.connection_options, **{key: value for key, value in arguments.items() if value is not None}}
        try:
            result = self._execute_module(module_name=COLLECTION + name, module_args=given, task_vars=self.task_vars)
        except AnsibleConnectionFailure as error:
            self._connection._shell.tmpdir = None  # it may be gone when the host is back
            raise Unreachable(_sentence(str(error) or "the connection failed")) from error
        except AnsibleError as error:
            raise ModuleFailed(
                "The module %s could not be run on %s. %s" % (name, self.host, _sentence(str(error))), {}
            ) from error
        if result.get("unreachable"):
            raise Unreachable(_sentence(str(result.get("msg") or "the connection failed")))
        told = {one["message"] for one in result.get("damaged") or []}  # what comes of that is the caller's to say
        self.warnings += [
            warning
            for warning in result.get("warnings") or []
            if _text_of(warning) not in told and warning not in self.warnings
        ]
        if result.get("failed"):
            raise ModuleFailed(self._reason(name, result), result)
        return result

    def gather(self, **arguments: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
        """(the backup trees, the VMs that could not be read, what the module says of the server). Raises as run_module()."""
        result = self.run_module("prl_backup_info", gather=["backups"], packed=True, **arguments)
        if "packed_trees" in result:
            try:
                result["backup_trees"] = _packed.unpack(result.pop("packed_trees"))
            except ValueError:
                result = self.run_module("prl_backup_info", gather=["backups"], **arguments)
        damaged = [{**one, "message": self.with_host(one["message"])} for one in result["damaged"]]
        return result["backup_trees"], damaged, result["server"]

    def _reason(self, name: str, result: dict[str, Any]) -> str:
        said = str(result.get("msg") or "")
        if (
            "rc" in result and "sdk" not in result and "error" not in result
        ):  # it did not come so far as to speak for itself
            lines = [
                line
                for key in ("module_stderr", "module_stdout")
                for line in str(result.get(key) or "").splitlines()
                if line.strip()
            ]
            said_last = lines[-1].strip().rstrip(".") if lines else ""
            if result["rc"] in NOT_STARTED:
                return (
                    "%s: %s could not be started (rc %s%s). Set ansible_python_interpreter to a Python 3.6 or later of that host."
                    % (self.host, self._interpreter(), result["rc"], ": " + said_last if said_last else "")
                )
            return (
                "The module %s could not be run on %s: %s ended with status %s%s. If that is no Python 3.6 or later, set ansible_python_interpreter."
                % (name, self.host, self._interpreter(), result["rc"], " and said: " + said_last if said_last else "")
            )
        place = re.match(r"[a-z_]+(?=[:.\[])", said)
        if place and place.group() in self.OPTIONS:  # a module has it under the same name
            said = self.option(place.group()) + said[place.end() :]
        return _sentence(self.with_host(said) or "The module %s failed and did not say why" % name)

    def _interpreter(self) -> str:
        """What runs modules on the target host."""
        facts = self.task_vars.get("ansible_facts") or {}
        found = self.task_vars.get("ansible_python_interpreter") or facts.get("discovered_interpreter_python")
        return str(self._templar.template(found)) if found else "the Python interpreter"

    def with_host(self, said: str) -> str:
        """What a module said, with the host's name of the inventory where the target host speaks of itself."""
        if self._task.args.get("host"):
            return said
        return re.sub(r"\b(on|of) localhost(?=[.,;:]? |[.,;:]?$)", lambda found: "%s %s" % (found[1], self.host), said)


def _text_of(warning: Any) -> str:
    """A module's warning is a text, and from ansible-core 2.19 on an object with one."""
    return str(getattr(getattr(warning, "event", None), "msg", warning))


def _sentence(text: str) -> str:
    """The text as one line that ends like a sentence."""
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else text + "."
