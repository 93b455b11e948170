# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The slots of resource groups and the queues in front of them.  No I/O: the caller wakes who is granted."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_keys = itertools.count(1)


@dataclass(eq=False)
class Ticket:
    """A place in a queue, and later the slot itself."""

    group: int
    since: float = field(default_factory=time.time)
    key: int = field(default_factory=lambda: next(_keys))
    granted: bool = False


@dataclass
class GroupSlots:
    """One group's slots and queue, and what gp_resgroup_status counts."""

    concurrency: int
    running: int = 0
    queue: deque[Ticket] = field(default_factory=deque)
    executed: int = 0
    queued: int = 0
    queue_seconds: float = 0.0


class Slots:
    """All groups.  on_grant is called once for each ticket that leaves a queue with a slot."""

    def __init__(self, on_grant: Callable[[Ticket], None]) -> None:
        self.groups: dict[int, GroupSlots] = {}
        self._on_grant = on_grant

    def configure(self, limits: Iterable[tuple[int, int]]) -> None:
        """New concurrency limits by group oid: raising one wakes waiters at once, lowering stops nobody."""
        wanted = dict(limits)
        for oid in self.groups.keys() - wanted.keys():
            del self.groups[oid]
        for oid, concurrency in wanted.items():
            self.groups.setdefault(oid, GroupSlots(concurrency)).concurrency = concurrency
            self._serve(oid)

    def enter(self, oid: int) -> Ticket:
        """A ticket, granted at once if the group has room and nobody waits."""
        group = self.groups[oid]
        ticket = Ticket(oid)
        if group.running < group.concurrency and not group.queue:
            self._grant(group, ticket)
        else:
            group.queue.append(ticket)
            group.queued += 1
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """The transaction ended, or the wait was given up."""
        group = self.groups.get(ticket.group)
        if group is None:
            return
        if ticket.granted:
            ticket.granted = False
            group.running -= 1
            self._serve(ticket.group)
        elif ticket in group.queue:
            group.queue.remove(ticket)
            group.queue_seconds += time.time() - ticket.since

    def move(self, ticket: Ticket, oid: int) -> None:
        """A slot of this group in place of the one that the ticket holds."""
        if oid in self.groups and oid != ticket.group:
            self.leave(ticket)
            ticket.group = oid
            self._grant(self.groups[oid], ticket)

    def _serve(self, oid: int) -> None:
        group = self.groups[oid]
        while group.queue and group.running < group.concurrency:
            ticket = group.queue.popleft()
            self._grant(group, ticket)
            group.queue_seconds += time.time() - ticket.since
            self._on_grant(ticket)

    @staticmethod
    def _grant(group: GroupSlots, ticket: Ticket) -> None:
        ticket.granted = True
        group.running += 1
        group.executed += 1
