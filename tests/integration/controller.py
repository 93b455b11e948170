# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller of Ansible that runs one task for each request: strategy, worker process, action plugin, all of it.

    python -m integration.controller SOCKET

A client connects, sends a JSON object with ``name``, ``options`` and ``environ``, ends its side, and reads one with
``result`` and ``output``. Each request is served by a fork, so that only the first pays for the imports.
It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import tempfile
import traceback
import typing as t
from pathlib import Path

from ansible import context
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.plugins.loader import action_loader, init_plugin_loader
from ansible.utils.context_objects import CLIArgs
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

ACTIONS = Path(__file__).resolve().parent.parent.parent / "plugins" / "action"
VERBOSITY = 4


def run_task(name: str, options: dict[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The result of one task on a host with a local connection."""
    check = bool(options.pop("_ansible_check_mode", False))
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=["gp,"])
    variables = VariableManager(loader=loader, inventory=inventory)
    task = {f"gpops.toolkit.{name}": options, "check_mode": check, "register": "found"}
    whole = {"hosts": "gp", "gather_facts": False, "connection": "local", "tasks": [task]}
    play = Play.load(whole, variable_manager=variables, loader=loader)
    manager = TaskQueueManager(
        inventory=t.cast("t.Any", inventory),
        variable_manager=variables,
        loader=loader,
        passwords={},
        stdout_callback_name="minimal",
    )
    try:
        manager.run(play)
    finally:
        manager.cleanup()
        loader.cleanup_all_tmp_files()
    found: t.Mapping[str, t.Any] = variables.get_vars(host=inventory.get_host("gp"))["found"]
    return found


def serve(connection: socket.socket) -> None:
    """Answer one request, in a process of its own."""
    with connection.makefile("rb") as stream:
        request = json.load(stream)
    os.environ.clear()
    os.environ.update(request["environ"])
    Display().verbosity = VERBOSITY
    with tempfile.TemporaryFile() as printed:
        for descriptor in (1, 2):
            os.dup2(printed.fileno(), descriptor)
        try:
            answer: dict[str, t.Any] = {"result": dict(run_task(request["name"], request["options"]))}
        except Exception:  # noqa: BLE001 - the test shows it
            answer = {"error": traceback.format_exc()}
        sys.stdout.flush()
        sys.stderr.flush()
        printed.seek(0)
        answer["output"] = printed.read().decode("utf-8", "replace")
    connection.sendall(json.dumps(answer, default=str).encode())


def main(path: str) -> None:
    """Serve until the standard input ends."""
    # Before the first request, as ansible-playbook does before the first task.
    init_plugin_loader()
    context.CLIARGS = CLIArgs({"connection": "local", "forks": 1, "verbosity": VERBOSITY, "check": False, "diff": True})
    for action in ACTIONS.glob("gp_*.py"):
        assert action_loader.get(f"gpops.toolkit.{action.stem}", class_only=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(100)
        print("ready", flush=True)
        children: set[int] = set()
        while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [], 1)[0]):
            children = {pid for pid in children if os.waitpid(pid, os.WNOHANG)[0] == 0}
            if ready:
                children.add(fork(listener))


def fork(listener: socket.socket) -> int:
    """Serve the next connection in a child."""
    connection = listener.accept()[0]
    child = os.fork()
    if child:
        connection.close()
        return child
    listener.close()
    try:
        serve(connection)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
