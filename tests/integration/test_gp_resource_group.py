# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""gp_resource_group and gp_resource_group_info against each engine."""

from __future__ import annotations

import contextlib
import functools
import time
import typing as t

import psycopg2
import pytest
from integration.cluster import MARGIN, Cluster, Scene, eventually
from integration.run_module import Outcome, run_module
from integration.tap import Tap, login_through
from psycopg2 import sql

A, B, ODD = "gpops_it_a", "gpops_it_b", 'Gpops it; "odd"'


@pytest.fixture(autouse=True)
def _clean(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """No group of a test is left behind, nor found, on the cluster that all tests share."""
    if "cluster" not in request.fixturenames:
        yield
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with Scene(cluster) as scene:
        remove(scene)
        yield
        remove(scene)


def remove(scene: Scene) -> None:
    for role in (scene.cluster.user, scene.cluster.other):
        scene.sql(sql.SQL("ALTER ROLE {} RESOURCE GROUP default_group").format(sql.Identifier(role)))
    for name in (A, B, ODD):
        eventually(functools.partial(dropped, scene, name), f"{name} is dropped")


def dropped(scene: Scene, name: str) -> bool:
    with contextlib.suppress(psycopg2.errors.UndefinedObject):
        try:
            scene.sql(sql.SQL("DROP RESOURCE GROUP {}").format(sql.Identifier(name)))
        except psycopg2.errors.DependentObjectsStillExist:
            return False
    return True


def cpu(cluster: Cluster, percent: int) -> dict[str, t.Any]:
    """The option for a percentage on this engine."""
    return {"cpu_rate_limit" if cluster.family == "gp6" else "cpu_max_percent": percent}


def declare(cluster: Cluster, role: str | None = None, **options: t.Any) -> Outcome:
    return run_module("gp_resource_group", {**cluster.login(role or cluster.admin), **options})


def info(cluster: Cluster, *names: str, role: str | None = None, **options: t.Any) -> dict[str, t.Any]:
    login = cluster.login(role or cluster.admin)
    found = run_module("gp_resource_group_info", {**login, "names": list(names) or None, **options})
    assert not found.failed, found
    return {group["name"]: group for group in found["groups"]}


def test_a_group_comes_changes_and_goes(cluster: Cluster) -> None:
    wish: dict[str, t.Any] = {"name": A, "concurrency": 5, **cpu(cluster, 3)}
    checked = declare(cluster, **wish, _ansible_check_mode=True)
    assert not checked.failed, checked
    assert checked["changed"] is True
    assert A not in info(cluster)
    made = declare(cluster, **wish)
    assert not made.failed, made
    assert made["statements"] == checked["statements"]
    assert len(made["statements"]) == 1
    assert made["groups"][0]["before"] is None
    assert made["groups"][0]["after"]["concurrency"] == 5
    assert made["enforced"] is True
    assert (info(cluster)[A]["concurrency"], info(cluster)[A]["cpu_percent"]) == (5, 3)
    again = declare(cluster, **wish)
    assert (again["changed"], again["statements"]) == (False, [])
    changed = declare(cluster, name=A, concurrency=7)
    assert changed["statements"] == [f'ALTER RESOURCE GROUP "{A}" SET concurrency 7']
    assert changed["diff"]["before"][A]["concurrency"] == 5
    assert changed["diff"]["after"][A]["concurrency"] == 7
    gone = declare(cluster, name=A, state="absent")
    assert gone["groups"][0]["after"] is None
    assert A not in info(cluster)
    assert declare(cluster, name=A, state="absent")["changed"] is False


@pytest.mark.parametrize(
    "io_limit",
    [
        "pg_default:rbps=1000,wbps=1000",
        "*: riops = MAX , rbps=2",
        "1663:wiops=7,riops=0",
        "gpops_it_space:riops=9",
        "-1",
    ],
)
def test_an_io_limit_is_what_it_means(cluster: Cluster, scene: Scene, io_limit: str) -> None:
    """Later engines show it with all four settings, and tablespaces by number."""
    declare(cluster, name=A, concurrency=1, **cpu(cluster, 3))
    if "io_limit" not in info(cluster)[A]["raw"]:
        pytest.skip("this engine has no io_limit")
    with tablespace(cluster, scene) if "gpops_it_space" in io_limit else contextlib.nullcontext():
        if io_limit == "-1":
            declare(cluster, name=A, io_limit="pg_default:rbps=5")
        checked = declare(cluster, name=A, io_limit=io_limit, _ansible_check_mode=True)
        assert (checked.failed, checked["changed"]) == (False, True), checked
        made = declare(cluster, name=A, io_limit=io_limit)
        assert not made.failed, made
        assert made["statements"] == checked["statements"]
        if any("the engine took io_limit" in text for text in made.get("warnings", ())):
            pytest.skip("this server keeps no io_limit: it takes cgroup v2")
        for check_mode in (True, False):
            again = declare(cluster, name=A, io_limit=io_limit, _ansible_check_mode=check_mode)
            assert (again["changed"], again["statements"]) == (False, []), again
        if io_limit != "-1":
            shown = info(cluster)[A]["io_limit"]
            assert declare(cluster, name=A, io_limit=shown)["changed"] is False
        declare(cluster, name=A, io_limit="-1")


@pytest.mark.parametrize(
    ("io_limit", "words"),
    [
        ("pg_default:rbps=1", "rbps=1 is not allowed"),
        ("*:rbps=5;pg_default:rbps=5", "cannot stand beside"),
        ("no_such:rbps=5", "there is no tablespace 'no_such'; there are pg_default"),
    ],
)
def test_an_io_limit_that_cannot_be_is_refused_before_anything_is_sent(
    cluster: Cluster, io_limit: str, words: str
) -> None:
    if "io_limit" not in next(iter(info(cluster).values()))["raw"]:
        pytest.skip("this engine has no io_limit")
    found = declare(cluster, name=A, concurrency=1, **cpu(cluster, 3), io_limit=io_limit)
    assert found.failed
    assert found["option"] == "io_limit"
    assert words in found["msg"]
    assert not {"sqlstate", "applied"} & set(found)
    assert A not in info(cluster)


@contextlib.contextmanager
def tablespace(cluster: Cluster, scene: Scene) -> t.Iterator[None]:
    """One with a name of its own, in the embedded server's own folder."""
    if not cluster.embedded:
        pytest.skip("it takes a disk of its own on each host")
    with contextlib.closing(cluster.connect(cluster.admin)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET allow_in_place_tablespaces = on")
            cursor.execute("CREATE TABLESPACE gpops_it_space LOCATION ''")
    try:
        yield
    finally:
        scene.sql("DROP TABLESPACE gpops_it_space")


def test_a_swap_is_legal_at_every_step(cluster: Cluster) -> None:
    room = 100 - sum(group["cpu_percent"] or 0 for group in info(cluster).values())
    high, low = (room - 10, 5) if cluster.family == "gp6" else (50, 30)
    first = [{"name": A, "concurrency": 1, **cpu(cluster, high)}, {"name": B, "concurrency": 1, **cpu(cluster, low)}]
    assert declare(cluster, groups=first)["changed"] is True
    second = [{"name": A, **cpu(cluster, low)}, {"name": B, **cpu(cluster, high)}]
    swapped = declare(cluster, groups=second)
    assert not swapped.failed, swapped
    found = info(cluster)
    assert (found[A]["cpu_percent"], found[B]["cpu_percent"]) == (low, high)
    assert declare(cluster, groups=second)["changed"] is False


def test_a_plan_over_the_sum_is_refused_before_the_first_statement(cluster: Cluster) -> None:
    if cluster.family != "gp6":
        pytest.skip("only Greenplum 6 caps the sums")
    desired_state: list[dict[str, t.Any]] = [
        {"name": A, "concurrency": 1, "cpu_rate_limit": 60},
        {"name": B, "concurrency": 1, "cpu_rate_limit": 60},
    ]
    refused = declare(cluster, groups=desired_state)
    assert refused.failed
    assert "cpu_rate_limit" in refused["msg"]
    assert "100" in refused["msg"]
    assert A not in info(cluster)


def test_odd_names_round_trip(cluster: Cluster) -> None:
    wish: dict[str, t.Any] = {"name": ODD, "concurrency": 2, **cpu(cluster, 2), "roles": [cluster.user]}
    made = declare(cluster, **wish)
    assert not made.failed, made
    found = info(cluster, "Gpops*")[ODD]
    assert (found["concurrency"], found["roles"]) == (2, [cluster.user])
    assert declare(cluster, **wish)["changed"] is False
    kept = declare(cluster, name=ODD, state="absent")
    assert kept.failed
    assert cluster.user in kept["msg"]
    gone = declare(cluster, name=ODD, state="absent", roles_to="default_group")
    assert not gone.failed, gone
    assert cluster.user in info(cluster, "default_group")["default_group"]["roles"]


def test_roles_are_added_and_on_request_removed(cluster: Cluster) -> None:
    wish: dict[str, t.Any] = {"name": A, "concurrency": 2, **cpu(cluster, 2)}
    declare(cluster, **wish, roles=[cluster.user])
    declare(cluster, **wish, roles=[cluster.other])
    assert info(cluster)[A]["roles"] == sorted([cluster.user, cluster.other])
    declare(cluster, **wish, roles=[cluster.other], purge_roles=True)
    assert info(cluster)[A]["roles"] == [cluster.other]


def test_purge_drops_what_is_not_named_and_never_the_built_in(cluster: Cluster) -> None:
    if not cluster.embedded:
        pytest.skip("this drops groups of others; it runs on an embedded engine only")
    keep: dict[str, t.Any] = {"name": A, "concurrency": 1, **cpu(cluster, 1)}
    declare(cluster, groups=[keep, {"name": B, "concurrency": 1, **cpu(cluster, 1)}])
    before = set(info(cluster))
    purged = declare(cluster, groups=[keep], purge=True)
    assert not purged.failed, purged
    assert set(info(cluster)) == before - {B}
    assert declare(cluster, groups=[], purge=True)["failed"]
    assert declare(cluster, groups=[], purge=True, purge_all=True)["changed"] is True
    assert set(info(cluster)) == before - {A, B}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "x" * 64}, "name: "),
        ({"name": "none"}, "name: "),
        ({"name": A, "concurrency": -1}, "concurrency: "),
        ({"groups": [{"name": A}, {"name": A}]}, "groups[1].name: "),
        ({"groups": [], "purge": True}, "purge: "),
        ({}, "name: "),
        ({"name": A, "groups": []}, "name: "),
        ({"groups": [], "concurrency": 3}, "concurrency: "),
    ],
)
def test_bad_input_is_one_error_before_anything_is_sent(options: dict[str, t.Any], words: str) -> None:
    # Nobody listens there: an attempt to connect would say so.
    found = run_module("gp_resource_group", {"login_host": "127.0.0.1", "login_port": 1, **options})
    assert found.failed
    assert found["msg"].startswith(words), found["msg"]


def test_an_option_of_another_engine_lists_those_of_this_one(cluster: Cluster) -> None:
    other = "cpu_max_percent" if cluster.family == "gp6" else "cpu_rate_limit"
    found = run_module("gp_resource_group", {**cluster.login(cluster.admin), "name": A, "concurrency": 1, other: 5})
    assert found.failed
    assert found["msg"].startswith(f"{other}: ")
    assert next(iter(cpu(cluster, 1))) in found["msg"]


def test_over_max_connections(cluster: Cluster) -> None:
    found = declare(cluster, name=A, concurrency=100_000, **cpu(cluster, 1))
    assert found.failed
    assert found["msg"].startswith("concurrency: ")


def test_lowering_below_what_runs_says_so_and_can_wait(cluster: Cluster, scene: Scene) -> None:
    declare(cluster, name=A, concurrency=2, **cpu(cluster, 2), roles=[cluster.user])
    first = scene.client(cluster.user).run("BEGIN", "SELECT 1")
    second = scene.client(cluster.user).run("BEGIN", "SELECT 1")
    lowered = declare(cluster, name=A, concurrency=1)
    assert not lowered.failed, lowered
    group = lowered["groups"][0]
    assert (group["running"], group["effective_now"]) == (2, False)
    assert "still runs 2 transactions" in str(lowered["warnings"])
    declare(cluster, name=A, concurrency=2)
    start = time.monotonic()
    waited = declare(cluster, name=A, concurrency=1, wait=True, wait_timeout="1s")
    assert 1 <= time.monotonic() - start < 10
    assert waited["groups"][0]["effective_now"] is False
    declare(cluster, name=A, concurrency=2)
    longer = declare(cluster, name=A, concurrency=1, wait=True, wait_timeout="4s", timeout=3)
    assert not longer.failed, longer  # the wait comes on top of the timeout
    assert longer["groups"][0]["effective_now"] is False
    first.close()
    second.close()
    declare(cluster, name=A, concurrency=2)
    eventually(
        lambda: (
            declare(cluster, name=A, concurrency=1, wait=True, wait_timeout="5s")["groups"][0]["effective_now"]
            in (True, None)
        ),
        "the lower concurrency holds",
    )


def test_a_failure_in_the_middle_says_what_was_applied_and_can_be_finished(cluster: Cluster) -> None:
    declare(cluster, groups=[{"name": name, "concurrency": 3, **cpu(cluster, 2)} for name in (A, B)])
    desired_state: list[dict[str, t.Any]] = [
        {"name": A, "concurrency": 4, "cpuset": "99"},
        {"name": B, "concurrency": 4},
    ]
    failed = declare(cluster, groups=desired_state)
    assert failed.failed
    assert failed["sqlstate"] == "22023"
    assert "cpuset" in failed["failed_statement"]
    assert [*failed["applied"], failed["failed_statement"], *failed["not_applied"]] == failed["statements"]
    assert failed["changed"] is bool(failed["applied"])
    found = info(cluster)
    for group in failed["groups"]:
        assert group["after"]["concurrency"] == found[group["name"]]["concurrency"]
    del desired_state[0]["cpuset"]
    assert not declare(cluster, groups=desired_state).failed
    assert [info(cluster)[name]["concurrency"] for name in (A, B)] == [4, 4]


@pytest.mark.managed
def test_who_may_not_is_told_which_privilege_is_missing(cluster: Cluster) -> None:
    found = declare(cluster, cluster.user, name=A, concurrency=1, **cpu(cluster, 1))
    assert found.failed
    assert found["sqlstate"] == "42501"
    assert "superuser" in found["msg"]
    assert found["applied"] == []
    assert found["changed"] is False


def test_to_move_a_role_takes_another_privilege_than_to_change_a_group(cluster: Cluster) -> None:
    assert not declare(cluster, name=A, concurrency=1, **cpu(cluster, 1)).failed
    moved = declare(cluster, cluster.ops, name=A, roles=[cluster.user])
    assert (moved.failed, moved["sqlstate"]) == (True, "42501")
    assert "to move a role takes a superuser or a role with CREATEROLE" in moved["msg"]
    admin = declare(cluster, cluster.ops, name="admin_group", concurrency=15)
    assert (admin.failed, admin["sqlstate"]) == (True, "42501")
    assert "admin_group takes a superuser, on every engine" in admin["msg"]


@pytest.mark.managed
def test_what_mdb_admin_may_change(cluster: Cluster, scene: Scene) -> None:
    """On the managed engine groups but the admin group, and no role's group; elsewhere nothing."""
    made = declare(cluster, cluster.ops, name=A, concurrency=1, **cpu(cluster, 1))
    assert made.failed is not cluster.managed, made
    if not cluster.managed:
        assert (made["sqlstate"], made["changed"]) == ("42501", False)
        return
    assert declare(cluster, cluster.ops, name=A, concurrency=2)["changed"]
    scene.keep_default_group()
    assert declare(cluster, cluster.ops, name="default_group", concurrency=19)["changed"]
    admin_group = declare(cluster, cluster.ops, name="admin_group", concurrency=9, allow_lockout=True)
    assert (admin_group.failed, admin_group["sqlstate"], admin_group["changed"]) == (True, "42501", False)
    roles = declare(cluster, cluster.ops, name=A, concurrency=3, roles=[cluster.user])
    assert (roles.failed, roles["sqlstate"], roles["changed"]) == (True, "42501", True)
    assert info(cluster, role=cluster.ops)[A]["concurrency"] == 3
    assert declare(cluster, cluster.ops, name=A, state="absent")["changed"]


def test_what_can_lock_out_needs_a_word(cluster: Cluster) -> None:
    found = declare(cluster, name="admin_group", concurrency=1)
    assert found.failed
    assert "allow_lockout" in found["msg"]


def test_from_the_full_admin_group(cluster: Cluster, scene: Scene) -> None:
    scene.group(cluster.admin)
    holder = scene.client(cluster.admin).run("BEGIN", "SELECT 1")
    start = time.monotonic()
    made = declare(cluster, name=A, concurrency=1, **cpu(cluster, 1), timeout=10)
    assert not made.failed, made
    assert time.monotonic() - start < 8
    holder.run("ROLLBACK")


def test_few_round_trips(cluster: Cluster) -> None:
    """Engine, groups, each change, and the groups again."""
    declare(cluster, groups=[{"name": name, "concurrency": 3, **cpu(cluster, 2)} for name in (A, B)])
    with Tap(cluster.host, cluster.port) as tap:
        desired_state = [{"name": name, "concurrency": 4, **cpu(cluster, 3)} for name in (A, B)]
        made = run_module(
            "gp_resource_group", {**login_through(tap, cluster.login(cluster.admin)), "groups": desired_state}
        )
        assert not made.failed, made
        assert len(made["statements"]) == 4
        assert len(tap.statements) == 4 + 3
        assert tap.connections == 1


def test_info_has_the_same_names_on_all_engines(cluster: Cluster) -> None:
    found = info(cluster, "default_group", status=True)["default_group"]
    assert found["concurrency"] == int(found["raw"]["concurrency"])
    assert isinstance(found["cpu_percent"], int)
    assert cluster.user in found["roles"]
    assert set(found["status"]) == {"running", "queueing", "queued", "executed", "queue_seconds"}
    assert found["status"]["queue_seconds"] >= 0
    assert "status" not in info(cluster, "default_group")["default_group"]
    assert info(cluster, "no such group") == {}
    assert set(info(cluster)) >= {"admin_group", "default_group"}


def test_an_ordinary_role_reads_the_same(cluster: Cluster) -> None:
    """Where it reads the catalog and not the view, so that a full group does not stop it."""
    declare(cluster, name=A, concurrency=2, **cpu(cluster, 3), roles=[cluster.other])
    declare(cluster, name=B, concurrency=2, cpuset="0")
    found = info(cluster)
    assert found[B]["cpuset"] == "0"
    assert info(cluster, role=cluster.user) == found


def test_reading_from_a_full_group(cluster: Cluster, scene: Scene) -> None:
    group = scene.group(cluster.user)
    holder = scene.client(cluster.user).run("BEGIN", "SELECT 1")
    start = time.monotonic()
    assert info(cluster, group, role=cluster.user)[group]["concurrency"] == 1
    wish = {"name": "default_group", "concurrency": 2}
    assert time.monotonic() - start < MARGIN
    drift = declare(cluster, cluster.user, **wish, _ansible_check_mode=True, timeout=3)
    with_status = run_module(
        "gp_resource_group_info", {**cluster.login(cluster.user), "names": [group], "status": True, "timeout": 3}
    )
    assert not drift.failed, drift
    assert drift["changed"] is True
    assert not with_status.failed, with_status
    if not scene.waits_in_group:  # a real Greenplum 6 counts our own session too
        assert with_status["groups"][0]["status"]["running"] in (1, 2)
    else:
        assert with_status["groups"][0]["status"] is None
        assert f"there is no status: resource group {group} of role" in str(with_status["warnings"])
        assert "what runs in the groups is unknown" in str(drift["warnings"])
    holder.run("ROLLBACK")


def test_info_shows_the_queue(cluster: Cluster, scene: Scene) -> None:
    declare(cluster, name=A, concurrency=1, **cpu(cluster, 1), roles=[cluster.user])
    holder = scene.client(cluster.user).run("BEGIN", "SELECT 1")
    queued = scene.client(cluster.user).start("SELECT 1")
    scene.waiting(queued)
    status = info(cluster, A, status=True)[A]["status"]
    assert (status["running"], status["queueing"]) == (1, 1)
    holder.close()
    queued.close()


def test_where_nothing_gets_past_the_full_group(cluster: Cluster, scene: Scene) -> None:
    if not scene.waits_in_group:
        pytest.skip("on this engine every role gets past")
    scene.group(cluster.user)
    holder = scene.client(cluster.user).run("BEGIN", "SELECT 1")
    start = time.monotonic()
    found = declare(cluster, cluster.user, name=B, concurrency=1, **cpu(cluster, 1), timeout=2)
    assert time.monotonic() - start < 2 + MARGIN
    assert found.failed
    assert "resource group gpops_it_group of role" in found["msg"]
    holder.close()


@pytest.mark.parametrize("manager", ["queue", "none"])
def test_groups_that_are_not_enforced_are_stored_with_a_warning(
    special: t.Callable[..., Cluster], manager: str
) -> None:
    cluster = special(resource_manager=manager)
    made = declare(cluster, name=A, concurrency=3, **cpu(cluster, 2))
    assert not made.failed, made
    assert made["enforced"] is False
    assert f"gp_resource_manager is {manager}" in str(made["warnings"])
    found = run_module("gp_resource_group_info", {**cluster.login(cluster.admin), "names": [A], "status": True})
    assert (found["enforced"], found["groups"][0]["status"]) == (False, None)
    assert declare(cluster, name=A, state="absent")["changed"] is True
