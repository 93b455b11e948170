# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: plain data -> typed records, whatever is missing in it. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import TERMINATED

IN_TRANSACTION = "idle in transaction"
BEFORE, AFTER = "before", "after"

Data = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Session:
    """A record of gp_process_info."""

    pid: int
    user: str | None = None
    database: str | None = None
    application: str | None = None
    state: str | None = None
    group: str | None = None
    query: str | None = None
    waiting_reason: str | None = None
    is_waiting: bool = False
    is_utility: bool = False
    session_age: float | None = None
    transaction_age: float | None = None
    query_age: float | None = None
    state_age: float | None = None
    wait_age: float | None = None
    blocked_by: tuple[int, ...] = ()
    blocks: tuple[int, ...] = ()

    @property
    def is_idle_in_transaction(self) -> bool:
        """Whether it has a transaction and runs nothing."""
        return (self.state or "").startswith(IN_TRANSACTION)


@dataclasses.dataclass(frozen=True)
class Group:
    """A record of gp_resource_group_info with its status."""

    name: str
    concurrency: int | None
    running: int | None
    queueing: int | None

    @property
    def is_full(self) -> bool:
        """Whether the next transaction has to wait."""
        if not self.concurrency or self.concurrency < 0:
            return False
        return self.running is not None and self.running >= self.concurrency


@dataclasses.dataclass(frozen=True)
class Connections:
    """How many the coordinator has."""

    used: int
    most: int
    reserved: int

    @property
    def ordinary(self) -> int:
        """How many there are for ordinary roles."""
        return max(1, self.most - self.reserved)


@dataclasses.dataclass(frozen=True)
class Moment:
    """The cluster, as it was looked at.

    Attributes:
        name: Whether that was before or after what was done; empty if nothing was, or if it cannot be told.
        processes: The result of gp_process_info.
        groups: The result of gp_resource_group_info.
    """

    name: str
    processes: Data
    groups: Data

    @property
    def has_sessions(self) -> bool:
        """Whether the sessions could be read."""
        return "processes" in self.processes


def moments(document: Data) -> list[Moment]:
    """What was seen of the cluster: once, or before and after what was done."""
    processes, groups, remediation = (mapping(document.get(key)) for key in ("processes", "groups", "remediation"))
    later = Moment(AFTER, mapping(document.get("processes_after")), mapping(document.get("groups_after")))
    if later.has_sessions:
        return [Moment(BEFORE, processes, groups), later]
    return [Moment(BEFORE if _has_ended_some(remediation, processes) else "", processes, groups)]


def _has_ended_some(remediation: Data, processes: Data) -> bool:
    """Whether sessions that are listed are ended by now, so that the list is from before."""
    ended = {_who(victim) for victim in dicts(remediation.get("victims")) if victim.get("outcome") == TERMINATED}
    return not ended.isdisjoint(map(_who, dicts(processes.get("processes"))))


def _who(session: Data) -> tuple[int | None, str | None]:
    return number(session.get("pid")), text(session.get("backend_start"))


def sessions(result: Data) -> list[Session]:
    """The processes of a result of gp_process_info."""
    return [session(record) for record in dicts(result.get("processes")) if number(record.get("pid")) is not None]


def session(record: Data) -> Session:
    """One process."""
    return Session(
        pid=number(record.get("pid")) or 0,
        user=text(record.get("usename")),
        database=text(record.get("datname")),
        application=text(record.get("application_name")),
        state=text(record.get("state")),
        group=text(record.get("resource_group")),
        query=text(record.get("query")),
        waiting_reason=text(record.get("waiting_reason")),
        is_waiting=record.get("waiting") is True,
        is_utility=record.get("kind") == "utility",
        session_age=seconds(record.get("session_age")),
        transaction_age=seconds(record.get("transaction_age")),
        query_age=seconds(record.get("query_age")),
        state_age=seconds(record.get("state_age")),
        wait_age=seconds(record.get("wait_age")),
        blocked_by=_pids(record.get("blocked_by")),
        blocks=_pids(record.get("blocks")),
    )


def groups(result: Data) -> list[Group]:
    """The groups of a result of gp_resource_group_info."""
    found = []
    for record in dicts(result.get("groups")):
        status = mapping(record.get("status"))
        counts = [number(status.get(key)) for key in ("running", "queueing")]
        found.append(Group(text(record.get("name")) or "", number(record.get("concurrency")), *counts))
    return found


def connections(result: Data) -> Connections | None:
    """The connections of a result of gp_process_info."""
    record = mapping(result.get("connections"))
    used, most = number(record.get("used")), number(record.get("max"))
    if used is None or not most:
        return None
    return Connections(used, most, number(record.get("reserved")) or 0)


def counts(value: t.Any) -> dict[str, int]:
    """Names with numbers, the largest first."""
    found = {str(key): number(count) for key, count in mapping(value).items()}
    return dict(sorted(((key, count) for key, count in found.items() if count), key=lambda item: (-item[1], item[0])))


def mapping(value: t.Any) -> Data:
    """The value if it is a dictionary, else an empty one."""
    return value if isinstance(value, dict) else {}


def dicts(value: t.Any) -> list[Data]:
    """The dictionaries of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number(value: t.Any) -> int | None:
    """The value if it is a whole number, also in digits, as older Ansible makes them."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def seconds(value: t.Any) -> float | None:
    """The value if it is a number."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def text(value: t.Any) -> str | None:
    """The value as text, if there is one."""
    return None if value is None else str(value)


def _pids(value: t.Any) -> tuple[int, ...]:
    found = [number(item) for item in value] if isinstance(value, list) else []
    return tuple(pid for pid in found if pid is not None)
