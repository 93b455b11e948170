# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role gp_resource_groups and its playbooks against each engine, a fleet being several hosts on one server."""

from __future__ import annotations

import json
import re
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import junitparser
import pytest
from integration.cluster import Cluster, Scene, eventually
from integration.playbook import messages, output, run_playbook
from integration.test_gp_resource_group import A, B, cpu, dropped, info

# What the readers of JUnit XML have in common: of each element its attributes and children, in order.
SCHEMA: dict[str, tuple[set[str], list[str]]] = {
    "testsuites": ({"name", "tests", "failures", "errors", "time", "disabled"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "testcase": (
        {"name", "classname", "time", "assertions", "status"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "failure": ({"type", "message"}, []),
    "error": ({"type", "message"}, []),
}


@pytest.fixture(autouse=True)
def _clean(cluster: Cluster) -> t.Iterator[None]:
    """The default group and the roles are put back, and no group is left behind."""
    with Scene(cluster) as scene:
        scene.keep_default_group()
        remove(scene)
        yield
        remove(scene)


def remove(scene: Scene) -> None:
    for role in (scene.cluster.user, scene.cluster.other):
        scene.sql(f'ALTER ROLE "{role}" RESOURCE GROUP default_group')
    for name in (A, B):
        eventually(lambda name=name: dropped(scene, name), f"{name} is dropped")  # type: ignore[misc]  # mypy infers no default


def fleet(cluster: Cluster, **desired: t.Any) -> dict[str, t.Any]:
    """An inventory of hosts that all stand for this cluster, each with its groups."""
    hosts = {name: {"gp_resource_groups_desired": groups} for name, groups in desired.items()}
    return {"all": {"hosts": hosts, "vars": {"gp_connection": cluster.login(cluster.admin)}}}


def wish(cluster: Cluster, name: str = A, concurrency: int = 3) -> dict[str, t.Any]:
    return {"name": name, "concurrency": concurrency, **cpu(cluster, 2)}


def cases(path: Path) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Of each host and group what a reader of JUnit XML finds; the file is checked on the way."""
    for element in ET.parse(path).iter():
        attributes, children = SCHEMA[element.tag]
        assert set(element.attrib) <= attributes
        order = [children.index(child.tag) for child in element]
        assert order == sorted(order)
        if element.tag == "testsuite":
            assert {"name", "tests"} <= set(element.attrib)
        if element.tag == "testcase":
            assert {"name", "classname"} <= set(element.attrib)
    report = junitparser.JUnitXml.fromfile(str(path))
    stated = (report.tests, report.failures, report.errors)
    report.update_statistics()  # type: ignore[no-untyped-call]  # junitparser has no types there
    assert stated == (report.tests, report.failures, report.errors)
    return {
        (case.classname, case.name): [(type(result).__name__, result.message) for result in case.result]
        for suite in report
        for case in suite
    }


def test_applied_then_unchanged_then_drift_then_none(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    inventory = fleet(cluster, dwh=[{**wish(cluster), "roles": [cluster.user]}])
    report = tmp_path / "new folder" / "drift.xml"
    checked = run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path, "--check", "--diff")
    assert (checked.returncode, "changed=1" in checked.stdout) == (0, True), output(checked)
    assert "+++ after" in checked.stdout
    assert A not in info(cluster)
    applied = run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path)
    assert (applied.returncode, "changed=1" in applied.stdout) == (0, True), output(applied)
    assert messages(applied, "Show the statements")[0].startswith(f'CREATE RESOURCE GROUP "{A}"')
    again = run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path)
    assert (again.returncode, "changed=0" in again.stdout) == (0, True), output(again)
    none = run_playbook(
        "gpops.toolkit.resource_groups_drift",
        inventory,
        tmp_path,
        "-e",
        json.dumps({"gp_resource_groups_junit": str(report)}),
    )
    assert none.returncode == 0, output(none)
    assert cases(report) == {("dwh", A): []}

    scene.sql(f"ALTER RESOURCE GROUP {A} SET concurrency 9")
    scene.sql(f'ALTER ROLE "{cluster.user}" RESOURCE GROUP default_group')
    drift = run_playbook(
        "gpops.toolkit.resource_groups_drift", inventory, tmp_path, "-e", "gp_resource_groups_junit=relative.xml"
    )
    assert drift.returncode == 2, output(drift)
    lines = [
        f"dwh: group {A}: concurrency is 9, should be 3",
        f"dwh: group {A}: roles is empty, should be {cluster.user}",
    ]
    assert messages(drift, "Sum up")[0] == "clusters: 1; as declared: 0; with drift: 1; not examined: 0"
    assert set(lines) <= set(messages(drift, "Sum up"))
    # A file that cannot be written hides nothing.
    (tmp_path / "taken" / "drift.xml").mkdir(parents=True)
    told = run_playbook(
        "gpops.toolkit.resource_groups_drift", inventory, tmp_path, "-e", "gp_resource_groups_junit=taken/drift.xml"
    )
    assert told.returncode == 2, output(told)
    assert set(lines) <= set(messages(told, "Sum up"))
    assert "drift: " in told.stdout
    assert "no_junit" not in told.stdout
    assert cases(tmp_path / "relative.xml")["dwh", A] == [("Failure", lines[0])]
    assert info(cluster)[A]["concurrency"] == 9
    assert run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path).returncode == 0
    assert run_playbook("gpops.toolkit.resource_groups_drift", inventory, tmp_path).returncode == 0


def test_all_of_a_fleet_are_examined_before_it_fails(cluster: Cluster, tmp_path: Path) -> None:
    inventory = fleet(
        cluster,
        drifted=[wish(cluster), {"name": "default_group"}],
        illegal=[{"name": A, "concurrency": 100_000, **cpu(cluster, 2)}],
        same=[{"name": "default_group"}],
        nothing=[],
        silent=[{"name": A}, {"name": B}],
        far=[{"name": "default_group"}],
        secret=[{"name": "default_group"}],
    )
    hosts = inventory["all"]["hosts"]
    hosts["undeclared"] = {}
    hosts["silent"]["gp_connection"] = {**cluster.login(cluster.admin), "login_host": "127.0.0.1", "login_port": 1}
    # Nobody listens there either; this one Ansible itself cannot reach.
    hosts["far"] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    hosts["secret"]["gp_connection"] = {"login_password": "{{ vault_nobody_has }}"}
    options = ["-e", "gp_resource_groups_junit=drift.xml", "--forks", "3"]
    found = run_playbook(
        "gpops.toolkit.resource_groups_drift", inventory, tmp_path, *options, ANSIBLE_ANY_ERRORS_FATAL="true"
    )
    assert found.returncode != 0
    lines = messages(found, "Sum up")
    assert lines[0] == "clusters: 8; as declared: 2; with drift: 1; not examined: 5"
    by_host = {line.partition(":")[0]: line for line in lines[1:]}
    assert by_host["drifted"] == f"drifted: group {A}: state is absent, should be present"
    for host, words in {
        "illegal": "concurrency: ",
        "silent": "cannot connect to 127.0.0.1 port 1",
        "far": "could not be reached: ",
        "secret": "vault_nobody_has",
        "undeclared": "missing required arguments: gp_resource_groups_desired",
    }.items():
        assert by_host[host].startswith(f"{host}: could not be examined: "), by_host
        assert words in by_host[host]
    recap = dict(re.findall(r"^(\w+) +: .*failed=(\d)", found.stdout, re.MULTILINE))
    assert {host for host, failed in recap.items() if failed == "0"} == {"same", "nothing"}
    results = {key: [kind for kind, _message in result] for key, result in cases(tmp_path / "drift.xml").items()}
    assert results == {
        ("drifted", A): ["Failure"],
        ("drifted", "default_group"): [],
        ("illegal", A): ["Error"],
        ("same", "default_group"): [],
        ("silent", A): ["Error"],
        ("silent", B): ["Error"],
        ("far", "default_group"): ["Error"],
        ("secret", "default_group"): ["Error"],
        ("undeclared", "resource groups"): ["Error"],
    }
    assert A not in info(cluster)


def test_nothing_that_the_user_says_makes_the_gate_change_anything(cluster: Cluster, tmp_path: Path) -> None:
    inventory = fleet(cluster, dwh=[wish(cluster)])
    inventory["all"]["vars"] |= {"ansible_check_mode": False, "check_mode": False}
    options = ["-e", "ansible_check_mode=false", "-e", "check_mode=false", "--diff"]
    assert run_playbook("gpops.toolkit.resource_groups_drift", inventory, tmp_path, *options).returncode != 0
    assert A not in info(cluster)


@pytest.mark.parametrize("arguments", [["-e", "gp_hosts=nobody"], ["-e", "gp_hosts=dwh", "--limit", "other"]])
def test_a_gate_that_looks_at_nobody_is_not_open(cluster: Cluster, tmp_path: Path, arguments: list[str]) -> None:
    inventory = fleet(cluster, dwh=[], other=[])
    found = run_playbook("gpops.toolkit.resource_groups_drift", inventory, tmp_path, *arguments)
    assert found.returncode != 0
    assert "gp_hosts: no cluster to examine" in output(found)


def test_settings_from_the_command_line_are_strings(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    scene.sql(f'ALTER ROLE "{cluster.other}" RESOURCE GROUP default_group')
    inventory = fleet(cluster, dwh=[{**wish(cluster), "roles": [cluster.user]}])
    assert run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path).returncode == 0
    scene.sql(f'ALTER ROLE "{cluster.other}" RESOURCE GROUP {A}')
    strings = ["-e", "gp_resource_groups_purge_roles=false gp_resource_groups_wait=true gp_resource_groups_roles_to="]
    kept = run_playbook(
        "gpops.toolkit.resource_groups", inventory, tmp_path, *strings, "-e", "gp_resource_groups_wait_timeout=1s"
    )
    assert (kept.returncode, "changed=0" in kept.stdout) == (0, True), output(kept)
    purged = run_playbook(
        "gpops.toolkit.resource_groups", inventory, tmp_path, "-e", "gp_resource_groups_purge_roles=true"
    )
    assert purged.returncode == 0, output(purged)
    assert info(cluster)[A]["roles"] == [cluster.user]
    absent = json.dumps({"gp_resource_groups_desired": [{"name": A, "state": "absent"}]})
    gone = run_playbook(
        "gpops.toolkit.resource_groups",
        inventory,
        tmp_path,
        "-e",
        absent,
        "-e",
        "gp_resource_groups_roles_to=default_group",
    )
    assert gone.returncode == 0, output(gone)
    assert A not in info(cluster)
    refused = run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path, "-e", "gp_resource_groups_desired=[]x")
    assert refused.returncode != 0
    assert "gp_resource_groups_desired" in output(refused)


def test_an_empty_list_declares_nothing_and_drops_nothing_by_mistake(cluster: Cluster, tmp_path: Path) -> None:
    inventory = fleet(cluster, dwh=[])
    done = run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path)
    assert (done.returncode, "changed=0" in done.stdout) == (0, True), output(done)
    refused = run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path, "-e", "gp_resource_groups_purge=true")
    assert refused.returncode != 0
    assert "purge_all" in output(refused)
    del inventory["all"]["hosts"]["dwh"]["gp_resource_groups_desired"]
    undefined = run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path)
    assert undefined.returncode != 0
    assert "missing required arguments: gp_resource_groups_desired" in output(undefined)


def test_without_a_connection_the_environment_says_it_and_no_password_is_shown(
    cluster: Cluster, tmp_path: Path
) -> None:
    inventory = fleet(cluster, dwh=[{"name": "default_group"}])
    del inventory["all"]["vars"]
    login = {
        "PGHOST": cluster.host,
        "PGPORT": str(cluster.port),
        "PGUSER": cluster.admin,
        "PGPASSWORD": cluster.password(cluster.admin),
        "PGDATABASE": cluster.database,
    }
    done = run_playbook("gpops.toolkit.resource_groups_drift", inventory, tmp_path, **login)
    assert done.returncode == 0, output(done)
    secret = "not-the-right-one-42"
    inventory = fleet(cluster, dwh=[{"name": "default_group"}])
    inventory["all"]["vars"]["gp_connection"]["login_password"] = secret
    refused = run_playbook(
        "gpops.toolkit.resource_groups_drift", inventory, tmp_path, "-vvvv", "-e", "gp_resource_groups_junit=drift.xml"
    )
    assert refused.returncode != 0 or not cluster.embedded
    assert secret not in output(refused)
    assert secret not in (tmp_path / "drift.xml").read_text(encoding="utf-8")


def test_what_a_play_sets_for_all_modules_holds_in_the_role(cluster: Cluster, tmp_path: Path) -> None:
    playbook = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "module_defaults": {"group/gpops.toolkit.gp": cluster.login(cluster.admin)},
        "roles": [{"role": "gpops.toolkit.gp_resource_groups"}],
    }
    inventory = fleet(cluster, dwh=[{"name": "default_group"}])
    inventory["all"]["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    done = run_playbook([playbook], inventory, tmp_path)
    assert done.returncode == 0, output(done)
    # Where both say something, gp_connection is nearer.
    refused = run_playbook([playbook], inventory, tmp_path, "-e", '{"gp_connection": {"login_port": 1}}')
    assert "port 1" in output(refused)
