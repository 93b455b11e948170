# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The situations in which the runbooks are tested, and how they are run."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

import pytest
from integration.cluster import Client, Cluster, Scene, eventually
from integration.conftest import EXTERNAL, FAMILIES
from integration.playbook import play
from psycopg2 import sql

NAME = "gpops_it"
SLEEP = "SELECT pg_sleep(600)"
IDLE_IN_TRANSACTION = ("BEGIN", "SELECT 1 AS forgotten")
# The same statement, as it may be written.
DDL = (
    "/* release 7 */ -- add it\nALTER TABLE {table} ADD COLUMN b int",
    ";;/* a /* b */ c */ ALTER TABLE {table} ADD COLUMN b int",
    "SELECT 1; ALTER TABLE {table} ADD COLUMN b int",
    "DO $x$ BEGIN EXECUTE 'ALTER TAB' || 'LE {table} ADD COLUMN b int'; END $x$",
)


@dataclasses.dataclass
class Situation:
    """What an operator is called for.

    Attributes:
        settings: Of the role, without the prefix.
        victims: Who is to end, or whose statement.
        bystanders: Who must not.
        ends: Whether the sessions of the victims end, and not only their statements.
        relieved: What holds afterwards.
    """

    settings: dict[str, t.Any]
    victims: list[Client]
    bystanders: list[Client]
    ends: bool = True
    relieved: t.Callable[[], t.Any] = lambda: True


@dataclasses.dataclass
class Run:
    """What came of a run of a playbook."""

    code: int
    out: str
    report: dict[str, t.Any]
    page: Path

    @property
    def victims(self) -> set[int]:
        """The processes that were signalled or would be."""
        victims = self.report["remediation"].get("victims", [])
        return {one["pid"] for one in victims if one["signalled"] or one["outcome"].startswith("would_be_")}


def on(family: str) -> pytest.MarkDecorator:
    """Where the engine does not matter: one embedded family, or the cluster of the environment."""
    return pytest.mark.parametrize("cluster", FAMILIES if EXTERNAL else [family], indirect=True, scope="session")


def run(runbook: str, cluster: Cluster, tmp_path: Path, mode: str, **settings: t.Any) -> Run:
    """Run the playbook of the collection with these settings, and read its report."""
    values = {f"gp_remediation_{name}": value for name, value in settings.items() if name != "connection"}
    if "connection" in settings:
        values["gp_connection"] = settings["connection"]
    values.setdefault("gp_remediation_state_dir", str(tmp_path / "state"))
    options = ["-e", json.dumps(values)]
    if mode != "report":
        options += ["-e", f"gp_remediation_mode={mode}"]
    done = play(f"gpops.toolkit.{runbook}", cluster, tmp_path, *options, ANSIBLE_PIPELINING="1")
    reports = sorted((tmp_path / "gpops_reports" / "gp").glob(f"{runbook}-*.json"))
    assert reports, done.stdout + done.stderr
    report = json.loads(reports[-1].read_text(encoding="utf-8"))
    assert (report["runbook"], report["cluster"], report["mode"]) == (runbook, "gp", mode)
    return Run(done.returncode, done.stdout + done.stderr, report, reports[-1].with_suffix(".html"))


def fingerprint(scene: Scene) -> dict[str, t.Any]:
    """All that a runbook may change: sessions, groups, connection limits, logins."""
    sessions = "SELECT pid, state FROM pg_catalog.pg_stat_activity WHERE application_name LIKE %s ORDER BY pid"
    return {
        "sessions": scene.sql(sessions, (NAME + "%",)),
        "groups": scene.sql("SELECT * FROM gp_toolkit.gp_resgroup_config ORDER BY groupid"),
        "limits": scene.sql("SELECT datname, datconnlimit FROM pg_catalog.pg_database ORDER BY 1"),
        "roles": scene.sql("SELECT rolname, rolcanlogin, rolconnlimit FROM pg_catalog.pg_roles ORDER BY 1"),
    }


def is_there(scene: Scene, client: Client) -> bool:
    """Whether the server still has the session."""
    return bool(scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,)))


def check_victims(scene: Scene, situation: Situation) -> None:
    """The victims ended, the bystanders did not, and the situation is over."""
    for client in situation.victims:
        if situation.ends:
            assert not is_there(scene, client)
        else:
            eventually(client.is_done, "the statement of the client ends")
            assert "cancel" in str(client.error)
            assert is_there(scene, client)
    for client in situation.bystanders:
        assert is_there(scene, client)
        assert client.error is None
    eventually(situation.relieved, "the situation is relieved")


# The situations


def idle_in_transaction(scene: Scene) -> Situation:
    """Somebody went to lunch."""
    cluster = scene.cluster
    victims = [scene.client(cluster.user).run(*IDLE_IN_TRANSACTION) for _number in range(2)]
    victims.append(scene.client(cluster.other).run("BEGIN"))
    working = scene.client(cluster.user).start(SLEEP)
    scene.state(working, "active")
    spared = scene.client(cluster.other, name=f"{NAME}_spared").run("BEGIN")
    settings = {"min_state_age": "0", "application_names": [NAME]}
    return Situation(settings, victims, [working, spared, scene.client(cluster.user)])


def idle_sessions(scene: Scene) -> Situation:
    """Sessions that nobody uses."""
    cluster = scene.cluster
    victims = [scene.client(cluster.user) for _number in range(3)]
    bystanders = [scene.client(cluster.other), scene.client(cluster.user).run("BEGIN")]
    return Situation({"min_state_age": "0", "users": [cluster.user], "application_names": [NAME]}, victims, bystanders)


def long_queries(scene: Scene) -> Situation:
    """Statements that run for longer than the limits of their users."""
    cluster = scene.cluster
    victims = [scene.client(cluster.user).start(SLEEP) for _number in range(2)]
    bystanders = [scene.client(cluster.other).start(SLEEP)]
    for client in victims + bystanders:
        scene.state(client, "active")
    limits = [{"users": [cluster.other], "min_query_age": "1h"}, {"users": ["*"], "min_query_age": "0"}]
    return Situation({"limits": limits, "application_names": [NAME]}, victims, bystanders, ends=False)


def lock_jam(scene: Scene) -> Situation:
    """A reader, a migration behind it, and a crowd behind the migration: 20 wait."""
    root, migration, crowd, holder = _jam(scene)
    waiters = [migration, *crowd]

    def relieved() -> bool:
        return all(client.error is None and client.is_done() for client in waiters)

    settings = {"application_names": [NAME]}
    return Situation(settings, [root], [*waiters, holder], relieved=relieved)


def waiting_ddl(scene: Scene, ddl: str = DDL[0]) -> Situation:
    """The same, where the reader is to go on, and the migration is to try again later."""
    root, migration, crowd, holder = _jam(scene, ddl)
    settings = {"min_wait_age": "0", "application_names": [NAME]}
    return Situation(
        settings,
        [migration],
        [root, holder, *crowd],
        ends=False,
        relieved=lambda: all(client.error is None and client.is_done() for client in crowd),
    )


def _jam(scene: Scene, ddl: str = DDL[0]) -> tuple[Client, Client, list[Client], Client]:
    cluster = scene.cluster
    scene.keep_default_group()
    scene.sql("ALTER RESOURCE GROUP default_group SET concurrency 40")
    table, other_table = scene.table(), scene.table("gpops_it_quiet")
    scene.sql(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.SQL(table), sql.Identifier(cluster.other)))
    root = scene.client(cluster.user).run("BEGIN", f"SELECT * FROM {table}")
    holder = scene.client(cluster.user).run("BEGIN", f"SELECT * FROM {other_table}")
    migration = scene.client(cluster.other).start(ddl.format(table=table))
    scene.waiting(migration)
    crowd = [scene.client(cluster.user).start(f"SELECT * FROM {table}") for _number in range(19)]
    for client in crowd:
        scene.waiting(client)
    return root, migration, crowd, holder


def full_group(scene: Scene) -> Situation:
    """A group with room for two: one works, one went to lunch, three wait."""
    cluster = scene.cluster
    group, working, forgotten, queued = _full(scene)

    def relieved() -> bool:
        running = "SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s AND query LIKE 'SELECT pg_sleep%%'"
        waits = "waiting" if cluster.family == "gp6" else "wait_event_type = 'ResourceGroup'"
        return all(scene.sql(f"{running} AND NOT coalesce({waits}, false)", (client.pid,)) for client in queued)

    settings = {"group": group, "min_state_age": "0", "raise_by": 2}
    return Situation(settings, [forgotten], [working, *queued], relieved=relieved)


def group_to_drain(scene: Scene) -> Situation:
    """The same group, in which nothing is to run any more."""
    group, working, forgotten, queued = _full(scene)
    concurrency = "SELECT concurrency FROM gp_toolkit.gp_resgroup_config WHERE groupname = %s"
    return Situation(
        {"group": group, "drain_timeout": "1"},
        [working, forgotten],
        queued,
        relieved=lambda: int(scene.sql(concurrency, (group,))[0][0]) == 0,
    )


def _full(scene: Scene) -> tuple[str, Client, Client, list[Client]]:
    user = scene.cluster.user
    group = scene.group(user)
    if scene.cluster.family == "gp6":
        # With memory of its own, a group gives slots only as long as some of it is left.
        scene.sql(sql.SQL("ALTER RESOURCE GROUP {} SET memory_limit 0").format(sql.Identifier(group)))
    scene.sql(sql.SQL("ALTER RESOURCE GROUP {} SET concurrency 2").format(sql.Identifier(group)))
    working = scene.client(user).start(SLEEP)
    scene.state(working, "active")
    forgotten = scene.client(user).run(*IDLE_IN_TRANSACTION)
    queued = [scene.client(user).start(SLEEP) for _number in range(3)]
    for client in queued:
        scene.waiting(client)
    return group, working, forgotten, queued


def too_many_sessions(scene: Scene) -> Situation:
    """A role with five sessions that may have two."""
    cluster = scene.cluster
    victims = [scene.client(cluster.other) for _number in range(3)]
    open_transaction = scene.client(cluster.other).run("BEGIN")
    working = scene.client(cluster.other).start(SLEEP)
    scene.state(working, "active")
    settings = {"role_quotas": {cluster.other: 2}, "application_names": [NAME]}
    return Situation(settings, victims, [open_transaction, working, scene.client(cluster.user)])


def role_to_offboard(scene: Scene) -> Situation:
    """Somebody who left, and whose sessions did not."""
    cluster = scene.cluster
    scene.at_the_end(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(cluster.other)))
    working = scene.client(cluster.other).start(SLEEP)
    scene.state(working, "active")
    victims = [working, scene.client(cluster.other), scene.client(cluster.other).run("BEGIN")]
    can_login = "SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = %s"
    return Situation(
        {"role": cluster.other, "quiet_for": "1s"},
        victims,
        [scene.client(cluster.user)],
        relieved=lambda: scene.sql(can_login, (cluster.other,)) == [(False,)],
    )


def open_database(scene: Scene) -> Situation:
    """A database that is to be closed, with a limit that is to come back."""
    cluster = scene.cluster
    limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    scene.at_the_end(limit.format(sql.Identifier(cluster.database), sql.Literal(-1)))
    scene.sql(limit.format(sql.Identifier(cluster.database), sql.Literal(77)))
    victims = [scene.client(cluster.user), scene.client(cluster.other).run("BEGIN")]
    bystanders = [scene.client(cluster.user, cluster.plain_database)]
    now = "SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = %s"
    return Situation(
        {"databases": [cluster.database], "quiet_for": "1s"},
        victims,
        bystanders,
        relieved=lambda: scene.sql(now, (cluster.database,)) == [(0,)],
    )


def named_sessions(scene: Scene) -> Situation:
    """Two sessions that somebody complained about."""
    cluster = scene.cluster
    victims = [scene.client(cluster.user).start(SLEEP), scene.client(cluster.other).run(*IDLE_IN_TRANSACTION)]
    bystander = scene.client(cluster.user).start(SLEEP)
    for client in (victims[0], bystander):
        scene.state(client, "active")
    return Situation({"pids": [client.pid for client in victims]}, victims, [bystander])


def any_sessions(scene: Scene) -> Situation:
    """Sessions of all kinds."""
    cluster = scene.cluster
    working = scene.client(cluster.user).start(SLEEP)
    scene.state(working, "active")
    victims = [working, scene.client(cluster.other), scene.client(cluster.other, cluster.plain_database).run("BEGIN")]
    return Situation({"confirm": "gp"}, victims, [scene.client(cluster.admin)])


def saturated(scene: Scene) -> Situation:
    """Hardly a connection is left, and one role has most of them."""
    cluster = scene.cluster
    few = [scene.client(cluster.user) for _number in range(3)]
    most, reserved = (
        int(scene.sql(f"SHOW {name}")[0][0]) for name in ("max_connections", "superuser_reserved_connections")
    )
    used = len(scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE datname IS NOT NULL"))
    lost = reserved * (2 if cluster.managed else 1)  # there, mdb_admin has as many as superusers have
    many = [scene.client(cluster.other) for _number in range(most - lost - used)]
    return Situation({"min_state_age": "0"}, many, few)
