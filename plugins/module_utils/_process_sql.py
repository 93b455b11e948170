# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: S608 - built from the words of this file only, nothing of a user is in it

"""PURE: engine -> the statement that reads its processes. Private to the collection."""

from __future__ import annotations

from ansible_collections.gpops.toolkit.plugins.module_utils._engine import MDB, Engine

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
    "state",
    "query",
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
# A table of pg_catalog with one row: a statement without a table would wait in a full group.
_ONE_ROW = "pg_catalog.pg_namespace WHERE nspname = 'pg_catalog'"


def statement(engine: Engine, with_locks: bool) -> str:
    """The statement that reads the processes, and on request the locks that somebody waits for.

    Its tables are all of pg_catalog and its functions all in select lists: so it passes a full group.
    """
    processes = _processes_query(engine, with_locks)
    locks = f"(SELECT pg_catalog.json_agg(l) FROM ({_locks_query(engine)}) l)" if with_locks else "NULL"
    return (
        f"SELECT coalesce((SELECT pg_catalog.json_agg(p) FROM ({processes}) p)::text, '[]'), "
        f"coalesce({locks}::text, '[]') "
        f"FROM {_ONE_ROW}"
    )


def source(view: str, interface: str | None) -> str:
    if interface != MDB:
        return f"pg_catalog.{view}"
    # A function in FROM would wait in a full group, one in the select list does not.
    return f"(SELECT (x.f).* FROM (SELECT mdb_toolkit.{view}() AS f FROM {_ONE_ROW}) x)"


def _processes_query(engine: Engine, with_locks: bool) -> str:
    has = engine.activity_columns
    columns = [f"a.{name}" for name in _PLAIN_COLUMNS if name in has]
    for column, name in _INSTANTS.items():
        if column in has:
            columns += [f"{instant('a.' + column)} AS {column}", f"{_age('a.' + column)} AS {name}"]
    if "client_addr" in has:
        columns.append("pg_catalog.host(a.client_addr) AS client_addr")
    if "rsgqueueduration" in has:
        columns.append("pg_catalog.date_part('epoch', a.rsgqueueduration) AS queue_seconds")
    if "rsgname" in has:
        columns.append("a.rsgname AS running_group")
    if with_locks and engine.tells_blockers and "wait_event_type" in has:
        columns.append(
            "CASE WHEN a.wait_event_type = 'Lock' THEN pg_catalog.pg_blocking_pids(a.pid) END AS blocking_pids"
        )
    columns += ["g.rsgname AS role_group", "r.rolsuper AS is_superuser"]
    # Of a row that this role may not see, the type is hidden too; a background process has no user or no database.
    client = (
        " AND (a.backend_type = 'client backend'"
        " OR a.backend_type IS NULL AND a.usename IS NOT NULL AND a.datname IS NOT NULL)"
        if "backend_type" in has
        else ""
    )
    return (
        f"SELECT {', '.join(columns)} FROM {source('pg_stat_activity', engine.interface)} a "
        "LEFT JOIN pg_catalog.pg_roles r ON r.rolname = a.usename "
        "LEFT JOIN pg_catalog.pg_resgroup g ON g.oid = r.rolresgroup "
        f"WHERE a.pid <> pg_catalog.pg_backend_pid(){client}"
    )


def _age(column: str) -> str:
    return f"pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - {column})"


def instant(column: str) -> str:
    return f"pg_catalog.to_char(pg_catalog.timezone('UTC', {column}), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def _locks_query(engine: Engine) -> str:
    since = _age("k.waitstart") if "waitstart" in engine.lock_columns else "NULL"
    # As text: the types of some tag columns have no order, which a window needs.
    tag = " || '/' || ".join(
        f"coalesce(k.{column}::text, '')" for column in _TAG_COLUMNS if column in engine.lock_columns
    )
    # Of a big cluster's lock table only the locks that somebody waits for.
    return (
        "SELECT session, tag, locktype, mode, granted, since FROM ("
        "SELECT c.*, pg_catalog.bool_or(NOT c.granted) OVER (PARTITION BY c.tag) AS contended FROM ("
        f"SELECT k.mppsessionid AS session, {tag} AS tag, k.locktype, k.mode, k.granted, {since} AS since "
        f"FROM {source('pg_locks', engine.lock_source)} k) c) d WHERE contended"
    )
