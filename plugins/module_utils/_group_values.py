# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the values of resource group options: what they may be, and when two texts mean the same.

Private to the collection.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._errors import OptionError

INT_MAX = 2**31 - 1
_LAST_CORE = 1024  # the engines parse no higher number
UNSET = "-1"
_TEXTS = ("cpuset", "io_limit")
INTEGER = re.compile(r"-?\d+\Z", re.ASCII)
_CORES = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?\Z", re.ASCII)
_IO_SETTING = re.compile(r"([a-z]+)=(\d+|max)\Z", re.ASCII)

# The cores of the coordinator and those of the segments.
Cores = t.Tuple[t.FrozenSet[int], t.FrozenSet[int]]
Limits = t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Range:
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


# The widest of all engines; _range knows what one engine takes.
RANGES = {
    "concurrency": Range(0, INT_MAX),
    "cpu_rate_limit": Range(1, 100),
    "cpu_max_percent": Range(1, 100, unlimited=True),
    "cpu_weight": Range(1, 500),
    "memory_limit": Range(0, INT_MAX, unlimited=True),
    "memory_quota": Range(0, INT_MAX, unlimited=True),
    "memory_shared_quota": Range(0, 100),
    "memory_spill_ratio": Range(0, 100),
    "min_cost": Range(0, INT_MAX),
}


def is_text(option: str, value: str) -> bool:
    """Whether the statement takes this value as a string and not as a number."""
    return option in _TEXTS or not INTEGER.match(value)


def canonical_cpuset(option: str, text: str) -> str:
    text = "".join(text.split())
    if text == UNSET:
        return text
    try:
        return cpuset_text(_parse_cpuset(text))
    except ValueError:
        raise OptionError(
            option,
            f"{text!r} is not a list of cores; allowed are such as 0,2-3, or 0;2-3 for the coordinator and the "
            f"segments, with cores up to {_LAST_CORE}",
        ) from None


def _parse_cpuset(text: str) -> Cores:
    """The cores on the coordinator's host and on the segments' hosts."""
    coordinator, separator, segments = text.partition(";")
    return _parse_cores(coordinator), _parse_cores(segments if separator else coordinator)


def _parse_cores(text: str) -> frozenset[int]:
    cores: set[int] = set()
    for part in text.split(","):
        found = _CORES.match(part)
        if not found:
            raise ValueError(text)
        first, last = int(found.group(1)), int(found.group(2) or found.group(1))
        if first > last or last > _LAST_CORE:
            raise ValueError(text)
        cores.update(range(first, last + 1))
    return frozenset(cores)


def cores_of(limits: Limits) -> Cores:
    """The cores that are this group's own; none of a text that is not understood."""
    try:
        return _parse_cpuset(limits.get("cpuset", UNSET))
    except ValueError:
        return frozenset(), frozenset()


def ranges_text(cores: t.Iterable[int]) -> str:
    """Cores in the engine's notation: V(1-3,7)."""
    spans: list[list[int]] = []
    for core in sorted(cores):
        if spans and spans[-1][1] == core - 1:
            spans[-1][1] = core
        else:
            spans.append([core, core])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def cpuset_text(cores: Cores) -> str:
    coordinator, segments = ranges_text(cores[0]), ranges_text(cores[1])
    return coordinator if coordinator == segments else f"{coordinator};{segments}"


def canonical_io_limit(option: str, text: str) -> str:
    text = "".join(text.split())
    try:
        _parse_io_limit(text)
    except ValueError as error:
        raise OptionError(
            option, f"{str(error)!r} is not understood; it is such as pg_default:rbps=1000,wbps=max, or -1 for no limit"
        ) from None
    return text or UNSET


def _parse_io_limit(text: str) -> dict[str, dict[str, str]]:
    """Tablespace -> setting -> number. What is V(max) is as if it were not said."""
    limits: dict[str, dict[str, str]] = {}
    for part in text.split(";") if text not in ("", UNSET) else ():
        tablespace, _equals, settings = part.rpartition(":")
        found = [_IO_SETTING.match(setting) for setting in settings.split(",")]
        if not tablespace or tablespace in limits or None in found:
            raise ValueError(part)
        limits[tablespace] = {match.group(1): match.group(2) for match in found if match and match.group(2) != "max"}
    return {tablespace: settings for tablespace, settings in limits.items() if settings}


def is_same(option: str, one: str, other: str) -> bool:
    """Whether two texts mean the same to the engine."""
    if one == other:
        return True
    try:
        if option == "io_limit":
            return _parse_io_limit(one) == _parse_io_limit(other)
        if option == "cpuset":
            return _parse_cpuset(one) == _parse_cpuset(other)
        return int(one) == int(other)
    except ValueError:
        return False
