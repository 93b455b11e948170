# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialect through a real session: transactions, names, roles, settings, and both protocols."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable

import psycopg
import psycopg2
import pytest
from sandbox import Sandbox
from sandbox.profiles import PROFILES
from sandbox.tests.clients import CPU, Client, Hanging, Scene, scene, until


def concurrency(client: Client, name: str) -> str:
    return str(client.one(f"SELECT concurrency FROM gp_toolkit.gp_resgroup_config WHERE groupname = '{name}'"))


def test_a_session_that_only_reads(full: Scene) -> None:
    admin = full.open("gpadmin")
    admin.run("SET default_transaction_read_only = on")
    message = "cannot execute ALTER RESOURCE GROUP in a read-only transaction"
    assert admin.error(f"ALTER RESOURCE GROUP {full.name} SET concurrency 9") == ("25006", message)
    assert concurrency(admin, full.name) == "1"
    admin.run("SET default_transaction_read_only = off")
    admin.run(f"ALTER RESOURCE GROUP {full.name} SET concurrency 9")
    assert concurrency(admin, full.name) == "9"


def test_block_is_really_aborted(full: Scene) -> None:
    admin = full.open("gpadmin")
    admin.run("BEGIN")
    message = "ALTER RESOURCE GROUP cannot run inside a transaction block"
    assert admin.error(f"ALTER RESOURCE GROUP {full.name} SET concurrency 9") == ("25001", message)
    assert admin.error("SELECT 1")[0] == "25P02"
    assert admin.error(f"ALTER RESOURCE GROUP {full.name} SET concurrency 9")[0] == "25P02"
    assert admin.tag("COMMIT") == "ROLLBACK"
    assert concurrency(admin, full.name) == "1"


def test_statement_among_others_undoes_all(full: Scene) -> None:
    full.admin.run("CREATE TABLE among (a int)")
    sql = f"INSERT INTO among VALUES (1); ALTER RESOURCE GROUP {full.name} SET concurrency 9; SELECT 1"
    code, message = full.admin.error(sql)
    expected = "from a function or multi-command string" if full.box.family == "gp6" else "inside a transaction block"
    assert (code, expected in message) == ("25001", True)
    assert full.admin.one("SELECT count(*) FROM among") == 0
    full.admin.run("DROP TABLE among")


def test_role_statements_roll_back(full: Scene) -> None:
    admin = full.open("gpadmin")
    admin.run("BEGIN")
    assert admin.tag(f"CREATE USER passing PASSWORD 'x' RESOURCE GROUP {full.name} NOLOGIN") == "CREATE ROLE"
    admin.run("ROLLBACK")
    assert admin.one("SELECT count(*) FROM pg_roles WHERE rolname = 'passing'") == 0
    admin.run("BEGIN")
    admin.run(f"ALTER ROLE {full.name} RESOURCE GROUP none")
    admin.run("ROLLBACK")
    own = f"SELECT rolresgroup IN (6437, 6438, 6441, 6448) FROM pg_roles WHERE rolname = '{full.name}'"
    assert admin.one(own) is False
    assert admin.error(f"DROP RESOURCE GROUP {full.name}")[0] == "2BP01"


def test_drop_with_running_transaction(box: Sandbox) -> None:
    with scene(box) as stage:
        stage.hold()
        stage.admin.run(f"ALTER ROLE {stage.name} RESOURCE GROUP none")
        code, message = stage.admin.error(f"DROP RESOURCE GROUP {stage.name}")
        assert (code, message) == ("2BP01", f'cannot drop resource group "{stage.name}"')


def test_new_role_is_told_its_group(start_box: Callable[..., Sandbox], box: Sandbox) -> None:
    admin = Client(box)
    for sql, kind in (("CREATE ROLE plain", "default"), ("CREATE USER boss SUPERUSER", "admin")):
        admin.connection.notices.clear()
        assert admin.tag(sql) == "CREATE ROLE"
        assert admin.notices == [f'NOTICE:  resource group required -- using {kind} resource group "{kind}_group"']
    assert Client(box, "sammy").error("CREATE ROLE no") == ("42501", "permission denied to create role")
    admin.run("DROP ROLE plain; DROP ROLE boss")
    admin.close()
    silent = Client(start_box("gp6", resource_manager="none"))
    silent.run("CREATE ROLE plain; DROP ROLE plain")
    assert silent.notices == []
    silent.close()


def test_new_superuser_is_in_admin_group(box: Sandbox) -> None:
    admin = Client(box)
    admin.run("CREATE ROLE boss SUPERUSER")
    assert admin.one("SELECT rolresgroup = 6438 FROM pg_authid WHERE rolname = 'boss'") is True
    admin.run("ALTER ROLE boss NOSUPERUSER")
    assert admin.one("SELECT rolresgroup = 6437 FROM pg_roles WHERE rolname = 'boss'") is True
    admin.run("DROP ROLE boss")
    admin.close()


def test_only_the_superuser_and_managers_change_groups(box: Sandbox) -> None:
    with scene(box) as stage:
        client = stage.open()
        profile = PROFILES[box.profile]
        sql = f"ALTER RESOURCE GROUP {stage.name} SET concurrency 2"
        assert client.error(sql) == ("42501", f"must be {profile.group_changers} to alter resource groups")
        if profile.managers_role is not None:
            stage.admin.run(f"GRANT {profile.managers_role} TO {stage.name}")
            client.run(sql)
            client.run("ALTER RESOURCE GROUP default_group SET concurrency 20")
            admin_group = f"must be superuser to alter resource group {profile.admin_group_in_refusal}"
            assert client.error("ALTER RESOURCE GROUP admin_group SET concurrency -5") == ("42501", admin_group)


def test_not_from_a_function(box: Sandbox) -> None:
    admin = Client(box)
    message = PROFILES[box.profile].in_function_message
    admin.run(
        "CREATE OR REPLACE FUNCTION public.groups() RETURNS void LANGUAGE sql AS"
        " $$ CREATE RESOURCE GROUP g WITH (cpuset='0'); $$"
    )
    assert admin.error("SELECT public.groups()") == ("25001", message % "CREATE RESOURCE GROUP")
    admin.run("DROP FUNCTION public.groups()")
    for body in ("ALTER RESOURCE GROUP g SET concurrency 5;", "EXECUTE 'ALTER RESOURCE GROUP g SET concurrency 5';"):
        assert admin.error(f"DO $$ BEGIN {body} END $$") == ("25001", message % "ALTER RESOURCE GROUP")
    admin.close()


def test_syntax_error_has_a_position(box: Sandbox) -> None:
    client = Client(box)
    with pytest.raises(psycopg2.errors.SyntaxError) as caught:
        client.run("ALTER RESOURCE GROUP x SET concurrency 1.5")
    assert caught.value.diag.statement_position == "40"
    assert caught.value.diag.context is None
    client.close()


def test_settings(box: Sandbox) -> None:
    client = Client(box, "ops")
    assert client.one("SELECT current_setting('gp_resource_group_queuing_timeout')") == "0"
    client.run("BEGIN; SET LOCAL gp_resource_group_queuing_timeout = 1000")
    assert client.one("SHOW gp_resource_group_queuing_timeout") == "1s"
    client.run("COMMIT")
    assert client.run("SELECT setting, unit FROM pg_settings WHERE name = 'gp_resource_group_queuing_timeout'") == [
        ("0", "ms")
    ]
    version = client.one("SELECT setting FROM pg_settings WHERE name = 'server_version'")
    assert version == client.one("SHOW server_version") == client.connection.info.parameter_status("server_version")
    assert client.error("SET gp_role = utility")[0] == "55P02"
    assert client.error("SHOW gp_nonsense") == ("42704", 'unrecognized configuration parameter "gp_nonsense"')
    with client.connection.cursor() as cursor:
        cursor.execute("SHOW gp_server_version")
        assert cursor.description is not None
        assert cursor.description[0].name == "gp_server_version"
    client.close()


def test_texts_in_the_views_are_the_clients(box: Sandbox) -> None:
    admin, client = Client(box), Client(box)
    seen = f"SELECT query FROM pg_stat_activity WHERE pid = {client.pid}"
    assert admin.one(seen) == ""
    for sql in (
        "SHOW gp_resource_manager",
        "ALTER ROLE sammy RESOURCE GROUP none",
        "DROP RESOURCE GROUP no_such_group",
        "ALTER RESOURCE GROUP default_group SET concurrency 20",
        "SELECT 'é; $$'",
    ):
        with contextlib.suppress(psycopg2.Error):
            client.run(sql)
        assert admin.one(seen) == sql
    admin.close()
    client.close()


@pytest.mark.skipif(shutil.which("psql") is None, reason="only psql shows what a terminated client reads")
@pytest.mark.parametrize("profile", ["gp6", "gp7", "cb", "cbmain"])
def test_terminated_client_reads_the_message(start_box: Callable[..., Sandbox], profile: str) -> None:
    box = start_box(profile)
    admin = Client(box)
    login = {"PGHOST": box.host, "PGPORT": str(box.port), "PGUSER": "sammy", "PGPASSWORD": box.password("sammy")}
    program = subprocess.Popen(
        ["psql", "-X", "-d", "testdb", "-c", "SELECT pg_sleep(60)"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **login},
    )
    seen = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND usename = 'sammy'"
    pid = until(lambda: admin.run(seen))[0][0]
    assert admin.one(f"SELECT pg_terminate_backend({pid}, 'maintenance')") is True
    _dummy, problem = program.communicate(timeout=10)
    assert 'terminating connection due to administrator command: "maintenance"' in problem
    assert admin.one("SELECT pg_cancel_backend(1, NULL)") is None
    admin.close()


# --- what others may see ----------------------------------------------------


def test_views_hide_other_roles(full: Scene) -> None:
    full.queue(full.open(), "SELECT 'secret'")
    stranger = full.open("sammy")
    rows = stranger.run(f"SELECT * FROM pg_stat_activity WHERE usename = '{full.name}' ORDER BY pid")
    assert len(rows) == 2
    names = [column.name for column in stranger_columns(stranger)]
    for row in map(dict, (zip(names, row, strict=True) for row in rows)):
        assert row["query"] == "<insufficient privilege>"
        for name in ("state", "client_addr", "backend_start", "query_start", "rsgname", "rsgid"):
            assert row[name] is None
    assert stranger.error(f"SELECT pg_cancel_backend({full.admin.pid})")[0] == "42501"
    assert stranger.error("SELECT * FROM pg_authid")[0] == "42501"
    ops = full.open("ops")
    assert ("SELECT 'secret'",) in ops.run("SELECT query FROM mdb_toolkit.pg_stat_activity()")


def stranger_columns(client: Client) -> tuple[psycopg2.extensions.Column, ...]:
    with client.connection.cursor() as cursor:
        cursor.execute("SELECT * FROM pg_stat_activity LIMIT 0")
        assert cursor.description is not None
        return cursor.description


def test_nothing_of_the_sandbox_shows(box: Sandbox) -> None:
    client = Client(box)
    assert client.one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gpops_sandbox'") == 0
    assert client.one("SELECT count(*) FROM pg_authid WHERE rolname = 'gpops_sandbox'") == 0
    assert client.one("SELECT count(*) FROM pg_roles WHERE rolname = 'gpops_sandbox'") == 0
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename IS NOT NULL"
    assert client.one(sessions) == 1
    background = client.one("SELECT count(*) FROM pg_stat_activity WHERE usename IS NULL")
    assert (background == 0) is (box.family == "gp6")
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        Client(box, "gpops_sandbox")
    client.close()


def test_lock_waits(box: Sandbox) -> None:
    with scene(box, 5) as stage:
        stage.admin.run("CREATE TABLE IF NOT EXISTS locked (a int); GRANT ALL ON locked TO PUBLIC")
        holder, waiter = stage.hold(), stage.open()
        holder.run("LOCK TABLE locked")
        waiting = Hanging(waiter, "SELECT * FROM locked")
        state = "waiting_reason = 'lock' AND waiting" if box.family == "gp6" else "wait_event_type = 'Lock'"
        until(lambda: stage.admin.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {waiter.pid} AND {state}"))
        rows = stage.admin.run(
            "SELECT pid, granted, mppsessionid = (SELECT sess_id FROM pg_stat_activity a WHERE a.pid = l.pid)"
            " FROM pg_locks l WHERE relation = 'locked'::regclass ORDER BY granted"
        )
        assert rows == [(waiter.pid, False, True), (holder.pid, True, True)]
        if box.family != "gp6":
            assert stage.admin.one(f"SELECT pg_blocking_pids({waiter.pid})") == [holder.pid]
        holder.run("COMMIT")
        waiting.rows()


def test_too_many_clients(start_box: Callable[..., Sandbox]) -> None:
    box = start_box("gp7", max_connections=10)
    clients = [Client(box, "sammy") for _each in range(7)]
    with pytest.raises(psycopg2.OperationalError, match="reserved for non-replication superuser"):
        Client(box, "sammy")
    clients += [Client(box) for _each in range(3)]
    with pytest.raises(psycopg2.OperationalError, match="sorry, too many clients already"):
        Client(box)
    clients.pop().close()
    until(lambda: clients[-1].one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gpadmin'") == 2)
    Client(box).close()
    for client in clients:
        client.close()


# --- the extended protocol; that psycopg 3 does not connect to a real Greenplum 6 is the driver's doing -------


def test_extended_dialect(box: Sandbox) -> None:
    with psycopg.connect(**box.dsn(), autocommit=True) as connection:

        def tag(sql: str) -> str | None:
            return connection.execute(sql.encode(), prepare=True).statusmessage

        options = f"concurrency=2, {CPU[box.profile]}"
        assert tag(f"CREATE RESOURCE GROUP prepared WITH ({options})") == "CREATE RESOURCE GROUP"
        for _each in range(2):  # the second time, the statement is already prepared
            assert tag("ALTER RESOURCE GROUP prepared SET concurrency 3") == "ALTER RESOURCE GROUP"
        assert tag("CREATE ROLE prepared LOGIN RESOURCE GROUP prepared") == "CREATE ROLE"
        with pytest.raises(psycopg.errors.DependentObjectsStillExist):
            tag("DROP RESOURCE GROUP prepared")
        assert tag("DROP ROLE prepared") == "DROP ROLE"
        with pytest.raises(psycopg.errors.SyntaxError) as caught:
            tag("DROP RESOURCE GROUP IF EXISTS prepared")
        assert caught.value.diag.statement_position == "24"
        with pytest.raises(psycopg.errors.ActiveSqlTransaction), connection.transaction():
            tag("DROP RESOURCE GROUP prepared")
        assert tag("DROP RESOURCE GROUP prepared") == "DROP RESOURCE GROUP"
        row = connection.execute("SHOW gp_resource_manager", prepare=True)
        assert row.description is not None
        assert (row.description[0].name, row.fetchall()) == ("gp_resource_manager", [(PROFILES[box.profile].manager,)])


def test_extended_queue(box: Sandbox) -> None:
    with scene(box) as stage:
        holder = stage.hold()
        with psycopg.connect(**box.dsn(stage.name), autocommit=True) as connection:
            connection.execute("SET gp_resource_group_queuing_timeout = 200")
            with pytest.raises(psycopg.errors.QueryCanceled, match="waiting timeout"):
                connection.execute("SELECT %s::int", [1])
            if box.family != "gp6":
                seen = connection.execute("SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid = %s", [holder.pid])
                assert seen.fetchall() == [(holder.pid,)]
            holder.run("COMMIT")
            assert connection.execute("SELECT %s::int", [1]).fetchall() == [(1,)]


def test_pipeline_and_copy(box: Sandbox) -> None:
    with scene(box, 5) as stage, psycopg.connect(**box.dsn(stage.name), autocommit=True) as connection:
        with connection.pipeline() as pipeline:
            cursors = [connection.execute("SELECT %s::int", [number]) for number in range(50)]
            pipeline.sync()
            cursors += [connection.execute("SELECT %s::int", [number]) for number in range(50, 100)]
        assert [cursor.fetchall() for cursor in cursors] == [[(number,)] for number in range(100)]
        with connection.pipeline(), pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1/%s::int", [0]).fetchall()
        connection.execute("CREATE TEMP TABLE t (a int, b text)")
        with connection.cursor() as cursor:
            with cursor.copy("COPY t FROM STDIN") as copy:
                for number in range(10000):
                    copy.write_row((number, "é" * 20))
            with cursor.copy("COPY t TO STDOUT") as copy:
                assert sum(1 for _each in copy.rows()) == 10000
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (10000,)


def test_other_client_encoding(box: Sandbox) -> None:
    with scene(box) as stage:
        client = stage.open()
        client.connection.set_client_encoding("LATIN1")
        assert client.one("SELECT 'é' || octet_length('é')") == "é2"
        holder = stage.open()
        client.run("SELECT 1")
        holder.run("BEGIN")
        waiting = stage.queue(client, "SELECT 'é'")
        holder.run("COMMIT")
        assert waiting.rows() == [("é",)]
