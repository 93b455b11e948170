# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at the sessions for a run of policies, within its time. Private to the collection."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import DeadlineExceeded
from ansible_collections.gpops.toolkit.plugins.module_utils._policies import thresholds
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.journal import Journal
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.policy import Policy
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.port import Server
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import visibility
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.result import QUERY_LENGTH


class TimeBudget:
    """What is left of timeout; waits that were asked for come on top."""

    def __init__(self, deadline: Deadline) -> None:
        self._left = deadline.remaining()

    @contextlib.contextmanager
    def spend(self, waits: float = 0.0, free: float = 0.0) -> t.Iterator[Deadline]:
        """A deadline for what is done inside.

        Args:
            waits: Seconds that it may wait, on top.
            free: Seconds that do not count, because a wait goes on meanwhile.
        """
        if self._left <= 0:
            raise DeadlineExceeded("timeout reached; what was left to do was not done")
        deadline = Deadline(self._left + waits)
        try:
            yield deadline
        finally:
            self._left = min(self._left, deadline.remaining() + free)


class Observer:
    """Looks at the sessions of a cluster, anew only if something may have changed.

    Attributes:
        moment: The sessions as they were last seen, or are supposed to be; None if they must be looked at anew.
        locks_problem: Why the lock table is not known, or None.
    """

    def __init__(self, server: Server, policies: t.Sequence[Policy], journal: Journal, acting: bool) -> None:
        self.moment: thresholds.Moment | None = None
        self.locks_problem: str | None = None
        self._server = server
        self._policies = policies
        self._acting = acting
        self._journal = journal
        self._has_locks = False
        self._settled = True

    def look(self, policy: Policy, deadline: Deadline) -> thresholds.Moment:
        """All sessions; anew if something was signalled since the last look, or if that was without locks."""
        with_locks = self._wants_locks(policy)
        if self.moment is not None and (self._has_locks or not with_locks):
            return self.moment
        engine = self._server.engine
        if not self._settled:
            time.sleep(min(self._server.settle_seconds, deadline.remaining()))
            self._settled = True
        length = max(each.request.selection.query_length(QUERY_LENGTH) for each in self._policies)
        snapshot = self._server.look(deadline, with_locks, length)
        if self._journal.total is None:
            self._journal.total = len(snapshot.backends)
            self._journal.say(visibility.warnings(engine, snapshot, with_locks=False))
        if with_locks:
            self.locks_problem = snapshot.locks_problem
        self._has_locks = with_locks
        self.moment = thresholds.Moment(
            snapshot.backends, snapshot.connections + 1, engine.max_connections, snapshot.who
        )
        return self.moment

    def _wants_locks(self, policy: Policy) -> bool:
        """Whether the lock table is to be read for this policy; a report is made of one look for all of them."""
        if self.locks_problem:
            return False  # once is enough: each further attempt would take half of the time that is left
        return policy.needs_locks or (not self._acting and any(each.needs_locks for each in self._policies))

    def suppose(self, moment: thresholds.Moment) -> None:
        """Go on from a moment that would be, for nothing was signalled."""
        self.moment = moment

    def forget(self, settled: bool) -> None:
        """Something was signalled: look anew, and first let those that waited for a victim go on."""
        self.moment, self._settled = None, settled

    def pause(self, until: float) -> bool:
        """Wait a little for somebody to come back; false when that was long enough."""
        rest = until - time.monotonic()
        if rest <= 0:
            return False
        time.sleep(min(rest, self._server.settle_seconds))
        self.moment = None
        return True
