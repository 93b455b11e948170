# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nobody else decides what our sessions read, or as whom they act: hostile owners of databases."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import typing as t

import psycopg2
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gpops.toolkit.plugins.module_utils._core import tls
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import perform
from ansible_collections.gpops.toolkit.plugins.module_utils._core.sql_text import seconds
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import gp_process_info
from integration.cluster import Cluster, Scene
from integration.login_settings import OURS, why_left
from integration.run_module import Outcome, run_module
from integration.tap import Tap, login_through

DATABASE = "gpops_it_hostile"
NAME = "gpops it login"
SETTINGS = (
    "SELECT name, vartype, min_val, max_val, enumvals, setting FROM pg_catalog.pg_settings WHERE context = 'user'"
)
TEXTS = {
    "DateStyle": "German, DMY",
    "TimeZone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "search_path": "public, pg_catalog",
    "timezone_abbreviations": "India",
}
# A session of the database as it is without what its owner has set, so that more can be set.
UNTOUCHED = "-c default_transaction_read_only=off -c exit_on_error=off -c client_min_messages=warning -c role=none"


@pytest.fixture
def hostile(cluster: Cluster, scene: Scene) -> Scene:
    """A database of an ordinary user, and a session of another one in it."""
    scene.sql(f"CREATE DATABASE {DATABASE} OWNER {cluster.user}")
    scene.at_the_end(f"DROP DATABASE {DATABASE}")
    scene.client(cluster.other, DATABASE, NAME).run("SELECT 1")
    return scene


def alter(cluster: Cluster, role: str, *statements: str) -> None:
    """Run statements in the hostile database, each that the server takes."""
    with contextlib.closing(cluster.connect(role, DATABASE, options=UNTOUCHED)) as session, session.cursor() as cursor:
        for statement in statements:
            with contextlib.suppress(psycopg2.Error):
                cursor.execute(statement)


def look(cluster: Cluster, role: str, **more: t.Any) -> Outcome:
    login = {**cluster.login(role, DATABASE), "toolkit": "native", "application_names": [NAME]}
    found = run_module("gp_process_info", {**login, **more})
    assert not found.failed, found["msg"]
    return found


def of(role: str) -> tuple[str, ...]:
    """Each way to have another role set role."""
    return (f"ALTER DATABASE {DATABASE}", f"ALTER ROLE {role} IN DATABASE {DATABASE}", f"ALTER ROLE {role}")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_operator_acts_as_himself(place: int, cluster: Cluster, hostile: Scene) -> None:
    """Else a superuser would act as an ordinary user, who sees and ends next to nothing."""
    hostile.at_the_end(f"ALTER ROLE {cluster.admin} RESET ALL")
    for setting in ("role", "session_authorization"):
        alter(cluster, cluster.admin, f"{of(cluster.admin)[place]} SET {setting} = {cluster.user}")
    with contextlib.closing(cluster.connect(cluster.admin, DATABASE)) as session, session.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (cluster.user,)
    assert look(cluster, cluster.admin)["hidden"] == 0
    ended = run_module(
        "gp_backend",
        {**cluster.login(cluster.admin, DATABASE), "state": "terminated", "application_names": [NAME]},
    )
    assert ended["counts"] == {"terminated": 1}, ended


@pytest.mark.usefixtures("hostile")
def test_a_role_that_the_operator_asks_for(cluster: Cluster) -> None:
    alter(cluster, cluster.user, f"ALTER DATABASE {DATABASE} SET role = {cluster.user}")
    assert look(cluster, cluster.admin, session_role=cluster.other)["processes"][0]["query"] == "SELECT 1"
    # As before there was an option for it.
    given = {"connect_params": {"options": f"-c role={cluster.other}"}}
    assert look(cluster, cluster.admin, **given)["processes"][0]["query"] == "SELECT 1"


def hostile_values(scene: Scene, last: bool) -> dict[str, str]:
    """Each setting that every role may set, with a value that it does not have: one of both ends."""
    found = dict(TEXTS)
    for name, kind, low, high, choices, now in scene.sql(SETTINGS):
        if kind == "bool":
            found[name] = "off" if now == "on" else "on"
        elif kind == "enum":
            found[name] = [now, *(each for each in choices if each != now)][-1 if last else min(1, len(choices) - 1)]
        elif kind in ("integer", "real"):
            found[name] = high if last else low
    return found


@pytest.mark.parametrize("last", [False, True])
def test_whatever_a_database_sets(last: bool, cluster: Cluster, hostile: Scene) -> None:
    """All settings at once: what is read stays the same, and what is to be done is done."""
    hostile.jam()
    fields = {"fields": ["usename", "datname", "state", "query", "waiting_reason", "is_superuser", "resource_group"]}
    before, groups = look(cluster, cluster.admin, **fields), groups_of(cluster)
    values = hostile_values(hostile, last)
    # As a superuser, for of its own settings the embedded engine lets no owner change any.
    alter(cluster, cluster.admin, *(f"ALTER DATABASE {DATABASE} SET {each} = '{values[each]}'" for each in values))
    stored = hostile.sql(
        "SELECT pg_catalog.array_length(s.setconfig, 1) FROM pg_catalog.pg_db_role_setting s "
        f"JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase WHERE d.datname = '{DATABASE}'"
    )
    assert stored[0][0] > 0.7 * len(values)
    after = look(cluster, cluster.admin, **fields)
    assert after["processes"] == before["processes"]
    assert after.get("warnings") == before.get("warnings")
    assert groups_of(cluster) == groups
    jam = run_module("gp_process_info", {**cluster.login(cluster.admin, DATABASE), "blocking": 1})
    assert [record["application_name"] for record in jam["processes"]] == ["holder"]
    acts(cluster)


def groups_of(cluster: Cluster) -> t.Any:
    found = run_module("gp_resource_group_info", {**cluster.login(cluster.admin, DATABASE), "status": True})
    assert not found.failed, found["msg"]
    return [{**group, "status": None} for group in found["groups"]]


def acts(cluster: Cluster) -> None:
    """Sessions are ended and what is declared is changed, from this database as well."""
    login = cluster.login(cluster.admin, DATABASE)
    limit = {"databases": [{"name": DATABASE, "connection_limit": 41}]}
    changed = run_module("gp_admission", {**login, **limit})
    assert changed["changed"], changed
    ended = run_module("gp_backend", {**login, "state": "terminated", "application_names": [NAME]})
    assert ended["counts"] == {"terminated": 1}, ended


def test_each_setting_is_ours_or_said_why_not(scene: Scene) -> None:
    names = [row[0] for row in scene.sql(SETTINGS)]
    assert len(names) > 100
    assert [name for name in names if name not in OURS and why_left(name) is None] == []


def test_ages_do_not_hang_on_how_numbers_are_shown(cluster: Cluster, scene: Scene) -> None:
    """Through a pooler our settings may not hold for each statement."""
    for _number in range(5):
        scene.client(cluster.user, name=NAME).run("SELECT 1")
    options = "-c extra_float_digits=-15 -c IntervalStyle=iso_8601"
    with Tap(cluster.host, cluster.port) as tap:
        run_module("gp_process_info", login_through(tap, cluster.login(cluster.admin)))
    statement = next(text for text in tap.statements if "session_age" in text)
    with contextlib.closing(cluster.connect(cluster.admin, options=options)) as session, session.cursor() as cursor:
        cursor.execute(statement)
        row = t.cast("tuple[str]", cursor.fetchone())
        ages = {record["session_age"] for record in json.loads(row[0]) if record["application_name"] == NAME}
        assert len(ages) == 5
        cursor.execute(f"SELECT {seconds('interval %s')}::text", ("37.25 s",))
        assert cursor.fetchone() == ("37.25",)


def performed(login: t.Mapping[str, t.Any], **more: t.Any) -> tuple[dict[str, t.Any], list[str]]:
    definition = gp_process_info.DEFINITION
    validator = ArgumentSpecValidator(definition.argument_spec)
    outcome = perform(definition, validator.validate({**login, **more}).validated_parameters, check_mode=False)
    return outcome.result, [text for text in outcome.warnings if "ssl_mode" in text]


def test_a_warning_where_nobody_proves_who_answers(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a task, in a failure too, and the same each time; tests reach no host but by the loopback."""
    login = cluster.login(cluster.ops)
    assert performed(login)[1] == []
    monkeypatch.setattr(tls, "is_local", lambda _host: False)
    found, warnings = performed(login)
    assert not found.get("failed")
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{cluster.host}: with ssl_mode prefer the server does not have to prove")
    # Through mdb_toolkit there are several logins.
    assert performed(login, toolkit="auto")[1] == warnings
    failed, said = performed(login, session_role=cluster.admin)
    assert failed["failed"]
    assert said in ([], warnings)
    assert performed(login, ssl_warning=False)[1] == []


@pytest.mark.usefixtures("hostile")
def test_what_not_each_engine_knows_is_set_when_it_is_otherwise(cluster: Cluster) -> None:
    """One login more, and only then."""
    statement = f"ALTER DATABASE {DATABASE} SET gp_resource_group_bypass = on"
    # In utility mode an owner gets it past the check of Greenplum 6.
    utility = "-c gp_session_role=utility" if cluster.family == "gp6" else "-c gp_role=utility"
    for expected in (1, 2):
        with Tap(cluster.host, cluster.port) as tap:
            found = run_module("gp_process_info", login_through(tap, cluster.login(cluster.admin, DATABASE)))
        assert not found.failed, found["msg"]
        assert tap.connections == expected
        assert ("gp_resource_group_bypass=off" in tap.settings) == (expected == 2)
        with contextlib.closing(cluster.connect(cluster.admin, DATABASE, options=utility)) as session:
            session.cursor().execute(statement)


@pytest.mark.parametrize("encoding", ["koi8-r", "gbk", "latin-1"])
def test_a_refusal_in_another_encoding_is_told(encoding: str) -> None:
    """Before the login the server speaks in the encoding of its own locale."""
    words = {"koi8-r": "роль не существует", "gbk": "角色不存在", "latin-1": "le rôle n'existe pas"}[encoding]
    fields = b"SFATAL\0C28000\0M" + words.encode(encoding) + b"\0\0"

    def refuse(listener: socket.socket) -> None:
        client, _address = listener.accept()
        with client:
            client.recv(1024)
            client.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=refuse, args=(listener,))
        server.start()
        login = {"login_host": "127.0.0.1", "login_port": listener.getsockname()[1], "ssl_mode": "disable"}
        found = run_module("gp_process_info", {**login, "login_user": "bily", "login_db": "postgres", "timeout": 5})
        server.join(5)
    assert found.failed
    assert "codec" not in found["msg"]
    assert "FATAL" in found["msg"]
    assert "cannot connect" in found["msg"].lower() or "127.0.0.1" in found["msg"]
