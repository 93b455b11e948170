# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this server is and can do, asked once. Private to the collection.

Families are told apart by their catalogs. The version text is for messages only: vendors change it.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import answers, families, trust
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import (
    BOOLEAN,
    COUNT,
    PID,
    SMALL,
    TEXT,
    Rows,
    maybe,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    GpopsError,
    GroupFull,
    OptionError,
    StatementError,
    shortened,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.login_settings import (
    BYPASS,
    ENOUGH_MEMORY,
    IF_OTHERWISE,
    NO_ROLE,
    is_same_role,
)

if t.TYPE_CHECKING:
    from ansible_collections.gpops.toolkit.plugins.module_utils._core.connection import Connection

# Only tables of pg_catalog, each written with its schema, and functions in the select list only:
# in this form it runs at once in a full resource group of a PostgreSQL 12 base.
# What is called later must be superusers' alone, see trust.
# Every task begins with it: what only some tasks need is in _MORE, and what may read a whole catalog for each function
# is only asked for those that have columns.
_PROBE = """
SELECT pg_catalog.version() AS version_text,
       pg_catalog.pg_backend_pid() AS pid,
       pg_catalog.current_setting('search_path') AS search_path,
       r.rolname::text AS role,
       session_user::text AS login,
       r.rolsuper AS is_superuser,
       (SELECT l.rolsuper FROM pg_catalog.pg_roles l WHERE l.rolname = session_user) AS login_is_superuser,
       g.rsgname::text AS role_group,
       pg_catalog.current_database()::text AS database,
       (SELECT d.oid::int8 FROM pg_catalog.pg_database d
         WHERE d.datname = pg_catalog.current_database()) AS database_oid,
       pg_catalog.current_setting('max_connections')::int AS max_connections,
       pg_catalog.current_setting('superuser_reserved_connections')::int AS reserved_connections,
       pg_catalog.concat_ws(',',
         CASE WHEN pg_catalog.has_table_privilege('pg_catalog.pg_stat_activity', 'SELECT') THEN 'pg_stat_activity.' || (
           SELECT pg_catalog.string_agg(a.attname::text, ' ') FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = 'pg_catalog.pg_stat_activity'::pg_catalog.regclass AND a.attnum > 0) END,
         CASE WHEN pg_catalog.has_table_privilege('pg_catalog.pg_locks', 'SELECT') THEN 'pg_locks.' || (
           SELECT pg_catalog.string_agg(a.attname::text, ' ') FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = 'pg_catalog.pg_locks'::pg_catalog.regclass AND a.attnum > 0) END,
         CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_stat_get_activity(int)', 'EXECUTE') THEN (
           SELECT 'pg_stat_get_activity.' || pg_catalog.array_to_string(p.proargnames, ' ') FROM pg_catalog.pg_proc p
            WHERE p.oid = 'pg_catalog.pg_stat_get_activity(int)'::pg_catalog.regprocedure) END) AS views,
       (SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
          FROM pg_catalog.pg_namespace n WHERE n.nspname = 'mdb_toolkit') AS toolkit_usage,
       {trust} AS toolkit_trust,
       (SELECT pg_catalog.string_agg(p.proname || '.' || coalesce(
                 CASE WHEN p.proretset THEN
                   (SELECT pg_catalog.string_agg(a.attname::text, ' ') FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid = (SELECT y.typrelid FROM pg_catalog.pg_type y WHERE y.oid = p.prorettype)
                       AND a.attnum > 0 AND NOT a.attisdropped) END,
                 pg_catalog.array_to_string(p.proargnames, ' '), ''), ',')
          FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'mdb_toolkit')
           AND p.proname IN ('pg_stat_activity', 'pg_locks', 'gp_cancel_backend', 'gp_terminate_backend')
           AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) AS toolkit_functions,
       EXISTS (SELECT 1 FROM pg_catalog.pg_proc p
                WHERE p.proname = 'pg_blocking_pids' AND p.pronamespace = (
                  SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pg_catalog')) AS tells_blockers,
       EXISTS (SELECT 1 FROM pg_catalog.pg_roles m WHERE m.rolname = 'mdb_admin') AS has_mdb_admin,
       (SELECT pg_catalog.string_agg(s.name || '=' || s.setting || '=' || s.context, ' ') FROM pg_catalog.pg_settings s
         WHERE s.name IN ('gp_contentid', 'gp_role', 'gp_resource_group_bypass', 'gp_resource_group_move_timeout',
                          'idle_session_timeout')) AS settings{more}
  FROM pg_catalog.pg_roles r
  LEFT JOIN pg_catalog.pg_resgroup g ON g.oid = r.rolresgroup
 WHERE r.rolname = current_user
"""
_TOOLKIT_TRUST = trust.strangers(
    "mdb_toolkit", functions=("pg_stat_activity", "pg_locks", "gp_cancel_backend", "gp_terminate_backend")
)
_GROUPS_TRUST = trust.strangers("gp_toolkit", views=("gp_resgroup_config", "gp_resgroup_status"))
GROUP_VIEWS = "group_views"
MESSAGES = "message_functions"
_MORE = {
    GROUP_VIEWS: """,
       EXISTS (SELECT 1 FROM pg_catalog.pg_class c
                WHERE c.relname = 'gp_resgroup_config' AND c.relnamespace = (
                  SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'gp_toolkit')) AS group_views,
       {groups_trust} AS group_views_trust""",
    MESSAGES: """,
       (SELECT pg_catalog.string_agg(p.proname::text, ',')
          FROM pg_catalog.pg_proc p
          JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = 'pg_catalog' AND p.proname IN ('pg_cancel_backend', 'pg_terminate_backend')
           AND pg_catalog.oidvectortypes(p.proargtypes) = 'integer, text') AS message_functions""",
}

# What a session of this role in this database begins with as its role, the first one being what counts.
_ROLES_SET = """
SELECT r.rolname::text AS of_role, d.datname::text AS of_database, s.role
  FROM (SELECT c.setrole, c.setdatabase, pg_catalog.unnest(c.setconfig) AS role
          FROM pg_catalog.pg_db_role_setting c) s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 WHERE s.role LIKE 'role=%' AND (s.setrole = 0 OR r.rolname = session_user)
   AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
 ORDER BY s.setrole = 0, s.setdatabase = 0
"""
_ROLES_SET_KINDS = {"of_role": maybe(TEXT), "of_database": maybe(TEXT), "role": TEXT}
_PROBED = "what this server is"
_KINDS = {
    "version_text": TEXT,
    "pid": PID,
    "search_path": TEXT,
    "role": TEXT,
    "login": TEXT,
    "is_superuser": BOOLEAN,
    "login_is_superuser": BOOLEAN,
    "role_group": maybe(TEXT),
    "database": TEXT,
    "database_oid": COUNT,
    "max_connections": SMALL,
    "reserved_connections": SMALL,
    "views": TEXT,
    "toolkit_usage": maybe(BOOLEAN),
    "toolkit_trust": maybe(TEXT),
    "toolkit_functions": maybe(TEXT),
    "tells_blockers": BOOLEAN,
    "has_mdb_admin": BOOLEAN,
    "settings": maybe(TEXT),
}
_MORE_KINDS = {
    GROUP_VIEWS: {"group_views": BOOLEAN, "group_views_trust": maybe(TEXT)},
    MESSAGES: {"message_functions": maybe(TEXT)},
}

_VERSION_IN_TEXT = re.compile(
    r"\((?:(?:Greenplum|Greengage|Cloudberry) Database|Apache Cloudberry|WarehousePG)\s+(?P<version>[^\s)]+)"
)
# What a plain PostgreSQL says to the probe: no pg_resgroup, no rolresgroup.
_NOT_GREENPLUM = ("42P01", "42703")
_TOO_LITTLE_MEMORY = "53000"
_COORDINATOR = "-1"
_TRIPLE = 3
_UTILITY = "utility"
# pg_settings.context of what every role may set.
_EVERY_ROLE = "user"

MDB = "mdb"
NATIVE = "native"
UNTRUSTED = "untrusted"


@dataclasses.dataclass(frozen=True)
class Engine:
    """What one server is and can do for one role.

    Attributes:
        family: Name of its record in _core/families.
        version: Such as 6.24.3, for messages.
        interface: mdb or native, the functions to use.
        toolkit_state: usable, untrusted, forbidden or missing: the mdb_toolkit schema for this role.
        toolkit_distrust: Why its functions are not called, though the role may use them.
        toolkit_passed_over: With toolkit=auto that is why the engine's own are used.
        role: The current role.
        role_group: Its resource group, or None.
        activity: The columns of the process list by the interface that shows it; the first one is to be asked first.
        lock_source: The interface that shows the locks to this role, or None.
        lock_columns: Of the lock table, as that interface has it.
        signal_functions: What the interface signals with: cancelled or terminated -> function.
        message_functions: Those of pg_catalog that take a message, if that was asked for.
        list_of_all: Its process list leaves out the sessions of dropped roles, and this role may read what the list
            is made from.
        tells_blockers: It has pg_blocking_pids, which knows the order of a queue, on the coordinator only.
        group_views_there: The views of gp_toolkit are there, if that was asked for.
        group_views_distrust: Why they are not read.
        may_bypass: This role may step past the queue of a full group.
        utility_mode: The session is on the coordinator alone: it sees and changes nothing of the segments.
        managed_slots: It is the managed service's own Greenplum 6: mdb_admin sees everybody in pg_catalog, and has
            connections of its own.
    """

    family: str
    version: str
    interface: str
    toolkit_state: str
    role: str
    role_group: str | None
    is_superuser: bool
    database: str
    max_connections: int
    reserved_connections: int
    activity: t.Mapping[str, frozenset[str]]
    lock_source: str | None
    lock_columns: frozenset[str]
    signal_functions: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    message_functions: frozenset[str] = frozenset()
    list_of_all: bool = False
    tells_blockers: bool = False
    toolkit_distrust: str | None = None
    toolkit_passed_over: bool = False
    group_views_there: bool = False
    group_views_distrust: str | None = None
    may_bypass: bool = True
    utility_mode: bool = False
    managed_slots: bool = False

    @property
    def traits(self) -> families.Family:
        """What its family has in common."""
        return families.FAMILIES[self.family]

    @property
    def shown(self) -> dict[str, str]:
        """What the result of every module says of it."""
        return {"family": self.family, "version": self.version, "interface": self.interface}

    @property
    def waits_in_group(self) -> bool:
        """Whether what reads more than tables of pg_catalog waits in a full group, in the end without success."""
        return not self.may_bypass

    @property
    def kept_connections(self) -> int:
        """How many connections ordinary roles cannot have."""
        # On the managed Greenplum 6 they stop at twice the setting: half of that is for mdb_admin.
        return self.reserved_connections * (2 if self.managed_slots else 1)

    def spends_session(self, source: str) -> bool:
        """Whether, after this source was called upon, the session's next statement may wait.

        The functions of mdb_toolkit have a setting of their own, which the engine tells the segments before it reads
        the next message: it waits for one that hangs, and on a PostgreSQL 12 base in a full group.
        """
        return source == MDB

    @property
    def locks_problem(self) -> str | None:
        """Why the lock table cannot tell who waits for whom, or None."""
        if self.utility_mode:
            return "this is a session in utility mode, which sees the locks of the coordinator only; log in without it"
        return None if self.lock_source else f"role {self.role} may not read pg_locks"


def probe(connection: Connection, toolkit: str, needs: t.Collection[str] = ()) -> Engine:
    """Ask the server what it is, in one round trip that a full group cannot stop on any engine.

    Args:
        session: An open session.
        toolkit: auto, mdb or native.
        needs: GROUP_VIEWS and MESSAGES, what to find out beside.

    Raises:
        OptionError: The interface that was asked for is not there or not for this role.
        GpopsError: The server is not of the Greenplum family, or one of the session's errors.
    """
    row = _asked(connection, needs)
    if connection.detect_pooler(row["pid"], row["search_path"]):
        row = _asked(connection, needs)
    _check_who(connection, row)
    engine = engine_from(row, toolkit)
    connection.learn(engine.may_bypass, row["database_oid"])
    connection.mend(_set_otherwise(row))
    return engine


def _asked(connection: Connection, needs: t.Collection[str]) -> dict[str, t.Any]:
    try:
        rows = connection.execute(_probe_statement(needs))
    except StatementError as error:
        if error.sqlstate == _TOO_LITTLE_MEMORY and connection.mend(ENOUGH_MEMORY):
            return _asked(connection, needs)
        if error.sqlstate in _NOT_GREENPLUM:
            raise GpopsError(
                f"the server at {connection.where} is not {families.titles()}: its catalog knows no resource groups",
                **error.result,
            ) from None
        raise
    if not rows.rows:
        raise GpopsError(f"{connection.where}: the role of this session has been dropped")
    answer = _answered(rows, needs)
    content = _settings(answer["settings"]).get("gp_contentid", (None, ""))[0]
    if content not in (None, _COORDINATOR):
        # In utility mode a segment lets everybody in: parts of queries look like sessions there, and a group
        # that is changed there differs from that of the other segments.
        raise GpopsError(
            f"the server at {connection.where} is a segment (content {content}), reached in utility mode; "
            "log in to the coordinator"
        )
    return answer


def _check_who(connection: Connection, row: t.Mapping[str, t.Any]) -> None:
    """Nobody else decides as whom the session acts: an operator who acts as another one sees and ends less, or more.

    Raises:
        GpopsError: It names who it is, and who has set that, if it can be told.
    """
    # Behind a pooler another server session may come next, and begin as the database says.
    told = _roles_set(connection) if connection.pooled else []
    problem = who_problem(row, connection.user, connection.wanted_role, told, connection.pooled)
    if problem is None:
        return
    told = told or _roles_set(connection)
    raise GpopsError(f"{connection.where}: {problem}; {what_to_do(told)}. Nothing was done")


def _roles_set(connection: Connection) -> list[tuple[str, str]]:
    try:
        rows = answers.records(connection.execute(_ROLES_SET), "the settings of roles", _ROLES_SET_KINDS)
    except GroupFull:
        raise
    except StatementError:  # not for this role to read
        return []
    return [(_altered(each["of_role"], each["of_database"]), each["role"].partition("=")[2]) for each in rows]


def _altered(role: str | None, database: str | None) -> str:
    """The beginning of the statement that has set it."""
    if role is None:
        return f"ALTER DATABASE {database}" if database else "ALTER ROLE ALL"
    return f"ALTER ROLE {role} IN DATABASE {database}" if database else f"ALTER ROLE {role}"


def who_problem(
    row: t.Mapping[str, t.Any], login: str, wanted: str, told: t.Sequence[tuple[str, str]], pooled: bool
) -> str | None:
    """PURE: why the session does not act as whom it should, or None.

    Args:
        row: Of the probe.
        login: Who has logged in.
        wanted: The role that it is to act as, or None.
        told: What sessions in this database begin with as their role, of a pooler's.
        pooled: A pooler stands between, which may log in to the server as somebody else.
    """
    if not pooled and not is_same_role(login, row["login"]):
        return f"{login} has logged in, but the session is that of {row['login']}"
    expected = row["login"] if wanted == NO_ROLE else wanted
    if not is_same_role(expected, row["role"]):
        return f"the session acts as role {row['role']}, not as {expected}"
    role = told[0][1] if told else NO_ROLE
    if role != NO_ROLE and not is_same_role(expected, role):
        return f"the pooler's sessions begin as role {role}, not as {expected}"
    return None


def what_to_do(told: t.Sequence[tuple[str, str]]) -> str:
    """PURE: the same, for the one who reads the error."""
    if not told:
        return "log in to another database, or say in session_role as whom to act"
    statement, role = told[0]
    return (
        f"this was set with {statement} SET role = {role}. If it is meant, set session_role to {role}; else log in to "
        f"another database, or take it back with {statement} RESET role"
    )


def _set_otherwise(row: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Settings that a database or a role has set otherwise than they are to be, as far as this role may set them."""
    settings = _settings(row["settings"])
    return {
        name: value
        for name, value in IF_OTHERWISE.items()
        if name in settings
        and settings[name][0] != value
        and (settings[name][1] == _EVERY_ROLE or row["login_is_superuser"])
    }


def _answered(rows: Rows, needs: t.Collection[str]) -> dict[str, t.Any]:
    more = {name: kind for need in needs for name, kind in _MORE_KINDS[need].items()}
    found = answers.records(rows, _PROBED, {**_KINDS, **more})
    if len(found) != 1:
        raise answers.bad(_PROBED, f"there are {len(found)} rows, not one")
    return found[0]


def _probe_statement(needs: t.Collection[str]) -> str:
    more = "".join(_MORE[each] for each in needs).format(groups_trust=_GROUPS_TRUST)
    return _PROBE.format(trust=_TOOLKIT_TRUST, more=more)


def needs_of_messages(*messages: str | None) -> tuple[str, ...]:
    """What to ask the engine for where there is a message for victims."""
    return (MESSAGES,) if any(messages) else ()


def engine_from(row: t.Mapping[str, t.Any], toolkit: str) -> Engine:
    """The engine for one row of the probe; see gpops.toolkit.gp_process_info for the options."""
    views = _columns_by_name(row["views"])
    functions = _columns_by_name(row["toolkit_functions"])
    distrust = trust.why_not(row["toolkit_trust"])
    state = _toolkit_state(row["toolkit_usage"], functions, distrust)
    interface = _interface(toolkit, state, row, distrust)
    settings = _settings(row["settings"])
    lock_source, lock_columns = _locks(interface, views, functions)
    family = _family(views.get("pg_stat_activity", frozenset()) | functions.get("pg_stat_activity", frozenset()))
    managed_slots = row["has_mdb_admin"] and _has_all(settings, family.service_settings)
    activity = _activity(interface, views, functions, sees_all=row["is_superuser"] or managed_slots)
    if not activity:
        raise GpopsError(f"role {row['role']} may not read the process list, pg_catalog.pg_stat_activity")
    return Engine(
        family=family.name,
        version=_version(row["version_text"]),
        interface=interface,
        toolkit_state=state,
        role=row["role"],
        role_group=row["role_group"],
        is_superuser=row["is_superuser"],
        database=row["database"],
        max_connections=row["max_connections"],
        reserved_connections=row["reserved_connections"],
        activity=activity,
        lock_source=lock_source,
        lock_columns=lock_columns,
        signal_functions=_signal_functions(interface, functions),
        message_functions=frozenset(name for name in (row.get(MESSAGES) or "").split(",") if name),
        list_of_all="waiting_reason" in views.get("pg_stat_get_activity", ()),
        tells_blockers=row["tells_blockers"],
        toolkit_distrust=distrust if state == UNTRUSTED else None,
        toolkit_passed_over=state == UNTRUSTED and toolkit == "auto",
        group_views_there=bool(row.get(GROUP_VIEWS)),
        group_views_distrust=trust.why_not(row.get("group_views_trust")),
        may_bypass=row["login_is_superuser"] or settings.get(BYPASS, ("", ""))[1] == _EVERY_ROLE,
        utility_mode=settings.get("gp_role", ("", ""))[0] == _UTILITY,
        managed_slots=managed_slots,
    )


def _locks(
    interface: str, views: t.Mapping[str, frozenset[str]], functions: t.Mapping[str, frozenset[str]]
) -> tuple[str | None, frozenset[str]]:
    """Where the lock table is read, and its columns."""
    by_toolkit = interface == MDB and "pg_locks" not in views and "pg_locks" in functions
    columns = (functions if by_toolkit else views).get("pg_locks", frozenset())
    return (MDB if by_toolkit else NATIVE) if columns else None, columns


def _has_all(settings: t.Collection[str], wanted: frozenset[str] | None) -> bool:
    """Whether a server has the settings by which a managed service is known, if there are any."""
    return wanted is not None and wanted.issubset(settings)


def _settings(text: str | None) -> dict[str, tuple[str, str]]:
    """a=1=user b=2=superuser -> setting and context by name."""
    triples = [word.split("=") for word in (text or "").split()]
    if not all(len(each) == _TRIPLE for each in triples):
        raise answers.bad(_PROBED, f"its settings are {shortened(text or '')}")
    return {name: (setting, context) for name, setting, context in triples}


def _activity(
    interface: str,
    views: t.Mapping[str, frozenset[str]],
    functions: t.Mapping[str, frozenset[str]],
    sees_all: bool,
) -> dict[str, frozenset[str]]:
    """Where the process list is read, in this order: who may see all in the view needs no function of mdb_toolkit."""
    found = {NATIVE: views.get("pg_stat_activity"), MDB: functions.get("pg_stat_activity")}
    both = (NATIVE, MDB) if sees_all else (MDB, NATIVE)
    wanted = both if interface == MDB else (NATIVE,)
    return {source: columns for source in wanted if (columns := found[source])}


def _signal_functions(interface: str, functions: t.Container[str]) -> dict[str, str]:
    if interface == NATIVE:
        return {"cancelled": "pg_catalog.pg_cancel_backend", "terminated": "pg_catalog.pg_terminate_backend"}
    names = {"cancelled": "gp_cancel_backend", "terminated": "gp_terminate_backend"}
    return {state: f"mdb_toolkit.{name}" for state, name in names.items() if name in functions}


def _columns_by_name(text: str | None) -> dict[str, frozenset[str]]:
    """a.x y,b.z -> the columns x and y of a, and z of b."""
    pairs = (name.split(".", 1) for name in (text or "").split(","))
    return {name: frozenset(columns.split()) for name, columns in (pair for pair in pairs if len(pair) > 1)}


def _family(columns: frozenset[str]) -> families.Family:
    family = families.detected(columns)
    if family is None:
        raise GpopsError("the server is not of the Greenplum family: its process list has no sess_id")
    return family


def _version(text: str) -> str:
    found = _VERSION_IN_TEXT.search(text)
    return found.group("version") if found else text


def _toolkit_state(usage: bool | None, functions: t.Container[str], distrust: str | None) -> str:
    if usage is None:
        return "missing"
    if not usage or "pg_stat_activity" not in functions:
        return "forbidden"
    return UNTRUSTED if distrust else "usable"


def toolkit_warnings(engine: Engine) -> list[str]:
    """PURE: that functions which the role may use were passed over, and why."""
    if not engine.toolkit_passed_over:
        return []
    return [f"toolkit: mdb_toolkit is not trusted, the engine's own functions are used: {engine.toolkit_distrust}"]


def _interface(toolkit: str, state: str, row: t.Mapping[str, t.Any], distrust: str | None) -> str:
    if toolkit == NATIVE or (toolkit == "auto" and state != "usable"):
        return NATIVE
    if state == "missing":
        raise OptionError(
            "toolkit",
            f"database {row['database']} has no schema mdb_toolkit; set login_db to the database that has it, "
            "or toolkit to auto or native",
        )
    if state == "forbidden":
        raise OptionError(
            "toolkit",
            f"role {row['role']} may not use mdb_toolkit; log in as a member of mdb_admin, "
            "or set toolkit to auto or native",
        )
    if state == UNTRUSTED:
        raise OptionError("toolkit", f"mdb_toolkit is not trusted: {distrust}. Or set toolkit to auto or native")
    return MDB


def full_group_message(engine: Engine | None, role: str | None) -> str:
    """What to say when a statement waited in vain for a slot of the role's own resource group."""
    if engine:
        role = engine.role
    group = f"resource group {engine.role_group}" if engine and engine.role_group else "the resource group"
    return (
        f"{group} of role {role or 'that logged in'} is full: no slot came free within timeout, and on this engine "
        "only a superuser gets past the queue with this. Log in as a role of another group or as a superuser, "
        "or let a superuser raise the group's concurrency"
    )


class Hosts(t.NamedTuple):
    """What the catalog says of the hosts of a cluster.

    Attributes:
        down: How many segments and mirrors are down; None if that cannot be read.
        problem: Why it cannot.
        coordinators: Host and port of the coordinator and of its standby, which tell one cluster from another.
    """

    down: int | None
    problem: str | None = None
    coordinators: tuple[str, ...] = ()


def hosts(connection: Connection, deadline: Deadline) -> Hosts:
    """What the catalog says of the hosts of this cluster."""
    # A plain look into the catalog, which a full group does not stop.
    statement = (
        "SELECT pg_catalog.count(CASE WHEN status = 'd' THEN 1 END), pg_catalog.string_agg("
        "CASE WHEN content = -1 THEN hostname || ':' || port::text END, ' ' ORDER BY dbid) "
        "FROM pg_catalog.gp_segment_configuration"
    )
    try:
        rows = connection.execute(statement, deadline=deadline)
    except GroupFull:
        raise
    except StatementError as error:
        return Hosts(None, error.message)
    down, coordinators = answers.one(rows, "a number of segments", COUNT, maybe(TEXT))
    return Hosts(down, None, tuple((coordinators or "").split()))
