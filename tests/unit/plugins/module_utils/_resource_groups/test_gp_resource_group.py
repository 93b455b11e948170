# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resource groups between the server's rows and the module's result."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import connection
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import (
    catalog,
    gp_resource_group,
    gp_resource_group_info,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, Group, Step
from unit.engines import engine

ENGINE = engine("gp6", "6.24.3", role="gpadmin", role_group="admin_group", is_superuser=True, max_connections=400)
CONFIG = {"groupid": "6437", "groupname": "etl", "concurrency": "20", "cpu_rate_limit": "30", "cpuset": "-1"}
MEMBERS = [
    {"rolname": "sammy", "rolsuper": False, "rsgname": "etl"},
    {"rolname": "billy", "rolsuper": False, "rsgname": "etl"},
    {"rolname": "gpadmin", "rolsuper": True, "rsgname": "admin_group"},
    {"rolname": "pg_monitor", "rolsuper": False, "rsgname": "etl"},
    {"rolname": "lost", "rolsuper": False, "rsgname": None},
]


def options(**more: t.Any) -> dict[str, t.Any]:
    specs = {**ARGUMENT_SPEC, **gp_resource_group.ARGUMENT_SPEC}
    return {**{name: spec.get("default") for name, spec in specs.items()}, **more}


def test_rows_become_groups_and_facts() -> None:
    reading = catalog.reading_from([CONFIG], MEMBERS, "group", ENGINE)
    assert reading.groups == {
        "etl": Group("etl", {"concurrency": "20", "cpu_rate_limit": "30", "cpuset": "-1"}, ("billy", "sammy"))
    }
    assert reading.facts.options == ("concurrency", "cpu_rate_limit", "cpuset")
    assert reading.facts.superusers == {"gpadmin"}
    assert "lost" in reading.facts.all_roles
    assert reading.enforced is True


def test_the_catalog_gives_the_rows_of_the_view() -> None:
    values = {"a": ("5", "20", "100", "-1", "-1", "500"), "b": ("0", "-1", "100", "0-1", "64", "0")}
    limits = [
        {"rsgname": name, "reslimittype": number, "value": value}
        for name, row in values.items()
        for number, value in enumerate(row, 1)
    ]
    options = ("concurrency", "cpu_max_percent", "cpu_weight", "cpuset", "memory_quota", "min_cost")
    rows = catalog.config_from(limits, ["groupid", "groupname", *options])
    assert rows == [{"groupname": name, **dict(zip(options, row, strict=True))} for name, row in values.items()]
    assert catalog.config_from(limits[:1], ["groupname", "concurrency", "io_limit"]) == [
        {"groupname": "a", "concurrency": "5", "io_limit": None}
    ]


@pytest.mark.parametrize(("family", "installs"), [("gp6", False), ("gp7", True), ("cb", True)])
def test_without_the_views_the_advice_is_for_this_engine(family: str, installs: bool) -> None:
    engine = dataclasses.replace(ENGINE, family=family)
    with pytest.raises(GpopsError, match="set login_db to one that has it") as caught:
        catalog.read(t.cast(connection.Connection, None), engine)
    assert ("CREATE EXTENSION" in caught.value.message) is installs


def test_with_an_option_of_a_later_engine_the_view_is_read() -> None:
    assert catalog.config_from([], ["groupname", "concurrency", "gpu_percent"]) is None


@pytest.mark.parametrize(
    ("manager", "enforced"), [("group", True), ("group-v2", True), ("queue", False), ("none", False)]
)
def test_whether_groups_are_enforced(manager: str, enforced: bool) -> None:
    assert catalog.reading_from([CONFIG], MEMBERS, manager, ENGINE).enforced is enforced


def test_status_of_both_shapes() -> None:
    row = {"num_running": 1, "num_queueing": 2, "num_queued": 3, "num_executed": 4, "queue_seconds": 5.0}
    assert catalog._status_from(row) == catalog.GroupStatus(1, 2, 3, 4, 5.0)


@pytest.mark.parametrize(
    ("family", "limits", "expected"),
    [
        (
            "gp6",
            {"concurrency": "5", "cpu_rate_limit": "10", "memory_limit": "12", "cpuset": "-1", "memory_auditor": "x"},
            {"concurrency": 5, "cpu_percent": 10, "memory_percent": 12, "memory_mb": None, "cpuset": None},
        ),
        (
            "gp7",
            {"concurrency": "5", "cpu_max_percent": "-1", "cpuset": "0-1", "memory_limit": "200", "cpu_weight": "100"},
            {"cpu_percent": None, "cpuset": "0-1", "memory_percent": None, "memory_mb": 200, "cpu_weight": 100},
        ),
        ("cb", {"concurrency": "5", "memory_quota": "-1", "io_limit": "-1"}, {"memory_mb": None, "io_limit": None}),
    ],
)
def test_names_and_units_are_the_same(family: str, limits: dict[str, str], expected: dict[str, t.Any]) -> None:
    record = gp_resource_group_info.record(Group("g", limits), family, None)
    assert expected.items() <= record.items()
    assert record["raw"] == limits
    assert "status" not in record


def test_a_group_without_status_has_none() -> None:
    group = Group("g", {"concurrency": "5"})
    assert gp_resource_group_info.record(group, "gp6", {})["status"] is None
    status = {"g": catalog.GroupStatus(1, 0, 0, 0, 0.0)}
    assert gp_resource_group_info.record(group, "gp6", status)["status"]["running"] == 1


def test_limits_are_shown_as_numbers_where_they_are() -> None:
    shown = gp_resource_group.shown(Group("g", {"concurrency": "5", "cpuset": "-1", "io_limit": "a:b=1"}, ("r",)))
    assert shown == {"concurrency": 5, "cpuset": "-1", "io_limit": "a:b=1", "roles": ["r"]}
    assert gp_resource_group.shown(None) is None


def test_one_group_or_a_list() -> None:
    assert [wish.name for wish in gp_resource_group.parse(options(name="a", concurrency=1)).desired] == ["a"]
    several = gp_resource_group.parse(options(groups=[{"name": "a", "state": "absent"}]))
    assert [(wish.name, wish.present) for wish in several.desired] == [("a", False)]


@pytest.mark.parametrize(
    ("more", "words"),
    [({}, "name: "), ({"name": "a", "groups": []}, "name: "), ({"groups": [], "roles": ["x"]}, "roles: ")],
)
def test_not_both(more: dict[str, t.Any], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        gp_resource_group.parse(options(**more))
    assert caught.value.message.startswith(words)


def test_an_option_s_name_is_a_word() -> None:
    with pytest.raises(Exception, match="not the name of an option"):
        catalog.statement(Step("alter", "g", option="concurrency 1; --", value="1"))


def test_what_the_engine_took_and_did_not_keep_is_told() -> None:
    planned = {"g": Group("g", {"io_limit": "a:rbps=1", "cpuset": "0-1"}), "gone": None}
    kept = {"g": Group("g", {"io_limit": "-1", "cpuset": "0,1"}), "gone": None}
    assert gp_resource_group.not_stored(planned, planned) == []
    assert gp_resource_group.not_stored(planned, kept) == ["group g: the engine took io_limit a:rbps=1 and shows -1"]


ALTER = Step("alter", "etl", option="concurrency", value="5")
SAYS_SUPERUSER = "the server refused a statement: must be superuser to alter resource groups (SQLSTATE 42501)"
SAYS_NOTHING = "the server refused a statement: permission denied to alter resource groups (SQLSTATE 42501)"


def facts(family: str, *roles: str) -> EngineFacts:
    return EngineFacts(
        family=family,
        options=("concurrency",),
        max_connections=100,
        role="ops",
        role_group="default_group",
        superusers=frozenset(["gpadmin"]),
        all_roles=frozenset(["gpadmin", "ops", *roles]),
    )


@pytest.mark.parametrize(
    ("family", "roles", "said", "words"),
    [
        ("gp6", (), SAYS_SUPERUSER, "it takes a superuser"),
        ("gp6", ("mdb_admin",), "must be mdb_admin to alter", "it takes a superuser or a member of mdb_admin"),
        # A role of that name, on an engine that does not know it.
        ("gp6", ("mdb_admin",), SAYS_SUPERUSER, "it takes a superuser"),
        ("gp7", ("mdb_admin", "pg_manage_resource_groups"), SAYS_NOTHING, "it takes a superuser"),
        ("cb", (), SAYS_SUPERUSER, "it takes a superuser"),
        ("cb", ("mdb_admin",), SAYS_SUPERUSER, "it takes a superuser"),
        ("cb", ("mdb_admin",), SAYS_NOTHING, "it takes a superuser or a member of mdb_admin"),
        (
            "cb",
            ("mdb_admin", "pg_manage_resource_groups"),
            SAYS_NOTHING,
            "it takes a superuser or a member of mdb_admin or pg_manage_resource_groups",
        ),
    ],
)
def test_who_may_change_a_group_is_told_of_this_engine(
    family: str, roles: tuple[str, ...], said: str, words: str
) -> None:
    for step in (ALTER, Step("create", "etl"), Step("drop", "etl")):
        assert gp_resource_group.privilege(step, said, facts(family, *roles)) == words


@pytest.mark.parametrize("family", ["gp6", "gp7", "cb"])
def test_admin_group_is_for_superusers_on_every_engine(family: str) -> None:
    step = Step("alter", "admin_group", option="concurrency", value="5")
    known = facts(family, "mdb_admin", "pg_manage_resource_groups")
    words = "admin_group takes a superuser, on every engine"
    assert gp_resource_group.privilege(step, SAYS_NOTHING, known) == words
    said = "must be superuser to alter resource group admin_group"
    assert gp_resource_group.privilege(step, said, known) == words


@pytest.mark.parametrize(
    ("role", "roles", "words"),
    [
        ("sammy", (), "to move a role takes a superuser or a role with CREATEROLE"),
        ("sammy", ("mdb_admin",), "CREATEROLE, and mdb_admin alone is neither"),
        ("gpadmin", ("mdb_admin",), "only a superuser can move a superuser"),
    ],
)
def test_to_move_a_role_takes_another_privilege(role: str, roles: tuple[str, ...], words: str) -> None:
    step = Step("assign", "etl", role=role)
    said = gp_resource_group.privilege(step, "permission denied (SQLSTATE 42501)", facts("gp6", *roles))
    assert said.endswith(words)
