# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told at the end of a host: whole messages, word for word."""

from __future__ import annotations

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._errors import InputError
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.guards import in_words
from ansible_collections.prlsdk.core.plugins.plugin_utils._retention.overrides import make_plans
from ansible_collections.prlsdk.core.plugins.plugin_utils._text import summary
from ansible_collections.prlsdk.core.plugins.plugin_utils._text.plan import plan_lines

from tests.unit.plugins.plugin_utils.retention.test_overrides import NOW, POLICY, tree


def conclude(planned, state, **more):
    """As it is told where the role runs the action."""
    return summary.conclude(planned, state, option=lambda name: "backup_retention_" + name, **more)


def plan(*trees, exclude=None, overrides=None, **policy):
    return make_plans(trees, dict(POLICY, **policy), NOW, overrides, exclude)


TWO = plan(tree("a"), tree("b"))
HOW = (
    "To apply exactly this plan add -e backup_retention_confirm=%s; to apply whatever the plan is at that time, as in a nightly job, "
    "-e backup_retention_confirm=true." % TWO["digest"][:16]
)


@pytest.mark.parametrize(
    "given, state, more, told",
    [
        (plan(tree("a", 1), tree("b", 1)), "planned", {}, "Nothing to remove: all 2 backups of 2 VMs are kept."),
        (plan(tree("a", 1)), "planned", {}, "Nothing to remove: the only backup of 1 VM is kept."),
        (plan(), "planned", {}, "Nothing to remove: there are no backups."),
        (
            plan(tree("a"), exclude=[{"name": "a"}]),
            "planned",
            {},
            "Nothing to remove: every VM with backups is excluded.",
        ),
        (TWO, "planned", {}, "Plan only, nothing was changed. 10 backups of 2 VMs (9.8 KiB) would be removed. " + HOW),
        (
            TWO,
            "predicted",
            {},
            "Check mode, nothing was changed. 10 backups of 2 VMs (9.8 KiB) would be removed. " + HOW,
        ),
        (
            TWO,
            "predicted",
            {"confirmed": True},
            (
                "Check mode, nothing was changed. 10 backups of 2 VMs (9.8 KiB) would be removed. Run it without --check to remove them."
            ),
        ),
        (
            TWO,
            "applied",
            {"confirmed": True},
            (
                "Removed 10 backups of 2 VMs (9.8 KiB). Verified: they are gone, and all 2 other backups are still there."
            ),
        ),
        (
            plan(tree("a", 2)),
            "applied",
            {"confirmed": True},
            ("Removed 1 backup of 1 VM (1.0 KiB). Verified: it is gone, and the one other backup is still there."),
        ),
    ],
)
def test_the_whole_message(given, state, more, told):
    assert conclude(given, state, **more) == told


def test_what_guards_refused_is_told_with_the_option_that_allows_it():
    refused = plan(*map(tree, "abcde"), max_remove=4, max_remove_share=0.5)
    what = (
        "A guard refused the removal of 25 backups of a, b, c and 2 more VMs. max_remove: 5 backups would be removed, the limit is 4. "
        'If that is what you want, let one run do it with -e \'{"backup_retention_guards": {"max_remove": 5}}\', or change the policy.'
    )
    assert conclude(refused, "planned") == "Nothing was removed. " + what
    assert (
        conclude(refused, "stopped")
        == "Nothing was removed, since backup_retention_on_refused is stop and a guard refused something. " + what
    )


@pytest.mark.parametrize("state, first", [("planned", "Plan only"), ("predicted", "Check mode")])
def test_what_a_refusal_would_stop_is_not_promised(state, first):
    overrides = [{"name": "careful", "match": {"name": "b"}, "policy": {"max_remove": 0}}]
    told = conclude(plan(tree("a", 2), tree("b", 2), overrides=overrides), state, stops=True)
    assert told.startswith(
        "%s, nothing was changed. 1 backup of 1 VM (1.0 KiB) could be removed but will not be, since backup_retention_on_refused is stop and a guard refused "
        "something. A guard refused the removal of 1 backup of b. max_remove: 1 backup would be removed, the limit is 0."
        % first
    )


def test_outside_of_the_role_options_are_named_as_those_of_the_task():
    refused = plan(tree("a"), max_remove=4, max_remove_share=0.5)
    assert summary.conclude(refused, "stopped").startswith(
        "Nothing was removed, since on_refused is stop and a guard refused something."
    )
    assert """let one run do it with 'guards: {"max_remove": 5}', or change the policy.""" in summary.conclude(
        refused, "planned"
    )
    digest = TWO["digest"][:16]
    assert summary.conclude(TWO, "planned").endswith(
        "To apply exactly this plan add 'confirm: %s'; to apply whatever the plan is at that time, as in a nightly job, 'confirm: true'."
        % digest
    )


def test_what_is_no_state_is_refused():
    with pytest.raises(InputError, match="state is 'done'; it must be one of planned"):
        conclude(TWO, "done")


@pytest.mark.parametrize(
    "guard, told",
    [
        (
            ("max_remove_share", 0.504, 0.5),
            "max_remove_share: 50.4% of the restorable backups, or of all, would be removed, the limit is 50%",
        ),
        (
            ("max_remove_share", 0.50003, 0.5),
            "max_remove_share: 50.003% of the restorable backups, or of all, would be removed, the limit is 50%",
        ),
        (("min_chains", 1, 2), "min_chains: 1 restorable chain would be left, at least 2 must be"),
        (
            ("max_broken_chains", 1, 0),
            "max_broken_chains: 1 chain has no full, the limit is 0 (it hints that backups are missing from the list)",
        ),
        (
            ("max_staleness", None, NOW),
            "max_staleness: there is no restorable backup, and the newest must not be older than " + NOW,
        ),
        (
            ("max_staleness", NOW, NOW),
            "max_staleness: the newest restorable backup is of %s, older than %s" % (NOW, NOW),
        ),
        (
            ("duplicate_ids", 2, 0),
            "duplicate_ids: 2 backups have an id that another one has; more than 0 is never right",
        ),
        (("some_day", 2, 0), "some_day: 2, the limit is 0"),
    ],
)
def test_a_guard_is_worded_in_one_way(guard, told):
    assert in_words(dict(zip(("name", "value", "limit"), guard))) == told


def test_overrides_and_exclusions_that_fit_no_vm_are_named_and_those_that_another_one_hides_are_not():
    overrides = [
        {"name": "databases", "match": {"name": "bd-*"}, "policy": {"last": 30}},
        {"name": "first", "match": {"name": "a"}, "policy": {"last": 2}},
        {"name": "hidden", "match": {"name": "a*"}, "policy": {"last": 3}},
        {"name": "excluded", "match": {"name": "x"}, "policy": {"last": 3}},
    ]
    given = plan(
        tree("a"),
        tree("x"),
        overrides=overrides,
        exclude=[{"name": "x"}, {"name": ["stagng-*", "tset-*"], "type": "vm"}],
    )
    assert given["unused"] == ["override databases", "exclusion name=stagng-*,tset-* type=vm"]
    line = (
        "  unused: no VM of this host that has backups fits override databases, exclusion name=stagng-*,tset-* type=vm"
    )
    assert [told for told in plan_lines(given, "totals") if "unused" in told] == [line]
    assert not [told for told in plan_lines(TWO, "totals") if "unused" in told]


@pytest.mark.parametrize(
    "trees, first",
    [([tree("a", 1)], "1 VM or container, 1 backup"), ([tree("a"), tree("b")], "2 VMs and containers, 12 backups")],
)
def test_the_totals_name_the_zone_of_the_times(trees, first):
    assert "── %s, times in UTC" % first in plan_lines(plan(*trees))
