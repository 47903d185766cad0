# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the numbered handles stand for: the client library's own objects."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.events import DISPATCHER, NO_CODE, NULL_UUID
from prl_stub.numbers import CONSTS


class Native:
    """A library object; ``type_name`` is its PHT_ constant."""

    type_name = "PHT_ERROR"
    is_object = True

    def __init__(self):
        self.number = 0

    @property
    def type(self):
        """The handle's type number."""
        return CONSTS[self.type_name]

    def released(self):
        """The last reference is gone."""


class Values(Native):
    """An object that only holds values."""

    def __init__(self, type_name, values):
        Native.__init__(self)
        self.type_name = type_name
        self.values = values


class Text(Native):
    """A result's parameter that is a bare string."""

    is_object = False

    def __init__(self, text):
        Native.__init__(self)
        self.text = text


class BackupId(Text):
    """A parameter that can be had as an object and as a string."""

    type_name = "PHT_BACKUP_RESULT"
    is_object = True


class Sequence(Native):
    """A list of natives, or of strings."""

    def __init__(self, type_name, items):
        Native.__init__(self)
        self.type_name = type_name
        self.items = list(items)


class EventParam(Native):
    """A named value of an event."""

    type_name = "PHT_EVENT_PARAMETER"

    def __init__(self, name, kind, text):
        Native.__init__(self)
        self.name = name
        self.kind = kind
        self.text = text


class Event(Native):
    """An event, also the error event of a failed job."""

    type_name = "PHT_EVENT"

    def __init__(self, server, kind=NO_CODE, issuer_type=DISPATCHER, issuer_id=NULL_UUID, code=NO_CODE, params=()):
        Native.__init__(self)
        self.server = server
        self.kind = kind
        self.issuer_type = issuer_type
        self.issuer_id = issuer_id
        self.code = code
        self.params = [EventParam(*param) for param in params]
        self.job = None
        self.question = None  # number of the question that it is, or answers
        self.answer = None

    @classmethod
    def from_dictionary(cls, server, values):
        """The event that the server wrote down."""
        event = cls(
            server, values["type"], values["issuer_type"], values["issuer_id"], values["code"], values["params"]
        )
        event.question = values.get("question")
        event.job = server.jobs.get(values.get("job"))  # known in the session that caused it only
        return event


class Vm(Native):
    """A VM or container as it was when it was listed."""

    type_name = "PHT_VIRTUAL_MACHINE"

    def __init__(self, server, row):
        Native.__init__(self)
        self.server = server
        self.row = row
