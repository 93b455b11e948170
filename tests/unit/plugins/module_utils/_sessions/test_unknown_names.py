# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names in options are looked up, and what is said of those that are not there."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError, StatementError
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import unknown_names
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.unknown_names import Named

BILY = Named("users", "role", "bily")


def answering(*there: tuple[str, str]) -> t.Callable[[t.Any], Rows]:
    return lambda _statement: Rows(("kind", "name"), list(there))


def test_exact_names_only() -> None:
    options: dict[str, t.Any] = {
        "users": ["bily", "svc_*", "[b]illy"],
        "exclude_databases": ["prod", "prod"],
        "resource_groups": None,
        "protected_users": ["gpadmin", "gpmon", "samy"],
        "role_quotas": {"etl": 3, "rep?": 1, 42: 1},
        "application_names": ["jupyter"],
        "limits": [{"resource_groups": ["etl"], "users": None}],
    }
    assert unknown_names.named(options) == [
        BILY,
        Named("protected_users", "role", "samy"),
        Named("role_quotas", "role", "etl"),
        Named("role_quotas", "role", "42"),
        Named("exclude_databases", "database", "prod"),
        Named("limits: number 1: resource_groups", "resource group", "etl"),
    ]


def test_a_name_is_said_with_its_policy() -> None:
    found = unknown_names.named_by_policies([{"name": "a", "users": ["x"]}, {"name": "b", "databases": ["x"]}])
    assert [one.option for one in found] == ["policy a: users", "policy b: databases"]


def test_a_role_is_no_group() -> None:
    names = [Named("users", "role", "etl"), Named("resource_groups", "resource group", "etl")]
    assert unknown_names.check(names, "warn", answering(("role", "etl"))) == (
        ["etl"],
        ["resource_groups: this cluster has no resource group etl"],
    )


def test_one_may_be_a_failure() -> None:
    with pytest.raises(
        OptionError, match="unknown_names: users: this cluster has no role bily; nothing was sent"
    ) as it:
        unknown_names.check([BILY], "fail", answering())
    assert it.value.result["unknown_names"] == ["bily"]


@pytest.mark.parametrize(("names", "mode"), [([], "fail"), ([BILY], "ignore")])
def test_nothing_is_asked_in_vain(names: list[Named], mode: str) -> None:
    def ask(_statement: t.Any) -> Rows:
        raise AssertionError("it was asked")

    assert unknown_names.check(names, mode, ask) == ([], [])


def test_what_cannot_be_looked_up_stops_only_who_must_know() -> None:
    def ask(_statement: t.Any) -> Rows:
        raise StatementError("permission denied", "42501", "SELECT")

    names, (warning,) = unknown_names.check([BILY], "warn", ask)
    assert names == []
    assert "not known: permission denied" in warning
    with pytest.raises(StatementError):
        unknown_names.check([BILY], "fail", ask)
