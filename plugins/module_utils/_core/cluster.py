# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of every operation: log in, ask what the server is, log out. Private to the collection."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine as _engine
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, GroupFull


@dataclasses.dataclass
class Visit:
    """One operation on one server.

    Attributes:
        session: The one in use; an operation that takes a new one puts it here, and the last one is ended.
        engine: What the server is.
        deadline: The end of O(timeout).
        source: The interface that the process list is read by.
    """

    session: connection.Session
    engine: _engine.Engine
    deadline: connection.Deadline
    source: str = _engine.NATIVE
    _left: bool = dataclasses.field(default=False, init=False)

    def __post_init__(self) -> None:
        self.source = next(iter(self.engine.activity))

    @property
    def full_group(self) -> str:
        """What to say when a statement waited in vain for a slot of the role's own resource group."""
        return _engine.full_group_message(self.engine, self.session.role)

    @property
    def activity_columns(self) -> frozenset[str]:
        """Of the process list, as it is read now."""
        return self.engine.activity[self.source]

    def look_closer(self) -> bool:
        """From now on read the process list by the service's function, which shows more; false if there is none."""
        if self.source == _engine.MDB or _engine.MDB not in self.engine.activity:
            return False
        self.source = _engine.MDB
        return True

    def execute(
        self, statement: t.Any, deadline: connection.Deadline, source: str | None = None, share: float = 1.0
    ) -> connection.Rows:
        """Run a statement, in a new session if this one's next statement would wait.

        Args:
            source: The interface that the statement calls upon.
            share: What part of the time it may take.
        """
        # A pooler would give the same one again, once it has tidied it up, for which that needs a slot.
        if self._left or (self.session.lingers and not (self.session.pooled and self.engine.may_bypass)):
            self.renew(deadline)
        self.session.lingers = source is not None and self.engine.spends_session(source)
        return self.session.execute(statement, deadline=deadline if share == 1.0 else deadline.part(share))

    def renew(self, deadline: connection.Deadline) -> None:
        """Take a new session in place of this one."""
        self.session = self.session.renewed(deadline)
        self._left = False

    def leave_session(self) -> None:
        """Run no more in this session, which did not answer: the next statement, if there is one, begins a new one."""
        self._left = True


@contextlib.contextmanager
def visit(options: t.Mapping[str, t.Any], *needs: str, changes: bool = False) -> t.Iterator[Visit]:
    """A visit with these options.

    Args:
        needs: What it needs to know of the engine beside, see _engine.probe.
        changes: It changes what the segments must know as well.

    Raises:
        GpopsError: In plain words, from the login on; also that the role's own group is full.
    """
    deadline = connection.Deadline(options["timeout"])
    session = connection.Session(options, deadline)
    found: Visit | None = None
    try:
        found = Visit(session, _engine.probe(session, options["toolkit"], needs), deadline)
        if changes and found.engine.utility_mode:
            raise GpopsError(
                f"this is a session in utility mode on {session.where}: it would change the catalog of the coordinator "
                "only, and nothing was sent. Log in without gp_role (Greenplum 6: gp_session_role) in PGOPTIONS, "
                "connect_params or the service file"
            )
        yield found
    except GroupFull as error:
        engine = None if found is None else found.engine
        raise GpopsError(_engine.full_group_message(engine, session.role), **error.result) from None
    finally:
        (session if found is None else found.session).close()
