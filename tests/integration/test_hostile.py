# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users of the database who try to hide, or to make the tool tell what is not so."""

from __future__ import annotations

import contextlib
import threading
import typing as t

import psycopg2
import pytest
from integration.cluster import Client, Cluster, Scene, eventually
from integration.run_module import Outcome, run_module

NAME = "gpops victim"


def listed(cluster: Cluster, role: str | None = None, **options: t.Any) -> Outcome:
    found = run_module("gp_process_info", {**cluster.login(role or cluster.admin), **options})
    assert not found.failed, found
    return found


def end(cluster: Cluster, role: str | None = None, **options: t.Any) -> Outcome:
    return run_module("gp_backend", {**cluster.login(role or cluster.admin), "state": "terminated", **options})


def enforce(cluster: Cluster, **policy: t.Any) -> Outcome:
    rule = {"name": "it", "state": "terminated", **policy}
    return run_module("gp_policy", {**cluster.login(cluster.admin), "policies": [rule], "mode": "enforce"})


def processes(found: Outcome) -> dict[int, dict[str, t.Any]]:
    return {record["pid"]: record for record in found["processes"]}


def alive(scene: Scene, client: Client) -> bool:
    # Not the view, which on Greenplum 6 leaves out whose role was dropped.
    return bool(scene.sql("SELECT 1 FROM pg_catalog.pg_stat_get_activity(%s)", (client.pid,)))


def hider(scene: Scene, role: str | None = None, name: str = NAME) -> tuple[Client, Client]:
    """A session, and one in utility mode that bears its number."""
    honest = scene.client(scene.cluster.user, name="honest").run("SELECT 1")
    return honest, scene.alone(role or scene.cluster.other, scene.number(honest), name).run("SELECT 1")


@pytest.mark.parametrize("role", ["admin", "ops"])
def test_a_session_with_the_number_of_another_is_listed(cluster: Cluster, scene: Scene, role: str) -> None:
    honest, forger = hider(scene)
    found = listed(cluster, getattr(cluster, role))
    records = processes(found)
    assert {honest.pid, forger.pid} <= records.keys()
    if not records[forger.pid]["backend_start"]:
        return  # of hidden rows nothing more is known
    assert (records[honest.pid]["kind"], records[forger.pid]["kind"]) == ("session", "utility")
    assert f"process {forger.pid}" in found.output
    assert found["readers"] == 0


def test_it_can_be_ended_by_its_pid_and_by_its_name(cluster: Cluster, scene: Scene) -> None:
    honest, forger = hider(scene)
    by_pid = end(cluster, pids=[forger.pid])
    assert [victim["outcome"] for victim in by_pid["victims"]] == ["terminated"]
    assert not alive(scene, forger)
    another = scene.alone(cluster.other, scene.number(honest), NAME)
    by_name = end(cluster, application_names=[NAME])
    assert {victim["pid"]: victim["outcome"] for victim in by_name["victims"]} == {another.pid: "terminated"}
    assert alive(scene, honest)


def test_a_number_that_two_bear_chooses_nobody(cluster: Cluster, scene: Scene) -> None:
    honest, forger = hider(scene)
    refused = end(cluster, session_ids=[scene.number(honest)])
    assert refused.failed
    assert refused["msg"].startswith("session_ids: ")
    assert f"{min(honest.pid, forger.pid)}, {max(honest.pid, forger.pid)}" in refused["msg"]
    assert alive(scene, honest)
    assert alive(scene, forger)


def test_who_hides_and_holds_up_others_is_the_root(cluster: Cluster, scene: Scene) -> None:
    """Four wait behind a lock of one in utility mode, which holds nothing on segments."""
    table = scene.table()
    honest, forger = hider(scene)
    forger.run("BEGIN", f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    waiters = [scene.client(cluster.user, name="waiter").start(f"SELECT * FROM {table}") for _each in range(4)]
    for waiter in waiters:
        scene.waiting(waiter)
    records = processes(listed(cluster))
    assert records[forger.pid]["blocks"] == sorted(waiter.pid for waiter in waiters)
    assert records[honest.pid]["blocks"] == []
    done = enforce(cluster, max_held_up=2)
    assert {victim["pid"] for victim in done["victims"] if victim["signalled"]} == {forger.pid}
    assert done["policies"][0]["outcome"] == "done", done
    eventually(lambda: all(waiter.is_done() for waiter in waiters), "those that waited go on")


def test_one_in_utility_mode_is_named_when_it_holds_up_somebody(cluster: Cluster, scene: Scene) -> None:
    """With a number of its own, only its locks tell."""
    table = scene.table()
    holder = scene.alone(cluster.other).run("BEGIN", f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    waiter = scene.client(cluster.user).start(f"SELECT * FROM {table}")
    scene.waiting(waiter)
    records = processes(listed(cluster))
    assert records[holder.pid]["kind"] == "utility"
    assert records[waiter.pid]["kind"] == "session"
    assert records[holder.pid]["blocks"] == [waiter.pid]


def test_nobody_is_left_means_nobody(cluster: Cluster, scene: Scene) -> None:
    """Six sessions of a role, five of them behind the number of another one."""
    honest = scene.client(cluster.user, name="honest").run("SELECT 1")
    first = scene.client(cluster.other, name=NAME).run("SELECT 1")
    rest = [scene.alone(cluster.other, scene.number(honest), NAME) for _each in range(5)]
    done = enforce(cluster, users=[cluster.other], quiet_for="1s")
    assert done["policies"][0]["outcome"] == "done", done
    assert {victim["pid"] for victim in done["victims"]} == {first.pid, *(client.pid for client in rest)}
    assert not any(alive(scene, client) for client in (first, *rest))
    assert alive(scene, honest)


def dropped(scene: Scene, *statements: str, name: str = NAME) -> Client:
    """A session that ran these statements, and whose role was dropped while it was there."""
    scene.sql("CREATE ROLE gpops_it_gone LOGIN PASSWORD %s", (scene.cluster.password("gpops_it_gone"),))
    try:
        return scene.client("gpops_it_gone", name=name).run(*statements)
    finally:
        scene.sql("DROP ROLE gpops_it_gone")


@pytest.mark.parametrize("role", ["admin", "ops"])
def test_a_session_whose_role_was_dropped_is_listed(cluster: Cluster, scene: Scene, role: str) -> None:
    gone = dropped(scene)
    found = listed(cluster, getattr(cluster, role))
    records = processes(found)
    assert gone.pid in records
    assert records[gone.pid]["usename"] is None
    assert records[gone.pid]["kind"] == "session"
    if not records[gone.pid]["backend_start"]:
        assert found["hidden"] > 0


def test_a_session_whose_role_was_dropped_is_spared_in_words_and_can_be_ended(cluster: Cluster, scene: Scene) -> None:
    table = scene.table()
    gone = dropped(scene, "BEGIN", f"LOCK TABLE {table} IN ACCESS SHARE MODE")
    waiter = scene.client(cluster.user).start(f"ALTER TABLE {table} ADD COLUMN b int")
    spared = end(cluster, pids=[gone.pid])
    assert [victim["outcome"] for victim in spared["victims"]] == ["protected"]
    assert "its role was dropped" in spared["victims"][0]["reason"]
    done = end(cluster, pids=[gone.pid], protected_users=[], allow_superusers=True, toolkit="native")
    assert [victim["outcome"] for victim in done["victims"]] == ["terminated"], done
    assert not alive(scene, gone)
    with contextlib.suppress(psycopg2.Error):
        waiter.close()


def test_a_policy_that_is_refused_says_whom_it_ended_before(cluster: Cluster, scene: Scene) -> None:
    """Two end, and with the one that comes back the limit is reached."""
    first = [scene.client(cluster.other, name=NAME).run("SELECT 1") for _each in range(2)]

    def back() -> None:
        eventually(lambda: not any(alive(scene, client) for client in first), "both have ended")
        scene.client(cluster.other, name=NAME).run("SELECT 1")

    comes_back = threading.Thread(target=back)
    comes_back.start()
    found = enforce(cluster, users=[cluster.other], quiet_for="3s", max_victims=2)
    comes_back.join()
    assert found.failed
    assert found["policies"][0]["outcome"] == "refused", found
    assert "2 sessions were signalled before that, and nobody more" in found["policies"][0]["reason"]
    assert "nobody was signalled" not in found["policies"][0]["reason"]


def test_the_helper_of_a_query_is_no_session(cluster: Cluster, scene: Scene) -> None:
    """Rows of a catalog that go to the segments are read by a process of their own."""
    if cluster.embedded:
        pytest.skip("the embedded engine starts no such helpers")
    table = scene.table()
    scene.sql(f"GRANT ALL ON {table} TO PUBLIC")
    slow = f"INSERT INTO {table} SELECT (pg_sleep(0.5) IS NULL)::int FROM pg_catalog.pg_class"
    client = scene.client(cluster.user, name=NAME).start(slow)
    of_session = "SELECT pid FROM pg_catalog.pg_stat_activity WHERE sess_id = %s AND pid <> %s"
    number = scene.number(client)
    helper = eventually(lambda: scene.sql(of_session, (number, client.pid)), "the query has a helper")[0][0]
    found = listed(cluster)
    assert found["readers"] >= 1
    assert helper not in processes(found)
    assert processes(found)[client.pid]["kind"] == "session"
    told = end(cluster, pids=[helper])
    assert [victim["outcome"] for victim in told["victims"]] == ["not_applicable"]
    assert f"process {client.pid}" in told["victims"][0]["reason"]
    assert end(cluster, session_ids=[number])["counts"] == {"terminated": 1}


def test_who_locks_the_catalog_of_his_database_is_seen_from_another(cluster: Cluster, scene: Scene) -> None:
    """A login to that database hangs; the error says where to go, and there he is the one who holds it up."""
    scene.sql(f"CREATE DATABASE gpops_it_owned OWNER {cluster.user}")
    scene.at_the_end("DROP DATABASE gpops_it_owned")
    reader = scene.client(cluster.user, "gpops_it_owned").run("BEGIN", "SELECT count(*) FROM pg_catalog.pg_class")
    locker = scene.client(cluster.user, "gpops_it_owned", name=NAME).start("VACUUM FULL pg_catalog.pg_class")
    scene.waiting(locker)
    stuck = run_module("gp_process_info", {**cluster.login(cluster.admin, "gpops_it_owned"), "timeout": 2})
    assert stuck.failed
    assert "set login_db to another database" in stuck["msg"]
    records = processes(listed(cluster))
    assert reader.pid in records[locker.pid]["blocked_by"]
    assert end(cluster, pids=[reader.pid, locker.pid])["counts"] == {"terminated": 2}
