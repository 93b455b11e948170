# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-playbook."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from integration.cluster import Cluster

ROOT = Path(__file__).resolve().parent.parent.parent


def play(
    content: t.Any, cluster: Cluster, tmp_path: Path, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run it on a host called gp, which stands for the cluster."""
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "gp_host": cluster.host,
        "gp_connection": cluster.login(cluster.admin),
    }
    environment = {
        "GPOPS_TEST_HOST": cluster.host,
        "GPOPS_TEST_PORT": str(cluster.port),
        "GPOPS_TEST_ADMIN": cluster.admin,
        "GPOPS_TEST_ADMIN_PASSWORD": cluster.password(cluster.admin),
        "GPOPS_TEST_DB": cluster.database,
        "PGPORT": str(cluster.port),
        "PGUSER": cluster.admin,
        "PGPASSWORD": cluster.password(cluster.admin),
        "PGDATABASE": cluster.database,
    }
    inventory = {"all": {"hosts": {"gp": host}}}
    return run_playbook(content, inventory, tmp_path, *arguments, **{**environment, **environ})


def readme_inventory(cluster: Cluster) -> dict[str, t.Any]:
    """The inventory that README prints, but for where this cluster is and who logs in."""
    block = re.search(r"```yaml\n(all:\n.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    return printed_inventory(yaml.safe_load(block.group(1)), cluster)


def printed_inventory(inventory: dict[str, t.Any], cluster: Cluster) -> dict[str, t.Any]:
    """The inventory of a page, but for where this cluster is and who logs in."""
    group = inventory["all"]
    places = [*group["hosts"].values(), group.get("vars") or {}]
    connections = [place for place in places if place and "gp_connection" in place]
    assert connections
    for place in connections:
        here = {**cluster.login(cluster.admin), "login_user": cluster.admin, "login_db": cluster.database}
        place["gp_connection"] = {**here, "ssl_mode": "prefer"}
    return inventory


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    """What it printed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_playbook(
    playbook: t.Any,
    inventory: t.Mapping[str, t.Any] | Path,
    tmp_path: Path,
    *arguments: str,
    **environ: str,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook by its name, or these plays; the inventory is a path, or what a file of it would hold."""
    path = inventory
    if not isinstance(path, Path):
        path = tmp_path / "inventory.yml"
        path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    source = playbook
    if not isinstance(source, str):
        source = str(tmp_path / "playbook.yml")
        Path(source).write_text(yaml.safe_dump(playbook, sort_keys=False), encoding="utf-8")
    return subprocess.run(
        ["ansible-playbook", "-i", str(path), source, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**ansible_environment(tmp_path), **environ},
        timeout=300,
        check=False,
    )


def ansible_environment(tmp_path: Path) -> dict[str, str]:
    """The environment without any PG* variable, and with Ansible's own files in this folder."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    own = {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_REMOTE_TMP": str(tmp_path / "remote"), "NO_COLOR": "1"}
    return {**inherited, **own}


def output(done: subprocess.CompletedProcess[str]) -> str:
    """All that it said."""
    return done.stdout + done.stderr


def messages(done: subprocess.CompletedProcess[str], task: str) -> t.Any:
    """What the debug task of this name showed on the first host."""
    text = done.stdout[done.stdout.index(f"TASK [{task}]") :]
    return json.JSONDecoder().raw_decode(text[text.index("=> {") + 3 :])[0]["msg"]
