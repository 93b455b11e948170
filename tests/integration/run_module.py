# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module with its arguments as Ansible hands them over: in a process of its own, or directly in the controller's.

The tests run both ways; conftest.py sets which.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
TIMEOUT = 120
# What Ansible tells a module: among it, to show its options in the result, so that secrets in them are looked for.
FOR_A_MODULE = {"_ansible_remote_tmp": "/tmp", "_ansible_verbosity": 4, "_ansible_inject_invocation": True}
MODULES = "ansible_collections.gpops.toolkit.plugins.modules"
WAYS = ("module", "direct")
_now = {"way": WAYS[0]}


def set_way(way: str) -> None:
    """From now on run modules this way."""
    assert way in WAYS
    _now["way"] = way


class Outcome(dict[str, t.Any]):
    """What a module printed.

    Attributes:
        output: All of its output as text, to look for secrets in it.
    """

    output: str = ""

    @property
    def failed(self) -> bool:
        """Whether the module failed."""
        return bool(self.get("failed"))

    @property
    def by_pid(self) -> dict[int, dict[str, t.Any]]:
        """The processes by pid."""
        return {record["pid"]: record for record in self["processes"]}


def run_module(name: str, options: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> Outcome:
    """The outcome of gpops.toolkit.NAME with these options; _ansible_check_mode works too."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    whole = {**inherited, **(environ or {})}
    return _as_module(name, options, whole) if _now["way"] == "module" else _directly(name, options, whole)


def _as_module(name: str, options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> Outcome:
    return _outcome(_process(["-m", f"{MODULES}.{name}"], options, environ))


def _process(
    command: t.Sequence[str], options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **FOR_A_MODULE}})
    return subprocess.run(
        [sys.executable, *command],
        input=arguments,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"], **environ},
        timeout=TIMEOUT,
        check=False,
    )


def _outcome(done: subprocess.CompletedProcess[str]) -> Outcome:
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    outcome = Outcome(json.loads(done.stdout))
    outcome.output = done.stdout + done.stderr
    return outcome


# Not ru_maxrss: the size that this process has outlives the exec in it.
_MEASURED = f"""
import contextlib, pathlib, runpy, sys
with contextlib.suppress(SystemExit):
    runpy.run_module(f"{MODULES}.{{sys.argv.pop()}}", run_name="__main__")
status = pathlib.Path("/proc/self/status").read_text().split()
print("peak", status[status.index("VmHWM:") + 1], file=sys.stderr)
"""


def run_measured(name: str, options: t.Mapping[str, t.Any]) -> tuple[Outcome, float]:
    """The outcome in a process of its own, and the largest resident size of that process in megabytes."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    done = _process(["-c", _MEASURED, name], options, inherited)
    return _outcome(done), int(done.stderr.rsplit("peak", 1)[1]) / 1024


def _directly(name: str, options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> Outcome:
    request = json.dumps({"name": name, "options": options, "environ": environ}).encode()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(_controller())
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as stream:
            answer = json.load(stream)
    assert "result" in answer, answer.get("error", "") + answer["output"]
    assert "runs in the process of the controller" in answer["output"], answer["output"]
    assert "Traceback" not in answer["output"], answer["output"]
    outcome = Outcome(answer["result"])
    outcome.output = answer["output"] + json.dumps(answer["result"])
    return outcome


_controllers: list[str] = []


def _controller() -> str:
    """The socket of a controller that runs for the rest of the session."""
    if not _controllers:
        folder = tempfile.TemporaryDirectory(prefix="gpops")
        path = f"{folder.name}/controller"
        process = subprocess.Popen(
            [sys.executable, "-m", "integration.controller", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(TESTS), "ANSIBLE_HOME": folder.name, "NO_COLOR": "1"},
        )

        def end() -> None:
            process.communicate()
            folder.cleanup()

        atexit.register(end)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        _controllers.append(path)
    return _controllers[0]
