# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events and their parameters."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from prl_stub.events import NO_CODE
from prl_stub.numbers import CONSTS
from prlsdkapi import _args
from prlsdkapi._base import _Handle, _Listing, pick
from prlsdkapi._error import fail
from prlsdkapi._natives import Event as EventNative
from prlsdkapi._registry import stands_for, wrap
from prlsdkapi._texts import describe, symbol_of
from prlsdkapi.prlsdk import consts

_QUESTION = CONSTS["PET_DSP_EVT_VM_QUESTION"]


@stands_for("PHT_EVENT")
class Event(_Listing):
    def get_type(self):
        return self._native().kind

    def get_server(self):
        return wrap(self._native().server)

    def get_vm(self):
        native = self._native()
        held = native.server.vms.get(native.issuer_id)
        if held is None:
            fail("PRL_ERR_INVALID_HANDLE")  # only a VM whose object the client holds can be had
        return wrap(held)

    def get_job(self):
        native = self._native()
        if native.job is None:
            fail("PRL_ERR_UNINITIALIZED")
        return wrap(native.job)

    def get_params_count(self):
        return self._count()

    def get_param(self, nIndex):
        return self._at(nIndex)

    def get_param_by_name(self, sParamName):
        name = _args.text("PrlEvent_GetParamByName", 2, sParamName)
        for param in self._native().params:
            if param.name == name:
                return wrap(param)
        return fail("PRL_ERR_NO_DATA")

    def get_err_code(self):
        return self._native().code

    def get_err_string(self, bIsBriefMessage, bFormated):
        native = self._native()
        if native.code == NO_CODE:
            return "Unknown"
        params = [param.text for param in native.params if param.name.startswith("vm_message_param_")]
        return describe(native.code, bool(bIsBriefMessage), params)

    def can_be_ignored(self):
        return symbol_of(self._native().code).startswith("PRL_WARN")

    def is_answer_required(self):
        return self._native().kind == _QUESTION

    def get_issuer_type(self):
        return self._native().issuer_type

    def get_issuer_id(self):
        return self._native().issuer_id

    def create_answer_event(self, nAnswer):
        question = self._native()
        # The library takes any number, also one that was not offered; the server judges it.
        answer = EventNative(question.server, _QUESTION, issuer_id=question.issuer_id, code=question.code)
        answer.question, answer.answer = question.question, _args.unsigned(nAnswer)
        return wrap(answer)

    def _count(self):
        return len(self._native().params)

    def _at(self, index):
        return wrap(pick(self._native().params, index))


@stands_for("PHT_EVENT_PARAMETER")
class EventParam(_Handle):
    """Conversions never fail: what is no number is 0."""

    def get_name(self):
        return self._native().name

    def get_type(self):
        return self._native().kind

    def to_string(self):
        return self._native().text

    def to_cdata(self):
        native = self._native()
        return native.text if native.kind == consts.PFD_CDATA else ""

    def to_uint32(self):
        return self._integer() & 0xFFFFFFFF

    def to_int32(self):
        return _signed(self._integer(), 32)

    def to_uint64(self):
        return self._integer() & 0xFFFFFFFFFFFFFFFF

    def to_int64(self):
        return _signed(self._integer(), 64)

    def to_boolean(self):
        return self._native().text.lower() == "true" or self._integer() != 0

    def to_handle(self):
        self._native()
        return fail("PRL_ERR_INVALID_ARG")

    def _integer(self):
        try:
            return int(self._native().text)
        except ValueError:
            return 0


def _signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
