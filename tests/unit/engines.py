# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine as the probe would find it, for tests without a server."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine


def engine(family: str, version: str, **more: t.Any) -> Engine:
    """One without mdb_toolkit, asked by an ordinary role; and what differs from that."""
    usual: dict[str, t.Any] = {
        "interface": "native",
        "toolkit_state": "missing",
        "role": "ops",
        "role_group": "default_group",
        "is_superuser": False,
        "database": "postgres",
        "max_connections": 100,
        "reserved_connections": 3,
        "activity": {"native": frozenset()},
        "lock_source": "native",
        "lock_columns": frozenset(),
    }
    return Engine(family=family, version=version, **{**usual, **more})
