# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relay in front of a server that counts statements, and goes silent after some of them."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

from sandbox import wire

_QUERY = b"Q"


class Tap:
    """Relays connections to a server.

    Args:
        host: The server's.
        port: The server's.
        silent_after: Pass this many statements; from then on swallow all bytes in both directions and
            keep the connection open, as a server does that hangs, or a network that drops packets.

    Attributes:
        statements: The simple queries that went by, of all connections.
        connections: How many connections there were.
        settings: What the last login brought along as its options.
    """

    def __init__(self, host: str, port: int, silent_after: int | None = None) -> None:
        self._server = (host, port)
        self._silent_after = silent_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.statements: list[str] = []
        self.connections = 0
        self.settings = ""
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
    def silent(self) -> bool:
        """Whether bytes are swallowed now."""
        return self._silent_after is not None and len(self.statements) > self._silent_after

    def before_connection(self) -> None:
        """What a test does before each connection."""

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self.before_connection()
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                self.connections += 1
                threading.Thread(target=self._from_client, args=(client, server), daemon=True).start()
                threading.Thread(target=self._from_server, args=(server, client), daemon=True).start()

    def _from_server(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if not self.silent:
                    client.sendall(data)
            client.shutdown(socket.SHUT_WR)

    def _from_client(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            started = False
            while True:
                kind = client.recv(1) if started else b""
                if started and not kind:
                    raise EOFError
                head = _exactly(client, 4)
                body = _exactly(client, int.from_bytes(head, "big") - 4)
                # The requests for TLS and GSS come before the start of the session, without a kind.
                if not started and body[:2] == b"\x00\x03":
                    started = True
                    self.settings = wire.parse_startup(body).get("options", "")
                if kind == _QUERY:
                    self.statements.append(body[:-1].decode("utf-8", "replace"))
                if not self.silent:
                    server.sendall(kind + head + body)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def login_through(tap: Tap, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of a module, with the tap in place of the server."""
    return {**options, "login_host": tap.host, "login_port": tap.port, "ssl_mode": "disable"}
