# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task in the controller's process and the same task as a module, both by ansible-playbook, come out the same."""

from __future__ import annotations

import json
import re
import shlex
import sys
import typing as t
from pathlib import Path

import pytest
from integration.cluster import Cluster, Scene
from integration.playbook import play, succeeded
from integration.tap import Tap

NAME = "gpops it {{ 1 + 1 }}"
DIRECT = "runs in the process of the controller"
SECRET = "s3cret-of-nobody"
# It goes on after a cancel.
STUBBORN = """DO $$ BEGIN LOOP
  BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
END LOOP; END $$"""
AGE = re.compile(r'"\w+_age": [0-9.]+')
AGE_IN_DIFF = re.compile(r" for \d+ s(?=; )")
# What tells how a module was transferred and run.
TRANSFER = ("<gp> ", "Using module file", "gpops.toolkit.gp_")


def plays(*tasks: dict[str, t.Any], **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"hosts": "gp", "gather_facts": False, "tasks": list(tasks), **more}]


def lines(text: str) -> list[str]:
    # The one word by which Ansible tells the two apart.
    texts = text.replace("Task failed: Action failed: ", "Task failed: Module failed: ").splitlines()
    return [AGE.sub('"age": 0', AGE_IN_DIFF.sub("", line)) for line in texts if not line.startswith(TRANSFER)]


def both_ways(
    cluster: Cluster, tmp_path: Path, tasks: t.Sequence[dict[str, t.Any]], *arguments: str, **more: t.Any
) -> dict[str, t.Any]:
    """The registered results, which are the same in both ways, as is all that is printed; but for ages."""
    names = [task["register"] for task in tasks]
    results = "{{ {" + ", ".join(f"'{name}': {name}" for name in names) + "} | to_json }}"
    keep = {"ansible.builtin.copy": {"content": results, "dest": str(tmp_path / "results.json")}}
    printed, found = [], []
    for switch in ("1", "0"):
        done = play(plays(*tasks, **more), cluster, tmp_path, "-vvvv", *arguments, GPOPS_DIRECT=switch)
        printed.append([*lines(succeeded(done)), *lines(done.stderr)])
        assert done.stdout.count(DIRECT) == (_runs(tasks) if switch == "1" else 0), done.stdout
        assert SECRET not in done.stdout + done.stderr
        succeeded(play(plays(*tasks, keep, **more), cluster, tmp_path, *arguments, GPOPS_DIRECT=switch))
        found.append((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert printed[0] == printed[1]
    first, second = (json.loads(AGE.sub('"age": 0', AGE_IN_DIFF.sub("", text))) for text in found)
    assert first == second
    return t.cast("dict[str, t.Any]", first)


def _runs(tasks: t.Iterable[dict[str, t.Any]]) -> int:
    return sum(len(task.get("loop", "1")) for task in tasks)


def task(module: str, register: str, options: t.Mapping[str, t.Any], **keywords: t.Any) -> dict[str, t.Any]:
    return {f"gpops.toolkit.{module}": dict(options), "register": register, **keywords}


def test_what_succeeds(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    client = scene.client(cluster.user, name=NAME).run("SELECT '{{ 2 + 2 }}', 'ü', E'\\u20ac'")
    login = cluster.login(cluster.admin)
    mine = {"application_names": ["gpops it*"]}
    fields = {"fields": ["pid", "usename", "query", "application_name", "query_start"]}
    group = {"name": "gpops_it_direct", "concurrency": 2, "cpu_rate_limit": 1, "memory_limit": 1}
    if cluster.family != "gp6":
        group = {"name": "gpops_it_direct", "concurrency": 2, "cpu_max_percent": 1}
    found = both_ways(
        cluster,
        tmp_path,
        [
            task("gp_process_info", "seen", {**login, **mine, **fields}),
            task("gp_process_info", "warned", {**cluster.login(cluster.user), **fields, **mine, "toolkit": "native"}),
            task("gp_process_info", "quiet", {**login, **mine, **fields}, no_log=True),
            task("gp_resource_group_info", "groups", {**login, "names": ["default_group"]}),
            task("gp_resource_group", "planned", {**login, **group}, check_mode=True),
            task("gp_backend", "checked", {**login, **mine, "state": "terminated"}, check_mode=True),
            task("gp_backend", "nobody", {**login, "state": "cancelled", "pids": [client.pid], "message": "ü"}),
        ],
        "--diff",
    )
    record = found["seen"]["processes"][0]
    assert (record["pid"], record["application_name"]) == (client.pid, NAME)
    assert "{{ 2 + 2 }}" in record["query"]
    assert found["warned"]["warnings"]
    assert found["planned"]["changed"] is True
    assert found["checked"]["counts"] == {"would_be_terminated": 1}
    assert found["nobody"]["counts"] == {"not_applicable": 1}
    assert scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,))


def test_what_fails(cluster: Cluster, tmp_path: Path) -> None:
    nowhere = {"login_host": "127.0.0.1", "login_port": 1, "login_password": SECRET}
    bad: dict[str, tuple[str, dict[str, t.Any]]] = {
        "unreachable": ("gp_process_info", nowhere),
        "unknown": ("gp_process_info", {**nowhere, "nonsense": SECRET}),
        "exclusive": ("gp_resource_group_info", {**nowhere, "login_unix_socket": "/tmp"}),
        "choice": ("gp_backend", {**nowhere, "state": SECRET}),
        "missing": ("gp_backend", nowhere),
        "kind": ("gp_backend", {**nowhere, "state": "cancelled", "pids": "one"}),
        "option": ("gp_backend", {**nowhere, "state": "cancelled"}),
        "nested": ("gp_resource_group", {**nowhere, "groups": [{"state": "absent"}]}),
        "parameter": ("gp_process_info", {**nowhere, "connect_params": {"pasword": SECRET, "keepalives": 1}}),
        "nul": ("gp_process_info", {**nowhere, "users": ["a\0b"]}),
        "refused": ("gp_process_info", {**cluster.login(cluster.admin), "session_role": "no_such_role"}),
    }
    tasks = [task(module, name, options, ignore_errors=True) for name, (module, options) in bad.items()]
    found = both_ways(cluster, tmp_path, tasks)
    assert all(found[name]["failed"] for name in bad)
    assert found["unknown"]["msg"].startswith("Unsupported parameters for (gpops.toolkit.gp_process_info) module")
    assert found["option"]["option"] == "match_all"
    assert found["parameter"]["option"] == "connect_params"


def test_the_environment_of_a_task_is_its_own(cluster: Cluster, tmp_path: Path) -> None:
    """All items of a loop run in one process."""
    login = {key: value for key, value in cluster.login(cluster.admin).items() if key != "login_db"}
    own = [{"PGDATABASE": cluster.database}, {}, {"PGDATABASE": cluster.plain_database}, {"PGDATABASE": "no_such_db"}]
    looped = task("gp_process_info", "each", login, loop=own, environment="{{ item }}", ignore_errors=True)
    after = task("gp_process_info", "after", login)
    found = both_ways(cluster, tmp_path, [looped, after], environment={"PGDATABASE": cluster.plain_database})
    used = [item["engine"]["interface"] if not item["failed"] else "failed" for item in found["each"]["results"]]
    assert used == ["mdb", "native", "native", "failed"]
    assert found["after"]["engine"]["interface"] == "native"


def test_defaults_of_the_group_and_templates(cluster: Cluster, tmp_path: Path) -> None:
    defaults = {"group/gpops.toolkit.gp": {"login_host": "{{ gp_host }}", **cluster.login(cluster.admin)}}
    short = {"gp_process_info": {"limit": "{{ 0 + 0 }}"}, "register": "short"}
    tasks = [task("gp_process_info", "full", {"limit": "{{ one | int }}", "users": "{{ who }}"}), short]
    more = {"module_defaults": defaults, "collections": ["gpops.toolkit"], "vars": {"who": ["nobody_*"], "one": "1"}}
    found = both_ways(cluster, tmp_path, tasks, **more)
    assert found["full"]["count"] == 0
    assert found["short"]["processes"] == []


def test_it_really_ends_sessions(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    clients = [scene.client(cluster.user, name="gpops it end") for dummy in range(3)]
    options = {**cluster.login(cluster.admin), "state": "terminated", "application_names": ["gpops it end"]}
    ended = task("gp_backend", "ended", options)
    check = {"ansible.builtin.assert": {"that": ["ended.counts == {'terminated': 3}", "ended is changed"]}}
    out = succeeded(play(plays(ended, check), cluster, tmp_path, "-vvv"))
    assert DIRECT in out
    for client in clients:
        assert not scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,))


def test_when_it_falls_back(cluster: Cluster, tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    login = cluster.login(cluster.admin)
    cases: dict[str, dict[str, t.Any]] = {
        "gpops_direct is off": {"vars": {"gpops_direct": "{{ not true }}"}},
        "GPOPS_DIRECT is off": {"environment": {"GPOPS_DIRECT": "no"}},
        # Ansible starts what is asynchronous without quotes: a Python whose path has a space fails.
        "it is asynchronous": {"async": 60, "poll": 1, "vars": {"ansible_python_interpreter": str(wrapper)}},
        f"its Python is {wrapper}": {"vars": {"ansible_python_interpreter": str(wrapper)}},
        "LC_ALL of its environment counts at the start of a process": {"environment": {"LC_ALL": "C"}},
    }
    tasks = [task("gp_process_info", f"r{number}", login, **each) for number, each in enumerate(cases.values())]
    out = succeeded(play(plays(*tasks), cluster, tmp_path, "-vvv"))
    for reason in cases:
        assert out.count(f"gpops.toolkit.gp_process_info runs as a module: {reason}\n") == 1, out
    assert DIRECT not in out


def test_another_user_is_a_module(cluster: Cluster, tmp_path: Path) -> None:
    """It need not be possible here to become another user."""
    tasks = [task("gp_process_info", "r", cluster.login(cluster.admin), become=True, ignore_errors=True)]
    out = succeeded(play(plays(*tasks), cluster, tmp_path, "-vvv"))
    assert "runs as a module: it becomes another user" in out


def test_a_controller_without_the_driver(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "psycopg2.py").write_text("raise ImportError('not here')", encoding="utf-8")
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    login = cluster.login(cluster.admin)
    other = task("gp_process_info", "other", login, vars={"ansible_python_interpreter": str(wrapper)})
    same = task("gp_process_info", "same", login, ignore_errors=True)
    done = play(plays(other, same), cluster, tmp_path, "-vvv", PYTHONPATH=str(tmp_path / "hidden"))
    out = succeeded(done)
    assert out.count("runs as a module: the Python of the controller has no psycopg2") == 2
    assert "Failed to import the required Python library (psycopg2)" in out
    assert "ignored=1" in out


@pytest.mark.parametrize("switch", ["no", "0", "false"])
def test_the_switch_of_the_controller(switch: str, cluster: Cluster, tmp_path: Path) -> None:
    tasks = [task("gp_process_info", "r", cluster.login(cluster.admin))]
    out = succeeded(play(plays(*tasks), cluster, tmp_path, "-vvv", GPOPS_DIRECT=switch))
    assert "runs as a module: GPOPS_DIRECT is off" in out


def test_a_switch_that_is_none(cluster: Cluster, tmp_path: Path) -> None:
    tasks = [task("gp_process_info", "r", cluster.login(cluster.admin))]
    done = play(plays(*tasks), cluster, tmp_path, "-e", "gpops_direct=maybe")
    assert done.returncode != 0
    assert "gpops_direct: 'maybe' is not allowed; it is true or false" in done.stdout


@pytest.mark.parametrize("seconds", [2, 200])
def test_a_server_that_goes_silent_does_not_hold_the_worker(seconds: int, cluster: Cluster, tmp_path: Path) -> None:
    """By its own timeout, and by that of the task, which comes while the driver hangs."""
    with Tap(cluster.host, cluster.port, silent_after=1) as tap:
        login = {**cluster.login(cluster.admin), "login_host": tap.host, "login_port": tap.port, "ssl_mode": "disable"}
        hung = task("gp_process_info", "hung", {**login, "timeout": seconds}, timeout=5, ignore_errors=True)
        after = task("gp_process_info", "after", cluster.login(cluster.admin))
        out = succeeded(play(plays(hung, after), cluster, tmp_path, "-vvv"))
    assert out.count(DIRECT) == 2
    assert ("did not answer within 2 s of timeout" if seconds == 2 else "Timed out after 5") in out


def test_the_timeout_of_the_task_outlives_our_own_alarm(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    """The time that a computation has is bounded by the same clock of the process as the task's own timeout."""
    client = scene.client(cluster.user, name="gpops it wait").start("SELECT pg_sleep(600)")
    scene.state(client, "active")
    with Tap(cluster.host, cluster.port, silent_after=4) as tap:
        login = {**cluster.login(cluster.admin), "login_host": tap.host, "login_port": tap.port, "ssl_mode": "disable"}
        options = {**login, "state": "cancelled", "pids": [client.pid], "query_regex": "sleep", "timeout": 200}
        out = play(plays(task("gp_backend", "r", options, timeout=5)), cluster, tmp_path, "-vvv")
    assert DIRECT in out.stdout
    assert "Timed out after 5" in out.stdout


def test_the_timeout_of_the_task_leaves_what_was_done(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    """A statement that does not end is waited for beyond the task's own timeout; whom it signalled is told."""
    ends = scene.client(cluster.user, name="gpops it cut").start("SELECT pg_sleep(600)")
    stays = scene.client(cluster.user, name="gpops it cut").start(STUBBORN)
    for client in (ends, stays):
        scene.state(client, "active")
    options = {**cluster.login(cluster.admin), "state": "cancelled", "application_names": ["gpops it cut"]}
    cut = task("gp_backend", "cut", {**options, "wait_timeout": 60}, timeout=4, ignore_errors=True)
    told = [
        "cut is failed",
        "cut is changed",
        "cut.msg is search('Timed out after 4 seconds, the timeout of the task')",
        "cut.timedout.period == 4",
        f"(cut.victims | selectattr('pid', 'eq', {ends.pid}) | first).outcome == 'cancelled'",
        f"(cut.victims | selectattr('pid', 'eq', {stays.pid}) | first).outcome == 'unknown'",
        f"(cut.victims | selectattr('pid', 'eq', {stays.pid}) | first).signalled",
    ]
    done = play(plays(cut, {"ansible.builtin.assert": {"that": told}}), cluster, tmp_path, "-vvv")
    scene.sql("SELECT pg_catalog.pg_terminate_backend(%s)", (stays.pid,))
    assert DIRECT in succeeded(done)
