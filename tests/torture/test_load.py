# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many sessions, many victims, many groups; and how much memory a module takes for it."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import desired
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import plan as plans
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, Group, Plan, Step
from integration.cluster import Cluster, Scene
from integration.run_module import Outcome, run_measured, run_module
from sandbox import rules
from sandbox.profiles import PROFILES
from torture import figures
from torture.conversations import fresh_tag
from torture.scale import scaled

LISTED = scaled(200, 1000)
KILLED = LISTED // 2
GROUPS = 200
LOCK_ROWS = 120_000
MEGABYTES = 100
TIMEOUT = 30.0
PROFILE = PROFILES["gp7"]


def measured(name: str, options: dict[str, t.Any]) -> tuple[Outcome, float, float]:
    """The outcome in a process of its own, its seconds, and the largest size of any module's process so far."""
    before = time.monotonic()
    said = run_module(name, options)
    seconds = time.monotonic() - before
    return said, seconds, peak(name, options)


def peak(name: str, options: dict[str, t.Any]) -> float:
    """The largest size in megabytes of a process that runs this once more, in check mode."""
    said, megabytes = run_measured(name, {**options, "_ansible_check_mode": True})
    assert not said.failed, said["msg"]
    return megabytes


@pytest.fixture
def crowd(cluster: Cluster, scene: Scene) -> t.Iterator[str]:
    """Many sessions, each with a long text; their application name."""
    free = int(scene.sql("SHOW max_connections")[0][0]) - 60
    if free < LISTED:
        pytest.skip(f"the server takes {free} connections, this needs {LISTED}")
    # In a transaction each of them would need a slot, so they are idle after their statement.
    tag = fresh_tag()
    text = f"SELECT 1 -- {'x' * 900}"
    with contextlib.ExitStack() as stack:
        lock = threading.Lock()

        def open_some(number: int) -> None:
            for _each in range(number):
                connection = cluster.connect(cluster.user, application_name=tag)
                with lock:
                    stack.callback(connection.close)
                with connection.cursor() as cursor:
                    cursor.execute(text)

        workers = [threading.Thread(target=open_some, args=(LISTED // 4,)) for _each in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        yield tag


def test_many_sessions(cluster: Cluster, scene: Scene, crowd: str) -> None:
    login = {**cluster.login(cluster.admin), "timeout": TIMEOUT, "application_names": [crowd]}
    listed, seconds, megabytes = measured("gp_process_info", login)
    assert listed["count"] == len(listed["processes"]) == LISTED
    assert seconds < TIMEOUT
    assert megabytes < MEGABYTES
    noted = {f"{LISTED} listed, s": round(seconds, 2), "listing, MB": round(megabytes)}
    pids = sorted(record["pid"] for record in listed["processes"])[:KILLED]
    task = {**login, "pids": pids, "state": "terminated", "max_victims": KILLED}
    megabytes = peak("gp_backend", task)
    before = time.monotonic()
    ended = run_module("gp_backend", task)
    seconds = time.monotonic() - before
    assert not ended.failed, ended["msg"]
    assert ended["counts"] == {"terminated": KILLED}
    assert megabytes < MEGABYTES
    left = scene.sql("SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name = %s", (crowd,))
    assert left == [(LISTED - KILLED,)]
    figures.record(
        "load",
        cluster.family,
        {**noted, f"{KILLED} ended, s": round(seconds, 2), "ending, MB": round(megabytes)},
    )


def test_a_big_lock_table(cluster: Cluster, scene: Scene) -> None:
    """Of its rows only those of the jam reach the module."""
    holder, waiter = scene.jam()
    scene.many_locks(LOCK_ROWS)
    login = {**cluster.login(cluster.ops), "timeout": TIMEOUT}
    listed, listing = run_measured("gp_process_info", login)
    assert listed.by_pid[waiter.pid]["blocked_by"] == [holder.pid]
    ended, ending = run_measured("gp_backend", {**login, "state": "terminated", "blocking": 1, "pids": [holder.pid]})
    assert ended["counts"] == {"terminated": 1}
    assert max(listing, ending) < MEGABYTES
    figures.record(
        "load",
        cluster.family,
        {
            f"listing beside {LOCK_ROWS} lock rows, MB": round(listing),
            "breaking a jam there, MB": round(ending),
        },
    )


def rendered(step: Step) -> rules.GroupStatement:
    """The step as the model of the engines' rules takes it."""
    if step.kind == "drop":
        return rules.DropGroup(step.group)
    if step.kind == "create":
        limits = tuple((name, rules.Value("int", text)) for name, text in step.limits.items())
        return rules.CreateGroup(step.group, limits)
    return rules.AlterGroup(step.group, str(step.option), rules.Value("int", str(step.value)))


def played(state: rules.GroupState, steps: t.Iterable[Step]) -> rules.GroupState:
    """The model after these steps, each of which it must take."""
    for step in steps:
        taken = rules.evaluate(PROFILE, state, rendered(step), rules.Actor(superuser=True), rules.Usage())
        assert not isinstance(taken, rules.Refused), (step, taken)
        state = taken.state
    return state


def planned(state: rules.GroupState, desired_state: list[dict[str, t.Any]]) -> Plan:
    now = {name: Group(name, dict(group.limits), ()) for name, group in state.groups.items()}
    facts = EngineFacts(
        family=PROFILE.name,
        options=tuple(option.name for option in PROFILE.options),
        max_connections=400,
        role="gpadmin",
        role_group="admin_group",
        superusers=frozenset(["gpadmin"]),
        all_roles=frozenset(["gpadmin"]),
    )
    return plans.plan(now, desired.parse(desired_state, single=False), facts)


def test_a_plan_for_many_groups() -> None:
    """Half of them made, then those changed or dropped and the others made, against the model of the rules."""
    before = time.monotonic()
    half = [{"name": f"g{number}", "concurrency": 5, "cpu_max_percent": 10} for number in range(GROUPS // 2)]
    # The engines take a hundred; their rules are the same for more.
    state = played(rules.initial_state(PROFILE), planned(rules.initial_state(PROFILE), half).steps)
    whole: list[dict[str, t.Any]] = [
        {"name": f"g{number}", "state": "absent"}
        if number % 10 == 0
        else {"name": f"g{number}", "concurrency": number % 7 + 1, "cpu_max_percent": number % 50 + 1}
        for number in range(GROUPS)
    ]
    plan = planned(state, whole)
    state = played(state, plan.steps)
    for wish in whole:
        if wish.get("state"):
            assert wish["name"] not in state.groups
        else:
            limits = state.groups[wish["name"]].limits
            assert (limits["concurrency"], limits["cpu_max_percent"]) == (
                str(wish["concurrency"]),
                str(wish["cpu_max_percent"]),
            )
    assert planned(state, whole).steps == ()
    figures.record(
        "load",
        "planner",
        {f"{GROUPS} groups, statements": len(plan.steps), "took, s": round(time.monotonic() - before, 2)},
    )
