# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of policies asks of a server, and has done there. Private to the collection."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import Engine, Hosts, hosts
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import Snapshot
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.snapshot import read
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import Sender
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.sender import SignalSender


class Server(t.Protocol):
    """A server, as a run of policies sees it.

    Attributes:
        engine: What it is.
        deadline: The end of timeout.
        settle_seconds: The moment that the engine needs until those that waited for a victim go on.
        full_group: What to say when a statement waited in vain for a slot of the role's own resource group.
    """

    settle_seconds: float

    @property
    def engine(self) -> Engine: ...

    @property
    def deadline(self) -> Deadline: ...

    @property
    def full_group(self) -> str: ...

    def ask(self, statement: t.Any) -> Rows:
        """The answer to a statement that reads the catalog."""

    def look(self, deadline: Deadline, with_locks: bool, query_length: int) -> Snapshot:
        """All sessions of this moment."""

    def hosts(self, deadline: Deadline) -> Hosts:
        """What the catalog says of the hosts of the cluster."""

    def sender(self, deadline: Deadline, message: str | None) -> Sender:
        """What signals."""


class ConnectedServer:
    """The server that an operation is connected to."""

    settle_seconds = 0.5

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.engine = cluster.engine
        self.deadline = cluster.deadline

    @property
    def full_group(self) -> str:
        """What to say when a statement waited in vain for a slot of the role's own resource group."""
        return self._cluster.full_group

    def ask(self, statement: t.Any) -> Rows:
        """The answer to a statement that reads the catalog."""
        return self._cluster.execute(statement)

    def look(self, deadline: Deadline, with_locks: bool, query_length: int) -> Snapshot:
        """All sessions of this moment."""
        return read(self._cluster, deadline, with_locks, query_length)

    def hosts(self, deadline: Deadline) -> Hosts:
        """What the catalog says of the hosts of the cluster."""
        return hosts(self._cluster.connection, deadline)

    def sender(self, deadline: Deadline, message: str | None) -> Sender:
        """What signals."""
        return SignalSender(self._cluster, deadline, message)


class Reach(t.Protocol):
    """Options of the connection -> the server that they lead to."""

    def __call__(self, options: t.Mapping[str, t.Any], *needs: str) -> contextlib.AbstractContextManager[Server]: ...


@contextlib.contextmanager
def reached(options: t.Mapping[str, t.Any], *needs: str) -> t.Iterator[Server]:
    """The server that these options lead to.

    Args:
        needs: What has to be known of the engine beside.

    Raises:
        GpopsError: In plain words, from the login on.
    """
    with connect(options, *needs) as cluster:
        yield ConnectedServer(cluster)
