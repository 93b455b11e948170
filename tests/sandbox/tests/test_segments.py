# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts processes on segments, what a function with a SET clause costs, and sessions of the coordinator alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import psycopg2
import pytest
from sandbox import Sandbox
from sandbox.price import Debt, is_in_from
from sandbox.profiles import GP6, GP7, PROFILES
from sandbox.segments import Reach, reach
from sandbox.tests.clients import CPU, Client, Hanging, Scene, scene, until

CATALOG = frozenset({"pg_class", "pg_locks", "pg_stat_activity"})
STARTED = "SELECT cause FROM pg_catalog.gpops_sandbox_segment_processes WHERE sess_id = %s"
BEHIND = "SELECT state FROM pg_catalog.pg_stat_activity WHERE pid = %s"
ROWS_IN_LIST = (
    "SELECT count((x.f).pid) FROM (SELECT mdb_toolkit.pg_locks() AS f FROM pg_catalog.pg_namespace"
    " WHERE nspname = 'pg_catalog') x"
)
ROWS_IN_FROM = (
    "SELECT count(l.pid) FROM pg_catalog.pg_namespace n CROSS JOIN mdb_toolkit.pg_locks() l"
    " WHERE n.nspname = 'pg_catalog'"
)


# --- pure ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "BEGIN; SHOW work_mem; COMMIT",
        "SHOW gp_role",
        "SELECT * FROM pg_stat_activity a JOIN pg_catalog.pg_class c ON true",
        "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a",
        "SELECT * FROM gp_toolkit.gp_resgroup_config",
        "WITH w AS (SELECT 1) SELECT * FROM w, information_schema.tables",
        "EXPLAIN SELECT * FROM pg_class",
        "SELECT 'FROM mine; SET a = 1'",
        "DECLARE c CURSOR FOR SELECT oid FROM pg_class",
        "COPY (SELECT oid FROM pg_class) TO STDOUT",
    ],
)
def test_what_reaches_no_segment(text: str) -> None:
    assert reach(text, CATALOG) is Reach.NOT


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM pg_locks",
        "SELECT (SELECT count(*) FROM pg_catalog.pg_locks) FROM pg_catalog.pg_class",
        "SELECT * FROM pg_lock_status()",
        "SELECT * FROM mine",
        "SELECT * FROM public.pg_class",
        "SELECT * FROM gp_dist_random('pg_stat_activity')",
        "SELECT * FROM gp_toolkit.gp_resgroup_status",
        "SELECT set_config('work_mem', '1MB', false)",
        "INSERT INTO mine VALUES (1)",
        "COPY mine FROM STDIN",
        "BEGIN; LOCK TABLE mine",
        "WITH w AS (SELECT 1) SELECT * FROM public.w",
    ],
)
def test_what_reaches_segments_at_once(text: str) -> None:
    assert reach(text, CATALOG) is Reach.AT_ONCE


@pytest.mark.parametrize(
    "text",
    [
        "SET work_mem = 1",
        "RESET ALL",
        "BEGIN; SET LOCAL a.b = 1; COMMIT",
        "CREATE TEMP TABLE t (a int)",
        "ALTER DATABASE postgres CONNECTION LIMIT 1",
        "ALTER RESOURCE GROUP g SET concurrency 1",
        "ALTER ROLE r RESOURCE GROUP g",
        "GRANT a TO b",
    ],
)
def test_what_reaches_segments_if_it_is_not_refused(text: str) -> None:
    assert reach(text, CATALOG) is Reach.IF_DONE


def test_deep_texts() -> None:
    assert reach(f"SELECT {' || '.join(['a'] * 100)} FROM pg_class", CATALOG) is Reach.NOT
    assert reach(" UNION ALL ".join(["SELECT 1"] * 100 + ["SELECT 1 FROM mine"]), CATALOG) is Reach.AT_ONCE
    reach(f"SELECT {' || '.join(['a'] * 2000)} FROM pg_class", CATALOG)  # whatever it says, it does not fail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ROWS_IN_LIST, False),
        (ROWS_IN_FROM, True),
        (f"{ROWS_IN_FROM}; {ROWS_IN_LIST}", False),
        ("SELECT * FROM f(mdb_toolkit.pg_locks())", False),
        ("SELECT mine()", True),
        ("no SQL at all", True),
    ],
)
def test_where_a_function_stands(text: str, expected: bool) -> None:
    assert is_in_from(text, "pg_locks") is expected


def test_debts() -> None:
    debt = Debt(GP7)
    debt.entered(ROWS_IN_FROM, "pg_locks", 48000, bypass=False)
    assert debt.seconds == pytest.approx(480e-6)
    debt.entered(ROWS_IN_LIST, "pg_locks", 48000, bypass=True)
    assert debt.seconds == pytest.approx(480e-6 * 48001)
    debt = Debt(GP6)
    debt.entered(ROWS_IN_LIST, "pg_locks", 0, bypass=True)
    assert debt.seconds == pytest.approx(70e-6)
    debt.entered(ROWS_IN_FROM, "pg_locks", 20000, bypass=True)
    debt.entered(ROWS_IN_LIST, "pg_locks", 20000, bypass=False)
    assert debt.seconds == pytest.approx(70e-6 * 20002)
    debt.entered(ROWS_IN_LIST, "pg_locks", 20000, bypass=True)
    assert debt.seconds == float("inf")


# --- processes on segments ---------------------------------------------------------


class Watch:
    """A session, and what the superuser sees of it."""

    def __init__(self, stage: Scene, **more: str) -> None:
        self.admin = stage.admin
        self.client = stage.open("ops", **more)
        self.session = self.admin.one(f"SELECT sess_id FROM pg_stat_activity WHERE pid = {self.client.pid}")

    def causes(self) -> list[str]:
        return [cause for (cause,) in self.admin.run(STARTED % self.session)]


def test_what_starts_no_process(full: Scene) -> None:
    watch = Watch(full, application_name="quiet", options="-c statement_timeout=60000 -c search_path=pg_catalog")
    before = full.admin.one("SELECT pg_catalog.gpops_sandbox_segment_count()")
    for sql in (
        "SHOW work_mem",
        "SELECT * FROM pg_catalog.pg_stat_activity, pg_catalog.pg_settings, pg_roles, pg_catalog.pg_resgroup LIMIT 1",
        "SELECT * FROM gp_toolkit.gp_resgroup_config",
        "SELECT pg_cancel_backend(999999), pg_terminate_backend(999999)",
    ):
        watch.client.run(sql)
    watch.client.error("SET gp_role = utility")
    watch.client.error("SET no_such_setting = 1")
    watch.client.error("CREATE RESOURCE GROUP refused WITH (concurrency=1)")
    watch.client.close()
    assert watch.causes() == []
    assert full.admin.one("SELECT pg_catalog.gpops_sandbox_segment_count()") == before


@pytest.mark.parametrize(
    "sql",
    [
        "SET statement_timeout = 1000",
        "RESET statement_timeout",
        "SET gp_resource_group_queuing_timeout = 1000",
        "SET ROLE mdb_admin",
        "SELECT count(*) FROM pg_catalog.pg_locks",
        "SELECT * FROM gp_toolkit.gp_resgroup_status",
        "CREATE TEMP TABLE t (a int)",
        "SELECT count(*) FROM mdb_toolkit.pg_stat_activity()",
        "SELECT mdb_toolkit.gp_cancel_backend(999999)",
    ],
)
def test_what_starts_processes(full: Scene, sql: str) -> None:
    watch = Watch(full, application_name="loud")
    before = full.admin.one("SELECT pg_catalog.gpops_sandbox_segment_count()")
    watch.client.run(sql)
    watch.client.run("SET work_mem = 64")  # the processes are there already
    seen = "SELECT pid, application_name, cause, processes, open FROM pg_catalog.gpops_sandbox_segment_processes"
    row = full.admin.run(f"{seen} WHERE sess_id = {watch.session}")
    assert row == [(watch.client.pid, "loud", sql, 2, True)]
    assert full.admin.one("SELECT pg_catalog.gpops_sandbox_segment_count()") == before + 2
    watch.client.close()
    ended = [(watch.client.pid, "loud", sql, 2, False)]
    until(lambda: full.admin.run(f"{seen} WHERE sess_id = {watch.session}") == ended)


def test_group_statements_and_the_extended_protocol(box: Sandbox) -> None:
    with scene(box) as stage, psycopg.connect(**box.dsn(), autocommit=True, application_name="extended") as connection:
        (session,) = stage.admin.run(f"SELECT sess_id FROM pg_stat_activity WHERE pid = {connection.info.backend_pid}")
        connection.execute("SELECT %s::int", [1])
        assert stage.admin.run(STARTED % session) == []
        create = f"CREATE RESOURCE GROUP extended WITH (concurrency=2, {CPU[box.profile]})"
        connection.execute(create.encode())
        assert stage.admin.run(STARTED % session) == [(create,)]
        connection.execute("DROP RESOURCE GROUP extended")


def test_only_superusers_see_that(box: Sandbox) -> None:
    client = Client(box, "ops")
    for sql in ("TABLE pg_catalog.gpops_sandbox_segment_processes", "SELECT gpops_sandbox_segment_count()"):
        assert client.error(sql)[0] == "42501"
    client.close()


# --- the price of a SET clause ------------------------------------------------------


@pytest.fixture
def many(box: Sandbox) -> Iterator[Callable[[int], Client]]:
    """Makes so many lock rows; the superuser's session."""
    admin = Client(box)

    def make(rows: int) -> Client:
        admin.run(f"SELECT pg_catalog.gpops_sandbox_make_locks({rows})")
        return admin

    yield make
    admin.run("SELECT pg_catalog.gpops_sandbox_clear_locks()")
    admin.close()


def rows_for(box: Sandbox, seconds: float) -> int:
    """So many rows keep a session busy for these seconds."""
    return int(seconds / PROFILES[box.profile].set_price)


def test_the_next_message_waits(box: Sandbox, many: Callable[[int], Client]) -> None:
    admin, client = many(rows_for(box, 1)), Client(box, "ops")
    client.run(ROWS_IN_LIST)
    assert admin.one(BEHIND % client.pid) == "idle"
    waiting = Hanging(client, "SHOW work_mem")
    time.sleep(0.5)
    assert waiting.waits
    assert admin.one(BEHIND % client.pid) == "idle"
    waiting.rows()
    client.close()


def test_a_process_is_left_behind(box: Sandbox, many: Callable[[int], Client]) -> None:
    admin, client = many(rows_for(box, 1)), Client(box, "ops")
    client.run(ROWS_IN_LIST)
    client.close()
    time.sleep(0.5)
    assert admin.one(BEHIND % client.pid) == "idle"
    until(lambda: not admin.run(BEHIND % client.pid))


def test_it_is_left_behind_by_who_does_not_wait(box: Sandbox, many: Callable[[int], Client]) -> None:
    admin = many(rows_for(box, 1))
    login = box.dsn("ops", async_=True)
    impatient = psycopg2.connect(**login)
    wait(impatient)
    impatient.cursor().execute(ROWS_IN_LIST)
    pid = impatient.info.backend_pid
    impatient.close()
    time.sleep(0.7)
    assert admin.one(BEHIND % pid) == "idle"
    until(lambda: not admin.run(BEHIND % pid))


def wait(connection: psycopg2.extensions.connection) -> None:
    """Until an asynchronous connection has done what it was asked."""
    until(lambda: connection.poll() == psycopg2.extensions.POLL_OK)


def test_in_from_nothing_waits_long(box: Sandbox, many: Callable[[int], Client]) -> None:
    admin, client = many(rows_for(box, 60)), Client(box, "ops")
    client.run(ROWS_IN_FROM)
    client.run("SHOW work_mem")
    client.close()
    until(lambda: not admin.run(BEHIND % client.pid))


def test_it_can_be_terminated_meanwhile(box: Sandbox, many: Callable[[int], Client]) -> None:
    admin, client = many(rows_for(box, 60)), Client(box, "ops")
    client.run(ROWS_IN_LIST)
    client.close()
    assert admin.one(f"SELECT pg_terminate_backend({client.pid})") is True
    until(lambda: not admin.run(BEHIND % client.pid))


def test_in_bypass_it_never_ends_on_gp6(start_box: Callable[..., Sandbox]) -> None:
    box = start_box("gp6")
    admin, client = Client(box), Client(box, "ops", options="-c gp_resource_group_bypass=on")
    admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(20000)")  # 1.4 s, if it ended
    client.run(ROWS_IN_LIST)
    client.close()
    time.sleep(2.5)
    assert admin.one(BEHIND % client.pid) == "idle"
    assert admin.one(f"SELECT pg_terminate_backend({client.pid})") is True
    until(lambda: not admin.run(BEHIND % client.pid))
    admin.run("SELECT pg_catalog.gpops_sandbox_clear_locks()")
    admin.close()


def test_all_functions_of_the_toolkit_have_a_set_clause(box: Sandbox) -> None:
    client = Client(box)
    settings = "SELECT DISTINCT proconfig FROM pg_proc WHERE pronamespace = 'mdb_toolkit'::regnamespace"
    assert client.run(settings) == [(["search_path=pg_catalog"],)]
    client.close()


# --- the coordinator alone ----------------------------------------------------------


def test_utility_mode(box: Sandbox) -> None:
    name = "gp_session_role" if box.family == "gp6" else "gp_role"
    with scene(box) as stage:
        stage.hold()
        stage.admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(300000)")
        for options in (f"-c {name}=utility -c statement_timeout=0", f"--{name}=Utility"):
            client = stage.open(options=options)
            assert client.one("SHOW gp_role") == client.one("SHOW gp_session_role") == "utility"
            running = f"SELECT state, rsgname FROM pg_stat_activity WHERE pid = {client.pid}"
            assert client.run(running) == [("active", "unknown")]
            assert client.one("SELECT setting FROM pg_settings WHERE name = 'gp_role'") == "utility"
            assert client.run("SELECT DISTINCT gp_segment_id FROM pg_locks") == [(-1,)]
            assert client.one("SELECT count(*) FROM pg_locks WHERE pid > 5000000") == 100000
            assert client.error("SET gp_role = dispatch")[0] == "55P02"
            client.run("SET work_mem = 64")
            session = client.one(f"SELECT sess_id FROM pg_stat_activity WHERE pid = {client.pid}")
            assert stage.admin.run(STARTED % session) == []
        assert stage.admin.one("SHOW gp_role") == "dispatch"
        stage.admin.run("SELECT pg_catalog.gpops_sandbox_clear_locks()")
        with pytest.raises(psycopg2.OperationalError, match="invalid value for parameter"):
            stage.open(options=f"-c {name}=nonsense")
        if box.family == "gp6":
            with pytest.raises(psycopg2.OperationalError, match="cannot be changed"):
                stage.open(options="-c gp_role=utility")
        assert stage.open("gpadmin", options=f"-c {name}=dispatch").one("SHOW gp_role") == "dispatch"
