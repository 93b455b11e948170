# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true in the sandbox: groups, slots, roles and sessions, and the file that SQL reads it from."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from . import rules
from .helper import Door, Helper, HelperError
from .keeper import LockKeeper
from .profiles import Profile
from .rules import Actor, Applied, Group, GroupState, GroupStatement, Refused, Usage
from .segments import Ledger
from .slots import Slots, Ticket

GROUP_CLASS = 6436  # classid under which pg_shdescription keeps a role's group
FLUSH_DELAY = 0.005
COUNTERS_DELAY = 0.05
LEAVERS_POLLS = 200

log = logging.getLogger("sandbox")


@dataclass(frozen=True)
class Role:
    """What counts about a role."""

    oid: int
    name: str
    superuser: bool
    manager: bool
    has_connections: bool  # slots of their own for its members, beside those of superusers
    group: int


def _is_member(role: str | None) -> str:
    return f"pg_has_role(oid, '{role}', 'USAGE')" if role else "false"


class Visible(Protocol):
    """A session, as the views show it."""

    sess_id: int

    def row(self) -> dict[str, object]:
        """Its columns."""

    def move(self, group: int) -> None:
        """Its transaction goes on in another group."""


class World:
    """The one copy of the truth.  Everything runs in one event loop, so nothing here is locked."""

    def __init__(self, profile: Profile, folder: Path, max_connections: int, activated: bool, bypass: bool) -> None:
        self.profile = profile
        self.activated = activated
        self.bypass = bypass
        self.port = 0
        self.sessions: dict[int, Visible] = {}
        self.roles: dict[int, Role] = {}
        self.built_in_functions: frozenset[str] = frozenset()
        self.catalog: frozenset[str] = frozenset()  # the tables and views of pg_catalog
        self.ledger = Ledger()
        self.verdicts: dict[str, str] = {}
        self.statement_lock = asyncio.Lock()  # ALTER RESOURCE GROUP and its kin run one at a time
        self.slots = Slots(self._wake)
        self.max_connections = max_connections
        self._state_file = folder / "state" / "state.json"
        self._segments_file = folder / "state" / "segments.json"
        self._groups_file = folder / "state" / "groups.json"
        self._helper: Helper | None = None
        self._keeper: LockKeeper
        self._tasks: set[asyncio.Task[None]] = set()
        self._dirty = True
        self._flusher: asyncio.TimerHandle | None = None
        self._sess_id = 0
        self._tablespaces: dict[str, int] = {}
        self.groups = self._load_groups()
        self._configure()

    # --- start -------------------------------------------------------------

    async def attach(self, door: Door) -> None:
        """Opens the connection with which roles are read."""
        self._keeper = LockKeeper(door)
        self._helper = helper = await Helper.connect(door)
        self.flush()
        await self.refresh_roles()
        names = await helper.query(
            "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        )
        self.built_in_functions = frozenset(row[0] for row in names if row[0])
        names = await helper.query("SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace")
        self.catalog = frozenset(row[0] for row in names if row[0])

    @property
    def helper(self) -> Helper:
        if self._helper is None:
            raise RuntimeError("the sandbox is not started")
        return self._helper

    def next_sess_id(self) -> int:
        self._sess_id += 1
        return self._sess_id

    # --- roles -------------------------------------------------------------

    async def refresh_roles(self) -> None:
        manages, connects = map(_is_member, (self.profile.managers_role, self.profile.connections_role))
        rows = await self.helper.query(
            f"SELECT oid, rolname, rolsuper, {manages}, {connects}, rolresgroup FROM pg_authid"
        )
        self.roles = {
            int(oid): Role(int(oid), name, superuser == "t", managing == "t", connecting == "t", int(group))
            for oid, name, superuser, managing, connecting, group in (map(str, row) for row in rows)
        }
        self.touch()

    def role_named(self, name: str) -> Role | None:
        return next((role for role in self.roles.values() if role.name == name), None)

    def group_of(self, role_oid: int) -> int | None:
        """The oid of the group a role's next transaction runs in; none where that group is gone."""
        role = self.roles.get(role_oid)
        return role.group if role is not None and role.group in self.slots.groups else None

    # --- groups ------------------------------------------------------------

    async def refresh_tablespaces(self) -> None:
        """Their oids, for engines that put them in the place of names."""
        if "io_limit" not in self.profile.limits:
            return
        rows = await self.helper.query("SELECT spcname, oid FROM pg_tablespace")
        self._tablespaces = {str(name): int(str(oid)) for name, oid in rows}

    def evaluate(self, statement: GroupStatement, role_oid: int, own_slot: Ticket | None) -> Applied | Refused:
        role = self.roles.get(role_oid)
        actor = Actor(role is not None and role.superuser, role is not None and role.manager)
        transactions = {
            oid: group.running + len(group.queue) - (own_slot is not None and own_slot.group == oid)
            for oid, group in self.slots.groups.items()
        }
        usage = Usage(
            frozenset(role.group for role in self.roles.values()),
            transactions,
            self.max_connections,
            self.activated,
            self._tablespaces,
        )
        return rules.evaluate(self.profile, self.groups, statement, actor, usage)

    def move(self, pid: int, group: int) -> None:
        session = self.sessions.get(pid)
        if session is not None:
            session.move(group)

    async def await_leavers(self) -> None:
        """A backend vanishes from the process list just before its connection ends: nobody shall see between."""
        alive = {row[0] for row in await self.helper.query("SELECT pid FROM pg_stat_get_activity(NULL)")}
        leavers = {pid for pid in self.sessions if str(pid) not in alive}
        for _each in range(LEAVERS_POLLS):
            if not leavers & self.sessions.keys():
                return
            await asyncio.sleep(FLUSH_DELAY)

    def apply(self, state: GroupState) -> None:
        self.groups = state
        self._configure()
        self._replace(
            self._groups_file,
            {
                "next_oid": state.next_oid,
                "groups": [
                    {"oid": each.oid, "name": each.name, "limits": dict(each.limits)} for each in self._ordered()
                ],
            },
        )
        self.touch()

    def _configure(self) -> None:
        self.slots.configure((group.oid, group.concurrency) for group in self.groups.groups.values())

    def _ordered(self) -> Iterable[Group]:
        return sorted(self.groups.groups.values(), key=lambda group: group.oid)

    def _load_groups(self) -> GroupState:
        state = rules.initial_state(self.profile)
        if not self._groups_file.exists():
            return state
        kept = json.loads(self._groups_file.read_text())
        groups = {each["name"]: Group(each["oid"], each["name"], each["limits"]) for each in kept["groups"]}
        return replace(state, groups=groups, next_oid=kept["next_oid"])

    # --- waiting -----------------------------------------------------------

    async def block(self, ticket: Ticket, database: str) -> None:
        """Holds the lock that the queued backend is going to wait on."""
        await self._keeper.hold(ticket.key, database)
        self.touch()

    async def unblock(self, ticket: Ticket) -> None:
        await self._keeper.give_back(ticket.key)
        self.touch()

    def wake(self, ticket: Ticket) -> None:
        self._wake(ticket)

    def _wake(self, ticket: Ticket) -> None:
        self.touch()
        task = asyncio.get_running_loop().create_task(self._unblock_quietly(ticket))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _unblock_quietly(self, ticket: Ticket) -> None:
        try:
            await self.unblock(ticket)
        except (HelperError, OSError):
            log.exception("could not wake a queued session")

    # --- the file ----------------------------------------------------------

    def touch(self) -> None:
        """Something that views show has changed: the file follows before the next statement, at the latest soon."""
        self._dirty = True
        self._flush_after(FLUSH_DELAY)

    def count(self) -> None:
        """Only counters have moved, as with every transaction: the file follows, but no statement waits for it."""
        self._flush_after(COUNTERS_DELAY)

    def flush(self) -> None:
        """Before a statement that may look."""
        if self._dirty:
            self._write_snapshot()

    def _flush_after(self, delay: float) -> None:
        if self._flusher is None and self._helper is not None:
            self._flusher = asyncio.get_running_loop().call_later(delay, self._write_snapshot)

    def _write_snapshot(self) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            self._flusher = None
        self._dirty = False
        self._replace(self._state_file, self.snapshot())

    def write_ledger(self) -> None:
        """Only when a statement asks for it."""
        self._replace(self._segments_file, self.ledger.snapshot({each.sess_id for each in self.sessions.values()}))

    def snapshot(self) -> dict[str, object]:
        return {
            "port": self.port,
            "helpers": [self._helper.pid, *self._keeper.pids()] if self._helper else [],
            "groups": [self._group_row(group) for group in self._ordered()],
            "sessions": [session.row() for session in self.sessions.values()],
            "verdicts": self.verdicts,
        }

    def _group_row(self, group: Group) -> dict[str, object]:
        slots = self.slots.groups[group.oid]
        return {
            "oid": group.oid,
            "name": group.name,
            "limits": dict(group.limits),
            "running": slots.running,
            "queueing": len(slots.queue),
            "queued": slots.queued,
            "executed": slots.executed,
            "queue_seconds": slots.queue_seconds,
        }

    @staticmethod
    def _replace(path: Path, content: dict[str, object]) -> None:
        """In one step, so that a reader never sees half of it."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(content))
        os.replace(fresh, path)
