# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_process_info does: options -> its result. Private to the collection."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import unknown_names
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Backend, Snapshot
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import shown
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import ARGUMENT_SPEC as SELECTION_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import (
    LEAST_SECONDS,
    Selection,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import parse as parse_selection
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.snapshot import read
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.visibility import warnings

FIELDS: tuple[str, ...] = tuple(
    field.name for field in dataclasses.fields(Backend) if field.name not in ("hidden", "waits_for_modes")
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
    **unknown_names.ARGUMENT_SPEC,
}


def run(options: t.Mapping[str, t.Any], _check_mode: bool = True) -> tuple[dict[str, t.Any], list[str]]:
    """List the client processes that the options select.

    Args:
        options: Validated by the argument specs of this module, of the connection and of the selection.

    Returns:
        The result as gpops.toolkit.gp_process_info documents it, and warnings.

    Raises:
        GpopsError: In plain words; an OptionError before anything is sent.
    """
    listing = parse(options)
    with connect(options) as cluster:
        engine = cluster.engine
        names, told = unknown_names.check(unknown_names.named(options), options["unknown_names"], cluster.execute)
        snapshot = read(cluster, cluster.deadline, listing.needs_locks, listing.query_length)
    if snapshot.locks_problem:
        for criterion in listing.selection.wanted:
            if criterion.option in ("blocking", "waits_for_modes"):
                raise OptionError(criterion.option, f"who waits for whom is unknown: {snapshot.locks_problem}")
    with cluster.deadline.enforced(listing.selection.too_slow, LEAST_SECONDS):
        chosen = listing.selection.choose(snapshot.backends)
    found = {**result(listing, chosen, engine, snapshot), "unknown_names": names}
    return found, warnings(engine, snapshot, listing.needs_locks) + told


@dataclasses.dataclass(frozen=True)
class Listing:
    """What is asked for.

    Attributes:
        fields: Of each session, in this order.
        limit: How many sessions at most, or None.
        longest_query: How many characters of a query text are shown.
    """

    selection: Selection
    fields: tuple[str, ...]
    sort_by: str
    limit: int | None
    longest_query: int
    redact_literals: bool

    @property
    def query_length(self) -> int:
        """How many characters of each query text it takes."""
        return self.selection.query_length(self.longest_query if "query" in (*self.fields, self.sort_by) else 0)

    @property
    def needs_locks(self) -> bool:
        """Whether somebody asks who waits or who blocks; the lock table is the dearest part of the listing."""
        return self.selection.needs_locks or bool(_FROM_LOCKS.intersection([*self.fields, self.sort_by]))


def parse(options: t.Mapping[str, t.Any]) -> Listing:
    """PURE: the options -> what is asked for.

    Raises:
        OptionError: An option cannot be used.
    """
    selection = parse_selection(options)
    if options["fields"] is not None and not options["fields"]:
        raise OptionError("fields", "an empty list is not allowed; leave it out for all fields")
    for option in ("limit", "query_max_length"):
        if options[option] is not None and options[option] < 0:
            raise OptionError(option, f"{options[option]} is not allowed; it is a number, 0 or more")
    return Listing(
        selection,
        fields=FIELDS if options["fields"] is None else tuple(options["fields"]),
        sort_by=options["sort_by"],
        limit=options["limit"],
        longest_query=options["query_max_length"],
        redact_literals=options["redact_literals"],
    )


def result(listing: Listing, selected: list[Backend], engine: Engine, snapshot: Snapshot) -> dict[str, t.Any]:
    """PURE: the result of the module, with these sessions of the snapshot."""
    chosen = _sorted(selected, listing.sort_by)
    limit = len(chosen) if listing.limit is None else listing.limit
    return {
        "changed": False,
        "processes": [_record(backend, listing) for backend in chosen[:limit]],
        "count": len(chosen),
        "summary": {key: _counts(chosen, field) for key, field in _SUMMARY_FIELDS.items()},
        "connections": {
            "used": snapshot.connections + 1,  # and our own
            "max": engine.max_connections,
            "reserved": engine.kept_connections,
        },
        "engine": engine.shown,
        "hidden": snapshot.hidden,
        "readers": len(snapshot.who.readers),
    }


def _record(backend: Backend, listing: Listing) -> dict[str, t.Any]:
    record = dataclasses.asdict(backend)
    record["query"] = shown(backend.query, listing.longest_query, listing.redact_literals)
    for name in _LOCK_FIELDS:
        record[name] = None if record[name] is None else list(record[name])
    # In the order that was asked for.
    return {name: record[name] for name in listing.fields}


def _sorted(backends: list[Backend], field: str) -> list[Backend]:
    def value(backend: Backend) -> t.Any:
        found = getattr(backend, field)
        return len(found) if field in _LOCK_FIELDS and found is not None else found

    known = [backend for backend in backends if value(backend) is not None]
    known.sort(key=value, reverse=field in _DESCENDING)
    return known + [backend for backend in backends if value(backend) is None]


def _counts(backends: list[Backend], field: str) -> dict[str, int]:
    values = [getattr(backend, field) for backend in backends]
    if field == "waiting_reason":
        values = [value for value in values if value is not None]
    counts = collections.Counter(_UNSEEN if value is None else value for value in values)
    return dict(counts.most_common())


DEFINITION = Definition(run, SELECTION_SPEC, ARGUMENT_SPEC)
