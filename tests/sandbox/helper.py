# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's own connection to PostgreSQL: simple queries with text results, one at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from . import wire
from .passwords import password_of

HELPER_ROLE = "gpops_sandbox"
_CLEARTEXT = 3  # asked for on a socket that nobody else can reach
SOCKET_PORT = 5432


class HelperError(Exception):
    """PostgreSQL refused a statement of the sandbox."""


def socket_path(folder: Path) -> str:
    return str(folder / f".s.PGSQL.{SOCKET_PORT}")


@dataclass(frozen=True)
class Door:
    """How the sandbox itself gets in: the folder of the server's socket, and what passwords are made from."""

    sockets: Path
    secret: str = field(repr=False)


class Helper:
    """One connection; concurrent callers take turns."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = wire.FrameBuffer()
        self._turn = asyncio.Lock()
        self._password = ""
        self.pid = 0

    @classmethod
    async def connect(cls, door: Door, user: str = HELPER_ROLE, database: str = "postgres") -> Helper:
        reader, writer = await asyncio.open_unix_connection(socket_path(door.sockets))
        helper = cls(reader, writer)
        helper._password = password_of(door.secret, user)
        parameters = {"user": user, "database": database, "application_name": HELPER_ROLE}
        writer.write(wire.startup(parameters))
        await helper._answer()
        return helper

    async def query(self, sql: str) -> list[list[str | None]]:
        """The rows of the last result of a query string.

        A caller that is cancelled leaves no answer behind, which the next one would take for its own.
        """
        return await asyncio.shield(self._exchange(sql))

    async def _exchange(self, sql: str) -> list[list[str | None]]:
        async with self._turn:
            self._writer.write(wire.query(sql))
            return await self._answer()

    async def close(self) -> None:
        self._writer.write(wire.frame(b"X"))
        self._writer.close()

    async def _answer(self) -> list[list[str | None]]:
        rows: list[list[str | None]] = []
        problem: str | None = None
        while True:
            data = await self._reader.read(65536)
            if not data:
                raise HelperError(problem or "PostgreSQL closed the sandbox's own connection")
            for raw in self._frames.feed(data):
                kind = raw[:1]
                if kind == b"D":
                    rows.append(wire.parse_data_row(wire.body(raw)))
                elif kind == b"T":
                    rows = []
                elif kind == b"E":
                    problem = wire.parse_fields(wire.body(raw)).get("M", "unknown error")
                elif kind == b"R" and int.from_bytes(wire.body(raw)[:4], "big") == _CLEARTEXT:
                    self._writer.write(wire.frame(b"p", self._password.encode() + b"\0"))
                elif kind == b"K":
                    self.pid = int.from_bytes(raw[5:9], "big")
                elif kind == b"Z":
                    if problem is not None:
                        raise HelperError(problem)
                    return rows
