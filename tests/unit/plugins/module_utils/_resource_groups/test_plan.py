# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner of resource groups: each rule, and what is said when it is broken."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import desired
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import options as group_options
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import plan as plans
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.desired import DesiredState
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, Group, Plan, Step

NEW: dict[str, dict[str, str]] = {
    "gp6": {
        "concurrency": "20",
        "cpu_rate_limit": "5",
        "memory_limit": "0",
        "memory_shared_quota": "80",
        "memory_spill_ratio": "0",
        "memory_auditor": "vmtracker",
        "cpuset": "-1",
    },
    "gp7": {
        "concurrency": "20",
        "cpu_max_percent": "5",
        "cpu_weight": "100",
        "cpuset": "-1",
        "memory_limit": "-1",
        "min_cost": "0",
        "io_limit": "-1",
        "planning_cost": "1",  # an option that is not known here
    },
    "cb": {
        "concurrency": "20",
        "cpu_max_percent": "5",
        "cpu_weight": "100",
        "cpuset": "-1",
        "memory_quota": "-1",
        "min_cost": "0",
        "io_limit": "-1",
    },
}


def facts(family: str = "gp6", **more: t.Any) -> EngineFacts:
    known = EngineFacts(
        family=family,
        options=tuple(NEW[family]),
        max_connections=100,
        role="ops",
        role_group="default_group",
        superusers=frozenset(["gpadmin", "root"]),
        all_roles=frozenset(["gpadmin", "root", "ops", "sammy", "billy", "Odd Röle", "pg_monitor"]),
    )
    return dataclasses.replace(known, **more)


def group(name: str, family: str = "gp6", /, **more: t.Any) -> Group:
    """A group with these limits, and roles and running."""
    state = {key: more.pop(key) for key in ("roles", "running") if key in more}
    return Group(name, {**NEW[family], **more}, **state)


def groups(*more: Group, family: str = "gp6") -> dict[str, Group]:
    percentage = "cpu_rate_limit" if family == "gp6" else "cpu_max_percent"
    listed = [
        group("admin_group", family, roles=("gpadmin",), concurrency="10", **{percentage: "10"}),
        group("default_group", family, roles=("ops",), **{percentage: "10"}),
        *more,
    ]
    return {each.name: each for each in listed}


def desired_state(*entries: dict[str, t.Any], **task: t.Any) -> DesiredState:
    return desired.parse(entries, single=False, **task)


def plan(*entries: dict[str, t.Any], now: t.Iterable[Group] = (), family: str = "gp6", **task: t.Any) -> Plan:
    return plans.plan(groups(*now, family=family), desired_state(*entries, **task), facts(family))


def words(step: Step) -> str:
    """A step in short."""
    rest = {
        "drop": "",
        "create": " " + " ".join(f"{name}={text}" for name, text in step.limits.items()),
        "alter": f" {step.option}={step.value}",
        "assign": f" {step.role}",
    }
    return f"{step.kind} {step.group}{rest[step.kind]}"


def steps(*entries: dict[str, t.Any], **more: t.Any) -> list[str]:
    return [words(step) for step in plan(*entries, **more).steps]


def refusal(*entries: dict[str, t.Any], **more: t.Any) -> OptionError:
    with pytest.raises(OptionError) as caught:
        plan(*entries, **more)
    return caught.value


# Before there is a server


@pytest.mark.parametrize(
    ("entry", "option", "said"),
    [
        ({}, "name", "empty"),
        ({"name": ""}, "name", "empty"),
        ({"name": "None"}, "name", "reserved"),
        ({"name": "a\0b"}, "name", "NUL"),
        ({"name": "é" * 32}, "name", "64 bytes"),
        ({"name": "g", "concurrency": -1}, "concurrency", "0 or more"),
        ({"name": "g", "cpu_rate_limit": -1}, "cpu_rate_limit", "1 to 100"),
        ({"name": "g", "cpu_max_percent": 0}, "cpu_max_percent", "1 to 100, or -1 for no limit"),
        ({"name": "g", "cpu_weight": 501}, "cpu_weight", "1 to 500"),
        ({"name": "g", "memory_limit": -2}, "memory_limit", "0 or more, or -1"),
        ({"name": "g", "memory_quota": 2**31}, "memory_quota", "0 or more"),
        ({"name": "g", "memory_spill_ratio": 101}, "memory_spill_ratio", "0 to 100"),
        ({"name": "g", "min_cost": -1}, "min_cost", "0 or more"),
        ({"name": "g", "cpuset": "0-1", "cpu_max_percent": 5}, "cpuset", "either a cpuset or cpu_max_percent"),
        ({"name": "g", "cpuset": "0-1", "cpu_rate_limit": 5}, "cpuset", "either a cpuset or cpu_rate_limit"),
        ({"name": "g", "cpuset": ""}, "cpuset", "not a list of cores"),
        ({"name": "g", "cpuset": "1-"}, "cpuset", "such as 0,2-3"),
        ({"name": "g", "cpuset": "3-1"}, "cpuset", "not a list of cores"),
        ({"name": "g", "cpuset": "0;1;2"}, "cpuset", "not a list of cores"),
        ({"name": "g", "cpuset": "0-2000"}, "cpuset", "up to 1024"),
        ({"name": "g", "cpuset": "²"}, "cpuset", "not a list of cores"),
        ({"name": "g", "io_limit": "rbps=5"}, "io_limit", "such as pg_default:rbps=1000"),
        ({"name": "g", "io_limit": "x:rbps=5;x:rbps=5"}, "io_limit", "is there twice"),
        ({"name": "g", "io_limit": "x:rbps=fast"}, "io_limit", "not understood"),
        ({"name": "g", "extra_options": {"a b": 1}}, "extra_options", "a-z, 0-9 and _"),
        ({"name": "g", "extra_options": {"cpuset": "1"}}, "extra_options.cpuset", "an option of its own"),
        ({"name": "g", "extra_options": {"new": True}}, "extra_options.new", "a whole number or a string"),
        ({"name": "g", "extra_options": {"new": 1.5}}, "extra_options.new", "a whole number or a string"),
        ({"name": "g", "state": "absent", "concurrency": 5}, "concurrency", "state=absent"),
        ({"name": "g", "state": "absent", "roles": []}, "roles", "state=absent"),
        ({"name": "g", "state": "absent", "extra_options": {"new": 1}}, "extra_options.new", "state=absent"),
        ({"name": "admin_group", "state": "absent"}, "state", "built in"),
        ({"name": "mdb_admin_group", "state": "absent"}, "state", "built in"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_connection(entry: dict[str, t.Any], option: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        desired.parse([entry], single=True)
    assert caught.value.message.startswith(option + ": ")
    assert said in caught.value.message
    with pytest.raises(OptionError) as caught:
        desired.parse([{"name": "other"}, entry], single=False)
    assert caught.value.result == {"option": f"groups[1].{option}"}


@pytest.mark.parametrize(
    ("entries", "task", "option", "said"),
    [
        ([{"name": "g"}, {"name": "h"}, {"name": "g"}], {}, "groups[2].name", "twice; first by groups[0].name"),
        ([{"name": "g", "roles": ["r"]}, {"name": "h", "roles": ["r"]}], {}, "groups[1].roles", "'g' too"),
        ([], {"purge": True}, "purge", "purge_all: true"),
        ([{"name": "g", "state": "absent"}], {"purge": True}, "purge", "purge_all: true"),
        ([{"name": "g"}], {"purge_all": True}, "purge_all", "without purge"),
        ([{"name": "g"}], {"roles_to": "h"}, "roles_to", "nothing drops a group"),
        ([{"name": "g"}], {"purge": True, "roles_to": "none"}, "roles_to", "reserved"),
        ([{"name": "g", "state": "absent"}], {"roles_to": "g"}, "roles_to", "declared absent"),
        (
            [{"name": "g", "roles": ["r"]}],
            {"purge": True, "purge_roles": True, "roles_to": "g"},
            "roles_to",
            "purge_roles would take away",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(
    entries: list[dict[str, t.Any]], task: dict[str, t.Any], option: str, said: str
) -> None:
    with pytest.raises(OptionError) as caught:
        desired_state(*entries, **task)
    assert caught.value.result == {"option": option}
    assert said in caught.value.message


def test_purge_is_for_lists() -> None:
    with pytest.raises(OptionError, match="purge: it goes with groups"):
        desired.parse([{"name": "g"}], single=True, purge=True)


def test_what_is_understood() -> None:
    found = desired_state(
        {"name": "a", "concurrency": 5, "cpuset": "3, 0-1,1", "io_limit": "x: rbps=5", "roles": ["r", "r"]},
        {"name": "A", "state": "present", "cpu_rate_limit": 5, "cpuset": "-1", "extra_options": {"new": 7, "z": "on"}},
        {"name": "b", "state": "absent"},
        {"name": "c", "cpuset": "0;1-2", "cpu_max_percent": -1, "io_limit": ""},
        {"name": "none such"},
    )
    assert [each.present for each in found.desired] == [True, True, False, True, True]
    assert found.desired[0].limits == {"concurrency": "5", "cpuset": "0-1,3", "io_limit": "x:rbps=5"}
    assert found.desired[0].roles == ("r",)
    assert found.desired[1].limits == {"cpu_rate_limit": "5", "new": "7", "z": "on"}
    assert found.desired[1].roles is None
    assert found.desired[3].limits == {"cpuset": "0;1-2", "io_limit": "-1"}


@pytest.mark.parametrize(
    ("option", "text", "expected"),
    [
        ("cpuset", "1", True),
        ("io_limit", "-1", True),
        ("concurrency", "5", False),
        ("new", "-5", False),
        ("new", "on", True),
    ],
)
def test_what_is_written_as_a_string(option: str, text: str, expected: bool) -> None:
    assert group_options.is_text(option, text) is expected


# Options of this engine


@pytest.mark.parametrize(
    ("family", "options", "option", "said"),
    [
        (
            "gp7",
            {"cpu_rate_limit": 5},
            "cpu_rate_limit",
            "Greenplum 7 has no such option; it has concurrency, cpu_max_p",
        ),
        ("gp6", {"cpu_weight": 5}, "cpu_weight", "Greenplum 6 has no such option; it has concurrency, cpu_rate_limit"),
        ("cb", {"memory_limit": 5}, "memory_limit", "Cloudberry has no such option"),
        ("gp6", {"extra_options": {"new": 5}}, "extra_options.new", "Greenplum 6 has no such option"),
        ("gp6", {"memory_limit": 101}, "memory_limit", "Greenplum 6 takes 0 to 100"),
        ("gp6", {"memory_limit": -1}, "memory_limit", "-1 is not allowed; Greenplum 6 takes 0 to 100"),
        ("gp6", {"concurrency": 101}, "concurrency", "takes 0 to 100 (max_connections)"),
        (
            "gp6",
            {"extra_options": {"memory_auditor": "cgroup"}},
            "extra_options.memory_auditor",
            "when a group is created",
        ),
        ("gp6", {"memory_spill_ratio": 5}, "memory_spill_ratio", "memory_spill_ratio 5 and memory_limit 0"),
    ],
)
def test_options_are_the_engine_s(family: str, options: dict[str, t.Any], option: str, said: str) -> None:
    error = refusal({"name": "g", **options}, now=[group("g", family)], family=family)
    assert error.result == {"option": f"groups[0].{option}"}
    assert said in error.message


def test_admin_group_keeps_one_even_if_lockout_is_allowed() -> None:
    error = refusal({"name": "admin_group", "concurrency": 0}, allow_lockout=True)
    assert error.message == (
        "groups[0].concurrency: 0 is not allowed; Greenplum 6 takes 1 to 100 for this group (max_connections)"
    )


def test_an_option_that_only_the_engine_knows() -> None:
    now = [group("g", "gp7")]
    assert steps({"name": "g", "extra_options": {"planning_cost": "01"}}, now=now, family="gp7") == []
    assert steps({"name": "g", "extra_options": {"planning_cost": 2}}, now=now, family="gp7") == [
        "alter g planning_cost=2"
    ]
    assert plan({"name": "h", "cpu_max_percent": 1}, family="gp7").after["h"] == Group(
        "h", {name: text for name, text in NEW["gp7"].items() if name != "planning_cost"} | {"cpu_max_percent": "1"}
    )


@pytest.mark.parametrize(("family", "percentage"), [("gp6", "cpu_rate_limit"), ("gp7", "cpu_max_percent")])
@pytest.mark.parametrize("options", [{}, {"concurrency": 5}, {"cpuset": "-1"}])
def test_a_new_group_needs_a_share_of_the_cpu(family: str, percentage: str, options: dict[str, t.Any]) -> None:
    error = refusal({"name": "g", **options}, family=family)
    assert error.message == f"groups[0].{percentage}: group 'g' is new: it needs {percentage} or cpuset"


# What differs


def test_equal_is_no_step_whatever_the_notation() -> None:
    now = group("g", "gp7", cpuset="0,1,3", cpu_max_percent="-1", io_limit="x:wbps=max,rbps=5,riops=7;y:rbps=max")
    same = {"cpuset": "3,0-1;0-1,3", "cpu_max_percent": -1, "cpu_weight": 100, "io_limit": "x:riops=7,rbps=5"}
    assert steps({"name": "g", **same}, now=[now], family="gp7") == []
    assert steps({"name": "g", "cpuset": "0-1;3"}, now=[now], family="gp7") == ["alter g cpuset=0-1;3"]
    assert steps({"name": "g", "io_limit": "x:riops=8,rbps=5"}, now=[now], family="gp7") == [
        "alter g io_limit=x:riops=8,rbps=5"
    ]
    assert steps({"name": "g", "io_limit": "-1"}, now=[now], family="gp7") == ["alter g io_limit=-1"]


@pytest.mark.parametrize("family", NEW)
def test_what_the_engine_shows_can_be_declared_as_it_is(family: str) -> None:
    for limits in ({}, {"cpuset": "0", "cpu_rate_limit" if family == "gp6" else "cpu_max_percent": "-1"}):
        now = group("g", family, **limits)
        entry: dict[str, t.Any] = {"name": "g", "extra_options": {}}
        for name, text in now.limits.items():
            (entry if name in desired.LIMIT_OPTIONS else entry["extra_options"])[name] = text
        assert steps(entry, now=[now], family=family) == []


def test_only_what_differs_is_altered() -> None:
    found = plan({"name": "g", "concurrency": 7, "memory_shared_quota": 80}, now=[group("g")])
    assert found.steps == (Step("alter", "g", "concurrency", "7"),)
    assert found.before == {"g": group("g")}
    assert found.after == {"g": group("g", concurrency="7")}
    assert found.warnings == ()


def test_nothing_asked_nothing_done() -> None:
    assert plan() == Plan((), {}, {}, ())
    assert plan({"name": "g", "state": "absent"}) == Plan((), {"g": None}, {"g": None}, ())
    assert steps({"name": "g"}, now=[group("g")]) == []


def test_create_has_all_options_in_the_engine_s_order() -> None:
    found = plan({"name": 'Odd "Nâme', "cpuset": "1", "memory_limit": 9, "concurrency": 3, "memory_spill_ratio": 2})
    assert [words(step) for step in found.steps] == [
        'create Odd "Nâme concurrency=3 memory_limit=9 memory_spill_ratio=2 cpuset=1'
    ]
    created = found.after['Odd "Nâme']
    assert created is not None
    assert created.limits == {**NEW["gp6"], **found.steps[0].limits, "cpu_rate_limit": "-1"}


def test_an_auditor_other_than_the_default() -> None:
    entry = {"name": "g", "cpu_rate_limit": 1, "extra_options": {"memory_auditor": "cgroup"}}
    assert steps({**entry, "concurrency": 0}) == ["create g concurrency=0 cpu_rate_limit=1 memory_auditor=cgroup"]
    assert "concurrency must be 0" in refusal(entry).message
    assert "takes no role" in refusal({**entry, "concurrency": 0, "roles": ["sammy"]}).message


# Cores and percentages


def test_a_cpuset_resets_the_weight_and_it_is_said() -> None:
    now = group("g", "gp7", cpu_weight="300")
    found = plan({"name": "g", "cpuset": "1"}, now=[now], family="gp7")
    assert [words(step) for step in found.steps] == ["alter g cpuset=1"]
    assert found.after["g"] == group("g", "gp7", cpuset="1", cpu_max_percent="-1")
    assert found.warnings == ("group 'g': the new cpuset resets cpu_weight from 300 to 100; to keep it, declare it",)


def test_a_declared_weight_is_set_after_the_cpuset() -> None:
    now = group("g", "gp7", cpu_weight="300")
    found = plan({"name": "g", "cpu_weight": 300, "cpuset": "1"}, now=[now], family="gp7")
    assert [words(step) for step in found.steps] == ["alter g cpuset=1", "alter g cpu_weight=300"]
    assert found.warnings == ()
    assert steps({"name": "g", "cpu_weight": 100, "cpuset": "1"}, now=[now], family="gp7") == ["alter g cpuset=1"]
    assert steps({"name": "h", "cpu_weight": 7, "cpuset": "1"}, family="gp7") == [
        "create h cpuset=1",
        "alter h cpu_weight=7",
    ]


def test_a_weight_waits_for_a_cpuset_that_waits_for_its_cores() -> None:
    now = [group("a", "gp7", cpu_weight="50"), group("b", "gp7", cpuset="1", cpu_max_percent="-1")]
    entries = ({"name": "a", "cpu_weight": 300, "cpuset": "1"}, {"name": "b", "cpu_max_percent": 5})
    assert steps(*entries, now=now, family="gp7") == [
        "alter b cpu_max_percent=5",
        "alter a cpuset=1",
        "alter a cpu_weight=300",
    ]


def test_a_percentage_ends_a_cpuset() -> None:
    now = group("g", "gp7", cpuset="1", cpu_max_percent="-1")
    for percentage in (5, -1):
        found = plan({"name": "g", "cpu_max_percent": percentage}, now=[now], family="gp7")
        assert [words(step) for step in found.steps] == [f"alter g cpu_max_percent={percentage}"]
        assert found.after["g"] == group("g", "gp7", cpu_max_percent=str(percentage))
    error = refusal({"name": "g", "cpuset": "-1"}, now=[now], family="gp7")
    assert error.message == "groups[0].cpuset: group 'g' leaves its cores for a percentage; give cpu_max_percent"


@pytest.mark.parametrize(("theirs", "ours", "cores"), [("0-3", "2-5", "2-3"), ("0;4", "1;4,5", "4")])
def test_a_core_has_one_group(theirs: str, ours: str, cores: str) -> None:
    now = [group("a", cpuset=theirs, cpu_rate_limit="-1"), group("b")]
    error = refusal({"name": "b", "cpuset": ours}, now=now)
    assert error.result == {"option": "groups[0].cpuset"}
    assert error.message.endswith(f"groups 'b' and 'a' would both have the cores {cores}; only one can")


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("gp6", ["alter a cpu_rate_limit=1", "alter b cpuset=0", "alter a cpuset=1"]),
        ("gp7", ["alter a cpu_max_percent=-1", "alter b cpuset=0", "alter a cpuset=1"]),
    ],
)
def test_two_groups_swap_their_cores(family: str, expected: list[str]) -> None:
    unset = {"cpu_rate_limit" if family == "gp6" else "cpu_max_percent": "-1"}
    now = [group("a", family, cpuset="0", **unset), group("b", family, cpuset="1", **unset)]
    assert steps({"name": "a", "cpuset": "1"}, {"name": "b", "cpuset": "0"}, now=now, family=family) == expected


def test_cores_that_stay_are_never_given_up() -> None:
    now = [group("a", cpuset="0-1", cpu_rate_limit="-1"), group("b", cpuset="2-3", cpu_rate_limit="-1")]
    assert steps({"name": "a", "cpuset": "1-2"}, {"name": "b", "cpuset": "0,3"}, now=now) == [
        "alter a cpuset=1",
        "alter b cpuset=0,3",
        "alter a cpuset=1-2",
    ]


def test_cores_and_percentage_swap_though_the_sum_is_full() -> None:
    now = [group("a", cpu_rate_limit="80"), group("b", cpuset="0", cpu_rate_limit="-1")]
    assert steps({"name": "a", "cpuset": "0"}, {"name": "b", "cpu_rate_limit": 80}, now=now) == [
        "alter a cpu_rate_limit=1",
        "alter b cpu_rate_limit=1",
        "alter a cpuset=0",
        "alter b cpu_rate_limit=80",
    ]


def test_a_declared_group_lends_one_percent() -> None:
    now = [
        group("a", cpuset="0", cpu_rate_limit="-1"),
        group("b", cpuset="1", cpu_rate_limit="-1"),
        group("c", cpu_rate_limit="80"),
    ]
    swap = ({"name": "a", "cpuset": "1"}, {"name": "b", "cpuset": "0"})
    assert steps(*swap, {"name": "c", "cpu_rate_limit": 80}, now=now) == [
        "alter c cpu_rate_limit=79",
        "alter a cpu_rate_limit=1",
        "alter b cpuset=0",
        "alter a cpuset=1",
        "alter c cpu_rate_limit=80",
    ]
    # What nobody declared is left alone, even for a moment.
    error = refusal(*swap, now=now)
    assert error.message.startswith("cpuset: the groups 'a', 'b' wait for each other's cores")


# The order


def test_the_swap_at_the_cap() -> None:
    now = [group("a", cpu_rate_limit="50"), group("b", cpu_rate_limit="30")]
    for entries in (("a", 30), ("b", 50)), (("b", 50), ("a", 30)):
        assert steps(*({"name": name, "cpu_rate_limit": each} for name, each in entries), now=now) == [
            "alter a cpu_rate_limit=30",
            "alter b cpu_rate_limit=50",
        ]


def test_drops_then_decreases_then_creates_then_increases() -> None:
    now = [group("a", cpu_rate_limit="30"), group("b", cpu_rate_limit="30"), group("old", cpu_rate_limit="20")]
    found = steps(
        {"name": "a", "cpu_rate_limit": 35, "concurrency": 30},
        {"name": "new", "cpu_rate_limit": 40},
        {"name": "b", "cpu_rate_limit": 5},
        {"name": "old", "state": "absent"},
        now=now,
    )
    assert found == [
        "drop old",
        "alter b cpu_rate_limit=5",
        "create new cpu_rate_limit=40",
        "alter a cpu_rate_limit=35",
        "alter a concurrency=30",
    ]


@pytest.mark.parametrize(
    ("limit", "spill", "to_limit", "to_spill", "expected"),
    [
        (10, 20, 0, 0, ["memory_spill_ratio=0", "memory_limit=0"]),
        (0, 0, 10, 20, ["memory_limit=10", "memory_spill_ratio=20"]),
        (10, 20, 5, 30, ["memory_limit=5", "memory_spill_ratio=30"]),
    ],
)
def test_spill_needs_memory_at_every_moment(
    limit: int, spill: int, to_limit: int, to_spill: int, expected: list[str]
) -> None:
    now = [group("g", memory_limit=str(limit), memory_spill_ratio=str(spill))]
    found = steps({"name": "g", "memory_spill_ratio": to_spill, "memory_limit": to_limit}, now=now)
    assert found == [f"alter g {step}" for step in expected]


def test_memory_limit_zero_with_a_spill_ratio_nobody_mentioned() -> None:
    error = refusal({"name": "g", "memory_limit": 0}, now=[group("g", memory_limit="5", memory_spill_ratio="20")])
    assert error.message.startswith("groups[0].memory_limit: group 'g' would have memory_spill_ratio 20 and")


@pytest.mark.parametrize("option", ["cpu_rate_limit", "memory_limit"])
def test_sums_are_refused_with_who_has_what(option: str) -> None:
    now = [group("a", **{option: "50"}), group("b", cpuset="0", cpu_rate_limit="-1")]
    others = {"admin_group": 10, "default_group": 10} if option == "cpu_rate_limit" else {}
    error = refusal({"name": "a", option: 60}, {"name": "new", "cpu_rate_limit": 1, option: 55}, now=now)
    shares = {"a": 60, **others, "new": 55}
    text = ", ".join(f"{name} {share}" for name, share in sorted(shares.items()))
    total = sum(shares.values())
    assert error.message == f"{option}: all groups together would have {total}, and Greenplum 6 allows 100: {text}"
    assert {name: share for name, share in error.result["sums"].items() if share} == shares


def test_there_is_no_sum_since_greenplum_7() -> None:
    assert steps({"name": "a", "cpu_max_percent": 100}, {"name": "b", "cpu_max_percent": 100}, family="gp7")


# Drops


def test_purge_spares_the_built_in_ones() -> None:
    now = [group("system_group"), group("mdb_admin_group"), group("b"), group("a"), group("keep")]
    assert steps({"name": "keep"}, now=now, purge=True) == ["drop a", "drop b"]
    assert steps(now=now, purge=True, purge_all=True) == ["drop a", "drop b", "drop keep"]


def test_a_group_with_roles_is_not_dropped_unless_told_where_they_go() -> None:
    now = [group("g", roles=("billy", "sammy")), group("h")]
    error = refusal({"name": "g", "state": "absent"}, now=now)
    assert (
        error.message == "roles_to: group 'g' would be dropped and has roles: billy, sammy; say which group gets them"
    )
    found = plan({"name": "g", "state": "absent"}, now=now, roles_to="h")
    assert [words(step) for step in found.steps] == ["assign h billy", "assign h sammy", "drop g"]
    assert found.before == {"g": now[0], "h": now[1]}
    assert found.after == {"g": None, "h": group("h", roles=("billy", "sammy"))}
    declared = {"name": "h", "roles": ["sammy", "billy"]}
    assert steps({"name": "g", "state": "absent"}, declared, now=now) == ["assign h sammy", "assign h billy", "drop g"]


@pytest.mark.parametrize(
    ("target", "task", "said"),
    [
        ("no_such", {}, "there is no group 'no_such'"),
        ("other", {"purge": True, "purge_all": True}, "purge drops 'other'"),
        ("admin_group", {}, "superusers only, and 'sammy' is none"),
        ("system_group", {}, "takes no role"),
    ],
)
def test_roles_to_is_a_group_that_can_take_them(target: str, task: dict[str, t.Any], said: str) -> None:
    now = [group("g", roles=("sammy",)), group("other"), group("system_group")]
    error = refusal({"name": "g", "state": "absent"}, now=now, roles_to=target, **task)
    assert error.result == {"option": "roles_to"}
    assert said in error.message


def test_a_busy_group_is_not_dropped() -> None:
    now = [group("g", running=3), group("h", running=1)]
    error = refusal({"name": "g", "state": "absent"}, now=now)
    assert error.message.startswith("groups[0].state: 3 transactions run in group 'g', so it cannot be dropped now")
    assert refusal(now=[now[1]], purge=True, purge_all=True).message.startswith(
        "purge: 1 transaction runs in group 'h'"
    )
    found = plan({"name": "g", "state": "absent"}, now=now, roles_to="h")
    assert [words(step) for step in found.steps] == ["drop g"]
    assert found.warnings == ("3 transactions run in group 'g': until that ends, the engine refuses to drop it",)


def test_a_role_waits_in_its_home_group_for_one_that_is_made_in_the_room() -> None:
    now = [group("old", roles=("root", "sammy"), cpu_rate_limit="80")]
    found = plan({"name": "new", "cpu_rate_limit": 80}, now=now, purge=True, roles_to="new")
    assert [words(step) for step in found.steps] == [
        "assign admin_group root",
        "assign default_group sammy",
        "drop old",
        "create new cpu_rate_limit=80",
        "assign new root",
        "assign new sammy",
    ]
    assert found.after["default_group"] == found.before["default_group"]


def test_a_role_waits_while_nothing_runs_in_its_new_group() -> None:
    now = [group("old", roles=("sammy",)), group("new", concurrency="0")]
    assert steps({"name": "new", "concurrency": 5}, now=now, purge=True, roles_to="new") == [
        "assign default_group sammy",
        "drop old",
        "alter new concurrency=5",
        "assign new sammy",
    ]


# Roles


def test_roles_are_added_and_with_purge_roles_removed() -> None:
    now = [group("g", roles=("billy", "root", "sammy"))]
    entry = {"name": "g", "roles": ["sammy", "Odd Röle"]}
    assert steps(entry, now=now) == ["assign g Odd Röle"]
    found = plan(entry, now=now, purge_roles=True)
    assert [words(step) for step in found.steps] == [
        "assign g Odd Röle",
        "assign default_group billy",
        "assign admin_group root",
    ]
    assert found.after["g"] == group("g", roles=("Odd Röle", "sammy"))
    assert set(found.before) == {"g", "default_group", "admin_group"}
    assert steps({"name": "g"}, now=now, purge_roles=True) == []


def test_a_new_group_gets_its_roles_last() -> None:
    assert steps({"name": "g", "cpu_rate_limit": 1, "roles": ["sammy"]}) == [
        "create g cpu_rate_limit=1",
        "assign g sammy",
    ]


def test_roles_have_somewhere_to_stay() -> None:
    # Greenplum 7 has its own pg_ roles in admin_group, and nobody may move them.
    now = [group("admin_group", roles=("gpadmin", "pg_monitor", "sammy")), group("default_group", roles=("ops",))]
    entries = ({"name": "admin_group", "roles": []}, {"name": "default_group", "roles": []})
    assert steps(*entries, now=now, purge_roles=True) == ["assign default_group sammy"]


@pytest.mark.parametrize(
    ("target", "role", "said"),
    [
        ("g", "nobody", "there is no role 'nobody'"),
        ("g", "pg_monitor", "a role of the engine"),
        ("admin_group", "sammy", "superusers only"),
        ("system_group", "sammy", "takes no role"),
    ],
)
def test_roles_that_cannot_be_assigned(target: str, role: str, said: str) -> None:
    error = refusal({"name": target, "roles": [role]}, now=[group("g"), group("system_group")])
    assert error.result == {"option": "groups[0].roles"}
    assert said in error.message


# Guard rails


@pytest.mark.parametrize(
    ("name", "concurrency", "why"),
    [
        ("default_group", 1, "your role 'ops' is in it"),
        ("default_group", 0, "your role 'ops' is in it"),
        ("admin_group", 1, "it is the group of the administrators"),
        ("mdb_admin_group", 0, "it is the group of the administrators"),
        ("supers", 1, "the superuser 'root' is in it"),
    ],
)
def test_lockout_needs_to_be_allowed(name: str, concurrency: int, why: str) -> None:
    now = [group("mdb_admin_group"), group("supers", roles=("root",))]
    error = refusal({"name": name, "concurrency": concurrency}, now=now)
    assert error.message == (
        f"groups[0].concurrency: {concurrency} on group {name!r} can lock you out: {why}; 2 or more, or "
        "allow_lockout: true"
    )
    found = steps({"name": name, "concurrency": concurrency}, now=now, allow_lockout=True)
    assert found == [f"alter {name} concurrency={concurrency}"]


def test_what_is_low_already_or_hits_others_only_is_no_lockout() -> None:
    now = [group("default_group", roles=("ops",), concurrency="1"), group("g", roles=("sammy",))]
    entries = ({"name": "default_group", "concurrency": 1}, {"name": "g", "concurrency": 0})
    assert steps(*entries, now=now) == ["alter g concurrency=0"]
    assert steps({"name": "admin_group", "concurrency": 2})


@pytest.mark.parametrize(
    ("entries", "task", "option"),
    [
        ([{"name": "closed", "roles": ["ops"]}], {}, "groups[0].roles"),
        ([{"name": "mine", "state": "absent"}], {"roles_to": "closed"}, "roles_to"),
        (
            [{"name": "mine", "roles": []}, {"name": "default_group", "concurrency": 0}],
            {"purge_roles": True},
            "purge_roles",
        ),
    ],
)
def test_our_own_role_is_not_moved_where_nothing_runs(
    entries: list[dict[str, t.Any]], task: dict[str, t.Any], option: str
) -> None:
    now = groups(group("mine", roles=("ops",)), group("closed", concurrency="0"))
    now["default_group"] = group("default_group", concurrency="0")
    known = facts(role_group="mine")
    with pytest.raises(OptionError) as caught:
        plans.plan(now, desired_state(*entries, **task), known)
    assert caught.value.result == {"option": option}
    assert "this would lock you out: your role 'ops' would go to group" in caught.value.message
    assert plans.plan(now, desired_state(*entries, allow_lockout=True, **task), known).steps
