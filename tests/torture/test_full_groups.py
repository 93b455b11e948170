# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each module as each kind of role whose own resource group lets nobody in."""

from __future__ import annotations

import typing as t

import pytest
from integration.cluster import Cluster, Scene
from psycopg2 import sql
from torture import figures, forge
from torture.conversations import fresh_tag

TIMEOUT = 5.0
MARGIN = 2.0
KINDS = ("admin", "ops", "user")
MODULES = ("gp_process_info", "gp_resource_group_info", "gp_backend", "gp_policy", "gp_resource_group", "gp_admission")
CHANGES = ("gp_resource_group", "gp_admission")
ENDS = ("gp_backend", "gp_policy")


def options_of(module: str, kind: str, tag: str) -> dict[str, t.Any]:
    """Options with which the module has something to do."""
    # The managed interface signals no superuser's session.
    toolkit = {"toolkit": "native" if kind == "admin" else "auto"}
    victims = {
        "state": "terminated",
        "application_names": [tag],
        "protected_users": [],
        "allow_superusers": True,
    }
    if module == "gp_backend":
        return {**victims, **toolkit}
    if module == "gp_policy":
        return {"mode": "enforce", "policies": [{"name": "full", **victims}], "max_share": 100, **toolkit}
    if module == "gp_admission":
        return {"roles": [{"name": tag, "connection_limit": 7}]}
    if module == "gp_resource_group":
        return {"name": "default_group", "concurrency": 37}
    return {}


def expected(module: str, kind: str, scene: Scene) -> str:
    """What must come of it."""
    if kind == "admin" or module not in CHANGES:
        return "works"
    # Past the queue it learns that it may not: only a managed service lets others change groups.
    return "is full" if scene.waits_in_group else "is not allowed to"


@pytest.mark.parametrize("room", [1, 0])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("module", MODULES)
def test_a_full_group_stops_nobody_silently(cluster: Cluster, scene: Scene, module: str, kind: str, room: int) -> None:
    role, tag = getattr(cluster, kind), fresh_tag()
    if kind == "admin" and room == 0:
        pytest.skip("the engines refuse concurrency 0 for a superuser's group")
    scene.keep_default_group()
    if module == "gp_admission":
        scene.role(tag)
    group = scene.group(role)
    holder = scene.client(role, name=tag).run("BEGIN", "SELECT 1")
    if not room:
        scene.sql(sql.SQL("ALTER RESOURCE GROUP {} SET concurrency 0").format(sql.Identifier(group)))
    login = {**cluster.login(role), "timeout": TIMEOUT}
    done = forge.run(module, {**login, **options_of(module, kind, tag)})
    assert not done.crashed, done.output
    assert done.seconds < TIMEOUT + 30 * (module in ENDS) + MARGIN
    said, wanted = done.outcome, expected(module, kind, scene)
    alive = scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s", (holder.pid,))
    figures.record(
        "full groups", cluster.family, {f"{module} as {kind}, room for {room}": said.get("msg", "works").split(". ")[0]}
    )
    if wanted == "works":
        assert not said.failed, said["msg"]
        assert bool(alive) != (module in ENDS)
    elif wanted == "is full":
        assert f"resource group {group} of role {role} is full" in said["msg"]
        assert not said.get("changed")
    else:
        assert said.failed
        assert said["sqlstate"] == "42501"
