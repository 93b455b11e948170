# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options -> one database session with a deadline. Private to the collection."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import login_settings, own_process
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.driver import (
    Driver,
    quietly,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    ConnectError,
    GpopsError,
    GroupFull,
    OtherDatabase,
    shortened,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.login import PAST, PATIENT, Login
from ansible_collections.gpops.toolkit.plugins.module_utils._core.poolers import LentSession

# What stands in each call of a schema that is not the engine's own; in a literal it costs one statement more.
_OUTSIDE = "_toolkit."
# A plain look into the catalog, which a full group does not stop.
_THIS_DATABASE = """SELECT d.oid::int8 FROM pg_catalog.pg_database d
 WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"""


class Connection:
    """One database session in autocommit; no call waits beyond the deadline.

    It starts no process on a segment: its settings come with the login, and nothing is set afterwards. A slot of a full
    resource group is waited for a little; then the session goes on past the queue, where this role may do so.

    Args:
        options: Those of the module.
        deadline: The end of timeout.
        login: Of a connection that this takes the place of, with what was learnt of the server by it.
        closing: It is there to tidy up, even after the end of the task's own timeout.

    Attributes:
        role: Who it acts as.
        lingers: Its process has something to tell the segments before it ends, which may take for ever.
    """

    def __init__(
        self, options: t.Mapping[str, t.Any], deadline: Deadline, login: Login | None = None, closing: bool = False
    ) -> None:
        self._options = options
        self._closing = closing
        self.deadline = deadline
        self._login = login.handed_on() if login else Login(options)
        self._notices: list[str] = []
        self.lingers = False
        self._begin()

    def _begin(self) -> None:
        """Log in; where settings cannot come with the login, set them."""
        self._closed = False
        # What was found out is of an earlier connection, or will be of this one.
        self._is_that_database = self._login.database_oid is None
        self._limits = login_settings.limits(self.deadline.remaining(), self._login.queue == PATIENT)
        self._driver = Driver(self._login.where, self._closing)
        self._lent = LentSession()
        try:
            self._at_startup = self._login.log_in(self._driver, self._limits, self.deadline)
        except GpopsError:
            self._driver.stop()
            raise
        self.role: str = self._login.session_role or self._driver.info.user
        if self._at_startup:
            if self.pooled:
                self._lent = self._brought_along()
            return
        try:
            self._lent.set_all(self._driver, self._login.settings(self._limits), self.deadline)
        except GpopsError:
            self.close()
            raise

    def _brought_along(self) -> LentSession:
        return LentSession([*self._login.settings(self._limits), login_settings.PROBE_SETTING[0]])

    @property
    def where(self) -> str:
        """The server, for messages."""
        return self._login.where

    @property
    def pooled(self) -> bool:
        """Whether a pooler stands between, which gives out sessions of its own."""
        return self._login.pooled

    @property
    def user(self) -> str:
        """Who has logged in; a pooler may log in to the server as somebody else."""
        return t.cast(str, self._driver.info.user)

    @property
    def wanted_role(self) -> str:
        """The role that it is to act as, or None."""
        return self._login.wanted_role

    def detect_pooler(self, pid: int, search_path: str) -> bool:
        """Take in what the server says of this session, for a pooler may stand between, with pids of its own.

        Args:
            pid: Of the server's process.
            search_path: The setting, as it is there.

        Returns:
            Whether the settings are there only now, so that what was asked before is to be asked again.
        """
        self._login.pooled = pid != self._driver.pid
        if not self._login.pooled or not self._at_startup:
            return False
        self._lent = self._brought_along()
        if search_path == self._limits["search_path"]:
            return False
        # PgBouncer may drop all but those that it keeps for each client itself.
        self._lent.set_all(self._driver, self._login.settings(self._limits), self.deadline)
        return True

    def learn(self, may_bypass: bool, database_oid: int) -> None:
        """Take note of what was found out.

        Args:
            may_bypass: Whether this role may step past the queue of a full group.
            database_oid: The database that was looked at, by what no renaming changes.
        """
        self._login.may_bypass = may_bypass
        self._login.database_oid, self._is_that_database = database_oid, True

    def mend(self, settings: t.Mapping[str, str]) -> bool:
        """Have these settings too, which a database or a role has set otherwise; not those that the user wants so.

        Returns:
            Whether there was something to mend.
        """
        new = self._login.to_mend(settings)
        if not new:
            return False
        self._login.mended.update(new)
        if self.pooled:
            self._lent.set(self._driver, new, self.deadline)
        else:
            self.close()
            self._begin()
        return True

    def _get_past_queue(self) -> bool:
        """After a wait for a slot in vain: go on past the queue, or with patience. False if that was tried before.

        Not before it is needed: what runs past the queue has little memory on Greenplum 6.
        """
        if self._login.queue is not None:
            return False
        past = self._login.may_bypass is not False and self._begin_anew(PAST)
        return past or self._begin_anew(PATIENT)

    def _begin_anew(self, way: str) -> bool:
        """Log in once more, to meet the queue in this way; false if this role may not."""
        self._login.queue = way
        if self.pooled:
            return self._set_queue(way)
        self._notices += self._driver.notices()
        # What is asked for has not begun.
        lingers, self.lingers = self.lingers, False
        self.close()
        try:
            self._begin()
            self.lingers = lingers
        except (ConnectError, GroupFull) as error:
            if way == PATIENT or not (isinstance(error, GroupFull) or login_settings.refuses_bypass(error.message)):
                raise
            self._login.may_bypass = False
            return False
        return way == PATIENT or self._at_startup or login_settings.BYPASS in self._lent.names

    def _set_queue(self, way: str) -> bool:
        """The same in this session: a pooler may tidy it up before it opens another, and wait in that queue itself."""
        patient = login_settings.limits(self.deadline.remaining(), patient=True)[login_settings.QUEUE_LIMIT]
        settings = {login_settings.BYPASS: "on"} if way == PAST else {login_settings.QUEUE_LIMIT: patient}
        try:
            self._lent.set(self._driver, settings, self.deadline)
        except GroupFull:  # for a role that may not bypass it, this waits too
            self._login.may_bypass = False
            return False
        return way == PATIENT or login_settings.BYPASS in self._lent.names

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
        if not self._is_that_database and _OUTSIDE in self._driver.text_to_send(statement):
            if self._driver.execute(_THIS_DATABASE, limit).rows != [(str(self._login.database_oid),)]:
                raise OtherDatabase(
                    f"another database has the name of the one that was looked at on {self.where}; nothing of its "
                    "schemas was called"
                )
            self._is_that_database = True
        return self._driver.execute(statement, limit)

    def text(self, statement: t.Any) -> str:
        """A statement as it is sent."""
        return self._driver.text(statement)

    def warnings(self) -> list[str]:
        """What the server said by the way, such as WARNING: ...."""
        return [shortened(notice.strip()) for notice in [*self._notices, *self._driver.notices()]]

    def renewed(self, deadline: Deadline | None = None) -> Connection:
        """A new session with the same options, in place of this one."""
        deadline, process = deadline or self.deadline, self._own_process()
        if process is None:
            self.close()
            return Connection(self._options, deadline, self._login)
        try:
            connection = Connection(self._options, deadline, self._login)
        except ConnectError:
            # Perhaps all connections are taken, with this one.
            self.close()
            return Connection(self._options, deadline, self._login)
        except GpopsError:
            self.close()
            raise
        # Before its connection ends: then it would turn to the segments, where Greenplum 7 hears no signal any more.
        connection.end_process(process)
        self._driver.running, self.lingers = None, False
        self.close()
        return connection

    def _own_process(self) -> own_process.OwnProcess | None:
        """The server's process, if it will not end by itself at once; one of a pooler is not ours to end."""
        return None if self.pooled else own_process.left_behind(self._driver, self.lingers)

    def end_process(self, process: own_process.OwnProcess) -> None:
        """End a process of ours that was left behind, such as one that a segment does not answer."""
        own_process.end(process, self._driver, self.deadline)

    def close(self) -> None:
        """End the session; of one whose server does not answer the process there is ended, if there is time."""
        if self._closed:
            return
        self._driver.tidies_up()
        if self.pooled and not self._driver.is_stuck:
            quietly(lambda: self._lent.reset(self._driver))
        self._closed = True
        self._end_from_elsewhere(self._own_process())
        self._driver.close()

    def _end_from_elsewhere(self, process: own_process.OwnProcess | None) -> None:
        """End a process of ours from a session of its own, if there is time."""
        least = own_process.END_LINGERING_SECONDS if self.lingers else 0.0
        deadline = Deadline(max(least, min(own_process.END_SECONDS, self.deadline.remaining())))
        if process is None or not deadline.remaining():
            return
        with contextlib.suppress(GpopsError):
            other = Connection(self._options, deadline, self._login, closing=True)
            other.end_process(process)
            other.close()
