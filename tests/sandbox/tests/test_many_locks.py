# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up rows of pg_locks: as many as a big cluster has, on several segments, and what bypass makes of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sandbox import Sandbox
from sandbox.tests.clients import Client

COUNT = "SELECT count(*) FROM pg_catalog.pg_locks"
MADE = f"{COUNT} WHERE pid > 5000000"
BY_SEGMENT = "SELECT gp_segment_id, count(*) FROM pg_catalog.pg_locks WHERE locktype = 'relation' GROUP BY 1"


@pytest.fixture
def admin(box: Sandbox) -> Iterator[Client]:
    client = Client(box)
    yield client
    client.run("SELECT pg_catalog.gpops_sandbox_clear_locks()")
    client.close()


def test_rows_are_dealt_out_to_segments(box: Sandbox, admin: Client) -> None:
    before = admin.one(COUNT)
    admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(1000, 3)")
    admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(21, 2)")
    assert admin.one(COUNT) == before + 1021
    made = dict(admin.run(BY_SEGMENT))
    assert [made[segment] for segment in (0, 1, 2)] == [257, 257, 250]
    other = Client(box, "sammy", "postgres")
    assert other.one(MADE) == 1021
    ops = Client(box, "ops")
    assert ops.one("SELECT count(*) FROM mdb_toolkit.pg_locks() WHERE pid > 5000000") == 1021
    columns = "locktype, mode, granted, mppiswriter, database = (SELECT oid FROM pg_database WHERE datname = 'testdb')"
    assert admin.run(f"SELECT DISTINCT {columns} FROM pg_locks WHERE pid > 5000000") == [
        ("relation", "AccessShareLock", True, True, True)
    ]
    tags = "count(DISTINCT (gp_segment_id, relation, mppsessionid)), count(DISTINCT pid), count(DISTINCT mppsessionid)"
    assert admin.run(f"SELECT {tags} FROM pg_locks WHERE pid > 5000000 AND mppsessionid < 1010000") == [(1000, 4, 1)]
    admin.run("SELECT pg_catalog.gpops_sandbox_clear_locks()")
    assert admin.one(COUNT) == before
    other.close()
    ops.close()


def test_sessions_hold_at_most_some_hundred(admin: Client) -> None:
    admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(12000)")
    holding = "SELECT count(*) FROM pg_locks WHERE pid > 5000000 GROUP BY mppsessionid, gp_segment_id"
    assert admin.run(holding) == [(400,)] * 30


def test_real_sessions_hold_them(box: Sandbox, admin: Client) -> None:
    holder = Client(box, "sammy")
    session = admin.one(f"SELECT sess_id FROM pg_stat_activity WHERE pid = {holder.pid}")
    admin.run(f"SELECT pg_catalog.gpops_sandbox_make_locks(300, 2, ARRAY[{session}])")
    seen = f"SELECT gp_segment_id, pid = {holder.pid}, count(*) FROM pg_locks WHERE mppsessionid = {session}"
    assert admin.run(f"{seen} GROUP BY 1, 2 ORDER BY 1") == [(-1, True, 100), (0, False, 100), (1, False, 100)]
    holder.close()


def test_one_waits_for_another_on_a_segment(box: Sandbox, admin: Client) -> None:
    holder, waiter = Client(box, "sammy"), Client(box, "billy")
    sessions = [
        admin.one(f"SELECT sess_id FROM pg_stat_activity WHERE pid = {client.pid}") for client in (holder, waiter)
    ]
    admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(300)")
    for session, granted in zip(sessions, (True, False), strict=True):
        admin.run(f"SELECT pg_catalog.gpops_sandbox_add_lock({session}, 'pg_class'::regclass, {granted}, 1)")
    assert admin.run(
        "SELECT h.mppsessionid, w.mppsessionid, w.mode, w.pid <> h.pid FROM pg_locks w JOIN pg_locks h"
        " USING (gp_segment_id, locktype, database, relation) WHERE NOT w.granted AND h.granted AND gp_segment_id = 1"
    ) == [(*sessions, "AccessExclusiveLock", True)]
    admin.run(f"SELECT pg_catalog.gpops_sandbox_add_lock({sessions[0]}, 7, true, 0, 'ShareLock', 'advisory', 4711)")
    assert admin.run("SELECT objid, relation, pid FROM pg_locks WHERE mode = 'ShareLock'") == [(7, None, 4711)]
    holder.close()
    waiter.close()


def test_superusers_alone_make_them(box: Sandbox) -> None:
    client = Client(box, "ops")
    for call in ("make_locks(1)", "add_lock(1, 1, true)", "clear_locks()", "keep_locks('{}')"):
        assert client.error(f"SELECT pg_catalog.gpops_sandbox_{call}")[0] == "42501"
    client.close()


def test_a_million(admin: Client) -> None:
    admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(1000000, 2)")
    assert admin.one(f"{COUNT} WHERE gp_segment_id >= 0") == 666666


def test_bypass_has_little_memory_on_gp6(box: Sandbox, admin: Client) -> None:
    user = "gpadmin" if box.profile == "gp7" else "ops"  # who may set the bypass
    bypass, usual = Client(box, user, options="-c gp_resource_group_bypass=on"), Client(box)
    admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(120000, 2)")
    assert bypass.one(MADE) >= 80000
    admin.run("SELECT pg_catalog.gpops_sandbox_add_lock(1, 1, true)")  # more than 40,000 on segment 0
    if box.family == "gp6":
        code, message = bypass.error(COUNT)
        assert code == "53200"
        assert message.startswith("Out of memory.  Failed on request of size ")
    admin.run("SELECT pg_catalog.gpops_sandbox_make_locks(15000, 2)")
    for sql in (COUNT, "SELECT count(*) FROM mdb_toolkit.pg_locks()", f"{COUNT} WHERE NOT granted"):
        usual.run(sql)
        if box.family != "gp6":
            bypass.run(sql)
            continue
        with pytest.raises(psycopg2.Error) as caught:
            bypass.run(sql)
        assert caught.value.pgcode == "53500"
        assert caught.value.diag.message_primary == "Out of memory  (seg0 127.0.0.1:7001 pid=7001)"
        assert caught.value.diag.message_detail == "Resource group memory limit reached"
        assert caught.value.diag.context is None
    assert bypass.one("SELECT count(*) FROM pg_catalog.pg_stat_activity") > 1
    bypass.close()
    usual.close()


def test_none_outlives_a_restart() -> None:
    with tempfile.TemporaryDirectory(prefix="gpops-test-") as place:
        Path(place).chmod(0o755)
        for _each in range(2):
            with Sandbox("gp6", directory=place, keep=True) as box:
                client = Client(box)
                assert client.one(MADE) == 0
                client.run("SELECT pg_catalog.gpops_sandbox_make_locks(100)")
                client.close()
