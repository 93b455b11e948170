# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock on the catalog was not to be had -> the same error with who holds one. Private to the collection."""

from __future__ import annotations

from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Texts
from ansible_collections.gpops.toolkit.plugins.module_utils._core.connection import Connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, GroupFull, StatementError

_LOCK_NOT_AVAILABLE = "55P03"
_STRONGEST_FIRST = (
    "AccessExclusive",
    "Exclusive",
    "ShareRowExclusive",
    "Share",
    "ShareUpdateExclusive",
    "RowExclusive",
)
_STRENGTH = {f"{mode}Lock": number for number, mode in enumerate(_STRONGEST_FIRST)}
_NAMED = 3
# Of the schema pg_catalog, which has this number on every engine. A pid is of its own host, the number of the session
# stands on every row. We hold none of these: the statement that failed has let go.
_HOLDERS = (
    "SELECT CASE WHEN l.gp_segment_id = -1 THEN l.pid END, l.mppsessionid, l.mode, c.relname "
    "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation "
    "WHERE l.granted AND l.locktype = 'relation' AND c.relnamespace = 11 "
    "AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') LIMIT 100"
)


def with_holders(connection: Connection, error: GpopsError, deadline: Deadline) -> GpopsError:
    """The error; if it says that a lock was not to be had, with who holds which lock on the catalog now.

    Args:
        deadline: The server gives up before it, and what is left is what the look may take.
    """
    if not isinstance(error, StatementError) or isinstance(error, GroupFull) or error.sqlstate != _LOCK_NOT_AVAILABLE:
        return error
    try:
        rows = connection.execute(_HOLDERS, deadline=deadline).rows
    except GpopsError:
        return error
    told = told_of(rows)
    return StatementError(error.message + told, error.sqlstate, error.result["statement"]) if told else error


def told_of(rows: list[Texts]) -> str:
    """Who holds what, in words; nothing without a row."""
    held = sorted(rows, key=lambda row: (_STRENGTH.get(row[2] or "", len(_STRENGTH)), row[0] is None))
    words = dict.fromkeys(
        f"{f'process {pid}' if pid else f'session {session}, on a segment,'} holds {mode} on {relation}"
        for pid, session, mode, relation in held
    )
    return f"; now {', '.join(list(words)[:_NAMED])}" if words else ""
