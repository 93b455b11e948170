# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""As whom a session acts, and who decides that."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine

OWNER = [("ALTER DATABASE d", "owner")]


def problem(login: str, role: str, wanted: str = "none", **more: t.Any) -> str | None:
    given: dict[str, t.Any] = {"told": [], "pooled": False, **more}
    return engine.who_problem({"login": login, "role": role}, "ops", wanted, **given)


@pytest.mark.parametrize(("role", "wanted"), [("ops", "none"), ("b", "b"), ("b" * 63, "b" * 70)])
def test_as_it_should_be(role: str, wanted: str) -> None:
    assert problem("ops", role, wanted) is None


def test_another_role_is_named() -> None:
    assert problem("ops", "owner") == "the session acts as role owner, not as ops"
    assert problem("ops", "ops", "b") == "the session acts as role ops, not as b"


def test_another_session_is_named() -> None:
    assert problem("owner", "owner") == "ops has logged in, but the session is that of owner"


def test_a_pooler_may_log_in_as_somebody_else() -> None:
    assert problem("pool", "pool", pooled=True) is None
    assert problem("pool", "owner", pooled=True) is not None


def test_the_next_session_of_a_pooler_may_begin_as_another_one() -> None:
    assert "begin as role owner, not as ops" in str(problem("ops", "ops", told=OWNER, pooled=True))
    assert problem("ops", "owner", "owner", told=OWNER, pooled=True) is None
    # The first one counts.
    told = [("ALTER ROLE ops IN DATABASE d", "none"), *OWNER]
    assert problem("ops", "ops", told=told, pooled=True) is None


@pytest.mark.parametrize(
    ("role", "database", "statement"),
    [
        (None, "d", "ALTER DATABASE d"),
        ("ops", None, "ALTER ROLE ops"),
        ("ops", "d", "ALTER ROLE ops IN DATABASE d"),
        (None, None, "ALTER ROLE ALL"),
    ],
)
def test_what_to_do(role: str | None, database: str | None, statement: str) -> None:
    words = engine.what_to_do([(engine._altered(role, database), "owner")])
    assert f"{statement} SET role = owner" in words
    assert f"{statement} RESET role" in words
    assert "session_role" in engine.what_to_do([])
