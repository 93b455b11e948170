# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A full group: what waits in it, what ends the wait, and how it looks from outside."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

import psycopg2
import pytest
from sandbox import Sandbox
from sandbox.profiles import PROFILES
from sandbox.tests.clients import Client, Hanging, Scene, scene, until


def test_statement_waits_until_a_slot_is_free(box: Sandbox) -> None:
    with scene(box) as stage:
        holder = stage.hold()
        waiting = stage.queue(stage.open())
        holder.run("COMMIT")
        assert waiting.rows() == [(42,)]


@pytest.mark.parametrize("sql", ["BEGIN", "ROLLBACK", "SELECT version()", "TABLE pg_class", "CREATE TABLE no (a int)"])
def test_every_kind_of_statement_waits(full: Scene, sql: str) -> None:
    client = full.open()
    waiting = full.queue(client, sql)
    full.admin.run(f"SELECT pg_cancel_backend({client.pid})")
    assert waiting.problem().pgcode == "57014"


@pytest.mark.parametrize(
    "sql",
    [
        "SET work_mem = '1MB'",
        "SHOW work_mem",
        "RESET work_mem",
        "SET work_mem = 64; SHOW work_mem",
        "-- x\nSHOW work_mem",
    ],
)
def test_set_show_and_reset_do_not_wait(full: Scene, sql: str) -> None:
    full.open().run(sql)


def test_timeouts_of_the_session_do_not_end_the_wait(full: Scene) -> None:
    client = full.open()
    client.run("SET statement_timeout = 100")
    client.run("SET lock_timeout = 100")
    waiting = full.queue(client, "SELECT pg_sleep(0)")
    time.sleep(0.3)
    assert waiting.waits
    full.concurrency(2)
    waiting.rows()
    assert client.error("SELECT pg_sleep(5)") == ("57014", "canceling statement due to statement timeout")


def test_queuing_timeout_ends_the_wait(full: Scene) -> None:
    client = full.open()
    client.run("SET gp_resource_group_queuing_timeout = 150")
    began = time.monotonic()
    assert client.error("SELECT 1") == ("57014", "canceling statement due to resource group waiting timeout")
    assert 0.1 < time.monotonic() - began < 2
    client.run("SET gp_resource_group_queuing_timeout = 0")
    full.queue(client)


def test_cancel_function_request_and_message(full: Scene) -> None:
    client = full.open()
    waiting = full.queue(client)
    full.admin.run(f"SELECT pg_cancel_backend({client.pid})")
    assert "due to user request" in str(waiting.problem())
    waiting = full.queue(client)
    client.connection.cancel()
    assert waiting.problem().pgcode == "57014"
    waiting = full.queue(client)
    full.admin.run(f"SELECT pg_cancel_backend({client.pid}, 'make room')")
    assert waiting.problem().diag.message_primary == 'canceling statement due to user request: "make room"'


def test_terminate_ends_the_queued_session(full: Scene) -> None:
    client = full.open()
    waiting = full.queue(client)
    assert full.admin.one(f"SELECT pg_terminate_backend({client.pid})") is True
    assert isinstance(waiting.problem(), psycopg2.OperationalError)
    until(lambda: not full.admin.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {client.pid}"))


def test_terminating_the_holder_wakes_the_waiter(box: Sandbox) -> None:
    with scene(box) as stage:
        holder = stage.hold()
        waiting = stage.queue(stage.open())
        stage.admin.run(f"SELECT pg_terminate_backend({holder.pid})")
        assert waiting.rows() == [(42,)]


def test_raising_concurrency_wakes_in_order(full: Scene) -> None:
    first, second = full.open(), full.open()
    waiting = full.queue(first, "BEGIN"), full.queue(second)
    full.concurrency(2)
    waiting[0].rows()
    time.sleep(0.1)
    assert waiting[1].waits
    first.run("COMMIT")
    assert waiting[1].rows() == [(42,)]


def test_lowering_kills_nothing_and_zero_lets_nothing_start(box: Sandbox) -> None:
    with scene(box, 2) as stage:
        holder = stage.hold()
        stage.concurrency(0)
        holder.run("SELECT 1")
        holder.run("COMMIT")
        waiting = stage.queue(holder)
        stage.concurrency(1)
        assert waiting.rows() == [(42,)]


def test_superusers_wait_in_admin_group(start_box: Callable[..., Sandbox]) -> None:
    box = start_box("gp6", max_connections=50)
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(contextlib.closing(Client(box))) for _each in range(11)]
        for holder in holders[:10]:
            holder.run("BEGIN")
        waiting = Hanging(holders[10], "ALTER RESOURCE GROUP admin_group SET concurrency 20")
        time.sleep(0.2)
        assert waiting.waits
        holders[0].run("COMMIT")
        waiting.rows()
        holders[0].run("ALTER RESOURCE GROUP admin_group SET concurrency 10")


def test_queued_row(full: Scene) -> None:
    client = full.open()
    sql = "SELECT 42 -- é $gpq00000000$ '"
    full.queue(client, sql)
    columns = "state, query, rsgname, query_start > backend_start, xact_start IS NOT NULL"
    row = full.admin.run(f"SELECT {columns} FROM pg_stat_activity WHERE pid = {client.pid}")[0]
    assert row == ("active", sql, full.name, True, True)
    if full.box.family == "gp6":
        extra = full.admin.run(
            "SELECT waiting, waiting_reason, rsgqueueduration > interval '0' FROM pg_stat_activity"
            f" WHERE pid = {client.pid}"
        )
        assert extra == [(True, "resgroup", True)]
    else:
        extra = full.admin.run(f"SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = {client.pid}")
        assert extra == [("ResourceGroup", full.name)]
    locks = full.admin.run(f"SELECT DISTINCT locktype FROM pg_locks WHERE pid = {client.pid} AND granted IS NOT TRUE")
    assert locks == []
    assert full.admin.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


def test_status_counts(full: Scene) -> None:
    name = "rsgname" if full.box.family == "gp6" else "groupname"
    columns = "num_running, num_queueing, num_queued, num_executed"
    sql = f"SELECT {columns} FROM gp_toolkit.gp_resgroup_status WHERE {name} = '{full.name}'"
    assert full.admin.run(sql) == [(1, 0, 0, 1)]
    waiting = full.queue(full.open())
    assert full.admin.run(sql) == [(1, 1, 1, 1)]
    full.concurrency(2)
    waiting.rows()
    assert full.admin.run(sql) == [(1, 0, 1, 2)]


def test_queue_names(full: Scene) -> None:
    idle = full.open()
    idle.run("SHOW work_mem")
    named = dict(full.admin.run(f"SELECT state, rsgname FROM pg_stat_activity WHERE usename = '{full.name}'"))
    assert named == {"idle": "unknown", "idle in transaction": full.name}


def test_vanished_client_stays_queued(full: Scene) -> None:
    client = full.open()
    full.queue(client)
    pid = client.pid
    left = socket.socket(fileno=client.connection.fileno())
    left.shutdown(socket.SHUT_RDWR)
    left.detach()
    time.sleep(0.3)
    assert full.is_queued(pid)
    full.concurrency(2)
    until(lambda: not full.admin.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"))
    full.open().run("SELECT 1")


def test_group_is_that_of_the_current_role(full: Scene) -> None:
    client = full.open("gpadmin")
    client.run(f"SET ROLE {full.name}")
    waiting = full.queue(client)
    full.admin.run(f"SELECT pg_cancel_backend({client.pid})")
    waiting.problem()
    client.run("RESET ROLE")
    client.run("SELECT 1")
    client.run(f"SET SESSION AUTHORIZATION {full.name}")
    full.queue(client)


def test_new_group_of_a_role_counts_from_the_next_transaction(full: Scene) -> None:
    client = full.open()
    full.admin.run(f"ALTER ROLE {full.name} RESOURCE GROUP none")
    assert client.run("SELECT 1") == [(1,)]
    full.admin.run(f"ALTER ROLE {full.name} RESOURCE GROUP {full.name}")
    full.queue(client)


def test_two_databases(full: Scene) -> None:
    there = full.open(dbname="postgres")
    waiting = full.queue(there), full.queue(full.open())
    full.concurrency(3)
    assert [each.rows() for each in waiting] == [[(42,)], [(42,)]]
    full.admin.run("CREATE DATABASE passing")
    full.admin.run("DROP DATABASE passing")


def test_copy_and_errors_give_the_slot_back(box: Sandbox) -> None:
    with scene(box) as stage:
        client, other = stage.open(), stage.open()
        stage.admin.run(f"GRANT CREATE ON SCHEMA public TO {stage.name}")
        client.run("CREATE TEMP TABLE t (a int)")
        with client.connection.cursor() as cursor, open("/dev/null") as nothing:
            cursor.copy_expert("COPY t FROM STDIN", nothing)
        assert client.error("SELECT 1/0")[0] == "22012"
        assert client.error("SELEC")[0] == "42601"
        assert other.run("SELECT 1") == [(1,)]
        stage.admin.run(f"REVOKE CREATE ON SCHEMA public FROM {stage.name}")


# --- bypass -----------------------------------------------------------------


BYPASS_CONTEXT = "SELECT context FROM pg_catalog.pg_settings WHERE name = 'gp_resource_group_bypass'"
EVERYBODYS = ["gp6", "gp7ga", "cb"]  # where each role may set the bypass


@pytest.mark.parametrize("profile", EVERYBODYS)
def test_bypass_setting_of_everybody(start_box: Callable[..., Sandbox], profile: str) -> None:
    with scene(start_box(profile)) as stage:
        stage.hold()
        client = stage.open()
        assert stage.admin.one(BYPASS_CONTEXT) == "user"
        waiting = stage.queue(client, "SELECT 1")
        stage.admin.run(f"SELECT pg_cancel_backend({client.pid})")
        waiting.problem()
        client.run("SET gp_resource_group_bypass = on")
        assert client.run("SELECT 1") == [(1,)]
        client.run("BEGIN")
        refusal = ("22023", "SET gp_resource_group_bypass cannot run inside a transaction block")
        assert client.error("SET gp_resource_group_bypass = on") == refusal
        client.run("ROLLBACK")
        client.run("RESET gp_resource_group_bypass")
        stage.queue(client)


def test_catalog_waits_on_gp6(start_box: Callable[..., Sandbox]) -> None:
    with scene(start_box("gp6")) as stage:
        stage.hold()
        stage.queue(stage.open(), "SELECT count(*) FROM pg_catalog.pg_stat_activity")


def test_groups_are_changed_in_bypass(full: Scene) -> None:
    change = f"ALTER RESOURCE GROUP {full.name} SET concurrency 1"
    full.admin.run(f"ALTER ROLE {full.name} SUPERUSER")  # it stays in its group
    full.queue(full.open(), change)
    assert full.open(options="-c gp_resource_group_bypass=on").tag(change) == "ALTER RESOURCE GROUP"


def test_bypass_by_connection_option(box: Sandbox) -> None:
    with scene(box) as stage:
        stage.hold()
        options = "-c gp_resource_group_bypass=on"
        if anybody_may_bypass(box):
            assert stage.open(options=options).run("SELECT 1") == [(1,)]
        else:
            with pytest.raises(psycopg2.OperationalError, match="permission denied to set parameter"):
                stage.open(options=options)
            assert stage.open("gpadmin", options=options).one("SHOW gp_resource_group_bypass") == "on"


def anybody_may_bypass(box: Sandbox) -> bool:
    setting = PROFILES[box.profile].setting("gp_resource_group_bypass")
    return setting is not None and setting.context == "user"


SINCE_7 = ["gp7", "gp7ga", "cb"]
CATALOG = [
    "SELECT pid FROM pg_catalog.pg_stat_activity",
    "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LIMIT 1",
    "SELECT x.oid FROM (SELECT oid FROM pg_catalog.pg_class LIMIT 1) x, (VALUES (1)) v",
    "SELECT count(*), pg_backend_pid() FROM pg_catalog.pg_resgroup WHERE oid IN (SELECT oid FROM pg_catalog.pg_class)",
    "SELECT * FROM pg_catalog.pg_class, pg_catalog.generate_series(1, 2) LIMIT 1",
    (
        "SELECT * FROM pg_catalog.pg_namespace n CROSS JOIN pg_catalog.generate_series(1, 2) g"
        " LEFT JOIN pg_catalog.pg_class c ON c.oid = g JOIN (VALUES (1)) v (a) ON v.a = g WHERE n.oid = 11"
    ),
    "(SELECT oid FROM pg_catalog.pg_class LIMIT 1) UNION ALL SELECT oid FROM pg_catalog.pg_resgroup",
    "SELECT n.oid FROM pg_catalog.pg_namespace n, pg_catalog.generate_series(1, 2)",
]
NOT_CATALOG = [
    "SELECT 1",
    "SELECT * FROM gp_toolkit.gp_resgroup_config",
    "SELECT pid FROM pg_stat_activity",
    "SELECT * FROM pg_catalog.generate_series(1, 2)",
    "SELECT * FROM pg_catalog.generate_series(1, 2), (VALUES (1)) v",
    "SELECT oid FROM pg_catalog.pg_class WHERE oid IN (SELECT groupid FROM gp_toolkit.gp_resgroup_config)",
    "SELECT oid FROM pg_catalog.pg_class; SELECT oid FROM pg_catalog.pg_class",
]


@pytest.mark.parametrize("profile", SINCE_7)
def test_catalog_selects_pass(start_box: Callable[..., Sandbox], profile: str) -> None:
    with scene(start_box(profile), 0) as stage:
        client = stage.open()
        for sql in CATALOG * 2:
            client.run(sql)


@pytest.mark.parametrize("profile", SINCE_7)
def test_other_selects_do_not(start_box: Callable[..., Sandbox], profile: str) -> None:
    with scene(start_box(profile), 0) as stage:
        client = stage.open()
        for sql in NOT_CATALOG:
            waiting = stage.queue(client, sql)
            stage.admin.run(f"SELECT pg_cancel_backend({client.pid})")
            waiting.problem()


@pytest.mark.parametrize("profile", SINCE_7)
def test_toolkit_calls_pass_and_then_the_session_waits(start_box: Callable[..., Sandbox], profile: str) -> None:
    with scene(start_box(profile)) as stage:
        stage.admin.run(f"GRANT mdb_admin TO {stage.name}")
        holder, client, fresh = stage.hold(), stage.open(), stage.open()
        sql = (
            "SELECT mdb_toolkit.gp_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a"
            f" WHERE a.pid = {holder.pid}"
        )
        keep = stage.queue(fresh, "BEGIN")
        assert client.run(sql) == [(True,)]
        keep.rows()  # the slot went to who waited
        waiting = stage.queue(client, "SHOW work_mem")
        fresh.run("COMMIT")
        waiting.rows()
        client.run("SHOW work_mem")
        processes = stage.open().run(
            "SELECT (x.f).pid, (x.f).query FROM (SELECT mdb_toolkit.pg_stat_activity() AS f"
            " FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog') x"
        )
        assert client.pid in [pid for pid, _dummy in processes]


@pytest.mark.parametrize("profile", SINCE_7)
def test_toolkit_in_from_passes_beside_a_catalog_table(start_box: Callable[..., Sandbox], profile: str) -> None:
    with scene(start_box(profile)) as stage:
        stage.admin.run(f"GRANT mdb_admin TO {stage.name}")
        holder, client = stage.hold(), stage.open()
        processes = client.run(
            "SELECT a.pid, r.rolname FROM pg_catalog.pg_namespace n CROSS JOIN mdb_toolkit.pg_stat_activity() a"
            " LEFT JOIN pg_catalog.pg_roles r ON r.rolname = a.usename"
            f" JOIN (VALUES ({holder.pid})) v (pid) ON v.pid = a.pid WHERE n.nspname = 'pg_catalog'"
        )
        assert processes == [(holder.pid, stage.name)]
        stage.queue(client, "SHOW work_mem")  # the function queried
        stage.queue(stage.open(), "SELECT pid FROM mdb_toolkit.pg_stat_activity()")


@pytest.mark.parametrize("profile", SINCE_7)
@pytest.mark.parametrize("function", ["mdb_toolkit.gp_cancel_backend(1)", "pg_catalog.pg_cancel_backend(1)"])
def test_so_does_its_end(start_box: Callable[..., Sandbox], profile: str, function: str) -> None:
    with scene(start_box(profile)) as stage:
        stage.admin.run(f"GRANT mdb_admin TO {stage.name}")
        holder = stage.hold()
        left, impatient = stage.open(), stage.open(options="-c gp_resource_group_queuing_timeout=300")
        for client in (left, impatient):
            client.run(f"SELECT {function} FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog'")
            client.close()
        there = f"SELECT count(*) FROM pg_stat_activity WHERE pid IN ({left.pid}, {impatient.pid})"
        if function.startswith("mdb_toolkit"):
            until(lambda: stage.is_queued(left.pid))
            until(lambda: stage.admin.one(there) == 1)
            assert stage.is_queued(left.pid)
            holder.run("COMMIT")
        until(lambda: stage.admin.one(there) == 0)


@pytest.mark.parametrize("profile", SINCE_7)
def test_who_waits_at_its_end_can_be_terminated(start_box: Callable[..., Sandbox], profile: str) -> None:
    with scene(start_box(profile)) as stage:
        stage.admin.run(f"GRANT mdb_admin TO {stage.name}")
        stage.hold()
        client, other = stage.open(), stage.open()
        client.run("SELECT count(*) FROM pg_catalog.pg_class, mdb_toolkit.pg_stat_activity()")
        client.close()
        until(lambda: stage.is_queued(client.pid))
        same = "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a WHERE a.pid = "
        assert other.run(f"{same}{client.pid}") == [(True,)]
        until(lambda: not stage.admin.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {client.pid}"))


def test_the_setting_is_the_superusers(start_box: Callable[..., Sandbox]) -> None:
    with scene(start_box("gp7")) as stage:
        holder = stage.hold()
        client = stage.open()
        assert client.one(BYPASS_CONTEXT) == "superuser"
        waiting = stage.queue(client, "SET gp_resource_group_bypass = on")
        holder.run("COMMIT")
        problem = waiting.problem()
        assert problem.pgcode == "42501"
        assert problem.diag.message_primary == 'permission denied to set parameter "gp_resource_group_bypass"'
        assert client.error("SELECT set_config('gp_resource_group_bypass', 'on', false)")[0] == "42501"
        boss = stage.open("gpadmin")
        assert boss.tag("SET gp_resource_group_bypass = on") == "SET"
        assert boss.one("SHOW gp_resource_group_bypass") == "on"
        assert boss.tag("RESET gp_resource_group_bypass") == "RESET"
        assert boss.one("SHOW gp_resource_group_bypass") == "off"


def test_catalog_selects_by_the_setting(box: Sandbox) -> None:
    with scene(box, 0) as stage:
        client = stage.open()
        assert client.one("SHOW gp_resource_group_bypass_catalog_query") == ("off" if box.family == "gp6" else "on")
        client.run("SET gp_resource_group_bypass_catalog_query = true")
        client.run(CATALOG[0])
        client.run("SET gp_resource_group_bypass_catalog_query = false")
        waiting = stage.queue(client, CATALOG[0])
        client.connection.cancel()
        waiting.problem()


@pytest.mark.parametrize("profile", ["gp6", "gp7"])
def test_where_nothing_can_pass(start_box: Callable[..., Sandbox], profile: str) -> None:
    with scene(start_box(profile, bypass=False)) as stage:
        stage.hold()
        client = stage.open()
        if profile == "gp6":
            client.run("SET gp_resource_group_bypass = on")
        stage.queue(client, CATALOG[0])


@pytest.mark.parametrize("manager", ["none", "queue"])
def test_without_resource_groups_nothing_waits(start_box: Callable[..., Sandbox], manager: str) -> None:
    box = start_box("gp6", resource_manager=manager)
    with scene(box, 0) as stage:
        client = stage.open()
        assert client.run("SELECT 1") == [(1,)]
        assert client.one("SHOW gp_resource_manager") == manager
        assert any("resource group is disabled" in notice for notice in stage.admin.notices)
        assert stage.admin.run("SELECT * FROM gp_toolkit.gp_resgroup_status") == []
        assert stage.admin.one("SELECT count(*) FROM gp_toolkit.gp_resgroup_config") == 3


# --- into another group --------------------------------------------------------


def move(box: Sandbox, pid: int, group: str) -> str:
    schema = "gp_toolkit" if box.family == "gp6" else "pg_catalog"
    return f"SELECT {schema}.pg_resgroup_move_query({pid}, '{group}')"


def running(scene: Scene, group: str) -> int:
    name = "rsgname" if scene.box.family == "gp6" else "groupname"
    sql = f"SELECT num_running FROM gp_toolkit.gp_resgroup_status WHERE {name} = '{group}'"
    return int(scene.admin.one(sql))


def test_a_moved_transaction_gives_its_slot_to_who_waits(box: Sandbox) -> None:
    with scene(box) as stage:
        holder, waiter = stage.hold(), stage.open()
        waiting = stage.queue(waiter, "BEGIN")
        assert stage.admin.one(move(box, holder.pid, "default_group")) is True
        waiting.rows()
        assert (running(stage, stage.name), running(stage, "default_group")) == (1, 1)
        shown = f"SELECT rsgname FROM pg_stat_activity WHERE pid = {holder.pid}"
        assert stage.admin.one(shown) == "default_group"
        assert stage.admin.one(move(box, holder.pid, "default_group")) is True
        holder.run("COMMIT")
        until(lambda: running(stage, "default_group") == 0)
        again = stage.queue(holder, "BEGIN")  # the next transaction is in the role's own group
        waiter.run("COMMIT")
        again.rows()


def test_a_move_waits_for_room(box: Sandbox) -> None:
    with scene(box) as stage, scene(box, 5) as other:
        stage.hold()
        moved = other.hold()
        other.admin.run("SET statement_timeout = 200")
        assert other.admin.error(move(box, moved.pid, stage.name))[0] == "57014"
        other.admin.run("RESET statement_timeout")
        waiting = Hanging(other.admin, move(box, moved.pid, stage.name))
        time.sleep(0.2)
        assert waiting.waits
        stage.concurrency(2)
        assert waiting.rows() == [(True,)]


def test_what_cannot_be_moved(full: Scene) -> None:
    idle, queued = full.open(), full.open()
    idle.run("SET work_mem = '1MB'")
    full.queue(queued)
    for client in (idle, queued):
        message = f"process {client.pid} is in IDLE state"
        assert full.admin.error(move(full.box, client.pid, "default_group")) == ("42704", message)
    assert full.admin.error(move(full.box, 99999999, "default_group")) == ("42704", "cannot find process: 99999999")
    missing = ("42704", PROFILES[full.box.profile].unknown_group_of_move % "nosuch")
    assert full.admin.error(move(full.box, idle.pid, "nosuch")) == missing
    who = PROFILES[full.box.profile].group_changers
    assert full.open("sammy").error(move(full.box, 1, "default_group")) == ("42501", f"must be {who} to move query")
