# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes from the client: passed on, or made what the backend understands."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from . import reports, wire
from .conversation import IDLE, Conversation
from .gate import Gate
from .group_statements import GroupStatements
from .presence import Presence
from .translate import Translation, Translator, call
from .world import World

CHUNK = 65536

# Counters move with every transaction: only who asks for them makes the file follow at once.
_ASKS_FOR_COUNTERS = re.compile(r"resgroup_(status|move|get)|\bexecute\b", re.IGNORECASE)
_ASKS_FOR_LEDGER = "gpops_sandbox_segment_"


@dataclass(frozen=True)
class Prepared:
    """A statement of the extended protocol: the client's text, and the dialect in it."""

    text: str
    translation: Translation | None = None


class ClientSide:
    """Reads the client until it goes."""

    def __init__(
        self,
        world: World,
        translator: Translator,
        conversation: Conversation,
        gate: Gate,
        presence: Presence,
        statements: GroupStatements,
    ) -> None:
        self._world = world
        self._translator = translator
        self._talk = conversation
        self._gate = gate
        self._presence = presence
        self._statements = statements
        # the extended protocol
        self._prepared: dict[str, Prepared] = {}
        self._portals: dict[str, Prepared] = {}
        self._skipping = False  # after an error of ours, until Sync
        self._handlers: dict[bytes, Callable[[bytes], Awaitable[None]]] = {
            b"Q": self._on_query,
            b"P": self._on_parse,
            b"B": self._on_bind,
            b"E": self._on_execute,
            b"D": self._on_other,
            b"C": self._on_other,
            b"H": self._on_other,
            b"F": self._on_function,
            b"S": self._on_sync,
            b"c": self._on_copy_end,
            b"f": self._on_copy_end,
        }

    async def run(self) -> None:
        """Until the client is gone."""
        buffer = wire.FrameBuffer()
        with contextlib.suppress(ConnectionError, wire.ProtocolError):
            while data := await self._talk.client_in.read(CHUNK):
                for raw in buffer.feed(data):
                    await self._before(at_the_end=raw[:1] == b"X")
                    await self._handlers.get(raw[:1], self._pass)(raw)
                await self._talk.server_out.drain()
        await self._before(at_the_end=True)
        # as with a vanished client: the backend finishes what it has, then meets the end of its input
        with contextlib.suppress(OSError):
            self._talk.server_out.write_eof()

    async def _before(self, *, at_the_end: bool) -> None:
        """Before each message of the client; its end is one, but the backend meets it after what it still runs."""
        if at_the_end and self._talk.started and not self._talk.copying_in:
            await self._talk.settle()
            if self._gate.tainted and self._talk.status == IDLE:
                await self._gate.enter(self._presence.text, None)  # an error ends the wait, not the end
        await self._presence.pay()

    async def _pass(self, raw: bytes) -> None:
        self._talk.server_out.write(raw)

    async def _on_query(self, raw: bytes) -> None:
        await self._talk.settle()
        self._talk.extended = False
        text = wire.decode(raw[wire.HEADER : -1])
        translation = self._translator.translate(text, self._talk.status != IDLE)
        if not await self._enter(text, translation):
            self._talk.reply(wire.ready(self._talk.status))
            return
        if translation is not None:
            raw = wire.query(await self._translated(text, translation))
        self._talk.owe(1)
        self._presence.run(text, translation)
        self._send(text, raw)

    async def _on_function(self, raw: bytes) -> None:
        await self._talk.settle()
        if not await self._enter("", None, is_sql=False):
            self._talk.reply(wire.ready(self._talk.status))
            return
        self._talk.owe(1)
        self._send("", raw)

    async def _on_parse(self, raw: bytes) -> None:
        payload = wire.body(raw)
        name, position = wire.cut_string(payload)
        text, rest = wire.cut_string(payload, position)
        await self._talk.settle()
        prepared = Prepared(text, self._translator.translate(text, self._talk.status != IDLE))
        self._prepared[name] = prepared
        if not await self._enter_extended(prepared):
            return
        if prepared.translation is not None:
            sent = prepared.translation.text
            if prepared.translation.group_statement is not None:
                sent = call("verdict", str(self._talk.pid), text)
            self._note_problem(text, prepared.translation)
            raw = wire.frame(b"P", wire.encode(name) + b"\0" + wire.encode(sent) + b"\0" + payload[rest:])
        self._send(text, raw)

    async def _on_bind(self, raw: bytes) -> None:
        payload = wire.body(raw)
        portal, position = wire.cut_string(payload)
        name, _dummy = wire.cut_string(payload, position)
        prepared = self._portals[portal] = self._prepared.get(name, Prepared(""))
        if await self._enter_extended(prepared):
            self._send(prepared.text, raw)

    async def _on_execute(self, raw: bytes) -> None:
        portal, _dummy = wire.cut_string(wire.body(raw))
        prepared = self._portals.get(portal, Prepared(""))
        if not await self._enter_extended(prepared):
            return
        if prepared.translation is not None and prepared.translation.group_statement is not None:
            await self._statements.note(prepared.translation)
        self._presence.run(prepared.text, prepared.translation)
        self._send(prepared.text, raw)

    async def _on_other(self, raw: bytes) -> None:
        """Describe, Close and Flush keep their place in the sequence."""
        if self._skipping:
            return
        if not self._talk.copying_in:
            await self._talk.settle()
        self._talk.server_out.write(raw)

    async def _on_sync(self, raw: bytes) -> None:
        if self._skipping:
            self._skipping = False
            self._talk.reply(wire.ready(self._talk.status))
            return
        self._talk.extended = True
        if not self._talk.copying_in:  # the server ignores Sync while it copies in
            self._talk.owe(1)
        self._talk.server_out.write(raw)

    async def _on_copy_end(self, raw: bytes) -> None:
        self._talk.copying_in = False
        self._talk.server_out.write(raw)

    def _send(self, text: str, raw: bytes) -> None:
        """A statement with this text goes to the backend, which may look at the state."""
        self._gate.notice(text)
        if _ASKS_FOR_COUNTERS.search(text):
            self._world.touch()
        if _ASKS_FOR_LEDGER in text:
            self._world.write_ledger()
        self._world.flush()
        self._talk.server_out.write(raw)

    async def _enter(self, text: str, translation: Translation | None, *, is_sql: bool = True) -> bool:
        """Into the resource group, or with an error for the client."""
        if self._talk.status != IDLE:
            return True
        failure = await self._gate.enter(text, translation, is_sql=is_sql)
        if failure is not None:
            self._talk.reply(failure)
        return failure is None

    async def _enter_extended(self, prepared: Prepared) -> bool:
        if self._skipping:
            return False
        await self._talk.settle()
        if await self._enter(prepared.text, prepared.translation):
            return True
        self._skipping = True
        return False

    async def _translated(self, text: str, translation: Translation) -> str:
        self._note_problem(text, translation)
        if translation.group_statement is None:
            return translation.text
        return call("answer", await self._statements.decide(translation), text)

    def _note_problem(self, text: str, translation: Translation) -> None:
        if translation.problem is not None:
            self._talk.syntax = reports.Syntax(str(translation.problem), translation.problem.position(text))
