# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import weakref

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import query as select_module
from ansible_collections.prlsdk.core.plugins.module_utils._backups.query import filters, merge, owner, placed, select
from ansible_collections.prlsdk.core.plugins.module_utils._backups.tree import Backup, Chain, VmTree
from ansible_collections.prlsdk.core.plugins.module_utils._errors import AmbiguousNameError, InputError, TreeError

NODE_A, NODE_B = "{aaaaaaaa-0000-4000-8000-00000000000a}", "{aaaaaaaa-0000-4000-8000-00000000000b}"


def uuid(number):
    return "{%08x-1111-4111-8111-111111111111}" % number


def chain(number, *days, server=NODE_A, month=3, **more):
    """A chain with a backup on each of these days; ``server`` is one UUID or one for each."""
    servers = [server] * len(days) if isinstance(server, str) else server
    backups = [
        Backup(
            id=uuid(number) + (f".{place}" if place > 1 else ""),
            type="full" if place == 1 else "incremental",
            number=place,
            created=f"2026-{month:02d}-{day:02d}T03:00:00Z",
            size=1000 if place == 1 else place,
            description="",
            creator="root",
            host="node",
            server_uuid=servers[place - 1],
        )
        for place, day in enumerate(days, 1)
    ]
    return Chain(uuid(number), tuple(backups), len(days) if len(days) > 1 else 0, **more)


def vm(number, name, *chains, kind="vm", version=5):
    return VmTree(uuid(number), name, kind, version, chains)


def ids(trees):
    return [backup.id for tree in trees for one in tree.chains for backup in one.backups]


WEB = vm(1, "web", chain(0x10, 1, 2, 3), chain(0x11, 8, 9))
DB = vm(2, "db", chain(0x20, 1, 5))
PROXY = vm(3, "Proxy", chain(0x30, 4, server=NODE_B), kind="ct")
TREES = [WEB, PROXY, DB]


def test_vms_come_by_name_without_regard_to_case_then_by_uuid():
    twins = [vm(9, "web"), vm(8, "web")]
    twins = [tree._replace(chains=(chain(0x90 + place, 1),)) for place, tree in enumerate(twins)]
    chosen = select([WEB, *twins, PROXY, DB])
    assert [(tree.name, tree.uuid) for tree in chosen.trees] == [
        ("db", uuid(2)),
        ("Proxy", uuid(3)),
        ("web", uuid(1)),
        ("web", uuid(8)),
        ("web", uuid(9)),
    ]
    assert (chosen.total, chosen.truncated) == (10, False)
    assert {tree.omitted for tree in chosen.trees} == {0}


@pytest.mark.parametrize("asked", ["web", uuid(1), uuid(1)[1:-1], uuid(1).upper()])
def test_a_vm_is_chosen_by_name_or_uuid(asked):
    chosen = select(TREES, filters(vms=[asked]))
    assert chosen.trees == [WEB]
    assert chosen.missing_vms == []


def test_a_vm_name_is_compared_exactly_and_what_is_missing_is_told():
    chosen = select(TREES, filters(vms=["Web", "db", uuid(7), uuid(2).upper()]))
    assert chosen.trees == [DB]
    assert chosen.missing_vms == ["Web", uuid(7)]


def test_a_name_of_two_vms_is_refused_with_the_candidates():
    twin = vm(9, "web", chain(0x90, 1, server=NODE_B), kind="ct")
    with pytest.raises(AmbiguousNameError, match="2 VMs with backups are called 'web'") as caught:
        select([WEB, twin], filters(vms=["web"]))
    assert caught.value.result["candidates"] == [
        {"uuid": uuid(1), "name": "web", "type": "vm", "home": None},
        {"uuid": uuid(9), "name": "web", "type": "ct", "home": None},
    ]
    assert select([WEB, twin], filters(vms=["web"], types=["ct"])).trees == [twin]
    assert select([WEB, twin], filters(vms=["web"], owner=NODE_A)).trees == [WEB]


def test_types():
    assert select(TREES, filters(types=["ct"])).trees == [PROXY]
    assert select(TREES, filters(types=["vm"])).trees == [DB, WEB]
    assert select(TREES, filters(types=[])).trees == []


def test_a_backup_id_chooses_that_backup_alone_in_any_spelling():
    asked = [uuid(0x10)[1:-1].upper() + ".2", uuid(0x20).upper(), uuid(0x20) + ".9"]
    chosen = select(TREES, filters(backup_ids=asked))
    assert ids(chosen.trees) == [uuid(0x20), uuid(0x10) + ".2"]
    assert [(tree.name, tree.omitted) for tree in chosen.trees] == [("db", 1), ("web", 4)]
    assert chosen.missing_backup_ids == [uuid(0x20)[1:-1] + ".9"]


def test_a_malformed_backup_id_is_refused():
    with pytest.raises(InputError, match="'web.2' is not a backup id"):
        filters(backup_ids=["web.2"])


def test_newer_than_is_inclusive_and_older_than_exclusive():
    instant = "2026-03-05T03:00:00Z"
    newer, older = select(TREES, filters(newer_than=instant)), select(TREES, filters(older_than=instant))
    assert ids(newer.trees) == [uuid(0x20) + ".2", uuid(0x11), uuid(0x11) + ".2"]
    assert set(ids(newer.trees)).isdisjoint(ids(older.trees))
    assert newer.total + older.total == 8
    assert [tree.omitted for tree in newer.trees] == [1, 3]


def test_latest_only_takes_the_newest_of_what_the_other_filters_leave():
    assert ids(select(TREES, filters(latest_only=True)).trees) == [uuid(0x20) + ".2", uuid(0x30), uuid(0x11) + ".2"]
    earlier = select(TREES, filters(latest_only=True, older_than="2026-03-03T03:00:00Z"))
    assert ids(earlier.trees) == [uuid(0x20), uuid(0x10) + ".2"]
    assert [tree.omitted for tree in earlier.trees] == [1, 4]


def test_latest_only_with_equal_times_takes_the_last_in_the_chain():
    assert ids(select([vm(1, "web", chain(0x10, 1, 1, 1))], filters(latest_only=True)).trees) == [uuid(0x10) + ".3"]


def test_a_chain_belongs_to_the_server_of_its_newest_backup():
    migrated = chain(0x40, 1, 2, 3, server=[NODE_A, NODE_A, NODE_B])
    assert owner(migrated) == NODE_B
    assert owner(chain(0x41, 1, 2, server=[NODE_A, ""])) == NODE_A
    assert owner(chain(0x42, 1, server="")) == ""
    backwards = chain(0x43, 9, 2, server=[NODE_A, NODE_B])  # the second node's clock is behind
    assert owner(backwards) == NODE_B


def test_nodes_that_share_a_server_see_disjoint_sets():
    shared = [vm(1, "web", chain(0x10, 1, 2, server=[NODE_A, NODE_B]), chain(0x11, 8)), PROXY, DB]
    of_a, of_b = (select(shared, filters(owner=node)) for node in (NODE_A.upper(), NODE_B[1:-1]))
    assert set(ids(of_a.trees)).isdisjoint(ids(of_b.trees))
    assert sorted(ids(of_a.trees) + ids(of_b.trees)) == sorted(ids(shared))
    assert {tree.omitted for tree in of_a.trees + of_b.trees} == {0}


@pytest.mark.parametrize("offset", range(10))
@pytest.mark.parametrize("limit", [None, 1, 3, 20])
def test_an_offset_goes_on_where_a_limit_has_cut(limit, offset):
    chosen = select(TREES, limit=limit, offset=offset)
    assert ids(chosen.trees) == ids(select(TREES).trees)[offset:][:limit]
    assert (chosen.total, chosen.truncated) == (8, limit is not None and offset + limit < 8)
    whole = {tree.uuid: sum(len(chain.backups) for chain in tree.chains) for tree in select(TREES).trees}
    for tree in chosen.trees:
        assert tree.omitted == whole[tree.uuid] - sum(len(chain.backups) for chain in tree.chains)


@pytest.mark.parametrize("limit", range(10))
def test_a_limit_cuts_the_result_and_not_the_counts(limit):
    chosen = select(TREES, limit=limit)
    assert ids(chosen.trees) == ids(select(TREES).trees)[:limit]
    assert (chosen.total, chosen.truncated) == (8, limit < 8)
    assert chosen.summary == select(TREES).summary
    assert all(tree.chains for tree in chosen.trees)
    for tree in chosen.trees:
        assert tree.omitted == len(ids([one for one in TREES if one.uuid == tree.uuid])) - len(ids([tree]))


class Name(str):
    """Text that can be referred to weakly, to see who keeps it."""


@pytest.mark.parametrize("options", [{"keep": False}, {"limit": 0}, {"limit": 10}])
def test_only_what_is_returned_is_held(options):
    held = weakref.WeakSet()
    most = 0

    def stream():
        nonlocal most
        for number in range(1000):
            name = Name(number)
            held.add(name)
            most = max(most, len(held))
            yield vm(number, name, chain(number, 1))

    chosen = select(stream(), **options)
    assert (len(chosen.trees), chosen.total, chosen.summary["vms"]) == (options.get("limit", 0), 1000, 1000)
    assert most < 15


def test_the_summary():
    assert select(TREES).summary == {
        "vms": 2,
        "containers": 1,
        "chains": 4,
        "backups": 8,
        "full": 4,
        "incremental": 4,
        "size": 4 * 1000 + 2 + 3 + 2 + 2,
        "oldest": "2026-03-01T03:00:00Z",
        "newest": "2026-03-09T03:00:00Z",
    }
    nothing = select([]).summary
    assert (nothing["oldest"], nothing["newest"], nothing["backups"], nothing["size"]) == (None, None, 0, 0)


def test_answers_from_two_directories_become_one_tree():
    own = vm(1, "web-renamed", chain(0x12, 20), version=3)
    orphan = vm(7, "orphan", chain(0x70, 1))
    united = list(merge(iter(TREES), [placed([own], "/backups/web"), placed([orphan], "/backups/orphan")]))
    assert [tree.name for tree in united] == ["web-renamed", "Proxy", "db", "orphan"]
    assert [(one.uuid, one.directory) for one in united[0].chains] == [
        (uuid(0x10), None),
        (uuid(0x11), None),
        (uuid(0x12), "/backups/web"),
    ]
    assert united[0].storage_version == 3
    assert united[3].chains[0].directory == "/backups/orphan"


def test_a_chain_in_two_answers_comes_once_as_the_later_answer_has_it():
    grown = vm(1, "web", chain(0x11, 8, 9, 10)._replace(uuid=uuid(0x11).upper()))
    (united,) = merge([WEB], [placed([grown], "/own")])
    assert [(len(one.backups), one.directory) for one in united.chains] == [(3, None), (3, "/own")]


def test_a_vm_that_one_answer_has_twice_is_refused():
    with pytest.raises(TreeError, match="has the VM web .* twice"):
        list(merge([WEB, DB, WEB]))


def test_merging_does_not_read_ahead():
    def stream():
        yield WEB
        raise AssertionError("read too far")

    assert next(merge(stream())) is WEB


def test_the_filters_that_users_write_are_checked_and_the_rest_is_left_open():
    assert filters() == select_module.Filters()


NOW = "2026-03-20T00:00:00Z"
SHARED = vm(
    5,
    "shared",
    chain(0x50, 1, 2),
    chain(0x51, 3, 4, 5, server=NODE_B),
    chain(0x52, 6, server=NODE_B),
    chain(0x53, 25, server=NODE_B),
    chain(0x54, 7, 8, server=[NODE_A, NODE_B]),
)


def others_of(tree, **chosen):
    (found,) = select([tree], filters(**chosen)).trees
    return found.others


def test_what_other_nodes_have_of_a_vm_is_told_beside_what_this_node_has():
    # What was made after now is from the future: counted, but not the newest.
    assert others_of(SHARED, owner=NODE_A, now=NOW) == (4, 7, "2026-03-08T03:00:00Z")
    assert others_of(SHARED, owner=NODE_B, now=NOW) == (1, 2, "2026-03-02T03:00:00Z")
    assert others_of(WEB, owner=NODE_A, now=NOW) == (0, 0, None)


def test_a_chain_of_another_node_that_cannot_be_restored_is_counted_and_is_not_the_newest():
    headless = chain(0x55, 1, 9, server=NODE_B)
    headless = headless._replace(backups=headless.backups[1:])
    assert others_of(vm(6, "web", chain(0x50, 1), headless), owner=NODE_A, now=NOW) == (1, 1, None)


def test_nor_is_one_that_does_not_tell_who_made_it():
    assert others_of(vm(6, "web", chain(0x50, 1), chain(0x55, 9, server="")), owner=NODE_A, now=NOW) == (1, 1, None)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"owner": NODE_A},  # nobody says what is from the future
        {"owner": NODE_A, "now": NOW, "newer_than": "2026-03-01T00:00:00Z"},
        {"owner": NODE_A, "now": NOW, "older_than": NOW},
        {"owner": NODE_A, "now": NOW, "backup_ids": [uuid(0x50)]},
        {"owner": NODE_A, "now": NOW, "latest_only": True},
    ],
)
def test_what_other_nodes_have_is_not_told_where_a_part_was_chosen_or_every_owner(chosen):
    assert others_of(SHARED, **chosen) is None


def test_nor_is_it_told_of_a_cut_list():
    (tree,) = select([SHARED], filters(owner=NODE_A, now=NOW), limit=10).trees
    assert tree.others is None
