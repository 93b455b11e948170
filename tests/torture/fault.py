# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relay that knows the messages of the protocol and breaks the connection after one of them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import struct
import typing as t

from torture.listener import Server

FIN = "end"
RST = "reset"
FREEZE = "freeze"
DEAF = "lose answers"
DELAY = "delay"
GONE = "end for good"
DEAD = "freeze for good"
# What a fault does; the last two also to all connections that come later.
HOWS = (FIN, RST, FREEZE, DEAF, DELAY, GONE, DEAD)
SILENT = (FREEZE, DEAF, DEAD)
DELAY_SECONDS = 0.3
_STARTUP = b"\x00\x03"
_RESET = struct.pack("ii", 1, 0)


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens when this many messages went by, of both directions and all connections.

    With a call, that is what happens, and the conversation waits for it.
    """

    after: int
    how: str
    call: t.Callable[[], None] | None = None


class Relay(Server):
    """Relays connections to a server, message by message.

    Attributes:
        messages: Each that went by: C or S for who sent it, and its kind.
        struck: Whether the fault has happened.
    """

    def __init__(self, host: str, port: int, fault: Fault | None = None) -> None:
        super().__init__()
        self._server = (host, port)
        self._fault = fault
        self.messages: list[str] = []
        self.struck = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await self.dial(*self._server)
        line = _Line(self, [writer, server_writer])
        await asyncio.gather(line.carry("C", reader, server_writer), line.carry("S", server_reader, writer))

    @property
    def _how(self) -> str:
        return self._fault.how if self._fault else ""

    @property
    def dead(self) -> bool:
        """Whether nothing goes through any more, on new connections either."""
        return self.struck and self._how == DEAD

    async def passed(self, line: _Line, message: str) -> None:
        """Count a message, and let the fault happen if it is the one."""
        self.messages.append(message)
        if self._fault is None or self.struck or len(self.messages) != self._fault.after:
            return
        self.struck = True
        if self._fault.call:
            await self._loop.run_in_executor(None, self._fault.call)
        elif self._how == DELAY:
            await asyncio.sleep(DELAY_SECONDS)
        elif self._how == DEAF:
            line.deaf = True
        elif self._how in SILENT:
            line.silent = True
        else:
            if self._how == GONE:
                self.shut()
            line.end(self._how == RST)


class _Line:
    """One connection through the relay."""

    def __init__(self, relay: Relay, ends: list[asyncio.StreamWriter]) -> None:
        self._relay = relay
        self._ends = ends
        self.silent = relay.dead
        self.deaf = False

    def end(self, reset: bool) -> None:
        for writer in self._ends:
            if reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            else:
                writer.close()

    async def carry(self, sender: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started = sender == "S"
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                kind = await reader.readexactly(1) if started else b""
                head = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(head, "big") - 4)
                started = started or body[:2] == _STARTUP
                if self.silent or (self.deaf and sender == "S"):
                    continue
                writer.write(kind + head + body)
                await writer.drain()
                await self._relay.passed(self, sender + (kind.decode() or "startup"))
        if not self.silent and not self.deaf:
            writer.close()
