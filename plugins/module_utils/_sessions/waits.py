# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: who waits for whom, as a graph of process numbers. Private to the collection."""

from __future__ import annotations

import collections
import typing as t

Graph = t.Mapping[int, t.Collection[int]]


def waiters_of(blocked_by: Graph) -> dict[int, list[int]]:
    """Each session that is waited for, with those that wait directly for it, in order.

    Args:
        blocked_by: Of each waiting session, those that it waits for.
    """
    waiters: dict[int, list[int]] = collections.defaultdict(list)
    for waiter in sorted(blocked_by):
        for blocker in sorted(set(blocked_by[waiter])):
            waiters[blocker].append(waiter)
    return dict(waiters)


def held_up(pid: int, waiters: Graph) -> set[int]:
    """All who wait for this session, directly or through others; itself too, if it waits in a circle."""
    found: set[int] = set()
    ahead = [pid]
    while ahead:
        new = set(waiters.get(ahead.pop(), ())) - found
        found |= new
        ahead += new
    return found


def held_up_by_root(waiters: Graph) -> dict[int, set[int]]:
    """Each session that is waited for and waits for nobody, with all that it holds up.

    Who waits in a circle has no root: the engine's own deadlock detection ends one of them.
    """
    waiting = {pid for others in waiters.values() for pid in others}
    return {pid: held_up(pid, waiters) for pid in waiters if pid not in waiting}
