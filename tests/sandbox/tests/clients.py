# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients for the tests: short ways to run a statement, and statements that hang in a thread of their own."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import extensions
from sandbox import Sandbox
from sandbox.profiles import PROFILES

PATIENCE = 30.0
POLL = 0.01
CPU = {name: f"{profile.cpu_option}=1" for name, profile in PROFILES.items()}

_numbers = itertools.count(1)


class Client:
    """One autocommit session."""

    def __init__(self, box: Sandbox, user: str = "gpadmin", dbname: str = "testdb", **more: Any) -> None:
        self.connection: extensions.connection = psycopg2.connect(**box.dsn(user, dbname, **more))
        self.connection.autocommit = True
        self.pid = int(self.connection.info.backend_pid)  # known after the end, too

    @property
    def notices(self) -> list[str]:
        return [notice.strip() for notice in self.connection.notices]

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement, or none if it has no result."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql: str) -> Any:
        return self.run(sql)[0][0]

    def tag(self, sql: str) -> str:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return str(cursor.statusmessage)

    def error(self, sql: str) -> tuple[str | None, str]:
        """SQLSTATE and message of a statement that has to fail."""
        try:
            self.run(sql)
        except psycopg2.Error as problem:
            return problem.pgcode, (problem.diag.message_primary or str(problem)).strip()
        raise AssertionError(f"no error: {sql}")

    def close(self) -> None:
        self.connection.close()


class Hanging:
    """A statement that is expected not to return at once."""

    def __init__(self, client: Client, sql: str) -> None:
        self._outcome: list[Any] = []
        self._thread = threading.Thread(target=self._run, args=(client, sql), daemon=True)
        self._thread.start()

    def _run(self, client: Client, sql: str) -> None:
        try:
            self._outcome.append(client.run(sql))
        except psycopg2.Error as problem:
            self._outcome.append(problem)

    @property
    def waits(self) -> bool:
        return not self._outcome

    def rows(self) -> list[tuple[Any, ...]]:
        outcome = self._finished()
        if isinstance(outcome, Exception):
            raise outcome
        rows: list[tuple[Any, ...]] = outcome
        return rows

    def problem(self) -> psycopg2.Error:
        outcome = self._finished()
        assert isinstance(outcome, psycopg2.Error), outcome
        return outcome

    def _finished(self) -> Any:
        self._thread.join(PATIENCE)
        assert self._outcome, "still waiting"
        return self._outcome[0]


def until(condition: Callable[[], Any]) -> Any:
    """The condition's first true value."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(POLL)
    raise AssertionError("the condition never came true")


class Scene:
    """A group with one role in it, and as many sessions as a test opens."""

    def __init__(self, box: Sandbox, concurrency: int) -> None:
        self.box = box
        self.name = f"scene_{next(_numbers)}"
        self._clients: list[Client] = []
        self.admin = self.open("gpadmin")
        self.admin.run(f"CREATE RESOURCE GROUP {self.name} WITH (concurrency={concurrency}, {CPU[box.profile]})")
        word = box.password(self.name)
        self.admin.run(f"CREATE ROLE {self.name} LOGIN PASSWORD '{word}' RESOURCE GROUP {self.name}")

    def open(self, user: str | None = None, **more: Any) -> Client:
        client = Client(self.box, user or self.name, **more)
        self._clients.append(client)
        return client

    def hold(self) -> Client:
        """A session that keeps one slot."""
        holder = self.open()
        holder.run("BEGIN")
        return holder

    def queue(self, client: Client, sql: str = "SELECT 42") -> Hanging:
        """A statement that waits for a slot, already seen as waiting."""
        hanging = Hanging(client, sql)
        until(lambda: self.is_queued(client.pid) or not hanging.waits)
        assert hanging.waits, "it did not wait"
        return hanging

    def is_queued(self, pid: int) -> bool:
        waits = "waiting_reason = 'resgroup'" if self.box.family == "gp6" else "wait_event_type = 'ResourceGroup'"
        return bool(self.admin.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND {waits}"))

    def concurrency(self, value: int) -> None:
        self.admin.run(f"ALTER RESOURCE GROUP {self.name} SET concurrency {value}")

    def close(self) -> None:
        for client in self._clients[1:]:
            client.close()
        until(lambda: not self.admin.one(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{self.name}'"))
        self.admin.run(f"DROP ROLE {self.name}")
        self.admin.run(f"DROP RESOURCE GROUP {self.name}")
        self.admin.close()


@contextmanager
def scene(box: Sandbox, concurrency: int = 1) -> Iterator[Scene]:
    made = Scene(box, concurrency)
    try:
        yield made
    finally:
        made.close()
