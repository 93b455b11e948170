# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all servers of these tests share: a listener in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import typing as t

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """A listener for as long as a with block lasts."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._writers: list[asyncio.StreamWriter] = []
        self._welcomes: set[asyncio.Task[None]] = set()
        self._closed = False
        self.port = int(self._socket.getsockname()[1])

    def __enter__(self) -> t.Self:
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._knocked)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._closed = True
        self.shut()
        # No task is cancelled: one that just accepts or makes a connection would leave it open.
        others: set[asyncio.Task[t.Any]] | None = None
        while others is None or others:
            for writer in self._writers:
                writer.transport.abort()
            # A round of the loop, for what was aborted goes away in the next one.
            await asyncio.sleep(0)
            others = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
            if others:
                await asyncio.wait(others, timeout=0.1)

    def login(self, options: t.Mapping[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
        """The options of a module, with this in place of the server."""
        return {**options, "login_host": "127.0.0.1", "login_port": self.port, "ssl_mode": "disable", **more}

    def shut(self) -> None:
        """Take no more connections."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _knocked(self) -> None:
        # Not asyncio.start_server: that loses a connection which comes while it is closed.
        with contextlib.suppress(OSError):
            connection, _address = self._socket.accept()
            connection.setblocking(False)
            task = self._loop.create_task(self._welcome(connection))
            self._welcomes.add(task)
            task.add_done_callback(self._welcomes.discard)

    async def _welcome(self, connection: socket.socket) -> None:
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._accept)
        await self._loop.connect_accepted_socket(lambda: protocol, connection)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(OSError, EOFError, ssl.SSLError):
            await self.serve(reader, writer)
        writer.close()

    async def dial(self, host: str, port: int) -> Ends:
        """A connection to the real server, which ends with the listener."""
        if self._closed:
            raise ConnectionAbortedError
        reader, writer = await asyncio.open_connection(host, port)
        self._writers.append(writer)
        return reader, writer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        raise NotImplementedError
