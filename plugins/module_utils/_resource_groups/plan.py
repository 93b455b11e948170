# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: resource groups as they are + as they should be -> the steps, in an order that the engine takes.

Private to the collection. A step is one statement. The order is found by playing the steps on the limits that the
engine has: a step is next if the engine would take it at that moment. If none is, a detour makes room.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.desired import (
    ADMIN,
    BUILT_IN,
    DEFAULT,
    MANAGED_ADMIN,
    PERCENTAGES,
    SYSTEM,
    Desired,
    DesiredState,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.options import (
    INTEGER,
    RANGES,
    UNSET,
    Cores,
    Limits,
    Range,
    cores_of,
    cpuset_text,
    is_same,
    ranges_text,
    tablespaces_of,
)

_FAMILIES = {"gp6": "Greenplum 6", "gp7": "Greenplum 7", "cb": "Cloudberry"}
_TOTAL = 100
_FEW = 2  # fewer slots than this, and one stuck session locks everybody out
# What CREATE gives to an option that is not named.
_DEFAULTS = {
    "concurrency": "20",
    "cpu_rate_limit": UNSET,
    "cpu_max_percent": UNSET,
    "cpu_weight": "100",
    "cpuset": UNSET,
    "memory_limit": UNSET,
    "memory_quota": UNSET,
    "memory_shared_quota": "80",
    "memory_spill_ratio": "0",
    "memory_auditor": "vmtracker",
    "min_cost": "0",
    "io_limit": UNSET,
}

_State = t.Dict[str, Limits]


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
class EngineFacts:
    """Of this server and login.

    Attributes:
        family: V(gp6), V(gp7) or V(cb).
        options: The columns of the config view: the options that this engine has.
        role: Who we are.
        role_group: And in which group.
        tablespaces: Name -> oid, or V(none) if nobody asked for one by its name.
    """

    family: str
    options: tuple[str, ...]
    max_connections: int
    role: str
    role_group: str | None
    superusers: frozenset[str]
    all_roles: frozenset[str]
    tablespaces: t.Mapping[str, int] | None = None


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


# Planning


def plan(current: t.Mapping[str, Group], wishes: DesiredState, facts: EngineFacts) -> Plan:
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


def _dropped(current: t.Mapping[str, Group], wishes: DesiredState) -> list[str]:
    named = {desired.name: desired.present for desired in wishes.desired}
    dropped = [name for name, present in named.items() if not present and name in current]
    if wishes.purge:
        dropped += sorted(name for name in current if name not in named and name not in BUILT_IN)
    return dropped


def _check_drops(current: t.Mapping[str, Group], wishes: DesiredState, dropped: t.Sequence[str]) -> list[str]:
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


def _check_target(current: t.Mapping[str, Group], wishes: DesiredState, dropped: t.Sequence[str]) -> None:
    target = wishes.roles_to
    if target is None or any(desired.name == target for desired in wishes.desired):
        return
    if target not in current:
        raise OptionError("roles_to", f"there is no group {target!r}, and none is declared")
    if target in dropped:
        raise OptionError("roles_to", f"purge drops {target!r}: it is not declared")


def _check_options(desired: Desired, limits: Limits | None, facts: EngineFacts) -> None:
    engine = _FAMILIES.get(facts.family, "this engine")
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
    if option == "memory_limit" and facts.family == "gp6":
        return Range(0, _TOTAL)
    return RANGES.get(option)


def _changes(desired: Desired, limits: Limits | None, facts: EngineFacts) -> list[Step]:
    """The statements that this entry needs, not yet in order."""
    wanted = {name: desired.limits[name] for name in facts.options if name in desired.limits}
    steps = []
    if limits is None:
        # In CREATE it depends on the order of the two, and on the version, whether the cpuset resets the weight.
        later = {"cpu_weight": wanted.pop("cpu_weight")} if "cpuset" in wanted and "cpu_weight" in wanted else {}
        steps.append(Step("create", desired.name, limits=wanted))
        limits, wanted = _effect(steps[0], {}, facts), later
    # What resets others is first, so that these are set again.
    for option in sorted(wanted, key=lambda name: name not in ("cpuset", *PERCENTAGES)):
        leaves_cores = option in PERCENTAGES and limits.get("cpuset", UNSET) != UNSET
        if leaves_cores or not is_same(option, limits.get(option, ""), wanted[option], facts.tablespaces):
            steps.append(Step("alter", desired.name, option, wanted[option]))
            limits = _effect(steps[-1], {desired.name: limits}, facts)
    return steps


def _effect(step: Step, state: t.Mapping[str, Limits], facts: EngineFacts) -> Limits:
    """The limits of the group of a create or alter after this step."""
    if step.option is None or step.value is None:  # a create
        limits = {name: _DEFAULTS[name] for name in facts.options if name in _DEFAULTS}
        if facts.family == "gp6":
            limits["memory_limit"] = "0"
        return {**limits, **step.limits}
    limits = dict(state[step.group])
    limits[step.option] = step.value
    if step.option in PERCENTAGES:
        limits["cpuset"] = UNSET
    elif step.option == "cpuset":
        resets = (*PERCENTAGES, "cpu_weight")
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


def _conflict(name: str, limits: Limits, state: t.Mapping[str, Limits]) -> _Conflict | None:
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
        shared = _overlap(cores_of(limits), cores_of(value))
        if shared:
            return _Conflict(
                ("cpuset",),
                f"groups {name!r} and {other!r} would both have the cores {ranges_text(shared)}; only one can",
            )
    return None


def _overlap(one: Cores, other: Cores) -> frozenset[int]:
    return (one[0] & other[0]) | (one[1] & other[1])


def _check_end(
    goals: t.Mapping[str, Limits], changes: t.Iterable[Step], wishes: DesiredState, facts: EngineFacts
) -> None:
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
    wishes: DesiredState,
    facts: EngineFacts,
    dropped: t.Sequence[str],
    goals: t.Mapping[str, Limits],
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


def _home(role: str, facts: EngineFacts) -> str:
    """Where the engine itself puts a role without a group."""
    return ADMIN if role in facts.superusers else DEFAULT


def _check_role(option: str, role: str, group: str, facts: EngineFacts, goals: t.Mapping[str, Limits]) -> None:
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
    facts: EngineFacts,
    dropped: t.Sequence[str],
    goals: t.Mapping[str, Limits],
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


def _wakes(now: Limits, then: Limits) -> bool:
    """Whether nothing can run in a group yet, but will at the end."""
    return now["concurrency"] == "0" != then["concurrency"]


# Guard rails


def _check_lockout(
    current: t.Mapping[str, Group],
    wishes: DesiredState,
    facts: EngineFacts,
    moves: t.Mapping[str, str],
    goals: t.Mapping[str, Limits],
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


def _why_keep_open(group: Group, facts: EngineFacts, moves: t.Mapping[str, str]) -> str | None:
    if group.name in (ADMIN, MANAGED_ADMIN):
        return "it is the group of the administrators"
    roles = {*group.roles, *(role for role, goal in moves.items() if goal == group.name)}
    if group.name == facts.role_group or facts.role in roles:
        return f"your role {facts.role!r} is in it"
    superusers = sorted(roles & facts.superusers)
    return f"the superuser {superusers[0]!r} is in it" if superusers else None


def _why_moved(role: str, wishes: DesiredState, current: t.Mapping[str, Group]) -> str:
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

    def __init__(self, state: _State, changes: t.Iterable[Step], wishes: DesiredState, facts: EngineFacts) -> None:
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
        if step.option in PERCENTAGES and now.get("cpuset", UNSET) != UNSET:
            return 2
        old, new = now.get(str(step.option), ""), str(step.value)
        numbers = INTEGER.match(old) and INTEGER.match(new)
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
        if name not in self.state or self._next_of(name, ("cpuset", *PERCENTAGES)) is None:
            return False
        others = [step for step in self._waiting if step.group != name and self._is_due(step)]
        wanted = [cores_of(_effect(step, self.state, self._facts)) for step in others]
        return any(_overlap(cores_of(self.state[name]), cores) for cores in wanted)

    def _shrink(self, name: str) -> bool:
        """Keep only the cores that it has at the end, too."""
        final = self._next_of(name, ("cpuset",))
        if final is None:
            return False
        have, get = cores_of(self.state[name]), cores_of({"cpuset": str(final.value)})
        keep = (have[0] & get[0], have[1] & get[1])
        if keep == have or not all(keep):
            return False
        self._do(Step("alter", name, "cpuset", cpuset_text(keep)))
        return True

    def _park(self, name: str) -> bool:
        """Give a group the least percentage instead of its cores, or none where there are no sums."""
        percentage = next(option for option in PERCENTAGES if option in self._facts.options)
        step = Step("alter", name, percentage, "1" if percentage == "cpu_rate_limit" else UNSET)
        if not self._is_legal(step):
            return False
        self._do(step)
        return True

    def _lower(self, name: str) -> bool:
        """Give back all but 1 of a percentage that the group loses anyway to the cores that it waits for."""
        if self._next_of(name, ("cpuset",)) is None or int(self.state[name].get("cpu_rate_limit", UNSET)) <= 1:
            return False
        self._do(Step("alter", name, "cpu_rate_limit", "1"))
        return True

    def _park_in_room_of(self, name: str, lender: str) -> bool:
        """Park a group on 1 percent that another one lends."""
        has = int(self.state.get(lender, {}).get("cpu_rate_limit", UNSET))
        if has <= 1:
            return False
        self._do(Step("alter", lender, "cpu_rate_limit", str(has - 1)))
        if self._next_of(lender, PERCENTAGES) is None:
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
    wishes: DesiredState,
    steps: t.Iterable[Step],
    moves: t.Mapping[str, str],
    state: t.Mapping[str, Limits],
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
    before: t.Mapping[str, Group | None], after: t.Mapping[str, Group | None], wishes: DesiredState
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
