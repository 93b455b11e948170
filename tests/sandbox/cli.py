# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: start, stop, status, env."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .daemon import Options, serve
from .folder import Folder, FolderError
from .profiles import PROFILES

STOP_TIMEOUT = 30.0
POLL = 0.02


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.command(parsed)
    except FolderError as problem:
        print(f"sandbox: {problem}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox", description="A PostgreSQL that behaves like Greenplum.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="start a sandbox and print where it is")
    start.set_defaults(command=_start)
    start.add_argument("--profile", choices=sorted(PROFILES), default="gp6")
    start.add_argument("--dir", help="folder to use (default: a new private one)")
    start.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    start.add_argument("--max-connections", type=int, default=400)
    start.add_argument("--no-bypass", action="store_true", help="nothing passes a full group")
    start.add_argument("--resource-manager", choices=("group", "none", "queue"), default="group")
    start.add_argument("--pgbin", help="folder of PostgreSQL's programs")
    start.add_argument("--foreground", action="store_true", help="run until a signal comes")
    start.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    start.add_argument("--remove", action="store_true", help="remove the folder at the end")
    stop = commands.add_parser("stop", help="stop a sandbox and remove what it made")
    stop.set_defaults(command=_stop)
    stop.add_argument("--keep", action="store_true", help="leave the folder, to start it again")
    status = commands.add_parser("status", help="print where a sandbox is; exit code 3 if it does not run")
    status.set_defaults(command=_status)
    env = commands.add_parser("env", help="print export lines for libpq's variables")
    env.set_defaults(command=_env)
    for command in (stop, status, env):
        command.add_argument("--dir", required=True)
    return parser


def _start(parsed: argparse.Namespace) -> int:
    folder = Folder.open(parsed.dir)
    kept = folder.info.get("profile", parsed.profile)
    if kept != parsed.profile:
        raise FolderError(f"{folder.path} holds a sandbox of profile {kept}")
    if parsed.foreground:
        options = Options(
            parsed.profile,
            parsed.port,
            parsed.max_connections,
            not parsed.no_bypass,
            parsed.resource_manager,
            parsed.pgbin,
        )
        lifeline = sys.stdin.fileno() if parsed.lifeline else None
        return serve(folder, options, lifeline, parsed.remove, sys.stdout)
    return _start_daemon(parsed, folder)


def _start_daemon(parsed: argparse.Namespace, folder: Folder) -> int:
    """The same command in the foreground of a process of its own, until it says that it is ready."""
    command = [
        sys.executable,
        str(Path(__file__).resolve().parent),
        "start",
        "--foreground",
        "--dir",
        str(folder.path),
        "--profile",
        parsed.profile,
        "--port",
        str(parsed.port),
        "--max-connections",
        str(parsed.max_connections),
        "--resource-manager",
        parsed.resource_manager,
        *(["--no-bypass"] if parsed.no_bypass else []),
        *(["--pgbin", parsed.pgbin] if parsed.pgbin else []),
    ]
    folder.write_info({**folder.info, "profile": parsed.profile})
    with (folder.path / "daemon.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True, text=True
        )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
    except BaseException:
        process.send_signal(signal.SIGTERM)
        raise
    if not ready:
        print((folder.path / "daemon.log").read_text().strip(), file=sys.stderr)
        folder.remove_if_fresh()
        return 1
    print(ready, end="")
    return 0


def _stop(parsed: argparse.Namespace) -> int:
    folder = Folder.existing(parsed.dir)
    pid = folder.info.get("pid")
    if folder.busy and pid:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    while folder.busy:
        if time.monotonic() > deadline:
            raise FolderError(f"the sandbox in {folder.path} does not stop")
        time.sleep(POLL)
    if not parsed.keep:
        folder.remove()
    return 0


def _status(parsed: argparse.Namespace) -> int:
    folder = Folder.existing(parsed.dir)
    running = folder.busy
    print(json.dumps({**folder.info, "running": running}))
    return 0 if running else 3


def _env(parsed: argparse.Namespace) -> int:
    info = Folder.existing(parsed.dir).info
    passwords = json.loads(Path(info["passwords"]).read_text())["roles"]
    values = {
        "PGHOST": info["host"],
        "PGPORT": info["port"],
        "PGUSER": info["admin_user"],
        "PGPASSWORD": passwords[info["admin_user"]],
        "PGDATABASE": "testdb",
    }
    for name, value in values.items():
        print(f"export {name}={shlex.quote(str(value))}")
    return 0
