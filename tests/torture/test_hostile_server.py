# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that answers with anything but what was asked for: each time a success or one clear error.

The statements reach a real server, so a signal is a signal; only what comes back is another. After a signal the result
names whom it went to, whatever the server says of it.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import os
import typing as t

import pytest
from integration.cluster import Client, Cluster, Scene
from torture import figures, liar
from torture.conversations import fresh_tag
from torture.scale import FULL
from torture.test_input import run_here

TIMEOUT = 2.0
LONGEST_MESSAGE = 4000

# By these a server can say that nobody was signalled, or nobody is there, and nothing about them is amiss.
WHOLE = {"no row", "no record", "an error for a privilege", "an error for a full group"}

Options = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Task:
    """What is asked for.

    Attributes:
        ends: Whether it ends the session of the test.
    """

    module: str
    role: str
    options: t.Callable[[str], Options]
    ends: bool = False


def _policy(tag: str) -> Options:
    return {"name": "torture", "state": "terminated", "application_names": [tag], "wait_timeout": "1s"}


# Each run has something to change.
_LIMITS = itertools.cycle((18, 19))
_ENDING = {"state": "terminated", "wait_timeout": "1s"}
TASKS = {
    "list": Task("gp_process_info", "admin", lambda _tag: {}),
    "list, mdb": Task("gp_process_info", "ops", lambda _tag: {"blocking": 1}),
    "check": Task(
        "gp_backend", "admin", lambda tag: {**_ENDING, "application_names": [tag], "_ansible_check_mode": True}
    ),
    "end": Task("gp_backend", "admin", lambda tag: {**_ENDING, "application_names": [tag]}, ends=True),
    "end, mdb": Task("gp_backend", "ops", lambda tag: {**_ENDING, "application_names": [tag]}, ends=True),
    "policy, report": Task("gp_policy", "admin", lambda tag: {"policies": [_policy(tag)]}),
    "policy": Task("gp_policy", "admin", lambda tag: {"mode": "enforce", "policies": [_policy(tag)]}, ends=True),
    "groups": Task("gp_resource_group_info", "admin", lambda _tag: {"status": True}),
    "group": Task("gp_resource_group", "admin", lambda _tag: {"name": "default_group", "concurrency": next(_LIMITS)}),
    "admission": Task(
        "gp_admission", "admin", lambda _tag: {"databases": [{"name": "postgres", "connection_limit": next(_LIMITS)}]}
    ),
}


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster) -> Cluster:
    """What a lie leaves half done stays so."""
    return own_cluster


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in os.environ if key.startswith("PG")]:
        monkeypatch.delenv(key)


class Stage:
    """One victim after the other, and a module that is lied to."""

    def __init__(self, cluster: Cluster, scene: Scene, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster, self.scene, self.task, self.tag = cluster, scene, task, fresh_tag()
        self._monkeypatch = monkeypatch
        self._victim: Client | None = None

    def victim(self) -> Client:
        """A session that is there."""
        if self._victim is None or not self._alive(self._victim):
            self._victim = self.scene.client(self.cluster.user, name=self.tag).run("BEGIN")
        return self._victim

    def _alive(self, client: Client) -> bool:
        return bool(self.scene.sql("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = %s", (client.pid,)))

    def run(self, number: int, shape: liar.Shape, on: bool, may_deny: bool = False) -> tuple[str, int]:
        """How it ended, and how many statements there were.

        Args:
            may_deny: The lie is a whole answer, by which no signal was sent.
        """
        victim = self.victim()
        with liar.Liar(self.cluster.host, self.cluster.port, number, shape, on) as relay:
            login = self.cluster.login(getattr(self.cluster, self.task.role))
            login.update(login_host=relay.host, login_port=relay.port, ssl_mode="disable", timeout=TIMEOUT)
            said = run_here(self.task.module, {**login, **self.task.options(self.tag)}, self._monkeypatch)
            seen = len(relay.statements)
        self._check(said, victim, may_deny)
        return ("error" if said.get("failed") else "success"), seen

    def _check(self, said: dict[str, t.Any], victim: Client, may_deny: bool) -> None:
        if said.get("failed"):
            message = said["msg"]
            assert isinstance(message, str)
            assert message.strip()
            assert len(message) < LONGEST_MESSAGE, message[:LONGEST_MESSAGE]
            assert "Traceback" not in message
            assert "MODULE FAILURE" not in message
            assert said.get("exception") is None, said
        for warning in said.get("warnings", []):
            assert len(warning) < LONGEST_MESSAGE, warning[:LONGEST_MESSAGE]
        if not self.task.ends:
            assert self._alive(victim)
            return
        if not may_deny and not self._alive(victim):
            told = {each["pid"]: each for each in said.get("victims", [])}
            assert victim.pid in told, f"a session was ended, and the result does not name it: {said}"
            assert told[victim.pid]["signalled"] is not False, said
            assert said["changed"], said


@pytest.mark.parametrize("name", TASKS)
def test_a_server_that_lies(cluster: Cluster, scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if not cluster.embedded:
        pytest.skip("the stand-in is in front of an embedded engine")
    stage = Stage(cluster, scene, TASKS[name], monkeypatch)
    usual, statements = stage.run(0, lambda answer: answer, on=False)
    assert usual == "success"
    ended: collections.Counter[str] = collections.Counter()
    for shape, statement, on in lies(statements, sorted(TASKS).index(name)):
        with told_by(f"{name}: {shape}, statement {statement}, on {on}"):
            end, _seen = stage.run(statement, liar.SHAPES[shape], on, may_deny=shape in WHOLE)
        ended[end] += 1
    assert ended["error"] > 0, ended
    figures.record("hostile server", cluster.family, {name: ended.total()})


def lies(statements: int, number: int) -> t.Iterator[tuple[str, int, bool]]:
    """Each shape, of which statement, and whether of all after it: of each, or in the short form of one of one task."""
    for place, shape in enumerate(liar.SHAPES):
        if FULL:
            yield from ((shape, statement, bool((place + statement) % 2)) for statement in range(statements))
        elif place % len(TASKS) == number:
            yield shape, place // len(TASKS) % statements, bool(place % 2)


@contextlib.contextmanager
def told_by(what: str) -> t.Iterator[None]:
    """Say of a failure what it was that the server told."""
    try:
        yield
    except BaseException as error:
        error.add_note(what)
        raise
