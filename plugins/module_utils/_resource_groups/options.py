# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: each option of a resource group once: what it may be, what it is by default, when two values mean the same.

Which of them an engine has, the columns of its own view tell. Private to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import notations
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.notations import UNSET, Tablespaces

INT_MAX = 2**31 - 1
INTEGER = re.compile(r"-?\d+\Z", re.ASCII)

Limits = t.Mapping[str, str]


class Range(t.NamedTuple):
    """The numbers that an option takes."""

    low: int
    high: int
    unlimited: bool = False  # -1 is taken too
    note: str = ""

    def check(self, option: str, value: str, engine: str = "it") -> None:
        number = int(value)
        if self.low <= number <= self.high or (self.unlimited and number == -1):
            return
        numbers = f"{self.low} to {self.high}" if self.high < INT_MAX else f"{self.low} or more"
        more = ", or -1 for no limit" if self.unlimited else ""
        raise OptionError(option, f"{value} is not allowed; {engine} takes {numbers}{more}{self.note}")


def _as_number(_option: str, value: t.Any) -> str:
    return str(int(value))


def _same_number(one: str, other: str, _tablespaces: Tablespaces) -> bool:
    return int(one) == int(other)


def _same_cores(one: str, other: str, _tablespaces: Tablespaces) -> bool:
    return notations.parse_cpuset(one) == notations.parse_cpuset(other)


def _same_io_limit(one: str, other: str, tablespaces: Tablespaces) -> bool:
    return notations.resolved_io_limit(one, tablespaces) == notations.resolved_io_limit(other, tablespaces)


class GroupOption(t.NamedTuple):
    """An option that is a limit.

    Attributes:
        name: The keyword of CREATE RESOURCE GROUP and the column of gp_resgroup_config.
        default: What CREATE gives where it is not named.
        info: As gp_resource_group_info calls it on every engine; None: in another way, or not at all.
        number: Of the PostgreSQL 12 base, pg_resgroupcapability.reslimittype: what the view of Greenplum 7.0 joins,
            and Cloudberry's ResGroupLimitType.
        range: The numbers that it takes, the widest of all engines; None for a text.
        is_cpu_percentage: A group has either it or a cpuset.
        of_module: gp_resource_group has an option of this name.
        canonical: Option, value -> as it is sent.
        same: Whether two texts mean the same.
        perhaps: Whether they may, where the catalog is not at hand; None if it does not matter.
    """

    name: str
    default: str
    info: str | None = None
    number: int | None = None
    range: Range | None = None
    is_cpu_percentage: bool = False
    of_module: bool = True
    canonical: t.Callable[[str, t.Any], str] = _as_number
    same: t.Callable[[str, str, Tablespaces], bool] = _same_number
    perhaps: t.Callable[[str, str], bool] | None = None

    @property
    def is_text(self) -> bool:
        """Whether the engine keeps it as a text."""
        return self.range is None


def _cpuset(option: str, value: t.Any) -> str:
    return notations.canonical_cpuset(option, str(value))


def _io_limit(option: str, value: t.Any) -> str:
    return notations.canonical_io_limit(option, str(value))


_PERCENT = Range(0, 100)
_ANY_OR_UNLIMITED = Range(0, INT_MAX, unlimited=True)
OPTIONS: t.Mapping[str, GroupOption] = {
    option.name: option
    for option in (
        GroupOption("concurrency", "20", "concurrency", 1, Range(0, INT_MAX)),
        GroupOption("cpu_rate_limit", UNSET, "cpu_percent", None, Range(1, 100), is_cpu_percentage=True),
        GroupOption("cpu_max_percent", UNSET, "cpu_percent", 2, Range(1, 100, unlimited=True), is_cpu_percentage=True),
        GroupOption("cpu_weight", "100", "cpu_weight", 3, Range(1, 500)),
        GroupOption("cpuset", UNSET, "cpuset", 4, canonical=_cpuset, same=_same_cores),
        # The same word on all engines; each family says what it is of, and by default.
        GroupOption("memory_limit", UNSET, None, 5, _ANY_OR_UNLIMITED),
        GroupOption("memory_quota", UNSET, None, 5, _ANY_OR_UNLIMITED),
        GroupOption("memory_shared_quota", "80", "memory_shared_percent", None, _PERCENT),
        GroupOption("memory_spill_ratio", "0", "memory_spill_percent", None, _PERCENT),
        GroupOption("memory_auditor", "vmtracker", of_module=False),
        GroupOption("min_cost", "0", "min_cost", 6, Range(0, INT_MAX)),
        GroupOption(
            "io_limit",
            UNSET,
            "io_limit",
            7,
            canonical=_io_limit,
            same=_same_io_limit,
            perhaps=notations.could_be_same_io_limit,
        ),
    )
}
RANGES = {name: option.range for name, option in OPTIONS.items() if option.range}
TEXTS = tuple(name for name, option in OPTIONS.items() if option.of_module and option.is_text)
PERCENTAGES = tuple(name for name, option in OPTIONS.items() if option.is_cpu_percentage)


def is_text(option: str, value: str) -> bool:
    """Whether the statement takes this value as a string and not as a number."""
    return option in TEXTS or not INTEGER.match(value)


def could_be_same(option: str, one: str, other: str) -> bool:
    """Whether two texts may mean the same where the catalog is not at hand."""
    perhaps = OPTIONS[option].perhaps if option in OPTIONS else None
    return is_same(option, one, other) or (perhaps is not None and perhaps(one, other))


def is_same(option: str, one: str, other: str, tablespaces: Tablespaces | None = None) -> bool:
    """Whether two texts mean the same to the engine.

    Args:
        option: Whose values they are.
        one: As somebody wrote it.
        other: As somebody else did, such as the engine.
        tablespaces: Name -> number, of those that the server has beside its own.
    """
    if one == other:
        return True
    same = OPTIONS[option].same if option in OPTIONS else _same_number
    try:
        return same(one, other, tablespaces or {})
    except ValueError:
        return False
