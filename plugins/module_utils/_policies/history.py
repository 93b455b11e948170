# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: whom a run has signalled. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import RUNNING_STATES, Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import CANCELLED, TERMINATED

Key = t.Tuple[t.Any, ...]


def key(state: str, backend: Backend) -> Key:
    """What names the session, or for a cancel the statement."""
    what = backend.query_start if state == CANCELLED else None
    return (backend.pid, backend.sess_id, backend.backend_start, what)


@dataclasses.dataclass
class SignalHistory:
    """What was done before in this run, by all of its policies.

    Attributes:
        tried: Whom it tried to signal: nobody gets the same signal twice.
        sent: To whom of these a signal went, perhaps.
    """

    tried: set[Key] = dataclasses.field(default_factory=set)
    sent: set[Key] = dataclasses.field(default_factory=set)

    def has_tried(self, state: str, backend: Backend) -> bool:
        """Whether it tried this signal on it, or to end the whole session."""
        return key(state, backend) in self.tried or key(TERMINATED, backend) in self.tried

    def is_ending(self, state: str, backend: Backend) -> bool:
        """Whether it is there still although such a signal went to it."""
        running = state == TERMINATED or backend.state in RUNNING_STATES
        return running and key(state, backend) in self.sent

    def sessions_with(self, more: t.Iterable[Backend] = ()) -> int:
        """How many sessions it signalled, together with these."""
        return len({found[:3] for found in (*self.sent, *(key(TERMINATED, backend) for backend in more))})
