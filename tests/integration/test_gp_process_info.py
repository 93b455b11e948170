# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gp_process_info against real sessions of each engine."""

from __future__ import annotations

import contextlib
import socket
import time
import typing as t

import psycopg2
import pytest
from integration.cluster import MARGIN, Cluster, Scene, eventually
from integration.run_module import Outcome, run_module
from integration.tap import Tap, login_through

# How much longer than its timeout a module may take: Python itself starts and ends in that time.


def info(cluster: Cluster, role: str | None = None, database: str | None = None, **options: t.Any) -> Outcome:
    login = cluster.login(role or cluster.admin, database)
    return run_module("gp_process_info", {**login, **options})


def test_a_session_as_the_operator_knows_it(cluster: Cluster, scene: Scene) -> None:
    client = scene.client(cluster.user, name="gpops idle").run("SELECT 'a note'")
    found = info(cluster)
    record = found.by_pid[client.pid]
    group = scene.sql(
        "SELECT g.rsgname FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_resgroup g ON g.oid = r.rolresgroup "
        "WHERE r.rolname = %s",
        (cluster.user,),
    )
    sess_id = scene.sql("SELECT sess_id FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,))
    assert record["usename"] == cluster.user
    assert record["datname"] == cluster.database
    assert record["application_name"] == "gpops idle"
    assert record["state"] == "idle"
    assert record["query"] == "SELECT 'a note'"
    assert record["sess_id"] == sess_id[0][0]
    assert record["resource_group"] == group[0][0]
    assert record["waiting"] is False
    assert record["waiting_reason"] is None
    assert record["wait_age"] is None
    assert record["is_superuser"] is False
    assert record["blocked_by"] == []
    assert record["blocks"] == []
    assert record["xact_start"] is None
    assert record["transaction_age"] is None
    assert 0 <= record["state_age"] <= record["query_age"] <= record["session_age"] < 60
    assert found["connections"]["used"] >= found["count"]
    assert found["connections"]["max"] == int(scene.sql("SHOW max_connections")[0][0])
    assert found["engine"]["family"] == (cluster.family or found["engine"]["family"])
    assert found["hidden"] == 0
    assert found["changed"] is False


def test_a_start_names_the_very_session_and_statement(cluster: Cluster, scene: Scene) -> None:
    """To the microsecond, as the server itself compares it."""
    client = scene.client(cluster.user).run("SELECT 1")
    record = info(cluster, pids=[client.pid])["processes"][0]
    same = scene.sql(
        "SELECT backend_start = %s::timestamptz AND query_start = %s::timestamptz "
        "FROM pg_catalog.pg_stat_activity WHERE pid = %s",
        (record["backend_start"], record["query_start"], client.pid),
    )
    assert same == [(True,)]


def test_its_own_session_is_not_listed(cluster: Cluster) -> None:
    found = info(cluster, connect_params={"application_name": "gpops own"})
    assert "gpops own" not in [record["application_name"] for record in found["processes"]]


def test_ages_are_seconds_of_the_server(cluster: Cluster, scene: Scene) -> None:
    client = scene.client(cluster.user).run("BEGIN", "SELECT 1")
    time.sleep(1.2)
    record = info(cluster, pids=[client.pid])["processes"][0]
    assert record["state"] == "idle in transaction"
    assert 1.2 <= record["transaction_age"] < 30
    assert 1.2 <= record["state_age"] < 30
    assert info(cluster, pids=[client.pid], min_state_age="1s", states=["idle in transaction"])["count"] == 1
    assert info(cluster, pids=[client.pid], min_transaction_age="1h")["count"] == 0
    assert info(cluster, pids=[client.pid], min_query_age="1")["count"] == 0


def test_a_jam_shows_who_blocks_whom(cluster: Cluster, scene: Scene) -> None:
    """A reader that went to lunch, DDL behind it, and a reader that waits for the DDL."""
    table = scene.table()
    holder = scene.client(cluster.user).run("BEGIN", f"SELECT * FROM {table}")
    ddl = scene.client(cluster.other).start(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 1")
    scene.waiting(ddl)
    time.sleep(0.1)
    reader = scene.client(cluster.user).start(f"SELECT * FROM {table}")
    scene.waiting(reader)
    found = info(cluster)
    rows = {name: found.by_pid[c.pid] for name, c in (("holder", holder), ("ddl", ddl), ("reader", reader))}
    assert rows["holder"]["blocks"] == [ddl.pid]
    assert rows["ddl"]["blocked_by"] == [holder.pid]
    assert rows["ddl"]["blocks"] == [reader.pid]
    assert rows["reader"]["blocked_by"] == [ddl.pid]
    for name in ("ddl", "reader"):
        assert rows[name]["waiting"] is True
        assert rows[name]["waiting_reason"] == "lock"
        assert 0 <= rows[name]["wait_age"] < 60
    assert found["summary"]["by_waiting_reason"]["lock"] >= 2
    chosen = info(cluster, blocking=1, sort_by="blocks", fields=["pid", "blocks"])
    assert {record["pid"] for record in chosen["processes"]} >= {holder.pid, ddl.pid}
    assert all(set(record) == {"pid", "blocks"} for record in chosen["processes"])
    assert reader.pid in info(cluster, waiting_for=["lock"], users=[cluster.user]).by_pid


def test_who_queued_earlier_is_not_who_began_earlier(cluster: Cluster, scene: Scene) -> None:
    if cluster.family == "gp6":
        pytest.skip("Greenplum 6 does not tell the order of a queue")
    table = scene.table()
    lock = f"LOCK TABLE {table} IN EXCLUSIVE MODE; SELECT 1"
    holder = scene.client(cluster.user).run("BEGIN", lock)
    late = scene.client(cluster.user).start(f"SELECT pg_sleep(1.5); {lock}")
    scene.state(late, "active")
    early = scene.client(cluster.other).start(lock)
    scene.waiting(early)
    scene.waiting(late)
    found = info(cluster)
    assert found.by_pid[early.pid]["blocked_by"] == [holder.pid]
    assert found.by_pid[late.pid]["blocked_by"] == sorted([holder.pid, early.pid])
    assert found.by_pid[early.pid]["blocks"] == [late.pid]


@pytest.mark.managed
def test_the_managed_interface_shows_the_same_jam(cluster: Cluster, scene: Scene) -> None:
    table = scene.table()
    holder = scene.client(cluster.user).run("BEGIN", f"LOCK TABLE {table} IN EXCLUSIVE MODE")
    waiter = scene.client(cluster.other).start(f"LOCK TABLE {table} IN EXCLUSIVE MODE; SELECT 1")
    scene.waiting(waiter)
    found = info(cluster, cluster.ops)
    assert found["engine"]["interface"] == "mdb"
    assert found["hidden"] == 0
    assert found.by_pid[holder.pid]["blocks"] == [waiter.pid]
    assert found.by_pid[waiter.pid]["blocked_by"] == [holder.pid]
    assert found.by_pid[holder.pid]["query"].startswith("LOCK TABLE")


@pytest.mark.managed
def test_rows_of_others_are_counted_and_the_reason_is_told(cluster: Cluster, scene: Scene) -> None:
    client = scene.client(cluster.other).run("SELECT 1")
    found = info(cluster, cluster.user, cluster.plain_database)
    assert found["engine"]["interface"] == "native"
    assert found["hidden"] >= 2  # this client and the superuser's
    assert found["warnings"]
    assert found.by_pid[client.pid]["state"] is None
    assert found.by_pid[client.pid]["usename"] == cluster.other
    forbidden = info(cluster, cluster.user)
    assert forbidden["engine"]["interface"] == "native"
    assert "mdb_admin" in str(forbidden["warnings"])


@pytest.mark.managed
def test_whom_mdb_admin_sees_without_the_schema(cluster: Cluster, scene: Scene) -> None:
    """On the managed engine everybody, in every database; elsewhere nobody but itself."""
    clients = [scene.client(role).run("SELECT 'seen'") for role in (cluster.other, cluster.admin)]
    for database, toolkit in ((cluster.plain_database, "auto"), (cluster.database, "native")):
        found = info(cluster, cluster.ops, database, toolkit=toolkit)
        assert found["engine"]["interface"] == "native"
        seen = {(found.by_pid[client.pid]["state"], found.by_pid[client.pid]["query"]) for client in clients}
        if cluster.managed:
            assert found["hidden"] == 0
            assert "warnings" not in found
            assert seen == {("idle", "SELECT 'seen'")}
        else:
            assert found["hidden"] >= 2
            assert seen == {(None, "<insufficient privilege>")}


@pytest.mark.managed
def test_an_interface_that_is_not_there_is_an_error(cluster: Cluster) -> None:
    missing = info(cluster, cluster.ops, cluster.plain_database, toolkit="mdb")
    assert missing.failed
    assert missing["msg"].startswith(f"toolkit: database {cluster.plain_database} has no schema mdb_toolkit")
    forbidden = info(cluster, cluster.user, toolkit="mdb")
    assert forbidden.failed
    assert "mdb_admin" in forbidden["msg"]


@pytest.mark.managed
@pytest.mark.parametrize(("role", "concurrency"), [("user", 1), ("user", 0), ("ops", 1), ("ops", 0), ("admin", 1)])
def test_it_lists_from_its_own_full_group(cluster: Cluster, scene: Scene, role: str, concurrency: int) -> None:
    """The worst failure that this software can have is to hang where it should help."""
    login = getattr(cluster, role)
    group = scene.group(login)
    holder = scene.client(login).run("BEGIN", "SELECT 1")
    queued = scene.client(login).start("SELECT 'queued'")
    scene.waiting(queued)
    if concurrency == 0:
        scene.sql(f"ALTER RESOURCE GROUP {group} SET concurrency 0")
    start = time.monotonic()
    found = info(cluster, login, timeout=10)
    assert not found.failed, found
    assert time.monotonic() - start < 5
    record = found.by_pid[queued.pid]
    assert record["waiting_reason"] == "resource_group"
    assert record["resource_group"] == group
    assert record["query"] == "SELECT 'queued'"
    assert 0 <= record["wait_age"] < 30
    assert found.by_pid[holder.pid]["resource_group"] == group
    assert queued.pid in info(cluster, login, waiting_for=["resource_group"], resource_groups=[group[:4] + "*"]).by_pid


def test_where_nothing_gets_past_it_says_which_group_is_full(special: t.Callable[..., Cluster]) -> None:
    cluster = special(bypass=False)
    with Scene(cluster) as scene:
        scene.group(cluster.ops)
        scene.client(cluster.ops).run("BEGIN", "SELECT 1")
        start = time.monotonic()
        found = info(cluster, cluster.ops, timeout=2)
        assert time.monotonic() - start < 2 + MARGIN
        assert found.failed
        assert f"resource group of role {cluster.ops} is full" in found["msg"]
        assert "raise the group's concurrency" in found["msg"]


@pytest.mark.managed
def test_the_connections_that_ordinary_roles_cannot_have(special: t.Callable[..., Cluster]) -> None:
    cluster = special(max_connections=20)
    shown = info(cluster)["connections"]
    with contextlib.ExitStack() as stack:
        for _number in range(shown["max"] - shown["reserved"]):
            stack.enter_context(contextlib.closing(cluster.connect(cluster.user)))
        assert info(cluster, cluster.user).failed
        assert info(cluster, cluster.ops).failed is not cluster.managed
        full = info(cluster)
        assert full["connections"]["used"] >= shown["max"] - shown["reserved"]


def test_one_connection_and_at_most_three_round_trips(cluster: Cluster, scene: Scene) -> None:
    scene.client(cluster.user)
    for role in (cluster.admin, cluster.ops, cluster.user):
        with Tap(cluster.host, cluster.port) as tap:
            found = run_module("gp_process_info", login_through(tap, cluster.login(role)))
            assert not found.failed, found
            # After a call of mdb_toolkit a second one ends the process of the first.
            assert tap.connections == (2 if role == cluster.ops and not cluster.managed else 1)
            assert len(tap.statements) <= 3, tap.statements


def test_a_thousand_sessions_in_one_round_trip(cluster: Cluster, scene: Scene) -> None:
    free = int(scene.sql("SHOW max_connections")[0][0]) - 50
    number = min(1000 if cluster.embedded else 100, free)
    clients = [scene.client(cluster.user, name="gpops many") for dummy in range(number)]
    with Tap(cluster.host, cluster.port) as tap:
        options = {**login_through(tap, cluster.login(cluster.ops)), "application_names": ["gpops many"]}
        found = run_module("gp_process_info", {**options, "limit": 3})
        assert found["count"] == number
        assert len(found["processes"]) == 3
        assert len(tap.statements) <= 3
    assert {record["pid"] for record in found["processes"]} <= {client.pid for client in clients}


def test_the_criteria_reach_the_sessions(cluster: Cluster, scene: Scene) -> None:
    mine = scene.client(cluster.user, name="gpops etl 1").run("SELECT 'needle'")
    other = scene.client(cluster.other, name="gpops etl 2").run("SELECT 'hay'")
    both: dict[str, t.Any] = {"application_names": ["gpops etl ?"]}
    assert set(info(cluster, **both).by_pid) == {mine.pid, other.pid}
    assert set(info(cluster, **both, users=[cluster.user]).by_pid) == {mine.pid}
    assert set(info(cluster, **both, exclude_users=[cluster.user]).by_pid) == {other.pid}
    assert set(info(cluster, **both, query_regex="needle").by_pid) == {mine.pid}
    assert set(info(cluster, **both, exclude_query_regex="needle").by_pid) == {other.pid}
    assert set(info(cluster, **both, databases=["no such database"]).by_pid) == set()
    assert set(info(cluster, **both, pids=[other.pid]).by_pid) == {other.pid}
    assert set(info(cluster, **both, pids=[]).by_pid) == set()
    address = info(cluster, pids=[mine.pid])["processes"][0]["client_addr"]
    assert set(info(cluster, **both, client_addresses=[address or "local"]).by_pid) == {mine.pid, other.pid}


def test_literals_do_not_show(cluster: Cluster, scene: Scene) -> None:
    client = scene.client(cluster.user).run("SELECT 'card 4111'")
    found = info(cluster, pids=[client.pid], redact_literals=True)
    assert found["processes"][0]["query"] == "SELECT ?"
    assert "4111" not in found.output


def test_a_text_that_is_dear_to_mask_does_not_cost_the_listing(cluster: Cluster, scene: Scene) -> None:
    text = "SELECT 1 AS password" + "/**/" * 40
    client = scene.client(cluster.user).run(text)
    found = info(cluster, pids=[client.pid], timeout=5)
    assert [record["query"] for record in found["processes"]] == [text]


def test_texts_are_cut_on_the_server(cluster: Cluster, scene: Scene) -> None:
    client = scene.client(cluster.user).run(f"SELECT 'x' /* {'é' * 300} */, 'PASSWORD ''s3cret''', 'needle'")
    with Tap(cluster.host, cluster.port) as tap:
        login = {**login_through(tap, cluster.login(cluster.admin)), "query_max_length": 20}
        found = run_module("gp_process_info", {**login, "pids": [client.pid]})
        assert found["processes"][0]["query"] == "SELECT 'x' /* ééé..."
        assert "left(a.query, 1045)" in str(tap.statements)
        # What is matched is more than what is shown.
        found = run_module("gp_process_info", {**login, "query_regex": "needle"})
        assert [record["pid"] for record in found["processes"]] == [client.pid]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"users": ["a["]}, "users: "),
        ({"client_addresses": ["10.0.0.300"]}, "client_addresses: "),
        ({"query_regex": "("}, "query_regex: "),
        ({"min_query_age": "soon"}, "min_query_age: "),
        ({"states": ["lazy"]}, "states"),
        ({"waiting_for": ["godot"]}, "waiting_for"),
        ({"blocking": 0}, "blocking: "),
        ({"limit": -1}, "limit: "),
        ({"fields": ["colour"]}, "fields"),
        ({"timeout": 0}, "timeout: "),
        ({"toolkit": "odbc"}, "toolkit"),
    ],
)
def test_bad_input_is_one_error_before_anything_is_sent(options: dict[str, t.Any], words: str) -> None:
    # Nobody listens there: an attempt to connect would say so.
    found = run_module("gp_process_info", {"login_host": "127.0.0.1", "login_port": 1, **options})
    assert found.failed
    assert words in found["msg"]
    assert "connect" not in found["msg"]


def test_a_missing_database_is_told_in_plain_words(cluster: Cluster) -> None:
    found = info(cluster, database="no_such_database")
    assert found.failed
    assert "login_db" in found["msg"]


@pytest.mark.managed
def test_a_role_that_is_not_for_us(cluster: Cluster) -> None:
    found = info(cluster, cluster.user, session_role=cluster.admin)
    assert found.failed
    assert found["msg"].startswith("session_role: ")
    assert found["sqlstate"] == "42501"


@pytest.mark.managed
def test_a_session_role_is_taken(cluster: Cluster, scene: Scene) -> None:
    client = scene.client(cluster.other).run("SELECT 1")
    found = info(cluster, cluster.admin, cluster.plain_database, session_role=cluster.user)
    assert found.by_pid[client.pid]["state"] is None
    assert f"from role {cluster.user}" in str(found["warnings"])


def test_a_wrong_password(cluster: Cluster) -> None:
    try:
        psycopg2.connect(
            host=cluster.host, port=cluster.port, user=cluster.user, dbname=cluster.database, password="wrong"
        ).close()
    except psycopg2.OperationalError:
        found = run_module("gp_process_info", {**cluster.login(cluster.user), "login_password": "s3cret-guess"})
        assert found.failed
        assert "login_password" in found["msg"]
        assert "s3cret-guess" not in found.output
        return
    pytest.skip("this server trusts every password")


def test_the_environment_of_libpq_works(cluster: Cluster) -> None:
    environ = {
        "PGHOST": cluster.host,
        "PGPORT": str(cluster.port),
        "PGUSER": cluster.ops,
        "PGPASSWORD": cluster.password(cluster.ops),
        "PGDATABASE": cluster.database,
    }
    found = run_module("gp_process_info", {}, environ)
    assert found["engine"]["interface"] == "mdb"
    del environ["PGDATABASE"]
    assert run_module("gp_process_info", {"toolkit": "native"}, environ)["engine"]["interface"] == "native"


def test_service_and_password_files_work(cluster: Cluster, tmp_path: t.Any) -> None:
    service = tmp_path / "service.conf"
    service.write_text(
        f"[gpops]\nhost={cluster.host}\nport={cluster.port}\nuser={cluster.ops}\ndbname={cluster.database}\n"
    )
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"{cluster.host}:{cluster.port}:*:{cluster.ops}:{cluster.password(cluster.ops)}\n")
    passfile.chmod(0o600)
    environ = {"PGSERVICEFILE": str(service), "PGSERVICE": "gpops", "PGPASSFILE": str(passfile)}
    found = run_module("gp_process_info", {}, environ)
    assert found["engine"]["interface"] == "mdb", found


def test_a_server_that_goes_silent_at_any_statement(cluster: Cluster) -> None:
    for silent_after in range(2):
        with Tap(cluster.host, cluster.port, silent_after) as tap:
            start = time.monotonic()
            found = run_module("gp_process_info", {**login_through(tap, cluster.login(cluster.admin)), "timeout": 2})
            assert time.monotonic() - start < 2 + MARGIN
            assert found.failed
            assert "2 s" in found["msg"]
            assert "timeout" in found["msg"]


def test_a_lock_table_without_an_answer_costs_the_blockers_only(cluster: Cluster, scene: Scene) -> None:
    scene.state(scene.client(cluster.user).start("SELECT pg_sleep(600)"), "active")
    with Tap(cluster.host, cluster.port, silent_after=2) as tap:
        start = time.monotonic()
        found = run_module("gp_process_info", {**login_through(tap, cluster.login(cluster.admin)), "timeout": 2})
        assert time.monotonic() - start < 2 + MARGIN
    assert not found.failed, found
    assert {record["blocked_by"] for record in found["processes"]} == {None}
    assert "blocked_by and blocks are unknown (null)" in found.output


def test_a_server_that_never_greets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        options = {"login_host": "127.0.0.1", "login_port": server.getsockname()[1], "timeout": 1}
        found = run_module("gp_process_info", options)
        assert time.monotonic() - start < 1 + MARGIN
        assert "no connection to" in found["msg"]


def test_a_lock_on_the_catalog_does_not_hold_it_for_ever(cluster: Cluster, scene: Scene) -> None:
    holder = scene.client(cluster.admin)
    holder.run("BEGIN", "LOCK TABLE pg_catalog.pg_resgroup IN ACCESS EXCLUSIVE MODE")
    start = time.monotonic()
    found = info(cluster, timeout=3)
    holder.run("ROLLBACK")
    assert time.monotonic() - start < 3 + MARGIN
    assert found.failed
    assert "lock" in found["msg"]
    assert found["sqlstate"] in ("55P03", "57014")
    if found["sqlstate"] == "55P03":
        assert f"process {holder.pid} holds AccessExclusiveLock on pg_resgroup" in found["msg"]


def test_a_planted_schema_is_not_trusted(cluster: Cluster, scene: Scene) -> None:
    """Who owns a database can make a schema of that name in it, with functions that a superuser must not run."""
    scene.sql("DROP DATABASE IF EXISTS gpops_it_planted")
    scene.sql(f"CREATE DATABASE gpops_it_planted OWNER {cluster.other}")
    try:
        owner = scene.client(cluster.other, "gpops_it_planted")
        owner.run(
            "CREATE SCHEMA mdb_toolkit",
            "CREATE FUNCTION mdb_toolkit.pg_stat_activity() RETURNS SETOF pg_catalog.pg_stat_activity LANGUAGE plpgsql "
            "AS $$ BEGIN RAISE EXCEPTION 'it ran'; END $$",
        )
        owner.close()
        found = info(cluster, database="gpops_it_planted")
        assert not found.failed, found
        assert found["engine"]["interface"] == "native"
        forced = info(cluster, database="gpops_it_planted", toolkit="mdb")
        assert f"schema mdb_toolkit belongs to {cluster.other}" in forced["msg"]
    finally:
        eventually(lambda: _dropped(scene, "gpops_it_planted"), "the test's database is dropped")


def test_an_expression_that_backtracks_ends_by_the_deadline(cluster: Cluster, scene: Scene) -> None:
    scene.client(cluster.user).run(f"SELECT '{'a' * 60}'")
    start = time.monotonic()
    found = info(cluster, timeout=3, query_regex="^SELECT '(a|aa)+$")
    assert time.monotonic() - start < 3 + MARGIN
    assert found.failed
    assert found["msg"].startswith("query_regex")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 1e308}, "timeout: "),
        ({"timeout": "inf"}, "timeout: "),
        ({"login_port": 0}, "login_port: "),
        ({"login_user": "o\0ps"}, "login_user: "),
        ({"users": ["o\0ps"]}, "users: "),
        ({"fields": []}, "fields: "),
        ({"connect_params": {"passwd": "s3cret"}}, "connect_params: "),
        ({"connect_params": {"dsn": "password=s3cret"}}, "connect_params: "),
    ],
)
def test_odd_values_are_one_error_and_give_nothing_away(options: dict[str, t.Any], words: str) -> None:
    found = run_module("gp_process_info", {"login_host": "127.0.0.1", "login_port": 1, **options})
    assert found.failed
    assert found["msg"].startswith(words), found["msg"]
    assert "s3cret" not in found.output


def test_an_empty_result_is_a_result(cluster: Cluster) -> None:
    found = info(cluster, users=["nobody at all"])
    assert (found["count"], found["processes"]) == (0, [])
    assert found["summary"]["by_state"] == {}


def test_texts_of_any_encoding_are_listed(cluster: Cluster, scene: Scene) -> None:
    """pg_stat_activity shows the bytes of other databases as they are, in whatever encoding."""
    scene.sql("DROP DATABASE IF EXISTS gpops_it_latin")
    scene.sql("CREATE DATABASE gpops_it_latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        client = scene.client(cluster.admin, "gpops_it_latin")
        client.connection.set_client_encoding("LATIN1")
        client.run("SELECT 1 /* na\xefve */")
        found = info(cluster, pids=[client.pid])
        assert found["processes"][0]["query"].startswith("SELECT 1 /* ")
        # And from there, names of roles are what they are everywhere: bytes of UTF-8.
        scene.sql('DROP ROLE IF EXISTS "gpops_it_jürgen"')
        word = cluster.password("gpops_it_jürgen")
        scene.sql(f"CREATE ROLE \"gpops_it_jürgen\" LOGIN PASSWORD '{word}'")
        foreign = psycopg2.connect(
            host=cluster.host, port=cluster.port, user="gpops_it_jürgen", password=word, dbname=cluster.database
        )
        found = info(cluster, database="gpops_it_latin", users=["gpops_it_jürgen"])
        assert set(found.by_pid) == {foreign.info.backend_pid}
        foreign.close()
        scene.sql('DROP ROLE "gpops_it_jürgen"')
        client.close()
    finally:
        eventually(lambda: _dropped(scene, "gpops_it_latin"), "the test's database is dropped")


def _dropped(scene: Scene, database: str) -> bool:
    try:
        scene.sql(f"DROP DATABASE IF EXISTS {database}")
    except psycopg2.errors.ObjectInUse:
        return False
    return True


@pytest.mark.managed
@pytest.mark.parametrize("role", ["admin", "ops", "user"])
def test_names_that_are_not_there_are_told(cluster: Cluster, scene: Scene, role: str) -> None:
    """Also from a group that is full, and whoever looks; a session of that name need not be there."""
    login = getattr(cluster, role)
    scene.group(login)
    scene.client(login).run("BEGIN", "SELECT 1")
    options: dict[str, t.Any] = {
        **cluster.login(login),
        "users": ["bily", cluster.other, "b*"],
        "exclude_databases": ["prod", cluster.plain_database],
        "resource_groups": ["repots", "admin_group"],
    }
    found = run_module("gp_process_info", options)
    assert not found.failed, found
    assert found["unknown_names"] == ["bily", "prod", "repots"]
    for option, name in (("users", "role bily"), ("exclude_databases", "database prod")):
        assert f"{option}: this cluster has no {name}" in str(found["warnings"])
    assert "resource_groups: this cluster has no resource group repots" in str(found["warnings"])
    assert str(found["warnings"]).count("this cluster has no") == 3
    silent = run_module("gp_process_info", {**options, "unknown_names": "ignore"})
    assert (silent["unknown_names"], "this cluster has no" in str(silent.get("warnings"))) == ([], False)


def test_a_name_that_is_not_there_may_be_a_failure(cluster: Cluster, scene: Scene) -> None:
    victim = scene.client(cluster.user, name="gpops it names")
    login = {**cluster.login(cluster.admin), "unknown_names": "fail"}
    chosen: dict[str, t.Any] = {"state": "terminated", "application_names": ["gpops it names"]}
    for module, options in (
        ("gp_process_info", {"users": ["bily"]}),
        ("gp_backend", {**chosen, "exclude_users": ["bily"]}),
        ("gp_policy", {"mode": "enforce", "policies": [{"name": "quotas", **chosen, "role_quotas": {"bily": 0}}]}),
    ):
        failed = run_module(module, {**login, **options})
        assert failed.failed
        assert "this cluster has no role bily; nothing was sent" in failed["msg"]
        assert failed["unknown_names"] == ["bily"]
    assert scene.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (victim.pid,)) == [(1,)]
