# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers and their users say steers no terminal: not a message, not a warning, not a line of a playbook."""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import pytest
from integration.cluster import Cluster, Scene
from integration.conftest import EXTERNAL
from integration.playbook import output, run_playbook
from psycopg2 import sql
from torture.servers import Refusing

# A title, a colour, the same in one character, a line that is written over, and a text that is read backwards.
HOSTILE = "\x1b]0;pwned\x07\x1b[31m\x9b2J\x7f\rok\u202egnp\u2066"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
TASKS: dict[str, dict[str, t.Any]] = {
    "gp_process_info": {},
    "gp_backend": {"state": "cancelled", "pids": [1]},
    "gp_policy": {"policies": []},
    "gp_admission": {"databases": [{"name": "d", "connection_limit": 1}]},
    "gp_resource_group": {"name": "g", "concurrency": 1},
    "gp_resource_group_info": {},
}


def is_clean(text: str) -> bool:
    """Whether it steers nothing; the first place is shown if it does."""
    found = STEERS.search(text)
    assert found is None, ascii(text[max(0, found.start() - 300) : found.end() + 50])
    return True


@pytest.mark.skipif(EXTERNAL is not None, reason="it talks to a server of its own")
@pytest.mark.parametrize("direct", [True, False])
def test_an_error_of_a_server(tmp_path: Path, direct: bool) -> None:
    with Refusing("28000", f"no {HOSTILE} for you\nand {HOSTILE}") as server:
        login = server.login({"login_user": "ops", "login_password": "x", "login_db": "testdb"})
        tasks = [
            {f"gpops.toolkit.{name}": {**login, **options}, "ignore_errors": True} for name, options in TASKS.items()
        ]
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks, "vars": {"gpops_direct": direct}}
        host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "gp_connection": login}
        inventory = {"all": {"hosts": {"gp": host}}}
        done = run_playbook([play], inventory, tmp_path)
        said = output(done)
        assert is_clean(said)
        assert said.count(r"\x1b]0;pwned") >= len(TASKS)
        for playbook in ("triage", "processes", "resource_groups_drift"):
            settings = {"gp_resource_groups_desired": [], "gp_resource_groups_junit": "drift.xml"}
            done = run_playbook(f"gpops.toolkit.{playbook}", inventory, tmp_path, "-e", json.dumps(settings))
            assert done.returncode != 0
            assert is_clean(output(done))
            assert r"\x1b]0;pwned" in output(done)
        assert is_clean((tmp_path / "drift.xml").read_text(encoding="utf-8"))


@pytest.fixture
def role(cluster: Cluster, scene: Scene) -> str:
    """A role whose name is an attack, in a group whose name is one."""
    name = f"gpops_it{HOSTILE}"
    statement = "CREATE ROLE {} LOGIN PASSWORD {}"
    scene.sql(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(cluster.password(name))))
    scene.at_the_end(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    return name


@pytest.mark.skipif(EXTERNAL is not None, reason="the role's password has to be one that the tests know")
def test_names_and_texts_of_users(cluster: Cluster, scene: Scene, role: str, tmp_path: Path) -> None:
    scene.client(role, name="gpops it").run("BEGIN", f"SELECT 1 /* {HOSTILE} */")
    connection = {"ansible_connection": "local", "gp_connection": cluster.login(cluster.admin)}
    inventory = {"all": {"hosts": {"gp": connection}}}
    chosen = {"gp_remediation_application_names": ["gpops it"], "gp_remediation_min_state_age": "0"}
    settings = {
        **chosen,
        "gp_process_options": {"application_names": ["gpops it"]},
        "gp_resource_groups_desired": [{"name": HOSTILE, "concurrency": 5}],
        "gp_remediation_max_victims": 1,
        "gp_remediation_role": role,
    }
    for playbook in ("processes", "triage", "reap_idle_in_transaction", "offboard_role", "resource_groups_drift"):
        done = run_playbook(f"gpops.toolkit.{playbook}", inventory, tmp_path, "--diff", "-e", json.dumps(settings))
        assert is_clean(output(done)), playbook
    # As data, it is as it is.
    listed: t.Any = {
        "gpops.toolkit.gp_process_info": {**cluster.login(cluster.admin), "application_names": ["gpops it"]}
    }
    kept = {"gpops.toolkit.gp_file": {"dest": str(tmp_path), "name": "found", "content": "{{ found | to_json }}"}}
    play = {"hosts": "all", "gather_facts": False, "tasks": [{**listed, "register": "found"}, kept]}
    done = run_playbook([play], inventory, tmp_path)
    assert done.returncode == 0, output(done)
    (process,) = json.loads((tmp_path / "found").read_text(encoding="utf-8"))["processes"]
    assert process["usename"] == role
    assert HOSTILE in process["query"]
