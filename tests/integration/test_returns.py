# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documented returns and their samples have the shape of what the modules really return."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from integration.cluster import Cluster, Scene
from integration.playbook import play, succeeded
from integration.run_module import run_module
from integration.test_playbooks import MODULES, ROOT

# What Ansible itself puts into every result.
_ANSIBLES = {"changed", "failed", "invocation", "msg", "warnings", "deprecations", "exception", "option"}
_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (int, float),
    "int": (int,),
    "list": (list,),
    "str": (str,),
}


def returns(module: str) -> dict[str, t.Any]:
    source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    block = re.search(r'^RETURN = r"""(.*?)"""', source, re.DOTALL | re.MULTILINE)
    assert block
    found: dict[str, t.Any] = yaml.safe_load(block.group(1))
    return found


class Runs:
    """Real results of each module: of a success, and where it has one of a failed statement."""

    def __init__(self, cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
        self._cluster = cluster
        self._scene = scene
        self._tmp_path = tmp_path

    def _run(self, module: str, role: str, **options: t.Any) -> dict[str, t.Any]:
        return run_module(module, {**self._cluster.login(role), **options})

    def _no_role(self, module: str, **options: t.Any) -> dict[str, t.Any]:
        return self._run(module, self._cluster.admin, session_role="gpops_it_nobody", **options)

    def _victim(self) -> int:
        client = self._scene.client(self._cluster.user).run("BEGIN", "SELECT 'lunch'")
        self._scene.state(client, "idle in transaction")
        return client.pid

    def _played(self, first: list[dict[str, t.Any]], module: str, options: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """Of what runs on the control node only, in a play."""
        written = self._tmp_path / "result.json"
        task = {f"gpops.toolkit.{module}": options, "register": "told"}
        keep = {"ansible.builtin.copy": {"content": "{{ told | to_json }}", "dest": str(written), "mode": "0600"}}
        tasks = [*first, task, keep]
        succeeded(play([{"hosts": "gp", "gather_facts": False, "tasks": tasks}], self._cluster, self._tmp_path))
        return [json.loads(written.read_text(encoding="utf-8"))]

    def gp_process_info(self) -> list[dict[str, t.Any]]:
        self._victim()
        return [self._run("gp_process_info", self._cluster.admin), self._no_role("gp_process_info")]

    def gp_backend(self) -> list[dict[str, t.Any]]:
        wanted = {"state": "terminated", "pids": [self._victim()]}
        return [self._run("gp_backend", self._cluster.admin, **wanted), self._no_role("gp_backend", **wanted)]

    def gp_policy(self) -> list[dict[str, t.Any]]:
        wanted = {"policies": [{"name": "it", "state": "terminated", "pids": [self._victim()]}]}
        return [self._run("gp_policy", self._cluster.admin, **wanted), self._no_role("gp_policy", **wanted)]

    def gp_admission(self) -> list[dict[str, t.Any]]:
        database = {"name": self._cluster.plain_database, "connection_limit": 99}
        wanted = {"databases": [database], "roles": [{"name": self._cluster.other, "connection_limit": 9}]}
        return [
            self._run("gp_admission", self._cluster.admin, _ansible_check_mode=True, **wanted),
            self._run("gp_admission", self._cluster.user, **wanted),
        ]

    def gp_resource_group(self) -> list[dict[str, t.Any]]:
        wanted = {"name": "default_group", "concurrency": 7}
        return [
            self._run("gp_resource_group", self._cluster.admin, _ansible_check_mode=True, **wanted),
            self._run("gp_resource_group", self._cluster.user, **wanted),
        ]

    def gp_resource_group_info(self) -> list[dict[str, t.Any]]:
        found = self._run("gp_resource_group_info", self._cluster.admin, status=True)
        return [found, self._no_role("gp_resource_group_info")]

    def gp_file(self) -> list[dict[str, t.Any]]:
        options = {"dest": str(self._tmp_path / "files"), "name": "it.txt"}
        write = {"gpops.toolkit.gp_file": {**options, "content": "lunch"}}
        return self._played([write], "gp_file", {**options, "state": "read"})

    def gp_report(self) -> list[dict[str, t.Any]]:
        look = {"gpops.toolkit.gp_process_info": self._cluster.login(self._cluster.admin), "register": "sessions"}
        options = {"dest": str(self._tmp_path), "name": "it", "processes": "{{ sessions }}"}
        return self._played([look], "gp_report", options)


def differences(described: t.Mapping[str, t.Any], sample: t.Any, real: t.Any, where: str) -> t.Iterator[str]:
    """Where a sample is not of the shape that is returned; null is of any."""
    if sample is None or real is None:
        return
    right: bool = isinstance(real, _TYPES[described["type"]]) and isinstance(sample, _TYPES[described["type"]])
    if not right:
        yield f"{where}: {described['type']}, sample {sample!r}, really {real!r}"
    elif isinstance(real, list):
        element = {"type": described.get("elements", "str"), "contains": described.get("contains", {})}
        for shown in sample[:1]:
            for found in real[:1]:
                yield from differences(element, shown, found, f"{where}[]")
    elif isinstance(real, dict) and described.get("contains"):
        if set(sample) != set(real):
            yield f"{where}: sample has {sorted(set(sample) ^ set(real))}, or has not what is returned"
        for key, contained in described["contains"].items():
            if key not in real:
                yield f"{where}.{key} is not returned"
            else:
                yield from differences(contained, sample.get(key), real[key], f"{where}.{key}")


@pytest.mark.parametrize("module", MODULES)
def test_returns_are_as_documented(module: str, cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    described = returns(module)
    runs = getattr(Runs(cluster, scene, tmp_path), module)()
    assert [run.get("failed", False) for run in runs] == [False, True][: len(runs)]
    seen = {key for run in runs for key in run} - _ANSIBLES
    assert sorted(seen - set(described)) == [], "returned and not documented"
    assert sorted(set(described) - seen) == [], "documented and not returned"
    wrong = [
        problem
        for key, about in described.items()
        for problem in differences(about, about.get("sample"), next(run[key] for run in runs if key in run), key)
    ]
    assert wrong == []
    without = [key for key, about in described.items() if "sample" not in about]
    assert without == [], "without a sample"
