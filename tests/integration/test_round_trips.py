# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many round trips each operation takes: over a long line they are what a task costs."""

from __future__ import annotations

import typing as t

import pytest
from integration.cluster import Cluster, Scene
from integration.run_module import Outcome, run_module
from integration.tap import Tap, login_through

NAME = "gpops it trips"


def through(cluster: Cluster, role: str, module: str, **options: t.Any) -> tuple[Outcome, Tap]:
    with Tap(cluster.host, cluster.port) as tap:
        found = run_module(module, {**login_through(tap, cluster.login(role)), **options})
    assert not found.failed, found
    return found, tap


@pytest.mark.parametrize("options", [{}, {"fields": ["pid"]}, {"blocking": 1}])
def test_a_look_takes_two(options: dict[str, t.Any], cluster: Cluster, scene: Scene) -> None:
    """Engine and sessions; the locks as well only if somebody may wait and somebody asks."""
    scene.client(cluster.user).run("SELECT 1")
    _found, tap = through(cluster, cluster.admin, "gp_process_info", **options)
    if cluster.embedded:  # others may be busy on a real cluster
        assert (tap.connections, len(tap.statements)) == (1, 2), tap.statements
    scene.state(scene.client(cluster.user).start("SELECT pg_sleep(600)"), "active")
    _found, tap = through(cluster, cluster.admin, "gp_process_info", **options)
    assert (tap.connections, len(tap.statements)) == (1, 2 if "fields" in options else 3), tap.statements


def test_a_look_by_mdb_toolkit_takes_one_more(cluster: Cluster, scene: Scene) -> None:
    """A session that ends that one's process, which may wait for the segments before its end."""
    scene.client(cluster.user).run("SELECT 1")
    found, tap = through(cluster, cluster.ops, "gp_process_info", fields=["pid"])
    assert found["hidden"] == 0
    assert (tap.connections, len(tap.statements)) == (2, 3), tap.statements


@pytest.mark.parametrize("state", ["cancelled", "terminated"])
def test_signals_take_three_and_one_for_each_look(state: str, cluster: Cluster, scene: Scene) -> None:
    for _number in range(5):
        scene.state(scene.client(cluster.user, name=NAME).start("SELECT pg_sleep(600)"), "active")
    options = {"state": state, "application_names": [NAME], "toolkit": "native"}
    found, tap = through(cluster, cluster.admin, "gp_backend", **options)
    assert found["counts"] == {state: 5}
    signals = [number for number, text in enumerate(tap.statements) if "_backend(a.pid" in text]
    assert signals == [2], tap.statements
    # All after it looks whether they are gone.
    looks = tap.statements[3:]
    assert looks
    assert all(text.startswith("SELECT a.pid, a.sess_id") for text in looks)
    assert tap.connections == 1


def test_the_managed_interface_takes_a_connection_for_each_call(cluster: Cluster, scene: Scene) -> None:
    """After a call of mdb_toolkit the next statement may wait, for a segment that hangs or for a slot."""
    scene.client(cluster.user, name=NAME)
    options = {"state": "terminated", "application_names": [NAME], "wait": False}
    _found, tap = through(cluster, cluster.ops, "gp_backend", **options)
    # Engine, sessions, the signal and the one look; for each of the last two a new connection, which ends the process
    # of the one before. Before the signal it says which database it is in.
    assert (tap.connections, len(tap.statements)) == (3, 7), tap.statements


def groups(cluster: Cluster, number: int, concurrency: int) -> dict[str, t.Any]:
    cpu = {"cpu_rate_limit": 1, "memory_limit": 1} if cluster.family == "gp6" else {"cpu_max_percent": 1}
    names = [f"gpops_it_trips_{each}" for each in range(number)]
    return {"groups": [{"name": name, "concurrency": concurrency, **cpu} for name in names]}


def test_a_plan_takes_three_more_than_its_changes(cluster: Cluster) -> None:
    try:
        made, tap = through(cluster, cluster.admin, "gp_resource_group", **groups(cluster, 3, 2))
        assert len(tap.statements) <= len(made["statements"]) + 3, tap.statements
        raised, tap = through(cluster, cluster.admin, "gp_resource_group", **groups(cluster, 3, 3))
        assert len(raised["statements"]) == 3
        assert len(tap.statements) == 3 + 3, tap.statements
        same, tap = through(cluster, cluster.admin, "gp_resource_group", **groups(cluster, 3, 3))
        assert (same["changed"], len(tap.statements)) == (False, 2)
        # And two for what runs in the groups, before and after, where that matters.
        lowered, tap = through(cluster, cluster.admin, "gp_resource_group", **groups(cluster, 3, 1))
        assert len(lowered["statements"]) == 3
        assert len(tap.statements) == 3 + 5, tap.statements
    finally:
        gone = [{"name": each["name"], "state": "absent"} for each in groups(cluster, 3, 1)["groups"]]
        dropped, tap = through(cluster, cluster.admin, "gp_resource_group", groups=gone)
        assert len(tap.statements) <= len(dropped["statements"]) + 4, tap.statements
        assert tap.connections == 1


def test_reading_groups_takes_two(cluster: Cluster) -> None:
    _found, tap = through(cluster, cluster.admin, "gp_resource_group_info")
    assert (tap.connections, len(tap.statements)) == (1, 2)


def test_policies_share_a_look(cluster: Cluster) -> None:
    """Engine, guards and one look, however many policies there are."""
    policies = [
        {"name": f"policy {number}", "state": "terminated", "application_names": [f"{NAME} {number}"]}
        for number in range(5)
    ]
    for number in (1, 5):
        _found, tap = through(cluster, cluster.admin, "gp_policy", policies=policies[:number])
        assert tap.connections == 1
        assert len(tap.statements) <= 3, tap.statements
