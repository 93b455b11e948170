# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""psycopg2 in a thread: one statement by a deadline. The only place that imports the driver.

Private to the collection.

``statement_timeout`` does not end a wait for a slot of a full resource group, and no server setting
ends a wait for a server that is gone. So every driver call runs in a thread that can be left behind,
and the server is told to give up a little before we do: its own error says more, and nothing of ours
stays behind in its queues. A cancel request is not sent: the driver holds Python still while it waits for one.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import traceback
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import interruption
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import MAX_BYTES, MAX_ROWS, Rows, Texts
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    BadAnswer,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    GpopsError,
    GroupFull,
    OptionError,
    StatementError,
    shortened,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.hints import (
    NO_ANSWER,
    advice_for_connect,
    advice_for_statement,
    is_queue_timeout,
)

# The rest composes statements with the driver's sql, and gets it from here.
__all__ = ["PSYCOPG2_IMPORT_ERROR", "Driver", "DriverThread", "quietly", "sql"]

PSYCOPG2_IMPORT_ERROR: str | None = None
try:
    import psycopg2
    import psycopg2.extensions
    from psycopg2 import sql

    # We log in without an encoding, and what we send is UTF-8; the driver would take it for ASCII.
    psycopg2.extensions.encodings.update(SQL_ASCII="utf_8", SQLASCII="utf_8")
except ImportError:
    PSYCOPG2_IMPORT_ERROR = traceback.format_exc()
    sql = None  # type: ignore[assignment]  # run_module stops before anybody uses it

_CLOSE_SECONDS = 0.5


class DriverThread:
    """Runs driver calls one by one; a call that does not return in time is left behind."""

    def __init__(self, closing: bool = False) -> None:
        self._jobs: queue.Queue[t.Any] = queue.Queue()
        self.stuck = False
        # The end of a session is not cut short by the task's own timeout.
        self.closing = closing
        # A daemon: the process can end although the driver waits for a dead server.
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            job, answer = self._jobs.get()
            if job is None:
                return
            try:
                answer.put((True, job()))
            except Exception as error:  # noqa: BLE001 - the caller raises it
                answer.put((False, error))

    def call(self, job: t.Callable[[], t.Any], seconds: float) -> t.Any:
        """The job's value or exception; queue.Empty after that many seconds, Interrupted by the task's own timeout."""
        answer: queue.SimpleQueue[t.Any] = queue.SimpleQueue()
        alarm = interruption.Alarm() if self.closing else interruption.current()
        try:
            with alarm.wakes(answer):
                self._jobs.put((job, answer))
                done, value = answer.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            self.stuck = True
            raise
        if done:
            return value
        if isinstance(value, interruption.Interrupted):
            self.stuck = alarm.heard = True
        raise value

    def stop(self) -> None:
        """End the thread after the calls that it already has."""
        self._jobs.put((None, None))


class Driver:
    """One connection of psycopg2 in autocommit, and the thread that it is used in.

    Args:
        where: The server, for messages.
        closing: It is there to tidy up, even after the end of the task's own timeout.

    Attributes:
        pid: Of the server's process, or a pooler's own number; 0 before a login.
        running: The statement to which no answer has come yet.
        texts: What its process may show as its statement: the last one, and the one before.
    """

    def __init__(self, where: str, closing: bool = False) -> None:
        self._where = where
        self._thread = DriverThread(closing)
        self._connection: t.Any = None
        self._closed = False
        self.pid = 0
        self.running: str | None = None
        self.texts: tuple[str, ...] = ()

    def connect(self, params: t.Mapping[str, t.Any], deadline: Deadline) -> None:
        """Log in with these parameters of libpq, in place of a login before.

        Raises:
            OptionError: libpq has no such parameter.
            DeadlineExceeded: No answer in time.
            ConnectError: It was refused, or nobody is there.
        """
        dsn = _dsn(params)

        def connect() -> t.Any:
            connection = psycopg2.connect(dsn)
            connection.autocommit = True
            return connection

        try:
            self._connection = self._thread.call(connect, deadline.remaining())
            # The library forgets it once the connection broke.
            self.pid = self._connection.info.backend_pid
        except queue.Empty:
            raise DeadlineExceeded(
                f"no connection to {self._where} within timeout ({deadline.seconds:g} s); {NO_ANSWER}"
            ) from None
        except psycopg2.Error as error:
            raise ConnectError(_connect_message(self._where, str(error))) from None
        except UnicodeDecodeError as error:
            # Before the login a server speaks in the encoding of its locale, and the driver takes it for UTF-8.
            text = error.object.decode("utf-8", "replace")
            raise ConnectError(_connect_message(self._where, text)) from None

    @property
    def info(self) -> t.Any:
        """What the driver knows of the login."""
        return self._connection.info

    @property
    def is_stuck(self) -> bool:
        """Whether a call was left behind, so that no other one gets through."""
        return self._thread.stuck

    def parameter(self, name: str) -> str | None:
        """A setting that the server reports unasked."""
        return t.cast("str | None", self._connection.get_parameter_status(name))

    def notices(self) -> list[str]:
        """What the server said by the way, such as WARNING: ...."""
        return list(self._connection.notices) if self._connection else []

    def disconnect(self) -> None:
        """End the login; another may follow."""
        if not self._thread.stuck:
            quietly(self._connection.close)

    def stop(self) -> None:
        """End the thread, without a login."""
        self._closed = True
        self._thread.stop()

    def tidies_up(self) -> None:
        """From here on the end of the task's own timeout cuts nothing short."""
        self._thread.closing = True

    def close(self) -> None:
        """End the login and the thread, without a wait for a server that does not answer."""
        self._closed = True
        if not self._thread.stuck:
            quietly(lambda: self._thread.call(self._connection.close, _CLOSE_SECONDS))
        self._thread.stop()

    def text(self, statement: t.Any) -> str:
        """A statement as it is sent."""
        return statement if isinstance(statement, str) else t.cast(str, statement.as_string(self._connection))

    def text_to_send(self, statement: t.Any) -> str:
        """The same.

        Raises:
            ConnectionLost: There is no connection to send it by, without which names are not quoted either.
        """
        try:
            if self._closed:
                raise ConnectionLost(f"the connection to {self._where} is closed")
            return self.text(statement)
        except psycopg2.Error as error:
            raise ConnectionLost(f"the connection to {self._where} is broken: {error}") from None

    def execute(self, statement: t.Any, limit: Deadline) -> Rows:
        """Run one statement and read all of its rows.

        Raises:
            GroupFull: The wait for a slot was ended by the server.
            StatementError: Any other refusal of the server.
            ConnectionLost: The connection broke; whether the statement took effect is unknown.
            DeadlineExceeded: No answer in time.
            BadAnswer: What came is no answer to a statement, or too much.
        """
        text = self.text_to_send(statement)

        def run() -> Rows:
            with self._connection.cursor() as cursor:
                _take_texts(cursor)
                cursor.execute(text)
                return Rows((), []) if cursor.description is None else self._fetched(cursor)

        self.running = text
        self.texts = (*self.texts[-1:], text)
        try:
            rows = t.cast(Rows, self._thread.call(run, limit.remaining()))
        except queue.Empty:
            raise DeadlineExceeded(
                f"{self._where} did not answer within {limit.seconds:.3g} s of timeout", statement=text
            ) from None
        except BadAnswer:  # all of it has arrived
            self.running = None
            raise
        except psycopg2.Error as error:
            failure = self._failure(error, text)
            if not isinstance(failure, ConnectionLost) or self._is_at_rest():
                self.running = None
            raise failure from None
        self.running = None
        return rows

    def _is_at_rest(self) -> bool:
        """Whether the server is done with what it was sent last."""
        idle = psycopg2.extensions.TRANSACTION_STATUS_IDLE
        return not self._connection.closed and self._connection.info.transaction_status == idle

    def _fetched(self, cursor: t.Any) -> Rows:
        """The rows, as texts, if they are not too many; the driver has them all by now, its own form is a small one."""
        if cursor.rowcount > MAX_ROWS:
            raise BadAnswer(f"{self._where} answered with {cursor.rowcount} rows; {MAX_ROWS} are read at most")
        rows: list[Texts] = []
        size = 0
        try:
            for row in cursor:
                size += sum(len(value) for value in row if value is not None)
                if size > MAX_BYTES:
                    raise BadAnswer(
                        f"{self._where} answered with more than {MAX_BYTES >> 20} MB, which are read at most"
                    )
                rows.append(tuple(_decoded(value) for value in row))
            return Rows(tuple(column.name for column in cursor.description), rows)
        except ValueError:  # of a type that the driver does not know
            raise BadAnswer(f"{self._where} answered with a text that is not UTF-8") from None

    def _failure(self, error: t.Any, text: str) -> GpopsError:
        # On one line: the driver's own have several.
        message = shortened(" ".join((error.diag.message_primary or str(error)).split()))
        if self._connection.closed:
            return ConnectionLost(
                f"the connection to {self._where} broke: {message}", sqlstate=error.pgcode, statement=text
            )
        if error.pgcode is None:
            return BadAnswer(
                f"{self._where} answered something that is no answer to a statement: {message}", statement=text
            )
        if is_queue_timeout(error.pgcode, message):
            return GroupFull(message, error.pgcode, text)
        advice = advice_for_statement(error.pgcode)
        hint = shortened(error.diag.message_hint or "")
        words = f"the server refused a statement: {message} (SQLSTATE {error.pgcode})"
        return StatementError("; ".join(part for part in (words, hint, advice) if part), error.pgcode, text)


def quietly(call: t.Callable[[], object]) -> None:
    """Do it if it can be done."""
    with contextlib.suppress(Exception):
        call()


def _dsn(params: t.Mapping[str, t.Any]) -> str:
    try:
        # Refuses what is not libpq's, such as other arguments of the driver.
        return t.cast(str, psycopg2.extensions.make_dsn(**params))
    except (psycopg2.Error, TypeError, ValueError) as error:
        raise OptionError(
            "connect_params", f"{' '.join(str(error).split())}; each key must be a libpq connection parameter"
        ) from None


def _take_texts(cursor: t.Any) -> None:
    """Have the driver make nothing of the values: query texts may be in any encoding, and a number need not be one."""
    types = psycopg2.extensions
    types.register_type(types.BYTES, cursor)
    cursor.string_types.update(dict.fromkeys(types.string_types, types.BYTES))


def _decoded(value: bytes | str | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _connect_message(where: str, text: str) -> str:
    reason = " ".join(text.split())
    advice = advice_for_connect(text)
    message = f"cannot connect to {where}: {reason}"
    return f"{message}; {advice}" if advice else message
