# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may connect to a server, read and altered. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._admission import plan
from ansible_collections.gpops.toolkit.plugins.module_utils._core import answers
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import BOOLEAN, COUNT, SMALL, TEXT
from ansible_collections.gpops.toolkit.plugins.module_utils._core.connection import Connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core.driver import sql

# Both run at once in a full resource group: only tables of pg_catalog, each with its schema, and no function but in
# a select list. Who logged in counts, not whom session_role made of it.
_DATABASES = """
SELECT d.datname AS name, d.datconnlimit AS connection_limit, d.datistemplate AS is_template,
       coalesce(a.connections, 0)::int AS connections,
       pg_catalog.current_database() AS database, session_user AS login_role
  FROM pg_catalog.pg_database d
  LEFT JOIN (SELECT datid, pg_catalog.count(*) AS connections FROM pg_catalog.pg_stat_activity GROUP BY datid) a
    ON a.datid = d.oid
"""
_ROLES = """
SELECT r.rolname AS name, r.rolconnlimit AS connection_limit, r.rolcanlogin AS login, r.rolsuper AS is_superuser,
       coalesce(a.connections, 0)::int AS connections
  FROM pg_catalog.pg_roles r
  LEFT JOIN (SELECT usesysid, pg_catalog.count(*) AS connections FROM pg_catalog.pg_stat_activity GROUP BY usesysid) a
    ON a.usesysid = r.oid
"""
_DATABASE_KINDS = {
    "name": TEXT,
    "connection_limit": SMALL,
    "is_template": BOOLEAN,
    "connections": COUNT,
    "database": TEXT,
    "login_role": TEXT,
}
_ROLE_KINDS = {
    "name": TEXT,
    "connection_limit": SMALL,
    "login": BOOLEAN,
    "is_superuser": BOOLEAN,
    "connections": COUNT,
}


def read(connection: Connection) -> plan.Server:
    """Who may connect to this server now."""
    databases, roles = connection.execute(_DATABASES), connection.execute(_ROLES)
    found = answers.records(databases, "the databases", _DATABASE_KINDS)
    if not found:
        raise answers.bad("the databases", "there is none")
    return server_from(found, answers.records(roles, "the roles", _ROLE_KINDS))


def server_from(databases: t.Sequence[t.Mapping[str, t.Any]], roles: t.Sequence[t.Mapping[str, t.Any]]) -> plan.Server:
    """PURE: the rows of the two statements -> the server."""
    return plan.Server(
        databases={
            row["name"]: plan.Subject(
                row["name"],
                plan.Admission(row["connection_limit"]),
                row["connections"],
                is_template=row["is_template"],
            )
            for row in databases
        },
        roles={
            row["name"]: plan.Subject(
                row["name"],
                plan.Admission(row["connection_limit"], row["login"]),
                row["connections"],
                is_superuser=row["is_superuser"],
            )
            for row in roles
        },
        login_role=databases[0]["login_role"],
        database=databases[0]["database"],
    )


def statement(target: plan.Target) -> t.Any:
    """The statement for one database or role; the engine takes no parameters here, so values are literals."""
    before, after = target.subject.admission, target.after
    parts: list[t.Any] = []
    if after.login is not None and after.login != before.login:
        parts.append(sql.SQL("LOGIN" if after.login else "NOLOGIN"))
    if after.connection_limit != before.connection_limit:
        parts.append(sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(after.connection_limit)))
    alter = sql.SQL("ALTER DATABASE {} {}" if target.kind == "databases" else "ALTER ROLE {} {}")
    return alter.format(sql.Identifier(target.subject.name), sql.SQL(" ").join(parts))
