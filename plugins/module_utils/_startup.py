# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: settings that a session has from its first moment, as libpq's parameter C(options). Private to the collection.

Each C(SET) of a setting that the segments must know connects to every one of them, on Greenplum 6 and 7 alike: with one
segment that hangs, a session that begins with a C(SET) hangs too. What comes with the login connects to none.
"""

from __future__ import annotations

import re
import typing as t

# The server reports it to the client unasked, so the client knows that its options arrived. ISO, which the driver
# wants, shows the same for each order of day and month.
CANARY = ("DateStyle", "ISO, YMD")
BYPASS = "gp_resource_group_bypass"
# A setting of no meaning, which tells the session that has our settings from the others of a pooler.
MARK = "gpops.session"


def limits(remaining: float) -> dict[str, str]:
    """What bounds each wait on the server.

    Args:
        remaining: Seconds that the client has; the server gives up a little before, its own error says more.
    """
    limit = max(1, int(1000 * (remaining - min(1.0, remaining * 0.2))))
    return {
        "search_path": "pg_catalog",
        "statement_timeout": str(limit),
        # Before the statement's, whose error would not say that it was a lock.
        "lock_timeout": str(max(1, limit * 9 // 10)),
        "gp_resource_group_queuing_timeout": str(limit),
    }


def with_settings(
    params: t.Mapping[str, t.Any], environ: t.Mapping[str, str], settings: t.Mapping[str, str]
) -> dict[str, t.Any] | None:
    """The libpq parameters with these settings too.

    Options of the user's own stay, but ours count. V(none) for a service, whose options cannot be known here.
    """
    if params.get("service") or environ.get("PGSERVICE"):
        return None
    given = params.get("options") or environ.get("PGOPTIONS") or ""
    ours = [f"-c {name}={_escaped(value)}" for name, value in [*settings.items(), CANARY]]
    return {**params, "options": " ".join([str(given), *ours]).strip()}


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)


def refused(message: str, settings: t.Iterable[str]) -> bool:
    """Whether a connection failed for its options: a pooler may take none, an engine may not know one of the settings.

    Names of settings are the same in each language of the server.
    """
    return any(word in message for word in [*settings, CANARY[0], "startup parameter", "options"])
