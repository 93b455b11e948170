# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timeout that a task has around its operation, heard only where the operation waits. Private to the collection.

An exception at any moment could come between an answer of the server and the note of it, and a signal that was sent
would be lost. So the alarm raises nothing: it wakes who waits for an answer, and whoever would wait after it is told.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import DeadlineExceeded


class Interrupted(DeadlineExceeded):
    """The time of the task around the operation is over."""

    def __init__(self, message: str, was_sent: bool) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class Alarm:
    """The alarm of one task.

    Attributes:
        message: What to say once it has come, else None.
        heard: Whether somebody had to stop waiting for it.
    """

    def __init__(self) -> None:
        self.message: str | None = None
        self.heard = False
        self._waiter: queue.SimpleQueue[t.Any] | None = None
        self._interrupts = False

    def ring(self, message: str) -> None:
        """It has come; this may run in a signal handler, at any moment."""
        self.message = message
        waiter = self._waiter
        if waiter is not None:
            waiter.put((False, Interrupted(message, was_sent=True)))
        if self._interrupts:
            self.check()

    @contextlib.contextmanager
    def wakes(self, waiter: queue.SimpleQueue[t.Any]) -> t.Iterator[None]:
        """While somebody waits at this queue, the alarm puts an exception into it.

        Raises:
            Interrupted: It has come already.
        """
        self._waiter = waiter
        try:
            self.check()
            yield
        finally:
            self._waiter = None

    @contextlib.contextmanager
    def interrupts(self) -> t.Iterator[None]:
        """What is computed inside may be broken off at any moment: it has done nothing that must be told."""
        self._interrupts = True
        try:
            yield
        finally:
            self._interrupts = False

    def check(self) -> None:
        """Raise Interrupted if it has come."""
        if self.message is not None:
            self.heard = True
            raise Interrupted(self.message, was_sent=False)


_current = Alarm()


def current() -> Alarm:
    """That of the task which runs now; a module has none that comes."""
    return _current


@contextlib.contextmanager
def alarm_of_the_task(message: str) -> t.Iterator[Alarm]:
    """Take over an alarm that is set, with what it is to say; after this it does not come any more.

    Outside the main thread, and where none is set, nothing is taken over.
    """
    global _current  # noqa: PLW0603 - a process has one alarm, too
    _current = alarm = Alarm()
    if threading.current_thread() is not threading.main_thread() or not signal.getitimer(signal.ITIMER_REAL)[0]:
        yield alarm
        return
    before = signal.signal(signal.SIGALRM, lambda *_dummy: alarm.ring(message))
    try:
        yield alarm
    finally:
        # What the operation came to is told, however late it is.
        signal.setitimer(signal.ITIMER_REAL, 0)
        # Without one of Python there is none to put back.
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
        _current = Alarm()
