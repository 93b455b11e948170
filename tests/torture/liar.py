# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relay that passes statements on, so that they take effect, and tells of one something else than the server did."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import socket
import struct
import threading
import typing as t

from sandbox import wire
from torture.scale import scaled

_ANSWER = b"TDCEIGHW"
_TEXT, _INT, _UNHEARD_OF = 25, 23, 987654


@dataclasses.dataclass
class Answer:
    """What a server says to one statement, before it is ready for the next.

    Attributes:
        names: Of the columns; no name is no RowDescription.
        types: Of the columns.
        rows: Of bytes or NULL.
        tag: Of the end, or None.
        before: Other messages, before all of that.
        behind: The same after it.
    """

    names: list[bytes] = dataclasses.field(default_factory=list)
    types: list[int] = dataclasses.field(default_factory=list)
    rows: list[list[bytes | None]] = dataclasses.field(default_factory=list)
    tag: bytes | None = b"SELECT 1"
    before: bytes = b""
    behind: bytes = b""

    @classmethod
    def of(cls, frames: t.Iterable[bytes]) -> Answer:
        found = cls(tag=None)
        for frame in frames:
            kind, body = frame[:1], wire.body(frame)
            if kind == b"T":
                found._describe(body)
            elif kind == b"D":
                found.rows.append([None if v is None else wire.encode(v) for v in wire.parse_data_row(body)])
            elif kind == b"C":
                found.tag = body[:-1]
            else:
                found.before += frame
        return found

    def _describe(self, body: bytes) -> None:
        place = 2
        for _each in range(int.from_bytes(body[:2], "big")):
            end = body.index(b"\0", place)
            self.names.append(body[place:end])
            self.types.append(int.from_bytes(body[end + 7 : end + 11], "big"))
            place = end + 19

    def frames(self) -> bytes:
        parts = [self.before]
        if self.names or self.rows:
            columns = zip(self.names, self.types, strict=True)
            described = b"".join(name + b"\0" + struct.pack("!IHIhih", 0, 0, oid, -1, -1, 0) for name, oid in columns)
            parts.append(wire.frame(b"T", struct.pack("!H", len(self.names)) + described))
            parts += [wire.frame(b"D", _row(row)) for row in self.rows]
        if self.tag is not None:
            parts.append(wire.frame(b"C", self.tag + b"\0"))
        return b"".join([*parts, self.behind])


def _row(values: t.Sequence[bytes | None]) -> bytes:
    parts = [struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values]
    return struct.pack("!H", len(values)) + b"".join(parts)


Shape = t.Callable[[Answer], "Answer | bytes"]


class Liar:
    """A relay in front of a server.

    Args:
        host: The server's.
        port: The server's.
        number: The statement, from 0, whose answer is another.
        shape: What becomes of the answer.
        on: Tells of it and of all after it something else.

    Attributes:
        statements: The simple queries that went by, of all connections.
    """

    def __init__(self, host: str, port: int, number: int, shape: Shape, on: bool = False) -> None:
        self._server = (host, port)
        self._number, self._shape, self._on = number, shape, on
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.statements: list[str] = []
        self.host, self.port = self._listener.getsockname()

    def __enter__(self) -> t.Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    @property
    def lied(self) -> bool:
        """Whether it came to that statement."""
        return len(self.statements) > self._number

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                asked: list[int] = []
                threading.Thread(target=self._from_client, args=(client, server, asked), daemon=True).start()
                threading.Thread(target=self._from_server, args=(server, client, asked), daemon=True).start()

    def _from_client(self, client: socket.socket, server: socket.socket, asked: list[int]) -> None:
        with contextlib.suppress(OSError, EOFError):
            started = False
            while True:
                kind = _exactly(client, 1) if started else b""
                head = _exactly(client, 4)
                body = _exactly(client, int.from_bytes(head, "big") - 4)
                if not started and body[:2] == b"\x00\x03":
                    started = True
                if kind == b"Q":
                    with self._lock:
                        asked.append(len(self.statements))
                        self.statements.append(body[:-1].decode("utf-8", "replace"))
                server.sendall(kind + head + body)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _from_server(self, server: socket.socket, client: socket.socket, asked: list[int]) -> None:
        buffer = wire.FrameBuffer()
        kept: list[bytes] = []
        with contextlib.suppress(OSError):
            first = server.recv(1)
            if first in (b"N", b"S"):  # no to TLS or GSS
                client.sendall(first)
                first = b""
            data = first
            while data or (data := server.recv(65536)):
                for frame in buffer.feed(data):
                    client.sendall(self._told(frame, kept, asked))
                data = b""
            client.shutdown(socket.SHUT_WR)

    def _told(self, frame: bytes, kept: list[bytes], asked: list[int]) -> bytes:
        """What is told of a message; those of an answer that becomes another one are kept until its end."""
        lies = bool(asked) and (asked[0] >= self._number if self._on else asked[0] == self._number)
        if frame[:1] != b"Z":
            if not lies or frame[:1] not in _ANSWER:
                return frame
            kept.append(frame)
            return b""
        if asked:
            asked.pop(0)
        if not kept:
            return frame
        told = self._shape(Answer.of(kept))
        kept.clear()
        return (told if isinstance(told, bytes) else told.frames()) + frame


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


# What a column holds in place of what it should.
VALUES: dict[str, bytes | None] = {
    "nothing": None,
    "empty": b"",
    "a word": b"abc",
    "a negative number": b"-1",
    "zero": b"0",
    "a number beyond 32 bits": b"4294967296",
    "a number beyond 64 bits": b"99999999999999999999999999",
    "a number of a million digits": b"9" * 1_000_000,
    "a fraction": b"1.5",
    "no number": b"NaN",
    "infinity": b"Infinity",
    "a huge exponent": b"1e999999",
    "a hexadecimal number": b"0x10",
    "digits of another script": "\u0661\u0662".encode(),
    "true": b"t",
    "maybe": b"maybe",
    "bytes of no text": b"\xff\xfe\xf0\x28",
    "a NUL": b"a\0b",
    "control characters": b"\x1b[31m\x07\r\n",
    "five megabytes": b"x" * 5_000_000,
    "a year out of range": b"99999999-01-01 00:00:00+00",
    "before Christ": b"0044-03-15 12:00:00+00 BC",
    "JSON null": b"null",
    "JSON text": b'"x"',
    "JSON number": b"12",
    "a JSON number of a million digits": b"[" + b"9" * 1_000_000 + b"]",
    "JSON record": b"{}",
    "a JSON record of another shape": b'{"pid": {"pid": []}, "1": "x", "x": 1}',
    "an empty JSON list": b"[]",
    "a JSON list of nothing": b"[null]",
    "a JSON list of lists": b"[[]]",
    "a JSON list of empty records": b"[{}]",
    "a JSON list of numbers": b"[1, 2, 3]",
    "half of JSON": b'[{"pid": 1',
    "JSON, and more": b"[] []",
    "JSON with no number": b'[{"pid": NaN, "sess_id": Infinity}]',
    "JSON nested deeply": b"[" * 200_000 + b"]" * 200_000,
    "JSON records nested deeply": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "JSON nested a little": b"[" * 900 + b"]" * 900,
    "JSON with a name twice": b'[{"pid": 1, "pid": "x"}]',
    "JSON with half of a surrogate pair": b'["\\ud800"]',
}
FIELDS_OF_A_RECORD = scaled(3, 12)
# What a field in JSON holds in place of what it should.
FIELDS: dict[str, t.Any] = {
    "nothing": None,
    "a text": "abc",
    "a number in a text": "12",
    "an empty text": "",
    "a negative number": -5,
    "zero": 0,
    "a number beyond 64 bits": 10**30,
    "a fraction": 1.5,
    "true": True,
    "a list": [],
    "a list of lists": [[[]]],
    "a record": {"a": 1},
    "a NUL": "a\0b",
    "half of a surrogate pair": "\ud800",
    "a long text": "y" * 300_000,
    "a moment that is none": "2026-99-99T99:99:99.999999Z",
    "infinity": "infinity",
}


def every_value(value: bytes | None) -> Shape:
    def shape(answer: Answer) -> Answer:
        answer.rows = [[value for _each in row] for row in answer.rows]
        return answer

    return shape


def one_value(value: bytes | None, place: int) -> Shape:
    """In one column, the others as they are."""

    def shape(answer: Answer) -> Answer:
        for row in answer.rows:
            if row:
                row[place % len(row)] = value
        return answer

    return shape


def every_field(value: t.Any, place: int | None) -> Shape:
    """In each record of JSON one field is this; or all, or, where it is a record by pid, each."""

    def changed(record: t.Any) -> t.Any:
        if not isinstance(record, dict) or not record:
            return record
        names = list(record) if place is None else [list(record)[place % len(record)]]
        return {**record, **dict.fromkeys(names, value)}

    def shape(answer: Answer) -> Answer:
        for row in answer.rows:
            for number, text in enumerate(row):
                with contextlib.suppress(ValueError):
                    found = json.loads(text or b"")
                    found = [changed(each) for each in found] if isinstance(found, list) else changed(found)
                    row[number] = json.dumps(found).encode()
        return answer

    return shape


def _repeated(times: int) -> Shape:
    def shape(answer: Answer) -> Answer:
        answer.rows = [list(row) for row in answer.rows] * times
        return answer

    return shape


def _records(change: t.Callable[[list[t.Any]], list[t.Any]]) -> Shape:
    def shape(answer: Answer) -> Answer:
        for row in answer.rows:
            for number, text in enumerate(row):
                with contextlib.suppress(ValueError):
                    found = json.loads(text or b"")
                    if isinstance(found, list):
                        row[number] = json.dumps(change(found)).encode()
        return answer

    return shape


def _of(**changes: t.Any) -> Shape:
    return lambda answer: dataclasses.replace(answer, **changes)


def _columns(change: int) -> Shape:
    """One column less, or one more."""

    def shape(answer: Answer) -> Answer:
        if change < 0:
            return Answer(answer.names[:-1], answer.types[:-1], [row[:-1] for row in answer.rows], answer.tag)
        return Answer([*answer.names, b"x"], [*answer.types, _TEXT], [[*row, b"x"] for row in answer.rows], answer.tag)

    return shape


def _typed(oid: int) -> Shape:
    return lambda answer: dataclasses.replace(answer, types=[oid] * len(answer.types))


def _error(sqlstate: str, message: str, **more: str) -> Shape:
    raw = wire.report(b"E", {"S": "ERROR", "C": sqlstate, "M": message, **more})
    return lambda _answer: raw


def _notices(answer: Answer) -> Answer:
    notice = wire.report(b"N", {"S": "WARNING", "C": "01000", "M": "never mind " * 500})
    return dataclasses.replace(answer, before=notice * 3000)


def _raw(*frames: bytes) -> Shape:
    return lambda _answer: b"".join(frames)


def _with(before: bytes = b"", behind: bytes = b"") -> Shape:
    return lambda answer: dataclasses.replace(answer, before=before, behind=behind)


def _twice(answer: Answer) -> bytes:
    return copy.deepcopy(answer).frames() * 2


def _short_rows(answer: Answer) -> bytes:
    """Rows that say of a value that it is longer than the message."""
    raw = answer.frames()
    return raw.replace(b"\0\0\0\1", b"\0\0\1\0")


_ERROR_BYTES = wire.frame(b"E", b"SERROR\0C\xff\xfe\xfd\0M\xff\xf0\x28 bytes of no text\0\0")


def _no_text_of_no_type(answer: Answer) -> Answer | bytes:
    return every_value(b"\xff\xfe")(dataclasses.replace(answer, types=[_UNHEARD_OF] * len(answer.types)))


SHAPES: dict[str, Shape] = {
    "no row": _of(rows=[]),
    "two rows": _repeated(2),
    "three hundred thousand rows": _repeated(300_000),
    "a column less": _columns(-1),
    "a column more": _columns(1),
    "no column": lambda answer: Answer([], [], [[] for _row in answer.rows], answer.tag),
    "other names": lambda answer: dataclasses.replace(answer, names=[b"x"] * len(answer.names)),
    "names of no text": lambda answer: dataclasses.replace(answer, names=[b"\xff\xfe"] * len(answer.names)),
    "all are numbers": _typed(_INT),
    "types that nobody knows": _typed(_UNHEARD_OF),
    "types that nobody knows, no text": _no_text_of_no_type,
    "all are moments": _typed(1184),
    "all are bytes": _typed(17),
    "all are lists": _typed(1007),
    "all are booleans": _typed(16),
    "all are intervals": _typed(1186),
    "all are fractions": _typed(1700),
    "no command tag": _of(tag=None),
    "an empty command tag": _of(tag=b""),
    "another command tag": _of(tag=b"DROP DATABASE"),
    "a long command tag": _of(tag=b"SELECT " + b"9" * 100_000),
    "a command tag of no text": _of(tag=b"\xff\xfe\xfd"),
    "a command and no rows": _raw(wire.frame(b"C", b"ALTER ROLE\0")),
    "nothing": _raw(b""),
    "an empty statement": _raw(wire.frame(b"I")),
    "the answer twice": _twice,
    "rows cut short": _short_rows,
    "rows before their columns": lambda answer: b"".join(wire.frame(b"D", _row(row)) for row in answer.rows),
    "a copy out": _raw(wire.frame(b"H", b"\0\0\1\0\0"), wire.frame(b"d", b"x\n"), wire.frame(b"c")),
    "a message of an unknown kind": _with(before=wire.frame(b"?", b"x")),
    "a length below four": _with(before=b"D\0\0\0\1"),
    "a length of two gigabytes": _raw(b"D\x7f\xff\xff\xff" + b"x" * 1000),
    "a setting by the way": _with(
        before=wire.parameter("DateStyle", "German") + wire.parameter("client_encoding", "X")
    ),
    "a notification by the way": _with(before=wire.frame(b"A", b"\0\0\0\1channel\0text\0")),
    "three thousand notices": _notices,
    "notices of no text": _with(before=wire.frame(b"N", b"SWARNING\0C\xff\0M\xff\xfe\0\0")),
    "an error behind the rows": _with(behind=wire.error("XX000", "and then it broke")),
    "an error without a code": _error("", "no code"),
    "an error with a long code": _error("ABCDEFGHIJ" * 50, "a long code"),
    "an error with a code of no class": _error("ZZ9ZZ", "never heard of"),
    "an error that is a success": _error("00000", "successful completion"),
    "an error of a megabyte": _error("XX000", "long " * 200_000, H="help " * 200_000, D="more " * 200_000),
    "an error with control characters": _error("XX000", "\x1b[31mred\x07\r\n\0"[:-1]),
    "an error of no text": lambda _answer: _ERROR_BYTES,
    "an error without fields": lambda _answer: wire.frame(b"E", b"\0"),
    "an error for a full group": _error("57014", "canceling statement due to resource group waiting timeout"),
    "an error for memory": _error("53500", "Out of memory"),
    "an error for a privilege": _error("42501", "permission denied"),
    "a fatal error": lambda _answer: wire.error("57P01", "terminating connection", "FATAL"),
    "records twice": _records(lambda found: found * 2),
    "no record": _records(lambda _found: []),
    "three hundred thousand records": _records(lambda found: found[:1] * 300_000),
    "records of nothing": _records(lambda found: [{} for _each in found]),
    "records with more fields": _records(lambda found: [{**e, "x": {"y": [1]}} for e in found if isinstance(e, dict)]),
    "records in a list": _records(lambda found: [found]),
    **{f"everywhere {name}": every_value(value) for name, value in VALUES.items()},
    **{f"in the first column {name}": one_value(value, 0) for name, value in VALUES.items()},
    **{f"in the last column {name}": one_value(value, -1) for name, value in VALUES.items()},
    **{f"in each field {name}": every_field(value, None) for name, value in FIELDS.items()},
    **{
        f"in field {place} {name}": every_field(value, place)
        for name, value in FIELDS.items()
        for place in range(FIELDS_OF_A_RECORD)
    },
}
