# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task costs the server: processes on segments, the lock table, and how a full group is met."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpops.toolkit.plugins.module_utils._admission import gp_admission
from ansible_collections.gpops.toolkit.plugins.module_utils._core.interruption import alarm_of_the_task
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import perform
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import gp_process_info, queries
from integration.cluster import Cluster, Scene, eventually, left_behind
from integration.conftest import nothing_is_left
from integration.run_module import FOR_A_MODULE, MODULES, Outcome, run_module
from integration.tap import Tap, login_through

NAME = "gpops it cost"
BIG = 120_000
COUNT_LOCKS = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks"
VICTIMS = {"state": "terminated", "application_names": [NAME]}
POLICY = {"name": "nobody", "state": "terminated", "application_names": ["nobody"]}
NEED_NO_SEGMENT: dict[str, tuple[str, dict[str, t.Any]]] = {
    "list": ("gp_process_info", {}),
    # It sees of most sessions only that they are there, so that they may wait.
    "list as another role": ("gp_process_info", {"session_role": "sammy", "fields": ["pid"]}),
    # The functions of mdb_toolkit have a setting of their own, which is told to the segments.
    "end": ("gp_backend", {**VICTIMS, "toolkit": "native"}),
    "policy": ("gp_policy", {"policies": [POLICY]}),
    "groups": ("gp_resource_group_info", {}),
    "nothing to change": ("gp_resource_group", {"name": "default_group", "concurrency": 20}),
    "change in check mode": ("gp_resource_group", {"name": "default_group", "cpu_weight": 7}),
    "admission in check mode": ("gp_admission", {"roles": [{"name": "sammy", "connection_limit": 7}]}),
}


def segment_processes(scene: Scene) -> int:
    """How many processes sessions have started on segments so far."""
    if not scene.cluster.embedded:
        pytest.skip("a real cluster does not count the processes that were started on its segments")
    return int(scene.sql("SELECT pg_catalog.gpops_sandbox_segment_count()")[0][0])


def by_name(found: Outcome) -> dict[str, dict[str, t.Any]]:
    assert not found.failed, found
    return {record["application_name"]: record for record in found["processes"]}


@pytest.mark.parametrize("task", NEED_NO_SEGMENT)
def test_no_process_on_a_segment_without_need(task: str, cluster: Cluster, scene: Scene) -> None:
    module, options = NEED_NO_SEGMENT[task]
    if "cpu_weight" in options and cluster.family == "gp6":
        options = {"name": "default_group", "cpu_rate_limit": 7}
    if "concurrency" in options:
        (now,) = scene.sql("SELECT concurrency FROM gp_toolkit.gp_resgroup_config WHERE groupname = 'default_group'")
        options = {**options, "concurrency": int(now[0])}
    scene.client(cluster.user, name=NAME).run("SELECT 1")
    before = segment_processes(scene)
    found = run_module(module, {**cluster.login(cluster.admin), **options, "_ansible_check_mode": "check" in task})
    assert not found.failed, found
    assert segment_processes(scene) == before, scene.sql(
        "SELECT application_name, statement FROM pg_catalog.gpops_sandbox_segment_processes"
    )


def test_a_service_s_settings_come_with_the_login_too(cluster: Cluster, scene: Scene, tmp_path: t.Any) -> None:
    (tmp_path / "service.conf").write_text(
        f"[gpops]\nhost={cluster.host}\nport={cluster.port}\ndbname={cluster.database}\noptions=-c work_mem=1234\n"
    )
    environ = {"PGSERVICEFILE": str(tmp_path / "service.conf"), "PGSERVICE": "gpops"}
    login = {"login_user": cluster.admin, "login_password": cluster.password(cluster.admin)}
    before = segment_processes(scene)
    found = run_module("gp_process_info", {**login, "session_role": cluster.user, "fields": ["pid"]}, environ)
    assert not found.failed, found
    assert segment_processes(scene) == before


@pytest.mark.parametrize("role", ["admin", "ops", "user"])
def test_blockers_in_a_big_lock_table(role: str, cluster: Cluster, scene: Scene) -> None:
    scene.jam()
    scene.many_locks(BIG)
    found = by_name(run_module("gp_process_info", cluster.login(getattr(cluster, role))))
    assert found["waiter"]["blocked_by"] == [found["holder"]["pid"]]
    assert found["holder"]["blocks"] == [found["waiter"]["pid"]]


@pytest.mark.parametrize("mode", ["end", "policy"])
def test_a_jam_in_a_big_lock_table_is_broken(mode: str, cluster: Cluster, scene: Scene) -> None:
    scene.jam()
    scene.many_locks(BIG)
    victims = {"state": "terminated", "blocking": 1, "application_names": ["holder"]}
    policies = {"mode": "enforce", "policies": [{"name": "jam", **victims}]}
    login = cluster.login(cluster.ops)
    found = run_module(
        *(("gp_backend", {**login, **victims}) if mode == "end" else ("gp_policy", {**login, **policies}))
    )
    assert not found.failed, found
    assert found["counts"] == {"terminated": 1}


@dataclasses.dataclass
class Sees:
    """As much of an engine as the statement depends on."""

    lock_columns: frozenset[str]
    lock_source: str = "native"
    tells_blockers: bool = False


def test_only_what_is_waited_for_crosses_the_wire(cluster: Cluster, scene: Scene) -> None:
    scene.jam()
    scene.many_locks(BIG)
    session = cluster.connect(cluster.user)
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT a.attname FROM pg_catalog.pg_attribute a "
            "WHERE a.attrelid = 'pg_catalog.pg_locks'::regclass AND a.attnum > 0"
        )
        columns = frozenset(name for (name,) in cursor.fetchall())
        engine = t.cast("t.Any", Sees(columns))
        cursor.execute(queries.locks(engine, []))
        row = cursor.fetchone()
    session.close()
    rows = json.loads(row[0]) if row else []
    assert 2 <= len(rows) <= 4, rows
    assert {granted["granted"] for granted in rows} == {True, False}


def test_a_wait_on_a_segment(cluster: Cluster, scene: Scene) -> None:
    """The process list does not tell of it, the lock table does."""
    if not cluster.embedded:
        pytest.skip("on a real cluster the tests of row locks show it")
    holder, waiter = (scene.client(cluster.user, name=name) for name in ("holder", "waiter"))
    holder.run("BEGIN", "SELECT 1")
    scene.state(waiter.start("SELECT pg_sleep(600)"), "active")
    scene.many_locks(BIG)
    for client, granted in ((holder, True), (waiter, False)):
        (session,) = scene.sql("SELECT sess_id FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,))
        scene.sql("SELECT pg_catalog.gpops_sandbox_add_lock(%s, 4711, %s, 1)", (session[0], granted))
    found = by_name(run_module("gp_process_info", cluster.login(cluster.ops)))
    assert (found["waiter"]["waiting"], found["waiter"]["waiting_reason"]) == (True, "lock")
    assert found["waiter"]["blocked_by"] == [holder.pid]


# In a full group.


@pytest.mark.parametrize("role", ["admin", "ops", "user"])
def test_a_group_with_room_is_not_stepped_past(role: str, cluster: Cluster, scene: Scene) -> None:
    scene.client(cluster.user, name=NAME).run("SELECT 1")
    for module, options in (("gp_process_info", {}), ("gp_backend", {**VICTIMS, "protected_users": ["*"]})):
        with Tap(cluster.host, cluster.port) as tap:
            found = run_module(module, {**login_through(tap, cluster.login(getattr(cluster, role))), **options})
        assert not found.failed, found
        assert "bypass" not in tap.settings
        assert not any("bypass = " in text for text in tap.statements)


def test_memory_past_the_queue_does_not_hold_a_lock_table(cluster: Cluster, scene: Scene) -> None:
    """On Greenplum 6; sessions are listed and ended all the same, and the warning says why and what to do."""
    if cluster.family != "gp6":
        pytest.skip("what bypasses its group has little memory on Greenplum 6 only")
    scene.many_locks(BIG + 60_000)
    group = scene.group(cluster.ops)
    scene.client(cluster.ops, name=NAME).run("BEGIN", "SELECT 1")
    scene.state(scene.client(cluster.user, name="busy").start("SELECT pg_sleep(600)"), "active")
    login = cluster.login(cluster.ops)
    found = run_module("gp_process_info", login)
    assert by_name(found)["busy"]["blocked_by"] is None
    assert "the lock table is larger than the memory" in found.output
    assert f"let {group} have a free slot" in found.output
    ended = run_module("gp_backend", {**login, **VICTIMS})
    assert ended["counts"] == {"terminated": 1}
    needs_them = run_module("gp_backend", {**login, "state": "terminated", "blocking": 1})
    assert needs_them.failed is ("cannot be judged" in needs_them.get("msg", ""))


@pytest.mark.parametrize("special", ["gp6", "gp7ga", "cb"], indirect=True)
@pytest.mark.parametrize("role", ["ops", "sammy"])
def test_every_role_steps_past_a_full_group(special: t.Callable[..., Cluster], role: str) -> None:
    """Changes of groups included, where the role may change them at all."""
    cluster = special()
    with Scene(cluster) as scene:
        scene.group(role)
        scene.client(role, name=NAME).run("BEGIN", "SELECT 1")
        login = {**cluster.login(role), "timeout": 10}
        start = time.monotonic()
        groups = run_module("gp_resource_group_info", {**login, "status": True})
        assert not groups.failed, groups
        assert [group["status"]["running"] for group in groups["groups"] if group["name"] == "gpops_it_group"] == [1]
        refused = run_module("gp_resource_group", {**login, "name": "default_group", "concurrency": 7})
        assert refused["sqlstate"] == "42501", refused
        ended = run_module("gp_backend", {**login, **VICTIMS})
        assert ended["counts"] == {"terminated": 1}
        assert time.monotonic() - start < 3 * 10


# On the coordinator alone.


@pytest.fixture
def alone(cluster: Cluster) -> dict[str, t.Any]:
    """A login in utility mode."""
    name = "gp_session_role" if cluster.family == "gp6" else "gp_role"
    return {**cluster.login(cluster.admin), "connect_params": {"options": f"-c {name}=utility"}}


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("gp_resource_group", {"name": "gpops_it_alone", "concurrency": 3}),
        ("gp_admission", {"roles": [{"name": "sammy", "connection_limit": 7}]}),
        ("gp_admission", {"databases": [{"name": "testdb", "connection_limit": 7}]}),
    ],
)
def test_utility_mode_changes_nothing(
    module: str, options: dict[str, t.Any], check_mode: bool, cluster: Cluster, scene: Scene, alone: dict[str, t.Any]
) -> None:
    with Tap(cluster.host, cluster.port) as tap:
        login = login_through(tap, alone)
        found = run_module(module, {**login, **options, "_ansible_check_mode": check_mode})
    assert found.failed
    assert "utility mode" in found["msg"]
    assert "nothing was sent" in found["msg"]
    assert not any(text.lstrip().startswith(("CREATE", "ALTER", "DROP")) for text in tap.statements)
    assert scene.sql("SELECT 1 FROM gp_toolkit.gp_resgroup_config WHERE groupname = 'gpops_it_alone'") == []


def test_utility_mode_does_not_tell_who_waits(cluster: Cluster, scene: Scene, alone: dict[str, t.Any]) -> None:
    scene.state(scene.client(cluster.user, name=NAME).start("SELECT pg_sleep(600)"), "active")
    found = run_module("gp_process_info", alone)
    record = by_name(found)[NAME]
    assert (record["waiting"], record["blocked_by"], record["blocks"]) == (None, None, None)
    assert "unknown (null): this is a session in utility mode" in found.output
    groups = run_module("gp_resource_group_info", {**alone, "status": True})
    assert {group["status"] for group in groups["groups"]} == {None}
    assert "there is no status: this is a session in utility mode" in groups.output
    judged = run_module("gp_backend", {**alone, "state": "terminated", "blocking": 1})
    assert "cannot be judged" in judged["msg"]


# Of what a task leaves behind; conftest.py looks after each test.


@pytest.fixture
def stuck(special: t.Callable[..., Cluster]) -> t.Iterator[Cluster]:
    """A server that does not answer who waits for whom, as with a segment that hangs."""
    cluster = special()
    with Scene(cluster) as scene:
        scene.sql(
            "CREATE OR REPLACE FUNCTION pg_catalog.gpops_sandbox_made_locks() RETURNS jsonb LANGUAGE sql "
            "AS $$ SELECT pg_catalog.pg_sleep(600); SELECT '{}'::jsonb $$"
        )
        scene.state(scene.client(cluster.user, name=NAME).start("SELECT pg_sleep(600)"), "active")
        yield cluster
        nothing_is_left(cluster)


def test_a_statement_that_was_given_up_is_ended(stuck: Cluster) -> None:
    """We give up long before the server would."""
    login = {**stuck.login(stuck.admin), "timeout": 4}
    assert by_name(run_module("gp_process_info", login))[NAME]["blocked_by"] is None
    ended = run_module("gp_backend", {**login, "state": "terminated", "blocking": 1})
    assert "cannot be judged" in ended["msg"]


def test_a_statement_is_ended_at_the_task_s_own_timeout(stuck: Cluster) -> None:
    """What runs directly hears it in the middle of a statement."""
    definition = gp_process_info.DEFINITION
    options = ArgumentSpecValidator(definition.argument_spec).validate(stuck.login(stuck.admin)).validated_parameters
    signal.setitimer(signal.ITIMER_REAL, 2)
    with alarm_of_the_task("the task has had its time") as alarm:
        said = perform(definition, options, check_mode=False).result
    assert alarm.heard
    assert said["processes"][0]["blocked_by"] is None
    nothing_is_left(stuck)


def test_a_module_that_is_terminated_leaves_nothing(stuck: Cluster) -> None:
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**stuck.login(stuck.admin), **FOR_A_MODULE}})
    process = subprocess.Popen(
        [sys.executable, "-m", f"{MODULES}.gp_process_info"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]},
        text=True,
    )
    assert process.stdin
    process.stdin.write(arguments)
    process.stdin.close()
    process.stdin = None
    eventually(lambda: any("pg_locks" in str(each.query) for each in left_behind(stuck)), "it reads the locks")
    process.terminate()
    process.communicate(timeout=10)
    nothing_is_left(stuck)


def test_a_change_that_waits_for_a_slot_is_taken_back(cluster: Cluster, scene: Scene) -> None:
    """It has not begun; later it would be done behind the back of a task that failed."""
    if not scene.waits_in_group:
        pytest.skip("on this engine every role gets past the queue")
    scene.sql(f'ALTER ROLE "{cluster.ops}" CREATEROLE')
    scene.at_the_end(f'ALTER ROLE "{cluster.ops}" NOCREATEROLE')
    scene.group(cluster.ops)
    holder = scene.client(cluster.ops).run("BEGIN", "SELECT 1")
    definition = gp_admission.DEFINITION
    given = {**cluster.login(cluster.ops), "roles": [{"name": cluster.other, "connection_limit": 66}]}
    options = ArgumentSpecValidator(definition.argument_spec).validate(given).validated_parameters
    signal.setitimer(signal.ITIMER_REAL, 3)
    with alarm_of_the_task("the task has had its time"):
        said = perform(definition, options, check_mode=False).result
    assert said["failed"], said
    nothing_is_left(cluster)
    holder.run("ROLLBACK")
    assert scene.sql("SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = %s", (cluster.other,)) == [(-1,)]


def test_many_victims_by_mdb_toolkit(cluster: Cluster, scene: Scene) -> None:
    """Each call is a sending to the segments before the session ends."""
    room = int(scene.sql("SELECT pg_catalog.current_setting('max_connections')")[0][0])
    number = min(300, room // 2)
    for _number in range(number):
        scene.client(cluster.user, name=NAME).run("SELECT 1")
    found = run_module("gp_backend", {**cluster.login(cluster.ops), **VICTIMS, "max_victims": number})
    assert found["counts"] == {"terminated": number}
