# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the result of gp_process_info -> a table for a terminal. Private to the collection."""

from __future__ import annotations

from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import records
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import text as texts

_QUERY = 60
_LINE = "{:<8} {:<10} {:<10} {:<14} {:<19} {:<11} {:<14} {:<12} {}"
_HEAD = ("PID", "USER", "DATABASE", "GROUP", "STATE", "AGE", "WAITS FOR", "BLOCKED BY", "QUERY")


def lines(result: records.Data) -> list[str]:
    """What was selected in a line, the titles, and a line for each session, with nothing that steers a terminal."""
    return [_summary(result), _LINE.format(*_HEAD), *map(_session, records.sessions(result))]


def _summary(result: records.Data) -> str:
    count = records.number(result.get("count")) or 0
    parts = [f"{texts.counted(count, 'session', 'sessions')} selected"]
    connections = records.connections(result)
    if connections:
        parts.append(f"{connections.used} of {connections.most} connections used")
    engine = records.mapping(result.get("engine"))
    if engine:
        family, version, interface = (texts.name(engine.get(key)) for key in ("family", "version", "interface"))
        parts.append(f"{family} {version} through {interface}")
    return "; ".join(parts)


def _session(session: records.Session) -> str:
    return _LINE.format(
        session.pid,
        texts.name(session.user),
        texts.name(session.database),
        texts.name(session.group),
        texts.name(session.state),
        texts.duration(session.state_age),
        texts.name(session.waiting_reason),
        ",".join(map(str, session.blocked_by)),
        texts.shortened(session.query, _QUERY),
    ).rstrip()
