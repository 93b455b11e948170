# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example inventories, run on engines of their family, the examples for CI, and those of filters and roles."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from integration.cluster import Cluster, Scene, eventually
from integration.playbook import ansible_environment, output, play, run_playbook, succeeded
from integration.test_gp_resource_group import dropped
from psycopg2 import sql

ROOT = Path(__file__).resolve().parent.parent.parent
INVENTORIES = ROOT / "examples" / "inventories"
CI = sorted(path for path in (ROOT / "examples" / "ci").glob("*.yml") if path.name != "policies.yml")
# Which engine each host is for.
FAMILIES = {
    ("managed", "dwh"): "gp6",
    ("self_hosted", "warehouse"): "gp7",
    ("fleet", "sales"): "gp6",
    ("fleet", "finance"): "gp6",
    ("fleet", "science"): "gp7",
    ("fleet", "lab"): "cb",
}
SECRET = re.compile(r"password: *(?!\"\{\{)\S|PGPASSWORD *[:=]", re.IGNORECASE)


def read(name: str, tmp_path: Path) -> dict[str, dict[str, t.Any]]:
    """The variables of each host as Ansible reads them; what is templated stays as it is."""
    done = subprocess.run(
        ["ansible-inventory", "-i", str(INVENTORIES / name / "hosts.yml"), "--list"],
        capture_output=True,
        text=True,
        env=ansible_environment(tmp_path),
        check=True,
    )
    variables: dict[str, dict[str, t.Any]] = json.loads(done.stdout)["_meta"]["hostvars"]
    return variables


def names() -> list[str]:
    return sorted(path.name for path in INVENTORIES.iterdir())


@pytest.mark.parametrize("name", names())
def test_an_inventory_says_where_and_what_and_no_password(name: str, tmp_path: Path) -> None:
    hosts = read(name, tmp_path)
    assert {(name, host) for host in hosts} == {key for key in FAMILIES if key[0] == name}
    for variables in hosts.values():
        assert {"login_host", "login_user", "login_db"} <= set(variables["gp_connection"])
        assert variables["gp_connection"]["ssl_mode"] == "verify-full"
        assert variables["gp_resource_groups_desired"]


def examples() -> list[Path]:
    return sorted((ROOT / "examples").rglob("*.yml"))


@pytest.mark.parametrize("path", examples(), ids=lambda path: str(path.relative_to(ROOT / "examples")))
def test_no_example_has_a_password(path: Path) -> None:
    assert SECRET.findall(path.read_text(encoding="utf-8")) == []


@contextlib.contextmanager
def prepared(scene: Scene) -> t.Iterator[None]:
    """Roles that the inventories name; they, the groups and the limits of the built-in groups are put back."""
    before = limits(scene)
    texts = [path.read_text(encoding="utf-8") for path in INVENTORIES.rglob("*.yml")]
    wanted = {role for text in texts for found in re.findall(r"roles: \[(.*)\]", text) for role in found.split(", ")}
    for role in wanted:
        scene.sql(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    yield
    for role in wanted:
        scene.sql(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    for name in set(limits(scene)) - set(before):
        eventually(functools.partial(dropped, scene, name), f"{name} is dropped")
    for name, values in before.items():
        for option, value in values.items():
            if limits(scene)[name][option] != value:
                alter = f"ALTER RESOURCE GROUP {{}} SET {option} {{}}"
                scene.sql(sql.SQL(alter).format(sql.Identifier(name), sql.Literal(value)))


def limits(scene: Scene) -> dict[str, dict[str, int]]:
    """The numbers of each group."""
    rows = scene.sql("SELECT pg_catalog.row_to_json(c) FROM gp_toolkit.gp_resgroup_config c")
    return {
        row["groupname"]: {
            name: int(value)
            for name, value in row.items()
            if re.fullmatch(r"-?\d+", str(value)) and name not in {"groupid", "cpuset"}
        }
        for (row,) in rows
    }


def test_the_inventories_are_applied_and_then_without_drift(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    if not cluster.embedded:
        pytest.skip("this declares all groups of a cluster; it runs on embedded engines only")
    for (name, host), family in FAMILIES.items():
        if family != cluster.family:
            continue
        inventory = INVENTORIES / name / "hosts.yml"
        # Only where to connect to is another one.
        here = {"gp_connection": cluster.login(cluster.admin), "ansible_connection": "local"}
        options = ["--limit", host, "-e", json.dumps(here)]
        with prepared(scene):
            before = run_playbook("gpops.toolkit.resource_groups_drift", inventory, tmp_path, *options)
            assert before.returncode == 2, output(before)
            applied = run_playbook("gpops.toolkit.resource_groups", inventory, tmp_path, *options)
            assert applied.returncode == 0, output(applied)
            after = run_playbook("gpops.toolkit.resource_groups_drift", inventory, tmp_path, *options)
            assert after.returncode == 0, output(after)


@pytest.mark.parametrize("path", sorted((ROOT / "plugins" / "filter").glob("*.yml")), ids=lambda path: path.stem)
def test_examples_of_a_filter(path: Path, cluster: Cluster, tmp_path: Path) -> None:
    tasks = yaml.safe_load(yaml.safe_load(path.read_text(encoding="utf-8"))["EXAMPLES"])
    out = succeeded(play([{"hosts": "gp", "gather_facts": False, "tasks": tasks}], cluster, tmp_path))
    assert ", should be 25" in out


def test_the_example_of_the_role(cluster: Cluster, tmp_path: Path) -> None:
    text = (ROOT / "roles" / "gp_resource_groups" / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block
    here = json.dumps({"gp_connection": cluster.login(cluster.admin)})
    inventory = yaml.safe_load(block.group(1))
    commands = re.findall(r"`ansible-playbook gpops\.toolkit\.(\w+) -i inventory(.*?)`", text)
    assert len(commands) == 3
    for name, more in commands:
        if not more and name == "resource_groups":
            continue  # the tests of the role apply groups, and put them back
        done = run_playbook(f"gpops.toolkit.{name}", inventory, tmp_path, "-e", here, *more.split())
        assert done.returncode == (2 if name == "resource_groups_drift" else 0), output(done)
        assert "default_group" in output(done)


@pytest.mark.parametrize("path", CI, ids=lambda path: path.name)
def test_each_playbook_of_a_ci_example_exists(path: Path) -> None:
    named = set(re.findall(r"gpops\.toolkit\.(\w+)", str(yaml.safe_load(path.read_text(encoding="utf-8")))))
    assert {"resource_groups_drift", "triage", "remediate"} <= named
    missing = [name for name in sorted(named) if not (ROOT / "playbooks" / f"{name}.yml").exists()]
    assert missing == []


def test_a_schedule_only_looks_and_enforcing_is_by_hand() -> None:
    gitlab, github = (
        yaml.safe_load((ROOT / "examples" / "ci" / name).read_text())
        for name in ("gitlab-ci.yml", "github-actions.yml")
    )
    acting = re.compile(r"gp_remediation_mode=enforce|toolkit\.resource_groups(?!_drift)")
    for name in ("drift", "report"):
        assert not acting.search(str(gitlab[name]["script"]))
    for name in ("enforce", "apply"):
        assert acting.search(str(gitlab[name]["script"]))
        assert {rule["when"] for rule in gitlab[name]["rules"]} == {"manual"}
    assert github["on"]["schedule"]
    assert not acting.search(str(github["jobs"]["look"]["steps"]))
    assert acting.search(str(github["jobs"]["act"]["steps"]))
    assert github["jobs"]["act"]["if"].startswith("github.event_name == 'workflow_dispatch'")
    assert gitlab["drift"]["artifacts"]["reports"]["junit"] == "drift/drift.xml"
