# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: resource groups as they are + as they should be -> the steps. Private to the collection.

A step is one statement.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.desired import (
    BUILT_IN,
    Desired,
    DesiredState,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.engine_rules import (
    check_options,
    conflict,
    effect,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import (
    EngineFacts,
    Group,
    Plan,
    State,
    Step,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.notations import UNSET
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import (
    PERCENTAGES,
    Limits,
    is_same,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.order import Order
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.roles import (
    assignments,
    check_lockout,
    moves_of,
    owners_of,
)


def plan(current: t.Mapping[str, Group], desired_state: DesiredState, facts: EngineFacts) -> Plan:
    """The steps from what is to what is wished for; none if they are equal.

    Raises:
        OptionError: The engine would not take it, or it would lock out who asks for it. Nothing has been sent.
    """
    dropped = _dropped(current, desired_state)
    warnings = _check_drops(current, desired_state, dropped)
    state: State = {name: group.limits for name, group in current.items() if name not in dropped}
    changes: list[Step] = []
    for desired in desired_state.desired:
        if desired.present:
            check_options(desired, state.get(desired.name), facts)
            changes += _changes(desired, state.get(desired.name), facts)
    goals = dict(state)
    for step in changes:
        goals[step.group] = effect(step, goals, facts)
    _check_end(goals, changes, desired_state, facts)
    moves = moves_of(current, desired_state, facts, dropped, goals)
    if not desired_state.allow_lockout:
        check_lockout(current, desired_state, facts, moves, goals)
    early, late = assignments(current, moves, facts, dropped, goals)
    order = Order(state, changes, desired_state, facts)
    order.find()
    steps = (*early, *(Step("drop", name) for name in dropped), *order.steps, *late)
    before, after = _ends(current, desired_state, steps, moves, order.state)
    return Plan(steps, before, after, (*warnings, *_side_effects(before, after, desired_state)))


def _dropped(current: t.Mapping[str, Group], desired_state: DesiredState) -> list[str]:
    named = {desired.name: desired.present for desired in desired_state.desired}
    dropped = [name for name, present in named.items() if not present and name in current]
    if desired_state.purge:
        dropped += sorted(name for name in current if name not in named and name not in BUILT_IN)
    return dropped


def _check_drops(current: t.Mapping[str, Group], desired_state: DesiredState, dropped: t.Sequence[str]) -> list[str]:
    _check_target(current, desired_state, dropped)
    states = {desired.name: desired.option("state") for desired in desired_state.desired}
    warnings = []
    for name in dropped:
        running = current[name].running
        if not running:
            continue
        busy = f"{running} transactions run" if running > 1 else "1 transaction runs"
        if desired_state.roles_to is None:
            raise OptionError(
                states.get(name, "purge"),
                f"{busy} in group {name!r}, so it cannot be dropped now; end what runs there first, or move its roles "
                "with roles_to and try",
            )
        warnings.append(f"{busy} in group {name!r}: until that ends, the engine refuses to drop it")
    return warnings


def _check_target(current: t.Mapping[str, Group], desired_state: DesiredState, dropped: t.Sequence[str]) -> None:
    target = desired_state.roles_to
    if target is None or any(desired.name == target for desired in desired_state.desired):
        return
    if target not in current:
        raise OptionError("roles_to", f"there is no group {target!r}, and none is declared")
    if target in dropped:
        raise OptionError("roles_to", f"purge drops {target!r}: it is not declared")


def _changes(desired: Desired, limits: Limits | None, facts: EngineFacts) -> list[Step]:
    """The statements that this entry needs, not yet in order."""
    wanted = {name: desired.limits[name] for name in facts.options if name in desired.limits}
    steps = []
    if limits is None:
        # In CREATE it depends on the order of the two, and on the version, whether the cpuset resets the weight.
        later = {"cpu_weight": wanted.pop("cpu_weight")} if "cpuset" in wanted and "cpu_weight" in wanted else {}
        steps.append(Step("create", desired.name, limits=wanted))
        limits, wanted = effect(steps[0], {}, facts), later
    # What resets others is first, so that these are set again.
    for option in sorted(wanted, key=lambda name: name not in ("cpuset", *PERCENTAGES)):
        leaves_cores = option in PERCENTAGES and limits.get("cpuset", UNSET) != UNSET
        if leaves_cores or not is_same(option, limits.get(option, ""), wanted[option], facts.tablespaces):
            steps.append(Step("alter", desired.name, option, wanted[option]))
            limits = effect(steps[-1], {desired.name: limits}, facts)
    return steps


# What the engine refuses


def _check_end(
    goals: t.Mapping[str, Limits], changes: t.Iterable[Step], desired_state: DesiredState, facts: EngineFacts
) -> None:
    """Refuse what cannot be at the end, before anything is sent."""
    touched = {step.group for step in changes}
    for desired in desired_state.desired:
        found = conflict(desired.name, goals[desired.name], goals) if desired.name in touched else None
        if found is None:
            continue
        if found.sums:
            raise OptionError(
                found.options[0],
                found.problem.replace(" and the engine allows", f" and {facts.traits.title} allows", 1),
                sums=dict(found.sums),
            )
        said = [name for name in found.options if name in desired.limits]
        raise OptionError(desired.option((said or found.options)[0]), found.problem)


def _ends(
    current: t.Mapping[str, Group],
    desired_state: DesiredState,
    steps: t.Iterable[Step],
    moves: t.Mapping[str, str],
    state: t.Mapping[str, Limits],
) -> tuple[dict[str, Group | None], dict[str, Group | None]]:
    """The groups that are named or touched, before and after."""
    owners = owners_of(current)
    left = [owners[role] for role in moves if role in owners]
    names = dict.fromkeys(
        [*(desired.name for desired in desired_state.desired), *(step.group for step in steps), *left]
    )
    before = {name: current.get(name) for name in names}
    roles: dict[str, list[str]] = {}
    for role, group in sorted({**owners, **moves}.items()):
        roles.setdefault(group, []).append(role)
    after: dict[str, Group | None] = dict.fromkeys(names)
    for name in (name for name in names if name in state):
        base = current.get(name) or Group(name, {})
        after[name] = dataclasses.replace(base, limits=state[name], roles=tuple(roles.get(name, ())))
    return before, after


def _side_effects(
    before: t.Mapping[str, Group | None], after: t.Mapping[str, Group | None], desired_state: DesiredState
) -> list[str]:
    """What changes though nobody asked for it."""
    warnings = []
    for desired in desired_state.desired:
        old, new = before[desired.name], after[desired.name]
        if old is None or new is None or "cpu_weight" in desired.limits:
            continue
        now, then = old.limits.get("cpu_weight"), new.limits.get("cpu_weight")
        if now != then:
            warnings.append(
                f"group {desired.name!r}: the new cpuset resets cpu_weight from {now} to {then}; to keep it, declare it"
            )
    return warnings
