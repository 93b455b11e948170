# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of every operation: log in, ask what the server is, log out. Private to the collection."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils import _connection, _engine
from ansible_collections.gpops.toolkit.plugins.module_utils._errors import GpopsError, GroupFull


@dataclasses.dataclass
class Visit:
    """One operation on one server.

    Attributes:
        session: The one in use; an operation that takes a new one puts it here, and the last one is ended.
        engine: What the server is.
        deadline: The end of O(timeout).
    """

    session: _connection.Session
    engine: _engine.Engine
    deadline: _connection.Deadline

    @property
    def full_group(self) -> str:
        """What to say when a statement waited in vain for a slot of the role's own resource group."""
        return _engine.full_group_message(self.engine, self.session.role)


@contextlib.contextmanager
def visit(options: t.Mapping[str, t.Any], *needs: str) -> t.Iterator[Visit]:
    """A visit with these options; what it needs to know of the engine beside, see _engine.probe.

    Raises:
        GpopsError: In plain words, from the login on; also that the role's own group is full.
    """
    deadline = _connection.Deadline(options["timeout"])
    session = _connection.Session(options, deadline)
    found: Visit | None = None
    try:
        found = Visit(session, _engine.probe(session, options["toolkit"], needs), deadline)
        yield found
    except GroupFull as error:
        engine = None if found is None else found.engine
        raise GpopsError(_engine.full_group_message(engine, session.role), **error.result) from None
    finally:
        (session if found is None else found.session).close()
