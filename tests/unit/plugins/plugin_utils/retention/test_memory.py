# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's memory of cyclic garbage: as the rest of the process had it, so it is left."""

import gc
import weakref

import pytest
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention import memory


@pytest.fixture(autouse=True)
def collecting():
    gc.enable()
    yield
    gc.unfreeze()
    gc.enable()


def is_young(one):
    """Whether it is yet to be visited, or was once."""
    return any(one is other for generation in (0, 1) for other in gc.get_objects(generation=generation))


def test_the_collector_rests_and_works_again_also_after_an_error():
    frozen = gc.get_freeze_count()  # not 0 where Python 3.12 has just begun
    with pytest.raises(KeyError), memory.gc_paused():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled() and gc.get_freeze_count() == frozen


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with memory.gc_paused():
        pass
    assert not gc.isenabled()


def test_what_somebody_else_has_frozen_stays_frozen():
    gc.freeze()
    frozen = gc.get_freeze_count()
    with memory.gc_paused():
        pass
    assert gc.get_freeze_count() > 0.9 * frozen


def test_what_a_large_plan_left_is_not_young():
    with memory.gc_paused():
        left = [[] for each in range(memory.MANY)]
    assert not is_young(left[0])


def test_the_few_objects_that_python_3_12_begins_with_do_not_count_as_frozen_by_somebody(monkeypatch):
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 375)
    with memory.gc_paused():
        left = [[] for each in range(memory.MANY)]
    assert not is_young(left[0])


def test_a_program_that_makes_many_small_plans_is_collected_as_ever():
    class Garbage:
        """Kept by itself alone."""

        def __init__(self):
            self.itself = self

    seen = []
    for _plan in range(100):
        seen.append(weakref.ref(Garbage()))
        with memory.gc_paused():
            left = [[] for each in range(100)]
    left += [[] for each in range(2 * gc.get_threshold()[0])]
    assert sum(reference() is None for reference in seen) > 50
