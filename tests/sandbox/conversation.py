# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both sides of a session share: whose turn it is, and what was said so far."""

from __future__ import annotations

import asyncio
import contextlib

from . import reports, wire
from .gate import HiddenAnswer

IDLE = b"I"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Hidden:
    """Collects the answer to a statement that the client did not send."""

    def __init__(self) -> None:
        self.done: asyncio.Future[HiddenAnswer] = asyncio.get_running_loop().create_future()
        self.rows: list[list[str | None]] = []
        self.error: bytes | None = None

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(HiddenAnswer(self.rows, self.error))


class Conversation:
    """Between a client and its backend."""

    def __init__(self, client: Streams, server: Streams) -> None:
        self.client_in, self.client_out = client
        self.server_in, self.server_out = server
        self.pid = 0
        self.status = IDLE
        self.started = False
        self.extended = False  # the extended protocol was spoken last
        self.copying_in = False
        self.application_name = ""
        # the statement under way
        self.tag: str | None = None
        self.syntax: reports.Syntax | None = None
        self.hidden: Hidden | None = None
        self._pending = 1  # ReadyForQuery messages that the server owes, the first for the login
        self._settled = asyncio.Event()

    def reply(self, data: bytes) -> None:
        """Say something to the client."""
        with contextlib.suppress(OSError):
            self.client_out.write(data)

    def owe(self, change: int) -> None:
        """The server owes so many answers more."""
        self._pending = max(self._pending + change, 0)
        if self._pending:
            self._settled.clear()
        else:
            self._settled.set()

    def owe_nothing(self) -> None:
        """What was asked for is not answered."""
        self.owe(-self._pending)

    async def settle(self) -> None:
        """Until the server has answered what came before: only then is the transaction's status known."""
        if self._pending:
            await self._settled.wait()

    async def run_hidden(self, sql: str) -> HiddenAnswer:
        """Runs a statement that the client does not see."""
        hidden = self.hidden = Hidden()
        self.server_out.write(wire.query(sql))
        try:
            return await hidden.done
        finally:
            self.hidden = None

    def close(self) -> None:
        """Both ends."""
        self.client_out.close()
        self.server_out.close()
