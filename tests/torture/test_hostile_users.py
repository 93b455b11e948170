# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users of the database who try to hide, to be spared, to blame others, and to hold up the tool with what they write.

Each round is a crowd of honest sessions and of others that use a trick each. What is there is asked of the server
itself, by a function that leaves nobody out.
"""

from __future__ import annotations

import random
import time
import typing as t

import psycopg2
import pytest
from integration.cluster import Client, Cluster, Scene, eventually
from integration.run_module import Outcome, run_module
from torture import figures
from torture.scale import scaled

ROUNDS = scaled(3, 60)
HONEST = 8
TRICKSTERS = 16
WAITERS = 3
TEXTS = scaled(12, 120)
TIMEOUT = 20.0
SECRET = "s3cr3tOfMine"
GONE = "gpops_torture_gone"

# What a client may call itself in the hope to be spared, or to be taken for something else.
NAMES = (
    "gpbackup_20261126",
    "pg_dump",
    "gpops.toolkit",
    "",
    "*",
    "<insufficient privilege>",
    "'; DROP TABLE x; --",
    "{{ 7 * 7 }}",
    "\x1b[2J",
    "gprestore[",
    "null",
)
# Words before which a text may be repeated: what is looked for in it, and what opens something and does not close it.
PIECES = (
    "password/**/",
    "password = '",
    "PASSWORD $a$",
    "/*",
    "--",
    "'\\",
    "E'\\'",
    "\"'",
    "$$",
    "secretkey=",
    "://u:p@",
    "token ",
    "-u a:",
    "((((",
    "<insufficient privilege>",
)


class Crowd:
    """The sessions of one round, and whom they are to be taken for."""

    def __init__(self, cluster: Cluster, scene: Scene, seed: int) -> None:
        self._cluster = cluster
        self._scene = scene
        self._random = random.Random(seed)
        self.honest = [scene.client(cluster.user, name=f"honest {n}").run("SELECT 1") for n in range(HONEST)]
        tricks = [self._number, self._own_number, self._free_number, self._name, self._settings, self._dropped]
        self.others = [self._random.choice(tricks)() for _each in range(TRICKSTERS)]

    def _said(self) -> str:
        return self._random.choice(NAMES)

    def _number(self) -> Client:
        return self._scene.alone(
            self._cluster.other, self._scene.number(self._random.choice(self.honest)), self._said()
        )

    def _own_number(self) -> Client:
        return self._scene.alone(self._cluster.other, None, self._said())

    def _free_number(self) -> Client:
        return self._scene.alone(self._cluster.other, self._random.choice((-7, 0, 900_000_000)), self._said())

    def _name(self) -> Client:
        return self._scene.client(self._cluster.other, name=self._said())

    def _settings(self) -> Client:
        options = "-c application_name=gpbackup_x -c DateStyle=German -c TimeZone=Asia/Kathmandu"
        return self._scene.client(self._cluster.other, name=self._said(), options=options)

    def _dropped(self) -> Client:
        name = f"{GONE}_{self._random.randrange(10**9)}"
        self._scene.sql(
            f"CREATE ROLE {name} LOGIN PASSWORD %s IN ROLE {self._cluster.other}", (self._cluster.password(name),)
        )
        try:
            return self._scene.client(name, name=self._said())
        finally:
            self._scene.sql(f"DROP ROLE {name}")

    @property
    def pids(self) -> set[int]:
        """Of all of them."""
        return {client.pid for client in (*self.honest, *self.others)}

    def close(self) -> None:
        """Nothing of this round is left for the next."""
        for client in (*self.honest, *self.others):
            client.close()
        eventually(lambda: not self.pids & there(self._scene), "all sessions of the round have ended")


def there(scene: Scene) -> set[int]:
    """The processes of all clients, of which nothing is left out."""
    return {row[0] for row in scene.sql("SELECT pid FROM pg_catalog.pg_stat_get_activity(NULL) WHERE datid <> 0")}


def run(cluster: Cluster, module: str, **options: t.Any) -> Outcome:
    return run_module(module, {**cluster.login(cluster.admin), "timeout": TIMEOUT, "toolkit": "native", **options})


def test_nobody_hides_and_nobody_else_is_hit(cluster: Cluster, scene: Scene) -> None:
    counts = dict.fromkeys(("sessions with a trick", "not listed", "not ended", "others ended"), 0)
    for seed in range(ROUNDS):
        crowd = Crowd(cluster, scene, seed)
        listed = run(cluster, "gp_process_info")
        assert not listed.failed, listed["msg"]
        assert all(record["session_age"] is not None for record in listed["processes"])
        counts["sessions with a trick"] += TRICKSTERS
        counts["not listed"] += len(crowd.pids - {record["pid"] for record in listed["processes"]})
        by_name = run(cluster, "gp_backend", state="terminated", users=[cluster.other], max_victims=TRICKSTERS)
        # Whose role was dropped goes by no name of a role.
        rest = run(
            cluster,
            "gp_backend",
            state="terminated",
            pids=[client.pid for client in crowd.others],
            protected_users=[],
            allow_superusers=True,
            max_victims=TRICKSTERS,
        )
        assert not by_name.failed, by_name["msg"]
        assert not rest.failed, rest["msg"]
        alive = there(scene)
        counts["not ended"] += len({client.pid for client in crowd.others} & alive)
        counts["others ended"] += len({client.pid for client in crowd.honest} - alive)
        crowd.close()
    assert {name: number for name, number in counts.items() if name != "sessions with a trick"} == dict.fromkeys(
        ("not listed", "not ended", "others ended"), 0
    )
    figures.record("hostile users", cluster.family, counts)


def test_who_holds_up_others_is_found_whatever_he_calls_himself(cluster: Cluster, scene: Scene) -> None:
    found = {"jams": 0, "another one blamed": 0}
    for seed in range(ROUNDS):
        crowd = Crowd(cluster, scene, seed)
        table = scene.table(f"gpops_torture_jam_{seed}")
        order = random.Random(seed).sample(crowd.others, TRICKSTERS)
        root = next(client for client in order if _can_lock(client, table))
        waiters = [scene.client(cluster.user, name="waiter").start(f"SELECT * FROM {table}") for _n in range(WAITERS)]
        for waiter in waiters:
            scene.waiting(waiter)
        policy: dict[str, t.Any] = {"name": "jam", "state": "terminated", "max_held_up": 1}
        # On a cluster of others, none of theirs.
        policy |= {"protected_users": [], "allow_superusers": True, "pids": [*crowd.pids, *(w.pid for w in waiters)]}
        done = run(cluster, "gp_policy", policies=[policy], mode="enforce")
        assert not done.failed, done["msg"]
        hit = {victim["pid"] for victim in done["victims"] if victim["signalled"]}
        found["jams"] += 1
        found["another one blamed"] += len(hit - {root.pid})
        assert root.pid in hit
        for waiter in waiters:
            eventually(waiter.is_done, "those that waited go on")
        crowd.close()
    assert found["another one blamed"] == 0
    figures.record("hostile users", cluster.family, found)


def _can_lock(client: Client, table: str) -> bool:
    """Whether it took the lock; a role that was dropped may nothing any more, on the real engines not even go back."""
    try:
        client.run("BEGIN", f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    except psycopg2.Error:
        return False
    return True


def _text(pieces: random.Random) -> str:
    """A statement that is valid, in a comment of which is anything."""
    junk = "".join(pieces.choice(PIECES) * pieces.randrange(1, 40) for _each in range(4)).replace("*", "")[:700]
    return f"SELECT 1 AS password{'/**/' * pieces.randrange(60)} /* {junk} */ -- {pieces.choice(PIECES) * 9}"


@pytest.mark.parametrize("redact", [False, True])
def test_what_users_write_holds_up_nothing(cluster: Cluster, scene: Scene, redact: bool) -> None:
    pieces = random.Random(int(redact))
    writers = [scene.client(cluster.other, name="writer").run(_text(pieces)) for _each in range(TEXTS)]
    teller = scene.client(cluster.other, name="teller")
    secrets = (
        f"ALTER ROLE {cluster.other} PASSWORD '{SECRET}'",
        f"SELECT 'password' --x\n'= {SECRET}'",
        f"SELECT dblink_connect($a$host=h password={SECRET}$a$)",
    )
    for secret in secrets:
        with pytest.raises(psycopg2.Error):
            teller.run(f"SELECT 1/0; {secret}")
        start = time.monotonic()
        listed = run(cluster, "gp_process_info", users=[cluster.other], redact_literals=redact)
        seconds = time.monotonic() - start
        assert not listed.failed, listed["msg"]
        assert listed["count"] == TEXTS + 1
        assert SECRET not in listed.output
    ended = run(cluster, "gp_backend", state="terminated", users=[cluster.other], max_victims=TEXTS + 1)
    assert ended["counts"] == {"terminated": len(writers) + 1}
    figures.record(
        "hostile users",
        cluster.family,
        {f"{TEXTS} hostile texts listed{', redacted' if redact else ''}, s": round(seconds, 2)},
    )
