# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what a list of sessions does not show this role, and why. Private to the collection."""

from __future__ import annotations

from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import MDB, UNTRUSTED, Engine, toolkit_warnings
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Snapshot


def warnings(engine: Engine, snapshot: Snapshot, with_locks: bool) -> list[str]:
    """PURE: what the result does not show, and why."""
    found = toolkit_warnings(engine)
    if snapshot.hidden:
        found.append(
            f"{snapshot.hidden} of {len(snapshot.backends)} sessions hide their state and query from role "
            f"{engine.role}: {why_hidden(engine)}"
        )
    for number, pids in snapshot.who.shared.items():
        others = ", ".join(map(str, pids[1:]))
        found.append(
            f"session number {number} is that of process {pids[0]}, and in utility mode others have given it to "
            f"themselves: process {others}"
        )
    if with_locks and snapshot.locks_problem:
        found.append(f"blocked_by and blocks are unknown (null): {snapshot.locks_problem}")
    return found


def why_hidden(engine: Engine) -> str:
    """What would show them to this role: only what can be true on this engine."""
    if engine.managed_slots:
        return "on this service a member of mdb_admin sees them, in every database and with every toolkit"
    if engine.interface == MDB:
        return "mdb_toolkit.pg_stat_activity() itself does not show them"
    if engine.toolkit_state == "usable":
        return f"toolkit={engine.interface} was used; set toolkit to auto or mdb"
    if engine.toolkit_state == UNTRUSTED:
        return "mdb_toolkit would, but is not trusted"
    if engine.toolkit_state == "forbidden":
        return "it may not use mdb_toolkit; membership of mdb_admin gives that"
    managed = "on a managed service log in as a member of mdb_admin, to one that has it"
    elsewhere = f"elsewhere log in as {engine.traits.all_seen_by}"
    return f"database {engine.database} has no schema mdb_toolkit; {managed}, {elsewhere}"
