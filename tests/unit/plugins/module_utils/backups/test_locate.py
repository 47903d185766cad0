"""Which VMs are meant and which trees are asked for: what is asked of the server, and in which order."""

import collections

import pytest
from ansible_collections.prlsdk.core.plugins.module_utils._backups import locate
from ansible_collections.prlsdk.core.plugins.module_utils._sdk.vm_list import ListedVm

UUID = "{00000000-0000-4000-8000-%012d}"


def vm(number, name=None, **more):
    told = {
        "uuid": UUID % number,
        "name": name or "vm-%d" % number,
        "type": "vm",
        "ct_id": None,
        "state": "running",
        "home": "",
        "backup_directory": None,
    }
    return ListedVm(told, **more)


class Text(str):
    def holds_backups(self):
        return True


class Client:
    """A client that says what was asked of it, and when an answer was waited for."""

    def __init__(self, vms, same_server=True, local=True):
        self.known, self.same_server, self.local, self.server, self.said = (
            vms,
            same_server,
            local,
            {"uuid": UUID % 0, "host": "node"},
            [],
        )

    def ensure_open(self):
        pass

    def start_vms(self, types, of="node"):
        self.said.append("ask for the list of " + of)
        return of, 1

    def listed_vms(self, asked):
        self.said.append("wait for the list")
        return self.known

    def vms(self, types=("vm", "ct"), of="node"):
        return self.listed_vms(self.start_vms(types, of))

    def start_tree(self, of, types=(), chain=False):
        self.said.append("ask for the tree of " + (of or "all"))
        return 2

    def told_tree(self, number):
        self.said.append("wait for the tree")
        return Text()

    def tree(self, of, types=(), chain=False):
        return self.told_tree(self.start_tree(of, types, chain))

    def complete(self, vms, *keys):
        lacking = [vm["uuid"] for vm in vms if vm.unsaid.intersection(keys)]
        if lacking:
            self.said.append("complete %s" % ", ".join(lacking))


def test_the_list_and_the_whole_tree_are_asked_for_before_either_is_waited_for():
    client = Client([vm(1)])
    locate.fetch_trees(client, ["vm"], None, "all")
    assert client.said == [
        "ask for the list of node",
        "ask for the tree of all",
        "wait for the list",
        "wait for the tree",
    ]


def test_so_is_the_list_of_the_server_that_keeps_the_backups():
    client = Client([vm(1)], same_server=False)
    locate.fetch_trees(client, ["vm"], None, "all")
    assert client.said[:3] == ["ask for the list of node", "ask for the list of store", "ask for the tree of all"]
    assert client.said[3:] == ["wait for the list", "wait for the list", "wait for the tree"]


def test_uuids_alone_need_no_list():
    client = Client([vm(1)])
    locate.fetch_trees(client, ["vm"], [UUID % 1], "all")
    assert client.said == ["ask for the tree of " + UUID % 1, "wait for the tree"]


def test_an_entry_whose_uuid_could_not_be_read_is_told():
    nameless = vm(2)
    nameless["uuid"] = None
    told = [locate.fetch_trees(Client(known), ["vm"], None, "all") for known in ([vm(1)], [vm(1), nameless])]
    assert [one["registered"] for one in told] == [[UUID % 1]] * 2 and [one["unread"] for one in told] == [False, True]


def test_only_of_the_vms_that_matter_the_objects_are_asked():
    silent = vm(2)
    silent.unsaid = frozenset(["backup_directory", "state"])
    client = Client([vm(1), silent])
    locate.fetch_trees(client, ["vm"], None, "registered")
    assert "complete " + UUID % 2 in client.said
    client = Client([vm(1), silent])
    assert locate.find_registered(client, ["vm"], ["vm-1"])[0] == [vm(1)] and not [
        said for said in client.said if said.startswith("complete")
    ]
    locate.find_registered(client, ["vm"], ["vm-2"])
    assert client.said[-1] == "complete " + UUID % 2


class Counted(str):
    """A name that counts how often it is compared."""

    comparisons = collections.Counter()
    __hash__ = str.__hash__

    def __eq__(self, other):
        self.comparisons["all"] += 1
        return str.__eq__(self, other)


@pytest.mark.parametrize("number", [100, 1000])
def test_finding_each_of_many_vms_by_its_name_takes_no_look_at_all_of_them(number):
    vms = [vm(one, Counted("vm-%d" % one)) for one in range(number)]
    Counted.comparisons.clear()
    client = Client(vms)
    found, unknown, _names = locate.find_registered(client, ["vm"], [Counted("vm-%d" % one) for one in range(number)])
    assert found == vms and unknown == []
    assert Counted.comparisons["all"] < 20 * number
