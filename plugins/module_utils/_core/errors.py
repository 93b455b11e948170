# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception of the collection. Private to the collection."""

from __future__ import annotations

import typing as t

_LONGEST = 600


class GpopsError(Exception):
    """A failure in plain words, with the part of the result that is true in spite of it.

    Helpers raise it and never end the process: ``main()`` turns it into a failed task.

    Args:
        message: What was wrong and what to do, for an operator.
        result: Keys for the result of the failed task, such as ``sqlstate`` and ``statement``.

    Attributes:
        was_sent: Whether the statement that failed may have reached the server.
    """

    was_sent = True

    def __init__(self, message: str, **result: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.result = result


class OptionError(GpopsError):
    """An option has a value that cannot be used; where it can be known, raised before anything is sent."""

    def __init__(self, option: str, problem: str, **result: t.Any) -> None:
        super().__init__(f"{option}: {shortened(problem)}", option=option, **result)


def shortened(text: str, longest: int = _LONGEST) -> str:
    """A message that repeats a value of any length stays one that can be read."""
    return text if len(text) <= longest else f"{text[: longest // 2]} ... {text[-(longest // 2) :]}"


class ConnectError(GpopsError):
    """No connection came about."""


class ConnectionLost(GpopsError):
    """The connection broke while a statement ran: what became of the statement is unknown."""


class BadAnswer(ConnectionLost):
    """The server answered something that cannot be read: what became of the statement is unknown."""


class OtherDatabase(ConnectionLost):
    """The connection leads to another database than the one that was looked at; nothing was sent."""

    was_sent = False


class DeadlineExceeded(GpopsError):
    """The time of timeout is over."""


class StatementError(GpopsError):
    """The server refused a statement."""

    def __init__(self, message: str, sqlstate: str | None, statement: str) -> None:
        super().__init__(message, sqlstate=sqlstate, statement=statement)
        self.sqlstate = sqlstate


class GroupFull(StatementError):
    """The statement waited for a slot of a full resource group until the server gave up."""
