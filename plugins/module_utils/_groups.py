# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: resource groups as they are + as they should be -> the steps, in an order that the engine takes.

Private to the collection. A step is one statement. The order is found by playing the steps on the limits that the
engine has: a step is next if the engine would take it at that moment. If none is, a detour makes room.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._errors import OptionError

ADMIN = "admin_group"
DEFAULT = "default_group"
SYSTEM = "system_group"
MANAGED_ADMIN = "mdb_admin_group"
BUILT_IN = (ADMIN, DEFAULT, SYSTEM, MANAGED_ADMIN)

LIMIT_OPTIONS: dict[str, t.Any] = {
    "concurrency": {"type": "int"},
    "cpu_rate_limit": {"type": "int"},
    "cpu_max_percent": {"type": "int"},
    "cpu_weight": {"type": "int"},
    "cpuset": {"type": "str"},
    "memory_limit": {"type": "int"},
    "memory_quota": {"type": "int"},
    "memory_shared_quota": {"type": "int"},
    "memory_spill_ratio": {"type": "int"},
    "min_cost": {"type": "int"},
    "io_limit": {"type": "str"},
    "extra_options": {"type": "dict"},
}

_FAMILIES = {"gp6": "Greenplum 6", "gp7": "Greenplum 7", "cb": "Cloudberry"}
_NAME_BYTES = 63
_INT_MAX = 2**31 - 1
_LAST_CORE = 1024  # the engines parse no higher number
_TOTAL = 100
_FEW = 2  # fewer slots than this, and one stuck session locks everybody out
_UNSET = "-1"
_PERCENTAGES = ("cpu_rate_limit", "cpu_max_percent")
_TEXTS = ("cpuset", "io_limit")
# What CREATE gives to an option that is not named.
_DEFAULTS = {
    "concurrency": "20",
    "cpu_rate_limit": _UNSET,
    "cpu_max_percent": _UNSET,
    "cpu_weight": "100",
    "cpuset": _UNSET,
    "memory_limit": _UNSET,
    "memory_quota": _UNSET,
    "memory_shared_quota": "80",
    "memory_spill_ratio": "0",
    "memory_auditor": "vmtracker",
    "min_cost": "0",
    "io_limit": _UNSET,
}

_Limits = t.Mapping[str, str]
_State = t.Dict[str, _Limits]
_Cores = t.Tuple[t.FrozenSet[int], t.FrozenSet[int]]


@dataclasses.dataclass(frozen=True)
class Group:
    """A resource group as the engine has it.

    Attributes:
        limits: Column of gp_resgroup_config -> its text, without groupid and groupname.
        roles: The roles assigned, sorted.
        running: Transactions now; V(none) if not asked.
        queueing: Likewise.
    """

    name: str
    limits: t.Mapping[str, str]
    roles: tuple[str, ...] = ()
    running: int | None = None
    queueing: int | None = None


@dataclasses.dataclass(frozen=True)
class Facts:
    """Of this server and login.

    Attributes:
        family: V(gp6), V(gp7) or V(cb).
        options: The columns of the config view: the options that this engine has.
        role: Who we are.
        role_group: And in which group.
    """

    family: str
    options: tuple[str, ...]
    max_connections: int
    role: str
    role_group: str | None
    superusers: frozenset[str]
    all_roles: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Desired:
    """One entry, understood.

    Attributes:
        option_prefix: Of the options in messages: empty, or V(groups[0].).
        limits: Canonical text, only what was given.
        roles: V(none) if nothing was said about them.
    """

    option_prefix: str
    name: str
    present: bool
    limits: t.Mapping[str, str]
    roles: tuple[str, ...] | None

    def option(self, name: str) -> str:
        """How the user wrote this option."""
        return self.option_prefix + (name if name in _ENTRY_OPTIONS else f"extra_options.{name}")


_ENTRY_OPTIONS = ("name", "state", "roles", *LIMIT_OPTIONS)


@dataclasses.dataclass(frozen=True)
class Wishes:
    """The whole task.

    Attributes:
        roles_to: The group that gets the roles of a dropped one.
    """

    desired: tuple[Desired, ...]
    purge: bool = False
    purge_all: bool = False
    purge_roles: bool = False
    roles_to: str | None = None
    allow_lockout: bool = False


@dataclasses.dataclass(frozen=True)
class Step:
    """One statement.

    Attributes:
        kind: V(drop), V(create), V(alter) or V(assign).
        group: For V(assign) the group that the role goes to.
        option: Of V(alter).
        value: Of V(alter), canonical.
        limits: Of V(create): all options of the statement, in order.
        role: Of V(assign).
    """

    kind: str
    group: str
    option: str | None = None
    value: str | None = None
    limits: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    role: str | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """The steps and where they lead.

    Attributes:
        before: Each group that the wishes name or that a step touches.
        after: The same groups when all steps are done, side effects included.
    """

    steps: tuple[Step, ...]
    before: t.Mapping[str, Group | None]
    after: t.Mapping[str, Group | None]
    warnings: tuple[str, ...]


def is_text(option: str, value: str) -> bool:
    """Whether the statement takes this value as a string and not as a number."""
    return option in _TEXTS or not _INTEGER.match(value)


# Understanding the options, before there is a server


@dataclasses.dataclass(frozen=True)
class _Range:
    """The numbers that an option takes."""

    low: int
    high: int
    unlimited: bool = False  # -1 is taken too
    note: str = ""

    def check(self, option: str, value: str, engine: str = "it") -> None:
        number = int(value)
        if self.low <= number <= self.high or (self.unlimited and number == -1):
            return
        numbers = f"{self.low} to {self.high}" if self.high < _INT_MAX else f"{self.low} or more"
        more = ", or -1 for no limit" if self.unlimited else ""
        raise OptionError(option, f"{value} is not allowed; {engine} takes {numbers}{more}{self.note}")


# The widest of all engines; _range knows what one engine takes.
_RANGES = {
    "concurrency": _Range(0, _INT_MAX),
    "cpu_rate_limit": _Range(1, 100),
    "cpu_max_percent": _Range(1, 100, unlimited=True),
    "cpu_weight": _Range(1, 500),
    "memory_limit": _Range(0, _INT_MAX, unlimited=True),
    "memory_quota": _Range(0, _INT_MAX, unlimited=True),
    "memory_shared_quota": _Range(0, 100),
    "memory_spill_ratio": _Range(0, 100),
    "min_cost": _Range(0, _INT_MAX),
}
_INTEGER = re.compile(r"-?\d+\Z", re.ASCII)
_OPTION_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
_CORES = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?\Z", re.ASCII)
_IO_SETTING = re.compile(r"([a-z]+)=(\d+|max)\Z", re.ASCII)


def understand(
    entries: t.Sequence[t.Mapping[str, t.Any]],
    single: bool,
    *,
    purge: bool = False,
    purge_all: bool = False,
    purge_roles: bool = False,
    roles_to: str | None = None,
    allow_lockout: bool = False,
) -> Wishes:
    """The options -> what is asked for.

    Args:
        entries: Each with name, state, roles and the options of V(LIMIT_OPTIONS); V(none) or absent is not said.
        single: There is one entry and it is the module's own options.

    Raises:
        OptionError: Something cannot be meant, whatever the server.
    """
    desired = tuple(_desired("" if single else f"groups[{number}].", entry) for number, entry in enumerate(entries))
    wishes = Wishes(desired, purge, purge_all, purge_roles, roles_to, allow_lockout)
    _check_unique(desired)
    _check_purge(wishes, single)
    _check_roles_to(wishes)
    return wishes


def _desired(prefix: str, entry: t.Mapping[str, t.Any]) -> Desired:
    name = entry.get("name") or ""
    _check_name(prefix + "name", name)
    roles = entry.get("roles")
    desired = Desired(
        option_prefix=prefix,
        name=name,
        present=(entry.get("state") or "present") == "present",
        limits=_limits(prefix, entry),
        roles=None if roles is None else tuple(dict.fromkeys(roles)),
    )
    if desired.present:
        return desired
    said = [*desired.limits, *([] if roles is None else ["roles"])]
    if said:
        raise OptionError(desired.option(said[0]), "it says nothing of a group with state=absent; leave it out")
    if name in BUILT_IN:
        raise OptionError(desired.option("state"), f"{name} is built in and is never dropped")
    return desired


def _check_name(option: str, name: str) -> None:
    if not name:
        raise OptionError(option, "an empty name is not allowed")
    if "\0" in name:
        raise OptionError(option, "a name cannot contain the character NUL")
    if name.lower() == "none":
        raise OptionError(option, f"{name!r} is reserved: to the engines it means no group")
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > _NAME_BYTES:
        raise OptionError(option, f"{name!r} has {size} bytes; the engines keep {_NAME_BYTES} and cut off the rest")


def _limits(prefix: str, entry: t.Mapping[str, t.Any]) -> dict[str, str]:
    limits: dict[str, str] = {}
    for name in LIMIT_OPTIONS:
        value = entry.get(name)
        if value is None:
            continue
        if name == "extra_options":
            limits.update(_extra_options(prefix + name, value))
        elif name == "cpuset":
            limits[name] = _canonical_cpuset(prefix + name, str(value))
        elif name == "io_limit":
            limits[name] = _canonical_io_limit(prefix + name, str(value))
        else:
            limits[name] = str(int(value))
    _choose_cpu(prefix, limits)
    for name, allowed in _RANGES.items():
        if name in limits:
            allowed.check(prefix + name, limits[name])
    return limits


def _extra_options(option: str, extra: t.Mapping[str, t.Any]) -> dict[str, str]:
    limits = {}
    for name, value in extra.items():
        if not _OPTION_NAME.match(str(name)):
            raise OptionError(option, f"{name!r} is not the name of an option; it has a-z, 0-9 and _ only")
        if name in _ENTRY_OPTIONS:
            raise OptionError(f"{option}.{name}", "it is an option of its own; write it beside extra_options")
        if isinstance(value, bool) or not isinstance(value, (int, str)) or "\0" in str(value):
            raise OptionError(f"{option}.{name}", f"{value!r} is not allowed; it is a whole number or a string")
        limits[name] = str(value)
    return limits


def _choose_cpu(prefix: str, limits: dict[str, str]) -> None:
    """Leave the one that counts of a cpuset and a percentage: of two that the engine shows, one is -1."""
    percentages = [name for name in _PERCENTAGES if name in limits]
    if "cpuset" not in limits or not percentages:
        return
    if limits["cpuset"] == _UNSET:
        del limits["cpuset"]
        return
    for name in percentages:
        if limits[name] != _UNSET:
            raise OptionError(prefix + "cpuset", f"a group has either a cpuset or {name}, not both")
        del limits[name]


def _check_unique(desired: t.Iterable[Desired]) -> None:
    names: dict[str, Desired] = {}
    roles: dict[str, Desired] = {}
    for each in desired:
        if each.name in names:
            first = names[each.name].option("name")
            raise OptionError(each.option("name"), f"{each.name!r} is declared twice; first by {first}")
        names[each.name] = each
        for role in each.roles or ():
            if role in roles:
                raise OptionError(
                    each.option("roles"), f"role {role!r} is listed for {roles[role].name!r} too; a role has one group"
                )
            roles[role] = each


def _check_purge(wishes: Wishes, single: bool) -> None:
    if wishes.purge and single:
        raise OptionError("purge", "it goes with groups, the list of all groups that are to be there")
    if wishes.purge_all and not wishes.purge:
        raise OptionError("purge_all", "it allows purge to drop every group; without purge it does nothing")
    if wishes.purge and not wishes.purge_all and not any(each.present for each in wishes.desired):
        raise OptionError(
            "purge", "no group is declared present, so every group that is not built in would go; purge_all: true does"
        )


def _check_roles_to(wishes: Wishes) -> None:
    if wishes.roles_to is None:
        return
    _check_name("roles_to", wishes.roles_to)
    if not wishes.purge and all(each.present for each in wishes.desired):
        raise OptionError("roles_to", "it is where the roles of dropped groups go, and nothing drops a group here")
    for each in wishes.desired:
        if each.name == wishes.roles_to and not each.present:
            raise OptionError("roles_to", f"{each.name!r} is declared absent")
        if each.name == wishes.roles_to and each.roles is not None and wishes.purge_roles:
            raise OptionError(
                "roles_to",
                f"{each.name!r} lists its roles, and purge_roles would take away those that come by roles_to",
            )


# Values


def _canonical_cpuset(option: str, text: str) -> str:
    text = "".join(text.split())
    if text == _UNSET:
        return text
    try:
        return _cpuset_text(_parse_cpuset(text))
    except ValueError:
        raise OptionError(
            option,
            f"{text!r} is not a list of cores; allowed are such as 0,2-3, or 0;2-3 for the coordinator and the "
            f"segments, with cores up to {_LAST_CORE}",
        ) from None


def _parse_cpuset(text: str) -> _Cores:
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


def _cores(limits: _Limits) -> _Cores:
    """The cores that are this group's own; none of a text that is not understood."""
    try:
        return _parse_cpuset(limits.get("cpuset", _UNSET))
    except ValueError:
        return frozenset(), frozenset()


def _ranges(cores: t.Iterable[int]) -> str:
    """Cores in the engine's notation: V(1-3,7)."""
    spans: list[list[int]] = []
    for core in sorted(cores):
        if spans and spans[-1][1] == core - 1:
            spans[-1][1] = core
        else:
            spans.append([core, core])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def _cpuset_text(cores: _Cores) -> str:
    coordinator, segments = _ranges(cores[0]), _ranges(cores[1])
    return coordinator if coordinator == segments else f"{coordinator};{segments}"


def _canonical_io_limit(option: str, text: str) -> str:
    text = "".join(text.split())
    try:
        _parse_io_limit(text)
    except ValueError as error:
        raise OptionError(
            option, f"{str(error)!r} is not understood; it is such as pg_default:rbps=1000,wbps=max, or -1 for no limit"
        ) from None
    return text or _UNSET


def _parse_io_limit(text: str) -> dict[str, dict[str, str]]:
    """Tablespace -> setting -> number. What is V(max) is as if it were not said."""
    limits: dict[str, dict[str, str]] = {}
    for part in text.split(";") if text not in ("", _UNSET) else ():
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


# Planning


def plan(current: t.Mapping[str, Group], wishes: Wishes, facts: Facts) -> Plan:
    """The steps from what is to what is wished for; none if they are equal.

    Raises:
        OptionError: The engine would not take it, or it would lock out who asks for it. Nothing has been sent.
    """
    dropped = _dropped(current, wishes)
    warnings = _check_drops(current, wishes, dropped)
    state: _State = {name: group.limits for name, group in current.items() if name not in dropped}
    changes: list[Step] = []
    for desired in wishes.desired:
        if desired.present:
            _check_options(desired, state.get(desired.name), facts)
            changes += _changes(desired, state.get(desired.name), facts)
    goals = dict(state)
    for step in changes:
        goals[step.group] = _effect(step, goals, facts)
    _check_end(goals, changes, wishes, facts)
    moves = _moves(current, wishes, facts, dropped, goals)
    if not wishes.allow_lockout:
        _check_lockout(current, wishes, facts, moves, goals)
    early, late = _assignments(current, moves, facts, dropped, goals)
    order = _Order(state, changes, wishes, facts)
    order.find()
    steps = (*early, *(Step("drop", name) for name in dropped), *order.steps, *late)
    before, after = _ends(current, wishes, steps, moves, order.state)
    return Plan(steps, before, after, (*warnings, *_side_effects(before, after, wishes)))


def _dropped(current: t.Mapping[str, Group], wishes: Wishes) -> list[str]:
    named = {desired.name: desired.present for desired in wishes.desired}
    dropped = [name for name, present in named.items() if not present and name in current]
    if wishes.purge:
        dropped += sorted(name for name in current if name not in named and name not in BUILT_IN)
    return dropped


def _check_drops(current: t.Mapping[str, Group], wishes: Wishes, dropped: t.Sequence[str]) -> list[str]:
    _check_target(current, wishes, dropped)
    states = {desired.name: desired.option("state") for desired in wishes.desired}
    warnings = []
    for name in dropped:
        running = current[name].running
        if not running:
            continue
        busy = f"{running} transactions run" if running > 1 else "1 transaction runs"
        if wishes.roles_to is None:
            raise OptionError(
                states.get(name, "purge"),
                f"{busy} in group {name!r}, so it cannot be dropped now; end what runs there first, or move its roles "
                "with roles_to and try",
            )
        warnings.append(f"{busy} in group {name!r}: until that ends, the engine refuses to drop it")
    return warnings


def _check_target(current: t.Mapping[str, Group], wishes: Wishes, dropped: t.Sequence[str]) -> None:
    target = wishes.roles_to
    if target is None or any(desired.name == target for desired in wishes.desired):
        return
    if target not in current:
        raise OptionError("roles_to", f"there is no group {target!r}, and none is declared")
    if target in dropped:
        raise OptionError("roles_to", f"purge drops {target!r}: it is not declared")


def _check_options(desired: Desired, limits: _Limits | None, facts: Facts) -> None:
    engine = _FAMILIES.get(facts.family, "this engine")
    known = [name for name in facts.options if name not in ("groupid", "groupname")]
    for name, value in desired.limits.items():
        if name not in known:
            raise OptionError(desired.option(name), f"{engine} has no such option; it has {', '.join(known)}")
        allowed = _range(name, desired.name, facts)
        if allowed is not None:
            allowed.check(desired.option(name), value, engine)
    cpuset = desired.limits.get("cpuset")
    percentage = next(name for name in (*_PERCENTAGES, "cpuset") if name in known)
    if limits is None and cpuset in (None, _UNSET) and percentage not in desired.limits:
        raise OptionError(desired.option(percentage), f"group {desired.name!r} is new: it needs {percentage} or cpuset")
    if limits is not None and cpuset == _UNSET != limits.get("cpuset", _UNSET):
        raise OptionError(
            desired.option("cpuset"), f"group {desired.name!r} leaves its cores for a percentage; give {percentage}"
        )
    auditor = desired.limits.get("memory_auditor")
    if limits is not None and auditor not in (None, limits.get("memory_auditor")):
        raise OptionError(
            desired.option("memory_auditor"),
            f"the engine sets it when a group is created; {desired.name!r} has {limits.get('memory_auditor')}",
        )


def _range(option: str, group: str, facts: Facts) -> _Range | None:
    """What this engine takes, as far as it is known."""
    if option == "concurrency":
        note = " for this group (max_connections)" if group == ADMIN else " (max_connections)"
        return _Range(int(group == ADMIN), facts.max_connections, note=note)
    if option == "memory_limit" and facts.family == "gp6":
        return _Range(0, _TOTAL)
    return _RANGES.get(option)


def _changes(desired: Desired, limits: _Limits | None, facts: Facts) -> list[Step]:
    """The statements that this entry needs, not yet in order."""
    wanted = {name: desired.limits[name] for name in facts.options if name in desired.limits}
    steps = []
    if limits is None:
        # In CREATE it depends on the order of the two, and on the version, whether the cpuset resets the weight.
        later = {"cpu_weight": wanted.pop("cpu_weight")} if "cpuset" in wanted and "cpu_weight" in wanted else {}
        steps.append(Step("create", desired.name, limits=wanted))
        limits, wanted = _effect(steps[0], {}, facts), later
    # What resets others is first, so that these are set again.
    for option in sorted(wanted, key=lambda name: name not in ("cpuset", *_PERCENTAGES)):
        leaves_cores = option in _PERCENTAGES and limits.get("cpuset", _UNSET) != _UNSET
        if leaves_cores or not is_same(option, limits.get(option, ""), wanted[option]):
            steps.append(Step("alter", desired.name, option, wanted[option]))
            limits = _effect(steps[-1], {desired.name: limits}, facts)
    return steps


def _effect(step: Step, state: t.Mapping[str, _Limits], facts: Facts) -> _Limits:
    """The limits of the group of a create or alter after this step."""
    if step.option is None or step.value is None:  # a create
        limits = {name: _DEFAULTS[name] for name in facts.options if name in _DEFAULTS}
        if facts.family == "gp6":
            limits["memory_limit"] = "0"
        return {**limits, **step.limits}
    limits = dict(state[step.group])
    limits[step.option] = step.value
    if step.option in _PERCENTAGES:
        limits["cpuset"] = _UNSET
    elif step.option == "cpuset":
        resets = (*_PERCENTAGES, "cpu_weight")
        limits.update({name: _DEFAULTS[name] for name in resets if name in limits})
    return limits


# What the engine refuses


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


def _conflict(name: str, limits: _Limits, state: t.Mapping[str, _Limits]) -> _Conflict | None:
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


def _over_total(name: str, limits: _Limits, others: t.Mapping[str, _Limits]) -> _Conflict | None:
    for option in ("cpu_rate_limit", "memory_limit") if "cpu_rate_limit" in limits else ():
        shares = {each: max(int(value.get(option, _UNSET)), 0) for each, value in {**others, name: limits}.items()}
        total = sum(shares.values())
        if total > _TOTAL:
            each = ", ".join(f"{group} {share}" for group, share in sorted(shares.items()) if share)
            return _Conflict(
                (option,), f"all groups together would have {total}, and the engine allows {_TOTAL}: {each}", shares
            )
    return None


def _shared_cores(name: str, limits: _Limits, others: t.Mapping[str, _Limits]) -> _Conflict | None:
    for other, value in others.items():
        shared = _overlap(_cores(limits), _cores(value))
        if shared:
            return _Conflict(
                ("cpuset",), f"groups {name!r} and {other!r} would both have the cores {_ranges(shared)}; only one can"
            )
    return None


def _overlap(one: _Cores, other: _Cores) -> frozenset[int]:
    return (one[0] & other[0]) | (one[1] & other[1])


def _check_end(goals: t.Mapping[str, _Limits], changes: t.Iterable[Step], wishes: Wishes, facts: Facts) -> None:
    """Refuse what cannot be at the end, before anything is sent."""
    touched = {step.group for step in changes}
    for desired in wishes.desired:
        found = _conflict(desired.name, goals[desired.name], goals) if desired.name in touched else None
        if found is None:
            continue
        if found.sums:
            engine = _FAMILIES.get(facts.family, "the engine")
            raise OptionError(found.options[0], found.problem.replace("the engine", engine), sums=dict(found.sums))
        said = [name for name in found.options if name in desired.limits]
        raise OptionError(desired.option((said or found.options)[0]), found.problem)


# Roles


def _moves(
    current: t.Mapping[str, Group],
    wishes: Wishes,
    facts: Facts,
    dropped: t.Sequence[str],
    goals: t.Mapping[str, _Limits],
) -> dict[str, str]:
    """Role -> the group that it goes to at the end."""
    owners = _owners(current)
    listed = {role: desired for desired in wishes.desired for role in desired.roles or ()}
    moves: dict[str, str] = {}
    for role, desired in listed.items():
        if owners.get(role) != desired.name:
            _check_role(desired.option("roles"), role, desired.name, facts, goals)
            moves[role] = desired.name
    for desired in wishes.desired if wishes.purge_roles else ():
        group = current.get(desired.name)
        if desired.roles is not None and group is not None:
            unlisted = (role for role in group.roles if role not in listed and not _reserved(role))
            moves.update({role: _home(role, facts) for role in unlisted if _home(role, facts) != group.name})
    left = {role: name for name in dropped for role in current[name].roles if role not in listed}
    for role, name in left.items():
        if wishes.roles_to is None:
            roles = ", ".join(each for each, owner in left.items() if owner == name)
            raise OptionError(
                "roles_to", f"group {name!r} would be dropped and has roles: {roles}; say which group gets them"
            )
        _check_role("roles_to", role, wishes.roles_to, facts, goals)
        moves[role] = wishes.roles_to
    return moves


def _owners(current: t.Mapping[str, Group]) -> dict[str, str]:
    return {role: group.name for group in current.values() for role in group.roles}


def _reserved(role: str) -> bool:
    """Whether the role is the engine's own: Greenplum 7 has them in admin_group and lets nobody move them."""
    return role.startswith("pg_")


def _home(role: str, facts: Facts) -> str:
    """Where the engine itself puts a role without a group."""
    return ADMIN if role in facts.superusers else DEFAULT


def _check_role(option: str, role: str, group: str, facts: Facts, goals: t.Mapping[str, _Limits]) -> None:
    if role not in facts.all_roles:
        raise OptionError(option, f"there is no role {role!r}")
    if _reserved(role):
        raise OptionError(option, f"{role!r} is a role of the engine; its group cannot be changed")
    if group == SYSTEM:
        raise OptionError(option, f"{group} is for the engine's own processes and takes no role")
    if group == ADMIN and role not in facts.superusers:
        raise OptionError(option, f"{group} takes superusers only, and {role!r} is none")
    if goals[group].get("memory_auditor") == "cgroup":
        raise OptionError(option, f"group {group!r} has memory_auditor cgroup and takes no role")


def _assignments(
    current: t.Mapping[str, Group],
    moves: t.Mapping[str, str],
    facts: Facts,
    dropped: t.Sequence[str],
    goals: t.Mapping[str, _Limits],
) -> tuple[list[Step], list[Step]]:
    """What must be before the drops, and what comes last."""
    owners = _owners(current)
    early, late = [], []
    for role, group in moves.items():
        final = Step("assign", group, role=role)
        if owners.get(role) not in dropped:
            late.append(final)
        elif group in current and not _wakes(current[group].limits, goals[group]):
            early.append(final)
        else:
            early.append(Step("assign", _home(role, facts), role=role))
            late.append(final)
    return early, late


def _wakes(now: _Limits, then: _Limits) -> bool:
    """Whether nothing can run in a group yet, but will at the end."""
    return now["concurrency"] == "0" != then["concurrency"]


# Guard rails


def _check_lockout(
    current: t.Mapping[str, Group],
    wishes: Wishes,
    facts: Facts,
    moves: t.Mapping[str, str],
    goals: t.Mapping[str, _Limits],
) -> None:
    for desired in wishes.desired:
        group = current.get(desired.name)
        if group is None or not desired.present:
            continue
        now, then = int(group.limits["concurrency"]), int(goals[group.name]["concurrency"])
        why = _why_keep_open(group, facts, moves) if then < now and then < _FEW else None
        if why is not None:
            raise OptionError(
                desired.option("concurrency"),
                f"{then} on group {group.name!r} can lock you out: {why}; {_FEW} or more, or allow_lockout: true",
            )
    target = moves.get(facts.role)
    if target is not None and goals[target]["concurrency"] == "0":
        raise OptionError(
            _why_moved(facts.role, wishes, current),
            f"this would lock you out: your role {facts.role!r} would go to group {target!r}, where nothing can run "
            "with concurrency 0; allow_lockout: true does it",
        )


def _why_keep_open(group: Group, facts: Facts, moves: t.Mapping[str, str]) -> str | None:
    if group.name in (ADMIN, MANAGED_ADMIN):
        return "it is the group of the administrators"
    roles = {*group.roles, *(role for role, goal in moves.items() if goal == group.name)}
    if group.name == facts.role_group or facts.role in roles:
        return f"your role {facts.role!r} is in it"
    superusers = sorted(roles & facts.superusers)
    return f"the superuser {superusers[0]!r} is in it" if superusers else None


def _why_moved(role: str, wishes: Wishes, current: t.Mapping[str, Group]) -> str:
    """The option that moves this role."""
    for desired in wishes.desired:
        if role in (desired.roles or ()):
            return desired.option("roles")
    kept = {desired.name for desired in wishes.desired if desired.present}
    return "purge_roles" if _owners(current).get(role) in kept else "roles_to"


# The order


class _Order:
    """Finds an order in which the engine takes each statement.

    Decreases are first and increases last. What is left then waits for cores or for room in a sum that another
    waiting change gives back; if they wait for each other, one of them is parked meanwhile.

    Attributes:
        state: The limits of all groups after the steps so far.
        steps: In order.
    """

    def __init__(self, state: _State, changes: t.Iterable[Step], wishes: Wishes, facts: Facts) -> None:
        self.state: _State = dict(state)
        self.steps: list[Step] = []
        self._waiting = sorted(changes, key=self._rank)
        self._facts = facts
        self._named = [desired.name for desired in wishes.desired if desired.present]
        # Only those of which it is said what they are to have: should we break off, a second run gives it back.
        self._lenders = [desired.name for desired in wishes.desired if "cpu_rate_limit" in desired.limits]

    def find(self) -> None:
        """Do all changes.

        Raises:
            OptionError: There is no such order.
        """
        while self._waiting:
            step = next((each for each in self._waiting if self._is_due(each) and self._is_legal(each)), None)
            if step is not None:
                self._waiting.remove(step)
                self._do(step)
            elif not self._make_way():
                raise OptionError("cpuset", self._deadlock())

    def _rank(self, step: Step) -> int:
        """Decreases, then creates, then increases."""
        if step.kind == "create":
            return 1
        if step.option == "cpuset":
            return 0
        now = self.state.get(step.group, {})
        if step.option in _PERCENTAGES and now.get("cpuset", _UNSET) != _UNSET:
            return 2
        old, new = now.get(str(step.option), ""), str(step.value)
        numbers = _INTEGER.match(old) and _INTEGER.match(new)
        return 0 if numbers and int(new) < int(old) else 2

    def _is_due(self, step: Step) -> bool:
        if step.kind == "create":
            return True
        reset_later = step.option == "cpu_weight" and self._next_of(step.group, ("cpuset",)) is not None
        return step.group in self.state and not reset_later

    def _is_legal(self, step: Step) -> bool:
        return _conflict(step.group, _effect(step, self.state, self._facts), self.state) is None

    def _do(self, step: Step) -> None:
        self.state[step.group] = _effect(step, self.state, self._facts)
        self.steps.append(step)

    def _next_of(self, group: str, options: t.Container[str]) -> Step | None:
        return next((step for step in self._waiting if step.group == group and step.option in options), None)

    def _make_way(self) -> bool:
        """Take a detour; whether there was one."""
        blocking = [name for name in self._named if self._blocks(name)]
        return (
            any(self._shrink(name) for name in blocking)
            or any(self._park(name) for name in blocking)
            or any(self._lower(name) for name in self._named)
            or any(self._park_in_room_of(name, lender) for name in blocking for lender in self._lenders)
        )

    def _blocks(self, name: str) -> bool:
        """Whether this group has cores that another one waits for, and is to give them up."""
        if name not in self.state or self._next_of(name, ("cpuset", *_PERCENTAGES)) is None:
            return False
        others = [step for step in self._waiting if step.group != name and self._is_due(step)]
        wanted = [_cores(_effect(step, self.state, self._facts)) for step in others]
        return any(_overlap(_cores(self.state[name]), cores) for cores in wanted)

    def _shrink(self, name: str) -> bool:
        """Keep only the cores that it has at the end, too."""
        final = self._next_of(name, ("cpuset",))
        if final is None:
            return False
        have, get = _cores(self.state[name]), _cores({"cpuset": str(final.value)})
        keep = (have[0] & get[0], have[1] & get[1])
        if keep == have or not all(keep):
            return False
        self._do(Step("alter", name, "cpuset", _cpuset_text(keep)))
        return True

    def _park(self, name: str) -> bool:
        """Give a group the least percentage instead of its cores, or none where there are no sums."""
        percentage = next(option for option in _PERCENTAGES if option in self._facts.options)
        step = Step("alter", name, percentage, "1" if percentage == "cpu_rate_limit" else _UNSET)
        if not self._is_legal(step):
            return False
        self._do(step)
        return True

    def _lower(self, name: str) -> bool:
        """Give back all but 1 of a percentage that the group loses anyway to the cores that it waits for."""
        if self._next_of(name, ("cpuset",)) is None or int(self.state[name].get("cpu_rate_limit", _UNSET)) <= 1:
            return False
        self._do(Step("alter", name, "cpu_rate_limit", "1"))
        return True

    def _park_in_room_of(self, name: str, lender: str) -> bool:
        """Park a group on 1 percent that another one lends."""
        has = int(self.state.get(lender, {}).get("cpu_rate_limit", _UNSET))
        if has <= 1:
            return False
        self._do(Step("alter", lender, "cpu_rate_limit", str(has - 1)))
        if self._next_of(lender, _PERCENTAGES) is None:
            self._waiting.append(Step("alter", lender, "cpu_rate_limit", str(has)))
        return self._park(name)

    def _deadlock(self) -> str:
        names = ", ".join(repr(name) for name in dict.fromkeys(step.group for step in self._waiting))
        return (
            f"the groups {names} wait for each other's cores, and no percent of cpu_rate_limit is free to park one of "
            "them meanwhile; declare another group with 1 percent less first"
        )


# The result


def _ends(
    current: t.Mapping[str, Group],
    wishes: Wishes,
    steps: t.Iterable[Step],
    moves: t.Mapping[str, str],
    state: t.Mapping[str, _Limits],
) -> tuple[dict[str, Group | None], dict[str, Group | None]]:
    """The groups that are named or touched, before and after."""
    owners = _owners(current)
    left = [owners[role] for role in moves if role in owners]
    names = dict.fromkeys([*(desired.name for desired in wishes.desired), *(step.group for step in steps), *left])
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
    before: t.Mapping[str, Group | None], after: t.Mapping[str, Group | None], wishes: Wishes
) -> list[str]:
    """What changes though nobody asked for it."""
    warnings = []
    for desired in wishes.desired:
        old, new = before[desired.name], after[desired.name]
        if old is None or new is None or "cpu_weight" in desired.limits:
            continue
        now, then = old.limits.get("cpu_weight"), new.limits.get("cpu_weight")
        if now != then:
            warnings.append(
                f"group {desired.name!r}: the new cpuset resets cpu_weight from {now} to {then}; to keep it, declare it"
            )
    return warnings
