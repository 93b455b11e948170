# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals by records that are old, while their pids belong to others by now: nobody else may be hit."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import cluster as clusters
from ansible_collections.gpops.toolkit.plugins.module_utils._core import connection as connections
from ansible_collections.gpops.toolkit.plugins.module_utils._core import driver, engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.queries import source_of
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import sender
from integration.cluster import EMBEDDED, Cluster, Scene, embedded, eventually
from sandbox import Sandbox, wire
from torture import figures, forge
from torture.churn import CLEARTEXT, PASSWORD
from torture.scale import scaled

TRIALS = scaled(300, 10000)
BATCH = 50
OLD = 100  # records that a churn is tried with at a time, beside those of the moment
LIFE = 0.3  # seconds that a session of a churn is there at most
_WHO = (
    "SELECT a.pid, a.sess_id, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), "
    "to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), a.state "
    "FROM pg_catalog.pg_stat_activity a"
)
_BUSY = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name = 'gpops_heir' AND state = 'active'"
_STOP = _BUSY.replace("count(*)", "pg_catalog.pg_terminate_backend(pid)")
Identity = tuple[int, str]


@dataclasses.dataclass
class Tally:
    """What a chapter counts.

    Attributes:
        trials: Records that a signal was tried with.
        armed: Those of them whose pid belonged to another session then.
        right: Sessions that were hit and meant.
        wrong: Sessions that were hit and not meant.
    """

    trials: int = 0
    armed: int = 0
    right: int = 0
    wrong: int = 0


def line_of(cluster: Cluster, role: str, toolkit: str) -> sender.SignalSender:
    """The module's own line to the server, with nothing before its statements."""
    options = {
        **dict.fromkeys(ARGUMENT_SPEC),
        **cluster.login(role),
        "connect_params": {},
        "timeout": 60.0,
        "toolkit": toolkit,
    }
    connection = connections.Connection(options, Deadline(60))
    there = clusters.Cluster(connection, engine.probe(connection, toolkit), Deadline(60))
    return sender.SignalSender(there, Deadline(3600))


def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the check, as somebody might one day: by pid alone."""

    def statement(self: sender.SignalSender, victims: t.Sequence[Backend], state: str) -> t.Any:
        sql = driver.sql
        function = self._engine.signal_functions[state]
        pids = sql.SQL(", ").join([sql.Literal(victim.pid) for victim in victims])
        return sql.SQL(
            f"SELECT a.pid, {function}(a.pid) FROM {source_of('pg_stat_activity', self._cluster.source)} a "
            "WHERE a.pid IN ({}) AND a.usename = 'sammy'"
        ).format(pids)

    monkeypatch.setattr(sender.SignalSender, "statement", statement)


# With a small space of pids, and sessions that come and go.


UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


class SmallSpace(Sandbox):
    """An embedded engine in a pid namespace of its own, where pids soon come again."""

    PIDS = 150

    def __init__(self, profile: str) -> None:
        super().__init__(profile, max_connections=200)
        inside = f'echo {300 + self.PIDS} > /proc/sys/kernel/pid_max && exec "$@"'
        self._command = [*UNSHARE, "sh", "-c", inside, "sh", *self._command]


def has_small_space() -> bool:
    """Whether this machine lets us make one; the limit is the namespace's own since Linux 6.14."""
    if os.geteuid() != 0:
        return False
    probe = "cat /proc/sys/kernel/pid_max; echo 700 > /proc/sys/kernel/pid_max; cat /proc/sys/kernel/pid_max"
    before = Path("/proc/sys/kernel/pid_max").read_text()
    done = subprocess.run([*UNSHARE, "sh", "-c", probe], capture_output=True, text=True, check=False)
    after = Path("/proc/sys/kernel/pid_max").read_text()
    if after != before:  # an older kernel: it was everybody's limit
        Path("/proc/sys/kernel/pid_max").write_text(before)
        return False
    return done.stdout.split()[-1:] == ["700"]


class Churn:
    """The processes that make sessions come and go."""

    def __init__(self, cluster: Cluster, heirs_go_to: str, seconds: float) -> None:
        self._seconds = seconds
        self._told: list[t.IO[str]] = []
        # The engine's own sessions, which are listed and meant: once they have said their start, not before.
        query = "SET application_name = 'gpops_churn'; SELECT pg_catalog.pg_sleep({})"
        self._listed = self._start(cluster, 8, query, cluster.host, "gpops_churn_new")
        # Who gets their pids stays for a while too, so that a pid has somebody to be hit; nobody means them.
        self._heirs = self._start(cluster, 36, "-", heirs_go_to, "gpops_churn_heir")
        self.sessions = 0
        self.rate = 0.0
        self.hit: list[Identity] = []
        self.hit_unseen = 0

    def _start(self, cluster: Cluster, sessions: int, query: str, address: str, name: str) -> subprocess.Popen[str]:
        words = [self._seconds, sessions, LIFE, query, address, cluster.port, cluster.user, cluster.database, name]
        command = [sys.executable, "-S", "-m", "torture.churn", *map(str, words)]
        # No pipe: nobody reads before the end, and a full one would stop them.
        told = tempfile.TemporaryFile("w+")  # noqa: SIM115 - end() closes it
        self._told.append(told)
        environ = {**os.environ, PASSWORD: cluster.password(cluster.user)}
        return subprocess.Popen(command, stdout=told, text=True, cwd=Path(__file__).parent.parent, env=environ)

    @property
    def running(self) -> bool:
        return self._listed.poll() is None and self._heirs.poll() is None

    def end(self) -> None:
        """Wait for them, and read what they saw."""
        lives = []
        for process, told in zip((self._listed, self._heirs), self._told, strict=True):
            assert process.wait() == 0
            told.seek(0)
            lives += [line.split() for line in told]
            told.close()
        self.sessions = sum(pid != "0" for pid, _start, _met in lives)
        self.rate = self.sessions / (self._seconds + LIFE)  # the last ones go after the time
        self.hit = [(int(pid), start) for pid, start, met in lives if met != "-" and start != "-"]
        self.hit_unseen = sum(met != "-" and start == "-" and pid != "0" for pid, start, met in lives)


def shoot(cluster: Cluster, churn: Churn, line: sender.SignalSender, tally: Tally, by_module: bool) -> set[Identity]:
    """Collect records while sessions come and go, and signal by them once they are old; who was meant."""
    meant: set[Identity] = set()
    known: collections.deque[dict[str, t.Any]] = collections.deque(maxlen=OLD * 5)
    last: dict[int, dict[str, t.Any]] = {}
    login = cluster.login(cluster.admin)
    with Scene(cluster) as scene:
        while churn.running:
            listed = listing(scene, login, by_module)
            # Those that may still be there, those that have gone, and those whose pid is another's by now.
            older = random.sample(list(known), min(len(known), OLD))
            others = inherited(scene, list(last.values()))
            records = [*listed, *older, *(record for record in others if record not in older)]
            known.extend(listed)
            last.update({record["pid"]: record for record in listed})
            if not records:
                continue
            time.sleep(random.choice([0, 0.01, 0.1]))
            tally.armed += len(inherited(scene, records))
            tally.trials += len(records)
            meant |= {(record["pid"], record["backend_start"]) for record in records}
            state = random.choice(["cancelled", "terminated"])
            if by_module:
                desired_state = {"state": state, "processes": records, "max_victims": 2 * OLD, "wait": False}
                done = forge.run("gp_backend", {**login, **desired_state})
                assert not done.crashed, done.output
                assert "option" not in done.outcome, done.output
            else:
                line.signal([seen(record) for record in records], state)
    return meant


def inherited(scene: Scene, records: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Those of the records whose pids are others' now."""
    starts = {row[0]: row[2] for row in scene.sql(_WHO)}
    return [record for record in records if starts.get(record["pid"]) not in (None, record["backend_start"])]


def listing(scene: Scene, login: dict[str, t.Any], by_module: bool) -> list[dict[str, t.Any]]:
    """Those of the churn that are there."""
    if by_module:
        options = {**login, "application_names": ["gpops_churn"]}
        return t.cast("list[dict[str, t.Any]]", forge.run("gp_process_info", options).outcome["processes"])
    return [dataclasses.asdict(record) for record in identities(scene, "gpops_churn")]


def seen(record: t.Mapping[str, t.Any]) -> Backend:
    names = ("pid", "sess_id", "backend_start", "query_start")
    return Backend(**{name: record[name] for name in names})


def open_door(box: SmallSpace, cluster: Cluster) -> None:
    """A role that sends its password in clear: a login costs the processor as little as it can."""
    access = box.dir / "data" / "pg_hba.conf"
    access.write_text(f"local all {cluster.user} password\n{access.read_text()}")
    with Scene(cluster) as scene:
        scene.sql("SELECT pg_catalog.pg_reload_conf()")

    def is_open() -> bool:
        with socket.create_connection((cluster.host, cluster.port)) as link:
            link.sendall(wire.startup({"user": cluster.user, "database": cluster.database}))
            return link.recv(9)[5:] == CLEARTEXT

    eventually(is_open, "the password is asked for in clear")


def churned(cluster: Cluster, heirs_go_to: str, seconds: float, by_module: bool) -> tuple[Tally, Churn]:
    """What came of some seconds of it."""
    tally = Tally()
    line = line_of(cluster, cluster.admin, "native")
    churn = Churn(cluster, heirs_go_to, seconds)
    meant = shoot(cluster, churn, line, tally, by_module)
    churn.end()
    line._cluster.connection.close()
    tally.right = sum(identity in meant for identity in churn.hit)
    tally.wrong = len(churn.hit) - tally.right + churn.hit_unseen
    return tally, churn


@pytest.mark.parametrize("by_module", scaled([False], [True, False]), ids={True: "module", False: "statement"}.get)
@pytest.mark.parametrize("profile", scaled(["gp7"], EMBEDDED))
def test_nobody_is_hit_by_mistake_while_pids_come_again(
    profile: str, by_module: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_small_space():
        pytest.skip("needs a small space of pids: root, and Linux 6.14 or newer")
    with SmallSpace(profile) as box:
        cluster = embedded(box)
        open_door(box, cluster)
        # Past the proxy, which takes more of the processor than the sessions do.
        heirs_go_to = str(box.dir / "s" / ".s.PGSQL.5432")
        tally, churn = churned(cluster, heirs_go_to, scaled(6, 90 if by_module else 30), by_module)
        assert tally.wrong == 0, tally
        assert tally.trials >= TRIALS, (tally, churn.rate)
        assert tally.armed > 0, (tally, churn.rate)
        # The module takes longer than most of these sessions live.
        assert by_module or tally.right > 0, (tally, churn.rate)
        record_churn(cluster, f"small space of pids, {'module' if by_module else 'statement'}", tally, churn)
        if not by_module:
            careless(monkeypatch)
            broken, _churn = churned(cluster, heirs_go_to, 4, by_module)
            assert broken.wrong > 0, broken


def record_churn(cluster: Cluster, name: str, tally: Tally, churn: Churn) -> None:
    found = {**dataclasses.asdict(tally), "sessions": churn.sessions, "sessions a second": round(churn.rate)}
    figures.record("wrong hits", cluster.family, {name: found})


@pytest.mark.parametrize("by_module", [True, False], ids={True: "module", False: "statement"}.get)
def test_nobody_is_hit_by_mistake_on_a_busy_server(cluster: Cluster, by_module: bool) -> None:
    if cluster.embedded:
        pytest.skip("the small space of pids is more; elsewhere the server has to ask for the password in clear")
    # A pid comes again here only if the machine has few of them; what is armed says how often one did.
    tally, churn = churned(cluster, cluster.host, scaled(10, 30 if by_module else 60), by_module)
    assert tally.wrong == 0, tally
    assert by_module or tally.right > 0, (tally, churn.rate)
    record_churn(cluster, f"busy server, {'module' if by_module else 'statement'}", tally, churn)


def test_records_of_earlier_generations_hit_nobody() -> None:
    if not has_small_space():
        pytest.skip("needs a small space of pids: root, and Linux 6.14 or newer")
    for profile, (role, toolkit) in itertools.product(
        scaled(["gp7"], EMBEDDED), scaled([("ops", "mdb")], [("ops", "mdb"), ("gpadmin", "native")])
    ):
        with SmallSpace(profile) as box, pytest.MonkeyPatch.context() as patch:
            cluster = embedded(box)
            open_door(box, cluster)
            line = line_of(cluster, role, toolkit)
            tally = generations(cluster, line, TRIALS)
            assert tally.wrong == 0, tally
            assert tally.armed > tally.trials * 0.2, tally
            figures.record("wrong hits", profile, {f"earlier generations, {toolkit}": dataclasses.asdict(tally)})
            # The same with the check broken: else this test could not fail.
            careless(patch)
            assert generations(cluster, line, TRIALS // 10).wrong > 0
            line._cluster.connection.close()


def generations(cluster: Cluster, line: sender.SignalSender, trials: int) -> Tally:
    """Sessions by the hundred, one lot after the other, and signals by the records of all earlier lots."""
    tally = Tally()
    old: list[Backend] = []
    with Scene(cluster) as scene:
        while tally.trials < trials:
            with contextlib.ExitStack() as stack:
                heirs = [cluster.connect(cluster.user, application_name="gpops_heir") for _each in range(BATCH)]
                for heir in heirs:
                    stack.callback(heir.close)
                # A cancel needs a statement to hit.
                for thread in [hold(heir) for heir in heirs[::10]]:
                    stack.callback(thread.join)
                eventually(lambda: scene.sql(_BUSY)[0][0] == BATCH // 10, "the heirs run")
                heir_records = identities(scene)
                inherited = {heir.pid for heir in heir_records}.intersection(record.pid for record in old)
                armed = [record for record in old if record.pid in inherited]
                for state in ("cancelled", "terminated") if armed else ():
                    aimed = armed[: 3 * BATCH] + random.sample(old, min(len(old), BATCH))
                    tally.trials += len(aimed)
                    tally.armed += sum(record.pid in inherited for record in aimed)
                    tally.wrong += len(line.signal(aimed, state))
                time.sleep(0.05)
                # Neither gone nor at another statement or at none.
                tally.wrong += len(set(heir_records) - set(identities(scene)))
                scene.sql(_STOP)
                old = heir_records + old
    return tally


def hold(connection: psycopg2.extensions.connection) -> threading.Thread:
    """Let it run a statement that ends by a cancel only."""

    def work() -> None:
        with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.pg_sleep(60)")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def identities(scene: Scene, application: str = "gpops_heir") -> list[Backend]:
    rows = scene.sql(f"{_WHO} WHERE a.application_name = %s", (application,))
    return [Backend(pid=row[0], sess_id=row[1], backend_start=row[2], query_start=row[3], state=row[4]) for row in rows]


# Where pids cannot be had again: records that name the pid of one session and the start of another.


def test_forged_records_hit_nobody(cluster: Cluster, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = [scene.client(cluster.user, name="gpops_heir") for _each in range(20)]
    old = identities(scene)
    for client in gone:
        client.close()
    heirs = [scene.client(cluster.user, name="gpops_heir").run("BEGIN", "SELECT 1") for _each in range(20)]
    heirs += [scene.client(cluster.user, name="gpops_heir").start("SELECT pg_catalog.pg_sleep(600)") for _each in "ab"]
    for client in heirs[20:]:
        scene.state(client, "active")
    before = [identity for identity in identities(scene) if identity.pid in {heir.pid for heir in heirs}]
    lines: list[sender.SignalSender] = []
    for role, toolkit in ((cluster.ops, "mdb"), (cluster.admin, "native")):
        lines.append(line := line_of(cluster, role, toolkit))
        tally = Tally()
        while tally.trials < TRIALS / 2:
            aimed = [dataclasses.replace(random.choice(old), pid=heir.pid) for heir in before for _each in range(5)]
            # Also the very session, at another statement.
            other = [dataclasses.replace(heir, query_start=old[0].query_start) for heir in before]
            tally.wrong += len(line.signal(aimed, "terminated")) + len(line.signal(aimed + other, "cancelled"))
            tally.trials += 2 * len(aimed) + len(other)
        tally.armed = tally.trials
        tally.wrong += len(set(before) - set(identities(scene)))
        assert tally.wrong == 0, tally
        figures.record("wrong hits", cluster.family, {f"forged records, {toolkit}": dataclasses.asdict(tally)})
    careless(monkeypatch)
    assert line.signal(aimed, "terminated")
    for line in lines:
        line._cluster.connection.close()
