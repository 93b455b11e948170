# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements that change a server, one by one: applied, failed, not applied. Private to the collection."""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.catalog_locks import with_holders
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, GroupFull, StatementError

_NOT_ALLOWED = "42501"


class Change(abc.ABC):
    """One plan on one server: its statements, what of them was done, and what came out.

    Attributes:
        cluster: Where.
        statements: As text, for the driver quotes names with a live connection only, and a failure names them too.
        applied: How many of them took effect.
        notices: What the server warned of meanwhile.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.statements: list[str] = []
        self.applied = 0
        self.notices: list[str] = []

    @abc.abstractmethod
    def look(self) -> None:
        """Read what is there now, for the result."""

    @abc.abstractmethod
    def forget(self) -> None:
        """What is there now could not be read."""

    @abc.abstractmethod
    def result(self) -> dict[str, t.Any]:
        """The result of the module; before apply, what would happen."""

    @abc.abstractmethod
    def who_may(self, number: int, said: str) -> str:
        """Who may do what was refused.

        Args:
            number: Of the statement, from 0.
            said: What the engine said.
        """

    def apply(self) -> None:
        """Send the statements; each is its own transaction, so a failure leaves those before it done.

        Raises:
            GpopsError: With what was applied, what failed, what was not applied, and what is there now.
        """
        for statement in self.statements:
            heard = len(self.cluster.connection.warnings())
            try:
                self.cluster.connection.execute(statement)
            except GpopsError as error:
                found = with_holders(self.cluster.connection, error, self.cluster.deadline)
                raise self._failure(found) from None
            self.applied += 1
            warnings = self.cluster.connection.warnings()[heard:]
            self.notices += [text for text in warnings if text.startswith("WARNING")]
        if not self.statements:
            return
        try:
            self.look()
        except GpopsError as error:
            self.forget()
            raise GpopsError(
                f"all {self.applied} statements were applied; reading the result failed: {error.message}",
                **{**self.result(), **error.result, "applied": self.statements, "not_applied": []},
            ) from None

    def _failure(self, error: GpopsError) -> GpopsError:
        done, failed = self.applied, self.statements[self.applied]
        rest = self.statements[done + 1 :]
        unsure = error.was_sent and not isinstance(error, StatementError)
        words = self._words(error)
        try:
            self.cluster.connection = self.cluster.connection.renewed()
            self.look()
        except GpopsError:
            self.forget()
        return GpopsError(
            f"statement {done + 1} of {len(self.statements)} failed: {failed}: {words}. "
            f"{done} before it were applied, {len(rest)} after it were not sent"
            f"{'; whether it took effect itself is unknown' if unsure else ''}. Running the task again does the rest",
            **{
                **self.result(),
                **error.result,
                "changed": bool(done) or unsure,
                "applied": self.statements[:done],
                "failed_statement": failed,
                "not_applied": rest,
            },
        )

    def _words(self, error: GpopsError) -> str:
        message = self.cluster.full_group if isinstance(error, GroupFull) else error.message
        if not isinstance(error, StatementError) or error.sqlstate != _NOT_ALLOWED:
            return message
        return f"{message}; {self.who_may(self.applied, error.message)}"
