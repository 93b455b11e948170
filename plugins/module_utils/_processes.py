# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process list as typed records, and who blocks whom. Private to the collection.

Whatever the engine, one shape of record comes out. All of it is read in one statement, because on a
PostgreSQL 12 base the session's next statement could already wait in a full resource group.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._connection import Deadline, Session
from ansible_collections.gpops.toolkit.plugins.module_utils._engine import Engine
from ansible_collections.gpops.toolkit.plugins.module_utils._errors import GpopsError, GroupFull
from ansible_collections.gpops.toolkit.plugins.module_utils._locks import (
    RESOURCE_QUEUE,
    Lock,
    waiting_sessions,
    who_blocks_whom,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._process_sql import statement

LOCK_WAIT = "lock"
GROUP_WAIT = "resource_group"
QUEUE_WAIT = "resource_queue"
REPLICATION_WAIT = "replication"
OTHER_WAIT = "other"

# What the server shows of a query that this role may not see.
_HIDDEN_QUERY = "<insufficient privilege>"
_UNKNOWN_GROUP = "unknown"

# waiting_reason of Greenplum 6.
_REASONS = {"lock": LOCK_WAIT, "resgroup": GROUP_WAIT, "replication": REPLICATION_WAIT}
# wait_event_type of the others. IO, LWLock, IPC and the like are part of running, not a wait for somebody.
_EVENT_TYPES = {
    "Lock": LOCK_WAIT,
    "ResourceGroup": GROUP_WAIT,
    "ResourceQueue": QUEUE_WAIT,
    "BufferPin": OTHER_WAIT,
}
_SYNC_REPLICATION = "SyncRep"

_Rows = t.List[t.Dict[str, t.Any]]

_PLAIN_FIELDS = (
    "pid",
    "sess_id",
    "usename",
    "datname",
    "application_name",
    "client_addr",
    "state",
    "wait_event_type",
    "wait_event",
    "query",
    "backend_start",
    "xact_start",
    "query_start",
    "state_change",
    "is_superuser",
)
_AGE_FIELDS = ("session_age", "transaction_age", "query_age", "state_age")


@dataclasses.dataclass(frozen=True)
class Backend:
    """One client process of the coordinator. V(none) is: not there, or not for this role to see.

    The timestamps are text, UTC with microseconds, so that they name the very session and statement.
    Ages are seconds by the server's clock.
    """

    pid: int
    sess_id: int
    usename: str | None = None
    datname: str | None = None
    application_name: str | None = None
    client_addr: str | None = None
    state: str | None = None
    waiting: bool | None = False
    waiting_reason: str | None = None
    wait_event_type: str | None = None
    wait_event: str | None = None
    query: str | None = None
    resource_group: str | None = None
    backend_start: str | None = None
    xact_start: str | None = None
    query_start: str | None = None
    state_change: str | None = None
    session_age: float | None = None
    transaction_age: float | None = None
    query_age: float | None = None
    state_age: float | None = None
    wait_age: float | None = None
    blocked_by: tuple[int, ...] | None = None
    blocks: tuple[int, ...] | None = None
    is_superuser: bool | None = None
    hidden: bool = False


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The processes of one moment.

    Attributes:
        backends: All client processes but our own, oldest session first.
        connections: How many connections they and their helpers take.
        locks_problem: Why V(blocked_by) and V(blocks) are unknown, or V(none).
    """

    backends: tuple[Backend, ...]
    connections: int
    locks_problem: str | None = None

    @property
    def hidden(self) -> int:
        """How many processes hide their content from this role."""
        return sum(backend.hidden for backend in self.backends)


def read(session: Session, engine: Engine, deadline: Deadline, with_locks: bool = True) -> tuple[Session, Snapshot]:
    """Read all client processes in one round trip.

    The lock table is asked of every segment. When that fails or takes too long, the processes are read
    without it: an operator of a cluster that is stuck needs the list.

    Returns:
        The session to go on with (a new one after a failure) and the snapshot.

    Raises:
        GpopsError: Any error of M(gpops.toolkit.gp_process_info)'s session.
    """
    problem = None
    if with_locks and engine.lock_source is None:
        problem = f"role {engine.role} may not read pg_locks"
    elif with_locks:
        try:
            return session, snapshot_from(*_rows(session, engine, deadline.part(0.5), True), None)
        except GroupFull:
            raise
        except GpopsError as error:
            if not deadline.remaining():
                raise
            problem = error.message
            session = session.renewed(deadline)
    return session, snapshot_from(*_rows(session, engine, deadline, False), problem or "not asked for")


def _rows(session: Session, engine: Engine, deadline: Deadline, with_locks: bool) -> tuple[_Rows, _Rows]:
    answer = session.execute(statement(engine, with_locks), deadline=deadline).rows[0]
    return json.loads(answer[0]), json.loads(answer[1])


def snapshot_from(processes: _Rows, lock_rows: _Rows, locks_problem: str | None) -> Snapshot:
    """PURE: the rows of the statement -> the snapshot."""
    locks = [Lock(**row) for row in lock_rows]
    waits = waiting_sessions(locks)
    backends = [_backend(row, waits.get(row["sess_id"]), locks_problem is None) for row in processes]
    # Rows without a start are hidden ones: last.
    backends.sort(key=lambda backend: (backend.backend_start or "~", not backend.application_name, backend.pid))
    backends = _without_readers(backends)
    if locks_problem is None:
        told = {row["sess_id"]: row["blocking_pids"] for row in processes if row.get("blocking_pids") is not None}
        backends = _with_blockers(backends, locks, told)
    return Snapshot(tuple(backends), len(processes), locks_problem)


def _without_readers(backends: list[Backend]) -> list[Backend]:
    """Leave out the helpers that a query has on the coordinator.

    They have the session's number, a later start and no application name. No client is connected to them,
    and a signal to one breaks the query but does not end the session.
    """
    sessions: dict[int, Backend] = {}
    for backend in backends:
        sessions.setdefault(backend.sess_id, backend)
    return list(sessions.values())


def _backend(row: t.Mapping[str, t.Any], lock_wait: str | None, locks_known: bool) -> Backend:
    ages: dict[str, t.Any] = {name: _age(row.get(name)) for name in _AGE_FIELDS}
    reason = _waiting_reason(row, lock_wait)
    # After a wait that was cancelled, an idle row of Greenplum 6 still shows the group of that wait.
    group = None if row.get("state") == "idle" else row.get("running_group")
    plain: dict[str, t.Any] = {name: row.get(name) for name in _PLAIN_FIELDS}
    hidden = row.get("query") == _HIDDEN_QUERY
    running = row.get("state") in (None, "active")
    return Backend(
        **plain,
        **ages,
        # Without the lock table a statement that runs may wait on a segment, and of a hidden row nothing is known.
        waiting=None if reason is None and (hidden or (running and not locks_known)) else reason is not None,
        waiting_reason=reason,
        wait_age=_wait_age(row, reason, ages),
        resource_group=row["role_group"] if group in (None, "", _UNKNOWN_GROUP) else group,
        hidden=hidden,
    )


def _age(seconds: float | None) -> float | None:
    return None if seconds is None else round(max(0.0, seconds), 3)


def _waiting_reason(row: t.Mapping[str, t.Any], lock_wait: str | None) -> str | None:
    """Why a session waits; a lock that it waits for on a segment shows in the lock table only."""
    if lock_wait == RESOURCE_QUEUE or (
        row.get("wait_event_type") == "Lock" and row.get("wait_event") == RESOURCE_QUEUE
    ):
        return QUEUE_WAIT
    if "waiting" in row:
        reason = _REASONS.get(row.get("waiting_reason") or "", OTHER_WAIT) if row["waiting"] else None
    elif row.get("state") == "idle":
        reason = None  # what Greenplum 7 then shows is left over from the last wait
    elif row.get("wait_event") == _SYNC_REPLICATION:
        reason = REPLICATION_WAIT
    else:
        reason = _EVENT_TYPES.get(row.get("wait_event_type") or "")
    return LOCK_WAIT if reason is None and lock_wait else reason


def _wait_age(row: t.Mapping[str, t.Any], reason: str | None, ages: t.Mapping[str, float | None]) -> float | None:
    """Seconds of the wait: the engine's own figure where it has one, else the age of the statement that waits."""
    if reason is None:
        return None
    if reason == GROUP_WAIT and row.get("queue_seconds"):
        return _age(row["queue_seconds"])
    return ages["query_age"]


def _with_blockers(backends: list[Backend], locks: list[Lock], told: t.Mapping[int, t.Sequence[int]]) -> list[Backend]:
    pid_of = {backend.sess_id: backend.pid for backend in backends}
    waits = {lock.session: lock.since for lock in locks if not lock.granted and lock.since is not None}
    session_of = {backend.pid: backend.sess_id for backend in backends}
    blockers = who_blocks_whom(
        locks,
        {backend.sess_id: backend.wait_age for backend in backends},
        {session: {session_of[pid] for pid in pids if pid in session_of} for session, pids in told.items()},
    )
    blocked: dict[int, set[int]] = {}
    blocking: dict[int, set[int]] = {}
    for waiter, holders in blockers.items():
        for holder in holders:
            if waiter in pid_of and holder in pid_of:
                blocked.setdefault(pid_of[waiter], set()).add(pid_of[holder])
                blocking.setdefault(pid_of[holder], set()).add(pid_of[waiter])
    return [
        dataclasses.replace(
            backend,
            blocked_by=tuple(sorted(blocked.get(backend.pid, ()))),
            blocks=tuple(sorted(blocking.get(backend.pid, ()))),
            wait_age=_age(waits[backend.sess_id]) if backend.sess_id in waits else backend.wait_age,
        )
        for backend in backends
    ]
