# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes from the backend: passed on, in the words of the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from . import reports, wire
from .client_side import CHUNK
from .conversation import IDLE, Conversation, Hidden
from .gate import Gate
from .group_statements import GroupStatements
from .helper import HelperError
from .presence import Presence
from .translate import PREFIX
from .world import World

_ROLE_TAGS = (b"CREATE ROLE", b"ALTER ROLE", b"DROP ROLE", b"GRANT ROLE", b"REVOKE ROLE", b"DO\0", b"CALL\0")
_ROLE_CHANGES = ("CREATE ROLE", "ALTER ROLE")
_WATCHED = frozenset(b"ZENCTGWKS")  # the only kinds of message that are looked into
_COPY_IN = (b"G", b"W")
_APPLICATION_NAME = b"application_name\0"


class ServerSide:
    """Reads the backend until its end."""

    def __init__(
        self,
        world: World,
        conversation: Conversation,
        gate: Gate,
        presence: Presence,
        statements: GroupStatements,
        messages: Path,
        begin: Callable[[], None],
    ) -> None:
        self._world = world
        self._talk = conversation
        self._gate = gate
        self._presence = presence
        self._statements = statements
        self._messages = messages
        self._begin = begin
        self._roles_changed = False

    async def run(self) -> None:
        """Until the backend is gone."""
        buffer = wire.FrameBuffer()
        with contextlib.suppress(ConnectionError):
            while data := await self._talk.server_in.read(CHUNK):
                out = bytearray()
                for raw in buffer.feed(data):
                    if self._talk.hidden is None and raw[0] not in _WATCHED:
                        out += raw
                    else:
                        out += await self._answer(raw)
                if out and not self._talk.client_out.is_closing():
                    self._talk.client_out.write(out)
                    with contextlib.suppress(ConnectionError):  # the client side tells the backend that nobody reads
                        await self._talk.client_out.drain()

    async def _answer(self, raw: bytes) -> bytes:
        kind = raw[:1]
        if kind in (b"E", b"N"):
            raw = self._rewritten(raw)
        if self._talk.hidden is not None and kind != b"S":
            return _to_hidden(self._talk.hidden, kind, raw)
        if kind == b"Z":
            return await self._on_ready(raw)
        if kind == b"C":
            return self._on_complete(raw)
        if kind == b"T" and raw.startswith(PREFIX.encode(), wire.HEADER + 2):
            return wire.frame(b"T", raw[5:7] + raw[7 + len(PREFIX) :])  # the name of what SHOW shows
        if kind == b"S" and raw.startswith(b"server_version\0", wire.HEADER):
            return wire.parameter("server_version", self._world.profile.server_version)
        self._notice(kind, raw)
        return raw

    def _notice(self, kind: bytes, raw: bytes) -> None:
        """What is passed on as it is, and says something of the session."""
        if kind == b"S" and raw.startswith(_APPLICATION_NAME, wire.HEADER):
            self._talk.application_name = wire.cut_string(wire.body(raw), len(_APPLICATION_NAME))[0]
        if kind == b"K":
            self._talk.pid = int.from_bytes(raw[5:9], "big")
        if kind in _COPY_IN:
            self._talk.copying_in = True
            if self._talk.extended:
                self._talk.owe_nothing()  # a Sync sent ahead is ignored: the one after the copy counts

    def _rewritten(self, raw: bytes) -> bytes:
        older = self._world.profile.old_words
        report = reports.rewrite(raw, self._talk.pid, self._messages, self._talk.syntax, shorter=older)
        if report.mark is not None and "entered" in report.mark:
            self._presence.enter_function(report.mark["entered"], report.mark["rows"])
        elif report.mark is not None and "move" in report.mark:
            self._world.move(report.mark["move"], report.mark["group"])
        elif report.mark is not None:
            self._talk.tag = report.mark["tag"]
            if report.mark["apply"] == self._talk.pid:
                self._statements.apply()
        return report.raw

    async def _on_ready(self, raw: bytes) -> bytes:
        if not self._talk.started:
            self._begin()
            return b""
        self._talk.status = raw[5:6]
        self._talk.tag = self._talk.syntax = None
        self._presence.over()
        self._statements.release()
        if self._talk.status == IDLE:
            self._gate.leave()
            if self._roles_changed:
                self._roles_changed = False
                with contextlib.suppress(HelperError):
                    await self._world.refresh_roles()
        self._talk.owe(-1)
        return raw

    def _on_complete(self, raw: bytes) -> bytes:
        self._presence.done()
        if self._talk.tag in _ROLE_CHANGES or raw.startswith(_ROLE_TAGS, wire.HEADER):
            self._roles_changed = True
        if self._talk.tag is None:
            return raw
        tag, self._talk.tag = self._talk.tag, None
        return wire.frame(b"C", wire.encode(tag) + b"\0")


def _to_hidden(hidden: Hidden, kind: bytes, raw: bytes) -> bytes:
    if kind == b"D":
        hidden.rows.append(wire.parse_data_row(wire.body(raw)))
    elif kind == b"E":
        hidden.error = raw
        if wire.parse_fields(wire.body(raw)).get("V") == "FATAL":
            return raw  # the backend is leaving: there will be no ReadyForQuery
    elif kind == b"Z":
        hidden.finish()
    return b""
