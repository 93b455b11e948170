# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log in, ask what the server is, log out: the frame of every operation. Private to the collection."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine as engines
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.catalog_locks import with_holders
from ansible_collections.gpops.toolkit.plugins.module_utils._core.connection import Connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, GroupFull


@dataclasses.dataclass
class Cluster:
    """The cluster that an operation is connected to.

    Attributes:
        connection: The one in use; an operation that takes a new one puts it here, and the last one is ended.
        engine: What the server is.
        deadline: The end of timeout.
        source: The interface that the process list is read by.
    """

    connection: Connection
    engine: engines.Engine
    deadline: Deadline
    source: str = engines.NATIVE
    _left: bool = dataclasses.field(default=False, init=False)

    def __post_init__(self) -> None:
        self.source = next(iter(self.engine.activity))

    @property
    def full_group(self) -> str:
        """What to say when a statement waited in vain for a slot of the role's own resource group."""
        return engines.full_group_message(self.engine, self.connection.role)

    @property
    def activity_columns(self) -> frozenset[str]:
        """Of the process list, as it is read now."""
        return self.engine.activity[self.source]

    def look_closer(self) -> bool:
        """From now on read the process list by the service's function, which shows more; false if there is none."""
        if self.source == engines.MDB or engines.MDB not in self.engine.activity:
            return False
        self.source = engines.MDB
        return True

    def execute(
        self, statement: t.Any, deadline: Deadline | None = None, source: str | None = None, share: float = 1.0
    ) -> Rows:
        """Run a statement, in a new connection if this one's next statement would wait.

        Args:
            deadline: Until when, by default the end of timeout.
            source: The interface that the statement calls upon.
            share: What part of the time it may take.
        """
        deadline = deadline or self.deadline
        # A pooler would give the same one again, once it has tidied it up, for which that needs a slot.
        if self._left or (self.connection.lingers and not (self.connection.pooled and self.engine.may_bypass)):
            self.renew(deadline)
        self.connection.lingers = source is not None and self.engine.spends_session(source)
        try:
            return self.connection.execute(statement, deadline=deadline if share == 1.0 else deadline.part(share))
        except GpopsError as error:
            raise with_holders(self.connection, error, deadline) from None

    def renew(self, deadline: Deadline) -> None:
        """Take a new connection in place of this one."""
        self.connection = self.connection.renewed(deadline)
        self._left = False

    def leave_connection(self) -> None:
        """Run no more here, for there was no answer: the next statement, if there is one, takes a new connection."""
        self._left = True


def _engine(connection: Connection, toolkit: str, needs: t.Sequence[str]) -> engines.Engine:
    try:
        return engines.probe(connection, toolkit, needs)
    except GpopsError as error:
        raise with_holders(connection, error, connection.deadline) from None


@contextlib.contextmanager
def connect(options: t.Mapping[str, t.Any], *needs: str, changes: bool = False) -> t.Iterator[Cluster]:
    """The cluster that these options lead to, and at the end nothing of ours is left on it.

    Args:
        needs: What has to be known of the engine beside, see engine.probe.
        changes: The operation changes what the segments must know as well.

    Raises:
        GpopsError: In plain words, from the login on; also that the role's own group is full.
    """
    deadline = Deadline(options["timeout"])
    connection = Connection(options, deadline)
    cluster: Cluster | None = None
    try:
        cluster = Cluster(connection, _engine(connection, options["toolkit"], needs), deadline)
        if changes and cluster.engine.utility_mode:
            raise GpopsError(
                f"this is a session in utility mode on {connection.where}: it would change the catalog of the "
                "coordinator only, and nothing was sent. Log in without gp_role (Greenplum 6: gp_session_role) in "
                "PGOPTIONS, connect_params or the service file"
            )
        yield cluster
    except GroupFull as error:
        engine = None if cluster is None else cluster.engine
        raise GpopsError(engines.full_group_message(engine, connection.role), **error.result) from None
    finally:
        (connection if cluster is None else cluster.connection).close()
