# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure model of the engines' rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sandbox.profiles import CB, GP6, GP7, PROFILES, Profile
from sandbox.rules import (
    Actor,
    AlterGroup,
    Applied,
    CreateGroup,
    DropGroup,
    GroupState,
    GroupStatement,
    Refused,
    Usage,
    Value,
    cpuset_cores,
    evaluate,
    initial_state,
)

BOSS = Actor(superuser=True)


def number(value: int) -> Value:
    return Value("int", str(value))


def written(value: int | str) -> Value:
    return number(value) if isinstance(value, int) else Value("string", value)


def create(name: str = "g", **options: int | str) -> CreateGroup:
    written = {
        key: number(value) if isinstance(value, int) else Value("string", value) for key, value in options.items()
    }
    return CreateGroup(name, tuple(written.items()))


def alter(option: str, value: int | str, name: str = "g") -> AlterGroup:
    return AlterGroup(name, option, written(value))


class Engine:
    """A state that statements are run on, one after the other."""

    def __init__(self, profile: Profile, usage: Usage | None = None) -> None:
        self.profile = profile
        self.usage = usage or Usage()
        self.state: GroupState = initial_state(profile)
        self.notices: list[str] = []

    def run(self, statement: GroupStatement, actor: Actor = BOSS) -> tuple[str, str] | None:
        result = evaluate(self.profile, self.state, statement, actor, self.usage)
        if isinstance(result, Refused):
            return result.sqlstate, result.message
        assert isinstance(result, Applied)
        self.state = result.state
        self.notices = [notice.message for notice in result.notices]
        return None

    def limits(self, name: str = "g") -> dict[str, str]:
        return dict(self.state.groups[name].limits)


@pytest.fixture
def gp6() -> Engine:
    return Engine(GP6)


@pytest.fixture
def gp7() -> Engine:
    return Engine(GP7)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_statements_do_not_change_the_state_they_are_given(profile: Profile) -> None:
    state = initial_state(profile)
    before = {name: dict(group.limits) for name, group in state.groups.items()}
    for statement in (create(cpuset="1"), alter("concurrency", 3, "default_group")):
        assert isinstance(evaluate(profile, state, statement, BOSS, Usage()), Applied)
    assert {name: dict(group.limits) for name, group in state.groups.items()} == before


def test_sums_of_gp6(gp6: Engine) -> None:
    assert gp6.run(create(cpu_rate_limit=60, memory_limit=90)) is None
    assert gp6.run(create("h", cpu_rate_limit=1)) == ("22023", "total cpu_rate_limit exceeded the limit of 100")
    assert gp6.run(alter("memory_limit", 91)) == ("22023", "total memory_limit exceeded the limit of 100")
    assert gp6.run(alter("cpu_rate_limit", 59)) is None
    assert gp6.run(create("h", cpu_rate_limit=1)) is None


def test_no_sums_since_gp7(gp7: Engine) -> None:
    assert gp7.run(create(cpu_max_percent=90)) is None
    assert gp7.run(create("h", cpu_max_percent=90)) is None


def test_cpuset_and_percentage_reset_each_other(gp6: Engine, gp7: Engine) -> None:
    assert gp6.run(create(cpu_rate_limit=5)) is None
    assert gp6.run(alter("cpuset", "1")) is None
    assert (gp6.limits()["cpu_rate_limit"], gp6.limits()["cpuset"]) == ("-1", "1")
    assert gp6.run(alter("cpu_rate_limit", 6)) is None
    assert gp6.limits()["cpuset"] == "-1"
    assert gp7.run(create(cpu_max_percent=5, cpu_weight=7)) is None
    assert gp7.run(alter("cpuset", "1;2")) is None
    limits = gp7.limits()
    assert (limits["cpu_max_percent"], limits["cpu_weight"], limits["cpuset"]) == ("-1", "100", "1;2")


def test_cores_are_checked_and_exclusive(gp6: Engine) -> None:
    assert gp6.run(create(cpuset="0,2-3")) is None
    assert gp6.run(create("h", cpuset="3-4")) == ("22023", "cpu cores 3 are used by resource group g")
    assert gp6.run(create("h", cpuset="6-9")) == ("22023", "cpu cores 8-9 are unavailable on the system")
    assert gp6.run(create("h", cpuset="1", cpu_rate_limit=1)) == (
        "22023",
        "can't specify both cpu_rate_limit and cpuset",
    )


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "1,,2", "1 ,2", "9999", "²"])
def test_bad_cpusets(gp6: Engine, text: str) -> None:
    assert gp6.run(create(cpuset=text)) == ("42601", "cpuset invalid")


def test_cpuset_cores() -> None:
    assert cpuset_cores("0,2-4") == {0, 2, 3, 4}


def test_memory_rules_of_gp6(gp6: Engine) -> None:
    assert gp6.run(create(cpu_rate_limit=1, memory_limit=10, memory_spill_ratio=20)) is None
    unlimited = ("22023", "when memory_limit is unlimited memory_spill_ratio must be set to 0")
    assert gp6.run(alter("memory_limit", 0)) == unlimited
    assert gp6.run(alter("memory_spill_ratio", 0)) is None
    assert gp6.run(alter("memory_limit", 0)) is None
    assert gp6.run(alter("memory_spill_ratio", 5)) == unlimited
    auditor = "resource group concurrency must be 0 when group memory_auditor is cgroup"
    assert gp6.run(create("h", cpu_rate_limit=1, memory_auditor="cgroup")) == ("22023", auditor)
    assert gp6.run(create("h", concurrency=0, cpu_rate_limit=1, memory_auditor="cgroup")) is None
    assert gp6.run(alter("concurrency", 1, "h")) == ("22023", auditor)
    assert gp6.run(create("i", cpu_rate_limit=1, memory_auditor="x"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (number(400), None),
        (number(0), None),
        (number(401), "concurrency range is [0, 'max_connections']"),
        (number(-1), "concurrency range is [0, 'max_connections']"),
        (number(2**40), "capability concurrency is out of range"),
        (Value("float", "1.5"), 'invalid input syntax for integer: "1.5"'),
        (Value("string", "5"), "concurrency requires a numeric value"),
        (Value("none"), "concurrency requires a numeric value"),
    ],
)
def test_values_of_concurrency(gp6: Engine, value: Value, expected: str | None) -> None:
    refused = gp6.run(CreateGroup("g", (("concurrency", value), ("cpu_rate_limit", number(1)))))
    assert (refused[1] if refused else None) == expected


def test_order_of_checks(gp6: Engine) -> None:
    nobody = Actor(superuser=False)
    assert gp6.run(alter("concurrency", -1, "missing"), nobody) == (
        "42501",
        "must be superuser to alter resource groups",
    )
    assert gp6.run(alter("concurrency", -1, "missing")) == ("22023", "concurrency range is [0, 'max_connections']")
    assert gp6.run(alter("concurrency", 1, "missing")) == ("42704", 'resource group "missing" does not exist')
    assert gp6.run(create("none", nonsense=1)) == ("42939", 'resource group name "none" is reserved')
    assert gp6.run(create("admin_group", nonsense=1)) == ("22023", 'option "nonsense" not recognized')
    assert gp6.run(create("admin_group", cpu_rate_limit=1)) == ("42710", 'resource group "admin_group" already exists')


def test_options_once_only(gp7: Engine) -> None:
    twice = CreateGroup("g", (("cpu_max_percent", number(1)), ("cpu_max_percent", number(1))))
    assert gp7.run(twice) == ("42601", "found duplicate resource group resource type: cpu_max_percent")


def test_drop(gp6: Engine) -> None:
    assert gp6.run(create(cpu_rate_limit=1)) is None
    oid = gp6.state.groups["g"].oid
    gp6.usage = replace(gp6.usage, groups_with_roles=frozenset({oid}))
    assert gp6.run(DropGroup("g")) == ("2BP01", "resource group is used by at least one role")
    gp6.usage = replace(gp6.usage, groups_with_roles=frozenset(), transactions={oid: 2})
    assert gp6.run(DropGroup("g")) == ("2BP01", 'cannot drop resource group "g"')
    gp6.usage = Usage()
    assert gp6.run(DropGroup("g")) is None
    assert gp6.run(create(cpu_rate_limit=1)) is None
    assert gp6.state.groups["g"].oid != oid
    assert gp6.run(DropGroup("default_group")) == ("0A000", 'cannot drop default resource group "default_group"')


def test_admin_group_keeps_one(gp6: Engine) -> None:
    refused = ("22020", "admin_group must have at least one concurrency")
    assert gp6.run(alter("concurrency", 0, "admin_group")) == refused
    assert gp6.run(alter("concurrency", 0, "default_group")) is None


def test_managers_of_cloudberry() -> None:
    engine = Engine(CB)
    manager = Actor(superuser=False, manager=True)
    assert engine.run(create(cpu_max_percent=95, io_limit="pg_default:rbps=1000"), manager) is None
    assert engine.limits()["io_limit"] == "1663:rbps=1000,wbps=max,riops=max,wiops=max"
    assert engine.notices == []
    assert engine.limits()["memory_quota"] == "-1"


def test_warnings(gp7: Engine) -> None:
    assert gp7.run(create(cpu_max_percent=91)) is None
    assert len(gp7.notices) == 3
    assert gp7.run(alter("cpu_max_percent", 90)) is None
    assert gp7.notices == []
    gp7.usage = Usage(activated=False)
    assert gp7.run(create("h", cpuset="99")) is None
    assert gp7.notices == ["resource group is disabled"]
