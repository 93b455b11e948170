# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gp_admission against each engine: whether connections are really let in and refused."""

from __future__ import annotations

import contextlib
import time
import typing as t

import psycopg2
import pytest
from integration.cluster import MARGIN, Cluster, Scene
from integration.run_module import Outcome, run_module
from psycopg2 import sql

ODD = 'Gpops it; "odd" [1]'


@pytest.fixture(autouse=True)
def _kept(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """Whoever may connect before a test may after it."""
    if "cluster" not in request.fixturenames:
        yield
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with Scene(cluster) as scene:
        databases = scene.sql("SELECT datname, datconnlimit FROM pg_catalog.pg_database")
        roles = scene.sql("SELECT rolname, rolconnlimit, rolcanlogin FROM pg_catalog.pg_roles")
        yield
        for name, limit in databases:
            statement = "ALTER DATABASE {} CONNECTION LIMIT {}"
            if (limit,) not in scene.sql("SELECT datconnlimit FROM pg_database WHERE datname = %s", (name,)):
                scene.sql(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(limit)))
        for name, limit, login in roles:
            known = scene.sql("SELECT rolconnlimit, rolcanlogin FROM pg_roles WHERE rolname = %s", (name,))
            if (limit, login) not in known:
                statement = f"ALTER ROLE {{}} {'' if login else 'NO'}LOGIN CONNECTION LIMIT {{}}"
                scene.sql(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(limit)))


def admit(cluster: Cluster, role: str | None = None, **options: t.Any) -> Outcome:
    return run_module("gp_admission", {**cluster.login(role or cluster.admin), **options})


def refusal(cluster: Cluster, role: str, database: str | None = None) -> str:
    """Why a connection is refused; empty if it is not."""
    try:
        cluster.connect(role, database).close()
    except psycopg2.OperationalError as error:
        return str(error)
    return ""


def limit(name: str, connection_limit: int) -> dict[str, t.Any]:
    return {"name": name, "connection_limit": connection_limit}


def test_a_database_is_closed_and_opened_again(cluster: Cluster) -> None:
    wish = [limit(cluster.plain_database, 0)]
    checked = admit(cluster, databases=wish, _ansible_check_mode=True)
    assert (checked.failed, checked["changed"]) == (False, True)
    assert refusal(cluster, cluster.user, cluster.plain_database) == ""
    closed = admit(cluster, databases=wish)
    assert not closed.failed, closed
    assert closed["statements"] == checked["statements"]
    assert closed["statements"] == [f'ALTER DATABASE "{cluster.plain_database}" CONNECTION LIMIT 0']
    assert closed["databases"] == [
        {
            "name": cluster.plain_database,
            "before": {"connection_limit": -1},
            "after": {"connection_limit": 0},
        }
    ]
    assert closed["diff"]["after"]["databases"] == {cluster.plain_database: {"connection_limit": 0}}
    assert closed["engine"]["family"] == cluster.family
    assert "too many connections for database" in refusal(cluster, cluster.user, cluster.plain_database)
    assert refusal(cluster, cluster.admin, cluster.plain_database) == ""
    assert refusal(cluster, cluster.user) == ""
    again = admit(cluster, databases=wish)
    assert (again["changed"], again["statements"]) == (False, [])
    opened = admit(cluster, databases=closed["restore"]["databases"], roles=closed["restore"]["roles"])
    assert opened["changed"] is True
    assert refusal(cluster, cluster.user, cluster.plain_database) == ""


def test_a_limit_lets_in_as_many(cluster: Cluster) -> None:
    with contextlib.closing(cluster.connect(cluster.user)) as first:
        assert first.info.backend_pid
        limited = admit(cluster, roles=[limit(cluster.user, 1)])
        assert not limited.failed, limited
        assert "too many connections for role" in refusal(cluster, cluster.user)
        assert refusal(cluster, cluster.other) == ""
    admit(cluster, roles=[limit(cluster.user, -1)])
    assert refusal(cluster, cluster.user) == ""


def test_a_role_is_kept_out_and_let_in(cluster: Cluster) -> None:
    out = admit(cluster, roles=[{"name": cluster.user, "login": False, "connection_limit": 3}])
    assert not out.failed, out
    assert out["statements"] == [f'ALTER ROLE "{cluster.user}" NOLOGIN CONNECTION LIMIT 3']
    assert out["roles"][0]["after"] == {"connection_limit": 3, "login": False}
    assert "is not permitted to log in" in refusal(cluster, cluster.user)
    back = admit(cluster, roles=out["restore"]["roles"])
    assert back["roles"][0]["after"] == out["roles"][0]["before"]
    assert refusal(cluster, cluster.user) == ""


def test_all_databases_but_templates_are_closed(cluster: Cluster) -> None:
    closed = admit(cluster, databases=[limit("*", 0), limit(cluster.plain_database, 50)])
    assert not closed.failed, closed
    after = {each["name"]: each["after"]["connection_limit"] for each in closed["databases"]}
    assert after[cluster.database] == 0
    assert after[cluster.plain_database] == 50
    assert "template1" not in after
    assert "too many connections" in refusal(cluster, cluster.user)
    assert refusal(cluster, cluster.user, cluster.plain_database) == ""


def test_odd_names(cluster: Cluster, scene: Scene) -> None:
    name = sql.Identifier(ODD)
    scene.sql(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
    scene.sql(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    try:
        out = admit(cluster, roles=[{"name": ODD, "login": False}])
        assert not out.failed, out
        assert out["roles"][0]["after"]["login"] is False
    finally:
        scene.sql(sql.SQL("DROP ROLE {}").format(name))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "databases: "),
        ({"databases": [limit("a", -2)]}, "databases[0].connection_limit: "),
        ({"databases": [limit("", 1)]}, "databases[0].name: "),
        ({"roles": [{"name": "a"}]}, "roles[0]: "),
        ({"roles": [limit("a", 1), limit("a", 2)]}, "roles[1].name: "),
    ],
)
def test_bad_input_is_one_error_before_anything_is_sent(options: dict[str, t.Any], words: str) -> None:
    # Nobody listens there: an attempt to connect would say so.
    found = run_module("gp_admission", {"login_host": "127.0.0.1", "login_port": 1, **options})
    assert found.failed
    assert found["msg"].startswith(words), found["msg"]


def test_an_unknown_name_is_an_error_before_anything_is_changed(cluster: Cluster) -> None:
    found = admit(cluster, databases=[limit(cluster.plain_database, 0)], roles=[{"name": "no such", "login": False}])
    assert found.failed
    assert found["msg"] == "roles[0].name: there is no role 'no such'"
    assert refusal(cluster, cluster.user, cluster.plain_database) == ""


def test_who_asks_is_not_locked_out_unless_told_so(cluster: Cluster, scene: Scene) -> None:
    scene.sql(sql.SQL("ALTER ROLE {} CREATEROLE").format(sql.Identifier(cluster.user)))
    try:
        database = admit(cluster, cluster.user, databases=[limit(cluster.database, 0)])
        assert "this would lock you out: database" in database["msg"]
        login = [{"name": cluster.user, "login": False}]
        assert "this would lock you out: you log in as" in admit(cluster, cluster.user, roles=login)["msg"]
        assert refusal(cluster, cluster.user) == ""
        admin = admit(cluster, roles=[{"name": cluster.admin, "login": False}])
        assert "allow_superusers" in admin["msg"]
        # On the later servers behind the embedded engine, CREATEROLE alone is not enough for this.
        done = admit(cluster, roles=login, allow_lockout=True)
        assert not done.failed, done
        assert "not permitted" in refusal(cluster, cluster.user)
    finally:
        scene.sql(sql.SQL("ALTER ROLE {} NOCREATEROLE").format(sql.Identifier(cluster.user)))


@pytest.mark.managed
@pytest.mark.parametrize("role", ["user", "ops"])
def test_who_may_not_is_told_which_privilege_is_missing(cluster: Cluster, role: str) -> None:
    """Of limits and logins mdb_admin may change none either."""
    desired_state: dict[str, t.Any] = {
        "databases": [limit(cluster.plain_database, 7)],
        "roles": [limit(cluster.other, 7)],
    }
    login = getattr(cluster, role)
    found = admit(cluster, login, **desired_state)
    assert found.failed
    assert found["sqlstate"] == "42501"
    assert "its owner or a superuser" in found["msg"]
    assert (found["applied"], found["changed"], len(found["not_applied"])) == ([], False, 1)
    for wish in (limit(cluster.other, 7), {"name": cluster.other, "login": False}):
        refused = admit(cluster, login, roles=[wish])
        assert (refused.failed, refused["sqlstate"], refused["changed"]) == (True, "42501", False)


def test_a_lock_in_the_way_ends_within_the_timeout_and_says_what_was_applied(cluster: Cluster, scene: Scene) -> None:
    holder = scene.client(cluster.admin).run("BEGIN", "LOCK TABLE pg_catalog.pg_authid IN SHARE MODE")
    start = time.monotonic()
    roles = [limit(role, 9) for role in (cluster.user, cluster.other)]
    desired_state: dict[str, t.Any] = {"databases": [limit(cluster.plain_database, 9)], "roles": roles}
    found = admit(cluster, **desired_state, timeout=3)
    assert time.monotonic() - start < 3 + MARGIN
    assert found.failed
    assert found["sqlstate"] == "55P03"
    assert found["changed"] is True
    assert found["applied"] == [f'ALTER DATABASE "{cluster.plain_database}" CONNECTION LIMIT 9']
    assert found["failed_statement"] == f'ALTER ROLE "{cluster.user}" CONNECTION LIMIT 9'
    assert found["not_applied"] == [f'ALTER ROLE "{cluster.other}" CONNECTION LIMIT 9']
    assert f"process {holder.pid} holds ShareLock on pg_authid" in found["msg"]
    assert "1 before it were applied, 1 after it were not sent" in found["msg"]
    assert found["databases"][0]["after"] in ({"connection_limit": 9}, None)
    holder.run("ROLLBACK")
    assert not admit(cluster, **desired_state).failed


def test_a_lock_on_databases_ends_within_the_timeout(cluster: Cluster, scene: Scene) -> None:
    holder = scene.client(cluster.admin).run("BEGIN", "LOCK TABLE pg_catalog.pg_database IN SHARE MODE")
    start = time.monotonic()
    found = admit(cluster, databases=[limit(cluster.plain_database, 9)], timeout=2)
    assert time.monotonic() - start < 2 + MARGIN
    assert (found.failed, found["changed"], found["applied"]) == (True, False, [])
    assert f"process {holder.pid} holds ShareLock on pg_database" in found["msg"]
    holder.run("ROLLBACK")


def test_from_a_full_group(cluster: Cluster, scene: Scene) -> None:
    scene.group(cluster.admin)
    holder = scene.client(cluster.admin).run("BEGIN", "SELECT 1")
    start = time.monotonic()
    made = admit(cluster, databases=[limit(cluster.plain_database, 8)], roles=[limit(cluster.user, 8)], timeout=10)
    assert not made.failed, made
    assert time.monotonic() - start < 8
    holder.run("ROLLBACK")


def test_where_an_ordinary_role_s_group_is_full(cluster: Cluster, scene: Scene) -> None:
    scene.group(cluster.user)
    holder = scene.client(cluster.user).run("BEGIN", "SELECT 1")
    start = time.monotonic()
    found = admit(cluster, cluster.user, databases=[limit(cluster.plain_database, 8)], timeout=3)
    assert time.monotonic() - start < 3 + MARGIN
    assert found.failed
    # Past the queue it learns that it may not; where it may not step past, it is told what is full.
    assert ("gpops_it_group" if scene.waits_in_group else "superuser") in found["msg"]
    holder.run("ROLLBACK")
