# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relay that knows the messages of the protocol and breaks the connection after one of them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import struct
import threading
import typing as t

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


class Relay:
    """Relays connections to a server, message by message.

    Attributes:
        messages: Each that went by: C or S for who sent it, and its kind.
        struck: Whether the fault has happened.
    """

    def __init__(self, host: str, port: int, fault: Fault | None = None) -> None:
        self._server = (host, port)
        self._fault = fault
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.messages: list[str] = []
        self.struck = False
        self.port = 0

    def __enter__(self) -> t.Self:
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, "127.0.0.1", 0), self._loop
        ).result()
        self.port = int(self._listener.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def login(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The options of a module, with the relay in place of the server."""
        return {**options, "login_host": "127.0.0.1", "login_port": self.port, "ssl_mode": "disable"}

    async def _close(self) -> None:
        self._listener.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        line = _Line(self)
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            server_reader, server_writer = await asyncio.open_connection(*self._server)
            self._writers.append(server_writer)
            line.ends = [writer, server_writer]
            line.silent = self.struck and self._how == DEAD
            await asyncio.gather(
                line.carry("C", reader, server_writer), line.carry("S", server_reader, writer), return_exceptions=True
            )
        self._tasks.discard(task)

    @property
    def _how(self) -> str:
        return self._fault.how if self._fault else ""

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
                self._listener.close()
            line.end(self._how == RST)


class _Line:
    """One connection through the relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.silent = False
        self.deaf = False
        self.ends: list[asyncio.StreamWriter] = []

    def end(self, reset: bool) -> None:
        for writer in self.ends:
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
