# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_process_info does: options -> its result. Private to the collection."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine as _engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import selection as _selection
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import snapshot as _processes
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import shown

FIELDS: tuple[str, ...] = tuple(
    field.name for field in dataclasses.fields(_processes.Backend) if field.name not in ("hidden", "waits_for_modes")
)
_LOCK_FIELDS = ("blocked_by", "blocks")
# A wait for a lock on a segment shows in the lock table only.
_FROM_LOCKS = frozenset([*_LOCK_FIELDS, "waiting", "waiting_reason", "wait_age"])
# The largest first: these say how bad it is.
_DESCENDING = ("session_age", "transaction_age", "query_age", "state_age", "wait_age", "blocks", "blocked_by")
_SUMMARY_FIELDS = {
    "by_state": "state",
    "by_user": "usename",
    "by_database": "datname",
    "by_resource_group": "resource_group",
    "by_waiting_reason": "waiting_reason",
}
_UNSEEN = "unknown"

ARGUMENT_SPEC: dict[str, t.Any] = {
    "fields": {"type": "list", "elements": "str", "choices": list(FIELDS)},
    "sort_by": {"type": "str", "choices": list(FIELDS), "default": "session_age"},
    "limit": {"type": "int"},
    "query_max_length": {"type": "int", "default": 1024},
    "redact_literals": {"type": "bool", "default": False},
}


def run(options: t.Mapping[str, t.Any], _check_mode: bool = True) -> tuple[dict[str, t.Any], list[str]]:
    """List the client processes that the options select.

    Args:
        options: Validated by the argument specs of this module, of _connection and of _selection.

    Returns:
        The result as M(gpops.toolkit.gp_process_info) documents it, and warnings.

    Raises:
        GpopsError: In plain words; an OptionError before anything is sent.
    """
    selection = _selection.parse(options)
    _check(options)
    with_locks = _needs_locks(options)
    with connect(options) as cluster:
        engine = cluster.engine
        snapshot = _processes.read(cluster, cluster.deadline, with_locks, _query_length(options, selection))
    for option in ("blocking", "waits_for_modes"):
        if options.get(option) and snapshot.locks_problem:
            raise OptionError(option, f"who waits for whom is unknown: {snapshot.locks_problem}")
    with cluster.deadline.enforced(selection.too_slow, _selection.LEAST_SECONDS):
        chosen = selection.choose(snapshot.backends)
    return result(options, chosen, engine, snapshot), warnings(engine, snapshot, with_locks)


def _query_length(options: t.Mapping[str, t.Any], selection: _selection.Selection) -> int:
    needs_texts = options["fields"] is None or "query" in (*options["fields"], options["sort_by"])
    return selection.query_length(options["query_max_length"] if needs_texts else 0)


def _check(options: t.Mapping[str, t.Any]) -> None:
    if options["fields"] is not None and not options["fields"]:
        raise OptionError("fields", "an empty list is not allowed; leave it out for all fields")
    for option in ("limit", "query_max_length"):
        if options[option] is not None and options[option] < 0:
            raise OptionError(option, f"{options[option]} is not allowed; it is a number, 0 or more")


def _needs_locks(options: t.Mapping[str, t.Any]) -> bool:
    """Whether somebody asks who waits or who blocks; the lock table is the dearest part of the listing."""
    shown = options["fields"] is None or bool(_FROM_LOCKS.intersection([*options["fields"], options["sort_by"]]))
    return shown or _selection.needs_locks(options)


def result(
    options: t.Mapping[str, t.Any],
    selected: list[_processes.Backend],
    engine: _engine.Engine,
    snapshot: _processes.Snapshot,
) -> dict[str, t.Any]:
    """PURE: the result of the module, with these sessions of the snapshot."""
    chosen = _sorted(selected, options["sort_by"])
    limit = len(chosen) if options["limit"] is None else options["limit"]
    return {
        "changed": False,
        "processes": [_record(backend, options) for backend in chosen[:limit]],
        "count": len(chosen),
        "summary": {key: _counts(chosen, field) for key, field in _SUMMARY_FIELDS.items()},
        "connections": {
            "used": snapshot.connections + 1,  # and our own
            "max": engine.max_connections,
            "reserved": kept_connections(engine),
        },
        "engine": engine.shown,
        "hidden": snapshot.hidden,
        "readers": len(snapshot.who.readers),
    }


def _record(backend: _processes.Backend, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    record = dataclasses.asdict(backend)
    record["query"] = shown(backend.query, options["query_max_length"], options["redact_literals"])
    for name in _LOCK_FIELDS:
        record[name] = None if record[name] is None else list(record[name])
    # In the order that was asked for.
    return {name: record[name] for name in options["fields"] or FIELDS}


def _sorted(backends: list[_processes.Backend], field: str) -> list[_processes.Backend]:
    def value(backend: _processes.Backend) -> t.Any:
        found = getattr(backend, field)
        return len(found) if field in _LOCK_FIELDS and found is not None else found

    known = [backend for backend in backends if value(backend) is not None]
    known.sort(key=value, reverse=field in _DESCENDING)
    return known + [backend for backend in backends if value(backend) is None]


def _counts(backends: list[_processes.Backend], field: str) -> dict[str, int]:
    values = [getattr(backend, field) for backend in backends]
    if field == "waiting_reason":
        values = [value for value in values if value is not None]
    counts = collections.Counter(_UNSEEN if value is None else value for value in values)
    return dict(counts.most_common())


def warnings(engine: _engine.Engine, snapshot: _processes.Snapshot, with_locks: bool) -> list[str]:
    """PURE: what the result does not show, and why."""
    found = _engine.toolkit_warnings(engine)
    if snapshot.hidden:
        found.append(
            f"{snapshot.hidden} of {len(snapshot.backends)} sessions hide their state and query from role "
            f"{engine.role}: {_why_hidden(engine)}"
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


def kept_connections(engine: _engine.Engine) -> int:
    """PURE: how many connections ordinary roles cannot have."""
    # On the managed Greenplum 6 they stop at twice the setting: half of that is for mdb_admin.
    return engine.reserved_connections * (2 if engine.managed_slots else 1)


def _why_hidden(engine: _engine.Engine) -> str:
    """What would show them to this role: only what can be true on this engine."""
    if engine.managed_slots:
        return "on this service a member of mdb_admin sees them, in every database and with every toolkit"
    if engine.interface == _engine.MDB:
        return "mdb_toolkit.pg_stat_activity() itself does not show them"
    if engine.toolkit_state == "usable":
        return f"toolkit={engine.interface} was used; set toolkit to auto or mdb"
    if engine.toolkit_state == _engine.UNTRUSTED:
        return "mdb_toolkit would, but is not trusted"
    if engine.toolkit_state == "forbidden":
        return "it may not use mdb_toolkit; membership of mdb_admin gives that"
    others = "a superuser" if engine.family == "gp6" else "a superuser or a member of pg_monitor"
    managed = "on a managed service log in as a member of mdb_admin, to one that has it"
    return f"database {engine.database} has no schema mdb_toolkit; {managed}, elsewhere log in as {others}"


DEFINITION = Definition(run, _selection.ARGUMENT_SPEC, ARGUMENT_SPEC)
