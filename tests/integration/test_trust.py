# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is no superuser gets none of a superuser's or an operator's rights by what the modules call."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import typing as t
from pathlib import Path

import psycopg2
import pytest
from integration.cluster import Client, Cluster, Scene, eventually
from integration.run_module import Outcome, run_module
from integration.tap import Tap, login_through

DATABASE = "gpops_it_owned"
TOOLKIT = (Path(__file__).parent.parent / "sandbox" / "sql" / "mdb_toolkit.sql").read_text("utf-8")
RUNS = 12
# With the rights of whoever calls them they note who that was; rows and answers are as those of the service's.
HOSTILE = """
CREATE FUNCTION HERE.pg_stat_activity() RETURNS SETOF pg_catalog.pg_stat_activity LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO public.caught VALUES (current_user, 'list'); RETURN QUERY SELECT * FROM pg_catalog.pg_stat_activity; END $$;
CREATE FUNCTION HERE.pg_locks() RETURNS SETOF pg_catalog.pg_locks LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO public.caught VALUES (current_user, 'locks'); RETURN QUERY SELECT * FROM pg_catalog.pg_locks; END $$;
CREATE FUNCTION HERE.gp_cancel_backend(pid int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO public.caught VALUES (current_user, 'cancel'); RETURN false; END $$;
CREATE FUNCTION HERE.gp_terminate_backend(pid int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO public.caught VALUES (current_user, 'terminate'); RETURN false; END $$;
GRANT USAGE ON SCHEMA HERE TO PUBLIC
"""


class Owned:
    """A database whose owner is hostile, with the service's functions in it, made by a superuser."""

    def __init__(self, cluster: Cluster, scene: Scene, stack: contextlib.ExitStack) -> None:
        if not cluster.embedded:
            pytest.skip("the model of mdb_toolkit is that of the embedded engine")
        self.cluster, self.scene = cluster, scene
        scene.sql(f"DROP DATABASE IF EXISTS {DATABASE}")
        scene.sql(f"CREATE DATABASE {DATABASE} OWNER {cluster.other}")
        stack.callback(lambda: eventually(self._dropped, "the test's database is dropped"))
        self.owner = self.client(cluster.other, stack)
        self.admin = self.client(cluster.admin, stack)
        self.owner.run("CREATE TABLE public.caught (who text, what text)", "GRANT ALL ON public.caught TO PUBLIC")

    def client(self, role: str, stack: contextlib.ExitStack) -> Client:
        client = Client(self.cluster, role, DATABASE)
        stack.callback(client.close)
        return client

    def _dropped(self) -> bool:
        try:
            self.scene.sql(f"DROP DATABASE IF EXISTS {DATABASE}")
        except psycopg2.Error:
            return False
        return True

    def install(self) -> None:
        """As the service does it; the schema may be there."""
        self.admin.run("RESET ALL")
        for statement in TOOLKIT.replace("CREATE SCHEMA", "CREATE SCHEMA IF NOT EXISTS").split(";\n\n"):
            self.admin.run(statement)

    def plant(self, schema: str) -> None:
        """The same names in a schema of the owner's."""
        self.owner.run(f"CREATE SCHEMA {schema}", HOSTILE.replace("HERE", schema))

    def run(self, role: str, module: str, **options: t.Any) -> Outcome:
        return run_module(module, {**self.cluster.login(role, DATABASE), **options})

    def caught(self) -> list[tuple[t.Any, ...]]:
        """Who ran something of the owner's."""
        with self.admin.connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT who, what FROM public.caught WHERE who <> %s", (self.cluster.other,))
            return cursor.fetchall()


@pytest.fixture
def owned(cluster: Cluster, scene: Scene) -> t.Iterator[Owned]:
    with contextlib.ExitStack() as stack:
        yield Owned(cluster, scene, stack)


def test_a_schema_of_the_databases_owner_is_not_called(owned: Owned) -> None:
    """It was there before the installer's CREATE SCHEMA IF NOT EXISTS; its functions belong to a superuser."""
    owned.owner.run("CREATE SCHEMA mdb_toolkit")
    owned.install()
    for role in (owned.cluster.admin, owned.cluster.ops):
        found = owned.run(role, "gp_process_info")
        assert found["engine"]["interface"] == "native", found
        assert f"schema mdb_toolkit belongs to {owned.cluster.other}" in str(found["warnings"])
        assert "ALTER SCHEMA mdb_toolkit OWNER TO" in str(found["warnings"])
        forced = owned.run(role, "gp_process_info", toolkit="mdb")
        assert forced["msg"].startswith("toolkit: mdb_toolkit is not trusted"), forced
    victim = {"pids": [owned.owner.pid], "state": "terminated", "_ansible_check_mode": True}
    found = owned.run(owned.cluster.admin, "gp_backend", **victim)
    assert "mdb_toolkit is not trusted" in str(found["warnings"])
    policy = {"name": "p", "state": "terminated", "pids": [owned.owner.pid]}
    found = owned.run(owned.cluster.admin, "gp_policy", policies=[policy])
    assert "mdb_toolkit is not trusted" in str(found["warnings"])


@pytest.mark.parametrize("to", ["PUBLIC", "other"])
def test_a_schema_in_which_others_may_create_is_not_called(owned: Owned, to: str) -> None:
    owned.install()
    assert owned.run(owned.cluster.ops, "gp_process_info")["engine"]["interface"] == "mdb"
    role = getattr(owned.cluster, to, to)
    owned.admin.run(f"GRANT CREATE ON SCHEMA mdb_toolkit TO {role}")
    found = owned.run(owned.cluster.ops, "gp_process_info")
    assert found["engine"]["interface"] == "native"
    assert f"{role} may create in schema mdb_toolkit" in str(found["warnings"])
    owned.admin.run(f"REVOKE CREATE ON SCHEMA mdb_toolkit FROM {role}")
    assert owned.run(owned.cluster.ops, "gp_process_info")["engine"]["interface"] == "mdb"


def test_one_function_of_that_name_that_is_somebody_elses_is_enough(owned: Owned) -> None:
    """With arguments that fit better, or as the only one that the role may call."""
    owned.install()
    owned.admin.run(
        "CREATE FUNCTION mdb_toolkit.gp_terminate_backend(pid bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        f"ALTER FUNCTION mdb_toolkit.gp_terminate_backend(bigint) OWNER TO {owned.cluster.other}",
    )
    found = owned.run(owned.cluster.ops, "gp_process_info")
    assert found["engine"]["interface"] == "native"
    assert f"function gp_terminate_backend belongs to {owned.cluster.other}" in str(found["warnings"])


def test_group_views_in_a_schema_of_somebody_else_are_not_read(owned: Owned) -> None:
    owned.admin.run(f"ALTER SCHEMA gp_toolkit OWNER TO {owned.cluster.other}")
    found = owned.run(owned.cluster.admin, "gp_resource_group_info")
    assert found.failed
    assert "gp_toolkit of database gpops_it_owned is not trusted" in found["msg"]
    assert f"schema gp_toolkit belongs to {owned.cluster.other}" in found["msg"]


class Swapping:
    """The owner puts a schema of his own in the place of the other one, and back, as fast as he can."""

    def __init__(self, owned: Owned) -> None:
        self._owned = owned
        self._stop = threading.Event()
        self.swaps = 0
        self._thread = threading.Thread(target=self._swap, daemon=True)

    def _swap(self) -> None:
        there = "BEGIN; ALTER SCHEMA mdb_toolkit RENAME TO aside; ALTER SCHEMA evil RENAME TO mdb_toolkit; COMMIT"
        back = "BEGIN; ALTER SCHEMA mdb_toolkit RENAME TO evil; ALTER SCHEMA aside RENAME TO mdb_toolkit; COMMIT"
        while not self._stop.is_set():
            for each in (there, back):
                with contextlib.suppress(psycopg2.Error):
                    self._owned.owner.run(each)
                    self.swaps += 1
                time.sleep(0.004)

    def __enter__(self) -> t.Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()


def test_schemas_that_are_swapped_meanwhile_lend_nobodys_rights(owned: Owned) -> None:
    """Between the look and the call another schema has the name; the functions that are seen belong to a superuser."""
    owned.owner.run("CREATE SCHEMA mdb_toolkit")
    owned.install()
    owned.plant("evil")
    # What the view shows of a session that one may not see: such a text made a superuser ask the service's function.
    forger = owned.scene.client(owned.cluster.user)
    with contextlib.suppress(psycopg2.Error):
        forger.run("<insufficient privilege>")
    policy = {"name": "p", "state": "cancelled", "pids": [forger.pid]}
    with Swapping(owned) as swapping:
        for _number in range(RUNS):
            for role in (owned.cluster.admin, owned.cluster.ops):
                owned.run(role, "gp_process_info")
                owned.run(role, "gp_backend", state="cancelled", pids=[forger.pid])
            owned.run(owned.cluster.ops, "gp_policy", policies=[policy], mode="enforce", allow_segments_down=True)
    assert swapping.swaps > RUNS
    assert owned.caught() == []


def test_databases_that_are_swapped_meanwhile_lend_nobodys_rights(owned: Owned, cluster: Cluster, scene: Scene) -> None:
    """Between two connections of one task the name is given to another database, with functions of its owner."""
    owned.install()
    evil, aside = f"{DATABASE}_evil", f"{DATABASE}_aside"
    scene.sql(f"DROP DATABASE IF EXISTS {evil}")
    scene.sql(f"CREATE DATABASE {evil} OWNER {cluster.other}")
    try:
        with contextlib.closing(Client(cluster, cluster.other, evil)) as owner:
            owner.run("CREATE SCHEMA mdb_toolkit", "CREATE TABLE public.caught (who text, what text)")
            owner.run("GRANT ALL ON public.caught TO PUBLIC")
            owner.run(HOSTILE.replace("HERE", "mdb_toolkit"))
        victim = scene.client(cluster.user)
        owned.owner.close()
        owned.admin.close()
        said = _swapped_at_the_signal(cluster, scene, (evil, aside), victim)
        assert said.failed
        assert "another database has the name" in said["victims"][0]["reason"], said
        assert said["victims"][0]["signalled"] is False
        with contextlib.closing(Client(cluster, cluster.admin, DATABASE)) as look, look.connection.cursor() as cursor:
            cursor.execute("SELECT * FROM public.caught")
            assert cursor.fetchall() == []
    finally:
        for name in (evil, aside):
            eventually(functools.partial(_gone, scene, name), f"{name} is dropped")


def _gone(scene: Scene, name: str) -> bool:
    try:
        scene.sql(f"DROP DATABASE IF EXISTS {name}")
    except psycopg2.Error:
        return False
    return True


def _swapped_at_the_signal(cluster: Cluster, scene: Scene, names: tuple[str, str], victim: Client) -> Outcome:
    """A task whose connections after the first one find the other database."""
    evil, aside = names

    class Swap(Tap):
        """Renames before the second connection, when the first one is gone."""

        def before_connection(self) -> None:
            if self.connections == 1:
                scene.sql(
                    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = %s",
                    (DATABASE,),
                )
                for old, new in ((DATABASE, aside), (evil, DATABASE)):
                    eventually(functools.partial(_renamed, scene, old, new), f"{old} is renamed")

    with Swap(cluster.host, cluster.port) as tap:
        options = {"state": "terminated", "pids": [victim.pid], "timeout": 10, "wait_timeout": 1}
        return run_module("gp_backend", {**login_through(tap, cluster.login(cluster.ops, DATABASE)), **options})


def _renamed(scene: Scene, old: str, new: str) -> bool:
    try:
        scene.sql(f"ALTER DATABASE {old} RENAME TO {new}")
    except psycopg2.Error:
        return False
    return True
