# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: lock table -> which session waits for which. Private to the collection.

The lock table of the coordinator has the rows of all segments. Two rows meet only within one segment,
and they belong to a session, not to a pid: on a segment each session has pids of its own. Here a session goes by its
pid on the coordinator, for its number it may have given itself (see _identity).
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

# PostgreSQL documentation, "Explicit Locking", table "Conflicting Lock Modes".
_CONFLICTS: dict[str, frozenset[str]] = {
    mode + "Lock": frozenset(other + "Lock" for other in others.split())
    for mode, others in {
        "AccessShare": "AccessExclusive",
        "RowShare": "Exclusive AccessExclusive",
        "RowExclusive": "Share ShareRowExclusive Exclusive AccessExclusive",
        "ShareUpdateExclusive": "ShareUpdateExclusive Share ShareRowExclusive Exclusive AccessExclusive",
        "Share": "RowExclusive ShareUpdateExclusive ShareRowExclusive Exclusive AccessExclusive",
        "ShareRowExclusive": "RowExclusive ShareUpdateExclusive Share ShareRowExclusive Exclusive AccessExclusive",
        "Exclusive": "RowShare RowExclusive ShareUpdateExclusive Share ShareRowExclusive Exclusive AccessExclusive",
        "AccessExclusive": "AccessShare RowShare RowExclusive ShareUpdateExclusive Share ShareRowExclusive "
        "Exclusive AccessExclusive",
    }.items()
}
# A tag begins with the segment.
_ON_COORDINATOR = "-1/"
_RELATION = "relation"
MODES = tuple(_CONFLICTS)
# Counted, not exclusive: such a wait has no single holder.
RESOURCE_QUEUE = "resource queue"


@dataclasses.dataclass(frozen=True)
class Lock:
    """One row of the lock table.

    Attributes:
        session: The pid of the session on the coordinator.
        tag: What is locked, the segment included; equal tags mean the same lock.
        since: Age of the wait in seconds by the server's clock, where the engine tells.
    """

    session: int
    tag: str
    locktype: str
    mode: str
    granted: bool
    since: float | None = None


def conflicting(mode: str, other: str) -> bool:
    """Whether two lock modes exclude each other; an unknown mode conflicts with none."""
    return other in _CONFLICTS.get(mode, frozenset())


def waiting_sessions(locks: t.Iterable[Lock]) -> dict[int, str]:
    """The sessions that wait for a lock somewhere in the cluster, with the type of that lock."""
    return {lock.session: lock.locktype for lock in locks if not lock.granted}


def modes_waited_for(locks: t.Iterable[Lock]) -> dict[int, tuple[str, ...]]:
    """The sessions that wait for a table, an index or the like, with the modes in which they want it.

    What a session runs can be written in any way, and what it waits for cannot.
    """
    found: dict[int, set[str]] = {}
    for lock in locks:
        if not lock.granted and lock.locktype == _RELATION:
            found.setdefault(lock.session, set()).add(lock.mode)
    return {session: tuple(sorted(modes)) for session, modes in found.items()}


def who_blocks_whom(
    locks: t.Iterable[Lock],
    wait_ages: t.Mapping[int, float | None],
    told: t.Mapping[int, t.AbstractSet[int]] | None = None,
) -> dict[int, set[int]]:
    """For each waiting session the sessions that it waits for.

    A session waits for those that hold the lock in a conflicting mode, and for those that queued for
    it earlier in a conflicting mode, as pg_blocking_pids counts. Locks of one session never
    conflict with each other.

    Args:
        locks: Rows of the lock table.
        wait_ages: Seconds that each session has waited, the order of the queue where a lock row has none.
        told: Of some sessions, for whom they wait on the coordinator: the engine knows better than the rows tell.

    Returns:
        Waiting session to blocking sessions; a session that waits for nobody visible is left out.
    """
    by_tag: dict[str, list[Lock]] = collections.defaultdict(list)
    for lock in locks:
        if lock.locktype != RESOURCE_QUEUE:
            by_tag[lock.tag].append(lock)
    told = told or {}
    blockers: dict[int, set[int]] = {session: set(others) for session, others in told.items() if others}
    for tag, rows in by_tag.items():
        for waiter in (row for row in rows if not row.granted):
            if waiter.session in told and tag.startswith(_ON_COORDINATOR):
                continue
            found = {row.session for row in rows if _holds_up(row, waiter, wait_ages)}
            if found:
                blockers.setdefault(waiter.session, set()).update(found)
    return blockers


def _holds_up(row: Lock, waiter: Lock, wait_ages: t.Mapping[int, float | None]) -> bool:
    if row.session == waiter.session or not conflicting(waiter.mode, row.mode):
        return False
    return row.granted or _queued_before(row, waiter, wait_ages)


def _queued_before(row: Lock, waiter: Lock, wait_ages: t.Mapping[int, float | None]) -> bool:
    ages = [lock.since if lock.since is not None else wait_ages.get(lock.session) for lock in (row, waiter)]
    if ages[0] is None or ages[1] is None:
        return False
    return ages[0] > ages[1]
