# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: S608 - the texts are of this file, values go through psycopg2.sql

"""Read resource groups from a server, and send it the steps of a plan. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import answers
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import (
    BOOLEAN,
    COUNT,
    NUMBER,
    PLAIN,
    TEXT,
    WHOLE,
    WHOLE_IN_TEXT,
    maybe,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.connection import Connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.driver import sql
from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.sql_text import seconds
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, Group, Step
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import (
    OPTIONS,
    RANGES,
    TEXTS,
    is_text,
)

# The columns of the view that are not options.
_NOT_LIMITS = ("groupid", "groupname")
# The values of gp_resource_manager with which groups are enforced.
_ENFORCING = ("group", "group-v2")

# As one JSON text each, whatever columns the engine has.
_MEMBERS = """(SELECT pg_catalog.json_agg(m) FROM (
          SELECT r.rolname, r.rolsuper, g.rsgname
            FROM pg_catalog.pg_roles r
            LEFT JOIN pg_catalog.pg_resgroup g ON g.oid = r.rolresgroup) m)::text"""
_READ = f"""
SELECT (SELECT pg_catalog.json_agg(c) FROM gp_toolkit.gp_resgroup_config c)::text,
       {_MEMBERS},
       pg_catalog.current_setting('gp_resource_manager')
"""
# The same from tables of pg_catalog only: this runs at once in a full group, on every engine.
_READ_CATALOG = f"""
SELECT (SELECT pg_catalog.json_agg(l) FROM (
          SELECT g.rsgname, c.reslimittype, c.value
            FROM pg_catalog.pg_resgroup g
            JOIN pg_catalog.pg_resgroupcapability c ON c.resgroupid = g.oid) l)::text,
       (SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'gp_toolkit' AND c.relname = 'gp_resgroup_config' AND a.attnum > 0)::text,
       {_MEMBERS},
       pg_catalog.current_setting('gp_resource_manager')
  FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog'
"""
# Also a plain look into the catalog, which a full group does not stop.
_TABLESPACES = "SELECT spcname, oid::bigint FROM pg_catalog.pg_tablespace"
# The interval is not read as text, of which IntervalStyle says how it is written.
_STATUS = f"""
SELECT pg_catalog.row_to_json(t)::text FROM (
  SELECT s.*, {seconds("s.total_queue_duration")} AS queue_seconds
    FROM gp_toolkit.gp_resgroup_status s) t
"""


_GROUPS = "the resource groups"
_STATUSES = "what goes on in the resource groups"
_MEMBER_KINDS = {"rolname": TEXT, "rolsuper": BOOLEAN, "rsgname": maybe(TEXT)}
_LIMIT_KINDS = {"rsgname": TEXT, "reslimittype": WHOLE, "value": maybe(TEXT)}
_CONFIG_KINDS = {
    **dict.fromkeys(RANGES, maybe(WHOLE_IN_TEXT)),
    "groupname": TEXT,
    "concurrency": WHOLE_IN_TEXT,
    **dict.fromkeys(TEXTS, maybe(TEXT)),
}
_COUNTED = {"running": "num_running", "queueing": "num_queueing", "queued": "num_queued", "executed": "num_executed"}
_STATUS_KINDS = {
    **dict.fromkeys(("rsgname", "groupname"), maybe(TEXT)),
    "queue_seconds": maybe(NUMBER),
    **dict.fromkeys(_COUNTED.values(), maybe(WHOLE_IN_TEXT)),
}


@dataclasses.dataclass(frozen=True)
class GroupStatus:
    """What goes on in a group; the totals are since the server's start.

    Attributes:
        queue_seconds: All the time that transactions have waited.
    """

    running: int
    queueing: int
    queued: int
    executed: int
    queue_seconds: float


@dataclasses.dataclass(frozen=True)
class GroupCatalog:
    """The groups of a server at one moment.

    Attributes:
        groups: By name.
        enforced: Whether the server enforces them.
        manager: The setting gp_resource_manager.
    """

    groups: t.Mapping[str, Group]
    facts: EngineFacts
    enforced: bool
    manager: str


def read(connection: Connection, engine: Engine, with_tablespaces: bool = False) -> GroupCatalog:
    """Read configuration and roles, in one round trip; a full group stops nobody.

    Args:
        session: An open session.
        engine: What the server is.
        with_tablespaces: Find out their numbers too, in one round trip more.

    Raises:
        GpopsError: Any error of the session.
    """
    if not engine.group_views_there:
        install = ", or install it with CREATE EXTENSION gp_toolkit" if engine.traits.toolkit_is_extension else ""
        raise GpopsError(
            f"database {engine.database} has no gp_toolkit.gp_resgroup_config; set login_db to one that has it{install}"
        )
    if engine.group_views_distrust:
        raise GpopsError(
            f"gp_toolkit of database {engine.database} is not trusted: {engine.group_views_distrust}. "
            "Or set login_db to another database"
        )
    found = _read(connection, engine)
    if not with_tablespaces:
        return found
    tablespaces = dict(answers.tuples(connection.execute(_TABLESPACES), "the tablespaces", TEXT, COUNT))
    return dataclasses.replace(found, facts=dataclasses.replace(found.facts, tablespaces=tablespaces))


def _read(connection: Connection, engine: Engine) -> GroupCatalog:
    if engine.waits_in_group:
        answer = connection.execute(_READ_CATALOG)
        limits, columns, members, manager = answers.one(answer, _GROUPS, maybe(TEXT), maybe(TEXT), maybe(TEXT), TEXT)
        config = config_from(answers.json_records(limits, _GROUPS, _LIMIT_KINDS), answers.json_names(columns, _GROUPS))
        if config is not None:
            return _reading(config, members, manager, engine)
    config_text, members, manager = answers.one(connection.execute(_READ), _GROUPS, maybe(TEXT), maybe(TEXT), TEXT)
    return _reading(answers.json_records(config_text, _GROUPS, {}, rest=maybe(PLAIN)), members, manager, engine)


def _reading(
    config: t.Sequence[t.Mapping[str, t.Any]], members: str | None, manager: str, engine: Engine
) -> GroupCatalog:
    groups = answers.checked(config, _GROUPS, _CONFIG_KINDS, rest=maybe(PLAIN))
    answers.unique((group["groupname"] for group in groups), _GROUPS)
    return reading_from(groups, answers.json_records(members, _GROUPS, _MEMBER_KINDS), manager, engine)


def config_from(limits: t.Iterable[t.Mapping[str, t.Any]], columns: t.Iterable[str]) -> list[dict[str, t.Any]] | None:
    """PURE: the rows of the catalog -> those of the view; None if an option of this engine is unknown here."""
    options = [column for column in columns if column not in _NOT_LIMITS]
    numbers = {option: OPTIONS[option].number if option in OPTIONS else None for option in options}
    if None in numbers.values():
        return None
    found: dict[str, dict[int | None, str | None]] = {}
    for limit in limits:
        found.setdefault(limit["rsgname"], {})[limit["reslimittype"]] = limit["value"]
    return [
        {"groupname": name, **{option: values.get(number) for option, number in numbers.items()}}
        for name, values in found.items()
    ]


def reading_from(
    config: t.Sequence[t.Mapping[str, t.Any]], members: t.Sequence[t.Mapping[str, t.Any]], manager: str, engine: Engine
) -> GroupCatalog:
    """PURE: the rows of the statement -> the reading."""
    roles: dict[str, list[str]] = {}
    for member in members:
        # The engine's own roles are nobody's to assign.
        if not member["rolname"].startswith("pg_") and member["rsgname"] is not None:
            roles.setdefault(member["rsgname"], []).append(member["rolname"])
    groups = {
        row["groupname"]: Group(
            name=row["groupname"],
            limits={name: str(value) for name, value in row.items() if name not in _NOT_LIMITS and value is not None},
            roles=tuple(sorted(roles.get(row["groupname"], ()))),
        )
        for row in config
    }
    facts = EngineFacts(
        family=engine.family,
        options=tuple(name for name in (config[0] if config else ()) if name not in _NOT_LIMITS),
        max_connections=engine.max_connections,
        role=engine.role,
        role_group=engine.role_group,
        superusers=frozenset(member["rolname"] for member in members if member["rolsuper"]),
        all_roles=frozenset(member["rolname"] for member in members),
    )
    return GroupCatalog(groups, facts, manager in _ENFORCING, manager)


def read_status(connection: Connection, deadline: Deadline | None = None) -> dict[str, GroupStatus]:
    """What goes on in each group, by name. It costs the engine about 300 ms, for it samples the CPU."""
    rows = answers.tuples(connection.execute(_STATUS, deadline=deadline), _STATUSES, TEXT)
    found = [answers.json_record(row[0], _STATUSES, _STATUS_KINDS) for row in rows]
    return {_name_of(row): _status_from(row) for row in found}


def _name_of(row: t.Mapping[str, t.Any]) -> str:
    name: str | None = row.get("rsgname") or row.get("groupname")
    if not name:
        raise answers.bad(_STATUSES, "a group has no name")
    return name


def _status_from(row: t.Mapping[str, t.Any]) -> GroupStatus:
    return GroupStatus(
        **{field: int(row.get(column) or 0) for field, column in _COUNTED.items()},
        queue_seconds=float(row.get("queue_seconds") or 0),
    )


def with_status(groups: t.Mapping[str, Group], status: t.Mapping[str, GroupStatus]) -> dict[str, Group]:
    """PURE: the groups with what runs and waits in them."""
    return {
        name: dataclasses.replace(group, running=status[name].running, queueing=status[name].queueing)
        if name in status
        else group
        for name, group in groups.items()
    }


def statement(step: Step) -> t.Any:
    """The statement of one step; the engine takes no parameters here, so values are literals."""
    name = sql.Identifier(step.group)
    if step.kind == "drop":
        return sql.SQL("DROP RESOURCE GROUP {}").format(name)
    if step.kind == "assign":
        return sql.SQL("ALTER ROLE {} RESOURCE GROUP {}").format(sql.Identifier(step.role or ""), name)
    if step.kind == "alter":
        option = step.option or ""
        return sql.SQL("ALTER RESOURCE GROUP {} SET {} {}").format(
            name, _option(option), _value(option, step.value or "")
        )
    limits = [sql.SQL("{}={}").format(_option(option), _value(option, value)) for option, value in step.limits.items()]
    return sql.SQL("CREATE RESOURCE GROUP {} WITH ({})").format(name, sql.SQL(", ").join(limits))


def _option(name: str) -> t.Any:
    """A keyword of the engine, one of the columns that its own view has."""
    if not name.isidentifier():
        raise GpopsError(f"{name!r} is not the name of an option")
    return sql.SQL(name)


def _value(option: str, value: str) -> t.Any:
    return sql.Literal(value if is_text(option, value) else int(value))
