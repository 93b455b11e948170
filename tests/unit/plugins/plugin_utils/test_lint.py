# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-lint says of tasks with our modules: typos are found, and what a template will make is believed."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t

import pytest
import yaml
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.gp_policy import DEFINITION
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _lint

LOGIN = {"login_host": "dwh"}
GOOD: list[dict[str, t.Any]] = [
    {"gp_process_info": {**LOGIN, "users": "billy, sammy", "min_query_age": "{{ age }}", "blocking": "{{ number }}"}},
    {"gp_backend": {**LOGIN, "state": "{{ state }}", "pids": "{{ pids }}", "message": "call the night shift"}},
    {
        "gp_policy": {
            **LOGIN,
            "policies": [{"name": "a", "max_victims": "{{ most }}", "state": "{{ state }}"}, "{{ b }}"],
        }
    },
    {"gp_policy": {**LOGIN, "policies": "{{ policies }}"}},
    {"gp_resource_group": {**LOGIN, "name": "etl", "concurrency": "{{ groups.etl }}"}},
    {"gp_resource_group_info": {**LOGIN, "status": True}},
    {"gp_admission": {**LOGIN, "roles": [{"name": "etl", "connection_limit": "{{ limit }}"}]}},
    {"gp_report": {**LOGIN, "dest": "reports", "name": "triage", "processes": "{{ sessions }}"}},
    {"gp_file": {**LOGIN, "dest": "notes", "state": "read", "name": "{{ name }}"}},
]
BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"gp_process_info": {"usrs": "{{ users }}"}}, "usrs. Supported parameters include"),
    ({"gp_backend": {"state": "stopped", "pids": [1]}}, "value of state must be one of"),
    ({"gp_backend": {"state": "terminated", "pids": ["a"]}}, "Elements value for option 'pids'"),
    ({"gp_backend": {"pids": [1]}}, "missing required arguments: state"),
    ({"gp_policy": {"policies": [{"name": "{{ a }}", "max_victim": 3}]}}, "policies.max_victim"),
    ({"gp_policy": {"policies": [{"name": "a", "state": "terminated", "max_victims": "few"}]}}, "has the type"),
    ({"gp_resource_group": {"name": "etl", "concurrenzy": 5}}, "concurrenzy. Supported"),
    ({"gp_resource_group_info": {"status": "perhaps"}}, "argument 'status' has the type"),
    ({"gp_admission": {"databases": [{"name": "a", "konnection_limit": 3}]}}, "databases.konnection_limit"),
    ({"gp_report": {"dest": "x", "nam": "y"}}, "nam. Supported"),
    ({"gp_file": {"dest": "x", "stat": "read"}}, "stat. Supported"),
]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """What ansible-lint finds in a playbook of all these tasks: the line, and in which words."""
    folder = tmp_path_factory.mktemp("lint")
    tasks = [
        {"name": f"Task {number}", **{f"gpops.toolkit.{name}": options for name, options in task.items()}}
        for number, task in enumerate([*GOOD, *(task for task, _words in BAD)])
    ]
    play = [{"name": "Play", "hosts": "all", "gather_facts": False, "tasks": tasks}]
    (folder / "play.yml").write_text("---\n" + yaml.safe_dump(play, sort_keys=False), encoding="utf-8")
    command = ["ansible-lint", "--offline", "--nocolor", "-f", "pep8", "play.yml"]
    environment = {**os.environ, "HOME": str(folder), "COLUMNS": "2000"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = re.findall(r"^play\.yml:(\d+): args\S* (.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    lines = (folder / "play.yml").read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines, 1) if line.strip().startswith("- name: Task")]
    return [(sum(start <= int(line) for start in starts) - 1, words) for line, words in found]


@pytest.mark.parametrize(("number", "words"), list(enumerate((words for _task, words in BAD), len(GOOD))))
def test_what_cannot_be_meant_is_found(number: int, words: str, said: list[tuple[int, str]]) -> None:
    assert [text for task, text in said if task == number and words in text], said


def test_what_is_right_or_a_template_is_not_found(said: list[tuple[int, str]]) -> None:
    assert [(number, text) for number, text in said if number < len(GOOD)] == []


def test_a_template_does_not_hide_what_is_missing_elsewhere() -> None:
    def problem(*policies: t.Any) -> str:
        return _lint.problem_of({"policies": list(policies)}, DEFINITION.argument_spec)

    assert "missing required" in problem({"state": "terminated"})
    assert problem({"state": "{{ state }}"}) == ""
    assert problem("{{ policy }}") == ""
