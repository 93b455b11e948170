# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster under test: one of the environment, or an embedded engine for each profile.

With GPOPS_TEST_HOST set, that cluster is the only target:

    GPOPS_TEST_HOST, GPOPS_TEST_PORT (5432)
    GPOPS_TEST_FAMILY                 gp6, gp7 or cb; what the tests expect to find
    GPOPS_TEST_MANAGED (0)            1: it is the managed service's own fork of Greenplum 6, with other privileges
    GPOPS_TEST_DB (testdb)            a database with the schema mdb_toolkit
    GPOPS_TEST_PLAIN_DB (postgres)    a database without it
    GPOPS_TEST_ADMIN (gpadmin), GPOPS_TEST_OPS (ops), GPOPS_TEST_USER (sammy), GPOPS_TEST_OTHER_USER (billy)
                                      a superuser, a user of mdb_toolkit, and two ordinary roles;
                                      passwords in the same names with _PASSWORD (default: the role's name)
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
import typing as t

import psycopg2
import psycopg2.extensions
from psycopg2 import sql
from sandbox.passwords import password_of
from sandbox.profiles import PROFILES

if t.TYPE_CHECKING:
    from sandbox import Sandbox

WAIT_SECONDS = 10.0
# One embedded engine a family; the first one stands for all where one is enough.
EMBEDDED = [name for name, profile in PROFILES.items() if profile.family == name]
MANAGED = "gp6-managed"
TOOLKIT_NAME = "gpops.toolkit"  # what the collection's sessions call themselves
PARTITIONS = 400
HOLDERS = 150  # sessions that hold many locks; with more of them a cluster soon has no connection left for a test
# A session may hold them beside others that do: each is a row, and all are one entry of the engine's shared memory.
SHARED_MODES = ("ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE")
BYPASS = "-c gp_resource_group_bypass=on"
# What a module may take beside its timeout: the start of a process, on a machine that other tests may keep busy.
MARGIN = 6.0 if "PYTEST_XDIST_WORKER" in os.environ else 2.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Where the tests connect to, and as whom."""

    family: str
    host: str
    port: int
    embedded: bool
    managed: bool = False
    database: str = "testdb"
    plain_database: str = "postgres"
    admin: str = "gpadmin"
    ops: str = "ops"
    user: str = "sammy"
    other: str = "billy"
    passwords: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    secret: str = dataclasses.field(default="", repr=False)

    def password(self, role: str) -> str:
        """The password of a role; if nobody says another, on a real cluster its name."""
        return self.passwords.get(role) or (password_of(self.secret, role) if self.secret else role)

    def connect(self, role: str, database: str | None = None, **more: t.Any) -> psycopg2.extensions.connection:
        """A connection in autocommit."""
        connection: psycopg2.extensions.connection = psycopg2.connect(
            host=self.host,
            port=self.port,
            user=role,
            password=self.password(role),
            dbname=database or self.database,
            **more,
        )
        connection.autocommit = True
        return connection

    def login(self, role: str, database: str | None = None) -> dict[str, t.Any]:
        """The options of a module to log in with."""
        return {
            "login_host": self.host,
            "login_port": self.port,
            "login_user": role,
            "login_password": self.password(role),
            "login_db": database or self.database,
        }


def embedded(box: Sandbox) -> Cluster:
    """An embedded engine as the tests know a cluster."""
    managed = box.profile == MANAGED
    return Cluster(box.family, box.host, box.port, embedded=True, managed=managed, secret=box.secret)


def from_environment() -> Cluster | None:
    """The cluster that the environment names, if any."""
    host = os.environ.get("GPOPS_TEST_HOST")
    if not host:
        return None

    def value(name: str, default: str) -> str:
        return os.environ.get(f"GPOPS_TEST_{name}", default)

    roles = {
        "admin": value("ADMIN", "gpadmin"),
        "ops": value("OPS", "ops"),
        "user": value("USER", "sammy"),
        "other": value("OTHER_USER", "billy"),
    }
    names = {"admin": "ADMIN", "ops": "OPS", "user": "USER", "other": "OTHER_USER"}
    return Cluster(
        family=value("FAMILY", ""),
        host=host,
        port=int(value("PORT", "5432")),
        embedded=False,
        managed=value("MANAGED", "0") == "1",
        database=value("DB", "testdb"),
        plain_database=value("PLAIN_DB", "postgres"),
        passwords={role: value(f"{names[key]}_PASSWORD", role) for key, role in roles.items()},
        **roles,
    )


def eventually(check: t.Callable[[], t.Any], what: str) -> t.Any:
    """The first true value of the check; fails after some seconds."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not happen: {what}")
        time.sleep(0.02)


_ON_COORDINATOR = "SELECT -1, pid, sess_id, state, query, application_name FROM pg_catalog.pg_stat_activity"
# What serves no session has no number of one.
_ON_SEGMENTS = (
    "SELECT pg_catalog.gp_execution_segment(), pid, sess_id, state, query "
    "FROM gp_dist_random('pg_catalog.pg_stat_activity') WHERE sess_id > 0"
)


@dataclasses.dataclass(frozen=True)
class Left:
    """A process of the server that should be gone; segment -1 is the coordinator."""

    segment: int
    pid: int
    sess_id: int
    state: str | None
    query: str | None


def left_behind(cluster: Cluster, pids: t.Collection[int] = (), name: str = TOOLKIT_NAME) -> list[Left]:
    """What is still there of the sessions with this name or these pids.

    On the segments of a real cluster, where a process has no such name, those of sessions that are left on the
    coordinator or that it no longer has. A session needs a moment to end, so a single look may be too early.
    """
    admin = cluster.connect(cluster.admin, options=BYPASS, application_name="gpops_it_look")
    with contextlib.closing(admin), admin.cursor() as cursor:
        segments = [] if cluster.embedded else _rows(cursor, _ON_SEGMENTS)
        sessions = _rows(cursor, _ON_COORDINATOR)
    left = [Left(*row[:5]) for row in sessions if row[5] == name or row[1] in pids]
    theirs = {row[2] for row in sessions} - {each.sess_id for each in left}
    return left + [Left(*row) for row in segments if row[2] not in theirs]


def _rows(cursor: psycopg2.extensions.cursor, statement: str) -> list[tuple[t.Any, ...]]:
    cursor.execute(statement)
    return cursor.fetchall()


def holders(rows: int, places: int) -> tuple[int, int, int]:
    """PURE: how many sessions hold a table of how many partitions in how many modes, for so many rows in pg_locks."""
    for modes in range(1, len(SHARED_MODES) + 1):
        sessions = -(-rows // (PARTITIONS * places * modes))
        if sessions <= HOLDERS:
            return sessions, PARTITIONS, modes
    return HOLDERS, -(-rows // (HOLDERS * places * len(SHARED_MODES))), len(SHARED_MODES)


class Client:
    """One client session of the cluster that misbehaves in the background."""

    def __init__(
        self, cluster: Cluster, role: str, database: str | None = None, name: str = "gpops_it", options: str = ""
    ) -> None:
        self.connection = cluster.connect(role, database, application_name=name, options=options)
        self.pid: int = self.connection.info.backend_pid
        self.error: psycopg2.Error | None = None
        self._thread: threading.Thread | None = None

    def run(self, *statements: str) -> Client:
        """Run statements and wait for them."""
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        return self

    def start(self, statement: str) -> Client:
        """Run a statement in the background; it may hang or be killed."""

        def work() -> None:
            try:
                self.run(statement)
            except psycopg2.Error as error:
                self.error = error

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        return self

    def is_done(self) -> bool:
        """Whether the statement in the background has ended."""
        return self._thread is not None and not self._thread.is_alive()

    def close(self) -> None:
        """End the session, whatever it does."""
        if self._thread is not None and self._thread.is_alive():
            with contextlib.suppress(psycopg2.Error):
                self.connection.cancel()
            self._thread.join(WAIT_SECONDS)
        self.connection.close()


class Scene:
    """Sessions and objects of one test; all is undone at its end."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._stack = contextlib.ExitStack()
        self.admin = cluster.connect(cluster.admin, application_name="gpops_it_admin")
        # The admin group may be full in a test: get past it.
        self.sql("SET gp_resource_group_bypass = on")

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        self.admin.close()

    def sql(self, statement: t.Any, parameters: t.Any = None) -> list[tuple[t.Any, ...]]:
        """Run a statement as the superuser."""
        with self.admin.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @property
    def waits_in_group(self) -> bool:
        """Whether ordinary roles cannot step past the queue of a full group."""
        setting = "SELECT context FROM pg_catalog.pg_settings WHERE name = 'gp_resource_group_bypass'"
        return self.sql(setting) == [("superuser",)]

    def client(self, role: str, database: str | None = None, name: str = "gpops_it", options: str = "") -> Client:
        """A client session that ends with the test."""
        client = Client(self.cluster, role, database, name, options)
        self._stack.callback(client.close)
        return client

    def number(self, client: Client) -> int:
        """The session number of a client, as the process list shows it."""
        shown = "SELECT sess_id FROM pg_catalog.pg_stat_activity WHERE pid = %s"
        return int(self.sql(shown, (client.pid,))[0][0])

    def alone(self, role: str, number: int | None = None, name: str = "gpops_it") -> Client:
        """A client in utility mode, which gives itself a session number."""
        setting = "gp_session_role" if self.cluster.family == "gp6" else "gp_role"
        forged = "" if number is None else f" -c gp_session_id={number}"
        return self.client(role, name=name, options=f"-c {setting}=utility{forged}")

    def at_the_end(self, statement: t.Any) -> None:
        """Run a statement as the superuser at the end of the test."""
        self._stack.callback(self.sql, statement)

    def table(self, name: str = "gpops_it_table") -> str:
        """A table that all may lock, dropped at the end."""
        self.sql(f"DROP TABLE IF EXISTS public.{name}")
        self.sql(f"CREATE TABLE public.{name} (a int)")
        self.sql(f"GRANT ALL ON public.{name} TO PUBLIC")
        self._stack.callback(self.sql, f"DROP TABLE public.{name}")
        return f"public.{name}"

    def many_locks(self, rows: int, segments: int = 2) -> None:
        """So many rows more in pg_locks until the end of the test; a real cluster has its own number of segments.

        There, sessions hold them, past resource groups. Call it before the superusers' group is filled.

        Raises:
            psycopg2.errors.OutOfMemory: The shared lock table of a real cluster holds no more; some are there.
        """
        if self.cluster.embedded:
            self.sql("SELECT pg_catalog.gpops_sandbox_make_locks(%s, %s)", (rows, segments))
            self.at_the_end("SELECT pg_catalog.gpops_sandbox_clear_locks()")
            return
        places = self.sql("SELECT pg_catalog.count(DISTINCT content) FROM pg_catalog.gp_segment_configuration")[0][0]
        sessions, partitions, modes = holders(rows, places)
        table = self._partitions(partitions)
        held = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE relation IS NOT NULL AND granted"
        for _number in range(sessions):
            self._hold(table, SHARED_MODES[:modes])
        with contextlib.closing(self.cluster.connect(self.cluster.admin)) as usual, usual.cursor() as cursor:
            assert _rows(cursor, held)[0][0] >= rows

    def _hold(self, table: str, modes: t.Iterable[str]) -> None:
        """One session more that holds a table and all its partitions; one that cannot is closed at once."""
        holder = self.cluster.connect(self.cluster.admin, application_name="gpops_it_locks", options=BYPASS)
        with contextlib.ExitStack() as stack, holder.cursor() as cursor:
            stack.callback(holder.close)
            cursor.execute("BEGIN")
            for mode in modes:
                cursor.execute(f"LOCK TABLE {table} IN {mode} MODE")
            stack.pop_all()
        self._stack.callback(holder.close)

    def _partitions(self, number: int, name: str = "public.gpops_it_partitions") -> str:
        """A table of many partitions; made and dropped without bypass, whose memory is too little for that."""
        admin = self.cluster.connect(self.cluster.admin, application_name="gpops_it_partitions")
        self._stack.callback(admin.close)
        create = f"(a int, b int) DISTRIBUTED BY (a) PARTITION BY RANGE (b) (START (0) END ({number}) EVERY (1))"

        def run(statement: str) -> None:
            with admin.cursor() as cursor:
                cursor.execute(statement)

        run(f"DROP TABLE IF EXISTS {name}")
        run(f"CREATE TABLE {name} {create}")
        self._stack.callback(run, f"DROP TABLE {name}")
        return name

    def jam(self, name: str = "gpops_it_table") -> tuple[Client, Client]:
        """One that holds up another, by the table of this name: the holder and the waiter."""
        table = self.table(name)
        holder = self.client(self.cluster.user, name="holder").run(
            "BEGIN", f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
        )
        waiter = self.client(self.cluster.user, name="waiter").start(f"SELECT count(*) FROM {table}")
        self.waiting(waiter)
        return holder, waiter

    def role(self, name: str) -> str:
        """A role that may log in; it is dropped at the end."""
        self.sql(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        self._stack.callback(self.sql, sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
        return name

    def group(self, role: str, name: str = "gpops_it_group") -> str:
        """A resource group with room for one, with this role in it; a superuser's own group is made so small.

        All is put back at the end.
        """
        before = self._own_group(role)
        if before[1]:
            return self._shrink(before[0])
        names = {"group": sql.Identifier(name)}
        needed = "cpu_rate_limit=1, memory_limit=1" if self.cluster.family == "gp6" else "cpu_max_percent=10"
        create = f"CREATE RESOURCE GROUP {{group}} WITH (concurrency=1, {needed})"
        self.sql(sql.SQL(create).format(**names))
        self._stack.callback(self._drop_group, sql.SQL("DROP RESOURCE GROUP {group}").format(**names))
        self.join_group(role, name)
        return name

    def join_group(self, role: str, group: str) -> None:
        """Put a role into a group; at the end it goes back."""
        before = self._own_group(role)[0]
        change = sql.SQL("ALTER ROLE {} RESOURCE GROUP {}")
        self.sql(change.format(sql.Identifier(role), sql.Identifier(group)))
        self._stack.callback(self.sql, change.format(sql.Identifier(role), sql.Identifier(before)))

    def _own_group(self, role: str) -> tuple[str, bool]:
        """The role's group, and whether it is a superuser."""
        rows = self.sql(
            "SELECT g.rsgname, r.rolsuper FROM pg_catalog.pg_roles r "
            "JOIN pg_catalog.pg_resgroup g ON g.oid = r.rolresgroup WHERE r.rolname = %s",
            (role,),
        )
        return t.cast("tuple[str, bool]", rows[0])

    def keep_default_group(self) -> None:
        """Give the default group at the end the concurrency that it has now."""
        self._keep_concurrency("default_group")

    def _shrink(self, group: str) -> str:
        self._keep_concurrency(group)
        self.sql(sql.SQL("ALTER RESOURCE GROUP {} SET concurrency 1").format(sql.Identifier(group)))
        return group

    def _keep_concurrency(self, group: str) -> None:
        rows = self.sql("SELECT concurrency FROM gp_toolkit.gp_resgroup_config WHERE groupname = %s", (group,))
        alter = sql.SQL("ALTER RESOURCE GROUP {} SET concurrency {}")
        self._stack.callback(self.sql, alter.format(sql.Identifier(group), sql.Literal(int(rows[0][0]))))

    def _drop_group(self, statement: t.Any) -> None:
        """The engine needs a moment to see that the last transaction of the group has ended."""

        def dropped() -> bool:
            try:
                self.sql(statement)
            except psycopg2.errors.DependentObjectsStillExist:
                return False
            return True

        eventually(dropped, "the test's resource group is dropped")

    def waiting(self, client: Client) -> None:
        """Return when the server shows that the client waits for somebody."""
        shows = "waiting" if self.cluster.family == "gp6" else "wait_event_type IN ('Lock', 'ResourceGroup')"
        statement = f"SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s AND {shows}"
        eventually(lambda: self.sql(statement, (client.pid,)), f"process {client.pid} waits")

    def state(self, client: Client, state: str) -> None:
        """Return when the server shows the client in this state."""
        statement = "SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s AND state = %s"
        eventually(lambda: self.sql(statement, (client.pid, state)), f"process {client.pid} is {state}")
