# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module in a process of its own, like Ansible, but forked from one that has the imports done.

Thousands of runs are affordable so. What the module reads and prints goes through its real file descriptors.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import multiprocessing.connection
import os
import sys
import tempfile
import threading
import time
import traceback
import typing as t
from pathlib import Path

from integration.run_module import FOR_A_MODULE, Outcome

# Longer than any run may take; a process that is still there then is a finding.
PATIENCE = 60.0
MODULES = "ansible_collections.gpops.toolkit.plugins.modules"
_CONTEXT = multiprocessing.get_context("forkserver")
_START = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a module.

    Attributes:
        outcome: What it printed; empty if that was no JSON object.
        seconds: From its start to its end.
        output: All that it printed, and a traceback if it crashed.
        crashed: Whether it ended by anything but its own result.
    """

    outcome: Outcome
    seconds: float
    output: str
    crashed: bool


def run(name: str, options: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> Run:
    """One run of gpops.toolkit.NAME with these options."""
    arguments = {**options, **FOR_A_MODULE}
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    job = (sender, name, json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), dict(environ or {}))
    with _START:  # the fork server is started by the first one
        _prepare()
        process = _CONTEXT.Process(target=_child, args=job, daemon=True)
        process.start()
    sender.close()
    try:
        if not receiver.poll(PATIENCE):
            process.kill()  # only now: the pid of one that has ended may be somebody else's
            raise AssertionError(f"{name} did not end within {PATIENCE:g} s")
        printed, crash, seconds = receiver.recv()
    finally:
        process.join()
        process.close()
        receiver.close()
    return _understood(printed, crash, seconds)


def _prepare() -> None:
    _CONTEXT.set_forkserver_preload(["torture.forge_preload"])
    folders = [os.environ["ANSIBLE_COLLECTIONS_PATH"], str(Path(__file__).resolve().parent.parent)]
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)


def _understood(printed: str, crash: str, seconds: float) -> Run:
    try:
        outcome = Outcome(json.loads(printed))
    except (ValueError, TypeError):
        outcome, crash = Outcome(), crash or "it printed no JSON object"
    outcome.output = printed
    return Run(outcome, seconds, f"{printed}{crash}", bool(crash))


def _child(sender: multiprocessing.connection.Connection, name: str, arguments: str, environ: dict[str, str]) -> None:
    for key in [key for key in os.environ if key.startswith("PG")]:
        del os.environ[key]
    os.environ.update(environ)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as printed:
        given.write(arguments.encode("utf-8", "surrogatepass"))
        given.seek(0)
        os.dup2(given.fileno(), 0)
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        sys.argv = [name]  # ansible-core would read the arguments of pytest
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        before = time.monotonic()
        crash = _main(name)
        seconds = time.monotonic() - before
        sys.stdout.flush()
        sys.stderr.flush()
        printed.seek(0)
        text = printed.read().decode("utf-8", "replace")
    sender.send((text, crash, seconds))


def _main(name: str) -> str:
    """Run it; the traceback if it crashed."""
    try:
        modules()[name]()
    except SystemExit:
        return ""
    except BaseException:  # noqa: BLE001 - whatever it is, it is the finding
        return traceback.format_exc()
    return "it returned without a result"


def modules() -> dict[str, t.Callable[[], None]]:
    import importlib
    import pkgutil

    package = importlib.import_module(MODULES)
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    found = {name: importlib.import_module(f"{MODULES}.{name}") for name in names}
    # Without a main it is documentation of what runs elsewhere.
    return {name: module.main for name, module in found.items() if hasattr(module, "main")}
