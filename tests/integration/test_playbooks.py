# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users copy from the documentation, and the integration targets, run by ansible-playbook."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from integration.cluster import Cluster, Scene, eventually
from integration.playbook import play, readme_inventory, run_playbook, succeeded

ROOT = Path(__file__).resolve().parent.parent.parent
TARGETS = ROOT / "tests" / "integration" / "targets"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", sorted(path.name for path in TARGETS.iterdir()))
def test_target(target: str, cluster: Cluster, tmp_path: Path) -> None:
    plays = [{"name": target, "hosts": "gp", "gather_facts": False, "roles": [str(TARGETS / target)]}]
    succeeded(play(plays, cluster, tmp_path))


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_a_module(module: str, cluster: Cluster, tmp_path: Path) -> None:
    source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    block = re.search(r'^EXAMPLES = r"""(.*?)"""', source, re.DOTALL | re.MULTILINE)
    assert block
    tasks = yaml.safe_load(block.group(1))
    plays = [{"name": module, "hosts": "gp", "gather_facts": False, "tasks": tasks}]
    out = succeeded(play(plays, cluster, tmp_path))
    assert f"ok={len(tasks)} " in out


def readme_playbooks() -> list[str]:
    return [
        block
        for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
        if block.lstrip().startswith(("- name", "---\n- name"))
    ]


@pytest.mark.parametrize("number", range(len(readme_playbooks())))
def test_playbooks_of_the_readme(number: int, cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    """With the inventory of the page and nothing else: neither variables of the environment nor an interpreter."""
    plays = yaml.safe_load(readme_playbooks()[number])
    scene.keep_default_group()
    succeeded(run_playbook(plays, readme_inventory(cluster), tmp_path))


def test_the_readme_has_an_example_of_each_module() -> None:
    text = "".join(readme_playbooks())
    assert [module for module in MODULES if f"gpops.toolkit.{module}:" not in text] == []


def test_the_table_of_sessions(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    scene.client(cluster.user, name="gpops it").run("SELECT 'a'\n\n, '\x1b[31mred'")
    options = json.dumps({"gp_process_options": {"application_names": ["gpops it"]}})
    out = succeeded(play("gpops.toolkit.processes", cluster, tmp_path, "-e", options))
    lines = json.loads(out[out.index('{\n    "msg"') : out.rindex("}") + 1])["msg"]
    assert lines[0].startswith("1 session selected; ")
    assert lines[1].split()[:3] == ["PID", "USER", "DATABASE"]
    assert lines[2].split()[1:3] == [cluster.user, cluster.database]
    assert lines[2].endswith("SELECT 'a' , '\u241b[31mred'")


@pytest.mark.parametrize(
    ("playbook", "variable"),
    [("processes", "gp_connection"), ("processes", "gp_process_options"), ("resource_groups", "gp_connection")],
)
def test_options_that_are_no_dictionary_are_refused_in_words(
    playbook: str, variable: str, cluster: Cluster, tmp_path: Path
) -> None:
    more = {variable: "login_host=s3cret", "gp_resource_groups_desired": []}
    done = play(f"gpops.toolkit.{playbook}", cluster, tmp_path, "-e", json.dumps(more))
    assert done.returncode != 0
    said = " ".join(done.stdout.split()) + done.stderr
    assert f"{variable}: it is a dictionary of options such as login_host" in said
    assert "s3cret" not in said
    good = play(f"gpops.toolkit.{playbook}", cluster, tmp_path, "-e", json.dumps({**more, variable: ""}))
    assert "it is a dictionary" not in good.stdout


def test_the_message_has_its_short_name_in_a_task(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    client = scene.client(cluster.user).start("SELECT pg_sleep(600)")
    scene.state(client, "active")
    options = {
        **cluster.login(cluster.admin),
        "toolkit": "native",
        "state": "cancelled",
        "pids": [client.pid],
        "message": "call the night shift",
    }
    task = {"gpops.toolkit.gp_backend": options, "register": "ended"}
    check = {"ansible.builtin.assert": {"that": ["ended.victims[0].outcome == 'cancelled'"]}}
    plays: list[t.Any] = [{"hosts": "gp", "gather_facts": False, "tasks": [task, check]}]
    succeeded(play(plays, cluster, tmp_path))
    if cluster.family != "cb":
        eventually(lambda: "call the night shift" in str(client.error), "the client reads the message")
    twice = {"gpops.toolkit.gp_backend": {**options, "victim_message": "again"}}
    done = play([{"hosts": "gp", "gather_facts": False, "tasks": [twice]}], cluster, tmp_path)
    assert done.returncode != 0
    assert "give either this or victim_message" in done.stdout


def test_a_password_that_is_a_user_s_name_does_not_blank_it(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    scene.client(cluster.user, name="gpops it")
    task = {
        "gpops.toolkit.gp_process_info": {
            **cluster.login(cluster.admin),
            "login_user": cluster.admin,
            "application_names": ["gpops it"],
            "connect_params": {"password": cluster.password(cluster.admin), "keepalives": 1},
        },
        "register": "found",
    }
    check = {"ansible.builtin.assert": {"that": [f"found.processes[0].usename == '{cluster.user}'"]}}
    plays = [{"hosts": "gp", "gather_facts": False, "tasks": [task, check]}]
    # From 2.21 on a result has its options only where they are asked for.
    out = succeeded(play(plays, cluster, tmp_path, "-vvvv", ANSIBLE_INJECT_INVOCATION="true"))
    assert '"connect_params": {\n' in out
    assert '"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"' in out
    assert '"keepalives": 1' in out or '"keepalives": "1"' in out
