# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is who, when anybody may give himself any session number."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import identity
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import snapshot as snapshots
from hypothesis import given
from hypothesis import strategies as st


def row(pid: int, number: int, second: int | None = 0, **more: t.Any) -> dict[str, t.Any]:
    """A client from elsewhere; the engine gave out the number at this second."""
    start = None if second is None else f"2026-01-01T00:00:{second:02d}.000000Z"
    usual = {"usename": "sammy", "datname": "d", "client_addr": "192.0.2.1", "client_port": 4711}
    return {"pid": pid, "sess_id": number, "backend_start": start, "application_name": "", **usual, **more}


INSIDE: dict[str, t.Any] = {"client_addr": None, "client_port": -1}


def test_a_helper_of_a_query_comes_over_the_local_socket_without_a_name() -> None:
    who = identity.identify([row(1, 10), row(2, 10, 5, **INSIDE)])
    assert who.readers == {2: 1}
    assert who.sessions == {1}
    assert who.session_of(2) == 1


def test_who_comes_from_elsewhere_is_a_session_whatever_its_number() -> None:
    """One case for each mark of a helper that is missing."""
    for more in (
        {"client_addr": "192.0.2.9", "client_port": 4712},
        {"client_addr": None, "client_port": None},
        {**INSIDE, "application_name": "x"},
        {**INSIDE, "usename": "billy"},
        {**INSIDE, "datname": "other"},
    ):
        who = identity.identify([row(1, 10), row(2, 10, 5, **more)])
        assert who.sessions == {1, 2}, more
        assert who.readers == {}, more
        assert who.is_utility(2, 10), more
        assert not who.is_utility(1, 10), more


def test_nobody_is_a_helper_of_one_that_came_later() -> None:
    who = identity.identify([row(1, 10, 5), row(2, 10, 0, **INSIDE)])
    assert who.readers == {}


def test_what_belongs_to_no_session_is_not_one_session_together() -> None:
    who = identity.identify([row(1, -1), row(2, -1, 5, **INSIDE), row(3, 0, 6, **INSIDE)])
    assert who.sessions == {1, 2, 3}
    assert who.shared == {}
    assert all(who.is_utility(pid, -1) for pid in (1, 2))


def test_a_number_is_of_the_one_that_came_when_the_engine_gave_it_out() -> None:
    others = [row(n, 100 + n, n) for n in range(1, 9)]
    # A later login takes the number of an earlier one, and an earlier one that which the next login will get.
    assert identity.identify([*others, row(50, 103, 8)]).bearers[103] == [3, 50]
    assert identity.identify([*others, row(50, 108, 2)]).bearers[108] == [8, 50]


def test_locks_go_by_pid_on_the_coordinator_and_by_number_on_segments() -> None:
    who = identity.identify([row(1, 10), row(2, 10, 5), row(3, 10, 6, **INSIDE)])
    assert who.owner(2, 99) == 2
    assert who.owner(3, 10) == 1
    assert who.owner(None, 10) == 1
    assert who.owner(None, 99) is None
    assert who.owner(99, 99) is None
    assert who.owner(99, 10) == 1  # a worker, which is not in the list


@given(
    honest=st.lists(st.integers(0, 59), min_size=1, max_size=12),
    forgers=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 14), st.booleans()), max_size=6),
)
def test_no_login_from_elsewhere_is_ever_left_out(honest: list[int], forgers: list[tuple[int, int, bool]]) -> None:
    """Honest ones have numbers in the order of their starts; the others take any number."""
    rows = [row(pid, 100 + pid, second) for pid, second in enumerate(sorted(honest), 1)]
    rows += [
        row(1000 + n, 100 + number, second, usename="sammy" if same else "billy")
        for n, (second, number, same) in enumerate(forgers)
    ]
    snapshot = snapshots.snapshot_from([{**each, "state": "idle", "query": ""} for each in with_all(rows)], TABLE)
    assert {backend.pid for backend in snapshot.backends} == {each["pid"] for each in rows}
    assert all(backend.blocked_by == () for backend in snapshot.backends)


TABLE = snapshots.LockTable()


def with_all(rows: t.Iterable[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    for each in rows:
        yield {**dict.fromkeys(("role_group", "is_superuser")), **each}


def lock(pid: int | None, granted: bool, number: int, segment: int = -1, **more: t.Any) -> snapshots.LockRow:
    return snapshots.LockRow(
        session=number,
        pid=pid,
        tag=f"{segment}/t",
        locktype="relation",
        mode="AccessExclusiveLock",
        granted=granted,
        **more,
    )


def test_a_forged_number_blames_nobody_else() -> None:
    """A utility session with the number of another holds a lock on the coordinator; four wait for it."""
    rows = list(with_all([row(1, 10), row(2, 10, 5), *(row(n, n, 9) for n in range(20, 24))]))
    for each in rows:
        each.update(state="active", query="SELECT 1", query_age=1.0)
    locks = [lock(2, True, 77, writer=False), *(lock(n, False, n) for n in range(20, 24))]
    found = {b.pid: b for b in snapshots.snapshot_from(rows, snapshots.LockTable(tuple(locks))).backends}
    assert found[2].blocks == (20, 21, 22, 23)
    assert found[1].blocks == ()
    assert (found[1].kind, found[2].kind, found[20].kind) == ("session", "utility", "session")


def test_who_holds_a_lock_without_segments_is_in_utility_mode() -> None:
    rows = [{**each, "state": "active", "query": "x"} for each in with_all([row(1, 10)])]
    table = snapshots.LockTable((lock(1, True, 10, writer=False),))
    assert snapshots.snapshot_from(rows, table).backends[0].kind == "utility"
