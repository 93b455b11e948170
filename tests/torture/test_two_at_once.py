# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two copies of a task at the same time: both end, and both tell the truth."""

from __future__ import annotations

import collections
import concurrent.futures
import typing as t

import pytest
from integration.cluster import Cluster, Scene
from torture import figures, forge
from torture.conversations import Planning, fresh_tag
from torture.scale import scaled

SESSIONS = 20
ROUNDS = scaled(2, 25)


def both(module: str, first: dict[str, t.Any], second: dict[str, t.Any]) -> list[forge.Run]:
    """The two, started together."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda options: forge.run(module, options), (first, second)))
    for run in runs:
        assert not run.crashed, run.output
    return runs


@pytest.mark.parametrize("state", ["terminated", "cancelled"])
def test_both_end_the_same_sessions(cluster: Cluster, state: str) -> None:
    seen: collections.Counter[str] = collections.Counter()
    for _each in range(ROUNDS):
        with Scene(cluster) as scene:
            seen += end_twice(cluster, scene, state)
    figures.record("two at once", cluster.family, {f"{state}, outcomes": dict(seen)})


def end_twice(cluster: Cluster, scene: Scene, state: str) -> collections.Counter[str]:
    tag = fresh_tag()
    clients = [
        scene.client(cluster.user, name=tag).start("SELECT pg_catalog.pg_sleep(600)") for _session in range(SESSIONS)
    ]
    for client in clients:
        scene.state(client, "active")
    task = {**cluster.login(cluster.ops), "state": state, "application_names": [tag]}
    runs = both(
        "gp_backend",
        task,
        {
            **cluster.login(cluster.admin),
            **task,
            "login_user": cluster.admin,
            "login_password": cluster.password(cluster.admin),
        },
    )
    signalled: set[int] = set()
    seen: collections.Counter[str] = collections.Counter()
    for run in runs:
        assert not run.outcome.failed, run.outcome
        for record in run.outcome["victims"]:
            seen[record["outcome"]] += 1
            if record["signalled"]:
                signalled.add(record["pid"])
            assert record["outcome"] in (state, "gone", "changed", "not_applicable"), record
    rows = scene.sql(
        "SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = %s AND state = 'active'", (tag,)
    )
    assert not rows
    assert signalled == {client.pid for client in clients}
    return seen


def test_both_declare_other_groups(cluster: Cluster) -> None:
    seen: collections.Counter[str] = collections.Counter()
    for _each in range(ROUNDS):
        with Scene(cluster) as scene:
            seen += declare_twice(cluster, scene)
    figures.record("two at once", cluster.family, {"plans": dict(seen)})


def declare_twice(cluster: Cluster, scene: Scene) -> collections.Counter[str]:
    planning = Planning(scene, fresh_tag())
    options = planning.options()
    login = {**cluster.login(cluster.admin), "timeout": 20}
    first = {**options, **login}
    old, new, gone = options["groups"]
    second = {**options, **login, "groups": [{**old, "concurrency": 9}, {**new, "concurrency": 8}, gone]}
    runs = both("gp_resource_group", first, second)
    seen: collections.Counter[str] = collections.Counter()
    for run in runs:
        seen["failed" if run.outcome.failed else "done"] += 1
        if run.outcome.failed:
            # What the other one did first: it says so, and what it did itself.
            assert run.outcome["msg"], run.outcome
            assert bool(run.outcome["applied"]) <= bool(run.outcome["changed"]), run.outcome
            assert run.outcome["failed_statement"]
    rows = dict(
        scene.sql(
            "SELECT groupname, concurrency::int FROM gp_toolkit.gp_resgroup_config WHERE groupname LIKE %s",
            (f"{old['name'][:-3]}%",),
        )
    )
    assert rows[old["name"]] in (3, 9)
    assert rows[new["name"]] in (2, 8)
    assert gone["name"] not in rows
    again = forge.run("gp_resource_group", first).outcome
    assert not again.failed, again
    assert all(planning._now().values())
    return seen
