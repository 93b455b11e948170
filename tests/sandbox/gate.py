# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The group in front of one session's transactions: who it is, which slot it holds, how it waits."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from . import bypass, wire
from .slots import Ticket
from .translate import ASK_MARK, MARK, Translation
from .world import World

# After these words a session may run as another role or with other settings.
_MAY_CHANGE_SESSION = re.compile(
    r"\b(role|authorization|reset|discard|set_config|do|call|gp_resource_group_\w+)\b", re.IGNORECASE
)
# In a query alone, only functions can.
_QUERY_MAY_CHANGE_SESSION = re.compile(r"\b(set_config|gpops_sandbox_\w+)\b", re.IGNORECASE)
_BYPASS = "gp_resource_group_bypass"
_NAMES_BYPASS = re.compile(rf"\b{_BYPASS}\b", re.IGNORECASE)


@dataclass(frozen=True)
class HiddenAnswer:
    """What the backend said to a statement that the client did not send."""

    rows: list[list[str | None]]
    error: bytes | None


RunHidden = Callable[[str], Awaitable[HiddenAnswer]]


class Gate:
    """Lets a transaction of its session start, at once or after a wait in the group's queue."""

    def __init__(self, world: World, run_hidden: RunHidden) -> None:
        self._world = world
        self._run_hidden = run_hidden
        self._database = ""
        self.bypass = False
        self.alone = False  # in utility mode: no resource groups, no segments
        self._catalog_bypass = False  # a SELECT on pg_catalog alone needs no slot
        self._queuing_timeout = 0
        self._stale = True  # role and settings have to be asked for before the next transaction
        self.tainted = False  # a function has queried without a slot: whatever comes next needs one
        self._entered = False  # the transaction that begins with the current message has passed its group
        self._queued = False
        self._left_group: int | None = None  # whose queue was left without a slot, and whose name an idle row keeps
        self._query_began: float | None = None
        self._xact_began: float | None = None
        self.role = 0
        self.ticket: Ticket | None = None

    def row(self) -> dict[str, object]:
        """What the views show of the group."""
        oid = self.ticket.group if self.ticket else self._world.group_of(self.role)
        managed = self._world.activated and not self.alone
        group = self._world.groups.by_oid(oid) if oid is not None and managed else None
        return {
            "group_oid": group.oid if group else None,
            "group_name": group.name if group else None,
            "keeps_group": group is not None and group.oid == self._left_group,
            "has_slot": self.ticket is not None and self.ticket.granted,
            "queued_since": self.ticket.since if self._queued and self.ticket else None,
            "query_began": self._query_began,
            "xact_began": self._xact_began,
        }

    def notice(self, text: str) -> None:
        """A statement goes to the backend: after some, nothing that was known about the session is sure."""
        is_query = ";" not in text and bypass.begins_with(text, "select")
        if (_QUERY_MAY_CHANGE_SESSION if is_query else _MAY_CHANGE_SESSION).search(text):
            self._stale = True
        if self._query_began is not None and self._query_began != self._xact_began:
            self._query_began = None
            self._world.touch()

    async def enter(self, text: str, translation: Translation | None, *, is_sql: bool = True) -> bytes | None:
        """Takes a slot for the transaction that starts with this text; the error that ended the wait, if one did."""
        if self._entered:
            return None
        if self._stale:
            failure = await self.ask()
            if failure is not None:
                return failure
        self._left_group = None
        group = self._world.group_of(self.role)
        if self._world.activated and group is not None and (not is_sql or self._needs_slot(group, text, translation)):
            failure = await self._take_slot(group, text)
            if failure is not None:
                return failure
            self.tainted = False
        self._entered = True
        return None

    def leave(self) -> None:
        """The transaction has ended, or its session has."""
        self._entered = False
        if self.ticket is not None:
            self._world.slots.leave(self.ticket)
            self._world.count()
            self.ticket = None
        if self._xact_began is not None:
            self._query_began = self._xact_began = None
            self._world.touch()

    def move(self, group: int) -> None:
        """The transaction goes on in another group; the next one is in the role's own again."""
        if self.ticket is not None and self.ticket.granted:
            self._world.slots.move(self.ticket, group)
            self._world.touch()

    async def ask(self) -> bytes | None:
        """Who the session is now, and what its settings say."""
        answer = await self._run_hidden(f"{ASK_MARK} SELECT pg_catalog.gpops_sandbox_whoami()")
        if answer.error is not None:
            return answer.error
        state = json.loads(answer.rows[0][0] or "{}")
        if state["role"] not in self._world.roles:
            await self._world.refresh_roles()
        self.role = state["role"]
        self._database = state["database"]
        self.bypass = state["bypass"] == "on"
        self.alone = state["mode"] == "utility"
        self._catalog_bypass = state["catalog_bypass"] == "on"
        self._queuing_timeout = int(state["timeout"])
        self._stale = False
        self._world.touch()
        return None

    # --- which statements need a slot --------------------------------------

    def _needs_slot(self, group: int, text: str, translation: Translation | None) -> bool:
        if self.alone or (translation is not None and translation.problem is not None):
            return False
        if not self._world.bypass:
            return not bypass.is_free(text)
        if self.bypass:
            return False
        if self.tainted:
            return True
        if bypass.is_free(text):
            return self._is_forbidden_bypass(text)
        if self._catalog_bypass and self._is_catalog_select(text):
            return False
        return translation is not None or self._has_room(group) or not bypass.cannot_parse(text)

    def _is_forbidden_bypass(self, text: str) -> bool:
        """SET of the superuser's own setting by somebody else waits before it is refused."""
        setting = self._world.profile.setting(_BYPASS)
        role = self._world.roles.get(self.role)
        if setting is None or setting.context != "superuser" or (role is not None and role.superuser):
            return False
        return bool(_NAMES_BYPASS.search(text)) and not bypass.begins_with(text, "show")

    def _is_catalog_select(self, text: str) -> bool:
        select = bypass.catalog_select(text)
        if select is None or not select.free:
            return False
        self.tainted = bypass.calls_outside(select, self._world.built_in_functions.__contains__)
        return True

    def _has_room(self, group: int) -> bool:
        """Then the parser need not be asked: after an error the slot is given back at once."""
        slots = self._world.slots.groups[group]
        return slots.running < slots.concurrency and not slots.queue

    # --- the wait ----------------------------------------------------------

    async def _take_slot(self, group: int, text: str) -> bytes | None:
        self.ticket = ticket = self._world.slots.enter(group)
        self._world.count()
        return None if ticket.granted else await self._wait(ticket, text)

    async def _wait(self, ticket: Ticket, text: str) -> bytes | None:
        """Lets the backend itself wait, so that signals and cancel requests find it."""
        try:
            await self._world.block(ticket, self._database)
            if ticket.granted:
                await self._world.unblock(ticket)
                return None
            return await self._sleep(ticket, text)
        except asyncio.CancelledError:  # the session has ended: nobody else would give its lock back
            self._world.wake(ticket)
            raise

    async def _sleep(self, ticket: Ticket, text: str) -> bytes | None:
        self._show_queued(True)
        timer = self._start_timer(ticket)
        try:
            answer = await self._run_hidden(_wait_statement(ticket.key, text))
        finally:
            if timer is not None:
                timer.cancel()
            self._show_queued(False)
        if answer.error is None and ticket.granted:
            self._query_began = self._xact_began = ticket.since
            return None
        self.leave()
        if self._world.profile.keeps_group_after_wait:
            self._left_group = ticket.group
        await self._world.unblock(ticket)
        return answer.error or wire.error("57014", "canceling statement due to resource group waiting timeout")

    def _show_queued(self, queued: bool) -> None:
        self._queued = queued
        self._world.touch()
        self._world.flush()

    def _start_timer(self, ticket: Ticket) -> asyncio.TimerHandle | None:
        """gp_resource_group_queuing_timeout: the one thing that ends the wait by itself."""

        def expire() -> None:
            if not ticket.granted:
                self._world.slots.leave(ticket)
                self._world.wake(ticket)

        if self._queuing_timeout <= 0:
            return None
        return asyncio.get_running_loop().call_later(self._queuing_timeout / 1000, expire)


def _wait_statement(key: int, text: str) -> str:
    """A statement of its own, so that the client's timeouts do not end the wait; it carries the client's text."""
    tag = f"$gpq{secrets.token_hex(4)}$"
    return (
        f"{MARK}SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; "
        f"CALL pg_catalog.gpops_sandbox_wait({key}, {tag}{text}{tag})"
    )
