# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the cases of Cloudberry, which its source and its own tests answer: cb.json says which, file and commit."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import ExitStack
from typing import Any

from contract.replay import ADMIN, FOLDER, Answer, Target, run
from psycopg2 import extensions

MAX_CONNECTIONS = 25  # as in Cloudberry's tests, some of which are about the number above it
USER = "billy"
PATIENCE = 10.0
WAITS = 0.5  # a statement that takes so long waits
POLL = 0.01
_IN_USE = "2BP01"


def cases() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((FOLDER / "cb.json").read_text(encoding="utf-8"))
    return loaded


def profiles_of(case: dict[str, Any]) -> list[str]:
    """A case of the releases is for them, one of main for both: what differs is listed."""
    return ["cb"] if case["versions"].startswith("2.x (") else ["cb", "cbmain"]


def play(target: Target, case: dict[str, Any]) -> Answer | None:
    """The answer to the case's statement, or none while it waits."""
    with ExitStack() as stack:
        scene = _Scene(target, case, stack)
        try:
            scene.set()
            return scene.answer()
        finally:
            scene.clear()


class _Statement:
    """One statement that runs in the background."""

    def __init__(self, connection: extensions.connection, sql: str) -> None:
        self.connection = connection
        self._answers: list[Answer] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(run(connection, sql)), daemon=True)
        self._thread.start()

    def answer(self, patience: float) -> Answer | None:
        self._thread.join(patience)
        return self._answers[0] if self._answers else None

    def end(self) -> None:
        if self._thread.is_alive():
            self.connection.cancel()
            self._thread.join(PATIENCE)


class _Scene:
    """The sessions and objects of one case."""

    def __init__(self, target: Target, case: dict[str, Any], stack: ExitStack) -> None:
        self._target = target
        self._case = case
        self._stack = stack
        self._admin = stack.enter_context(target.connect())
        self._sessions: dict[str, extensions.connection] = {}
        self._running: dict[str, _Statement] = {}

    def set(self) -> None:
        for sql in self._case["setup"]:
            answer = run(self._admin, sql)
            assert answer.message is None, f"{sql}: {answer.message}"
        for step in self._case.get("before", []):
            self._step(step)

    def _step(self, step: dict[str, Any]) -> None:
        name = step["session"]
        if step.get("wait"):
            assert self._running[name].answer(PATIENCE) is not None, "still running"
            return
        session = self._session(name)
        if not step.get("background"):
            answer = run(session, step["sql"])
            assert answer.message is None, f"{step['sql']}: {answer.message}"
            return
        self._running[name] = _Statement(session, step["sql"])
        self._until_active(session)

    def _until_active(self, session: extensions.connection) -> None:
        sql = f"SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = {session.info.backend_pid} AND state = 'active'"
        end = time.monotonic() + PATIENCE
        while not run(self._admin, sql).rows:
            assert time.monotonic() < end, "the statement in the background does not start"
            time.sleep(POLL)

    def _session(self, name: str) -> extensions.connection:
        if name not in self._sessions:
            user = USER if name == "same" and self._case["as"] == "user" else ADMIN
            self._sessions[name] = self._stack.enter_context(self._target.connect(user))
        return self._sessions[name]

    def answer(self) -> Answer | None:
        statement = self._running["case"] = _Statement(self._session("same"), self._case["statement"])
        return statement.answer(WAITS if self._case["expect"].get("waits") else PATIENCE)

    def clear(self) -> None:
        for statement in self._running.values():
            statement.end()
        for session in self._sessions.values():
            session.close()
        for sql in self._case.get("cleanup", []):
            end = time.monotonic() + PATIENCE
            while run(self._admin, sql).sqlstate == _IN_USE and time.monotonic() < end:  # a session is just leaving
                time.sleep(POLL)


def differing(expect: dict[str, Any], answer: Answer | None) -> list[str]:
    """One line for each thing that the case says and the answer does not."""
    if expect.get("waits") or answer is None:
        return [] if answer is None and expect.get("waits") else [f"expected {expect}, got {answer}"]
    got: dict[str, Any] = {
        "message": _message(expect, answer.message),
        "sqlstate": answer.sqlstate,
        "tag": answer.tag,
        "columns": [name for name, _kind in answer.columns or ()],
        "rows": [list(row) for row in answer.rows or ()],
        "notices": list(answer.notices),
    }
    wanted = {"message": None} | {key: value for key, value in expect.items() if key in got}
    return [f"{key}: expected {value!r}, got {got[key]!r}" for key, value in wanted.items() if got[key] != value]


def _message(expect: dict[str, Any], message: str | None) -> str | None:
    """The message as far as the case knows it: its beginning, or all but the numbers in it."""
    if message is not None and expect.get("message_prefix"):
        return message[: len(expect["message"])]
    if message is not None and expect.get("message_mask"):
        return re.sub(r"\d+", "<n>", message)
    return message
