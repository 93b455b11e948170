# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions that come and go by the hundred in a second, in a process of its own; each says what became of it.

    python -m torture.churn SECONDS SESSIONS LIFE QUERY ADDRESS PORT USER DATABASE APPLICATION

SESSIONS are there at a time, each for up to LIFE seconds, and the next one comes when one has gone. With a QUERY, a
session says its start, and then runs that with its seconds in place of {}; with none, "-", it is idle. The address is
a host or a socket's path. The password is that of the environment, and the server has to ask for it in clear, which
costs the least.

A line for each session: its pid, its start as the collection writes it (- if it does not say it), the error that it
met (- for none).

It speaks the protocol itself, without a thread: a driver takes longer for a login than the server does.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import heapq
import itertools
import os
import random
import selectors
import socket
import sys
import time
import typing as t

from sandbox import wire

WHO = (
    "SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') "
    "FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()"
)
PASSWORD = "GPOPS_CHURN_PASSWORD"
CLEARTEXT = b"\0\0\0\3"
# How long those that are told to leave have for it.
PATIENCE = 10.0


@dataclasses.dataclass
class Life:
    """One session.

    Attributes:
        statements: What it still has to send, when the server is ready for it.
        left: Whether it has said goodbye.
    """

    link: socket.socket
    statements: collections.deque[bytes]
    pid: int = 0
    start: str = "-"
    met: str = "-"
    left: bool = False
    frames: wire.FrameBuffer = dataclasses.field(default_factory=wire.FrameBuffer)

    def feed(self, data: bytes) -> bool:
        """Take what the server says; whether it is ready for the next statement."""
        ready = False
        for raw in self.frames.feed(data):
            ready |= raw[:1] == b"Z"
            self._take(raw[:1], wire.body(raw))
        return ready

    def _take(self, kind: bytes, body: bytes) -> None:
        if kind == b"K":
            self.pid = int.from_bytes(body[:4], "big")
        elif kind == b"D" and self.start == "-":
            self.start = str(wire.parse_data_row(body)[0])
        elif kind == b"E":
            fields = wire.parse_fields(body)
            self.met = fields["C"] if self.pid else f"refused:{fields['M']}".replace(" ", "_")
        elif kind == b"R" and body == CLEARTEXT:
            self.send(wire.frame(b"p", os.environ[PASSWORD].encode() + b"\0"))
        elif kind == b"R" and any(body):
            raise SystemExit("the server asks for a password in another way")

    def send(self, data: bytes) -> None:
        """Say something, if the server still listens; what became of it, its end tells."""
        with contextlib.suppress(OSError):
            self.link.sendall(data)

    def leave(self) -> None:
        """Say goodbye; the server closes."""
        if not self.left:
            self.left = True
            self.send(wire.frame(b"X"))


class Crowd:
    """All sessions of this process."""

    def __init__(self, arguments: t.Sequence[str]) -> None:
        seconds, number, life, statement, self._address, port, user, database, application = arguments
        self._end = time.monotonic() + float(seconds)
        self._number, self._life, self._port = int(number), float(life), int(port)
        self._startup = wire.startup({"user": user, "database": database, "application_name": application})
        self._statement = "" if statement == "-" else statement
        self._selector = selectors.DefaultSelector()
        # When each idle one is to leave; the number in the middle, because sessions have no order.
        self._leaving: list[tuple[float, int, Life]] = []
        self._order = itertools.count()
        self._there = 0
        self._told: list[str] = []

    def run(self) -> None:
        """Let them come and go until the time is over, and the last one has gone."""
        while time.monotonic() < self._end:
            while self._there < self._number:
                self._come()
            self._turn()
        for _when, _order, life in self._leaving:
            life.leave()
        while self._there and time.monotonic() < self._end + PATIENCE:
            self._turn()
        if self._there:
            raise SystemExit(f"{self._there} sessions did not end")
        print("\n".join(self._told))

    def _come(self) -> None:
        link = socket.socket(socket.AF_UNIX if self._address.startswith("/") else socket.AF_INET)
        link.connect(self._address if self._address.startswith("/") else (self._address, self._port))
        seconds = random.uniform(0, self._life)
        statements = [wire.query(WHO), wire.query(self._statement.format(seconds))] if self._statement else []
        life = Life(link, collections.deque(statements))
        life.send(self._startup)
        link.setblocking(False)
        self._selector.register(link, selectors.EVENT_READ, life)
        if not statements:
            heapq.heappush(self._leaving, (time.monotonic() + seconds, next(self._order), life))
        self._there += 1

    def _turn(self) -> None:
        """Listen to all until the next one has to leave."""
        now = time.monotonic()
        while self._leaving and self._leaving[0][0] <= now:
            heapq.heappop(self._leaving)[2].leave()
        wait = max(0.001, min(0.1, self._leaving[0][0] - now)) if self._leaving else 0.1
        for key, _events in self._selector.select(wait):
            self._listen(key.data)

    def _listen(self, life: Life) -> None:
        try:
            data = life.link.recv(8192)
        except OSError:
            data = b""
        if not data:
            self._gone(life)
        elif life.feed(data) and self._statement:
            if life.statements and life.met == "-":
                life.send(life.statements.popleft())
            else:
                life.leave()

    def _gone(self, life: Life) -> None:
        self._selector.unregister(life.link)
        life.link.close()
        self._there -= 1
        met = "closed" if life.met == "-" and not life.left else life.met
        self._told.append(f"{life.pid} {life.start} {met}")


if __name__ == "__main__":
    Crowd(sys.argv[1:]).run()
