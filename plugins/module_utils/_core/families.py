# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what the engine families differ in, as data: one record a family. Private to the collection.

Which family a server is of stands here too. Nothing else compares with a family's name.
"""

from __future__ import annotations

import dataclasses
import typing as t

MDB_ADMIN = "mdb_admin"


def not_managed_alone(roles: t.Container[str]) -> str:
    """That the managed service's role for operators is not enough, where there is one among these roles."""
    return f", and {MDB_ADMIN} alone is neither" if MDB_ADMIN in roles else ""


@dataclasses.dataclass(frozen=True)
class Family:
    """What all servers of a family have in common.

    Attributes:
        name: As results and engine have it.
        brand: The product, of which a report gives the version too.
        title: The same with the major version where that is part of the name.
        column: What tells it from the families after it in FAMILIES: a column of the process list.
        all_seen_by: Who sees state and query of every session.
        signal_role: pg_signal_backend is there for roles that signal sessions of others.
        has_service: A managed service has it, with mdb_toolkit.
        service_settings: Settings that only the managed service's own build has; None if there is no such build.
        toolkit_is_extension: A database without gp_toolkit can install it.
        memory_is_percent: memory_limit is percent of the segment's memory, and not megabytes for a query.
        memory_default: What CREATE gives as memory_limit where it is not named.
        group_managers: Roles whose members may change resource groups, where the server knows them.
    """

    name: str
    brand: str
    title: str
    column: str
    all_seen_by: str = "a superuser or a member of pg_monitor"
    signal_role: bool = True
    has_service: bool = True
    service_settings: frozenset[str] | None = None
    toolkit_is_extension: bool = True
    memory_is_percent: bool = False
    memory_default: str = "-1"
    group_managers: tuple[str, ...] = ()


# In the order in which they are told apart. Later builds of Cloudberry 2 and its main have pg_manage_resource_groups.
FAMILIES: t.Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "gp6",
            "Greenplum",
            "Greenplum 6",
            column="waiting_reason",
            all_seen_by="a superuser",
            signal_role=False,
            service_settings=frozenset({"gp_resource_group_move_timeout", "idle_session_timeout"}),
            toolkit_is_extension=False,
            memory_is_percent=True,
            memory_default="0",
            group_managers=(MDB_ADMIN,),
        ),
        Family(
            "cb",
            "Apache Cloudberry",
            "Cloudberry",
            column="leader_pid",
            group_managers=(MDB_ADMIN, "pg_manage_resource_groups"),
        ),
        Family("gp7", "Greenplum", "Greenplum 7", column="sess_id", has_service=False),
    )
}


def titles() -> str:
    """All that there are, for a sentence."""
    *others, last = sorted(family.title for family in FAMILIES.values())
    return f"{', '.join(others)} or {last}"


def detected(columns: t.Container[str]) -> Family | None:
    """The family of a server by the columns of its process list; None if it is none of these."""
    if "sess_id" not in columns:
        return None
    return next(family for family in FAMILIES.values() if family.column in columns)
