# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the record of one session, in the words of the engines, and of all at one moment. Private to the collection."""

from __future__ import annotations

import dataclasses

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import identity

LOCK_WAIT = "lock"
GROUP_WAIT = "resource_group"
QUEUE_WAIT = "resource_queue"
REPLICATION_WAIT = "replication"
OTHER_WAIT = "other"

RUNNING_STATES = ("active", "fastpath function call")
# With a slot of a resource group; a transaction that has failed has given its slot back already.
SLOT_STATES = (*RUNNING_STATES, "idle in transaction")


@dataclasses.dataclass(frozen=True)
class Backend:
    """One client process of the coordinator. None is: not there, or not for this role to see.

    The timestamps are text, UTC with microseconds, so that they name the very session and statement.
    Ages are seconds by the server's clock.
    """

    pid: int
    sess_id: int
    usename: str | None = None
    datname: str | None = None
    application_name: str | None = None
    client_addr: str | None = None
    state: str | None = None
    waiting: bool | None = False
    waiting_reason: str | None = None
    wait_event_type: str | None = None
    wait_event: str | None = None
    query: str | None = None
    resource_group: str | None = None
    backend_start: str | None = None
    xact_start: str | None = None
    query_start: str | None = None
    state_change: str | None = None
    session_age: float | None = None
    transaction_age: float | None = None
    query_age: float | None = None
    state_age: float | None = None
    wait_age: float | None = None
    blocked_by: tuple[int, ...] | None = None
    blocks: tuple[int, ...] | None = None
    is_superuser: bool | None = None
    kind: str = identity.SESSION
    hidden: bool = False
    # In which modes it waits for relations; no field of the results.
    waits_for_modes: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The processes of one moment.

    Attributes:
        backends: All client processes but our own, oldest session first.
        connections: How many connections they and their helpers take.
        locks_problem: Why blocked_by and blocks are unknown, or None.
        who: Which processes are sessions, which their helpers, and whose the numbers are.
    """

    backends: tuple[Backend, ...]
    connections: int
    locks_problem: str | None = None
    who: identity.Identities = identity.NOBODY

    @property
    def hidden(self) -> int:
        """How many processes hide their content from this role."""
        return sum(backend.hidden for backend in self.backends)


def counted(number: int) -> str:
    """That many sessions, in words."""
    return "1 session" if number == 1 else f"{number} sessions"
