# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds a lock on the catalog, in words."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import catalog_locks
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    DeadlineExceeded,
    GpopsError,
    GroupFull,
    StatementError,
)

LOCKED = StatementError("no lock", "55P03", "ALTER ROLE x")


class Connection:
    def __init__(self, answer: t.Any) -> None:
        self.answer = answer

    def execute(self, _statement: str, deadline: Deadline) -> Rows:
        assert deadline.remaining() > 0
        if isinstance(self.answer, Exception):
            raise self.answer
        return Rows(("pid", "session", "mode", "relation"), self.answer)


def told(error: GpopsError, answer: t.Any) -> GpopsError:
    return catalog_locks.with_holders(t.cast("t.Any", Connection(answer)), error, Deadline(5))


def test_the_strongest_lock_comes_first_and_not_all_are_named() -> None:
    rows = [
        ("7", "12", "RowExclusiveLock", "pg_database"),
        (None, "13", "AccessExclusiveLock", "pg_authid"),
        ("8", "13", "AccessExclusiveLock", "pg_authid"),
        ("8", "13", "AccessExclusiveLock", "pg_authid"),
        ("9", "14", "ShareLock", "pg_authid"),
    ]
    found = told(LOCKED, rows)
    assert isinstance(found, StatementError)
    assert found.message == (
        "no lock; now process 8 holds AccessExclusiveLock on pg_authid, "
        "session 13, on a segment, holds AccessExclusiveLock on pg_authid, process 9 holds ShareLock on pg_authid"
    )
    assert found.result == LOCKED.result


@pytest.mark.parametrize("answer", [[], DeadlineExceeded("late"), StatementError("no", "42501", "SELECT")])
def test_without_an_answer_it_is_the_same_error(answer: t.Any) -> None:
    assert told(LOCKED, answer) is LOCKED


@pytest.mark.parametrize("error", [DeadlineExceeded("late"), GroupFull("full", "55P03", "x"), GpopsError("bad")])
def test_for_other_errors_nobody_looks(error: GpopsError) -> None:
    assert told(error, [("7", "12", "ShareLock", "pg_authid")]) is error
