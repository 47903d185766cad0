# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations that outlive the client that asked for them.

An operation is written down as a plan before anything is changed: its steps, what undoes a failure, what is told at
the end. The process of the client carries the plan out, one transaction a step; when that process dies, the next one
that comes along goes on where it stopped, as the real server would have gone on by itself.

A plan is a dictionary: kind (PJOC_ number), server, session, flags, seconds, steps, undo, finish (steps of the last
transaction), told (events while it runs, one for each step or None), events ([session or '', event] at the end),
result (strings) and done (steps behind it).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import time

from prl_stub import events, sessions, steps
from prl_stub.failure import ServerFailure
from prl_stub.numbers import CONSTS
from prl_stub.text import dumps, loads, new_uuid

CANCEL_WITH_SESSION = CONSTS["PACF_CANCEL_TASK_ON_END_SESSION"]


class Link:
    """What an operation asks of whoever carries it out; this one carries on for a client that is gone."""

    def accepted(self):
        """The plan is written down."""

    def pause(self, seconds):
        """Let time pass; True when the operation was cancelled."""
        time.sleep(seconds)
        return False

    def trouble(self, _number):
        """Symbol of the error that this step ends with, or None."""


class Task:
    """A plan under way, held by this process: whoever holds its channel carries it out."""

    def __init__(self, uuid, plan, channel):
        self.uuid = uuid
        self.plan = plan
        self.channel = channel


def begin(store, db, plan):
    """Write a plan down inside the transaction that takes its locks."""
    uuid = new_uuid()
    channel = sessions.Channel(store, uuid)
    plan = dict(plan, done=0)
    db.execute(
        "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?)",
        (uuid, plan["server"], plan["session"], plan["kind"], dumps(plan), time.time()),
    )
    return Task(uuid, plan, channel)


def perform(store, task, link):
    """Carry a plan out; returns the result's strings. A step that fails stops it: what was done stays done."""
    try:
        link.accepted()
        plan = task.plan
        share = float(plan["seconds"]) / max(1, len(plan["steps"]))
        for number in range(plan["done"], len(plan["steps"])):
            if link.pause(share):
                raise ServerFailure("PRL_ERR_OPERATION_WAS_CANCELED")
            symbol = link.trouble(number + 1)
            if symbol:
                raise ServerFailure(symbol)
            _step(store, task, number)
        _finish(store, task)
        return plan["result"]
    except ServerFailure:
        _undo(store, task)
        raise
    finally:
        task.channel.close()


def _step(store, task, number):
    plan = task.plan
    told = plan["told"][number] if plan["told"] else None
    with store.write() as db:
        steps.do(db, plan["steps"][number])
        plan["done"] = number + 1
        db.execute("UPDATE tasks SET plan = ? WHERE uuid = ?", (dumps(plan), task.uuid))
        if told:
            events.post(db, plan["server"], [told])
    if told:
        events.wake_all(store, plan["server"])


def _finish(store, task):
    plan = task.plan
    with store.write() as db:
        for step in plan["finish"]:
            steps.do(db, step)
        for session, event in plan["events"]:
            events.post(db, plan["server"], [event], session)
        db.execute("DELETE FROM tasks WHERE uuid = ?", (task.uuid,))
    events.wake_all(store, plan["server"])


def _undo(store, task):
    with store.write() as db:
        for step in task.plan["undo"]:
            steps.do(db, step)
        db.execute("DELETE FROM tasks WHERE uuid = ?", (task.uuid,))


def orphans(store, only_due=False):
    """Take over the operations whose process is gone; returns them as tasks to perform."""
    taken = []
    for row in store.rows("SELECT uuid FROM tasks"):
        task = _adopt(store, row["uuid"], only_due)
        if task is not None:
            taken.append(task)
    return taken


def _adopt(store, uuid, only_due):
    if sessions.alive(store, uuid):
        return None
    with store.write() as db:
        row = db.execute("SELECT * FROM tasks WHERE uuid = ?", (uuid,)).fetchone()
        if row is None or sessions.alive(store, uuid):
            return None  # another process was quicker
        plan = loads(row["plan"])
        if only_due and row["started"] + plan["seconds"] > time.time():
            return None
        stale = sessions.channel(store, uuid)
        if os.path.exists(stale):
            os.unlink(stale)
        task = Task(uuid, plan, sessions.Channel(store, uuid))
    if plan["flags"] & CANCEL_WITH_SESSION and not sessions.alive(store, row["session"]):
        _undo(store, task)
        task.channel.close()
        return None
    return task


def settle(store):
    """Finish what is due and has nobody who would do it."""
    for task in orphans(store, only_due=True):
        perform(store, task, _Hurry())


class _Hurry(Link):
    def pause(self, seconds):
        return False


def running(store, server):
    """Rows of the operations under way on a server."""
    return store.rows("SELECT * FROM tasks WHERE server = ? ORDER BY started", (server,))
