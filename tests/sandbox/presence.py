# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session has on segments: processes, from the statement on that starts them."""

from __future__ import annotations

from .conversation import Conversation
from .gate import Gate
from .price import Debt
from .segments import Reach, reach
from .translate import Translation
from .world import World


class Presence:
    """Of one session; what it started there lives as long as it does."""

    def __init__(self, world: World, conversation: Conversation, gate: Gate) -> None:
        self._world = world
        self._conversation = conversation
        self._gate = gate
        self._debt = Debt(world.profile)
        self._is_there = False
        self._comes = False  # as soon as its statement is done
        self.sess_id = 0
        self.text = ""  # of the statement that ran last

    def run(self, text: str, translation: Translation | None) -> None:
        """A statement is about to run: some start this session's processes on the segments."""
        self.text = text
        if self._is_there or self._gate.alone or (translation is not None and translation.problem is not None):
            return
        found = reach(text, self._world.catalog)
        if found is Reach.AT_ONCE:
            self._come()
        self._comes = found is Reach.IF_DONE

    def done(self) -> None:
        """The statement is done."""
        if self._comes:
            self._come()

    def over(self) -> None:
        """The statement is over, done or not."""
        self._comes = False

    def enter_function(self, function: str, rows: int) -> None:
        """A function with a SET clause was called: the segments will be told before the next message."""
        if not self._gate.alone:
            self._debt.entered(self.text, function, rows, self._gate.bypass)
            self._come()

    async def pay(self) -> None:
        """Before each message of the client."""
        if self._debt.seconds:
            await self._debt.pay()

    def _come(self) -> None:
        self._comes = False
        if not self._is_there and not self._gate.alone:
            self._is_there = True
            self._world.ledger.add(self._conversation.pid, self.sess_id, self._conversation.application_name, self.text)
