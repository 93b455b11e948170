# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: S608 - identifiers are the words of this file, values go through psycopg2.sql

"""The statements that look at sessions and signal those that are still the same.

Private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import answers
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import (
    ANYTHING,
    INSTANT,
    PID,
    TEXT,
    WHOLE,
    Rows,
    maybe,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.driver import sql
from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import NATIVE
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.queries import activity_source, instant
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import CANCELLED

_LOOK = "a look at processes"
_IDENTITY = ("sess_id", "backend_start", "query_start", "state")


class SignalSender:
    """Signals and looks on one server; takes a new session where the engine needs one.

    Args:
        cluster: With the connection that the choice was made with; a new one is put there.
        deadline: The end of all.
        message: For the victims, where the engine has it.
    """

    def __init__(self, cluster: Cluster, deadline: Deadline, message: str | None = None) -> None:
        self._cluster = cluster
        self._engine = engine = cluster.engine
        self._deadline = deadline
        self._message = message
        missing = [name for name in _IDENTITY if name not in cluster.activity_columns]
        if missing:
            raise GpopsError(
                f"the process list of toolkit={engine.interface} has no {', '.join(missing)}, without which a session "
                "cannot be told from another one; set toolkit to native"
            )

    def _execute(self, statement: t.Any, source: str) -> Rows:
        # Half of what is left: if the server goes silent, there is time to look again from a new connection.
        return self._cluster.execute(statement, self._deadline, source, share=0.5)

    def renew(self) -> None:
        """Take a new session in place of this one."""
        self._cluster.renew(self._deadline)

    def look(self, pids: t.Iterable[int]) -> dict[int, Backend]:
        """These processes as they are now, with what names them; those that are gone are not in it."""
        source = self._cluster.source
        found = self._look(pids, NATIVE if NATIVE in self._engine.activity else source)
        # That nobody is there is seen by everybody; who it is, perhaps only by the service's functions.
        hidden = any(backend.backend_start is None for backend in found.values())
        return {**found, **self._look(found, source)} if hidden and source != NATIVE else found

    def _look(self, pids: t.Iterable[int], source: str) -> dict[int, Backend]:
        wanted = sql.SQL(", ").join([sql.Literal(pid) for pid in pids])
        statement = sql.SQL(
            f"SELECT a.pid, a.sess_id, {instant('a.backend_start')}, {instant('a.query_start')}, a.state "
            f"FROM {activity_source(self._engine, source)} a WHERE a.pid IN ({{}})"
        ).format(wanted)
        return seen(self._execute(statement, source))

    def signal(self, victims: t.Sequence[Backend], state: str) -> dict[int, t.Any]:
        """Signal those that are still the very same session, and for a cancel the very same running statement.

        The check is in the statement that signals, so nothing can come between it and the signal but the
        server's own work on that statement.

        Returns:
            What the engine's function returned, by pid; a pid that was another session or none is not in it.
        """
        answer = self._execute(self.statement(victims, state), self._engine.interface)
        return dict(answers.tuples(answer, "what became of the signals", PID, ANYTHING))

    def statement(self, victims: t.Sequence[Backend], state: str) -> t.Any:
        """The statement that checks and signals."""
        function = self._engine.signal_functions.get(state)
        if function is None:
            raise GpopsError(f"role {self._engine.role} may use no function of mdb_toolkit for state={state}")
        names = ["pid", "sess_id", "backend_start"] + (["query_start"] if state == CANCELLED else [])
        same = " AND ".join(f"a.{name} = v.{name}" for name in names)
        running = " AND a.state IN ('active', 'fastpath function call')" if state == CANCELLED else ""
        message: t.Any = sql.SQL("")
        if self._message and function.split(".")[1] in self._engine.message_functions:
            message = sql.SQL(", {}").format(sql.Literal(self._message))
        return sql.SQL(
            f"SELECT a.pid, {function}(a.pid{{message}}) "
            f"FROM {activity_source(self._engine, self._cluster.source)} a "
            f"JOIN (VALUES {{victims}}) v ({', '.join(names)}) ON {same} "
            f"WHERE a.pid <> pg_catalog.pg_backend_pid(){running}"
        ).format(message=message, victims=sql.SQL(", ").join([_row(victim, names) for victim in victims]))


def seen(answer: Rows) -> dict[int, Backend]:
    """PURE: what the server answered to a look -> the processes."""
    rows = answers.tuples(answer, _LOOK, PID, WHOLE, maybe(INSTANT), maybe(INSTANT), maybe(TEXT))
    answers.unique((row[0] for row in rows), _LOOK)
    return {
        pid: Backend(pid=pid, sess_id=sess_id, backend_start=start, query_start=query_start, state=state)
        for pid, sess_id, start, query_start, state in rows
    }


def _row(victim: Backend, names: t.Sequence[str]) -> t.Any:
    cast = {"backend_start": "::timestamptz", "query_start": "::timestamptz"}
    values = [sql.SQL("{}" + cast.get(name, "")).format(sql.Literal(getattr(victim, name))) for name in names]
    return sql.SQL("({})").format(sql.SQL(", ").join(values))
