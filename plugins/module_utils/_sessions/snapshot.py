# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process list as typed records, and who blocks whom. Private to the collection.

Whatever the engine, one shape of record comes out. The lock table, the dearest thing to read, comes after the list:
only if somebody may wait.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import answers
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import (
    BOOLEAN,
    INSTANT,
    NUMBER,
    PID,
    PID_OR_NONE,
    PIDS,
    SMALL,
    TEXT,
    WHOLE,
    Rows,
    maybe,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, GroupFull, StatementError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.hints import is_out_of_memory
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import identity, queries
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import (
    GROUP_WAIT,
    LOCK_WAIT,
    OTHER_WAIT,
    QUEUE_WAIT,
    REPLICATION_WAIT,
    Backend,
    Snapshot,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.locks import (
    RESOURCE_QUEUE,
    Lock,
    modes_waited_for,
    waiting_sessions,
    who_blocks_whom,
)

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
# In these a session waits for no lock.
_AT_REST = ("idle", "idle in transaction", "idle in transaction (aborted)")
_NOT_ASKED_FOR = "not asked for"
# What part of the time the lock table may take: with it, who waits and who holds up is known; without it, who is there.
_LOCKS_SHARE = 0.5

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
_LISTED = "the list of processes"
_LOCKED = "the lock table"
_ROW_KINDS = {
    "pid": PID,
    "sess_id": WHOLE,
    "client_port": maybe(SMALL),
    **dict.fromkeys(("usename", "datname", "application_name", "client_addr", "state", "query"), maybe(TEXT)),
    **dict.fromkeys(("waiting_reason", "wait_event_type", "wait_event", "running_group", "role_group"), maybe(TEXT)),
    **dict.fromkeys(("backend_start", "xact_start", "query_start", "state_change"), maybe(INSTANT)),
    **dict.fromkeys((*_AGE_FIELDS, "queue_seconds"), maybe(NUMBER)),
    **dict.fromkeys(("waiting", "is_superuser"), maybe(BOOLEAN)),
}
_LOCK_KINDS = {
    "session": WHOLE,
    **dict.fromkeys(("tag", "locktype", "mode"), TEXT),
    "granted": BOOLEAN,
    "since": maybe(NUMBER),
    "pid": maybe(PID_OR_NONE),
    "writer": maybe(BOOLEAN),
}


@dataclasses.dataclass(frozen=True)
class LockRow:
    """One row of the lock table, as the server has it.

    Attributes:
        session: mppsessionid.
        pid: Of the process on the coordinator; None for a lock on a segment.
        writer: mppiswriter; on the coordinator, a session in utility mode is none, and no helper of a query.
    """

    session: int
    tag: str
    locktype: str
    mode: str
    granted: bool
    since: float | None = None
    pid: int | None = None
    writer: bool = True


@dataclasses.dataclass(frozen=True)
class LockTable:
    """The locks that somebody waits for.

    Attributes:
        rows: Each lock, and each wait for it.
        told: Of some processes, those that hold them up, as the engine itself tells.
        problem: Why it is not known, or None.
    """

    rows: tuple[LockRow, ...] = ()
    told: t.Mapping[int, t.Sequence[int]] = dataclasses.field(default_factory=dict)
    problem: str | None = None


def read(cluster: Cluster, deadline: Deadline, with_locks: bool, query_length: int) -> Snapshot:
    """Read all client processes, and who waits for whom if somebody asks for it and may wait.

    The lock table is asked of every segment. When that fails or takes too long, the processes are known without it: an
    operator of a cluster that is stuck needs the list.

    Args:
        query_length: How many characters of each query text are wanted.

    Raises:
        GpopsError: Any error of gpops.toolkit.gp_process_info's session.
    """
    processes = _read_processes(cluster, deadline, max(query_length, len(_HIDDEN_QUERY) + 1))
    if not with_locks:
        return snapshot_from(processes, LockTable(problem=_NOT_ASKED_FOR))
    return snapshot_from(processes, _read_locks(cluster, processes, deadline))


def _read_processes(cluster: Cluster, deadline: Deadline, query_length: int) -> _Rows:
    """All rows; by the interface that shows most, if the plain view hides some."""
    while True:
        text = queries.processes(cluster.engine, cluster.source, query_length)
        rows = rows_from(cluster.execute(text, deadline, cluster.source))
        if not any(_is_hidden(row) for row in rows) or not cluster.look_closer():
            return rows


def rows_from(answer: Rows) -> _Rows:
    """PURE: what the server answered -> the rows of the process list; of several lists, what the first ones lack."""
    texts = answers.one(answer, _LISTED, TEXT, TEXT)
    found: dict[int, dict[str, t.Any]] = {}
    for text in texts:
        rows = answers.json_records(text, _LISTED, _ROW_KINDS)
        answers.unique((row["pid"] for row in rows), _LISTED)
        found = {**{row["pid"]: row for row in rows}, **found}
    return list(found.values())


def locks_from(answer: Rows) -> LockTable:
    """PURE: what the server answered -> the lock table."""
    locks, told = answers.one(answer, _LOCKED, TEXT, TEXT)
    rows = answers.json_records(locks, _LOCKED, _LOCK_KINDS)
    blockers = answers.json_record(told, _LOCKED, {}, rest=maybe(PIDS))
    known = {int(pid): pids or [] for pid, pids in blockers.items() if pid.isascii() and pid.isdigit()}
    return LockTable(tuple(_lock_from(row) for row in rows), known)


def _lock_from(row: dict[str, t.Any]) -> LockRow:
    # Where it is not told, nothing is said of it.
    return LockRow(**{**row, "writer": row.get("writer") is not False})


def _read_locks(cluster: Cluster, processes: _Rows, deadline: Deadline) -> LockTable:
    problem = cluster.engine.locks_problem
    if problem or not any(_may_wait_for_lock(row) for row in processes):
        return LockTable(problem=problem)
    blocked = [row["pid"] for row in processes if row.get("wait_event_type") == "Lock"]
    text = queries.locks(cluster.engine, blocked)
    try:
        return locks_from(cluster.execute(text, deadline, cluster.engine.lock_source, _LOCKS_SHARE))
    except StatementError as error:
        return LockTable(problem=_why_no_locks(cluster, error))
    except GpopsError as error:
        # The list stands. Nobody waits for a new session unless there is something to ask it.
        cluster.leave_connection()
        return LockTable(problem=error.message)


def _why_no_locks(cluster: Cluster, error: StatementError) -> str:
    if isinstance(error, GroupFull):
        return cluster.full_group
    if is_out_of_memory(error.sqlstate):
        return (
            f"the lock table is larger than the memory of this statement ({error.message}). Past the queue of a full "
            "resource group, and with gp_resource_group_bypass on for this login, that is little. Log in as a role of "
            f"another group, or let {cluster.engine.role_group or 'its group'} have a free slot (raise its "
            "concurrency, or end a session that runs in it), and run the task again"
        )
    return error.message


def _may_wait_for_lock(row: t.Mapping[str, t.Any]) -> bool:
    """Whether a process may wait for a lock, be it on a segment, which the process list does not tell.

    A statement that waits for a slot of its group has not begun.
    """
    queued = row.get("waiting_reason") == "resgroup" or row.get("wait_event_type") == "ResourceGroup"
    return row.get("state") not in _AT_REST and not queued


def _is_hidden(row: t.Mapping[str, t.Any]) -> bool:
    # Its text alone proves nothing: anybody can send that. The start of a session is hidden with it.
    return row.get("query") == _HIDDEN_QUERY and row.get("backend_start") is None


def snapshot_from(processes: _Rows, locks: LockTable) -> Snapshot:
    """PURE: what was read -> the snapshot."""
    who = identity.identify(processes)
    owned = _owned(locks.rows, who)
    waits = waiting_sessions(owned)
    alone = {row.pid for row in locks.rows if not row.writer}

    def kind(row: t.Mapping[str, t.Any]) -> str:
        utility = row["pid"] in alone or who.is_utility(row["pid"], row["sess_id"])
        return identity.UTILITY if utility else identity.SESSION

    backends = [
        _backend(row, kind(row), waits.get(row["pid"]), locks.problem is None)
        for row in processes
        if row["pid"] not in who.readers
    ]
    # Rows without a start are hidden ones: last.
    backends.sort(key=lambda backend: (backend.backend_start or "~", not backend.application_name, backend.pid))
    if locks.problem is None:
        backends = _with_blockers(backends, owned, locks.told, who)
    return Snapshot(tuple(backends), len(processes), locks.problem, who)


def _owned(rows: t.Iterable[LockRow], who: identity.Identities) -> list[Lock]:
    """The locks of sessions that are listed."""
    owners = ((who.owner(row.pid, row.session), row) for row in rows)
    return [
        Lock(owner, row.tag, row.locktype, row.mode, row.granted, row.since)
        for owner, row in owners
        if owner is not None
    ]


def _backend(row: t.Mapping[str, t.Any], kind: str, lock_wait: str | None, locks_known: bool) -> Backend:
    ages: dict[str, t.Any] = {name: _age(row.get(name)) for name in _AGE_FIELDS}
    reason = _waiting_reason(row, lock_wait)
    # After a wait that was cancelled, an idle row of Greenplum 6 still shows the group of that wait.
    group = None if row.get("state") == "idle" else row.get("running_group")
    plain: dict[str, t.Any] = {name: row.get(name) for name in _PLAIN_FIELDS}
    hidden = _is_hidden(row)
    running = row.get("state") in (None, "active")
    return Backend(
        **plain,
        **ages,
        # Without the lock table a statement that runs may wait on a segment, and of a hidden row nothing is known.
        waiting=None if reason is None and (hidden or (running and not locks_known)) else reason is not None,
        waiting_reason=reason,
        wait_age=_wait_age(row, reason, ages),
        resource_group=row["role_group"] if group in (None, "", _UNKNOWN_GROUP) else group,
        kind=kind,
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


def _with_blockers(
    backends: list[Backend],
    locks: t.Sequence[Lock],
    told: t.Mapping[int, t.Sequence[int]],
    who: identity.Identities,
) -> list[Backend]:
    waits = {lock.session: lock.since for lock in locks if not lock.granted and lock.since is not None}
    ages = {backend.pid: backend.wait_age for backend in backends}
    blocked = who_blocks_whom(locks, ages, _told_of_sessions(told, who))
    modes = modes_waited_for(locks)
    blocking: dict[int, set[int]] = {}
    for waiter, holders in blocked.items():
        for holder in holders:
            blocking.setdefault(holder, set()).add(waiter)
    return [
        dataclasses.replace(
            backend,
            blocked_by=tuple(sorted(blocked.get(backend.pid, set()))),
            blocks=tuple(sorted(blocking.get(backend.pid, ()))),
            waits_for_modes=modes.get(backend.pid, ()),
            wait_age=_age(waits[backend.pid]) if backend.pid in waits else backend.wait_age,
        )
        for backend in backends
    ]


def _told_of_sessions(told: t.Mapping[int, t.Sequence[int]], who: identity.Identities) -> dict[int, set[int]]:
    """What the engine tells of processes, as sessions; helpers wait and hold for theirs."""
    found: dict[int, set[int]] = {}
    for pid, holders in told.items():
        waiter = who.session_of(pid)
        if waiter is not None:
            sessions = {session for session in map(who.session_of, holders) if session is not None}
            found.setdefault(waiter, set()).update(sessions - {waiter})
    return found
