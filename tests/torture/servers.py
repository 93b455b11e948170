# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers of other kinds, in front of a real one or instead of it."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import re
import socket
import ssl
import typing as t

from integration.cluster import Cluster
from sandbox import wire
from torture.listener import Server

_TLS = wire.SSL_REQUEST.to_bytes(4, "big")
# What Greenplum 6 and 7 send on to the segments, seen on both: a SET of what the segments must know, the lock table,
# and each change.
_DISPATCHED = re.compile(
    rb"\bSET (?!client_encoding)|FROM pg_catalog\.pg_locks|mdb_toolkit\.pg_locks\(|^(CREATE|ALTER|DROP) "
)
_OWN_PID = wire.frame(b"K", b"\0\0\0\1\0\0\0\1")
_PASSWORD_PLEASE = wire.frame(b"R", b"\0\0\0\3")
_AUTHENTICATED = wire.frame(b"R", b"\0\0\0\0")


async def startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The startup message; a request for TLS or GSS is declined."""
    while True:
        head = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(head, "big") - 4)
        if body[:2] == b"\0\3":
            return head + body
        writer.write(b"N")


class Refusing(Server):
    """Answers each login with an error."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__()
        self._answer = wire.error(sqlstate, message, "FATAL")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await startup(reader, writer)
        writer.write(self._answer)
        await writer.drain()


class Thief(Server):
    """A false server: without TLS, it asks for the password in clear.

    Attributes:
        got: The passwords.
    """

    def __init__(self) -> None:
        super().__init__()
        self.got: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await startup(reader, writer)
        writer.write(wire.frame(b"R", b"\0\0\0\3"))
        head = await reader.readexactly(5)
        self.got.append((await reader.readexactly(int.from_bytes(head[1:], "big") - 4))[:-1].decode())


class Encrypted(Server):
    """Speaks TLS in front of a real server."""

    def __init__(self, cluster: Cluster, context: ssl.SSLContext) -> None:
        super().__init__()
        self._cluster = cluster
        self._context = context

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readexactly(8)
        while asked[4:] != _TLS:
            writer.write(b"N")
            asked = await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(self._context)
        server_reader, server_writer = await self.dial(self._cluster.host, self._cluster.port)
        await asyncio.gather(_pour(reader, server_writer), _pour(server_reader, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _pour_frames(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, changed: t.Callable[[bytes], bytes]
) -> None:
    """Message by message, as they come out of this function."""
    frames = wire.FrameBuffer()
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(wire.join(changed(raw) for raw in frames.feed(data)))
            await writer.drain()
    writer.close()


class HangingSegment(Server):
    """In front of a server one of whose segments hangs: what is sent on to the segments is never answered."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster
        self.hung: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await startup(reader, writer)
        server_reader, server_writer = await self.dial(self._cluster.host, self._cluster.port)
        server_writer.write(first)
        await asyncio.gather(_pour_frames(reader, server_writer, self._asked), _pour(server_reader, writer))

    def _asked(self, raw: bytes) -> bytes:
        if raw[:1] == b"Q" and _DISPATCHED.search(wire.body(raw)):
            self.hung.append(raw)
            return b""
        return raw


class Choosy(Server):
    """A pooler that takes no startup options, as PgBouncer does in each of these ways.

    It refuses the login; it leaves them out without a word; or it keeps the one that it follows itself, DateStyle.

    Attributes:
        limited: How often a limit was set by a statement.
        astray: Statements after a login whose options were left out. Odyssey would set these options before each, in
            whatever session of its pool the statement goes to, and leave them there.
    """

    HOWS = ("refused", "dropped", "all but one dropped")

    def __init__(self, cluster: Cluster, how: str) -> None:
        super().__init__()
        self._cluster = cluster
        self._how = how
        self.limited = 0
        self.astray: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packet = await startup(reader, writer)
        parameters = wire.parse_startup(packet[4:])
        given = parameters.pop("options", "")
        if given and self._how == "refused":
            writer.write(wire.error("08P01", "unsupported startup parameter: options", "FATAL"))
            return
        if given and self._how == "all but one dropped":
            parameters["options"] = given[given.index("-c DateStyle=") :]
        server_reader, server_writer = await self.dial(self._cluster.host, self._cluster.port)
        server_writer.write(wire.startup(parameters))
        seen = self._gone_astray if given and self._how == "dropped" else self._counted
        await asyncio.gather(
            _pour_frames(reader, server_writer, seen),
            _pour_frames(server_reader, writer, _with_pid_of_its_own),
        )

    def _gone_astray(self, raw: bytes) -> bytes:
        self.astray += [raw] if raw[:1] == b"Q" else []
        return self._counted(raw)

    def _counted(self, raw: bytes) -> bytes:
        self.limited += raw[:1] == b"Q" and b"SET statement_timeout" in raw
        return raw


def _with_pid_of_its_own(raw: bytes) -> bytes:
    return _OWN_PID if raw[:1] == b"K" else raw


class Pooler(Server):
    """A pooler in statement mode: each statement goes to the next of two sessions, and no SET outlives it.

    The pool is logged in by the driver; its sockets are then used as they are.
    """

    def __init__(self, cluster: Cluster, role: str) -> None:
        super().__init__()
        self._pool = [cluster.connect(role, application_name="gpops_pool") for _each in range(2)]
        self.pids = [connection.info.backend_pid for connection in self._pool]
        self._files = [socket.socket(fileno=os.dup(connection.fileno())) for connection in self._pool]
        self._version = self._pool[0].get_parameter_status("server_version") or ""
        self._superuser = self._pool[0].get_parameter_status("is_superuser") or "off"
        self.statements = 0
        self._line = asyncio.Lock()
        self._password = cluster.password(role)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for file in self._files:
            file.close()
        for connection in self._pool:
            connection.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await startup(reader, writer)
        if not await self._knows_the_password(reader, writer):
            return
        said = {
            "server_version": self._version,
            "is_superuser": self._superuser,
            "server_encoding": "UTF8",
            "client_encoding": "UTF8",
            "standard_conforming_strings": "on",
            "integer_datetimes": "on",
            "DateStyle": "ISO, MDY",
        }
        writer.write(_AUTHENTICATED + wire.join(wire.parameter(name, value) for name, value in said.items()))
        writer.write(_OWN_PID + wire.ready(b"I"))
        while True:
            kind = await reader.readexactly(1)
            head = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(head, "big") - 4)
            if kind == b"X":
                return
            async with self._line:
                server = self._files[self.statements % 2]
                self.statements += 1
                writer.write(await self._loop.run_in_executor(None, _asked, server, kind + head + body))
                await self._loop.run_in_executor(None, _asked, server, wire.query("RESET ALL"))
            await writer.drain()

    async def _knows_the_password(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """The pool is logged in, as superuser perhaps: else any user of the machine could use it."""
        writer.write(_PASSWORD_PLEASE)
        head = await reader.readexactly(5)
        given = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
        if head[:1] == b"p" and hmac.compare_digest(given, self._password.encode() + b"\0"):
            return True
        writer.write(wire.error("28P01", "password authentication failed", "FATAL"))
        await writer.drain()
        return False


def _asked(server: socket.socket, message: bytes) -> bytes:
    """The whole answer, up to the server being ready again."""
    server.setblocking(True)
    server.sendall(message)
    frames = wire.FrameBuffer()
    answer: list[bytes] = []
    while not answer or answer[-1][:1] != b"Z":
        data = server.recv(65536)
        if not data:
            raise EOFError
        answer += frames.feed(data)
    return b"".join(answer)
