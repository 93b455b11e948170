# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who blocks whom: segments, sessions, modes and the queue."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.locks import (
    Lock,
    conflicting,
    modes_waited_for,
    waiting_sessions,
    who_blocks_whom,
)
from hypothesis import given
from hypothesis import strategies as st

MODES = [
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
]
# The table of the PostgreSQL documentation, one row a requested mode, X where it conflicts.
TABLE = [
    ".......X",
    "......XX",
    "....XXXX",
    "...XXXXX",
    "..XX.XXX",
    "..XXXXXX",
    ".XXXXXXX",
    "XXXXXXXX",
]


def lock(session: int, mode: str, granted: bool, tag: str = "t@-1", **more: t.Any) -> Lock:
    values: dict[str, t.Any] = {"locktype": "relation", **more}
    return Lock(session=session, tag=tag, mode=mode + "Lock", granted=granted, **values)


@pytest.mark.parametrize(("row", "column"), list(itertools.product(range(8), range(8))))
def test_modes_conflict_as_documented(row: int, column: int) -> None:
    assert conflicting(MODES[row], MODES[column]) == (TABLE[row][column] == "X")


def test_what_is_waited_for_is_told_by_the_lock() -> None:
    """On the coordinator or on a segment; rows, transactions and queues are no relations."""
    locks = [
        lock(1, "AccessExclusive", True),
        lock(2, "AccessExclusive", False, "t@1"),
        lock(2, "AccessExclusive", False, "t@2"),
        lock(2, "Share", False, "t@3"),
        lock(3, "Share", False, locktype="transactionid"),
        lock(4, "Exclusive", False, locktype="resource queue"),
    ]
    assert modes_waited_for(locks) == {2: ("AccessExclusiveLock", "ShareLock")}


def test_a_holder_blocks_a_waiter() -> None:
    locks = [lock(1, "AccessExclusive", True), lock(2, "AccessShare", False), lock(3, "AccessShare", True)]
    assert who_blocks_whom(locks, {}) == {2: {1}}


def test_another_segment_is_another_lock() -> None:
    locks = [lock(1, "Exclusive", True, "t@0"), lock(2, "Exclusive", False, "t@1"), lock(3, "Exclusive", True, "t@1")]
    assert who_blocks_whom(locks, {}) == {2: {3}}


def test_a_session_does_not_block_itself() -> None:
    locks = [lock(1, "AccessShare", True), lock(1, "AccessExclusive", False)]
    assert who_blocks_whom(locks, {}) == {}


def test_an_earlier_waiter_blocks_a_later_one() -> None:
    """The jam of every operator: a reader, DDL behind it, and readers behind the DDL."""
    locks = [
        lock(1, "AccessShare", True),
        lock(2, "AccessExclusive", False),
        lock(3, "AccessShare", False),
        lock(4, "AccessShare", False),
    ]
    ages = {1: None, 2: 30.0, 3: 20.0, 4: 10.0}
    assert who_blocks_whom(locks, ages) == {2: {1}, 3: {2}, 4: {2}}


def test_the_lock_table_tells_the_queue_better_than_the_statement() -> None:
    locks = [
        lock(1, "Share", True),
        lock(2, "Exclusive", False, since=5.0),
        lock(3, "Exclusive", False, since=9.0),
    ]
    assert who_blocks_whom(locks, {2: 100.0, 3: 9.0}) == {2: {1, 3}, 3: {1}}


def test_an_unknown_order_is_no_guess() -> None:
    locks = [lock(1, "Exclusive", False), lock(2, "Exclusive", False)]
    assert who_blocks_whom(locks, {1: None, 2: 3.0}) == {}


def test_a_resource_queue_has_no_holder() -> None:
    locks = [
        lock(1, "Exclusive", True, locktype="resource queue"),
        lock(2, "Exclusive", False, locktype="resource queue"),
    ]
    assert who_blocks_whom(locks, {}) == {}
    assert waiting_sessions(locks) == {2: "resource queue"}


def test_an_unknown_mode_conflicts_with_none() -> None:
    assert who_blocks_whom([lock(1, "SIRead", True), lock(2, "AccessExclusive", False)], {}) == {}


rows = st.lists(
    st.builds(
        lock,
        st.integers(1, 5),
        st.sampled_from([mode[:-4] for mode in MODES]),
        st.booleans(),
        st.sampled_from(["a@-1", "a@0", "b@0"]),
    ),
    max_size=12,
)


@given(rows, st.dictionaries(st.integers(1, 5), st.floats(0, 100)))
def test_only_waiters_are_blocked_and_only_by_conflicts(locks: list[Lock], ages: dict[int, float]) -> None:
    waiting = waiting_sessions(locks)
    for waiter, holders in who_blocks_whom(locks, ages).items():
        assert waiter in waiting
        for holder in holders:
            assert holder != waiter
            assert any(
                wanted.tag == held.tag and TABLE[MODES.index(wanted.mode)][MODES.index(held.mode)] == "X"
                for wanted in locks
                for held in locks
                if wanted.session == waiter and not wanted.granted and held.session == holder
            )
