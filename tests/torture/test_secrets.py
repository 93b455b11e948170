# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The password is nowhere: not in a result, a log, a list of processes, nor in the server's own views."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import psycopg2
import pytest
from integration.cluster import Cluster, Scene
from psycopg2 import sql
from torture import figures, forge
from torture.conversations import fresh_tag
from torture.scale import scaled

# Of a kind that shows in no other place; also what it becomes in JSON, YAML, a URL, or a shell. A superuser has it for
# a while, so nobody may know it.
SECRET = f"Tr0ub4dor{secrets.token_hex(8)}'&\"{{{{3}}}} ümlaut"
TRACES = ("Tr0ub4dor", "3}} ümlaut", "3}} \\u00fcmlaut")
TASKS: tuple[tuple[str, dict[str, t.Any]], ...] = (
    ("gp_process_info", {}),
    ("gp_resource_group_info", {}),
    ("gp_backend", {"state": "terminated", "application_names": ["gpops_victim"]}),
    ("gp_resource_group", {"name": "default_group", "concurrency": 21}),
)
# What goes wrong, and when: before, at and after the login.
TROUBLES: tuple[dict[str, t.Any], ...] = (
    {},
    {"login_port": 1},
    {"login_db": "no_such_database"},
    {"login_user": "nobody_at_all"},
    {"session_role": "nobody_at_all"},
    {"timeout": -1},
    {"connect_params": {"no_such_parameter": SECRET}},
    {"connect_params": {"password": SECRET}, "login_password": None},
    {"connect_params": {"passwort": SECRET}},
    {"connect_params": {"dsn": f"host=x password={SECRET}"}},
    {"connect_params": {"options": "-c no_such_setting=1"}},
)


@pytest.fixture
def keeper(scene: Scene) -> t.Iterator[str]:
    """A superuser with that password."""
    role = fresh_tag()
    name = sql.Identifier(role)
    scene.sql(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(name, sql.Literal(SECRET)))
    yield role
    scene.sql(sql.SQL("DROP ROLE {}").format(name))


def clean(text: str, where: str) -> None:
    """No trace of it."""
    for trace in TRACES:
        assert trace not in text, f"{where}: {text[max(0, text.index(trace) - 300) : text.index(trace) + 100]}"


class Watch:
    """Looks at all processes and at the server's list of sessions for as long as a with block lasts."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.looks = 0
        self.seen: set[str] = set()

    def __enter__(self) -> t.Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        with Scene(self._cluster) as scene:
            while not self._over.wait(0.02):
                for line in Path("/proc").glob("[0-9]*/cmdline"):
                    with contextlib.suppress(OSError):
                        self.seen.add(line.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                self.seen.update(str(row) for row in scene.sql("SELECT * FROM pg_catalog.pg_stat_activity"))
                self.looks += 1


@pytest.mark.parametrize("mode", [{}, {"_ansible_check_mode": True, "_ansible_diff": True}], ids=["run", "check"])
def test_modules_tell_it_to_nobody(cluster: Cluster, scene: Scene, keeper: str, mode: dict[str, t.Any]) -> None:
    scene.keep_default_group()
    runs = 0
    with Watch(cluster) as watch:
        for module, task in TASKS:
            for trouble in TROUBLES:
                login = {**cluster.login(keeper, cluster.plain_database), "login_password": SECRET}
                done = forge.run(module, {**login, **task, "timeout": 10, **trouble, **mode})
                assert not done.crashed, done.output
                clean(done.output, f"{module} with {trouble}")
                runs += 1
    clean("\n".join(watch.seen), "processes")
    assert watch.looks > 3
    assert any("gpops.toolkit" in seen for seen in watch.seen)  # it did see the modules' sessions
    figures.record("secrets", cluster.family, {f"runs, {'check' if mode else 'run'}": runs, "looks": watch.looks})


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/gpops.toolkit.gp:
      login_host: "{{ lookup('env', 'T_HOST') }}"
      login_port: "{{ lookup('env', 'T_PORT') }}"
      login_user: "{{ lookup('env', 'T_USER') }}"
      login_password: "{{ lookup('env', 'T_PASSWORD') }}"
  tasks:
    - gpops.toolkit.gp_process_info:
    - gpops.toolkit.gp_backend:
        state: cancelled
        users: [nobody_at_all]
    - gpops.toolkit.gp_resource_group:
        name: default_group
        concurrency: 23
    - gpops.toolkit.gp_process_info:
        login_db: no_such_database
      ignore_errors: true
"""


def test_a_playbook_with_all_there_is_to_say(cluster: Cluster, scene: Scene, keeper: str, tmp_path: Path) -> None:
    scene.keep_default_group()
    (tmp_path / "play.yml").write_text(PLAY)
    environ = {"T_HOST": cluster.host, "T_PORT": str(cluster.port), "T_USER": keeper, "T_PASSWORD": SECRET}
    environ["ANSIBLE_INJECT_INVOCATION"] = "true"
    for more in scaled([["--check", "--diff"]], [[], ["--check", "--diff"]]):
        with Watch(cluster) as watch:
            done = subprocess.run(
                [
                    "ansible-playbook",
                    "-vvvv",
                    "-i",
                    "localhost,",
                    "-e",
                    f"ansible_python_interpreter={sys.executable}",
                    str(tmp_path / "play.yml"),
                    *more,
                ],
                env={**os.environ, **environ, "ANSIBLE_LOG_PATH": str(tmp_path / "log"), "ANSIBLE_NOCOLOR": "1"},
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
        assert "ok=4" in done.stdout, done.stdout[-2000:] + done.stderr
        for where, text in (("output", done.stdout + done.stderr), ("log", (tmp_path / "log").read_text())):
            assert keeper in text
            clean(text.replace("T_PASSWORD", ""), where)
        clean("\n".join(watch.seen), "processes")


STATEMENTS = (
    "ALTER ROLE {role} PASSWORD 's3cret-w0rd'",
    "ALTER USER {role} WITH ENCRYPTED PASSWORD E's3cret-w0rd'",
    "CREATE ROLE {role} PASSWORD $x$s3cret-w0rd$x$",
    "DO $x$BEGIN EXECUTE 'ALTER ROLE {role} PASSWORD ''s3cret-w0rd'''; END$x$",
)


@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_users_password_is_not_shown(cluster: Cluster, scene: Scene, statement: str, redact: bool) -> None:
    tag = fresh_tag()
    client = scene.client(cluster.user, name=tag)
    with contextlib.suppress(psycopg2.Error):  # this role may not, and the text stays in the view all the same
        client.run(statement.format(role=tag))
    text = scene.sql("SELECT query FROM pg_catalog.pg_stat_activity WHERE application_name = %s", (tag,))
    assert "s3cret-w0rd" in text[0][0]
    for module, task in (
        ("gp_process_info", {}),
        ("gp_backend", {"state": "terminated", "_ansible_check_mode": True, "_ansible_diff": True}),
        ("gp_backend", {"state": "terminated"}),
    ):
        login = cluster.login(cluster.admin)
        done = forge.run(module, {**login, **task, "application_names": [tag], "redact_literals": redact})
        assert not done.outcome.failed, done.outcome
        assert tag in done.output
        assert "s3cret" not in done.output


def test_a_password_that_is_a_name_blanks_nobody(cluster: Cluster, scene: Scene) -> None:
    tag = fresh_tag()
    scene.client(cluster.user, name=tag).run("SELECT 1")
    role = sql.Identifier(cluster.ops)
    password = cluster.password(cluster.ops)
    scene.sql(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(cluster.user)))
    try:
        login = {**cluster.login(cluster.ops), "login_password": cluster.user}
        said = forge.run("gp_process_info", {**login, "application_names": [tag]}).outcome
    finally:
        scene.sql(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
    assert [record["usename"] for record in said["processes"]] == [cluster.user]
    assert said["invocation"]["module_args"]["login_password"] != cluster.user
    assert json.dumps(said["summary"]["by_user"]) == json.dumps({cluster.user: 1})
