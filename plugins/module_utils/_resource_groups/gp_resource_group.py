# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_resource_group does: options -> its result. Private to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import engine, option_types
from ansible_collections.gpops.toolkit.plugins.module_utils._core.apply import Change
from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import (
    GpopsError,
    GroupFull,
    OptionError,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._core.families import not_managed_alone
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import catalog, desired, plan
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import options as group_options
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups.model import EngineFacts, Group, Plan, Step

_ENTRY: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **desired.LIMIT_OPTIONS,
    "roles": {"type": "list", "elements": "str"},
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "str"},
    **_ENTRY,
    "groups": {"type": "list", "elements": "dict", "options": {"name": {"type": "str", "required": True}, **_ENTRY}},
    "purge": {"type": "bool", "default": False},
    "purge_all": {"type": "bool", "default": False},
    "purge_roles": {"type": "bool", "default": False},
    "roles_to": {"type": "str"},
    "allow_lockout": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "str", "default": "30"},
}
_TASK_OPTIONS = ("purge", "purge_all", "purge_roles", "roles_to", "allow_lockout")
_POLL_SECONDS = 0.5


def run(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Make the resource groups what the options say.

    Args:
        options: Validated by the argument specs of this module and of the connection.
        check_mode: Plan, and send nothing.

    Returns:
        The result as gpops.toolkit.gp_resource_group documents it, and warnings.

    Raises:
        GpopsError: In plain words, with what was applied once something was.
    """
    desired_state = parse(options)
    wait_timeout = option_types.waiting_time("wait_timeout", options["wait_timeout"]) if options["wait"] else 0.0
    with connect(options, engine.GROUP_VIEWS, changes=True) as cluster:
        job = _GroupChange(cluster, desired_state, check_mode)
        if not check_mode:
            job.apply()
            job.wait(wait_timeout)
        return job.result(), job.warnings()


def parse(options: t.Mapping[str, t.Any]) -> desired.DesiredState:
    """PURE: the options -> what is asked for.

    Raises:
        OptionError: An option cannot be used.
    """
    task = {name: options[name] for name in _TASK_OPTIONS}
    if (options["name"] is None) == (options["groups"] is None):
        raise OptionError("name", "give either name, for one group, or groups, for a list of them")
    if options["groups"] is None:
        return desired.parse([options], single=True, **task)
    alone = [name for name in _ENTRY if name != "state" and options.get(name) is not None]
    if alone:
        raise OptionError(alone[0], "with groups it belongs into the entries of the list")
    return desired.parse(options["groups"], single=False, **task)


class _GroupChange(Change):
    """One plan for the groups of one server."""

    def __init__(self, cluster: Cluster, desired_state: desired.DesiredState, check_mode: bool) -> None:
        super().__init__(cluster)
        self._reading = catalog.read(cluster.connection, cluster.engine, desired_state.names_tablespaces)
        self._groups = dict(self._reading.groups)
        self._plan = plan.plan(self._groups, desired_state, self._reading.facts)
        self._lowered = with_less_room(self._plan)
        if self._lowered or any(step.kind == "drop" for step in self._plan.steps):
            self._groups = catalog.with_status(self._groups, self._status(check_mode))
            self._plan = plan.plan(self._groups, desired_state, self._reading.facts)
        self.statements = [cluster.connection.text(catalog.statement(step)) for step in self._plan.steps]
        self._after: dict[str, Group | None] = dict(self._plan.after)

    def _status(self, check_mode: bool) -> dict[str, catalog.GroupStatus]:
        """Read only where it matters: the engine takes 300 ms to tell what runs."""
        try:
            return catalog.read_status(self.cluster.connection)
        except GroupFull:
            if not check_mode:  # no statement of the plan would get past either
                raise
            self.notices.append(f"what runs in the groups is unknown: {self.cluster.full_group}")
            return {}

    def look(self) -> None:
        """The groups as they are now, and what of the plan the engine did not keep."""
        now = catalog.read(self.cluster.connection, self.cluster.engine).groups
        self._after = {name: now.get(name) for name in self._plan.after}
        if self.applied == len(self.statements):
            self.notices += not_stored(self._plan.after, self._after, self._reading.facts.tablespaces)

    def forget(self) -> None:
        """None of the groups is known any more."""
        self._after = {}

    def who_may(self, number: int, said: str) -> str:
        """Who may do this step."""
        return privilege(self._plan.steps[number], said, self._reading.facts)

    def wait(self, seconds: float) -> None:
        """Until no group runs more than it may now, or the time is over."""
        end = time.monotonic() + seconds
        # The wait was asked for: it comes on top of what is left of the session's time.
        deadline = Deadline(self.cluster.connection.deadline.remaining() + seconds)
        while self._lowered and self.statements:
            try:
                status = catalog.read_status(self.cluster.connection, deadline)
            except GpopsError as error:
                self.notices.append(f"all was applied; whether less runs already could not be read: {error.message}")
                return
            self._groups = catalog.with_status(self._groups, status)
            if all(self._effective(name) for name in self._lowered) or time.monotonic() >= end:
                return
            time.sleep(_POLL_SECONDS)

    def _effective(self, name: str) -> bool | None:
        """Whether a lower concurrency holds already; what runs is not stopped by it."""
        after, now = self._after.get(name), self._groups.get(name)
        if after is None or now is None or now.running is None:
            return None
        return now.running <= _concurrency(after)

    def result(self) -> dict[str, t.Any]:
        """The result of the module; before apply, what would happen."""
        groups = [self._group(name) for name in self._plan.before]
        return {
            "changed": bool(self.statements),
            "groups": groups,
            "statements": self.statements,
            "enforced": self._reading.enforced,
            "engine": self.cluster.engine.shown,
            "diff": {side: {group["name"]: group[side] for group in groups} for side in ("before", "after")},
        }

    def _group(self, name: str) -> dict[str, t.Any]:
        before, after = self._plan.before[name], self._after.get(name)
        now = self._groups.get(name)
        return {
            "name": name,
            "before": shown(before),
            "after": shown(after),
            "changed": shown(before) != shown(after),
            "running": now.running if now else None,
            "queueing": now.queueing if now else None,
            "effective_now": self._effective(name) if name in self._lowered else None,
        }

    def warnings(self) -> list[str]:
        """What the operator should know besides."""
        found = [*self._plan.warnings, *self.notices]
        if not self._reading.enforced:
            found.append(
                "resource groups are stored but not enforced: "
                f"gp_resource_manager is {self._reading.manager}, not group"
            )
        for name in self._lowered:
            group = self._group(name)
            if group["effective_now"] is False:
                found.append(
                    f"{name} still runs {group['running']} transactions; the lower concurrency holds as they end"
                )
        return found


def with_less_room(planned: Plan) -> list[str]:
    """PURE: the groups whose concurrency goes down."""
    lowered = []
    for name, after in planned.after.items():
        before = planned.before.get(name)
        if before and after and _concurrency(after) < _concurrency(before):
            lowered.append(name)
    return lowered


def not_stored(
    planned: t.Mapping[str, Group | None],
    found: t.Mapping[str, Group | None],
    tablespaces: t.Mapping[str, int] | None = None,
) -> list[str]:
    """PURE: what an engine accepted and did not keep, as Greenplum 7 an io_limit without cgroup v2."""
    said = []
    for name, wanted in planned.items():
        now = found.get(name)
        for option, value in wanted.limits.items() if wanted and now else ():
            kept = now.limits.get(option, value) if now else value
            if not group_options.is_same(option, kept, value, tablespaces):
                said.append(f"group {name}: the engine took {option} {value} and shows {kept}")
    return said


def _concurrency(group: Group) -> int:
    return int(group.limits["concurrency"])


def shown(group: Group | None) -> dict[str, t.Any] | None:
    """PURE: a group as the result has it: its limits, whole numbers as such, and its roles."""
    if group is None:
        return None
    limits = {name: value if group_options.is_text(name, value) else int(value) for name, value in group.limits.items()}
    return {**limits, "roles": list(group.roles)}


def privilege(step: Step, said: str, facts: EngineFacts) -> str:
    """PURE: who may do a step that was refused.

    Args:
        step: The step.
        said: What the engine said; where it names who may, nobody else may.
        facts: Of this server: only roles that it has are named.
    """
    if step.kind == "assign":
        if step.role in facts.superusers:
            return "only a superuser can move a superuser"
        return f"to move a role takes a superuser or a role with CREATEROLE{not_managed_alone(facts.all_roles)}"
    if step.group == desired.ADMIN:
        return f"{step.group} takes a superuser, on every engine"
    managers = [name for name in facts.traits.group_managers if name in facts.all_roles]
    if "must be superuser" in said or not managers:
        return "it takes a superuser"
    return f"it takes a superuser or a member of {' or '.join(managers)}"


DEFINITION = Definition(run, ARGUMENT_SPEC)
