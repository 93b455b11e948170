# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox for as long as a with block lasts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .passwords import password_of
from .profiles import PROFILES

STOP_TIMEOUT = 30.0


class SandboxError(Exception):
    """The sandbox did not start; the message says why."""


class Sandbox:
    """Starts a sandbox in a process of its own, which ends with this one, whatever happens to it."""

    def __init__(
        self,
        profile: str = "gp6",
        *,
        directory: str | Path | None = None,
        port: int = 0,
        max_connections: int = 400,
        bypass: bool = True,
        resource_manager: str = "group",
        pgbin: str | Path | None = None,
        keep: bool = False,
    ) -> None:
        self.profile = profile
        self.info: dict[str, Any] = {}
        self.secret = ""
        self._command = [
            sys.executable,
            str(Path(__file__).resolve().parent),
            "start",
            "--foreground",
            "--lifeline",
            "--profile",
            profile,
            "--port",
            str(port),
            "--max-connections",
            str(max_connections),
            "--resource-manager",
            resource_manager,
            *([] if keep else ["--remove"]),
            *([] if bypass else ["--no-bypass"]),
            *(["--dir", str(directory)] if directory else []),
            *(["--pgbin", str(pgbin)] if pgbin else []),
        ]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A Ctrl-C is for the caller, which closes its sessions first and then the lifeline.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        if not ready:
            _dummy, problem = self._process.communicate()
            self._process = None
            raise SandboxError(problem.strip() or "the sandbox did not start")
        self.info = json.loads(ready)
        self.secret = json.loads(self.passwords.read_text())["secret"]
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.communicate(timeout=STOP_TIMEOUT)  # closes its standard input, its lifeline

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def family(self) -> str:
        """gp6, gp7 or cb, whichever variant of it this is."""
        return PROFILES[self.profile].family

    @property
    def host(self) -> str:
        return str(self.info["host"])

    @property
    def port(self) -> int:
        return int(self.info["port"])

    @property
    def dir(self) -> Path:
        return Path(self.info["dir"])

    @property
    def passwords(self) -> Path:
        """A file that only we can read."""
        return Path(self.info["passwords"])

    def password(self, role: str) -> str:
        return password_of(self.secret, role)

    @property
    def pid(self) -> int:
        return int(self.info["pid"])

    def dsn(self, user: str = "gpadmin", dbname: str = "testdb", **more: Any) -> dict[str, Any]:
        """Keyword arguments for psycopg2.connect() and psycopg.connect()."""
        login = {"host": self.host, "port": self.port, "user": user, "password": self.password(user)}
        return {**login, "dbname": dbname, **more}
