# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about resource groups, one at a time in the whole engine."""

from __future__ import annotations

from .conversation import IDLE, Conversation
from .gate import Gate
from .rules import Applied, DropGroup, Refused
from .translate import Translation, answer_order
from .world import World


class GroupStatements:
    """Those of one session."""

    def __init__(self, world: World, conversation: Conversation, gate: Gate) -> None:
        self._world = world
        self._conversation = conversation
        self._gate = gate
        self._verdict: Applied | None = None
        self._holds_lock = False

    async def decide(self, translation: Translation) -> str:
        """The answer to one statement, by the rules as they stand now."""
        parsed = translation.group_statement
        assert parsed is not None
        if self._conversation.status != IDLE:
            message = f"{parsed.statement.tag} cannot run inside a transaction block"
            return answer_order(Refused("25001", message), parsed.notices)
        if not self._holds_lock:
            await self._world.statement_lock.acquire()
            self._holds_lock = True
        if isinstance(parsed.statement, DropGroup):
            await self._world.await_leavers()
        await self._world.refresh_tablespaces()
        result = self._world.evaluate(parsed.statement, self._gate.role, self._gate.ticket)
        self._verdict = result if isinstance(result, Applied) else None
        # the engine reads the text twice, once for the group and once to run it, and so warns twice
        return answer_order(result, parsed.notices * 2, apply=self._conversation.pid)

    async def note(self, translation: Translation) -> None:
        """Keep the answer where the backend will look for it."""
        self._world.verdicts[str(self._conversation.pid)] = await self.decide(translation)
        self._world.touch()

    def apply(self) -> None:
        """The backend has taken the answer."""
        if self._verdict is not None:
            self._world.apply(self._verdict.state)
            self._verdict = None

    def release(self) -> None:
        """The statement is over: the next one may come."""
        if self._holds_lock:
            self._holds_lock = False
            self._verdict = None
            self._world.verdicts.pop(str(self._conversation.pid), None)
            self._world.statement_lock.release()
