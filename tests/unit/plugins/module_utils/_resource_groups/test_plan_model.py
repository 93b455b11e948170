# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner against the model of the engines' rules, which knows nothing of it.

Whatever the groups are and whatever is wished for: either the end is illegal and the plan is refused, or the model
takes every single step and ends where the plan said.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import desired as desired_states
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import model
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import options as group_options
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import plan as plans
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, Step
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.io_limit import normalised
from sandbox.profiles import BUILT_IN, PROFILES, Profile
from sandbox.rules import (
    Actor,
    AlterGroup,
    CreateGroup,
    DropGroup,
    Group,
    GroupState,
    GroupStatement,
    Refused,
    Usage,
    Value,
    evaluate,
    initial_state,
)

BOSS = Actor(superuser=True)
NAMES = ["a", "b", "c", "d", "default_group", "admin_group"]
ROLES = ["gpadmin", "ops", "sammy"]
CPUSETS = ["0", "1", "2", "0-1", "1-2", "0,2", "0-2", "3"]
TEXTS = ("cpuset", "io_limit", "memory_auditor")
WITHOUT_ORDER = "wait for each other's cores"


@dataclass
class Engine:
    """The model with a state, and the roles that it leaves to others."""

    profile: Profile
    state: GroupState
    owners: dict[str, str] = field(default_factory=lambda: dict.fromkeys(ROLES, "default_group"))

    def run(self, statement: GroupStatement) -> Refused | None:
        used = {self.state.groups[name].oid for name in self.owners.values()}
        result = evaluate(self.profile, self.state, statement, BOSS, Usage(groups_with_roles=frozenset(used)))
        if isinstance(result, Refused):
            return result
        self.state = result.state
        return None

    def play(self, step: Step) -> None:
        if step.kind == "assign":
            self._assign(str(step.role), step.group)
            return
        refused = self.run(rendered(step))
        assert refused is None, (step, refused)

    def _assign(self, role: str, group: str) -> None:
        assert group in self.state.groups
        assert group != "system_group"
        assert group != "admin_group" or role == "gpadmin"
        assert self.owners[role] != group
        self.owners[role] = group

    def limits(self) -> dict[str, dict[str, str]]:
        return {name: dict(group.limits) for name, group in self.state.groups.items()}

    def groups(self) -> dict[str, model.Group]:
        return {name: model.Group(name, limits, self.roles(name)) for name, limits in self.limits().items()}

    def roles(self, group: str) -> tuple[str, ...]:
        return tuple(sorted(role for role, owner in self.owners.items() if owner == group))

    def copy(self) -> Engine:
        return Engine(self.profile, self.state, dict(self.owners))


def rendered(step: Step) -> GroupStatement:
    if step.kind == "drop":
        return DropGroup(step.group)
    if step.kind == "create":
        return CreateGroup(step.group, tuple((name, value(name, text)) for name, text in step.limits.items()))
    assert step.kind == "alter"
    return AlterGroup(step.group, str(step.option), value(str(step.option), str(step.value)))


def value(option: str, text: str) -> Value:
    assert group_options.is_text(option, text) == (option in TEXTS)
    return Value("string" if option in TEXTS else "int", text)


def facts(profile: Profile) -> EngineFacts:
    return EngineFacts(
        family=profile.family,
        options=tuple(option.name for option in profile.options),
        max_connections=400,
        role="ops",
        role_group="default_group",
        superusers=frozenset(["gpadmin"]),
        all_roles=frozenset(ROLES),
    )


def values(profile: Profile) -> dict[str, st.SearchStrategy[t.Any]]:
    percent = st.sampled_from([1, 2, 10, 20, 29, 30, 40, 50, 60])
    ranges: dict[str, st.SearchStrategy[t.Any]] = {
        "concurrency": st.integers(1, 5),
        "cpu_rate_limit": percent,
        "cpu_max_percent": percent,
        "cpu_weight": st.sampled_from([50, 100, 300]),
        "cpuset": st.sampled_from(CPUSETS),
        "memory_limit": st.sampled_from([0, 10, 30, 50, 70] if profile.cpu_sums else [-1, 0, 200]),
        "memory_quota": st.sampled_from([-1, 0, 200]),
        "memory_shared_quota": st.sampled_from([0, 80]),
        "memory_spill_ratio": st.sampled_from([0, 0, 5, 20]),
        "min_cost": st.sampled_from([0, 500]),
        "io_limit": st.sampled_from(["-1", "16400:rbps=5,wbps=7", "16400:wbps=7,rbps=5,riops=max", "*:rbps=5"]),
    }
    return {name: ranges[name] for name in profile.limits if name in ranges}


def limits(profile: Profile) -> st.SearchStrategy[dict[str, t.Any]]:
    """Options of one group, of percentage and cpuset one at most."""
    all_values = values(profile)
    rest = {name: each for name, each in all_values.items() if name not in (profile.cpu_option, "cpuset")}
    cpu = st.one_of(
        st.just({}),
        st.fixed_dictionaries({profile.cpu_option: all_values[profile.cpu_option]}),
        st.fixed_dictionaries({"cpuset": all_values["cpuset"]}),
    )
    return st.builds(lambda one, other: {**one, **other}, cpu, st.fixed_dictionaries({}, optional=rest))


def engines(profile: Profile) -> st.SearchStrategy[Engine]:
    """A state that statements led to."""
    declared = st.dictionaries(st.sampled_from(NAMES), limits(profile), max_size=6)
    owners = st.fixed_dictionaries({role: st.sampled_from(NAMES[:5]) for role in ROLES})
    return st.builds(lambda *args: _engine(profile, *args), declared, owners)


def _engine(profile: Profile, declared: dict[str, dict[str, t.Any]], owners: dict[str, str]) -> Engine:
    engine = Engine(profile, initial_state(profile))
    for name, options in declared.items():
        texts = {option: str(each) for option, each in options.items()}
        if name not in engine.state.groups:
            cpu = texts if {profile.cpu_option, "cpuset"} & set(texts) else {profile.cpu_option: "10"}
            engine.run(rendered(Step("create", name, limits=cpu)))
        for option, text in texts.items() if name in engine.state.groups else ():
            engine.run(AlterGroup(name, option, value(option, text)))
    engine.owners = {role: name for role, name in owners.items() if name in engine.state.groups}
    engine.owners = {**dict.fromkeys(ROLES, "default_group"), **engine.owners}
    return engine


def wish_lists(profile: Profile) -> st.SearchStrategy[desired_states.DesiredState]:
    absent = st.just({"state": "absent"})
    present = limits(profile)
    entries = st.dictionaries(
        st.sampled_from(NAMES), st.one_of(present, present, present, absent), min_size=1, max_size=6
    )
    owners = st.dictionaries(st.sampled_from(ROLES), st.sampled_from(NAMES), max_size=2)
    return st.builds(_wishes, entries, owners, st.booleans(), st.booleans())


def _wishes(
    entries: dict[str, dict[str, t.Any]], owners: dict[str, str], purge: bool, purge_roles: bool
) -> desired_states.DesiredState:
    listed: list[dict[str, t.Any]] = []
    for name, entry in entries.items():
        absent = "state" in entry
        if absent and name in desired_states.BUILT_IN:
            continue
        roles = [
            role for role, owner in owners.items() if owner == name and (name != "admin_group" or role == "gpadmin")
        ]
        listed.append({"name": name, **entry, **({"roles": roles} if roles and not absent else {})})
    drops = purge or any("state" in entry for entry in listed)
    takers = [entry["name"] for entry in listed if "state" not in entry and entry["name"] != "admin_group"]
    taker = takers[0] if takers else "default_group"
    return desired_states.parse(
        listed,
        single=False,
        purge=purge,
        purge_all=purge,
        purge_roles=purge_roles and taker not in owners.values(),
        roles_to=taker if drops else None,
        allow_lockout=True,
    )


def end_is_legal(engine: Engine, desired_state: desired_states.DesiredState) -> bool:
    """Written down once more, with the model as the judge: put everything there at once, then touch each group."""
    profile = engine.profile
    groups = dict(engine.state.groups)
    named = {desired.name: desired for desired in desired_state.desired}
    for name, group in engine.state.groups.items():
        if (name in named and not named[name].present) or (
            desired_state.purge and name not in named and group.oid not in BUILT_IN
        ):
            del groups[name]
    for name, desired in named.items():
        if not desired.present:
            continue
        if name not in groups and not {profile.cpu_option, "cpuset"} & set(desired.limits):
            return False
        now = dict(groups[name].limits) if name in groups else {each.name: each.default for each in profile.options}
        now.update(desired.limits)
        if "cpuset" in desired.limits:
            now[profile.cpu_option] = "-1"
        elif profile.cpu_option in desired.limits:
            now["cpuset"] = "-1"
        groups[name] = Group(groups[name].oid if name in groups else 99000 + len(groups), name, now)
    judge = Engine(profile, GroupState(groups), {})
    touches = [
        AlterGroup(name, "concurrency", Value("int", each.limits["concurrency"])) for name, each in groups.items()
    ]
    return all(judge.run(touch) is None for touch in touches)


def as_stored(group: model.Group) -> model.Group:
    """What was asked for, as the engine gives it back."""
    if "io_limit" not in group.limits:
        return group
    return replace(group, limits={**group.limits, "io_limit": normalised(group.limits["io_limit"])})


def check(engine: Engine, desired_state: desired_states.DesiredState, stop: int) -> None:
    known = facts(engine.profile)
    if not end_is_legal(engine, desired_state):
        with pytest.raises(OptionError):
            plans.plan(engine.groups(), desired_state, known)
        return
    try:
        plan = plans.plan(engine.groups(), desired_state, known)
    except OptionError as error:
        if WITHOUT_ORDER not in error.message:
            raise
        check_deadlock(engine, desired_state)
        return
    untouched = {name: group for name, group in engine.groups().items() if name not in plan.before}
    half_way = engine.copy()
    for number, step in enumerate(plan.steps):
        engine.play(step)
        if number < stop:
            half_way.play(step)
    expected = {**plan.after, **untouched}
    assert engine.groups() == {name: as_stored(group) for name, group in expected.items() if group is not None}
    assert plans.plan(engine.groups(), desired_state, known).steps == ()
    # A task that broke off is finished by the next one.
    for step in plans.plan(half_way.groups(), desired_state, known).steps:
        half_way.play(step)
    assert half_way.limits() == engine.limits()


def check_deadlock(engine: Engine, desired_state: desired_states.DesiredState) -> None:
    """Nothing can be lent: nobody who is to have a percentage has more than one."""
    assert engine.profile.cpu_sums
    for desired in desired_state.desired:
        if "cpu_rate_limit" in desired.limits and desired.name in engine.state.groups:
            now = engine.state.groups[desired.name].limits["cpu_rate_limit"]
            assert min(int(now), int(desired.limits["cpu_rate_limit"])) <= 1


every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


@every_profile
def test_plans_are_legal_complete_and_final(profile: Profile) -> None:
    @settings(max_examples=700, deadline=None)
    @given(engines(profile), wish_lists(profile), st.integers(0, 8))
    def holds(engine: Engine, desired_state: desired_states.DesiredState, stop: int) -> None:
        check(engine, desired_state, stop)

    holds()


def shared_out(profile: Profile) -> st.SearchStrategy[dict[str, dict[str, t.Any]]]:
    """Four groups with a percentage or cores of their own, of four cores."""

    def share(owners: list[str], percentages: dict[str, int]) -> dict[str, dict[str, t.Any]]:
        cores = {name: ",".join(str(core) for core, owner in enumerate(owners) if owner == name) for name in "abcd"}
        return {
            name: {"cpuset": cores[name]} if cores[name] else {profile.cpu_option: percentages[name]} for name in "abcd"
        }

    percent = st.sampled_from([1, 2, 10, 20, 30, 57, 60])
    owners = st.lists(st.sampled_from("abcd-"), min_size=4, max_size=4)
    return st.builds(share, owners, st.fixed_dictionaries(dict.fromkeys("abcd", percent)))


@every_profile
def test_cores_and_percentages_change_hands(profile: Profile) -> None:
    @settings(max_examples=300, deadline=None)
    @given(shared_out(profile), shared_out(profile), st.integers(0, 8))
    def holds(now: dict[str, dict[str, t.Any]], then: dict[str, dict[str, t.Any]], stop: int) -> None:
        engine = _engine(profile, now, {})
        entries = [{"name": name, **options} for name, options in then.items()]
        check(engine, desired_states.parse(entries, single=False, allow_lockout=True), stop)

    holds()
