# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: who is blocked by whom -> a tree of sessions, each once. Private to the collection."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

Graph = t.Mapping[int, t.Collection[int]]


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


def lock_trees(blocked_by: Graph) -> list[Node]:
    """The trees of all who wait, those who hold up most first.

    Each session is there once, below the blocker that is nearest to a root, so that a long queue for one lock is
    a list and not a stair. Sessions that wait for each other in a circle have no root: one of them stands for it.

    Args:
        blocked_by: Of each waiting session, those that it waits for.
    """
    blocked_by = {pid: sorted(set(others) - {pid}) for pid, others in blocked_by.items()}
    blocks: dict[int, list[int]] = collections.defaultdict(list)
    for waiter in sorted(blocked_by):
        for blocker in blocked_by[waiter]:
            blocks[blocker].append(waiter)
    roots = [pid for pid in blocks if not blocked_by.get(pid)]
    held = {pid: len(reached(pid, blocks)) for pid in roots}
    nodes = [Node(pid, [], [], held[pid]) for pid in sorted(roots, key=lambda pid: (-held[pid], pid))]
    seen: set[int] = set()
    _grow(nodes, blocks, blocked_by, seen)
    return nodes + _cycles(blocks, blocked_by, seen)


def _cycles(blocks: Graph, blocked_by: Graph, seen: set[int]) -> list[Node]:
    """What no root reaches."""
    found: list[Node] = []
    for pid in sorted(blocks):
        if pid in seen or pid not in reached(pid, blocks, keep_self=True):
            continue
        top = Node(pid, list(blocked_by[pid]), [], len(reached(pid, blocks)), is_cycle=True)
        _grow([top], blocks, blocked_by, seen)
        found.append(top)
    return found


def _grow(tops: t.Sequence[Node], blocks: Graph, blocked_by: Graph, seen: set[int]) -> None:
    """Hang everything below the tops that is not seen yet, nearest first."""
    seen.update(top.pid for top in tops)
    line = collections.deque(tops)
    while line:
        node = line.popleft()
        for pid in blocks.get(node.pid, ()):
            if pid in seen:
                continue
            seen.add(pid)
            child = Node(pid, [other for other in blocked_by[pid] if other != node.pid], [])
            node.children.append(child)
            line.append(child)


def reached(pid: int, blocks: Graph, keep_self: bool = False) -> set[int]:
    """All who wait for this session, directly or through others."""
    found: set[int] = set()
    line = [pid]
    while line:
        for other in blocks.get(line.pop(), ()):
            if other not in found:
                found.add(other)
                line.append(other)
    return found if keep_self else found - {pid}
