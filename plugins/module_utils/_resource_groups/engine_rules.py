# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what an engine takes and refuses of a resource group. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.desired import (
    ADMIN,
    Desired,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, Step
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.notations import (
    UNSET,
    Cores,
    cores_of,
    ranges_text,
    tablespaces_of,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import (
    OPTIONS,
    PERCENTAGES,
    RANGES,
    Limits,
    Range,
)

_TOTAL = 100


def check_options(desired: Desired, limits: Limits | None, facts: EngineFacts) -> None:
    engine = facts.traits.title
    known = [name for name in facts.options if name not in ("groupid", "groupname")]
    for name, value in desired.limits.items():
        if name not in known:
            raise OptionError(desired.option(name), f"{engine} has no such option; it has {', '.join(known)}")
        allowed = _range(name, desired.name, facts)
        if allowed is not None:
            allowed.check(desired.option(name), value, engine)
    _check_tablespaces(desired, facts)
    cpuset = desired.limits.get("cpuset")
    percentage = next(name for name in (*PERCENTAGES, "cpuset") if name in known)
    if limits is None and cpuset in (None, UNSET) and percentage not in desired.limits:
        raise OptionError(desired.option(percentage), f"group {desired.name!r} is new: it needs {percentage} or cpuset")
    if limits is not None and cpuset == UNSET != limits.get("cpuset", UNSET):
        raise OptionError(
            desired.option("cpuset"), f"group {desired.name!r} leaves its cores for a percentage; give {percentage}"
        )
    auditor = desired.limits.get("memory_auditor")
    if limits is not None and auditor not in (None, limits.get("memory_auditor")):
        raise OptionError(
            desired.option("memory_auditor"),
            f"the engine sets it when a group is created; {desired.name!r} has {limits.get('memory_auditor')}",
        )


def _check_tablespaces(desired: Desired, facts: EngineFacts) -> None:
    unknown = sorted(tablespaces_of(desired.limits.get("io_limit", UNSET)) - set(facts.tablespaces or ()))
    if facts.tablespaces is not None and unknown:
        known = ", ".join(sorted(facts.tablespaces))
        raise OptionError(desired.option("io_limit"), f"there is no tablespace {unknown[0]!r}; there are {known}")


def _range(option: str, group: str, facts: EngineFacts) -> Range | None:
    """What this engine takes, as far as it is known."""
    if option == "concurrency":
        note = " for this group (max_connections)" if group == ADMIN else " (max_connections)"
        return Range(int(group == ADMIN), facts.max_connections, note=note)
    if option == "memory_limit" and facts.traits.memory_is_percent:
        return Range(0, _TOTAL)
    return RANGES.get(option)


def effect(step: Step, state: t.Mapping[str, Limits], facts: EngineFacts) -> Limits:
    """The limits of the group of a create or alter after this step."""
    if step.option is None or step.value is None:  # a create
        limits = {name: OPTIONS[name].default for name in facts.options if name in OPTIONS}
        if "memory_limit" in limits:
            limits["memory_limit"] = facts.traits.memory_default
        return {**limits, **step.limits}
    limits = dict(state[step.group])
    limits[step.option] = step.value
    if step.option in PERCENTAGES:
        limits["cpuset"] = UNSET
    elif step.option == "cpuset":
        resets = (*PERCENTAGES, "cpu_weight")
        limits.update({name: OPTIONS[name].default for name in resets if name in limits})
    return limits


@dataclasses.dataclass(frozen=True)
class _Conflict:
    """Why the engine would not take limits.

    Attributes:
        options: What they are about, the likelier culprit first.
        sums: Of a sum over all groups: what each has.
    """

    options: tuple[str, ...]
    problem: str
    sums: t.Mapping[str, int] = dataclasses.field(default_factory=dict)


def conflict(name: str, limits: Limits, state: t.Mapping[str, Limits]) -> _Conflict | None:
    """Whether a statement that gives a group these limits is refused because of its other limits, or other groups."""
    if limits.get("memory_limit") == "0" and limits.get("memory_spill_ratio", "0") != "0":
        spill = limits["memory_spill_ratio"]
        return _Conflict(
            ("memory_spill_ratio", "memory_limit"),
            f"group {name!r} would have memory_spill_ratio {spill} and memory_limit 0; above 0 the one needs the other",
        )
    if limits.get("memory_auditor") == "cgroup" and limits["concurrency"] != "0":
        return _Conflict(
            ("concurrency", "memory_auditor"), f"group {name!r} has memory_auditor cgroup: concurrency must be 0"
        )
    others = {other: state[other] for other in state if other != name}
    return _over_total(name, limits, others) or _shared_cores(name, limits, others)


def _over_total(name: str, limits: Limits, others: t.Mapping[str, Limits]) -> _Conflict | None:
    for option in ("cpu_rate_limit", "memory_limit") if "cpu_rate_limit" in limits else ():
        shares = {each: max(int(value.get(option, UNSET)), 0) for each, value in {**others, name: limits}.items()}
        total = sum(shares.values())
        if total > _TOTAL:
            each = ", ".join(f"{group} {share}" for group, share in sorted(shares.items()) if share)
            return _Conflict(
                (option,), f"all groups together would have {total}, and the engine allows {_TOTAL}: {each}", shares
            )
    return None


def _shared_cores(name: str, limits: Limits, others: t.Mapping[str, Limits]) -> _Conflict | None:
    for other, value in others.items():
        shared = overlap(cores_of(limits), cores_of(value))
        if shared:
            return _Conflict(
                ("cpuset",),
                f"groups {name!r} and {other!r} would both have the cores {ranges_text(shared)}; only one can",
            )
    return None


def overlap(one: Cores, other: Cores) -> frozenset[int]:
    return (one[0] & other[0]) | (one[1] & other[1])
