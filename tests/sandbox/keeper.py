# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the advisory locks that queued backends wait on."""

from __future__ import annotations

import asyncio

from .helper import Door, Helper

LOCK_CLASS = 0x67706F70


class LockKeeper:
    """One connection for each database in which somebody waits, as advisory locks are a database's own.

    It is closed with its last lock: it must not stand in the way of DROP DATABASE.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._helpers: dict[str, Helper] = {}
        self._databases: dict[int, str] = {}
        self._turn = asyncio.Lock()

    def pids(self) -> list[int]:
        return [helper.pid for helper in self._helpers.values()]

    async def hold(self, key: int, database: str) -> None:
        await asyncio.shield(self._hold(key, database))

    async def give_back(self, key: int) -> None:
        """Wakes the waiter; a key that is not held (any more) is nothing to wake for."""
        await asyncio.shield(self._give_back(key))

    # A session that ends meanwhile cancels its wait for these, not the half of one.

    async def _hold(self, key: int, database: str) -> None:
        async with self._turn:
            if database not in self._helpers:
                self._helpers[database] = await Helper.connect(self._door, database=database)
            await self._helpers[database].query(f"SELECT pg_advisory_lock({LOCK_CLASS}, {key})")
            self._databases[key] = database

    async def _give_back(self, key: int) -> None:
        async with self._turn:
            database = self._databases.pop(key, None)
            if database is None:
                return
            helper = self._helpers[database]
            await helper.query(f"SELECT pg_advisory_unlock({LOCK_CLASS}, {key})")
            if database not in self._databases.values():
                del self._helpers[database]
                await helper.close()
