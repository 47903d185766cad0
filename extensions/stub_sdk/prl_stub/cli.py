# Copyright (c) The prlsdk.core developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: everything that an administrator, another client or bad luck does to the server."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import argparse
import os
import sys
import time

from prl_stub import (
    calls,
    catalogue,
    clock,
    demo,
    events,
    faults,
    locks,
    questions,
    servers,
    sessions,
    setup,
    store,
    tasks,
    treeload,
    vms,
)
from prl_stub.numbers import CONSTS, ERRORS
from prl_stub.text import braced, dumps, loads, to_str


class UserError(Exception):
    """Something typed wrong."""


def main(argv=None):
    """Run one command; returns the exit status."""
    options = _parser().parse_args(argv)
    path = options.state or os.environ.get(store.VARIABLE)
    try:
        if not path:
            raise UserError("name the state file with --state or %s" % store.VARIABLE)
        if options.command == "init":
            return options.run(store.create(path), options)
        if options.command == "setup":
            return options.run(path)
        if not os.path.exists(path):
            raise UserError("%s does not exist: make it with `python -m prl_stub --state %s init`" % (path, path))
        state = store.Store(path)
        tasks.settle(state)
        return options.run(state, options)
    except UserError as error:
        sys.stderr.write("prl_stub: %s\n" % error)
        return 2


def _parser():
    parser = argparse.ArgumentParser(prog="prl_stub", description="The server behind the stub SDK.")
    parser.add_argument("--state", help="the state file (default: the environment variable PRL_STUB_STATE)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True
    of_content = (_init, _setup, _server, _load, _demo, _vm, _fault, _lock, _unlock, _log, _tree)
    for add in of_content + (_sessions, _disconnect, _emit, _question, _handles, _set, _tasks):
        add(commands)
    return parser


def _command(commands, name, run, text):
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    return command


def _server_of(state, name):
    server = servers.named(state, name) if name else servers.local(state)
    if server is None:
        raise UserError("there is no server %r" % (name or "local"))
    return server


def _vm_of(state, server, text):
    row = vms.find(state, server["name"], text)
    if row is None:
        raise UserError("the server %s has no VM %r" % (server["name"], text))
    return row


# -- init, setup, server


def _init(commands):
    command = _command(commands, "init", _run_init, "make a new state with one node, in place of any earlier one")
    command.add_argument("--name", default="node")
    command.add_argument("--host", default="node-a.example")
    command.add_argument("--uuid")
    command.add_argument("--user", default="root", help="the user that --password is for")
    command.add_argument("--password", help="let this user log in over the network")
    command.add_argument("--modes", default="", help="other init functions that work: desktop, workstation, player")


def _run_init(state, options):
    servers.add(state, options.name, options.host, is_local=True, uuid=options.uuid and braced(options.uuid))
    state.set("modes", options.modes.replace(",", " "))
    if options.password is not None:
        _set_user(state, options.name, options.user, options.password)


def _set_user(state, server, user, password):
    with state.write() as db:
        db.execute("INSERT OR REPLACE INTO users VALUES (?, ?, ?)", (server, user, password))


def _setup(commands):
    text = "make a node unless it is there: a JSON object on standard input that describes it, with the commands to run then"
    _command(commands, "setup", _run_setup, text)


def _run_setup(path):
    try:
        description = loads(getattr(sys.stdin, "buffer", sys.stdin).read().decode("utf-8"))
        made = setup.apply(path, description, lambda words: main(["--state", path] + words))
    except (ValueError, setup.SetupError) as error:
        raise UserError("setup: %s" % error)
    print("made" if made else "unchanged")


def _server(commands):
    actions = commands.add_parser("server", help="hosts: add, change, list").add_subparsers(dest="action")
    actions.required = True
    command = _command(actions, "add", _run_server_add, "add a host, such as a backup server")
    command.add_argument("name")
    command.add_argument("--host", required=True)
    command.add_argument("--port", type=int, default=servers.PORT)
    command.add_argument("--uuid")
    _server_options(command)
    command = _command(actions, "set", _run_server_set, "change a host")
    command.add_argument("name")
    command.add_argument("--host")
    command.add_argument("--port", type=int)
    _server_options(command)
    _command(actions, "list", _run_server_list, "list the hosts")


def _server_options(command):
    command.add_argument("--user", default="root")
    command.add_argument("--password", help="let --user log in with it")
    command.add_argument("--security", choices=("low", "normal", "high"), help="the least security level it takes")
    command.add_argument("--status", choices=sorted(servers.STATUSES), help="what answers at its port")
    command.add_argument("--directory", help="its default backup directory")
    command.add_argument("--storage", help="name of the host that is its default backup server; '' for none")
    command.add_argument("--storage-user")
    command.add_argument("--storage-password")


def _run_server_add(state, options):
    if servers.named(state, options.name) is not None:
        raise UserError("there is a server %s already" % options.name)
    servers.add(state, options.name, options.host, options.port, uuid=options.uuid and braced(options.uuid))
    _change_server(state, options)


def _run_server_set(state, options):
    _server_of(state, options.name)
    _change_server(state, options)


def _change_server(state, options):
    if options.storage:
        _server_of(state, options.storage)
    levels = {"low": 0, "normal": 1, "high": 2}
    values = {
        "host": options.host,
        "port": options.port,
        "min_security": levels.get(options.security),
        "status": options.status,
        "directory": options.directory,
        "storage": options.storage,
        "storage_user": options.storage_user,
        "storage_password": options.storage_password,
    }
    with state.write() as db:
        for column, value in values.items():
            if value is not None:
                db.execute("UPDATE servers SET %s = ? WHERE name = ?" % column, (value, options.name))
    if options.password is not None:
        _set_user(state, options.name, options.user, options.password)


def _run_server_list(state, _options):
    for row in state.rows("SELECT * FROM servers ORDER BY rowid"):
        print(
            "%-12s %s:%d %s %s%s"
            % (row["name"], row["host"], row["port"], row["uuid"], row["status"], " local" if row["is_local"] else "")
        )


# -- backups


def _load(commands):
    command = _command(commands, "load", _run_load, "add a vendor tree")
    command.add_argument("tree")
    command.add_argument("--server")
    command.add_argument("--directory-of", metavar="VM", help="into this VM's own backup directory")
    command.add_argument("--register", action="store_true", help="register its VMs on the server, running")


def _run_load(state, options):
    server = _server_of(state, options.server)
    directory = server["directory"]
    if options.directory_of:
        directory = _vm_of(state, server, options.directory_of)["directory"] or directory
    loaded = treeload.load(state, options.tree, server["name"], directory)
    if options.register:
        with state.write() as db:
            for kind, uuid, name in loaded:
                vms.add(db, server["name"], name, uuid, vms.CT if kind else vms.VM, "running")
    print("%d VMs" % len(loaded))


def _demo(commands):
    command = _command(commands, "demo", _run_demo, "fill the node with VMs and ten weeks of backups")
    command.add_argument("--server")
    command.add_argument("--now", help="YYYY-MM-DDTHH:MM:SSZ that the backups are relative to (default: now)")
    command.add_argument("--weeks", type=int, default=10)
    command.add_argument("--vms", type=int, help="this many plain VMs instead of the named ones")
    command.add_argument("--increments", type=int, default=6, help="increments after each full")


def _run_demo(state, options):
    server = _server_of(state, options.server)
    now = clock.instant(options.now) if options.now else None
    print("%d VMs, %d backups" % demo.build(state, server, now, options.weeks, options.vms, options.increments))


def _tree(commands):
    command = _command(commands, "tree", _run_tree, "print the backup tree as a client gets it")
    command.add_argument("uuid", nargs="?", default="")
    command.add_argument("--server")


def _run_tree(state, options):
    server = _server_of(state, options.server)
    subject = options.uuid
    if subject:
        row = vms.find(state, server["name"], subject)
        subject = row["uuid"] if row is not None else braced(subject)
    text = catalogue.answer(state, server, subject, catalogue.VM | catalogue.CT)
    stream = getattr(sys.stdout, "buffer", sys.stdout)
    stream.write(text if isinstance(text, bytes) else text.encode("utf-8"))
    stream.write(b"" if text.endswith("\n") else b"\n")
    stream.flush()


def _lock(commands):
    command = _command(commands, "lock", _run_lock, "lock a chain as a reader or writer would")
    command.add_argument("chain", help="uuid of the chain, or a backup id in it")
    command.add_argument("kind", choices=("reading", "writing"))
    command.add_argument("--calls", type=int, default=0, help="for so many refused calls (default: until unlocked)")


def _run_lock(state, options):
    if not locks.lock(state, catalogue.parse_id(braced(options.chain))[0], options.kind, options.calls):
        raise UserError("there is no chain %s" % options.chain)


def _unlock(commands):
    _command(commands, "unlock", _run_unlock, "unlock a chain, or all").add_argument("chain", nargs="?")


def _run_unlock(state, options):
    locks.unlock(state, options.chain and catalogue.parse_id(braced(options.chain))[0])


# -- VMs


def _vm(commands):
    actions = commands.add_parser("vm", help="VMs and containers: add, set, remove, list").add_subparsers(dest="action")
    actions.required = True
    command = _command(actions, "add", _run_vm_add, "register a VM; prints its uuid")
    command.add_argument("name")
    command.add_argument("--uuid", default="")
    command.add_argument("--type", choices=("vm", "ct"), default="vm")
    _vm_options(command)
    command = _command(actions, "set", _run_vm_set, "change a VM")
    command.add_argument("vm", help="name or uuid")
    command.add_argument("--name")
    _vm_options(command)
    command = _command(actions, "remove", _run_vm_remove, "unregister a VM; its backups stay")
    command.add_argument("vm", help="name or uuid")
    command.add_argument("--server")
    _command(actions, "list", _run_vm_list, "list the VMs").add_argument("--server")


def _vm_options(command):
    command.add_argument("--server")
    command.add_argument("--state", dest="vm_state", choices=sorted(vms.STATES))
    command.add_argument("--home")
    command.add_argument("--template", choices=("yes", "no"))
    command.add_argument("--backup-directory", help="a backup directory of its own; '' for the server's")
    command.add_argument("--busy", choices=[""] + sorted(vms.BUSY), help="what another operation does with it; '' for none")
    command.add_argument("--disk", action="append", metavar="NAME=BYTES", help="all its disks, one option each")
    command.add_argument("--bitmaps", help="chain uuids whose changes it tracks, `none`, or '' for all")


def _run_vm_add(state, options):
    server = _server_of(state, options.server)
    with state.write() as db:
        uuid = vms.add(
            db,
            server["name"],
            to_str(options.name),
            options.uuid and braced(options.uuid),
            vms.CT if options.type == "ct" else vms.VM,
            options.vm_state or "stopped",
            options.home or "",
            options.template == "yes",
            options.backup_directory or "",
        )
    events.emit(state, server["name"], [events.make("PET_DSP_EVT_VM_ADDED", uuid)])
    vms.change(state, server["name"], uuid, **_more(options, uuid))
    print(uuid)


def _more(options, uuid):
    disks = None
    if options.disk is not None:
        folder = "/vz/vmprivate/%s/" % uuid.strip("{}")
        pairs = [disk.partition("=") for disk in options.disk]
        disks = dumps([[to_str(name), folder + to_str(name), size, ""] for name, _equals, size in pairs])
    return {"busy": options.busy, "disks": disks, "bitmaps": options.bitmaps}


def _run_vm_set(state, options):
    server = _server_of(state, options.server)
    row = _vm_of(state, server, options.vm)
    vms.change(
        state,
        server["name"],
        row["uuid"],
        name=options.name and to_str(options.name),
        state=None if options.vm_state is None else vms.STATES[options.vm_state],
        home=options.home,
        template=None if options.template is None else int(options.template == "yes"),
        directory=options.backup_directory,
        **_more(options, row["uuid"])
    )


def _run_vm_remove(state, options):
    server = _server_of(state, options.server)
    vms.remove(state, server["name"], _vm_of(state, server, options.vm)["uuid"])


def _run_vm_list(state, options):
    names = dict((value, name) for name, value in vms.STATES.items())
    for row in state.rows(
        "SELECT * FROM vms WHERE server = ? ORDER BY rowid", (_server_of(state, options.server)["name"],)
    ):
        print(
            "%s %s %-10s %s%s"
            % (
                row["uuid"],
                "ct" if row["type"] else "vm",
                names[row["state"]],
                row["name"],
                " [%s]" % row["directory"] if row["directory"] else "",
            )
        )


# -- faults, sessions


def _fault(commands):
    actions = commands.add_parser("fault", help="faults: add, list, clear").add_subparsers(dest="action")
    actions.required = True
    command = _command(actions, "add", _run_fault_add, "let a call misbehave")
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = "\n".join("%-12s %s" % pair for pair in sorted(faults.ACTIONS.items()))
    command.add_argument("call", help="name as in the log (get_backup_tree, login, ...), `import`, init_server_sdk or *")
    command.add_argument("fault", choices=sorted(faults.ACTIONS))
    command.add_argument("value", nargs="?", default="")
    command.add_argument("--nth", type=int, default=1, help="the first call that it strikes, from 1")
    command.add_argument("--times", type=int, default=1, help="how many calls it strikes; 0 for all")
    command.add_argument("--always", action="store_const", const=0, dest="times", help="same as --times 0")
    command.add_argument("--match", default="", help="only calls whose arguments, as JSON, contain this text")
    _command(actions, "list", _run_fault_list, "list the faults")
    _command(actions, "clear", _run_fault_clear, "remove one fault, or all").add_argument("id", type=int, nargs="?")


def _run_fault_add(state, options):
    wants_symbol = options.fault == "warn" or (options.fault == "fail" and options.call not in _NO_SYMBOL)
    if wants_symbol and options.value not in ERRORS:
        raise UserError("%r is not a symbol of the SDK such as PRL_ERR_TRY_AGAIN" % options.value)
    print(
        faults.add(
            state, options.call, options.fault, options.value, options.nth, options.times, options.match
        )
    )


_NO_SYMBOL = ("import",) + tuple(
    "init_%s_sdk" % mode for mode in ("server", "desktop", "desktop_wl", "workstation", "player")
)


def _run_fault_list(state, _options):
    for row in state.rows("SELECT * FROM faults ORDER BY id"):
        print(
            "%d %s %s %s nth=%d times=%d seen=%d fired=%d %s"
            % tuple(row[key] for key in ("id", "call", "action", "value", "nth", "times", "seen", "fired", "match"))
        )


def _run_fault_clear(state, options):
    faults.clear(state, options.id)


def _log(commands):
    command = _command(commands, "log", _run_log, "print the calls that clients made")
    command.add_argument("--json", action="store_true", help="a list of objects")
    command.add_argument("--requests", action="store_true", help="only calls that go to the server")
    command.add_argument("--names", action="store_true", help="only the names, one a line")
    command.add_argument("--clear", action="store_true", help="forget the calls (after printing)")


def _run_log(state, options):
    found = calls.read(state, options.requests)
    if options.json:
        print(dumps(found))
    else:
        for call in found:
            if options.names:
                print(call["call"])
            else:
                mark = "mutating " if call["mutating"] else ""
                print(
                    "%d %d %s %s%s %s"
                    % (call["seq"], call["pid"], call["server"] or "-", mark, call["call"], dumps(call["args"]))
                )
    if options.clear:
        calls.clear(state)


def _sessions(commands):
    _command(commands, "sessions", _run_sessions, "list the logged-in sessions")


def _run_sessions(state, _options):
    sessions.forget_dead(state)
    for row in state.rows("SELECT * FROM sessions ORDER BY rowid"):
        print("%s %s %d %s" % (row["uuid"], row["server"], row["pid"], "local" if row["local"] else row["user"]))


def _disconnect(commands):
    command = _command(commands, "disconnect", _run_disconnect, "cut the connection of one session, or of all")
    command.add_argument("session", nargs="?")


def _run_disconnect(state, options):
    print("%d sessions told" % sessions.lose(state, options.session))


# -- events


def _emit(commands):
    command = _command(commands, "emit", _run_emit, "send an event to all logged-in sessions of a server")
    command.add_argument("type", help="PET_DSP_EVT_VM_STATE_CHANGED, vm_state_changed, or a number")
    command.add_argument("--vm", help="name or uuid of the VM it is about, or any other issuer id")
    command.add_argument("--issuer-type", default="PIE_DISPATCHER", help="PIE_... or a number")
    command.add_argument("--code", default=str(events.NO_CODE), help="symbol or number")
    command.add_argument("--param", action="append", default=[], metavar="NAME=TYPE:VALUE", help="{i}: the event's place")
    command.add_argument("--count", type=int, default=1)
    command.add_argument("--rate", type=float, help="events a second (default: as fast as possible)")
    command.add_argument("--server")
    command.add_argument("--session", default="", help="to this session only")


def _run_emit(state, options):
    server = _server_of(state, options.server)
    issuer = _issuer(state, server, options.vm)
    batch = 1000 if options.rate is None else max(1, int(options.rate / 50))
    made = 0
    start = time.time()
    while made < options.count:
        numbers = range(made, min(options.count, made + batch))
        events.emit(state, server["name"], [_event(options, issuer, number) for number in numbers], options.session)
        made += len(numbers)
        if options.rate and made < options.count:
            time.sleep(max(0, start + made / options.rate - time.time()))


def _issuer(state, server, text):
    if text is None:
        return events.NULL_UUID
    row = vms.find(state, server["name"], text)
    return to_str(text) if row is None else row["uuid"]


def _event(options, issuer, number):
    params = []
    for param in options.param:
        name, _equals, rest = param.partition("=")
        form, colon, value = rest.partition(":")
        if not colon or form not in events.TYPES:
            raise UserError("--param %s: write NAME=TYPE:VALUE, TYPE one of %s" % (param, ", ".join(events.TYPES)))
        params.append((name, form, to_str(value).replace("{i}", str(number))))
    return events.make(
        _number(options.type, CONSTS, ("", "PET_DSP_EVT_", "PET_")),
        issuer,
        params,
        _number(options.code, ERRORS, ("",)) & 0xFFFFFFFF,
        _number(options.issuer_type, CONSTS, ("", "PIE_")),
    )


def _number(text, names, prefixes):
    if text.lstrip("-").isdigit():
        return int(text)
    for prefix in prefixes:
        if prefix + text.upper() in names:
            return names[prefix + text.upper()]
    raise UserError("%r is neither a number nor a name of the SDK" % text)


def _question(commands):
    actions = commands.add_parser("question", help="questions: ask, list").add_subparsers(dest="action")
    actions.required = True
    command = _command(actions, "ask", _run_question_ask, "put a question to all sessions; prints its number")
    command.add_argument("code", help="PET_QUESTION_... or a number")
    command.add_argument("--vm")
    command.add_argument("--choice", action="append", default=[], help="PET_ANSWER_YES, yes, or a number")
    command.add_argument("--text", action="append", default=[], help="value of vm_message_param_0, _1, ...")
    command.add_argument("--server")
    _command(actions, "list", _run_question_list, "list the questions and their answers")


def _run_question_ask(state, options):
    server = _server_of(state, options.server)
    code = _number(options.code, ERRORS, ("", "PET_QUESTION_")) & 0xFFFFFFFF
    choices = [_number(choice, ERRORS, ("", "PET_ANSWER_")) for choice in options.choice]
    print(questions.ask(state, server["name"], _issuer(state, server, options.vm), code, choices, options.text))


def _run_question_list(state, _options):
    for row in state.rows("SELECT * FROM questions ORDER BY id"):
        print("%d %s" % (row["id"], "unanswered" if row["answer"] is None else row["answer"]))


def _handles(commands):
    text = "what each process left behind at its last deinit_sdk: references, doubly freed ones, handlers, connections"
    _command(commands, "handles", _run_handles, text)


def _run_handles(state, _options):
    reports = {}
    for call in calls.read(state):
        if call["call"] == "deinit_sdk":
            reports[call["pid"]] = call["args"]
    for pid, report in sorted(reports.items()):
        print("%d %s" % (pid, dumps(report)))


# -- operations

SETTINGS = {
    "clock": "what the server's clock says now, YYYY-MM-DDTHH:MM:SSZ; '' for the real time",
    "create_seconds": "how long a backup takes",
    "restore_seconds": "how long a restoration takes",
    "remove_seconds": "how long a removal takes",
    "event_burst": "of the events that come at once a client hears this many, as with the real server in a burst; 0 for all",
    "vm_entries": "`text`: the list of VMs gives their configurations as text, too; `objects`: it does not, as an older build",
    "vm_entry_size": "how many characters such a text has at least; the real ones have some 15,000",
    "vm_object_seconds": "processor time to take a VM's object of the list, as the real library needs to parse its configuration: 0.006 to 0.008",
    "promotion": "`works`: a full removed with the keep-chain flag makes its first increment the head; `fails`: an error",
}


def _set(commands):
    command = _command(commands, "set", _run_set, "how the server works")
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = "\n".join("%-16s %s" % pair for pair in sorted(SETTINGS.items()))
    command.add_argument("name", choices=sorted(SETTINGS))
    command.add_argument("value")


def _run_set(state, options):
    value = options.value
    if options.name == "clock":
        value = str(clock.instant(value) - time.time()) if value else "0"
    state.set(options.name, value)


def _tasks(commands):
    _command(commands, "tasks", _run_tasks, "list the operations under way")


def _run_tasks(state, _options):
    for row in state.rows("SELECT * FROM tasks ORDER BY started"):
        print("%s %s %d" % (row["uuid"], row["server"], row["kind"]))
