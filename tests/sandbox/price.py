# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a function with a SET clause costs: the session's next message waits.

The engine notes each change of a setting for its segments, and sends what it noted before the next message, be it the
end of the connection.  A function in FROM is entered once; elsewhere once a call, or once a row where it returns rows.
"""

from __future__ import annotations

import asyncio

from .profiles import Profile
from .segments import read


class Debt:
    """What one session has still to send."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._sendings = 0
        self._endless = False

    def entered(self, text: str, function: str, rows: int, bypass: bool) -> None:
        """A function with a SET clause has returned so many rows to the statement with this text."""
        times = 1 if is_in_from(text, function) else max(rows, 1)
        self._sendings += times
        limit = self._profile.endless_rows
        if bypass and limit is not None and times >= limit:
            self._endless = True

    @property
    def seconds(self) -> float:
        """How long the next message waits; for ever is infinity."""
        return float("inf") if self._endless else self._sendings * self._profile.set_price

    async def pay(self) -> None:
        """Waits as the backend does, which shows as idle meanwhile; for ever until its end ends this wait too."""
        seconds = self.seconds
        self._sendings = 0
        if self._endless:
            await asyncio.Event().wait()
        await asyncio.sleep(seconds)


def is_in_from(text: str, function: str) -> bool:
    """Whether the text calls this function in FROM; one that it does not name at all is called by another function."""
    return not any(name[-1] == function for statement in read(text) or () for name in statement.elsewhere)
