# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings as people have them: as text, in the inventory for other runbooks, and in several places at once."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from integration import runbooks
from integration.cluster import Client, Scene, eventually
from integration.playbook import output, play, succeeded
from integration.runbooks import fingerprint, is_there, on, run

NAME = runbooks.NAME


def in_inventory(tmp_path: Path, **settings: t.Any) -> None:
    """Settings that stand in the inventory."""
    folder = tmp_path / "group_vars"
    folder.mkdir()
    values = {f"gp_remediation_{name}": value for name, value in settings.items()}
    (folder / "all.yml").write_text(yaml.safe_dump(values), encoding="utf-8")


def extra(**settings: t.Any) -> list[str]:
    return ["-e", json.dumps({f"gp_remediation_{name}": value for name, value in settings.items()})]


def clients(scene: Scene) -> tuple[Client, Client]:
    """A session of each ordinary role, with nothing to do."""
    return scene.client(scene.cluster.user), scene.client(scene.cluster.other)


EVERYBODY = [{"name": "a", "state": "terminated", "match_all": True}]
ENDS_IDLE: dict[str, t.Any] = {"min_state_age": "0", "application_names": [NAME], "mode": "enforce"}


@on("gp6")
@pytest.mark.parametrize(
    ("runbook", "given"),
    [
        ("terminate_all_sessions", {"role": "sammy", "confirm": "gp"}),
        ("cancel_long_queries", {"group": "etl"}),
        ("reap_idle_sessions", {"role": "sammy"}),
        ("reap_idle_sessions", {"restore": "true"}),
        ("break_lock_jam", {"max_role_sessions": "3"}),
        ("remediate", {"users": "sammy", "policies": EVERYBODY}),
        ("remediate", {"pids": "1", "policies": EVERYBODY}),
        ("remediate", {"min_state_age": "1h", "policies": EVERYBODY}),
    ],
)
def test_what_is_given_for_this_run_is_refused_if_it_would_be_ignored(
    runbook: str, given: dict[str, t.Any], scene: Scene, tmp_path: Path
) -> None:
    clients(scene)
    before = fingerprint(scene)
    done = play(f"gpops.toolkit.{runbook}", scene.cluster, tmp_path, *extra(**given, mode="enforce"))
    assert done.returncode == 2
    name = next(iter(given))
    assert f"gp_remediation_{name}: {runbook} does not take it" in " ".join(output(done).split())
    assert fingerprint(scene) == before


@on("gp6")
def test_variables_of_the_play_are_given_for_this_run(scene: Scene, tmp_path: Path) -> None:
    role = {"ansible.builtin.import_role": {"name": "gpops.toolkit.gp_remediation", "tasks_from": "reap_idle_sessions"}}
    plays = [{"hosts": "gp", "gather_facts": False, "vars": {"gp_remediation_group": "etl"}, "tasks": [role]}]
    done = play(plays, scene.cluster, tmp_path)
    assert done.returncode == 2
    assert "gp_remediation_group: reap_idle_sessions does not take it" in " ".join(output(done).split())


@on("gp6")
def test_the_inventory_may_have_settings_for_other_runbooks(scene: Scene, tmp_path: Path) -> None:
    in_inventory(tmp_path, role="billy", group="etl", max_role_sessions=1, role_quotas={"sammy": 0}, raise_by=3)
    one, two = clients(scene)
    succeeded(play("gpops.toolkit.reap_idle_sessions", scene.cluster, tmp_path, *extra(**ENDS_IDLE)))
    assert not is_there(scene, one)
    assert not is_there(scene, two)


@on("gp6")
@pytest.mark.parametrize("form", ["{0}, {1}", "{0};{1}", "'{0}' , \"{1}\"", "{0}\n{1}", "[{0}, {1}]"])
def test_a_list_may_be_text(form: str, scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    text = form.format(cluster.user, cluster.other)
    one, two = clients(scene)
    task = {
        "gpops.toolkit.gp_backend": {
            **cluster.login(cluster.admin),
            "state": "terminated",
            "application_names": f"other, {NAME}",
            "exclude_users": text,
        }
    }
    plays = [{"hosts": "gp", "gather_facts": False, "tasks": [task, {**task, "vars": {"gpops_direct": False}}]}]
    succeeded(play(plays, cluster, tmp_path))
    succeeded(play("gpops.toolkit.reap_idle_sessions", cluster, tmp_path, *extra(**ENDS_IDLE, exclude_users=text)))
    assert is_there(scene, one)
    assert is_there(scene, two)


@on("gp6")
@pytest.mark.parametrize("direct", [True, False])
def test_an_entry_that_is_several_is_refused(direct: bool, scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    one, _two = clients(scene)
    options = {"state": "terminated", "application_names": [NAME], "exclude_users": ["x, " + cluster.user]}
    task = {"gpops.toolkit.gp_backend": {**cluster.login(cluster.admin), **options}, "vars": {"gpops_direct": direct}}
    done = play([{"hosts": "gp", "gather_facts": False, "tasks": [task]}], cluster, tmp_path)
    assert done.returncode == 2
    assert "exclude_users: " in output(done)
    assert "has a comma; each entry is one name" in " ".join(output(done).split())
    assert is_there(scene, one)


@on("gp6")
def test_databases_as_text_are_closed_and_emptied_alike(scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    text = f"{cluster.database}, {cluster.plain_database}"
    told = run("quiesce", cluster, tmp_path, "report", databases=text)
    assert told.code == 0, told.out
    done = " ".join(told.report["remediation"]["done"])
    assert all(name in done for name in (cluster.database, cluster.plain_database)), done
    assert set(told.report["remediation"]["details"]["plan"]["diff"]["after"]["databases"]) == {
        cluster.database,
        cluster.plain_database,
    }


@on("gp6")
def test_exclusions_of_the_inventory_and_of_a_policy_hold_together(scene: Scene, tmp_path: Path) -> None:
    cluster = scene.cluster
    in_inventory(tmp_path, exclude_users=[cluster.user])
    one, two = clients(scene)
    policy = {"name": "a", "state": "terminated", "application_names": [NAME], "exclude_users": [cluster.other]}
    succeeded(play("gpops.toolkit.remediate", cluster, tmp_path, *extra(policies=[policy], mode="enforce")))
    assert is_there(scene, one)
    assert is_there(scene, two)


@on("gp6")
def test_nothing_as_text_is_not_given(scene: Scene, tmp_path: Path) -> None:
    """A survey sends each of its fields."""
    one, _two = clients(scene)
    empty = dict.fromkeys(("users", "exclude_users", "min_query_age", "query_regex", "kill_switch_file", "windows"), "")
    done = play("gpops.toolkit.reap_idle_sessions", scene.cluster, tmp_path, *extra(**ENDS_IDLE, **empty))
    succeeded(done)
    assert not is_there(scene, one)


@pytest.mark.parametrize(("more", "spared"), [({}, True), ({"exclude_waiting_for": []}, False)])
def test_what_waits_has_not_run_for_long(more: dict[str, t.Any], spared: bool, scene: Scene, tmp_path: Path) -> None:
    """A statement that waits for a lock is not the one that runs for longer than it may."""
    cluster = scene.cluster
    _holder, waiter = scene.jam()
    running = scene.client(cluster.other).start(runbooks.SLEEP)
    scene.state(running, "active")
    settings = {"min_query_age": "0", "application_names": [NAME, "waiter"], "mode": "enforce", **more}
    succeeded(play("gpops.toolkit.cancel_long_queries", cluster, tmp_path, *extra(**settings)))
    eventually(running.is_done, "the statement that runs is cancelled")
    assert waiter.is_done() is not spared
