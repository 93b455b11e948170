# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: resource groups, what the engine is, steps and plans. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.families import FAMILIES, Family
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import Limits

State = t.Dict[str, Limits]


@dataclasses.dataclass(frozen=True)
class Group:
    """A resource group as the engine has it.

    Attributes:
        limits: Column of gp_resgroup_config -> its text, without groupid and groupname.
        roles: The roles assigned, sorted.
        running: Transactions now; None if not asked.
        queueing: Likewise.
    """

    name: str
    limits: t.Mapping[str, str]
    roles: tuple[str, ...] = ()
    running: int | None = None
    queueing: int | None = None


@dataclasses.dataclass(frozen=True)
class EngineFacts:
    """Of this server and login.

    Attributes:
        family: Name of its record in _core/families.
        options: The columns of the config view: the options that this engine has.
        role: Who we are.
        role_group: And in which group.
        tablespaces: Name -> oid, or None if nobody asked for one by its name.
    """

    family: str
    options: tuple[str, ...]
    max_connections: int
    role: str
    role_group: str | None
    superusers: frozenset[str]
    all_roles: frozenset[str]
    tablespaces: t.Mapping[str, int] | None = None

    @property
    def traits(self) -> Family:
        """What its family has in common."""
        return FAMILIES[self.family]


@dataclasses.dataclass(frozen=True)
class Step:
    """One statement.

    Attributes:
        kind: drop, create, alter or assign.
        group: For assign the group that the role goes to.
        option: Of alter.
        value: Of alter, canonical.
        limits: Of create: all options of the statement, in order.
        role: Of assign.
    """

    kind: str
    group: str
    option: str | None = None
    value: str | None = None
    limits: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    role: str | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """The steps and where they lead.

    Attributes:
        before: Each group that the desired state names or that a step touches.
        after: The same groups when all steps are done, side effects included.
    """

    steps: tuple[Step, ...]
    before: t.Mapping[str, Group | None]
    after: t.Mapping[str, Group | None]
    warnings: tuple[str, ...]
