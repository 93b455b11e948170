# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The managed service's fork of Greenplum 6: what members of mdb_admin may, and what not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest
from sandbox import Sandbox
from sandbox.tests.clients import Client, Hanging, until

FULL_FOR_ALL = "remaining connection slots are reserved for non-replication superuser connections or mdb_admin"
FULL_FOR_ADMINS = "remaining connection slots are reserved for non-replication superuser connections$"


@pytest.fixture
def box(start_box: Callable[..., Sandbox]) -> Sandbox:
    return start_box("gp6-managed")


@pytest.fixture
def ops(box: Sandbox) -> Iterator[Client]:
    with closing(Client(box, "ops", "postgres")) as client:
        yield client


@pytest.fixture
def victim(box: Sandbox) -> Iterator[Client]:
    with closing(Client(box, "billy")) as client:
        client.run("SELECT 'of billy'")
        yield client


def test_members_see_everything_of_everybody(box: Sandbox, ops: Client, victim: Client) -> None:
    sql = f"SELECT query, state, client_addr IS NOT NULL FROM pg_catalog.pg_stat_activity WHERE pid = {victim.pid}"
    assert ops.run(sql) == [("SELECT 'of billy'", "idle", True)]
    with closing(Client(box, "sammy")) as stranger:
        assert stranger.run(sql) == [("<insufficient privilege>", None, False)]
    with closing(Client(box)) as boss:
        boss.run("SELECT 'of gpadmin'")
        assert ops.one(f"SELECT query FROM pg_stat_activity WHERE pid = {boss.pid}") == "SELECT 'of gpadmin'"


def test_members_may_not_signal_others(ops: Client, victim: Client) -> None:
    refused = "must be superuser or have the same role to "
    assert ops.error(f"SELECT pg_terminate_backend({victim.pid})") == (
        "42501",
        f"{refused}terminate other server processes",
    )
    assert ops.error(f"SELECT pg_cancel_backend({victim.pid})") == (
        "42501",
        f"{refused}cancel queries running in other server processes",
    )


def test_members_may_signal_as_the_role_of_the_victim(box: Sandbox, ops: Client, victim: Client) -> None:
    with closing(Client(box)) as boss:
        boss.run("GRANT billy TO ops")
        try:
            sleeping = Hanging(victim, "SELECT pg_sleep(60)")
            until(lambda: boss.one(f"SELECT state = 'active' FROM pg_stat_activity WHERE pid = {victim.pid}"))
            ops.run("SET ROLE billy")
            assert ops.one(f"SELECT pg_cancel_backend({victim.pid})") is True
            assert sleeping.problem().pgcode == "57014"
            assert ops.one(f"SELECT pg_terminate_backend({victim.pid})") is True
            until(lambda: not boss.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {victim.pid}"))
        finally:
            boss.run("REVOKE billy FROM ops")


def test_members_change_groups_but_not_roles(ops: Client) -> None:
    ops.run("CREATE RESOURCE GROUP mine WITH (cpu_rate_limit=1, memory_limit=1)")
    ops.run("ALTER RESOURCE GROUP mine SET concurrency 3")
    refused = "must be superuser to %s resource group admin_group"
    assert ops.error("ALTER RESOURCE GROUP admin_group SET concurrency 9") == ("42501", refused % "alter")
    assert ops.error("DROP RESOURCE GROUP admin_group") == ("42501", refused % "drop")
    assert ops.error("DROP RESOURCE GROUP default_group")[0] == "0A000"
    assert ops.error("ALTER ROLE sammy RESOURCE GROUP mine") == ("42501", "permission denied")
    assert ops.error("ALTER ROLE sammy CONNECTION LIMIT 3") == ("42501", "permission denied")
    assert ops.error("ALTER ROLE sammy NOLOGIN") == ("42501", "permission denied")
    assert ops.error("ALTER DATABASE testdb CONNECTION LIMIT 3") == ("42501", "must be owner of database testdb")
    ops.run("DROP RESOURCE GROUP mine")


def test_members_move_queries_of_superusers_too(box: Sandbox, ops: Client) -> None:
    with closing(Client(box)) as boss:
        boss.run("BEGIN")
        assert ops.one(f"SELECT gp_toolkit.pg_resgroup_move_query({boss.pid}, 'default_group')") is True
        shown = f"SELECT rsgname FROM pg_stat_activity WHERE pid = {boss.pid}"
        until(lambda: ops.one(shown) == "default_group")


def test_members_have_connections_of_their_own(start_box: Callable[..., Sandbox]) -> None:
    box = start_box("gp6-managed", max_connections=12)
    clients = [Client(box, "sammy") for _each in range(6)]
    with pytest.raises(psycopg2.OperationalError, match=FULL_FOR_ALL):
        Client(box, "billy")
    clients += [Client(box, "ops") for _each in range(3)]
    with pytest.raises(psycopg2.OperationalError, match=FULL_FOR_ADMINS):
        Client(box, "ops")
    clients += [Client(box) for _each in range(3)]
    with pytest.raises(psycopg2.OperationalError, match="sorry, too many clients already"):
        Client(box)
    assert clients[-1].one("SHOW superuser_reserved_connections") == "3"
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("setting", "before"), [("idle_session_timeout", []), ("idle_in_transaction_session_timeout", ["BEGIN"])]
)
def test_idle_sessions_end(box: Sandbox, ops: Client, setting: str, before: list[str]) -> None:
    with closing(Client(box, "sammy")) as client:
        for sql in (f"SET {setting} = 100", *before):
            client.run(sql)
        until(lambda: not ops.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {client.pid}"))


def test_settings(ops: Client) -> None:
    assert ops.one("SHOW gp_resource_group_move_timeout") == "30s"
    ops.run("SET gp_resource_group_move_timeout = '2min'; SET gp_resource_group_bypass = on")
    assert ops.one("SHOW gp_resource_group_move_timeout") == "2min"
    sql = "SELECT setting, unit FROM pg_settings WHERE name = 'gp_resource_group_move_timeout'"
    assert ops.run(sql) == [("120000", "ms")]
    assert "6.27.1-mdb" in ops.one("SELECT version()")
