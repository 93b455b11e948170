# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each module does on a server, for tests that disturb it: the scene, the options, and the judge.

A judge compares what the module said with what the server says afterwards. It raises AssertionError.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import time
import typing as t

import psycopg2
from integration.cluster import Client, Cluster, Scene, eventually
from integration.run_module import Outcome
from psycopg2 import sql

_NUMBERS = itertools.count(1)
# Short, for there are thousands of runs.
TIMEOUT, GRACE, WAIT = 2.0, 1.0, 1.0
Options = dict[str, t.Any]


class Stage(t.Protocol):
    """One run's part of the server."""

    def options(self) -> Options:
        """Of the module, without the login."""

    def judge(self, said: Outcome, finish: t.Callable[[], Outcome]) -> dict[str, int]:
        """Compare; finish runs the same task again, undisturbed. Returns what is worth a figure."""


@dataclasses.dataclass(frozen=True)
class Conversation:
    """A module as one role on one scene."""

    name: str
    module: str
    role: str
    stage: t.Callable[[Scene, str], Stage]
    waits: float = 0.0

    @property
    def seconds(self) -> float:
        """It must have ended by then."""
        return TIMEOUT + self.waits


def fresh_tag() -> str:
    """A name that no other run has."""
    return f"gpops_torture_{next(_NUMBERS)}"


class Reading:
    """A module that only reads: nothing to say but the truth about it."""

    def __init__(self, more: Options) -> None:
        self._more = more

    def options(self) -> Options:
        return {"timeout": TIMEOUT, **self._more}

    def judge(self, said: Outcome, finish: t.Callable[[], Outcome]) -> dict[str, int]:
        del finish
        assert not said.get("changed"), said
        if not said.failed:
            assert said.get("processes") or said.get("groups"), said
        return {}


class Ending:
    """Two victims, one running and one in a transaction."""

    def __init__(self, scene: Scene, tag: str, **more: t.Any) -> None:
        self._scene = scene
        self._tag = tag
        self._more = more
        role = scene.cluster.user
        self._busy = scene.client(role, name=tag).start("SELECT pg_catalog.pg_sleep(600)")
        self._holding = scene.client(role, name=tag).run("BEGIN", "SELECT 1")
        scene.state(self._busy, "active")
        self._before: dict[int, tuple[t.Any, ...]] = eventually(self._settled, "the victims are as they stay")

    def _settled(self) -> dict[int, tuple[t.Any, ...]] | None:
        # An embedded engine may tell a moment later that a statement began before it had its slot.
        seen = self._now()
        time.sleep(0.05)
        return seen if len(seen) == 2 and seen == self._now() else None

    def options(self) -> Options:
        return {
            "timeout": TIMEOUT,
            "state": "terminated",
            "application_names": [self._tag],
            "grace_period": f"{GRACE:g}s",
            "wait_timeout": f"{WAIT:g}s",
            **self._more,
        }

    def _now(self) -> dict[int, tuple[t.Any, ...]]:
        """What the server says of each victim; a cancel ends the statement, so that shows too."""
        rows = self._scene.sql(
            "SELECT pid, backend_start, query_start, state FROM pg_catalog.pg_stat_activity "
            "WHERE application_name = %s",
            (self._tag,),
        )
        return {row[0]: row[1:] for row in rows}

    def judge(self, said: Outcome, finish: t.Callable[[], Outcome]) -> dict[str, int]:
        del finish
        now = self._now()
        touched = {pid for pid, before in self._before.items() if now.get(pid) != before}
        records = {record["pid"]: record for record in said.get("victims", ())}
        context = f"touched {touched}, server {now}, before {self._before}, said {dict(said)}"
        if touched:
            assert said.get("changed"), f"a victim was hit, and nothing is said to have changed: {context}"
        for pid in touched:
            assert pid in records, f"a victim was hit that the result does not name: {context}"
            assert records[pid]["signalled"] is not False, f"a victim that was hit is called untouched: {context}"
        for pid, record in records.items():
            if record["outcome"] == "terminated":
                assert pid not in now, f"a session is called terminated and lives: {context}"
            if record["outcome"] == "cancelled":
                assert pid in touched, f"a statement is called cancelled and runs: {context}"
                assert pid in now, f"a session that was to be cancelled is gone: {context}"
        state = self._more.get("state", "terminated")
        if not said.failed:
            assert {record["outcome"] for record in records.values()} <= {state, "not_applicable"}, context
            assert touched, context
        if state == "cancelled":
            assert self._holding.pid not in touched, f"a cancel touched an idle session: {context}"
        return {"unknown outcomes": sum(record["signalled"] is None for record in records.values())}


class Policing(Ending):
    """The same victims, by a policy."""

    def options(self) -> Options:
        policy = {
            "name": "torture",
            "state": "terminated",
            "application_names": [self._tag],
            "wait_timeout": f"{WAIT:g}s",
        }
        return {"timeout": TIMEOUT, "mode": "enforce", "policies": [policy]}

    def judge(self, said: Outcome, finish: t.Callable[[], Outcome]) -> dict[str, int]:
        said.setdefault("victims", [])
        return super().judge(said, finish)


class Admitting:
    """Two roles, of which one may not log in any more and the other only three times."""

    def __init__(self, scene: Scene, tag: str) -> None:
        self._scene = scene
        self._roles = [scene.role(f"{tag}_{name}") for name in ("out", "three")]

    def options(self) -> Options:
        out, three = self._roles
        return {
            "timeout": TIMEOUT,
            "roles": [{"name": out, "login": False}, {"name": three, "connection_limit": 3}],
        }

    def _now(self) -> dict[str, bool]:
        """Whether each role is as it was asked for."""
        rows = self._scene.sql(
            "SELECT rolname, rolcanlogin, rolconnlimit FROM pg_catalog.pg_roles WHERE rolname IN %s",
            (tuple(self._roles),),
        )
        found = {row[0]: row[1:] for row in rows}
        out, three = self._roles
        return {out: found[out][0] is False, three: found[three][1] == 3}

    def judge(self, said: Outcome, finish: t.Callable[[], Outcome]) -> dict[str, int]:
        now = self._now()
        context = f"server {now}, said {dict(said)}"
        if any(now.values()):
            assert said.get("changed"), f"something changed, and nothing is said to have: {context}"
        for role, done in now.items():
            if any(role in text for text in said.get("applied", [])):
                assert done, f"called applied, and is not: {role}: {context}"
            if any(role in text for text in said.get("not_applied", [])):
                assert not done, f"called not applied, and is: {role}: {context}"
        if not said.failed:
            assert all(now.values()), f"success, and something is missing: {context}"
        again = finish()
        assert not again.failed, f"running again does not finish it: {dict(again)}"
        assert all(self._now().values()), f"running again left something out: {self._now()}"
        return {"finished by the second run": int(not all(now.values()))}


class Planning:
    """Groups of which one is altered twice, one made and filled, and one dropped."""

    def __init__(self, scene: Scene, tag: str) -> None:
        self._scene = scene
        self._names = {key: f"{tag}_{key}" for key in ("old", "new", "gone")}
        self._role = f"{tag}_role"
        self._cpu = "cpu_rate_limit" if scene.cluster.family == "gp6" else "cpu_max_percent"
        limits = "cpu_rate_limit={}, memory_limit=0" if scene.cluster.family == "gp6" else "cpu_max_percent={}"
        for key in ("old", "gone"):
            create = sql.SQL(f"CREATE RESOURCE GROUP {{}} WITH (concurrency=5, {limits.format(2)})")
            scene.sql(create.format(sql.Identifier(self._names[key])))
        scene.sql(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(self._role)))
        scene._stack.callback(self._remove)
        self._before = self._now()

    def _remove(self) -> None:
        self._scene.sql(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self._role)))
        for name in self._names.values():
            eventually(functools.partial(self._dropped, name), f"{name} is dropped")

    def _dropped(self, name: str) -> bool:
        try:
            self._scene.sql(sql.SQL("DROP RESOURCE GROUP {}").format(sql.Identifier(name)))
        except psycopg2.errors.UndefinedObject:
            return True
        except psycopg2.Error:
            return False
        return True

    def options(self) -> Options:
        memory = {"memory_limit": 0} if self._scene.cluster.family == "gp6" else {}
        new = {"name": self._names["new"], "concurrency": 2, self._cpu: 1, "roles": [self._role], **memory}
        return {
            "timeout": TIMEOUT,
            "groups": [
                {"name": self._names["old"], "concurrency": 3, self._cpu: 1},
                new,
                {"name": self._names["gone"], "state": "absent"},
            ],
        }

    def _now(self) -> dict[str, t.Any]:
        """Each thing that the plan changes, by the start of the statement that does it."""
        rows = self._scene.sql(
            f"SELECT groupname, concurrency::text, {self._cpu}::text FROM gp_toolkit.gp_resgroup_config "
            "WHERE groupname LIKE %s",
            (f"{self._names['old'][:-3]}%",),
        )
        found = {row[0]: row[1:] for row in rows}
        role = self._scene.sql(
            "SELECT g.rsgname FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_resgroup g ON g.oid = r.rolresgroup "
            "WHERE r.rolname = %s",
            (self._role,),
        )[0][0]
        old = found.get(self._names["old"], (None, None))
        return {
            f'ALTER RESOURCE GROUP "{self._names["old"]}" SET concurrency': old[0] == "3",
            f'ALTER RESOURCE GROUP "{self._names["old"]}" SET {self._cpu}': old[1] == "1",
            f'CREATE RESOURCE GROUP "{self._names["new"]}"': self._names["new"] in found,
            f'ALTER ROLE "{self._role}"': role == self._names["new"],
            f'DROP RESOURCE GROUP "{self._names["gone"]}"': self._names["gone"] not in found,
        }

    def judge(self, said: Outcome, finish: t.Callable[[], Outcome]) -> dict[str, int]:
        now = self._now()
        context = f"server {now}, said {dict(said)}"
        if any(now.values()):
            assert said.get("changed"), f"something changed, and nothing is said to have: {context}"
        if said.failed:
            applied, unsent = said.get("applied", []), said.get("not_applied", list(now))
            for start, done in now.items():
                if any(text.startswith(start) for text in applied):
                    assert done, f"called applied, and is not: {start}: {context}"
                if any(text.startswith(start) for text in unsent):
                    assert not done, f"called not applied, and is: {start}: {context}"
        else:
            assert all(now.values()), f"success, and something is missing: {context}"
        again = finish()
        assert not again.failed, f"running again does not finish it: {dict(again)}"
        assert all(self._now().values()), f"running again left something out: {self._now()}"
        assert bool(again["changed"]) != all(now.values()), dict(again)
        return {"plans finished by the second run": int(not all(now.values()))}


CONVERSATIONS = (
    Conversation("gp_process_info", "gp_process_info", "ops", lambda _scene, _tag: Reading({})),
    Conversation(
        "gp_resource_group_info", "gp_resource_group_info", "admin", lambda _scene, _tag: Reading({"status": True})
    ),
    Conversation("gp_backend, terminate, mdb", "gp_backend", "ops", Ending, WAIT),
    Conversation(
        "gp_backend, terminate, native",
        "gp_backend",
        "admin",
        lambda scene, tag: Ending(scene, tag, toolkit="native"),
        WAIT,
    ),
    Conversation(
        "gp_backend, cancel", "gp_backend", "ops", lambda scene, tag: Ending(scene, tag, state="cancelled"), WAIT
    ),
    Conversation(
        "gp_backend, cancel_first",
        "gp_backend",
        "ops",
        lambda scene, tag: Ending(scene, tag, cancel_first=True),
        WAIT + GRACE,
    ),
    Conversation("gp_policy", "gp_policy", "ops", Policing, WAIT),
    Conversation("gp_admission", "gp_admission", "admin", Admitting),
    Conversation("gp_resource_group", "gp_resource_group", "admin", Planning),
)


class Bystanders:
    """Sessions that nobody chose; none of them may ever notice anything."""

    def __init__(self, cluster: Cluster, scene: Scene) -> None:
        self._scene = scene
        name = "gpops_bystander"
        self._clients: list[Client] = [
            scene.client(cluster.user, name=name).run("SELECT 1"),
            scene.client(cluster.other, name=name).run("BEGIN", "SELECT 1"),
            scene.client(cluster.user, name=name).start("SELECT pg_catalog.pg_sleep(6000)"),
            scene.client(cluster.admin, name=name).run("SELECT 1"),
        ]
        scene.state(self._clients[2], "active")
        self._before = self._now()

    def _now(self) -> list[tuple[t.Any, ...]]:
        return self._scene.sql(
            "SELECT pid, backend_start, query_start, state FROM pg_catalog.pg_stat_activity WHERE pid IN %s ORDER BY 1",
            (tuple(client.pid for client in self._clients),),
        )

    def check(self) -> None:
        """None was signalled."""
        now = self._now()
        assert len(now) == len(self._clients), f"a bystander is gone: {self._before} -> {now}"
        assert now == self._before, f"a bystander was hit: {self._before} -> {now}"
