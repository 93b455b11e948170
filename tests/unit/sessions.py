# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session as a listing would have it, for tests without a server."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend


def active(pid: int, **more: t.Any) -> Backend:
    """One of an ordinary role that runs a statement and waits for nobody; and what differs from that."""
    usual: dict[str, t.Any] = {
        "sess_id": 100 + pid,
        "usename": "sammy",
        "datname": "sales",
        "application_name": "etl",
        "state": "active",
        "is_superuser": False,
        "backend_start": f"start {pid}",
        "query_start": f"query {pid}",
        "blocked_by": (),
    }
    return Backend(pid=pid, **{**usual, **more})
