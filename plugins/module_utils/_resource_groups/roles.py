# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: which role goes to which resource group, and who would be locked out. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.desired import (
    ADMIN,
    DEFAULT,
    MANAGED_ADMIN,
    SYSTEM,
    DesiredState,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, Group, Step
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import Limits

_FEW = 2  # fewer slots than this, and one stuck session locks everybody out


def moves_of(
    current: t.Mapping[str, Group],
    desired_state: DesiredState,
    facts: EngineFacts,
    dropped: t.Sequence[str],
    goals: t.Mapping[str, Limits],
) -> dict[str, str]:
    """Role -> the group that it goes to at the end."""
    owners = owners_of(current)
    listed = {role: desired for desired in desired_state.desired for role in desired.roles or ()}
    moves: dict[str, str] = {}
    for role, desired in listed.items():
        if owners.get(role) != desired.name:
            _check_role(desired.option("roles"), role, desired.name, facts, goals)
            moves[role] = desired.name
    for desired in desired_state.desired if desired_state.purge_roles else ():
        group = current.get(desired.name)
        if desired.roles is not None and group is not None:
            unlisted = (role for role in group.roles if role not in listed and not _reserved(role))
            moves.update({role: _home(role, facts) for role in unlisted if _home(role, facts) != group.name})
    left = {role: name for name in dropped for role in current[name].roles if role not in listed}
    for role, name in left.items():
        if desired_state.roles_to is None:
            roles = ", ".join(each for each, owner in left.items() if owner == name)
            raise OptionError(
                "roles_to", f"group {name!r} would be dropped and has roles: {roles}; say which group gets them"
            )
        _check_role("roles_to", role, desired_state.roles_to, facts, goals)
        moves[role] = desired_state.roles_to
    return moves


def owners_of(current: t.Mapping[str, Group]) -> dict[str, str]:
    return {role: group.name for group in current.values() for role in group.roles}


def _reserved(role: str) -> bool:
    """Whether the role is the engine's own: Greenplum 7 has them in admin_group and lets nobody move them."""
    return role.startswith("pg_")


def _home(role: str, facts: EngineFacts) -> str:
    """Where the engine itself puts a role without a group."""
    return ADMIN if role in facts.superusers else DEFAULT


def _check_role(option: str, role: str, group: str, facts: EngineFacts, goals: t.Mapping[str, Limits]) -> None:
    if role not in facts.all_roles:
        raise OptionError(option, f"there is no role {role!r}")
    if _reserved(role):
        raise OptionError(option, f"{role!r} is a role of the engine; its group cannot be changed")
    if group == SYSTEM:
        raise OptionError(option, f"{group} is for the engine's own processes and takes no role")
    if group == ADMIN and role not in facts.superusers:
        raise OptionError(option, f"{group} takes superusers only, and {role!r} is none")
    if goals[group].get("memory_auditor") == "cgroup":
        raise OptionError(option, f"group {group!r} has memory_auditor cgroup and takes no role")


def assignments(
    current: t.Mapping[str, Group],
    moves: t.Mapping[str, str],
    facts: EngineFacts,
    dropped: t.Sequence[str],
    goals: t.Mapping[str, Limits],
) -> tuple[list[Step], list[Step]]:
    """What must be before the drops, and what comes last."""
    owners = owners_of(current)
    early, late = [], []
    for role, group in moves.items():
        final = Step("assign", group, role=role)
        if owners.get(role) not in dropped:
            late.append(final)
        elif group in current and not _wakes(current[group].limits, goals[group]):
            early.append(final)
        else:
            early.append(Step("assign", _home(role, facts), role=role))
            late.append(final)
    return early, late


def _wakes(now: Limits, then: Limits) -> bool:
    """Whether nothing can run in a group yet, but will at the end."""
    return now["concurrency"] == "0" != then["concurrency"]


def check_lockout(
    current: t.Mapping[str, Group],
    desired_state: DesiredState,
    facts: EngineFacts,
    moves: t.Mapping[str, str],
    goals: t.Mapping[str, Limits],
) -> None:
    for desired in desired_state.desired:
        group = current.get(desired.name)
        if group is None or not desired.present:
            continue
        now, then = int(group.limits["concurrency"]), int(goals[group.name]["concurrency"])
        why = _why_keep_open(group, facts, moves) if then < now and then < _FEW else None
        if why is not None:
            raise OptionError(
                desired.option("concurrency"),
                f"{then} on group {group.name!r} can lock you out: {why}; {_FEW} or more, or allow_lockout: true",
            )
    target = moves.get(facts.role)
    if target is not None and goals[target]["concurrency"] == "0":
        raise OptionError(
            _why_moved(facts.role, desired_state, current),
            f"this would lock you out: your role {facts.role!r} would go to group {target!r}, where nothing can run "
            "with concurrency 0; allow_lockout: true does it",
        )


def _why_keep_open(group: Group, facts: EngineFacts, moves: t.Mapping[str, str]) -> str | None:
    if group.name in (ADMIN, MANAGED_ADMIN):
        return "it is the group of the administrators"
    roles = {*group.roles, *(role for role, goal in moves.items() if goal == group.name)}
    if group.name == facts.role_group or facts.role in roles:
        return f"your role {facts.role!r} is in it"
    superusers = sorted(roles & facts.superusers)
    return f"the superuser {superusers[0]!r} is in it" if superusers else None


def _why_moved(role: str, desired_state: DesiredState, current: t.Mapping[str, Group]) -> str:
    """The option that moves this role."""
    for desired in desired_state.desired:
        if role in (desired.roles or ()):
            return desired.option("roles")
    kept = {desired.name for desired in desired_state.desired if desired.present}
    return "purge_roles" if owners_of(current).get(role) in kept else "roles_to"
