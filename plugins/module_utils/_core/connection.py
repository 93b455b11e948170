# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options -> one database session with a deadline. The only place that imports the driver.

Private to the collection.

``statement_timeout`` does not end a wait for a slot of a full resource group, and no server setting
ends a wait for a server that is gone. So every driver call runs in a thread that can be left behind,
and the server is told to give up a little before we do: its own error says more, and nothing of ours
stays behind in its queues. A cancel request is not sent: the driver holds Python still while it waits for one.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import queue
import threading
import traceback
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import interruption, login_settings, tls
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import MAX_BYTES, MAX_ROWS, Rows, Texts
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import connect_parameters, where_to
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    BadAnswer,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    GpopsError,
    GroupFull,
    OptionError,
    OtherDatabase,
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
__all__ = ["PSYCOPG2_IMPORT_ERROR", "Connection", "sql"]

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


# No such setting, or not for this role: the session does without.
_SETTING_REFUSED = ("42704", "42501")
_CLOSE_SECONDS = 0.5
# How the queue of a full group is met, once it was waited in for a little.
_PAST = "past"
_PATIENT = "patient"
# How long a statement may take to say why a role is refused.
_ROLE_SECONDS = 1.0
# How often to look for the session of a pooler that has our settings; a pooler gives out the last one first.
_UNDO_TRIES = 20
# How long a process of ours may take to be found and ended, how long at least if no limit of the server ends it, and by
# how much of its statement it is known.
_END_OWN_SECONDS = 2.0
_END_LINGERING_SECONDS = 0.5
_KNOWN_BY = 100
# What stands in each call of a schema that is not the engine's own; in a literal it costs one statement more.
_OUTSIDE = "_toolkit."
# A plain look into the catalog, which a full group does not stop.
_THIS_DATABASE = """SELECT d.oid::int8 FROM pg_catalog.pg_database d
 WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"""
# What is to be said of the logins of an operation.
_said: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("said", default=None)


@contextlib.contextmanager
def login_warnings() -> t.Iterator[list[str]]:
    """What is to be said of the logins inside, each thing once."""
    said: list[str] = []
    before = _said.set(said)
    try:
        yield said
    finally:
        _said.reset(before)


class _DriverThread:
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


class _OwnProcess(t.NamedTuple):
    """A process of ours on the server that is to end.

    Attributes:
        texts: What it may show as its statement: the last one, or the one before if it has not read that yet.
        if_queued: Only if it waits for a slot of its group: what it has begun to change stays with the server.
    """

    pid: int
    texts: tuple[str, ...]
    if_queued: bool


class Connection:
    """One database session in autocommit; no call waits beyond the deadline.

    It starts no process on a segment: its settings come with the login, and nothing is set afterwards. A slot of a full
    resource group is waited for a little; then the session goes on past the queue, where this role may do so.

    Args:
        options: Those of the module.
        deadline: The end of O(timeout).
        like: One that this takes the place of, with what was learnt of the server by it.
        closing: It is there to tidy up, even after the end of the task's own timeout.

    Attributes:
        may_bypass: Whether this role may step past the queue of a full group, V(none) if that is not known yet.
        role: Who it acts as.
        where: The server, for messages.
        lingers: Its process has something to tell the segments before it ends, which may take for ever.
        database_oid: The database whose objects outside pg_catalog were found to be trusted, V(none) before that.
    """

    def __init__(
        self, options: t.Mapping[str, t.Any], deadline: Deadline, like: Connection | None = None, closing: bool = False
    ) -> None:
        self._options = options
        self._closing = closing
        self.deadline = deadline
        self._params = connect_parameters(options, os.environ)
        self.where = where_to(self._params, os.environ)
        self.may_bypass: bool | None = like.may_bypass if like else None
        # How the queue of a full group is met: not at all so far, past it, or with patience.
        self._queue: str | None = like._queue if like else None  # noqa: SLF001 - of this class
        self._pooled: bool = like._pooled if like else False  # noqa: SLF001 - of this class
        self._given: str | None = like._given if like else None  # noqa: SLF001 - of this class
        # Settings of the database or the role that had to be set otherwise.
        self._mended: dict[str, str] = dict(like._mended) if like else {}  # noqa: SLF001 - of this class
        self.database_oid: int | None = like.database_oid if like else None
        self._notices: list[str] = []
        self.lingers = False
        self._begin()

    def _begin(self) -> None:
        """Log in; where settings cannot come with the login, set them."""
        self._closed = False
        # What was found out is of an earlier connection, or will be of this one.
        self._is_that_database = self.database_oid is None
        self._limits = login_settings.limits(self.deadline.remaining(), self._queue == _PATIENT)
        self._driver = _DriverThread(self._closing)
        self._left: list[str] = []
        self._running: str | None = None
        self._texts: tuple[str, ...] = ()
        try:
            self._connection = self._log_in()
        except GpopsError:
            self._driver.stop()
            raise
        if self._options.get("ssl_warning", True):
            _say_how(self._connection.info)
        self._pid: int = self._connection.info.backend_pid
        # Until the server is heard: a pooler is why settings do not arrive.
        self._pooled = self._pooled or not self._at_startup
        self.role: str = self._options.get("session_role") or self._connection.info.user
        if self._at_startup:
            self._left = self._brought_along() if self._pooled else []
            return
        try:
            self._set_all()
        except GpopsError:
            self.close()
            raise

    def _settings(self) -> dict[str, str]:
        """All that the session begins with."""
        given = self._given_options()
        bypass = {login_settings.BYPASS: "on"} if self._queue == _PAST else {}
        role = {login_settings.ROLE: login_settings.wanted_role(self._options.get("session_role"), given)}
        return {**role, **login_settings.fixed(given), **self._limits, **self._mended, **bypass}

    def _brought_along(self) -> list[str]:
        return [*self._settings(), login_settings.PROBE_SETTING[0]]

    def _set_all(self) -> None:
        """Set what did not come with the login; first as the login role, which may set most."""
        settings = {**self._settings(), login_settings.SESSION_MARK: self._new_mark()}
        role = settings.pop(login_settings.ROLE)
        self._set({login_settings.ROLE: login_settings.NO_ROLE, **settings}, self.deadline)
        if role != login_settings.NO_ROLE:
            self._set_role(role, self.deadline)

    def _log_in(self) -> t.Any:
        """Log in with the settings, or without them if something between does not take them as they are."""
        role = self._options.get("session_role")
        settings = self._settings()
        self._at_startup = False
        try:
            connection = self._connect(login_settings.with_settings(self._params, self._given_options(), settings))
        except ConnectError as error:
            if login_settings.refuses_role(error.message, role):
                raise self._role_refused(error) from None
            if login_settings.refuses_bypass(error.message) or not login_settings.refused(error.message, settings):
                raise
        else:
            name, value = login_settings.PROBE_SETTING
            self._at_startup = connection.get_parameter_status(name) == value
            if self._at_startup:
                return connection
            # PgBouncer has dropped them; Odyssey would set them in each session that a statement goes to.
            _quietly(connection.close)
        return self._connect(self._params)

    def _role_refused(self, error: ConnectError) -> GpopsError:
        """Why we may not become the role: a statement says it better than a login, if no segment hangs."""
        self._connection = self._connect(
            login_settings.with_settings(self._params, self._given_options(), self._limits)
        )
        try:
            self._set_role(self._options["session_role"], Deadline(min(_ROLE_SECONDS, self.deadline.remaining())))
        except OptionError as refused:
            return refused
        except GpopsError:
            pass
        finally:
            if not self._driver.stuck:
                _quietly(self._connection.close)
        return OptionError("session_role", error.message)

    def _given_options(self) -> str:
        """The options that the user has set himself; those of a service are known from a login only."""
        if self._given is None:
            service = self._params.get("service") or os.environ.get("PGSERVICE")
            if service and not self._params.get("options"):
                connection = self._connect(self._params)
                self._given = connection.info.options
                _quietly(connection.close)
            else:
                self._given = str(self._params.get("options") or os.environ.get("PGOPTIONS") or "")
        return self._given or ""

    def _connect(self, params: t.Mapping[str, t.Any]) -> t.Any:
        dsn = _dsn(params)

        def connect() -> t.Any:
            connection = psycopg2.connect(dsn)
            connection.autocommit = True
            return connection

        try:
            return self._driver.call(connect, self.deadline.remaining())
        except queue.Empty:
            raise DeadlineExceeded(
                f"no connection to {self.where} within timeout ({self.deadline.seconds:g} s); {NO_ANSWER}"
            ) from None
        except psycopg2.Error as error:
            raise ConnectError(_connect_message(self.where, str(error))) from None

    def _new_mark(self) -> str:
        self._mark = os.urandom(8).hex()
        return self._mark

    def _set(self, settings: t.Mapping[str, str], deadline: Deadline) -> None:
        statements = {name: _set(name, value) for name, value in settings.items()}
        try:
            self._execute(sql.SQL("; ").join(statements.values()), deadline)
            self._left += statements
        except StatementError:
            for name, statement in statements.items():
                # An engine or role that may not set one of them may set the others.
                try:
                    self._execute(statement, deadline)
                    self._left.append(name)
                except StatementError as error:
                    if error.sqlstate not in _SETTING_REFUSED:
                        raise

    def detect_pooler(self, pid: int, search_path: str) -> bool:
        """Take in what the server says of this session, for a pooler may stand between, with pids of its own.

        Args:
            pid: Of the server's process.
            search_path: The setting, as it is there.

        Returns:
            Whether the settings are there only now, so that what was asked before is to be asked again.
        """
        self._pooled = pid != self._pid
        if not self._pooled or not self._at_startup:
            return False
        self._left = self._brought_along()
        if search_path == self._limits["search_path"]:
            return False
        # PgBouncer may drop all but those that it keeps for each client itself.
        self._set_all()
        return True

    @property
    def wanted_role(self) -> str:
        """The role that it is to act as, or V(none)."""
        return login_settings.wanted_role(self._options.get("session_role"), self._given_options())

    @property
    def login(self) -> str:
        """Who has logged in; a pooler may log in to the server as somebody else."""
        return t.cast(str, self._connection.info.user)

    def mend(self, settings: t.Mapping[str, str]) -> bool:
        """Have these settings too, which a database or a role has set otherwise; not those that the user wants so.

        Returns:
            Whether there was something to mend.
        """
        ours = [login_settings.BYPASS] if self._queue == _PAST else []
        kept = [*login_settings.settings_in(self._given_options()), *ours, *self._mended]
        new = {name: value for name, value in settings.items() if name not in kept}
        if not new:
            return False
        self._mended.update(new)
        if self._pooled:
            self._set(new, self.deadline)
        else:
            self.close()
            self._begin()
        return True

    def remember_database(self, oid: int) -> None:
        """Take note of the database that was looked at, by what no renaming changes."""
        self.database_oid, self._is_that_database = oid, True

    def _set_role(self, role: str, deadline: Deadline) -> None:
        try:
            self._execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)), deadline)
        except StatementError as error:
            raise OptionError("session_role", error.message, **error.result) from None

    @property
    def pooled(self) -> bool:
        """Whether a pooler stands between, which gives out sessions of its own."""
        return self._pooled

    def _get_past_queue(self) -> bool:
        """After a wait for a slot in vain: go on past the queue, or with patience. False if that was tried before.

        Not before it is needed: what runs past the queue has little memory on Greenplum 6.
        """
        if self._queue is not None:
            return False
        past = self.may_bypass is not False and self._begin_anew(_PAST)
        return past or self._begin_anew(_PATIENT)

    def _begin_anew(self, way: str) -> bool:
        """Log in once more, to meet the queue in this way; false if this role may not."""
        self._queue = way
        if self._pooled:
            return self._set_queue(way)
        self._notices += self._connection.notices
        # What is asked for has not begun.
        lingers, self.lingers = self.lingers, False
        self.close()
        try:
            self._begin()
            self.lingers = lingers
        except (ConnectError, GroupFull) as error:
            if way == _PATIENT or not (isinstance(error, GroupFull) or login_settings.refuses_bypass(error.message)):
                raise
            self.may_bypass = False
            return False
        return way == _PATIENT or self._at_startup or login_settings.BYPASS in self._left

    def _set_queue(self, way: str) -> bool:
        """The same in this session: a pooler may tidy it up before it opens another, and wait in that queue itself."""
        patient = login_settings.limits(self.deadline.remaining(), patient=True)[login_settings.QUEUE_LIMIT]
        settings = {login_settings.BYPASS: "on"} if way == _PAST else {login_settings.QUEUE_LIMIT: patient}
        try:
            self._set(settings, self.deadline)
        except GroupFull:  # for a role that may not bypass it, this waits too
            self.may_bypass = False
            return False
        return way == _PATIENT or login_settings.BYPASS in self._left

    def execute(self, statement: t.Any, deadline: Deadline | None = None) -> Rows:
        """Run one statement and read all of its rows; if the group is full, once more past its queue.

        Args:
            statement: Text or a psycopg2.sql object.
            deadline: An earlier one than the session's.

        Raises:
            GroupFull: The wait for a slot was ended by the server.
            StatementError: Any other refusal of the server.
            ConnectionLost: The connection broke; whether the statement took effect is unknown.
            DeadlineExceeded: No answer in time. The server ends the statement by itself, by its own limits.
        """
        limit = deadline or self.deadline
        try:
            return self._execute_there(statement, limit)
        except GroupFull:
            # The statement has not begun: it may be sent again, one that signals too.
            if not self._get_past_queue():
                raise
        return self._execute_there(statement, limit)

    def _execute_there(self, statement: t.Any, limit: Deadline) -> Rows:
        """Run a statement; one that leaves pg_catalog only in the database whose objects were looked at.

        An owner of two databases may swap their names while no session is in them, such as between two of ours.
        """
        if not self._is_that_database and _OUTSIDE in self._text(statement):
            if self._execute(_THIS_DATABASE, limit).rows != [(str(self.database_oid),)]:
                raise OtherDatabase(
                    f"another database has the name of the one that was looked at on {self.where}; nothing of its "
                    "schemas was called"
                )
            self._is_that_database = True
        return self._execute(statement, limit)

    def _execute(self, statement: t.Any, limit: Deadline) -> Rows:
        text = self._text(statement)

        def run() -> Rows:
            with self._connection.cursor() as cursor:
                _take_texts(cursor)
                cursor.execute(text)
                return Rows((), []) if cursor.description is None else self._fetched(cursor)

        self._running = text
        self._texts = (*self._texts[-1:], text)
        try:
            rows = t.cast(Rows, self._driver.call(run, limit.remaining()))
        except queue.Empty:
            raise DeadlineExceeded(
                f"{self.where} did not answer within {limit.seconds:.3g} s of timeout", statement=text
            ) from None
        except BadAnswer:  # all of it has arrived
            self._running = None
            raise
        except psycopg2.Error as error:
            failure = self._failure(error, text)
            if not isinstance(failure, ConnectionLost) or self._is_at_rest():
                self._running = None
            raise failure from None
        self._running = None
        return rows

    def _is_at_rest(self) -> bool:
        """Whether the server is done with what it was sent last."""
        idle = psycopg2.extensions.TRANSACTION_STATUS_IDLE
        return not self._connection.closed and self._connection.info.transaction_status == idle

    def _fetched(self, cursor: t.Any) -> Rows:
        """The rows, as texts, if they are not too many; the driver has them all by now, its own form is a small one."""
        if cursor.rowcount > MAX_ROWS:
            raise BadAnswer(f"{self.where} answered with {cursor.rowcount} rows; {MAX_ROWS} are read at most")
        rows: list[Texts] = []
        size = 0
        try:
            for row in cursor:
                size += sum(len(value) for value in row if value is not None)
                if size > MAX_BYTES:
                    raise BadAnswer(
                        f"{self.where} answered with more than {MAX_BYTES >> 20} MB, which are read at most"
                    )
                rows.append(tuple(_decoded(value) for value in row))
            return Rows(tuple(column.name for column in cursor.description), rows)
        except ValueError:  # of a type that the driver does not know
            raise BadAnswer(f"{self.where} answered with a text that is not UTF-8") from None

    def _failure(self, error: t.Any, text: str) -> GpopsError:
        # On one line: the driver's own have several.
        message = shortened(" ".join((error.diag.message_primary or str(error)).split()))
        if self._connection.closed:
            return ConnectionLost(
                f"the connection to {self.where} broke: {message}", sqlstate=error.pgcode, statement=text
            )
        if error.pgcode is None:
            return BadAnswer(
                f"{self.where} answered something that is no answer to a statement: {message}", statement=text
            )
        if is_queue_timeout(error.pgcode, message):
            return GroupFull(message, error.pgcode, text)
        advice = advice_for_statement(error.pgcode)
        hint = shortened(error.diag.message_hint or "")
        words = f"the server refused a statement: {message} (SQLSTATE {error.pgcode})"
        return StatementError("; ".join(part for part in (words, hint, advice) if part), error.pgcode, text)

    def renewed(self, deadline: Deadline | None = None) -> Connection:
        """A new session with the same options, in place of this one."""
        deadline, process = deadline or self.deadline, self._own_process()
        if process is None:
            self.close()
            return Connection(self._options, deadline, self)
        try:
            connection = Connection(self._options, deadline, self)
        except ConnectError:
            # Perhaps all connections are taken, with this one.
            self.close()
            return Connection(self._options, deadline, self)
        except GpopsError:
            self.close()
            raise
        # Before its connection ends: then it would turn to the segments, where Greenplum 7 hears no signal any more.
        connection._end_own(process)
        self._running, self.lingers = None, False
        self.close()
        return connection

    def _own_process(self) -> _OwnProcess | None:
        """The server's process, if it will not end by itself at once; one of a pooler is not ours to end."""
        if self._pooled or (self._running is None and not self.lingers):
            return None
        changes = self._running is not None and not self._running.lstrip().startswith("SELECT")
        return _OwnProcess(self._pid, self._texts, changes)

    def _end_own(self, process: _OwnProcess | None) -> None:
        """End a process of ours that was left behind, such as one that a segment does not answer."""
        if process is None:
            return
        queued = (
            " AND (pg_catalog.row_to_json(own) ->> 'waiting_reason' = 'resgroup'"
            " OR pg_catalog.row_to_json(own) ->> 'wait_event_type' = 'ResourceGroup')"
        )
        # Backwards: who looks for signals in the server's log finds those to victims only.
        texts = sql.SQL(", ").join([sql.Literal(text[:_KNOWN_BY][::-1]) for text in process.texts])
        same = sql.SQL(
            "SELECT pg_catalog.pg_terminate_backend(own.pid) FROM pg_catalog.pg_stat_activity own "
            "WHERE own.pid = {} AND own.usename = session_user "
            "AND pg_catalog.reverse(pg_catalog.left(own.query, {})) IN ({}){}"
        ).format(sql.Literal(process.pid), sql.Literal(_KNOWN_BY), texts, sql.SQL(queued if process.if_queued else ""))
        _quietly(lambda: self._execute(same, Deadline(min(_END_OWN_SECONDS, self.deadline.remaining()))))

    def _text(self, statement: t.Any) -> str:
        try:
            if self._closed:
                raise ConnectionLost(f"the connection to {self.where} is closed")
            return self.text(statement)
        except psycopg2.Error as error:  # names are quoted with a live connection only
            raise ConnectionLost(f"the connection to {self.where} is broken: {error}") from None

    def text(self, statement: t.Any) -> str:
        """A statement as it is sent."""
        return statement if isinstance(statement, str) else t.cast(str, statement.as_string(self._connection))

    def warnings(self) -> list[str]:
        """What the server said by the way, such as C(WARNING: ...)."""
        return [shortened(notice.strip()) for notice in [*self._notices, *self._connection.notices]]

    def close(self) -> None:
        """End the session; of one whose server does not answer the process there is ended, if there is time."""
        if self._closed:
            return
        self._driver.closing = True
        if self._pooled and not self._driver.stuck:
            _quietly(self._reset_settings)
        self._closed = True
        self._end_from_elsewhere(self._own_process())
        if not self._driver.stuck:
            _quietly(lambda: self._driver.call(self._connection.close, _CLOSE_SECONDS))
        self._driver.stop()

    def _end_from_elsewhere(self, process: _OwnProcess | None) -> None:
        """End a process of ours from a session of its own, if there is time."""
        least = _END_LINGERING_SECONDS if self.lingers else 0.0
        deadline = Deadline(max(least, min(_END_OWN_SECONDS, self.deadline.remaining())))
        if process is None or not deadline.remaining():
            return
        with contextlib.suppress(GpopsError):
            other = Connection(self._options, deadline, self, closing=True)
            other._end_own(process)
            other.close()

    def _reset_settings(self) -> None:
        """Take our settings off the server's session: a pooler in transaction mode hands it on as it is.

        The mark stays: nothing may come after, for Odyssey would set anew what it knows of.
        """
        marked = login_settings.SESSION_MARK in self._left
        # As the login role first: as another role we may not reset what we set as our own.
        own = [name for name in self._left if name not in (login_settings.SESSION_MARK, login_settings.ROLE)]
        resets = [f"SET ROLE {login_settings.NO_ROLE}", *(f"RESET {name}" for name in [*own, login_settings.ROLE])]
        text = "; ".join([*resets, f"SHOW {login_settings.SESSION_MARK}"] if marked else resets)
        deadline = Deadline(_CLOSE_SECONDS)
        for _attempt in range(_UNDO_TRIES):
            with contextlib.suppress(StatementError):  # a session without the mark is not the one
                found = self._execute(text, deadline).rows
                if not marked or found[0][0] == self._mark:
                    return


def _say_how(info: t.Any) -> None:
    """Note the warning of a login, if there is one and somebody listens."""
    text = tls.warning(info.host or "", info.dsn_parameters, bool(info.password))
    said = _said.get()
    if text and said is not None and text not in said:
        said.append(text)


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


def _set(name: str, value: str) -> t.Any:
    """The statement for a setting of ours; nothing of a user is in it."""
    return sql.SQL(f"SET {name} = {{}}").format(sql.Literal(value))


def _quietly(call: t.Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        call()


def _decoded(value: bytes | str | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _connect_message(where: str, text: str) -> str:
    reason = " ".join(text.split())
    advice = advice_for_connect(text)
    message = f"cannot connect to {where}: {reason}"
    return f"{message}; {advice}" if advice else message
