# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every public name, argument, default and number of the stub is one of the vendor's."""

import hashlib
import inspect
import json
import pathlib
import sys
import types

import prlsdkapi
import pytest

HERE = pathlib.Path(__file__).parent
SURFACE = json.loads((HERE / "vendor_surface.json").read_text(encoding="utf-8"))
NUMBERS = json.loads((HERE / "vendor_numbers.json").read_text(encoding="utf-8"))
STUB_CLASSES = {
    name: value for name, value in vars(prlsdkapi).items() if inspect.isclass(value) and not name.startswith("_")
}


def default_of(text):
    """The value of a default as the vendor's signature spells it."""
    return eval(text, {"consts": prlsdkapi.consts, "sys": sys})  # noqa: S307 -- our own data file


def vendor_signature(args):
    found = []
    for arg in args:
        name, given, default = arg.partition("=")
        found.append((name, default_of(default) if given else inspect.Parameter.empty))
    return found


def stub_signature(function, skip):
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    return [(parameter.name, parameter.default) for parameter in parameters]


def own_methods(cls):
    """Methods of a class and of its private helpers, but not of the public classes it derives from."""
    found = {}
    for base in reversed(cls.__mro__):
        if base is cls or base.__name__ in ("_Listing", "_Record"):
            found.update(vars(base))
    return {
        name: value
        for name, value in found.items()
        if inspect.isfunction(value) and (not name.startswith("_") or name.startswith("__"))
    }


def test_every_public_name_is_the_vendors():
    allowed = set(SURFACE["functions"]) | set(SURFACE["classes"]) | set(SURFACE["module_vars"])
    public = {name for name, value in vars(prlsdkapi).items() if not name.startswith("_")}
    public -= {name for name in public if isinstance(getattr(prlsdkapi, name), types.ModuleType)} - allowed
    assert public <= allowed


def test_no_submodule_is_public_but_the_vendors():
    names = {path.stem for path in pathlib.Path(prlsdkapi.__file__).parent.glob("*.py")}
    assert {name for name in names if not name.startswith("_")} == {"prlsdk"}


@pytest.mark.parametrize("name", sorted(SURFACE["functions"]))
def test_function(name):
    assert stub_signature(getattr(prlsdkapi, name), 0) == vendor_signature(SURFACE["functions"][name])


@pytest.mark.parametrize("name", sorted(set(STUB_CLASSES) | {"_Handle"}))
def test_class(name):
    cls = getattr(prlsdkapi, name)
    vendor = SURFACE["classes"][name]
    bases = {base.__name__ for base in cls.__mro__}
    assert set(vendor["bases"]) <= bases
    for method, function in own_methods(cls).items():
        if method in ("__init__", "__del__") and method not in vendor["methods"]:
            continue  # the vendor's class inherits it
        assert method in vendor["methods"], "%s.%s is not the vendor's" % (name, method)
        assert stub_signature(function, 1) == vendor_signature(vendor["methods"][method]), method


@pytest.mark.parametrize("kind", ["consts", "errors"])
def test_numbers(kind):
    groups = {}
    numbers = {name: value for name, value in vars(getattr(prlsdkapi, kind)).items() if not name.startswith("__")}
    for name in sorted(numbers):
        words = name.split("_")
        group = words[0] + "_" + (words[1] if kind == "errors" else "")
        groups.setdefault(group, []).append("%s=%d" % (name, numbers[name]))
    found = {
        group: [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]]
        for group, lines in groups.items()
    }
    assert found == NUMBERS[kind]


def test_numbers_written_in_the_vendors_documents():
    errors, consts = prlsdkapi.errors, prlsdkapi.consts
    assert errors.PRL_ERR_TIMEOUT == -2147483627
    assert prlsdkapi.conv_error(errors.PRL_ERR_TIMEOUT) == 0x80000015
    assert prlsdkapi.conv_error(errors.PRL_ERR_BACKUP_BACKUP_UUID_NOT_FOUND) == 0x80037004
    assert errors.PRL_WARN_BACKUP_HAS_NOT_FULL_BACKUP == 37017
    assert (consts.PJS_RUNNING, consts.PJS_FINISHED) == (-805306367, -805306366)
    assert consts.PET_DSP_EVT_CREATE_BACKUP_FINISHED == 100049
    assert (consts.PBT_VM, consts.PBT_CT, consts.PBT_KEEP_CHAIN) == (131072, 262144, 2097152)
