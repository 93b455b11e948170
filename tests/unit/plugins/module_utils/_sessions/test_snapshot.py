# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the engines' rows to one shape of record."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine as engines
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster
from ansible_collections.gpops.toolkit.plugins.module_utils._core.connection import Connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    DeadlineExceeded,
    GpopsError,
    OptionError,
    StatementError,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import queries
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import snapshot as snapshots
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend

COLUMNS = {
    "gp6": "waiting waiting_reason rsgid rsgname rsgqueueduration",
    "gp7": "wait_event_type wait_event backend_type rsgid rsgname",
    "cb": "wait_event_type wait_event backend_type rsgid rsgname leader_pid query_id",
}
COMMON = "datid datname pid sess_id usesysid usename application_name client_addr state query"
VERSIONS = {
    "PostgreSQL 9.4.26 (Greenplum Database 6.24.3 build commit:25d3) on x86_64": "6.24.3",
    "PostgreSQL 9.4.26 (Greenplum Database 6.25.3-mdb+yezzey+yagpcc-r+dev.40.g1 build dev-oss) on x": (
        "6.25.3-mdb+yezzey+yagpcc-r+dev.40.g1"
    ),
    "PostgreSQL 12.12 (Greenplum Database 7.1.0 build 1) on x86_64": "7.1.0",
    "PostgreSQL 12.12 (Greenplum Database 7.5.0-WHPG build dev) on x86_64 WarehousePG": "7.5.0-WHPG",
    "PostgreSQL 9.4.26 (Greengage Database 6.27.0 build 1) on x86_64": "6.27.0",
    "PostgreSQL 14.4 (Cloudberry Database 1.6.0 build 1) on x86_64": "1.6.0",
    "PostgreSQL 14.4 (Apache Cloudberry 2.0.0-incubating build 1) on x86_64": "2.0.0-incubating",
    "something new": "something new",
}


def probe_row(family: str = "gp7", **more: t.Any) -> dict[str, t.Any]:
    activity = f"pg_stat_activity.{COMMON} {COLUMNS[family]}"
    locks = "pg_locks.locktype relation mode granted mppsessionid gp_segment_id"
    return {
        "version_text": next(iter(VERSIONS)),
        "pid": 4711,
        "search_path": "pg_catalog",
        "role": "ops",
        "login": "ops",
        "is_superuser": False,
        "role_group": "default_group",
        "database": "testdb",
        "max_connections": 100,
        "reserved_connections": 3,
        "views": f"{activity},{locks}",
        "database_oid": 16384,
        "toolkit_usage": True,
        "toolkit_trust": None,
        "toolkit_functions": f"{activity},{locks},gp_cancel_backend.,gp_terminate_backend.",
        "message_functions": None,
        "login_is_superuser": False,
        "has_mdb_admin": True,
        "settings": "gp_contentid=-1=postmaster gp_role=dispatch=postmaster gp_resource_group_bypass=off=user",
        "group_views": True,
        "group_views_trust": None,
        "tells_blockers": family != "gp6",
        **more,
    }


def answered(row: t.Mapping[str, t.Any]) -> Rows:
    """A row of the probe as the server writes it, in the order in which it is asked for."""
    texts = {name: {True: "t", False: "f", None: None}.get(value, str(value)) for name, value in row.items()}
    columns = tuple(engines._KINDS)
    return Rows(columns, [tuple(texts[name] for name in columns)])


def process_row(**more: t.Any) -> dict[str, t.Any]:
    row: dict[str, t.Any] = dict.fromkeys(
        [
            *("usename datname application_name client_addr state query role_group is_superuser".split()),
            *("backend_start xact_start query_start state_change".split()),
            *("session_age transaction_age query_age state_age".split()),
        ]
    )
    row.update({"pid": 1, "sess_id": 10, "state": "active", "query": "SELECT 1", "query_age": 5.0, **more})
    return row


def only(row: dict[str, t.Any], locks: t.Sequence[dict[str, t.Any]] = ()) -> Backend:
    return snapshots.snapshot_from([row], table(locks)).backends[0]


def table(rows: t.Sequence[dict[str, t.Any]] = (), told: dict[int, list[int]] | None = None) -> snapshots.LockTable:
    return snapshots.LockTable(tuple(snapshots.LockRow(**row) for row in rows), told or {})


def lock_row(session: int, granted: bool, **more: t.Any) -> dict[str, t.Any]:
    row = {"session": session, "tag": "1", "locktype": "relation", "mode": "ExclusiveLock", "granted": granted}
    return {**row, "since": None, **more}


@pytest.mark.parametrize("family", ["gp6", "gp7", "cb"])
def test_families_are_told_apart_by_their_columns(family: str) -> None:
    assert engines.engine_from(probe_row(family), "auto").family == family


def test_another_server_is_an_error() -> None:
    with pytest.raises(GpopsError, match="not of the Greenplum family"):
        engines.engine_from(probe_row(views="pg_stat_activity.pid", toolkit_usage=None, toolkit_functions=None), "auto")


@pytest.mark.parametrize("content", [None, "-1", "0"])
def test_a_segment_is_not_taken_for_the_coordinator(content: str | None) -> None:
    class Asked:
        """A session on a server with this content, as far as the probe needs one."""

        where = "192.0.2.1 port 6000"
        pooled = False
        user = "ops"
        wanted_role = "none"

        def execute(self, _statement: str) -> Rows:
            ours = "" if content is None else f"gp_contentid={content}=postmaster"
            return answered(probe_row(settings=ours))

        def detect_pooler(self, pid: int, search_path: str) -> bool:
            assert (pid, search_path) == (4711, "pg_catalog")
            return False

        def mend(self, settings: t.Mapping[str, str]) -> bool:
            assert settings == {}
            return False

        def learn(self, _may_bypass: bool, database_oid: int) -> None:
            assert database_oid == 16384

    if content != "0":
        assert engines.probe(t.cast(Connection, Asked()), "auto").family == "gp7"
        return
    with pytest.raises(GpopsError, match=r"192\.0\.2\.1 port 6000 is a segment \(content 0\)"):
        engines.probe(t.cast(Connection, Asked()), "auto")


@pytest.mark.parametrize(("text", "version"), sorted(VERSIONS.items()))
def test_version_for_messages(text: str, version: str) -> None:
    assert engines.engine_from(probe_row(version_text=text), "auto").version == version


@pytest.mark.parametrize(
    ("toolkit", "usage", "functions", "interface", "state"),
    [
        ("auto", True, "pg_stat_activity.sess_id,pg_locks.mode", "mdb", "usable"),
        ("mdb", True, "pg_stat_activity.sess_id", "mdb", "usable"),
        ("native", True, "pg_stat_activity.sess_id", "native", "usable"),
        ("auto", False, "pg_stat_activity.sess_id", "native", "forbidden"),
        ("auto", True, None, "native", "forbidden"),
        ("auto", None, None, "native", "missing"),
    ],
)
def test_interface(toolkit: str, usage: bool | None, functions: str | None, interface: str, state: str) -> None:
    engine = engines.engine_from(probe_row(toolkit_usage=usage, toolkit_functions=functions), toolkit)
    assert (engine.interface, engine.toolkit_state) == (interface, state)


def stranger(what: str, name: str, role: str | None = "bob") -> dict[str, t.Any]:
    return {"what": what, "name": name, "role": role, "rolsuper": False}


@pytest.mark.parametrize(
    ("strangers", "words", "mend"),
    [
        ([stranger("owner", "mdb_toolkit")], "schema mdb_toolkit belongs to bob", "ALTER SCHEMA mdb_toolkit OWNER TO"),
        (
            [stranger("creator", "mdb_toolkit", "PUBLIC")],
            "PUBLIC may create in schema mdb_toolkit",
            "REVOKE CREATE ON SCHEMA mdb_toolkit FROM PUBLIC",
        ),
        ([stranger("function", "pg_locks")], "function pg_locks belongs to bob", "give function pg_locks to"),
    ],
)
def test_a_toolkit_that_is_not_superusers_alone_is_not_used(
    strangers: list[dict[str, t.Any]], words: str, mend: str
) -> None:
    """Whose a schema is, or who may create in it, decides what a call in it runs."""
    row = probe_row(toolkit_trust=json.dumps(strangers))
    engine = engines.engine_from(row, "auto")
    assert (engine.interface, engine.toolkit_state, list(engine.activity)) == ("native", "untrusted", ["native"])
    assert not any("mdb_toolkit" in function for function in engine.signal_functions.values())
    (warning,) = engines.toolkit_warnings(engine)
    assert words in warning
    assert mend in warning
    assert engines.toolkit_warnings(engines.engine_from(row, "native")) == []
    with pytest.raises(OptionError, match="mdb_toolkit is not trusted") as caught:
        engines.engine_from(row, "mdb")
    assert words in caught.value.message


def test_of_many_strangers_some_are_named() -> None:
    strangers = [stranger("creator", "mdb_toolkit", f"role{number}") for number in range(500)]
    engine = engines.engine_from(probe_row(toolkit_trust=json.dumps(strangers)), "auto")
    (warning,) = engines.toolkit_warnings(engine)
    assert "and 497 more" in warning
    assert len(warning) < 1000


def test_a_toolkit_that_the_role_may_not_use_is_no_news() -> None:
    row = probe_row(toolkit_usage=False, toolkit_trust=json.dumps([stranger("owner", "mdb_toolkit")]))
    engine = engines.engine_from(row, "auto")
    assert engine.toolkit_state == "forbidden"
    assert engines.toolkit_warnings(engine) == []


@pytest.mark.parametrize(
    ("family", "settings", "role", "managed"),
    [
        ("gp6", "gp_resource_group_move_timeout=1=user idle_session_timeout=0=user", True, True),
        ("gp6", "gp_resource_group_move_timeout=1=user idle_session_timeout=0=user", False, False),
        ("gp6", "idle_session_timeout=0=user", True, False),
        ("gp7", "gp_resource_group_move_timeout=1=user idle_session_timeout=0=user", True, False),
        ("cb", "gp_resource_group_move_timeout=1=user idle_session_timeout=0=user", True, False),
    ],
)
def test_the_managed_greenplum_6_is_told_by_its_role_and_settings(
    family: str, settings: str, role: bool, managed: bool
) -> None:
    """Later engines have these settings too, and a role of that name may be anywhere."""
    row = probe_row(family, settings=settings, has_mdb_admin=role)
    assert engines.engine_from(row, "auto").managed_slots is managed


@pytest.mark.parametrize(("usage", "words"), [(None, "no schema mdb_toolkit"), (False, "mdb_admin")])
def test_an_interface_that_is_not_there(usage: bool | None, words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        engines.engine_from(probe_row(toolkit_usage=usage), "mdb")
    assert caught.value.result["option"] == "toolkit"


@pytest.mark.parametrize(
    ("interface", "columns", "functions", "source"),
    [
        # Every role may read the view, on every engine.
        ("auto", True, "pg_stat_activity.sess_id,pg_locks.mode", "native"),
        ("auto", False, "pg_stat_activity.sess_id,pg_locks.mode", "mdb"),
        ("native", False, "pg_stat_activity.sess_id,pg_locks.mode", None),
        ("auto", False, "pg_stat_activity.sess_id", None),
    ],
)
def test_where_locks_are_read(interface: str, columns: bool, functions: str, source: str | None) -> None:
    row = probe_row(toolkit_functions=functions)
    if not columns:
        row["views"] = row["views"].split(",")[0]
    assert engines.engine_from(row, interface).lock_source == source


def test_a_managed_interface_with_fewer_columns_is_read_as_it_is() -> None:
    """Only six columns of mdb_toolkit.pg_stat_activity() are documented; the catalog tells which there are."""
    row = probe_row("gp6", toolkit_functions="pg_stat_activity.usename pid sess_id waiting state query datname")
    engine = engines.engine_from(row, "auto")
    assert engine.family == "gp6"
    statement = queries.processes(engine, "mdb", 100)
    assert "a.waiting" in statement
    assert "waiting_reason" not in statement
    assert "client_addr" not in statement
    rows = [{"pid": 1, "sess_id": 2, "usename": "u", "waiting": True, "role_group": None, "is_superuser": None}]
    backend = snapshots.snapshot_from(rows, table()).backends[0]
    assert (backend.waiting_reason, backend.client_addr, backend.session_age) == ("other", None, None)


@pytest.mark.parametrize("family", ["gp6", "gp7", "cb"])
@pytest.mark.parametrize("toolkit", ["mdb", "native"])
def test_the_statement_passes_a_full_group(family: str, toolkit: str) -> None:
    """Each table is one of pg_catalog, and a function stands in FROM only beside one: the rule of Greenplum 7."""
    engine = engines.engine_from(probe_row(family), toolkit)
    statements = [queries.processes(engine, source, 100) for source in engine.activity]
    for statement in [*statements, queries.locks(engine, [1, 2])]:
        words = statement.replace("(", " ( ").split()
        for word, after, behind in zip(words, words[1:], words[2:], strict=False):
            if word == "FROM":
                assert after == "(" or after.startswith("pg_catalog."), after
                assert behind != "(" or after == "(", f"a function in FROM: {after}"
            if word == "JOIN":
                assert after.startswith(("pg_catalog.", "mdb_toolkit.")), after
        assert not re.search(r"SELECT (?:(?!FROM)[^()])*mdb_toolkit", statement)


@pytest.mark.parametrize("toolkit", ["mdb", "native"])
def test_who_may_step_past_the_queue(toolkit: str) -> None:
    context = "gp_resource_group_bypass=off"
    for more, may in (
        ({"settings": f"{context}=user"}, True),
        ({"settings": f"{context}=superuser"}, False),
        ({"settings": f"{context}=superuser", "login_is_superuser": True}, True),
        ({"settings": ""}, False),
    ):
        engine = engines.engine_from(probe_row(**more), toolkit)
        assert (engine.may_bypass, engine.waits_in_group) == (may, not may)
        assert engine.spends_session("mdb")
        assert not engine.spends_session("native")


def test_utility_mode_knows_the_locks_of_the_coordinator_only() -> None:
    engine = engines.engine_from(probe_row(settings="gp_role=utility=backend gp_contentid=-1=postmaster"), "auto")
    assert engine.utility_mode
    assert "utility mode" in str(engine.locks_problem)
    assert not engines.engine_from(probe_row(), "auto").utility_mode


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"waiting": False, "waiting_reason": None}, None),
        ({"waiting": True, "waiting_reason": "lock"}, "lock"),
        ({"waiting": True, "waiting_reason": "resgroup"}, "resource_group"),
        ({"waiting": True, "waiting_reason": "replication"}, "replication"),
        ({"waiting": True, "waiting_reason": "news"}, "other"),
        ({"waiting": True, "waiting_reason": None}, "other"),
        ({"wait_event_type": None, "wait_event": None}, None),
        ({"wait_event_type": "Client", "wait_event": "ClientRead"}, None),
        ({"wait_event_type": "IPC", "wait_event": "Dispatch/Result"}, None),
        ({"wait_event_type": "IO", "wait_event": "DataFileRead"}, None),
        ({"wait_event_type": "LWLock", "wait_event": "buffer_content"}, None),
        ({"wait_event_type": "Lock", "wait_event": "relation"}, "lock"),
        ({"wait_event_type": "Lock", "wait_event": "resource queue"}, "resource_queue"),
        ({"wait_event_type": "ResourceGroup", "wait_event": "etl"}, "resource_group"),
        ({"wait_event_type": "ResourceQueue", "wait_event": "q"}, "resource_queue"),
        ({"wait_event_type": "IPC", "wait_event": "SyncRep"}, "replication"),
        ({"wait_event_type": "BufferPin", "wait_event": "BufferPin"}, "other"),
        ({"wait_event_type": "ResourceGroup", "wait_event": "etl", "state": "idle"}, None),
    ],
)
def test_waiting_has_one_shape(row: dict[str, t.Any], reason: str | None) -> None:
    backend = only(process_row(**row))
    assert (backend.waiting, backend.waiting_reason) == (reason is not None, reason)
    assert backend.wait_age == (5.0 if reason else None)


def test_a_wait_on_a_segment_shows_in_the_lock_table_only() -> None:
    backend = only(process_row(waiting=False, waiting_reason=None), [lock_row(10, False)])
    assert (backend.waiting, backend.waiting_reason) == (True, "lock")


def test_a_resource_queue_shows_in_the_lock_table_only() -> None:
    row = process_row(waiting=True, waiting_reason="lock")
    assert only(row, [lock_row(10, False, locktype="resource queue")]).waiting_reason == "resource_queue"


def test_the_wait_has_the_age_that_the_engine_tells() -> None:
    queued = process_row(waiting=True, waiting_reason="resgroup", queue_seconds=2.5)
    assert only(queued).wait_age == 2.5
    locked = process_row(wait_event_type="Lock", wait_event="relation")
    assert only(locked, [lock_row(10, False, since=1.25)]).wait_age == 1.25


@pytest.mark.parametrize(("shown", "group"), [("etl", "etl"), ("unknown", "own"), ("", "own"), (None, "own")])
def test_the_group_is_the_role_s_while_the_row_shows_none(shown: str | None, group: str) -> None:
    assert only(process_row(running_group=shown, role_group="own")).resource_group == group


def test_an_idle_row_may_show_the_group_of_an_old_wait() -> None:
    assert only(process_row(state="idle", running_group="old", role_group="own")).resource_group == "own"


def test_hidden_rows_are_counted() -> None:
    rows = [process_row(), process_row(pid=2, sess_id=20, query="<insufficient privilege>", state=None)]
    snapshot = snapshots.snapshot_from(rows, table())
    assert snapshot.hidden == 1
    assert [backend.hidden for backend in snapshot.backends] == [False, True]


def test_a_text_of_a_users_own_does_not_make_a_session_hidden() -> None:
    """Else who sends the words that the view has for a hidden text would be spared, as one that cannot be told."""
    row = process_row(query="<insufficient privilege>", state="idle", backend_start="2026-01-31T23:59:59.123456Z")
    assert not only(row).hidden
    assert only({**row, "state": None, "backend_start": None}).hidden


def test_ages_are_never_negative() -> None:
    assert only(process_row(transaction_age=-0.002)).transaction_age == 0.0


def test_blocked_by_and_blocks_are_pids_of_the_coordinator() -> None:
    rows = [process_row(pid=1, sess_id=10), process_row(pid=2, sess_id=20)]
    locks = [lock_row(10, True), lock_row(20, False), lock_row(99, True, tag="2")]
    found = {b.pid: (b.blocked_by, b.blocks) for b in snapshots.snapshot_from(rows, table(locks)).backends}
    assert found == {1: ((), (2,)), 2: ((1,), ())}


def test_a_query_s_helpers_on_the_coordinator_are_not_sessions() -> None:
    """As seen on Greenplum 6: two rows with one sess_id, the helper with a later start and on the local socket."""
    rows = [
        process_row(pid=3, sess_id=10, backend_start="2026-01-01T00:00:02.000000Z", client_port=-1),
        process_row(pid=9, sess_id=10, backend_start="2026-01-01T00:00:00.000000Z"),
        process_row(pid=2, sess_id=20, backend_start="2026-01-01T00:00:01.000000Z"),
    ]
    snapshot = snapshots.snapshot_from(rows, table([lock_row(10, True), lock_row(20, False)]))
    assert [backend.pid for backend in snapshot.backends] == [9, 2]
    assert snapshot.backends[0].blocks == (2,)
    assert snapshot.connections == 3
    assert snapshot.who.readers == {3: 9}


def test_what_may_be_a_helper_and_is_hidden_is_listed() -> None:
    """A number and an empty name are what any login may give itself: nobody is left out because of them."""
    rows = [
        process_row(pid=1, sess_id=10, backend_start=None, application_name=""),
        process_row(pid=2, sess_id=10, backend_start=None, application_name="psql"),
        process_row(pid=3, sess_id=20, backend_start=None, application_name=""),
    ]
    assert [backend.pid for backend in snapshots.snapshot_from(rows, table()).backends] == [2, 1, 3]
    assert snapshots.snapshot_from(rows, table()).who.shared == {}


def test_the_engine_knows_the_order_of_a_queue_better() -> None:
    """Session 20 has the older statement, but 30 queued before it."""
    rows = [
        process_row(pid=1, sess_id=10),
        process_row(pid=2, sess_id=20, query_age=9.0, wait_event_type="Lock", wait_event="relation"),
        process_row(pid=3, sess_id=30, query_age=5.0, wait_event_type="Lock", wait_event="relation"),
    ]
    locks = [lock_row(session, session == 10, tag="-1/t", pid=session // 10) for session in (10, 20, 30)]
    guessed = {b.pid: b.blocked_by for b in snapshots.snapshot_from(rows, table(locks)).backends}
    assert guessed == {1: (), 2: (1,), 3: (1, 2)}
    told = {b.pid: b.blocked_by for b in snapshots.snapshot_from(rows, table(locks, {2: [1, 3, 99], 3: [1]})).backends}
    assert told == {1: (), 2: (1, 3), 3: (1,)}
    # A wait on a segment is in the lock table only.
    on_segment = [*locks, lock_row(10, True, tag="0/x"), lock_row(20, False, tag="0/x")]
    assert snapshots.snapshot_from(rows, table(on_segment, {2: []})).backends[1].blocked_by == (1,)


def test_unknown_locks_are_null_and_not_empty() -> None:
    backend = snapshots.snapshot_from([process_row()], snapshots.LockTable(problem="no right")).backends[0]
    assert (backend.blocked_by, backend.blocks) == (None, None)


class Silent:
    """A session on a server that lists its processes and never tells its locks."""

    lingers = pooled = False
    renewals = 0

    def execute(self, statement: str, **_dummy: t.Any) -> Rows:
        if "pg_locks" in statement:
            raise DeadlineExceeded("no answer", statement=statement)
        return Rows(("json", "rest"), [(json.dumps([process_row()]), "[]")])

    def renewed(self, _deadline: Deadline) -> Silent:
        self.renewals += 1
        return self


def test_a_lock_table_without_an_answer_takes_no_new_session_before_there_is_something_to_ask() -> None:
    session = Silent()
    cluster = Cluster(t.cast(t.Any, session), engines.engine_from(probe_row("gp7"), "native"), Deadline(60))
    snapshot = snapshots.read(cluster, cluster.deadline, True, 100)
    assert len(snapshot.backends) == 1
    assert snapshot.locks_problem == "no answer"
    assert session.renewals == 0
    for _each in range(2):
        cluster.execute("SELECT 1", cluster.deadline)
        assert session.renewals == 1


class Starved:
    """A session that is refused for want of memory until there is enough, as far as the probe needs one."""

    where = "gp port 5432"
    pooled = False
    user = "ops"
    wanted_role = "none"

    def __init__(self, mendable: bool) -> None:
        self._mendable = mendable
        self.mended: dict[str, str] = {}

    def execute(self, _statement: str) -> Rows:
        if not self.mended:
            raise StatementError("insufficient memory reserved for statement", "53000", "SELECT 1")
        return answered(probe_row())

    def learn(self, may_bypass: bool, database_oid: int) -> None:
        pass

    def detect_pooler(self, _pid: int, _search_path: str) -> bool:
        return False

    def mend(self, settings: t.Mapping[str, str]) -> bool:
        self.mended.update(settings if self._mendable else {})
        return self._mendable and bool(settings)


def test_too_little_memory_is_mended() -> None:
    session = Starved(mendable=True)
    assert engines.probe(t.cast(Connection, session), "auto").role == "ops"
    assert session.mended == {"statement_mem": "125MB"}


def test_memory_that_the_operator_has_limited_himself() -> None:
    with pytest.raises(StatementError, match="insufficient memory"):
        engines.probe(t.cast(Connection, Starved(mendable=False)), "auto")


def test_no_column_that_is_asked_for_is_lost_on_the_way() -> None:
    """What the statement selects is in the rows: without client_port a helper of a query was taken for a session."""
    for family, columns in COLUMNS.items():
        row = probe_row(family, views=f"pg_stat_activity.{COMMON} client_port backend_start xact_start {columns}")
        statement = queries.processes(engines.engine_from(row, "native"), "native", 10)
        asked = set(re.findall(r"\ba\.(\w+)(?=,| FROM)| AS (\w+)(?=,| FROM)", statement.split("json_agg(p) FROM (")[1]))
        assert {"".join(names) for names in asked} >= {"pid", "client_port", "backend_start", "role_group"}
        assert {"".join(names) for names in asked} - set(snapshots._ROW_KINDS) == set()


def test_the_helper_of_a_query_is_known_from_the_servers_answer() -> None:
    session = {"pid": 11, "sess_id": 7, "usename": "sammy", "datname": "d", "application_name": "", "state": "active"}
    session.update(role_group="etl", is_superuser=False)
    session.update(client_addr="192.0.2.7", client_port=40916, backend_start="2026-01-31T12:00:00.000001Z")
    reader = {**session, "pid": 12, "client_addr": None, "client_port": -1}
    reader["backend_start"] = "2026-01-31T12:00:00.000002Z"
    answer = Rows(("list", "others"), [(json.dumps([session, reader]), "[]")])
    seen = snapshots.snapshot_from(snapshots.rows_from(answer), snapshots.LockTable())
    assert [backend.pid for backend in seen.backends] == [11]
    assert seen.who.readers == {12: 11}
