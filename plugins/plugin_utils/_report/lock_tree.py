# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: who is blocked by whom -> a tree of sessions, each once. Private to the collection."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import waits


@dataclasses.dataclass
class Node:
    """A session in the tree.

    Attributes:
        also: Other sessions that it waits for, too.
        children: Sessions that wait for this one and have no blocker nearer to a root.
        held: How many wait for it, directly or through others; of roots only.
        is_cycle: It is no root, but one of sessions that wait for each other.
    """

    pid: int
    also: list[int]
    children: list[Node]
    held: int = 0
    is_cycle: bool = False


def lock_trees(blocked_by: waits.Graph) -> list[Node]:
    """The trees of all who wait, those who hold up most first.

    Each session is there once, below the blocker that is nearest to a root, so that a long queue for one lock is
    a list and not a stair. Sessions that wait for each other in a circle have no root: one of them stands for it.

    Args:
        blocked_by: Of each waiting session, those that it waits for.
    """
    blocked_by = {pid: sorted(set(others) - {pid}) for pid, others in blocked_by.items()}
    waiters = waits.waiters_of(blocked_by)
    held = {pid: len(others) for pid, others in waits.held_up_by_root(waiters).items()}
    nodes = [Node(pid, [], [], held[pid]) for pid in sorted(held, key=lambda pid: (-held[pid], pid))]
    seen: set[int] = set()
    _grow(nodes, waiters, blocked_by, seen)
    return nodes + _cycles(waiters, blocked_by, seen)


def _cycles(waiters: waits.Graph, blocked_by: waits.Graph, seen: set[int]) -> list[Node]:
    """What no root reaches."""
    found: list[Node] = []
    for pid in sorted(waiters):
        others = set() if pid in seen else waits.held_up(pid, waiters)
        if pid not in others:
            continue
        top = Node(pid, list(blocked_by[pid]), [], len(others) - 1, is_cycle=True)
        _grow([top], waiters, blocked_by, seen)
        found.append(top)
    return found


def _grow(tops: t.Sequence[Node], waiters: waits.Graph, blocked_by: waits.Graph, seen: set[int]) -> None:
    """Hang everything below the tops that is not seen yet, nearest first."""
    seen.update(top.pid for top in tops)
    line = collections.deque(tops)
    while line:
        node = line.popleft()
        for pid in waiters.get(node.pid, ()):
            if pid in seen:
                continue
            seen.add(pid)
            child = Node(pid, [other for other in blocked_by[pid] if other != node.pid], [])
            node.children.append(child)
            line.append(child)
