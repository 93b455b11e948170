# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fifty clusters in one playbook; here they are fifty hosts for the same one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from integration.cluster import Cluster, Scene

HOSTS = 50
POLICIES = 5
# Of what a host may take in the memory of the controller; it is far less.
HOST_KIB = 2048
# ansible-playbook, and the largest memory of it and of its workers in KiB, as the last line.
PROGRAM = """
import resource, subprocess, sys
done = subprocess.run(["ansible-playbook", *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def remediate(cluster: Cluster, hosts: int, tmp_path: Path) -> tuple[dict[str, t.Any], int]:
    """Five policies in report mode on so many hosts: the result of each host, and the memory that it took."""
    names = [f"gp{number:02d}" for number in range(hosts)]
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    policies = [
        {"name": f"policy {number}", "state": "terminated", "application_names": [f"fleet {{{{ mine }}}} {number}"]}
        for number in range(POLICIES)
    ]
    task = {"gpops.toolkit.gp_policy": {**cluster.login(cluster.admin), "policies": policies}, "register": "found"}
    results = str(tmp_path / "results.json")
    content = "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'found'))) | to_json }}"
    keep = {"ansible.builtin.copy": {"content": content, "dest": results}, "run_once": True}
    play = {"hosts": "all", "gather_facts": False, "tasks": [task, keep], "vars": {"mine": "{{ inventory_hostname }}"}}
    (tmp_path / "hosts.yml").write_text(
        json.dumps({"all": {"hosts": {name: {} for name in names}, "vars": variables}}), encoding="utf-8"
    )
    (tmp_path / "playbook.yml").write_text(json.dumps([play]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "playbook.yml")],
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_FORKS": "10"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(Path(results).read_text(encoding="utf-8"))
    assert sorted(found) == names
    return found, int(done.stdout.splitlines()[-1])


def test_fifty_hosts_each_see_their_own(cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    mine = {f"gp{number:02d}": number % POLICIES for number in range(HOSTS)}
    for host, policy in mine.items():
        scene.client(cluster.user, name=f"fleet {host} {policy}")
    found, memory = remediate(cluster, HOSTS, tmp_path)
    for host, policy in mine.items():
        outcomes = [each["outcome"] for each in found[host]["policies"]]
        assert outcomes == ["would_act" if number == policy else "nothing" for number in range(POLICIES)]
    smaller = remediate(cluster, HOSTS // 5, tmp_path)[1]
    assert memory - smaller < (HOSTS - HOSTS // 5) * HOST_KIB
