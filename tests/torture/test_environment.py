# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that are not as they should be: each one clear error in plain words, or it works."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import shutil
import ssl
import threading
import typing as t
from pathlib import Path

import psycopg2
import pytest
import trustme
from integration.cluster import Cluster, Scene, embedded
from integration.run_module import Outcome
from torture import figures, forge, pgbouncer
from torture.conversations import CONVERSATIONS, TIMEOUT, Admitting, Conversation, Planning, Stage, fresh_tag
from torture.fault import Fault, Relay
from torture.listener import Server
from torture.scale import scaled
from torture.servers import Choosy, Encrypted, HangingSegment, Pooler, Refusing, Thief

MINUTE = 60.0
# Each module, with options that make it send something.
TASKS: tuple[tuple[str, dict[str, t.Any]], ...] = (
    ("gp_process_info", {}),
    ("gp_resource_group_info", {}),
    ("gp_backend", {"state": "terminated", "pids": [2147483647]}),
    ("gp_resource_group", {"name": "default_group", "state": "present"}),
)
each_task = pytest.mark.parametrize(("module", "task"), TASKS, ids=[name for name, _task in TASKS])


def run(module: str, options: t.Mapping[str, t.Any]) -> Outcome:
    """The outcome; never a crash, and one message of one line."""
    done = forge.run(module, options)
    assert not done.crashed, done.output
    if done.outcome.failed:
        assert "\n" not in done.outcome["msg"]
        assert done.outcome.get("exception") is None
    return done.outcome


def refused(module: str, options: t.Mapping[str, t.Any], *words: str) -> None:
    """It fails with all of these words."""
    said = run(module, options)
    assert said.failed, said
    for word in words:
        assert word in said["msg"], said["msg"]
    assert not said.get("changed")


@each_task
def test_logins_that_cannot_be(cluster: Cluster, module: str, task: dict[str, t.Any]) -> None:
    login = {**cluster.login(cluster.admin), **task}
    refused(module, {**login, "login_db": "no_such_database"}, "check login_db")
    if cluster.embedded:  # a real cluster may trust this machine
        refused(module, {**login, "login_password": "wrong"}, "check login_user and login_password")
        refused(module, {**login, "login_user": "nobody_at_all"}, "check login_user")
    refused(module, {**login, "login_port": 1}, "check login_host and login_port")
    refused(module, {**login, "login_host": "no-such-host.invalid"}, "check login_host")
    refused(module, {**login, "session_role": "nobody_at_all"}, "session_role", "nobody_at_all")


# What servers say that let nobody in; the texts of segments are those of Greenplum 6.24 and 7.0.
SAYINGS = (
    ("57P03", "the database system is starting up", "try again when it accepts connections"),
    ("57P03", "the database system is shutting down", "try again when it accepts connections"),
    ("57P03", "the database system is in recovery mode", "try again when it accepts connections"),
    ("57P03", "the database system is not accepting connections", "try again when it accepts connections"),
    ("57P03", "the database system is not yet accepting connections", "try again when it accepts connections"),
    ("57P03", "connections to primary segments are not allowed", "log in to the coordinator"),
    (
        "57P03",
        "System was started in master-only utility mode - only utility mode connections are allowed",
        "log in to the coordinator",
    ),
    (
        "57P03",
        "System was started in single node mode - only utility mode connections are allowed",
        "log in to the coordinator",
    ),
    ("53300", "sorry, too many clients already", "all connections are taken"),
    ("53300", "remaining connection slots are reserved for non-replication superuser connections", "superuser"),
    ("53300", 'too many connections for role "ops"', "connections"),
    ("53300", 'too many connections for database "testdb"', "connections"),
    ("28000", 'no pg_hba.conf entry for host "192.0.2.1", user "ops", database "testdb"', "pg_hba.conf"),
    ("28000", 'role "ops" is not permitted to log in', "check login_user"),
)


@pytest.mark.parametrize(("sqlstate", "text", "advice"), SAYINGS, ids=[text[:50] for _code, text, _advice in SAYINGS])
def test_servers_that_let_nobody_in(sqlstate: str, text: str, advice: str) -> None:
    login = {"login_user": "ops", "login_password": "ops", "login_db": "testdb"}
    with Refusing(sqlstate, text) as server:
        for module, task in TASKS:
            refused(module, server.login({**login, **task}), text, advice)


@each_task
def test_a_segment(cluster: Cluster, module: str, task: dict[str, t.Any]) -> None:
    port = os.environ.get("GPOPS_TEST_SEGMENT_PORT")
    if cluster.embedded or not port:
        pytest.skip("an embedded engine has no segments; it needs GPOPS_TEST_SEGMENT_PORT")
    login = {**cluster.login(cluster.admin, cluster.plain_database), **task, "login_port": int(port)}
    refused(module, login, "log in to the coordinator")
    utility = {"connect_params": {"options": "-c gp_session_role=utility"}}
    refused(module, {**login, **utility}, "is a segment", "log in to the coordinator")


def test_all_connections_taken() -> None:
    from sandbox import Sandbox

    with Sandbox(profile="gp6", max_connections=8) as box, contextlib.ExitStack() as stack:
        cluster = embedded(box)
        for role in ("sammy", "gpadmin"):
            with contextlib.suppress(psycopg2.OperationalError):
                while True:
                    stack.callback(cluster.connect(role).close)
            for module, task in TASKS:
                refused(module, {**cluster.login("ops"), **task}, "all connections are taken")
            said = run("gp_process_info", cluster.login("gpadmin"))
            assert said.failed == (role == "gpadmin"), said


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_a_server_that_reads_only(cluster: Cluster, scene: Scene, conversation: Conversation) -> None:
    stage = conversation.stage(scene, fresh_tag())
    login = cluster.login(getattr(cluster, conversation.role))
    reads_only = {"connect_params": {"options": "-c default_transaction_read_only=on"}}
    said = run(conversation.module, {**login, **stage.options(), **reads_only})
    stage.judge(said, lambda: run(conversation.module, {**login, **stage.options()}))
    if isinstance(stage, (Planning, Admitting)):
        assert said.failed
        assert "read-only" in said["msg"]
        assert "log in to the coordinator" in said["msg"]
    else:
        assert not said.failed, said


@pytest.fixture(scope="module")
def standby(cluster: Cluster) -> t.Iterator[Cluster]:
    """A real hot standby: a server of this family that never stops recovering."""
    from sandbox import Sandbox

    if not cluster.embedded:
        pytest.skip("it makes a standby of an embedded engine")
    # The first start makes it, the second lets its log be replayed, and from the third on it is a standby.
    box = Sandbox(profile=cluster.family, keep=True).start()
    data = box.dir / "data"
    try:
        for file, text in (("postgresql.auto.conf", "wal_level = replica\n"), ("standby.signal", "")):
            box.stop()
            (data / file).write_text(text, "utf-8")
            box = Sandbox(profile=cluster.family, directory=box.dir, keep=True).start()
        yield embedded(box)
    finally:
        box.stop()
        shutil.rmtree(box.dir)


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_a_hot_standby(standby: Cluster, conversation: Conversation) -> None:
    """Sessions of it are listed and ended; what would change the cluster is refused."""
    login = standby.login(getattr(standby, conversation.role))
    changes: dict[str, dict[str, t.Any]] = {
        "gp_resource_group": {"name": "default_group", "concurrency": 7},
        "gp_admission": {"roles": [{"name": standby.user, "connection_limit": 7}]},
    }
    if conversation.module in changes:
        refused(
            conversation.module, {**login, **changes[conversation.module]}, "read-only", "log in to the coordinator"
        )
        return
    with Scene(standby) as scene:
        assert scene.sql("SELECT pg_catalog.pg_is_in_recovery()") == [(True,)]
        stage = conversation.stage(scene, fresh_tag())
        said = run(conversation.module, {**login, **stage.options()})
        assert not said.failed, said
        stage.judge(said, lambda: said)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path, Path]:
    """The authority of the server's certificate, its file, and that of another one."""
    folder = tmp_path_factory.mktemp("tls")
    right, wrong = trustme.CA(), trustme.CA()
    right.cert_pem.write_to_path(folder / "right.pem")
    wrong.cert_pem.write_to_path(folder / "wrong.pem")
    return right, folder / "right.pem", folder / "wrong.pem"


def tls(authority: trustme.CA, name: str, **more: t.Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **more).configure_cert(context)
    return context


@each_task
def test_tls(cluster: Cluster, authorities: tuple[trustme.CA, Path, Path], module: str, task: dict[str, t.Any]) -> None:
    authority, right, wrong = authorities
    login = {**cluster.login(cluster.admin), **task}

    def options(server: Server, file: Path, mode: str) -> dict[str, t.Any]:
        return server.login(login, ssl_mode=mode, ca_cert=str(file))

    with Encrypted(cluster, tls(authority, "127.0.0.1")) as server:
        assert not run(module, options(server, right, "verify-full")).failed
        refused(module, options(server, wrong, "verify-full"), "check ssl_mode and ca_cert")
        refused(module, options(server, wrong, "verify-ca"), "check ssl_mode and ca_cert")
        refused(module, options(server, right.parent / "missing.pem", "verify-ca"), "check ssl_mode and ca_cert")
    with Encrypted(cluster, tls(authority, "other.example")) as server:
        refused(module, options(server, right, "verify-full"), "check ssl_mode and ca_cert", "other.example")
        assert not run(module, options(server, right, "verify-ca")).failed
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    with Encrypted(cluster, tls(authority, "127.0.0.1", not_after=past)) as server:
        refused(module, options(server, right, "verify-full"), "check ssl_mode and ca_cert")
    if cluster.embedded:
        refused(module, {**login, "ssl_mode": "require"}, "the server has no TLS")
        refused(module, {**login, "ssl_mode": "verify-full", "ca_cert": str(right)}, "the server has no TLS")


def test_tls_by_name_and_from_the_environment(
    cluster: Cluster, authorities: tuple[trustme.CA, Path, Path], tmp_path: Path
) -> None:
    """A name that leads to the coordinator of the moment; the file of the authority from PGSSLROOTCERT or a service."""
    authority, right, wrong = authorities
    name = "c-example.rw.mdb.example.net"
    with Encrypted(cluster, tls(authority, name)) as server:
        login = {**server.login(cluster.login(cluster.admin)), "connect_params": {"hostaddr": "127.0.0.1"}}
        del login["ssl_mode"], login["login_host"]
        by_service, login = login, {**login, "login_host": name}
        environ = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(right)}
        assert not forge.run("gp_process_info", login, environ).outcome.failed
        both = tmp_path / "both.pem"
        both.write_text(wrong.read_text("utf-8") + right.read_text("utf-8"), "utf-8")
        assert not forge.run("gp_process_info", login, {**environ, "PGSSLROOTCERT": str(both)}).outcome.failed
        said = forge.run("gp_process_info", login, {**environ, "PGSSLROOTCERT": str(wrong)}).outcome
        assert "check ssl_mode and ca_cert" in said["msg"]
        said = forge.run("gp_process_info", {**login, "login_host": "other.example.net"}, environ).outcome
        assert "check ssl_mode and ca_cert" in said["msg"]
        service = tmp_path / "service.conf"
        service.write_text(f"[dwh]\nhost={name}\nsslmode=verify-full\nsslrootcert={right}\n", "utf-8")
        environ = {"PGSERVICE": "dwh", "PGSERVICEFILE": str(service)}
        assert not forge.run("gp_process_info", by_service, environ).outcome.failed


def test_a_false_server_gets_no_password() -> None:
    login = {"login_user": "ops", "login_password": "s3cret", "login_db": "testdb"}
    with Thief() as server:
        for mode in ("verify-full", "verify-ca", "require"):
            refused("gp_process_info", server.login(login, ssl_mode=mode, ca_cert=__file__), "cannot connect")
            assert server.got == []
        run("gp_process_info", server.login(login, ssl_mode="prefer"))
        assert set(server.got) == {"s3cret"}


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_a_pooler_that_switches_sessions(cluster: Cluster, scene: Scene, conversation: Conversation) -> None:
    stage = conversation.stage(scene, fresh_tag())
    role = getattr(cluster, conversation.role)
    with Pooler(cluster, role) as pooler:
        login = pooler.login(cluster.login(role))
        said = run(conversation.module, {**login, **stage.options()})
        assert pooler.statements > 2
        assert not said.failed, said
        stage.judge(said, lambda: run(conversation.module, {**login, **stage.options()}))


# What a module sets for itself; nobody else may get it.
OURS = (
    "search_path",
    "statement_timeout",
    "lock_timeout",
    "gp_resource_group_queuing_timeout",
    "gp_resource_group_bypass",
    "gp_select_invisible",
    "exit_on_error",
    "client_min_messages",
    "extra_float_digits",
    "default_transaction_read_only",
    "default_transaction_isolation",
    "default_transaction_deferrable",
    "standard_conforming_strings",
    "quote_all_identifiers",
    "IntervalStyle",
    "role",
)


@pytest.fixture(scope="module")
def bouncer() -> str:
    """The program."""
    path, why = pgbouncer.program()
    if not path:
        pytest.skip(f"no PgBouncer: {why}")
    return path


@pytest.mark.parametrize("drop_options", [False, True], ids={False: "refused", True: "dropped"}.get)
@pytest.mark.parametrize("mode", pgbouncer.MODES)
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_pgbouncer(
    bouncer: str, cluster: Cluster, scene: Scene, conversation: Conversation, mode: str, drop_options: bool
) -> None:
    """A real one: in transaction mode it gives a session to the next client as it is, with all that was set in it."""
    stage = conversation.stage(scene, fresh_tag())
    role = getattr(cluster, conversation.role)
    login = cluster.login(role)
    with pgbouncer.PgBouncer(bouncer, cluster, mode, drop_options) as pooler:
        before = pooler.left(role, OURS)
        said = run(conversation.module, {**pooler.through.login(role), **stage.options()})
        assert pooler.left(role, OURS) == before
    assert not said.failed, said
    stage.judge(said, lambda: run(conversation.module, {**login, **stage.options()}))


@pytest.mark.parametrize("special", ["gp6"], indirect=True)
@pytest.mark.parametrize("mode", pgbouncer.MODES)
@pytest.mark.parametrize("ends", [False, True])
def test_a_full_group_behind_pgbouncer(bouncer: str, special: t.Callable[..., Cluster], mode: str, ends: bool) -> None:
    """Between two clients it tidies a session up, for which that needs a slot; so a task keeps the one that it has."""
    cluster, tag = special(), fresh_tag()
    for role, toolkit in ((cluster.admin, "native"), (cluster.ops, "auto")):
        with Scene(cluster) as scene, pgbouncer.PgBouncer(bouncer, cluster, mode, drop_options=False) as pooler:
            victim = scene.client(cluster.user, name=tag)
            scene.group(role)
            holder = scene.client(role).run("BEGIN", "SELECT 1")
            login = {**pooler.through.login(role), "toolkit": toolkit, "application_names": [tag], "timeout": 8}
            said = run("gp_backend", {**login, "state": "terminated"}) if ends else run("gp_process_info", login)
            # What the pooler itself does then may wait.
            holder.run("ROLLBACK")
        assert not said.failed, said["msg"]
        assert [record["pid"] for record in said["victims" if ends else "processes"]] == [victim.pid]


@pytest.mark.parametrize("mode", pgbouncer.MODES)
def test_another_role_through_pgbouncer(bouncer: str, cluster: Cluster, mode: str) -> None:
    with pgbouncer.PgBouncer(bouncer, cluster, mode, drop_options=True) as pooler:
        before = pooler.left(cluster.admin, OURS)
        login = pooler.through.login(cluster.admin)
        said = run("gp_process_info", {**login, "session_role": cluster.user, "fields": ["pid"]})
        assert pooler.left(cluster.admin, OURS) == before
        unknown = run("gp_process_info", {**login, "session_role": "nobody here"})
        assert pooler.left(cluster.admin, OURS) == before
    assert not said.failed, said
    assert "nobody here" in unknown["msg"]


@pytest.mark.parametrize("drop_options", [False, True], ids={False: "refused", True: "dropped"}.get)
@pytest.mark.parametrize("mode", pgbouncer.MODES)
def test_another_one_s_role_through_pgbouncer(
    bouncer: str, special: t.Callable[..., Cluster], mode: str, drop_options: bool
) -> None:
    """Its sessions begin as the database's owner says, and the next one may be another: nothing is done so."""
    cluster = special()
    with Scene(cluster) as scene, pgbouncer.PgBouncer(bouncer, cluster, mode, drop_options) as pooler:
        scene.sql(f"ALTER DATABASE {cluster.database} SET role = {cluster.user}")
        login = pooler.through.login(cluster.admin)
        victim = scene.client(cluster.other, name=fresh_tag())
        ends = {**login, "state": "terminated", "pids": [victim.pid], "toolkit": "native"}
        statement = f"ALTER DATABASE {cluster.database}"
        refused(
            "gp_backend",
            ends,
            f"as role {cluster.user}, not as {cluster.admin}",
            f"{statement} SET role = {cluster.user}",
            f"{statement} RESET role",
            "Nothing was done",
        )
        # It is what is asked for.
        said = run("gp_process_info", {**login, "session_role": cluster.user, "toolkit": "native"})
        assert not said.failed, said["msg"]
        scene.sql(f"{statement} RESET role")


@pytest.mark.parametrize("drop_options", [False, True], ids={False: "refused", True: "dropped"}.get)
@pytest.mark.parametrize("mode", pgbouncer.MODES)
def test_hostile_settings_through_pgbouncer(
    bouncer: str, special: t.Callable[..., Cluster], mode: str, drop_options: bool
) -> None:
    cluster = special()
    # With standard_conforming_strings off the embedded engine lets nobody in but with a setting of his own.
    hostile = {
        "extra_float_digits": "-15",
        "IntervalStyle": "iso_8601",
        "exit_on_error": "on",
        "default_transaction_read_only": "on",
        "client_min_messages": "error",
        "quote_all_identifiers": "on",
    }
    with Scene(cluster) as scene:
        for name, value in hostile.items():
            scene.sql(f"ALTER DATABASE {cluster.database} SET {name} = '{value}'")
    with pgbouncer.PgBouncer(bouncer, cluster, mode, drop_options) as pooler:
        login = pooler.through.login(cluster.admin)
        before = pooler.left(cluster.admin, [*OURS, *hostile])
        limit = {"databases": [{"name": cluster.plain_database, "connection_limit": 41}]}
        said = run("gp_admission", {**login, **limit})
        assert not said.failed, said["msg"]
        assert said["changed"]
        assert not run("gp_resource_group_info", {**login, "status": True}).failed
        assert pooler.left(cluster.admin, [*OURS, *hostile]) == before


def test_other_sessions_of_the_pool_are_sessions_like_any(cluster: Cluster) -> None:
    with Pooler(cluster, cluster.admin) as pooler:
        said = run(
            "gp_process_info", {**pooler.login(cluster.login(cluster.admin)), "application_names": ["gpops_pool"]}
        )
        assert [record["pid"] in pooler.pids for record in said["processes"]] == [True]
        # Nobody else of this machine is a superuser by it.
        stranger = {**pooler.login(cluster.login(cluster.admin)), "login_password": cluster.admin + "?"}
        refused("gp_process_info", stranger, "password authentication failed")


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_a_segment_that_hangs(cluster: Cluster, scene: Scene, conversation: Conversation) -> None:
    """Sessions are listed and ended all the same; what changes the cluster cannot be, and says so in time."""
    stage = conversation.stage(scene, fresh_tag())
    login = cluster.login(getattr(cluster, conversation.role))
    with HangingSegment(cluster) as server:
        # A part of the time goes to finding out.
        said = run(conversation.module, {**server.login(login), **stage.options(), "timeout": 3 * TIMEOUT})
    changes = conversation.module in ("gp_admission", "gp_resource_group")
    assert said.failed == changes, said
    if changes:
        assert "did not answer within" in said["msg"]
    stage.judge(said, lambda: run(conversation.module, {**login, **stage.options()}))


def test_another_role_while_a_segment_hangs(cluster: Cluster) -> None:
    with HangingSegment(cluster) as server:
        login = {**server.login(cluster.login(cluster.admin)), "session_role": cluster.user}
        said = run("gp_process_info", {**login, "fields": ["pid", "usename"], "timeout": 4})
        assert not said.failed, said
        # The role comes with the login, and nobody asked for the locks.
        assert not server.hung
        unknown = run("gp_process_info", {**login, "session_role": "nobody here", "timeout": 4})
    assert "nobody here" in unknown["msg"]


@pytest.mark.parametrize("how", Choosy.HOWS)
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_a_pooler_without_startup_options(cluster: Cluster, scene: Scene, conversation: Conversation, how: str) -> None:
    stage = conversation.stage(scene, fresh_tag())
    login = cluster.login(getattr(cluster, conversation.role))
    with Choosy(cluster, how) as pooler:
        said = run(conversation.module, {**pooler.login(login), **stage.options()})
        assert pooler.limited
        assert not pooler.astray
    assert not said.failed, said
    stage.judge(said, lambda: run(conversation.module, {**login, **stage.options()}))


def test_a_restart_in_the_middle() -> None:
    from sandbox import Sandbox

    boxes = [Sandbox(profile="gp6", keep=True).start()]
    folder = boxes[0].dir
    cluster = embedded(boxes[0])
    up = threading.Event()

    def restart() -> None:
        up.clear()
        boxes[0].stop()
        boxes[0] = Sandbox(profile="gp6", directory=folder, keep=True, port=cluster.port).start()
        up.set()

    try:
        runs = sum(restarted(cluster, conversation, restart, up) for conversation in CONVERSATIONS[scaled(-1, 0) :])
    finally:
        boxes[0].stop()
        shutil.rmtree(folder)
    figures.record("environment", "gp6", {"restarts": runs})


def restarted(cluster: Cluster, conversation: Conversation, restart: t.Callable[[], None], up: threading.Event) -> int:
    """Restarts while the module's statements run, one by one; each result agrees with the new server."""
    login = cluster.login(getattr(cluster, conversation.role))
    with Scene(cluster) as scene:
        with Relay(cluster.host, cluster.port) as relay:
            run(conversation.module, {**relay.login(login), **conversation.stage(scene, fresh_tag()).options()})
        messages = enumerate(relay.messages, 1)
    points = [number for number, kind in messages if kind in ("CQ", "SZ")][scaled(-2, 0) :]
    for point in points:
        with Scene(cluster) as scene:
            stage = conversation.stage(scene, fresh_tag())
            options = {**stage.options(), "timeout": 20}
            with Relay(cluster.host, cluster.port, Fault(point, "", restart)) as relay:
                said = run(conversation.module, {**relay.login(login), **options})
                assert relay.struck
                assert up.wait(MINUTE)
            # The restart ended the judge's session too.
            scene.admin = cluster.connect(cluster.admin)
            agree(stage, said, functools.partial(run, conversation.module, {**login, **options}))
    return len(points)


def agree(stage: Stage, said: Outcome, finish: t.Callable[[], Outcome]) -> None:
    """After a restart nobody is alive, so of sessions only this can be told."""
    if isinstance(stage, Planning):
        stage.judge(said, finish)
    for record in said.get("victims", ()):
        assert record["outcome"] in ("terminated", "cancelled", "unknown", "gone", "not_applicable"), said
