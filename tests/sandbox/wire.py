# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few parts of PostgreSQL's wire protocol that the proxy has to understand.

A frame is kept as the bytes that came in, so that what is not understood passes untouched.
"""
# pygwire was looked at: it decodes every message and insists on UTF-8, so it cannot pass frames untouched.

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_3 = 3

HEADER = 5
_LENGTH = struct.Struct("!I")


class ProtocolError(Exception):
    """The peer sent something that is not the protocol."""


class FrameBuffer:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        frames: list[bytes] = []
        rest, start, end = self._rest, 0, len(self._rest)
        while end - start >= HEADER:
            stop = start + 1 + _LENGTH.unpack_from(rest, start + 1)[0]
            if stop < start + HEADER:
                raise ProtocolError("a message length below four")
            if stop > end:
                break
            frames.append(bytes(rest[start:stop]))
            start = stop
        if start:
            del rest[:start]
        return frames


def body(raw: bytes) -> bytes:
    return raw[HEADER:]


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + _LENGTH.pack(len(payload) + 4) + payload


def encode(text: str) -> bytes:
    """Text of a client, back to its own bytes, whatever its encoding was."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def query(sql: str) -> bytes:
    return frame(b"Q", encode(sql) + b"\0")


def ready(status: bytes) -> bytes:
    return frame(b"Z", status)


def cut_string(payload: bytes, start: int = 0) -> tuple[str, int]:
    """The zero-ended string at start, and where the next field begins."""
    end = payload.index(b"\0", start)
    return decode(payload[start:end]), end + 1


def parse_fields(payload: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse."""
    return {part[:1].decode(): decode(part[1:]) for part in payload.split(b"\0") if part}


def report(kind: bytes, fields: Mapping[str, str]) -> bytes:
    """An ErrorResponse (b"E") or a NoticeResponse (b"N")."""
    payload = b"".join(name.encode() + encode(value) + b"\0" for name, value in fields.items())
    return frame(kind, payload + b"\0")


def error(sqlstate: str, message: str, severity: str = "ERROR") -> bytes:
    return report(b"E", {"S": severity, "V": severity, "C": sqlstate, "M": message})


def parameter(name: str, value: str) -> bytes:
    return frame(b"S", encode(name) + b"\0" + encode(value) + b"\0")


def parse_data_row(payload: bytes) -> list[str | None]:
    """The columns of a DataRow in text format."""
    values: list[str | None] = []
    position = 2
    for _each in range(int.from_bytes(payload[:2], "big")):
        size = int.from_bytes(payload[position : position + 4], "big", signed=True)
        position += 4
        values.append(None if size < 0 else decode(payload[position : position + size]))
        position += max(size, 0)
    return values


def parse_startup(payload: bytes) -> dict[str, str]:
    """The parameters of a StartupMessage, after its protocol number."""
    words = [decode(word) for word in payload[4:].split(b"\0")]
    names = iter(words)
    return {name: value for name, value in zip(names, names, strict=False) if name}


def startup(parameters: Mapping[str, str], version: bytes = b"\0\3\0\0") -> bytes:
    payload = version + b"".join(encode(part) + b"\0" for pair in parameters.items() for part in pair) + b"\0"
    return _LENGTH.pack(len(payload) + 4) + payload


def join(frames: Iterable[bytes]) -> bytes:
    return b"".join(frames)
