# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: settings that a session has from its first moment, as libpq's parameter C(options). Private to the collection.

Each C(SET) of a setting that the segments must know starts a process on every one of them, on Greenplum 6 and 7 alike:
with one segment that hangs, a session that begins with a C(SET) hangs too. What comes with the login starts none.
"""

from __future__ import annotations

import re
import typing as t

# The server reports it to the client unasked, so the client knows that its options arrived. ISO, which the driver
# wants, shows the same for each order of day and month.
CANARY = ("DateStyle", "ISO, YMD")
BYPASS = "gp_resource_group_bypass"
ROLE = "role"
QUEUE_LIMIT = "gp_resource_group_queuing_timeout"
# How long a full group is waited for before the queue is bypassed, and at most what part of the time. As long may a
# session of Greenplum 7 wait with its end, after a function of mdb_toolkit, where its role may not bypass the queue.
_QUEUE_SECONDS = 0.5
_QUEUE_SHARE = 0.2
# A setting of no meaning, which tells the session that has our settings from the others of a pooler.
MARK = "gpops.session"


def limits(remaining: float, patient: bool = False) -> dict[str, str]:
    """What bounds each wait on the server.

    Args:
        remaining: Seconds that the client has; the server gives up a little before, its own error says more.
        patient: Wait for a slot of a full group as long as for anything else.
    """
    limit = max(1, int(1000 * (remaining - min(1.0, remaining * 0.2))))
    queue = limit if patient else min(limit, max(1, int(1000 * min(_QUEUE_SECONDS, remaining * _QUEUE_SHARE))))
    return {
        "search_path": "pg_catalog",
        "statement_timeout": str(limit),
        # Before the statement's, whose error would not say that it was a lock.
        "lock_timeout": str(max(1, limit * 9 // 10)),
        QUEUE_LIMIT: str(queue),
    }


def with_settings(params: t.Mapping[str, t.Any], given: str | None, settings: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The libpq parameters with these settings too.

    Args:
        given: The options that the user has set, which stay; but ours count.
    """
    ours = [f"-c {name}={_escaped(value)}" for name, value in [*settings.items(), CANARY]]
    return {**params, "options": " ".join([given or "", *ours]).strip()}


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)


def refused(message: str, settings: t.Iterable[str]) -> bool:
    """Whether a connection failed for its options: a pooler may take none, an engine may not know one of the settings.

    Names of settings are the same in each language of the server.
    """
    return any(word in message for word in [*settings, CANARY[0], "startup parameter", "options"])


def refuses_role(message: str, role: str | None) -> bool:
    """Whether a connection failed for the role that it was to become."""
    words = (f'parameter "{ROLE}"', "permission denied to set role", f'role "{role}" does not exist')
    return bool(role) and any(each in message for each in words)


def refuses_bypass(message: str) -> bool:
    """Whether a connection failed because this role may not bypass its group."""
    return f'permission denied to set parameter "{BYPASS}"' in message
