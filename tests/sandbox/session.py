# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One client and its backend: passes frames on, and steps in where the engine would differ from PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

from . import wire
from .client_side import ClientSide
from .conversation import Conversation, Streams
from .gate import Gate
from .group_statements import GroupStatements
from .presence import Presence
from .server_side import ServerSide
from .translate import Translator
from .world import World


class Session:
    """Lives from the login to the end of the backend."""

    def __init__(
        self,
        world: World,
        translator: Translator,
        client: Streams,
        server: Streams,
        messages: Path,
        given_number: int | None = None,
    ) -> None:
        self._world = world
        self._talk = talk = Conversation(client, server)
        self._peer = talk.client_out.get_extra_info("peername") or ("127.0.0.1", 0)
        self._gate = gate = Gate(world, talk.run_hidden)
        self._presence = presence = Presence(world, talk, gate)
        self._statements = statements = GroupStatements(world, talk, gate)
        self._client = ClientSide(world, translator, talk, gate, presence, statements)
        self._server = ServerSide(world, talk, gate, presence, statements, messages, self._logged_in)
        self.sess_id = 0  # as the process list shows it: a login may give itself any
        self._number = 0  # as the lock table shows it
        self._given_number = given_number
        self._beginner: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the backend is gone."""
        client = asyncio.create_task(self._client.run())
        try:
            await self._server.run()  # the backend's end is the session's end
        finally:
            client.cancel()
            if self._beginner is not None:
                self._beginner.cancel()
            await asyncio.gather(client, *filter(None, [self._beginner]), return_exceptions=True)
            self._close()

    def _close(self) -> None:
        self._gate.leave()
        self._statements.release()
        if self._world.sessions.get(self._talk.pid) is self:
            del self._world.sessions[self._talk.pid]
            self._world.touch()
        self._talk.close()

    def _logged_in(self) -> None:
        if self._beginner is None:
            self._beginner = asyncio.create_task(self._begin())

    async def _begin(self) -> None:
        """After the login, before the client may send its first statement."""
        self._number = self._world.next_sess_id()
        self.sess_id = self._number if self._given_number is None else self._given_number
        self._presence.sess_id = self.sess_id
        self._world.sessions[self._talk.pid] = self
        self._world.touch()
        failure = await self._gate.ask()
        if failure is not None:  # a database that was not made from one of ours
            self._talk.reply(failure)
            self._talk.client_out.close()
            self._talk.server_out.write_eof()
            return
        self._talk.started = True
        self._talk.reply(wire.ready(self._talk.status))
        self._talk.owe(-1)

    def row(self) -> dict[str, object]:
        """What the state says of it."""
        return {
            "pid": self._talk.pid,
            "sess_id": self.sess_id,
            "number": self._number,
            "writer": not self._gate.alone,
            "client_addr": self._peer[0],
            "client_port": self._peer[1],
            **self._gate.row(),
        }

    def move(self, group: int) -> None:
        """Its transaction goes to another group."""
        self._gate.move(group)
