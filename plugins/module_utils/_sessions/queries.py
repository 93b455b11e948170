# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: S608 - built from the words of this file only, nothing of a user is in it

"""PURE: engine -> the statements that read its processes and locks. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import MDB, NATIVE, Engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.sql_text import seconds

_TAG_COLUMNS = (
    "gp_segment_id",
    "locktype",
    "database",
    "relation",
    "page",
    "tuple",
    "virtualxid",
    "transactionid",
    "classid",
    "objid",
    "objsubid",
)
_PLAIN_COLUMNS = (
    "pid",
    "sess_id",
    "usename",
    "datname",
    "application_name",
    "client_port",
    "state",
    "waiting",
    "waiting_reason",
    "wait_event_type",
    "wait_event",
)
# A point in time -> the age since then.
_INSTANTS = {
    "backend_start": "session_age",
    "xact_start": "transaction_age",
    "query_start": "query_age",
    "state_change": "state_age",
}
# A table of pg_catalog with one row: a statement without a table would wait in a full group of a PostgreSQL 12 base.
_ONE_ROW = "pg_catalog.pg_namespace n WHERE n.nspname = 'pg_catalog'"
# Bits of a hash, of which those are set that belong to a lock for which somebody waits.
_BITS = 65536


def processes(engine: Engine, source: str, query_length: int) -> str:
    """The statement that reads the processes, as JSON texts: the list, and whom this list leaves out.

    Args:
        query_length: How many characters of each query text are wanted; the server may keep a megabyte of each.
    """
    texts = [_as_json(_processes_query(engine, source, query_length)), "'[]'::text"]
    if engine.list_of_all and source == MDB and NATIVE in engine.activity:
        # The service's function reads the view, which leaves out whose role was dropped.
        texts[1] = _as_json(f"{_processes_query(engine, NATIVE, query_length)} AND a.usename IS NULL")
    return f"SELECT {', '.join(texts)} FROM {_ONE_ROW}"


def _as_json(query: str) -> str:
    return f"coalesce((SELECT pg_catalog.json_agg(p) FROM ({query}) p)::text, '[]')"


def locks(engine: Engine, blocked: t.Sequence[int]) -> str:
    """The statement that reads the locks for which somebody waits, and who holds up these processes, as JSON texts.

    Args:
        blocked: Processes that wait for a lock of the coordinator, where the engine tells who holds them up.
    """
    told = "NULL"
    if blocked and engine.tells_blockers:
        values = ", ".join(f"({pid:d})" for pid in blocked)
        told = (
            "(SELECT pg_catalog.json_object_agg(v.pid, pg_catalog.pg_blocking_pids(v.pid)) "
            f"FROM (VALUES {values}) v (pid))::text"
        )
    return (
        f"SELECT coalesce((SELECT pg_catalog.json_agg(l) FROM ({_locks_query(engine)}) l)::text, '[]'), "
        f"coalesce({told}, '{{}}') FROM {_ONE_ROW}"
    )


def activity_source(engine: Engine, interface: str) -> str:
    """What stands in FROM to read the process list.

    On Greenplum 6 the view joins the roles, and leaves out a session whose role was dropped meanwhile; what the view
    reads does not.
    """
    if interface == MDB or not engine.list_of_all:
        return source_of("pg_stat_activity", interface)
    return (
        "(SELECT f.*, d.datname, u.rolname AS usename FROM pg_catalog.pg_stat_get_activity(NULL) f "
        "LEFT JOIN pg_catalog.pg_database d ON d.oid = f.datid LEFT JOIN pg_catalog.pg_roles u ON u.oid = f.usesysid "
        "WHERE f.datid <> 0 AND f.usesysid <> 0)"
    )


def source_of(view: str, interface: str | None) -> str:
    """What stands in FROM to read this view.

    A function that returns rows stands there too, never in a select list: with a SET clause it would be entered and
    left once a row, and the engine would tell its segments each time, before the session's next message. Beside a table
    of pg_catalog it passes a full group of a PostgreSQL 12 base, where alone it would wait.
    """
    if interface != MDB:
        return f"pg_catalog.{view}"
    beside = "pg_catalog.pg_namespace n CROSS JOIN"
    return f"(SELECT f.* FROM {beside} mdb_toolkit.{view}() f WHERE n.nspname = 'pg_catalog')"


def _processes_query(engine: Engine, source: str, query_length: int) -> str:
    has = engine.activity[source]
    columns = [f"a.{name}" for name in _PLAIN_COLUMNS if name in has]
    if "query" in has:
        columns.append(f"pg_catalog.left(a.query, {query_length:d}) AS query")
    for column, name in _INSTANTS.items():
        if column in has:
            columns += [f"{instant('a.' + column)} AS {column}", f"{_age('a.' + column)} AS {name}"]
    if "client_addr" in has:
        columns.append("pg_catalog.host(a.client_addr) AS client_addr")
    if "rsgqueueduration" in has:
        columns.append(f"{seconds('a.rsgqueueduration')} AS queue_seconds")
    if "rsgname" in has:
        columns.append("a.rsgname AS running_group")
    columns += ["g.rsgname AS role_group", "r.rolsuper AS is_superuser"]
    # Of a row that this role may not see, the type is hidden too; a background process has no user or no database.
    # Their oids: the name of a role that was dropped is null. Who replicates a database may run statements in it.
    client = (
        " AND (a.backend_type = 'client backend' OR a.backend_type = 'walsender' AND a.datid IS NOT NULL"
        " OR a.backend_type IS NULL AND a.usesysid IS NOT NULL AND a.datid IS NOT NULL)"
        if "backend_type" in has
        else ""
    )
    return (
        f"SELECT {', '.join(columns)} FROM {activity_source(engine, source)} a "
        "LEFT JOIN pg_catalog.pg_roles r ON r.rolname = a.usename "
        "LEFT JOIN pg_catalog.pg_resgroup g ON g.oid = r.rolresgroup "
        f"WHERE a.pid <> pg_catalog.pg_backend_pid(){client}"
    )


def _age(column: str) -> str:
    return seconds(f"pg_catalog.clock_timestamp() - {column}")


def instant(column: str) -> str:
    """A point in time as a text that names it to the microsecond, in UTC."""
    return f"pg_catalog.to_char(pg_catalog.timezone('UTC', {column}), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def _locks_query(engine: Engine) -> str:
    """Of a lock table of any size, in one reading and without sorting it, the locks that somebody waits for.

    A first sieve passes what has the same hash as a lock that is waited for; the rest is sorted by the lock itself.
    """
    has = engine.lock_columns
    since = _age("k.waitstart") if "waitstart" in has else "NULL::numeric"
    # As text: the types of some tag columns have no order, which a window needs.
    tag = " || '/' || ".join(f"coalesce(c.{column}::text, '')" for column in _TAG_COLUMNS if column in has)
    columns = ", ".join(f"k.{column}" for column in [*_TAG_COLUMNS, "mode", "granted"] if column in has)
    thing = (
        "coalesce(k.relation::bigint, k.objid::bigint, "
        "pg_catalog.hashtext(coalesce(k.transactionid::text, k.virtualxid, ''))::bigint)"
    )
    bit = f"((coalesce(k.gp_segment_id, 0) * 31 + {thing}) & {_BITS - 1})::int"
    waited = (
        f"pg_catalog.bit_or(pg_catalog.set_bit(pg_catalog.repeat('0', {_BITS})::bit({_BITS}), {bit}, 1)) "
        "FILTER (WHERE NOT k.granted) OVER ()"
    )
    # Of a transaction that is no part of a session with segments, which only its own lock tells.
    writer = "coalesce(k.mppiswriter, true)" if "mppiswriter" in has else "true"

    def alone(row: str) -> str:
        return f"{row}.locktype = 'virtualxid' AND {row}.pid IS NOT NULL AND NOT {row}.writer"

    return (
        "SELECT session, pid, writer, tag, locktype, mode, granted, since FROM ("
        "SELECT d.*, pg_catalog.bool_or(NOT d.granted) OVER (PARTITION BY d.tag) AS contended FROM ("
        f"SELECT c.session, c.pid, c.writer, {tag} AS tag, c.locktype, c.mode, c.granted, c.since FROM ("
        # Pids of segments are those of other machines, and a number a session may give itself.
        "SELECT k.mppsessionid AS session, CASE WHEN k.gp_segment_id = -1 THEN k.pid END AS pid, "
        f"{writer} AS writer, {columns}, {since} AS since, {bit} AS bit, {waited} AS waited "
        f"FROM {source_of('pg_locks', engine.lock_source)} k) c "
        f"WHERE pg_catalog.get_bit(c.waited, c.bit) = 1 OR {alone('c')}) d) e WHERE contended OR {alone('e')}"
    )
