# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names in options that the cluster does not have: a slip of the pen that chooses, spares or limits nobody.

Only an exact name can be one; a glob may well fit nobody yet. Private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import answers
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import TEXT, Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.driver import sql
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError, StatementError

WARN = "warn"
FAIL = "fail"
ARGUMENT_SPEC: dict[str, t.Any] = {
    "unknown_names": {"type": "str", "choices": [WARN, FAIL, "ignore"], "default": WARN},
}
_ROLE, _DATABASE, _GROUP = "role", "database", "resource group"
_KINDS = {
    "users": _ROLE,
    "exclude_users": _ROLE,
    "protected_users": _ROLE,
    "protected_application_users": _ROLE,
    "role_quotas": _ROLE,
    "databases": _DATABASE,
    "exclude_databases": _DATABASE,
    "resource_groups": _GROUP,
    "exclude_resource_groups": _GROUP,
}
# Some clusters have no monitoring.
_BY_DEFAULT = {("protected_users", "gpadmin"), ("protected_users", "gpmon")}
_GLOB = frozenset("*?[")
# Tables of pg_catalog with their schema and no function: this waits in no full group. The views would show less.
_THERE = {
    _ROLE: "SELECT 'role' AS kind, rolname AS name FROM pg_catalog.pg_roles WHERE rolname IN ({names})",
    _DATABASE: "SELECT 'database' AS kind, datname AS name FROM pg_catalog.pg_database WHERE datname IN ({names})",
    _GROUP: "SELECT 'resource group' AS kind, rsgname AS name FROM pg_catalog.pg_resgroup WHERE rsgname IN ({names})",
}


class Named(t.NamedTuple):
    """An exact name in an option, which is said with its policy."""

    option: str
    kind: str
    name: str


def named(options: t.Mapping[str, t.Any], where: str = "") -> list[Named]:
    """PURE: the exact names in these options, and in those of their limits.

    Args:
        where: What stands before the name of an option.
    """
    found = [
        Named(f"{where}{option}", kind, name)
        for option, kind in _KINDS.items()
        for name in map(str, options.get(option) or ())
        if not _GLOB.intersection(name) and (option, name) not in _BY_DEFAULT
    ]
    for number, entry in enumerate(options.get("limits") or (), 1):
        found += named(entry, f"{where}limits: number {number}: ")
    return list(dict.fromkeys(found))


def named_by_policies(policies: t.Iterable[t.Mapping[str, t.Any]]) -> list[Named]:
    """PURE: the same of each policy."""
    return [one for policy in policies for one in named(policy, f"policy {policy['name']}: ")]


def statement(names: t.Iterable[Named]) -> t.Any:
    """What asks which of them are there, one at least."""
    by_kind: dict[str, list[str]] = {}
    for one in names:
        by_kind.setdefault(one.kind, []).append(one.name)
    parts = [
        sql.SQL(_THERE[kind]).format(names=sql.SQL(", ").join(map(sql.Literal, dict.fromkeys(wanted))))
        for kind, wanted in by_kind.items()
    ]
    return sql.SQL(" UNION ALL ").join(parts)


def unknown(names: t.Iterable[Named], rows: Rows) -> list[Named]:
    """PURE: those that are not among the answer."""
    there = {(row["kind"], row["name"]) for row in answers.records(rows, "the names", {"kind": TEXT, "name": TEXT})}
    return [one for one in names if (one.kind, one.name) not in there]


def warnings(found: t.Iterable[Named]) -> list[str]:
    """PURE: what to say of each."""
    return [f"{one.option}: this cluster has no {one.kind} {one.name}" for one in found]


def check(names: t.Sequence[Named], mode: str, ask: t.Callable[[t.Any], Rows]) -> tuple[list[str], list[str]]:
    """The names that the cluster does not have, and what to warn of.

    Args:
        names: That stand in options.
        mode: The option unknown_names.
        ask: Runs a statement.

    Raises:
        OptionError: There is one, and it is to be a failure.
    """
    if not names or mode not in (WARN, FAIL):
        return [], []
    try:
        found = unknown(names, ask(statement(names)))
    except StatementError as error:
        if mode == FAIL:
            raise
        return [], [f"unknown_names: whether the cluster has the names is not known: {error.message}"]
    listed, words = sorted({one.name for one in found}), warnings(found)
    if found and mode == FAIL:
        raise OptionError("unknown_names", "; ".join(words) + "; nothing was sent", unknown_names=listed)
    return listed, words
