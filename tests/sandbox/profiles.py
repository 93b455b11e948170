# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engines differ in, as data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

OptionKind = Literal["int", "cpuset", "auditor", "io"]
SettingKind = Literal["bool", "int", "ms", "string"]
Context = Literal["internal", "postmaster", "superuser", "user"]

ADMIN_OID = 6438
DEFAULT_OID = 6437
SYSTEM_OID = 6441
CB_SYSTEM_OID = 6448
BUILT_IN = frozenset({ADMIN_OID, DEFAULT_OID, SYSTEM_OID, CB_SYSTEM_OID})


@dataclass(frozen=True)
class Option:
    """One limit of a resource group: how it is written, what it may be, what it is when nothing is said."""

    name: str
    limit_type: int
    default: str
    kind: OptionKind = "int"
    low: int = 0
    high: int | None = None
    also: int | None = None  # one value outside the range that is allowed
    refusal: str = ""
    alterable: bool = True


@dataclass(frozen=True)
class Setting:
    """A server setting that PostgreSQL does not have, or that must show another value."""

    name: str
    value: str
    kind: SettingKind = "string"
    context: Context = "user"
    in_postgres: bool = False  # SET and RESET stay with PostgreSQL, only reading is changed


@dataclass(frozen=True)
class Profile:
    """One engine."""

    name: str
    version: str
    server_version: str
    sql: tuple[str, ...]  # the files of its catalogs, in order
    transcript: str | None  # of a real engine, which tests/contract holds it against
    options: tuple[Option, ...]
    built_in_groups: tuple[tuple[int, str, dict[str, str]], ...]
    settings: tuple[Setting, ...]
    cpu_option: str
    cpu_sums: bool  # the percentages of all groups may not exceed 100 together
    reset_by_cpuset: tuple[tuple[str, str], ...]
    one_command_message: str  # 25001 in a string of several commands without BEGIN
    in_function_message: str  # 25001 in the body of a function
    duplicate_option: str
    bad_integer: str
    cgroup_warning_over: int | None = None
    managers_role: str | None = None  # whose members change groups beside superusers
    group_changers: str = "superuser"  # who has to be asked, in the words of a refusal
    admin_group_in_refusal: str = "admin_group"
    cores: int = 8
    family: str = ""  # where that is not its own name
    login_roles: tuple[str, ...] = ("gp_role", "gp_session_role")  # with which a login may ask for utility mode
    set_price: float = 480e-6  # seconds to tell the segments once of a setting that a function has entered and left
    bypass_lock_rows: int | None = None  # more lock rows on one segment do not fit into what bypass gives
    endless_rows: int | None = None  # as many rows of a function in a select list, in bypass, and the end never comes
    more_sql: tuple[str, ...] = ()  # what a variant has on top
    manager: str = "group"  # what gp_resource_manager says where groups are enforced
    unknown_pid: str = "PID %s is not a PostgreSQL server process"
    lock_waitstart: bool = False  # pg_locks says since when
    old_words: bool = True  # PostgreSQL before 15: in 0_x a number ends and a word begins; refusals are terse
    keeps_group_after_wait: bool = False  # a row whose wait was cancelled still names the group
    move_timeout: bool = True  # gp_resource_group_move_timeout ends the wait for room in another group
    unknown_group_of_move: str = 'resource group "%s" does not exist'
    connections_role: str | None = None  # whose members have connection slots of their own
    limits: dict[str, Option] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.family or self.name)
        object.__setattr__(self, "limits", {option.name: option for option in self.options})

    def setting(self, name: str) -> Setting | None:
        return next((setting for setting in self.settings if setting.name == name), None)


def _settings(server: str, number: str, gp_version: str, bypass: Context, *more: Setting) -> tuple[Setting, ...]:
    return (
        Setting("server_version", server, context="internal", in_postgres=True),
        Setting("server_version_num", number, "int", "internal", in_postgres=True),
        Setting("max_connections", "", "int", "postmaster", in_postgres=True),
        Setting("gp_server_version", gp_version, context="internal"),
        Setting("gp_resource_manager", "", context="postmaster"),
        Setting("gp_role", "dispatch", context="postmaster"),
        Setting("gp_session_role", "dispatch", context="postmaster"),
        Setting("gp_contentid", "-1", context="postmaster"),
        Setting("gp_resource_group_bypass", "off", "bool", bypass),
        Setting("gp_resource_group_queuing_timeout", "0", "ms"),
        Setting("gp_select_invisible", "off", "bool"),
        Setting("optimizer", "on", "bool"),
        *more,
    )


_MOVE_TIMEOUT = Setting("gp_resource_group_move_timeout", "30s", "ms")
_SINCE_7 = (
    Setting("gp_resource_group_bypass_catalog_query", "on", "bool"),
    Setting("gp_resource_group_bypass_direct_dispatch", "on", "bool"),
    Setting("gp_resource_group_cpu_limit", "0.9", context="postmaster"),
    Setting("gp_resource_group_cpu_priority", "10", "int", "postmaster"),
)
_CONCURRENCY = Option("concurrency", 1, "20", refusal="concurrency range is [0, 'max_connections']")
_IN_FUNCTION_6 = "%s cannot be executed from a function or multi-command string"
_OVER_12 = "%s cannot run inside a transaction block"

GP6 = Profile(
    name="gp6",
    version=(
        "PostgreSQL 9.4.26 (Greenplum Database 6.24.3 build commit:25d3498a400ca5230e81abb94861f23389315213) on"
        " x86_64-unknown-linux-gnu, compiled by gcc (sandbox) 12.2.0, 64-bit compiled on Jan  1 2026 00:00:00"
    ),
    server_version="9.4.26",
    sql=("common", "until7", "gp6"),
    transcript="gp6",
    options=(
        _CONCURRENCY,
        Option("cpu_rate_limit", 2, "-1", low=1, high=100, refusal="cpu_rate_limit range is [1, 100]"),
        Option("memory_limit", 3, "0", high=100, refusal="memory_limit range is [0, 100]"),
        Option("memory_shared_quota", 4, "80", high=100, refusal="memory_shared_quota range is [0, 100]"),
        Option("memory_spill_ratio", 5, "0", high=100, refusal="memory_spill_ratio range is [0, 100]"),
        Option("memory_auditor", 6, "vmtracker", "auditor", alterable=False),
        Option("cpuset", 7, "-1", "cpuset"),
    ),
    built_in_groups=(
        (DEFAULT_OID, "default_group", {"concurrency": "20", "cpu_rate_limit": "30", "memory_limit": "0"}),
        (ADMIN_OID, "admin_group", {"concurrency": "10", "cpu_rate_limit": "10", "memory_limit": "10"}),
    ),
    settings=_settings(
        "9.4.26",
        "90426",
        "6.24.3 build commit:25d3498a400ca5230e81abb94861f23389315213",
        "user",
        Setting("gp_resource_group_bypass_catalog_query", "off", "bool"),
        Setting("gp_resource_group_cpu_limit", "0.9", context="postmaster"),
        Setting("gp_resource_group_cpu_priority", "10", "int", "postmaster"),
        Setting("gp_resource_group_memory_limit", "0.7", context="postmaster"),
    ),
    cpu_option="cpu_rate_limit",
    cpu_sums=True,
    reset_by_cpuset=(("cpu_rate_limit", "-1"),),
    move_timeout=False,
    unknown_group_of_move="cannot find resource group: %s",
    one_command_message=_IN_FUNCTION_6,
    in_function_message=_IN_FUNCTION_6,
    duplicate_option="Find duplicate resoure group resource type: %s",
    bad_integer='invalid input syntax for integer: "%s"',
    login_roles=("gp_session_role",),
    set_price=70e-6,
    bypass_lock_rows=40_000,
    endless_rows=20_000,
)

# The managed service's own fork of 6.
GP6_MANAGED = replace(
    GP6,
    name="gp6-managed",
    transcript="gp6-managed",
    version=(
        "PostgreSQL 9.4.26 (Greenplum Database 6.27.1-mdb build commit:cf29f5024d65f9b407911b6fbb24c17a0f6f545d) on"
        " x86_64-unknown-linux-gnu, compiled by gcc (sandbox) 12.2.0, 64-bit compiled on Jan  1 2026 00:00:00"
    ),
    settings=(
        *(each for each in GP6.settings if each.name != "gp_server_version"),
        Setting(
            "gp_server_version", "6.27.1-mdb build commit:cf29f5024d65f9b407911b6fbb24c17a0f6f545d", context="internal"
        ),
        _MOVE_TIMEOUT,
    ),
    managers_role="mdb_admin",
    group_changers="mdb_admin",
    more_sql=("managed",),
    connections_role="mdb_admin",
)

_CPU_7 = (
    Option(
        "cpu_max_percent",
        2,
        "-1",
        low=1,
        high=100,
        also=-1,
        refusal="cpu_max_percent range is [1, 100] or equals to -1",
    ),
    Option("cpu_weight", 3, "100", low=1, high=500, refusal="cpu_weight range is [1, 500]"),
    Option("cpuset", 4, "-1", "cpuset"),
)
_MIN_COST = Option("min_cost", 6, "0", refusal="The min_cost value can't be less than 0.")
_BUILT_IN_7 = (
    (DEFAULT_OID, "default_group", {"concurrency": "20", "cpu_max_percent": "20", "min_cost": "500"}),
    (ADMIN_OID, "admin_group", {"concurrency": "10", "cpu_max_percent": "10", "min_cost": "500"}),
    (SYSTEM_OID, "system_group", {"concurrency": "0", "cpu_max_percent": "10", "min_cost": "500"}),
)

GP7 = Profile(
    name="gp7",
    version=(
        "PostgreSQL 12.12 (Greenplum Database 7.0.0+src.20230627 build dev) on x86_64-pc-linux-gnu, compiled by"
        " gcc (sandbox) 12.2.0, 64-bit compiled on Jan  1 2026 00:00:00 Bhuvnesh C."
    ),
    server_version="12.12",
    sql=("common", "until7", "since7", "gp7"),
    transcript="gp7",
    options=(
        _CONCURRENCY,
        *_CPU_7,
        Option("memory_limit", 5, "-1", also=-1, refusal="memory_limit range is [0, INT_MAX] or equals to -1"),
        _MIN_COST,
    ),
    built_in_groups=_BUILT_IN_7,
    settings=_settings("12.12", "120012", "7.0.0+src.20230627 build dev", "superuser", *_SINCE_7),
    cpu_option="cpu_max_percent",
    cpu_sums=False,
    reset_by_cpuset=(("cpu_max_percent", "-1"), ("cpu_weight", "100")),
    one_command_message=_OVER_12,
    in_function_message="%s cannot be executed from a function",
    duplicate_option="found duplicate resource group resource type: %s",
    bad_integer='invalid input syntax for type bigint: "%s"',
    cgroup_warning_over=90,
)

CB = Profile(
    name="cb",
    version=(
        "PostgreSQL 14.4 (Apache Cloudberry 2.0.0-incubating build dev) on x86_64-pc-linux-gnu, compiled by gcc"
        " (sandbox) 12.2.0, 64-bit compiled on Jan  1 2026 00:00:00"
    ),
    server_version="14.4",
    sql=("common", "since7", "cb"),
    transcript="gp7",
    options=(
        _CONCURRENCY,
        *_CPU_7,
        Option("memory_quota", 5, "-1", also=-1, refusal="memory_quota range is [0, INT_MAX] or equals to -1"),
        _MIN_COST,
        Option("io_limit", 7, "-1", "io"),
    ),
    built_in_groups=(*_BUILT_IN_7[:2], (CB_SYSTEM_OID, *_BUILT_IN_7[2][1:])),
    settings=_settings("14.4", "140004", "2.0.0-incubating build dev", "user", *_SINCE_7, _MOVE_TIMEOUT),
    cpu_option="cpu_max_percent",
    cpu_sums=False,
    reset_by_cpuset=(("cpu_max_percent", "-1"), ("cpu_weight", "100")),
    one_command_message=_OVER_12,
    in_function_message="%s cannot be executed from a function",
    duplicate_option="found duplicate resource group resource type: %s",
    bad_integer='invalid input syntax for type bigint: "%s"',
    managers_role="pg_manage_resource_groups",
    admin_group_in_refusal='"admin_group"',
    manager="group-v2",
    lock_waitstart=True,
    keeps_group_after_wait=True,
)

# The releases: what the recorded snapshot reserves to superusers, they allow to every role.
GP7GA = replace(
    GP7,
    name="gp7ga",
    version=(
        "PostgreSQL 12.12 (Greenplum Database 7.1.0 build dev) on x86_64-pc-linux-gnu, compiled by"
        " gcc (sandbox) 12.2.0, 64-bit compiled on Jan  1 2026 00:00:00 Bhuvnesh C."
    ),
    options=(*GP7.options, CB.limits["io_limit"]),
    settings=_settings("12.12", "120012", "7.1.0 build dev", "user", *_SINCE_7, _MOVE_TIMEOUT),
)

# The branch main, on PostgreSQL 16.
CB_MAIN = replace(
    CB,
    name="cbmain",
    version=(
        "PostgreSQL 16.9 (Apache Cloudberry 3.0.0-devel build dev) on x86_64-pc-linux-gnu, compiled by gcc"
        " (sandbox) 12.2.0, 64-bit compiled on Jan  1 2026 00:00:00"
    ),
    server_version="16.9",
    transcript=None,
    settings=_settings("16.9", "160009", "3.0.0-devel build dev", "user", *_SINCE_7, _MOVE_TIMEOUT),
    more_sql=("cbmain",),
    unknown_pid="PID %s is not a PostgreSQL backend process",
    old_words=False,
)

PROFILES = {profile.name: profile for profile in (GP6, GP6_MANAGED, GP7, GP7GA, CB, CB_MAIN)}
