# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ansible-playbook against the cluster under test."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from integration.cluster import Cluster


def play(
    content: t.Any, cluster: Cluster, tmp_path: Path, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook on a host called gp, which stands for the cluster."""
    inventory = tmp_path / "inventory.yml"
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "gp_host": cluster.host,
        "gp_connection": cluster.login(cluster.admin),
    }
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"gp": host}}}), encoding="utf-8")
    playbook = content
    if not isinstance(content, str):
        playbook = str(tmp_path / "playbook.yml")
        Path(playbook).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return subprocess.run(
        ["ansible-playbook", "-i", str(inventory), *arguments, playbook],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "GPOPS_TEST_HOST": cluster.host,
            "GPOPS_TEST_PORT": str(cluster.port),
            "GPOPS_TEST_ADMIN": cluster.admin,
            "GPOPS_TEST_ADMIN_PASSWORD": cluster.password(cluster.admin),
            "GPOPS_TEST_DB": cluster.database,
            "PGPORT": str(cluster.port),
            "PGUSER": cluster.admin,
            "PGPASSWORD": cluster.password(cluster.admin),
            "PGDATABASE": cluster.database,
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_REMOTE_TMP": str(tmp_path / "remote"),
            "NO_COLOR": "1",
            **environ,
        },
        timeout=300,
        check=False,
    )


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    """What it printed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
