# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The moment by which a module must be done. Private to the collection."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import interruption
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    DeadlineExceeded,
)


class Deadline:
    """The moment by which a module must be done.

    Args:
        seconds: From now on.
        clock: A monotonic clock in seconds.
    """

    def __init__(self, seconds: float, clock: t.Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - self._clock())

    @contextlib.contextmanager
    def enforced(self, message: str | None, least: float = 0.001) -> t.Iterator[None]:
        """Interrupt what is computed inside when the time is over, such as a regular expression that backtracks.

        Only the main thread can be interrupted; elsewhere nothing is enforced. An alarm that was set before, such as
        that of a task's own timeout, still comes at its time.

        Args:
            message: With None nothing is enforced.
            least: Seconds that it has even if the time is over already.

        Raises:
            DeadlineExceeded: With this message.
        """
        if message is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        seconds = max(self.remaining(), least)
        earlier = signal.getitimer(signal.ITIMER_REAL)[0]
        if 0 < earlier <= seconds:
            with interruption.current().interrupts():
                yield
            return

        def expire(*_dummy: object) -> t.NoReturn:
            raise DeadlineExceeded(message)

        start = time.monotonic()
        before = signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            if earlier:
                signal.setitimer(signal.ITIMER_REAL, max(earlier - (time.monotonic() - start), 0.001))

    def part(self, share: float) -> Deadline:
        """A deadline that ends after this share of the time that is left."""
        return Deadline(self.remaining() * share, self._clock)
