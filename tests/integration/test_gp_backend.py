# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gp_backend against real sessions of each engine."""

from __future__ import annotations

import time
import typing as t

import psycopg2
import pytest
from integration.cluster import MARGIN, Client, Cluster, Scene, eventually
from integration.run_module import Outcome, run_module
from integration.tap import Tap, login_through
from psycopg2 import sql

NAME = "gpops victim"
SIGNALS = ("cancel_backend", "terminate_backend")


def backend(cluster: Cluster, role: str | None = None, database: str | None = None, **options: t.Any) -> Outcome:
    login = cluster.login(role or cluster.admin, database)
    return run_module("gp_backend", {**login, **options})


def outcomes(found: Outcome) -> dict[int, str]:
    return {victim["pid"]: victim["outcome"] for victim in found["victims"]}


def alive(scene: Scene, client: Client) -> bool:
    return bool(scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,)))


def idle(scene: Scene, role: str | None = None) -> Client:
    return scene.client(role or scene.cluster.user, name=NAME).run("SELECT 1")


def holding(scene: Scene, role: str | None = None) -> Client:
    return scene.client(role or scene.cluster.user, name=NAME).run("BEGIN", "SELECT 1")


def running(scene: Scene, role: str | None = None) -> Client:
    client = scene.client(role or scene.cluster.user, name=NAME).start("SELECT pg_sleep(600)")
    scene.state(client, "active")
    return client


# Both interfaces: the managed one as a user of mdb_toolkit, the native one as a superuser.
INTERFACES = [("ops", "mdb"), ("admin", "native")]


@pytest.mark.parametrize(("role", "toolkit"), INTERFACES)
def test_terminate_ends_sessions_whatever_they_do(cluster: Cluster, scene: Scene, role: str, toolkit: str) -> None:
    victims = [idle(scene), holding(scene), running(scene)]
    bystander = scene.client(cluster.user, name="bystander").run("SELECT 1")
    found = backend(cluster, getattr(cluster, role), toolkit=toolkit, state="terminated", application_names=[NAME])
    assert not found.failed, found
    assert found["changed"] is True
    assert found["engine"]["interface"] == toolkit
    assert outcomes(found) == dict.fromkeys([client.pid for client in victims], "terminated")
    assert found["counts"] == {"terminated": 3}
    assert not any(alive(scene, client) for client in victims)
    assert alive(scene, bystander)
    again = backend(cluster, getattr(cluster, role), state="terminated", pids=[victims[0].pid])
    assert (again["changed"], outcomes(again)) == (False, {victims[0].pid: "gone"})


@pytest.mark.parametrize(("role", "toolkit"), INTERFACES)
def test_nobody_is_spared_for_a_text_that_looks_hidden(cluster: Cluster, scene: Scene, role: str, toolkit: str) -> None:
    """A syntax error is a text like any other, and stays in the view."""
    victim = scene.client(cluster.user, name=NAME)
    with pytest.raises(psycopg2.errors.SyntaxError):
        victim.run("<insufficient privilege>")
    found = backend(cluster, getattr(cluster, role), toolkit=toolkit, state="terminated", application_names=[NAME])
    assert outcomes(found) == {victim.pid: "terminated"}, found


@pytest.mark.parametrize(("role", "toolkit"), INTERFACES)
def test_cancel_ends_statements_and_only_those(cluster: Cluster, scene: Scene, role: str, toolkit: str) -> None:
    sitting, open_transaction, busy = idle(scene), holding(scene), running(scene)
    found = backend(cluster, getattr(cluster, role), toolkit=toolkit, state="cancelled", application_names=[NAME])
    assert not found.failed, found
    assert outcomes(found) == {
        sitting.pid: "not_applicable",
        open_transaction.pid: "not_applicable",
        busy.pid: "cancelled",
    }
    scene.state(busy, "idle")
    eventually(lambda: busy.error is not None, "the client hears of the cancel")
    assert busy.error is not None
    assert busy.error.pgcode == "57014"
    again = backend(cluster, getattr(cluster, role), toolkit=toolkit, state="cancelled", application_names=[NAME])
    assert again["changed"] is False


def test_check_mode_sends_nothing_and_shows_the_same_victims(cluster: Cluster, scene: Scene) -> None:
    victims = [idle(scene), running(scene)]
    options: dict[str, t.Any] = {"state": "terminated", "application_names": [NAME]}
    with Tap(cluster.host, cluster.port) as tap:
        login = login_through(tap, cluster.login(cluster.admin))
        checked = run_module("gp_backend", {**login, **options, "_ansible_check_mode": True})
        assert not [text for text in tap.statements if any(f"{name}(a.pid" in text for name in SIGNALS)]
    assert all(alive(scene, client) for client in victims)
    assert checked["changed"] is True
    assert checked["diff"]["before"].count(f"{cluster.user}@{cluster.database}") == 2
    assert checked["diff"]["after"] == ""
    assert "nothing was sent" in checked["diff"]["after_header"]
    assert not any(victim["signalled"] for victim in checked["victims"])
    real = backend(cluster, **options)
    assert set(outcomes(real).values()) == {"terminated"}
    assert outcomes(checked) == dict.fromkeys(outcomes(real), "would_be_terminated")


def test_cancel_first(cluster: Cluster, scene: Scene) -> None:
    busy, sitting = running(scene), idle(scene)
    found = backend(
        cluster, cluster.ops, state="terminated", application_names=[NAME], cancel_first=True, grace_period="5s"
    )
    assert outcomes(found) == {busy.pid: "terminated", sitting.pid: "terminated"}
    eventually(lambda: busy.error is not None, "the client hears of it")
    assert busy.error is not None
    assert busy.error.pgcode == "57014"  # it was the cancel that ended the statement


def test_old_records_hit_only_the_very_same(cluster: Cluster, scene: Scene) -> None:
    same, gone, busy = holding(scene), idle(scene), running(scene)
    login = cluster.login(cluster.admin)
    seen = run_module("gp_process_info", {**login, "application_names": [NAME]})
    records = {record["pid"]: record for record in seen["processes"]}
    gone.close()
    # As if the pid of a bystander had been that of a session seen before.
    bystander = scene.client(cluster.user, name="bystander").run("SELECT 1")
    reused = {**records[gone.pid], "pid": bystander.pid}
    eventually(lambda: not alive(scene, gone), "the client has gone")
    for state, expected in (("cancelled", "not_applicable"), ("terminated", "terminated")):
        found = backend(cluster, state=state, processes=[records[same.pid], records[gone.pid], reused])
        assert outcomes(found) == {same.pid: expected, gone.pid: "gone", bystander.pid: "changed"}
    assert alive(scene, bystander)
    # Another statement of the same session is not the one that was seen.
    scene.sql("SELECT pg_catalog.pg_cancel_backend(%s)", (busy.pid,))
    scene.state(busy, "idle")
    busy.start("SELECT pg_sleep(601)")
    scene.state(busy, "active")
    assert outcomes(backend(cluster, state="cancelled", processes=[records[busy.pid]])) == {busy.pid: "changed"}
    assert busy.error is None or "600" not in str(busy.error)
    scene.state(busy, "active")


@pytest.mark.parametrize(("role", "toolkit"), INTERFACES)
@pytest.mark.parametrize("state", ["cancelled", "terminated"])
def test_identity_is_checked_in_the_statement_that_signals(
    cluster: Cluster, scene: Scene, role: str, toolkit: str, state: str
) -> None:
    """The statement itself, with identities that are stale in each part: the server must hit nobody."""
    busy = running(scene)
    login = getattr(cluster, role)
    options: dict[str, t.Any] = {"toolkit": toolkit, "state": state, "pids": [busy.pid]}
    with Tap(cluster.host, cluster.port) as tap:
        run_module("gp_backend", {**login_through(tap, cluster.login(login)), **options, "wait": False})
        signal = next(text for text in tap.statements if any(f"{name}(a.pid" in text for name in SIGNALS))
    eventually(lambda: busy.error is not None or not alive(scene, busy), "the signal arrives")
    victim = running(scene)
    row = scene.sql(
        "SELECT sess_id, backend_start::text, query_start::text FROM pg_catalog.pg_stat_activity WHERE pid = %s",
        (victim.pid,),
    )[0]
    head, tail = signal.split("(VALUES ", 1)
    tail = tail[tail.index(") v (") :]
    connection = cluster.connect(login)

    def run_signal(sess_id: int, started: str, query: str) -> int:
        values = f"({victim.pid}, {sess_id}, '{started}'::timestamptz"
        values += f", '{query}'::timestamptz)" if state == "cancelled" else ")"
        with connection.cursor() as cursor:
            cursor.execute(f"{head}(VALUES {values}{tail}")
            return cursor.rowcount

    try:
        assert run_signal(row[0] + 1, row[1], row[2]) == 0
        assert run_signal(row[0], "2020-01-01 00:00:00+00", row[2]) == 0
        if state == "cancelled":
            assert run_signal(row[0], row[1], "2020-01-01 00:00:00+00") == 0
        assert alive(scene, victim)
        assert victim.error is None
        assert run_signal(*row) == 1
    finally:
        connection.close()


def test_protection(cluster: Cluster, scene: Scene) -> None:
    backup = scene.client(cluster.user, name="gpbackup_history").run("SELECT 1")
    superuser = scene.client(cluster.admin, name=NAME).run("SELECT 1")
    kept = idle(scene, cluster.other)
    victim = idle(scene)
    found = backend(
        cluster,
        state="terminated",
        pids=[backup.pid, superuser.pid, kept.pid, victim.pid],
        protected_users=[cluster.other[:2] + "*"],
        protected_application_users=[cluster.user[:2] + "*"],
    )
    assert outcomes(found) == {
        backup.pid: "protected",
        superuser.pid: "protected",
        kept.pid: "protected",
        victim.pid: "terminated",
    }
    found = backend(
        cluster, toolkit="native", state="terminated", pids=[superuser.pid], protected_users=[], allow_superusers=True
    )
    assert outcomes(found) == {superuser.pid: "terminated"}
    # A name alone protects nobody.
    found = backend(cluster, state="terminated", pids=[backup.pid])
    assert outcomes(found) == {backup.pid: "terminated"}
    assert f"process {backup.pid}, have such a name, which does not protect them" in str(found["warnings"])


def test_a_superusers_backup_is_protected_even_if_superusers_are_not(cluster: Cluster, scene: Scene) -> None:
    backup = scene.client(cluster.admin, name="gpbackup_history").run("SELECT 1")
    allowed: dict[str, t.Any] = {"protected_users": [], "allow_superusers": True}
    found = backend(cluster, toolkit="native", state="terminated", pids=[backup.pid], **allowed)
    assert outcomes(found) == {backup.pid: "protected"}


def test_all_user_sessions_but_the_protected(cluster: Cluster, scene: Scene) -> None:
    if not cluster.embedded:
        pytest.skip("this ends everybody's sessions; it runs on an embedded engine only")
    victims = [idle(scene), holding(scene, cluster.other)]
    found = backend(cluster, cluster.ops, state="terminated", match_all=True)
    assert not found.failed, found
    assert all(outcomes(found)[client.pid] == "terminated" for client in victims)
    assert set(found["counts"]) == {"terminated", "protected"}
    assert scene.sql("SELECT 1") == [(1,)]


def test_no_criterion_is_an_error(cluster: Cluster) -> None:
    cases: list[dict[str, t.Any]] = [{}, {"exclude_users": ["x"]}]
    for more in cases:
        found = backend(cluster, state="terminated", **more)
        assert found.failed
        assert found["option"] == "match_all"


@pytest.mark.parametrize("option", ["wait_timeout", "grace_period"])
def test_a_wait_without_an_end_is_refused_before_the_signal(cluster: Cluster, scene: Scene, option: str) -> None:
    victim = idle(scene)
    found = backend(cluster, state="terminated", pids=[victim.pid], **{option: "9999999999"})
    assert found.failed
    assert found["msg"].startswith(f"{option}: ")
    assert alive(scene, victim)


def test_over_the_cap_nobody_is_signalled(cluster: Cluster, scene: Scene) -> None:
    victims = [idle(scene) for dummy in range(3)]
    found = backend(cluster, state="terminated", application_names=[NAME], max_victims=2)
    assert found.failed
    assert outcomes(found) == dict.fromkeys([client.pid for client in victims], "spared")
    assert all(alive(scene, client) for client in victims)


def test_victims_by_age(cluster: Cluster, scene: Scene) -> None:
    first, second, third = (idle(scene) for dummy in range(3))
    options: dict[str, t.Any] = {"state": "terminated", "application_names": [NAME]}
    assert outcomes(backend(cluster, **options, victims="oldest")) == {first.pid: "terminated"}
    assert outcomes(backend(cluster, **options, victims="all_but_oldest")) == {third.pid: "terminated"}
    assert alive(scene, second)


@pytest.mark.managed
@pytest.mark.parametrize("concurrency", [0, 1])
@pytest.mark.parametrize("role", ["ops", "admin"])
def test_it_ends_sessions_from_its_own_full_group(cluster: Cluster, scene: Scene, role: str, concurrency: int) -> None:
    login = getattr(cluster, role)
    group = scene.group(login)
    if role == "admin" and concurrency == 0:
        concurrency = 1  # the admin group takes no less
    holder = scene.client(login, name=NAME).run("BEGIN", "SELECT 1")
    queued = scene.client(login, name=NAME).start("SELECT 'queued'")
    scene.waiting(queued)
    if concurrency == 0:
        scene.sql(f"ALTER RESOURCE GROUP {group} SET concurrency 0")
    start = time.monotonic()
    found = backend(
        cluster,
        login,
        state="terminated",
        application_names=[NAME],
        timeout=10,
        toolkit="native" if role == "admin" else "auto",
        protected_users=[],
        allow_superusers=True,
    )
    assert not found.failed, found
    assert time.monotonic() - start < 5
    assert outcomes(found) == {holder.pid: "terminated", queued.pid: "terminated"}


@pytest.mark.managed
def test_a_queued_statement_can_be_cancelled(cluster: Cluster, scene: Scene) -> None:
    scene.group(cluster.user)
    scene.client(cluster.user).run("BEGIN", "SELECT 1")
    queued = scene.client(cluster.user, name=NAME).start("SELECT 'queued'")
    scene.waiting(queued)
    found = backend(cluster, cluster.ops, state="cancelled", waiting_for=["resource_group"], users=[cluster.user])
    assert outcomes(found) == {queued.pid: "cancelled"}


@pytest.mark.managed
def test_who_may_not_is_refused(cluster: Cluster, scene: Scene) -> None:
    theirs, own = running(scene, cluster.other), running(scene)
    found = backend(cluster, cluster.user, cluster.plain_database, state="terminated", pids=[theirs.pid, own.pid])
    assert found.failed
    assert outcomes(found) == {theirs.pid: "refused", own.pid: "terminated"}
    assert alive(scene, theirs)
    calm = backend(
        cluster, cluster.user, cluster.plain_database, state="terminated", pids=[theirs.pid], ignore_survivors=True
    )
    assert not calm.failed


@pytest.mark.managed
@pytest.mark.parametrize("state", ["cancelled", "terminated"])
def test_the_engine_s_own_signals_are_no_matter_of_mdb_admin(cluster: Cluster, scene: Scene, state: str) -> None:
    victim = running(scene, cluster.other)
    found = backend(cluster, cluster.ops, state=state, toolkit="native", pids=[victim.pid])
    assert found.failed
    assert outcomes(found) == {victim.pid: "refused"}
    assert found["changed"] is False
    assert alive(scene, victim)
    through_it = backend(cluster, cluster.ops, state=state, pids=[victim.pid])
    assert outcomes(through_it) == {victim.pid: state}


@pytest.mark.managed
def test_as_the_role_of_the_victim_the_engine_s_own_signals_do(cluster: Cluster, scene: Scene) -> None:
    victim = idle(scene, cluster.other)
    names = {"other": sql.Identifier(cluster.other), "ops": sql.Identifier(cluster.ops)}
    scene.sql(sql.SQL("GRANT {other} TO {ops}").format(**names))
    scene.at_the_end(sql.SQL("REVOKE {other} FROM {ops}").format(**names))
    found = backend(
        cluster,
        cluster.ops,
        cluster.plain_database,
        state="terminated",
        session_role=cluster.other,
        pids=[victim.pid],
    )
    assert outcomes(found) == {victim.pid: "terminated"}


@pytest.mark.managed
def test_the_managed_interface_does_not_end_superusers(cluster: Cluster, scene: Scene) -> None:
    superuser = scene.client(cluster.admin, name=NAME).run("SELECT 1")
    found = backend(
        cluster,
        cluster.ops,
        state="terminated",
        pids=[superuser.pid],
        allow_superusers=True,
        protected_users=[],
    )
    assert found.failed
    assert outcomes(found) == {superuser.pid: "refused"}
    assert found["changed"] is False
    assert alive(scene, superuser)


@pytest.mark.parametrize("state", ["cancelled", "terminated"])
def test_a_message_reaches_the_victim_where_the_engine_has_it(cluster: Cluster, scene: Scene, state: str) -> None:
    victim = running(scene)
    options: dict[str, t.Any] = {
        "toolkit": "native",
        "state": state,
        "pids": [victim.pid],
        "victim_message": "call the night shift",
    }
    found = backend(cluster, **options)
    assert outcomes(found) == {victim.pid: state}
    assert "warnings" not in found
    eventually(lambda: victim.error is not None, "the client hears of it")
    if state == "cancelled":  # a terminated client of Greenplum 6 sees its connection close, and no text
        assert "call the night shift" in str(victim.error)


@pytest.mark.parametrize("state", ["cancelled", "terminated"])
def test_a_message_that_the_function_does_not_take(cluster: Cluster, scene: Scene, state: str) -> None:
    victim = running(scene)
    options: dict[str, t.Any] = {"state": state, "pids": [victim.pid], "victim_message": "call the night shift"}
    found = backend(cluster, cluster.ops, **options)
    assert outcomes(found) == {victim.pid: state}
    assert "takes none" in str(found["warnings"])


def test_three_hundred_at_once(cluster: Cluster, scene: Scene) -> None:
    victims = [scene.client(cluster.user, name=NAME) for dummy in range(300 if cluster.embedded else 100)]
    options: dict[str, t.Any] = {"state": "terminated", "application_names": [NAME], "max_victims": 300}
    found = backend(cluster, cluster.ops, **options)
    assert not found.failed, found
    assert outcomes(found) == dict.fromkeys([client.pid for client in victims], "terminated")


def test_few_round_trips(cluster: Cluster, scene: Scene) -> None:
    """Engine, sessions, signal, and a look at the end."""
    for number in range(5):
        scene.client(cluster.user, name=NAME).run(f"SELECT {number}")
    with Tap(cluster.host, cluster.port) as tap:
        login = {**login_through(tap, cluster.login(cluster.admin)), "toolkit": "native"}
        found = run_module("gp_backend", {**login, "state": "terminated", "application_names": [NAME], "wait": False})
        assert not found.failed, found
        assert len(tap.statements) == 4, tap.statements
        assert tap.connections == 1


def test_a_victim_that_cannot_be_ended_is_alive(cluster: Cluster, scene: Scene) -> None:
    """A statement in a loop that catches its own cancel."""
    scene.sql(
        "CREATE OR REPLACE FUNCTION public.gpops_it_stubborn() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
        "FOR i IN 1..40 LOOP BEGIN PERFORM pg_sleep(0.2); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; "
        "END $$"
    )
    victim = scene.client(cluster.user, name=NAME).start("SELECT public.gpops_it_stubborn()")
    scene.state(victim, "active")
    start = time.monotonic()
    found = backend(cluster, state="cancelled", pids=[victim.pid], wait_timeout="1s")
    assert found.failed
    assert outcomes(found) == {victim.pid: "alive"}
    assert found["changed"] is True
    assert "after 1 s" in found["msg"]
    assert time.monotonic() - start < 1 + MARGIN
    assert outcomes(backend(cluster, state="terminated", pids=[victim.pid])) == {victim.pid: "terminated"}
    scene.sql("DROP FUNCTION public.gpops_it_stubborn()")


def test_a_connection_that_goes_silent_at_each_statement(cluster: Cluster, scene: Scene) -> None:
    """The claims agree with what the server says afterwards."""
    for silent_after in range(4):
        victim = idle(scene)
        options = {"state": "terminated", "pids": [victim.pid], "timeout": 2, "wait_timeout": "1s"}
        with Tap(cluster.host, cluster.port, silent_after) as tap:
            start = time.monotonic()
            found = run_module("gp_backend", {**login_through(tap, cluster.login(cluster.admin)), **options})
            assert time.monotonic() - start < 3 + MARGIN
            reached = len(tap.statements)
        assert found.failed
        if silent_after < 3:
            # The statement that signals never arrived.
            assert alive(scene, victim)
            assert reached == silent_after + 1
        else:
            assert not alive(scene, victim)
        if "victims" in found:
            assert outcomes(found) == {victim.pid: "unknown"}
            assert found["victims"][0]["signalled"] is (True if silent_after == 3 else None)
            assert found["changed"] is True
        else:
            assert silent_after < 2
