# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's rules for resource groups: state + statement -> new state, or the engine's error.

Pure: no clock, no I/O.  Whatever plans statements can be held against this model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from . import io_limit
from .profiles import ADMIN_OID, BUILT_IN, Option, Profile

FIRST_GROUP_OID = 16385
INT_MAX = 2**31 - 1
INT8_MAX = 2**63 - 1
MAX_NAME_BYTES = 63
MAX_CPUSET = 1024

INVALID_VALUE = "22023"
SYNTAX = "42601"


@dataclass(frozen=True)
class Value:
    """A value as it was written: 5, 1.5, 'text', a bare word, or nothing at all."""

    kind: Literal["int", "float", "string", "word", "none"]
    text: str = ""


@dataclass(frozen=True)
class CreateGroup:
    name: str
    options: tuple[tuple[str, Value], ...] = ()
    tag: str = "CREATE RESOURCE GROUP"


@dataclass(frozen=True)
class AlterGroup:
    name: str
    option: str
    value: Value
    tag: str = "ALTER RESOURCE GROUP"


@dataclass(frozen=True)
class DropGroup:
    name: str
    tag: str = "DROP RESOURCE GROUP"


GroupStatement = CreateGroup | AlterGroup | DropGroup


@dataclass(frozen=True)
class Notice:
    severity: Literal["NOTICE", "WARNING"]
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Group:
    oid: int
    name: str
    limits: Mapping[str, str]

    @property
    def concurrency(self) -> int:
        return int(self.limits["concurrency"])


@dataclass(frozen=True)
class GroupState:
    """All groups, by name, and the oid that the next one gets."""

    groups: Mapping[str, Group]
    next_oid: int = FIRST_GROUP_OID

    def by_oid(self, oid: int) -> Group | None:
        return next((group for group in self.groups.values() if group.oid == oid), None)


@dataclass(frozen=True)
class Actor:
    """Who runs the statement."""

    superuser: bool
    manager: bool = False


@dataclass(frozen=True)
class Usage:
    """What a group is used by, as far as DROP cares, and what holds for the whole server."""

    groups_with_roles: frozenset[int] = frozenset()
    transactions: Mapping[int, int] = field(default_factory=dict)
    max_connections: int = 400
    activated: bool = True
    tablespaces: Mapping[str, int] = field(default_factory=lambda: io_limit.TABLESPACES)


@dataclass(frozen=True)
class Applied:
    state: GroupState
    tag: str
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Refused:
    sqlstate: str
    message: str
    hint: str = ""


class Refusal(Exception):
    """Carries a Refused out of the depth of a check."""

    def __init__(self, sqlstate: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.refused = Refused(sqlstate, message, hint)


def initial_state(profile: Profile) -> GroupState:
    defaults = {option.name: option.default for option in profile.options}
    groups = {name: Group(oid, name, {**defaults, **limits}) for oid, name, limits in profile.built_in_groups}
    return GroupState(groups)


def evaluate(
    profile: Profile, state: GroupState, statement: GroupStatement, actor: Actor, usage: Usage
) -> Applied | Refused:
    """What the engine answers to one statement outside a transaction block."""
    try:
        _check_privilege(profile, statement, actor)
        if isinstance(statement, CreateGroup):
            return _create(profile, state, statement, usage)
        if isinstance(statement, AlterGroup):
            return _alter(profile, state, statement, usage)
        return _drop(state, statement, usage)
    except Refusal as refusal:
        return refusal.refused


def _check_privilege(profile: Profile, statement: GroupStatement, actor: Actor) -> None:
    verb = statement.tag.split()[0].lower()
    if not (actor.superuser or actor.manager):
        raise Refusal("42501", f"must be {profile.group_changers} to {verb} resource groups")
    if not actor.superuser and statement.name == "admin_group" and not isinstance(statement, CreateGroup):
        raise Refusal("42501", f"must be superuser to {verb} resource group {profile.admin_group_in_refusal}")


def _create(profile: Profile, state: GroupState, statement: CreateGroup, usage: Usage) -> Applied:
    if statement.name == "none":
        raise Refusal("42939", 'resource group name "none" is reserved')
    limits = _limits_of_create(profile, statement, usage)
    if statement.name in state.groups:
        raise Refusal("42710", f'resource group "{statement.name}" already exists')
    group = Group(state.next_oid, statement.name, limits)
    _check_against_others(profile, state, group, usage)
    notices = _cgroup_warnings(profile, group)
    if not usage.activated:
        notices = (disabled_warning(),)
    groups = {**state.groups, group.name: group}
    return Applied(GroupState(groups, state.next_oid + 1), statement.tag, notices)


def _limits_of_create(profile: Profile, statement: CreateGroup, usage: Usage) -> dict[str, str]:
    limits = {option.name: option.default for option in profile.options}
    seen: set[str] = set()
    for name, value in statement.options:
        option = profile.limits.get(name)
        if option is None:
            raise Refusal(INVALID_VALUE, f'option "{name}" not recognized')
        if name in seen:
            raise Refusal(SYNTAX, profile.duplicate_option % name)
        seen.add(name)
        limits[name] = _checked(profile, option, value, usage)
        if name == "cpuset":  # what comes after it in the statement holds, as a real Greenplum 7 showed
            limits.update(profile.reset_by_cpuset)
    if {profile.cpu_option, "cpuset"} <= seen:
        raise Refusal(INVALID_VALUE, f"can't specify both {profile.cpu_option} and cpuset")
    if not {profile.cpu_option, "cpuset"} & seen:
        raise Refusal(INVALID_VALUE, f"must specify {profile.cpu_option} or cpuset")
    _check_conflicts(limits)
    return limits


def _alter(profile: Profile, state: GroupState, statement: AlterGroup, usage: Usage) -> Applied:
    value = _checked(profile, profile.limits[statement.option], statement.value, usage)
    group = _existing(state, statement.name)
    if statement.option == "concurrency" and value == "0" and group.oid == ADMIN_OID:
        raise Refusal("22020", "admin_group must have at least one concurrency")
    limits = {**group.limits, statement.option: value}
    if statement.option == "cpuset":
        limits.update(profile.reset_by_cpuset)
    elif statement.option == profile.cpu_option:
        limits["cpuset"] = "-1"
    _check_conflicts(limits)
    changed = replace(group, limits=limits)
    _check_against_others(profile, state, changed, usage)
    notices = _cgroup_warnings(profile, changed) if statement.option == profile.cpu_option and usage.activated else ()
    return Applied(replace(state, groups={**state.groups, group.name: changed}), statement.tag, notices)


def _drop(state: GroupState, statement: DropGroup, usage: Usage) -> Applied:
    group = _existing(state, statement.name)
    if group.oid in BUILT_IN:
        raise Refusal("0A000", f'cannot drop default resource group "{group.name}"')
    running = usage.transactions.get(group.oid, 0)
    if running:
        raise Refusal(
            "2BP01",
            f'cannot drop resource group "{group.name}"',
            f" The resource group is currently managing {running} query(ies) and cannot be dropped.\n"
            "\tTerminate the queries first or try dropping the group later.\n"
            "\tThe view pg_stat_activity tracks the queries managed by resource groups.",
        )
    if group.oid in usage.groups_with_roles:
        raise Refusal("2BP01", "resource group is used by at least one role")
    groups = {name: other for name, other in state.groups.items() if name != group.name}
    return Applied(replace(state, groups=groups), statement.tag)


def disabled_warning() -> Notice:
    return Notice("WARNING", "resource group is disabled", "To enable set gp_resource_manager=group")


def _existing(state: GroupState, name: str) -> Group:
    group = state.groups.get(name)
    if group is None:
        raise Refusal("42704", f'resource group "{name}" does not exist')
    return group


def _checked(profile: Profile, option: Option, value: Value, usage: Usage) -> str:
    """One value, as it is stored; its form and range are checked before anything is looked up."""
    if option.kind == "io":
        return _checked_io_limit(value.text, usage)
    if option.kind == "cpuset":
        _check_cpuset(value.text)
        return value.text
    if option.kind == "auditor":
        if value.text not in ("vmtracker", "cgroup"):
            raise Refusal(INVALID_VALUE, 'memory_auditor should be "vmtracker" or "cgroup"')
        return value.text
    number = _integer(profile, option.name, value)
    high = usage.max_connections if option.name == "concurrency" else option.high
    if number != option.also and (number < option.low or (high is not None and number > high)):
        raise Refusal(INVALID_VALUE, option.refusal)
    return str(number)


def _checked_io_limit(text: str, usage: Usage) -> str:
    if not usage.activated:
        raise Refusal(INVALID_VALUE, "resource group must be enabled to use io limit feature")
    try:
        return io_limit.normalised(text, usage.tablespaces)
    except io_limit.IoLimitProblem as problem:
        raise Refusal(problem.sqlstate, problem.message, problem.hint) from problem


def _check_cpuset(text: str) -> None:
    """One part for all, or one for the coordinator and one for the segments."""
    parts = text.split(";")
    if len(parts) > 2:
        raise Refusal(SYNTAX, "cpuset invalid")
    for part in parts:
        if len(part) >= MAX_CPUSET:
            raise Refusal(INVALID_VALUE, f"the length of cpuset reached the upper limit {MAX_CPUSET}")
        cpuset_cores(part)


def _integer(profile: Profile, name: str, value: Value) -> int:
    if value.kind == "int":
        number = int(value.text)
        if not -INT8_MAX - 1 <= number <= INT8_MAX:
            raise Refusal("22003", f'value "{value.text}" is out of range for type bigint')
        if not -INT_MAX - 1 <= number <= INT_MAX:
            raise Refusal(SYNTAX, f"capability {name} is out of range")
        return number
    if value.kind == "float":
        raise Refusal("22P02", profile.bad_integer % value.text)
    raise Refusal(SYNTAX, f"{name} requires a numeric value")


def cpuset_cores(text: str) -> set[int]:
    """The cores that a cpuset like 0,2-3 names."""
    cores: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not (first.isascii() and first.isdigit()) or (dash and not (last.isascii() and last.isdigit())):
            raise Refusal(SYNTAX, "cpuset invalid")
        low, high = int(first), int(last or first)
        if low > high or high > 1024:
            raise Refusal(SYNTAX, "cpuset invalid")
        cores.update(range(low, high + 1))
    return cores


def _check_conflicts(limits: Mapping[str, str]) -> None:
    if limits.get("memory_limit") == "0" and limits.get("memory_spill_ratio", "0") != "0":
        raise Refusal(INVALID_VALUE, "when memory_limit is unlimited memory_spill_ratio must be set to 0")
    if limits.get("memory_auditor") == "cgroup" and limits["concurrency"] != "0":
        raise Refusal(INVALID_VALUE, "resource group concurrency must be 0 when group memory_auditor is cgroup")


def _check_against_others(profile: Profile, state: GroupState, group: Group, usage: Usage) -> None:
    others = [other for other in state.groups.values() if other.name != group.name]
    if profile.cpu_sums:
        for name in (profile.cpu_option, "memory_limit"):
            total = sum(max(int(each.limits[name]), 0) for each in [*others, group])
            if total > 100:
                raise Refusal(INVALID_VALUE, f"total {name} exceeded the limit of 100")
    if group.limits["cpuset"] != "-1" and usage.activated:
        _check_cores(profile, group, others)


def _check_cores(profile: Profile, group: Group, others: list[Group]) -> None:
    cores = cpuset_cores(group.limits["cpuset"].split(";")[0])
    missing = cores - set(range(profile.cores))
    if missing:
        raise Refusal(INVALID_VALUE, f"cpu cores {_ranges(missing)} are unavailable on the system")
    for other in others:
        if other.limits["cpuset"] == "-1":
            continue
        for mine, theirs in zip(_halves(group), _halves(other), strict=True):
            if mine & theirs:
                raise Refusal(
                    INVALID_VALUE, f"cpu cores {_ranges(mine & theirs)} are used by resource group {other.name}"
                )


def _halves(group: Group) -> tuple[set[int], set[int]]:
    """The cores of the coordinator and of the segments; one part is for both."""
    coordinator, _semicolon, segments = group.limits["cpuset"].partition(";")
    return cpuset_cores(coordinator), cpuset_cores(segments or coordinator)


def _ranges(cores: set[int]) -> str:
    """Cores in the engine's notation: 1-3,7."""
    parts: list[tuple[int, int]] = []
    for core in sorted(cores):
        if parts and parts[-1][1] == core - 1:
            parts[-1] = (parts[-1][0], core)
        else:
            parts.append((core, core))
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def _cgroup_warnings(profile: Profile, group: Group) -> tuple[Notice, ...]:
    """The kernel's refusal of a CPU quota on cgroup v1: stored all the same."""
    over = profile.cgroup_warning_over
    if over is None or int(group.limits[profile.cpu_option]) <= over:
        return ()
    path = f"/sys/fs/cgroup/cpu/gpdb7/{group.oid}/cpu.cfs_quota_us"
    text = f"can't write data to file '{path}': Invalid argument (cgroup.c:341)"
    places = ("  (seg0 127.0.0.1:7001 pid=1)", "  (seg1 127.0.0.1:7002 pid=1)", "")
    return tuple(Notice("WARNING", text + place) for place in places)
