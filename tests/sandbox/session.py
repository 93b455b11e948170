# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One client and its backend: passes frames on, and steps in where the engine would differ from PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from . import reports, wire
from .gate import Gate, HiddenAnswer
from .helper import HelperError
from .price import Debt
from .rules import Applied, DropGroup, Refused
from .segments import Reach, reach
from .translate import PREFIX, Translation, Translator, answer_order, call
from .world import World

CHUNK = 65536

_IDLE = b"I"
# Counters move with every transaction: only who asks for them makes the file follow at once.
_ASKS_FOR_COUNTERS = re.compile(r"resgroup_(status|move|get)|\bexecute\b", re.IGNORECASE)
_ROLE_TAGS = (b"CREATE ROLE", b"ALTER ROLE", b"DROP ROLE", b"GRANT ROLE", b"REVOKE ROLE", b"DO\0", b"CALL\0")
_ROLE_CHANGES = ("CREATE ROLE", "ALTER ROLE")
_WATCHED = frozenset(b"ZENCTGWKS")  # the only kinds of message that are looked into
_COPY_IN = (b"G", b"W")
_APPLICATION_NAME = b"application_name\0"
_ASKS_FOR_LEDGER = "gpops_sandbox_segment_"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Prepared:
    """A statement of the extended protocol: the client's text, and the dialect in it."""

    text: str
    translation: Translation | None = None


class Hidden:
    """Collects the answer to a statement that the client did not send."""

    def __init__(self) -> None:
        self.done: asyncio.Future[HiddenAnswer] = asyncio.get_running_loop().create_future()
        self.rows: list[list[str | None]] = []
        self.error: bytes | None = None

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(HiddenAnswer(self.rows, self.error))


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
        self._translator = translator
        self._client_in, self._client_out = client
        self._server_in, self._server_out = server
        self._messages = messages
        self._peer = self._client_out.get_extra_info("peername") or ("127.0.0.1", 0)
        self._gate = Gate(world, self._run_hidden)
        self._pid = 0
        self.sess_id = 0  # as the process list shows it: a login may give itself any
        self._number = 0  # as the lock table shows it
        self._given_number = given_number
        self._status = _IDLE
        self._started = False
        self._gone = False
        self._beginner: asyncio.Task[None] | None = None
        self._hidden: Hidden | None = None
        self._pending = 1  # ReadyForQuery messages that the server owes, the first for the login
        self._settled = asyncio.Event()
        # the extended protocol
        self._prepared: dict[str, Prepared] = {}
        self._portals: dict[str, Prepared] = {}
        self._skipping = False  # after an error of ours, until Sync
        self._extended = False
        self._copying_in = False
        # the statement under way
        self._tag: str | None = None
        self._syntax: reports.Syntax | None = None
        self._verdict: Applied | None = None
        self._holds_lock = False
        self._roles_changed = False
        self._text = ""
        # what it does on segments
        self._application_name = ""
        self._debt = Debt(world.profile)
        self._on_segments = False
        self._reaching = False  # it reaches the segments as soon as its statement is done
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

    # --- life --------------------------------------------------------------

    async def run(self) -> None:
        client = asyncio.create_task(self._client_side())
        try:
            await self._server_side()  # the backend's end is the session's end
        finally:
            self._gone = True
            client.cancel()
            if self._beginner is not None:
                self._beginner.cancel()
            await asyncio.gather(client, *filter(None, [self._beginner]), return_exceptions=True)
            self._close()

    def _close(self) -> None:
        self._gate.leave()
        self._release_lock()
        if self._world.sessions.get(self._pid) is self:
            del self._world.sessions[self._pid]
            self._world.touch()
        self._client_out.close()
        self._server_out.close()

    async def _begin(self) -> None:
        """After the login, before the client may send its first statement."""
        self._number = self._world.next_sess_id()
        self.sess_id = self._number if self._given_number is None else self._given_number
        self._world.sessions[self._pid] = self
        self._world.touch()
        failure = await self._gate.ask()
        if failure is not None:  # a database that was not made from one of ours
            self._reply(failure)
            self._client_out.close()
            self._server_out.write_eof()
            return
        self._started = True
        self._reply(wire.ready(self._status))
        self._owe(-1)

    def row(self) -> dict[str, object]:
        return {
            "pid": self._pid,
            "sess_id": self.sess_id,
            "number": self._number,
            "writer": not self._gate.alone,
            "client_addr": self._peer[0],
            "client_port": self._peer[1],
            **self._gate.row(),
        }

    def move(self, group: int) -> None:
        self._gate.move(group)

    # --- from the client ---------------------------------------------------

    async def _client_side(self) -> None:
        buffer = wire.FrameBuffer()
        with contextlib.suppress(ConnectionError, wire.ProtocolError):
            while data := await self._client_in.read(CHUNK):
                for raw in buffer.feed(data):
                    await self._pay(at_the_end=raw[:1] == b"X")
                    await self._handlers.get(raw[:1], self._pass)(raw)
                await self._server_out.drain()
        await self._pay(at_the_end=True)
        # as with a vanished client: the backend finishes what it has, then meets the end of its input
        with contextlib.suppress(OSError):
            self._server_out.write_eof()

    async def _pass(self, raw: bytes) -> None:
        self._server_out.write(raw)

    async def _on_query(self, raw: bytes) -> None:
        await self._settle()
        self._extended = False
        text = wire.decode(raw[wire.HEADER : -1])
        translation = self._translator.translate(text, self._status != _IDLE)
        if not await self._enter(text, translation):
            self._reply(wire.ready(self._status))
            return
        if translation is not None:
            raw = wire.query(await self._translated(text, translation))
        self._owe(1)
        self._run(text, translation)
        self._send(text, raw)

    async def _on_function(self, raw: bytes) -> None:
        await self._settle()
        if not await self._enter("", None, is_sql=False):
            self._reply(wire.ready(self._status))
            return
        self._owe(1)
        self._send("", raw)

    async def _on_parse(self, raw: bytes) -> None:
        payload = wire.body(raw)
        name, position = wire.cut_string(payload)
        text, rest = wire.cut_string(payload, position)
        await self._settle()
        prepared = Prepared(text, self._translator.translate(text, self._status != _IDLE))
        self._prepared[name] = prepared
        if not await self._enter_extended(prepared):
            return
        if prepared.translation is not None:
            sent = prepared.translation.text
            if prepared.translation.group_statement is not None:
                sent = call("verdict", str(self._pid), text)
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
            self._world.verdicts[str(self._pid)] = await self._decide(prepared.translation)
            self._world.touch()
        self._run(prepared.text, prepared.translation)
        self._send(prepared.text, raw)

    async def _on_other(self, raw: bytes) -> None:
        """Describe, Close and Flush keep their place in the sequence."""
        if self._skipping:
            return
        if not self._copying_in:
            await self._settle()
        self._server_out.write(raw)

    async def _on_sync(self, raw: bytes) -> None:
        if self._skipping:
            self._skipping = False
            self._reply(wire.ready(self._status))
            return
        self._extended = True
        if not self._copying_in:  # the server ignores Sync while it copies in
            self._owe(1)
        self._server_out.write(raw)

    async def _on_copy_end(self, raw: bytes) -> None:
        self._copying_in = False
        self._server_out.write(raw)

    def _send(self, text: str, raw: bytes) -> None:
        """A statement with this text goes to the backend, which may look at the state."""
        self._gate.notice(text)
        if _ASKS_FOR_COUNTERS.search(text):
            self._world.touch()
        if _ASKS_FOR_LEDGER in text:
            self._world.write_ledger()
        self._world.flush()
        self._server_out.write(raw)

    def _reply(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._client_out.write(data)

    def _owe(self, change: int) -> None:
        self._pending = max(self._pending + change, 0)
        if self._pending:
            self._settled.clear()
        else:
            self._settled.set()

    async def _settle(self) -> None:
        """Until the server has answered what came before: only then is the transaction's status known."""
        if self._pending:
            await self._settled.wait()

    # --- the segments ------------------------------------------------------

    def _run(self, text: str, translation: Translation | None) -> None:
        """A statement is about to run: some start this session's processes on the segments."""
        self._text = text
        if self._on_segments or self._gate.alone or (translation is not None and translation.problem is not None):
            return
        found = reach(text, self._world.catalog)
        if found is Reach.AT_ONCE:
            self._reach_segments()
        self._reaching = found is Reach.IF_DONE

    def _reach_segments(self) -> None:
        """Once a session: its processes there live as long as it does."""
        self._reaching = False
        if not self._on_segments and not self._gate.alone:
            self._on_segments = True
            self._world.ledger.add(self._pid, self.sess_id, self._application_name, self._text)

    def _enter_function(self, function: str, rows: int) -> None:
        """A function with a SET clause was called: the segments will be told before the next message."""
        if not self._gate.alone:
            self._debt.entered(self._text, function, rows, self._gate.bypass)
            self._reach_segments()

    async def _pay(self, *, at_the_end: bool) -> None:
        """Before each message of the client; its end is one, but the backend meets it after what it still runs."""
        if at_the_end and self._started and not self._copying_in:
            await self._settle()
            if self._gate.tainted and self._status == _IDLE:
                await self._gate.enter(self._text, None)  # an error ends the wait, not the end
        if self._debt.seconds:
            await self._debt.pay()

    # --- the group ---------------------------------------------------------

    async def _enter(self, text: str, translation: Translation | None, *, is_sql: bool = True) -> bool:
        if self._status != _IDLE:
            return True
        failure = await self._gate.enter(text, translation, is_sql=is_sql)
        if failure is not None:
            self._reply(failure)
        return failure is None

    async def _enter_extended(self, prepared: Prepared) -> bool:
        if self._skipping:
            return False
        await self._settle()
        if await self._enter(prepared.text, prepared.translation):
            return True
        self._skipping = True
        return False

    async def _run_hidden(self, sql: str) -> HiddenAnswer:
        """Runs a statement that the client does not see."""
        hidden = self._hidden = Hidden()
        self._server_out.write(wire.query(sql))
        try:
            return await hidden.done
        finally:
            self._hidden = None

    # --- the dialect -------------------------------------------------------

    async def _translated(self, text: str, translation: Translation) -> str:
        self._note_problem(text, translation)
        if translation.group_statement is None:
            return translation.text
        return call("answer", await self._decide(translation), text)

    def _note_problem(self, text: str, translation: Translation) -> None:
        if translation.problem is not None:
            self._syntax = reports.Syntax(str(translation.problem), translation.problem.position(text))

    async def _decide(self, translation: Translation) -> str:
        """The answer to one resource group statement, by the rules as they stand now."""
        parsed = translation.group_statement
        assert parsed is not None
        if self._status != _IDLE:
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
        return answer_order(result, parsed.notices * 2, apply=self._pid)

    def _release_lock(self) -> None:
        if self._holds_lock:
            self._holds_lock = False
            self._verdict = None
            self._world.verdicts.pop(str(self._pid), None)
            self._world.statement_lock.release()

    # --- from the server ---------------------------------------------------

    async def _server_side(self) -> None:
        buffer = wire.FrameBuffer()
        with contextlib.suppress(ConnectionError):
            while data := await self._server_in.read(CHUNK):
                out = bytearray()
                for raw in buffer.feed(data):
                    if self._hidden is None and raw[0] not in _WATCHED:
                        out += raw
                    else:
                        out += await self._from_server(raw)
                if out and not self._client_out.is_closing():
                    self._client_out.write(out)
                    with contextlib.suppress(ConnectionError):  # the client side tells the backend that nobody reads
                        await self._client_out.drain()

    async def _from_server(self, raw: bytes) -> bytes:
        kind = raw[:1]
        if kind in (b"E", b"N"):
            raw = self._rewritten(raw)
        if self._hidden is not None and kind != b"S":
            return self._to_hidden(self._hidden, kind, raw)
        if kind == b"Z":
            return await self._on_ready(raw)
        if kind == b"C":
            return self._on_complete(raw)
        if kind == b"T" and raw.startswith(PREFIX.encode(), wire.HEADER + 2):
            return wire.frame(b"T", raw[5:7] + raw[7 + len(PREFIX) :])  # the name of what SHOW shows
        if kind == b"S" and raw.startswith(b"server_version\0", wire.HEADER):
            return wire.parameter("server_version", self._world.profile.server_version)
        if kind == b"S" and raw.startswith(_APPLICATION_NAME, wire.HEADER):
            self._application_name = wire.cut_string(wire.body(raw), len(_APPLICATION_NAME))[0]
        if kind == b"K":
            self._pid = int.from_bytes(raw[5:9], "big")
        if kind in _COPY_IN:
            self._copying_in = True
            if self._extended:
                self._owe(-self._pending)  # a Sync sent ahead is ignored: the one after the copy counts
        return raw

    def _rewritten(self, raw: bytes) -> bytes:
        older = self._world.profile.old_words
        report = reports.rewrite(raw, self._pid, self._messages, self._syntax, shorter=older)
        if report.mark is not None and "entered" in report.mark:
            self._enter_function(report.mark["entered"], report.mark["rows"])
        elif report.mark is not None and "move" in report.mark:
            self._world.move(report.mark["move"], report.mark["group"])
        elif report.mark is not None:
            self._tag = report.mark["tag"]
            if report.mark["apply"] == self._pid and self._verdict is not None:
                self._world.apply(self._verdict.state)
                self._verdict = None
        return report.raw

    def _to_hidden(self, hidden: Hidden, kind: bytes, raw: bytes) -> bytes:
        if kind == b"D":
            hidden.rows.append(wire.parse_data_row(wire.body(raw)))
        elif kind == b"E":
            hidden.error = raw
            if wire.parse_fields(wire.body(raw)).get("V") == "FATAL":
                return raw  # the backend is leaving: there will be no ReadyForQuery
        elif kind == b"Z":
            hidden.finish()
        return b""

    async def _on_ready(self, raw: bytes) -> bytes:
        if not self._started:
            if self._beginner is None:
                self._beginner = asyncio.create_task(self._begin())
            return b""
        self._status = raw[5:6]
        self._tag = self._syntax = None
        self._reaching = False
        self._release_lock()
        if self._status == _IDLE:
            self._gate.leave()
            if self._roles_changed:
                self._roles_changed = False
                with contextlib.suppress(HelperError):
                    await self._world.refresh_roles()
        self._owe(-1)
        return raw

    def _on_complete(self, raw: bytes) -> bytes:
        if self._reaching:
            self._reach_segments()
        if self._tag in _ROLE_CHANGES or raw.startswith(_ROLE_TAGS, wire.HEADER):
            self._roles_changed = True
        if self._tag is None:
            return raw
        tag, self._tag = self._tag, None
        return wire.frame(b"C", wire.encode(tag) + b"\0")
