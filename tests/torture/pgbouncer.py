# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real PgBouncer in front of a cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import psycopg2
from integration.cluster import Cluster
from sandbox.postgres import Account

MODES = ("session", "transaction", "statement")
SECONDS = 20.0


def program() -> tuple[str, str]:
    """The path of the one that .ci/pgbouncer finds; or nothing, and why."""
    script = Path(__file__).resolve().parents[2] / ".ci" / "pgbouncer"
    done = subprocess.run([script, "--find"], capture_output=True, text=True, check=False)
    return done.stdout.strip(), done.stderr.strip()


class PgBouncer:
    """Running, with a pool of two sessions for each role, for as long as a with block lasts.

    Attributes:
        through: The cluster as it is behind it.
    """

    def __init__(self, path: str, cluster: Cluster, mode: str, drop_options: bool) -> None:
        self._path = path
        self._cluster = cluster
        self._mode = mode
        self._ignored = "extra_float_digits" + (", options" if drop_options else "")

    def __enter__(self) -> t.Self:
        self._folder = Path(tempfile.mkdtemp(prefix="gpops-pgbouncer-"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        self.through = dataclasses.replace(self._cluster, host="127.0.0.1", port=port)
        account = Account.choose()  # it refuses to run as root
        for name, text in (("ini", self._settings()), ("users", self._users())):
            path = self._folder / name
            path.touch(0o600)
            path.write_text(text, "utf-8")
            account.own(path)
        account.own(self._folder)
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [self._path, self._folder / "ini"],
            stdout=self._log,
            stderr=self._log,
            user=account.switch_uid,
            group=account.switch_gid,
            extra_groups=account.switch_groups,
        )
        self._until_it_answers()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder)

    def _settings(self) -> str:
        return f"""
[databases]
* = host={self._cluster.host} port={self._cluster.port}
[pgbouncer]
listen_addr = {self.through.host}
listen_port = {self.through.port}
unix_socket_dir =
auth_type = plain
auth_file = {self._folder / "users"}
pool_mode = {self._mode}
default_pool_size = 2
ignore_startup_parameters = {self._ignored}
"""

    def _users(self) -> str:
        roles = (self._cluster.admin, self._cluster.ops, self._cluster.user, self._cluster.other)
        return "".join(f'"{role}" "{self._cluster.password(role)}"\n' for role in roles)

    def _until_it_answers(self) -> None:
        end = time.monotonic() + SECONDS
        while True:
            try:
                self.through.connect(self._cluster.admin).close()
            except psycopg2.OperationalError:
                if time.monotonic() > end:
                    raise AssertionError((self._folder / "log").read_text("utf-8")) from None
                time.sleep(0.05)
            else:
                return

    def left(self, role: str, names: t.Sequence[str]) -> list[tuple[t.Any, ...] | None]:
        """These settings in both sessions of this role's pool."""
        with contextlib.ExitStack() as stack:
            found = []
            for _each in range(2):
                connection = stack.enter_context(contextlib.closing(self.through.connect(role)))
                connection.autocommit = self._mode == "statement"
                cursor = connection.cursor()  # within a transaction, which keeps the session
                columns = ", ".join(f"pg_catalog.current_setting('{name}')" for name in names)
                cursor.execute(f"SELECT {columns}")
                found.append(cursor.fetchone())
            return found
