# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process of ours on the server that was left behind, and how it is ended. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.driver import Driver, quietly, sql

# How long a process of ours may take to be found and ended, how long at least if no limit of the server ends it, and by
# how much of its statement it is known.
END_SECONDS = 2.0
END_LINGERING_SECONDS = 0.5
_KNOWN_BY = 100
_IS_QUEUED = (
    " AND (pg_catalog.row_to_json(own) ->> 'waiting_reason' = 'resgroup'"
    " OR pg_catalog.row_to_json(own) ->> 'wait_event_type' = 'ResourceGroup')"
)


class OwnProcess(t.NamedTuple):
    """A process of ours on the server that is to end.

    Attributes:
        texts: What it may show as its statement: the last one, or the one before if it has not read that yet.
        if_queued: Only if it waits for a slot of its group: what it has begun to change stays with the server.
    """

    pid: int
    texts: tuple[str, ...]
    if_queued: bool


def left_behind(driver: Driver, lingers: bool) -> OwnProcess | None:
    """The server's process of a login, if it will not end by itself at once.

    Args:
        lingers: It has something to tell the segments before it ends.
    """
    if not driver.pid or (driver.running is None and not lingers):
        return None
    changes = driver.running is not None and not driver.running.lstrip().startswith("SELECT")
    return OwnProcess(driver.pid, driver.texts, changes)


def end(process: OwnProcess, driver: Driver, deadline: Deadline) -> None:
    """End it by a statement of another login, if it is still the same."""
    # Backwards: who looks for signals in the server's log finds those to victims only.
    texts = sql.SQL(", ").join([sql.Literal(text[:_KNOWN_BY][::-1]) for text in process.texts])
    statement = sql.SQL(
        "SELECT pg_catalog.pg_terminate_backend(own.pid) FROM pg_catalog.pg_stat_activity own "
        "WHERE own.pid = {} AND own.usename = session_user "
        "AND pg_catalog.reverse(pg_catalog.left(own.query, {})) IN ({}){}"
    ).format(sql.Literal(process.pid), sql.Literal(_KNOWN_BY), texts, sql.SQL(_IS_QUEUED if process.if_queued else ""))
    quietly(lambda: driver.execute(statement, Deadline(min(END_SECONDS, deadline.remaining()))))
